"""Which instrument a part is: the name whose sound comes and goes with the part's notes, as `tag` hears it.

Whether an instrument sounds in a cell of 0.1 s, `tag` says with a probability. A part that is that instrument plays
where it is high, and pauses where it is low; so each name has a likelihood for each part, and names are shared out so
that it is highest. Cells in which a part plays alone count most. Two parts may have one name, which is then numbered,
if that is four times as likely as other names. A part that fits none of the instruments that are there keeps what
`timbre` called it.

When there is a stem of each part (`separate`), that is asked instead: it is called what it is likely to be, if other
names are much less so. On sounds that are strange to `tag` (the validation half of `train.separate.heldout`) such
names are right about as often as wrong; those from the mixture were wrong twice as often as right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from clefkit.notes import Notes, Part
from clefkit.tag import hearing
from clefkit.tag.infer import Heard
from clefkit.tag.vocabulary import LEAVES

Floats = NDArray[np.float64]

THERE = 0.5  # the probability from which on a track may have an instrument's name: a wrong one is worse than none

# The program of General MIDI for each name; of several the last one whose pitch the part's median reaches.
PROGRAMS: dict[str, tuple[tuple[int, int], ...]] = {
    "accordion": ((0, 21),),
    "banjo": ((0, 105),),
    "bass": ((0, 32),),
    "cello": ((0, 42),),
    "clarinet": ((0, 71),),
    "flute": ((0, 73), (88, 72)),
    "guitar": ((0, 24),),
    "mallet_percussion": ((0, 12),),
    "mandolin": ((0, 25),),
    "organ": ((0, 19),),
    "piano": ((0, 0),),
    "saxophone": ((0, 67), (52, 66), (60, 65), (72, 64)),
    "synthesizer": ((0, 80),),
    "trombone": ((0, 57),),
    "trumpet": ((0, 56),),
    "ukulele": ((0, 24),),
    "violin": ((0, 40),),
    "voice": ((0, 53),),
    "double_reed": ((0, 70), (60, 68)),
    "horn_tuba": ((0, 58), (45, 60)),
    "harp": ((0, 46),),
    "strings_ensemble": ((0, 48),),
}
PITCHED = [LEAVES.index(name) for name in PROGRAMS]
CLEARLY = 0.7  # a stem of its own isn't called what is less likely, nor if its odds aren't TIMES those of other names
SURE = 0.02  # no cell says more than 1 - SURE or less than SURE
TIMES = 4.0
TWICE = np.log(TIMES)
LEAST = np.log(0.2)  # of the mean logarithm of a name's probability where its part plays


def named(notes: Notes, heard: Heard, apart: bool) -> Notes:
    """The same notes, their parts with names and programs of the instruments that are heard.

    apart: whether parts are instruments; if not, the one part gets a name when only one instrument is there
    """
    there = [leaf for leaf in PITCHED if heard.clip[leaf] >= THERE]
    if not there or not len(notes) or not (apart or len(there) == 1):
        return notes
    plays = _plays(notes, len(heard.cells))
    likely = np.clip(heard.cells[:, there].astype(float), SURE, 1 - SURE)
    where = plays / np.maximum(plays.sum(axis=0), 1) ** 2
    agreed = _mean(where, np.log(likely))
    paused = _mean((~plays & plays.any(axis=0)).astype(float), np.log(1 - likely))
    fits = (agreed >= LEAST) & plays.any(axis=1, keepdims=True)
    chosen = [LEAVES[there[name]] if fits[part, name] else "" for part, name in enumerate(_shared(agreed + paused))]
    return _called(notes, chosen)


def of_stems(notes: Notes, stems: Sequence[Heard]) -> Notes:
    """The same notes, their parts with names and programs of what is heard in the stem of each."""
    return _called(notes, [_clearly(heard.clip[PITCHED]) for heard in stems])


def _clearly(likely: Floats) -> str:
    """The name that is likely, and much likelier than any other; or none. likely: (PITCHED,)"""
    second, first = np.argsort(likely)[-2:]
    odds = likely / (1 - np.minimum(likely, 1 - SURE))
    return LEAVES[PITCHED[first]] if likely[first] >= CLEARLY and odds[first] >= TIMES * odds[second] else ""


def _plays(notes: Notes, cells: int) -> NDArray[np.bool_]:
    """(parts, cells): where a part has a note."""
    steps = np.zeros((len(notes.parts), cells + 1))
    first = np.clip((notes.onset * hearing.CELLS_PER_SECOND).astype(int), 0, cells)
    last = np.clip(np.ceil(notes.offset * hearing.CELLS_PER_SECOND).astype(int), first, cells)
    np.add.at(steps, (notes.part, first), 1)
    np.add.at(steps, (notes.part, last), -1)
    return np.cumsum(steps, axis=1)[:, :cells] > 0


def _mean(weights: Floats, values: Floats) -> Floats:
    """(parts, cells), (cells, names) -> (parts, names); 0 where nothing counts."""
    return np.asarray(weights @ values / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9))


def _shared(fits: Floats) -> list[int]:
    """The name of each part, so that the sum of what fits is highest. fits: (parts, names)"""
    from scipy.optimize import linear_sum_assignment

    again = [fits - TWICE * times for times in range(len(fits))]
    return [int(column) % fits.shape[1] for column in linear_sum_assignment(-np.hstack(again))[1]]


def _called(notes: Notes, chosen: Sequence[str]) -> Notes:
    """chosen: the name of each part; without one it keeps what it has"""
    return replace(notes, parts=tuple(_part(notes, number, chosen) for number in range(len(notes.parts))))


def _part(notes: Notes, number: int, chosen: Sequence[str]) -> Part:
    name = chosen[number]
    if not name:
        return notes.parts[number]
    pitch = notes.pitch[notes.part == number]
    height = float(np.median(pitch)) if len(pitch) else 60.0
    program = [program for low, program in PROGRAMS[name] if height >= low][-1]
    told = name.replace("_", " ")
    if chosen.count(name) > 1:
        told += f" {list(chosen[:number]).count(name) + 1}"
    return Part(told, program)
