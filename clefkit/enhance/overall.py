"""What is known of a whole recording before any of it is changed: its level, and how soft and loud each band gets.

The level is the mean power of the frames that are within ACTIVE_DB of the mean of those that are no silence. The
percentiles of each band are taken over these frames and those softer, but for silence. Counts in steps of one decibel
are enough for all of it, so recordings of any length are gone through in the same memory.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.enhance.bands import BANDS, SILENCE_DB

Array = NDArray[np.float32]

PERCENTILES = (5, 50, 95)
ACTIVE_DB = -20.0
TOP_DB = 20
STEPS = round(TOP_DB - SILENCE_DB)
QUIETEST_DB = -90.0  # of a frame: what is softer is silence


class Overall(NamedTuple):
    """level_db: of full scale, -inf for silence; percentiles: (PERCENTILES, BANDS), dB of full scale"""

    level_db: float
    percentiles: Array


class Counter:
    """Frames pass through it; then it knows."""

    def __init__(self) -> None:
        self._bands = np.zeros((STEPS, BANDS), np.int64)
        self._frames = np.zeros(STEPS, np.int64)
        self._places = np.arange(BANDS)

    def add(self, levels_db: Array) -> None:
        """levels_db: (frames, BANDS)"""
        total = 10 * np.log10(np.power(10.0, levels_db / 10).sum(axis=1))
        heard = total > QUIETEST_DB
        np.add.at(self._frames, _step(total[heard]), 1)
        np.add.at(self._bands, (_step(levels_db[heard]), self._places), 1)

    def result(self) -> Overall:
        count = int(self._frames.sum())
        if not count:
            return Overall(-np.inf, np.full((len(PERCENTILES), BANDS), SILENCE_DB, np.float32))
        powers = 10 ** (_middle(np.arange(STEPS)) / 10)
        mean = (self._frames * powers).sum() / count
        active = np.where(powers >= mean * 10 ** (ACTIVE_DB / 10), self._frames, 0)
        level_db = float(10 * np.log10((active * powers).sum() / active.sum()))
        below = np.cumsum(self._bands, axis=0)
        found = [(below < count * each / 100).sum(axis=0) for each in PERCENTILES]
        return Overall(level_db, _middle(np.stack(found)).astype(np.float32))


def _step(levels_db: Array) -> NDArray[np.int64]:
    return np.asarray(np.clip(np.floor(levels_db - SILENCE_DB), 0, STEPS - 1), np.int64)


def _middle(step: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(step + SILENCE_DB + 0.5, np.float64)
