"""Noise of a given spectrum, piece by piece, without seams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from clefkit.audio import Samples
from clefkit.augment import convolve, level
from clefkit.augment.curve import Corners

if TYPE_CHECKING:
    from numpy.random import Generator

TAPS = 8192
PIECE = 2**20


def noise(corners: Corners, rng: Generator, shape: tuple[int, ...], rate: int) -> Iterator[Samples]:
    """White noise through a filter of that spectrum; its mean level is 0 dB, A-weighted.

    corners: (Hz, dB), straight lines in logarithm between them
    shape: (channels, samples) of the whole; yields: (channels, up to 2**20 samples), float32
    """
    taps = _taps(corners, rate)
    before = rng.standard_normal((shape[0], TAPS - 1), np.float32)
    for start in range(0, shape[1], PIECE):
        white = rng.standard_normal((shape[0], min(PIECE, shape[1] - start)), np.float32)
        joined = np.concatenate([before, white], axis=1)
        before = joined[:, -(TAPS - 1) :]
        yield convolve.convolve(joined, taps, lead=TAPS - 1, length=white.shape[1])


def _taps(corners: Corners, rate: int) -> Samples:
    """Linear-phase taps that give white noise this spectrum and an A-weighted level of 0 dB. returns: (1, TAPS)"""
    frequencies = np.fft.rfftfreq(TAPS, 1 / rate)
    hertz, decibels = np.array(corners).T
    shape = 10 ** (np.interp(np.log(np.maximum(frequencies, 1.0)), np.log(hertz), decibels) / 20)
    shape[frequencies < hertz[0]] *= (frequencies[frequencies < hertz[0]] / hertz[0]) ** 2
    taps = np.roll(np.fft.irfft(shape, TAPS), TAPS // 2) * np.hanning(TAPS)
    weighted = np.abs(np.fft.rfft(taps)) * level.a_weighting(frequencies)
    power = (2 * (weighted**2).sum() - weighted[0] ** 2 - weighted[-1] ** 2) / TAPS
    return np.asarray(taps / np.sqrt(power), np.float32)[None, :]
