"""Soundfonts in memory, lent to a fresh synthesizer for each part that plays.

A synthesizer that has played before does not repeat itself bit by bit, so each part gets a new one; loading a font
takes far longer than that. So fonts stay loaded with the process, the last eight of them. Their samples are read when a
preset is first asked for, and stay.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from clefkit.errors import InputError
from clefkit.render import fluid, sf3

POLYPHONY = 512
GAIN = 0.2  # FluidSynth's custom
CHANNELS = 16
DRUM_BANK = 128
KEPT = 8

_LOCK = threading.RLock()  # fonts count their users without one
_FONTS: dict[tuple[bytes, int, int], _Font] = {}  # by path, size, time of change; the latest last


class Synth(NamedTuple):
    """A synthesizer of 16 channels, its font, and the library's functions by their names."""

    handle: int
    font: int
    call: dict[str, Any]

    def select(self, channel: int, preset: tuple[int, int]) -> None:
        """Play a preset, (bank, program), that the font has."""
        number = self.call["sfont_get_id"](self.font)
        # Pinned samples stay loaded with the font, not only as long as this synthesizer.
        self.call["pin_preset"](self.handle, number, *preset)
        kind = fluid.DRUM_TYPE if preset[0] == DRUM_BANK else fluid.MELODIC_TYPE
        self.call["set_channel_type"](self.handle, channel, kind)
        self.call["program_select"](self.handle, channel, number, *preset)


@contextmanager
def synth(soundfont: Path, rate: int) -> Iterator[Synth]:
    """A fresh synthesizer that borrows the font; one at a time in a process.

    raises: InputError when the font can't be read; MissingError when libfluidsynth is not there
    """
    with _LOCK:
        font = _font(soundfont)
        call = fluid.library().call
        settings = _settings(call, POLYPHONY, rate)
        handle = call["new_fluid_synth"](settings)
        try:
            for channel in range(CHANNELS):
                # Else each channel would read the samples of a piano that nobody has asked for.
                call["unset_program"](handle, channel)
            call["add_sfont"](handle, font)
            yield Synth(handle, font, call)
        finally:
            call["remove_sfont"](handle, font)
            call["delete_fluid_synth"](handle)
            call["delete_fluid_settings"](settings)


def _settings(call: dict[str, Any], polyphony: int, rate: int) -> int:
    settings: int = call["new_fluid_settings"]()
    whole = {"synth.polyphony": polyphony, "synth.midi-channels": CHANNELS, "synth.cpu-cores": 1}
    # A key that goes up at once is let go at once: the label says so.
    whole |= {"synth.min-note-length": 0, "synth.dynamic-sample-loading": 1, "synth.threadsafe-api": 0}
    whole |= {"synth.reverb.active": 0, "synth.chorus.active": 0}
    for name, number in whole.items():
        call["settings_setint"](settings, name.encode(), number)
    call["settings_setnum"](settings, b"synth.sample-rate", float(rate))
    call["settings_setnum"](settings, b"synth.gain", GAIN)
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
    if len(_FONTS) > KEPT:
        _unload(_FONTS.pop(next(iter(_FONTS))))
    return kept.font


def _load(soundfont: Path) -> _Font:
    call = fluid.library().call
    settings = _settings(call, 1, 44_100)
    owner = call["new_fluid_synth"](settings)
    number = call["sfload"](owner, os.fsencode(sf3.unpacked(soundfont)), 0)
    loaded = _Font(call["get_sfont_by_id"](owner, number) or 0, owner, settings)
    if number < 0:
        _unload(loaded)
        raise InputError(f"the soundfont {soundfont.name} is not one that FluidSynth reads")
    return loaded


def _unload(font: _Font) -> None:
    call = fluid.library().call
    call["delete_fluid_synth"](font.owner)
    call["delete_fluid_settings"](font.settings)
