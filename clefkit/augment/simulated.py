"""Simulated rooms for the effect `room`. Each costs about a second, so those made before are kept.

They are kept in `rooms/` of the user's cache folder, each under the hash of its numbers, as float32 behind its SHA-256.
One that is damaged is simulated again. The 200 that were used last stay.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from clefkit.audio import Samples
from clefkit.augment import settings, simulate
from clefkit.augment.filters import Response
from clefkit.augment.reverberation import LEAD_S
from clefkit.augment.shoebox import Box

SETTINGS: dict[str, settings.Setting] = {
    "rt60_s": settings.Number(0.1, simulate.LONGEST_S),
    "length_m": settings.Number(1.5, 100),
    "width_m": settings.Number(1.5, 100),
    "height_m": settings.Number(1.5, 50),
    "distance_m": settings.Number(0.1, 100),
    "spacing_m": settings.Number(0, 2, default=0.17),
    "seed": settings.Seed(),
}
MOST_KEPT = 200
HASH_BYTES = 32


def response(numbers: dict[str, Any], rate: int) -> Response:
    """The room of these numbers, those in SETTINGS, as `simulate.response` makes it.

    raises: InputError when there can't be such a room; MissingError without pyroomacoustics
    """
    box = Box(*(float(numbers[key]) for key in Box._fields))
    return _response(float(numbers["rt60_s"]), box, numbers["seed"], rate)


@functools.lru_cache(maxsize=4)
def _response(rt60_s: float, box: Box, seed: int, rate: int) -> Response:
    place = _place(rt60_s, box, seed, rate)
    samples = _kept(place, channels=2 if box.spacing_m else 1)
    if samples is None:
        made = simulate.response(rt60_s, box, seed, rate)
        _keep(place, made.samples)
        return made
    direct = round(LEAD_S * rate)
    return Response(samples, direct, samples.shape[1] - 1 - direct)


def library_version() -> str:
    """Of pyroomacoustics, "" when it is missing."""
    try:
        return metadata.version("pyroomacoustics")
    except metadata.PackageNotFoundError:
        return ""


def _place(rt60_s: float, box: Box, seed: int, rate: int) -> Path:
    import platformdirs

    numbers = [simulate.ALGORITHM, library_version(), rt60_s, *box, seed, rate]
    name = hashlib.sha256(json.dumps(numbers).encode()).hexdigest()[:32]
    return platformdirs.user_cache_path("clefkit") / "rooms" / name


def _kept(place: Path, channels: int) -> Samples | None:
    """What is kept there, None when there is nothing, or nothing sound."""
    try:
        data = place.read_bytes()
    except OSError:
        return None
    with contextlib.suppress(OSError):
        place.touch()  # it was used last
    digest, samples = data[:HASH_BYTES], data[HASH_BYTES:]
    if hashlib.sha256(samples).digest() != digest:
        return None
    return np.frombuffer(samples, "<f4").astype(np.float32).reshape(channels, -1)


def _keep(place: Path, samples: Samples) -> None:
    data = samples.astype("<f4").tobytes()
    with contextlib.suppress(OSError):  # a cache that can't be written to costs time, nothing else
        place.parent.mkdir(parents=True, exist_ok=True)
        pending = place.with_name(f".{place.name}.{os.getpid()}.part")
        pending.write_bytes(hashlib.sha256(data).digest() + data)
        pending.replace(place)
        oldest_first = sorted(place.parent.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        for path in oldest_first[:-MOST_KEPT]:
            path.unlink(missing_ok=True)
