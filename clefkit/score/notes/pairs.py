"""Pairs of notes that agree, one of the reference and one of the estimate, and ratios of what is right.

Onsets agree within a tolerance, pitches within 50 cents, offsets within a tolerance or a share of the reference's
duration, whichever is more. All is decided as mir_eval 0.8 decides it: distances in time are rounded to 0.1 ms before
they are compared (50.04 ms is still within 50 ms), and exactly 50 cents may fall on either side, as floating point has
it. mir_eval refuses notes of no length and notes before 0 s; here they count like any other.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.errors import InputError
from clefkit.notes import Notes
from clefkit.score import matching
from clefkit.score.matching import Indices
from clefkit.score.notes.protocols import Rule

PITCH_TOLERANCE_CENTS = 50.0
DECIMALS = 4

SLACK_S = 0.002  # more than the rounding: candidates are looked at exactly afterwards
BAND_S = 4_000_000.0  # apart enough that windows of different semitones never meet
MOST_PAIRS = 5_000_000


class Ratios(NamedTuple):
    """0 (worst) to 1."""

    precision: float
    recall: float
    f1: float


class Pairs(NamedTuple):
    """Indices of notes, (pairs,) each, sorted by reference, then by estimate."""

    reference: Indices
    estimate: Indices

    def where(self, chosen: NDArray[np.bool_]) -> Pairs:
        return self if chosen.all() else Pairs(self.reference[chosen], self.estimate[chosen])

    def largest(self) -> Pairs:
        """As many of the pairs as possible, each note at most once: mir_eval's choice among equally many."""
        return Pairs(*matching.maximum(*self))


def ratios(right: int, expected: int, estimated: int) -> Ratios:
    """0 where there is nothing to find, or nothing was found."""
    precision, recall = right / max(estimated, 1), right / max(expected, 1)
    f1 = 2.0 * precision * recall / (precision + recall) if right else 0.0
    return Ratios(precision, recall, f1)


def agreeing(reference: Notes, estimate: Notes, rule: Rule) -> Pairs:
    """All pairs whose onsets and pitches agree.

    raises: InputError when more than five million pairs of notes are within reach of each other
    """
    semitone, found = np.floor(reference.pitch), np.floor(estimate.pitch)
    order = np.argsort(found * BAND_S + estimate.onset, kind="stable")
    keys = (found * BAND_S + estimate.onset)[order]
    octaves, octaves_found = np.log2(reference.pitch_hz), np.log2(estimate.pitch_hz)
    window = rule.onset_s + SLACK_S
    pairs: list[tuple[Indices, Indices]] = []
    for step in (-1, 0, 1):  # 50 cents reach no further than the next semitone
        centre = (semitone + step) * BAND_S + reference.onset
        first, last = np.searchsorted(keys, centre - window), np.searchsorted(keys, centre + window)
        if np.sum(last - first) > MOST_PAIRS:
            raise InputError("too many notes at the same time and pitch: this is not a transcription of music")
        left, right = _expand(first, last, order)
        onsets = rounded(reference.onset[left] - estimate.onset[right]) <= rule.onset_s
        pitches = np.abs(1200 * (octaves[left] - octaves_found[right])) <= PITCH_TOLERANCE_CENTS
        pairs.append((left[onsets & pitches], right[onsets & pitches]))
    left, right = (np.concatenate(side) for side in zip(*pairs, strict=True))
    by_reference = np.lexsort((right, left))
    return Pairs(left[by_reference], right[by_reference])


def offsets_agree(reference: Notes, estimate: Notes, pairs: Pairs, rule: Rule) -> NDArray[np.bool_]:
    """In which of the pairs the offsets agree, too, (pairs,)."""
    distance = rounded(reference.offset[pairs.reference] - estimate.offset[pairs.estimate])
    return distance <= offset_tolerance(reference, rule)[pairs.reference]


def offset_tolerance(reference: Notes, rule: Rule) -> NDArray[np.float64]:
    """(notes,), seconds"""
    return np.maximum(rule.offset_ratio * (reference.offset - reference.onset), rule.offset_s)


def rounded(difference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances in time as they are compared."""
    return np.asarray(np.around(np.abs(difference), DECIMALS), np.float64)


def _expand(first: Indices, last: Indices, order: Indices) -> tuple[Indices, Indices]:
    """Pairs (i, order[j]) for every i and every first[i] <= j < last[i]."""
    counts = last - first
    left = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(left)) - np.repeat(np.cumsum(counts) - counts, counts)
    return left, order[np.repeat(first, counts) + within]
