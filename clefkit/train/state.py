"""The state of a training: kept on disk, gone on with, averaged, logged. It has the fields that SAVED names."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clefkit.errors import UsageError

SAVED = ("network", "average", "within", "rest")


def save(path: Path, state: Any) -> None:
    """Write a state, whole or not at all."""
    parts = {name: getattr(state, name).state_dict() for name in SAVED}
    temporary = path.with_name(path.name + ".part")
    torch.save(parts | {"step": state.step}, temporary)
    temporary.replace(path)


def restore(path: Path, state: Any) -> int:
    """Fill a state from a file, and return its step. Raises UsageError when the file is another network's."""
    saved = torch.load(path, weights_only=True)
    try:
        for name in SAVED:
            getattr(state, name).load_state_dict(saved[name])
    except (KeyError, RuntimeError, ValueError) as error:
        raise UsageError(f"{path.parent} holds the training of another network: choose another folder") from error
    return int(saved["step"])


def follow(average: nn.Module, network: nn.Module, keep: float) -> None:
    """Move the average of the weights towards those of the network; numbers that are counts are taken over."""
    with torch.no_grad():
        for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - keep)
            else:
                kept.copy_(new)


def optimisers(
    network: nn.Module, inner: Iterable[Tensor], rate: float, decay: float
) -> tuple[torch.optim.Muon, torch.optim.AdamW]:
    """Muon for the inner weights (Jordan et al. 2024), AdamW for the rest.

    Weights of convolutions are matrices for Muon, of the same memory: their gradients have to be given to them.
    """
    inner = list(inner)
    matrices = [each if each.ndim == 2 else nn.Parameter(matrix(each.detach())) for each in inner]
    within = torch.optim.Muon(matrices, rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
    known = {id(each) for each in inner}
    others = [each for each in network.parameters() if id(each) not in known]
    return within, torch.optim.AdamW(others, rate, weight_decay=decay)


def matrix(weight: Tensor) -> Tensor:
    """A weight as (outputs, all inputs), in the same memory: Muon wants matrices."""
    return weight.permute(0, 2, 3, 1).view(len(weight), -1) if weight.ndim == 4 else weight


def log(path: Path, row: dict[str, Any]) -> None:
    """Append a row to a CSV file, which begins with its keys."""
    fresh = not path.is_file()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if fresh:
            writer.writeheader()
        writer.writerow(row)
