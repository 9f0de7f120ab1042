"""What a critic sees of each note: the notes around it, relative to its pitch and time.

So music that is transposed looks the same by construction, and a note's pitch is judged by what surrounds it. One
definition for training and inference; times in whole milliseconds. Several pieces are looked at together, laid out one
after another so far apart that none hears the next.

    near    how many notes lie 24 semitones down to 24 up, in 13 stretches of time from 8 s before to 8 s after
            its onset, and which of those that began earlier sound with it
    far     pitch classes, as shares: of all before that, of all after it, of everything
    pulse   onsets before and after, by how far they are, in 24 stretches each from 60 ms to 4 s
    echo    where else the chords before it, after it, on both sides, the steps on both sides, and chords and steps come
            back most alike; how alike, and whether this note and its steps come back, too
    beside  steps to the onsets before and after, duration, velocity, register, place in its chord
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

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
APART_MS = 2 * FARTHEST_MS


# the first place of the stretch of time that is so many ms after a note, and before it
_STRETCH = np.searchsorted(EDGES_MS[1:-1], np.arange(-FARTHEST_MS, FARTHEST_MS + 1) // GRID_MS * GRID_MS, side="right")
_AFTER, _BEFORE = _STRETCH[FARTHEST_MS:] * INTERVALS, _STRETCH[FARTHEST_MS::-1] * INTERVALS


class _Pieces(NamedTuple):
    """Some pieces, one after another; what there is of notes, then of chords.

    notes: (notes, 4), int32; onset, pitch: (notes,), int64, on one axis of time; piece: (notes,), which each is of
    edges: (pieces + 1,), the notes of each; place: (notes,), where each is in the padded result
    chord: (notes,), which each is of; start, step: (chords,), ms, when it is and how far the next one is, FARTHEST_MS
        after the last of a piece; chord_piece: (chords,); chord_edges: (pieces + 1,)
    """

    notes: Table
    onset: NDArray[np.int64]
    pitch: NDArray[np.int64]
    piece: NDArray[np.int64]
    edges: NDArray[np.int64]
    place: NDArray[np.int64]
    chord: NDArray[np.int64]
    start: NDArray[np.int64]
    step: NDArray[np.int64]
    chord_piece: NDArray[np.int64]
    chord_edges: NDArray[np.int64]


def seen(pieces: Sequence[Table]) -> tuple[Array, Array]:
    """What there is to see of some pieces.

    pieces: (notes, 4) each, int32, in order of onset
    returns: (pieces, longest, SEEN), float32, and (pieces, longest), 1 for notes, 0 where a piece is shorter
    """
    longest = max(len(each) for each in pieces)
    laid = _laid_out(pieces, longest)
    found = np.zeros((len(pieces) * longest, SEEN), np.float32)
    mask = np.zeros(len(found), np.float32)
    mask[laid.place] = 1
    _near(laid, found)
    found[laid.place, NEAR:] = np.concatenate([_far(laid), _pulse(laid), _echo(laid), _beside(laid)], axis=1)
    return found.reshape(len(pieces), longest, SEEN), mask.reshape(len(pieces), longest)


def _laid_out(pieces: Sequence[Table], longest: int) -> _Pieces:
    counts = np.array([len(each) for each in pieces])
    edges = np.concatenate([[0], np.cumsum(counts)])
    piece = np.repeat(np.arange(len(pieces)), counts)
    notes = np.concatenate(pieces)
    onset = notes[:, ONSET].astype(np.int64)
    first, last = onset[edges[:-1]], onset[edges[1:] - 1]
    onset += (np.cumsum(last - first + APART_MS) - last)[piece]
    chord, begins = clusters(onset)
    start = onset[begins]
    return _Pieces(
        notes,
        onset,
        notes[:, PITCH].astype(np.int64),
        piece,
        edges,
        np.arange(len(notes)) + (np.arange(len(pieces)) * longest - edges[:-1])[piece],
        chord,
        start,
        np.minimum(np.diff(start, append=start[-1] + FARTHEST_MS), FARTHEST_MS),
        piece[begins],
        np.append(chord[edges[:-1]], len(begins)),
    )


def _pairs(onset: NDArray[np.int64], farthest: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(pairs,) each: what comes first, and what comes after it, `farthest` ms later at most."""
    count = np.searchsorted(onset, onset + farthest, side="right") - np.arange(1, len(onset) + 1)
    first = np.repeat(np.arange(len(onset)), count)
    return first, np.arange(len(first)) + (np.arange(1, len(onset) + 1) - np.cumsum(count) + count)[first]


