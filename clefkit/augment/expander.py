"""An expander: what is softer than its threshold is made softer still, up to a gate that closes.

Under the threshold, which is relative to the active level (see `level`; not weighted), the level falls `ratio` times as
fast, but is taken down by no more than `most_db`. It opens with the time constant `attack_s` and closes with
`release_s`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clefkit.audio import Audio
from clefkit.augment import dynamics, level, settings

if TYPE_CHECKING:
    from numpy.random import Generator

SETTINGS: settings.Table = {
    "threshold_db": settings.Number(-80, 20),
    "ratio": settings.Number(1, 20),
    "attack_s": settings.Number(0.001, 1, default=0.01),
    "release_s": settings.Number(0.01, 10, default=0.2),
    "most_db": settings.Number(0, 60, default=20),
}


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """raises: InputError naming the key"""
    return settings.draw(SETTINGS, given, rng)


def apply(sound: Audio, numbers: dict[str, Any]) -> Audio:
    """Silence stays as it is."""
    active = level.active_db(sound, weighted=False)
    if not np.isfinite(active):
        return sound
    frame = dynamics.level_frame(sound.rate)
    under = active + numbers["threshold_db"] - dynamics.levels_db(sound)
    reduction = np.clip(under * (numbers["ratio"] - 1), 0, numbers["most_db"])
    # Reduction grows slowly and shrinks at once: the reverse of a compressor's.
    smooth = dynamics.smooth(reduction, numbers["release_s"], numbers["attack_s"], frame / sound.rate)
    return dynamics.with_gain(sound, np.append(smooth, smooth[-1]), frame)
