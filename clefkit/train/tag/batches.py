"""Batches of mixtures for `tag`: some of one player alone, in twos; and some recordings that nobody labelled, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit import audio
from clefkit.tag import hearing
from clefkit.tag.hearing import CELL, RATE
from clefkit.train.tag import measured, mix, record, units
from clefkit.train.tag.mix import Stock
from clefkit.train.tag.units import CELLS

Array = NDArray[np.float32]

EXAMPLES = 24
PAIRS = 3  # of them are two of one player each
UNLABELLED = 1
WHOLE = 0.4  # of the batches are as long as a unit; the others shorter
SHORTEST = 5  # cells
LONGEST_S = 600.0  # of a recording that nobody labelled: what comes later isn't heard


class Source(NamedTuple):
    """stock: see `mix`; timbres: all of it; unlabelled: files"""

    stock: Stock
    timbres: list[tuple[int, int]]
    unlabelled: list[Path]


class Batch(NamedTuple):
    """seen: (EXAMPLES + 2 UNLABELLED, CHANNELS, frames, BANDS), uint8; the rest of the EXAMPLES alone, as `Mixture`"""

    seen: NDArray[np.uint8]
    clip: NDArray[np.int8]
    cells: NDArray[np.int8]
    shares: Array
    described: Array
    timbre: NDArray[np.int64]
    leaf: NDArray[np.int64]


def source(bank: Path, unlabelled: Path | None, kept: str = "train") -> Source:
    """All shards of a set that are complete, and the recordings of a folder."""
    paths = [path for path in sorted(bank.glob(f"{kept}-???.npy")) if path.with_suffix(".npz").is_file()]
    shards = [units.load(path) for path in paths]
    stock = mix.stock(shards, [measured.described(path) for path in paths], [measured.bands(path) for path in paths])
    found = (
        sorted(path for path in unlabelled.rglob("*") if path.suffix.lower() in audio.NATIVE_SUFFIXES)
        if unlabelled
        else []
    )
    return Source(stock, mix.timbres(stock), found)


def draw(source: Source, generator: Generator) -> Batch:
    """One batch."""
    cells = CELLS if generator.random() < WHOLE else int(generator.integers(SHORTEST, CELLS))
    alone = [source.timbres[int(number)] for number in generator.integers(len(source.timbres), size=PAIRS)]
    asked = [*alone, *alone, *[None] * (EXAMPLES - 2 * PAIRS)]
    mixtures = [mix.draw(source.stock, cells, generator, timbre) for timbre in asked]
    versions = [
        each for _ in range(UNLABELLED if source.unlabelled else 0) for each in _twice(source, cells, generator)
    ]
    columns: list[Any] = [np.stack(column) for column in zip(*mixtures, strict=True)]
    return Batch(np.concatenate([columns[0], *(each[None] for each in versions)]), *columns[1:])


def _twice(source: Source, cells: int, generator: Generator) -> list[NDArray[np.uint8]]:
    """A stretch of a recording, recorded once more in two ways."""
    path = source.unlabelled[int(generator.integers(len(source.unlabelled)))]
    with soundfile.SoundFile(path) as file:
        wanted = int(cells * CELL / RATE * file.samplerate) + 64
        last = min(file.frames, int(LONGEST_S * file.samplerate)) - wanted
        file.seek(int(generator.integers(0, last)) if last > 0 else 0)
        samples = file.read(wanted, dtype="float32", always_2d=True)
        mono = soxr.resample(samples.mean(axis=1), file.samplerate, RATE)
    sound = np.pad(np.asarray(mono, np.float32), (0, cells * CELL))[: cells * CELL]
    energies = hearing.energies(sound)
    versions = [record.in_bands(energies, generator) for _ in range(2)]
    return [np.rint(hearing.seen(each) * 255).astype(np.uint8) for each in versions]
