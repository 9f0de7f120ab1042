"""The recipe of the timbre branch of the checkpoint `notes`.

Each step takes some stretches of the training set, in another key and equalised, some laid over another, and up to 96
notes of each, as a transcription would have them (onsets and offsets a little off, some notes not found). Two losses:
notes of one timbre close, of others apart, within a stretch (supervised contrastive, Khosla et al. 2020, temperature
.1), and the logarithm of the odds that two notes are of one timbre, from the cosine of their points and the distance of
their pitches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from clefkit import features, tuning
from clefkit.errors import UsageError
from clefkit.nets.timbre import Timbre
from clefkit.train import batches
from clefkit.train.data import Shard
from clefkit.transcribe import timbre

Array = NDArray[np.float32]

RECORDINGS = 8
NOTES = 96
RATE = 2e-3
TEMPERATURE = 0.1
FRAMES = 860  # of a recording at once: 20 s
LAID_OVER = 0.3  # of them over another one
NOT_FOUND = 0.12
FEWEST = 8
ALONE = 0.25  # of the recordings of one timbre are taken
TELL_EVERY = 250


class Some(NamedTuple):
    """Some notes of a recording. who: (notes,), the timbre of each as a number; pitch: (notes,)"""

    views: timbre.Views
    who: NDArray[np.int64]
    pitch: NDArray[np.int64]


class Stretch(NamedTuple):
    """A stretch of a recording.

    sound: (frames, channels, bins), 0 to 1; notes: (notes, 5) as `Shard.notes`, from its beginning on
    names: the timbre of each part
    """

    sound: Array
    notes: Array
    names: list[str]


class Odds(nn.Module):
    """The logarithm of the odds that two notes are of one timbre: (notes, POINT), (notes,) -> (notes, notes)."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(8.0))
        self.bias = nn.Parameter(torch.tensor(-4.0))
        self.apart = nn.Parameter(torch.tensor(0.0))

    def forward(self, points: Tensor, pitch: Tensor) -> Tensor:
        distance = (pitch[:, None] - pitch[None]).abs() / 12
        result: Tensor = self.slope * points @ points.T + self.bias + self.apart * distance
        return result


def draw(shards: Sequence[Shard], generator: Generator, most: int = NOTES) -> Some:
    """Notes of a stretch of one recording, or of two that were laid over each other."""
    stretch = _stretch(shards, generator)
    if generator.random() < LAID_OVER:
        other = _stretch(shards, generator)
        if not set(stretch.names) & set(other.names):
            stretch = _over(stretch, other, float(generator.uniform(-10, 0)))
    table = stretch.notes
    onset = table[:, 0] * features.FRAMES_PER_SECOND + generator.normal(0, 0.5, len(table))
    length = (table[:, 1] - table[:, 0]) * features.FRAMES_PER_SECOND * np.exp(generator.normal(0, 0.2, len(table)))
    begun = np.flatnonzero(_begun(table, len(stretch.sound)))
    found = begun[generator.permutation(len(begun))[: max(2, round((1 - NOT_FOUND) * len(begun)))]]
    chosen = np.sort(found[:most])
    start = np.maximum(np.rint(onset[chosen]), 0).astype(np.int64)
    end = start + np.maximum(2, np.rint(length[chosen])).astype(np.int64)
    pitch = table[chosen, 2].astype(np.int64)
    codes = np.array([stretch.names.index(name) for name in stretch.names])
    roll = batches.sounding(table, 0, len(stretch.sound))
    return Some(timbre.views(stretch.sound, roll, start, end, pitch), codes[table[chosen, 4].astype(int)], pitch)


