"""Which peak of each window is the true one: those on a path that drifts slowly and jumps where buffers were dropped.

The path is found by dynamic programming over the peaks (Viterbi, Error bounds for convolutional codes, 1967): each
window gives the height of its peak on the path, a jump costs. Only jumps of one sign are possible, because a dropped
buffer moves all that follows it to a later place in the reference.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.align.lags import SEARCH, Windows
from clefkit.align.track import RATE

LEAST_STEP_S = 0.003  # the shortest buffer that is found missing
MOST_DRIFT = 4e-4  # 400 ppm; crystals of telephones and interfaces keep within 100
JITTER_S = 0.0005  # what reverberation and players who move may do to a peak
NOISE = 4.5  # the height of peaks that mean nothing
LEAST_USUAL = 8.0  # above NOISE: or a path would jump through noise
JUMP = 0.8  # what a jump costs, in windows of the usual height: so a single one that is lower is not worth it
HYPOTHESES = 24


class Chosen(NamedTuple):
    """lags: (windows,), samples, NaN where no peak fits; segments: (windows,), counted up by each jump"""

    lags: NDArray[np.float64]
    segments: NDArray[np.int64]


class _Hypothesis(NamedTuple):
    score: float
    lag: float
    centre: float
    window: int
    before: _Hypothesis | None


def choose(windows: Windows, jump: float = JUMP) -> Chosen:
    """The best path. jump: what a jump costs, in windows of the usual height"""
    heard = windows.heights[windows.audible, 0]
    usual = max(float(np.median(heard)) - NOISE, LEAST_USUAL) if len(heard) else LEAST_USUAL
    alive: list[_Hypothesis] = []
    for window, centre in enumerate(windows.centres.tolist()):
        grown = []
        for lag, height in zip(windows.lags[window].tolist(), windows.heights[window].tolist(), strict=True):
            gain = (height - NOISE) / usual
            if gain <= 0 or not windows.audible[window]:
                continue
            best = _Hypothesis(gain, lag, centre, window, None)
            for before in alive:
                score = before.score + gain - _cost(before, lag, centre, jump)
                if score > best.score:
                    best = _Hypothesis(score, lag, centre, window, before)
            grown.append(best)
        alive = sorted([*grown, *alive], key=lambda each: -each.score)[:HYPOTHESES]
    return _traced(alive[0] if alive else None, len(windows.centres))


def _cost(before: _Hypothesis, lag: float, centre: float, jump: float) -> float:
    step = lag - before.lag
    allowed = JITTER_S * RATE + MOST_DRIFT * (centre - before.centre)
    if abs(step) <= allowed:
        return 0.0
    return jump if LEAST_STEP_S * RATE <= step <= SEARCH + allowed else np.inf


def _traced(last: _Hypothesis | None, count: int) -> Chosen:
    lags, segments = np.full(count, np.nan), np.zeros(count, np.int64)
    chain: list[_Hypothesis] = []
    while last is not None:
        chain.append(last)
        last = last.before
    chain.reverse()
    for before, here in itertools.pairwise(chain):
        segments[here.window :] += _cost(before, here.lag, here.centre, JUMP) > 0
    for each in chain:
        lags[each.window] = each.lag
    return Chosen(lags, segments)
