"""The critic that MuseCritic had, for comparison: a residual network on a piano roll, a recurrent layer, attention.

Convolutions see pitch and time, each block halves the pitches; a GRU in both directions reads the frames; the verdict
is of their sum, weighted by attention.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from clefkit.critique.rolls import KEYS

WIDTHS = (32, 64, 96)
FRAME, HIDDEN = 96, 64


class Judged(NamedTuple):
    """verdict: (batch,), logit of being spoilt; weight: (batch, frames), the attention, adds up to 1"""

    verdict: Tensor
    weight: Tensor


class Block(nn.Module):
    """Two convolutions with a residual, then half the pitches."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(inputs, width, 1)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        y = self.first(functional.relu(self.norms[0](x)))
        x = x + self.second(functional.relu(self.norms[1](y)))
        return functional.max_pool2d(x, (2, 1))


class CriticRoll(nn.Module):
    """roll: (batch, KEYS, frames), 0 to 1 -> Judged"""

    def __init__(self) -> None:
        super().__init__()
        inputs = (1, *WIDTHS[:-1])
        self.blocks = nn.ModuleList(Block(before, width) for before, width in zip(inputs, WIDTHS, strict=True))
        self.leave = nn.BatchNorm2d(WIDTHS[-1])
        self.frame = nn.Linear(WIDTHS[-1] * (KEYS // 2 ** len(WIDTHS)), FRAME)
        self.recurrent = nn.GRU(FRAME, HIDDEN, batch_first=True, bidirectional=True)
        self.key = nn.Linear(2 * HIDDEN, 1)
        self.judge = nn.Sequential(nn.Linear(2 * HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third less time on a CPU

    def forward(self, roll: Tensor) -> Judged:
        x = roll[:, None]
        for block in self.blocks:
            x = block(x)
        x = functional.relu(self.leave(x))
        x = functional.relu(self.frame(x.flatten(1, 2).transpose(1, 2)))
        x = self.recurrent(x)[0]
        weight = torch.softmax(self.key(x)[:, :, 0], dim=1)
        return Judged(self.judge((x * weight[:, :, None]).sum(1))[:, 0], weight)
