"""One part by itself: events into sound, piece by piece.

Where no voice sounds the synthesizer is not asked: silence costs nothing, and the bytes are the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from clefkit.audio import Samples
from clefkit.render import fluid, fonts, plan
from clefkit.render.fonts import Synth
from clefkit.render.plan import BLOCK, Event, PartPlan
from clefkit.render.timbre import Timbre

CHUNK = 512 * BLOCK
TAIL_S = 10.0
TAIL_STEP_S = 0.05
FADE = 4096  # frames
SILENCE = 1e-3  # -60 dB, against the loudest sample
SPARE_VOICES = 32


Give = Callable[[Samples], None]


def play(part: PartPlan, timbre: Timbre, rate: int, sounds: NDArray[np.bool_], give: Give) -> float:
    """Play a part until it has died away by 60 dB, at most 10 s past its last event.

    timbre: without a sound when its preset is not there
    sounds: (notes of the plan,), set where a note started a voice
    give: takes the sound piece by piece, (2, samples), float32, at most 32,768 samples; each only good for that call
    returns: the loudest sample
    raises: as `fonts.synth` does
    """
    with fonts.synth(timbre.font, rate) as synth:
        for channel, cents in enumerate(part.tunings):
            _set_up(synth, channel, cents, timbre, part.bend_range)
        writer = Writer(synth, timbre.width, give)
        levels = _levels(timbre.velocity_exponent)
        for event in part.events:
            writer.until(event.block * BLOCK)
            _send(synth, event, levels, sounds)
        writer.until(part.end * BLOCK)
        _tail(writer, rate)
        return writer.peak


def _set_up(synth: Synth, channel: int, cents: int, timbre: Timbre, bend_range: int) -> None:
    synth.select(channel, (timbre.bank, timbre.program))
    tuned = cents + timbre.detune_cents
    changes = {
        fluid.FILTER_CUTOFF: timbre.cutoff_cents,
        fluid.VOLUME_ATTACK: timbre.attack_timecents,
        fluid.VOLUME_RELEASE: timbre.release_timecents,
        # FluidSynth cuts pitches down to whole cents; half a cent more makes that rounding.
        fluid.FINE_TUNE: tuned + 0.5 if tuned or bend_range else 0.0,
    }
    for generator, change in changes.items():
        if change:
            synth.call["set_gen"](synth.handle, channel, generator, change)
    if bend_range:
        synth.call["pitch_wheel_sens"](synth.handle, channel, bend_range)


def _levels(exponent: float) -> list[int]:
    """The velocity that is sent for each velocity."""
    return [min(max(round(127 * (velocity / 127) ** exponent), 1), 127) for velocity in range(128)]


def _send(synth: Synth, event: Event, levels: list[int], sounds: NDArray[np.bool_]) -> None:
    _, kind, channel, number, value, note = event
    call, handle = synth.call, synth.handle
    if kind == plan.ON:
        before = call["get_active_voice_count"](handle)
        call["noteon"](handle, channel, number, levels[value])
        after = call["get_active_voice_count"](handle)
        # Near the limit a new voice may take the place of an old one, and the count tells nothing.
        sounds[note] = after > before or before > fonts.POLYPHONY - SPARE_VOICES
    elif kind == plan.OFF:
        call["noteoff"](handle, channel, number)
    elif kind == plan.BEND:
        call["pitch_bend"](handle, channel, value)
    else:
        call["cc"](handle, channel, number, value)


class Writer:
    """Where the sound is written: one buffer, used again and again, and given away when it is full.

    position: frames written in all; peak: the loudest sample that was given; last_peak: that of the last piece
    """

    def __init__(self, synth: Synth, width: float, give: Give) -> None:
        self.position = 0
        self.peak = self.last_peak = 0.0
        self._width = np.float32(width)
        self._give = give
        self._buffer = np.zeros((2, CHUNK), np.float32)
        self._left, self._right = (row.ctypes.data for row in self._buffer)
        self._filled = 0
        self._handle = synth.handle
        self._write = synth.call["write_float"]
        self._voices = synth.call["get_active_voice_count"]

    @property
    def sounding(self) -> bool:
        """Whether there is a voice; where there is none the synthesizer would write zeros, and stay as it is."""
        return bool(self._voices(self._handle))

    def until(self, position: int) -> None:
        """Play up to a position, a multiple of 64."""
        while self.position < position:
            count = min(position - self.position, CHUNK - self._filled)
            if self.sounding:
                self._write(self._handle, count, self._left, self._filled, 1, self._right, self._filled, 1)
            else:
                self._buffer[:, self._filled : self._filled + count] = 0
            self.position += count
            self._filled += count
            if self._filled == CHUNK:
                self.flush()

    def flush(self, fade: NDArray[np.float32] | None = None) -> None:
        """Give away what is in the buffer. fade: (samples,), factors for the last of it"""
        piece = self._buffer[:, : self._filled]
        if self._width != 1:
            middle, side = (piece[0] + piece[1]) / 2, (piece[0] - piece[1]) / 2 * self._width
            piece[0], piece[1] = middle + side, middle - side
        self.last_peak = max(float(piece.max(initial=0.0)), -float(piece.min(initial=0.0)))
        self.peak = max(self.peak, self.last_peak)
        if fade is not None and len(fade):
            piece[:, -len(fade) :] *= fade
        self._give(piece)
        self._filled = 0


def _tail(writer: Writer, rate: int) -> None:
    """Let the sound die away; a held pedal or an organ, which goes on for ever, is faded out."""
    step = math.ceil(TAIL_STEP_S * rate / BLOCK) * BLOCK
    limit = writer.position + math.ceil(TAIL_S * rate / step) * step
    writer.flush()
    while writer.sounding and writer.position < limit:
        start = max(writer.position, limit - FADE)
        writer.until(writer.position + step)
        left = np.arange(limit - 1 - start, limit - 1 - writer.position, -1, dtype=np.float32)
        writer.flush(left / np.float32(FADE - 1))
        if writer.last_peak <= SILENCE * writer.peak:
            return
