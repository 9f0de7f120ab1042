"""Recordings of one's own as pairs to learn from: a folder as `clefkit align --dataset` writes it.

A pair is cut into clips of `pairs.CLIP_S`; what lies in a gap, or is silence, is left out. Without a pair that the
folder keeps for validation, the last clip of ten is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clefkit import audio
from clefkit.align.dataset import MANIFEST
from clefkit.enhance import bands, filterbank
from clefkit.errors import InputError
from clefkit.train.enhance import pairs
from clefkit.train.enhance.pairs import Pairs

Array = NDArray[np.float32]

TENTH = 10
QUIETEST_DB = -70.0


def build(folder: Path, shards: Path) -> Iterator[str]:
    """Write shards of all pairs. Yields a line for people after each.

    raises: InputError when the folder is no data set of pairs, or has too little in it
    """
    found: dict[str, list[Pairs]] = {"train": [], "validation": []}
    for number, row in enumerate(rows(folder)):
        found[row["split"] if row["split"] in found else "train"] += _clips(folder, row)
        yield f"pair {number + 1}: {row['take']}"
    if not found["validation"]:
        found["validation"] = found["train"][TENTH - 1 :: TENTH]
        del found["train"][TENTH - 1 :: TENTH]
    if not found["train"] or not found["validation"]:
        raise InputError(f"{folder} has less than {TENTH} clips of {pairs.CLIP_S:.0f} s: record more")
    shards.mkdir(parents=True, exist_ok=True)
    for kept, clips in found.items():
        for number, first in enumerate(range(0, len(clips), pairs.PER_SHARD)):
            pairs.save(shards / f"{kept}-{number:03d}.npz", clips[first : first + pairs.PER_SHARD])
            yield f"{kept}-{number:03d}: built"


def rows(folder: Path) -> list[dict[str, Any]]:
    """The pairs that a folder's manifest lists. Raises InputError when it is none."""
    try:
        lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines if line.strip()]
        return [row for row in found if row["take"] and row["split"] and row["input"] and row["target"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder} has no {MANIFEST} as `clefkit align --dataset` writes it") from error


def _clips(folder: Path, row: dict[str, Any]) -> Iterator[Pairs]:
    """Clean and heard stretches."""
    clean, heard = (_heard(folder / row[name]) for name in ("target", "input"))
    count = bands.EVERY * (bands.frames(pairs.CLIP_S) // bands.EVERY)
    step_s = bands.seconds(1, audio.shape(folder / row["target"]).rate)
    gaps = [(start / step_s, end / step_s) for start, end in row.get("gaps", [])]
    for first in range(0, min(len(clean[0]), len(heard[0])) - count + 1, count):
        last = first + count
        inside = any(start < last and end > first for start, end in gaps)
        loud = min(float(side[0][first:last].max()) for side in (clean, heard)) > QUIETEST_DB
        if loud and not inside:
            under = slice(first // bands.EVERY, last // bands.EVERY)
            one, other = ((levels[first:last], floors[under]) for levels, floors in (clean, heard))
            yield pairs.clip(one, [other])


def _heard(path: Path) -> tuple[Array, Array]:
    sound = audio.read(path)
    return filterbank.heard_of(np.asarray(sound.samples.mean(axis=0), np.float32), sound.rate)
