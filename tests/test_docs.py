"""What the README shows is run, as it stands there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from conftest import ROOT, Shell

README = (ROOT / "README.md").read_text(encoding="utf-8")
PIPELINES = re.findall(r"(?m)^(?:    .+\n)+", README.split("## Seven pipelines")[1].split("\n## ")[0])
NAMES = '<score-part id="P{0}"><part-name>Violin</part-name></score-part>'
PART = (
    '<part id="P{0}"><measure number="1"><attributes><divisions>1</divisions></attributes>'
    "<note><pitch><step>A</step><octave>{1}</octave></pitch><duration>4</duration></note></measure></part>"
)
DUET = (
    f'<score-partwise version="4.0"><part-list>{NAMES.format(1)}{NAMES.format(2)}</part-list>'
    f"{PART.format(1, 5)}{PART.format(2, 4)}</score-partwise>"
)
EXAMPLE = README.split("```python\n")[1].split("```")[0]


@pytest.fixture
def music(tmp_path: Path, scale: Path, shell: Shell) -> Path:
    """The folders that the README's pipelines speak of, with a little music in them."""
    for folder in ("scores", "songs", "tests", "takes", "demo", "kern"):
        (tmp_path / folder).mkdir()
    (tmp_path / "quartet.musicxml").write_text(DUET)
    for place in ("scores/one.mxl", "songs/two.mxl", "demo/erinnerung.mxl"):
        shutil.copy(ROOT / "demo" / "erinnerung.mxl", tmp_path / place)
    shutil.copy(ROOT / "tests" / "data" / "small.krn", tmp_path / "kern" / "three.krn")
    for number in range(12):
        shutil.copy(scale, tmp_path / "tests" / f"{number}.mid")
    shell("clefkit render scale.mid --out takes && rm takes/*.json")
    shell("clefkit render --format flac quartet.musicxml; mv quartet.flac trio.flac; rm quartet.flac.json quartet.ref*")
    return tmp_path


def test_there_are_seven_pipelines() -> None:
    assert len(PIPELINES) == 7


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", PIPELINES)
def test_pipeline_of_the_readme_runs(shell: Shell, music: Path, pipeline: str) -> None:
    done = shell("\n".join(["set -e", *(line.strip() for line in pipeline.splitlines())]), timeout=300)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_python_example_of_the_readme_runs(shell: Shell, music: Path) -> None:
    (music / "example.py").write_text(EXAMPLE)
    done = shell("python example.py", timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert 0 < float(done.stdout) <= 1
    assert (music / "heard.mid").is_file()


@pytest.mark.slow
def test_ci_step_of_the_readme_fails_on_a_regression(shell: Shell, music: Path) -> None:
    block = README.split("```yaml\n")[1].split("run: |\n")[1].split("      - if")[0]
    step = "\n".join(line.strip() for line in block.splitlines())
    assert shell(step.replace("--baseline", "--update-baseline --baseline"), timeout=300).returncode == 0
    done = shell(step, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.suffix for path in (music / "rolls").iterdir()} == {".svg", ".html"}
    worse = shell(
        step.replace("clefkit transcribe", "clefkit augment --preset landline | clefkit transcribe"), timeout=300
    )
    assert worse.returncode == 1
    assert "note_f1 fell from" in worse.stderr
    few = shell(step.replace("tests/*.mid", "tests/1*.mid"), timeout=300)
    assert few.returncode == 1
    assert "3 measured, where 12 files were expected" in few.stderr
