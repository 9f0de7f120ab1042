"""Sound at places between samples: a sinc under a Kaiser window (Kaiser, Nonrecursive digital filter design, 1974)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HALF = 32  # taps on either side
KAISER = 8.6  # a window whose side lobes are 90 dB down
NONE = 1e-6  # samples: less stays as it is


def kernel(away: NDArray[np.floating]) -> NDArray[np.float64]:
    """The weight of what is so many samples away from the place that is read; 0 from HALF on."""
    window = np.i0(KAISER * np.sqrt(np.maximum(1 - np.square(away / HALF), 0.0))) / np.i0(KAISER)
    return np.asarray(np.sinc(away) * window * (np.abs(away) < HALF), np.float64)


def taps(fraction: float) -> NDArray[np.float64]:
    """A filter that reads so far after each sample, delayed by HALF. fraction: 0 to 1. returns: (2 HALF + 1,)"""
    if fraction < NONE:
        return np.asarray(np.eye(1, 2 * HALF + 1, HALF)[0], np.float64)
    return kernel(np.arange(HALF, -HALF - 1, -1) - fraction)
