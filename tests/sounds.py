"""Sounds made in tests, where the right answer is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from clefkit.audio import Audio

ROOT = Path(__file__).parent.parent
RATE = 44_100
PRESETS = sorted(path.stem for path in (ROOT / "presets").glob("*.toml"))
ROOMS = sorted(path.stem for path in (ROOT / "presets" / "rooms").glob("*.flac"))
ONSET_S = 0.005


def rng(seed: int = 0) -> Generator:
    return default_rng(seed)


def sine(frequency_hz: float, duration_s: float, rate: int = RATE) -> Audio:
    wave = 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(round(duration_s * rate)) / rate)
    return Audio(wave.astype(np.float32)[None], rate)


def click(at: int, length: int, rate: int = RATE) -> Audio:
    samples = np.zeros((1, length), np.float32)
    samples[0, at] = 0.1
    return Audio(samples, rate)


def hiss(duration_s: float, channels: int = 1) -> Audio:
    samples = 0.1 * rng(5).standard_normal((channels, round(duration_s * RATE)))
    return Audio(samples.astype(np.float32), RATE)


def plucks() -> tuple[Audio, NDArray[np.float64]]:
    """Ten seconds of plucked strings, and when each is plucked (seconds)."""
    chance, samples, onsets, start = rng(5), np.zeros(10 * RATE), [], RATE // 4
    time = np.arange(RATE) / RATE
    while start < 8 * RATE:
        frequency = 440 * 2 ** ((chance.integers(48, 80) - 69) / 12)
        partial = np.arange(1, int(min(40, RATE / 2.2 / frequency)))[:, None]
        wave = np.sin(2 * np.pi * frequency * partial * time) * np.exp(-time * (1.5 + 0.8 * partial)) / partial
        samples[start : start + RATE] += 0.15 * wave.sum(axis=0)
        onsets.append(start / RATE)
        start += int(chance.uniform(0.35, 0.6) * RATE)
    return Audio(samples[None].astype(np.float32), RATE), np.array(onsets)


def steepest_rise(samples: NDArray[np.float32], near_s: float) -> float:
    """When, within 30 ms of `near_s`, the energy after exceeds that before by most (seconds)."""
    energy = np.cumsum(np.concatenate([[0.0], np.diff(samples.astype(np.float64)) ** 2]))
    after, before = int(0.004 * RATE), int(0.012 * RATE)
    at = np.arange(int((near_s - 0.03) * RATE), int((near_s + 0.03) * RATE))
    rise = np.log((energy[at + after] - energy[at] + 1e-9) / after)
    rise -= np.log((energy[at] - energy[at - before] + 1e-9) / before)
    return float(at[np.argmax(rise)] / RATE)


def preset_of(*effects: dict[str, Any]) -> dict[str, Any]:
    return {"name": "mine", "sha256": "0", "effect": list(effects)}
