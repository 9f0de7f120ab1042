"""One band of an equaliser: a peak or a shelf. A preset lists as many as it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clefkit.augment import biquad, settings
from clefkit.augment.filters import Response

if TYPE_CHECKING:
    from numpy.random import Generator

SHAPES = {"peak": biquad.peak, "low-shelf": biquad.low_shelf, "high-shelf": biquad.high_shelf}
SETTINGS: settings.Table = {
    "shape": settings.Name(SHAPES.keys),
    "frequency_hz": settings.Number(20, 20_000),
    "gain_db": settings.Number(-24, 24),
    "q": settings.Number(0.1, 10, default=0.7071),
}


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """raises: InputError naming the key"""
    return settings.draw(SETTINGS, given, rng)


def response(numbers: dict[str, Any], rate: int) -> Response:
    """A band above the sound's own range does nothing."""
    if not biquad.fits(numbers["frequency_hz"], rate):
        return biquad.response([])
    make = SHAPES[numbers["shape"]]
    return biquad.response([make(numbers["frequency_hz"], numbers["gain_db"], numbers["q"], rate)])
