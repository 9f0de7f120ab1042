"""The notes of a score in the order of playing, in quarters of the performance: repeats unfolded, ties joined."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction

from clefkit.errors import InputError
from clefkit.notation import instruments
from clefkit.notation.model import Note, Score, Swing
from clefkit.notation.unfold import Visit
from clefkit.render.dynamics import velocities

MOST_NOTES = 1_000_000
TIE_SLACK = 1 / 16  # quarters: sources round tuplets, so the ends of a tie may miss each other
SWINGING = re.compile(r"^\W*(swing|shuffle)\b", re.IGNORECASE)
PIZZICATO, ARCO = re.compile(r"\bpizz", re.IGNORECASE), re.compile(r"\barco\b", re.IGNORECASE)
PIZZICATO_PROGRAM = 45
BOWED = {40, 41, 42, 43, 44, 48, 49}


@dataclass(slots=True)
class Event:
    """One sounding note.

    start, end: quarters of the performance; onset, offset: seconds, once a clock has told them
    note: what is written; id: its id, with "@2" behind it in its second pass
    part: index of the player; plucked: pizzicato; measure, beat: where it is written
    """

    start: float
    end: float
    note: Note
    id: str
    pitch: float
    velocity: float
    part: int
    plucked: bool
    measure: str
    beat: float
    onset: float = 0.0
    offset: float = 0.0


@dataclass(slots=True)
class Grace:
    """A grace note: the event starts at the note it leans on. chord: it sounds with the grace note before it."""

    event: Event
    chord: bool


def played(score: Score, visits: list[Visit]) -> tuple[list[Event], list[Grace]]:
    """Full notes, and grace notes by themselves, both in the order of playing.

    raises: InputError when that is more than a million notes
    """
    content: dict[int, list[int]] = defaultdict(list)
    for index in sorted(range(len(score.notes)), key=lambda index: score.notes[index].onset):
        content[score.notes[index].measure].append(index)
    if sum(len(content[visit.measure]) for visit in visits) > MOST_NOTES:
        raise InputError(f"a score that plays more than {MOST_NOTES} notes")
    written = _written(score)
    ties, graces = _Ties(), []
    for visit in visits:
        shift = float(visit.shift)
        for index in content[visit.measure]:
            note, (start, end, velocity, plucked, beat) = score.notes[index], written[index]
            number = score.measures[note.measure].number
            event = Event(
                start + shift, end + shift, note, visit.name(note.id), note.pitch, velocity, note.part,
                plucked, number, beat,
            )  # fmt: skip
            if note.grace:
                graces.append(Grace(event, note.chord))
            else:
                ties.add(event)
    return ties.events, graces


def _written(score: Score) -> list[tuple[float, float, float, bool, float]]:
    """For each note of the score: start and end in written quarters, velocity, whether it is plucked, beat."""
    loudness = velocities(score)
    plucked = _Plucked(score)
    starts = [(m.onset, m.unit, m.first_beat) for m in score.measures]
    swing = _swung(score)
    rows = []
    for index, note in enumerate(score.notes):
        onset, length, first = starts[note.measure]
        place, end = note.onset, note.onset + note.duration
        beat = first + float(place - onset) / length
        rows.append((swing(note, place), swing(note, end), float(loudness[index]), plucked.at(note), beat))
    return rows


class _Plucked:
    """Where bowed instruments are told to pluck. Words of one staff count for the part."""

    def __init__(self, score: Score) -> None:
        self.changes: dict[int, list[tuple[Fraction, bool]]] = defaultdict(list)
        for text in score.texts:
            plucks = PIZZICATO.search(text.text) is not None
            if plucks or ARCO.search(text.text):
                self.changes[text.part].append((text.onset, plucks))
        bowed = {index for index, part in enumerate(score.parts) if instruments.program(part) in BOWED}
        self.changes = {part: sorted(changes) for part, changes in self.changes.items() if part in bowed}

    def at(self, note: Note) -> bool:
        changes = self.changes.get(note.part)
        if not changes:
            return False
        index = bisect_right(changes, (note.onset, True)) - 1
        return index >= 0 and changes[index][1]


class _swung:  # noqa: N801 used like a function
    """Moves the second of two equal notes back where the score swings and nothing shorter stands in the beat."""

    def __init__(self, score: Score) -> None:
        self.swings = list(score.swings) or [
            Swing(text.onset, Fraction(1, 2), 2.0) for text in score.texts if SWINGING.search(text.text)
        ]
        self.swings.sort()
        self.measures = score.measures
        self.busy: set[tuple[int, Fraction]] = set()
        for note in score.notes if self.swings else []:
            swing = self._swing(note.onset)
            if swing is not None and not note.grace:
                within = self._within(note, note.onset)
                if within % swing.unit:
                    self.busy.add((note.part, note.onset - within % (2 * swing.unit)))

    def __call__(self, note: Note, place: Fraction) -> float:
        if not self.swings:
            return float(place)
        swing = self._swing(place)
        if swing is None or swing.long == 1:
            return float(place)
        pair = self._within(note, place) % (2 * swing.unit)
        if pair != swing.unit or (note.part, place - pair) in self.busy:
            return float(place)
        return float(place - pair) + 2 * float(swing.unit) * swing.long / (swing.long + 1)

    def _swing(self, place: Fraction) -> Swing | None:
        before = [swing for swing in self.swings if swing.onset <= place]
        return before[-1] if before else None

    def _within(self, note: Note, place: Fraction) -> Fraction:
        return place - self.measures[note.measure].onset


class _Ties:
    """Joins tied notes as they come, in the order of playing, so that a tie into a second ending works."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.waiting: dict[tuple[int, float], list[Event]] = defaultdict(list)

    def add(self, event: Event) -> None:
        note = event.note
        key = (event.part, event.pitch)
        waiting = self.waiting[key]
        if note.tie_stop:
            fits = [held for held in waiting if abs(held.end - event.start) < TIE_SLACK]
            same_voice = [held for held in fits if held.note.voice == note.voice]
            if fits:
                held = (same_voice or fits)[0]
                held.end = event.end
                if not note.tie_start:
                    waiting.remove(held)
                return
        if note.tie_start:
            self.waiting[key] = [held for held in waiting if held.end > event.start - TIE_SLACK] + [event]
        self.events.append(event)
