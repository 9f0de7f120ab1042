"""The network behind `transcribe`: which of 88 pitches begin, and sound, in each frame.

A convolutional residual network over (time, pitch). The stem folds three bins of a semitone into one pitch; then a
block looks up and down by octaves and the distances of the next partials, so that a pitch can be told from the
overtones of another; then residual blocks alternate neighbourhoods in time with musical intervals in pitch. In the line
of "Onsets and Frames" (Hawthorne et al. 2018) and of small harmonic networks such as "A Lightweight Instrument-Agnostic
Model for Polyphonic Note Transcription" (Bittner et al. 2022).

The export to ONNX is held equal to this class by a test.
"""

from __future__ import annotations

from torch import Tensor, nn, zeros

from clefkit import features

WIDTH = 32  # a multiple of 32: some CPU kernels for bfloat16 crash with 24
OUTPUTS = ("onset", "frame", "velocity")

# (dilation in frames, distance in semitones) of each residual block
BLOCKS = ((1, 12), (2, 7), (4, 5), (8, 12), (1, 7), (2, 12))


class Notes(nn.Module):
    """(batch, channels, frames, bins), 0 to 1 -> (batch, outputs, frames, pitches), logits."""

    def __init__(self) -> None:
        super().__init__()
        # output pitch p looks at bins 3p - 2 to 3p + 4: its own three and two on each side
        self.stem = nn.Conv2d(features.CHANNELS, WIDTH, (5, 7), stride=(1, 3), padding=(2, 2), bias=False)
        self.stem_norm = nn.BatchNorm2d(WIDTH)
        self.register = nn.Parameter(zeros(1, WIDTH, 1, features.PITCHES))
        self.harmonics = Harmonics()
        self.blocks = nn.Sequential(*(Block(time, interval) for time, interval in BLOCKS))
        self.head = nn.Conv2d(WIDTH, len(OUTPUTS), 1)
        self.relu = nn.ReLU()
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias, -3.0)  # nearly every cell is silent: start from there

    def forward(self, sound: Tensor) -> Tensor:
        x = self.relu(self.stem_norm(self.stem(sound)) + self.register)
        x = self.harmonics(x)
        x = self.blocks(x)
        logits: Tensor = self.head(x)
        return logits


class Harmonics(nn.Module):
    """A residual look along the pitch axis: octaves, and the third and fifth partials (19 and 28 semitones)."""

    def __init__(self) -> None:
        super().__init__()
        self.octaves = pitch_convolution(taps=5, distance=12)
        self.twelfths = pitch_convolution(taps=3, distance=19)
        self.seventeenths = pitch_convolution(taps=3, distance=28)
        self.norm = nn.BatchNorm2d(WIDTH)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.relu(x + self.norm(self.octaves(x) + self.twelfths(x) + self.seventeenths(x)))
        return result


class Block(nn.Module):
    """Neighbours in time and pitch, then the same moment some semitones away; the input is added."""

    def __init__(self, frames: int, interval: int) -> None:
        super().__init__()
        self.near = nn.Conv2d(WIDTH, WIDTH, 3, dilation=(frames, 1), padding=(frames, 1), bias=False)
        self.near_norm = nn.BatchNorm2d(WIDTH)
        self.far = pitch_convolution(taps=3, distance=interval)
        self.far_norm = nn.BatchNorm2d(WIDTH)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.near_norm(self.near(x)))
        result: Tensor = self.relu(x + self.far_norm(self.far(y)))
        return result


def pitch_convolution(taps: int, distance: int) -> nn.Conv2d:
    """A convolution along pitch alone, whose `taps` lie `distance` semitones apart."""
    reach = (taps // 2) * distance
    return nn.Conv2d(WIDTH, WIDTH, (1, taps), dilation=(1, distance), padding=(0, reach), bias=False)


def reach() -> int:
    """How many frames on each side an output depends on."""
    return 2 + sum(frames for frames, _ in BLOCKS)
