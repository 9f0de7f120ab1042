"""What the network `tag` sees of a sound, one definition for training and use; and how loud the sound is, cell by cell.

Energy in 96 bands, evenly spaced on the mel scale (O'Shaughnessy 1987) from 40 Hz to 10.6 kHz, every 441 samples at
22,050 Hz (50 frames a second), in two channels: windows of 2,048 samples tell partials apart, windows of 512 how a note
begins. Five frames are a cell of 0.1 s, the resolution of all that is said of time.

A stretch of a few seconds is seen as decibels relative to its level, the geometric mean of the mean and the largest
energy of a frame, as 0 (72 dB below it, or less) to 1 (8 dB above it, or more). So a quiet recording and a loud one
look the same.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from clefkit import audio

Array = NDArray[np.float32]

RATE = 22_050
HOP = 441
FRAMES = 5  # of a cell
CELL = FRAMES * HOP
CELLS_PER_SECOND = RATE / CELL
BANDS = 96
WINDOWS = (2048, 512)
CHANNELS = len(WINDOWS)

LOWEST_HZ, HIGHEST_HZ = 40.0, 10_600.0
FLOOR_DB, CEILING_DB = -72.0, 8.0
QUIETEST_DB = -75.0  # of full scale: a level below it isn't lifted


class Bank(NamedTuple):
    """window: (size,); weights: (spectrum bins, bands)"""

    window: Array
    weights: Array


def cells(samples: int) -> int:
    """How many cells a sound of that length has, the last one perhaps not full."""
    return -(-samples // CELL)


def energies(sound: Array) -> Array:
    """Energy in each band.

    sound: (samples,), float32, mono, at 22,050 Hz; what is missing of the last cell counts as silence
    returns: (channels, frames, bands), five frames a cell, 1 for a sine of full scale
    """
    frames = FRAMES * cells(len(sound))
    half = WINDOWS[0] // 2
    before = half - HOP // 2  # frame t is centred on the middle of its hop
    padded = np.pad(sound, (before, frames * HOP + half - len(sound)))
    return np.stack([_filtered(padded, bank, frames) for bank in _banks()])


def seen(energy: Array) -> Array:
    """What the network sees of a stretch: 0 to 1. energy: (channels, frames, bands), as `energies`"""
    total = energy[0].sum(axis=1, dtype=np.float64)
    level = np.sqrt(total.mean() * total.max()) if len(total) else 0.0
    level_db = 10 * np.log10(max(float(level), 10 ** (QUIETEST_DB / 10)))
    decibels = 10 * np.log10(np.maximum(energy, np.float32(1e-16))) - np.float32(level_db)
    return np.asarray(np.clip((decibels - FLOOR_DB) / (CEILING_DB - FLOOR_DB), 0, 1), dtype=np.float32)


def powers(sound: Array) -> Array:
    """How loud each cell is: the mean square, K-weighted (ITU-R BS.1770-4).

    sound: (samples,), float32, mono, at 22,050 Hz
    returns: (cells,), float32; the last cell as if it were full
    """
    from scipy.signal import sosfilt

    weighted = np.asarray(sosfilt(audio.k_weighting(RATE), sound), dtype=np.float32)
    padded = np.pad(weighted, (0, cells(len(sound)) * CELL - len(sound)))
    return np.asarray(np.square(padded).reshape(-1, CELL).mean(axis=1), dtype=np.float32)


def _filtered(padded: Array, bank: Bank, frames: int) -> Array:
    from scipy import fft  # in float32 more than twice as fast as numpy's

    size = len(bank.window)
    views = sliding_window_view(padded[(WINDOWS[0] - size) // 2 :], size)[::HOP][:frames]
    spectrum: NDArray[np.complex64] = np.asarray(fft.rfft(views * bank.window), dtype=np.complex64)
    return np.asarray((spectrum.real**2 + spectrum.imag**2) @ bank.weights, dtype=np.float32)


def centres_hz() -> NDArray[np.float64]:
    """(BANDS,): the middle of each band."""
    return _edges_hz()[1:-1]


def band_weights() -> Array:
    """(WINDOWS[0] / 2 + 1, BANDS): how much of each bin of a spectrum is in each band."""
    return _banks()[0].weights


def _edges_hz() -> NDArray[np.float64]:
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (LOWEST_HZ, HIGHEST_HZ))
    return np.asarray(700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1))


@cache
def _banks() -> tuple[Bank, ...]:
    edges = _edges_hz()
    return tuple(_bank(size, edges) for size in WINDOWS)


def _bank(size: int, edges: NDArray[np.float64]) -> Bank:
    """Triangles from one centre to the next, but never narrower than one bin of the spectrum to each side."""
    window = np.hanning(size + 1)[:-1]
    bins = np.arange(size // 2 + 1)[:, None]
    centre = edges[1:-1] / (RATE / size)
    reach = np.maximum(1.0, (edges[2:] - edges[:-2]) / 2 / (RATE / size))
    weights = np.clip(1 - np.abs(bins - centre) / reach, 0, None)
    return Bank((window * 2 / window.sum()).astype(np.float32), weights.astype(np.float32))
