"""A performance as a MIDI file: notes, pedals and bends, on a grid of measures and beats that follows the player.

A sequencer or notation program that opens the file sees bar lines where the score has them, although the tempo moves.
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import midi
from clefkit.errors import InputError
from clefkit.midifile import FIRST_TEMPO, META, METER, PORT, TEMPO
from clefkit.notes import Beat, Control, Performance

TICKS_PER_QUARTER = 9600
SLOWEST = 2**24 - 1  # microseconds a quarter, in three bytes
WIDEST_BEND = 96
USUAL_BEND = 2  # semitones: what instruments take that don't listen to the range a file sets
MICRO = 1_000_000
ORDER = {"off": 0, "bend": 1, "control": 1, "on": 2}


class _Grid(NamedTuple):
    """Where ticks are. start_s: (changes,) seconds; tick: (changes,); tempo: (changes,) microseconds a quarter."""

    start_s: NDArray[np.float64]
    tick: NDArray[np.int64]
    tempo: NDArray[np.int64]

    def ticks(self, times_s: NDArray[np.float64]) -> NDArray[np.int64]:
        index = np.clip(np.searchsorted(self.start_s, times_s, side="right") - 1, 0, None)
        past = (times_s - self.start_s[index]) * MICRO / self.tempo[index] * TICKS_PER_QUARTER
        return np.maximum(self.tick[index] + np.rint(past).astype(np.int64), 0)


def encode(performance: Performance) -> bytes:
    """A MIDI file of type 1, one track a part, 9,600 ticks a quarter, a new tempo at each beat.

    Pitches are rounded; notes of one part and pitch end where the next begins. Without beats the tempo is 120.
    raises: InputError when a part bends further than 96 semitones, or the file would be too long for MIDI
    """
    found = performance.notes
    grid = _grid(performance.beats)
    chunks = [midi.chunk(_conductor(grid, performance.beats))]
    onset = grid.ticks(found.onset)
    offset = np.maximum(grid.ticks(found.offset), onset + 1)
    if offset.max(initial=0) > midi.LONGEST_DELTA:
        raise InputError("a performance too long for a MIDI file")
    columns = midi.separated(onset, offset, found.pitch, found.velocity, found.part)
    times = grid.ticks(np.array([control.time_s for control in performance.controls], np.float64)).tolist()
    controls = list(zip(times, performance.controls, strict=True))
    channels = midi.channels(found.parts)
    for index, part in enumerate(found.parts):
        port, channel = channels[index]
        mine = columns[4] == index
        rows = _note_rows(channel, *(column[mine] for column in columns[:4]))
        rows += _control_rows(channel, [(tick, control) for tick, control in controls if control.part == index])
        head = midi.track_name(part.name) + bytes([0, META, PORT, 1, port % 128, 0, 0xC0 | channel, part.program & 127])
        chunks.append(midi.chunk(head + _delta_coded(rows)))
    return midi.file(chunks, TICKS_PER_QUARTER)


def _grid(beats: tuple[Beat, ...]) -> _Grid:
    """One tempo a beat, chosen so that the rounding to whole microseconds does not add up."""
    start_s, tick, tempo, now_s = [0.0], [0], [FIRST_TEMPO], 0.0
    for beat, following in pairwise(beats):
        quarters = following.quarter - beat.quarter
        if quarters <= 0:
            continue
        wanted = min(max(round((following.time_s - now_s) / quarters * MICRO), 1), SLOWEST)
        start_s.append(now_s)
        tick.append(round(beat.quarter * TICKS_PER_QUARTER))
        tempo.append(wanted)
        now_s += wanted * quarters / MICRO
    if len(tempo) > 1:
        del start_s[0], tick[0], tempo[0]
    return _Grid(np.array(start_s), np.array(tick, np.int64), np.array(tempo, np.int64))


def _conductor(grid: _Grid, beats: tuple[Beat, ...]) -> bytes:
    """Tempo and time signatures."""
    rows = []
    before = 0
    for tick, tempo in zip(grid.tick.tolist(), grid.tempo.tolist(), strict=True):
        if tempo != before:
            rows.append((tick, 1, bytes([META, TEMPO, 3]) + tempo.to_bytes(3, "big")))
            before = tempo
    rows += _meters(beats)
    return midi.track_name("clefkit") + _delta_coded(rows)


def _meters(beats: tuple[Beat, ...]) -> list[tuple[int, int, bytes]]:
    """A time signature where the number or the length of the beats of a measure changes."""
    counts = Counter((beat.measure, beat.turn) for beat in beats)
    rows: list[tuple[int, int, bytes]] = []
    before, measure = (0, 0.0), ("", 0)
    for beat, following in pairwise(beats):
        if (beat.measure, beat.turn) == measure:
            continue
        measure = (beat.measure, beat.turn)
        signature = (min(counts[measure], 255), following.quarter - beat.quarter)
        power = round(math.log2(4 / signature[1])) if signature[1] > 0 else 2
        if signature != before and 0 <= power <= 6:
            tick = round(beat.quarter * TICKS_PER_QUARTER)
            rows.append((tick, 0, bytes([META, METER, 4, signature[0], power, 24, 8])))
            before = signature
    return rows


def _note_rows(
    channel: int,
    onset: NDArray[np.int64],
    offset: NDArray[np.int64],
    pitch: NDArray[np.int64],
    velocity: NDArray[np.int64],
) -> list[tuple[int, int, bytes]]:
    on = zip(onset.tolist(), pitch.tolist(), velocity.tolist(), strict=True)
    rows = [(tick, ORDER["on"], bytes([0x90 | channel, key, level])) for tick, key, level in on]
    off = zip(offset.tolist(), pitch.tolist(), strict=True)
    return rows + [(tick, ORDER["off"], bytes([0x80 | channel, key, 64])) for tick, key in off]


def _control_rows(channel: int, controls: list[tuple[int, Control]]) -> list[tuple[int, int, bytes]]:
    """Controllers as they are; bends in a range that is set first: the usual one, or what the widest of them needs."""
    widest = max((abs(control.value) for _, control in controls if control.kind == "bend"), default=0.0)
    if widest > WIDEST_BEND:
        raise InputError(f"a part bends by {widest:g} semitones, more than MIDI can say")
    rows = []
    reach = max(math.ceil(widest), USUAL_BEND) if widest else 0
    if reach:
        for number, value in ((101, 0), (100, 0), (6, reach), (38, 0)):
            rows.append((0, ORDER["control"], bytes([0xB0 | channel, number, value])))
    for tick, control in controls:
        if control.kind == "bend":
            level = min(max(8192 + round(control.value / reach * 8192), 0), 16_383) if reach else 8192
            rows.append((tick, ORDER["bend"], bytes([0xE0 | channel, level & 127, level >> 7])))
        else:
            level = min(max(round(control.value), 0), 127)
            rows.append((tick, ORDER["control"], bytes([0xB0 | channel, control.number, level])))
    return rows


def _delta_coded(rows: list[tuple[int, int, bytes]]) -> bytes:
    out, before = bytearray(), 0
    for tick, _, message in sorted(rows, key=lambda row: row[:2]):
        out += midi.variable(tick - before) + message
        before = tick
    return bytes(out)
