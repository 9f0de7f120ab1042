"""From a score to a performance: what is written becomes seconds, velocities and pedal.

Exact where the score is exact: tempo marks, ties, repeats. Where it is not, by common practice: dynamic marks have the
velocities that MuseScore gives them, staccato halves a note, grace notes take their time from before the beat.
Without any tempo mark a quarter lasts half a second, the default of the Standard MIDI File (1996) and of MuseScore.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clefkit import notes
from clefkit.errors import InputError
from clefkit.notation import instruments
from clefkit.notation.model import Note, Score
from clefkit.notation.unfold import unfold
from clefkit.render.dynamics import velocities

DEFAULT_TEMPO = 120.0
LATEST_FIRST_TEMPO = 4.0  # quarters
LONGEST_S = 2 * 3600
MOST_NOTES = 1_000_000
SAME_S = 1e-6  # times that differ by rounding only
TIE_SLACK_S = 0.03  # sources round tuplets, so the ends of a tie may miss each other
UNISON_S = 1e-3
SHORTEST_S = 0.005
LENGTHS = {"staccatissimo": 0.3, "spiccato": 0.4, "staccato": 0.5, "detached-legato": 0.75}
GRACE_S = {"slashed": 0.07, "plain": 0.11}
GRACE_LEAST_S = 0.02
PEDAL_GAP_S = 0.06
SUSTAIN = 64


@dataclass(slots=True)
class _Event:
    """One sounding note, seconds."""

    onset: float
    offset: float
    pitch: float
    velocity: int
    part: int
    voice: str
    id: str


@dataclass(slots=True)
class _Visit:
    """One playing of a measure. shift_s: from seconds of the score as written to seconds of the performance."""

    measure: int
    shift_s: float
    suffix: str  # of ids: "" in the first pass, "@2" in the second
    leaps: bool  # the measure before it is not the one written before it


def perform(score: Score, repeats: bool = True) -> notes.Performance:
    """Play a score.

    repeats: play repeats, endings and jumps; otherwise each measure once, as written
    returns: notes in seconds from the start, each with the id of its (first, if tied) written note and, in its n-th
        pass, "@n" behind it; sustain pedal as controller 64
    raises: InputError when there is nothing to play, or when it would last more than two hours
    """
    clock = _Clock(score)
    visits = _visits(score, clock, unfold(score) if repeats else list(range(len(score.measures))))
    events = _without_unisons(_events(score, clock, visits))
    if not events:
        raise InputError("a score without notes to play")
    parts = tuple(
        notes.Part(
            p.name or p.abbreviation, 0 if instruments.is_drums(p) else instruments.program(p), instruments.is_drums(p)
        )
        for p in score.parts
    )
    columns = zip(*((e.onset, e.offset, e.pitch, e.velocity, e.part, e.id) for e in events), strict=True)
    onset, offset, pitch, velocity, part, ids = columns
    played = notes.make(onset, offset, pitch, velocity, part, parts, ids)
    return notes.Performance(played, _pedal(score, clock, visits))


class _Clock:
    """Quarters of the score as written to seconds: straight lines between tempo marks."""

    def __init__(self, score: Score) -> None:
        marks = [(float(tempo.onset), 60.0 / tempo.quarters_per_minute) for tempo in score.tempos]
        if not marks or marks[0][0] > LATEST_FIRST_TEMPO:
            marks.insert(0, (0.0, 60.0 / DEFAULT_TEMPO))
        marks[0] = (0.0, marks[0][1])  # a pickup has the tempo of the first full measure
        self.onset = np.array([onset for onset, _ in marks])
        self.slope = np.array([slope for _, slope in marks])
        self.start_s = np.concatenate([[0.0], np.cumsum(np.diff(self.onset) * self.slope[:-1])])

    def seconds(self, quarters: NDArray[np.float64]) -> NDArray[np.float64]:
        index = np.clip(np.searchsorted(self.onset, quarters, side="right") - 1, 0, None)
        return np.asarray(self.start_s[index] + (quarters - self.onset[index]) * self.slope[index])


def _visits(score: Score, clock: _Clock, order: list[int]) -> list[_Visit]:
    begin = clock.seconds(np.array([float(m.onset) for m in score.measures]))
    end = clock.seconds(np.array([float(m.onset + m.length) for m in score.measures]))
    passes: dict[int, int] = defaultdict(int)
    visits: list[_Visit] = []
    now, before = 0.0, -1
    for place in order:
        passes[place] += 1
        suffix = f"@{passes[place]}" if passes[place] > 1 else ""
        visits.append(_Visit(place, now - float(begin[place]), suffix, place != before + 1))
        now += float(end[place] - begin[place])
        before = place
    if now > LONGEST_S:
        raise InputError(
            f"plays for {now / 3600:.1f} hours, more than the {LONGEST_S // 3600} we play: cut it into parts"
        )
    return visits


def _events(score: Score, clock: _Clock, visits: list[_Visit]) -> list[_Event]:
    begin = clock.seconds(np.array([float(note.onset) for note in score.notes])).tolist()
    end = clock.seconds(np.array([float(note.onset + note.duration) for note in score.notes])).tolist()
    loudness = velocities(score)
    content: dict[int, list[int]] = defaultdict(list)
    for index in sorted(range(len(begin)), key=begin.__getitem__):
        content[score.notes[index].measure].append(index)
    if sum(len(content[visit.measure]) for visit in visits) > MOST_NOTES:
        raise InputError(f"a score that plays more than {MOST_NOTES} notes")
    ties, graces = _Ties(), _Graces()
    for visit in visits:
        for index in content[visit.measure]:
            note, onset = score.notes[index], begin[index] + visit.shift_s
            offset, name = end[index] + visit.shift_s, note.id + visit.suffix
            event = _Event(onset, offset, note.pitch, loudness[index], note.part, note.voice, name)
            if note.grace:
                graces.add(note, event)
            else:
                ties.add(note, event)
    return graces.place(ties.events)


class _Ties:
    """Joins tied notes as they come, in the order of playing, so that a tie into a second ending works."""

    def __init__(self) -> None:
        self.events: list[_Event] = []
        self.waiting: dict[tuple[int, float], list[_Event]] = defaultdict(list)

    def add(self, note: Note, event: _Event) -> None:
        key = (event.part, event.pitch)
        waiting = self.waiting[key]
        if note.tie_stop:
            fits = [held for held in waiting if abs(held.offset - event.onset) < TIE_SLACK_S]
            same_voice = [held for held in fits if held.voice == event.voice]
            if fits:
                held = (same_voice or fits)[0]
                held.offset = event.offset
                if not note.tie_start:
                    waiting.remove(held)
                return
        if note.tie_start:
            self.waiting[key] = [held for held in waiting if held.offset > event.onset - TIE_SLACK_S] + [event]
        elif note.marks:
            length = min((LENGTHS[mark] for mark in note.marks if mark in LENGTHS), default=1.0)
            event.offset = event.onset + length * (event.offset - event.onset)
        self.events.append(event)


class _Graces:
    """Collects grace notes in groups before one beat and gives them time."""

    def __init__(self) -> None:
        self.groups: list[list[list[_Event]]] = []  # group, then what sounds at once
        self.kinds: list[list[float]] = []
        self.key: tuple[int, str, float] | None = None

    def add(self, note: Note, event: _Event) -> None:
        key = (event.part, event.voice, event.onset)
        if key != self.key:
            self.groups.append([])
            self.kinds.append([])
            self.key = key
        if note.chord and self.groups[-1]:
            self.groups[-1][-1].append(event)
        else:
            self.groups[-1].append([event])
            self.kinds[-1].append(GRACE_S[note.grace])

    def place(self, events: list[_Event]) -> list[_Event]:
        """All events, with the grace notes before their beats and what stood there made room."""
        voices: dict[tuple[int, str], list[_Event]] = defaultdict(list)
        for event in events:
            voices[event.part, event.voice].append(event)
        for voice in voices.values():
            voice.sort(key=lambda event: event.onset)
        for group, lengths in zip(self.groups, self.kinds, strict=True):
            first = group[0][0]
            _steal(group, lengths, voices[first.part, first.voice])
        return events + [event for group in self.groups for chord in group for event in chord]


def _steal(group: list[list[_Event]], lengths: list[float], voice: list[_Event]) -> None:
    """Before the beat, from at most half of the note before; if that is too short, on the beat, from the note after."""
    beat = group[0][0].onset
    place = bisect_right(voice, beat - UNISON_S, key=lambda event: event.onset)
    before = voice[place - 1].onset if place else 0.0
    wanted = sum(lengths)
    room = min(wanted, (beat - before) / 2 if place else beat)
    if room >= GRACE_LEAST_S * len(group):
        start = beat - room
        for event in voice[:place]:
            if event.onset >= before - SAME_S:
                event.offset = min(event.offset, start)
    else:
        following = [event for event in voice[place:] if event.onset < beat + UNISON_S]
        room = min([wanted, *((event.offset - event.onset) / 2 for event in following)])
        start = beat
        for event in following:
            event.onset = beat + room
    now = start
    for chord, length in zip(group, lengths, strict=True):
        for event in chord:
            event.onset, event.offset = now, now + length * room / wanted
        now += length * room / wanted


def _without_unisons(events: list[_Event]) -> list[_Event]:
    """Equal pitches of a part that start together are one note, and of two that overlap the later ends the earlier."""
    last: dict[tuple[int, float], _Event] = {}
    kept: list[_Event] = []
    for event in sorted(events, key=lambda event: (event.onset, -event.offset)):
        held = last.get((event.part, event.pitch))
        if held is not None and event.onset - held.onset < UNISON_S:
            held.velocity = max(held.velocity, event.velocity)
            held.offset = max(held.offset, event.offset)
            continue
        if held is not None:
            held.offset = min(held.offset, event.onset)
        event.offset = max(event.offset, event.onset + SHORTEST_S / 2)
        last[event.part, event.pitch] = event
        kept.append(event)
    return kept


def _pedal(score: Score, clock: _Clock, visits: list[_Visit]) -> tuple[notes.Control, ...]:
    """Controller 64. A change lifts and presses again shortly after; no pedal is held over a jump or past the end."""
    times = clock.seconds(np.array([float(pedal.onset) for pedal in score.pedals])).tolist()
    content: dict[int, list[int]] = defaultdict(list)
    for index, pedal in enumerate(score.pedals):
        content[pedal.measure].append(index)
    starts = clock.seconds(np.array([float(measure.onset) for measure in score.measures])).tolist()
    controls: list[notes.Control] = []
    down: set[int] = set()
    for visit in visits:
        if visit.leaps:
            controls += _lifted(starts[visit.measure] + visit.shift_s, down)
            down.clear()
        for index in content[visit.measure]:
            pedal, now = score.pedals[index], times[index] + visit.shift_s
            press = now
            if pedal.part in down:
                controls += _lifted(now, {pedal.part})
                down.remove(pedal.part)
                press = now + PEDAL_GAP_S
            if pedal.kind != "up":
                controls.append(notes.Control(press, pedal.part, "control", SUSTAIN, 127))
                down.add(pedal.part)
    if visits:
        last = visits[-1]
        measure = score.measures[last.measure]
        end = clock.seconds(np.array([float(measure.onset + measure.length)])).tolist()[0]
        controls += _lifted(end + last.shift_s, down)
    return tuple(sorted(controls, key=lambda control: control.time_s))


def _lifted(time_s: float, parts: set[int]) -> list[notes.Control]:
    """The pedals of `parts` go up."""
    return [notes.Control(time_s, part, "control", SUSTAIN, 0) for part in sorted(parts)]
