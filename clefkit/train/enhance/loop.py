"""Training of the network that enhances, on levels in bands. What an interrupted run left is gone on with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from clefkit.nets.enhance import Enhance
from clefkit.train import ahead
from clefkit.train import state as states
from clefkit.train.enhance import batches, losses, pairs
from clefkit.train.enhance.batches import Batch
from clefkit.train.enhance.pairs import Pairs
from clefkit.train.state import State

RATE, DECAY, WARM_UP, FALLS_FROM = 3e-3, 0.01, 100, 0.35
LONGEST = 1.0  # of gradients
BATCH = 8
AS_MADE = 0.4  # of a training from its beginning: as long pairs are not varied
EVERY, JUDGED = 100, 500
TOGETHER, AHEAD = 4, 3


def train(
    shards: Path, work: Path, steps: int, seed: int, threads: int, begin: Path | None = None
) -> Iterator[dict[str, Any]]:
    """Train up to `steps`.

    begin: a checkpoint's folder to begin with, where nothing is to be gone on with
    yields: every EVERY steps, the losses since; every JUDGED steps also those of the validation set
    """
    torch.set_num_threads(threads)
    state, means = _begin(work, seed, begin), states.Means()
    held_out, plain = judges(shards), 0 if begin else round(AS_MADE * steps)
    for batch in ahead.drawn(_drawn, range(state.step, steps), TOGETHER, AHEAD, _prepare, (shards, seed, plain)):
        means.add(_learn(state, batch, states.rate(RATE, state.step, steps, WARM_UP, FALLS_FROM)))
        if state.step % EVERY == 0 or state.step == steps:
            row = {"step": state.step, **means.told()}
            if state.step % JUDGED == 0 or state.step == steps:
                row |= {f"held_out_{name}": value for name, value in judged(state.average, held_out).items()}
                state.save(work)
            yield row


def judges(shards: Path) -> list[Pairs]:
    """The validation pairs."""
    return [pairs.load(path) for path in sorted(shards.glob("validation-???.npz"))]


def trained(work: Path) -> tuple[Enhance, int]:
    """The averaged network that a training left, and its step. Raises MissingError when there is none."""
    states.there(work)
    state = _begin(work, 0, None)
    return state.shipped(), state.step


def judged(network: Enhance, held_out: Sequence[Pairs]) -> dict[str, float]:
    """The measures of validation pairs."""
    found: dict[str, list[Tensor]] = {}
    with torch.inference_mode():
        for shard in held_out:
            for first in range(0, len(shard.clean), BATCH):
                batch = batches.every(shard, range(first, min(first + BATCH, len(shard.clean))))
                heard, floors, overall, clean = (torch.from_numpy(each).float() for each in batch)
                for name, value in losses.measures(heard, clean, network(heard, floors, overall)).items():
                    found.setdefault(name, []).append(value)
    return {name: round(float(torch.cat(values).mean()), 4) for name, values in found.items()}


def _learn(state: State[Enhance], batch: Batch, rate: float) -> dict[str, float]:
    heard, floors, overall, clean = (torch.from_numpy(each).float() for each in batch)
    measured = losses.measures(heard, clean, state.network(heard, floors, overall))
    total = losses.total(measured)
    state.learn(total, rate, LONGEST)
    return {"total": float(total.detach()), **{name: float(each.detach().mean()) for name, each in measured.items()}}


def _within(network: Enhance) -> list[Tensor]:
    """The weights between layers, which Muon moves."""
    named = dict(network.time.named_parameters())
    recurrent = [each for name, each in named.items() if name.startswith("weight")]
    return [network.inward.weight, network.outward.weight, *recurrent]


def _begin(work: Path, seed: int, begin: Path | None) -> State[Enhance]:
    """The state that was saved, or that of a checkpoint, or a new one."""
    state = states.begin(Enhance, _within, work, seed, rate=RATE, decay=DECAY)
    if begin is not None and state.step == 0:
        weights = load_file(begin / "weights.safetensors")
        for network in (state.network, state.average):
            network.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    return state


_STOCK: dict[str, Any] = {}


def _prepare(shards: Path, seed: int, plain: int) -> None:
    kept_ = [pairs.load(path) for path in sorted(shards.glob("train-???.npz"))]
    _STOCK.update(kept=kept_, seed=seed, plain=plain)


def _drawn(number: int) -> list[Batch]:
    """The batches TOGETHER * number and those after it."""
    steps = range(TOGETHER * number, TOGETHER * (number + 1))
    return [
        batches.draw(
            _STOCK["kept"], BATCH, np.random.default_rng([_STOCK["seed"], step]), varied=step >= _STOCK["plain"]
        )
        for step in steps
    ]
