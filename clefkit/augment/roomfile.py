"""A simulated room as a file: what `clefkit room` makes.

It has 24 bits and the direct sound at full scale, 2 ms after the start; the whole is softer where reflections together
are stronger than that. The record holds what was asked for and what was measured (see `acoustics`).
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from clefkit import audio
from clefkit.augment import acoustics, settings, shoebox, simulated
from clefkit.augment.filters import Response
from clefkit.errors import InputError, UsageError
from clefkit.record import Product

SIZE = re.compile(r"(\d+(?:\.\d+)?)x(\d+(?:\.\d+)?)x(\d+(?:\.\d+)?)", re.ASCII)
CRITICAL_DISTANCES = 1.5
LOUDEST = 1 - 2.0**-23
OF_A_FILE: settings.Table = {**simulated.SETTINGS, "rate": settings.Number(*audio.RATES_HZ)}
SHORTEST_S = 0.06  # a little more than what other commands take for sound


def numbers(rt60_s: float, size: str, distance_m: float | None, spacing_m: float) -> dict[str, float]:
    """The numbers of a room as a command line gives them, but for the seed.

    size: length, width and height in metres: "30x20x12"
    distance_m: without one it is one and a half times that at which direct and reverberant sound are equally strong
    raises: UsageError when one of them is no number for a room
    """
    found = SIZE.fullmatch(size)
    if found is None:
        raise UsageError(f"--size {size}: give length, width and height in metres, like 30x20x12")
    sides = dict(zip(("length_m", "width_m", "height_m"), map(float, found.groups()), strict=True))
    if distance_m is None:
        critical_m = 0.057 * math.sqrt(math.prod(sides.values()) / rt60_s)
        farthest_m = shoebox.farthest_m(np.array([sides["length_m"], sides["width_m"]]))
        distance_m = round(min(CRITICAL_DISTANCES * critical_m, farthest_m - 0.01), 2)
    given = {"rt60_s": rt60_s, **sides, "distance_m": distance_m, "spacing_m": spacing_m}
    try:
        settings.check(simulated.SETTINGS, given)
    except InputError as error:
        raise UsageError(str(error)) from error
    return given


def product(seed: int, *, rate: int, kind: str, **room: float) -> Product:
    """The file. room: as `numbers` returns it; kind: "wav" or "flac"

    raises: InputError when a number is out of its bounds, as one of an edited record may be; writing, too, when there
        can't be such a room, and MissingError without pyroomacoustics
    """
    settings.check(OF_A_FILE, {**room, "rate": rate})
    work = _Work({**room, "seed": seed}, rate, kind)
    size = "x".join(f"{room[key]:g}" for key in ("length_m", "width_m", "height_m"))
    return Product(f"room-{room['rt60_s']:g}s-{size}-{seed}.{kind}", work.write, work.facts)


def measured(response: Response, rate: int) -> dict[str, Any]:
    """What a record says of a response."""
    octaves = {
        f"{centre:g}": round(acoustics.t20_s(response, rate, centre), 3) for centre in acoustics.octaves_hz(rate)
    }
    return {
        "rt60_s": round(acoustics.rt60_s(response, rate), 3),
        "rt60_s_by_octave": {**octaves, "all": round(acoustics.t20_s(response, rate), 3)},
        "edt_s": round(acoustics.edt_s(response, rate, 1000.0), 3),
        "c80_db": round(acoustics.c80_db(response, rate), 2),
        "direct_to_reverberant_db": round(acoustics.direct_to_reverberant_db(response, rate), 2),
    }


@dataclass
class _Work:
    room: dict[str, Any]
    rate: int
    kind: str
    facts: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        import soundfile

        response = simulated.response(self.room, self.rate)
        scale = min(1.0, LOUDEST / float(np.abs(response.samples).max()))
        missing = max(0, round(SHORTEST_S * self.rate) - response.samples.shape[1])
        samples = np.pad(response.samples * np.float32(scale), ((0, 0), (0, missing)))
        buffer = io.BytesIO()  # through which a full disk is noticed
        soundfile.write(buffer, samples.T, self.rate, "PCM_24", format=self.kind.upper())
        path.write_bytes(buffer.getbuffer())
        self.facts["gain_db"] = round(20 * math.log10(scale), 4) + 0.0
        self.facts["measured"] = measured(response, self.rate)
        self.facts["made_with"] = {"numpy": np.__version__, "pyroomacoustics": simulated.library_version()}
