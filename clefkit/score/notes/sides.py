"""The two sides of a comparison: notes that are possible, pitched ones and drums apart.

Drums are apart because their pitches name instruments, and because nobody knows when a stroke ends.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.errors import InputError
from clefkit.notes import Notes, take
from clefkit.score.notes import pedal

LONGEST_S = 1_000_000.0
PITCHES = (-100.0, 300.0)
HIGHEST = 127


class Side(NamedTuple):
    """The notes of one side. Both keep all parts, some of them empty."""

    pitched: Notes
    drums: Notes


def split(notes: Notes, name: str, *, held: bool) -> Side:
    """Pitched notes and drums.

    name: "the reference" or "the estimate"; held: whether pitched notes last as long as the pedal holds them
    raises: InputError when a note is no note (see `check`)
    """
    check(notes, name)
    drums = of_drums(notes)
    pitched = take(notes, ~drums)
    return Side(pedal.heard(pitched) if held else pitched, take(notes, drums))


def of_drums(notes: Notes) -> NDArray[np.bool_]:
    """Which notes belong to a drum kit, (notes,)."""
    return np.array([part.drums for part in notes.parts], dtype=bool)[notes.part]


def check(notes: Notes, name: str) -> None:
    """raises: InputError when a time, pitch, velocity, part or program is impossible, or an end before its beginning"""
    within = (np.abs(notes.onset) <= LONGEST_S) & (np.abs(notes.offset) <= LONGEST_S) & (notes.offset >= notes.onset)
    within &= (notes.pitch >= PITCHES[0]) & (notes.pitch <= PITCHES[1])
    within &= (notes.velocity >= 0) & (notes.velocity <= HIGHEST)
    within &= (notes.part >= 0) & (notes.part < len(notes.parts))
    if notes.sounding is not None:
        within &= np.abs(notes.sounding) <= LONGEST_S
    if not within.all():
        bad = np.argmin(within) + 1
        raise InputError(f"{name} has a note with an impossible time, pitch, velocity or part: number {bad}")
    if not all(0 <= part.program <= HIGHEST for part in notes.parts):
        raise InputError(f"{name} has a part with an impossible program: General MIDI has 0 to {HIGHEST}")
