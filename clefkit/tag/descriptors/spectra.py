"""What all timbre descriptors are made from: windows of a sound, their spectra, and products that stay on one core."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
T = TypeVar("T", np.float32, np.float64)

RATE = 22_050
SIZE, HOP = 1152, 576  # 52 ms and half of that, as long as the windows in which timbral_models finds roughness
LONG = 4096  # 186 ms, which tells partials of low notes apart
LEAD = 4 * HOP  # silence before the sound, from which it rises
ALONE = 1 << 18  # multiplications that OpenBLAS does without waking its threads, which cost more than they save here


def magnitudes(windowed: Array, size: int | None = None) -> Array:
    """(windows, samples) -> (windows, size // 2 + 1)"""
    from scipy import fft  # in float32 more than twice as fast as numpy's

    transformed: NDArray[np.complex64] = np.asarray(fft.rfft(windowed, size), dtype=np.complex64)
    return np.abs(transformed)


def product(left: NDArray[T], right: NDArray[T]) -> NDArray[T]:
    """(n, k) times (k, m), in pieces so small that BLAS keeps to one core."""
    rows = max(1, ALONE // right.size)
    whole = len(left) // rows * rows
    pieces = np.matmul(left[:whole].reshape(-1, rows, left.shape[1]), right).reshape(whole, right.shape[1])
    return np.asarray(np.concatenate([pieces, left[whole:] @ right]), dtype=left.dtype)


@lru_cache(maxsize=8)
def hann(size: int) -> Array:
    """(size,), nowhere zero, so what is in a window is never lost."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(size) + 0.5) / size), dtype=np.float32)


class Seen(NamedTuple):
    """A sound in short windows, each half a window after the last.

    led: (samples,), silence of 2304 samples and the sound; magnitudes: (windows, 577), centred on every 576th sample of
    `led`; inside: those whose windows are within the sound, all if those are silent
    """

    led: Array
    magnitudes: Array
    inside: Array


def see(sound: Array) -> Seen:
    """sound: (samples,)"""
    blocks = np.zeros(((LEAD + len(sound)) // HOP + 2, HOP), np.float32)
    padded = blocks.ravel()
    padded[LEAD + HOP : LEAD + HOP + len(sound)] = sound
    windowed = np.empty((len(blocks) - 1, SIZE), np.float32)
    np.multiply(blocks[:-1], hann(SIZE)[:HOP], out=windowed[:, :HOP])
    np.multiply(blocks[1:], hann(SIZE)[HOP:], out=windowed[:, HOP:])
    seen = magnitudes(windowed)
    first = LEAD // HOP + 1
    inside = seen[first : first + (len(sound) - SIZE) // HOP + 1]
    if len(sound) < SIZE:
        inside = magnitudes((sound * hann(len(sound)))[None], SIZE)
    return Seen(padded[HOP : HOP + LEAD + len(sound)], seen, inside if inside.any() else seen)


@lru_cache(maxsize=8)
def frequencies(size: int) -> Floats:
    """Of the bins of a transform of `size` samples, in Hz; zero is told as a thousandth, which has a logarithm."""
    return np.asarray(np.maximum(np.arange(size // 2 + 1) * (RATE / size), 1e-3), dtype=np.float64)


def decibels(power: NDArray[T], floor: float = 1e-12) -> NDArray[T]:
    """10 log10, of nothing below `floor`."""
    return np.asarray(10.0 * np.log10(np.maximum(power, floor)), dtype=power.dtype)


def weighted(values: NDArray[np.floating], weights: NDArray[np.floating | np.bool]) -> Floats:
    """The mean over the first axis: `numpy.average` without its checks, which cost more than short means themselves."""
    return np.asarray((weights @ values) / weights.sum(), dtype=np.float64)
