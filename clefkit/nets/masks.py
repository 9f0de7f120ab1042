"""The network that refines masks, as `separate.masks` shows it a mixture: a small U-Net over time and frequency.

Ronneberger, Fischer and Brox 2015, "U-Net"; for masks of instruments: Jansson et al. 2017, "Singing voice separation
with deep U-Net convolutional networks". It sees each stem by itself, with all others as one; only the last step, a
softmax over stems and the rest, brings them together. It begins where it was told nothing: at the share of the atoms.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from clefkit.separate import masks

BESIDE = 4  # bins that are looked at as one place, each with its own numbers
WIDTHS = (32, 48, 64, 64)
STEP = (2, 2)  # frames and places that become one on each way down
MULTIPLE = 8  # of frames


class Masks(nn.Module):
    """seen (stems, CHANNELS, frames, BINS), share (stems, frames, BINS) -> (stems, frames, BINS), 0 to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            Block(before, width) for before, width in zip((BESIDE * masks.CHANNELS, *WIDTHS), WIDTHS, strict=False)
        )
        self.narrow = nn.ModuleList(nn.Conv2d(width, width, STEP, STEP) for width in WIDTHS[:-1])
        self.wide = nn.ModuleList(nn.ConvTranspose2d(after, width, STEP, STEP) for width, after in pairwise(WIDTHS))
        self.up = nn.ModuleList(Block(2 * width, width) for width in WIDTHS[:-1])
        self.head = nn.Conv2d(WIDTHS[0], 2 * BESIDE, 1)
        nn.init.zeros_(self.head.weight)
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias, 0.0)
        self.trust = nn.Parameter(torch.ones(()))

    def forward(self, seen: Tensor, share: Tensor) -> Tensor:
        frames = seen.shape[2]
        more = (MULTIPLE - frames % MULTIPLE) % MULTIPLE
        logits = self.logits(nn.functional.pad(seen, (0, 0, 0, more)))[:, :, :frames]
        stems = self.trust * share + logits[:, 0]
        rest = torch.log((1 - share.exp().sum(dim=0)).clamp(min=masks.LEAST)) + logits[:, 1].mean(dim=0)
        result: Tensor = torch.softmax(torch.cat([stems, rest[None]]), dim=0)[:-1]
        return result

    def logits(self, seen: Tensor) -> Tensor:
        stems, channels, frames, bins = seen.shape
        x = seen.reshape(stems, channels, frames, bins // BESIDE, BESIDE).permute(0, 1, 4, 2, 3)
        x = x.reshape(stems, channels * BESIDE, frames, bins // BESIDE)
        kept = []
        for block, narrow in zip(self.down, self.narrow, strict=False):
            x = block(x)
            kept.append(x)
            x = narrow(x)
        x = self.down[-1](x)
        for wide, up, before in zip(self.wide[::-1], self.up[::-1], kept[::-1], strict=True):
            x = up(torch.cat([wide(x), before], dim=1))
        told: Tensor = self.head(x).reshape(stems, 2, BESIDE, frames, bins // BESIDE).permute(0, 1, 3, 4, 2)
        return told.reshape(stems, 2, frames, bins)


class Block(nn.Module):
    """Two convolutions over neighbours in time and frequency."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, padding=1)
        self.second = nn.Conv2d(after, after, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(x))
        return torch.relu(x + self.second(x))
