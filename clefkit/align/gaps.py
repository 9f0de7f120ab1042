"""Where in a take buffers were dropped, when it is known between which moments, and the lags before and after.

What the phone would have recorded is predicted from the reference, by the filter that fits both best over the whole
recording, once with the lag before and once with that after. The place is that which explains most: where the sum of
the differences of both errors is largest. (Page, Continuous inspection schemes, 1954.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.align import fourier
from clefkit.align.fourier import Signal
from clefkit.align.track import Track

SIZE = 8192  # of the filter: a third of a second, the early part of a room
ACAUSAL = SIZE // 4
HANN = np.hanning(SIZE).astype(np.float32)
SILENCE = 1e-12
LEAST_POWER = 1e-3  # of the mean: frequencies where the reference has less tell nothing


class Change(NamedTuple):
    """Between samples `first` and `last` of the take the lag changes from `before` to `after`."""

    first: int
    last: int
    before: float
    after: float


def response(take: Track, reference: Track, places: list[tuple[int, float]]) -> Signal:
    """What makes the take of the reference, by least squares. places: samples of the take, and the lag there.

    returns: (SIZE,), the response, whose time 0 is at sample ACAUSAL
    """
    cross, power = np.zeros(SIZE // 2 + 1, np.complex128), np.zeros(SIZE // 2 + 1)
    for start, lag in places:
        whole = int(np.floor(lag))
        ours = fourier.forward(take.piece(start, start + SIZE) * HANN, SIZE)
        theirs = fourier.forward(reference.piece(start + whole, start + whole + SIZE) * HANN, SIZE)
        theirs = theirs * fourier.turn(SIZE, lag - whole)
        loudness = float(np.square(np.abs(ours)).sum())
        if loudness < SILENCE:
            continue
        cross += ours * np.conj(theirs) / loudness
        power += np.square(np.abs(theirs)) / loudness
    least = LEAST_POWER * power.mean() + np.finfo(np.float32).tiny
    return np.roll(fourier.back(cross / (power + least), SIZE), ACAUSAL)


def locate(take: Track, reference: Track, filtering: Signal, change: Change) -> int:
    """The first sample of the take that comes after the dropped buffer."""
    first, last = change.first, change.last
    ours = take.piece(first, last).astype(np.float64)
    before, after = (_predicted(reference, filtering, first, last, lag) for lag in (change.before, change.after))
    middle = (last - first) // 2
    fitting = np.concatenate([before[:middle], after[middle:]])
    gain = (ours @ fitting) / (fitting @ fitting + np.finfo(np.float32).tiny)
    worse = np.square(ours - gain * after) - np.square(ours - gain * before)
    return first + int(np.argmax(np.cumsum(worse))) + 1


def _predicted(reference: Track, filtering: Signal, first: int, last: int, lag: float) -> NDArray[np.float64]:
    """What the take would hold from sample `first` to `last` at this lag. returns: (last - first,)"""
    whole = int(np.floor(lag))
    start = first + whole - SIZE + ACAUSAL
    theirs = reference.piece(start, last + whole + ACAUSAL)
    size = fourier.fast(len(theirs) + SIZE)
    spectrum = fourier.forward(theirs, size) * fourier.forward(filtering, size) * fourier.turn(size, lag - whole)
    return fourier.back(spectrum, size)[SIZE : SIZE + last - first].astype(np.float64)
