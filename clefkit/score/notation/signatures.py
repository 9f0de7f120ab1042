"""For how much of the reference the estimate has the same key and time signatures.

Two scores need not be of one length or tempo: the notes that belong together (`pairs`) are the points through which
time in the estimate becomes time in the reference.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TypeVar

from clefkit.notation.model import Score
from clefkit.score.notation.music import signatures
from clefkit.score.notation.pairs import Pair

Value = TypeVar("Value")


def right(reference: Score, estimate: Score, matched: list[Pair]) -> dict[str, float]:
    """Shares of the reference's duration. A reference that names no key has no `key_accuracy`."""
    points = _points(matched)
    end = max((measure.onset + measure.length for measure in reference.measures), default=Fraction(0))
    meters = [[(measure.onset, measure.time) for measure in score.measures] for score in (reference, estimate)]
    measured = {"time_signature_accuracy": _agreement(meters[0], meters[1], points, end)}
    if reference.keys:
        measured["key_accuracy"] = _agreement(signatures(reference), signatures(estimate), points, end)
    return {name: value for name, value in measured.items() if value is not None}


def _points(matched: list[Pair]) -> list[tuple[Fraction, Fraction]]:
    """(time in the estimate, time in the reference) at pairs, both rising; one at least."""
    points: list[tuple[Fraction, Fraction]] = []
    for one, other in matched:
        point = other.note.onset, one.note.onset
        if not points or (point[0] > points[-1][0] and point[1] > points[-1][1]):
            points.append(point)
    return points or [(Fraction(0), Fraction(0))]


def _moved(time: Fraction, points: list[tuple[Fraction, Fraction]]) -> Fraction:
    """Time in the reference from time in the estimate: straight between points, as fast as written beyond them."""
    place = bisect_right(points, time, key=lambda point: point[0]) - 1
    if place < 0 or place == len(points) - 1:
        start, moved = points[max(place, 0)]
        return moved + time - start
    (start, moved), (end, moved_end) = points[place], points[place + 1]
    return moved + (time - start) * (moved_end - moved) / (end - start)


def _agreement(
    reference: Sequence[tuple[Fraction, Value]],
    estimate: Sequence[tuple[Fraction, Value]],
    points: list[tuple[Fraction, Fraction]],
    end: Fraction,
) -> float | None:
    """The share of the reference's duration in which both have the same value.

    reference, estimate: (time, value from there on), sorted, the first from the start on; None when nothing lasts
    """
    if not (reference and estimate and end > 0):
        return None
    moved = [(_moved(time, points), value) for time, value in estimate]
    edges = sorted({Fraction(0), end, *(time for time, _ in (*reference, *moved) if 0 < time < end)})
    same = Fraction(0)
    for start, stop in pairwise(edges):
        if _value(reference, start) == _value(moved, start):
            same += stop - start
    return float(same / end)


def _value(steps: Sequence[tuple[Fraction, Value]], time: Fraction) -> Value:
    return steps[max(bisect_right(steps, time, key=lambda step: step[0]) - 1, 0)][1]
