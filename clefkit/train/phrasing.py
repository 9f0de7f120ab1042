"""How a player joins the notes of a line: which are played, which are slurred, how the others begin and end.

A line has one note at a time. Joins are of three kinds: "start" after a silence, "again" where the tone is broken or
dips before the note (tongued, bowed anew, a consonant), "slur" where nothing but the pitch changes. Onsets and offsets
are where a careful listener puts them: a slur at half of its glide, anything else where the tone begins, at a tenth of
its height; an offset where the tone has begun to fall. A hummed consonant (m, n, l) has a pitch too: the onset is
in the middle of it.

How singers and players treat joins: Sundberg 1987, "The Science of the Singing Voice"; Maestre and Gomez 2005,
"Automatic Characterization of Dynamics and Articulation of Expressive Monophonic Recordings".
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import zip_longest
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator

from clefkit.notes import Notes

Player = dict[str, Any]

TOGETHER_S = 0.05  # onsets nearer than this are a chord
HELD_S = 0.12  # a lower note is not of the line while a higher one sounds this long yet
PHRASE_GAP_S = 0.3
JOINED_S = 0.03  # a gap that nobody hears as one
SHORTEST_S = 0.04
OPEN, FRICATIVE, PLOSIVE, NASAL = range(4)


class Row(NamedTuple):
    """A note that will be played; some have a given join."""

    onset: float
    offset: float
    pitch: float
    velocity: float
    join: str = ""


class Phrase(NamedTuple):
    """What holds for a whole phrase: its number, how often its notes are slurred, if it is plucked, if whispered."""

    number: int
    legato: float
    plucked: bool
    whispered: bool


@dataclass
class Event:
    """A note as it is played: seconds, semitones, gains.

    onset, offset: where a listener puts them; pitch: as written; sung: with the intonation of the player
    join: "start", "again" or "slur"; glide_s, bend: length and form of the way from the note before
    before_s: the tone is broken this long before the onset, down to `floor`; late_s: the attack begins after the onset
    attack_s, rise: length and form of the attack; release_s
    scoop, fall: semitones from which it slides into the tone and to which it falls at the end
    consonant: OPEN, FRICATIVE, PLOSIVE or NASAL; vowel: which of the player's
    """

    onset: float
    offset: float
    pitch: float
    velocity: float
    sung: float
    join: str
    phrase: Phrase
    vowel: int
    glide_s: float = 0.02
    bend: float = 1.0
    before_s: float = 0.0
    floor: float = 0.0
    late_s: float = 0.0
    attack_s: float = 0.02
    rise: float = 2.0
    release_s: float = 0.05
    scoop: float = 0.0
    fall: float = 0.0
    consonant: int = OPEN

    @property
    def begin(self) -> float:
        """When the tone leaves its floor, seconds: a tenth of the attack's height is where the onset is heard."""
        return float(self.onset + self.late_s - self.attack_s * (1 - 0.9 ** (1 / self.rise)))


def lines(notes: Notes, player: Player, generator: Generator) -> list[list[Event]]:
    """The line of a player, and below it the second strings of double stops, if there are any."""
    top, under = _skyline(notes, player["doubles"], generator)
    lead = _articulate(_ornament(top, player, generator), [], player, generator)
    return [line for line in (lead, _articulate(_bowed_with(under, lead), lead, player, generator)) if line]


def _bowed_with(under: list[Row], lead: list[Event]) -> list[Row]:
    """The lower notes of double stops, joined as the upper ones are; a string that only goes on has no new note."""
    joins = {event.onset: event.join for event in lead}
    rows: list[Row] = []
    for row in under:
        join = joins.get(row.onset, "")
        goes_on = join == "slur" and rows and rows[-1].offset > row.onset - JOINED_S and rows[-1].pitch == row.pitch
        if goes_on:
            rows[-1] = rows[-1]._replace(offset=row.offset)
        else:
            rows.append(row._replace(join=join))
    return rows


