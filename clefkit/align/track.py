"""What is compared of a recording: mono at 22,050 Hz, and where in it something begins.

A track of a file lies on disk, so that an hour costs no more memory than a minute; of each window only what is heard in
it is read.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from clefkit import audio
from clefkit.align import fourier
from clefkit.audio import Audio

RATE = 22_050
SIZE = 1024  # of a spectrum, samples
HOP = 256
FRAME_RATE = RATE / HOP
BANDS_HZ = np.geomspace(100, 9000, 19)  # edges of the bands in which beginnings are looked for
FRAMES_AT_ONCE = 2048
BLOCK = 10 * RATE
FLOOR = 1e-4  # of a band's power: what is softer begins nothing


class Track(NamedTuple):
    """samples: (samples,), float32, mono, RATE Hz; flux: (bands, frames), float32, see `_flux`"""

    samples: NDArray[np.float32]
    flux: NDArray[np.float32]

    def piece(self, first: int, last: int) -> NDArray[np.float32]:
        """samples[first:last] as a copy, with zeros where that is outside of the sound."""
        return np.asarray(audio.piece(self.samples[None], first, last)[0], np.float32)


def of(sound: Audio) -> Track:
    """The track of a sound in memory."""
    mono = np.asarray(sound.samples.mean(axis=0, keepdims=True), np.float32)
    samples = audio.resample(Audio(mono, sound.rate), RATE).samples[0]
    return Track(samples, _flux(samples))


def read(path: Path) -> Track:
    """The track of a file of any length, on disk. Raises InputError as `audio.blocks` does."""
    samples = _on_disk(audio.blocks(path, RATE))
    return Track(samples, _flux(samples))


def stretched(track: Track, speed: float) -> Track:
    """The same so many times as long, on disk, as if another clock had counted; its flux stays as it was."""
    stream = soxr.ResampleStream(RATE, RATE * speed, 1, dtype="float32")
    length = len(track.samples)
    blocks = (
        stream.resample_chunk(track.piece(first, min(first + BLOCK, length)), last=first + BLOCK >= length)
        for first in range(0, length, BLOCK)
    )
    return track._replace(samples=_on_disk(blocks))


def _on_disk(blocks: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    with tempfile.TemporaryFile(prefix="clefkit-") as file:
        for block in blocks:
            file.write(np.ascontiguousarray(block).data)
        file.flush()
        return np.memmap(file, np.float32, "r")  # what is mapped stays when the file, which has no name, is closed


def _flux(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much louder each band becomes from frame to frame, in mean 0 and power 1.

    samples: (samples,)
    returns: (bands, frames), FRAME_RATE frames a second; all 0 in a band where nothing ever begins
    """
    powers = np.concatenate(list(_powers(samples)), axis=1)
    floor = FLOOR * powers.mean(axis=1, keepdims=True) + np.finfo(np.float32).tiny
    rises = np.maximum(np.diff(np.log(powers + floor), axis=1, prepend=0.0), 0.0)
    rises[:, :1] = 0.0
    rises -= rises.mean(axis=1, keepdims=True)
    spread = rises.std(axis=1, keepdims=True)
    return np.asarray(np.divide(rises, spread, out=np.zeros_like(rises), where=spread > 0), np.float32)


def _powers(samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """yields: (bands, frames); frame k is centred on sample k HOP"""
    window = np.hanning(SIZE).astype(np.float32)
    edges = np.rint(BANDS_HZ * SIZE / RATE).astype(np.int64)
    frames = len(samples) // HOP + 1
    for first in range(0, frames, FRAMES_AT_ONCE):
        count = min(FRAMES_AT_ONCE, frames - first)
        start = first * HOP - SIZE // 2
        part = audio.piece(samples[None], start, start + (count - 1) * HOP + SIZE)[0]
        views = np.lib.stride_tricks.sliding_window_view(part, SIZE)[::HOP]
        power = np.square(np.abs(fourier.forward(views * window, SIZE)))
        yield np.add.reduceat(power, edges, axis=1)[:, :-1].T
