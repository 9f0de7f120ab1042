"""The training of both networks of `separate`: what an interrupted run left is gone on with."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from clefkit.train import ahead
from clefkit.train import state as states
from clefkit.train.state import State

DECAY, WARM_UP, FALLS_FROM = 0.01, 100, 0.35
LONGEST = 2.0  # of gradients
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


def train(
    recipe: Recipe, shards: Sequence[Path], work: Path, steps: int, seed: int, threads: int
) -> Iterator[dict[str, Any]]:
    """Train up to `steps`. shards: as `mixtures.load` takes them; yields: every EVERY steps, the figures since"""
    torch.set_num_threads(threads)
    work.mkdir(parents=True, exist_ok=True)
    state, means = _begin(recipe, work, seed), states.Means()
    drawn = functools.partial(_group, recipe.drawn, seed)
    for batch in ahead.drawn(drawn, range(state.step, steps), TOGETHER, AHEAD, recipe.prepare, (shards,)):
        total, figures = recipe.loss(state.network, batch)
        state.learn(total, states.rate(recipe.rate, state.step, steps, WARM_UP, FALLS_FROM), LONGEST)
        means.add(figures)
        if state.step % SAVE_EVERY == 0 or state.step == steps:
            state.save(work)
        if state.step % EVERY == 0 or state.step == steps:
            row = {"step": state.step, **means.told()}
            states.log(work, row)
            yield row


def _group(draw: Callable[[int, int], Any], seed: int, number: int) -> list[Any]:
    """Some batches that follow each other, as `ahead` wants them."""
    return [draw(seed, step) for step in range(number * TOGETHER, (number + 1) * TOGETHER)]


def trained(recipe: Recipe, work: Path) -> tuple[Any, int]:
    """The averaged network that a training left, and its step. Raises MissingError when there is none."""
    states.there(work)
    state = _begin(recipe, work, 0)
    return state.shipped(), state.step


def _begin(recipe: Recipe, work: Path, seed: int) -> State[Any]:
    return states.begin(recipe.network, recipe.within, work, seed, rate=recipe.rate, decay=DECAY)


def generator(seed: int, stream: int, step: int) -> np.random.Generator:
    """Chance of one step. stream: another number for each recipe"""
    return np.random.default_rng([seed, stream, step])
