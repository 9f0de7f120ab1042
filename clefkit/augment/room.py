"""The sound in a room: convolution with an impulse response.

The direct sound stays where it was, at the level it had (see `rooms`); the room is added after it, and the output is
longer by the room's tail. `distance_gain_db` moves the listener nearer (positive) or away: it is the level of the
direct sound against the rest. A stereo response makes stereo of mono; a mono response keeps the channels.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from clefkit import registry
from clefkit.audio import Audio
from clefkit.augment import convolve, rooms, settings

if TYPE_CHECKING:
    from numpy.random import Generator

DISTANCE = settings.Number(-24, 24, default=0)
NAMED: settings.Table = {"room": settings.Name(lambda: registry.rooms().keys()), "distance_gain_db": DISTANCE}
OF_A_FILE: settings.Table = {"distance_gain_db": DISTANCE}


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """A room by name, or the response `file` (a registry.Asset), with its hash and the distance.

    raises: InputError naming the key
    """
    if "file" in given:
        asset = given["file"]
        numbers = settings.draw(OF_A_FILE, {key: value for key, value in given.items() if key != "file"}, rng)
        return {"file": str(asset.path), "sha256": asset.sha256, **numbers}
    numbers = settings.draw(NAMED, given, rng)
    return {"room": numbers["room"], "sha256": registry.room(numbers["room"]).sha256, **numbers}


def apply(sound: Audio, numbers: dict[str, Any]) -> Audio:
    """raises: InputError when the response is not the one drawn; UsageError when there is no such room"""
    path = Path(numbers["file"]) if "file" in numbers else registry.room(numbers["room"]).path
    response = rooms.response(path, numbers["sha256"], sound.rate)
    response = rooms.nearer(response, numbers["distance_gain_db"], sound.rate)
    return Audio(convolve.convolve(sound.samples, response.samples, lead=response.direct), sound.rate)
