"""The sound in a room: convolution with an impulse response.

The direct sound stays where it was, at the level it had (see `rooms`); the room is added after it, and the output is
longer by the room's tail. `distance_gain_db` moves the listener nearer (positive) or away: it is the level of the
direct sound against the rest. A stereo response makes stereo of mono; a mono response keeps the channels.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from clefkit import registry
from clefkit.augment import rooms, settings
from clefkit.augment.filters import Response
from clefkit.errors import InputError

if TYPE_CHECKING:
    from numpy.random import Generator

DISTANCE = settings.Number(-24, 24, default=0)
NAMED: settings.Table = {"room": settings.Name(lambda: registry.rooms().keys()), "distance_gain_db": DISTANCE}
OF_A_FILE: settings.Table = {"distance_gain_db": DISTANCE}


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """A room by name, or the response `file` (a registry.Asset), with its hash and the distance.

    raises: InputError naming the key
    """
    table = OF_A_FILE if "file" in given else NAMED
    numbers = settings.draw(table, {key: value for key, value in given.items() if key not in ("file", "sha256")}, rng)
    asset = given["file"] if "file" in given else registry.room(str(numbers["room"]))
    if given.get("sha256", asset.sha256) != asset.sha256:
        raise InputError(f"the room response {asset.name} is another file than the one drawn")
    named = {"file": str(asset.path)} if "file" in given else {"room": numbers["room"]}
    return {**named, "sha256": asset.sha256, **numbers}


def response(numbers: dict[str, Any], rate: int) -> Response:
    """raises: InputError when the response is not the one drawn; UsageError when there is no such room"""
    path = Path(numbers["file"]) if "file" in numbers else registry.room(numbers["room"]).path
    return rooms.nearer(rooms.response(path, numbers["sha256"], rate), numbers["distance_gain_db"], rate)
