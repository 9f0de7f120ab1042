"""`clefkit align --dataset`: pairs of takes, devices and positions, and the manifest that training reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import performances
import pytest
import soundfile
from conftest import Shell
from performances import RATE

from clefkit import align, audio, record
from clefkit.align import dataset
from clefkit.audio import Audio
from clefkit.errors import UsageError

SECONDS = 16.0
TAKES = ("take-01", "take-02", "take-03")


def save(path: Path, sound: Audio) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound.samples.T, sound.rate)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three takes with two devices each."""
    for number, take in enumerate(TAKES):
        music = performances.play(performances.tune(number, SECONDS), SECONDS)
        save(tmp_path / "set" / take / "studio.wav", performances.studio(music))
        far = performances.phone(music, 2.0, 60.0, 12.0, 48_000)
        save(tmp_path / "set" / take / "pixel-7-far.wav", performances.without(far, [(5.0, 0.05)]))
        save(tmp_path / "set" / take / "tablet-near.wav", performances.phone(music, -1.0, -30.0, 20.0))
    return tmp_path / "set"


def manifest(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]


def test_pairs_are_of_one_length_and_one_clock(folder: Path, shell: Shell) -> None:
    done = shell("clefkit align --dataset set --out pairs --validation 0.34")
    assert (done.returncode, done.stderr) == (0, "")
    out = folder.parent / "pairs"
    pairs = manifest(out)
    assert [(pair["take"], pair["device"], pair["position"]) for pair in pairs] == [
        (take, *what) for take in TAKES for what in (("pixel-7", "far"), ("tablet", "near"))
    ]
    for pair in pairs:
        heard, played = audio.read(out / pair["input"]), audio.read(out / pair["target"])
        assert heard.samples.shape[1] == played.samples.shape[1] == round(pair["duration_s"] * pair["rate"])
        assert heard.rate == played.rate == pair["rate"] == RATE
        assert pair["input"].startswith(f"{pair['split']}/{pair['take']}/")
        assert pair["confidence"] > 0.9
    far = pairs[0]
    assert far["offset_s"] == pytest.approx(2.0, abs=2 / RATE)
    assert far["begins_s"] == pytest.approx(2.0, abs=2 / RATE)
    assert far["duration_s"] == pytest.approx(12.0, abs=0.01)
    assert len(far["gaps"]) == 1
    assert far["gaps"][0] == pytest.approx([5.0, 5.05], abs=0.01)
    assert far["from"]["input"]["file"] == "take-01/pixel-7-far.wav"
    splits = {take: {pair["split"] for pair in pairs if pair["take"] == take} for take in TAKES}
    assert sorted(map(sorted, splits.values())) == [["train"], ["train"], ["validation"]]
    again = align.compare(audio.read(out / far["input"]), audio.read(out / far["target"]))
    assert (again.gaps, abs(again.delay_samples) <= 1, abs(again.drift_ppm) < 2) == ((), True, True)


def test_the_table_and_the_workers(folder: Path, shell: Shell) -> None:
    one, two = (shell(f"clefkit align --dataset set --out {name} -j {jobs}") for name, jobs in (("a", 1), ("b", 2)))
    assert one.stdout == two.stdout
    head, *rows = [line.split("\t") for line in one.stdout.splitlines()]
    assert head[:4] == ["take", "device", "position", "split"]
    assert [row[1] for row in rows] == ["pixel-7", "tablet"] * 3
    files = sorted(path.relative_to(folder.parent / "a") for path in (folder.parent / "a").rglob("*.*"))
    assert len(files) == 13
    for name in files:
        assert (folder.parent / "a" / name).read_bytes() == (folder.parent / "b" / name).read_bytes()


def test_what_does_not_match_is_left_out(folder: Path, shell: Shell) -> None:
    music = performances.play(performances.tune(99, SECONDS), SECONDS)
    save(folder / "take-02" / "tablet-near.wav", performances.phone(music, 0.0, 0.0, 12.0))
    (folder / "take-03" / "studio.wav").unlink()
    done = shell("clefkit align --dataset set --out pairs")
    assert done.returncode == 1
    told = done.stderr.splitlines()
    assert len(told) == 3
    assert "set/take-02/tablet-near.wav: does not match take-02/studio.wav" in told[0]
    assert "set/take-03/pixel-7-far.wav: its take needs one reference, has no studio.wav" in told[1]
    assert [pair["take"] for pair in manifest(folder.parent / "pairs")] == ["take-01", "take-01", "take-02"]


def test_it_can_be_made_again_but_spoils_no_other_folder(folder: Path, shell: Shell) -> None:
    for _ in range(2):
        assert shell("clefkit align --dataset set --out pairs --json").returncode == 0
    before = manifest(folder.parent / "pairs")
    (folder.parent / "pairs" / "diary.txt").write_text("mine", encoding="utf-8")
    refused = shell("clefkit align --dataset set --out pairs")
    assert refused.returncode == 2
    assert "holds other things (diary.txt)" in refused.stderr
    assert manifest(folder.parent / "pairs") == before


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("clefkit align --dataset set", "--out DIR"),
        ("clefkit align --dataset gone --out pairs", "no such folder"),
        ("clefkit align --dataset set --out set/pairs", "inside of set"),
        ("clefkit align --dataset empty --out pairs", "no recordings"),
        ("clefkit align --dataset set --out pairs --write", "leave out --write"),
        ("clefkit align --dataset twice --out pairs", "would make one pair"),
    ],
)
def test_command_lines_that_make_no_sense(tmp_path: Path, shell: Shell, line: str, told: str) -> None:
    for name in ("set/take/phone.wav", "empty/take/.phone.wav", "twice/take/phone.wav", "twice/take/phone.mp3"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    done = shell(line)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_the_split_is_drawn_by_seed_and_name() -> None:
    paths = [f"set/take-{number}/phone-near.wav" for number in range(20)]
    kept = dataset.validation(paths, 0.2, 0)
    assert len(kept) == 4
    assert kept == dataset.validation(paths[::-1], 0.2, 0)
    assert kept != dataset.validation(paths, 0.2, 1)
    assert dataset.validation(paths, 0.0, 0) == []
    assert len(dataset.validation(paths[:2], 0.01, 0)) == 1
    assert dataset.validation(paths[:1], 0.1, 0) == []


def test_there_must_be_takes(tmp_path: Path) -> None:
    (tmp_path / "take").mkdir()
    with pytest.raises(UsageError):
        dataset.files(tmp_path, "studio")


def test_devices_without_a_position(folder: Path, tmp_path: Path) -> None:
    (folder / "take-01" / "tablet-near.wav").rename(folder / "take-01" / "tablet.wav")
    source = record.source(folder / "take-01" / "tablet.wav")
    found = dataset.measure(source, out=tmp_path / "pairs", ref="studio", kept=["take-01"], threshold=0.5)["pair"]
    assert (found["device"], found["position"], found["split"]) == ("tablet", "", "validation")
    assert found["input"] == "validation/take-01/tablet.input.wav"
    assert audio.read(tmp_path / "pairs" / found["input"]).samples.any()
