"""The critic: does this sound like music, in which order, and which notes are wrong?

Each note is seen with what surrounds it (`clefkit/critique/context.py`), relative to its pitch, so transposition
changes nothing. A layer for each note, convolutions along the notes in order of onset, one layer of attention among all
of them, and heads:

    notes    (notes, 3) logits: wrong pitch, moved in time, a phrase begins that doesn't follow
    shift    (notes, 25) logits: by how many semitones, -12 to 12, each pitch would have to move to be right
    verdict  (4,) logits: of odds that pitches are wrong, that it was moved in time, that it is in another order, which
             add up to the odds that it is spoilt; and severity
    weight   (notes,) attention of the verdict, adds up to 1
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from clefkit.critique.context import BESIDE, SEEN

SHIFTS = 25
MARKS = 3
VERDICTS = 4


class Judged(NamedTuple):
    """notes: (batch, notes, 3); shift: (batch, notes, 25); verdict: (batch, 4); weight: (batch, notes)"""

    notes: Tensor
    shift: Tensor
    verdict: Tensor
    weight: Tensor


class Block(nn.Module):
    """Convolution along the notes, with a residual."""

    def __init__(self, width: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Conv1d(width, width, kernel, padding=dilation * (kernel // 2), dilation=dilation)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        y = self.norm(x) * mask
        y = self.mix(y.transpose(1, 2)).transpose(1, 2)
        result: Tensor = x + self.out(functional.relu(y))
        return result


class Attention(nn.Module):
    """Every note with every other."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        batch, count, width = x.shape
        packed = self.qkv(self.norm(x)).view(batch, count, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = packed[0], packed[1], packed[2]
        hidden = (mask[:, None, None, :, 0] - 1) * 1e4
        weights = torch.softmax(q @ k.transpose(-1, -2) / (width // self.heads) ** 0.5 + hidden, dim=-1)
        result: Tensor = x + self.out((weights @ v).transpose(1, 2).reshape(batch, count, width))
        return result


class Critic(nn.Module):
    """seen: (batch, notes, SEEN), mask: (batch, notes), 1 for notes and 0 for padding -> Judged"""

    def __init__(self, width: int = 96, first: int = 128, blocks: int = 6) -> None:
        super().__init__()
        self.near = nn.Linear(SEEN - BESIDE, first)
        self.beside = nn.Linear(BESIDE, 32)
        self.enter = nn.Linear(first + 32, width)
        dilations = [1, 2, 4, 1, 2, 4, 8, 1]
        self.before = nn.ModuleList(Block(width, 7, each) for each in dilations[: blocks // 2])
        self.attention = Attention(width, 4)
        self.after = nn.ModuleList(Block(width, 7, each) for each in dilations[blocks // 2 : blocks])
        self.leave = nn.LayerNorm(width)
        self.marks = nn.Linear(width, MARKS)
        self.shifts = nn.Linear(width, SHIFTS)
        self.key = nn.Linear(width, 1)
        self.judge = nn.Sequential(nn.Linear(2 * width + 2 * MARKS, width), nn.ReLU(), nn.Linear(width, VERDICTS))

    def forward(self, seen: Tensor, mask: Tensor) -> Judged:
        seen = seen.float()
        mask3 = mask[:, :, None]
        wide, aside = seen[:, :, : SEEN - BESIDE], seen[:, :, SEEN - BESIDE :]
        x = torch.cat([functional.relu(self.near(wide)), functional.relu(self.beside(aside))], dim=-1)
        x = self.enter(x)
        for block in self.before:
            x = block(x, mask3)
        x = self.attention(x, mask3)
        for block in self.after:
            x = block(x, mask3)
        x = self.leave(x)
        marks = self.marks(x)
        hidden = (mask - 1) * 1e4
        weight = torch.softmax(self.key(x)[:, :, 0] + hidden, dim=1)
        mean = (x * mask3).sum(1) / mask3.sum(1)
        drawn = (x * weight[:, :, None]).sum(1)
        loudest = torch.logsumexp(marks + hidden[:, :, None], dim=1)
        usual = (torch.sigmoid(marks) * mask3).sum(1) / mask3.sum(1)
        verdict = self.judge(torch.cat([mean, drawn, loudest, usual], dim=1))
        return Judged(marks, self.shifts(x), verdict, weight)
