"""Time and frequency, cut so that nothing is lost: frames of 93 ms with a quarter of that from one to the next.

Windows are the square root of a Hann window both on the way in and out, so what isn't changed comes out as it went in.
At every rate a frame is as long, and a bin as wide (10.8 Hz): a network sees the same picture. Frame `t` is centred on
sample `(t - 1) * hop`: one more before the first sample, and one after the last, hold what these have a share in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from clefkit.audio import Samples, Shape
from clefkit.spool import Spool

Spectra = NDArray[np.complex64]  # (channels, frames, bins)

RATE = 22_050  # at which a hop is HOP samples
HOP = 512
OVERLAP = 4  # hops in a frame


@dataclass(frozen=True)
class Grid:
    """rate: Hz; hop, size: samples; bins: of a spectrum"""

    rate: int

    @property
    def hop(self) -> int:
        return max(1, round(HOP * self.rate / RATE))

    @property
    def size(self) -> int:
        return OVERLAP * self.hop

    @property
    def bins(self) -> int:
        return self.size // 2 + 1

    @cached_property
    def window(self) -> NDArray[np.float32]:
        return np.sqrt(np.hanning(self.size + 1)[:-1]).astype(np.float32)

    @cached_property
    def hertz(self) -> NDArray[np.float32]:
        """(bins,): of each bin."""
        return np.asarray(np.arange(self.bins) * (self.rate / self.size), dtype=np.float32)

    def frames(self, samples: int) -> int:
        """That cover so many samples."""
        return samples // self.hop + 4

    @property
    def lead(self) -> int:
        """Samples from the beginning of the first frame to that of the sound."""
        return self.size // 2 + self.hop

    def seconds(self, frames: NDArray[np.int64]) -> NDArray[np.float64]:
        """When they are, in the sound."""
        return np.asarray((frames - 1) * (self.hop / self.rate), dtype=np.float64)

    def spectra(self, samples: Samples) -> Spectra:
        """(channels, samples) -> (channels, frames, bins): of a whole sound."""
        length = (self.frames(samples.shape[1]) - 1) * self.hop + self.size
        return self.of(np.pad(samples, ((0, 0), (self.lead, length - self.lead - samples.shape[1]))))

    def of(self, samples: Samples) -> Spectra:
        """Of frames that begin with the first sample: (channels, samples) -> (channels, frames, bins)."""
        from scipy import fft

        views = sliding_window_view(samples, self.size, axis=1)[:, :: self.hop]
        return np.asarray(fft.rfft(views * self.window), dtype=np.complex64)

    def sound(self, spectra: Spectra) -> Samples:
        """What `of` took apart, but for the first and the last three hops, which other frames have a share in."""
        from scipy import fft

        channels, frames, _ = spectra.shape
        pieces = np.asarray(fft.irfft(spectra, self.size), dtype=np.float32) * self.window
        pieces = pieces.reshape(channels, frames, OVERLAP, self.hop) * np.float32(2 / OVERLAP)
        out = np.zeros((channels, frames + OVERLAP - 1, self.hop), np.float32)
        for part in range(OVERLAP):
            out[:, part : part + frames] += pieces[:, :, part]
        return out.reshape(channels, -1)

    def whole(self, spectra: Spectra, samples: int) -> Samples:
        """What `spectra` took apart."""
        return self.sound(spectra)[:, self.lead :][:, :samples]


class Chunk(NamedTuple):
    """A stretch of frames. first: the frame it begins with; spectra: (channels, frames, bins)"""

    first: int
    spectra: Spectra


def chunks(blocks: Iterable[Samples], grid: Grid, length: int, overlap: int) -> Iterator[Chunk]:
    """A sound in stretches of `length` frames, each `overlap` frames into the one before; the last has what is left.

    blocks: (channels, samples) each, of any lengths
    """
    waiting: Samples | None = None
    first, samples = 0, 0
    step = (length - overlap) * grid.hop
    for block in blocks:
        if waiting is None:
            waiting = np.zeros((len(block), grid.lead), np.float32)
        samples += block.shape[1]
        waiting = np.concatenate([waiting, block], axis=1)
        while waiting.shape[1] >= (length - 1) * grid.hop + grid.size + step:
            yield Chunk(first, grid.of(waiting[:, : (length - 1) * grid.hop + grid.size]))
            waiting = waiting[:, step:]
            first += length - overlap
    if waiting is None:
        return
    left = grid.frames(samples) - first
    needed = (left - 1) * grid.hop + grid.size
    yield Chunk(first, grid.of(np.pad(waiting, ((0, 0), (0, needed - waiting.shape[1])))))


class Joined:
    """Spectra of frames that follow each other become a sound again, which waits in a `Spool`."""

    def __init__(self, grid: Grid, shape: Shape) -> None:
        self.grid = grid
        self.shape = shape
        self.out = Spool((shape.channels,), np.float32)
        self.carried = np.zeros((shape.channels, (OVERLAP - 1) * grid.hop), np.float32)
        self.left_out = grid.lead

    def push(self, spectra: Spectra) -> None:
        """spectra: (channels, frames, bins), the next frames"""
        sound = self.grid.sound(spectra)
        reach = self.carried.shape[1]
        sound[:, :reach] += self.carried
        ready = sound.shape[1] - reach
        self.carried = sound[:, ready:].copy()
        self._keep(sound[:, :ready])

    def finish(self) -> Spool:
        """Rows of channels, as many as the shape has frames."""
        self._keep(self.carried)
        return self.out

    def _keep(self, sound: Samples) -> None:
        left_out = min(self.left_out, sound.shape[1])
        self.left_out -= left_out
        self.out.push(sound[:, left_out:][:, : self.shape.frames - self.out.rows].T)
