"""A choice among more best alignments than can be looked at.

The best alignments differ in places: between two cells that all of them go through, there are several ways. In each
place up to `WAYS` ways are tried while the rest stays as it is, those first that pair most notes and keep the tempo
even; the best one stays. That is repeated until nothing gets better.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

from clefkit.score.notation.mv2h_paths import Alignment, Pair, Table, alignments, unchained
from clefkit.score.notation.mv2h_times import Piece

WAYS = 8
WAYS_IN_ALL = 100_000
EVEN_MS = 20
AROUND = 16


class Place(NamedTuple):
    """Where best alignments differ. cells: those that they lead through after `start`, which all do, as do all through
    the last one of them."""

    start: int
    cells: list[int]


class Way(NamedTuple):
    """A way through a place. merit: notes paired, and one more for each pair in tempo; last: the last pair so far;
    pairs: (pair, (pair, ... None)), the last one first"""

    merit: int
    last: Pair
    pairs: Any


def climb(
    sides: tuple[Piece, Piece],
    table: Table,
    cells: Sequence[int],
    judge: Callable[[Alignment], float],
    most: int,
) -> None:
    """Judge the first alignment, then better and better ones, `most` in all.

    sides: reference and estimate; cells: those that best alignments lead through; judge: how good an alignment is
    """
    best = next(alignments(table))
    value = judge(best)
    left = most - 1
    todo = deque(places(table, cells))
    unchanged = 0
    while unchanged < len(todo) and left > 0:
        tried = _variants(sides, table, todo[0], best)[:left]
        left -= len(tried)
        unchanged += 1
        for candidate in tried:
            found = judge(candidate)
            if found > value:
                best, value, unchanged = candidate, found, 1
        todo.rotate(-1)


def places(table: Table, cells: Sequence[int]) -> list[Place]:
    """All places where the best alignments differ, in the order of time; none without cells."""
    level = {cell: sum(divmod(cell, table.columns)) for cell in cells}
    alone = Counter(level.values())
    for cell in cells:
        if cell - table.columns - 1 in table.sources(cell):
            alone[level[cell] - 1] += 1  # one more way that leads past what is there
    found = []
    start, between = 0, []
    for cell in sorted(cells, key=level.__getitem__)[1:]:
        between.append(cell)
        if alone[level[cell]] == 1:
            if len(between) > 1:
                found.append(Place(start, between))
            start, between = cell, []
    return found


def _variants(sides: tuple[Piece, Piece], table: Table, place: Place, pairs: Alignment) -> list[Alignment]:
    """The alignment with other ways through a place, the most promising ones first."""
    cells = [row * table.columns + column for row, column in pairs]
    begin, end = bisect_right(cells, place.start), bisect_right(cells, place.cells[-1])
    rate = _rate(sides, pairs[max(begin - AROUND, 0) : end + AROUND])
    # The first chords are always paired, so there is a pair before
    ways = _ways(sides, table, place, pairs[begin - 1], rate)
    if end < len(pairs):
        ways = [way._replace(merit=way.merit + _in_tempo(sides, way.last, pairs[end], rate)) for way in ways]
    ways.sort(key=lambda way: -way.merit)
    inner = [list(unchained(way.pairs))[::-1] for way in ways]
    return [pairs[:begin] + way + pairs[end:] for way in inner if way != pairs[begin:end]]


def _ways(sides: tuple[Piece, Piece], table: Table, place: Place, before: Pair, rate: float) -> list[Way]:
    """Up to `WAYS` ways through a place, after a pair; fewer where that would take much memory."""
    reference, estimate = sides
    most = max(1, min(WAYS, WAYS_IN_ALL // len(place.cells)))
    reached = {place.start: [Way(0, before, None)]}
    for cell in place.cells:
        row, column = divmod(cell, table.columns)
        ways: list[Way] = []
        for source in table.sources(cell):
            if cell - source == table.columns + 1:
                common = (reference.chords[row] & estimate.chords[column]).total()
                for way in reached[source]:
                    merit = way.merit + common + _in_tempo(sides, way.last, (row, column), rate)
                    ways.append(Way(merit, (row, column), ((row, column), way.pairs)))
            else:
                ways += reached[source]
        reached[cell] = sorted(ways, key=lambda way: -way.merit)[:most]
    return reached[place.cells[-1]]


def _rate(sides: tuple[Piece, Piece], pairs: Alignment) -> float:
    """How much longer the reference's time is than the estimate's, in most steps from pair to pair."""
    return median(
        [_step(sides[0], one[0], other[0]) / _step(sides[1], one[1], other[1]) for one, other in pairwise(pairs)]
        or [1.0]
    )


def _in_tempo(sides: tuple[Piece, Piece], one: Pair, other: Pair, rate: float) -> bool:
    expected = _step(sides[0], one[0], other[0])
    return abs(expected - rate * _step(sides[1], one[1], other[1])) <= EVEN_MS


def _step(piece: Piece, one: int, other: int) -> float:
    """Milliseconds between two chords."""
    return float(piece.onsets[other] - piece.onsets[one])
