"""How many of the pitches that sound at a time are right, many times at once.

Pitches and chroma are points on a line and on a circle, right is what lies within half a semitone, and as many as
possible are paired. On a line, from low to high, the two lowest points are paired if they can be; else the lower one
can be paired with nobody. A circle is cut where no pair could reach across, at its widest gap: with fewer than 24
points there is always one of more than half a semitone, and with semitones exact, too. What is left is looked at pair
by pair.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.score import matching

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

TOLERANCE = 0.5
OCTAVE = 12.0
ROUNDING = 1e-9


class Sounding(NamedTuple):
    """What sounds: in which segment, at which pitch (MIDI numbers). (entries,), sorted by segment, then by pitch."""

    segment: Integers
    pitch: Floats


class _Side(NamedTuple):
    """place: increases within a segment, and compares with the other side's. (entries,), sorted by segment, place"""

    segment: Integers
    place: Floats | Integers
    value: Floats


def right(reference: Sounding, estimate: Sounding, segments: int) -> Integers:
    """(segments,): how many pitches are right."""
    expected, found = (_Side(side.segment, side.pitch, side.pitch) for side in (reference, estimate))
    return _paired(expected, found, segments, _near)


def right_chroma(reference: Sounding, estimate: Sounding, segments: int) -> Integers:
    """(segments,): how many are right, whatever their octaves. Each pitch counts, also those an octave apart."""
    segment = np.concatenate([reference.segment, estimate.segment])
    chroma = np.mod(np.mod(np.concatenate([reference.pitch, estimate.pitch]), OCTAVE), OCTAVE)
    ours = np.arange(len(segment)) >= len(reference.segment)
    order = np.lexsort((chroma, segment))
    segment, chroma, ours = segment[order], chroma[order], ours[order]
    place, cut = _from_the_widest_gap(segment, chroma)
    order = np.lexsort((place, segment))
    sides = order[~ours[order]], order[ours[order]]
    expected, found = (_Side(segment[side], place[side], chroma[side]) for side in sides)
    counts = _paired(expected, found, segments, _near_around)
    for whole in np.unique(segment[~cut]).tolist():
        near = _near_around(expected.value[expected.segment == whole, None], found.value[found.segment == whole])
        counts[whole] = len(matching.maximum(*np.nonzero(near))[0])
    return counts


def _from_the_widest_gap(segment: Integers, chroma: Floats) -> tuple[Integers, NDArray[np.bool_]]:
    """The place of each point after the widest gap of its segment, and whether no pair reaches across that gap."""
    firsts = np.flatnonzero(np.diff(segment, prepend=-1))
    counts = np.diff(np.append(firsts, len(segment)))
    of = np.repeat(np.arange(len(firsts)), counts)
    gap = np.diff(chroma, prepend=0.0)
    gap[firsts] = chroma[firsts] + OCTAVE - chroma[firsts + counts - 1]
    widest = np.maximum.reduceat(gap, firsts) if len(firsts) else gap
    within = np.arange(len(segment)) - firsts[of]
    at_widest = np.where(gap == widest[of], within, len(segment))
    start = np.minimum.reduceat(at_widest, firsts) if len(firsts) else at_widest
    return (within - start[of]) % counts[of], widest[of] > TOLERANCE + ROUNDING


def _near(one: Floats, other: Floats) -> NDArray[np.bool_]:
    return (one >= other - TOLERANCE) & (one <= other + TOLERANCE)


def _near_around(one: Floats, other: Floats) -> NDArray[np.bool_]:
    distance = np.abs(one - other)
    return np.minimum(distance, OCTAVE - distance) <= TOLERANCE


def _paired(
    reference: _Side, estimate: _Side, segments: int, near: Callable[[Floats, Floats], NDArray[np.bool_]]
) -> Integers:
    """From low to high in all segments at once."""
    found = np.zeros(segments, np.int64)
    bounds = np.arange(segments + 1)
    left, right = np.searchsorted(reference.segment, bounds), np.searchsorted(estimate.segment, bounds)
    at, at_ours, end, end_ours = left[:-1].copy(), right[:-1].copy(), left[1:], right[1:]
    going = np.flatnonzero((at < end) & (at_ours < end_ours))
    while len(going):
        mine, yours = at[going], at_ours[going]
        pair = near(reference.value[mine], estimate.value[yours])
        lower = reference.place[mine] < estimate.place[yours]
        found[going] += pair
        at[going] += pair | lower
        at_ours[going] += pair | ~lower
        going = going[(at[going] < end[going]) & (at_ours[going] < end_ours[going])]
    return found
