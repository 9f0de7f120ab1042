"""`Score` to a Standard MIDI File of the score as it is written: exact times, tempo, meter and key, one track a part.

No performance: no articulation, hairpin or ornament is played. A note without a velocity has that of the last dynamic
mark of its part (as MuseScore has them), 80 before the first. A grace note takes an eighth of a quarter before the note
it leans on, or from the end of the note it follows. For the score as it is played write `played.unfolded(score)`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from fractions import Fraction
from itertools import groupby

import numpy as np

from clefkit import midi, notes
from clefkit.errors import InputError
from clefkit.midifile import KEY, META, METER, PORT, TEMPO
from clefkit.notation import instruments
from clefkit.notation.layout import Clock
from clefkit.notation.model import Measure, Note, Score

LEAST_TICKS, MOST_TICKS = 480, 27_720  # a quarter; the latter is divided by 1 to 12 and fits into 15 bits
SUSTAIN = 64
GRACE = 8  # so many grace notes to a quarter
SHORTEST = 128  # the shortest note that a time signature counts
SLOWEST = 2**24 - 1  # microseconds a quarter, in three bytes
LEVELS = {"ppp": 16, "pp": 33, "p": 49, "mp": 64, "mf": 80, "f": 96, "ff": 112, "fff": 126}
LEVEL = LEVELS["mf"]

Row = tuple[int, int, bytes]  # tick, rank among the messages of a tick, message


def encode(score: Score) -> bytes:
    """The bytes of a MIDI file of type 1.

    raises: InputError when the score is too long for MIDI
    """
    clock = Clock(score, MOST_TICKS)
    scale = max(-(-LEAST_TICKS // clock.ticks), 1)
    ticks = clock.ticks * scale
    rows = _sounding(score, clock, scale)
    onset, offset, pitch, velocity, part = np.array(rows, np.int64).reshape(-1, 5).T
    onset, offset, pitch, velocity, part = midi.separated(onset, offset, pitch.astype(np.float64), velocity, part)
    if offset.max(initial=0) > midi.LONGEST_DELTA:
        raise InputError("a score too long for a MIDI file")
    players = tuple(
        notes.Part(p.name, 0 if instruments.is_drums(p) else instruments.program(p), instruments.is_drums(p))
        for p in score.parts
    )
    chunks = [midi.chunk(midi.track_name(score.title) + _delta_coded(_conductor(score, clock, scale)))]
    for index, (player, (port, channel)) in enumerate(zip(players, midi.channels(players), strict=True)):
        mine = part == index
        messages: list[Row] = []
        for start, end, key, level in zip(*(c[mine].tolist() for c in (onset, offset, pitch, velocity)), strict=True):
            messages.append((start, 3, bytes([0x90 | channel, key, level])))
            messages.append((end, 0, bytes([0x80 | channel, key, 64])))
        messages += _pedal(score, index, channel, clock, scale)
        head = midi.track_name(player.name) + bytes([0, META, PORT, 1, port % 128, 0, 0xC0 | channel, player.program])
        chunks.append(midi.chunk(head + _delta_coded(messages)))
    return midi.file(chunks, ticks)


def _sounding(score: Score, clock: Clock, scale: int) -> list[list[int]]:
    """[onset, offset, pitch, velocity, part] of each sounding note, tied ones joined."""
    levels = _Levels(score)
    rows: list[list[int]] = []
    waiting: dict[tuple[int, float], list[list[int]]] = defaultdict(list)
    for note in sorted((n for n in score.notes if not n.grace), key=lambda n: n.onset):
        start, end = clock.tick(note.onset) * scale, clock.tick(note.onset + note.duration) * scale
        tied = waiting[note.part, note.pitch]
        held = next((row for row in tied if row[1] == start), None) if note.tie_stop else None
        if held is None:
            held = [start, end, round(note.pitch), levels.of(note), note.part]
            rows.append(held)
        else:
            held[1] = end
            tied.remove(held)
        if note.tie_start:
            tied.append(held)
    return rows + _graces(score, clock, scale)


def _graces(score: Score, clock: Clock, scale: int) -> list[list[int]]:
    levels = _Levels(score)
    size = clock.ticks * scale // GRACE
    ends: dict[tuple[int, str, int], int] = {}
    for note in score.notes:
        if not note.grace:
            ends[note.part, note.voice, clock.tick(note.onset)] = clock.tick(note.onset + note.duration) * scale
    graces = [note for note in score.notes if note.grace]
    rows = []
    for (part, voice, onset, kind), same in groupby(
        graces, key=lambda n: (n.part, n.voice, clock.tick(n.onset), n.grace == "after")
    ):
        group = list(same)
        until = ends.get((part, voice, onset), onset * scale) if kind else onset * scale
        steps = [index for index, note in enumerate(group) if index == 0 or not note.chord]
        length = min(size, until // len(steps)) if until else size
        start = max(until - length * len(steps), 0)
        for index, note in enumerate(group):
            begin = start + length * (sum(step <= index for step in steps) - 1)
            rows.append([begin, begin + max(length, 1), round(note.pitch), levels.of(note), part])
    return rows


class _Levels:
    """The velocity of each note: its own, else that of the last dynamic mark before it."""

    def __init__(self, score: Score) -> None:
        self.marks: dict[int, list[tuple[Fraction, int]]] = defaultdict(list)
        for dynamic in score.dynamics:
            if dynamic.mark in LEVELS:
                self.marks[dynamic.part].append((dynamic.onset, LEVELS[dynamic.mark]))

    def of(self, note: Note) -> int:
        if note.velocity is not None:
            return note.velocity
        marks = self.marks.get(note.part, [])
        place = bisect_right(marks, note.onset, key=lambda mark: mark[0])
        return marks[place - 1][1] if place else LEVEL


def _pedal(score: Score, index: int, channel: int, clock: Clock, scale: int) -> list[Row]:
    rows: list[Row] = []
    for pedal in score.pedals:
        if pedal.part == index:
            tick = clock.tick(pedal.onset) * scale
            values = {"down": (127,), "up": (0,), "change": (0, 127)}[pedal.kind]
            rows += [(tick, 1, bytes([0xB0 | channel, SUSTAIN, value])) for value in values]
    return rows


def _conductor(score: Score, clock: Clock, scale: int) -> list[Row]:
    """Tempo, time and key signatures."""
    rows: list[Row] = []
    before = None
    for measure in score.measures:
        time = _time(measure)
        if time is not None and time != before:
            message = bytes([META, METER, 4, time[0], time[1].bit_length() - 1, 24, 8])
            rows.append((clock.tick(measure.onset) * scale, 0, message))
        before = time
    for key in score.keys:
        fifths = min(max(key.fifths, -7), 7)
        message = bytes([META, KEY, 2, fifths % 256, key.mode == "minor"])
        rows.append((clock.tick(key.onset) * scale, 0, message))
    for tempo in score.tempos:
        length = min(round(60_000_000 / tempo.quarters_per_minute), SLOWEST)
        rows.append((clock.tick(tempo.onset) * scale, 1, bytes([META, TEMPO, 3]) + length.to_bytes(3, "big")))
    return rows


def _time(measure: Measure) -> tuple[int, int] | None:
    """The time signature of a bar as long as the measure. None when MIDI can't say it."""
    kind = measure.time[1]
    while kind < SHORTEST and (measure.length * kind / 4).denominator > 1:
        kind *= 2
    count = measure.length * kind / 4
    sayable = count.denominator == 1 and 0 < count < 256 and kind.bit_count() == 1
    return (int(count), kind) if sayable else None


def _delta_coded(rows: list[Row]) -> bytes:
    out, before = bytearray(), 0
    for tick, _, message in sorted(rows, key=lambda row: row[:2]):
        out += midi.variable(tick - before) + message
        before = tick
    return bytes(out)
