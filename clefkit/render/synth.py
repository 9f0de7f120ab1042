"""A performance into sound, with labels exact to the sample.

FluidSynth computes sound in blocks of 64 frames and lets an event act at the start of a block. Its own player, and
every program built on it, sends events by a clock of its own and is late by up to some milliseconds, more where the
tempo changes. Here each event goes to the block whose start is nearest to its time (at most 32 frames away, 0.73 ms at
44,100 Hz) and the label gets that start: what the label says is what the sound does.

One font stays loaded per process and lends itself to a fresh synthesizer for each performance, because one that has
played before does not repeat itself bit by bit. Samples are loaded when a performance first asks for their preset.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.audio import Audio, Samples
from clefkit.errors import InputError
from clefkit.notes import Notes, Performance, take
from clefkit.render import fluid, plan
from clefkit.render.plan import BLOCK, Plan

RATES_HZ = (8000, 96_000)
POLYPHONY = 512
SPARE_VOICES = 32
GAIN = 0.2
TAIL_S = 10.0
TAIL_STEP_S = 0.05
FADE = 4096  # frames
SILENCE = 1e-3  # -60 dB, against the loudest sample
DRUM_BANK = 128
FONTS_KEPT = 8

_LOCK = threading.Lock()  # fonts count their users without one
_FONTS: dict[tuple[bytes, int, int], _Font] = {}  # by path, size, time of change; the latest last


class Rendering(NamedTuple):
    """What sounded.

    audio: (2, samples), float32, not scaled: it may go beyond -1 to 1
    notes: the notes that sound; onset and offset are multiples of 64 samples, pitch a whole number
    silent: notes for which the font has no sound, as asked for
    substituted: parts that play on another preset, because the font lacks theirs
    """

    audio: Audio
    notes: Notes
    silent: Notes
    substituted: tuple[int, ...]


def render(performance: Performance, soundfont: Path, rate: int = 44_100, gain: float = GAIN) -> Rendering:
    """Play a performance, dry (no reverb, no chorus), until it has died away by 60 dB, at most 10 s past its end.

    rate: 8,000 to 96,000 Hz; gain: FluidSynth's, 0.2 by its custom
    A label's offset is when the key goes up, also where a pedal holds the note; a bend does not move its pitch. A note
    ends where the next of its part and pitch begins; two that begin in the same block are one. Quarter tones are
    rounded to the semitone above.
    raises: InputError when there are no notes, more than 256 parts, over two hours, or the font can't be read;
        MissingError when libfluidsynth is not there
    """
    if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
        raise InputError(f"a rate of {rate} Hz is outside {RATES_HZ[0]} to {RATES_HZ[1]} Hz")
    planned = plan.make(performance, rate)
    notes = planned.notes
    with _LOCK, _synth(soundfont, rate, gain, len(notes.parts)) as synth:
        substituted = _choose_presets(synth, notes)
        samples, sounds = _play(synth, planned, rate)
    return Rendering(Audio(samples, rate), take(notes, sounds), take(notes, ~sounds), substituted)


def version() -> str:
    """libfluidsynth's version, "2.3.1". Raises MissingError when it is not there."""
    return fluid.library().version


class _Synth(NamedTuple):
    handle: int
    font: int
    call: dict[str, Any]


@contextmanager
def _synth(soundfont: Path, rate: int, gain: float, parts: int) -> Iterator[_Synth]:
    """A fresh synthesizer that borrows the font."""
    font = _font(soundfont)
    call = fluid.library().call
    settings = _settings(call, polyphony=POLYPHONY, channels=16 * math.ceil(parts / 16), rate=rate, gain=gain)
    handle = call["new_fluid_synth"](settings)
    try:
        call["add_sfont"](handle, font)
        yield _Synth(handle, font, call)
    finally:
        call["remove_sfont"](handle, font)
        call["delete_fluid_synth"](handle)
        call["delete_fluid_settings"](settings)


def _settings(call: dict[str, Any], polyphony: int, channels: int, rate: int, gain: float) -> int:
    settings: int = call["new_fluid_settings"]()
    whole = {"synth.polyphony": polyphony, "synth.midi-channels": channels, "synth.cpu-cores": 1}
    # A key that goes up at once is let go at once: the label says so.
    whole |= {"synth.min-note-length": 0, "synth.dynamic-sample-loading": 1, "synth.threadsafe-api": 0}
    whole |= {"synth.reverb.active": 0, "synth.chorus.active": 0}
    for name, number in whole.items():
        call["settings_setint"](settings, name.encode(), number)
    call["settings_setnum"](settings, b"synth.sample-rate", float(rate))
    call["settings_setnum"](settings, b"synth.gain", gain)
    return settings


class _Font(NamedTuple):
    """Handles: the font, the synthesizer that owns it, and its settings."""

    font: int
    owner: int
    settings: int


def _font(soundfont: Path) -> int:
    try:
        state = soundfont.stat()
    except OSError as error:
        raise InputError(f"the soundfont {soundfont.name} can't be read") from error
    key = (os.fsencode(soundfont.resolve()), state.st_size, state.st_mtime_ns)
    _FONTS[key] = kept = _FONTS.pop(key, None) or _load(soundfont)
    if len(_FONTS) > FONTS_KEPT:
        _unload(_FONTS.pop(next(iter(_FONTS))))
    return kept.font


