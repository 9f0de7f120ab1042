"""What a human player is given, and what he makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
Truth = NDArray[np.bool_]


@dataclass(frozen=True)
class Line:
    """Everything that is played, in the order of onset, in score time with repeats unfolded.

    onset, duration: (notes,), quarters; ties are joined
    pitch: (notes,), MIDI numbers
    part: (notes,); voice: (notes,), unique over all parts
    velocity: (notes,), 1 to 127, what the dynamics say
    slurred: (notes,), the note goes on under a slur into the next of its voice; staccato: (notes,)
    bars: (measures,), quarters, bar lines; beat: (measures,), quarters, length of a beat there
    key: (measures,), fifths: sharps, negative for flats
    seconds_per_quarter: (notes,), the tempo written there
    ends: quarters where sections or movements end; the last is the end of the piece
    """

    onset: Array
    duration: Array
    pitch: Array
    part: Whole
    voice: Whole
    velocity: Array
    slurred: Truth
    staccato: Truth
    bars: Array
    beat: Array
    key: Whole
    seconds_per_quarter: Array
    ends: tuple[float, ...]


@dataclass(frozen=True)
class Interpretation:
    """How far the player goes from the score.

    tempo_onset: (points,), quarters, rising
    tempo_factor: (points,), factor of a quarter's duration there, above 1 is slower; in between it is interpolated
        linearly, outside it is that of the nearest point; never below 0.5 or above 2.2
    shift_s: (notes,), seconds, added to the onset after the tempo curve, -0.04 to 0.04
    length: (notes,), factor of the note's duration
    velocity: (notes,), velocity steps to add
    """

    tempo_onset: Array
    tempo_factor: Array
    shift_s: Array
    length: Array
    velocity: Array
