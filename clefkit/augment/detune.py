"""A recording that runs a little fast or slow: pitch and time change together, so the clock is a line.

soxr takes the ratio as it is, not as a fraction of whole numbers: over five minutes a click is within 0.1 microseconds
of the clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import soxr

from clefkit import clock as clocks
from clefkit.audio import Audio
from clefkit.augment import settings
from clefkit.clock import Clock

if TYPE_CHECKING:
    from numpy.random import Generator

SETTINGS: settings.Table = {"cents": settings.Number(-50, 50)}


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """raises: InputError naming the key"""
    return settings.draw(SETTINGS, given, rng)


def apply(sound: Audio, numbers: dict[str, Any]) -> Audio:
    """Higher and shorter, or lower and longer, at the same rate."""
    faster = _faster(numbers)
    return Audio(np.stack([soxr.resample(channel, faster, 1.0) for channel in sound.samples]), sound.rate)


def clock(numbers: dict[str, Any], _duration_s: float) -> Clock:
    """A line, however long the sound is."""
    return clocks.line(0.0, 1 / _faster(numbers))


def _faster(numbers: dict[str, Any]) -> float:
    return float(2 ** (numbers["cents"] / 1200))
