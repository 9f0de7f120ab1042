"""What is measured of each unit of a bank, once, beside its shard.

`<set>-000.described.npy`, (units, DESCRIBED): what it sounds like by itself; `described.npz`: mean and deviation of
each descriptor over the train set. `<set>-000.bands.npy`, (units, CHANNELS, frames, BANDS), uint8: its energies as
`hearing` has them, in half decibels above FLOOR_DB, so that most mixtures need no Fourier transform.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clefkit.tag import descriptors, hearing
from clefkit.tag.vocabulary import DESCRIBED
from clefkit.train import shards
from clefkit.train.tag import units

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

SCALE = "described.npz"
FLOOR_DB, STEPS = -115.0, 2  # steps of a decibel
ENERGY = np.append(0, 10 ** ((np.arange(1, 256) / STEPS + FLOOR_DB) / 10)).astype(np.float32)  # of each number


def build(bank: Path, jobs: int = 1) -> None:
    """Measure what hasn't been, by a number of processes."""
    paths = [path for path in sorted(bank.glob("*-???.npy")) if path.with_suffix(".npz").is_file()]
    missing = [path for path in paths if not (_described(path).is_file() and _bands(path).is_file())]
    list(shards.results(measure, [(path,) for path in missing], jobs))
    if not (bank / SCALE).is_file():
        found = [np.load(_described(path)) for path in sorted(bank.glob("train-???.npy"))]
        every = np.concatenate(found).astype(float)
        mean, deviation = np.nanmean(every, axis=0), np.nanstd(every, axis=0)
        np.savez(bank / SCALE, mean=mean, deviation=np.maximum(deviation, 1e-9))


def measure(path: Path) -> None:
    """Measure the units of a shard, by its `.npy`."""
    sounds = [sound.astype(np.float32) / np.float32(32767) for sound in units.load(path).sound]
    _save(_bands(path), np.stack([coded(hearing.energies(sound)) for sound in sounds]))
    _save(_described(path), np.array([descriptors.describe(sound) for sound in sounds], np.float32))


def coded(energies: Array) -> NDArray[np.uint8]:
    """Numbers of ENERGY. energies: of any shape, 1 for a sine of full scale"""
    decibels = 10 * np.log10(np.maximum(energies, np.float32(1e-20)))
    return np.clip(np.rint((decibels - FLOOR_DB) * STEPS), 0, 255).astype(np.uint8)


def scale(bank: Path) -> tuple[Floats, Floats]:
    """Mean and deviation of each descriptor; 0 and 1 before `build`."""
    if not (bank / SCALE).is_file():
        return np.zeros(len(DESCRIBED)), np.ones(len(DESCRIBED))
    with np.load(bank / SCALE) as file:
        return file["mean"], file["deviation"]


def described(path: Path) -> Array:
    """(units, DESCRIBED) of a shard by its `.npy`, scaled to mean 0 and deviation 1, at most 4; nan where unknown."""
    mean, deviation = scale(path.parent)
    return np.asarray(np.clip((np.load(_described(path)) - mean) / deviation, -4, 4), np.float32)


def bands(path: Path) -> NDArray[np.uint8]:
    """(units, CHANNELS, frames, BANDS) of a shard by its `.npy`, on disk until it is looked at."""
    return np.asarray(np.load(_bands(path), mmap_mode="r"))


def _save(path: Path, values: NDArray[np.generic]) -> None:
    temporary = path.with_suffix(".part.npy")
    np.save(temporary, values)
    temporary.replace(path)


def _described(path: Path) -> Path:
    return path.with_suffix(".described.npy")


def _bands(path: Path) -> Path:
    return path.with_suffix(".bands.npy")
