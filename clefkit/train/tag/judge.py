"""How well a network for tags hears: mixtures of units that it never learnt from, by the same code as `clefkit tag`.

Trials are drawn from a seed, one player alone or two to four together, a second to four long, recorded somewhere. The
numbers are those of `clefkit score --as tags`, and of solo trials how often the likeliest name is right, each name
counting the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit.score import tags
from clefkit.tag import decide, infer
from clefkit.tag.hearing import CELLS_PER_SECOND
from clefkit.tag.infer import Heard, Model
from clefkit.tag.vocabulary import LEAVES
from clefkit.train.tag import mix, record
from clefkit.train.tag.mix import Stock
from clefkit.train.tag.units import CELLS, ON, UNSURE

Array = NDArray[np.float32]

SHORTEST = 10  # cells


class Trial(NamedTuple):
    """sound: (samples,); truth: a clip, as in a line of `clefkit score`'s JSON; leaves: which play, -1 for others

    cells: (cells, LEAVES + FAMILIES), as `Mixture`; clip: (LEAVES + FAMILIES,), as there; stems: (units, samples)
    """

    sound: Array
    truth: dict[str, Any]
    leaves: list[int]
    clip: NDArray[np.int8]
    cells: NDArray[np.int8]
    stems: Array


def trials(found: Stock, count: int, seed: int, *, alone: bool) -> Iterator[Trial]:
    """The same trials for the same seed. alone: one player, each timbre in turn; or two to four"""
    every = [each for each in mix.timbres(found) if mix.row(found, _first(found, each)).leaf >= 0]
    for number in range(count):
        generator = np.random.default_rng([seed, int(alone), number])
        if alone:
            of = found.by[every[number % len(every)][0]][every[number % len(every)][1]]
            shard, unit = of[int(generator.integers(len(of)))]
            chosen = [(int(shard), int(unit))]
        else:
            chosen = mix.choose(found, int(generator.integers(2, 5)), generator)
        yield _trial(found, chosen, f"{number}", generator)


def heard(model: Model, given: Sequence[Trial]) -> list[Heard]:
    """What the network says of each."""
    return [infer.listen([trial.sound], model) for trial in given]


def solo(given: Sequence[Trial], said: Sequence[Heard]) -> dict[str, float]:
    """How often the likeliest name is right, mean over names: among those of the trials, and among all."""
    leaves = np.array([trial.leaves[0] for trial in given])
    likely = np.array([each.clip[: len(LEAVES)] for each in said])
    present = np.unique(leaves)
    among = present[likely[:, present].argmax(axis=1)]
    right = {name: np.mean([(guess == leaves)[leaves == leaf].mean() for leaf in present])
             for name, guess in (("top1", among), ("top1_of_all", likely.argmax(axis=1)))}  # fmt: skip
    return {name: round(float(value), 4) for name, value in right.items()}


def together(given: Sequence[Trial], said: Sequence[Heard], model: Model) -> dict[str, float]:
    """The measures of `clefkit score --as tags`."""
    clips = [found(trial.truth["file"], each, model) for trial, each in zip(given, said, strict=True)]
    measured = tags.compare([trial.truth for trial in given], clips)
    names = [measure.name for measure in tags.MEASURES]
    return {name: round(float(measured[name]), 4) for name in names if measured.get(name) is not None}


def found(file: str, said: Heard, model: Model) -> dict[str, Any]:
    """A clip of findings."""
    names = range(len(LEAVES))
    present = [name for name in names if said.clip[name] >= model.threshold]
    segments = [
        {"tag": LEAVES[name], "onset": each.start_s, "offset": each.end_s}
        for name in present
        for each in decide.segments(said.cells[:, name], model.threshold, said.seconds)
    ]
    gains = {name: max(gain, -100.0) for name, gain in decide.likely_gains(said, model.calibration.gain).items()}
    return {"file": file, "tags": dict(zip(LEAVES, said.clip.tolist(), strict=False)), "segments": segments,
            "gains_db": gains}  # fmt: skip


def _first(found: Stock, timbre: tuple[int, int]) -> tuple[int, int]:
    shard, unit = found.by[timbre[0]][timbre[1]][0]
    return int(shard), int(unit)


def _trial(found: Stock, chosen: Sequence[tuple[int, int]], file: str, generator: Generator) -> Trial:
    cells = int(generator.integers(SHORTEST, CELLS + 1))
    made = mix.mix(found, mix.arrange(found, chosen, cells, generator))
    rows = [mix.row(found, each) for each in chosen]
    clip, each_cell, _ = mix.heard(rows, made.powers)
    whole = made.powers.sum(axis=0)
    energies = np.zeros((cells, len(LEAVES) + 1), np.float32)
    for row, power in zip(rows, made.powers, strict=True):
        energies[:, row.leaf if row.leaf >= 0 else len(LEAVES)] += power
    gains = decide.gains(energies, whole)
    known = {name: float(clip[index]) for index, name in enumerate(LEAVES) if clip[index] != UNSURE}
    segments = [
        {"tag": name, "onset": start / CELLS_PER_SECOND, "offset": end / CELLS_PER_SECOND}
        for index, name in enumerate(LEAVES)
        if known.get(name)
        for start, end in decide.runs(each_cell[:, index] == ON)
    ]
    own = {name: gain for name, gain in gains.items() if known.get(name) and np.isfinite(gain)}
    truth = {"file": file, "tags": known, "segments": segments, "gains_db": own}
    sound = record.somewhere(made.dry, generator)
    return Trial(sound, truth, [row.leaf for row in rows], clip, each_cell, made.stems)
