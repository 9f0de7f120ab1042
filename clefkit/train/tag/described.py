"""What each unit of a bank sounds like by itself: beside each shard `<set>-000.described.npy`, (units, DESCRIBED)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clefkit.tag import descriptors
from clefkit.tag.vocabulary import DESCRIBED
from clefkit.train.tag import units

Floats = NDArray[np.float64]

SCALE = "described.npz"


def build(bank: Path) -> None:
    """Measure what hasn't been, and write `described.npz`, mean and deviation over the train set."""
    for path in sorted(bank.glob("*-???.npy")):
        if not _file(path).is_file() and path.with_suffix(".npz").is_file():
            sounds = units.load(path).sound
            rows = [descriptors.describe(sound.astype(np.float32) / np.float32(32767)) for sound in sounds]
            temporary = path.with_suffix(".part.npy")
            np.save(temporary, np.array(rows, np.float32))
            temporary.replace(_file(path))
    if not (bank / SCALE).is_file():
        found = [np.load(_file(path)) for path in sorted(bank.glob("train-???.npy"))]
        every = np.concatenate(found).astype(float)
        mean, deviation = np.nanmean(every, axis=0), np.nanstd(every, axis=0)
        np.savez(bank / SCALE, mean=mean, deviation=np.maximum(deviation, 1e-9))


def scale(bank: Path) -> tuple[Floats, Floats]:
    """Mean and deviation of each descriptor; 0 and 1 before `build`."""
    if not (bank / SCALE).is_file():
        return np.zeros(len(DESCRIBED)), np.ones(len(DESCRIBED))
    with np.load(bank / SCALE) as file:
        return file["mean"], file["deviation"]


def load(path: Path, count: int) -> NDArray[np.float32]:
    """(units, DESCRIBED) of a shard by its `.npy`, scaled to mean 0 and deviation 1, at most 4; nan where unknown."""
    if not _file(path).is_file():
        return np.full((count, len(DESCRIBED)), np.nan, np.float32)
    mean, deviation = scale(path.parent)
    return np.asarray(np.clip((np.load(_file(path)) - mean) / deviation, -4, 4), np.float32)


def _file(path: Path) -> Path:
    return path.with_suffix(".described.npy")
