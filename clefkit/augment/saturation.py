"""Saturation: the warmth of tape, tubes and transistors, whose curve bends where the sound is loud.

The curve is a hyperbolic tangent; a `bias` moves the sound away from its middle, which makes the two halves of a wave
unequal and so adds even harmonics to the odd ones, as a triode does. It is applied at eight times the rate, where
harmonics have room, so none come back as tones that are not in the music. What the bias adds at 0 Hz is taken away by
a high pass of 5 Hz, as the capacitor at an amplifier's output does.
The drive is relative to the active level without the A curve (see `level`), as a tape is driven by its needle; with
the curve, a double bass would be fuzz.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import soxr

from clefkit import audio
from clefkit.audio import Audio, Samples
from clefkit.augment import level, settings

if TYPE_CHECKING:
    from numpy.random import Generator

SETTINGS: settings.Table = {
    "drive_db": settings.Number(-30, 12),  # at 0 the active level is where a straight line would meet the ceiling
    "bias": settings.Number(0, 1, default=0),  # in parts of that
}
OVERSAMPLING = 8
BLOCK = 2**15
MARGIN = 256
HIGH_PASS_HZ = 5.0


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """raises: InputError naming the key"""
    return settings.draw(SETTINGS, given, rng)


def apply(sound: Audio, numbers: dict[str, Any]) -> Audio:
    """The active level stays, and so does silence."""
    active, needle = level.active_db(sound), level.active_db(sound, weighted=False)
    if not np.isfinite([active, needle]).all():
        return sound
    gain = 10 ** ((numbers["drive_db"] - needle) / 20)
    heard = Audio(np.empty_like(sound.samples), sound.rate)
    for first in range(0, sound.samples.shape[1], BLOCK):
        part = audio.piece(sound.samples, first - MARGIN, first + BLOCK + MARGIN)
        for channel, row in zip(part, heard.samples, strict=True):
            bent = _bent(channel, gain, numbers["bias"])[MARGIN : MARGIN + BLOCK]
            row[first : first + BLOCK] = bent[: len(row) - first]
    _take_away_0_hz(heard)
    heard.samples[:] *= np.float32(10 ** ((active - level.active_db(heard)) / 20))
    return heard


def _bent(channel: Samples, gain: float, bias: float) -> Samples:
    """(n,) -> (n,), between -2 and 2; a silent channel stays silent."""
    wide = soxr.resample(channel, 1, OVERSAMPLING)
    wide *= np.float32(gain)
    wide += np.float32(bias)
    np.tanh(wide, out=wide)
    wide -= np.tanh(np.float32(bias))
    return np.asarray(soxr.resample(wide, OVERSAMPLING, 1), np.float32)


def _take_away_0_hz(sound: Audio) -> None:
    """In place, in blocks: a one-pole high pass."""
    from scipy.signal import lfilter

    slope = math.tan(math.pi * HIGH_PASS_HZ / sound.rate)
    b, a = np.array([1.0, -1.0]) / (1 + slope), [1.0, (slope - 1) / (slope + 1)]
    state = np.zeros((len(sound.samples), 1))
    for first in range(0, sound.samples.shape[1], BLOCK):
        part = sound.samples[:, first : first + BLOCK]
        part[:], state = lfilter(b, a, part.astype(np.float64), axis=1, zi=state)
