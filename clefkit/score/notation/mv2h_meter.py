"""MV2H's meter: the F-measure of bars, beats and sub beats, each right when its beginning and end are.

As in the reference implementation, a hierarchy that begins within a bar goes on with the bar, beat and sub beat that
are open, and what would begin at -1 ms (its mark for "nothing open") is left out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from clefkit.score.notation.mv2h_music import Hierarchy
from clefkit.score.notation.mv2h_notes import f1

Grouping = tuple[int, int]  # its end and its beginning
NOT_BEGUN = -1


def default(time: int) -> Hierarchy:
    """What holds until another hierarchy does."""
    return Hierarchy(4, 2, 4, 0, time)


def groupings(tatums: Iterable[int], hierarchies: Iterable[Hierarchy]) -> list[Grouping]:
    """Every sub beat, beat and bar, in the order of their ends.

    hierarchies: the last one at a time counts; the first one holds from the first tatum on
    """
    changes = sorted({hierarchy.time: hierarchy for hierarchy in hierarchies}.values(), key=lambda each: each.time)
    found = []
    begun = [NOT_BEGUN, NOT_BEGUN, NOT_BEGUN]
    upcoming = 0
    number = 0
    sizes: tuple[int, ...] = ()
    for time in sorted(set(tatums)):
        number += 1
        while upcoming < len(changes) and (upcoming == 0 or changes[upcoming].time <= time):
            current = changes[upcoming]
            upcoming += 1
            beat = current.tatums * current.sub_beats
            sizes = (current.tatums, beat, beat * current.beats)
            number = sizes[2] - current.anacrusis if current.anacrusis else 0
        for level, size in enumerate(sizes):
            if number % size == 0:
                if begun[level] != NOT_BEGUN:
                    found.append((time, begun[level]))
                begun[level] = time
    return found


def score(left: list[Grouping], estimate: Sequence[Grouping], tolerance: int) -> float:
    """The F-measure of the estimate's groupings.

    left: the reference's groupings, in the order of their ends; those that are found are taken out of it
    tolerance: milliseconds that the beginning and the end may be off
    """
    right = 0
    for end, begin in estimate:
        place = bisect_left(left, (end - tolerance,))
        while place < len(left) and left[place][0] <= end + tolerance:
            if abs(left[place][1] - begin) <= tolerance:
                del left[place]
                right += 1
                break
            place += 1
    return f1(right, len(estimate) - right, len(left))
