"""Where the seconds of one sound are in another: a line, or lines from point to point where time bends.

An effect that moves or bends time has a clock, a chain's clocks are joined, and the record of a file holds how seconds
in its source became its own:

    {"offset_s": 0.0, "rate": 1.0}                    here = offset_s + rate * source
    {"points": [[0.0, 0.0], [0.25, 0.2501], ...]}     straight lines between the points; the first and last go on
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clefkit.errors import InputError
from clefkit.notes import Notes

CENTS_DECIMALS = 4  # of a semitone: a hundredth of a cent
TIME_DECIMALS = 7
SHORTEST_S = 0.1  # pitches of shorter notes are those of a tenth of a second: a clock's points are rounded
CLOSEST_S = 1e-6  # nearer points are one that rounding moved apart: a slope between them means nothing


@dataclass(frozen=True)
class Clock:
    """source, here: (points,), seconds, both increasing, two points at least."""

    source: NDArray[np.float64]
    here: NDArray[np.float64]

    @property
    def is_line(self) -> bool:
        return len(self.source) == 2

    def at(self, seconds: ArrayLike) -> NDArray[np.float64]:
        """Where these seconds of the source are here. seconds: (n,)"""
        return _through(self.source, self.here, seconds)

    def back(self, seconds: ArrayLike) -> NDArray[np.float64]:
        """Where these seconds come from. seconds: (n,)"""
        return _through(self.here, self.source, seconds)

    def then(self, later: Clock) -> Clock:
        """This clock, then another that starts from here."""
        knots = [clock_knots for clock_knots in (_knots(self), self.back(_knots(later))) if len(clock_knots)]
        source = np.unique(np.concatenate(knots)) if knots else np.array([0.0, 1.0])
        source = source[np.diff(source, prepend=-np.inf) > CLOSEST_S]
        return Clock(source, later.at(self.at(source)))

    def data(self) -> dict[str, Any]:
        """As a record holds it."""
        if not self.is_line:
            points = np.stack([self.source, self.here], axis=1).round(TIME_DECIMALS)
            return {"points": points.tolist()}
        (first, last), (start, end) = self.source.tolist(), self.here.tolist()
        rate = (end - start) / (last - first)
        return {"offset_s": start - rate * first, "rate": rate}

    def moved(self, notes: Notes) -> Notes:
        """The notes where they are here, as high as they sound here: played faster is higher."""
        onset, offset = self.at(notes.onset), self.at(notes.offset)
        long = np.maximum(notes.offset - notes.onset, SHORTEST_S)
        stretched = self.at(notes.onset + long) - onset
        semitones = (12 * np.log2(long / stretched)).round(CENTS_DECIMALS)
        pitch = np.where(semitones == 0, notes.pitch, (notes.pitch + semitones).round(CENTS_DECIMALS))
        sounding = None if notes.sounding is None else self.at(notes.sounding)
        return replace(notes, onset=onset, offset=offset, pitch=pitch, sounding=sounding)


def line(offset_s: float = 0.0, rate: float = 1.0) -> Clock:
    """here = offset_s + rate * source"""
    return Clock(np.array([0.0, 1.0]), np.array([offset_s, offset_s + rate]))


def parse(data: Any) -> Clock:
    """The clock of a record. Raises InputError when it is none."""
    try:
        if "points" not in data:
            return line(float(data["offset_s"]), float(data["rate"]))
        source, here = np.asarray(data["points"], dtype=np.float64).T
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("a clock in the records is damaged") from error
    if len(source) < 2 or not np.all(np.diff(source) > 0):
        raise InputError("a clock in the records is damaged")
    return Clock(source, here)


def _knots(clock: Clock) -> NDArray[np.float64]:
    """Points where the clock may bend; a line has none."""
    return np.zeros(0) if clock.is_line else clock.source


def _through(source: NDArray[np.float64], here: NDArray[np.float64], seconds: ArrayLike) -> NDArray[np.float64]:
    given = np.asarray(seconds, np.float64)
    piece = np.clip(np.searchsorted(source, given, "right") - 1, 0, len(source) - 2)
    slope = np.diff(here) / np.diff(source)
    return np.asarray(here[piece] + (given - source[piece]) * slope[piece])
