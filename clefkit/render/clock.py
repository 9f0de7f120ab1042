"""Score time to seconds: a curve of seconds a quarter, made of straight lines, and its integral."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Segment(NamedTuple):
    """From `start` to `end` (quarters) a quarter lasts from `first` to `last` seconds, on a straight line."""

    start: float
    end: float
    first: float
    last: float

    def at(self, place: float) -> float:
        """Seconds a quarter at one place."""
        return self.first + (self.last - self.first) * (place - self.start) / (self.end - self.start)

    def cut(self, start: float, end: float) -> Segment:
        """The piece of it between two places."""
        return Segment(start, end, self.at(start), self.at(end))


class Curve:
    """Segments that follow each other without a gap."""

    def __init__(self, segments: list[Segment]) -> None:
        self.segments = segments
        self.starts = [segment.start for segment in segments]

    def between(self, start: float, end: float, shift: float = 0.0) -> list[Segment]:
        """The piece between two places, moved by `shift` quarters. Beyond its ends the curve goes on as it ended."""
        pieces: list[Segment] = []
        index = max(bisect_right(self.starts, start) - 1, 0)
        place = start
        while place < end:
            segment = self.segments[index]
            last = index + 1 == len(self.segments)
            until = end if last else min(end, segment.end)
            if place >= segment.end:
                piece = Segment(place, until, segment.last, segment.last)
            else:
                piece = segment.cut(place, min(until, segment.end))
                until = piece.end
            if until > place:
                pieces.append(Segment(piece.start + shift, piece.end + shift, piece.first, piece.last))
            place = until
            index = index if last else index + 1
        return pieces

    def stretched(self, knots: list[float], factor: Callable[[float], float]) -> Curve:
        """Multiplied by a function that is straight between `knots`, seen from both sides of each knot."""
        pieces: list[Segment] = []
        for segment in self.segments:
            inside = [knot for knot in knots[bisect_right(knots, segment.start) :] if knot < segment.end]
            edges = [segment.start, *inside, segment.end]
            for start, end in pairwise(edges):
                hair = (end - start) * 1e-9
                piece = segment.cut(start, end)
                pieces.append(Segment(start, end, piece.first * factor(start + hair), piece.last * factor(end - hair)))
        return Curve(pieces)


@dataclass(frozen=True)
class Clock:
    """The integral of a curve.

    start: (segments,) quarters; slope: (segments,) seconds a quarter at each start; bend: (segments,) half its change a
        quarter; start_s: (segments,) seconds
    """

    start: NDArray[np.float64]
    slope: NDArray[np.float64]
    bend: NDArray[np.float64]
    start_s: NDArray[np.float64]

    def seconds(self, quarters: NDArray[np.float64]) -> NDArray[np.float64]:
        """Seconds from the start of the performance for places in quarters, of any shape."""
        index = np.clip(np.searchsorted(self.start, quarters, side="right") - 1, 0, None)
        past = quarters - self.start[index]
        return np.asarray(self.start_s[index] + past * (self.slope[index] + past * self.bend[index]))


def clock(curve: Curve) -> Clock:
    """The clock that runs at a curve; behind the last segment it goes on at its last tempo."""
    segments = [*curve.segments, Segment(curve.segments[-1].end, np.inf, curve.segments[-1].last, 0.0)]
    start = np.array([segment.start for segment in segments])
    first = np.array([segment.first for segment in segments])
    last = np.array([segment.last for segment in segments])
    length = np.diff(start)
    bend = np.append((last[:-1] - first[:-1]) / length / 2, 0.0)
    start_s = np.concatenate([[0.0], np.cumsum(length * (first[:-1] + last[:-1]) / 2)])
    return Clock(start, first, bend, start_s)
