"""How much processor time a minute of sound costs, beside other programs: `python benchmarks/render.py [FILE...]`.

Files are scores or MIDI; without any, a dense piano piece with pedal and a quartet are made up. Everybody plays them
dry (no reverb, no chorus) with the same soundfont, in a process of its own; a row is the best of three rounds, and in a
round everybody has a turn. "whole" is all the processor time of that process, with its start and the loading of the
font; "playing" is without them. Of the fluidsynth program that is the difference to a file of one soft note. MuseScore
takes its own font. Programs that are not installed are left out. `--jobs` measures two workers against one instead.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from clefkit import notes, registry, render
from clefkit.notes import Control, Part, Performance

ROUNDS = 3
RATE = 44_100
COPIES = 8

CLEFKIT = """
import pathlib, sys, time
from clefkit import render
source, font, out = map(pathlib.Path, sys.argv[1:])
from clefkit.render import synth
played = render.performance(source)
synth.render(render.performance(pathlib.Path(out.with_name("one.mid"))), font)
start = time.process_time()
found = synth.render(played, font)
print(time.process_time() - start, found.audio.duration_s)
"""

PYFLUIDSYNTH = """
import sys, time, fluidsynth, pretty_midi, numpy
source, font, out = sys.argv[1:]
midi = pretty_midi.PrettyMIDI(source)
synth = fluidsynth.Synth(samplerate=44100.0)
synth.setting("synth.reverb.active", 0); synth.setting("synth.chorus.active", 0)
number = synth.sfload(font)
events = []
for channel, part in enumerate(midi.instruments):
    synth.program_select(channel, number, 128 if part.is_drum else 0, part.program)
    events += [(n.start, 1, synth.noteon, channel, n.pitch, n.velocity) for n in part.notes]
    events += [(n.end, 0, synth.noteoff, channel, n.pitch) for n in part.notes]
    events += [(c.time, 0, synth.cc, channel, c.number, c.value) for c in part.control_changes]
events.sort(key=lambda event: event[:2])
start, position, pieces = time.process_time(), 0, []
for when, _, call, *numbers in events:
    if (frames := round(when * 44100) - position) > 0:
        pieces.append(synth.get_samples(frames)); position += frames
    call(*numbers)
pieces.append(synth.get_samples(44100))
sound = numpy.concatenate(pieces)
print(time.process_time() - start, len(sound) / 2 / 44100)
"""

PRETTY_MIDI = """
import sys, time, pretty_midi
source, font, out = sys.argv[1:]
midi = pretty_midi.PrettyMIDI(source)
start = time.process_time()
sound = midi.fluidsynth(fs=44100, sf2_path=font)
print(time.process_time() - start, len(sound) / 44100)
"""

VEROVIO = """
import base64, pathlib, sys, verovio
toolkit = verovio.toolkit()
assert toolkit.loadFile(sys.argv[1])
pathlib.Path(sys.argv[2]).write_bytes(base64.b64decode(toolkit.renderToMIDI()))
"""


class Cost(NamedTuple):
    """whole_s, playing_s: processor time; duration_s: of the sound; memory_mb: at most"""

    whole_s: float
    playing_s: float
    duration_s: float
    memory_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--font", type=Path, default=registry.soundfont(None).path)
    parser.add_argument("--jobs", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        notes.write_midi(folder / "one.mid", notes.make([0], [0.1], [60], [5]))
        for path in arguments.files or _made_up(folder):
            if arguments.jobs:
                _workers(path, arguments.font, folder)
            else:
                _table(path, arguments.font, folder)


def _table(path: Path, font: Path, folder: Path) -> None:
    """Prints one table: every program, the same piece."""
    midi = path
    if path.suffix.lower() not in (".mid", ".midi"):
        midi = folder / "score.mid"
        notes.write_midi(midi, render.performance(path, human=0).notes)
    runs = _runs(path, midi, font, folder)
    best: dict[str, Cost] = {}
    for _ in range(ROUNDS):
        for name, commands in runs.items():
            cost = _cost(commands, folder)
            if cost and (name not in best or cost.whole_s < best[name].whole_s):
                best[name] = cost
    empty = best.pop("one note")
    print(f"{path.name:34} whole: s/min  x real time   playing: s/min  x real time   memory MB")
    for name, cost in best.items():
        playing = cost.whole_s - empty.whole_s if name.endswith("fluidsynth program") else cost.playing_s
        minutes = cost.duration_s / 60
        row = f"  {name:32} {cost.whole_s / minutes:12.3f} {cost.duration_s / cost.whole_s:12.0f}"
        if playing > 0:
            row += f" {playing / minutes:16.3f} {cost.duration_s / playing:12.0f}"
        print(f"{row:92} {cost.memory_mb:8.0f}")


def _runs(path: Path, midi: Path, font: Path, folder: Path) -> dict[str, list[list[str]]]:
    """Commands by the name of who plays. The last writes out.wav, or prints its own seconds and the sound's."""
    out, python = str(folder / "out.wav"), sys.executable
    cli = ["fluidsynth", "-ni", "-q", "-R", "0", "-C", "0", "-F", out, "-r", str(RATE), str(font)]
    scripts = [str(midi), str(font), out]
    command = [python, "-m", "clefkit", "render", "--force", "--quiet", "--timbre", str(font)]
    runs = {"clefkit render": [[*command, "-o", str(folder / "own"), str(path)]]}
    runs["clefkit, in a process"] = [[python, "-c", CLEFKIT, *scripts]]
    if shutil.which("fluidsynth"):
        runs["fluidsynth program"] = [[*cli, str(midi)]]
        runs["one note"] = [[*cli, str(folder / "one.mid")]]
        if midi != path and importlib.util.find_spec("verovio"):
            made = str(folder / "verovio.mid")
            runs["verovio + fluidsynth program"] = [[python, "-c", VEROVIO, str(path), made], [*cli, made]]
    if importlib.util.find_spec("fluidsynth"):
        runs["pyfluidsynth"] = [[python, "-c", PYFLUIDSYNTH, *scripts]]
        runs["pretty_midi"] = [[python, "-c", PRETTY_MIDI, *scripts]]
    musescore = shutil.which("mscore3") or shutil.which("mscore") or shutil.which("musescore")
    if musescore:
        runs["MuseScore program"] = [[musescore, "-o", out, str(path)]]
    return runs


