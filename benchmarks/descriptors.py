"""Timbre descriptors against timbral_models, the AudioCommons project's own program: the order of sounds, and speed.

    python benchmarks/descriptors.py [PATH ...] --peer PYTHON [--write FILE]

PATH is a sound or a folder of FLAC files; without any, the clips that the tests use. The program hears them at their
own rate, we at 22,050 Hz. PYTHON is one that has it: `pip install --no-deps timbral_models==0.4.0`, and numpy scipy
librosa soundfile pyloudnorm scikit-learn six. FILE keeps its numbers; without --peer those kept for the tests are used.

    spearman  rank correlation of our numbers and its
    offset    ours less its, the median; and the spread (standard deviation) of the difference and of its numbers
    speed     seconds of sound described a second of CPU time
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from clefkit import audio
from clefkit.tag import descriptors

CLIPS = Path(__file__).parent.parent / "tests" / "data" / "descriptors"
KEPT = CLIPS / "reference.json"
MODELLED = descriptors.NAMES[:7]
# Names that newer numpy and librosa have given up are put back, and arguments that must now be named are.
ASK = f"""
import json, sys, time, warnings
warnings.simplefilter("ignore")
import librosa, numpy, soundfile
numpy.lib.pad = numpy.pad
detect, strength, resample = librosa.onset.onset_detect, librosa.onset.onset_strength, librosa.core.resample
librosa.onset.onset_detect = lambda y, sr, **more: detect(y=y, sr=sr, **more)
librosa.onset.onset_strength = lambda y, sr, **more: strength(y=y, sr=sr, **more)
librosa.core.resample = lambda y, old, new: resample(y, orig_sr=old, target_sr=new)
import timbral_models
for line in sys.stdin:
    sound, rate = soundfile.read(line.rstrip("\\n"), always_2d=True)
    sound, said = sound.mean(axis=1), dict(seconds=len(sound) / rate, cost={{}})
    for name in {MODELLED!r}:
        model = getattr(timbral_models, "timbral_" + dict(boominess="booming").get(name, name))
        began = time.process_time()
        try:
            said[name] = round(float(model(sound.copy(), fs=rate)), 4)
        except (ValueError, IndexError, TypeError, ZeroDivisionError):
            said[name] = None
        said["cost"][name] = time.process_time() - began
    print(json.dumps(said), flush=True)
"""


def asked(python: str, paths: Sequence[Path]) -> list[dict[str, Any]]:
    """What timbral_models says of each file, how long the file is, and what each model cost, CPU seconds."""
    lines = "".join(f"{path.resolve()}\n" for path in paths)
    done = subprocess.run([python, "-c", ASK], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def heard(path: Path) -> NDArray[np.float32]:
    """A file as we see it, (samples,)."""
    sound = audio.read(path)
    mono = audio.Audio(sound.samples.mean(axis=0, keepdims=True), sound.rate)
    return np.asarray(audio.resample(mono, descriptors.RATE).samples[0], dtype=np.float32)


def cost_ms(sound: NDArray[np.float32], times: int) -> float:
    """CPU time for one description, the median of several."""
    descriptors.describe(sound)
    costs = []
    for _ in range(times):
        began = time.process_time()
        descriptors.describe(sound)
        costs.append(time.process_time() - began)
    return float(np.median(costs)) * 1000


def compare(sounds: Sequence[NDArray[np.float32]], said: Sequence[dict[str, Any]]) -> None:
    ours = np.array([descriptors.describe(sound) for sound in sounds])
    lengths = np.array([len(sound) / descriptors.RATE for sound in sounds])
    print(f"{len(sounds)} sounds of {lengths.min():.2f} to {lengths.max():.2f} s, {lengths.sum():.0f} s together\n")
    print("| descriptor | spearman | offset | spread | of its numbers | its speed |\n|---|---|---|---|---|---|")
    for index, name in enumerate(MODELLED):
        theirs = np.array([each[name] for each in said], dtype=float)
        known = np.isfinite(theirs) & np.isfinite(ours[:, index])
        rank = np.corrcoef(rankdata(ours[known, index]), rankdata(theirs[known]))[0, 1]
        off = ours[known, index] - theirs[known]
        spent = sum(each["cost"][name] for each in said if "cost" in each)
        speed = f"{lengths.sum() / spent:.1f}" if spent else ""
        print(f"| {name} | {rank:.4f} | {np.median(off):.2f} | {off.std():.2f} | {theirs[known].std():.2f} | {speed} |")
    spent = sum(sum(each["cost"].values()) for each in said if "cost" in each)
    if spent:
        print(f"\ntimbral_models, seven models: {lengths.sum() / spent:.2f} times real time")


def speeds(sounds: Sequence[NDArray[np.float32]]) -> None:
    """How fast we are on a clip, a minute and five, made of the sounds one after the other."""
    whole = np.resize(np.concatenate(sounds), 300 * descriptors.RATE)
    print(f"\nours, {len(descriptors.NAMES)} descriptors:")
    for seconds, times in ((1, 50), (4, 50), (60, 5), (300, 1)):
        spent_ms = cost_ms(whole[: seconds * descriptors.RATE], times)
        print(f"  {seconds:3d} s of sound: {spent_ms:6.1f} ms, {1000 * seconds / spent_ms:.0f} times real time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="*", default=[CLIPS])
    parser.add_argument("--peer", metavar="PYTHON")
    parser.add_argument("--write", type=Path, metavar="FILE")
    options = parser.parse_args()
    paths = [each for path in options.paths for each in (sorted(path.glob("**/*.flac")) if path.is_dir() else [path])]
    if options.peer:
        said = asked(options.peer, paths)
    else:
        kept = json.loads(KEPT.read_text(encoding="utf-8"))["clips"]
        paths = [path for path in paths if path.name in kept]
        said = [kept[path.name] for path in paths]
    if options.write:
        clips = {path.name: {name: each[name] for name in MODELLED} for path, each in zip(paths, said, strict=True)}
        text = json.dumps({"made_with": "timbral_models 0.4.0", "clips": clips}, indent=1)
        options.write.write_text(text + "\n", encoding="utf-8")
    sounds = [heard(path) for path in paths]
    compare(sounds, said)
    speeds(sounds)


if __name__ == "__main__":
    main()
