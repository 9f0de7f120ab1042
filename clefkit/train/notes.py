"""Training of the network `notes`: loss, loop, state.

Muon (Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks") for the layers within, AdamW for
the rest: over 700 steps the loss fell 6 % lower than by AdamW alone. The learning rate stays at its height and falls to
0 over the last fifth of the steps; six clips of 4.6 s a step, bfloat16. The loss is a cross-entropy weighted by the
distance to the target (a focal loss, Lin et al. 2017, "Focal Loss for Dense Object Detection", with exponent 1 and soft
targets). What is kept is a moving average of the weights.

`train` saves its whole state every 250 steps and goes on from there when it is called again. Asked for more steps after
the learning rate began to fall, it goes on from where that was: so the result is the same as if more had been asked for
at once.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from clefkit import features
from clefkit.errors import MissingError
from clefkit.nets.notes import Notes, Size
from clefkit.train import batches, data
from clefkit.train import state as kept

CLIPS = 6
CLIP_FRAMES = 198
RATE = 2.5e-3
DECAY = 0.01  # of the weights
WARM_UP = 100
FALLS_FROM = 0.8
FRAME_WEIGHTS = (0.65, 0.35)  # of silent and of sounding cells
OFFSET_WEIGHT, VELOCITY_WEIGHT = 0.3, 0.1
AVERAGE = 0.998
SAVE_EVERY = 250
NEW_SHARDS_EVERY = 250


class State(NamedTuple):
    """Everything that changes while training."""

    network: Notes
    average: Notes
    within: torch.optim.Muon
    rest: torch.optim.AdamW
    step: int


def train(shards: Path, work: Path, size: Size, steps: int, seed: int, threads: int) -> Iterator[dict[str, Any]]:
    """Train for `steps` steps, going on from `work/state.pt` if it is there.

    shards: the folder of the training set
    yields: every 250 steps: step, loss, how many shards, seconds of sound a second; also kept in `work/log.csv`
    raises: UsageError when `work` holds the training of a network of another size
    """
    torch.set_num_threads(threads)
    work.mkdir(parents=True, exist_ok=True)
    falls = round(steps * FALLS_FROM)
    state = _start(work, size, seed, falls)
    sounds = _training(shards)
    began, loss_sum, at = time.monotonic(), 0.0, state.step
    for step in range(state.step, steps):
        if step % NEW_SHARDS_EVERY == 0:
            sounds = _training(shards)
        batch = batches.draw(sounds, CLIPS, CLIP_FRAMES, np.random.default_rng([seed, 1, step]))
        loss_sum += _learn(state, batch, _rate(step, steps, falls))
        state = state._replace(step=step + 1)
        if state.step == falls:
            kept.save(work / "stable.pt", state)
        if state.step % SAVE_EVERY == 0 or state.step == steps:
            kept.save(work / "state.pt", state)
            passed_s = (state.step - at) * CLIPS * CLIP_FRAMES / features.FRAMES_PER_SECOND
            row = {"step": state.step, "loss": round(loss_sum / (state.step - at), 4), "shards": len(sounds)}
            row["speed"] = round(passed_s / (time.monotonic() - began), 1)
            kept.log(work / "log.csv", row)
            yield row
            began, loss_sum, at = time.monotonic(), 0.0, state.step


def trained(work: Path, size: Size) -> tuple[Notes, int]:
    """The network as it is now, averaged, and after how many steps. Raises MissingError when there is none."""
    if not (work / "state.pt").is_file():
        raise MissingError(f"nothing was trained in {work.name} yet")
    state = _start(work, size, 0, 0)
    return state.average.to(memory_format=torch.contiguous_format), state.step  # type: ignore[call-overload]


def loss(logits: Tensor, target: Tensor) -> Tensor:
    """logits, target: (batch, outputs, frames, pitches) -> a number.

    Sums over pitches, means over frames, so that a sparse target still has a gradient to speak of.
    """
    says = torch.sigmoid(logits)
    distance = (says - target).abs().detach()
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    silent, sounding = FRAME_WEIGHTS
    onset = (entropy[:, 0] * distance[:, 0]).sum(-1).mean()
    frame = (entropy[:, 1] * distance[:, 1] * (silent + (sounding - silent) * target[:, 1])).sum(-1).mean()
    offset = (entropy[:, 2] * distance[:, 2]).sum(-1).mean()
    velocity = (entropy[:, 3] * target[:, 0]).sum(-1).mean()
    return onset + frame + OFFSET_WEIGHT * offset + VELOCITY_WEIGHT * velocity


def _training(shards: Path) -> Sequence[data.Shard]:
    """Those that are complete."""
    return [data.load(path) for path in sorted(shards.glob("train-*.npy")) if path.with_suffix(".npz").is_file()]


def _rate(step: int, steps: int, falls: int) -> float:
    rising = min(1.0, (step + 1) / WARM_UP)
    falling = 1.0 if step < falls else (steps - step) / (steps - falls)
    return RATE * rising * falling


def _learn(state: State, batch: batches.Batch, rate: float) -> float:
    state.network.train()
    for optimiser in (state.within, state.rest):
        optimiser.param_groups[0]["lr"] = rate
    sound = torch.from_numpy(batch.sound).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=_fits_bfloat16(state.network.size)):
        logits = state.network(sound)
    value = loss(logits.float(), torch.from_numpy(batch.target))
    state.network.zero_grad()
    value.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(state.network.parameters(), 3.0)
    for weight, matrix in zip(_within(state.network), state.within.param_groups[0]["params"], strict=True):
        matrix.grad = None if weight.grad is None else kept.matrix(weight.grad)
    state.within.step()  # type: ignore[no-untyped-call]
    state.rest.step()
    keep = min(AVERAGE, state.step / (state.step + 20))
    kept.follow(state.average, state.network, keep)
    number = float(value.detach())
    if not math.isfinite(number):
        raise FloatingPointError(f"the loss is {number} at step {state.step}")
    return number


def _within(network: Notes) -> list[Tensor]:
    """The weights of the layers that are neither the first nor the last."""
    parts = (network.context, network.harmonics, network.blocks)
    layers = (layer for part in parts for layer in part.modules())
    return [layer.weight for layer in layers if isinstance(layer, nn.Conv2d | nn.Linear)]


def _fits_bfloat16(size: Size) -> bool:
    return size.width % 32 == 0 and size.inner % 32 == 0


def _start(work: Path, size: Size, seed: int, falls: int) -> State:
    """A new state, or the one that was saved; `stable.pt` when the learning rate is to fall later than it did."""
    torch.manual_seed(seed)
    network = Notes(size).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network).eval()
    last, stable = work / "state.pt", work / "stable.pt"
    if stable.is_file() and int(torch.load(stable, weights_only=True)["step"]) < falls:
        stable.replace(last)  # and no longer there: what comes next has not fallen yet
    state = State(network, average, *kept.optimisers(network, _within(network), RATE, DECAY), 0)
    return state._replace(step=kept.restore(last, state)) if last.is_file() else state
