"""Letters and accidentals for sounding pitches."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
FIFTHS = "FCGDAEB"
LOWEST, MOST = -3, 12  # from three fifths under the tonic of a major key to eight above it: E flat to G sharp in C


class Spelled(NamedTuple):
    """step: "C" to "B"; alter: semitones, .5 for a quarter tone; octave: 4 begins with middle C."""

    step: str
    alter: float
    octave: int


@lru_cache(maxsize=4096)
def spelled(pitch: float, step: str, fifths: int) -> Spelled:
    """How a pitch is written.

    pitch: MIDI number; step: its letter, "" when the source has none: then the one that is nearest in the key
    fifths: sharps of the key, negative for flats
    """
    if step not in STEPS:
        place = (int(pitch) * 7 - fifths - LOWEST) % MOST + fifths + LOWEST  # in fifths from C
        step = FIFTHS[(place + 1) % 7]
    octave = round((pitch - STEPS[step]) / 12) - 1
    alter = pitch - 12 * (octave + 1) - STEPS[step]
    return Spelled(step, int(alter) if alter == int(alter) else alter, octave)


@lru_cache(maxsize=64)
def signature(fifths: int) -> dict[str, int]:
    """The semitones that a key signature adds to each letter."""
    return {step: (fifths - place + 6) // 7 for place, step in enumerate(FIFTHS)}
