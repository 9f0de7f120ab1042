"""A bank for `tag` of the user's own recordings, read as `layouts` finds them.

Stems become units, to be mixed anew: those of one instrument each, cut into four seconds wherever they sound. Of what
isn't known to be one instrument nothing is learnt but that it is there: all its names are unsure. Recordings with tags
and no stems stay whole, as clips: of them only their names are known, and of what they don't name nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clefkit import audio
from clefkit.errors import ClefkitError, InputError
from clefkit.tag import hearing
from clefkit.tag.hearing import RATE
from clefkit.tag.vocabulary import FAMILY_OF, LEAVES
from clefkit.train import layouts
from clefkit.train.layouts import Stem, Track
from clefkit.train.tag import units
from clefkit.train.tag.units import FAMILY_NAMES, OFF, ON, SAMPLES, UNSURE, Take

Array = NDArray[np.float32]

SOFTEST = 10 ** (-60 / 10)  # K-weighted power of a unit's loudest cell: softer is silence
PER_SHARD = 2000  # units
VALIDATION = 8  # one track of so many, where a data set doesn't say
KEPT = {"test": "", "validation": "validation", "train": "train"}


def build(folder: Path, out: Path, left_out: list[str]) -> Iterator[str]:
    """Make the shards of a bank, `train-000` and `validation-000` on, where they are missing; tracks for tests unused.

    left_out: gets a line for each track that can't be used
    yields: a line for people after each shard
    raises: InputError when the folder has no layout that is known, or nothing in it can be used
    """
    out.mkdir(parents=True, exist_ok=True)
    if any(out.glob("train-*.npz")):
        return
    for kept in ("validation", "train"):
        tracks = [track for number, track in enumerate(layouts.tracks(folder)) if _kept(track, number) == kept]
        for number, takes in enumerate(_shards(_takes(tracks, left_out))):
            units.write_shard(out / f"{kept}-{number:03d}.npy", takes)
            yield f"{kept}-{number:03d}: built"
    if not any(out.glob("train-*.npz")):
        why = f", the first for this: {left_out[0]}" if left_out else ""
        raise InputError(f"nothing in {folder} can be learnt from{why}")


def _kept(track: Track, number: int) -> str:
    return KEPT.get(track.split, "validation" if number % VALIDATION == VALIDATION - 1 else "train")


def _shards(takes: Iterator[Take]) -> Iterator[list[Take]]:
    """Takes of PER_SHARD units together."""
    waiting: list[Take] = []
    for take in takes:
        waiting.append(take)
        if len(waiting) >= PER_SHARD:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _takes(tracks: Iterable[Track], left_out: list[str]) -> Iterator[Take]:
    for track in tracks:
        try:
            if track.stems:
                for number, stem in enumerate(track.stems):
                    yield from _units(stem.path, labels(stem), _leaf(stem), f"{track.name} {number} {stem.said}")
            elif track.mix is not None and track.tags is not None:
                yield from _units(track.mix, tagged(track.tags), units.SEVERAL, track.name)
        except ClefkitError as error:
            left_out.append(f"{track.name}: {error}")


def _leaf(stem: Stem) -> int:
    return LEAVES.index(stem.label) if stem.label else -1 if stem.family else units.SEVERAL


def labels(stem: Stem) -> NDArray[np.int8]:
    """(LEAVES + FAMILIES,): what is to be heard of a stem."""
    if stem.label is None and stem.family is None:
        return np.full(len(LEAVES) + len(FAMILY_NAMES), UNSURE, np.int8)
    row = units.labels(stem.label, stem.family)
    if stem.label is None:  # its family has instruments that it might be a section of
        same = [LEAVES.index(leaf) for leaf, family in FAMILY_OF.items() if family == stem.family]
        row[same] = UNSURE
    return row


def tagged(tags: dict[str, float]) -> NDArray[np.int8]:
    """(LEAVES + FAMILIES,): what is known of a recording; a family is there when one of its instruments is."""
    row = np.full(len(LEAVES) + len(FAMILY_NAMES), UNSURE, np.int8)
    for name, value in tags.items():
        row[LEAVES.index(name)] = ON if value >= 0.5 else OFF
    for number, family in enumerate(FAMILY_NAMES):
        own = [row[LEAVES.index(leaf)] for leaf, belongs in FAMILY_OF.items() if belongs == family]
        row[len(LEAVES) + number] = ON if ON in own else OFF if set(own) == {OFF} else UNSURE
    return row


def _units(path: Path, names: NDArray[np.int8], leaf: int, by: str) -> Iterator[Take]:
    """Every four seconds in which something sounds, each a take of one unit."""
    waiting = np.zeros(0, np.float32)
    for block in audio.blocks(path, RATE):
        waiting = np.concatenate([waiting, block])
        while len(waiting) >= SAMPLES:
            piece, waiting = waiting[:SAMPLES], waiting[SAMPLES:]
            yield from _sounding(piece, names, leaf, by)
    yield from _sounding(np.pad(waiting, (0, SAMPLES - len(waiting))), names, leaf, by)


def _sounding(piece: Array, names: NDArray[np.int8], leaf: int, by: str) -> Iterator[Take]:
    if float(hearing.powers(piece).max(initial=0)) > SOFTEST:
        yield Take(piece, names, leaf, by)


def about(folder: Path) -> dict[str, Any]:
    """What a config says of the data."""
    return {"data": f"{folder.name}, a folder of the layout {layouts.layout(folder)}"}