def _cost(commands: list[list[str]], folder: Path) -> Cost | None:
    """What running them costs; None when one fails."""
    whole = memory = 0.0
    (folder / "out.wav").unlink(missing_ok=True)
    shutil.rmtree(folder / "own", ignore_errors=True)
    said = ""
    for command in commands:
        with (folder / "said").open("w+b") as said_file:
            environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
            # Or Python would compile clefkit at each start, which nobody's installation does.
            environment.pop("PYTHONDONTWRITEBYTECODE", None)
            child = subprocess.Popen(command, stdout=said_file, stderr=subprocess.DEVNULL, env=environment)
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode:
                return None
            said_file.seek(0)
            said = said_file.read().decode()
        whole += usage.ru_utime + usage.ru_stime
        memory = max(memory, usage.ru_maxrss / 1024)
    numbers = said.split()[-2:]
    try:
        return Cost(whole, float(numbers[0]), float(numbers[1]), memory)
    except (ValueError, IndexError):
        wav = next(iter([*(folder / "own").glob("*.wav"), folder / "out.wav"]))
        return Cost(whole, 0.0, soundfile.info(wav).duration, memory)


def _workers(path: Path, font: Path, folder: Path) -> None:
    """Prints the wall time of eight copies with one worker and with two."""
    copies = [folder / f"{number}{path.suffix}" for number in range(COPIES)]
    for copy in copies:
        shutil.copy(path, copy)
    best: dict[int, float] = {}
    for jobs in (1, 2) * ROUNDS:
        command = [sys.executable, "-m", "clefkit", "render", "--force", "--quiet", "--timbre", str(font)]
        start = time.perf_counter()
        subprocess.run(
            [*command, "--jobs", str(jobs), "-o", str(folder / "own"), *map(str, copies)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        best[jobs] = min(best.get(jobs, 1e9), time.perf_counter() - start)
        shutil.rmtree(folder / "own")
    print(
        f"{path.name}: {COPIES} copies, one worker {best[1]:.2f} s, two {best[2]:.2f} s: {best[1] / best[2]:.2f} times"
    )


def _made_up(folder: Path) -> list[Path]:
    """A piano piece of three minutes, 16 notes a second with pedal, and a quartet."""
    generator = np.random.default_rng(0)
    onset = np.arange(0, 180, 1 / 16)
    pitch = 60 + np.round(20 * np.sin(onset / 3) + generator.integers(-7, 8, len(onset)))
    piano = notes.make(onset, onset + 0.12, pitch, generator.integers(40, 100, len(onset)))
    pedal = [Control(t, 0, "control", 64, v) for s in range(180) for t, v in ((s, 0), (s + 0.1, 127))]
    parts = tuple(Part(name, program) for name, program in (("1", 40), ("2", 40), ("viola", 41), ("cello", 42)))
    start = np.tile(np.arange(0, 180, 1 / 3), 4)
    part = np.repeat(np.arange(4), 540)
    pitch = np.array([76, 67, 60, 48])[part] + generator.integers(-5, 6, len(part))
    quartet = notes.make(start, start + 0.32, pitch, None, part, parts)
    from clefkit import midiplay

    for name, played in (("piano", Performance(piano, tuple(pedal))), ("quartet", Performance(quartet))):
        (folder / f"{name}.mid").write_bytes(midiplay.encode(played))
    return [folder / "piano.mid", folder / "quartet.mid"]


if __name__ == "__main__":
    main()
