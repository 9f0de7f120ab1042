"""Distances between spectra, of sounds of one length and level.

Log-spectral distance: 64 triangular mel bands from 40 Hz to 18 kHz on power, in dB with a floor 70 dB under the
reference's largest value; root mean square over bands, mean over the frames in which the reference's power is within 50
dB of its loudest. Multi-resolution STFT distance: spectral convergence |A - B| / |A| plus the mean difference of
ln(magnitude + 1e-4 of the reference's largest), mean over windows of 512, 1024 and 2048 samples (after Yamamoto, Song
and Kim 2020, "Parallel WaveGAN"). Windows are Hann's and overlap by three quarters.

The mel scale is O'Shaughnessy's, 2595 log10(1 + f / 700).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from clefkit import audio
from clefkit.score.enhancement import RATE
from clefkit.score.enhancement.align import Sound

SIZES = (512, 1024, 2048)
BAND_SIZE = 2048
BANDS = 64
EDGES_HZ = (40.0, 18_000.0)
FLOOR_DB, WITHIN_DB = 70.0, 50.0
FAINTEST = 1e-4
SAMPLES_AT_ONCE = 1 << 17

Values = NDArray[np.float64]


def distances(reference: Sound, estimate: Sound) -> dict[str, float]:
    """ "lsd" (dB) and "mrstft"; both are 0 for equal sounds."""
    resolutions = [resolution(reference, estimate, size) for size in SIZES]
    return {"lsd": log_spectral_distance(reference, estimate), "mrstft": math.fsum(resolutions) / len(SIZES)}


def log_spectral_distance(reference: Sound, estimate: Sound) -> float:
    """dB"""
    bank = _mel_bands()
    largest, loudest = 0.0, 0.0
    for true in _magnitudes(reference, BAND_SIZE):
        power = np.square(true)
        largest, loudest = max(largest, float((power @ bank).max())), max(loudest, float(power.sum(axis=1).max()))
    lowest, quietest = largest * 10 ** (-FLOOR_DB / 10), loudest * 10 ** (-WITHIN_DB / 10)
    total, count = 0.0, 0
    for true, found in zip(_magnitudes(reference, BAND_SIZE), _magnitudes(estimate, BAND_SIZE), strict=True):
        power = np.square(true)
        loud = power.sum(axis=1) >= quietest
        levels = [10 * np.log10(np.maximum(side[loud] @ bank, lowest)) for side in (power, np.square(found))]
        total += float(np.sqrt(np.square(levels[1] - levels[0]).mean(axis=1)).sum())
        count += int(loud.sum())
    return total / count


def resolution(reference: Sound, estimate: Sound, size: int) -> float:
    """Spectral convergence and mean difference of logarithms at one window, added."""
    least = FAINTEST * max(float(true.max()) for true in _magnitudes(reference, size))
    apart, energy, logarithms, count = 0.0, 0.0, 0.0, 0
    for true, found in zip(_magnitudes(reference, size), _magnitudes(estimate, size), strict=True):
        apart += float(np.square(true - found).sum())
        energy += float(np.square(true).sum())
        logarithms += float(np.abs(np.log((found + least) / (true + least))).sum())
        count += true.size
    return math.sqrt(apart / energy) + logarithms / count


def _magnitudes(sound: Sound, size: int) -> Iterator[Values]:
    """Yields (frames, bins), some frames at a time. Frame `t` is centred on sample `t size / 4`."""
    hop = size // 4
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    count = len(sound) // hop + 1
    at_once = SAMPLES_AT_ONCE // size
    for first in range(0, count, at_once):
        last = min(first + at_once, count)
        part = audio.piece(sound[None], first * hop - size // 2, (last - 1) * hop + size // 2)[0]
        yield np.abs(np.fft.rfft(sliding_window_view(part, size)[::hop] * window))


def _mel_bands() -> Values:
    """returns: (bins, bands), triangles of height 1"""
    low, high = (2595 * math.log10(1 + edge / 700) for edge in EDGES_HZ)
    corners = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(BAND_SIZE, 1 / RATE)[:, None]
    rising = (bins - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - bins) / (corners[2:] - corners[1:-1])
    return np.maximum(np.minimum(rising, falling), 0.0)
