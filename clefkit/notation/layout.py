"""A score as it is put on paper: for each part, measure and voice a sequence of chords, rests and grace notes.

The sequences are complete: gaps are filled with rests, durations that one head can't show become tied heads, notes that
overlap in one voice go to further voices, and what crosses a bar line is cut there and tied. Nothing here knows a file
format.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count, pairwise
from typing import NamedTuple

from clefkit.notation.model import Measure, Note, Score
from clefkit.notation.shapes import Shape, Shapes

ROUNDING = Fraction(1, 32)  # quarters: programs round, so this much past the bar line is not cut off and tied
MOST_TICKS = 720_720  # a quarter; the least number that 1 to 16 divide, for scores that no number near it fits
VOICES_OF_STAFF = 4  # the first staff has voices 1 to 4, as programs number them


@dataclass(slots=True)
class Head:
    """A written chord, rest or grace chord.

    onset, duration: ticks, from the start of the measure; a grace chord has duration 0
    notes: all of one stem, none for a rest
    first, last: whether it is the first or last of the tied heads that stand for its notes
    hidden: a rest that only fills a gap; whole: a rest for the whole measure
    tuplet: "start", "stop", "both" or "" where a bracket begins and ends
    """

    onset: int
    duration: int
    shape: Shape
    notes: list[Note] = field(default_factory=list)
    first: bool = True
    last: bool = True
    hidden: bool = False
    whole: bool = False
    tuplet: str = ""


class Line(NamedTuple):
    """One voice in one measure. voice: its number in the part; staff: where its rests stand."""

    voice: int
    staff: int
    heads: list[Head]


@dataclass(slots=True)
class Layout:
    """ticks: to a quarter; starts, lengths: of the measures, ticks; lines: [part][measure] -> its voices, top first."""

    ticks: int
    starts: list[int]
    lengths: list[int]
    lines: list[list[list[Line]]]
    clock: Clock

    def tick(self, time: Fraction) -> int:
        """Ticks from the start of the score."""
        return self.clock.tick(time)

    def staves(self, part: int) -> int:
        """How many staves a part has."""
        return max(line.staff for line in self.lines[part][0])


@dataclass(slots=True)
class _Chord:
    """Notes with one onset and one length, ticks from the start of the measure, before they become heads."""

    onset: int
    end: int
    notes: list[Note]
    first: bool
    last: bool


class _Key(NamedTuple):
    """A voice in a part. lane: 0 for what the source has, more for what overlaps in it."""

    staff: int
    lane: int
    rank: tuple[int, str]


def arrange(score: Score, *, by_staff: bool = False, most_ticks: int | None = None) -> Layout:
    """Lay out a score.

    by_staff: a voice that moves to another staff becomes a voice of that staff, and nothing lasts past its bar line;
        otherwise a voice keeps its line and its notes name their staff
    most_ticks: ticks a quarter if the exact number is higher; times are rounded to them
    """
    clock = Clock(score, most_ticks)
    starts = [clock.tick(measure.onset) for measure in score.measures]
    lengths = [clock.tick(m.onset + m.length) - start for m, start in zip(score.measures, starts, strict=True)]
    layout = Layout(clock.ticks, starts, lengths, [], clock)
    shares: list[list[Note]] = [[] for _ in score.parts]
    for note in score.notes:
        shares[note.part].append(note)
    breaks = [set[int]() for _ in score.parts]
    for fermata in score.fermatas:
        breaks[fermata.part] |= {clock.tick(fermata.onset), clock.tick(fermata.onset + fermata.duration)}
    for index, part in enumerate(score.parts):
        arranger = _Arranger(score.measures, layout, breaks[index], by_staff=by_staff)
        layout.lines.append(arranger.part(shares[index], part.staves))
    return layout


class Clock:
    """Fractions of quarters as whole ticks."""

    def __init__(self, score: Score, most: int | None) -> None:
        sizes = {time.denominator for time in _times(score)}
        sizes |= {measure.time[1] for measure in score.measures}
        exact = math.lcm(*sizes)
        self.ticks = exact if most is None or exact <= most else min(most, MOST_TICKS)
        self.exact = self.ticks == exact

    def tick(self, time: Fraction) -> int:
        if self.exact:
            return time.numerator * (self.ticks // time.denominator)
        return round(time * self.ticks)


def _times(score: Score) -> Iterable[Fraction]:
    for measure in score.measures:
        yield from (measure.onset, measure.length)
    for note in score.notes:
        yield from (note.onset, note.duration)
    for events in (score.tempos, score.dynamics, score.wedges, score.pedals, score.keys, score.clefs, score.texts):
        yield from (event.onset for event in events)
    yield from (wedge.end for wedge in score.wedges)
    yield from (swing.onset for swing in score.swings)
    for fermata in score.fermatas:
        yield from (fermata.onset, fermata.duration)


class _Arranger:
    """Lays out one part."""

    def __init__(self, measures: list[Measure], layout: Layout, breaks: set[int], *, by_staff: bool) -> None:
        self.measures = measures
        self.layout = layout
        self.shapes = Shapes(layout.ticks)
        self.breaks = breaks
        self.slack = 0 if by_staff else int(ROUNDING * layout.ticks)
        self.by_staff = by_staff
        self.homes: dict[str, int] = {}  # voice -> its staff, for voices that move between staves
        self.chords: dict[tuple[int, int, str], dict[tuple[int, int], _Chord]] = defaultdict(dict)
        self.graces: dict[tuple[int, int, str], list[Note]] = defaultdict(list)

    def part(self, notes: list[Note], staves: int) -> list[list[Line]]:
        """The lines of each measure."""
        staves = max([staves, *(note.staff for note in notes)])
        if not self.by_staff:
            self.homes = _homes(notes)
        for note in notes:
            key = (note.measure, self.homes.get(note.voice, note.staff), note.voice)
            if note.grace:
                self.graces[key].append(note)
            else:
                self._cut(note, key)
        content: list[list[tuple[_Key, list[Head]]]] = [[] for _ in self.measures]
        for place, staff, voice in sorted(self.chords.keys() | self.graces.keys()):
            content[place] += self._lanes(place, staff, voice)
        numbers = _numbers((key for lines in content for key, _ in lines), staves)
        return [self._measure(place, lines, numbers, staves) for place, lines in enumerate(content)]

    def _cut(self, note: Note, key: tuple[int, int, str]) -> None:
        """Put a note into its measure, and what lasts past the bar line into the next ones."""
        tick, starts, lengths = self.layout.clock.tick, self.layout.starts, self.layout.lengths
        begin, end = tick(note.onset), tick(note.onset + note.duration)
        first = True
        for place in range(note.measure, len(starts)):
            edge = starts[place] + lengths[place]
            goes_on = end > edge + self.slack and place + 1 < len(starts)
            if self.by_staff and place + 1 < len(starts) and end - edge <= ROUNDING * self.layout.ticks:
                goes_on = False  # rounding: cut off
            until = edge if goes_on or (self.by_staff and end > edge) else end
            if until > begin:
                onset, stop = begin - starts[place], until - starts[place]
                chord = self.chords[place, key[1], key[2]].setdefault(
                    (onset, stop), _Chord(onset, stop, [], first, not goes_on)
                )
                if (chord.first, chord.last) == (first, not goes_on):
                    chord.notes.append(note)
                else:  # a note that was cut and one that was not, with the same place: two stems
                    self._beside(place, key, _Chord(onset, stop, [note], first, not goes_on))
                first = False
            if not goes_on:
                return
            begin = max(begin, edge)

    def _beside(self, place: int, key: tuple[int, int, str], chord: _Chord) -> None:
        """A chord of a voice of its own, named after the one it shares its place with."""
        chords = self.chords[place, key[1], key[2] + "+"]
        found = chords.setdefault((chord.onset, chord.end), chord)
        if found is not chord:
            found.notes += chord.notes

    def _lanes(self, place: int, staff: int, voice: str) -> list[tuple[_Key, list[Head]]]:
        """One voice of one measure: as many lines as its chords need not to overlap."""
        lanes: list[list[_Chord]] = []
        chords = self.chords.get((place, staff, voice), {})
        for chord in sorted(chords.values(), key=lambda chord: chord.onset):
            free = next((lane for lane in lanes if lane[-1].end <= chord.onset), None)
            if free is None:
                lanes.append([chord])
            else:
                free.append(chord)
        graces = self._grace_heads(place, self.graces.get((place, staff, voice), []))
        owners: list[list[Head]] = [[] for _ in range(max(len(lanes), 1))]
        for head in graces:
            onsets = (any(chord.onset == head.onset for chord in lane) for lane in lanes)
            owners[next((index for index, found in enumerate(onsets) if found), 0)].append(head)
        rank = (int(voice), voice) if voice.isdecimal() and len(voice) < 9 else (10**9, voice)
        return [
            (_Key(staff, lane, rank), self._heads(place, chords, owners[lane]))
            for lane, chords in enumerate(lanes or [[]])
        ]

    def _grace_heads(self, place: int, notes: list[Note]) -> list[Head]:
        heads: list[Head] = []
        for note in notes:
            onset = self.layout.clock.tick(note.onset) - self.layout.starts[place]
            if note.chord and heads and heads[-1].onset == onset:
                heads[-1].notes.append(note)
            else:
                heads.append(Head(onset, 0, Shape(-1), [note]))
        groups = defaultdict[int, list[Head]](list)
        for head in heads:
            groups[head.onset].append(head)
        for group in groups.values():
            if len(group) > 1:
                for head in group:
                    head.shape = Shape(-2)
        return heads

    def _heads(self, place: int, chords: list[_Chord], graces: list[Head]) -> list[Head]:
        """Chords and grace notes of one line in order, as heads, with rests between them."""
        before = sorted((head for head in graces if head.notes[0].grace != "after"), key=lambda head: head.onset)
        after = sorted((head for head in graces if head.notes[0].grace == "after"), key=lambda head: head.onset)
        heads: list[Head] = []
        now = 0
        for chord in chords:
            while before and before[0].onset < chord.onset:
                now = self._rest(place, heads, now, before[0].onset)
                heads.append(before.pop(0))
            now = self._rest(place, heads, now, chord.onset)
            while before and before[0].onset <= chord.onset:
                heads.append(before.pop(0))
            heads += self._sounding(chord)
            now = chord.end
            while after and after[0].onset < now:
                heads.append(after.pop(0))
        for head in before + after:
            now = self._rest(place, heads, now, max(head.onset, now))
            heads.append(head)
        self._rest(place, heads, now, self.layout.lengths[place])
        self._brackets(heads)
        return heads

    def _sounding(self, chord: _Chord) -> list[Head]:
        pieces = self.shapes.heads(chord.end - chord.onset)
        heads: list[Head] = []
        onset = chord.onset
        for index, (duration, shape) in enumerate(pieces):
            first, last = chord.first and index == 0, chord.last and index == len(pieces) - 1
            heads.append(Head(onset, duration, shape, chord.notes, first, last))
            onset += duration
        return heads

    def _rest(self, place: int, heads: list[Head], start: int, end: int, *, hidden: bool = False) -> int:
        """Fill a gap; returns where it ends. Fermatas cut it, so that each has a rest of its own."""
        length, offset = self.layout.lengths[place], self.layout.starts[place]
        if start >= end:
            return start
        inside = {start, end} | {edge - offset for edge in self.breaks if start < edge - offset < end}
        if len(inside) == 2 and start == 0 and end == length:
            shape = self.shapes.heads(length)[0][1]
            heads.append(Head(0, length, shape, hidden=hidden, whole=True))
            return end
        measure = self.measures[place]
        full = self.layout.ticks * 4 * measure.time[0] // measure.time[1]
        before = max(full - length, 0) if measure.implicit and place == 0 else 0
        edges = sorted(inside)
        for begin, stop in pairwise(edges):
            pieces = self.shapes.heads(stop - begin)
            if len(pieces) > 1 or not {begin + offset, stop + offset} <= self.breaks:
                pieces = list(self.shapes.rests(begin, stop, measure.time, before))
            for duration, shape in pieces:
                heads.append(Head(start, duration, shape, hidden=hidden))
                start += duration
        return end

    def _brackets(self, heads: list[Head]) -> None:
        """Where tuplets begin and end: from a place on the beat's halves, quarters, ... to the next such place."""
        odd = self.shapes.odd
        group: list[Head] = []
        for head in heads:
            if head.duration == 0:
                continue
            ratio = head.shape[2:]
            if group and ratio != group[0].shape[2:]:
                same = self.shapes.within(head.duration, *group[0].shape[2:])
                if same is None:
                    _bracket(group)
                    group = []
                else:
                    head.shape, ratio = same, same[2:]
            if ratio != (1, 1):
                group.append(head)
                if (head.onset + head.duration) % odd == 0:
                    _bracket(group)
                    group = []
        if group:
            _bracket(group)

    def _measure(
        self, place: int, content: list[tuple[_Key, list[Head]]], numbers: dict[_Key, int], staves: int
    ) -> list[Line]:
        """The lines of a measure in the order of staves and voices; a staff without any has a rest."""
        lines = [Line(numbers[key], key.staff, heads) for key, heads in content]
        filled = {line.staff for line in lines}
        for staff in range(1, staves + 1):
            if staff not in filled:
                heads: list[Head] = []
                self._rest(place, heads, 0, self.layout.lengths[place], hidden=_is_crossed(staff, content))
                lines.append(Line(VOICES_OF_STAFF * (staff - 1) + 1, staff, heads))
        lines.sort(key=lambda line: (line.staff, line.voice))
        _hide(lines)
        return lines


