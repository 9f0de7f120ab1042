"""Linear effects: each is a response, and neighbours in a chain are one response, so the sound is convolved once.

A response has a `direct` sample, which stays where the input was, and a `tail`, by which the output is longer: the tail
of a room is part of the sound, that of an equaliser is cut with the sound's end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from clefkit.audio import Audio, Samples
from clefkit.augment import convolve


class Response(NamedTuple):
    """samples: (channels, taps), float32; direct: the sample that meets the input in place; tail: samples."""

    samples: Samples
    direct: int = 0
    tail: int = 0


def joined(responses: Sequence[Response]) -> Response:
    """One response that does what these do one after another. Of two channels each meets its own."""
    whole = responses[0]
    for each in responses[1:]:
        both = convolve.convolve(whole.samples, each.samples)
        whole = Response(both, whole.direct + each.direct, whole.tail + each.tail)
    return whole


def apply(sound: Audio, response: Response) -> Audio:
    """The sound through the response. One of two channels makes stereo of mono; one of one keeps the channels."""
    length = sound.samples.shape[1] + response.tail
    heard = convolve.convolve(sound.samples, response.samples, response.direct, length)
    missing = length - heard.shape[1]
    return Audio(np.pad(heard, ((0, 0), (0, missing))) if missing else heard, sound.rate)


def unchanged() -> Response:
    """The response of nothing."""
    return Response(np.ones((1, 1), np.float32))
