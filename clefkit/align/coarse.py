"""Where a take may lie on its reference, to some hundredths of a second: beginnings of notes that coincide.

Pieces of a minute of the shorter recording are correlated, band by band, with all of the longer one. A minute is short
enough that clocks which disagree don't matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.align import fourier
from clefkit.align.track import FRAME_RATE, Track

PROBE_S = 60.0
MOST_PROBES = 12
LEAST_OVERLAP_S = 4.0
APART_S = 0.5
PEAKS = 3  # of each probe
MOST_ANCHORS = 3


class Anchor(NamedTuple):
    """The take's second `at_s` may lie on the reference's second at_s + offset_s; score: how much speaks for it."""

    score: float
    at_s: float
    offset_s: float


def anchors(take: Track, reference: Track) -> list[Anchor]:
    """The likeliest places, best first."""
    swapped = take.flux.shape[1] > reference.flux.shape[1]
    shorter, longer = (reference, take) if swapped else (take, reference)
    found: list[Anchor] = []
    for anchor in sorted(_probed(shorter.flux, longer.flux), reverse=True):
        turned = Anchor(anchor.score, anchor.at_s + anchor.offset_s, -anchor.offset_s) if swapped else anchor
        if all(abs(turned.offset_s - other.offset_s) > APART_S for other in found):
            found.append(turned)
    return found[:MOST_ANCHORS]


def _probed(shorter: NDArray[np.float32], longer: NDArray[np.float32]) -> Iterator[Anchor]:
    """Peaks of the correlation of each probe. shorter, longer: (bands, frames)"""
    frames = shorter.shape[1]
    size = frames if frames < 2 * PROBE_S * FRAME_RATE else int(PROBE_S * FRAME_RATE)
    count = min(MOST_PROBES, -(-frames // size))
    length = fourier.fast(longer.shape[1] + size)
    spectra = fourier.forward(longer, length)
    least = min(int(LEAST_OVERLAP_S * FRAME_RATE), size)
    lags = np.arange(least - size, longer.shape[1] - least + 1)
    ends = np.minimum(lags + size, longer.shape[1])
    overlap = ends - np.maximum(lags, 0)
    for start in np.linspace(0, frames - size, count).astype(int).tolist():
        probe = fourier.forward(shorter[:, start : start + size], length)
        whole = fourier.back((spectra * np.conj(probe)).sum(axis=0), length)
        scores = whole[lags] / np.sqrt(overlap * len(longer))
        for peak in _peaks(scores):
            lag = int(lags[peak])
            middle = (max(lag, 0) + int(ends[peak])) / 2 - lag + start
            yield Anchor(float(scores[peak]), middle / FRAME_RATE, (lag - start) / FRAME_RATE)


def _peaks(scores: NDArray[np.floating]) -> Iterator[int]:
    """The highest places that are APART_S from each other."""
    left, apart = scores.copy(), int(APART_S * FRAME_RATE)
    for _ in range(PEAKS):
        peak = int(left.argmax())
        yield peak
        left[max(peak - apart, 0) : peak + apart + 1] = -np.inf
