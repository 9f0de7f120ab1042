"""Notes found: precision, recall, F-measure and overlap, as the field counts them.

An estimated note is right when its onset and pitch agree with a note of the reference, where offsets count, its offset,
and where velocities count, its velocity. Each note is used once; as many as possible are paired. (Bay, Ehmann and
Downie, Evaluation of Multiple-F0 Estimation and Tracking Systems, 2009; Raffel et al., mir_eval, 2014.)

Velocities are judged in the pairs found without them (Hawthorne et al., Onsets and Frames, 2018): the reference's are
scaled to 0 to 1 by the softest and loudest of its notes, the estimate's by the straight line that fits the pairs best,
and a pair stays whose velocities then differ by less than 0.1. So a constant gain costs nothing; and where all notes of
the reference are equally loud, nothing is judged, and the numbers are those without velocities.

All numbers are those of mir_eval 0.8 (`transcription.evaluate`, `transcription_velocity.evaluate`) to the last digit
but one, for notes in the order of their onsets: which of several largest pairings is taken decides overlap and
velocity. Where either side has no notes, everything is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.notes import Notes
from clefkit.score import matching
from clefkit.score.matching import Indices
from clefkit.score.notes.pairs import Pairs, Ratios, offset_tolerance, ratios, rounded
from clefkit.score.notes.protocols import Rule

VELOCITY_TOLERANCE = 0.1


class NoteScores(NamedTuple):
    """0 (worst) to 1. overlap: mean of overlap / span over the pairs; below 0 where pairs do not overlap."""

    precision: float
    recall: float
    f1: float
    overlap: float


def scores(reference: Notes, estimate: Notes, matched: Pairs) -> NoteScores:
    """What the pairs say, of which no two share a note."""
    of_all = ratios(len(matched.reference), len(reference), len(estimate))
    return NoteScores(*of_all, _overlap(reference.intervals, estimate.intervals, matched))


def as_loud(reference: Notes, estimate: Notes, matched: Pairs) -> Pairs:
    """Those of the pairs whose velocities agree."""
    if not len(matched.reference):
        return matched
    softest, loudest = reference.velocity.min(), reference.velocity.max()
    expected = (reference.velocity[matched.reference] - softest) / max(1, loudest - softest)
    found = estimate.velocity[matched.estimate]
    slope, level = np.linalg.lstsq(np.stack([found, np.ones(len(found))], axis=1), expected, rcond=None)[0]
    return matched.where(np.abs(slope * found + level - expected) < VELOCITY_TOLERANCE)


def onsets(reference: Notes, estimate: Notes, rule: Rule) -> Ratios:
    """Onsets alone, whatever the pitches."""
    tolerance = np.full(len(reference), rule.onset_s)
    return _alone(reference.onset, np.sort(estimate.onset), tolerance)


def offsets(reference: Notes, estimate: Notes, rule: Rule) -> Ratios:
    """Offsets alone, whatever pitches and onsets."""
    return _alone(reference.offset, np.sort(estimate.offset), offset_tolerance(reference, rule))


def _overlap(reference: NDArray[np.float64], estimate: NDArray[np.float64], matched: Pairs) -> float:
    """Mean overlap ratio of the pairs. Two notes of no length at the same time overlap wholly."""
    if not len(matched.reference):
        return 0.0
    start, end = reference[matched.reference].T
    starts, ends = estimate[matched.estimate].T
    shared, span = np.minimum(end, ends) - np.maximum(start, starts), np.maximum(end, ends) - np.minimum(start, starts)
    return float(np.mean(np.divide(shared, span, out=np.ones_like(span), where=span > 0)))


def _alone(expected: NDArray[np.float64], found: NDArray[np.float64], tolerance: NDArray[np.float64]) -> Ratios:
    """Moments against moments, of which the found ones are sorted. tolerance: of each expected one"""
    first, last = _reach(expected, found, tolerance)
    return ratios(matching.count_in_intervals(first, last), len(expected), len(found))


def _reach(
    centre: NDArray[np.float64], found: NDArray[np.float64], tolerance: NDArray[np.float64]
) -> tuple[Indices, Indices]:
    """For each centre the found moments in its reach: first <= index < last. Exact: the rounded distance decides."""
    middle = np.searchsorted(found, centre)
    low = _first(np.zeros_like(middle), middle, lambda at: rounded(centre - found[at]) <= tolerance)
    high = _first(middle, np.full_like(middle, len(found)), lambda at: rounded(centre - found[at]) > tolerance)
    return low, high


def _first(low: Indices, high: Indices, holds: Callable[[Indices], NDArray[np.bool_]]) -> Indices:
    """By halving, the first index from low on for which it holds, else high. From there on it must hold for all."""
    while (low < high).any():
        at = (low + high) // 2
        wide, true = low < high, holds(np.minimum(at, high - 1))
        low, high = np.where(wide & ~true, at + 1, low), np.where(wide & true, at, high)
    return low
