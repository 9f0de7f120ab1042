"""libfluidsynth: found, loaded, and its few functions that we call.

Linux loads it by its name. Elsewhere pyfluidsynth knows where it lies, but looks for it while it is being imported, by
starting other programs, prints when the environment says CI, and binds 16-bit sound only. So it is imported late and
quietly, and asked for the name alone. The environment variable CLEFKIT_FLUIDSYNTH may name the library's file instead.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import os
import sys
from collections.abc import Callable
from ctypes import c_char_p, c_double, c_float, c_int, c_void_p
from pathlib import Path
from typing import Any, NamedTuple

from clefkit.errors import MissingError

OLDEST = (2, 2, 0)  # the first that can pin presets
LINUX_NAME = "libfluidsynth.so.3"  # of 2.2 and all later ones
LOG_LEVELS = 5
DRUM_TYPE, MELODIC_TYPE = 1, 0
# Generators: numbers of the SoundFont standard, 2.01, section 8.1.2.
FILTER_CUTOFF, VOLUME_ATTACK, VOLUME_RELEASE, FINE_TUNE = 8, 34, 38, 52

# name: (result, arguments)
FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "fluid_version": (None, c_void_p, c_void_p, c_void_p),
    "fluid_set_log_function": (c_void_p, c_int, c_void_p, c_void_p),
    "new_fluid_settings": (c_void_p,),
    "delete_fluid_settings": (None, c_void_p),
    "fluid_settings_setint": (c_int, c_void_p, c_char_p, c_int),
    "fluid_settings_setnum": (c_int, c_void_p, c_char_p, c_double),
    "new_fluid_synth": (c_void_p, c_void_p),
    "delete_fluid_synth": (None, c_void_p),
    "fluid_synth_sfload": (c_int, c_void_p, c_char_p, c_int),
    "fluid_synth_get_sfont_by_id": (c_void_p, c_void_p, c_int),
    "fluid_synth_add_sfont": (c_int, c_void_p, c_void_p),
    "fluid_synth_remove_sfont": (c_int, c_void_p, c_void_p),
    "fluid_sfont_get_id": (c_int, c_void_p),
    "fluid_synth_pin_preset": (c_int, c_void_p, c_int, c_int, c_int),
    "fluid_synth_set_channel_type": (c_int, c_void_p, c_int, c_int),
    "fluid_synth_program_select": (c_int, c_void_p, c_int, c_int, c_int, c_int),
    "fluid_synth_unset_program": (c_int, c_void_p, c_int),
    "fluid_synth_noteon": (c_int, c_void_p, c_int, c_int, c_int),
    "fluid_synth_noteoff": (c_int, c_void_p, c_int, c_int),
    "fluid_synth_cc": (c_int, c_void_p, c_int, c_int, c_int),
    "fluid_synth_pitch_bend": (c_int, c_void_p, c_int, c_int),
    "fluid_synth_pitch_wheel_sens": (c_int, c_void_p, c_int, c_int),
    "fluid_synth_set_gen": (c_int, c_void_p, c_int, c_int, c_float),
    "fluid_synth_get_active_voice_count": (c_int, c_void_p),
    "fluid_synth_write_float": (c_int, c_void_p, c_int, c_void_p, c_int, c_int, c_void_p, c_int, c_int),
}


class Library(NamedTuple):
    """The library: its version ("2.3.1") and its functions by their name without "fluid_"."""

    version: str
    call: dict[str, Callable[..., Any]]


@functools.cache
def library() -> Library:
    """Load libfluidsynth and silence its messages.

    raises: MissingError when there is none, or one older than 2.2
    """
    try:
        handle = _handle()
        numbers = [c_int() for _ in range(3)]
        handle.fluid_version(*(ctypes.byref(number) for number in numbers))
    except (ImportError, OSError, AttributeError) as error:
        raise MissingError(f"the library FluidSynth is missing: {_command()}") from error
    version = tuple(number.value for number in numbers)
    name = ".".join(map(str, version))
    if version < OLDEST:
        raise MissingError(f"FluidSynth {name} is too old, 2.2 or newer is needed: {_command()}")
    call = {}
    for symbol, (result, *arguments) in FUNCTIONS.items():
        function = getattr(handle, symbol)
        function.restype, function.argtypes = result, arguments
        call[symbol.removeprefix("fluid_").removeprefix("synth_")] = function
    for level in range(LOG_LEVELS):
        call["set_log_function"](level, None, None)
    return Library(name, call)


def _handle() -> ctypes.CDLL:
    given = os.environ.get("CLEFKIT_FLUIDSYNTH")
    try:
        return ctypes.CDLL(given or LINUX_NAME)
    except OSError:
        if given:
            raise
        return ctypes.CDLL(_name_elsewhere())


def _name_elsewhere() -> str:
    with contextlib.redirect_stdout(io.StringIO()):
        import fluidsynth
    return str(fluidsynth.lib)


def _command() -> str:
    if sys.platform == "darwin":
        return "brew install fluid-synth"
    if sys.platform == "win32":
        return "choco install fluidsynth"
    if Path("/etc/fedora-release").exists():
        return "dnf install fluidsynth-libs"
    return "apt-get install libfluidsynth3"
