"""How much of a recording `enhance` restores, beside matchering, noisereduce and an expander, and what it costs.

    python benchmarks/enhance.py --data DATA --work WORK --split test        # builds the pairs, see below
    python benchmarks/enhance.py --work WORK --split validation --model models/mine-1/

Pairs are those of `clefkit.train.enhance.heldout`: FreePats on works that training never reads, through phones that it
never drew ("phone"), and through WebRTC's automatic gain and noise suppression, which it never heard ("foreign").
Measures are those of `clefkit score`, means over pairs; "worse" counts pairs whose mrstft rose by more than 2 %. The
clean sound itself is enhanced, too: it ought to stay as it is. Notes are heard before and after by `transcribe`.

Peers: matchering 2 (reference-based equaliser and limiter; its reference is another clean recording of the same
instrument), noisereduce 3 (spectral gates, stationary and not), and an expander that makes levels under the loud ones
1.6 times as far from them. They are run when they are installed:

    pip install matchering noisereduce webrtc-noise-gain

CPU seconds are those of whole sounds in this process, one thread; memory and speed of 30 minutes of stereo those of the
program.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import watched

from clefkit import audio, enhance, notes, transcribe
from clefkit.audio import Audio
from clefkit.augment import dynamics, level
from clefkit.score import enhancement
from clefkit.score import notes as note_scores
from clefkit.train.enhance import heldout
from clefkit.train.heldout_sounds import RATE

MEASURES = ("lsd", "mrstft", "loudness_correlation", "loudness_slope", "loudness_rms")
GROUPS = {"phone": "clean", "foreign": "foreign-clean", "clean": "clean"}
HARM = 1.02
EXPANDED = 1.6
LONG_S = 1800
Method = Callable[[Audio, Path], Audio]


def expanded(sound: Audio, _clean: Path) -> Audio:
    """Levels under the active one are EXPANDED times as far under it."""
    frame = dynamics.level_frame(sound.rate)
    under = np.maximum(level.active_db(sound) + 6 - dynamics.levels_db(sound), 0)
    reduction = dynamics.smooth(np.minimum(under * (EXPANDED - 1), 30), 0.2, 0.01, frame / sound.rate)
    return dynamics.with_gain(sound, np.append(reduction, reduction[-1]), frame)


def gated(*, stationary: bool) -> Method:
    def method(sound: Audio, _clean: Path) -> Audio:
        noisereduce = importlib.import_module("noisereduce")
        return Audio(noisereduce.reduce_noise(sound.samples, sound.rate, stationary=stationary), sound.rate)

    return method


def matched(sound: Audio, clean: Path) -> Audio:
    """As matchering makes it sound like the clean recording after this one on the same instrument."""
    matchering = importlib.import_module("matchering")
    instrument = clean.stem.split("-", 1)[1]
    same = sorted(path for path in clean.parent.glob("*.wav") if path.stem.split("-", 1)[1] == instrument)
    other = audio.read(same[(same.index(clean) + 1) % len(same)])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, file in ((sound, "target.wav"), (other, "reference.wav")):
            audio.write(folder / file, Audio(np.repeat(part.samples[:1], 2, axis=0), part.rate))
        result = folder / "result.wav"
        matchering.process(str(folder / "target.wav"), str(folder / "reference.wav"), [matchering.pcm24(str(result))])
        heard = audio.read(result)
    return audio.resample(Audio(heard.samples.mean(axis=0, keepdims=True), heard.rate), sound.rate)


def methods(model: str) -> Iterator[tuple[str, Method]]:
    """Those that can be run here."""
    yield "unprocessed", lambda sound, _: sound
    yield "clefkit enhance", lambda sound, _: enhance.apply(sound, model)[0]
    yield f"expander x{EXPANDED}", expanded
    for package, name, method in (
        ("matchering", "matchering", matched),
        ("noisereduce", "noisereduce, stationary", gated(stationary=True)),
        ("noisereduce", "noisereduce", gated(stationary=False)),
    ):
        if importlib.util.find_spec(package):
            yield name, method
        else:
            print(f"{name}: {package} is not installed", file=sys.stderr)


def compare(folder: Path, model: str) -> None:
    """Print a line for each group and method."""
    print(
        f"{'group':8} {'method':24} {'lsd':>6} {'mrstft':>6} {'corr':>6} {'slope':>6} {'rms':>6} {'worse':>6} {'x':>5}"
    )
    for group, clean in GROUPS.items():
        paths = sorted((folder / group).glob("*.wav"))
        before: dict[str, float] = {}
        for name, method in methods(model):
            rows, cpu_s, seconds = {}, 0.0, 0.0
            for path in paths:
                heard, true = audio.read(path), audio.read(folder / clean / path.name)
                start = time.process_time()
                try:
                    found = method(heard, folder / clean / path.name)
                    used_s = time.process_time() - start
                    told = enhancement.compare(true.samples, found.samples, heard.rate)
                except Exception as error:  # noqa: BLE001 a peer's own, or what it made is no sound
                    print(f"{name}: {path.name}: {error}", file=sys.stderr)
                    continue
                cpu_s, seconds = cpu_s + used_s, seconds + heard.duration_s
                rows[path.name] = [float(told.get(each, np.nan)) for each in MEASURES]
            if not rows:
                print(f"{group:8} {name:24} did none of them", flush=True)
                continue
            before = before or {file: row[1] for file, row in rows.items()}
            worse = sum(row[1] > HARM * before[file] + 1e-9 for file, row in rows.items())
            values = " ".join(f"{value:6.2f}" for value in np.nanmean(list(rows.values()), axis=0))
            speed = min(seconds / max(cpu_s, 1e-3), 9999)
            print(f"{group:8} {name:24} {values} {worse:3}/{len(rows):2} {speed:5.0f}", flush=True)


def heard_notes(folder: Path, model: str) -> None:
    """Print the note F-measure of `transcribe` on phone recordings, before and after."""
    found: dict[str, list[float]] = {}
    for path in sorted((folder / "phone").glob("*.wav")):
        reference = notes.read((folder / "clean" / path.name).with_suffix(".ref.jsonl"))
        sound = audio.read(path)
        for name, version in (("before", sound), ("after", enhance.apply(sound, model)[0])):
            told = transcribe.notes(version.samples, version.rate, instruments=1, names="none")
            found.setdefault(name, []).append(note_scores.compare(reference, told)["note_f1"])
    print("note F1 of transcribe: " + ", ".join(f"{name} {np.mean(each):.3f}" for name, each in found.items()))


def cost(folder: Path, model: str) -> None:
    """Print what 30 minutes of stereo cost the program."""
    sounds = [audio.read(path).samples[0] for path in sorted((folder / "phone").glob("*.wav"))]
    mono = np.resize(np.concatenate(sounds), LONG_S * RATE)
    with tempfile.TemporaryDirectory() as name:
        long = Path(name) / "long.wav"
        audio.write(long, Audio(np.stack([mono, 0.7 * mono]), RATE))
        one = {**os.environ, "OMP_NUM_THREADS": "1"}
        used = watched.run(
            [sys.executable, "-m", "clefkit", "enhance", "-j", "1", "--model", model, str(long)], env=one
        )
    print(f"{LONG_S // 60} min of stereo: {LONG_S / used.cpu_s:.0f} times real time, {used.peak_mb:.0f} MB")


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with openscore/: builds the pairs where there are none")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--split", choices=tuple(heldout.INSTRUMENTS), required=True)
    parser.add_argument("--model", default="enhance")
    arguments = parser.parse_args()
    folder = arguments.work / arguments.split
    if not folder.is_dir() and arguments.data:
        for _ in heldout.build(arguments.data, folder, arguments.split):
            pass
    compare(folder, arguments.model)
    heard_notes(folder, arguments.model)
    cost(folder, arguments.model)


if __name__ == "__main__":
    main()
