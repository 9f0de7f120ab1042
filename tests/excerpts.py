"""Real music for tests: how songs and string quartets of OpenScore begin, as written and as played."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from clefkit.critique.table import Table

PIECES = Path(__file__).parent / "data" / "pieces.npz"


@functools.cache
def named() -> dict[str, Table]:
    """By name of work and domain, up to 50 s each: (notes, 4), onset and duration in ms, pitch, velocity."""
    with np.load(PIECES) as file:
        columns = [file[key].astype(np.int32) for key in ("onset", "duration", "pitch", "velocity")]
        names, bounds = file["name"], file["bound"]
    table = np.stack(columns, axis=1)
    return {str(name): table[bounds[index] : bounds[index + 1]] for index, name in enumerate(names)}


def excerpts() -> list[Table]:
    """All of them."""
    return list(named().values())
