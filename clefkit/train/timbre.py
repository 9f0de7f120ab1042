"""The recipe of the timbre branch of the checkpoint `notes`.

Each step takes some recordings of the training set and up to 96 neighbouring notes of each, as a transcription would
have them (onsets and offsets a little off, some notes not found). Two losses: notes of one timbre close, of others
apart, within a recording (supervised contrastive, Khosla et al. 2020, temperature .1), and the logarithm of the odds
that two notes are of one timbre, from the cosine of their points and the distance of their pitches.
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

from clefkit import features
from clefkit.errors import UsageError
from clefkit.nets.timbre import Timbre
from clefkit.train.data import Shard
from clefkit.transcribe import timbre

Array = NDArray[np.float32]

RECORDINGS = 8
NOTES = 96
RATE = 2e-3
TEMPERATURE = 0.1
NOT_FOUND = 0.12
FEWEST = 8
ALONE = 0.15  # of the recordings of one timbre are taken
TELL_EVERY = 250


class Some(NamedTuple):
    """Neighbouring notes of a recording. who: (notes,), the timbre of each as a number; pitch: (notes,)"""

    views: timbre.Views
    who: NDArray[np.int64]
    pitch: NDArray[np.int64]


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
    """Notes of one recording, a stretch of it."""
    shard, number = _choose(shards, generator)
    table = shard.notes[number]
    names = shard.timbres[number]
    codes = np.array([names.index(name) for name in names])
    sound = shard.sound[shard.first[number] : shard.first[number + 1]]
    onset = table[:, 0] * features.FRAMES_PER_SECOND + generator.normal(0, 0.5, len(table))
    length = (table[:, 1] - table[:, 0]) * features.FRAMES_PER_SECOND * np.exp(generator.normal(0, 0.2, len(table)))
    inside = _inside(table)
    found = np.flatnonzero((generator.random(len(table)) > NOT_FOUND) & inside)
    found = found if len(found) else np.flatnonzero(inside)
    first = int(generator.integers(0, max(1, len(found) - most)))
    chosen = found[first : first + most]
    start = np.rint(np.clip(onset[chosen], 0, len(sound) - 2)).astype(np.int64)
    end = start + np.maximum(2, np.rint(length[chosen])).astype(np.int64)
    pitch = table[chosen, 2].astype(np.int64)
    low, high = max(0, int(start.min()) - 1), int(start.max()) + timbre.FRAMES + 1
    roll = _roll(table[inside], low, min(high, len(sound)) - low)
    return Some(
        timbre.views(features.restored(sound[low:high]), roll, start - low, end - low, pitch),
        codes[table[chosen, 4].astype(int)],
        pitch,
    )


def _choose(shards: Sequence[Shard], generator: Generator) -> tuple[Shard, int]:
    """A recording with a few notes, of one timbre less often.

    raises: UsageError when there is hardly any
    """
    for _ in range(10_000):
        shard = shards[int(generator.integers(len(shards)))]
        number = int(generator.integers(len(shard.timbres)))
        enough = int(_inside(shard.notes[number]).sum()) >= FEWEST
        if enough and (len(set(shard.timbres[number])) > 1 or generator.random() < ALONE):
            return shard, number
    raise UsageError("the training set has no recordings of several instruments: make a larger one")


def _inside(table: Array) -> NDArray[np.bool_]:
    """(notes,): whether the network knows the pitch."""
    return (table[:, 2] >= features.LOWEST_PITCH) & (table[:, 2] < features.LOWEST_PITCH + features.PITCHES)


def _roll(table: Array, first: int, frames: int) -> NDArray[np.bool_]:
    """Which pitches sound in each of some frames. table: (notes, 5), as `Shard.notes`"""
    roll = np.zeros((frames, features.PITCHES), dtype=bool)
    begin, end = (np.ceil(table[:, :2].T * features.FRAMES_PER_SECOND) - first).astype(int)
    for index in np.flatnonzero((end > 0) & (begin < frames)):
        roll[max(begin[index], 0) : max(end[index], begin[index] + 1), int(table[index, 2]) - features.LOWEST_PITCH] = (
            True
        )
    return roll


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
