"""Stereo width: what the channels share stays, what they differ in is made more or less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clefkit.audio import Audio
from clefkit.augment import settings

if TYPE_CHECKING:
    from numpy.random import Generator

SETTINGS: settings.Table = {"width": settings.Number(0, 2)}  # 0: the same in both; 1: as it is


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """raises: InputError naming the key"""
    return settings.draw(SETTINGS, given, rng)


def apply(sound: Audio, numbers: dict[str, Any]) -> Audio:
    """Mono stays as it is."""
    if len(sound.samples) == 1:
        return sound
    own, other = np.float32((1 + numbers["width"]) / 2), np.float32((1 - numbers["width"]) / 2)
    return Audio(np.asarray(own * sound.samples + other * sound.samples[::-1], np.float32), sound.rate)