def _is_crossed(staff: int, content: list[tuple[_Key, list[Head]]]) -> bool:
    """Whether voices of other staves are on this one for a while."""
    return any(note.staff == staff for _, heads in content for head in heads for note in head.notes)


def _homes(notes: list[Note]) -> dict[str, int]:
    """Voices that move between staves, each with the staff where most of it is.

    A voice name that sounds on two staves at once means two voices.
    """
    staves: dict[str, dict[int, int]] = defaultdict(dict)
    for note in notes:
        staves[note.voice][note.staff] = staves[note.voice].get(note.staff, 0) + 1
    moving = {voice for voice, found in staves.items() if len(found) > 1}
    if not moving:
        return {}
    until: dict[str, tuple[Fraction, int]] = {}
    for note in sorted((n for n in notes if n.voice in moving and not n.grace), key=lambda n: n.onset):
        end, staff = until.get(note.voice, (Fraction(0), note.staff))
        if note.onset < end - ROUNDING and staff != note.staff and not note.chord:
            moving.discard(note.voice)
        if note.onset + note.duration > end or staff == note.staff:
            until[note.voice] = (max(end, note.onset + note.duration), note.staff)
    return {voice: max(staves[voice], key=lambda staff: (staves[voice][staff], -staff)) for voice in sorted(moving)}


