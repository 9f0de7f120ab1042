"""Ornaments as the notes they stand for: trills, mordents, turns, tremolos, arpeggios.

Read as players of the eighteenth and nineteenth century are taught (C. P. E. Bach, "Versuch über die wahre Art das
Clavier zu spielen", 1753; L. Mozart, 1756), with one default where manners differ: a trill begins on the written note.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from dataclasses import replace
from fractions import Fraction

from clefkit.notation.model import Note, Score
from clefkit.notation.spelling import STEPS, signature, spelled
from clefkit.render.events import Event

TRILL_S = 0.07  # about what a note of a trill lasts
SHAKE_S = 0.07  # the first two notes of a mordent, and those of a turn
TREMOLO_S = 0.06  # the shortest note of a tremolo
ARPEGGIO_S = 0.035  # between the notes of an arpeggio
MOST_OF_NOTE = 0.5  # that an arpeggio may take
SOFTER = 6.0  # velocity of what is not the written note

ALTERS = {
    "sharp": 1, "flat": -1, "natural": 0, "double-sharp": 2, "flat-flat": -2, "sharp-sharp": 2, "natural-sharp": 1,
    "natural-flat": -1,
}  # fmt: skip

TRILLS = ("trill-mark", "wavy-line", "shake")
TURNS = {"turn": 1, "delayed-turn": 1, "inverted-turn": -1, "delayed-inverted-turn": -1}
MORDENTS = {"mordent": -1, "inverted-mordent": 1}


def expand(score: Score, events: list[Event]) -> list[Event]:
    """All events, in seconds, with those under ornaments replaced by what is played for them."""
    neighbours = _Neighbours(score)
    found: list[Event] = []
    pairs = _tremolo_pairs(events)
    _roll(events)
    for event in events:
        if not event.note.marks:
            found.append(event)
        elif id(event) in pairs:
            found += pairs[id(event)]
        else:
            found += _ornament(event, neighbours)
    return found


def _ornament(event: Event, neighbours: _Neighbours) -> list[Event]:
    for mark in sorted(event.note.marks):
        name, _, detail = mark.partition(":")
        if name in TRILLS:
            upper = neighbours.pitch(event.note, 1, detail)
            return _trill(event, upper)
        if name in MORDENTS:
            other = neighbours.pitch(event.note, MORDENTS[name], detail)
            return _figure(event, [event.pitch, other, event.pitch])
        if name in TURNS:
            upper = neighbours.pitch(event.note, TURNS[name], detail if TURNS[name] > 0 else "")
            lower = neighbours.pitch(event.note, -TURNS[name], "" if TURNS[name] > 0 else detail)
            figure = [upper, event.pitch, lower, event.pitch]
            return _late_figure(event, figure) if name.startswith("delayed") else _figure(event, figure)
        if name == "tremolo" and detail.isdecimal():
            return _repeat(event, int(detail))
    return [event]


def _split(event: Event, edges: list[float], pitches: list[float]) -> list[Event]:
    """One event for each pitch, from edge to edge. The first keeps the id; the others get "~2", "~3", ..."""
    found = []
    for index, pitch in enumerate(pitches):
        found.append(
            replace(
                event,
                id=event.id if index == 0 else f"{event.id}~{index + 1}",
                pitch=pitch,
                velocity=event.velocity - (SOFTER if pitch != event.pitch else 0.0),
                onset=edges[index],
                offset=edges[index + 1],
            )
        )
    return found


def _even(start: float, end: float, count: int) -> list[float]:
    return [start + (end - start) * index / count for index in range(count + 1)]


def _trill(event: Event, upper: float) -> list[Event]:
    """In the 16ths, 32nds, 64ths that come nearest to what hands do; at least three notes, the last is the main one."""
    length = event.offset - event.onset
    of_quarter = length / max(event.end - event.start, 1e-6)
    step = of_quarter / 2.0 ** round(math.log2(of_quarter / TRILL_S))
    count = max(round(length / step), 3)
    edges = _even(event.onset, event.offset, count)
    if count % 2 == 0:  # the last two are one, so that it ends where it began
        count -= 1
        del edges[-2]
    return _split(event, edges, [upper if i % 2 else event.pitch for i in range(count)])


def _figure(event: Event, pitches: list[float]) -> list[Event]:
    """A short figure whose last note is held; on a short note all are equally long."""
    length = event.offset - event.onset
    step = min(SHAKE_S, length / len(pitches))
    edges = [event.onset + step * index for index in range(len(pitches))]
    return _split(event, [*edges, event.offset], pitches)


def _late_figure(event: Event, pitches: list[float]) -> list[Event]:
    """The written note first, the figure in its second half."""
    length = event.offset - event.onset
    step = min(SHAKE_S * 1.4, length / 2 / len(pitches))
    edges = [event.offset - step * (len(pitches) - index) for index in range(len(pitches))]
    return _split(event, [event.onset, *edges, event.offset], [event.pitch, *pitches])


def _repeat(event: Event, strokes: int) -> list[Event]:
    """A note with strokes through its stem, repeated, but not faster than a hand goes."""
    length = event.end - event.start
    count = max(round(length * _strokes_a_quarter(event.note.duration, strokes)), 1)
    most = max(int((event.offset - event.onset) / TREMOLO_S), 1)
    count = min(count, most)
    return _split(event, _even(event.onset, event.offset, count), [event.pitch] * count)


def _strokes_a_quarter(written: Fraction, strokes: int) -> float:
    """How many notes of a tremolo make a quarter: each stroke halves one, and so does each flag of the written note."""
    log = math.log2(written or 1)
    tuplet = written.denominator.bit_count() > 1
    flags = max(-(math.ceil(log) if tuplet else math.floor(log)), 0)
    squeezed = 2.0 ** math.ceil(log) / written if tuplet else 1.0
    return 2.0 ** min(strokes + flags, 8) * squeezed


def _tremolo_pairs(events: list[Event]) -> dict[int, list[Event]]:
    """Tremolos between two notes or chords: what each event becomes."""
    starts: dict[tuple[int, str, float], list[Event]] = defaultdict(list)
    stops: dict[tuple[int, str, float], list[Event]] = defaultdict(list)
    strokes: dict[tuple[int, str, float], int] = {}
    for event in events:
        for mark in event.note.marks:
            name, _, detail = mark.partition(":")
            if name == "tremolo-start":
                key = (event.part, event.note.voice, round(event.end, 6))
                starts[key].append(event)
                strokes[key] = int(detail) if detail.isdecimal() else 3
            elif name == "tremolo-stop":
                stops[event.part, event.note.voice, round(event.start, 6)].append(event)
    found: dict[int, list[Event]] = {}
    for key, first in starts.items():
        second = stops.get(key)
        if not second:
            continue
        begin, end = first[0].onset, max(event.offset for event in second)
        quarters = second[0].end - first[0].start
        written = 2 * first[0].note.duration  # a pair is written twice as long as it lasts
        count = round(quarters * _strokes_a_quarter(written, strokes[key]))
        count = max(min(count, int((end - begin) / TREMOLO_S)), 2)
        edges = _even(begin, end, count)
        for parity, group in enumerate((first, second)):
            for event in group:
                places = range(parity, count, 2)
                found[id(event)] = [
                    replace(
                        event, id=event.id if k == 0 else f"{event.id}~{k + 1}", onset=edges[i], offset=edges[i + 1]
                    )
                    for k, i in enumerate(places)
                ]
    return found


def _roll(events: list[Event]) -> None:
    """Arpeggios begin on the beat and go up (or down), the last note soon after; ends stay together."""
    chords: dict[tuple[int, float], list[Event]] = defaultdict(list)
    for event in events:
        if any(mark.startswith("arpeggiate") for mark in event.note.marks):
            chords[event.part, round(event.start, 6)].append(event)
    for chord in chords.values():
        down = any("arpeggiate:down" in event.note.marks for event in chord)
        ordered = sorted(chord, key=lambda event: event.pitch, reverse=down)
        shortest = min(event.offset - event.onset for event in chord)
        step = min(ARPEGGIO_S, MOST_OF_NOTE * shortest / len(chord))
        for index, event in enumerate(ordered):
            event.onset += step * index


class _Neighbours:
    """The next note of the scale."""

    def __init__(self, score: Score) -> None:
        self.onsets = [key.onset for key in score.keys]
        self.fifths = [key.fifths for key in score.keys]

    def pitch(self, note: Note, direction: int, accidental: str) -> float:
        """The neighbour above (1) or below (-1), of the key signature unless an accidental stands by the ornament."""
        index = bisect_right(self.onsets, note.onset) - 1
        fifths = self.fifths[index] if index >= 0 else 0
        letters = "".join(STEPS)
        letter = letters[(letters.index(spelled(note.pitch, note.step, fifths).step) + direction) % 7]
        alter = ALTERS[accidental] if accidental in ALTERS else signature(fifths)[letter]
        pitch = note.pitch + (STEPS[letter] + alter - note.pitch) % 12
        while direction < 0 and pitch >= note.pitch:
            pitch -= 12
        return min(max(pitch, 0.0), 127.0) if pitch != note.pitch else note.pitch + direction