def _stretch(shards: Sequence[Shard], generator: Generator) -> Stretch:
    """Some seconds with a few notes, as another room, another key would have them; of one timbre less often.

    raises: UsageError when there is hardly any
    """
    for _ in range(10_000):
        shard = shards[int(generator.integers(len(shards)))]
        number = int(generator.integers(len(shard.timbres)))
        names = shard.timbres[number]
        first, end = int(shard.first[number]), int(shard.first[number + 1])
        begin = int(generator.integers(0, max(1, end - first - FRAMES)))
        semitones = int(generator.integers(-batches.FARTHEST, batches.FARTHEST + 1))
        notes = _moved(shard.notes[number], begin, semitones)
        begun = notes[_begun(notes, FRAMES)]
        played = {names[int(part)] for part in begun[:, 4]}
        if len(begun) < FEWEST or (len(played) < 2 and generator.random() > ALONE):
            continue
        sound = features.restored(shard.sound[first + begin : min(first + begin + FRAMES, end)])
        moved = tuning.moved(sound, features.BINS_PER_SEMITONE * semitones)
        return Stretch(batches.equalised(moved, generator), notes, names)
    raise UsageError("the training set has no recordings of several instruments: make a larger one")


def _moved(notes: Array, begin: int, semitones: int) -> Array:
    """The notes that sound in a stretch that begins at a frame, in another key; only pitches that the network knows."""
    moved = notes - np.array([begin / features.FRAMES_PER_SECOND] * 2 + [-semitones, 0, 0], dtype=np.float32)
    sounds = (moved[:, 1] > 0) & (moved[:, 0] < FRAMES / features.FRAMES_PER_SECOND)
    known = (moved[:, 2] >= features.LOWEST_PITCH) & (moved[:, 2] < features.LOWEST_PITCH + features.PITCHES)
    return np.asarray(moved[sounds & known])


def _begun(notes: Array, frames: int) -> NDArray[np.bool_]:
    """(notes,): whether a note begins in a stretch, and early enough to be seen."""
    onset = notes[:, 0] * features.FRAMES_PER_SECOND
    return np.asarray((onset >= 0) & (onset < frames - timbre.FRAMES))


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


def train(shards: Sequence[Shard], steps: int, seed: int) -> Iterator[tuple[dict[str, Any], Timbre, Odds]]:
    """yields: every 250 steps, and at the end, what there is to tell, and the networks as they are"""
    torch.manual_seed(seed)
    network, odds = Timbre(), Odds()
    optimiser = torch.optim.AdamW([*network.parameters(), *odds.parameters()], RATE, weight_decay=0.01)
    told: list[NDArray[np.float64]] = []
    for step in range(steps):
        generator = np.random.default_rng([seed, 2, step])
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 100) * min(1.0, 2 * (1 - step / steps))
        some = [draw(shards, generator) for _ in range(RECORDINGS)]
        value, figures = _loss(network, odds, some)
        optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 3.0)
        optimiser.step()
        told.append(figures)
        if (step + 1) % TELL_EVERY == 0 or step + 1 == steps:
            names = ("entropy", "contrast", "pairs")
            means = dict(zip(names, np.mean(told, axis=0).round(4).tolist(), strict=True))
            told.clear()
            yield {"step": step + 1} | means, network, odds


def _loss(network: Timbre, odds: Odds, some: Sequence[Some]) -> tuple[Tensor, NDArray[np.float64]]:
    """The mean loss of some recordings; and, for people, cross-entropy, contrastive loss, share of pairs told right."""
    views = zip(*(each.views for each in some), strict=True)
    points = network(*(torch.from_numpy(np.concatenate(parts)) for parts in views))
    value, figures = torch.zeros(()), np.zeros(3)
    for each, mine in zip(some, points.split([len(each.who) for each in some]), strict=True):
        who, pitch = torch.from_numpy(each.who), torch.from_numpy(each.pitch).float()
        logits = odds(mine, pitch)
        same = (who[:, None] == who[None]).float()
        pairs = ~torch.eye(len(who), dtype=torch.bool)
        entropy = functional.binary_cross_entropy_with_logits(logits[pairs], same[pairs])
        right = ((logits > 0) == same.bool())[pairs].float().mean()
        contrasted = contrast(mine, who)
        value = value + (entropy + 0.5 * contrasted) / len(some)
        figures += [float(entropy.detach()), float(contrasted.detach()), float(right)]
    return value, figures / len(some)