def _numbers(keys: Iterable[_Key], staves: int) -> dict[_Key, int]:
    """Numbers for the voices of a part: staff 1 has 1 to 4, staff 2 has 5 to 8, more come behind the last staff's."""
    numbers: dict[_Key, int] = {}
    further = count(VOICES_OF_STAFF * staves + 1)
    used: dict[int, int] = defaultdict(int)
    for key in sorted(set(keys)):
        place = used[key.staff]
        used[key.staff] += 1
        numbers[key] = VOICES_OF_STAFF * (key.staff - 1) + place + 1 if place < VOICES_OF_STAFF else next(further)
    return numbers


def _hide(lines: list[Line]) -> None:
    """In the second and further voices of a staff, rests before the first and after the last note only fill gaps."""
    seen: set[int] = set()
    for line in lines:
        if line.staff not in seen:
            seen.add(line.staff)
            continue
        sounding = [index for index, head in enumerate(line.heads) if head.notes]
        for index, head in enumerate(line.heads):
            if not head.notes and (not sounding or index < sounding[0] or index > sounding[-1]):
                head.hidden = True


def _bracket(group: list[Head]) -> None:
    if len(group) == 1:
        group[0].tuplet = "both"
    elif group:
        group[0].tuplet, group[-1].tuplet = "start", "stop"
