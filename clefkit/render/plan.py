"""When everything happens: a performance laid on FluidSynth's grid of 64-frame blocks.

Each event goes to the block whose start is nearest to its time. Inside a block keys go up and controllers move in the
order of their times, then keys go down.

A voice waits for the shortest delay a soundfont can ask for, 2^-10 s, in whole blocks: not at all below 65,536 Hz, one
block from there on. So at such rates every event goes one block ahead of its time.

Pedals are played here and not by FluidSynth: a note that a pedal holds is let go when the pedal is, or when its key is
struck again. FluidSynth would let the old sound go on beside the new one; a string has one sound at a time, and each
sound costs time.

A channel has one tuning. Notes between the keys go to further channels of their part, a channel for each fraction.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.errors import InputError
from clefkit.notes import Control, Notes, Performance, take
from clefkit.render import held

BLOCK = 64
LONGEST_S = 2 * 3600
MOST_PARTS = 256
MOST_TUNINGS = 16
WIDEST_BEND = 72
# FluidSynth reads a bend range of n as n * 127/128 semitones: SoundFont 2 scales controllers by 1/128, to at most 127.
BEND_SEMITONE = 127 / 128

# Pedals are ours. Legato and portamento from a given key may start a note without an attack, which no label could tell.
UNPLAYED = {held.DAMPER, held.SOSTENUTO, 68, 84}

OFF, CONTROL, BEND, ON = range(4)


class Event(NamedTuple):
    """What happens at the start of a block.

    kind: OFF, CONTROL, BEND or ON; number: key or controller; value: velocity or level; note: index, or -1
    """

    block: int
    kind: int
    channel: int
    number: int
    value: int
    note: int


class PartPlan(NamedTuple):
    """One part that has notes.

    part: its index; events: in playing order; end: the block of its last key or controller, also of those not played
    tunings: of its channels, cents; bend_range: semitones, 0 without bends
    """

    part: int
    end: int
    events: list[Event]
    tunings: list[int]
    bend_range: int


class Plan(NamedTuple):
    """notes: on the grid, `sounding` is infinite where a pedal stays down; parts: those that have notes."""

    notes: Notes
    parts: list[PartPlan]


def make(performance: Performance, rate: int) -> Plan:
    """raises: InputError when there are no notes, more than 256 parts, or more than two hours"""
    asked = performance.notes
    if not len(asked):
        raise InputError("no notes to play")
    if len(asked.parts) > MOST_PARTS:
        raise InputError(f"{len(asked.parts)} parts, more than {MOST_PARTS}")
    last = max([float(asked.offset.max()), *(control.time_s for control in performance.controls)])
    if not last <= LONGEST_S:
        raise InputError(f"longer than {LONGEST_S // 3600} hours: cut it into parts first")
    controls: dict[int, list[Control]] = defaultdict(list)
    for control in performance.controls:
        controls[control.part].append(control)
    notes = _on_grid(_tuned(asked), _until(asked, controls), rate)
    return Plan(notes, [_part(notes, part, controls[part], rate) for part in _distinct(notes.part)])


def _distinct(numbers: NDArray[np.int64]) -> list[int]:
    """As `numpy.unique`, which imports the masked arrays first: 6 ms."""
    return sorted(set(numbers.tolist()))


def _tuned(notes: Notes) -> Notes:
    """Pitches on the keyboard in whole cents; where a part has more fractions than channels, in sixteenths."""
    pitch = np.clip(np.rint(notes.pitch * 100), 0, 12_700).astype(np.int64)
    for part in _distinct(notes.part[pitch % 100 != 0]):
        mine = notes.part == part
        if len(_distinct(pitch[mine] % 100)) > MOST_TUNINGS:
            pitch[mine] = np.rint(np.floor(pitch[mine] * MOST_TUNINGS / 100 + 0.5) * 100 / MOST_TUNINGS)
    return dataclasses.replace(notes, pitch=pitch / 100)


def _key_and_cents(hundredths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The nearest key, and -50 to 49 cents from there."""
    key = np.minimum((hundredths + 50) // 100, 127)
    return key, hundredths - key * 100


def _until(notes: Notes, controls: dict[int, list[Control]]) -> NDArray[np.float64]:
    """When each note is let go, key and pedals, seconds."""
    let_go = notes.offset.copy()
    for part, moves in controls.items():
        mine = notes.part == part
        damper, sostenuto = (held.presses(moves, number) for number in (held.DAMPER, held.SOSTENUTO))
        let_go[mine] = held.until(notes.onset[mine], notes.offset[mine], damper, sostenuto)
    return let_go


def _on_grid(notes: Notes, until: NDArray[np.float64], rate: int) -> Notes:
    """The notes as FluidSynth plays them: on block starts, one at a time per part and pitch."""
    onset = np.maximum(np.rint(notes.onset * rate / BLOCK), _ahead(rate))
    offset = np.maximum(np.rint(notes.offset * rate / BLOCK), onset + 1)
    until = np.maximum(np.rint(until * rate / BLOCK), offset)
    velocity = np.clip(notes.velocity, 1, 127).astype(np.int64)
    # Of notes that begin together the loudest is last and stays.
    order = np.lexsort((velocity, onset, notes.pitch, notes.part))
    before, after = order[:-1], order[1:]
    follows = (notes.part[before] == notes.part[after]) & (notes.pitch[before] == notes.pitch[after])
    together = follows & (onset[before] == onset[after])
    for first, second in zip(before[together].tolist(), after[together].tolist(), strict=True):
        offset[second], until[second] = max(offset[first], offset[second]), max(until[first], until[second])
    again = follows & ~together
    for ends in (offset, until):
        ends[before[again]] = np.minimum(ends[before[again]], onset[after[again]])
    kept = np.ones(len(notes), np.bool_)
    kept[before[together]] = False
    seconds = BLOCK / rate
    grid = dataclasses.replace(
        notes, onset=onset * seconds, offset=offset * seconds, velocity=velocity, sounding=until * seconds
    )
    return take(grid, kept)


def _part(notes: Notes, part: int, controls: list[Control], rate: int) -> PartPlan:
    mine = np.flatnonzero(notes.part == part)
    key, cents = _key_and_cents(np.rint(notes.pitch[mine] * 100).astype(np.int64))
    tunings, channel = np.unique(cents, return_inverse=True)
    bend_range = _bend_range(controls)
    rows = [
        *_note_rows(notes, mine, key, channel, rate),
        *_control_rows(controls, len(tunings), bend_range, rate),
    ]
    rows.sort(key=lambda row: (row[0].block, row[0].kind == ON, row[1]))
    last = max([float(notes.offset[mine].max()), *(control.time_s for control in controls)])
    return PartPlan(part, _block(last, rate), [event for event, _ in rows], tunings.tolist(), bend_range)


def _note_rows(
    notes: Notes, mine: NDArray[np.int64], key: NDArray[np.int64], channel: NDArray[np.int64], rate: int
) -> Iterator[tuple[Event, float]]:
    sounding = notes.offset if notes.sounding is None else notes.sounding
    columns = (notes.onset[mine], sounding[mine], key, notes.velocity[mine], channel, mine)
    for onset, until, number, velocity, place, index in zip(*(each.tolist() for each in columns), strict=True):
        yield Event(_block(onset, rate), ON, place, number, velocity, index), onset
        if until != math.inf:
            yield Event(_block(until, rate), OFF, place, number, 0, index), until


def _block(time_s: float, rate: int) -> int:
    return max(round(time_s * rate / BLOCK) - _ahead(rate), 0)


def _ahead(rate: int) -> int:
    return rate // 1024 // BLOCK


def _bend_range(controls: list[Control]) -> int:
    """What holds the widest bend, in whole semitones of BEND_SEMITONE."""
    widths = [abs(control.value) for control in controls if control.kind == "bend"]
    return min(math.ceil(max(widths) / BEND_SEMITONE) + 1, WIDEST_BEND) if widths else 0


def _bend_level(semitones: float, bend_range: int) -> int:
    """0 to 16,383, 8,192 in the middle."""
    return min(max(8192 + round(semitones / (bend_range * BEND_SEMITONE) * 8192), 0), 16_383)


def _control_rows(controls: list[Control], channels: int, bend_range: int, rate: int) -> Iterator[tuple[Event, float]]:
    for time_s, _, kind, number, value in controls:
        block = _block(time_s, rate)
        for channel in range(channels):
            if kind == "bend":
                yield Event(block, BEND, channel, 0, _bend_level(value, bend_range), -1), time_s
            elif number not in UNPLAYED:
                yield Event(block, CONTROL, channel, number, min(max(round(value), 0), 127), -1), time_s
