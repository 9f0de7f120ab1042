"""What an index of sounds holds of one file: listened to, or known by its content.

A file is known again by its SHA-256, not by its size and time: so an index is the same whoever copied the files and
when, and what was only moved or renamed isn't listened to again. To hash a file costs little beside listening to it,
and is done anyway.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clefkit import audio, record
from clefkit.errors import InputError
from clefkit.record import Source
from clefkit.registry import Asset
from clefkit.tag import decide, hearing, infer
from clefkit.tag.similar import index as index_file
from clefkit.tag.similar.index import SPACE, WHOLE, Array, Entry, Index
from clefkit.tag.vocabulary import LEAVES


def measure(source: Source, *, checkpoint: Asset, index: Path) -> dict[str, Any]:
    """The entry of a file in the index that will be at `index`, and whether the one that is there had it.

    raises: InputError when it is no sound that `audio.blocks` can read
    """
    before = _known(index, checkpoint)
    entry = found(source.sha256, before)
    place = name(source.path, index)
    if entry is not None:
        return {"entry": entry._replace(name=place), "kept": True}
    return {"entry": heard(source, checkpoint)._replace(name=place), "kept": False}


def known(path: Path, checkpoint: Asset) -> Index | None:
    """The index at `path`, unless there is none that this checkpoint made."""
    try:
        index = index_file.load(path)
    except InputError:
        return None
    return index if index.checkpoint.sha256 == checkpoint.sha256 else None


_known = lru_cache(maxsize=1)(known)  # for workers, which see one index


def found(sha256: str, index: Index | None) -> Entry | None:
    """The entry of a file of this content."""
    row = None if index is None else index.row_of(sha256)
    return None if index is None or row is None else index.entry(row)


def name(path: Path, index: Path) -> str:
    """Of a file, as seen from the folder of the index. Folders that are links are followed, as `..` does."""
    return record.relative(path.parent.resolve() / path.name, index_file.folder(index).resolve())


def heard(source: Source, checkpoint: Asset) -> Entry:
    """Listen to a file. Raises InputError when it is no sound that `audio.blocks` can read."""
    model = infer.load(checkpoint.path)
    sound = infer.listen(audio.blocks(source.path, hearing.RATE), model)
    gains = decide.likely_gains(sound, model.calibration.gain)
    present = [] if sound.silent else [row for row in range(len(LEAVES)) if sound.clip[row] >= model.threshold]
    present.sort(key=lambda row: -gains[LEAVES[row]])
    return Entry(
        source.path.name,
        source.sha256,
        _unit(sound.whole, WHOLE, checkpoint),
        np.array(present, np.uint8),
        np.array([gains[LEAVES[row]] for row in present], np.float32),
        np.array([_unit(sound.spaces[row], SPACE, checkpoint) for row in present], np.float32).reshape(-1, SPACE),
    )


def _unit(values: NDArray[np.float64], size: int, checkpoint: Asset) -> Array:
    """Of length 1, or zeros. raises: InputError when the network makes more or fewer numbers of a sound"""
    if not values.any():
        return np.zeros(size, np.float32)
    if values.shape != (size,):
        raise InputError(f"model {checkpoint.name} tells sounds apart by {len(values)} numbers, not {size}")
    return np.asarray(values / np.linalg.norm(values), np.float32)
