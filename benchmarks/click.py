"""How far the sound lies from the notes, beside other programs: `python benchmarks/click.py`.

A soundfont of one click, 2,000 notes at odd times in ten minutes, a new tempo on each beat. What is asked for are the
exact seconds of the MIDI file; what is heard is where the clicks begin in the sound, the first click for the first note
and so on. A program without labels of its own is taken at its MIDI file's word, so "label" is "asked". All numbers are
samples at 44.1 kHz (44 are a millisecond). pretty_midi takes a minute.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clefkit import audio, notes

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from playing import click_track, found_clicks
from tiny_font import CLICK_AT, RATE, Preset, click, font

APART = 100  # samples; the notes are further from each other
LOUD = 0.01

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
        program = ["fluidsynth", "-ni", "-q", "-R", "0", "-C", "0", "-r", str(RATE), "-F", "out.wav", *places[1::-1]]
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
    heard = found_clicks(audio.read(folder / "clicks.wav").samples[0], labels, 40)
    _row("clefkit render", int(np.abs(heard - labels).max()), heard - asked * RATE)


def _peer(who: str, command: list[str] | None, folder: Path, asked: NDArray[np.float64]) -> None:
    (folder / "out.wav").unlink(missing_ok=True)
    failed = command is None or subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode
    if failed or not (folder / "out.wav").exists():
        print(f"{who:22} not installed, or it fails")
        return
    heard = _clicks(audio.read(folder / "out.wav").samples[0])
    if len(heard) != len(asked):
        print(f"{who:22} {len(heard)} clicks of {len(asked)} are heard")
        return
    off = heard - asked * RATE
    _row(who, int(np.abs(off).max()), off)


def _clicks(sound: NDArray[np.float32]) -> NDArray[np.int64]:
    """Where a click begins after silence."""
    loud = np.flatnonzero(np.abs(sound) > LOUD * np.abs(sound).max())
    return loud[np.diff(loud, prepend=-APART) >= APART] - CLICK_AT


def _row(who: str, label: int, off: NDArray[np.float64]) -> None:
    print(f"{who:22} {label:19} {off.mean():22.1f} {off.min():7.0f} {off.max():7.0f} {off[-1]:11.0f}")


if __name__ == "__main__":
    main()
