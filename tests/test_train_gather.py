"""The folder of real single notes, made from a tiny repository of sounds that are known."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from clefkit.errors import InputError, MissingError
from clefkit.train import gather, single

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="reads repositories with git")

RATE = 44100
LEAD_S = 0.2
TABLE = """
[[repository]]
name = "somebody/notes"
commit = "{commit}"
licence = "CC0"
attribution = "Somebody"

[[repository.instrument]]
name = "reed"
family = "reed"
held = true
files = 'reed/(?P<note>[A-Ga-g][#b]?\\d)(?:_(?P<dynamic>[a-z]+))?\\.wav'
digest = "{digest}"

[[repository.instrument]]
name = "bars"
family = "mallet"
split = "validation"
files = 'bars/(?P<hz>\\d+)\\.wav'
transpose = 12

[[repository.instrument]]
name = "rain"
family = "noise"
licence = "CC BY 4.0"
attribution = "Somebody Else"
files = 'rain/\\d\\.wav'

[[repository.instrument]]
name = "somebody"
family = "speech"
files = 'speech/\\d\\.wav'
"""


def tone(pitch: float, partials: Mapping[float, float], decay_s: float = 10.0) -> NDArray[np.float64]:
    """(samples,): 1.5 seconds after a silence; partials: amplitude by multiple of the frequency"""
    time = np.arange(int(1.5 * RATE)) / RATE
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    sound = sum(amplitude * np.sin(2 * np.pi * frequency * n * time) for n, amplitude in partials.items())
    faded = sound * np.exp(-time / decay_s) * np.clip(time / 0.002, 0, 1)
    return np.concatenate([np.zeros(int(LEAD_S * RATE)), 0.2 * faded])


REED: dict[float, float] = {n: 1 / n for n in range(1, 8)}
SOUNDS = {
    "reed/A4_f.wav": tone(69.2, REED),
    "reed/C#3.wav": tone(49, REED),
    "reed/Bb2.wav": tone(46 + 0.8, REED),
    "reed/D4.wav": tone(62 + 12, REED),
    "reed/G4.wav": np.clip(20 * tone(67, REED), -1, 1),
    "reed/E4.wav": tone(64, REED) + 0.3 * np.random.default_rng(1).standard_normal(int(1.5 * RATE) + 8820),
    "reed/a4_p.wav": tone(69.2, REED),
    "reed/readme.txt": None,
    "bars/440.wav": tone(81, {1: 1.0, 4: 0.3, 9.9: 0.1}, decay_s=0.4),
    "rain/1.wav": 0.1 * np.random.default_rng(2).standard_normal(RATE),
    "rain/2.wav": tone(60, REED),
    "speech/1.wav": tone(50, REED),
}


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder with one clone."""
    clone = tmp_path / "sources" / "somebody+notes"
    for name, sound in SOUNDS.items():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        if sound is None:
            (clone / name).write_text("notes", encoding="utf-8")
        else:
            soundfile.write(clone / name, sound, RATE, subtype="PCM_16")
    git(clone, "init", "-q")
    git(clone, "add", ".")
    git(clone, "-c", "user.name=S", "-c", "user.email=s@example.org", "commit", "-qm", "notes")
    return clone.parent