def _near(laid: _Pieces, found: Array) -> None:
    """Goes into the first NEAR columns of what is found."""
    first, second = _pairs(laid.onset, FARTHEST_MS)
    kept = np.flatnonzero(np.abs(laid.pitch[second] - laid.pitch[first]) <= REACH)
    first, second = first[kept], second[kept]
    end, now = laid.onset + laid.notes[:, DURATION], laid.onset[second]
    later = now - laid.onset[first]
    unison = laid.place * SEEN + REACH - laid.pitch  # of a note's row, less its pitch
    of_first, of_second = unison[first] + laid.pitch[second], unison[second] + laid.pitch[first]
    rings = (later > 0) & (end[first] > now)
    places = [of_first + _AFTER[later], of_second + _BEFORE[later], of_second[rings] + (TIMES - 1) * INTERVALS]
    place, counted = np.concatenate(places), found.reshape(-1)
    np.add.at(counted, place, np.float32(1))
    counted[place] = np.sqrt(np.minimum(counted[place], MOST))


def _far(laid: _Pieces) -> Array:
    count = len(laid.pitch)
    first, end = laid.edges[:-1][laid.piece], laid.edges[1:][laid.piece]
    before = np.zeros((count + 1, 12), np.float32)
    before[np.arange(1, count + 1), laid.pitch % 12] = 1
    own = before[1:].copy()
    np.cumsum(before, axis=0, out=before)
    past = np.searchsorted(laid.onset, laid.onset - FARTHEST_MS)
    coming = np.searchsorted(laid.onset, laid.onset + FARTHEST_MS, side="right")
    whole = before[end] - before[first]
    turned = np.arange(count)[:, None] * 12 + (laid.pitch[:, None] + np.arange(12)) % 12
    heard = (
        (before[past] - before[first], past - first),
        (before[end] - before[coming], end - coming),
        (whole - own, end - first - 1),
    )
    shares = [each.ravel()[turned] / np.maximum(number, 1).astype(np.float32)[:, None] for each, number in heard]
    return np.concatenate(shares, axis=1) * 3


def _pulse(laid: _Pieces) -> Array:
    low, high = np.log(PULSE_MS)
    first, second = _pairs(laid.start, int(PULSE_MS[1]) - 1)
    far = np.log(laid.start[second] - laid.start[first])
    stretch = np.clip(((far - low) / (high - low) * PULSES).astype(np.int64), 0, PULSES - 1)
    places = np.concatenate([second * PULSE + stretch, first * PULSE + PULSES + stretch])
    found = np.bincount(places, minlength=len(laid.start) * PULSE).reshape(len(laid.start), PULSE)
    return np.sqrt(np.minimum(found, MOST)).astype(np.float32)[laid.chord]


