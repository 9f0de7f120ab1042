"""Training of critics: loss, loop, state.

Each step learns from 16 stretches of music and their spoilt twins (`spoil`), of about the same number of notes. The
loss: of each note, whether its pitch is wrong, it was moved, a phrase begins that doesn't follow, and the shift that
would right its pitch; of each stretch, whether it is spoilt at all, and how severely, and of each kind of fault whether
it is there, learnt from its own kinds of corruption and their real twins alone; of each pair, that the twin is the more
spoilt one. Half of all pairs are shuffles, the hardest to hear.

Muon for the matrices within, AdamW for the rest, bfloat16. The learning rate falls to 0 from three tenths of the steps
on. The state is saved every 500 steps; a training goes on from there. Stretches are drawn by another process and depend
on nothing but the seed and the step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from clefkit.critique import context
from clefkit.critique.corrupt import KINDS
from clefkit.critique.infer import MARKS
from clefkit.nets.critic import Critic, Judged
from clefkit.train import ahead, pieces, spoil
from clefkit.train import state as states
from clefkit.train.state import State

PAIRS = 16
BATCHES = 4  # drawn together, so that those of a batch are alike long
RATE = 2e-3
DECAY = 0.01
WARM_UP = 200
FALLS_FROM = 0.3
LONGEST = 2.0  # of gradients
SAVE_EVERY = 500
AHEAD = 6  # groups of batches that may wait
MARKS_WEIGHT, SHIFT_WEIGHT, PAIR_WEIGHT = 2.0, 0.5, 0.5
FAULT_OF = {"off-key": "pitch", "noise": "pitch", "stray": "pitch", "rhythm": "time", "shuffle": "order"}
FAULTS = np.array([MARKS.index(FAULT_OF[kind]) for kind in KINDS])


class Batch(NamedTuple):
    """Stretches, each followed by its twin; shorter ones padded.

    seen: (batch, notes, SEEN), float16; mask: (batch, notes), 1 for notes
    marks: (batch, notes, 3), 0 or 1: pitch, time, order; shift: (batch, notes), -1 where nobody knows
    spoilt, severity: (batch,), 0 to 1; kind: (batch,)
    """

    seen: NDArray[Any]
    mask: NDArray[Any]
    marks: NDArray[Any]
    shift: NDArray[Any]
    spoilt: NDArray[Any]
    severity: NDArray[Any]
    kind: NDArray[Any]


def collate(examples: Sequence[spoil.Example]) -> Batch:
    """Examples as one batch."""
    seen, mask = context.seen([each.marked.notes for each in examples])
    batch = Batch(
        seen.astype(np.float16),
        mask,
        np.zeros((*mask.shape, 3), np.float32),
        np.full(mask.shape, -1, np.int64),
        np.array([each.severity > 0 for each in examples], np.float32),
        np.array([each.severity for each in examples], np.float32),
        np.array([each.kind for each in examples], np.int64),
    )
    for row, each in enumerate(examples):
        _, marks, shift = each.marked
        batch.marks[row, : len(marks)] = marks
        batch.shift[row, : len(shift)] = shift
    return batch


def loss(said: Judged, batch: Sequence[Tensor]) -> dict[str, Tensor]:
    """By name, what is summed. batch: a `Batch` as tensors"""
    _, mask, marks, shift, spoilt, severity, kind = batch
    count = mask.sum()
    entropy = functional.binary_cross_entropy_with_logits(said.notes, marks, reduction="none") * mask[:, :, None]
    known = shift >= 0
    faults, level = said.verdict[:, :3], said.verdict[:, 3]
    whole = torch.logsumexp(faults, dim=1)
    own = faults.gather(1, torch.from_numpy(FAULTS)[kind][:, None])[:, 0]
    further, further_own = whole[1::2] - whole[0::2], own[1::2] - own[0::2]
    judged = functional.binary_cross_entropy_with_logits
    return {
        "marks": MARKS_WEIGHT * entropy.sum() / count,
        "shift": SHIFT_WEIGHT * functional.cross_entropy(said.shift[known], shift[known]),
        "spoilt": judged(whole, spoilt),
        "fault": judged(own, spoilt),
        "severity": judged(level, severity),
        "pairs": PAIR_WEIGHT * (functional.softplus(-further).mean() + functional.softplus(-further_own).mean()),
    }


class Task(NamedTuple):
    """What is trained, and on what.

    make: a new network; collate: examples to arrays; loss: what the network says and the arrays as tensors
    inputs: how many of the arrays the network takes; longest_ms: of a stretch; rate: the highest learning rate
    pair: draws a stretch and its spoilt twin
    """

    make: Callable[[], nn.Module]
    collate: Callable[[Sequence[spoil.Example]], Sequence[NDArray[Any]]]
    loss: Callable[[Any, Sequence[Tensor]], dict[str, Tensor]]
    inputs: int = 2
    longest_ms: int = spoil.LONGEST_MS
    rate: float = RATE
    pair: Callable[[spoil.Stock, np.random.Generator, int], tuple[spoil.Example, spoil.Example]] = spoil.pair


CRITIC = Task(Critic, collate, loss)


def train(
    corpus: Path, shares: Mapping[str, float], task: Task, work: Path, steps: int, seed: int, threads: int
) -> Iterator[dict[str, Any]]:
    """Train for `steps` steps, going on from `work/state.pt` if it is there.

    corpus: a file that `pieces.save` wrote; shares: of its collections
    yields: every 500 steps: step, the parts of the loss, stretches a second; also kept in `work/log.csv`
    raises: UsageError when `work` holds the training of another network
    """
    torch.set_num_threads(threads)
    work.mkdir(parents=True, exist_ok=True)
    state, means = _begin(task, work, seed), states.Means()
    began, at = time.monotonic(), state.step
    for batch in ahead.drawn(_drawn, range(state.step, steps), BATCHES, AHEAD, _prepare, (corpus, shares, task, seed)):
        means.add(_learn(task, state, batch, states.rate(task.rate, state.step, steps, WARM_UP, FALLS_FROM)))
        if state.step % SAVE_EVERY == 0 or state.step == steps:
            state.save(work)
            row = {"step": state.step, **means.told()}
            row["speed"] = round((state.step - at) * 2 * PAIRS / (time.monotonic() - began), 1)
            states.log(work, row)
            yield row
            began, at = time.monotonic(), state.step


def trained(task: Task, work: Path) -> tuple[nn.Module, int]:
    """The network as it is now, averaged, and after how many steps. Raises MissingError when there is none."""
    states.there(work)
    state = _begin(task, work, 0)
    return state.shipped(), state.step


def _learn(task: Task, state: State[nn.Module], batch: Sequence[NDArray[Any]], rate: float) -> dict[str, float]:
    tensors = [torch.from_numpy(each) for each in batch]
    with torch.autocast("cpu", torch.bfloat16):
        said = state.network(*(each.float() for each in tensors[: task.inputs]))
    parts = task.loss(type(said)(*(each.float() for each in said)), tensors)
    state.learn(torch.stack(list(parts.values())).sum(), rate, LONGEST)
    return {name: float(value.detach()) for name, value in parts.items()}


_STOCK: dict[str, Any] = {}


def _prepare(corpus: Path, shares: Mapping[str, float], task: Task, seed: int) -> None:
    _STOCK.update(found=spoil.stock(pieces.load(corpus), "train", shares), task=task, seed=seed)


def _drawn(number: int) -> list[Sequence[NDArray[Any]]]:
    """The batches 4 * number to 4 * number + 3."""
    generator = np.random.default_rng([_STOCK["seed"], number])
    task: Task = _STOCK["task"]
    pairs = [task.pair(_STOCK["found"], generator, task.longest_ms) for _ in range(PAIRS * BATCHES)]
    pairs.sort(key=lambda pair: max(len(each.marked.notes) for each in pair))
    order = generator.permutation(BATCHES)
    return [task.collate([each for pair in pairs[PAIRS * k : PAIRS * (k + 1)] for each in pair]) for k in order]


def _begin(task: Task, work: Path, seed: int) -> State[nn.Module]:
    return states.begin(task.make, _within, work, seed, rate=task.rate, decay=DECAY)


def _within(network: nn.Module) -> Iterator[nn.Parameter]:
    """The matrices of layers that are neither among the first nor the last."""
    outer = ("near", "beside", "marks", "shifts", "key", "judge")
    for name, weight in network.named_parameters():
        if weight.ndim == 2 and not name.startswith(outer):
            yield weight
