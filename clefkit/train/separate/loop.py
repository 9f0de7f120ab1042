"""The training of both networks of `separate`: what an interrupted run left is gone on with.

Muon moves the weights between layers, AdamW the rest; what ships is the average of the weights.
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from clefkit.train import ahead
from clefkit.train import state as kept

DECAY, WARM_UP, FALLS_FROM = 0.01, 100, 0.35
AVERAGE = 0.998
EVERY, SAVE_EVERY = 100, 500
TOGETHER, AHEAD = 4, 4
Figures = dict[str, float]


class Recipe(NamedTuple):
    """What is learnt, and how.

    network: makes one; within: its weights between layers
    prepare: is called with the shards once in the process that makes batches; drawn(seed, step): makes one there
    loss: of a batch: the number that is to fall, and figures for people
    """

    network: Callable[[], nn.Module]
    within: Callable[[Any], Sequence[Tensor]]
    prepare: Callable[[Sequence[Path]], None]
    drawn: Callable[[int, int], Any]
    loss: Callable[[Any, Any], tuple[Tensor, Figures]]
    rate: float


class State(NamedTuple):
    """As `state` keeps it."""

    network: nn.Module
    average: nn.Module
    within: torch.optim.Optimizer
    rest: torch.optim.Optimizer
    step: int


def train(
    recipe: Recipe, shards: Sequence[Path], work: Path, steps: int, seed: int, threads: int
) -> Iterator[dict[str, Any]]:
    """Train up to `steps`. shards: as `mixtures.load` takes them; yields: every EVERY steps, the figures since"""
    torch.set_num_threads(threads)
    work.mkdir(parents=True, exist_ok=True)
    state = _start(recipe, work, seed)
    sums: Figures = {}
    count = 0
    drawn = functools.partial(_group, recipe.drawn, seed)
    for batch in ahead.drawn(drawn, range(state.step, steps), TOGETHER, AHEAD, recipe.prepare, (shards,)):
        for name, value in _learn(recipe, state, batch, _rate(recipe.rate, state.step, steps)).items():
            sums[name] = sums.get(name, 0.0) + value
        count += 1
        state = state._replace(step=state.step + 1)
        if state.step % SAVE_EVERY == 0 or state.step == steps:
            kept.save(work / "state.pt", state)
        if state.step % EVERY == 0 or state.step == steps:
            row = {"step": state.step, **{name: round(value / count, 4) for name, value in sums.items()}}
            sums, count = {}, 0
            kept.log(work / "log.csv", row)
            yield row


def _group(draw: Callable[[int, int], Any], seed: int, number: int) -> list[Any]:
    """Some batches that follow each other, as `ahead` wants them."""
    return [draw(seed, step) for step in range(number * TOGETHER, (number + 1) * TOGETHER)]


def trained(recipe: Recipe, work: Path) -> tuple[Any, int]:
    """The averaged network that a training left, and its step."""
    state = _start(recipe, work, 0)
    return state.average.to(memory_format=torch.contiguous_format), state.step  # type: ignore[call-overload]


def _learn(recipe: Recipe, state: State, batch: Any, rate: float) -> Figures:
    total, figures = recipe.loss(state.network, batch)
    if not math.isfinite(float(total.detach())):
        raise FloatingPointError(f"the loss is not finite at step {state.step}")
    state.network.zero_grad()
    torch.autograd.backward(total)
    nn.utils.clip_grad_norm_(state.network.parameters(), 2.0)
    for weight, matrix in zip(recipe.within(state.network), state.within.param_groups[0]["params"], strict=True):
        matrix.grad = None if weight.grad is None else kept.matrix(weight.grad)
    for optimiser in (state.within, state.rest):
        optimiser.param_groups[0]["lr"] = rate
        optimiser.step()
    kept.follow(state.average, state.network, min(AVERAGE, state.step / (state.step + 20)))
    return figures


def _rate(highest: float, step: int, steps: int) -> float:
    return highest * min(1.0, (step + 1) / WARM_UP) * min(1.0, (steps - step) / (steps * (1 - FALLS_FROM)))


def _start(recipe: Recipe, work: Path, seed: int) -> State:
    torch.manual_seed(seed)
    network = recipe.network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network).eval()
    state = State(network, average, *kept.optimisers(network, recipe.within(network), recipe.rate, DECAY), 0)
    last = work / "state.pt"
    return state._replace(step=kept.restore(last, state)) if last.is_file() else state


def generator(seed: int, stream: int, step: int) -> np.random.Generator:
    """Chance of one step. stream: another number for each recipe"""
    return np.random.default_rng([seed, stream, step])
