"""A compressor: loud passages softer. Its threshold is relative to the active level (see `level`) of what it hears."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clefkit.audio import Audio
from clefkit.augment import dynamics, level, settings

if TYPE_CHECKING:
    from numpy.random import Generator

SETTINGS: settings.Table = {
    "threshold_db": settings.Number(-40, 20),
    "ratio": settings.Number(1, 20),
    "attack_s": settings.Number(0.001, 1, default=0.01),
    "release_s": settings.Number(0.01, 10, default=0.2),
}


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """raises: InputError naming the key"""
    return settings.draw(SETTINGS, given, rng)


def apply(sound: Audio, numbers: dict[str, Any]) -> Audio:
    """Silence stays as it is."""
    active = level.active_db(sound)
    if not np.isfinite(active):
        return sound
    threshold = active + numbers["threshold_db"]
    return dynamics.compress(sound, threshold, numbers["ratio"], numbers["attack_s"], numbers["release_s"])
