"""Training of the network that enhances, on levels in bands. What an interrupted run left is gone on with."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from clefkit.nets.enhance import Enhance
from clefkit.train import ahead
from clefkit.train import state as kept
from clefkit.train.enhance import batches, losses, pairs
from clefkit.train.enhance.batches import Batch
from clefkit.train.enhance.pairs import Pairs

RATE, DECAY, WARM_UP, FALLS_FROM = 3e-3, 0.01, 100, 0.35
AVERAGE = 0.998
BATCH = 8
AS_MADE = 0.4  # of a training from its beginning: as long pairs are not varied
EVERY, JUDGED = 100, 500
TOGETHER, AHEAD = 4, 3


class State(NamedTuple):
    """As `state` keeps it."""

    network: Enhance
    average: Enhance
    within: torch.optim.Optimizer
    rest: torch.optim.Optimizer
    step: int


def train(
    shards: Path, work: Path, steps: int, seed: int, threads: int, begin: Path | None = None
) -> Iterator[dict[str, Any]]:
    """Train up to `steps`.

    begin: a checkpoint's folder to begin with, where nothing is to be gone on with
    yields: every EVERY steps, the losses since; every JUDGED steps also those of the validation set
    """
    torch.set_num_threads(threads)
    state = _start(work, seed, begin)
    held_out, plain = judges(shards), 0 if begin else round(AS_MADE * steps)
    sums: dict[str, float] = {}
    for batch in ahead.drawn(_drawn, range(state.step, steps), TOGETHER, AHEAD, _prepare, (shards, seed, plain)):
        found = _learn(state, batch, _rate(state.step, steps))
        state = state._replace(step=state.step + 1)
        sums = {name: sums.get(name, 0.0) + value for name, value in found.items()}
        if state.step % EVERY == 0 or state.step == steps:
            count = EVERY if state.step % EVERY == 0 else state.step % EVERY
            row = {"step": state.step, **{name: round(value / count, 4) for name, value in sums.items()}}
            if state.step % JUDGED == 0 or state.step == steps:
                row |= {f"held_out_{name}": value for name, value in judged(state.average, held_out).items()}
                kept.save(work / "state.pt", state)
            sums = {}
            yield row


def judges(shards: Path) -> list[Pairs]:
    """The validation pairs."""
    return [pairs.load(path) for path in sorted(shards.glob("validation-???.npz"))]


def trained(work: Path) -> tuple[Enhance, int]:
    """The averaged network that a training left, and its step."""
    state = _start(work, 0, None)
    return state.average, state.step


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


def _learn(state: State, batch: Batch, rate: float) -> dict[str, float]:
    for optimiser in (state.within, state.rest):
        optimiser.param_groups[0]["lr"] = rate
    heard, floors, overall, clean = (torch.from_numpy(each).float() for each in batch)
    measured = losses.measures(heard, clean, state.network(heard, floors, overall))
    total = losses.total(measured)
    state.network.zero_grad()
    torch.autograd.backward(total)
    nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
    for optimiser in (state.within, state.rest):
        optimiser.step()
    kept.follow(state.average, state.network, min(AVERAGE, state.step / (state.step + 20)))
    if not math.isfinite(float(total.detach())):
        raise FloatingPointError(f"the loss is not finite at step {state.step}")
    return {"total": float(total.detach()), **{name: float(each.detach().mean()) for name, each in measured.items()}}


def _rate(step: int, steps: int) -> float:
    return RATE * min(1.0, (step + 1) / WARM_UP) * min(1.0, (steps - step) / (steps * (1 - FALLS_FROM)))


def _within(network: Enhance) -> list[Tensor]:
    """The weights between layers, which Muon moves."""
    named = dict(network.time.named_parameters())
    recurrent = [each for name, each in named.items() if name.startswith("weight")]
    return [network.inward.weight, network.outward.weight, *recurrent]


def _start(work: Path, seed: int, begin: Path | None) -> State:
    """A new state, or that of a checkpoint, or the one that was saved."""
    torch.manual_seed(seed)
    network = Enhance().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if begin is not None:
        weights = load_file(begin / "weights.safetensors")
        network.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    average = copy.deepcopy(network).eval()
    state = State(network, average, *kept.optimisers(network, _within(network), RATE, DECAY), 0)
    last = work / "state.pt"
    return state._replace(step=kept.restore(last, state)) if last.is_file() else state


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
