"""Ways to spoil music, each by a severity, made so that counting can't tell: what is spoilt has to be heard.

    shuffle    phrases in another order, but for the first and the last. They are cut at onsets, where no note is held
               if there is such a place near by; no note is cut, and each phrase brings its own step to the next
    off-key    notes move by a semitone
    noise      notes take a strange pitch, up to 11 semitones away, where and as long and as loud as they were, in the
               register of notes that are like them
    rhythm     steps between onsets change places with near ones that are clearly longer or shorter, and the lengths of
               notes with them, where this bends the fewest notes that are held meanwhile
    stray      notes are dropped, as many come in anywhere

Severity is the share of notes (off-key, noise, stray) or steps (rhythm) that change; fewer do where there are not so
many that can. Of a shuffle it is the number of phrases, from four to one for each 1.5 s.

Published corruptions leak: the cut through all sounding notes at a seam, a higher count, other ranges of velocities,
even the rounding of times tell them from music without any hearing. Here the number of notes, their velocities, their
steps and articulation stay, and real and spoilt music take one and the same last step, `settled`. A test holds that a
boosted tree on statistics that know no relation between pitches stays at .60 AUC or under for the first three.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit.critique.table import DURATION, ONSET, PITCH, VELOCITY, Table

__all__ = ["DURATION", "KINDS", "ONSET", "PITCH", "VELOCITY", "Corrupted", "Table", "clusters", "corrupt", "settled"]

TOGETHER_MS = 60  # onsets nearer than this are one
LEAST_PHRASES = 4
PHRASE_MS = 1500  # of a phrase of the severest shuffle
CHOICES = 6  # that are drawn, to take the one whose seams are most like those that were
PITCHES = 128
FARTHEST = 11  # semitones, noise
ALIKE_VELOCITY, ALIKE_OCTAVES = 6.0, 0.5  # standard deviations: notes that are alike, but for their pitch
NEAR_NOTES = 1000  # before and after: among which notes that are alike are looked for
LEAST_ODDS = 0.01
BLURRED = np.exp(-0.5 * ((np.arange(PITCHES)[:, None] - np.arange(PITCHES)) / 3.0) ** 2)  # so much wipes out keys
NEAR_STEPS = 4
CLEARLY = 1.35  # times longer
GAP_MS = 30  # before a key is struck again, where the music itself doesn't say
USUAL_MS = 300  # longer gaps are rests
LEAST_MS = 15
ENDLESS_MS = 1_000_000_000


class Corrupted(NamedTuple):
    """Notes that were spoilt, in order of onset.

    notes: (notes, 4), int32: onset and duration in ms, pitch, velocity
    source: (notes,), which of the given notes each was; a stray note's is the one that lent its length and loudness
    changed: (notes,), bool: pitch or time is not what it was, or it is new
    seam: (notes,), bool: among the first of a phrase that doesn't follow what is before it
    """

    notes: Table
    source: NDArray[np.int64]
    changed: NDArray[np.bool_]
    seam: NDArray[np.bool_]


class _Onsets(NamedTuple):
    """Onsets, several notes that begin together being one.

    which: (notes,), the onset of each; start: (onsets,), ms, of its first note; spread: (onsets,), ms, up to its last
    """

    which: NDArray[np.int64]
    start: NDArray[np.int64]
    spread: NDArray[np.int64]


def corrupt(notes: Table, kind: str, severity: float, generator: Generator) -> Corrupted:
    """Spoil notes, and settle them.

    notes: (notes, 4), int32: onset and duration in ms, pitch, velocity; in order of onset
    kind: one of KINDS; severity: 0 to 1, more than 0
    """
    spoilt = KINDS[kind](settled(notes), severity, generator)
    order = np.lexsort((spoilt.notes[:, PITCH], spoilt.notes[:, ONSET]))
    return Corrupted(settled(spoilt.notes[order]), spoilt.source[order], spoilt.changed[order], spoilt.seam[order])


def settled(notes: Table) -> Table:
    """The last step of real and spoilt music alike: a key that is struck again was let go before, a little, or as long
    as it is elsewhere in this music."""
    order = np.lexsort((notes[:, ONSET], notes[:, PITCH]))
    lined = notes[order].astype(np.int64)
    place = (lined[:, PITCH] << 40) + lined[:, ONSET]
    after = np.searchsorted(place, place, side="right")  # of several that begin together, none is the next
    again = np.append(lined[:, PITCH], -1)[after] == lined[:, PITCH]
    step = np.append(lined[:, ONSET], 0)[after] - lined[:, ONSET]
    gap = step - lined[:, DURATION]
    known = gap[again & (gap >= 0) & (gap < USUAL_MS)]
    usual = int(np.median(known)) if len(known) else GAP_MS
    late = np.flatnonzero(again & (gap < 0))
    result = notes.copy()
    result[order[late], DURATION] = np.maximum(step[late] - usual, np.minimum(step[late], LEAST_MS))
    return result


def clusters(onset: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(notes,): which onset each note belongs to; those that follow within 60 ms of the last are one. (onsets,): the
    first note of each."""
    which = np.cumsum(np.diff(onset, prepend=onset[:1]) >= TOGETHER_MS, dtype=np.int64)
    return which, np.flatnonzero(np.diff(which, prepend=-1))


