"""The recipe of the network that refines masks (`clefkit.nets.masks`).

Each step takes a mixture, sometimes two laid over each other, with the notes of every stem as they are, or a little
off, with some missing, as a transcription has them. Atoms are fitted to all of it, six seconds are looked at. The loss
is what is wrong of each masked stem, in decibels below the stem (the ratio that SI-SDR measures, in the complex
spectrum), and how far off magnitudes are, so that soft and high sounds count, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from clefkit import features
from clefkit.grid import Grid
from clefkit.nets.masks import Block, Masks
from clefkit.separate import atoms, masks
from clefkit.separate.atoms import Played
from clefkit.train.separate import loop, mixtures
from clefkit.train.separate.mixtures import Shard

Array = NDArray[np.float32]

FRAMES = 260  # at once: 6 s
RATE = 1.5e-3
PARTS, PARTS_SEEN = (1, 2, 4), (0.15, 0.35, 0.5)  # how often of the bins all, the lower half, a quarter are seen
ALONE = 0.15  # of the mixtures of one instrument are taken
LAID_OVER = 0.15
MOST_STEMS = 5
GUESSED = 0.3  # of the examples have notes of which it isn't known whose they are
OFF = 0.4  # of the examples have notes as a transcription has them
GAIN_DB = 4.0
FLOOR = 0.01  # of the mixture's energy: an error that is as good as none
SILENT = 1e-6
MAGNITUDES = 2.0


class Example(NamedTuple):
    """seen, share: as the network is given; mixture: (frames, bins), stems: (stems, frames, bins), complex"""

    seen: NDArray[np.float16]
    share: NDArray[np.float16]
    mixture: NDArray[np.complex64]
    stems: NDArray[np.complex64]


def draw(shards: Sequence[Shard], generator: Generator) -> Example:
    """One example."""
    stems, rest, notes = _mixture(shards, generator)
    if generator.random() < LAID_OVER:
        others, other_rest, other_notes = _mixture(shards, generator)
        if len(stems) + len(others) <= MOST_STEMS:
            other_notes[:, 4] += len(stems)
            stems, rest = np.concatenate([stems, others]), rest + other_rest
            notes = np.concatenate([notes, other_notes])
    grid = Grid(features.RATE)
    spectra = grid.spectra(np.concatenate([stems, rest[None]]))
    mixture = spectra.sum(axis=0)
    if generator.random() < OFF:
        notes = _off(notes, generator)
    onset, offset, pitch = notes[:, :3].T.astype(np.float64)
    played = Played(onset, offset, pitch, _shares(notes[:, 4].astype(np.int64), len(stems), generator))
    magnitudes = np.abs(mixture)
    first = int(generator.integers(0, max(1, len(mixture) - FRAMES + 1)))
    here = slice(first, first + FRAMES)
    model = atoms.fitted(atoms.of(played, grid, 0, magnitudes), magnitudes).model(here.start, here.stop)
    views = masks.views(model, magnitudes[here], float(magnitudes.max()) * 10 ** (generator.uniform(0, 12) / 20))
    bins = slice(masks.BINS // int(generator.choice(PARTS, p=PARTS_SEEN)))
    seen, share = (each[..., bins].astype(np.float16) for each in views)
    return Example(seen, share, mixture[here, bins], spectra[:-1, here, bins])


def _mixture(shards: Sequence[Shard], generator: Generator) -> tuple[Array, Array, Array]:
    """Stems, rest and notes (columns as `data.COLUMNS`) of a mixture."""
    while True:
        shard = shards[int(generator.integers(len(shards)))]
        number = int(generator.integers(len(shard.names)))
        if len(shard.names[number]) == 1 and generator.random() > ALONE:
            continue
        sound = shard.stems[number].astype(np.float32) / 32767
        gains = 10 ** (generator.uniform(-GAIN_DB, GAIN_DB, len(sound)) / 20)
        sound *= gains.astype(np.float32)[:, None]
        return np.asarray(sound[:-1], np.float32), np.asarray(sound[-1], np.float32), shard.notes[number].copy()


def _off(notes: Array, generator: Generator) -> Array:
    """As a transcription has them."""
    found = notes[generator.random(len(notes)) >= generator.uniform(0, 0.2)].copy()
    length = (found[:, 1] - found[:, 0]) * np.exp(generator.normal(0, 0.25, len(found)))
    found[:, 0] += generator.normal(0, 0.015, len(found))
    found[:, 1] = found[:, 0] + np.maximum(length, 0.05)
    return found if len(found) else notes


def _shares(stem: NDArray[np.int64], stems: int, generator: Generator) -> Array:
    """Whose notes are, (notes, stems): known, or guessed, and then as often right as the guess says."""
    shares = np.eye(stems, dtype=np.float32)[stem]
    if stems < 2 or generator.random() >= GUESSED:
        return shares
    for note in np.flatnonzero(generator.random(len(stem)) < generator.uniform(0, 1)):
        likely = generator.dirichlet(np.full(stems, 0.4))
        whose = int(generator.choice(stems, p=likely))  # this one has to be the true one
        likely[[whose, stem[note]]] = likely[[stem[note], whose]]
        shares[note] = likely
    return shares


def losses(found: Tensor, mixture: Tensor, stems: Tensor) -> tuple[Tensor, Tensor]:
    """Distortion of each stem in dB, negative is better; and of magnitudes, 0 to 1 and more: their means.

    found: (stems, frames, bins), masks; mixture, stems: complex
    """
    energy = stems.abs().square().sum(dim=(1, 2))
    whole = mixture.abs().square().sum() + SILENT
    wrong = (found * mixture - stems).abs().square().sum(dim=(1, 2))
    distortion = 10 * torch.log10((wrong + 1e-4 * whole) / (energy + FLOOR * whole))
    heard, wanted = (found * mixture.abs() + 1e-6).pow(0.3), (stems.abs() + 1e-6).pow(0.3)
    return distortion.mean(), (heard - wanted).abs().mean() / (mixture.abs() + 1e-6).pow(0.3).mean()


def loss(network: Masks, example: Example) -> tuple[Tensor, loop.Figures]:
    """The number that is to fall, and what it is made of."""
    seen = torch.from_numpy(example.seen).float().contiguous(memory_format=torch.channels_last)
    share = torch.from_numpy(example.share).float()
    with torch.autocast("cpu", torch.bfloat16):  # twice as fast; widths are multiples of 16
        found = network(seen, share)
    distortion, magnitudes = losses(found.float(), torch.from_numpy(example.mixture), torch.from_numpy(example.stems))
    figures = {"distortion": float(distortion.detach()), "magnitudes": float(magnitudes.detach())}
    return distortion + MAGNITUDES * magnitudes, figures


def _within(network: Masks) -> list[Tensor]:
    """The weights of convolutions but the first, which Muon moves."""
    blocks = [each for part in (network.down[1:], network.up) for each in part if isinstance(each, Block)]
    return [weight for block in blocks for weight in (block.first.weight, block.second.weight)]


_shards: list[Shard] = []


def _prepare(shards: Sequence[Path]) -> None:
    _shards.extend(mixtures.load(path) for path in shards)


def _drawn(seed: int, step: int) -> Example:
    return draw(_shards, loop.generator(seed, 3, step))


RECIPE = loop.Recipe(Masks, _within, _prepare, _drawn, loss, RATE)
