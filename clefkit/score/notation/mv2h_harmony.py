"""MV2H's harmony: how long the keys and the chords are right, each as a part of the time from the first one on.

A key that is not right is worth 0.5 a fifth away, 0.3 when it is the relative one, 0.2 when it is the parallel one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from clefkit.score.notation.mv2h_music import Chord, Key, Music


def score(reference: Music, estimate: Music) -> float:
    """The mean of keys and chords, or one of them when the reference lacks the other; 0 when it has neither."""
    last = reference.last_time
    parts = (
        _share(reference.keys, estimate.keys, last, _key_worth),
        _share(reference.chords, estimate.chords, last, _chord_worth),
    )
    known = [part for part in parts if part is not None]
    return sum(known) / len(known) if known else 0.0


def _share(
    reference: Sequence[Any], estimate: Sequence[Any], last: int, worth: Callable[[Any, Any], float]
) -> float | None:
    """What the estimate is worth on average from the reference's first one to `last`; None when there is no such
    time."""
    expected = _spans(reference, last)
    found = _spans(estimate, last)
    if not expected or last == expected[0][0]:
        return None
    durations: dict[float, int] = {}
    at = other_at = 0
    while at < len(found) and other_at < len(expected):
        (begin, end, item), (other_begin, other_end, other) = found[at], expected[other_at]
        overlap = min(end, other_end) - max(begin, other_begin)
        if overlap > 0:
            value = worth(item, other)
            durations[value] = durations.get(value, 0) + overlap
        if end <= other_end:
            at += 1
        else:
            other_at += 1
    # 0.2 comes last in the reference implementation: sums of floats have an order
    total = 0.0
    for value, duration in sorted(durations.items(), key=lambda each: each[0] == 0.2):
        total += value * duration
    return total / (last - expected[0][0])


def _spans(items: Sequence[Any], last: int) -> list[tuple[int, int, Any]]:
    """(begin, end, item), where the last item at a time counts; nothing goes on after `last`."""
    unique = {item.time: item for item in items}
    times = [*sorted(unique), last]
    return [(begin, min(end, last), unique[begin]) for begin, end in pairwise(times)]


def _key_worth(key: Key, expected: Key) -> float:
    above = (key.tonic - expected.tonic) % 12
    if key.major == expected.major:
        return {0: 1.0, 5: 0.5, 7: 0.5}.get(above, 0.0)
    if above == (3 if key.major else 9):
        return 0.3
    return 0.2 if above == 0 else 0.0


def _chord_worth(chord: Chord, expected: Chord) -> float:
    return 1.0 if chord.name == expected.name else 0.0