def _echo(laid: _Pieces) -> Array:
    counts = np.diff(laid.chord_edges)
    piece, number = laid.chord_piece, np.arange(len(laid.start)) - laid.chord_edges[laid.chord_piece]
    keys, classes = np.zeros((len(laid.start), 128), np.float32), np.zeros((len(laid.start), 12), np.float32)
    keys[laid.chord, laid.pitch] = 1
    classes[laid.chord, laid.pitch % 12] = 1
    step = np.log2(np.clip(laid.step, *STEPS_MS)).astype(np.float32)
    there_is = np.arange(counts.max()) < counts[:, None]
    shape = there_is.shape
    held, stepped = np.zeros((*shape, 12), np.float32), np.zeros(shape, np.float32)
    held[piece, number], stepped[piece, number] = classes, step
    both, size = held @ held.transpose(0, 2, 1), held.sum(2)
    chords = both / np.maximum(size[:, :, None] + size[:, None] - both, 1)
    steps = np.exp(-(((stepped[:, :, None] - stepped[:, None]) / ALIKE_OCTAVES) ** 2))
    steps *= there_is[:, :, None]
    (before, after), (step_before, step_after) = _around(chords), _around(steps)
    chord, rhythm = before + after, step_before + step_after
    places = np.arange(shape[1])
    too_near = np.where(np.abs(places[None] - places[:, None]) < ELSEWHERE, np.float32(-9), np.float32(0))
    allowed = np.where(there_is[:, None], too_near, np.float32(-99))
    scores = (before, after, chord + chords, rhythm, chord + rhythm)
    best = np.stack([(score + allowed).argmax(2)[piece, number] for score in scores])
    there = laid.chord_edges[piece] + best
    at = [each[piece, number, best] for each in (before, chords, after, step_before, steps, step_after)]
    at += [np.clip(each - each[there], -2, 2) for each in (step, np.roll(step, 1))]
    there = there[:, laid.chord]
    again = classes[there, laid.pitch % 12]
    beside = np.maximum(classes[there, (laid.pitch + 1) % 12], classes[there, (laid.pitch - 1) % 12])
    found = [*np.stack(at)[:, :, laid.chord], keys[there, laid.pitch], again, beside * (1 - again)]
    return np.stack(found).transpose(2, 1, 0).reshape(len(laid.pitch), ECHO)


def _around(alike: Array) -> tuple[Array, Array]:
    """(pieces, chords, chords): how alike on average those before two chords are, and those after them."""
    count = alike.shape[1]
    padded = np.pad(alike, ((0, 0), (AROUND, AROUND), (AROUND, AROUND)))
    totals = []
    for side in (range(-AROUND, 0), range(1, AROUND + 1)):
        total = np.zeros_like(alike)
        for k in side:
            total += padded[:, AROUND + k : AROUND + k + count, AROUND + k : AROUND + k + count]
        totals.append(total / np.float32(AROUND))
    return totals[0], totals[1]


def _beside(laid: _Pieces) -> Array:
    which = laid.chord
    steps = np.log2(np.clip(np.append(FARTHEST_MS, laid.step), *STEPS_MS) / 500)
    before, after = steps[:-1][which], steps[1:][which]
    octaves = np.log2(np.clip(laid.notes[:, DURATION], 15, 8000) / 500)
    velocity = laid.notes[:, VELOCITY].astype(float)
    loudness = _mean(velocity, laid)
    deviation = np.sqrt(np.maximum(_mean(velocity**2, laid) - loudness**2, 0))
    chord, lower = np.bincount(which)[which], _lower(laid)
    features = [
        before,
        after,
        after - before,
        octaves,
        octaves - _median(octaves, laid),
        np.clip(octaves - after, -3, 3),
        (velocity - loudness) / np.maximum(deviation, 8.0),
        (laid.pitch - _mean(laid.pitch, laid)) / 12,
        np.minimum(chord, 8) / 4,
        lower / 4,
        lower == 0,
        lower == chord - 1,
        (laid.onset - laid.start[which]) / 30,
        chord == 1,
    ]
    return np.stack(features, axis=1).astype(np.float32)


def _mean(values: NDArray[Any], laid: _Pieces) -> NDArray[np.float64]:
    """(notes,): the mean of each one's piece."""
    sums: NDArray[np.float64] = np.add.reduceat(values, laid.edges[:-1], dtype=np.float64)
    return (sums / np.diff(laid.edges))[laid.piece]


def _median(values: NDArray[np.float64], laid: _Pieces) -> NDArray[np.float64]:
    """(notes,): the median of each one's piece."""
    ordered = values[np.lexsort((values, laid.piece))]
    twice = laid.edges[:-1] + laid.edges[1:]
    medians: NDArray[np.float64] = (ordered[(twice - 1) // 2] + ordered[twice // 2]) / 2
    return medians[laid.piece]


def _lower(laid: _Pieces) -> NDArray[np.int64]:
    """(notes,): how many notes of its chord lie below each."""
    order = np.lexsort((laid.pitch, laid.chord))
    found = np.empty(len(order), np.int64)
    found[order] = np.arange(len(order)) - np.searchsorted(laid.chord, laid.chord)
    return found
