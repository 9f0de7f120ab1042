"""The sound in a room: convolution with an impulse response.

The direct sound stays where it was, at the level it had (see `rooms`); the room is added after it, and the output is
longer by the room's tail. `distance_gain_db` moves the listener nearer (positive) or away: it is the level of the
direct sound against the rest. A stereo response makes stereo of mono; a mono response keeps the channels.

A room is one of `room` by name, or simulated, which needs the extra `rooms`:

    kind = "room"
    rt60_s = 1.8                      # any of these may be a range
    length_m = 30
    width_m = 20
    height_m = 12
    distance_m = [6, 12]              # from the source to the microphones
    spacing_m = 0.17                  # between these; 0 is one microphone
    seed = 7                          # of the places and the tail; drawn when it isn't given

Each room that was not simulated before takes about a second. Where numbers are drawn that is one for every file, and
for every rate; those of a preset without ranges and with a seed are simulated once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from clefkit import registry
from clefkit.augment import rooms, settings, simulated
from clefkit.augment.filters import Response
from clefkit.errors import InputError

if TYPE_CHECKING:
    from numpy.random import Generator

DISTANCE = settings.Number(-24, 24, default=0)
NAMED: settings.Table = {"room": settings.Name(lambda: registry.rooms().keys()), "distance_gain_db": DISTANCE}
OF_A_FILE: settings.Table = {"distance_gain_db": DISTANCE}
SIMULATED: settings.Table = {**simulated.SETTINGS, "distance_gain_db": DISTANCE}
SETTINGS: settings.Table = {**NAMED, **SIMULATED}  # of both kinds together


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """A room by name or the response `file` (a registry.Asset), with its hash, or the numbers of a simulated room.

    raises: InputError naming the key
    """
    if "rt60_s" in given:
        return settings.draw(SIMULATED, given, rng)
    table = OF_A_FILE if "file" in given else NAMED
    numbers = settings.draw(table, {key: value for key, value in given.items() if key not in ("file", "sha256")}, rng)
    asset = given["file"] if "file" in given else registry.room(str(numbers["room"]))
    if given.get("sha256", asset.sha256) != asset.sha256:
        raise InputError(f"the room response {asset.name} is another file than the one drawn")
    named = {"file": str(asset.path)} if "file" in given else {"room": numbers["room"]}
    return {**named, "sha256": asset.sha256, **numbers}


def response(numbers: dict[str, Any], rate: int) -> Response:
    """raises: InputError when the response is not the one drawn, or there can't be such a room; UsageError when there
    is none of that name; MissingError when one can't be simulated here
    """
    if "rt60_s" in numbers:
        heard = simulated.response(numbers, rate)
    else:
        path = Path(numbers["file"]) if "file" in numbers else registry.room(numbers["room"]).path
        heard = rooms.response(path, numbers["sha256"], rate)
    return rooms.nearer(heard, numbers["distance_gain_db"], rate)
