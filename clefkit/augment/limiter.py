"""A limiter: no sample above a ceiling, which is relative to the active level (see `level`) of what it hears."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clefkit.audio import Audio
from clefkit.augment import dynamics, level, settings

if TYPE_CHECKING:
    from numpy.random import Generator

SETTINGS: settings.Table = {
    "ceiling_db": settings.Number(0, 40),
    "release_s": settings.Number(0.01, 10, default=0.1),
}


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """raises: InputError naming the key"""
    return settings.draw(SETTINGS, given, rng)


def apply(sound: Audio, numbers: dict[str, Any]) -> Audio:
    """Silence stays as it is."""
    active = level.active_db(sound)
    if not np.isfinite(active):
        return sound
    return dynamics.limit(sound, active + numbers["ceiling_db"], numbers["release_s"])
