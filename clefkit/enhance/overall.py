"""What is known of a whole recording before any of it is changed: its level, and how soft and loud each band gets.

The level is the mean power of the frames that are within ACTIVE_DB of the mean of those that are no silence. The
percentiles of each band, and of its floor, are taken over these frames and those softer, but for silence. Counts in
steps of one decibel are enough for all of it, so recordings of any length are gone through in the same memory.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.enhance import bands
from clefkit.enhance.bands import BANDS, SILENCE_DB

Array = NDArray[np.float32]

PERCENTILES = (5, 50, 95)
ROWS = 2 * len(PERCENTILES)  # of levels and of floors
ACTIVE_DB = -20.0
TOP_DB = 20
STEPS = round(TOP_DB - SILENCE_DB)
QUIETEST_DB = -90.0  # of a frame: what is softer is silence


class Overall(NamedTuple):
    """level_db: of full scale, -inf for silence; percentiles: (2, PERCENTILES, BANDS), dB of full scale, of the levels
    and of the floors
    """

    level_db: float
    percentiles: Array

    @property
    def relative(self) -> Array:
        """The percentiles as the network sees them, relative to the level. (ROWS, BANDS)"""
        return self.percentiles.reshape(-1, BANDS) - np.float32(self.level_db)


class Counter:
    """Frames pass through it; then it knows."""

    def __init__(self) -> None:
        self._bands = np.zeros((2, STEPS, BANDS), np.int64)
        self._frames = np.zeros(STEPS, np.int64)
        self._places = np.arange(BANDS)

    def add(self, levels_db: Array, floors_db: Array) -> None:
        """levels_db: (frames, BANDS); floors_db: (half as many, rounded up, BANDS)"""
        total = 10 * np.log10(np.power(10.0, levels_db / 10).sum(axis=1))
        heard = total > QUIETEST_DB
        np.add.at(self._frames, _step(total[heard]), 1)
        for counts, side in zip(self._bands, (levels_db[heard], floors_db[heard[:: bands.EVERY]]), strict=True):
            np.add.at(counts, (_step(side), self._places), 1)

    def result(self) -> Overall:
        count = int(self._frames.sum())
        if not count:
            return Overall(-np.inf, np.full((2, len(PERCENTILES), BANDS), SILENCE_DB, np.float32))
        powers = 10 ** (_middle(np.arange(STEPS)) / 10)
        mean = (self._frames * powers).sum() / count
        active = np.where(powers >= mean * 10 ** (ACTIVE_DB / 10), self._frames, 0)
        level_db = float(10 * np.log10((active * powers).sum() / active.sum()))
        below = np.cumsum(self._bands, axis=1)
        shares = below / np.maximum(below[:, -1:], 1)
        found = np.stack([(shares < each / 100).sum(axis=1) for each in PERCENTILES], axis=1)
        return Overall(level_db, _middle(found).astype(np.float32))


def _step(levels_db: Array) -> NDArray[np.int64]:
    return np.asarray(np.clip(np.floor(levels_db - SILENCE_DB), 0, STEPS - 1), np.int64)


def _middle(step: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(step + SILENCE_DB + 0.5, np.float64)