def git(clone: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(clone), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def entries(sources: Path, digest: str = "") -> list[gather.Entry]:
    path = sources.parent / "samples.toml"
    commit = git(sources / "somebody+notes", "rev-parse", "HEAD")
    path.write_text(TABLE.format(commit=commit, digest=digest), encoding="utf-8")
    return gather.table(path)


def index(out: Path) -> dict[str, dict[str, str]]:
    with (out / "index.csv").open(encoding="utf-8", newline="") as file:
        return {row["source_file"]: row for row in csv.DictReader(file)}


def test_the_full_band_is_kept_where_it_is_asked_for(sources: Path, tmp_path: Path) -> None:
    for folder, rate in (("half", single.RATE), ("full", 44_100)):
        list(gather.gather(sources, tmp_path / folder, entries(sources), rate))
    half, full = (index(tmp_path / folder) for folder in ("half", "full"))
    assert full.keys() == half.keys()
    for name, row in full.items():
        assert float(row["onset_s"]) == pytest.approx(float(half[name]["onset_s"]), abs=0.002)
        assert row["midi_pitch"] == half[name]["midi_pitch"] or float(row["midi_pitch"]) == pytest.approx(
            float(half[name]["midi_pitch"]), abs=0.02
        )
        told = soundfile.info(tmp_path / "full" / row["file"])
        assert told.samplerate == 44_100
        assert told.duration == pytest.approx(soundfile.info(tmp_path / "half" / row["file"]).duration, abs=0.01)


def test_notes_are_cut_measured_and_told_apart(sources: Path, tmp_path: Path) -> None:
    said = list(gather.gather(sources, tmp_path / "out", entries(sources)))
    rows = index(tmp_path / "out")
    assert set(rows) == {"reed/A4_f.wav", "reed/C#3.wav", "bars/440.wav", "rain/1.wav", "speech/1.wav"}
    assert float(rows["reed/A4_f.wav"]["midi_pitch"]) == pytest.approx(69.2, abs=0.03)
    assert float(rows["reed/C#3.wav"]["midi_pitch"]) == pytest.approx(49, abs=0.03)
    assert float(rows["bars/440.wav"]["midi_pitch"]) == pytest.approx(81, abs=0.03)
    assert rows["rain/1.wav"]["midi_pitch"] == rows["speech/1.wav"]["midi_pitch"] == ""
    assert [rows["reed/A4_f.wav"][name] for name in ("dynamic", "held", "split")] == ["f", "1", "train"]
    assert [rows["bars/440.wav"][name] for name in ("held", "split")] == ["0", "validation"]
    assert rows["rain/1.wav"]["file"] == f"noise/rain_1_{rows['rain/1.wav']['sha256'][:6]}.flac"
    assert rows["rain/1.wav"]["licence"] == "CC BY 4.0"
    reasons = "1 clipped, 1 noisy, 1 of another octave, 1 of another pitch, 1 twice"
    assert said == [
        f"reed: 2 notes, left out: {reasons}",
        "bars: 1 notes",
        "rain: 1 notes, left out: 1 pitched",
        "somebody: 1 notes",
    ]


def test_files_begin_at_the_attack(sources: Path, tmp_path: Path) -> None:
    list(gather.gather(sources, tmp_path / "out", entries(sources)))
    row = index(tmp_path / "out")["reed/A4_f.wav"]
    sound, rate = soundfile.read(tmp_path / "out" / row["file"])
    attack_s = np.argmax(np.abs(sound) > 0.05) / rate
    assert (rate, sound.ndim) == (22050, 1)
    assert np.abs(sound).max() == pytest.approx(10 ** (-1 / 20), abs=1e-3)
    assert 0.005 < attack_s < 0.012
    assert float(row["onset_s"]) == pytest.approx(attack_s, abs=0.004)


def test_the_same_bytes_again_and_nothing_old(sources: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "reed").mkdir(parents=True)
        (tmp_path / name / "reed" / "old.flac").write_bytes(b"old")
        list(gather.gather(sources, tmp_path / name, entries(sources)))
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name).rglob("*") if path.is_file()}
        for name in ("one", "two")
    )
    assert one == two
    assert "old.flac" not in one


def test_files_that_differ_from_the_table_are_refused(sources: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"reed in somebody/notes have the digest [0-9a-f]{64}, not 00"):
        list(gather.gather(sources, tmp_path / "out", entries(sources, digest="00")))
    assert not (tmp_path / "out" / "index.csv").exists()


def test_missing_clones_are_named_with_the_line_that_gets_them(sources: Path, tmp_path: Path) -> None:
    table = entries(sources)
    shutil.rmtree(sources / "somebody+notes")
    with pytest.raises(MissingError, match=r"git clone .*https://github.com/somebody/notes"):
        list(gather.gather(sources, tmp_path / "out", table))


def test_a_commit_that_a_clone_lacks_is_fetched(sources: Path, tmp_path: Path) -> None:
    table = [entry._replace(commit="0" * 40) for entry in entries(sources)]
    with pytest.raises(MissingError, match=f"git -C .* fetch https://github.com/somebody/notes {'0' * 40}"):
        list(gather.gather(sources, tmp_path / "out", table))


def test_credits_name_everybody_once(sources: Path, tmp_path: Path) -> None:
    list(gather.gather(sources, tmp_path / "out", entries(sources)))
    lines = gather.credits(tmp_path / "out" / "index.csv").splitlines()
    assert len(lines) == 4
    assert "| Somebody | CC0 | bars, reed, somebody | 4 |" in lines[2]
    assert "| Somebody Else | CC BY 4.0 | rain | 1 |" in lines[3]


def test_the_table_is_whole() -> None:
    table = gather.table()
    assert all(len(entry.commit) == 40 and len(entry.digest) == 64 for entry in table)
    assert all(entry.licence and entry.attribution for entry in table)
    assert not [entry.licence for entry in table if "NC" in entry.licence or "ND" in entry.licence]
    held_back = {entry.family for entry in table if entry.split == "validation"}
    assert {"bowed", "plucked", "struck", "wind", "brass", "reed", "voice", "keys", "mallet"} <= held_back
    assert all(len({entry.split for entry in table if entry.name == name}) == 1 for name in {e.name for e in table})


@pytest.mark.parametrize(
    ("name", "pitch"), [("Cis3", 49), ("h4", 71), ("Bb2", 46), ("as3", 58), ("B-1", 11), ("eb1", 27)]
)
def test_names_of_notes(name: str, pitch: float) -> None:
    entry = gather.table()[0]
    match = re.compile("(?P<note>.*)").fullmatch(name)
    assert match is not None
    assert gather.named_pitch(match, entry.keys) == pitch


def test_it_runs_as_a_program(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "clefkit.train.gather", "--sources", str(tmp_path), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert io.StringIO(done.stderr).readline().startswith("gather: sources are missing")