def _load(soundfont: Path) -> _Font:
    call = fluid.library().call
    settings = _settings(call, polyphony=1, channels=16, rate=44_100, gain=GAIN)
    owner = call["new_fluid_synth"](settings)
    number = call["sfload"](owner, os.fsencode(soundfont), 0)
    loaded = _Font(call["get_sfont_by_id"](owner, number) or 0, owner, settings)
    if number < 0:
        _unload(loaded)
        raise InputError(f"the soundfont {soundfont.name} is not one that FluidSynth reads")
    return loaded


def _unload(font: _Font) -> None:
    call = fluid.library().call
    call["delete_fluid_synth"](font.owner)
    call["delete_fluid_settings"](font.settings)


def _choose_presets(synth: _Synth, notes: Notes) -> tuple[int, ...]:
    """Give each part its preset, on the channel of its own number. Returns the parts that have to play on another one.

    A melodic part falls back to the font's piano, or its first preset: a font of one instrument plays everything. Drums
    fall back to the first kit, else they stay silent.
    """
    call, handle, font = synth.call, synth.handle, synth.font
    number = call["sfont_get_id"](font)
    substituted = []
    for channel, part in enumerate(notes.parts):
        call["set_channel_type"](handle, channel, fluid.DRUM_TYPE if part.drums else fluid.MELODIC_TYPE)
        wanted = (DRUM_BANK if part.drums else 0, part.program)
        preset = _preset(synth, wanted)
        if preset is None:
            call["unset_program"](handle, channel)
            continue
        # Pinned samples stay loaded with the font, not only as long as this synthesizer.
        call["pin_preset"](handle, number, *preset)
        call["program_select"](handle, channel, number, *preset)
        if preset != wanted:
            substituted.append(channel)
    return tuple(substituted)


def _preset(synth: _Synth, wanted: tuple[int, int]) -> tuple[int, int] | None:
    call, font = synth.call, synth.font
    for candidate in (wanted, (wanted[0], 0)):
        if call["sfont_get_preset"](font, *candidate):
            return candidate
    if wanted[0] == DRUM_BANK:
        return None
    call["sfont_iteration_start"](font)
    while preset := call["sfont_iteration_next"](font):
        bank: int = call["preset_get_banknum"](preset)
        if bank != DRUM_BANK:
            return bank, call["preset_get_num"](preset)
    return None


def _play(synth: _Synth, planned: Plan, rate: int) -> tuple[Samples, NDArray[np.bool_]]:
    """(2, samples), and per note whether it started a voice."""
    end = planned.events[-1].block * BLOCK
    step = math.ceil(TAIL_STEP_S * rate / BLOCK) * BLOCK
    steps = math.ceil(TAIL_S * rate / step)
    samples = np.empty((2, end + steps * step), np.float32)
    sounds = np.zeros(len(planned.notes), np.bool_)
    position = 0
    for part, semitones in planned.bend_range.items():
        synth.call["pitch_wheel_sens"](synth.handle, part, semitones)
    for event in planned.events:
        start = event.block * BLOCK
        if start > position:
            _write(synth, samples, position, start - position)
            position = start
        _send(synth, event, sounds)
    return samples[:, : _tail(synth, samples, end, step)], sounds


def _write(synth: _Synth, samples: Samples, position: int, count: int) -> None:
    left, right = (row.ctypes.data for row in samples)
    synth.call["write_float"](synth.handle, count, left, position, 1, right, position, 1)


def _send(synth: _Synth, event: plan.Event, sounds: NDArray[np.bool_]) -> None:
    call, handle = synth.call, synth.handle
    if event.kind == "on":
        before = call["get_active_voice_count"](handle)
        call["noteon"](handle, event.part, event.number, event.value)
        after = call["get_active_voice_count"](handle)
        # Near the limit a new voice may take the place of an old one, and the count tells nothing.
        sounds[event.note] = after > before or before > POLYPHONY - SPARE_VOICES
    elif event.kind == "off":
        call["noteoff"](handle, event.part, event.number)
    elif event.kind == "bend":
        call["pitch_bend"](handle, event.part, event.value)
    else:
        call["cc"](handle, event.part, event.number, event.value)


def _tail(synth: _Synth, samples: Samples, end: int, step: int) -> int:
    """Let the sound die away from `end` on. Returns where it has."""
    loudest = _peak(samples[:, :end])
    position = end
    while position + step <= samples.shape[1] and synth.call["get_active_voice_count"](synth.handle):
        _write(synth, samples, position, step)
        position += step
        peak = _peak(samples[:, position - step : position])
        loudest = max(loudest, peak)
        if peak <= SILENCE * loudest:
            return position
    if position + step > samples.shape[1]:
        # A held pedal or an organ goes on for ever.
        samples[:, -FADE:] *= np.linspace(1.0, 0.0, FADE, dtype=np.float32)
    return position


def _peak(samples: Samples) -> float:
    return max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))
