"""How far loud and soft passages lie apart: less for a broadcast, more for a concert.

The slow level, that of `level` smoothed over a window, deviates from the active level; the gain makes that deviation
`scale` times as many dB, within 12 dB either way. What is 30 dB under the active level is a pause: it doesn't count,
and a long one gets no gain. The smoothing looks as far ahead as back, as a hand on a fader that knows the piece:
nothing is delayed, nothing pumps.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clefkit.audio import Audio
from clefkit.augment import dynamics, level, settings

if TYPE_CHECKING:
    from numpy.random import Generator

SETTINGS: settings.Table = {
    "scale": settings.Number(0.3, 1.8),
    "window_s": settings.Number(0.5, 5, default=2),
}
MOST_GAIN_DB = 12.0
SOUND_DB, PAUSE_DB = -20.0, -30.0
ENOUGH_SOUND = 0.5  # of the window, for all of the gain
FLOOR = 1e-12


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """raises: InputError naming the key"""
    return settings.draw(SETTINGS, given, rng)


def apply(sound: Audio, numbers: dict[str, Any]) -> Audio:
    """One gain for all channels; silence stays as it is."""
    active = level.active_db(sound)
    if not np.isfinite(active):
        return sound
    frame = level.hop(sound)
    window = _window(numbers["window_s"] * sound.rate / frame)
    powers = level.frame_powers(sound) / 10 ** (active / 10)
    counts = np.clip((10 * np.log10(powers + FLOOR) - PAUSE_DB) / (SOUND_DB - PAUSE_DB), 0, 1)
    share = _smooth(counts, window)
    slow_db = 10 * np.log10(_smooth(powers * counts, window) / np.maximum(share, FLOOR) + FLOOR)
    wanted = np.clip((numbers["scale"] - 1) * slow_db, -MOST_GAIN_DB, MOST_GAIN_DB)
    gain_db = _smooth(wanted * np.minimum(share / ENOUGH_SOUND, 1), window)
    # A frame's middle is a border of the half frames between which the gain goes in straight lines.
    borders = math.ceil(sound.samples.shape[1] / frame) + 1
    return dynamics.with_gain(sound, -np.pad(gain_db, (1, borders - 1 - len(gain_db)), "edge"), frame)


def _window(frames: float) -> NDArray[np.float64]:
    """A raised cosine, `frames` wide at half its height."""
    half = max(round(frames), 1)
    return np.hanning(2 * half + 1)


def _smooth(values: NDArray[np.float64], window: NDArray[np.float64]) -> NDArray[np.float64]:
    """As far ahead as back; near the ends, the mean of what there is. values: (frames,)"""
    half = len(window) // 2
    there = np.pad(np.ones(len(values)), half)
    return np.asarray(np.convolve(np.pad(values, half), window, "valid") / np.convolve(there, window, "valid"))
