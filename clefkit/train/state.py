"""What changes while a network learns: a step of it, kept on disk, gone on with, logged.

Muon (Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks") moves the weights between layers,
AdamW the rest. What ships is a moving average of the weights. Every recipe learns so.
"""

from __future__ import annotations

import copy
import csv
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from clefkit.errors import MissingError, UsageError

AVERAGE = 0.998
FILE = "state.pt"
SAVED = ("network", "average", "within", "rest")
Network = TypeVar("Network", bound=nn.Module)


@dataclass
class State(Generic[Network]):
    """network: that learns; average: of its weights; inner: those between layers; within, rest: what moves weights

    step: how many have been learnt
    """

    network: Network
    average: Network
    inner: Sequence[Tensor]
    within: torch.optim.Muon
    rest: torch.optim.AdamW
    step: int = 0

    def learn(self, total: Tensor, rate: float, longest: float) -> None:
        """A step downhill. total: the number that is to fall; rate: of learning; longest: the gradient may be

        raises: FloatingPointError when the number is not finite
        """
        if not math.isfinite(float(total.detach())):
            raise FloatingPointError(f"the loss is not finite at step {self.step}")
        self.network.zero_grad()
        torch.autograd.backward(total)
        nn.utils.clip_grad_norm_(self.network.parameters(), longest)
        for weight, matrix in zip(self.inner, self.within.param_groups[0]["params"], strict=True):
            matrix.grad = None if weight.grad is None else _matrix(weight.grad)
        for optimiser in (self.within, self.rest):
            optimiser.param_groups[0]["lr"] = rate
            optimiser.step()  # type: ignore[no-untyped-call]
        _follow(self.average, self.network, min(AVERAGE, self.step / (self.step + 20)))
        self.step += 1

    def save(self, work: Path, name: str = FILE) -> None:
        """Into a folder, whole or not at all."""
        parts = {part: getattr(self, part).state_dict() for part in SAVED}
        temporary = work / f"{name}.part"
        torch.save(parts | {"step": self.step}, temporary)
        temporary.replace(work / name)

    def shipped(self) -> Network:
        """The averaged network, its weights in the usual order."""
        return self.average.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload, no-any-return]


def begin(
    make: Callable[[], Network],
    inner: Callable[[Network], Iterable[Tensor]],
    work: Path,
    seed: int,
    *,
    rate: float,
    decay: float,
) -> State[Network]:
    """What was saved in a folder, or a new state. make: a network; inner: its weights between layers

    raises: UsageError when what was saved is another network's
    """
    torch.manual_seed(seed)
    network = make().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    weights = list(inner(network))
    # weights of convolutions are matrices for Muon, of the same memory: `learn` gives them their gradients
    matrices = [each if each.ndim == 2 else nn.Parameter(_matrix(each.detach())) for each in weights]
    known = {id(each) for each in weights}
    others = [each for each in network.parameters() if id(each) not in known]
    within = torch.optim.Muon(matrices, rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
    rest = torch.optim.AdamW(others, rate, weight_decay=decay)
    state = State(network, copy.deepcopy(network).eval(), weights, within, rest)
    if (work / FILE).is_file():
        _restore(state, work / FILE)
    return state


def there(work: Path) -> None:
    """Raises MissingError when nothing was saved in a folder."""
    if not (work / FILE).is_file():
        raise MissingError(f"nothing was trained in {work.name} yet")


def rate(highest: float, step: int, steps: int, warm_up: int, falls_from: float) -> float:
    """Of learning: it rises for `warm_up` steps; from a share of all steps on it falls, in a straight line to 0."""
    return highest * min(1.0, (step + 1) / warm_up) * min(1.0, (steps - step) / (steps - steps * falls_from))


class Means:
    """Figures of steps, and their means since they were last told."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.count = 0

    def add(self, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count += 1

    def told(self) -> dict[str, float]:
        means = {name: round(value / self.count, 4) for name, value in self.sums.items()}
        self.sums, self.count = {}, 0
        return means


def log(work: Path, row: dict[str, Any]) -> None:
    """Append a row to a folder's log.csv, which begins with its keys."""
    path = work / "log.csv"
    fresh = not path.is_file()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def _restore(state: State[Any], path: Path) -> None:
    saved = torch.load(path, weights_only=True)
    try:
        for name in SAVED:
            getattr(state, name).load_state_dict(saved[name])
    except (KeyError, RuntimeError, ValueError) as error:
        raise UsageError(f"{path.parent} holds the training of another network: choose another folder") from error
    state.step = int(saved["step"])


def _follow(average: nn.Module, network: nn.Module, keep: float) -> None:
    """Move the average of the weights towards those of the network; numbers that are counts are taken over."""
    with torch.no_grad():
        for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - keep)
            else:
                kept.copy_(new)


def _matrix(weight: Tensor) -> Tensor:
    """A weight as (outputs, all inputs), in the same memory: Muon wants matrices."""
    return weight.permute(0, 2, 3, 1).view(len(weight), -1) if weight.ndim == 4 else weight
