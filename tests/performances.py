"""Performances that two devices record, where it is known how the recordings lie on each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from clefkit import audio
from clefkit.audio import Audio

RATE = 44_100
NOTE_S = 0.6
REVERBERATION_S = 0.08  # in which it falls by 8.7 dB


class Tune(NamedTuple):
    """onsets: (notes,), seconds; pitches: (notes,), MIDI numbers"""

    onsets: NDArray[np.float64]
    pitches: NDArray[np.int64]


def tune(seed: int, seconds: float) -> Tune:
    rng = np.random.default_rng(seed)
    onsets = 0.1 + np.cumsum(rng.uniform(0.08, 0.4, int(seconds * 6)))
    onsets = onsets[onsets < seconds - NOTE_S]
    return Tune(onsets, rng.integers(48, 84, len(onsets)))


def again(played: Tune, seed: int, spread_s: float = 0.02) -> Tune:
    """The same piece in another performance: each note a little sooner or later."""
    moved = played.onsets + spread_s * np.random.default_rng(seed).standard_normal(len(played.onsets))
    return Tune(np.maximum(moved, 0.0), played.pitches)


def play(played: Tune, seconds: float, harmonics: int = 8, cents: float = 0.0) -> NDArray[np.float64]:
    """(samples,), plucked strings; harmonics, and how they are tuned and begin by `cents`, make the instrument."""
    samples, time = np.zeros(int(seconds * RATE)), np.arange(int(NOTE_S * RATE)) / RATE
    for onset, pitch in zip(played.onsets.tolist(), played.pitches.tolist(), strict=True):
        partials = np.arange(1, harmonics + 1)[:, None]
        begun = (1 + cents) * pitch * partials**2
        turns = 440 * 2 ** ((pitch - 69 + cents / 100) / 12) * partials * time
        waves = np.sin(2 * np.pi * turns + begun)
        note = (waves * np.exp(-3 * time * (1 + partials / 2)) / partials).sum(axis=0)
        start = int(onset * RATE)
        samples[start : start + len(note)] += 0.1 * note[: len(samples) - start]
    return samples


def phone(samples: NDArray[np.float64], offset_s: float, drift_ppm: float, seconds: float, rate: int = RATE) -> Audio:
    """What a phone in a room records from `offset_s` on, (1, samples): late reverberation, noise, little bass."""
    rng = np.random.default_rng(abs(round(offset_s * 1000)))
    tail = 0.03 * rng.standard_normal(RATE // 5) * np.exp(-np.arange(RATE // 5) / (REVERBERATION_S * RATE))
    tail[: RATE // 100] = 0.0
    tail[0] = 1.0
    heard = np.fft.irfft(np.fft.rfft(samples, 2 * len(samples)) * np.fft.rfft(tail, 2 * len(samples)))[: len(samples)]
    heard = heard - 0.5 * np.concatenate([[0.0], heard[:-1]])
    padded = audio.piece(np.asarray(heard[None], np.float32), round(offset_s * RATE), len(heard))
    recorded = soxr.resample(padded[0], RATE, rate / (1 + drift_ppm * 1e-6))
    recorded = recorded + 0.0005 * rng.standard_normal(len(recorded))
    return Audio(audio.piece(np.asarray(recorded[None], np.float32), 0, round(seconds * rate)), rate)


def studio(samples: NDArray[np.float64], seconds: float | None = None) -> Audio:
    """The same as it is, in stereo."""
    length = len(samples) if seconds is None else round(seconds * RATE)
    return Audio(audio.piece(np.asarray(samples[None], np.float32), 0, length).repeat(2, axis=0), RATE)


def without(sound: Audio, gaps: list[tuple[float, float]]) -> Audio:
    """The recording without these stretches: (from, length), seconds, in order."""
    keep = np.ones(sound.samples.shape[1], np.bool_)
    for start, length in gaps:
        keep[round(start * sound.rate) : round((start + length) * sound.rate)] = False
    return Audio(np.ascontiguousarray(sound.samples[:, keep]), sound.rate)
