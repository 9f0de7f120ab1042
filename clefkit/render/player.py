"""One part by itself: events into sound, chunk by chunk.

Where no voice sounds the synthesizer is not asked: silence costs nothing, and the bytes are the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

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


def chunks(part: PartPlan, timbre: Timbre, rate: int, sounds: NDArray[np.bool_]) -> Iterator[Samples]:
    """The sound of a part, until it has died away by 60 dB, at most 10 s past its last event.

    timbre: without a sound when its preset is not there
    sounds: (notes of the plan,), set where a note started a voice
    yields: (2, samples), float32, at most 32,768 samples; only good until the next one is asked for
    raises: as `fonts.synth` does
    """
    with fonts.synth(timbre.font, rate) as synth:
        for channel, cents in enumerate(part.tunings):
            _set_up(synth, channel, cents, timbre, part.bend_range)
        writer = Writer(synth, timbre.width)
        levels = _levels(timbre.velocity_exponent)
        for event in part.events:
            yield from writer.until(event.block * BLOCK)
            _send(synth, event, levels, sounds)
        yield from writer.until(part.end * BLOCK)
        yield from _tail(writer, rate)


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
    """Where the sound is written: one buffer, used again and again.

    position: frames written in all; peak: the loudest sample in all; last_peak: that of the last chunk
    """

    def __init__(self, synth: Synth, width: float) -> None:
        self.position = 0
        self.peak = self.last_peak = 0.0
        self._width = np.float32(width)
        self._buffer = np.zeros((2, CHUNK), np.float32)
        self._addresses = [row.ctypes.data for row in self._buffer]
        self._filled = 0
        self._handle = synth.handle
        self._write = synth.call["write_float"]
        self._voices = synth.call["get_active_voice_count"]

    @property
    def sounding(self) -> bool:
        """Whether there is a voice; where there is none the synthesizer would write zeros, and stay as it is."""
        return bool(self._voices(self._handle))

    def until(self, position: int) -> Iterator[Samples]:
        """Play up to a position, a multiple of 64, and give what fills the buffer."""
        left, right = self._addresses
        while self.position < position:
            count = min(position - self.position, CHUNK - self._filled)
            if self.sounding:
                self._write(self._handle, count, left, self._filled, 1, right, self._filled, 1)
            else:
                self._buffer[:, self._filled : self._filled + count] = 0
            self.position += count
            self._filled += count
            if self._filled == CHUNK:
                yield self.rest()

    def rest(self) -> Samples:
        """What is in the buffer, which is empty afterwards."""
        chunk = self._buffer[:, : self._filled]
        if self._width != 1:
            middle, side = (chunk[0] + chunk[1]) / 2, (chunk[0] - chunk[1]) / 2 * self._width
            chunk[0], chunk[1] = middle + side, middle - side
        self.last_peak = max(float(chunk.max(initial=0.0)), -float(chunk.min(initial=0.0)))
        self.peak = max(self.peak, self.last_peak)
        self._filled = 0
        return chunk


def _tail(writer: Writer, rate: int) -> Iterator[Samples]:
    """Let the sound die away; a held pedal or an organ, which goes on for ever, is faded out."""
    step = math.ceil(TAIL_STEP_S * rate / BLOCK) * BLOCK
    limit = writer.position + math.ceil(TAIL_S * rate / step) * step
    yield writer.rest()
    while writer.sounding and writer.position < limit:
        yield from writer.until(writer.position + step)
        yield _faded(writer.rest(), writer.position, limit)
        if writer.last_peak <= SILENCE * writer.peak:
            return


def _faded(chunk: Samples, end: int, limit: int) -> Samples:
    """The chunk that ends at `end`, faded where it reaches into the last frames before the limit."""
    start = end - chunk.shape[1]
    fade = np.clip((limit - 1 - np.arange(max(start, limit - FADE), end)) / (FADE - 1), 0, 1).astype(np.float32)
    if len(fade):
        chunk[:, -len(fade) :] *= fade
    return chunk
