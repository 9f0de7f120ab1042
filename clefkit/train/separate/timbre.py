"""The recipe of the checkpoint `timbre`: whose is a note.

Each step takes some stretches of mixtures (`separate.mixtures`), in another key and equalised, some laid over another,
with notes as a transcription would have them: onsets and offsets a little off, some not found, some that nobody played.
Two losses: notes of one timbre close, of others apart, within a stretch (supervised contrastive, Khosla et al. 2020,
temperature .1), and the logarithm of the odds that one instrument played two notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from clefkit import features, tuning
from clefkit.nets.timbre import Context, Timbre
from clefkit.train import batches
from clefkit.train.separate import loop, mixtures
from clefkit.train.separate.mixtures import Shard
from clefkit.transcribe import timbre

Array = NDArray[np.float32]

RECORDINGS = 8
NOTES = 112
RATE = 2e-3
CONTRAST, TEMPERATURE = 0.3, 0.1
SHORTEST = 300  # frames of a stretch: 7 s
LAID_OVER = 0.3  # of them over another one
MOST_TIMBRES = 6
NOT_FOUND = (0.0, 0.3)
FALSE = 0.06  # of the notes were played by nobody
FALSE_BY = (12, -12, 19, 7, 24, 1, -1, 5)  # semitones from one that was
FEWEST = 5


class Some(NamedTuple):
    """Some notes of a recording.

    placed: (notes, 3): onset s, offset s, pitch; who: (notes,), the timbre of each as a number, -1 for nobody's
    """

    views: timbre.Views
    placed: Array
    who: NDArray[np.int64]


class Stretch(NamedTuple):
    """sound: (frames, channels, bins), 0 to 1; notes: columns as `data.COLUMNS`, from its beginning on"""

    sound: Array
    notes: Array
    names: list[str]


def draw(shards: Sequence[Shard], generator: Generator, most: int = NOTES) -> Some:
    """Some notes of a stretch of a mixture, or of two laid over each other."""
    stretch = _stretch(shards, generator)
    if generator.random() < LAID_OVER:
        other = _stretch(shards, generator)
        if not set(stretch.names) & set(other.names) and len(stretch.names + other.names) <= MOST_TIMBRES:
            stretch = _over(stretch, other, float(generator.uniform(-6, 3)))
    return looked_at(stretch, generator, most)


def looked_at(stretch: Stretch, generator: Generator, most: int) -> Some:
    """The notes as a transcription would have them."""
    table = stretch.notes
    begun = table[:, 0] * features.FRAMES_PER_SECOND < len(stretch.sound) - 6
    found = np.flatnonzero(begun & (generator.random(len(table)) >= generator.uniform(*NOT_FOUND)))
    if len(found) < 2:
        found = np.flatnonzero(begun)
    if len(found) > most:  # neighbours in time
        first = int(generator.integers(0, len(found) - most + 1))
        found = found[first : first + most]
    codes = np.array([stretch.names.index(name) for name in stretch.names])
    rows, who = table[found].copy(), codes[table[found, 4].astype(int)]
    rows[:, 0] += generator.normal(0, 0.012, len(rows))
    rows[:, 1] = rows[:, 0] + np.maximum(
        (table[found, 1] - table[found, 0]) * np.exp(generator.normal(0, 0.2, len(rows))), 0.05
    )
    false = rows[generator.random(len(rows)) < generator.uniform(0, 2 * FALSE)].copy()
    false[:, 2] += generator.choice(FALSE_BY, len(false))
    inside = (false[:, 2] >= features.LOWEST_PITCH) & (false[:, 2] < features.LOWEST_PITCH + features.PITCHES)
    rows, who = np.concatenate([rows, false[inside]]), np.concatenate([who, np.full(int(inside.sum()), -1)])
    order = np.argsort(rows[:, 0], kind="stable")
    rows, who = rows[order], who[order]
    return Some(seen(stretch.sound, rows), rows[:, :3].astype(np.float32), who)


def seen(sound: Array, table: Array) -> timbre.Views:
    """What there is to see of notes. table: columns as `data.COLUMNS`"""
    onset = np.clip(np.rint(table[:, 0] * features.FRAMES_PER_SECOND), 0, len(sound) - 2).astype(np.int64)
    offset = np.maximum(np.rint(table[:, 1] * features.FRAMES_PER_SECOND).astype(np.int64), onset + 2)
    roll = batches.sounding(table, 0, len(sound))
    return timbre.views(sound, roll, onset, offset, table[:, 2].astype(np.int64))


def _stretch(shards: Sequence[Shard], generator: Generator) -> Stretch:
    """Some seconds with a few notes, as another room, another key would have them."""
    while True:
        shard = shards[int(generator.integers(len(shards)))]
        number = int(generator.integers(len(shard.names)))
        length = shard.sound.shape[1]
        frames = int(generator.integers(SHORTEST, length + 1))
        begin = int(generator.integers(0, length - frames + 1))
        semitones = int(generator.integers(-batches.FARTHEST, batches.FARTHEST + 1))
        notes = _moved(shard.notes[number], begin, frames, semitones)
        if len(notes) < FEWEST:
            continue
        sound = features.restored(shard.sound[number, begin : begin + frames])
        moved = tuning.moved(sound, features.BINS_PER_SEMITONE * semitones)
        return Stretch(batches.equalised(moved, generator), notes, shard.names[number])


def _moved(notes: Array, begin: int, frames: int, semitones: int) -> Array:
    """The notes that begin in a stretch, in another key; only pitches that the network knows."""
    moved = notes - np.array([begin / features.FRAMES_PER_SECOND] * 2 + [-semitones, 0, 0], dtype=np.float32)
    begun = (moved[:, 0] >= 0) & (moved[:, 0] * features.FRAMES_PER_SECOND < frames - 6)
    known = (moved[:, 2] >= features.LOWEST_PITCH) & (moved[:, 2] < features.LOWEST_PITCH + features.PITCHES)
    return np.asarray(moved[begun & known])


def _over(one: Stretch, other: Stretch, gain_db: float) -> Stretch:
    frames = min(len(one.sound), len(other.sound))
    sound = batches.over(one.sound[:frames], other.sound[:frames], gain_db)
    notes = np.concatenate([one.notes, other.notes + np.array([0, 0, 0, 0, len(one.names)], dtype=np.float32)])
    return Stretch(sound, notes[np.argsort(notes[:, 0], kind="stable")], one.names + other.names)


def contrast(points: Tensor, who: Tensor) -> Tensor:
    """How far notes are from others of their timbre, compared with the rest of their recording."""
    alike = (who[:, None] == who[None]) & ~torch.eye(len(who), dtype=torch.bool)
    scores = points @ points.T / TEMPERATURE
    scores = scores.masked_fill(torch.eye(len(who), dtype=torch.bool), -1e4)
    share = scores - scores.logsumexp(dim=1, keepdim=True)
    counted = alike.sum(1) > 0
    if not counted.any():
        return points.sum() * 0
    return -((share * alike).sum(1)[counted] / alike.sum(1)[counted]).mean()


class Branch(nn.Module):
    """Both networks."""

    def __init__(self) -> None:
        super().__init__()
        self.timbre, self.context = Timbre(), Context()


def _within(branch: Branch) -> list[Tensor]:
    """The weights between layers, which Muon moves."""
    layers = [layer for part in (branch.timbre, branch.context.layers) for layer in part.modules()]
    return [layer.weight for layer in layers if isinstance(layer, nn.Linear)]


_shards: list[Shard] = []


def _prepare(shards: Sequence[Path]) -> None:
    _shards.extend(mixtures.load(path) for path in shards)


def _drawn(seed: int, step: int) -> list[Some]:
    generator = loop.generator(seed, 2, step)
    return [draw(_shards, generator) for _ in range(RECORDINGS)]


def loss(branch: Branch, some: Sequence[Some]) -> tuple[Tensor, loop.Figures]:
    """The mean loss of some recordings; for people, cross-entropy, contrastive loss, share of pairs told right."""
    views = zip(*(each.views for each in some), strict=True)
    with torch.autocast("cpu", torch.bfloat16):  # a third less time
        tokens = branch.timbre(*(torch.from_numpy(np.concatenate(parts)) for parts in views))
    tokens = tokens.float()
    value, figures = torch.zeros(()), np.zeros(3)
    for each, mine in zip(some, tokens.split([len(each.who) for each in some]), strict=True):
        points, beside = branch.context.points(mine, torch.from_numpy(each.placed))
        known = torch.from_numpy(each.who >= 0)
        logits = branch.context.odds(points, beside)[known][:, known]
        who = torch.from_numpy(each.who)[known]
        same = (who[:, None] == who[None]).float()
        pairs = ~torch.eye(len(who), dtype=torch.bool)
        entropy = functional.binary_cross_entropy_with_logits(logits[pairs], same[pairs])
        right = ((logits > 0) == same.bool())[pairs].float().mean()
        contrasted = contrast(points[known], who)
        value = value + (entropy + CONTRAST * contrasted) / len(some)
        figures += [float(entropy.detach()), float(contrasted.detach()), float(right)]
    return value, dict(zip(("entropy", "contrast", "pairs"), (figures / len(some)).tolist(), strict=True))


RECIPE = loop.Recipe(Branch, _within, _prepare, _drawn, loss, RATE)
