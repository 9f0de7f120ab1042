"""Training of the network `tag`: losses, loop, state.

Everything that is true of a mixture is asked for at once; how much each of the losses counts is learnt, too (Kendall,
Gal, Cipolla 2018, "Multi-task learning using uncertainty to weigh losses"):

    cells, clip    cross-entropy of the names, in each cell and of the whole; what is unsure is left out
    shares, gain   of those that play: cross-entropy of their shares of the energy, each cell as loud as it is; how many
                   decibels each is off, over all cells (Huber)
    described      what each instrument sounds like by itself (Huber)
    alike          of mixtures of one: those of one name close, others apart, in the space of the whole; those of
                   one player, in the instrument's own (supervised contrastive, Khosla et al. 2020)
    decoded        the bands of the mixture, out of all instruments' spaces
    agreed         of recordings that nobody labelled: two versions of one are heard alike

Muon for the layers within, AdamW for the rest, bfloat16; the learning rate soon begins to fall, in a straight line
to 0. `train` saves its state every 250 steps and goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from clefkit.nets.tag import SPACE, Heard, Tag
from clefkit.tag.hearing import BANDS, FRAMES
from clefkit.tag.vocabulary import LEAVES
from clefkit.train import ahead
from clefkit.train import state as states
from clefkit.train.state import State
from clefkit.train.tag import batches
from clefkit.train.tag.batches import Batch

RATE = 3e-3
DECAY = 0.02
WARM_UP = 200
FALLS_FROM = 0.3
LONGEST = 5.0  # of gradients
SAVE_EVERY = 250
AHEAD = 3
TOGETHER = 4  # batches that a worker makes at once
TEMPERATURE = 0.1
LOSSES = ("cells", "clip", "shares", "gain", "described", "alike", "decoded", "agreed")
WEIGHTS = (1.0, 1.0, 2.0, 1.0, 0.5, 0.3, 0.2, 0.3)  # before they are learnt
LEARNT = 0.7  # how far their logarithms may go: what can be had for nothing, such as agreeing, would outweigh the rest
GAIN_DB = 2.0  # counts as 1


class Learner(nn.Module):
    """The network, and what it needs only while it learns. weights: (LOSSES,), logarithms"""

    def __init__(self) -> None:
        super().__init__()
        self.tag = Tag()
        self.decoder = nn.Linear(len(LEAVES) * SPACE, BANDS)
        self.weights = nn.Parameter(torch.zeros(len(LOSSES)))


class Start(NamedTuple):
    """folder: of a checkpoint to begin with, or None; freeze: its trunk stays as it is"""

    folder: Path | None
    freeze: bool


def train(
    bank: Path, unlabelled: Path | None, work: Path, steps: int, seed: int, threads: int, start: Start
) -> Iterator[dict[str, Any]]:
    """Train for `steps` steps, going on from `work/state.pt` if it is there.

    bank: a folder of shards; unlabelled: a folder of recordings
    yields: every 250 steps: step, the losses, seconds of sound a second; also kept in `work/log.csv`
    """
    torch.set_num_threads(threads)
    work.mkdir(parents=True, exist_ok=True)
    state, means = _begin(work, seed, start), states.Means()
    began, heard_s = time.monotonic(), 0.0
    for batch in ahead.drawn(_drawn, range(state.step, steps), TOGETHER, AHEAD, _prepare, (bank, unlabelled, seed)):
        means.add(_learn(state, batch, states.rate(RATE, state.step, steps, WARM_UP, FALLS_FROM)))
        heard_s += batch.seen.shape[0] * batch.seen.shape[2] / FRAMES / 10
        if state.step % SAVE_EVERY == 0 or state.step == steps:
            state.save(work)
            row = {"step": state.step, **means.told()}
            row["speed"] = round(heard_s / (time.monotonic() - began), 1)
            states.log(work, row)
            yield row
            began, heard_s = time.monotonic(), 0.0


def trained(work: Path) -> tuple[Tag, int]:
    """The network as it is now, averaged, and after how many steps. Raises MissingError when there is none."""
    states.there(work)
    state = _begin(work, 0, Start(None, freeze=False))
    return state.shipped().tag, state.step


def losses(learner: Learner, heard: Heard, batch: Batch, seen: Tensor) -> dict[str, Tensor]:
    """Each of LOSSES, as a number; those of names are sums over names and means over examples.

    seen: (batch, channels, frames, bands), what the network saw
    """
    clip, cells = (torch.from_numpy(each) for each in (batch.clip, batch.cells))
    shares = torch.from_numpy(batch.shares)
    paired = torch.from_numpy(batch.timbre)
    own = paired[: len(clip)]
    count = len(clip)
    return {
        "cells": _named(heard.cells[:count], cells).sum(2).mean(),
        "clip": _named(heard.clip[:count], clip).sum(1).mean(),
        "shares": _shares(heard.shares[:count], shares),
        "gain": _gain(heard.shares[:count], shares),
        "described": _described(heard.descriptors[:count], torch.from_numpy(batch.described)),
        "alike": _alike(heard, own, torch.from_numpy(batch.leaf)),
        "decoded": _decoded(learner, heard, seen),
        "agreed": _agreed(heard, count),
    }


def _named(logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy where a name is ON or OFF, else 0."""
    entropy = functional.binary_cross_entropy_with_logits(logits, wanted.clamp(min=0).float(), reduction="none")
    return entropy * (wanted >= 0)


