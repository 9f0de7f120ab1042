"""How far the sound lies from the notes, beside other programs: `python benchmarks/click.py`.

A soundfont of one click, 2,000 notes at odd times in ten minutes, a new tempo on each beat. What is asked for are the
exact seconds of the MIDI file; what is heard is where the clicks begin in the sound, within 30 ms of that. A program
without labels of its own is taken at its MIDI file's word, so "label" is the same as "asked". All numbers are samples at
44.1 kHz (44 are a millisecond).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from clefkit import notes

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from playing import click_track, found_clicks
from tiny_font import RATE, Preset, click, font

REACH = 1323  # 30 ms

PRETTY_MIDI = """
import sys, pretty_midi, soundfile
source, font, out = sys.argv[1:]
soundfile.write(out, pretty_midi.PrettyMIDI(source).fluidsynth(fs=44100, sf2_path=font), 44100, "FLOAT")
"""

SYMUSIC = """
import sys, numpy, soundfile, symusic
source, font, out = sys.argv[1:]
sound = symusic.Synthesizer(sf_path=font, sample_rate=44100).render(symusic.Score(source).to("second"), stereo=True)
soundfile.write(out, numpy.asarray(sound).T, 44100, "FLOAT")
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asked = click_track(folder / "clicks.mid")
        font(folder / "click.sf2", Preset(click(), tuned=False))
        places = ["clicks.mid", "click.sf2", "out.wav"]
        program = "fluidsynth -ni -q -R 0 -C 0 -r 44100 -F out.wav click.sf2 clicks.mid".split()
        commands = {
            "fluidsynth program": program if shutil.which("fluidsynth") else None,
            "pretty_midi": [sys.executable, "-c", PRETTY_MIDI, *places],
            "symusic": [sys.executable, "-c", SYMUSIC, *places],
        }
        print(f"{'samples at 44.1 kHz':22} heard - label, most   heard - asked: mean   least    most   last note")
        _clefkit(folder, asked)
        for who, command in commands.items():
            _peer(who, command, folder, asked)


def _clefkit(folder: Path, asked: NDArray[np.float64]) -> None:
    command = [sys.executable, "-m", "clefkit", "render", "--quiet", "--timbre", "./click.sf2", "clicks.mid"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    labels = np.rint(notes.read(folder / "clicks.ref.jsonl").onset * RATE).astype(np.int64)
    heard = found_clicks(soundfile.read(folder / "clicks.wav", dtype="float32")[0][:, 0], labels, 40)
    _row("clefkit render", int(np.abs(heard - labels).max()), heard - asked * RATE)


def _peer(who: str, command: list[str] | None, folder: Path, asked: NDArray[np.float64]) -> None:
    (folder / "out.wav").unlink(missing_ok=True)
    done = command and subprocess.run(command, cwd=folder, capture_output=True, check=False)
    if not done or done.returncode or not (folder / "out.wav").exists():
        print(f"{who:22} not installed, or it fails")
        return
    sound = soundfile.read(folder / "out.wav", dtype="float32", always_2d=True)[0][:, 0]
    expected = np.rint(asked * RATE).astype(np.int64)
    off = _followed(sound, expected)
    _row(who, int(np.abs(off).max()), off + expected - asked * RATE)


def _followed(sound: NDArray[np.float32], expected: NDArray[np.int64]) -> NDArray[np.int64]:
    """How late each click is, also when it drifts away: each is looked for near where the one before it was."""
    late, found = 0, []
    for place in expected.tolist():
        late += int(found_clicks(sound, np.array([place + late]), REACH // 6)[0]) - place - late
        found.append(late)
    return np.array(found)


def _row(who: str, label: int, off: NDArray[np.float64]) -> None:
    print(f"{who:22} {label:19} {off.mean():22.1f} {off.min():7.0f} {off.max():7.0f} {off[-1]:11.0f}")


if __name__ == "__main__":
    main()
