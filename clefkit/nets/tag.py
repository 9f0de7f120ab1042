"""The network behind `tag`: which instruments sound, in cells of 0.1 s, how loud each is, and what each sounds like.

A residual convolutional network over (time, band), the first layer of which folds frames into cells, makes 224 numbers
of each cell, in the line of "Evaluation of CNN-based automatic music tagging models" (Won, Ferraro, Bogdanov, Serra
2020). Each instrument looks at them through a mask of its own, as in "Disentangled multidimensional metric learning for
music similarity" (Lee, Bryan, Salamon, Jin, Nam 2020), and has a space of 32 dimensions, whose slices have fixed
meanings: brightness, attack, roughness, the rest.
From its space come its activity, its share of the energy, and what it sounds like.

The export to ONNX is held equal to this class by a test.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn, relu_
from torch.nn import functional

from clefkit.tag.hearing import BANDS, CHANNELS, FRAMES
from clefkit.tag.vocabulary import DESCRIBED, FAMILIES, LEAVES

TRUNK = 224
SPACE = 32
SLICES = {"brightness": slice(0, 8), "attack": slice(8, 16), "roughness": slice(16, 24), "rest": slice(24, 32)}
WHOLE = 64
DROPPED = 0.2  # of the trunk's numbers, for a whole stretch, while it learns
NEVER = -4.0  # logit: nearly every instrument is silent, start from there


class Heard(NamedTuple):
    """What the network says of a batch of stretches.

    clip: (batch, LEAVES + FAMILIES), logits that it sounds at all; cells: (batch, cells, LEAVES + FAMILIES), logits
    shares: (batch, cells, LEAVES), logits of each one's share of the energy, if it plays
    descriptors: (batch, LEAVES, DESCRIBED), each scaled so that its mean is 0 and its deviation 1
    spaces: (batch, LEAVES, SPACE); whole: (batch, WHOLE), of length 1
    """

    clip: Tensor
    cells: Tensor
    shares: Tensor
    descriptors: Tensor
    spaces: Tensor
    whole: Tensor


class Tag(nn.Module):
    """(batch, CHANNELS, FRAMES * cells, BANDS), 0 to 1 -> Heard."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(CHANNELS, 64, (FRAMES + 2, 5), stride=(FRAMES, 2), padding=(1, 2), bias=False)
        self.stem_norm = nn.BatchNorm2d(64)
        self.bands = nn.Parameter(torch.zeros(1, 64, 1, BANDS // 2))
        self.coarse = nn.Sequential(
            Fewer(64, 64, (3, 3), (1, 2), (1, 1)),
            Block(64),
            Block(64),
            Fewer(64, 128, (3, 3), (1, 2), (1, 1)),
            Block(128),
            Block(128),
            Fewer(128, 160, (3, 3), (1, 2), (1, 1)),
            Block(160),
        )
        self.fold = nn.Conv2d(160, TRUNK, (1, BANDS // 16), bias=False)
        self.fold_norm = nn.BatchNorm2d(TRUNK)
        self.around = nn.Sequential(nn.Linear(TRUNK, 64), nn.ReLU(), nn.Linear(64, TRUNK))
        self.families = nn.Linear(TRUNK, 2 * len(FAMILIES))
        self.spaces = Spaces()
        self.attention = nn.Linear(TRUNK, 1)
        self.whole = nn.Linear(TRUNK, WHOLE)
        nn.init.constant_(self.families.bias, NEVER)

    def forward(self, seen: Tensor) -> Heard:
        x = relu_(self.stem_norm(self.stem(seen)) + self.bands.to(seen.dtype))
        x = self.coarse(x)
        x = relu_(self.fold_norm(self.fold(x))).squeeze(3).transpose(1, 2)
        x = relu_(x + self.around(x.mean(dim=1, keepdim=True)))
        x = x * functional.dropout(torch.ones_like(x[:, :1]), DROPPED) if self.training else x
        cells, once, shares, descriptors, spaces = self.spaces(x)
        family, family_once = self.families(x).chunk(2, dim=2)
        cells = torch.cat([cells, family], dim=2)
        once = torch.cat([once, family_once], dim=2)
        clip = (torch.softmax(cells, dim=1) * once).sum(dim=1)
        whole = self.whole((torch.softmax(self.attention(x), dim=1) * x).sum(dim=1))
        return Heard(clip, cells, shares, descriptors, spaces, functional.normalize(whole, dim=1))


class Spaces(nn.Module):
    """A space for each instrument, seen through its mask, and what is read from it."""

    within: Tensor

    def __init__(self) -> None:
        super().__init__()
        count = len(LEAVES)
        self.masks = nn.Parameter(1 + 0.1 * torch.randn(count, TRUNK))
        self.project = nn.Parameter(torch.randn(count, TRUNK, SPACE) / TRUNK**0.5)
        self.shift = nn.Parameter(torch.zeros(count, SPACE))
        self.sounds = nn.Parameter(torch.randn(3, count, SPACE) / SPACE**0.5)
        self.bias = nn.Parameter(torch.tensor([NEVER, NEVER, 0.0])[:, None].repeat(1, count))
        self.describe = nn.Linear(SPACE, len(DESCRIBED))
        self.usual = nn.Parameter(torch.zeros(count, len(DESCRIBED)))
        within = torch.zeros(len(DESCRIBED), SPACE)
        for row, name in enumerate(DESCRIBED.values()):
            within[row, SLICES[name]] = 1
        self.register_buffer("within", within, persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """x: (batch, cells, TRUNK); returns: activity, its clip logits, shares, descriptors, spaces as in `Heard`"""
        masked = (self.masks[:, :, None] * self.project).permute(1, 0, 2).reshape(TRUNK, -1)
        points = torch.tanh((x @ masked.to(x.dtype)).reshape(*x.shape[:2], len(LEAVES), SPACE) + self.shift)
        cells, once, shares = ((points * self.sounds[way]).sum(3) + self.bias[way] for way in range(3))
        weights = torch.sigmoid(cells) + 1e-3
        weights = (weights / weights.sum(dim=1, keepdim=True))[..., None]
        mean = (weights * points).sum(dim=1)
        described = functional.linear(mean, self.describe.weight * self.within, self.describe.bias) + self.usual
        return cells, once, shares, described, mean


class Block(nn.Module):
    """Two convolutions; the input is added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        y = relu_(self.first_norm(self.first(x)))
        return relu_(self.second_norm(self.second(y)).add_(x))


class Fewer(nn.Sequential):
    """Fewer frames or bands, more channels."""

    def __init__(
        self, before: int, after: int, size: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
    ) -> None:
        convolution = nn.Conv2d(before, after, size, stride=stride, padding=padding, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True))
