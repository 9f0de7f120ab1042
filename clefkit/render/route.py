"""The way through a score: which measure is played when, in quarters of the performance."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from clefkit.notation.model import Measure, Score
from clefkit.notation.unfold import unfold


@dataclass(slots=True)
class Visit:
    """One playing of a measure.

    start: quarters from the start of the performance; shift: from written to played quarters
    turn: 1 when it is played for the first time; leaps: the measure before it is not the one written before it
    """

    measure: int
    start: float
    shift: float
    turn: int
    leaps: bool

    @property
    def suffix(self) -> str:
        """Of the ids of its notes: "" in the first pass, "@2" in the second."""
        return f"@{self.turn}" if self.turn > 1 else ""


def visits(score: Score, repeats: bool) -> list[Visit]:
    """All measures in the order of playing; without `repeats` each once, as written."""
    turns: dict[int, int] = defaultdict(int)
    found: list[Visit] = []
    now, before = 0.0, -1
    for place in unfold(score) if repeats else range(len(score.measures)):
        measure = score.measures[place]
        turns[place] += 1
        found.append(Visit(place, now, now - float(measure.onset), turns[place], place != before + 1))
        now += float(measure.length)
        before = place
    return found


def unit(measure: Measure) -> float:
    """The length in quarters of what its time signature counts."""
    return 4.0 / measure.time[1]


def first_beat(measure: Measure) -> float:
    """The number of the beat it begins with: 1, or later when it is a pickup."""
    missing = 4.0 * measure.time[0] / measure.time[1] - float(measure.length)
    return 1.0 + (missing / unit(measure) if measure.implicit and measure.index == 0 and missing > 0 else 0.0)
