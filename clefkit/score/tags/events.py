"""When something sounds: the F-measures of sound event detection.

After Mesaros, Heittola and Virtanen, Metrics for polyphonic sound event detection, 2016, and as sed_eval counts: a tag
is active in a second if it sounds at any time of it; an event is found if one of its tag begins within 200 ms of it
and ends within 200 ms, or 20 % of its length, each counted once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from clefkit.score import matching
from clefkit.score.tags.clips import Segment

RESOLUTION_S = 1.0
COLLAR_S = 0.2
SHARE = 0.2

Fraction = tuple[float, float]


def counts(truth: Sequence[Segment], found: Sequence[Segment], tags: Iterable[str]) -> tuple[Fraction, Fraction]:
    """Numerator and denominator of the F-measure of one clip, segment-based and event-based.

    They are 2 x right, and how many are true and how many were found.
    tags: only these count
    """
    active, whole = (0.0, 0.0), (0.0, 0.0)
    for tag in {each.tag for each in (*truth, *found)}.intersection(tags):
        expected, heard = ([each for each in side if each.tag == tag] for side in (truth, found))
        seconds = _active(expected) + _active(heard)
        both = seconds - _active([*expected, *heard])
        active = (active[0] + 2 * both, active[1] + seconds)
        whole = (whole[0] + 2 * _found(expected, heard), whole[1] + len(expected) + len(heard))
    return active, whole


def _active(segments: Iterable[Segment]) -> int:
    """In how many seconds something sounds."""
    total = end = 0
    for onset, offset in sorted((each.onset, each.offset) for each in segments):
        first, last = math.floor(onset / RESOLUTION_S), math.ceil(offset / RESOLUTION_S)
        total += max(last - max(first, end), 0)
        end = max(end, last)
    return total


def _found(truth: Sequence[Segment], found: Sequence[Segment]) -> int:
    """How many events were found, the most that can be matched one to one."""
    if not truth or not found:
        return 0
    onset, offset = (np.array([getattr(each, name) for each in truth]) for name in ("onset", "offset"))
    heard_onset, heard_offset = (np.array([getattr(each, name) for each in found]) for name in ("onset", "offset"))
    collar = np.maximum(COLLAR_S, SHARE * (offset - onset))
    near = np.abs(np.subtract.outer(onset, heard_onset)) <= COLLAR_S
    near &= np.abs(np.subtract.outer(offset, heard_offset)) <= collar[:, None]
    reference, estimate = np.nonzero(near)
    return len(matching.maximum(reference.astype(np.int64), estimate.astype(np.int64))[0])
