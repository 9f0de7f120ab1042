"""How far a take lies from its reference, window by window: peaks of the generalised cross-correlation.

Windows of three seconds are correlated with all frequencies at equal weight (phase transform: Knapp and Carter, The
generalized correlation method for estimation of time delay, 1976), so that a peak is sharp whatever a phone makes of
the spectrum, and of either sign; or with a filter that is known to suit both recordings. From an anchor it goes
outwards to both ends, looking around where the last windows were: so it follows clocks that disagree, and jumps where
buffers were dropped.

A lag is the place in the reference minus that in the take, in samples at the rate of `track`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.align import fourier
from clefkit.align.coarse import Anchor
from clefkit.align.fourier import Spectrum
from clefkit.align.track import RATE, Track

WINDOW = 3 * RATE
HOP = WINDOW // 2
SHORT = RATE  # of windows near dropped buffers
SEARCH = int(0.3 * RATE)
PEAKS = 5
APART = int(0.002 * RATE)
STRONG = 8.0  # height from which on a window moves the place where the next are looked for
LOW_HZ, HIGH_HZ = 150, 9000
SIZE = fourier.fast(2 * WINDOW + 2 * SEARCH)
FREQUENCIES_HZ = np.arange(SIZE // 2 + 1) * (RATE / SIZE)
HANN = np.hanning(WINDOW).astype(np.float32)
HANN_SHORT = np.hanning(SHORT).astype(np.float32)
AUDIBLE = 0.01  # of the loudest window: -40 dB
MUTE = 1e-4  # of the take's loudest: -80 dB, which no microphone records
WEAKEST = 1e-3  # of the mean magnitude: softer frequencies are not raised to the others


class Windows(NamedTuple):
    """What was found, in order of time. The peaks of a window are sorted by height, highest first.

    centres: (windows,), samples of the take
    lags, heights: (windows, PEAKS); heights are relative to the standard deviation of the correlation
    audible: (windows,), whether the reference sounds there
    mute: (windows,), whether the take doesn't, so that there is nothing to hear
    """

    centres: NDArray[np.float64]
    lags: NDArray[np.float64]
    heights: NDArray[np.float64]
    audible: NDArray[np.bool_]
    mute: NDArray[np.bool_]


class Search(NamedTuple):
    """What is compared, and a filter that suits both, if one is known."""

    take: Track
    reference: Track
    suited: Spectrum | None = None


class _Heard(NamedTuple):
    centre: float
    lags: NDArray[np.float64]
    heights: NDArray[np.float64]
    levels: tuple[float, float]


def follow(search: Search, anchor: Anchor) -> Windows | None:
    """All windows of the take that lie on the reference. None when there is none."""
    length = len(search.take.samples)
    middle = min(max(int(anchor.at_s * RATE) - WINDOW // 2, 0), max(length - WINDOW, 0)) // HOP * HOP
    onward = _outwards(search, anchor, range(middle, length - WINDOW + 1, HOP))
    back = _outwards(search, anchor, range(middle - HOP, -1, -HOP))
    return _together([*reversed(back), *onward])


def between_lags(search: Search, first: int, last: int, lags: tuple[float, float]) -> Windows | None:
    """Windows of a second from sample `first` to `last` of the take, with peaks between two lags alone."""
    middle, reach = round(sum(lags) / 2), int(abs(lags[1] - lags[0]) / 2) + APART
    starts = range(max(first, 0), min(last, len(search.take.samples)) - SHORT + 1, SHORT // 2)
    return _together([_window(search, start, middle, reach, HANN_SHORT) for start in starts])


def spectrum(track: Track, start: int) -> Spectrum:
    """Of the window from sample `start`. returns: (frequencies,)"""
    return fourier.forward(track.piece(start, start + WINDOW) * HANN, SIZE)


def whitened(cross: Spectrum) -> Spectrum:
    """All frequencies that music has at equal weight; the others, and silence, at none."""
    magnitude = np.abs(cross)
    weakest = WEAKEST * magnitude.mean() + np.finfo(np.float32).tiny
    band = (FREQUENCIES_HZ > LOW_HZ) & (FREQUENCIES_HZ < HIGH_HZ)
    return np.asarray(cross * band / (magnitude + weakest), np.complex64)


def _outwards(search: Search, anchor: Anchor, starts: Iterable[int]) -> list[_Heard]:
    expected = anchor.offset_s * RATE
    last: deque[float] = deque(maxlen=3)
    heard: list[_Heard] = []
    for start in starts:
        lag = round(float(np.median(last)) if len(last) == last.maxlen else expected)
        if start + lag < 0 or start + lag + WINDOW > len(search.reference.samples):
            continue
        heard.append(_window(search, start, lag, SEARCH, HANN))
        if heard[-1].heights[0] >= STRONG:
            last.append(float(heard[-1].lags[0]))
    return heard


def _window(search: Search, start: int, lag: int, reach: int, shape: NDArray[np.float32]) -> _Heard:
    """The highest peaks at most `reach` from a lag. shape: the window, at most WINDOW long"""
    first, size = start + lag - SEARCH, len(shape)
    theirs = fourier.forward(search.reference.piece(first, first + size + 2 * SEARCH), SIZE)
    ours = fourier.forward(search.take.piece(start, start + size) * shape, SIZE)
    cross = whitened(theirs * np.conj(ours))
    suited = cross if search.suited is None else cross * search.suited
    correlated = np.abs(fourier.back(suited, SIZE)[: 2 * SEARCH + 1])
    spread = float(np.sqrt(np.mean(np.square(correlated)))) or 1.0
    left = correlated[SEARCH - reach + 1 : SEARCH + reach].copy()
    lags, heights = np.zeros(PEAKS), np.zeros(PEAKS)
    for number in range(PEAKS):
        peak = int(left.argmax())
        left[max(peak - APART, 0) : peak + APART + 1] = 0.0
        place = peak + SEARCH - reach + 1
        lags[number] = between(correlated, place) - SEARCH + lag
        heights[number] = correlated[place] / spread
    return _Heard(
        start + size / 2, lags, heights,
        (_level(search.take, start, size), _level(search.reference, start + lag, size)),
    )  # fmt: skip


def _level(track: Track, start: int, size: int) -> float:
    return float(np.sqrt(np.mean(np.square(track.piece(start, start + size)))))


def _together(heard: list[_Heard]) -> Windows | None:
    if not heard:
        return None
    ours, theirs = np.array([each.levels for each in heard]).T
    return Windows(
        np.array([each.centre for each in heard]),
        np.stack([each.lags for each in heard]),
        np.stack([each.heights for each in heard]),
        (theirs > 0) & (theirs >= AUDIBLE * theirs.max()),
        (ours == 0) | (ours < MUTE * ours.max()),
    )


def between(values: NDArray[np.float32], peak: int) -> float:
    """The place of a peak between samples: the top of the parabola through it and its neighbours."""
    before, top, after = values[peak - 1 : peak + 2].astype(np.float64).tolist()
    bend = before - 2 * top + after
    return peak + (min(max(0.5 * (before - after) / bend, -0.5), 0.5) if bend < 0 else 0.0)
