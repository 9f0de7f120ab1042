"""A loudness in LUFS (ITU-R BS.1770-4) by gain alone; the output gain that holds the true peak comes after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clefkit import audio
from clefkit.audio import Audio
from clefkit.augment import settings

if TYPE_CHECKING:
    from numpy.random import Generator

SETTINGS: settings.Table = {"lufs": settings.Number(-40, -8)}


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """raises: InputError naming the key"""
    return settings.draw(SETTINGS, given, rng)


def apply(sound: Audio, numbers: dict[str, Any]) -> Audio:
    """Silence stays as it is."""
    now = audio.loudness(sound.samples, sound.rate)
    if not np.isfinite(now):
        return sound
    return Audio(sound.samples * np.float32(10 ** ((numbers["lufs"] - now) / 20)), sound.rate)
