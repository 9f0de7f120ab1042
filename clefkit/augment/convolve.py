"""Convolution of long sound with responses of any length, in float32 and little memory.

Overlap-save: blocks of the input that overlap by the response's length are transformed several at a time, because the
transform works on several rows at once faster than on one after another (Stockham, High-speed convolution and
correlation, 1966).
"""

from __future__ import annotations

import math

import numpy as np

from clefkit.audio import Samples

SHORTEST_TRANSFORM = 2**15
ROWS = 8


def convolve(samples: Samples, response: Samples, lead: int = 0, length: int | None = None) -> Samples:
    """samples * response, channel by channel; one channel meets each of the other's.

    samples: (channels, samples), float32
    response: (channels, taps), float32
    lead: how many samples to leave out at the start: the tap that stays where the input was
    length: how many to return after that, at most all: samples + taps - 1 - lead
    returns: (most channels of the two, length), float32
    """
    from scipy import fft

    taps = response.shape[1]
    total = samples.shape[1] + taps - 1
    end = total if length is None else min(lead + length, total)
    size = _transform_size(taps, total)
    step = size - taps + 1
    channels = max(len(samples), len(response))
    spectrum = np.asarray(fft.rfft(response, size, axis=-1), np.complex64)
    out = np.empty((channels, end - lead), np.float32)
    starts = list(range(lead, end, step))
    batch = max(1, ROWS // channels)
    rows = np.empty((batch, len(samples), size), np.float32)
    for first in range(0, len(starts), batch):
        group = starts[first : first + batch]
        for row, start in zip(rows, group, strict=False):
            _fill(row, samples, start - (taps - 1))
        product = np.asarray(fft.rfft(rows[: len(group)], axis=-1), np.complex64) * spectrum
        valid = np.asarray(fft.irfft(product, size, axis=-1, overwrite_x=True), np.float32)[..., taps - 1 :]
        for row, start in zip(valid, group, strict=True):
            stop = min(start + step, end)
            out[:, start - lead : stop - lead] = row[:, : stop - start]
    return out


def _transform_size(taps: int, total: int) -> int:
    """A power of two of 2.5 responses or more, but no more than the whole needs."""
    size = max(SHORTEST_TRANSFORM, 1 << math.ceil(math.log2(2.5 * taps)))
    return min(size, 1 << math.ceil(math.log2(total + taps)))


def _fill(row: Samples, samples: Samples, start: int) -> None:
    """row = samples[:, start : start + row's length], with zeros where there is no sound."""
    begin, end = max(start, 0), min(start + row.shape[1], samples.shape[1])
    row[:, : begin - start] = 0.0
    if end > begin:
        row[:, begin - start : end - start] = samples[:, begin:end]
    row[:, max(end, begin) - start :] = 0.0
