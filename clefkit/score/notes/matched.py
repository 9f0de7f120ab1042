"""Notes found: precision, recall, F-measure and overlap, as the field counts them.

An estimated note is right when its onset is within 50 ms and its pitch within 50 cents of a note of the reference and,
where offsets count, its offset is within 50 ms or 20 % of the reference's duration, whichever is more. Each note is
used once; as many as possible are paired. (Bay, Ehmann and Downie, Evaluation of Multiple-F0 Estimation and Tracking
Systems, 2009; Raffel et al., mir_eval, 2014.)

All numbers are those of mir_eval 0.8 (`transcription.precision_recall_f1_overlap`) to the last digit but one. So:
distances in time are rounded to 0.1 ms before they are compared (50.04 ms is still within 50 ms); exactly 50 cents may
fall on either side, as floating point has it; and where either side has no notes, everything is 0. mir_eval refuses
notes of no length and notes before 0 s; here they count like any other.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.errors import InputError
from clefkit.notes import Notes
from clefkit.score import matching
from clefkit.score.matching import Indices

ONSET_TOLERANCE_S = 0.05
OFFSET_TOLERANCE_S = 0.05
OFFSET_RATIO = 0.2
PITCH_TOLERANCE_CENTS = 50.0
DECIMALS = 4

WINDOW_S = 0.052  # a little more than the tolerance and its rounding: candidates are looked at exactly afterwards
BAND_S = 4_000_000.0  # apart enough that windows of different semitones never meet
MOST_PAIRS = 5_000_000


class NoteScores(NamedTuple):
    """0 (worst) to 1. overlap: mean of overlap / span over the pairs; below 0 where pairs do not overlap."""

    precision: float
    recall: float
    f1: float
    overlap: float


def scores(reference: Notes, estimate: Notes) -> tuple[NoteScores, NoteScores]:
    """Compare by onset and pitch alone, and by onset, pitch and offset.

    raises: InputError when more than five million pairs of notes are within reach of each other
    """
    left, right = _candidates(reference, estimate)
    by_onset = _scores(reference, estimate, left, right)
    near = _offsets_agree(reference, estimate, left, right)
    return by_onset, _scores(reference, estimate, left[near], right[near])


def f_measure(precision: float, recall: float) -> float:
    """The harmonic mean; 0 where both are 0."""
    return 2.0 * precision * recall / (precision + recall) if precision or recall else 0.0


def _scores(reference: Notes, estimate: Notes, left: Indices, right: Indices) -> NoteScores:
    left, right = matching.maximum(left, right)
    if len(left) == 0:
        return NoteScores(0.0, 0.0, 0.0, 0.0)
    precision, recall = len(left) / len(estimate), len(left) / len(reference)
    overlap = _overlap(reference.intervals[left], estimate.intervals[right])
    return NoteScores(precision, recall, f_measure(precision, recall), overlap)


def _overlap(reference: NDArray[np.float64], estimate: NDArray[np.float64]) -> float:
    """Mean overlap ratio of paired intervals, both (pairs, 2). Two of no length at the same time overlap wholly."""
    shared = np.minimum(reference[:, 1], estimate[:, 1]) - np.maximum(reference[:, 0], estimate[:, 0])
    span = np.maximum(reference[:, 1], estimate[:, 1]) - np.minimum(reference[:, 0], estimate[:, 0])
    return float(np.mean(np.divide(shared, span, out=np.ones_like(span), where=span > 0)))


def _candidates(reference: Notes, estimate: Notes) -> tuple[Indices, Indices]:
    """All pairs whose onsets and pitches agree, sorted by reference, then by estimate."""
    semitone, found = np.floor(reference.pitch), np.floor(estimate.pitch)
    order = np.argsort(found * BAND_S + estimate.onset, kind="stable")
    keys = (found * BAND_S + estimate.onset)[order]
    octaves, octaves_found = np.log2(reference.pitch_hz), np.log2(estimate.pitch_hz)
    pairs: list[tuple[Indices, Indices]] = []
    for step in (-1, 0, 1):  # 50 cents reach no further than the next semitone
        centre = (semitone + step) * BAND_S + reference.onset
        first, last = np.searchsorted(keys, centre - WINDOW_S), np.searchsorted(keys, centre + WINDOW_S)
        if np.sum(last - first) > MOST_PAIRS:
            raise InputError("too many notes at the same time and pitch: this is not a transcription of music")
        left, right = _expand(first, last, order)
        onsets = np.around(np.abs(reference.onset[left] - estimate.onset[right]), DECIMALS) <= ONSET_TOLERANCE_S
        pitches = np.abs(1200 * (octaves[left] - octaves_found[right])) <= PITCH_TOLERANCE_CENTS
        pairs.append((left[onsets & pitches], right[onsets & pitches]))
    left, right = (np.concatenate(side) for side in zip(*pairs, strict=True))
    by_reference = np.lexsort((right, left))
    return left[by_reference], right[by_reference]


def _expand(first: Indices, last: Indices, order: Indices) -> tuple[Indices, Indices]:
    """Pairs (i, order[j]) for every i and every first[i] <= j < last[i]."""
    counts = last - first
    left = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(left)) - np.repeat(np.cumsum(counts) - counts, counts)
    return left, order[np.repeat(first, counts) + within]


def _offsets_agree(reference: Notes, estimate: Notes, left: Indices, right: Indices) -> NDArray[np.bool_]:
    distance = np.around(np.abs(reference.offset[left] - estimate.offset[right]), DECIMALS)
    duration = reference.offset - reference.onset
    return distance <= np.maximum(OFFSET_RATIO * duration, OFFSET_TOLERANCE_S)[left]
