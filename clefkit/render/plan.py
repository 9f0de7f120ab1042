"""When everything happens: a performance laid on FluidSynth's grid of 64-frame blocks.

Each event goes to the block whose start is nearest to its time. Inside a block keys go up and controllers move in the
order of their times, then keys go down.

A voice waits for the shortest delay a soundfont can ask for, 2^-10 s, in whole blocks: not at all below 65,536 Hz, one
block from there on. So at such rates every event goes one block ahead of its time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from clefkit.errors import InputError
from clefkit.notes import Control, Notes, Performance, take

BLOCK = 64
LONGEST_S = 2 * 3600
MOST_PARTS = 256
WIDEST_BEND = 72
# FluidSynth reads a bend range of n as n * 127/128 semitones: SoundFont 2 scales controllers by 1/128, to at most 127.
BEND_SEMITONE = 127 / 128

SWITCHES = {64, 66}  # on from 64 on; FluidSynth hears nothing else in them
# Legato and portamento from a given key may start a note without an attack, which no label could tell.
UNPLAYED = {68, 84}


class Event(NamedTuple):
    """kind: "off", "control", "bend" or "on"; number: key or controller; value: velocity or level; note: index or -1"""

    block: int
    kind: str
    part: int
    number: int
    value: int
    note: int


class Plan(NamedTuple):
    """notes: on the grid; events: in playing order; bend_range: semitones of each part that bends."""

    notes: Notes
    events: list[Event]
    bend_range: dict[int, int]


def make(performance: Performance, rate: int) -> Plan:
    """raises: InputError when there are no notes, more than 256 parts, or more than two hours"""
    notes = _on_grid(performance.notes, rate)
    if not len(notes):
        raise InputError("no notes to play")
    if len(notes.parts) > MOST_PARTS:
        raise InputError(f"{len(notes.parts)} parts, more than {MOST_PARTS}")
    last = max([float(notes.offset.max()), *(control.time_s for control in performance.controls)])
    if not last <= LONGEST_S:
        raise InputError(f"longer than {LONGEST_S // 3600} hours: cut it into parts first")
    bend_range = _bend_ranges(performance.controls)
    rows = [*_note_rows(notes, rate), *_control_rows(performance.controls, bend_range, rate)]
    rows.sort(key=lambda row: (row[0].block, row[0].kind == "on", row[1]))
    return Plan(notes, [event for event, _ in rows], bend_range)


def _note_rows(notes: Notes, rate: int) -> Iterator[tuple[Event, float]]:
    columns = (notes.onset, notes.offset, notes.pitch.astype(int), notes.velocity, notes.part)
    for index, (onset, offset, pitch, velocity, part) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
        yield Event(_block(onset, rate), "on", part, pitch, velocity, index), onset
        yield Event(_block(offset, rate), "off", part, pitch, 0, index), offset


def _on_grid(notes: Notes, rate: int) -> Notes:
    """The notes as FluidSynth plays them: on block starts, whole pitches, one at a time per part and pitch."""
    onset = np.maximum(np.rint(notes.onset * rate / BLOCK), _ahead(rate))
    offset = np.maximum(np.rint(notes.offset * rate / BLOCK), onset + 1)
    pitch = np.clip(np.floor(notes.pitch + 0.5), 0, 127)
    velocity = np.clip(notes.velocity, 1, 127).astype(np.int64)
    # Of notes that begin together the loudest is last and stays.
    order = np.lexsort((velocity, onset, pitch, notes.part))
    onset, offset, pitch = onset[order], offset[order], pitch[order]
    velocity, part = velocity[order], notes.part[order]
    ids = None if notes.ids is None else notes.ids[order]
    follows = (part[1:] == part[:-1]) & (pitch[1:] == pitch[:-1])
    together = follows & (onset[1:] == onset[:-1])
    for index in np.flatnonzero(together):
        offset[index + 1] = max(offset[index], offset[index + 1])
    offset[:-1] = np.where(follows & ~together, np.minimum(offset[:-1], onset[1:]), offset[:-1])
    kept = np.append(~together, True)[: len(onset)]
    grid = Notes(onset * BLOCK / rate, offset * BLOCK / rate, pitch, velocity, part, notes.parts, ids)
    kept_order = np.flatnonzero(kept)
    return take(grid, kept_order[np.lexsort((part[kept], pitch[kept], onset[kept]))])


def _block(time_s: float, rate: int) -> int:
    return max(round(time_s * rate / BLOCK) - _ahead(rate), 0)


def _ahead(rate: int) -> int:
    return rate // 1024 // BLOCK


def _bend_ranges(controls: tuple[Control, ...]) -> dict[int, int]:
    """Per part a range that holds its widest bend, in whole semitones of BEND_SEMITONE."""
    widest: dict[int, int] = {}
    for control in controls:
        if control.kind == "bend":
            need = min(math.ceil(abs(control.value) / BEND_SEMITONE) + 1, WIDEST_BEND)
            widest[control.part] = max(widest.get(control.part, 0), need)
    return widest


def _bend_level(semitones: float, bend_range: int) -> int:
    """0 to 16,383. FluidSynth cuts pitches down to whole cents; half a cent more makes that rounding."""
    wanted = semitones + 0.005 if semitones else 0.0
    return min(max(8192 + round(wanted / (bend_range * BEND_SEMITONE) * 8192), 0), 16_383)


def _control_rows(
    controls: tuple[Control, ...], bend_range: dict[int, int], rate: int
) -> Iterator[tuple[Event, float]]:
    pressed: dict[tuple[int, int], bool] = {}
    for time_s, part, kind, number, value in controls:
        if kind == "bend":
            level = _bend_level(value, bend_range[part])
            yield Event(_block(time_s, rate), "bend", part, 0, level, -1), time_s
            continue
        level = min(max(round(value), 0), 127)
        if number in SWITCHES:
            if pressed.get((part, number), False) == (level >= 64):
                continue
            pressed[part, number] = level >= 64
        if number not in UNPLAYED:
            yield Event(_block(time_s, rate), "control", part, number, level, -1), time_s
