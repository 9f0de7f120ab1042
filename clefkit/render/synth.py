"""A performance into sound, with labels exact to the sample.

FluidSynth computes sound in blocks of 64 frames and lets an event act at the start of a block. Its own player, and
every program built on it, sends events by a clock of its own and is late by up to some milliseconds, more where the
tempo changes. Here each event goes to the block whose start is nearest to its time (at most 32 frames away, 0.73 ms at
44,100 Hz) and the label gets that start: what the label says is what the sound does.

Each part plays by itself and is added to the mix, in the order of the parts. So the parts add up to the mix, and the
mix is the same whether they are kept or not.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import audio
from clefkit.audio import Audio, Samples
from clefkit.errors import InputError
from clefkit.notes import Notes, Performance, take
from clefkit.render import fluid, plan, player, timbre
from clefkit.render.stems import Stems
from clefkit.render.timbre import Timbre

RATES_HZ = (8000, 96_000)


class Rendering(NamedTuple):
    """What sounded.

    audio: (2, samples), float32, not scaled: it may go beyond -1 to 1
    notes: the notes that sound; onset, offset and sounding are multiples of 64 samples (but for a sounding until the
        end), pitch is in whole cents
    silent: notes for which their preset has no sound, as asked for
    substituted: parts that play on another preset than General MIDI's, because the font lacks theirs
    peak_db: what has to stay below full scale: the true peak of the mix, or the highest sample of a louder part
    stems: the parts, when they were asked for
    """

    audio: Audio
    notes: Notes
    silent: Notes
    substituted: tuple[int, ...]
    peak_db: float
    stems: Stems | None = None


def render(
    performance: Performance, timbres: Sequence[Timbre | None] | Path, rate: int = 44_100, *, stems: bool = False
) -> Rendering:
    """Play a performance, dry (no reverb, no chorus), until it has died away by 60 dB, at most 10 s past its end.

    timbres: one for each part of the performance; a part makes no sound when that is None, or its preset is not there.
        Or one font, whose General MIDI presets play
    rate: 8,000 to 96,000 Hz
    stems: keep the sound of each part, on disk
    A label's offset is when the key goes up, its `sounding` when the pedals let go too: at the end of the sound where
    they never do. A note ends where the next of its part and pitch begins; two that begin in the same block are one.
    Labels keep the pitch that was asked for where a bend or a timbre's detuning moves the sound, and the velocity where
    a timbre has its own loudness curve.
    raises: InputError when there are no notes, more than 256 parts, over two hours, or a font can't be read;
        MissingError when libfluidsynth is not there
    """
    if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
        raise InputError(f"a rate of {rate} Hz is outside {RATES_HZ[0]} to {RATES_HZ[1]} Hz")
    planned = plan.make(performance, rate)
    substituted: tuple[int, ...] = ()
    if isinstance(timbres, Path):
        timbres, substituted = timbre.fixed(planned.notes.parts, timbres)
    kept = Stems() if stems else None
    mix, peak, sounds = _mixed(planned, timbres, rate, kept)
    notes = _with_ends(planned.notes, mix.shape[1] / rate)
    peak_db = max(audio.true_peak_db(mix), 20 * math.log10(peak) if peak > 0 else -math.inf)
    return Rendering(Audio(mix, rate), take(notes, sounds), take(notes, ~sounds), substituted, peak_db, kept)


def version() -> str:
    """libfluidsynth's version, "2.3.1". Raises MissingError when it is not there."""
    return fluid.library().version


def _mixed(
    planned: plan.Plan, timbres: Sequence[Timbre | None], rate: int, stems: Stems | None
) -> tuple[Samples, float, NDArray[np.bool_]]:
    """The sum of the parts, (2, samples), the loudest sample of a part, and per note whether it started a voice."""
    end = max(part.end for part in planned.parts) * plan.BLOCK
    # Filled by hand: numpy asks for large pages here but not in `zeros`, and an hour of first touches costs seconds.
    mix = np.empty((2, end + math.ceil((player.TAIL_S + player.TAIL_STEP_S) * rate) + plan.BLOCK), np.float32)
    mix.fill(0)
    sounds = np.zeros(len(planned.notes), np.bool_)
    peak, longest = 0.0, end
    for part in planned.parts:
        timbre = timbres[part.part]
        if timbre is not None:
            adder = _Adder(mix, part.part, stems)
            peak = max(peak, player.play(part, timbre, rate, sounds, adder.add))
            longest = max(longest, adder.position)
    return mix[:, :longest], peak, sounds


class _Adder:
    """Adds one part to the mix, piece by piece, and keeps it if there are stems to keep."""

    def __init__(self, mix: Samples, part: int, stems: Stems | None) -> None:
        self.position = 0
        self._mix, self._part, self._stems = mix, part, stems

    def add(self, piece: Samples) -> None:
        end = self.position + piece.shape[1]
        self._mix[:, self.position : end] += piece
        self.position = end
        if self._stems is not None:
            self._stems.add(self._part, piece)


def _with_ends(notes: Notes, end_s: float) -> Notes:
    sounding = notes.offset if notes.sounding is None else notes.sounding
    return dataclasses.replace(notes, sounding=np.where(np.isinf(sounding), end_s, sounding))
