"""Which written notes of two scores belong together, and what is right about those that do.

Notes are matched by the longest common subsequence of their pitches, in the order of onset and pitch (J. W. Hunt and
M. D. McIlroy, "An algorithm for differential file comparison", 1976). So no note has to be where the reference has it,
and scores of other lengths and tempos can be compared; a note of another pitch is never a pair. Tied notes are one,
grace notes are left out. Pairs are also the points through which time in one score becomes time in the other.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from itertools import groupby, pairwise
from typing import TypeVar

from clefkit.notation.model import Note, Score
from clefkit.score.notation.music import Held, held, signatures

Value = TypeVar("Value")
Pair = tuple[Held, Held]  # of the reference, of the estimate


def pairs(reference: Score, estimate: Score) -> list[Pair]:
    """The notes that belong together, in order."""
    from rapidfuzz.distance import LCSseq

    sides = held(reference), held(estimate)
    pitches = [[round(2 * row.note.pitch) for row in side] for side in sides]
    found: list[Pair] = []
    for block in LCSseq.opcodes(*pitches):
        if block.tag == "equal":
            spans = sides[0][block.src_start : block.src_end], sides[1][block.dest_start : block.dest_end]
            found += zip(*spans, strict=True)
    return found


def pairs_in_place(reference: Score, estimate: Score) -> list[Pair]:
    """The same of scores of one length: notes belong together when pitch and onset are the same."""
    waiting: dict[tuple[Fraction, float], list[Held]] = defaultdict(list)
    for row in reversed(held(reference)):
        waiting[row.note.onset, row.note.pitch].append(row)
    rows = held(estimate)
    return [(queue.pop(), row) for row in rows if (queue := waiting[row.note.onset, row.note.pitch])]


def found(reference: Score, estimate: Score, matched: list[Pair]) -> dict[str, float]:
    """Every measure of pairs that makes sense for these two."""
    times = _times(matched)
    measured: dict[str, float | None] = {
        "voice_f1": _voices(matched),
        "staff_accuracy": _staves(reference, estimate, matched),
        "spelling_accuracy": _spelling(matched),
    }
    end = max((measure.onset + measure.length for measure in reference.measures), default=Fraction(0))
    meters = [[(measure.onset, measure.time) for measure in score.measures] for score in (reference, estimate)]
    measured["time_signature_accuracy"] = _agreement(meters[0], meters[1], times, end)
    if reference.keys:
        measured["key_accuracy"] = _agreement(signatures(reference), signatures(estimate), times, end)
    return {name: value for name, value in measured.items() if value is not None}


def _spelling(matched: list[Pair]) -> float | None:
    """The share of notes with the right letter. None when a side has no letters, as MIDI."""
    letters = [(one.note.step, other.note.step) for one, other in matched if one.note.step]
    if not any(other for _, other in letters):
        return None
    return sum(one == other for one, other in letters) / len(letters)


def _staves(reference: Score, estimate: Score, matched: list[Pair]) -> float | None:
    """The share of notes on the right staff, counted from the top of the score. None when a side has one staff."""
    sides = [_places(score) for score in (reference, estimate)]
    if min(map(len, sides)) < 2 or not matched:
        return None
    right = sum(
        sides[0][one.note.part, one.note.staff] == sides[1][other.note.part, other.note.staff] for one, other in matched
    )
    return right / len(matched)


def _places(score: Score) -> dict[tuple[int, int], int]:
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


def _times(matched: list[Pair]) -> list[tuple[Fraction, Fraction]]:
    """(time in the estimate, time in the reference) at pairs, both rising; one at least."""
    points: list[tuple[Fraction, Fraction]] = []
    for one, other in matched:
        point = other.note.onset, one.note.onset
        if not points or (point[0] > points[-1][0] and point[1] > points[-1][1]):
            points.append(point)
    return points or [(Fraction(0), Fraction(0))]


def _moved(time: Fraction, points: list[tuple[Fraction, Fraction]]) -> Fraction:
    """Time in the reference from time in the estimate: straight between points, as fast as written beyond them."""
    place = bisect_right(points, time, key=lambda point: point[0]) - 1
    if place < 0 or place == len(points) - 1:
        start, moved = points[max(place, 0)]
        return moved + time - start
    (start, moved), (end, moved_end) = points[place], points[place + 1]
    return moved + (time - start) * (moved_end - moved) / (end - start)


def _agreement(
    reference: Sequence[tuple[Fraction, Value]],
    estimate: Sequence[tuple[Fraction, Value]],
    points: list[tuple[Fraction, Fraction]],
    end: Fraction,
) -> float | None:
    """The share of the reference's duration in which both have the same value.

    reference, estimate: (time, value from there on), sorted, the first from the start on; None when nothing lasts
    """
    if not (reference and estimate and end > 0):
        return None
    moved = [(_moved(time, points), value) for time, value in estimate]
    edges = sorted({Fraction(0), end, *(time for time, _ in (*reference, *moved) if 0 < time < end)})
    same = Fraction(0)
    for start, stop in pairwise(edges):
        if _value(reference, start) == _value(moved, start):
            same += stop - start
    return float(same / end)


def _value(steps: Sequence[tuple[Fraction, Value]], time: Fraction) -> Value:
    return steps[max(bisect_right(steps, time, key=lambda step: step[0]) - 1, 0)][1]
