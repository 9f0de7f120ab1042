"""How a piece is broken into systems, the rows of a piano roll: each is equally long and begins at a multiple of that.

A picture has at most `MOST_SYSTEMS` of them and about `MOST_DRAWN` notes. Systems in which nothing begins or ends are
left out; where that is not enough, those with the most errors stay. The picture says what it leaves out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LENGTHS_S = {5: 1, 10: 2, 20: 5}  # length of a system -> how often its time is written
MOST_SYSTEMS = 60
MOST_DRAWN = 30_000


class Systems(NamedTuple):
    """seconds: how long each is; shown: (systems,), rising: number k lasts from k to k + 1 times as long
    first, last: (spans,), the systems in which each span of time begins and ends; wrong: (spans,), whether it is an
        error
    """

    seconds: int
    shown: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    wrong: NDArray[np.bool_]

    def within(self, system: int) -> NDArray[np.int64]:
        """The spans that touch this system."""
        return np.flatnonzero((self.first <= system) & (system <= self.last))

    def between(self, before: int, after: int) -> str | None:
        """What is left out between two systems, for people; None where there is nothing between them."""
        if after - before < 2:
            return None
        inside = (before < self.first) & (self.first < after)
        where = f"{(before + 1) * self.seconds:,} to {after * self.seconds:,} s"
        if not inside.any():
            return f"{where}: nothing begins"
        count, errors = np.count_nonzero(inside), np.count_nonzero(inside & self.wrong)
        return f"{where}: {count:,} notes, {errors:,} errors among them, for which this picture has no room"


def choose(start: NDArray[np.float64], end: NDArray[np.float64], wrong: NDArray[np.bool_]) -> Systems:
    """Break spans of time into systems.

    start, end: (spans,), seconds, at least one and each within a million seconds; wrong: (spans,)
    """
    seconds = next((length for length in LENGTHS_S if start.min() >= 0 and end.max() <= length), max(LENGTHS_S))
    first = np.floor(start / seconds).astype(np.int64)
    last = np.maximum(first, np.ceil(end / seconds).astype(np.int64) - 1)
    active = np.unique(np.concatenate([first, last]))
    starts, ends, errors = np.sort(first), np.sort(last), np.sort(first[wrong])
    count = np.searchsorted(starts, active, side="right") - np.searchsorted(ends, active)
    mistakes = np.searchsorted(errors, active, side="right") - np.searchsorted(errors, active)
    worst = np.lexsort((active, -mistakes))
    room = int(np.searchsorted(np.cumsum(count[worst]), MOST_DRAWN, side="right"))
    shown = np.sort(active[worst[: max(1, min(room, MOST_SYSTEMS))]])
    return Systems(seconds, shown, first, last, wrong)
