"""Which preset of which soundfont plays a part, and how it is varied."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Timbre(NamedTuple):
    """One preset of one font, and changes that keep the instrument what it is.

    bank: MIDI bank, 128 for drum kits; program: 0 to 127
    cutoff_cents: moves the low-pass filter; attack_timecents, release_timecents: stretch the envelope (1,200 double it)
    detune_cents: moves the pitch; velocity_exponent: loudness follows 127 * (velocity / 127) ** exponent
    width: of the stereo image, 0 is mono, 1 as the font has it
    """

    font: Path
    bank: int
    program: int
    cutoff_cents: float = 0.0
    attack_timecents: float = 0.0
    release_timecents: float = 0.0
    detune_cents: float = 0.0
    velocity_exponent: float = 1.0
    width: float = 1.0
