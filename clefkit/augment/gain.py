"""Louder or softer. The output gain that keeps the true peak under its ceiling comes after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clefkit.audio import Audio
from clefkit.augment import settings

if TYPE_CHECKING:
    from numpy.random import Generator

SETTINGS: settings.Table = {"gain_db": settings.Number(-60, 24)}


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """raises: InputError naming the key"""
    return settings.draw(SETTINGS, given, rng)


def apply(sound: Audio, numbers: dict[str, Any]) -> Audio:
    return Audio(sound.samples * np.float32(10 ** (numbers["gain_db"] / 20)), sound.rate)
