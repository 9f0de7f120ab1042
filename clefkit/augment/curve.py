"""A curve of level against frequency, made a filter that lets no sound come before its time.

The response is minimum phase, found from the curve alone by its cepstrum (Oppenheim and Schafer, Discrete-time signal
processing, 1989, section 12.3): most energy comes as early as it can, so onsets stay and nothing rings ahead of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from clefkit.augment.filters import Response

Levels = NDArray[np.float64]
Curve = Callable[[Levels], Levels]
Corners = Sequence[tuple[float, float]]

REFERENCE_HZ = 1000.0
LOWEST_HZ = 5.0
BELOW_DB, ABOVE_DB = 12.0, 24.0  # an octave, for two octaves outside of the corners
TRANSFORM_S = 1.2
LONGEST_S = 0.3
CUT_DB = -100.0
FADE = 8  # the last eighth of a response fades out


def through(corners: Corners) -> Curve:
    """A smooth curve through these corners, (Hz, dB), that overshoots none (Fritsch and Carlson, 1980).

    Outside of them it falls by 12 dB an octave below and 24 above, for two octaves, and stays there.
    """
    from scipy.interpolate import PchipInterpolator

    hertz, decibels = np.array(corners, np.float64).T
    octaves = np.log2(hertz)
    steps = np.array([2.0, 1.0])
    octaves = np.concatenate([octaves[0] - steps, octaves, octaves[-1] + steps[::-1]])
    decibels = np.concatenate([decibels[0] - BELOW_DB * steps, decibels, decibels[-1] - ABOVE_DB * steps[::-1]])
    smooth = PchipInterpolator(octaves, decibels)

    def level(hertz: Levels) -> Levels:
        return np.asarray(smooth(np.clip(np.log2(hertz), octaves[0], octaves[-1])), np.float64)

    return level


def response(curve: Curve, rate: int) -> Response:
    """The minimum phase response of a curve, 0 dB at 1 kHz. It has no tail: the sound keeps its length.

    curve: what gives the level in dB at frequencies in Hz, from 5 Hz on; below, the level is that at 5 Hz
    """
    size = 1 << math.ceil(math.log2(TRANSFORM_S * rate))
    hertz = np.maximum(np.fft.rfftfreq(size, 1 / rate), LOWEST_HZ)
    decibels = curve(hertz) - curve(np.array([REFERENCE_HZ]))
    cepstrum = np.fft.irfft(decibels * (math.log(10) / 20), size)
    cepstrum[1 : size // 2] *= 2
    cepstrum[size // 2 + 1 :] = 0
    taps = np.fft.irfft(np.exp(np.fft.rfft(cepstrum)), size)
    return Response(_cut(taps, round(LONGEST_S * rate)).astype(np.float32)[None, :])


def _cut(taps: Levels, longest: int) -> Levels:
    """The taps until what is left is 100 dB under the whole, faded out."""
    left = np.cumsum(taps[::-1] ** 2)[::-1]
    keep = min(int(np.count_nonzero(left > left[0] * 10 ** (CUT_DB / 10))), longest)
    fade = keep // FADE
    kept = taps[:keep].copy()
    kept[keep - fade :] *= np.cos(np.linspace(0, np.pi / 2, fade)) if fade else 1.0
    return kept
