"""Stems by instruments that `tag` never learnt from, as a shard of the bank: FreePats, presets of MuseScore_General.

The instruments are those of `heldout_sounds`, in two halves that share nothing; they play works that belong to the
same half, and single notes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from clefkit.notes import Notes, take
from clefkit.tag.hearing import RATE
from clefkit.tag.vocabulary import LEAVES
from clefkit.train import heldout_sounds
from clefkit.train.heldout_sounds import Instrument
from clefkit.train.tag import players, units
from clefkit.train.tag.players import Role
from clefkit.train.tag.units import SAMPLES, TAKE, Take

Array = NDArray[np.float32]

TAKES = 4  # of each instrument


def build(works: dict[str, list[Notes]], out: Path, split: str, seed: int) -> int:
    """Build the shard `heldout-<split>-000` where it is missing. Returns how many units it has.

    works: by collection, of this split
    raises: MissingError when TiMidity++, FreePats or the soundfont is not there
    """
    path = out / f"heldout-{split}-000.npy"
    if not path.with_suffix(".npz").is_file():
        every = [each for source in heldout_sounds.SOURCES for each in heldout_sounds.instruments(source, split)]
        takes = (take for number, each in enumerate(every) for take in _takes(each, number, works, seed))
        units.write_shard(path, takes)
    return len(units.load(path).leaf)


def _takes(instrument: Instrument, number: int, works: dict[str, list[Notes]], seed: int) -> Iterator[Take]:
    role = _role(instrument)
    for each in range(TAKES):
        generator = np.random.default_rng([seed, 7, number, each])
        notes = units.figures(role, generator) if each % 2 else units.stretch(role, works, generator)
        notes = take(notes, np.isin(np.rint(notes.pitch), sorted(_keys(instrument))))
        if len(notes) == 0:
            continue
        sound, _ = heldout_sounds.play(instrument, notes)
        mono = np.asarray(soxr.resample(sound, heldout_sounds.RATE, RATE), np.float32)
        mono = np.pad(mono, (0, max(0, TAKE * SAMPLES - len(mono))))[: TAKE * SAMPLES]
        leaf = LEAVES.index(role.leaf) if role.leaf else -1
        yield Take(mono, units.labels(role.leaf, role.family, role.unknown), leaf, f"{instrument.source} {role.name}")


def _role(instrument: Instrument) -> Role:
    """The role of the table that has its program, with its own range."""
    return players.by_program(instrument.program)._replace(
        lowest=instrument.lowest, highest=instrument.highest, chords=instrument.chords
    )


@lru_cache(maxsize=64)
def _keys(instrument: Instrument) -> frozenset[int]:
    return frozenset(heldout_sounds.audition(instrument).level_db)
