"""The order in which measures are played: repeats, endings, D.C., D.S., Fine and Coda.

A repeat sign without a beginning goes back to the end of the section before it, or to the start of the movement. After a
D.C. or D.S. repeats are not played again and of several endings only the last is, as players do. A file may hold several
movements; a new one begins where the measure numbers start again, and no jump leaves its movement.
"""

from __future__ import annotations

import re

from clefkit.errors import InputError
from clefkit.notation.model import Measure, Score

MOST_MEASURES = 50_000


def unfold(score: Score) -> list[int]:
    """Indices of the score's measures in the order of playing.

    raises: InputError when that is more than 50,000 measures
    """
    edges = [*movements(score), len(score.measures)]
    order: list[int] = []
    for first, end in zip(edges, edges[1:], strict=False):
        order += _Player(score.measures, first, end).play(MOST_MEASURES - len(order))
    return order


def movements(score: Score) -> list[int]:
    """Indices of the measures that begin a movement: the first, and each whose number starts again at 0 or 1."""
    found = [0]
    highest = 0
    for measure in score.measures:
        digits = re.match(r"\d{1,6}\Z", measure.number, re.ASCII)
        value = int(digits[0]) if digits else highest
        if value <= 1 < highest:
            found.append(measure.index)
            highest = 0
        highest = max(highest, value)
    return found


class _Player:
    """Walks through one movement, measures[first:end].

    open: the repeated sections we are in, outermost first, each [index of its first measure, number of this pass]
    """

    def __init__(self, measures: list[Measure], first: int, end: int) -> None:
        self.measures = measures
        self.first = first
        self.end = end
        self.open = [[first, 1]]
        self.jumped = False
        self.fired: set[int] = set()
        self.last_pass = _last_passes(measures, first, end)

    def play(self, most: int) -> list[int]:
        order: list[int] = []
        place = self.first
        while place < self.end:
            measure = self.measures[place]
            if measure.repeat_start and self.open[-1][0] != place:
                self.open.append([place, 1])
            if self._skips(measure):
                place = self._forward(measure)
                continue
            order.append(place)
            if len(order) > most:
                raise InputError(f"repeats that play more than {MOST_MEASURES} measures: check the repeat signs")
            if self.jumped and measure.fine:
                break
            place = self._next(measure)
        return order

    def _skips(self, measure: Measure) -> bool:
        """Whether this pass leaves out a measure under a bracket. Brackets that no repeat sign ends count for jumps only."""
        if not measure.endings:
            return False
        last = self.last_pass[measure.index]
        if self.jumped:
            return abs(last) not in measure.endings
        return last > 0 and self.open[-1][1] not in measure.endings

    def _next(self, measure: Measure) -> int:
        if self.jumped and measure.to_coda:
            coda = self._coda(measure)
            if coda is not None:
                return coda
        if measure.repeat_times and not self.jumped:
            times = max(measure.repeat_times, self.last_pass.get(measure.index, 0))
            if self.open[-1][1] < times:
                self.open[-1][1] += 1
                return self.open[-1][0]
            if not measure.endings:
                self._close(measure.index + 1)
        if (measure.da_capo or measure.dal_segno) and measure.index not in self.fired:
            self.fired.add(measure.index)
            self.jumped = True
            target = self.first if measure.da_capo else self._segno(measure)
            self.open = [[target, 1]]
            return target
        return self._forward(measure)

    def _forward(self, measure: Measure) -> int:
        """The next measure as written; behind the last bracket the section is over."""
        after = measure.index + 1
        if measure.endings and not (after < self.end and self.measures[after].endings):
            self._close(after)
        return after

    def _close(self, after: int) -> None:
        self.open.pop()
        if not self.open:
            self.open = [[after, 1]]

    def _segno(self, measure: Measure) -> int:
        signs = [m for m in self.measures[self.first : self.end] if m.segno]
        same = [m for m in signs if m.segno == measure.dal_segno] or signs
        before = [m for m in same if m.index <= measure.index]
        return (before or same or [self.measures[self.first]])[-1].index

    def _coda(self, measure: Measure) -> int | None:
        signs = [m for m in self.measures[measure.index + 1 : self.end] if m.coda]
        same = [m for m in signs if m.coda == measure.to_coda] or signs
        behind = [m for m in same if m.index > max(self.fired)]
        return (behind or same)[0].index if same else None


def _last_passes(measures: list[Measure], first: int, end: int) -> dict[int, int]:
    """For each measure under a bracket: the highest number of its run of brackets, negative if no repeat sign is in it."""
    found: dict[int, int] = {}
    run: list[Measure] = []
    for place in range(first, end + 1):
        if place < end and measures[place].endings:
            run.append(measures[place])
        elif run:
            highest = max(max(m.endings) for m in run)
            repeats = any(m.repeat_times for m in run)
            found |= dict.fromkeys((m.index for m in run), highest if repeats else -highest)
            run = []
    return found