def _shares(logits: Tensor, shares: Tensor) -> Tensor:
    """Of those that play, each cell by its energy."""
    energy = shares.sum(2, keepdim=True)
    own = (shares[:, :, : len(LEAVES)] / energy.clamp(min=1e-9)).clamp(max=1)
    counts = energy * _playing(shares)[:, None]
    entropy = functional.binary_cross_entropy_with_logits(logits, own, reduction="none")
    return (entropy * counts).sum() / counts.sum().clamp(min=1e-6)


def _gain(logits: Tensor, shares: Tensor) -> Tensor:
    """How many decibels off the level of each that plays is."""
    energy = shares.sum(2, keepdim=True)
    found, true = (torch.sigmoid(logits) * energy).sum(1), shares.sum(1)[:, : len(LEAVES)]
    there = _playing(shares)
    decibels = 10 * torch.log10(found[there].clamp(min=1e-5)) - 10 * torch.log10(true[there])
    off = functional.huber_loss(decibels / GAIN_DB, torch.zeros_like(decibels), reduction="sum")
    return off / max(1, int(there.sum()))


def _playing(shares: Tensor) -> Tensor:
    """(batch, LEAVES): whose level is within 25 dB of the whole."""
    return shares.sum(1)[:, : len(LEAVES)] > 10**-2.5


def _described(said: Tensor, wanted: Tensor) -> Tensor:
    known = torch.isfinite(wanted)
    off = functional.huber_loss(said[known], wanted[known], reduction="sum")
    return off / max(1, int(known.sum()))


def _alike(heard: Heard, timbre: Tensor, leaf: Tensor) -> Tensor:
    """Of mixtures of one: names in the space of the whole, players in the space of their instrument."""
    alone = torch.nonzero((timbre >= 0) & (leaf >= 0)).flatten()
    if len(alone) < 2:
        return heard.whole.sum() * 0
    named = _contrast(heard.whole[alone], leaf[alone][:, None] == leaf[alone][None])
    own = functional.normalize(heard.spaces[alone, leaf[alone]], dim=1)
    same = leaf[alone][:, None] == leaf[alone][None]
    played = _contrast(own, (timbre[alone][:, None] == timbre[alone][None]) & same)
    return named + 0.5 * played


def _contrast(points: Tensor, alike: Tensor) -> Tensor:
    itself = torch.eye(len(points), dtype=torch.bool)
    close = (points @ points.T / TEMPERATURE).masked_fill(itself, -1e4)
    likely = torch.log_softmax(close, dim=1)
    positive = (alike & ~itself).float()
    has = positive.sum(1) > 0
    each = -(likely * positive).sum(1) / positive.sum(1).clamp(min=1)
    return each[has].mean() if has.any() else points.sum() * 0


def _decoded(learner: Learner, heard: Heard, seen: Tensor) -> Tensor:
    """The bands of the whole stretch, on average over time, out of the spaces of what sounds."""
    there = torch.sigmoid(heard.clip[:, : len(LEAVES), None])
    guess = learner.decoder((heard.spaces * there).flatten(1))
    return 10 * functional.mse_loss(guess, seen[:, 0].mean(1))


def _agreed(heard: Heard, first: int) -> Tensor:
    """The rest of a batch are pairs, of recordings that nobody labelled."""
    if len(heard.clip) <= first:
        return heard.clip.sum() * 0
    found = []
    for said in (torch.sigmoid(heard.clip[first:]), torch.sigmoid(heard.cells[first:])):
        one, other = said[0::2], said[1::2]
        found.append((one - other).square().mean())
    return 10 * (found[0] + found[1])


def _learn(state: State[Learner], batch: Batch, rate: float) -> dict[str, float]:
    torch.manual_seed(state.step)  # for what is dropped
    seen = torch.from_numpy(batch.seen).float().div_(255).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        heard = state.network.tag(seen)
    heard = Heard(*(each.float() for each in heard))
    parts = losses(state.network, heard, batch, seen)
    each = torch.stack([parts[name] for name in LOSSES])
    weights = LEARNT * torch.tanh(state.network.weights)
    total = (torch.tensor(WEIGHTS) * (torch.exp(-weights) * each + 0.5 * weights)).sum()
    state.learn(total, rate, LONGEST)
    return {name: float(value.detach()) for name, value in parts.items()}


def _within(network: Learner) -> list[Tensor]:
    """The weights of the convolutions that are not the first."""
    parts = (network.tag.coarse, network.tag.fold)
    layers = (layer for part in parts for layer in part.modules())
    return [layer.weight for layer in layers if isinstance(layer, nn.Conv2d)]


_STOCK: dict[str, Any] = {}


def _prepare(bank: Path, unlabelled: Path | None, seed: int) -> None:
    _STOCK.update(source=batches.source(bank, unlabelled), seed=seed)


def _drawn(number: int) -> list[Batch]:
    """The batches TOGETHER * number and those after it."""
    return [
        batches.draw(_STOCK["source"], np.random.default_rng([_STOCK["seed"], 1, TOGETHER * number + each]))
        for each in range(TOGETHER)
    ]


def trunk(network: Tag) -> tuple[nn.Module, ...]:
    """What `--freeze` leaves as it is."""
    return (network.stem, network.stem_norm, network.coarse, network.fold, network.fold_norm)


def _begin(work: Path, seed: int, start: Start) -> State[Learner]:
    """The state that was saved, or that of a checkpoint, or a new one."""
    state = states.begin(Learner, _within, work, seed, rate=RATE, decay=DECAY)
    if start.folder is not None and state.step == 0:
        weights = load_file(start.folder / "weights.safetensors")
        for learner in (state.network, state.average):
            learner.tag.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    if start.freeze:
        for part in trunk(state.network.tag):
            part.eval().requires_grad_(requires_grad=False)
    return state
