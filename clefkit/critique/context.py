"""What a critic sees of each note: the notes around it, relative to its pitch and time.

So music that is transposed looks the same by construction, and a note's pitch is judged by what surrounds it. One
definition for training and inference; times in whole milliseconds.

    near    how many notes lie 24 semitones down to 24 up, in 13 stretches of time from 8 s before to 8 s after
            its onset, and which of those that began earlier sound with it
    far     pitch classes, as shares: of all before that, of all after it, of everything
    pulse   onsets before and after, by how far they are, in 24 stretches each from 60 ms to 4 s
    echo    where else the chords before it, after it, on both sides, the steps on both sides, and chords and steps come
            back most alike; how alike, and whether this note and its steps come back, too
    beside  steps to the onsets before and after, duration, velocity, register, place in its chord
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clefkit.critique.corrupt import clusters
from clefkit.critique.table import DURATION, ONSET, PITCH, VELOCITY, Table

Array = NDArray[np.float32]

REACH = 24
INTERVALS = 2 * REACH + 1
EDGES_MS = (-8000, -4000, -2000, -1000, -500, -200, -30, 40, 210, 510, 1010, 2010, 4010, 8010)
TIMES = len(EDGES_MS)  # 13 stretches between the edges; one more for what sounds with it
NEAR = TIMES * INTERVALS
FAR = 36
PULSES = 24
PULSE_MS = (60.0, 4000.0)
PULSE = 2 * PULSES
MATCHES, OF_A_MATCH = 5, 11
ECHO = MATCHES * OF_A_MATCH
BESIDE = 14
SEEN = NEAR + FAR + PULSE + ECHO + BESIDE
AROUND = 5  # chords on each side that are compared
STEPS_MS = (30, 8000)
ALIKE_OCTAVES = 0.25  # of steps
ELSEWHERE = 3  # chords away, at least
MOST = 15  # notes counted in one place
GRID_MS = 10
FARTHEST_MS = 8000


# which stretch of time each distance is in, by 10 ms from -8 s on
_STRETCH = np.searchsorted(EDGES_MS[1:-1], np.arange(-FARTHEST_MS, FARTHEST_MS + 1, GRID_MS), side="right")
_ROOTS = np.sqrt(np.arange(MOST + 1)).astype(np.float32)


def seen(notes: Table) -> Array:
    """(notes, SEEN), float32. notes: (notes, 4), int32, in order of onset"""
    onset, pitch = notes[:, ONSET].astype(np.int64), notes[:, PITCH].astype(np.int64)
    parts = (
        _near(onset, pitch, onset + notes[:, DURATION]),
        _far(onset, pitch),
        _pulse(onset),
        _echo(onset, pitch),
        _beside(notes),
    )
    return np.concatenate(parts, axis=1, dtype=np.float32)


def _near(onset: NDArray[np.int64], pitch: NDArray[np.int64], end: NDArray[np.int64]) -> Array:
    count = len(onset)
    later = (onset[None] - onset[:, None]).ravel()
    interval = (pitch[None] - pitch[:, None]).ravel()
    wanted = (np.abs(interval) <= REACH) & (np.abs(later) <= FARTHEST_MS)
    wanted[:: count + 1] = False  # a note isn't its own surroundings
    kept = np.flatnonzero(wanted)
    rows, later, interval = kept // count, later[kept], interval[kept]
    stretch = _STRETCH[(later + FARTHEST_MS) // GRID_MS]
    place = rows * NEAR + stretch * INTERVALS + interval + REACH
    ringing = np.flatnonzero((later < 0) & (end[kept - rows * count] > onset[rows]))
    rings = place[ringing] + (TIMES - 1 - stretch[ringing]) * INTERVALS
    found = np.bincount(np.concatenate([place, rings]), minlength=count * NEAR)
    return _ROOTS[np.minimum(found, MOST)].reshape(count, NEAR)


def _far(onset: NDArray[np.int64], pitch: NDArray[np.int64]) -> Array:
    count = len(onset)
    classes = np.zeros((count, 12), np.float32)
    classes[np.arange(count), pitch % 12] = 1
    before = np.concatenate([np.zeros((1, 12), np.float32), np.cumsum(classes, axis=0)])
    past = before[np.searchsorted(onset, onset - FARTHEST_MS)]
    coming = before[-1] - before[np.searchsorted(onset, onset + FARTHEST_MS, side="right")]
    everything = before[-1][None] - classes
    turned = (pitch[:, None] + np.arange(12)) % 12
    shares = [
        np.take_along_axis(each, turned, axis=1) / np.maximum(each.sum(1, keepdims=True), 1)
        for each in (past, coming, everything)
    ]
    return np.concatenate(shares, axis=1, dtype=np.float32) * 3


def _pulse(onset: NDArray[np.int64]) -> Array:
    which = clusters(onset.astype(np.int32))
    starts = onset[np.flatnonzero(np.diff(which, prepend=-1))]
    low, high = np.log(PULSE_MS)
    later = starts[None] - starts[:, None]
    rows, others = np.nonzero((np.abs(later) >= PULSE_MS[0]) & (np.abs(later) < PULSE_MS[1]))
    far = later[rows, others]
    stretch = ((np.log(np.abs(far)) - low) / (high - low) * PULSES).astype(np.int64)
    place = rows * PULSE + np.where(far < 0, 0, PULSES) + np.clip(stretch, 0, PULSES - 1)
    found = np.bincount(place, minlength=len(starts) * PULSE).reshape(len(starts), PULSE)
    return np.sqrt(np.minimum(found, MOST)).astype(np.float32)[which]


def _echo(onset: NDArray[np.int64], pitch: NDArray[np.int64]) -> Array:
    which = clusters(onset.astype(np.int32))
    starts = onset[np.flatnonzero(np.diff(which, prepend=-1))]
    count = len(starts)
    keys = np.zeros((count, 128), np.float32)
    keys[which, pitch] = 1
    classes = np.zeros((count, 12), np.float32)
    classes[which, pitch % 12] = 1
    both, size = classes @ classes.T, classes.sum(1)
    step = np.log2(np.clip(np.diff(starts, append=starts[-1] + FARTHEST_MS), *STEPS_MS)).astype(np.float32)
    last = np.roll(step, 1)
    chords = both / np.maximum(size[:, None] + size[None] - both, 1)
    steps = np.exp(-(((step[:, None] - step[None]) / ALIKE_OCTAVES) ** 2))
    before, after = _around(chords)
    step_before, step_after = _around(steps)
    rows = np.arange(count)
    too_near = np.where(np.abs(rows[None] - rows[:, None]) < ELSEWHERE, np.float32(-9), np.float32(0))
    chord, rhythm = before + after, step_before + step_after
    found: list[Any] = []
    for score in (before, after, chord + chords, rhythm, chord + rhythm):
        best = (score + too_near).argmax(1)
        there = best[which]
        again = classes[there, pitch % 12]
        beside = np.maximum(classes[there, (pitch + 1) % 12], classes[there, (pitch - 1) % 12])
        at = [each[rows, best] for each in (before, chords, after, step_before, steps, step_after)]
        at += [np.clip(each - each[best], -2, 2) for each in (step, last)]
        found += [*np.stack(at)[:, which], keys[there, pitch], again, beside * (1 - again)]
    return np.stack(found, axis=1)


def _around(alike: Array) -> tuple[Array, Array]:
    """(chords, chords): how alike on average those before two chords are, and those after them."""
    count = len(alike)
    padded = np.pad(alike, AROUND)
    totals = []
    for side in (range(-AROUND, 0), range(1, AROUND + 1)):
        total = np.zeros_like(alike)
        for k in side:
            total += padded[AROUND + k : AROUND + k + count, AROUND + k : AROUND + k + count]
        totals.append(total / np.float32(AROUND))
    return totals[0], totals[1]


def _beside(notes: Table) -> Array:
    onset, duration, pitch, velocity = (
        notes[:, column].astype(np.float32) for column in (ONSET, DURATION, PITCH, VELOCITY)
    )
    which = clusters(notes[:, ONSET])
    first = np.flatnonzero(np.diff(which, prepend=-1))
    starts = onset[first]
    steps = np.log2(np.clip(np.diff(starts, prepend=starts[0] - 8000, append=starts[-1] + 8000), 30, 8000) / 500)
    size = np.bincount(which)
    above = _rank(notes, which, first)
    chord = size[which]
    usual = np.median(np.log2(np.clip(duration, 15, 8000)))
    lengths = np.log2(np.clip(duration, 15, 8000) / 500)
    after = np.clip(lengths - steps[1:][which], -3, 3)
    loud = (velocity - velocity.mean()) / max(float(velocity.std()), 8.0)
    middle = pitch - pitch.mean()
    features = [
        steps[:-1][which],
        steps[1:][which],
        steps[1:][which] - steps[:-1][which],
        lengths,
        np.log2(np.clip(duration, 15, 8000)) - usual,
        after,
        loud,
        middle / 12,
        np.minimum(chord, 8) / 4,
        above / 4,
        above == 0,
        above == chord - 1,
        (onset - starts[which]) / 30,
        chord == 1,
    ]
    return np.stack(features, axis=1).astype(np.float32)


def _rank(notes: Table, which: NDArray[np.int64], first: NDArray[np.int64]) -> NDArray[np.int64]:
    """(notes,): how many notes of its chord lie below each."""
    order = np.lexsort((notes[:, PITCH], which))
    rank = np.empty(len(notes), np.int64)
    rank[order] = np.arange(len(notes)) - first[which[order]]
    return rank
