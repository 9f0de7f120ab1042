"""A score as MV2H compares it: notes, tatums, metrical hierarchies and keys, in whole milliseconds.

The conventions are those of the numbers in print, made with MuseScore's MIDI and the converter of the Java tool
(A. McLeod and M. Steedman, "Evaluating automatic polyphonic music transcription", ISMIR 2018; MV2H 2.2):

- Tied notes are one. A voice is a staff, for MuseScore writes each staff to a MIDI track of its own.
- A tatum is a sub beat: half a beat, a third of one in 6/8, 9/8, 12/8 and the like; 3/4 and 3/8 have three beats.
- Keys are key signatures, each as its major key: neither MuseScore's MIDI nor the older MusicXML converter tells modes.
  A score starts in C when it does not say otherwise. (The Java converter keeps the last key only; here all count.)
- Chord symbols are not looked at.

What that way loses is kept: a pickup is an anacrusis, a bar that a repeat cuts in two is one, and other bars that are
shorter or longer than their time signature begin at their bar line. Grace notes, which MuseScore plays as short notes,
have no time of their own and are left out; ornaments are not played.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import accumulate
from typing import NamedTuple

from clefkit.errors import InputError
from clefkit.notation.model import Measure, Note, Score
from clefkit.score.notation import mv2h

MOST_TATUMS = 1_000_000
WRITTEN_MS = 500  # a quarter, as MIDI has it where no tempo is said
Clock = Callable[[Fraction], float]  # milliseconds from quarters


class Held(NamedTuple):
    """A note with all that is tied to it."""

    note: Note
    end: Fraction


def written(quarters: Fraction) -> float:
    """The clock of a score whose tempo does not count: 120 quarters a minute."""
    return float(quarters * WRITTEN_MS)


def by_tempo(score: Score) -> Clock:
    """The clock that the tempos of a score set; 120 quarters a minute before the first."""
    marks = [(Fraction(0), float(WRITTEN_MS)), *((t.onset, 60_000 / t.quarters_per_minute) for t in score.tempos)]
    starts = [onset for onset, _ in marks]
    steps = [float(after - before) * ms for (before, ms), after in zip(marks, starts[1:], strict=False)]
    times = list(accumulate(steps, initial=0.0))

    def clock(quarters: Fraction) -> float:
        place = max(bisect_right(starts, quarters) - 1, 0)
        return times[place] + float(quarters - starts[place]) * marks[place][1]

    return clock


def by_points(points: Sequence[tuple[float, float]]) -> Clock:
    """The clock through points (quarters, seconds): two at least, of rising quarters; straight between and beyond."""
    starts = [quarters for quarters, _ in points]

    def clock(quarters: Fraction) -> float:
        place = min(max(bisect_right(starts, quarters) - 1, 0), len(points) - 2)
        (first, start_s), (second, end_s) = points[place], points[place + 1]
        return 1000 * (start_s + (float(quarters) - first) * (end_s - start_s) / (second - first))

    return clock


def held(score: Score) -> list[Held]:
    """All full notes, tied ones joined, by onset, pitch, part and staff."""
    rows: list[Held] = []
    waiting: dict[tuple[int, float, Fraction], list[int]] = defaultdict(list)  # (part, pitch, end) -> rows tied on
    for note in sorted((n for n in score.notes if not n.grace and n.duration > 0), key=_order):
        end = note.onset + note.duration
        tied = waiting[note.part, note.pitch, note.onset] if note.tie_stop else []
        if tied:
            place = tied.pop(0)
            rows[place] = Held(rows[place].note, end)
        else:
            place = len(rows)
            rows.append(Held(note, end))
        if note.tie_start:
            waiting[note.part, note.pitch, end].append(place)
    return rows


def _order(note: Note) -> tuple[Fraction, float, int, int]:
    return note.onset, note.pitch, note.part, note.staff


def music(score: Score, clock: Clock = written) -> mv2h.Music:
    """The score as it is, repeats not played (`played.unfolded` does that before).

    clock: when a place is
    raises: InputError when its measures last longer than a million tatums
    """

    def at(quarters: Fraction) -> int:
        return math.floor(clock(quarters) + 0.5)

    rows = held(score)
    staves = {place: index for index, place in enumerate(sorted({(r.note.part, r.note.staff) for r in rows}))}
    notes = [mv2h.Note(round(n.pitch), at(n.onset), at(n.onset), at(end), staves[n.part, n.staff]) for n, end in rows]
    bars = list(_bars(score.measures))
    tatums = sorted({at(time) for bar in bars for time in bar.tatums})
    hierarchies = [bar.hierarchy(at(bar.tatums[0])) for bar in bars if bar.starts]
    keys = [mv2h.Key(fifths * 7 % 12, major=True, time=at(onset)) for onset, fifths in signatures(score)]
    return mv2h.Music(notes, tatums, hierarchies, keys, [])


def signatures(score: Score) -> list[tuple[Fraction, int]]:
    """Where another key signature begins, and its sharps (negative for flats); the first from the start on."""
    found = [(Fraction(0), 0)]
    for key in score.keys:
        if key.onset <= found[-1][0]:
            found[-1] = (found[-1][0], key.fifths)
        elif key.fifths != found[-1][1]:
            found.append((key.onset, key.fifths))
    return found


class _Bar(NamedTuple):
    """What lies between two bar lines.

    tatums: where they are, and the end; starts: it does not go on as the bar before it does; anacrusis: in tatums
    """

    beats: int
    sub_beats: int
    tatums: list[Fraction]
    starts: bool
    anacrusis: int

    def hierarchy(self, time: int) -> mv2h.Hierarchy:
        return mv2h.Hierarchy(self.beats, self.sub_beats, 1, self.anacrusis, time)


def _bars(measures: list[Measure]) -> Iterator[_Bar]:
    shape, place = (0, 0), Fraction(0)  # place: tatums of this bar that are over
    total = 0
    for measure in measures:
        if measure.length <= 0:
            continue
        count, kind = measure.time
        compound = count > 3 and count % 3 == 0
        beats, sub_beats = (count // 3, 3) if compound else (count, 2)
        size = Fraction(4, kind) if compound else Fraction(2, kind)
        full, length = beats * sub_beats, measure.length / size
        goes_on = shape == measure.time and (place == 0 or place + length == full)
        place = place if goes_on else Fraction(0)
        pickup = place == 0 and length < full and (measure.index == 0 or measure.implicit)
        total += math.ceil(length)
        if total > MOST_TATUMS:
            raise InputError(f"more than {MOST_TATUMS:,} beats: check the lengths of its measures")
        tatums = [measure.onset + step * size for step in range(math.ceil(length))]
        anacrusis = math.ceil(length) if pickup else 0
        end = measure.onset + length * size
        yield _Bar(beats, sub_beats, [*tatums, end], pickup or not goes_on, anacrusis)
        shape, place = measure.time, Fraction(0) if pickup else (place + length) % full
