"""Examples for critics: stretches of real pieces, each with a spoilt twin.

Both are changed in the same harmless way: one line alone, even steps, tempo, rubato, loudness, legato, octave
doublings, what a transcriber does (notes missed, times shaken, octaves mistaken). So the critic learns that these are
no fault, and real and spoilt differ in nothing but what `critique.corrupt` did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit.critique.corrupt import KINDS, clusters, corrupt, settled
from clefkit.critique.infer import MARKS, REACH
from clefkit.critique.table import DURATION, ONSET, PITCH, VELOCITY, Table
from clefkit.train.pieces import Piece

SHORTEST_MS, LONGEST_MS = 8_000, 30_000
MOST_NOTES = 320
LEAST_NOTES = 12
KINDS_SHARE = {"shuffle": 0.5, "off-key": 0.13, "noise": 0.12, "rhythm": 0.17, "stray": 0.08}
SEVERE = 0.25  # of the other kinds
UNBENT = 0.4  # of rhythms: notes keep their length in seconds
EVEN = 0.1  # of the stretches, but for rhythms
EVEN_MS = (250, 900)
TEMPO_OCTAVES = (-0.6, 1.0)  # how much faster
RUBATO_MS = (800, 5000)  # between changes of tempo
RUBATO_OCTAVES = (0.03, 0.3)  # their standard deviation
WRITTEN = 0.35  # of the stretches are from scores


class Marked(NamedTuple):
    """Notes, and what is wrong with each.

    notes: (notes, 4): onset and duration in ms, pitch, velocity
    marks: (notes, 3): pitch is not the piece's, time is not, a phrase begins that doesn't follow
    shift: (notes,), semitones to the right pitch + 12, or -1 where nobody knows
    """

    notes: NDArray[Any]
    marks: NDArray[np.bool_]
    shift: NDArray[np.int64]

    def take(self, chosen: NDArray[Any]) -> Marked:
        """Some of the notes, by a mask or by indices."""
        return Marked(self.notes[chosen], self.marks[chosen], self.shift[chosen])


class Example(NamedTuple):
    """A stretch, or its twin. kind: index into KINDS; severity: 0 to 1, 0 for a real one"""

    marked: Marked
    kind: int
    severity: float


class Stock(NamedTuple):
    """Pieces by collection, with how often each is drawn."""

    groups: Sequence[Sequence[Piece]]
    odds: NDArray[np.float64]


def stock(pieces: Sequence[Piece], split: str, shares: Mapping[str, float]) -> Stock:
    """The pieces of a split that may be drawn; scores and performances of a collection apart.

    shares: by collection, relative
    """
    groups, odds = [], []
    for collection, portion in shares.items():
        mine = [piece for piece in pieces if piece.collection == collection and piece.split == split]
        written = [piece for piece in mine if piece.domain == "score"]
        played = [piece for piece in mine if piece.domain == "performance"]
        both = bool(written) and bool(played)
        for group, often in ((written, WRITTEN if both else 1.0), (played, 1 - WRITTEN if both else 1.0)):
            if group:
                groups.append(group)
                odds.append(portion * often)
    return Stock(groups, np.array(odds) / sum(odds))


def pair(found: Stock, generator: Generator, longest_ms: int = LONGEST_MS) -> tuple[Example, Example]:
    """A stretch of real music, and its spoilt twin. longest_ms: of the stretch; the shortest is 8 s"""
    while True:
        group = found.groups[int(generator.choice(len(found.groups), p=found.odds))]
        piece = group[int(generator.integers(len(group)))]
        faster = float(2 ** generator.uniform(*TEMPO_OCTAVES)) if generator.random() < 0.7 else 1.0
        stretch = cut(piece.notes, int(generator.uniform(SHORTEST_MS, longest_ms) * faster), generator)
        if len(stretch) >= LEAST_NOTES:
            break
    kind = str(generator.choice(list(KINDS_SHARE), p=list(KINDS_SHARE.values())))
    severity = _severity(kind, generator)
    if kind != "rhythm" and generator.random() < EVEN:
        stretch = evened(stretch, float(generator.uniform(*EVEN_MS)))
        stretch, faster = stretch[stretch[:, ONSET] <= longest_ms], 1.0
    stretch = prepared(stretch, faster, generator)
    return twins(stretch, kind, severity, generator)


def _severity(kind: str, generator: Generator) -> float:
    """Any of a shuffle; of the others more often a mild one, which is hard to hear."""
    if kind == "shuffle":
        return float(generator.uniform(0.02, 1))
    if generator.random() < SEVERE:
        return float(generator.uniform(0.4, 1))
    return float(0.02 + 0.8 * generator.random() ** 1.7)


def twins(
    stretch: Table, kind: str, severity: float, generator: Generator, *, harmless: bool = True
) -> tuple[Example, Example]:
    """A stretch and what a kind of corruption makes of it, both changed harmlessly in the same way."""
    spoilt = corrupt(stretch, kind, severity, generator)
    if kind == "rhythm" and harmless and generator.random() < UNBENT:
        spoilt.notes[:, DURATION] = stretch[spoilt.source, DURATION]
        spoilt = spoilt._replace(notes=settled(spoilt.notes))
    count = len(stretch)
    marks = np.zeros((count, len(MARKS)), dtype=bool)
    shift = np.full(count, REACH)
    real = Marked(settled(stretch), marks, shift)
    twin = Marked(spoilt.notes, marks.copy(), shift.copy())
    if kind == "shuffle":
        twin.marks[:, MARKS.index("order")] = spoilt.seam
    else:
        twin.marks[:, MARKS.index("time" if kind == "rhythm" else "pitch")] = spoilt.changed
    if kind in ("off-key", "noise"):
        twin.shift[:] += stretch[spoilt.source, PITCH] - spoilt.notes[:, PITCH]
    elif kind == "stray":
        twin.shift[spoilt.changed] = -1
    number, seed = list(KINDS).index(kind), int(generator.integers(2**32))
    found = [(real, 0.0), (twin, severity)]
    if harmless:
        found = [(heard(each, np.random.default_rng(seed)), level) for each, level in found]
    first, second = (Example(each, number, level) for each, level in found)
    return first, second


def cut(notes: Table, length_ms: int, generator: Generator) -> Table:
    """The notes that begin in a stretch of a piece, at most MOST_NOTES."""
    last = max(int(notes[-1, ONSET]) - length_ms, int(notes[0, ONSET]))
    start = int(generator.integers(notes[0, ONSET], last + 1))
    first, end = np.searchsorted(notes[:, ONSET], [start, start + length_ms])
    return notes[first : min(end, first + MOST_NOTES)].copy()


def prepared(notes: Table, faster: float, generator: Generator) -> Table:
    """Harmless changes of the music itself, before it is spoilt: one line alone, tempo, rubato."""
    if generator.random() < 0.15:
        alone = notes[line(notes, top=bool(generator.random() < 0.8))]
        notes = alone if len(alone) >= LEAST_NOTES else notes
    knots = np.array([notes[0, ONSET], (notes[:, ONSET] + notes[:, DURATION]).max()], float)
    pace = np.full(2, 1 / faster)
    if generator.random() < 0.35:
        knots = np.arange(knots[0], knots[1] + 2 * RUBATO_MS[1], generator.uniform(*RUBATO_MS))
        pace = 2 ** generator.normal(0, generator.uniform(*RUBATO_OCTAVES), len(knots)) / faster
    elif faster == 1:
        return notes
    return bent(notes, knots, pace)


def evened(notes: Table, step_ms: float) -> Table:
    """One step from each onset to the next, as in a hymn: what is left to hear is pitch."""
    which, first = clusters(notes[:, ONSET])
    starts = notes[first, ONSET].astype(np.float64)
    even = step_ms * np.arange(len(starts))
    past = notes[:, ONSET] + notes[:, DURATION] - starts[-1]
    ends = np.interp(notes[:, ONSET] + notes[:, DURATION], starts, even) + np.maximum(past, 0)
    found = notes.copy()
    found[:, ONSET] = np.rint(even[which])
    found[:, DURATION] = np.maximum(1, np.rint(ends) - found[:, ONSET])
    return found[np.lexsort((found[:, PITCH], found[:, ONSET]))]


def bent(notes: Table, knots: NDArray[np.float64], pace: NDArray[np.float64]) -> Table:
    """In another tempo: at times `knots` a millisecond takes `pace` milliseconds, changing evenly between them."""
    passed = np.concatenate([[0.0], np.cumsum(np.diff(knots) * (pace[1:] + pace[:-1]) / 2)])

    def at(times: NDArray[np.int32]) -> NDArray[np.float64]:
        place = np.clip(np.searchsorted(knots, times, side="right") - 1, 0, len(knots) - 2)
        into = times - knots[place]
        slope = (pace[place + 1] - pace[place]) / (knots[place + 1] - knots[place])
        found: NDArray[np.float64] = passed[place] + pace[place] * into + slope * into**2 / 2
        return found

    found = notes.copy()
    found[:, ONSET] = np.rint(at(notes[:, ONSET]))
    found[:, DURATION] = np.maximum(1, np.rint(at(notes[:, ONSET] + notes[:, DURATION])) - found[:, ONSET])
    return found


def line(notes: NDArray[Any], *, top: bool) -> NDArray[np.int64]:
    """Which notes are the highest or lowest of their onset, without those that begin under, or over, one that still
    sounds."""
    kept: list[int] = []
    sign = 1 if top else -1
    for index, (onset, _, pitch, _) in enumerate(notes.tolist()):
        if kept:
            before = notes[kept[-1]]
            if onset - before[ONSET] < 60:
                if sign * pitch > sign * before[PITCH]:
                    kept[-1] = index
                continue
            if onset < before[ONSET] + before[DURATION] - 60 and sign * pitch < sign * before[PITCH]:
                continue
        kept.append(index)
    return np.array(kept, np.int64)


def heard(marked: Marked, generator: Generator) -> Marked:
    """Harmless changes after it was spoilt: loudness, articulation, doublings, what a transcriber makes of it."""
    notes = marked.notes.astype(np.float64)
    count = len(notes)
    if generator.random() < 0.35:
        notes[:, VELOCITY] = 80
    elif generator.random() < 0.3:
        notes[:, VELOCITY] = np.clip(notes[:, VELOCITY] + generator.normal(0, 10, count), 1, 127)
    style = generator.random()
    if style < 0.1:
        notes[:, DURATION] *= generator.uniform(0.3, 1)
    elif style < 0.3:
        notes[:, DURATION] *= np.exp(generator.normal(0, generator.uniform(0.1, 0.5), count))
    kept = np.ones(count, dtype=bool)
    if generator.random() < 0.3:
        notes[:, ONSET] += generator.normal(0, generator.uniform(3, 25), count)
        kept = generator.random(count) >= generator.uniform(0, 0.1)
        mistaken = generator.random(count) < generator.uniform(0, 0.02)
        notes[:, PITCH] += 12 * mistaken * generator.choice([-1, 1], count)
    elif generator.random() < 0.3:
        grid = float(generator.choice([5, 10, 20]))
        notes[:, ONSET] = np.rint(notes[:, ONSET] / grid) * grid
    if kept.sum() < LEAST_NOTES // 2:
        kept[:] = True
    changed = marked._replace(notes=notes).take(kept)
    doubling = generator.random()
    if doubling < 0.15:
        changed = _doubled(changed, generator)
    elif doubling < 0.3:
        changed = _struck_again(changed, generator)
    table = np.rint(changed.notes).astype(np.int32)
    table[:, DURATION] = np.maximum(table[:, DURATION], 1)
    table[:, ONSET] -= table[:, ONSET].min()
    changed = changed._replace(notes=table).take(np.lexsort((table[:, PITCH], table[:, ONSET])))
    return changed._replace(notes=settled(changed.notes))


def _doubled(marked: Marked, generator: Generator) -> Marked:
    """Some notes, or the highest or lowest line, again, an octave higher or lower."""
    if generator.random() < 0.5:
        top = bool(generator.random() < 0.5)
        copies, by = marked.take(line(marked.notes, top=top)), 12 if top else -12
    else:
        copies = marked.take(generator.random(len(marked.notes)) < generator.uniform(0.1, 1))
        by = 12 * int(generator.choice([-1, 1]))
    moved = copies.notes.copy()
    moved[:, PITCH] += by
    return _joined(marked, copies._replace(notes=moved).take((moved[:, PITCH] >= 21) & (moved[:, PITCH] <= 108)))


def _struck_again(marked: Marked, generator: Generator) -> Marked:
    """Some long notes as two."""
    notes = marked.notes
    chosen = (generator.random(len(notes)) < generator.uniform(0.05, 0.4)) & (notes[:, DURATION] > 200)
    second = marked.take(chosen)
    half = np.rint(second.notes[:, DURATION] / 2)
    late = second.notes.copy()
    late[:, ONSET] += half
    late[:, DURATION] -= half
    marks = second.marks.copy()
    marks[:, MARKS.index("order")] = False  # the seam is where it was
    first = notes.copy()
    first[chosen, DURATION] = half - 10
    return _joined(marked._replace(notes=first), Marked(late, marks, second.shift))


def _joined(first: Marked, second: Marked) -> Marked:
    return Marked(
        np.concatenate([first.notes, second.notes]),
        np.concatenate([first.marks, second.marks]),
        np.concatenate([first.shift, second.shift]),
    )
