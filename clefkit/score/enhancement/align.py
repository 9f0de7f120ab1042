"""Two sounds at the same time and level, and how alike they are then, sample by sample.

The lag is the one, up to 50 ms either way, at which the cross-correlation is largest without its sign. SI-SDR (Le Roux
et al. 2019, "SDR - half-baked or well done?") is taken between samples: the correlation is interpolated by windowed
sincs, and so is the estimate. Up to 20 kHz that is exact.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.signal import correlate, oaconvolve

from clefkit import audio
from clefkit.audio import Audio
from clefkit.errors import InputError
from clefkit.score.enhancement import LONGEST_S, RATE
from clefkit.score.separation import CEILING_DB, FLOOR_DB

FARTHEST = RATE // 20
REACH = 128  # samples on both sides that an interpolated one is made of
CHUNK = 1 << 18

Sound = NDArray[np.float32]
Values = NDArray[np.float64]


def mono(samples: NDArray[Any], rate: int, name: str) -> Sound:
    """(samples,) at 44.1 kHz. Raises InputError when it is no sound of one or two channels."""
    rows = np.atleast_2d(samples)
    if rows.ndim > 2 or not 1 <= len(rows) <= audio.MOST_CHANNELS or not rows.size or not np.isfinite(rows).all():
        raise InputError(f"{name} is not (channels, samples) of one or two channels, all of them numbers")
    whole = audio.resample(Audio(rows.mean(axis=0, keepdims=True).astype(np.float32), rate), RATE)
    return np.asarray(whole.samples[0])


def read(path: Path, offset_s: float = 0.0) -> Sound:
    """A file as `mono`, without its first `offset_s` seconds, or with as many of silence before it when negative."""
    shape = audio.shape(path)
    if max(shape.frames / shape.rate, abs(offset_s)) > LONGEST_S:
        raise InputError(f"longer than {LONGEST_S // 60} minutes: cut it into parts first")
    sound = np.concatenate(list(audio.blocks(path, RATE)))
    first = round(offset_s * RATE)
    return audio.piece(sound[None], first, max(len(sound), first))[0] if first else sound


def correlation(reference: Sound, estimate: Sound) -> Values:
    """Of the reference with the estimate that comes later by -FARTHEST - REACH ... FARTHEST + REACH samples."""
    far = FARTHEST + REACH
    total = np.zeros(2 * far + 1)
    for start in range(0, len(reference), CHUNK):
        part = reference[start : start + CHUNK].astype(np.float64)
        around = audio.piece(estimate[None], start - far, start + len(part) + far)[0].astype(np.float64)
        total += correlate(around, part, mode="valid", method="fft")
    return total


def lag(found: Values) -> int:
    """In samples, by which the estimate comes later; of several the nearest to 0. found: what `correlation` returns"""
    nearest_first = np.argsort(np.abs(np.arange(-FARTHEST, FARTHEST + 1)), kind="stable")
    return int(nearest_first[np.argmax(np.abs(found[REACH:-REACH])[nearest_first])]) - FARTHEST


def si_sdr(reference: Sound, estimate: Sound, found: Values) -> float:
    """dB, -30 to 100, at the best delay and gain. found: their `correlation`"""
    whole, part = _between(found, lag(found))
    taps = _sinc(part)[::-1]
    sums = np.zeros(3)
    for start in range(0, len(reference), CHUNK):
        true = reference[start : start + CHUNK].astype(np.float64)
        around = audio.piece(estimate[None], start + whole - REACH, start + whole + len(true) + REACH)[0]
        heard = np.asarray(oaconvolve(around.astype(np.float64), taps, mode="valid"))
        sums += true @ true, true @ heard, heard @ heard
    energy, product, power = sums.tolist()
    target = product**2 / energy
    if target <= 0:
        return FLOOR_DB
    noise = power - target
    return min(max(10 * math.log10(target / noise), FLOOR_DB), CEILING_DB) if noise > 0 else CEILING_DB


def _between(found: Values, near: int) -> tuple[int, float]:
    """The lag as whole samples and a part, -1 to 1, at which the interpolated correlation is largest."""
    middle = near + FARTHEST + REACH
    around = found[middle - REACH : middle + REACH + 1]
    scale = float(np.abs(around).max()) or 1.0
    best: Any = minimize_scalar(
        lambda part: -abs(float(_sinc(part) @ around)) / scale,
        bounds=(-1.0, 1.0),
        method="bounded",
        options={"xatol": 1e-9},
    )
    # The search stops some 1e-6 beside a whole sample; there the sample itself is meant.
    return near, 0.0 if abs(best.x) < 1e-5 else float(best.x)


def _sinc(part: float) -> Values:
    """Weights of 2 REACH + 1 samples that give the value `part` of a sample after the middle one."""
    place = np.arange(-REACH, REACH + 1) - part
    weights = np.sinc(place) * np.kaiser(2 * REACH + 1, 14.0)
    return np.asarray(weights / weights.sum())  # exact for low sound, where a correlation is flat and an error moves it
