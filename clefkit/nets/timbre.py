"""The network that puts a note, as `transcribe.timbre.views` sees it, on a sphere where notes of one timbre are close.

A branch of its own: sharing a body with the network that finds notes hurts both (Wei et al. 2025, timbreAMT). It looks
at the frames of one note: each by itself, then with its neighbours, then all together with what doesn't change.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from clefkit.transcribe import timbre

WIDTH = 96
POINT = 32  # dimensions


class Timbre(nn.Module):
    """spectrum (notes, frames, SPECTRUM), present (notes, frames), aside (notes, ASIDE) -> (notes, POINT), length 1."""

    def __init__(self) -> None:
        super().__init__()
        self.each = nn.Linear(timbre.SPECTRUM, WIDTH)
        self.near = nn.Conv1d(WIDTH, WIDTH, 3, padding=1)
        self.wide = nn.Conv1d(WIDTH, WIDTH, 3, padding=2, dilation=2)
        self.all = nn.Linear(3 * WIDTH + timbre.ASIDE, 96)
        self.point = nn.Linear(96, POINT)
        self.relu = nn.ReLU()

    def forward(self, spectrum: Tensor, present: Tensor, aside: Tensor) -> Tensor:
        mask = present[:, None, :]
        x = self.relu(self.each(spectrum)).transpose(1, 2) * mask
        x = (x + self.relu(self.near(x))) * mask
        x = (x + self.relu(self.wide(x))) * mask
        mean = x.sum(-1) / mask.sum(-1)
        beginning = x[..., :5].mean(-1)
        together = torch.cat([mean, x.amax(-1), beginning, aside], dim=1)
        result: Tensor = functional.normalize(self.point(self.relu(self.all(together))), dim=1)
        return result
