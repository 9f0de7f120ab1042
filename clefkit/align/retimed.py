"""A take as the reference's clock would have recorded it.

Between dropped buffers it is resampled by one ratio: a windowed sinc takes it to a place between samples, where soxr
begins. What was dropped becomes silence, so that all that follows is in its place.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import soxr

from clefkit import audio, sinc
from clefkit.align.alignment import Alignment
from clefkit.audio import Audio, Samples

MARGIN = 512  # samples around a block, so that its ends are those of a longer one
BLOCK_S = 30
ROUNDING = 1e-6  # samples


class _Stretch(NamedTuple):
    """Samples of the result from `begin` to `end`; the take's second 0 is at start_s there."""

    begin: int
    end: int
    start_s: float


def onto(take: Audio, found: Alignment, rate: int, frames: int) -> Audio:
    """The take at `rate`, `frames` long, on the reference's clock.

    take: (channels, samples), at its own rate
    returns: (channels, frames); 0 before it begins, after it ends and where buffers were dropped
    """
    out = np.zeros((len(take.samples), frames), np.float32)
    first = 0
    for piece in pieces(take, found, rate, (0, frames)):
        out[:, first : first + piece.shape[1]] = piece
        first += piece.shape[1]
    return Audio(out, rate)


def pieces(take: Audio, found: Alignment, rate: int, within: tuple[int, int]) -> Iterator[Samples]:
    """The same from one sample of the reference to another, piece by piece. yields: (channels, samples)"""
    speed = 1 + found.drift_ppm * 1e-6
    stretches = list(_stretches(take, found, rate))
    for first in range(*within, BLOCK_S * rate):
        last = min(first + BLOCK_S * rate, within[1])
        out = np.zeros((len(take.samples), last - first), np.float32)
        for stretch in stretches:
            begin, end = max(stretch.begin, first), min(stretch.end, last)
            if begin < end:
                position = (begin / rate - stretch.start_s) / speed * take.rate
                out[:, begin - first : end - first] = _resampled(take, position, rate * speed, end - begin)
        yield out


def extent(take_s: float, found: Alignment, rate: int, frames: int) -> tuple[int, int]:
    """From which sample of the reference to which the take goes. take_s: its length; frames: that of the reference"""
    begin, end = np.ceil(found.clock.at([0.0, take_s]) * rate - ROUNDING).astype(int).tolist()
    return min(max(begin, 0), frames), min(max(end, 0), frames)


def _stretches(take: Audio, found: Alignment, rate: int) -> Iterator[_Stretch]:
    """What lies between dropped buffers."""
    speed = 1 + found.drift_ppm * 1e-6
    edges = [0.0, *(gap.time_s for gap in found.gaps), take.duration_s]
    missing = [0.0, *itertools.accumulate(gap.missing_s for gap in found.gaps)]
    for first, last, dropped in zip(edges, edges[1:], missing, strict=False):
        start_s = found.offset_s + dropped
        begin, end = (math.ceil((start_s + speed * edge) * rate - ROUNDING) for edge in (first, last))
        yield _Stretch(begin, end, start_s)


def _resampled(take: Audio, position: float, rate: float, count: int) -> Samples:
    """`count` samples at `rate`, the first of them at this place of the take, counted in its samples."""
    step = take.rate / rate
    begin = position - MARGIN * step
    whole = math.floor(begin)
    length = math.ceil((count + 2 * MARGIN) * step) + 1
    wanted = audio.piece(take.samples, whole - sinc.HALF, whole + length + sinc.HALF)
    taps = sinc.taps(begin - whole)  # a take on the very clock of its reference stays as it is
    moved = np.stack([np.convolve(channel, taps, "valid") for channel in wanted], axis=1).astype(np.float32)
    again = moved if rate == take.rate else soxr.resample(moved, take.rate, rate)
    return np.asarray(again[MARGIN : MARGIN + count].T)