def _shuffle(notes: Table, severity: float, generator: Generator) -> Corrupted:
    onsets = _onsets(notes)
    which, starts, _ = onsets
    most = max(LEAST_PHRASES, float(starts[-1] - starts[0]) / PHRASE_MS)
    count = min(round(LEAST_PHRASES + severity * (most - LEAST_PHRASES)), len(starts))
    source, seam = np.arange(len(notes)), np.zeros(len(notes), dtype=bool)
    if count < LEAST_PHRASES:
        return Corrupted(notes, source, seam, seam)
    cuts, order = _phrases(notes, onsets, count, generator)
    edges = np.concatenate([[0], cuts, [len(starts) - 1]])
    lengths = np.diff(starts[edges])
    place = np.zeros(count, np.int64)
    place[order] = starts[0] + np.concatenate([[0], np.cumsum(lengths[order])[:-1]])
    moved = notes.copy()
    moved[:, ONSET] += (place - starts[edges[:-1]])[np.searchsorted(cuts, which, side="right")].astype(np.int32)
    seam = np.isin(which, cuts)
    return Corrupted(moved, source, seam, seam)


def _phrases(
    notes: Table, onsets: _Onsets, count: int, generator: Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(count - 1,): onsets at which phrases begin; (count,): their order.

    Of a few such choices it is the one in which as many notes are held over the seams as there were, and loudness and
    steps jump as much.
    """
    which, starts, _ = onsets
    held = _held(notes, starts)
    loud = np.bincount(which, notes[:, VELOCITY]) / np.bincount(which)
    step = np.log2(np.diff(starts, append=starts[-1] + PHRASE_MS))

    def misfit(choice: tuple[NDArray[np.int64], NDArray[np.int64]]) -> float:
        first, order = np.concatenate([[0], choice[0]]), choice[1]
        before, after = first[order[:-1] + 1], first[order[1:]]
        found = float(np.abs(held[before] - held[after]).sum())
        for column, unit in ((loud, 10.0), (step, 2.0)):
            was = np.abs(column[choice[0] - 1] - column[choice[0]]).sum()
            found += abs(float(np.abs(column[before - 1] - column[after]).sum() - was)) / unit
        return found

    choices = [(_cuts(starts, held, count, generator), _deranged(count, generator)) for _ in range(CHOICES)]
    return min(choices, key=misfit)


def _deranged(count: int, generator: Generator) -> NDArray[np.int64]:
    """An order in which no phrase comes after the one that it came after, the first is first and the last is last."""
    order = np.arange(count)
    while (np.diff(order) == 1).any():
        order[1:-1] = generator.permutation(order[1:-1])
    return order


def _onsets(notes: Table) -> _Onsets:
    which, first = clusters(notes[:, ONSET])
    start = notes[first, ONSET].astype(np.int64)
    return _Onsets(which, start, np.maximum.reduceat(notes[:, ONSET], first) - start)


def _held(notes: Table, starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(onsets,): how many notes go on at each, by more than players overlap them."""
    ends = np.sort(notes[:, ONSET] + np.maximum(notes[:, DURATION], TOGETHER_MS + 1))
    return np.searchsorted(notes[:, ONSET], starts) - np.searchsorted(ends, starts + TOGETHER_MS, side="right")


def _cuts(starts: NDArray[np.int64], held: NDArray[np.int64], count: int, generator: Generator) -> NDArray[np.int64]:
    """(count - 1,): onsets at which phrases begin, about as far from each other as chance has it, none at the first.

    Of those near by it is the one at which the fewest notes are held: others would sound with them after the shuffle.
    """
    spacing = np.ptp(starts) / count
    ideal = starts[0] + spacing * (np.arange(1, count) + generator.uniform(-0.35, 0.35, count - 1))
    nearest = np.clip(np.searchsorted(starts, ideal), 1, len(starts) - 1)
    bounds = np.searchsorted(starts, [ideal - spacing / 2, ideal + spacing / 2])
    found = np.unique(
        [
            first + np.argmin(held[first:end] + np.abs(starts[first:end] - at) / spacing) if end > first else near
            for at, near, first, end in zip(ideal, nearest, np.maximum(bounds[0], 1), bounds[1], strict=True)
        ]
    )
    rest = np.setdiff1d(np.arange(1, len(starts)), found)
    return np.sort(np.concatenate([found, generator.choice(rest, count - 1 - len(found), replace=False)]))


def _off_key(notes: Table, severity: float, generator: Generator) -> Corrupted:
    alike = np.ones(PITCHES)
    return _repitched(notes, severity, np.array([-1, 1]), lambda _: alike, generator)


def _noise(notes: Table, severity: float, generator: Generator) -> Corrupted:
    """Notes go where notes are that are about as long and as loud, if near: bass stays bass, a loud voice on top stays
    there, and no register thins out."""
    pitch, length, loud = notes[:, PITCH], np.log2(notes[:, DURATION]), notes[:, VELOCITY].astype(np.float64)

    def odds(index: int) -> NDArray[np.float64]:
        near = slice(max(0, index - NEAR_NOTES), index + NEAR_NOTES)
        longer, louder = length[near] - length[index], loud[near] - loud[index]
        weight = np.exp(-((longer / ALIKE_OCTAVES) ** 2 + (louder / ALIKE_VELOCITY) ** 2) / 2) + LEAST_ODDS
        weight[index - near.start] = 0  # itself
        return np.asarray(BLURRED @ np.bincount(pitch[near], weight, PITCHES), np.float64)

    far = np.arange(1, FARTHEST + 1)
    return _repitched(notes, severity, np.concatenate([-far, far]), odds, generator)


def _repitched(
    notes: Table,
    severity: float,
    intervals: NDArray[np.int64],
    odds: Callable[[int], NDArray[np.float64]],
    generator: Generator,
) -> Corrupted:
    """A share of the notes move by one of the intervals, never onto a pitch that sounds or did so before; the range
    stays what it is.

    odds: (PITCHES,), of each pitch for a note
    """
    wanted = max(1, round(severity * len(notes)))
    moved, changed = notes.copy(), np.zeros(len(notes), dtype=bool)
    pitch = moved[:, PITCH]
    low, high = int(pitch.min()), int(pitch.max())
    start, end = notes[:, ONSET], notes[:, ONSET] + notes[:, DURATION]
    first, last = np.searchsorted(start, start - notes[:, DURATION].max()), np.searchsorted(start, end)
    for index in generator.permutation(len(notes)).tolist():
        if wanted == 0:
            break
        now = int(pitch[index])
        if now in (low, high) and np.count_nonzero(pitch == now) == 1:
            continue
        near = slice(first[index], last[index])
        beside = end[near] > start[index]
        taken = {*pitch[near][beside].tolist(), *notes[near, PITCH][beside].tolist()}
        free = [each for each in (now + intervals).tolist() if low <= each <= high and each not in taken]
        if free:
            total = np.cumsum(odds(index)[free])
            pitch[index] = free[int(np.searchsorted(total, generator.random() * total[-1]))]
            changed[index] = True
            wanted -= 1
    return Corrupted(moved, np.arange(len(notes)), changed, np.zeros(len(notes), dtype=bool))


def _rhythm(notes: Table, severity: float, generator: Generator) -> Corrupted:
    onsets = _onsets(notes)
    which, starts = onsets.which, onsets.start
    steps, ends = np.diff(starts), notes[:, ONSET].astype(np.int64) + notes[:, DURATION]
    ending = np.searchsorted((starts[1:] + starts[:-1]) / 2, ends)  # the onset nearest to each end
    held = ending > which + 1
    order = np.arange(len(steps))
    for one, other in _swaps(onsets, held, ending, max(2, round(severity * len(steps))), generator):
        order[[one, other]] = other, one
    bent = starts[0] + np.concatenate([[0], np.cumsum(steps[order])])
    half = np.concatenate([[0], np.diff(bent) // 2, [ENDLESS_MS]])
    past = np.clip(ends - starts[ending], -half[ending], half[ending + 1])
    moved = notes.copy()
    moved[:, ONSET] += (bent - starts)[which].astype(np.int32)
    moved[held, DURATION] = (bent[ending] + past - moved[:, ONSET])[held]
    taken = order != np.arange(len(steps))
    for one in np.flatnonzero(taken).tolist():
        mine, theirs = (np.flatnonzero((which == each) & ~held) for each in (one, order[one]))
        moved[mine, DURATION] = _relengthened(
            notes[mine, DURATION], notes[theirs, DURATION], int(steps[order[one]] - steps[one])
        )
    changed = np.concatenate([[False], taken])[which]
    return Corrupted(moved, np.arange(len(notes)), changed, np.zeros(len(notes), dtype=bool))


def _relengthened(mine: NDArray[np.int32], theirs: NDArray[np.int32], longer: int) -> NDArray[np.int32]:
    """Lengths of notes that begin together, about as long as those whose step they take.

    longer: by how much that step is; so much longer are they when there are no such notes
    """
    least = LEAST_MS
    if len(theirs) and len(mine):
        longer, least = int(np.median(theirs) - np.median(mine)), int(theirs.min())
    found: NDArray[np.int32] = np.maximum(mine + longer, least)
    return found


def _swaps(
    onsets: _Onsets, held: NDArray[np.bool_], ending: NDArray[np.int64], wanted: int, generator: Generator
) -> list[tuple[int, int]]:
    """Pairs of steps that change places, about `wanted` steps in all.

    Those first that bend the fewest notes held meanwhile, and before which about as many begin; by chance among these.
    held: (notes,), whether a note goes on past the next onset; ending: (notes,), the onset nearest to its end
    """
    steps = np.diff(onsets.start)
    count = len(steps)
    one = np.repeat(np.arange(count), NEAR_STEPS)
    other = one + np.tile(np.arange(1, NEAR_STEPS + 1), count)
    one, other = one[other < count], other[other < count]
    longer = np.maximum(steps[one], steps[other]) / np.minimum(steps[one], steps[other])
    fits = np.minimum(steps[one], steps[other]) >= np.maximum(onsets.spread[one], onsets.spread[other]) + TOGETHER_MS
    one, other = one[(longer > CLEARLY) & fits], other[(longer > CLEARLY) & fits]
    bent = np.cumsum(
        np.bincount(ending[held], minlength=count + 1) + np.bincount(onsets.which[held], minlength=count + 1)
    )
    size = np.bincount(onsets.which[~held], minlength=count + 1)
    cost = bent[other] - bent[one] + np.abs(size[one] - size[other]) + generator.random(len(one))
    taken, found = set[int](), list[tuple[int, int]]()
    for pair in zip(one[np.argsort(cost)].tolist(), other[np.argsort(cost)].tolist(), strict=True):
        if len(taken) + 1 >= wanted:
            break
        if not taken.intersection(pair):
            taken.update(pair)
            found.append(pair)
    return found


def _stray(notes: Table, severity: float, generator: Generator) -> Corrupted:
    count = min(max(1, round(severity * len(notes))), len(notes) - 1)
    kept = np.sort(generator.permutation(len(notes))[count:])
    lender = generator.integers(0, len(notes), count)
    found = np.concatenate([notes[kept], notes[lender]])
    changed = np.arange(len(found)) >= len(kept)
    found[changed, ONSET] = generator.integers(notes[0, ONSET], notes[-1, ONSET] + 1, count)
    start, end, pitch = found[:, ONSET], found[:, ONSET] + found[:, DURATION], found[:, PITCH]
    low, high = int(notes[:, PITCH].min()), int(notes[:, PITCH].max())
    for index in range(len(kept), len(found)):
        beside = (start[:index] < end[index]) & (end[:index] > start[index])
        taken = set(pitch[:index][beside].tolist())
        free = [each for each in range(low, high + 1) if each not in taken]
        pitch[index] = generator.choice(free or [low])
    return Corrupted(found, np.concatenate([kept, lender]), changed, np.zeros(len(found), dtype=bool))


KINDS: dict[str, Callable[[Table, float, Generator], Corrupted]] = {
    "shuffle": _shuffle,
    "off-key": _off_key,
    "noise": _noise,
    "rhythm": _rhythm,
    "stray": _stray,
}
