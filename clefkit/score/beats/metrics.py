"""What is measured of two sequences of beats, and what is refused before.

All but two numbers are computed by mir_eval. Its P-score correlates two whole trains of impulses, which takes minutes
for an hour of music, so ours counts the pairs within the window instead; its F-measure looks for pairs by recursion,
which does not end well where many beats lie close together. The numbers are the same.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clefkit.errors import InputError
from clefkit.score import matching

Seconds = NDArray[np.float64]

LATEST_S = 30_000.0  # mir_eval takes no later beats
MOST_BEATS = 40_000
DECIMALS = 9
F_MEASURE_WINDOW_S = 0.07
P_SCORE_RATE_HZ = 100
P_SCORE_WINDOW = 0.2  # of the median interval
TEMPO_TOLERANCE = 0.04
LEVELS = (1.0, 2.0, 1 / 2, 3.0, 1 / 3)


class Checked(NamedTuple):
    """times, downbeats: seconds, increasing"""

    times: Seconds
    downbeats: Seconds | None


def checked(times: ArrayLike, downbeats: ArrayLike | None, side: str, first_s: float = float("-inf")) -> Checked:
    """The beats from `first_s` on, in order, each once.

    raises: InputError when a time is impossible, or when there are too many
    """
    found = [None if each is None else _increasing(each, side) for each in (times, downbeats)]
    beats, bars = (each if each is None else each[each >= first_s] for each in found)
    return Checked(np.zeros(0) if beats is None else beats, bars)


def _increasing(times: ArrayLike, side: str) -> Seconds:
    given = np.asarray(times, dtype=np.float64).reshape(-1)
    if not (np.abs(given) <= LATEST_S).all():
        raise InputError(f"{side} has a beat that is not a time in seconds, or is past {LATEST_S:,.0f} s")
    found: Seconds = np.unique(given.round(DECIMALS))
    if len(found) > MOST_BEATS:
        raise InputError(f"{side} has more than {MOST_BEATS:,} beats")
    return found


def sequence(reference: Seconds, estimate: Seconds) -> dict[str, float]:
    """reference, estimate: (beats,), increasing; returns: 0 to 1 but for rounding, 0 when a side is too short to say"""
    from mir_eval import beat

    # It warns of sides with fewer than two beats, and of stretches too short for Goto's criteria: all are 0.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        continuity = beat.continuity(reference, estimate)
        found = {
            "f1": _f_measure(reference, estimate),
            "cemgil": beat.cemgil(reference, estimate)[0],
            "goto": beat.goto(reference, estimate),
            "p_score": _p_score(reference, estimate),
            **dict(zip(("cmlc", "cmlt", "amlc", "amlt"), continuity, strict=True)),
            "information_gain": beat.information_gain(reference, estimate),
        }
    return {key: float(value) for key, value in found.items()}


def _f_measure(reference: Seconds, estimate: Seconds) -> float:
    first = np.searchsorted(reference, estimate - F_MEASURE_WINDOW_S, "left")
    last = np.searchsorted(reference, estimate + F_MEASURE_WINDOW_S, "right")
    return 2.0 * matching.count_in_intervals(first, last) / max(len(reference) + len(estimate), 1)


def _p_score(reference: Seconds, estimate: Seconds) -> float:
    """Pairs within the window by the beats of the longer side, in hundredths of a second, rounded up as mir_eval's."""
    if min(len(reference), len(estimate)) < 2:
        return 0.0
    first = min(reference[0], estimate[0])
    expected, found = (np.unique(np.ceil((side - first) * P_SCORE_RATE_HZ)) for side in (reference, estimate))
    if len(expected) < 2:
        return 0.0
    window = np.round(P_SCORE_WINDOW * np.median(np.diff(expected)))
    pairs = np.searchsorted(found, expected + window, "right") - np.searchsorted(found, expected - window, "left")
    return float(pairs.sum() / max(len(reference), len(estimate)))


def tempo(reference: Seconds, estimate: Seconds) -> dict[str, float]:
    """Both tempi in beats a minute, and how near they are. reference: two beats at least."""
    expected = 60.0 / float(np.median(np.diff(reference)))
    found = {"tempo_accuracy_1": 0.0, "tempo_accuracy_2": 0.0, "ref_tempo_bpm": expected}
    if len(estimate) < 2:
        return found
    heard = 60.0 / float(np.median(np.diff(estimate)))
    right = [abs(heard - level * expected) <= TEMPO_TOLERANCE * level * expected for level in LEVELS]
    error = float(abs(np.log2(heard / expected)))
    return {
        "tempo_accuracy_1": float(right[0]),
        "tempo_accuracy_2": float(any(right)),
        "tempo_octave_error": error,
        "ref_tempo_bpm": expected,
        "est_tempo_bpm": heard,
    }
