"""What durations look like on paper: note types, dots and tuplets, and where rests are cut.

Durations and places are whole ticks here, so many to a quarter that every time of the score is a whole number of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

LONGEST, SHORTEST = 4, -8  # a long, a 1024th, as powers of two of a quarter
MOST_ACTUAL = 15
MOST_DOTS = 2
MOST_TIED, MOST_TIED_IN_TUPLETS = 3, 2
MOST_SIZE = 2**LONGEST


class Shape(NamedTuple):
    """A note head's value: 2**log quarters with dots, `actual` of them in the time of `normal`."""

    log: int
    dots: int = 0
    actual: int = 1
    normal: int = 1

    @property
    def quarters(self) -> Fraction:
        """How long it lasts."""
        return Fraction(2) ** self.log * (2 - Fraction(1, 2**self.dots)) * self.normal / self.actual


# For durations that no few heads add up to (programs round tuplets to their ticks): the nearest of these is shown.
COMMON = tuple(
    (float(shape.quarters), shape)
    for shape in (
        Shape(log, dots, actual, normal)
        for actual, normal in ((1, 1), (3, 2), (5, 4), (7, 4))
        for dots in range(3 if actual == 1 else 1)
        for log in range(SHORTEST, LONGEST + 1)
    )
)


class Shapes:
    """Shapes for durations in ticks, remembered.

    ticks: so many make a quarter
    odd: the odd part of `ticks`; places that are multiples of it are halves, quarters, eighths ... of a beat
    """

    def __init__(self, ticks: int) -> None:
        self.ticks = ticks
        self.odd = ticks // (ticks & -ticks)
        self.found: dict[int, list[tuple[int, Shape]]] = {}

    def heads(self, duration: int) -> list[tuple[int, Shape]]:
        """The tied heads that stand for a duration, longest first: (ticks, shape). They last exactly as long.

        Where that takes too many heads it is one, whose shape is only the nearest.
        """
        found = self.found.get(duration)
        if found is None:
            found = self.found[duration] = self._exact(duration) or [(duration, _nearest(duration / self.ticks))]
        return found

    def within(self, duration: int, actual: int, normal: int) -> Shape | None:
        """The one head of a tuplet that lasts as long, or None."""
        shapes = _decomposed(Fraction(duration * actual, self.ticks * normal), actual, normal)
        return shapes[0] if len(shapes) == 1 else None

    def _exact(self, duration: int) -> list[tuple[int, Shape]]:
        quarters = Fraction(duration, self.ticks)
        actual = quarters.denominator // (quarters.denominator & -quarters.denominator)
        if actual > MOST_ACTUAL:
            return []
        normal = 1 << (actual.bit_length() - 1)
        shapes = _decomposed(quarters * actual / normal, actual, normal)
        if len(shapes) > (MOST_TIED if actual == 1 else MOST_TIED_IN_TUPLETS):
            return []
        return [(int(shape.quarters * self.ticks), shape) for shape in shapes]

    def rests(self, start: int, end: int, time: tuple[int, int], before: int) -> Iterator[tuple[int, Shape]]:
        """Rests for a gap, cut so that the beats are seen: (ticks, shape).

        time: the time signature; before: ticks of the measure that are missing at its start (a pickup)
        """
        start, end = start + before, end + before
        unit = self.ticks
        first, last = -(-start // unit) * unit, end // unit * unit
        if start % self.odd and first < end:
            yield from self.heads(first - start)
            start = first
        tail = end
        if end % self.odd and last > start:
            tail = last
        if (tail - start) % self.odd:
            yield from self.heads(tail - start)
        else:
            yield from self._aligned(start, tail, time)
        if tail < end:
            yield from self.heads(end - tail)

    def _aligned(self, start: int, end: int, time: tuple[int, int]) -> Iterator[tuple[int, Shape]]:
        compound = time[0] % 3 == 0 and time[0] > 3 and time[1] >= 8
        while start < end:
            size = _largest(self.ticks * MOST_SIZE, start, end)
            if compound:
                beat = self.ticks * 12 // time[1]
                while beat * 2 <= self.ticks * 6:
                    beat *= 2
                dotted = _largest(beat, start, end)
                grid = self.ticks * 4 // time[1]
                size = dotted if dotted >= grid * 3 else max(_largest(grid, start, end), 0) or size
            pieces = self.heads(size or end - start)
            yield from pieces
            start += size or end - start


def _largest(size: int, start: int, end: int) -> int:
    """`size` halved until it fits between the places and the start is a multiple of it; 0 when that gets odd."""
    while size > end - start or start % size:
        if size % 2:
            return 0
        size //= 2
    return size


def _decomposed(written: Fraction, actual: int, normal: int) -> list[Shape]:
    """Shapes that add up to a written value, longest first; none when it is no sum of halves."""
    if written.denominator & (written.denominator - 1):
        return []
    shapes: list[Shape] = []
    scale = written.denominator.bit_length() - 1
    left = written.numerator
    while left:
        log = min(left.bit_length() - 1, LONGEST + scale)
        rest = left - (1 << log)
        dots = 0
        while dots < MOST_DOTS and log > dots and rest >= 1 << (log - dots - 1):
            dots += 1
            rest -= 1 << (log - dots)
        if log - scale < SHORTEST or len(shapes) > MOST_TIED:
            return []
        shapes.append(Shape(log - scale, dots, actual, normal))
        left = rest
    return shapes


def _nearest(quarters: float) -> Shape:
    """The common shape whose length is nearest, the simpler one of equals."""
    return min(COMMON, key=lambda common: abs(common[0] - quarters))[1]
