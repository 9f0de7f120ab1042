"""How fast `augment` is beside pedalboard, audiomentations, torchaudio, sox and scipy: `python benchmarks/augment.py`.

A minute of stereo noise at 44.1 kHz and a stereo response of two seconds, one thread. The number is seconds of sound
per second of processor time, the best of five rounds; within a round everybody has a turn, so a busy machine is busy
for all. The chain is high pass, convolution, a band of equaliser, low pass, compressor, limiter; audiomentations has no
compressor and does four, torchaudio's filters want a compiled part that its CPU build lacks. sox is a program of its
own: its processor time is that of the process, reading included.
Who is not installed is left out (`pip install audiomentations torchaudio`, `apt-get install sox`).

`--batch N` measures the command instead: N files of half a minute through a preset of six effects, all cores; how fast,
how busy the cores were, and the memory of all its processes at a quarter, half and the whole of the way.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import numpy as np
import pedalboard
import soundfile
from pedalboard._pedalboard import Pedalboard
from scipy import signal

from clefkit import registry
from clefkit.audio import Audio
from clefkit.augment import chain, convolve

RATE = 44_100
DURATION_S = 60
RESPONSE_S = 2
ROUNDS = 5
BATCH_S = 30
SIX = """
about = "Six effects, for a benchmark."
source = "none"
level = 2
effect = [
    { kind = "band", low_hz = 60, high_hz = 14000 },
    { kind = "room", room = ["hall_a", "hall_c", "chamber_a", "studio_b"], distance_gain_db = [0, 4] },
    { kind = "eq", shape = "peak", frequency_hz = [1000, 5000], gain_db = [-4, 4] },
    { kind = "compressor", threshold_db = [0, 6], ratio = [1.5, 3] },
    { kind = "noise", noise = ["room", "hiss"], snr_db = [40, 60] },
    { kind = "limiter", ceiling_db = [8, 14] },
]
"""

Turns = dict[str, Callable[[], object]]


def main() -> None:
    parser = argparse.ArgumentParser(description="how fast augment is")
    parser.add_argument("--batch", type=int, metavar="N", help="measure the command on so many files")
    asked = parser.parse_args()
    if asked.batch:
        batch(asked.batch)
        return
    with tempfile.TemporaryDirectory(prefix="clefkit-") as folder:
        compare(Path(folder))


def compare(folder: Path) -> None:
    rng = np.random.default_rng(0)
    samples = (0.1 * rng.standard_normal((2, DURATION_S * RATE))).astype(np.float32)
    decay = np.exp(-6.9 * np.arange(RESPONSE_S * RATE) / (RESPONSE_S * RATE))
    response = (0.1 * rng.standard_normal((2, RESPONSE_S * RATE)) * decay).astype(np.float32)
    soundfile.write(folder / "response.wav", response.T, RATE, subtype="FLOAT")
    soundfile.write(folder / "sound.wav", samples.T, RATE, subtype="FLOAT")
    np.savetxt(folder / "response.txt", response[0], "%.9g")
    turns = ours(samples, response) | pedalboards(samples, response) | others(samples, response, folder)
    best = dict.fromkeys(turns, 0.0)
    for _ in range(ROUNDS):
        for name, run in turns.items():
            start = _cpu_s()
            run()
            best[name] = max(best[name], DURATION_S / (_cpu_s() - start))
    for group, against in (("convolution", "clefkit"), ("chain", "clefkit, the same six (hall_b)"), ("preset", "")):
        base = best.get(f"{group}: {against}", 0.0)
        print(f"{group:44} x real time{'   clefkit is faster by' if base else ''}")
        for name, speed in best.items():
            if name.startswith(group):
                ratio = f"   {base / speed:6.2f} x" if base else ""
                print(f"  {name.removeprefix(group + ': '):42} {speed:11.0f}{ratio}")
    print(f"largest difference of our convolution to float64: {_difference(samples, response):.1e} of the peak")


def ours(samples: Any, response: Any) -> Turns:
    sound = Audio(samples, RATE)
    turns: Turns = {
        "convolution: clefkit": lambda: convolve.convolve(samples, response),
        "chain: clefkit, the same six (hall_b)": partial(_heard, sound, _six()),
    }
    for name in sorted(registry.presets()):
        drawn = chain.draw(registry.preset(name), np.random.default_rng(0))
        kinds = ", ".join(each["kind"] for each in drawn)
        turns[f"preset: {name} ({kinds})"] = partial(_heard, sound, drawn)
    return turns


def pedalboards(samples: Any, response: Any) -> Turns:
    theirs = pedalboard.Convolution(response, sample_rate=RATE)
    six = Pedalboard(
        [
            pedalboard.HighpassFilter(100),
            pedalboard.Convolution(response, sample_rate=RATE),
            pedalboard.PeakFilter(3000, 3),
            pedalboard.LowpassFilter(12_000),
            pedalboard.Compressor(-20, 3),
            pedalboard.Limiter(-1),
        ]
    )
    return {
        "convolution: pedalboard Convolution": lambda: theirs(samples, RATE),
        "chain: pedalboard, six effects": lambda: six(samples, RATE),
    }


def others(samples: Any, response: Any, folder: Path) -> Turns:
    turns: Turns = {
        "convolution: scipy fftconvolve": lambda: signal.fftconvolve(samples, response, axes=1),
        "convolution: scipy oaconvolve": lambda: signal.oaconvolve(samples, response, axes=1),
    }
    if importlib.util.find_spec("torchaudio"):
        turns |= _torchaudio(samples, response)
    if importlib.util.find_spec("audiomentations"):
        turns |= _audiomentations(samples, folder / "response.wav")
    if shutil.which("sox"):
        fir = ["fir", str(folder / "response.txt")]
        turns["convolution: sox fir"] = partial(_sox, folder, fir)
        six = ["highpass", "100", *fir, "equalizer", "3000", "1q", "3", "lowpass", "12000"]
        six += ["compand", "0.01,0.2", "6:-60,-20,-13", "gain", "-l", "-1"]
        turns["chain: sox, six effects"] = partial(_sox, folder, six)
    return turns


def _torchaudio(samples: Any, response: Any) -> Turns:
    import torch
    from torchaudio import functional

    torch.set_num_threads(1)
    sound, room = torch.from_numpy(samples), torch.from_numpy(response)

    return {"convolution: torchaudio fftconvolve": lambda: functional.fftconvolve(sound, room)}


def _audiomentations(samples: Any, response: Path) -> Turns:
    theirs = importlib.import_module("audiomentations")  # not among our extras: it brings librosa and numba
    room = theirs.ApplyImpulseResponse(response, p=1.0)
    four = theirs.Compose(
        [
            theirs.HighPassFilter(100, 100, p=1.0),
            room,
            theirs.PeakingFilter(3000, 3000, 3, 3, p=1.0),
            theirs.LowPassFilter(12_000, 12_000, p=1.0),
        ]
    )
    return {
        "convolution: audiomentations": lambda: room(samples, RATE),
        "chain: audiomentations, four effects": lambda: four(samples, RATE),
    }


def _sox(folder: Path, effects: list[str]) -> None:
    subprocess.run(["sox", str(folder / "sound.wav"), "-n", *effects], check=True, capture_output=True)


def _cpu_s() -> float:
    return time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def _heard(sound: Audio, drawn: chain.Drawn) -> Audio:
    return chain.hold_peak(chain.apply(sound, drawn)[0])[0]


def _six() -> chain.Drawn:
    effects = [
        {"kind": "band", "low_hz": 100, "high_hz": 12_000},
        {"kind": "room", "room": "hall_b"},
        {"kind": "eq", "shape": "peak", "frequency_hz": 3000, "gain_db": 3},
        {"kind": "compressor", "threshold_db": 0, "ratio": 3},
        {"kind": "limiter", "ceiling_db": 10},
    ]
    return chain.draw({"name": "six", "effect": effects}, np.random.default_rng(0))


def _difference(samples: Any, response: Any) -> float:
    exact = signal.fftconvolve(samples.astype(np.float64), response.astype(np.float64), axes=1)
    return float(np.abs(convolve.convolve(samples, response) - exact).max() / np.abs(exact).max())


def batch(count: int) -> None:
    """`count` files, each of other noise, mono and stereo, at the usual rates."""
    with tempfile.TemporaryDirectory(prefix="clefkit-") as name:
        folder, rng = Path(name), np.random.default_rng(0)
        (folder / "presets").mkdir()
        (folder / "presets" / "six.toml").write_text(SIX, encoding="utf-8")
        paths = [folder / f"{number}.wav" for number in range(count)]
        for number, path in enumerate(paths):
            rate = (44_100, 48_000, 22_050, 44_100)[number % 4]
            soundfile.write(path, 0.1 * rng.standard_normal((BATCH_S * rate, 1 + number % 2)), rate, subtype="PCM_16")
        environment = {**os.environ, "CLEFKIT_PATH": str(folder)}
        command = [sys.executable, "-m", "clefkit", "augment", "--preset", "six", "--out", str(folder / "out")]
        start, used = time.perf_counter(), _cpu_s()
        with subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as running:
            assert running.stdin is not None
            assert running.stdout is not None
            running.stdin.write("".join(f"{path}\n" for path in paths))
            running.stdin.close()
            memory = {}
            for done, line in enumerate(running.stdout, start=1):
                Path(line.rstrip("\n")).unlink()
                memory[done] = _memory_mb(running.pid)
        took, used = time.perf_counter() - start, _cpu_s() - used
        print(f"{count} files of {BATCH_S} s in {took:.0f} s: {count * BATCH_S / took:.0f} x real time")
        print(f"processor time {used:.0f} s: {used / took:.2f} of {os.cpu_count()} cores busy")
        stations = {f"after {done}": memory[done] for done in (count // 20, count // 4, count // 2, count - 10)}
        print("memory of all its processes, MB: " + ", ".join(f"{key} {value:.0f}" for key, value in stations.items()))
        print(f"at most {max(memory.values()):.0f}")


def _memory_mb(pid: int) -> float:
    """Proportional memory of a process and its children (Linux)."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    total = 0.0
    for each in [str(pid), *children]:
        try:
            rollup = Path(f"/proc/{each}/smaps_rollup").read_text()
        except OSError:
            continue
        total += int(rollup.split("Pss:")[1].split()[0]) / 1000
    return total


if __name__ == "__main__":
    main()