def _skyline(notes: Notes, doubles: float, generator: Generator) -> tuple[list[Row], list[Row]]:
    """The highest notes, one at a time, and some of those that sound just below them."""
    table = np.stack([notes.onset, notes.offset, notes.pitch, notes.velocity], axis=1).tolist()
    top: list[Row] = []
    under: list[Row] = []
    while table:
        count = sum(1 for row in table if row[0] < table[0][0] + TOGETHER_S)
        chord = [Row(*row) for row in sorted(table[:count], key=lambda row: -row[2])]
        del table[:count]
        onset = chord[0].onset
        if top and onset - top[-1].onset < TOGETHER_S:
            continue
        if not top or top[-1].offset - onset <= HELD_S or top[-1].pitch <= chord[0].pitch:
            _cut(top, onset)
            top.append(chord[0])
        _cut(under, onset)
        below = [row for row in chord if 3 <= top[-1].pitch - row.pitch <= 14]
        if below and generator.random() < doubles:
            under.append(below[0]._replace(onset=onset))
    return top, under


def _cut(line: list[Row], onset: float) -> None:
    if line and line[-1].offset > onset:
        line[-1] = line[-1]._replace(offset=onset)


def _ornament(rows: list[Row], player: Player, generator: Generator) -> list[Row]:
    """Trills and mordents on some of the longer notes, written out."""
    played: list[Row] = []
    for row in rows:
        length = row.offset - row.onset
        if length < 0.35 or generator.random() >= player["ornament"]:
            played.append(row)
            continue
        neighbour = row.pitch + int(generator.choice([-2, -1, 1, 2, 2]))
        step = float(generator.uniform(0.06, 0.11))
        count = 3 if generator.random() < 0.5 else max(3, int(length * generator.uniform(0.4, 0.95) / step))
        times = row.onset + step * np.arange(count) * np.linspace(1, generator.uniform(0.85, 1.1), count)
        onsets, ends = times.tolist(), [*times[1:].tolist(), row.offset]
        for number, (onset, end) in enumerate(zip(onsets, ends, strict=True)):
            pitch = neighbour if number % 2 else row.pitch
            played.append(Row(onset, end, pitch, row.velocity, "slur" if number else ""))
    return played


def _articulate(rows: list[Row], lead: list[Event], player: Player, generator: Generator) -> list[Event]:
    """The notes of a line as they are played, in the phrases of the line that leads it, if there is one."""
    events: list[Event] = []
    phrases = [(event.onset, event.phrase) for event in lead]
    phrase = _phrase(0, player, generator)
    for number, row in enumerate(rows):
        before = events[-1] if events else None
        gap = row.onset - before.offset if before else np.inf
        if lead:
            phrase = phrases[bisect_right(phrases, row.onset, key=itemgetter(0)) - 1][1]
        elif gap > PHRASE_GAP_S:
            phrase = _phrase(number, player, generator)
        join = _join(row, before, gap, phrase, generator)
        event = _event(row, before, join, phrase, player, generator)
        _begin(event, before, player, generator)
        events.append(event)
    for event, after in zip_longest(events, events[1:]):
        if event.phrase.plucked:
            event.offset = min(event.offset, event.onset + 20 / player["pluck_db_per_s"])
        if after is None or after.join == "start":
            _end(event, after, player, generator)
    return events


def _phrase(number: int, player: Player, generator: Generator) -> Phrase:
    legato = player["legato"] if generator.random() < 0.7 else float(generator.choice([0.0, 0.5, 1.0]))
    plucked, whispered = generator.random(2) < (player["pizzicato"], player["whisper"])
    return Phrase(number, legato, bool(plucked), bool(whispered))


def _join(row: Row, before: Event | None, gap: float, phrase: Phrase, generator: Generator) -> str:
    held = 0.15 * phrase.legato  # small gaps are held over
    if before is None or gap > max(JOINED_S, held):
        return "start"
    if row.join:
        return row.join
    if phrase.plucked:
        return "start"
    return "slur" if abs(row.pitch - before.pitch) > 0.5 and generator.random() < phrase.legato else "again"


