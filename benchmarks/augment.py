"""How fast `augment` is beside pedalboard and scipy, in one run: `python benchmarks/augment.py`.

A minute of stereo noise at 44.1 kHz and a stereo response of two seconds, one thread. The number is seconds of sound
per second of processor time, the best of five rounds; within a round everybody has a turn, so a busy machine is busy
for all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pedalboard
from pedalboard._pedalboard import Pedalboard
from scipy import signal

from clefkit import registry
from clefkit.audio import Audio
from clefkit.augment import chain, convolve

RATE = 44_100
DURATION_S = 60
RESPONSE_S = 2
ROUNDS = 5


def main() -> None:
    rng = np.random.default_rng(0)
    samples = (0.1 * rng.standard_normal((2, DURATION_S * RATE))).astype(np.float32)
    decay = np.exp(-6.9 * np.arange(RESPONSE_S * RATE) / (RESPONSE_S * RATE))
    response = (0.1 * rng.standard_normal((2, RESPONSE_S * RATE)) * decay).astype(np.float32)
    best = dict.fromkeys(turns := _turns(samples, response), 0.0)
    for _ in range(ROUNDS):
        for name, run in turns.items():
            start = time.process_time()
            run()
            best[name] = max(best[name], DURATION_S / (time.process_time() - start))
    for group, against in (("convolution", "pedalboard Convolution"), ("chain", "pedalboard chain of six")):
        print(f"{group:44} x real time   to {against}")
        for name, speed in best.items():
            if name.startswith(group):
                ratio = speed / best[f"{group}: {against}"]
                print(f"  {name.removeprefix(group + ': '):42} {speed:11.0f}   {ratio:.2f}")
    largest = _difference(samples, response)
    print(f"largest difference of our convolution to float64: {largest:.1e} of the peak")


def _turns(samples: Any, response: Any) -> dict[str, Callable[[], object]]:
    sound = Audio(samples, RATE)
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
    turns: dict[str, Callable[[], object]] = {
        "convolution: clefkit": lambda: convolve.convolve(samples, response),
        "convolution: pedalboard Convolution": lambda: theirs(samples, RATE),
        "convolution: scipy fftconvolve": lambda: signal.fftconvolve(samples, response, axes=1),
        "convolution: scipy oaconvolve": lambda: signal.oaconvolve(samples, response, axes=1),
        "chain: pedalboard chain of six": lambda: six(samples, RATE),
    }
    turns["chain: clefkit, the same six (hall_b)"] = partial(_heard, sound, _six())
    for name in sorted(registry.presets()):
        drawn = chain.draw(registry.preset(name), np.random.default_rng(0))
        kinds = ", ".join(each["kind"] for each in drawn)
        turns[f"chain: {name} ({kinds})"] = partial(_heard, sound, drawn)
    return turns


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


if __name__ == "__main__":
    main()
