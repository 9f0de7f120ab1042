"""A preset and what it does: effects in order, numbers drawn for each, the sound through all of them.

A preset is a TOML file, or the same as plain data:

    about = "A symphony hall, from the front rows to the balcony."
    level = 2                         # how far from the studio: 1, 2 or 3, see `recipes`
    source = "simulated responses of this project; see rooms.md"

    [[effect]]
    kind = "room"
    room = ["hall_a", "hall_b"]       # a list of names is a choice
    distance_gain_db = [-3, 3]        # a pair of numbers is a range

    [[effect]]
    kind = "noise"
    noise = "room"
    snr_db = [45, 60]

Neighbours that are linear are applied as one response (see `filters`). An effect that bends time has a clock; a chain's
clock is theirs, joined.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from clefkit import audio, clock
from clefkit.audio import Audio
from clefkit.augment import (
    agc,
    band,
    codec,
    compressor,
    detune,
    dynamic_range,
    eq,
    expander,
    filters,
    gain,
    limiter,
    loudness,
    maximizer,
    microphone,
    noise,
    phone,
    place,
    room,
    saturation,
    settings,
    suppression,
    width,
    wow,
)
from clefkit.augment.filters import Response
from clefkit.clock import Clock
from clefkit.errors import InputError

if TYPE_CHECKING:
    from numpy.random import Generator

Drawn = list[dict[str, Any]]

TOP_KEYS = ("name", "sha256", "about", "source", "level", "effect")
LEVELS = (1, 2, 3)
CEILING_DB = -1.0
MARGIN_DB = 0.01


class Drawing(Protocol):
    """What each effect's module offers."""

    SETTINGS: settings.Table

    def draw(self, given: dict[str, Any], rng: Generator, /) -> dict[str, Any]: ...


class Effect(Drawing, Protocol):
    """An effect that hears the sound."""

    def apply(self, sound: Audio, numbers: dict[str, Any], /) -> Audio: ...


class Filter(Drawing, Protocol):
    """A linear effect."""

    def response(self, numbers: dict[str, Any], rate: int, /) -> Response: ...


class Bending(Effect, Protocol):
    """An effect that moves or bends time."""

    def clock(self, numbers: dict[str, Any], duration_s: float, /) -> Clock: ...


FILTERS: dict[str, Filter] = {"room": room, "eq": eq, "band": band, "microphone": microphone, "place": place}
BENDING: dict[str, Bending] = {"detune": detune, "wow": wow}
EFFECTS: dict[str, Effect] = {
    "noise": noise,
    "compressor": compressor,
    "agc": agc,
    "expander": expander,
    "suppression": suppression,
    "limiter": limiter,
    "phone": phone,
    "gain": gain,
    "codec": codec,
    "saturation": saturation,
    "dynamic-range": dynamic_range,
    "width": width,
    "loudness": loudness,
    "maximizer": maximizer,
    **BENDING,
}
KINDS: dict[str, Drawing] = {**FILTERS, **EFFECTS}


def draw(preset: dict[str, Any], rng: Generator) -> Drawn:
    """Plain numbers for every effect, in order, each with its kind.

    raises: InputError naming the preset, the effect and the key when the preset is wrong
    """
    name = preset.get("name", "without a name")
    for key in preset:
        if key not in TOP_KEYS:
            raise InputError(f"preset {name}: unknown key {key!r}: there are {', '.join(TOP_KEYS[2:])}")
    if preset.get("level", 1) not in LEVELS:
        raise InputError(f"preset {name}: level is one of 1, 2, 3, not {preset['level']!r}")
    effects = preset.get("effect")
    if not isinstance(effects, list) or not effects or not all(isinstance(each, dict) for each in effects):
        raise InputError(f"preset {name}: needs at least one [[effect]]")
    return [_draw_one(name, number, each, rng) for number, each in enumerate(effects, start=1)]


def check(preset: dict[str, Any]) -> None:
    """raises: InputError as `draw` does"""
    draw(preset, np.random.default_rng(0))


def apply(sound: Audio, drawn: Drawn) -> tuple[Audio, Clock]:
    """The sound through the effects, and its clock. Longer than before by the tail of its rooms; peaks are not held.

    raises: InputError when a room response is not the one drawn, or is none; UsageError when it has gone
    """
    whole = clock.line()
    for linear, run in groupby(drawn, lambda numbers: numbers["kind"] in FILTERS):
        if linear:
            responses = [FILTERS[each["kind"]].response(_without_kind(each), sound.rate) for each in run]
            sound = filters.apply(sound, filters.joined(responses))
            continue
        for each in run:
            kind, numbers = each["kind"], _without_kind(each)
            if kind in BENDING:
                whole = whole.then(BENDING[kind].clock(numbers, sound.duration_s))
            sound = EFFECTS[kind].apply(sound, numbers)
    return sound, whole


def _without_kind(numbers: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in numbers.items() if key != "kind"}


def hold_peak(sound: Audio) -> tuple[Audio, float]:
    """Softer, where needed, so that the true peak stays under -1 dB; and by how many dB (0 or less)."""
    if audio.true_peak_bound_db(sound.samples) <= CEILING_DB:
        return sound, 0.0
    over = audio.true_peak_db(sound.samples) - (CEILING_DB - MARGIN_DB)
    gain_db = -float(np.ceil(max(over, 0.0) * 1e4) / 1e4)
    if gain_db == 0:
        return sound, 0.0
    return Audio(sound.samples * np.float32(10 ** (gain_db / 20)), sound.rate), gain_db


def recorded(drawn: Drawn) -> Drawn:
    """The numbers as a record holds them: a response's file without its folder; its hash says which it was."""
    return [{**each, "file": Path(each["file"]).name} if "file" in each else dict(each) for each in drawn]


def _draw_one(name: str, number: int, effect: dict[str, Any], rng: Generator) -> dict[str, Any]:
    kind = effect.get("kind")
    if kind not in KINDS:
        raise InputError(f"preset {name}: effect {number}: kind {kind!r} is not known: there are {', '.join(KINDS)}")
    try:
        return {"kind": kind, **KINDS[kind].draw(_without_kind(effect), rng)}
    except InputError as error:
        raise InputError(f"preset {name}: effect {number} ({kind}): {error}") from error
