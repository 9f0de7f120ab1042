"""The training set of `enhance`: clean sound and the same as phones have it, as levels in bands.

A shard has PER_SHARD clean clips of CLIP_S seconds, each heard through DRAWS phones, drawn from (seed, set, shard,
number) alone, so it can be built again, bit for bit, in any order, and is skipped when it is there. Levels are kept in
steps of half a decibel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.enhance import filterbank
from clefkit.train import shards
from clefkit.train.enhance import clean, phones
from clefkit.train.enhance.clean import RATE, Hall

Array = NDArray[np.float32]

CLIP_S = 12.0
PER_SHARD, DRAWS = 16, 3
SETS = {"train": 0, "validation": 1}
LOWEST_DB, STEP_DB = -120.0, 0.5


class Pairs(NamedTuple):
    """Levels and floors as `stored`. clean: (clips, frames, BANDS); heard: (clips, DRAWS, frames, BANDS)"""

    clean: NDArray[np.uint8]
    clean_floors: NDArray[np.uint8]
    heard: NDArray[np.uint8]
    heard_floors: NDArray[np.uint8]


def build(hall: Hall, out: Path, counts: dict[str, int], seed: int, jobs: int) -> Iterator[str]:
    """Build what is missing; counts: shards of each set. Yields a line for people after each."""
    out.mkdir(parents=True, exist_ok=True)
    yield from shards.build(partial(build_shard, hall, out, seed=seed), out, counts, jobs)


def build_shard(hall: Hall, out: Path, kept: str, number: int, seed: int) -> str:
    """Build one shard. Returns its name."""
    name = f"{kept}-{number:03d}"
    save(out / f"{name}.npz", [_clip(hall, kept, [seed, SETS[kept], number, each]) for each in range(PER_SHARD)])
    return name


def save(path: Path, clips: Iterable[Pairs]) -> None:
    """Write a shard, each of its clips without the first axis."""
    temporary = path.with_suffix(".part.npz")
    found = Pairs(*(np.stack(rows) for rows in zip(*clips, strict=True)))
    np.savez(temporary, **found._asdict())
    temporary.replace(path)


def load(path: Path) -> Pairs:
    with np.load(path) as file:
        return Pairs(*(file[name] for name in Pairs._fields))


def clip(clean: tuple[Array, Array], heard: Sequence[tuple[Array, Array]]) -> Pairs:
    """One clip of a shard, of levels and floors of a clean sound, and of the same through telephones."""
    levels, floors = (np.stack([stored(each) for each in side]) for side in zip(*heard, strict=True))
    return Pairs(stored(clean[0]), stored(clean[1]), levels, floors)


def stored(levels_db: Array) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint((levels_db - LOWEST_DB) / STEP_DB), 0, 255), np.uint8)


def restored(kept: NDArray[np.uint8]) -> Array:
    return np.asarray(kept * np.float32(STEP_DB) + np.float32(LOWEST_DB), np.float32)


def _clip(hall: Hall, kept: str, seed: list[int]) -> Pairs:
    generator = np.random.default_rng(seed)
    sound = clean.draw(hall, kept, CLIP_S, generator)
    through = [phones.heard(sound, RATE, each) for each in generator.spawn(DRAWS)]
    return clip(filterbank.heard_of(sound, RATE), [filterbank.heard_of(each, RATE) for each in through])
