"""A preset and what it does: effects in order, numbers drawn for each, the sound through all of them.

A preset is a TOML file, or the same as plain data:

    about = "A symphony hall, from the front rows to the balcony."
    source = "simulated responses of this project; see rooms.md"

    [[effect]]
    kind = "room"
    room = ["hall_a", "hall_b"]       # a list of names is a choice
    distance_gain_db = [-3, 3]        # a pair of numbers is a range

    [[effect]]
    kind = "noise"
    noise = "room"
    snr_db = [45, 60]

No effect moves the notes, so every clock is that of the source.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from clefkit import audio
from clefkit.audio import Audio
from clefkit.augment import band, codec, compressor, eq, gain, limiter, noise, phone, room
from clefkit.errors import InputError

if TYPE_CHECKING:
    from numpy.random import Generator

Drawn = list[dict[str, Any]]

CLOCK = {"offset_s": 0.0, "rate": 1.0}
TOP_KEYS = ("name", "sha256", "about", "source", "effect")
CEILING_DB = -1.0
MARGIN_DB = 0.01


class Effect(Protocol):
    """What each effect's module offers."""

    def draw(self, given: dict[str, Any], rng: Generator, /) -> dict[str, Any]: ...

    def apply(self, sound: Audio, numbers: dict[str, Any], /) -> Audio: ...


EFFECTS: dict[str, Effect] = {
    "room": room,
    "noise": noise,
    "eq": eq,
    "band": band,
    "compressor": compressor,
    "limiter": limiter,
    "phone": phone,
    "gain": gain,
    "codec": codec,
}


def draw(preset: dict[str, Any], rng: Generator) -> Drawn:
    """Plain numbers for every effect, in order, each with its kind.

    raises: InputError naming the preset, the effect and the key when the preset is wrong
    """
    name = preset.get("name", "without a name")
    for key in preset:
        if key not in TOP_KEYS:
            raise InputError(f"preset {name}: unknown key {key!r}: there are {', '.join(TOP_KEYS[2:])}")
    effects = preset.get("effect")
    if not isinstance(effects, list) or not effects or not all(isinstance(each, dict) for each in effects):
        raise InputError(f"preset {name}: needs at least one [[effect]]")
    return [_draw_one(name, number, each, rng) for number, each in enumerate(effects, start=1)]


def check(preset: dict[str, Any]) -> None:
    """raises: InputError as `draw` does"""
    draw(preset, np.random.default_rng(0))


def apply(sound: Audio, drawn: Drawn) -> tuple[Audio, dict[str, float]]:
    """The sound through the effects, and its clock. Longer than before by the tail of its rooms; peaks are not held.

    raises: InputError when a room response is not the one drawn, or is none; UsageError when it has gone
    """
    for numbers in drawn:
        settings = {key: value for key, value in numbers.items() if key != "kind"}
        sound = EFFECTS[numbers["kind"]].apply(sound, settings)
    return sound, dict(CLOCK)


def hold_peak(sound: Audio) -> tuple[Audio, float]:
    """Softer, where needed, so that the true peak stays under -1 dB; and by how many dB (0 or less)."""
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
    if kind not in EFFECTS:
        raise InputError(f"preset {name}: effect {number}: kind {kind!r} is not known: there are {', '.join(EFFECTS)}")
    try:
        given = {key: value for key, value in effect.items() if key != "kind"}
        return {"kind": kind, **EFFECTS[kind].draw(given, rng)}
    except InputError as error:
        raise InputError(f"preset {name}: effect {number} ({kind}): {error}") from error
