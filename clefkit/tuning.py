"""How a recording is tuned, moment by moment, and its features as if it were tuned to A 440.

An orchestra at A 430, an old piano, a tape that runs too fast: all notes are off by the same fraction of a semitone,
and whoever hears one alone may take it for its neighbour. So the spectrum is moved by whole bins, a third of a semitone
each, until it is in tune within a sixth.

The tuning is that of the strongest partials within 18 seconds on both sides: each is an angle, a semitone a turn, and
angles are added as vectors. Where they contradict each other (drums, speech) the last answer holds; an instrument that
drifts past a quarter tone is followed there, up to 60 cents.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import features

Array = NDArray[np.float32]

AROUND = 3  # chunks on each side
LOUD = 0.55  # of what features give: 24 dB below the level
AGREE = 0.15  # length of the mean vector from which on there is a tuning
FARTHEST = 0.6  # semitones
STAYS = 0.6  # bins off the middle before the spectrum is moved anew


class Evidence(NamedTuple):
    """Sums over partials. towards: e^(2 pi i deviation in semitones) times weight; weight"""

    towards: complex
    weight: float


def tuned(sound: Array) -> Array:
    """The features of a whole sound as if it were in tune; the same numbers as `follow`.

    sound: (frames, channels, bins), as `features.compute` gives them
    """
    if not len(sound):
        return sound
    starts = range(0, len(sound), features.CHUNK)
    return np.concatenate(list(follow(sound[start : start + features.CHUNK] for start in starts)))


def follow(pieces: Iterable[Array]) -> Iterator[Array]:
    """Features as if the sound were in tune, in bounded memory.

    pieces: (frames, channels, bins) each, as `features.stream` yields them
    yields: as many pieces, moved
    """
    waiting: deque[Array] = deque()
    around: deque[Evidence] = deque(maxlen=2 * AROUND + 1)
    tuning, bins = 0.0, 0
    for number, piece in enumerate(chain(pieces, repeat(None, AROUND))):
        if piece is not None:
            waiting.append(piece)
        around.append(Evidence(0, 0.0) if piece is None else evidence(piece))
        if number >= AROUND:
            tuning = _tuning(around, tuning)
            if abs(features.BINS_PER_SEMITONE * tuning + bins) > STAYS:
                bins = bins_back(tuning)
            yield moved(waiting.popleft(), bins)


def bins_back(tuning: float) -> int:
    """By how many bins what is tuned so, in semitones, moves to be nearly in tune."""
    return -round(features.BINS_PER_SEMITONE * tuning)


def moved(sound: Array, bins: int) -> Array:
    """Features up by some bins, down when negative; what comes in from beyond the range is silent."""
    if bins == 0:
        return sound
    result = np.zeros_like(sound)
    if bins > 0:
        result[..., bins:] = sound[..., :-bins]
    else:
        result[..., :bins] = sound[..., -bins:]
    return result


def evidence(sound: Array) -> Evidence:
    """What the partials of a piece say of its tuning.

    sound: (frames, channels, bins), 0 to 1
    """
    long = sound[:, 0]
    inner = long[:, 2:-2]
    peaks = (inner > LOUD) & (inner > long[:, 1:-3]) & (inner >= long[:, 3:-1])
    peaks &= (inner > long[:, :-4]) & (inner > long[:, 4:])
    frames, bins = np.nonzero(peaks)
    before, here, after = (long[frames, bins + each].astype(np.float64) for each in (1, 2, 3))
    offset = 0.5 * (before - after) / (before - 2 * here + after)
    deviation = (bins + 2 + offset - 1) / features.BINS_PER_SEMITONE
    weight = here - LOUD
    return Evidence(complex(np.sum(weight * np.exp(2j * np.pi * deviation))), float(weight.sum()))


def _tuning(around: Iterable[Evidence], last: float) -> float:
    """In semitones, on the side of the last answer; that answer where there is none."""
    towards = sum(each.towards for each in around)
    weight = sum(each.weight for each in around)
    if abs(towards) <= AGREE * weight:
        return last
    angle = float(np.angle(towards)) / (2 * np.pi)
    near = angle + round(last - angle)
    return near if abs(near) <= FARTHEST else angle
