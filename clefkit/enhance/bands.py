"""The bands that `enhance` hears and turns up and down: one definition, for training and for work.

Frames of some 46 ms (Hann), each a quarter after the one before, at whatever rate the sound has: 512 samples from frame
to frame at 44.1 kHz, and the nearest number that transforms fast elsewhere. Their power is summed in BANDS triangles,
even on the mel scale (O'Shaughnessy's, 2595 log10(1 + f / 700)) from 40 Hz to 18 kHz, which add up to 1 in between. A
gain in each band becomes a gain in each bin by straight lines in dB over the same triangles; the outermost reach on.
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
def window(rate: int) -> Array:
    return np.hanning(size(rate) + 1)[:-1].astype(np.float32)


@lru_cache(maxsize=8)
def triangles(rate: int) -> Array:
    """How much of each bin belongs to each band. returns: (bins, BANDS); a row adds up to 1"""
    hertz = np.fft.rfftfreq(size(rate), 1 / rate).astype(np.float64)
    places = np.interp(_mel(hertz), _mel(centres_hz()), np.arange(BANDS))
    return np.asarray(np.maximum(1 - np.abs(places[:, None] - np.arange(BANDS)), 0), np.float32)


@lru_cache(maxsize=1)
def centres_hz() -> NDArray[np.float64]:
    low, high = _mel(np.array(EDGES_HZ)).tolist()
    return np.asarray(700 * (10 ** (np.linspace(low, high, BANDS + 2)[1:-1] / 2595) - 1), np.float64)


def spectra(samples: Array, rate: int) -> Spectra:
    """samples: (..., samples); returns: (..., frames, bins), of all whole frames"""
    from scipy import fft

    frames = sliding_window_view(samples, size(rate), axis=-1)[..., :: hop(rate), :]
    return np.asarray(fft.rfft(frames * window(rate), axis=-1), np.complex64)


def levels_db(seen: Spectra, rate: int) -> Array:
    """Mean square in each band, in dB of full scale, -3 for a sine as loud as can be. (..., frames, bins) -> BANDS"""
    power = seen.real**2 + seen.imag**2
    scale = np.float32(2 / (size(rate) * np.square(window(rate)).sum()))
    least = np.float32(10 ** (SILENCE_DB / 10))
    return np.asarray(10 * np.log10(np.maximum(power @ triangles(rate) * scale, least)), np.float32)


def seconds(count: int, rate: int) -> float:
    """From one frame to that many later."""
    return count * hop(rate) / rate


def frames(duration_s: float) -> int:
    """About so many; exactly at 44.1 kHz."""
    return max(1, math.ceil(duration_s / HOP_S))


def _mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(2595 * np.log10(1 + hertz / 700), np.float64)
