"""From a score to a performance: what is written becomes seconds, velocities and pedal.

Exact where the score is exact: tempo marks, ties, repeats. Where it is not, by common practice: dynamic marks have the
velocities that MuseScore gives them, staccato halves a note, grace notes take their time from before the beat, trills
and their kin are played out. `human` adds what players add: rit. and fermatas, and the rules of `human`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import groupby

import numpy as np
from numpy.random import Generator

from clefkit import notes
from clefkit.errors import InputError
from clefkit.notation import instruments
from clefkit.notation.model import Score
from clefkit.notation.unfold import Visit
from clefkit.notation.unfold import visits as all_visits
from clefkit.render import clock, events, graces, human, ornaments, pedal, tempo
from clefkit.render.clock import Clock, Curve
from clefkit.render.events import PIZZICATO_PROGRAM, Event
from clefkit.render.line import Interpretation, Line

LONGEST_S = 2 * 3600
UNISON_S = 1e-3
SHORTEST_S = 0.005
LENGTHS = {"staccatissimo": 0.3, "spiccato": 0.4, "staccato": 0.5, "detached-legato": 0.75}
SHORT = frozenset(LENGTHS)
FULL_WORDS = 0.5  # of `human`: from here on rit. and fermatas are followed in full


def perform(
    score: Score,
    repeats: bool = True,
    amount: float = 0.0,
    generator: Generator | None = None,
    weights: Mapping[str, float] | None = None,
) -> notes.Performance:
    """Play a score.

    repeats: play repeats, endings and jumps; otherwise each measure once, as written
    amount: 0 is exact; up to 1, more and more as a human plays; needs a generator
    weights: of the rules of `human`, by their names; None draws them round those that pianists have
    returns: notes in seconds from the start, each with the id of its (first, if tied) written note and, in its n-th
        pass, "@n" behind it; the further notes of an ornament have "~2", "~3", ... behind the id of the written one;
        sustain pedal as controller 64; the time of each beat
    raises: InputError when there is nothing to play, or when it would last more than two hours
    """
    visits = all_visits(score, repeats)
    found, before = events.played(score, visits)
    if not found and not before:
        raise InputError("a score without notes to play")
    found.sort(key=lambda event: (event.start, event.pitch, event.part))
    curve = _unfolded(score, visits, min(amount / FULL_WORDS, 1.0))
    played = None
    if amount > 0 and generator is not None and found:
        played = human.interpret(_line(score, visits, found, curve), amount, generator, weights)
        curve = _bent(curve, played)
    ticking = clock.clock(curve)
    _check_length(ticking, score, visits)
    _time(found, ticking, played)
    for grace in before:
        grace.event.onset = float(ticking.seconds(np.array([grace.event.start]))[0])
    sounding = _without_unisons(graces.place(ornaments.expand(score, found), before))
    return notes.Performance(
        _notes(score, sounding), pedal.controls(score, ticking, visits), _beats(score, ticking, visits)
    )


def _unfolded(score: Score, visits: list[Visit], amount: float) -> Curve:
    """The tempo over the performance, measure after measure as they are played."""
    written = tempo.curve(score, amount)
    pieces = []
    for visit in visits:
        measure = score.measures[visit.measure]
        start = float(measure.onset)
        pieces += written.between(start, float(measure.onset + measure.length), float(visit.shift))
    return Curve(pieces)


def _bent(curve: Curve, played: Interpretation) -> Curve:
    """The tempo as the player takes it."""
    places, factors = played.tempo_onset, played.tempo_factor
    return curve.stretched(places.tolist(), lambda place: float(np.interp(place, places, factors)))


def _check_length(ticking: Clock, score: Score, visits: list[Visit]) -> None:
    last = visits[-1]
    end = float(ticking.seconds(np.array([float(last.start + score.measures[last.measure].length)]))[0])
    if end > LONGEST_S:
        raise InputError(
            f"plays for {end / 3600:.1f} hours, more than the {LONGEST_S // 3600} we play: cut it into parts"
        )


def _time(found: list[Event], ticking: Clock, played: Interpretation | None) -> None:
    """Give the events their seconds, and what the player adds."""
    onset = ticking.seconds(np.array([event.start for event in found]))
    length = ticking.seconds(np.array([event.end for event in found])) - onset
    if played is not None:
        onset = np.maximum(onset + played.shift_s, 0.0)
        length = length * played.length
    velocity = np.zeros(len(found)) if played is None else played.velocity
    for event, start, lasts, more in zip(found, onset.tolist(), length.tolist(), velocity.tolist(), strict=True):
        marked = min((LENGTHS[mark] for mark in event.note.marks & SHORT), default=1.0)
        event.onset, event.offset = start, start + lasts * (1.0 if event.note.tie_start else marked)
        event.velocity += more


def _line(score: Score, visits: list[Visit], found: list[Event], curve: Curve) -> Line:
    """What the rules of `human` need to know."""
    voices: dict[tuple[int, str], int] = {}
    voice = [voices.setdefault((event.part, event.note.voice), len(voices)) for event in found]
    ticking = clock.clock(curve)
    start = np.array([event.start for event in found])
    keys = [(float(key.onset), key.fifths) for key in score.keys]
    measures = [score.measures[visit.measure] for visit in visits]
    slurred = _slurred(score)
    section = {m.index for m in score.measures if m.repeat_times or m.fine or m.da_capo or m.dal_segno}
    ends = [float(visit.start + m.length) for visit, m in zip(visits, measures, strict=True) if m.index in section]
    last = float(visits[-1].start + measures[-1].length)
    return Line(
        onset=start,
        duration=np.array([event.end - event.start for event in found]),
        pitch=np.array([event.pitch for event in found]),
        part=np.array([event.part for event in found]),
        voice=np.array(voice),
        velocity=np.array([event.velocity for event in found]),
        slurred=np.array([event.note.id in slurred for event in found]),
        staccato=np.array([bool(event.note.marks & SHORT) for event in found]),
        bars=np.array([float(visit.start) for visit in visits]),
        beat=np.array([_beat(measure.time) for measure in measures]),
        key=np.array([_key(keys, float(measure.onset)) for measure in measures]),
        seconds_per_quarter=(ticking.seconds(start + 1e-3) - ticking.seconds(start)) / 1e-3,
        ends=tuple(sorted({*ends, last})),
    )


def _beat(time: tuple[int, int]) -> float:
    """A dotted beat where beats come in threes: 6/8, 9/8, 12/16."""
    count, kind = time
    return (3.0 if count > 3 and count % 3 == 0 and kind >= 8 else 1.0) * 4.0 / kind


def _key(keys: list[tuple[float, int]], place: float) -> int:
    return next((fifths for onset, fifths in reversed(keys) if onset <= place), 0)


def _slurred(score: Score) -> set[str]:
    """Ids of the notes that go on under a slur into the next of their voice."""
    known = {note.id: note for note in score.notes}
    spans: dict[tuple[int, str], list[tuple[float, float]]] = defaultdict(list)
    for slur in score.slurs:
        first, last = known.get(slur.first), known.get(slur.last)
        if first is not None and last is not None:
            spans[first.part, first.voice].append((float(first.onset), float(last.onset)))
    found: set[str] = set()
    order = sorted(score.notes, key=lambda note: (note.part, note.voice, note.onset))
    for voice, members in groupby(order, key=lambda note: (note.part, note.voice)):
        waiting = sorted(spans.get(voice, []), reverse=True)
        until = -1.0
        for note in members:
            while waiting and waiting[-1][0] <= note.onset:
                until = max(until, waiting.pop()[1])
            if note.onset < until:
                found.add(note.id)
    return found


def _without_unisons(found: list[Event]) -> list[Event]:
    """Equal pitches of a part that start together are one note, and of two that overlap the later ends the earlier."""
    last: dict[tuple[int, bool, float], Event] = {}
    kept: list[Event] = []
    for event in sorted(found, key=lambda event: (event.onset, -event.offset)):
        held = last.get((event.part, event.plucked, event.pitch))
        if held is not None and event.onset - held.onset < UNISON_S:
            held.velocity = max(held.velocity, event.velocity)
            held.offset = max(held.offset, event.offset)
            continue
        if held is not None:
            held.offset = min(held.offset, event.onset)
        event.offset = max(event.offset, event.onset + SHORTEST_S / 2)
        last[event.part, event.plucked, event.pitch] = event
        kept.append(event)
    return kept


def _notes(score: Score, sounding: list[Event]) -> notes.Notes:
    """As columns. Plucked notes of a bowed part have a part of their own, behind the written ones."""
    parts = [
        notes.Part(
            p.name or p.abbreviation, 0 if instruments.is_drums(p) else instruments.program(p), instruments.is_drums(p)
        )
        for p in score.parts
    ]
    plucked: dict[int, int] = {}
    for event in sounding:
        if event.plucked and event.part not in plucked:
            plucked[event.part] = len(parts)
            parts.append(notes.Part(f"{parts[event.part].name} pizzicato".strip(), PIZZICATO_PROGRAM))
    return notes.make(
        [event.onset for event in sounding],
        [event.offset for event in sounding],
        [event.pitch for event in sounding],
        [min(max(round(event.velocity), 1), 127) for event in sounding],
        [plucked[event.part] if event.plucked else event.part for event in sounding],
        tuple(parts),
        ids=[event.id for event in sounding],
        measure=[event.measure for event in sounding],
        beat=[event.beat for event in sounding],
    )


def _beats(score: Score, ticking: Clock, visits: list[Visit]) -> tuple[notes.Beat, ...]:
    """Every beat that is played, and the end."""
    rows: list[tuple[str, int, float, float]] = []
    for visit in visits:
        measure = score.measures[visit.measure]
        start, unit, first, length = float(visit.start), measure.unit, measure.first_beat, float(measure.length)
        beat = first
        while (beat - first) * unit < length - 1e-6 or beat == first:
            rows.append((measure.number, visit.turn, beat, start + (beat - first) * unit))
            beat = float(int(beat) + 1)
    times = ticking.seconds(np.array([row[3] for row in rows])).tolist()
    return tuple(notes.Beat(*row, time_s) for row, time_s in zip(rows, times, strict=True))
