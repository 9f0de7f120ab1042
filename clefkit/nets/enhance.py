"""The network behind `enhance`: by how much to turn each band up and down, frame by frame.

A small U-net over (time, band) with a recurrent middle, in the line of "DeepFilterNet" (Schröter, Escalante-B.,
Rosenkranz, Maier 2022) and "A hybrid DSP/deep learning approach to real-time full-band speech enhancement" (Valin
2018), which work on bands, too. It looks at two frames at a time, at what lies between partials there, and at three
percentiles of both in each band over the whole recording: what is soft, what is usual, what is loud. It says three
things: a slow gain, the same for all bands, that undoes what automatic gain did; a gain for each band; and how much of
a band is to be filled with what was made from lower ones, because nothing is there.

The export to ONNX is held equal to this class by a test.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from clefkit.enhance.bands import BANDS, EVERY, NO_FILL_DB
from clefkit.enhance.overall import ROWS

TOGETHER = EVERY  # frames of a step: each has one floor
WIDTHS = (16, 24, 32)
BELOW = BANDS // 4
HIDDEN = 80
REMEMBERED = (2.0, 400.0)  # steps, some 0.05 to 9 s: how long a unit remembers at first
SLOW = 15  # steps, some 0.35 s, over which the slow gain is a mean
SCALE_DB = 10.0
LEAST_DB, MOST_DB = -60.0, 30.0


class Gains(NamedTuple):
    """slow: (batch, frames), dB; band: (batch, frames, BANDS), dB; fill: the same, dB relative to the recording"""

    slow: Tensor
    band: Tensor
    fill: Tensor


class Enhance(nn.Module):
    """levels (batch, frames, BANDS), floors (batch, frames / TOGETHER, BANDS), overall (batch, ROWS, BANDS), all in
    dB relative to the recording -> Gains.

    frames: a multiple of TOGETHER
    """

    def __init__(self) -> None:
        super().__init__()
        one, two, three = WIDTHS
        self.stem = nn.Conv2d(1, one, (6, 5), stride=(TOGETHER, 1), padding=(2, 2))
        self.under = nn.Conv2d(1, one, (3, 5), padding=(1, 2))
        self.beside = nn.Conv1d(ROWS, one, 5, padding=2)
        self.place = nn.Parameter(torch.zeros(1, one, 1, BANDS))
        self.down = nn.ModuleList([_fewer(one, two), _fewer(two, three)])
        self.inward = nn.Linear(three * BELOW, 128)
        self.time = nn.LSTM(128, HIDDEN, num_layers=2, batch_first=True, bidirectional=True)
        _remembering(self.time)
        self.outward = nn.Linear(2 * HIDDEN, three * BELOW)
        self.up = nn.ModuleList([_more(three, two), _more(two, one)])
        self.merge = nn.Conv2d(one, one, 3, padding=1)
        self.last = nn.Conv2d(one, 2 * TOGETHER, (3, 5), padding=(1, 2))
        self.bias = nn.Parameter(torch.zeros(1, 2 * TOGETHER, 1, BANDS))
        slowest = nn.Linear(32, 1)
        self.slow = nn.Sequential(nn.Linear(2 * HIDDEN, 32), nn.ReLU(), slowest)
        for layer in (self.last, slowest):  # at first it changes nothing
            for tensor in layer.parameters():
                nn.init.zeros_(tensor)

    def forward(self, levels: Tensor, floors: Tensor, overall: Tensor) -> Gains:
        seen = self.stem(_scaled(levels)[:, None]) + self.under(_scaled(floors)[:, None])
        first = functional.relu(seen + self.beside(_scaled(overall))[:, :, None] + self.place)
        second = functional.relu(self.down[0](first))
        third = functional.relu(self.down[1](second))
        batch, width, steps, _ = third.shape
        inside = functional.relu(self.inward(third.permute(0, 2, 1, 3).reshape(batch, steps, width * BELOW)))
        told, _ = self.time(inside)
        out = functional.relu(self.outward(told)).reshape(batch, steps, width, BELOW).permute(0, 2, 1, 3)
        out = functional.relu(self.up[0](out + third)) + second
        out = functional.relu(self.up[1](out)) + first
        out = functional.relu(self.merge(out)) + out
        said = (self.last(out) + self.bias).reshape(batch, 2, TOGETHER, steps, BANDS)
        said = said.permute(0, 1, 3, 2, 4).reshape(batch, 2, steps * TOGETHER, BANDS)
        slow = functional.avg_pool1d(self.slow(told).transpose(1, 2), SLOW, 1, SLOW // 2, count_include_pad=False)
        slow = slow.repeat_interleave(TOGETHER, dim=2)[:, 0]
        band = torch.clamp(SCALE_DB * said[:, 0], LEAST_DB, MOST_DB)
        fill = torch.clamp(NO_FILL_DB + 3 * SCALE_DB * said[:, 1], NO_FILL_DB, 0.0)
        return Gains(SCALE_DB * slow, band, fill)


def _scaled(levels_db: Tensor) -> Tensor:
    return torch.clamp(levels_db / 30 + 1, -3, 3)


def _remembering(layers: nn.LSTM) -> None:
    """Begin with units that remember for times of all lengths, after Tallec and Ollivier, Can recurrent neural networks
    warp time? (2018): what gain does takes seconds, and gates that begin half open forget in two steps.
    """
    shortest, longest = (math.log(each) for each in REMEMBERED)
    for name, bias in layers.named_parameters():
        if name.startswith("bias_hh"):
            lengths = torch.empty(HIDDEN).uniform_(shortest, longest)
            with torch.no_grad():
                bias[:HIDDEN] = -lengths
                bias[HIDDEN : 2 * HIDDEN] = lengths


def _fewer(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, (3, 4), stride=(1, 2), padding=(1, 1))


def _more(before: int, after: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(before, after, (3, 4), stride=(1, 2), padding=(1, 1))