def _event(row: Row, before: Event | None, join: str, phrase: Phrase, player: Player, generator: Generator) -> Event:
    """The note with the intonation and the vowel of the player; both go on from the note before."""
    last = before.sung - before.pitch if before else 0.0
    drift = float(np.clip(0.5 * last + generator.normal(0, player["drift_cents"]) / 100, -0.35, 0.35))
    vowel = int(generator.integers(len(player["vowels"])))
    if join == "slur" and before and generator.random() < player["melisma"]:
        vowel = before.vowel
    offset = max(row.offset, row.onset + SHORTEST_S)
    return Event(row.onset, offset, row.pitch, row.velocity, row.pitch + drift, join, phrase, vowel)


def _begin(event: Event, before: Event | None, player: Player, generator: Generator) -> None:
    """How the note begins, and so where the note before it ends."""
    length = event.offset - event.onset
    attack_s = player["attack_s"] * np.exp(generator.normal(0, 0.35))
    event.attack_s = float(np.clip(attack_s, 0.006, min(0.25, 0.6 * length)))
    event.rise = float(generator.uniform(1.0, 3.0))
    event.release_s = float(player["release_s"] * np.exp(generator.normal(0, 0.3)))
    event.bend = float(generator.uniform(0.7, 1.5))
    if event.phrase.plucked:
        event.attack_s, event.rise = 0.006, 1.0
    if before is not None and event.join == "slur":
        room = 0.6 * min(length, event.onset - before.onset)
        often = player["portamento"] * min(2.0, abs(event.pitch - before.pitch) / 4)
        glide_s = player["glide_s"] * np.exp(generator.normal(0, 0.4))
        glide_s = generator.uniform(0.12, 0.35) if generator.random() < often else glide_s
        event.glide_s = float(np.clip(glide_s, 0.015, room))
        event.floor = float(10 ** (-abs(generator.normal(0, player["slur_dip_db"])) / 20))
        before.offset = event.onset
        return
    if not event.phrase.plucked and generator.random() < player["scoop"]:
        event.scoop = float(generator.uniform(-1, 0.3) * player["scoop_semitones"])
    _break(event, player, generator)
    if before is not None:
        since = event.onset - before.onset
        event.before_s = min(event.before_s, 0.45 * since)
        end = event.onset - event.before_s if event.join == "again" else before.offset
        event.glide_s = float(np.clip(event.before_s, 0.008, 0.08))
        before.offset = max(min(end, event.onset - event.before_s), before.onset + min(SHORTEST_S, 0.5 * since))


def _break(event: Event, player: Player, generator: Generator) -> None:
    """What is between the tone before and the note."""
    event.before_s = float(player["break_s"] * np.exp(generator.normal(0, 0.4)))
    shallow = event.join == "again" and generator.random() < player["shallow"]
    event.floor = float(10 ** (-generator.uniform(6, 20) / 20)) if shallow else 0.0
    if sum(player["consonants"]) == 0 or event.phrase.plucked:
        return
    event.consonant = int(generator.choice(4, p=player["consonants"]))
    if event.consonant in {FRICATIVE, PLOSIVE}:
        event.before_s, event.floor = float(generator.uniform(0.04, 0.14)), 0.0
    if event.consonant == NASAL:
        whole = min(float(generator.uniform(0.03, 0.1)), 0.5 * (event.offset - event.onset))
        event.before_s, event.late_s = whole / 2, whole / 2
        event.floor = float(10 ** (-generator.uniform(5, 14) / 20))
        event.attack_s = min(event.attack_s, 0.05)


def _end(event: Event, after: Event | None, player: Player, generator: Generator) -> None:
    """The last note before a silence: it may fall, and its release has to fit in."""
    if generator.random() < player["fall"]:
        event.fall = float(generator.uniform(0.5, 5))
    if after is not None:
        event.release_s = min(event.release_s, max(0.01, 1.5 * (after.onset - after.before_s - event.offset)))
