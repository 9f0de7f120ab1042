"""Where phrases begin, found from the notes.

Boundaries of the melody as in Cambouropoulos 2001, "The local boundary detection model": a change of interval, of time
between onsets or of rest is a boundary, the larger the sharper. To these come slurs, bar lines, ends of sections and
changes of texture. Phrases are the division with the best boundaries and lengths near a number of bars (dynamic
programming), the short ones inside the long ones.
"""

from __future__ import annotations

import numpy as np

from clefkit.render.line import Array, Line, Truth, Whole

PITCH, TIME, REST = 0.25, 0.5, 0.25  # Cambouropoulos' weights
LOCAL = 0.4  # of the melody's boundaries, beside the others
SLUR = 0.3
BAR = 0.35
TEXTURE = 0.3
END = 3.0
UNEVEN = 0.6  # what a phrase of twice or half the usual length costs
INSIDE = 4.0  # what a boundary of a longer phrase is worth to a shorter one


def local_boundaries(pitch: Array, onset: Array, end: Array) -> Array:
    """pitch, onset, end: (notes,), a melody. returns: (notes,), 0 to 1, how much a phrase begins with this note"""
    if len(pitch) < 4:
        return np.zeros(len(pitch))
    between = np.diff(onset)
    rest = np.maximum(onset[1:] - end[:-1], 0.0)
    parts = (PITCH, np.abs(np.diff(pitch))), (TIME, between), (REST, rest)
    return np.concatenate([[0.0], sum((weight * _sharpness(value) for weight, value in parts), np.zeros(len(between)))])


def _sharpness(value: Array) -> Array:
    """Of each interval, by how much it differs from its neighbours; 0 to 1 against the sharpest around it."""
    total = value[1:] + value[:-1]
    change = np.divide(np.abs(np.diff(value)), total, out=np.zeros(len(total)), where=total > 0)
    strength = value * (np.concatenate([[0.0], change]) + np.concatenate([change, [0.0]]))
    usual = np.quantile(strength, 0.98) if strength.any() else 0.0
    return np.clip(strength / usual, 0.0, 1.0) if usual > 0 else np.zeros(len(strength))


def strengths(line: Line, melody: Whole, beats: Array, is_bar: Truth) -> Array:
    """(beats,): how well a phrase can begin with each beat."""
    onset, end = line.onset[melody], (line.onset + line.duration)[melody]
    strength = LOCAL * local_boundaries(line.pitch[melody], onset, end)
    strength = strength + SLUR * np.concatenate([[0.0], _slur_ends(line.slurred[melody])])
    found = BAR * is_bar
    slot = np.clip(np.searchsorted(beats, onset + 1e-6, side="right") - 1, 0, len(beats) - 1)
    best = np.zeros(len(beats))
    np.maximum.at(best, slot, strength)
    found = found + best + TEXTURE * _texture(line, beats)
    ends = np.searchsorted(beats, np.array(line.ends) - 1e-6)
    found[ends[ends < len(beats)]] += END
    return np.asarray(found)


def _slur_ends(slurred: Truth) -> Array:
    """For each note but the first: the slur before it ended and another begins with it."""
    return np.asarray(~slurred[:-1] & (slurred[1:] | np.concatenate([[False], slurred[:-2]])), dtype=np.float64)


def _texture(line: Line, beats: Array) -> Array:
    """(beats,), 0 to 1: how much the number of notes changes from the four beats before to the four after."""
    count = np.bincount(np.clip(np.searchsorted(beats, line.onset + 1e-6, "right") - 1, 0, None), minlength=len(beats))
    total = np.concatenate([np.zeros(5), np.cumsum(count[: len(beats)]), np.full(4, count.sum())]).astype(np.float64)
    middle = total[4:-4][: len(beats)]
    before, after = middle - total[: len(beats)], total[8:][: len(beats)] - middle
    return np.asarray(np.clip(np.abs(np.log((after + 1) / (before + 1))), 0.0, 1.0))


def divide(strength: Array, usual: float) -> Whole:
    """Phrases of about `usual` beats. returns: indices of the beats that begin them, the first always 0."""
    count = len(strength)
    longest = max(int(3 * usual), 2)
    best = np.full(count + 1, -np.inf)
    came = np.zeros(count + 1, np.int64)
    best[0] = 0.0
    length = np.arange(longest, 0, -1)
    cost = UNEVEN * np.log2(length / usual) ** 2
    worth = np.append(strength, 0.0)
    for end in range(1, count + 1):
        first = max(end - longest, 0)
        total = best[first:end] - cost[longest - (end - first) :]
        pick = int(np.argmax(total))
        best[end], came[end] = total[pick] + worth[end], first + pick
    found = [count]
    while found[-1] > 0:
        found.append(int(came[found[-1]]))
    return np.array(found[:0:-1], np.int64)


def levels(strength: Array, bar: float, bars: tuple[int, ...]) -> list[Whole]:
    """The phrases of several lengths, in bars of `bar` beats, the longest first; each level divides the one before."""
    found: list[Whole] = []
    worth = strength.copy()
    for count in bars:
        starts = divide(worth, max(count * bar, 2.0))
        worth = worth.copy()
        worth[starts] += INSIDE
        found.append(starts)
    return found
