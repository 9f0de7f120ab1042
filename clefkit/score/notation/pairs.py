"""Which written notes of two scores belong together, and what is right about those that do.

Notes are matched by the longest common subsequence of their pitches, in the order of onset and pitch (J. W. Hunt and
M. D. McIlroy, "An algorithm for differential file comparison", 1976). So no note has to be where the reference has it,
and scores of other lengths and tempos can be compared; a note of another pitch is never a pair. Tied notes are one,
grace notes are left out.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np

from clefkit.notation.model import Note, Score
from clefkit.score.notation.music import Held, held

Pair = tuple[Held, Held]  # of the reference, of the estimate
Place = tuple[Fraction, float]  # onset, pitch
Places = dict[tuple[int, int], int]  # (part, staff) -> number from the top


def pairs(reference: Score, estimate: Score) -> list[Pair]:
    """The notes that belong together, in order."""
    from rapidfuzz.distance import LCSseq

    sides = _Sides(held(reference), held(estimate), _places(reference), _places(estimate))
    matched: list[tuple[int, int]] = []
    pitches = [[round(2 * row.note.pitch) for row in side] for side in (sides.reference, sides.estimate)]
    for block in LCSseq.opcodes(*pitches):
        if block.tag == "equal":
            spans = range(block.src_start, block.src_end), range(block.dest_start, block.dest_end)
            matched += zip(*spans, strict=True)
    return _seated(sides, matched)


def pairs_in_place(reference: Score, estimate: Score) -> list[Pair]:
    """The same of scores of one length: notes belong together when pitch and onset are the same."""
    sides = _Sides(held(reference), held(estimate), _places(reference), _places(estimate))
    unisons = _unisons(sides.reference)
    waiting = {place: iter(rows) for place, rows in unisons.items()}
    matched = []
    for index, row in enumerate(sides.estimate):
        match = next(waiting.get(_place(row), iter(())), None)
        if match is not None:
            matched.append((match, index))
    return _seated(sides, matched)


class _Sides(NamedTuple):
    """The notes of both sides, and the places of their staves."""

    reference: list[Held]
    estimate: list[Held]
    reference_places: Places
    estimate_places: Places


def _seated(sides: _Sides, matched: list[tuple[int, int]]) -> list[Pair]:
    """The pairs, those of unisons chosen so that staves agree: of two that sound the same, one may be missing."""
    unisons = _unisons(sides.reference), _unisons(sides.estimate)
    groups: dict[tuple[Place, Place], list[tuple[int, int]]] = defaultdict(list)
    for one, other in matched:
        groups[_place(sides.reference[one]), _place(sides.estimate[other])].append((one, other))
    taken = {one for one, _ in matched}, {other for _, other in matched}
    found = []
    for (here, there), group in groups.items():
        own = {one for one, _ in group}, {other for _, other in group}
        ones = [row for row in unisons[0][here] if row in own[0] or row not in taken[0]]
        others = [row for row in unisons[1][there] if row in own[1] or row not in taken[1]]
        found += sorted(_agreed(sides, ones, others)[: len(group)])
    return [(sides.reference[one], sides.estimate[other]) for one, other in found]


def _agreed(sides: _Sides, ones: list[int], others: list[int]) -> list[tuple[int, int]]:
    """Pairs of notes that sound the same, those on the same staff first."""
    found = []
    for one in [*ones]:
        note = sides.reference[one].note
        staff = sides.reference_places[note.part, note.staff]
        for other in others:
            note = sides.estimate[other].note
            if sides.estimate_places[note.part, note.staff] == staff:
                found.append((one, other))
                ones.remove(one)
                others.remove(other)
                break
    return found + list(zip(ones, others, strict=False))


def _place(row: Held) -> Place:
    return row.note.onset, row.note.pitch


def _unisons(rows: list[Held]) -> dict[Place, list[int]]:
    """Onset and pitch -> the notes there."""
    found: dict[Place, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        found[_place(row)].append(index)
    return found


def notes_right(reference: Score, estimate: Score, matched: list[Pair]) -> dict[str, float]:
    """What is right about matched notes: staves, and where both sides have letters (MIDI has none), voices, letters."""
    spelled = all(any(note.step for note in side.notes) for side in (reference, estimate))
    measured = {
        "voice_f1": _voices(matched) if spelled else None,
        "staff_accuracy": _staves(reference, estimate, matched),
        "spelling_accuracy": _spelling(matched) if spelled else None,
    }
    return {name: value for name, value in measured.items() if value is not None}


def _spelling(matched: list[Pair]) -> float | None:
    """The share of notes with the right letter. None when the reference has no letter to any."""
    letters = [(one.note.step, other.note.step) for one, other in matched if one.note.step]
    return sum(one == other for one, other in letters) / len(letters) if letters else None


def _staves(reference: Score, estimate: Score, matched: list[Pair]) -> float | None:
    """The share of notes on the right staff. None when a side has one staff.

    Staves belong together by their order; where one side has more, those are left over that cost the fewest notes: a
    song without the singer's staff still has a right and a left hand.
    """
    places = _places(reference), _places(estimate)
    if min(map(len, places)) < 2 or not matched:
        return None
    common = np.zeros([len(side) for side in places])
    for pair in matched:
        common[tuple(side[row.note.part, row.note.staff] for side, row in zip(places, pair, strict=True))] += 1
    if len(places[0]) > len(places[1]):
        common = common.T
    best = np.zeros(common.shape[1] + 1)  # notes of the staves so far, by how many of the other side are looked at
    for notes in common:
        best = np.concatenate([[-np.inf], np.maximum.accumulate(best[:-1] + notes)])
    return float(best[-1] / len(matched))


def _places(score: Score) -> Places:
    """(part, staff) -> place from the top, of all staves with notes."""
    return {staff: place for place, staff in enumerate(sorted({(note.part, note.staff) for note in score.notes}))}


def _voices(matched: list[Pair]) -> float | None:
    """F-measure of the steps that voices take from chord to chord; each step counts as one, however thick its chords.

    Steps within a measure of the reference only: the numbers of voices mean nothing beyond a bar line. None when no
    voice takes a step on either side.
    """
    measures = [pair[0].note.measure for pair in matched]
    one, other = (_steps([pair[side].note for pair in matched], measures) for side in (0, 1))
    whole = sum(one.values()) + sum(other.values())
    both = sum(min(weight, other.get(step, 0.0)) for step, weight in one.items())
    return min(2 * both / whole, 1.0) if whole else None


def _steps(notes: list[Note], measures: list[int]) -> dict[tuple[int, int], float]:
    """(number of a note, number of one in the next chord of its voice) -> its share of the step."""
    lines: dict[tuple[int, int, str, int], list[int]] = defaultdict(list)
    for index in sorted(range(len(notes)), key=lambda index: notes[index].onset):
        note = notes[index]
        lines[note.part, note.staff, note.voice, measures[index]].append(index)
    steps: dict[tuple[int, int], float] = {}
    for line in lines.values():
        chords = [list(chord) for _, chord in groupby(line, key=lambda index: notes[index].onset)]
        for chord, following in pairwise(chords):
            share = 1 / (len(chord) * len(following))
            steps |= {(start, end): share for start in chord for end in following}
    return steps
