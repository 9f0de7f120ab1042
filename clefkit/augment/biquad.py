"""Filters of second order, and sound through a cascade of them.

The formulas are Robert Bristow-Johnson's (Cookbook formulae for audio EQ biquad filter coefficients). A section is
`(b0, b1, b2, a1, a2)` with a0 = 1. The cascade is applied as its impulse response, cut where it has fallen by 120 dB:
the result is the recursion's to within 1e-6 of full scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clefkit.audio import Audio, Samples
from clefkit.augment import filters
from clefkit.augment.filters import Response

Section = tuple[float, float, float, float, float]

SHORTEST_RESPONSE = 1024
LONGEST_RESPONSE = 2**17
DECAY = 1e-6
HIGHEST = 0.48
BUTTERWORTH_Q = (0.541196, 1.306563)


def peak(frequency_hz: float, gain_db: float, q: float, rate: int) -> Section:
    amplitude, cosine, alpha = 10 ** (gain_db / 40), *_angle(frequency_hz, q, rate)
    b = (1 + alpha * amplitude, -2 * cosine, 1 - alpha * amplitude)
    return _scaled(b, (1 + alpha / amplitude, -2 * cosine, 1 - alpha / amplitude))


def low_shelf(frequency_hz: float, gain_db: float, q: float, rate: int) -> Section:
    a, cosine, alpha = 10 ** (gain_db / 40), *_angle(frequency_hz, q, rate)
    root = 2 * math.sqrt(a) * alpha
    less, more = (a - 1) * cosine, (a + 1) * cosine
    b = (a * (a + 1 - less + root), 2 * a * (a - 1 - more), a * (a + 1 - less - root))
    return _scaled(b, (a + 1 + less + root, -2 * (a - 1 + more), a + 1 + less - root))


def high_shelf(frequency_hz: float, gain_db: float, q: float, rate: int) -> Section:
    a, cosine, alpha = 10 ** (gain_db / 40), *_angle(frequency_hz, q, rate)
    root = 2 * math.sqrt(a) * alpha
    less, more = (a - 1) * cosine, (a + 1) * cosine
    b = (a * (a + 1 + less + root), -2 * a * (a - 1 + more), a * (a + 1 + less - root))
    return _scaled(b, (a + 1 - less + root, 2 * (a - 1 - more), a + 1 - less - root))


def low_pass(frequency_hz: float, q: float, rate: int) -> Section:
    cosine, alpha = _angle(frequency_hz, q, rate)
    return _scaled(((1 - cosine) / 2, 1 - cosine, (1 - cosine) / 2), (1 + alpha, -2 * cosine, 1 - alpha))


def high_pass(frequency_hz: float, q: float, rate: int) -> Section:
    cosine, alpha = _angle(frequency_hz, q, rate)
    return _scaled(((1 + cosine) / 2, -(1 + cosine), (1 + cosine) / 2), (1 + alpha, -2 * cosine, 1 - alpha))


def fits(frequency_hz: float, rate: int) -> bool:
    """Whether a filter at this frequency means anything at this rate; above, there is nothing to filter."""
    return frequency_hz < HIGHEST * rate


def response(sections: Sequence[Section]) -> Response:
    """What the cascade does to a click. It has no tail: the sound keeps its length."""
    return Response(_impulse_response(sections)) if sections else filters.unchanged()


def apply(sound: Audio, sections: Sequence[Section]) -> Audio:
    """The sound through the cascade; its length stays."""
    return filters.apply(sound, response(sections))


def _impulse_response(sections: Sequence[Section]) -> Samples:
    """(1, taps), float32"""
    radius = max(abs(pole) for section in sections for pole in np.roots([1.0, *section[3:]]))
    taps = math.log(DECAY) / math.log(radius) if 0 < radius < 1 else SHORTEST_RESPONSE
    size = 2 ** math.ceil(math.log2(min(max(2 * taps, SHORTEST_RESPONSE), LONGEST_RESPONSE)))
    turn = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    return np.fft.irfft(_transfer(sections, turn), size).astype(np.float32)[None, :]


def _transfer(sections: Sequence[Section], turn: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """turn: (n,), one sample's delay as a complex number per frequency; returns: (n,)"""
    product = np.ones(len(turn), np.complex128)
    for b0, b1, b2, a1, a2 in sections:
        product *= (b0 + b1 * turn + b2 * turn**2) / (1 + a1 * turn + a2 * turn**2)
    return product


def _angle(frequency_hz: float, q: float, rate: int) -> tuple[float, float]:
    """cos(w) and alpha of the cookbook."""
    angle = 2 * math.pi * frequency_hz / rate
    return math.cos(angle), math.sin(angle) / (2 * q)


def _scaled(b: tuple[float, float, float], a: tuple[float, float, float]) -> Section:
    return b[0] / a[0], b[1] / a[0], b[2] / a[0], a[1] / a[0], a[2] / a[0]
