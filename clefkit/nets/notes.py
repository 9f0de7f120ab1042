"""The network behind `transcribe`: which of 88 pitches begin, sound, and end in each frame, and how loud.

A convolutional residual network over (time, pitch). The stem folds three bins of a semitone into one pitch, and knows
the register; a summary of the whole spectrum tells every pitch what happens around it (a drum, a breath, a chord); then
a block looks up and down by octaves and the distances of the next partials, so that a pitch can be told from the
overtones of another; then residual blocks, wide between and narrow within, alternate neighbourhoods in time with
musical intervals in pitch. In the line of "Onsets and Frames" (Hawthorne et al. 2018) and of small harmonic networks
such as "A Lightweight Instrument-Agnostic Model for Polyphonic Note Transcription" (Bittner et al. 2022).

The export to ONNX is held equal to this class by a test.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn, relu_

from clefkit import features

OUTPUTS = ("onset", "frame", "offset", "velocity")
STEM_REACH = 2
CONTEXT_REACH = 4
BAND = 12  # bins that the summary of a spectrum takes together


class Size(NamedTuple):
    """How large a network is.

    width: channels between blocks, inner: within them. Multiples of 32, or training must be in float32: some kernels of
        CPUs for bfloat16 crash with others.
    blocks: (dilation in frames, distance in semitones) of each residual block
    """

    width: int
    inner: int
    blocks: tuple[tuple[int, int], ...]


SIZES = {
    "notes": Size(64, 32, ((1, 12), (2, 7), (4, 5), (8, 12), (1, 7), (2, 12), (4, 5), (8, 12))),
    "notes-small": Size(16, 16, ((1, 12), (2, 7), (4, 5), (8, 12))),
}


class Notes(nn.Module):
    """(batch, channels, frames, bins), 0 to 1 -> (batch, outputs, frames, pitches), logits."""

    def __init__(self, size: Size = SIZES["notes"]) -> None:
        super().__init__()
        self.size = size
        width = size.width
        # output pitch p looks at bins 3p - 2 to 3p + 4: its own three and two on each side
        self.stem = nn.Conv2d(features.CHANNELS, width, (5, 7), stride=(1, 3), padding=(STEM_REACH, 2), bias=False)
        self.stem_norm = nn.BatchNorm2d(width)
        self.register = nn.Parameter(torch.zeros(1, width, 1, features.PITCHES))
        self.context = Context(width)
        self.harmonics = Harmonics(width)
        self.blocks = nn.Sequential(*(Block(width, size.inner, frames, interval) for frames, interval in size.blocks))
        self.head = nn.Conv2d(width, len(OUTPUTS), 1)
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias, -3.0)  # nearly every cell is silent: start from there

    def forward(self, sound: Tensor) -> Tensor:
        own = sound[..., : features.BINS_PER_SEMITONE * features.PITCHES]
        x = self.stem_norm(self.stem(own))
        x = relu_(x + (self.register.to(x.dtype) + self.context(sound)))
        x = self.harmonics(x)
        x = self.blocks(x)
        logits: Tensor = self.head(x)
        return logits

    def reach(self) -> int:
        """How many frames on each side an output depends on."""
        return max(STEM_REACH, CONTEXT_REACH) + sum(frames for frames, _ in self.size.blocks)


class Context(nn.Module):
    """The whole spectrum of a moment in a few numbers, the same for every pitch: (batch, width, frames, 1)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        few = min(32, width)
        self.squeeze = nn.Linear(features.CHANNELS * features.BINS // BAND, few)
        self.around = nn.Conv2d(few, few, (2 * CONTEXT_REACH + 1, 1), padding=(CONTEXT_REACH, 0))
        self.spread = nn.Conv2d(few, width, 1)

    def forward(self, sound: Tensor) -> Tensor:
        batch, channels, frames, bins = sound.shape
        bands = sound.reshape(batch, channels, frames, bins // BAND, BAND).mean(-1)
        summary = relu_(self.squeeze(bands.permute(0, 2, 1, 3).flatten(2)))
        result: Tensor = self.spread(relu_(self.around(summary.transpose(1, 2)[..., None])))
        return result


class Harmonics(nn.Module):
    """A residual look along the pitch axis: octaves, and the third and fifth partials (19 and 28 semitones)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.octaves = pitch_convolution(width, width, taps=5, distance=12)
        self.twelfths = pitch_convolution(width, width, taps=3, distance=19)
        self.seventeenths = pitch_convolution(width, width, taps=3, distance=28)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return relu_(x + self.norm(self.octaves(x) + self.twelfths(x) + self.seventeenths(x)))


class Block(nn.Module):
    """Neighbours in time and pitch, then the same moment some semitones away; the input is added."""

    def __init__(self, width: int, inner: int, frames: int, interval: int) -> None:
        super().__init__()
        self.near = nn.Conv2d(width, inner, 3, dilation=(frames, 1), padding=(frames, 1), bias=False)
        self.near_norm = nn.BatchNorm2d(inner)
        self.far = pitch_convolution(inner, width, taps=3, distance=interval)
        self.far_norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        y = relu_(self.near_norm(self.near(x)))
        return relu_(self.far_norm(self.far(y)).add_(x))


def pitch_convolution(before: int, after: int, taps: int, distance: int) -> nn.Conv2d:
    """A convolution along pitch alone, whose `taps` lie `distance` semitones apart."""
    reach = (taps // 2) * distance
    return nn.Conv2d(before, after, (1, taps), dilation=(1, distance), padding=(0, reach), bias=False)
