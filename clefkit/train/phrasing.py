"""How a player joins the notes of a line: which are played, which are slurred, how the others begin and end.

A line has one note at a time. Joins are of three kinds: "start" after a silence, "again" where the tone is broken or
dips before the note (tongued, bowed anew, a consonant), "slur" where nothing but the pitch changes. Onsets and offsets
are where a careful listener puts them: a slur at half of its glide, anything else where the tone begins, at a tenth of
its height; an offset where the tone has fallen to a fifth. A hummed consonant (m, n, l) has a pitch too: the onset is
in the middle of it.

How singers and players treat joins: Sundberg 1987, "The Science of the Singing Voice"; Maestre and Gomez 2005,
"Automatic Characterization of Dynamics and Articulation of Expressive Monophonic Recordings".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator

from clefkit.notes import Notes

Player = dict[str, Any]

TOGETHER_S = 0.05  # onsets nearer than this are a chord
HELD_S = 0.12  # a lower note is not of the line while a higher one sounds this long yet
PHRASE_GAP_S = 0.3
SHORTEST_S = 0.04
OPEN, FRICATIVE, PLOSIVE, NASAL = range(4)


class Row(NamedTuple):
    """A note that will be played; `within` a trill or a mordent it is always slurred."""

    onset: float
    offset: float
    pitch: float
    velocity: float
    within: bool = False


@dataclass
class Event:
    """A note as it is played: seconds, semitones, gains.

    onset, offset: where a listener puts them; pitch: as written; sung: with the intonation of the player
    join: "start", "again" or "slur"; glide_s, bend: length and form of the way from the note before
    before_s: the tone is broken this long before the onset, down to `floor`; late_s: the attack begins after the onset
    attack_s, rise: length and form of the attack; release_s
    scoop, fall: semitones from which it slides into the tone and to which it falls at the end
    consonant: OPEN, FRICATIVE, PLOSIVE or NASAL; vowel: which of the player's
    phrase: its number; legato: how often its notes are slurred; plucked, whispered: all of it
    """

    onset: float
    offset: float
    pitch: float
    velocity: float
    sung: float
    join: str
    phrase: int
    vowel: int
    legato: float
    plucked: bool
    whispered: bool
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
    rows = [_ornament(each, player, generator) for each in (top, under) if each]
    return [_articulate([row for group in line for row in group], player, generator) for line in rows]


def _skyline(notes: Notes, doubles: float, generator: Generator) -> tuple[list[Row], list[Row]]:
    """The highest notes, one at a time, and some of those that sound just below them."""
    table = np.stack([notes.onset, notes.offset, notes.pitch, notes.velocity], axis=1).tolist()
    top: list[Row] = []
    under: list[Row] = []
    while table:
        count = sum(1 for row in table if row[0] < table[0][0] + TOGETHER_S)
        chord = [Row(*row) for row in sorted(table[:count], key=lambda row: -row[2])]
        del table[:count]
        highest = chord[0]
        if top and top[-1].offset - highest.onset > HELD_S and highest.pitch < top[-1].pitch:
            continue
        if top and highest.onset - top[-1].onset < TOGETHER_S:
            continue
        for line in (top, under):
            if line and line[-1].offset > highest.onset:
                line[-1] = line[-1]._replace(offset=highest.onset)
        top.append(highest)
        below = [row for row in chord if 3 <= highest.pitch - row.pitch <= 14]
        if below and generator.random() < doubles:
            under.append(below[0]._replace(onset=highest.onset))
    return top, under


def _ornament(rows: list[Row], player: Player, generator: Generator) -> list[list[Row]]:
    """Trills and mordents on some of the longer notes, written out."""
    played = []
    for row in rows:
        length = row.offset - row.onset
        if length < 0.35 or generator.random() >= player["ornament"]:
            played.append([row])
            continue
        neighbour = row.pitch + int(generator.choice([-2, -1, 1, 2, 2]))
        step = float(generator.uniform(0.06, 0.11))
        count = 3 if generator.random() < 0.5 else max(3, int(length * generator.uniform(0.4, 0.95) / step))
        times = row.onset + step * np.arange(count) * np.linspace(1, generator.uniform(0.85, 1.1), count)
        ends = [*times[1:], row.offset]
        pitches = [row.pitch if number % 2 == 0 else neighbour for number in range(count)]
        turns = zip(times.tolist(), ends, pitches, strict=True)
        played.append([Row(a, float(b), p, row.velocity, a > row.onset) for a, b, p in turns])
    return played


def _articulate(rows: list[Row], player: Player, generator: Generator) -> list[Event]:
    events: list[Event] = []
    mood: dict[str, Any] = {}
    for number, row in enumerate(rows):
        before = events[-1] if events else None
        gap = row.onset - before.offset if before else np.inf
        if gap > PHRASE_GAP_S:
            mood = _phrase(number, player, generator)
        event = _event(row, before, _join(row, before, gap, mood, generator), mood, player, generator)
        _begin(event, before, row.within, player, generator)
        events.append(event)
    for event, after in zip(events, [*events[1:], None], strict=True):
        if event.plucked:
            event.offset = min(event.offset, event.onset + 20 / player["pluck_db_per_s"])
        if after is None or after.join == "start":
            _end(event, after, player, generator)
    return events


def _event(
    row: Row, before: Event | None, join: str, mood: dict[str, Any], player: Player, generator: Generator
) -> Event:
    """The note with the intonation and the vowel of the player; both go on from the note before."""
    last = before.sung - before.pitch if before else 0.0
    drift = float(np.clip(0.5 * last + generator.normal(0, player["drift_cents"]) / 100, -0.35, 0.35))
    vowel = int(generator.integers(len(player["vowels"])))
    if join == "slur" and before and generator.random() < player["melisma"]:
        vowel = before.vowel
    offset = max(row.offset, row.onset + SHORTEST_S)
    return Event(row.onset, offset, row.pitch, row.velocity, row.pitch + drift, join, vowel=vowel, **mood)


def _phrase(number: int, player: Player, generator: Generator) -> dict[str, Any]:
    """What holds for a whole phrase."""
    return {
        "phrase": number,
        "legato": player["legato"] if generator.random() < 0.7 else float(generator.choice([0.0, 0.5, 1.0])),
        "plucked": bool(generator.random() < player["pizzicato"]),
        "whispered": bool(generator.random() < player["whisper"]),
    }


def _join(row: Row, before: Event | None, gap: float, mood: dict[str, Any], generator: Generator) -> str:
    if row.within:
        return "slur"
    held = 0.15 * mood["legato"]  # small gaps are held over
    if before is None or gap > max(0.03, held) or mood["plucked"]:
        return "start"
    return "slur" if abs(row.pitch - before.pitch) > 0.5 and generator.random() < mood["legato"] else "again"


def _begin(event: Event, before: Event | None, within: bool, player: Player, generator: Generator) -> None:
    """How the note begins, and so where the note before it ends."""
    length = event.offset - event.onset
    attack_s = player["attack_s"] * np.exp(generator.normal(0, 0.35))
    event.attack_s = float(np.clip(attack_s, 0.006, min(0.25, 0.6 * length)))
    event.rise = float(generator.uniform(1.0, 3.0))
    event.release_s = float(player["release_s"] * np.exp(generator.normal(0, 0.3)))
    event.bend = float(generator.uniform(0.7, 1.5))
    if event.plucked:
        event.attack_s, event.rise = 0.006, 1.0
    if before is not None and event.join == "slur":
        room = 0.6 * min(length, event.onset - before.onset)
        often = player["portamento"] * min(2.0, abs(event.pitch - before.pitch) / 4)
        glide_s = player["glide_s"] * np.exp(generator.normal(0, 0.4))
        glide_s = generator.uniform(0.12, 0.35) if generator.random() < often else glide_s
        event.glide_s = float(np.clip(0.025 if within else glide_s, 0.015, room))
        event.floor = float(10 ** (-abs(generator.normal(0, player["slur_dip_db"])) / 20))
        before.offset = event.onset
        return
    if not event.plucked and generator.random() < player["scoop"]:
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
    event.floor = float(10 ** (-generator.uniform(5, 16) / 20)) if shallow else 0.0
    if sum(player["consonants"]) == 0 or event.plucked:
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
        event.release_s = min(event.release_s, max(0.01, 2 * (after.onset - after.before_s - event.offset)))
