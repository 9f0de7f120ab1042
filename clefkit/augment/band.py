"""Band limits: what a microphone, a medium or a small loudspeaker lets through. Butterworth, 24 dB an octave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clefkit.augment import biquad, settings
from clefkit.augment.filters import Response

if TYPE_CHECKING:
    from numpy.random import Generator

SETTINGS: settings.Table = {"low_hz": settings.Number(5, 20_000), "high_hz": settings.Number(20, 48_000)}


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """raises: InputError naming the key"""
    return settings.draw(SETTINGS, given, rng)


def response(numbers: dict[str, Any], rate: int) -> Response:
    """A limit above the sound's own range does nothing."""
    low, high = numbers["low_hz"], numbers["high_hz"]
    sections = [biquad.high_pass(low, q, rate) for q in biquad.BUTTERWORTH_Q if biquad.fits(low, rate)]
    sections += [biquad.low_pass(high, q, rate) for q in biquad.BUTTERWORTH_Q if biquad.fits(high, rate)]
    return biquad.response(sections)
