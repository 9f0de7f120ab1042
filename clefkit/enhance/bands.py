"""The bands that `enhance` hears and turns up and down: one definition, for training and for work.

Frames of some 46 ms (Hann), each a quarter after the one before, at whatever rate the sound has: 512 samples from frame
to frame at 44.1 kHz, and the nearest number that transforms fast elsewhere. Their power is summed in BANDS triangles,
even on the mel scale (O'Shaughnessy's, 2595 log10(1 + f / 700)) from 40 Hz to 18 kHz, which add up to 1 in between. A
gain in each band becomes a gain in each bin by straight lines in dB over the same triangles; the outermost reach on.

What lies between the partials of tones is heard in frames four times as long, every second one: the level that a
quarter of a band's bins stay below. There noise shows, and how gain moves it, while music plays.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float32]
Spectra = NDArray[np.complex64]

BANDS = 64
EDGES_HZ = (40.0, 18_000.0)
HOP_S = 512 / 44_100
OVERLAP = 4  # frames that cover each sample
LONGER, EVERY = 4, 2  # frames in which floors are heard: so many times as long, one for so many
BELOW = 0.25  # of a band's bins are softer than its floor
FLOOR_DB = 10 * math.log10(-math.log(1 - BELOW))  # of white noise, relative to its level: bins are of chi-squared power
SILENCE_DB = -120.0  # of full scale: what is softer counts as that
NO_FILL_DB = -100.0  # relative to a recording: as little as is filled into a band


@lru_cache(maxsize=8)
def hop(rate: int) -> int:
    """Samples from frame to frame."""
    from scipy import fft

    fast: Any = fft.next_fast_len(round(HOP_S * rate), real=True)
    return int(fast)


def size(rate: int) -> int:
    """Samples of a frame."""
    return OVERLAP * hop(rate)


@lru_cache(maxsize=8)
def window(rate: int, longer: int = 1) -> Array:
    return np.hanning(longer * size(rate) + 1)[:-1].astype(np.float32)


@lru_cache(maxsize=8)
def triangles(rate: int, longer: int = 1) -> Array:
    """How much of each bin belongs to each band. returns: (bins, BANDS); a row adds up to 1"""
    return np.asarray(np.maximum(1 - np.abs(_places(rate, longer)[:, None] - np.arange(BANDS)), 0), np.float32)


@lru_cache(maxsize=1)
def centres_hz() -> NDArray[np.float64]:
    low, high = _mel(np.array(EDGES_HZ)).tolist()
    return np.asarray(700 * (10 ** (np.linspace(low, high, BANDS + 2)[1:-1] / 2595) - 1), np.float64)


def spectra(samples: Array, rate: int, longer: int = 1, every: int = 1) -> Spectra:
    """samples: (..., samples); returns: (..., frames, bins), of all whole frames"""
    from scipy import fft

    frames = sliding_window_view(samples, longer * size(rate), axis=-1)[..., :: every * hop(rate), :]
    return np.asarray(fft.rfft(frames * window(rate, longer), axis=-1), np.complex64)


def levels_db(seen: Spectra, rate: int) -> Array:
    """Mean square in each band, in dB of full scale, -3 for a sine as loud as can be. (..., frames, bins) -> BANDS"""
    return _decibels((seen.real**2 + seen.imag**2) @ triangles(rate), rate)


def floors_db(power: Array, rate: int) -> Array:
    """What a quarter of the bins of each band stay below, in long frames, as the level that a band of such bins has.

    FLOOR_DB of the level for white noise. power: (frames, bins); returns: (frames, BANDS)
    """
    widths = triangles(rate, LONGER).sum(axis=0)
    found = np.zeros((len(power), BANDS), np.float32)
    for band, (first, last) in enumerate(_bins(rate)):
        if first < last:
            place = int(BELOW * (last - first))
            found[:, band] = np.partition(power[:, first:last], place, axis=1)[:, place] * widths[band]
    return _decibels(found, rate, LONGER)


@lru_cache(maxsize=8)
def _bins(rate: int) -> list[tuple[int, int]]:
    """The first bin of each band in long frames, and the one past its last: those that are nearest to its middle."""
    places, hertz = np.rint(_places(rate, LONGER)), np.fft.rfftfreq(LONGER * size(rate), 1 / rate)
    inside = places[(hertz >= EDGES_HZ[0]) & (hertz <= EDGES_HZ[1])]
    first = int((hertz < EDGES_HZ[0]).sum())
    edges = first + np.searchsorted(inside, np.arange(BANDS + 1))
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _places(rate: int, longer: int) -> NDArray[np.float64]:
    """Where among the bands each bin lies, 0 to BANDS - 1."""
    hertz = np.fft.rfftfreq(longer * size(rate), 1 / rate).astype(np.float64)
    return np.asarray(np.interp(_mel(hertz), _mel(centres_hz()), np.arange(BANDS)), np.float64)


def _decibels(power: NDArray[Any], rate: int, longer: int = 1) -> Array:
    scale = np.float32(2 / (longer * size(rate) * np.square(window(rate, longer)).sum()))
    return np.asarray(10 * np.log10(np.maximum(power * scale, np.float32(10 ** (SILENCE_DB / 10)))), np.float32)


def seconds(count: int, rate: int) -> float:
    """From one frame to that many later."""
    return count * hop(rate) / rate


def frames(duration_s: float) -> int:
    """About so many; exactly at 44.1 kHz."""
    return max(1, math.ceil(duration_s / HOP_S))


def _mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(2595 * np.log10(1 + hertz / 700), np.float64)
