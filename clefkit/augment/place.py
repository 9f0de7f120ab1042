"""Where the source stands before a pair of microphones: its distance and direction, heard in stereo.

Far sources lose treble to the air (see `air`). The two microphones hear the
source at levels and times that follow from geometry: the level falls with distance and with the angle off a cardioid's
axis, (1 + cos) / 2, the time is that of sound over the way. The recorder's gain is set for the place, so the mean
power of both channels stays; the earlier channel stays in time, the later one comes after it.

Pairs: `spaced`, two omnis side by side; `xy`, two cardioids in one point that look 90 degrees apart; `ortf`, two
cardioids 17 cm and 110 degrees apart; `mono`, one microphone, for which the direction means nothing. One channel
becomes two with all but mono; of two channels each goes to its microphone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import sinc
from clefkit.augment import air, curve, settings
from clefkit.augment.filters import Response

if TYPE_CHECKING:
    from numpy.random import Generator


class Pair(NamedTuple):
    """spacing_m: None where it is a setting; half_angle: degrees from the middle; None for omnis"""

    spacing_m: float | None
    half_angle: float | None


class Arrival(NamedTuple):
    """How a microphone hears the source: gain, and seconds after the nearer one."""

    gain: float
    delay_s: float


PAIRS = {"spaced": Pair(None, None), "xy": Pair(0.0, 45.0), "ortf": Pair(0.17, 55.0), "mono": Pair(0.0, None)}

SETTINGS: settings.Table = {
    "pair": settings.Name(PAIRS.keys),
    "distance_m": settings.Number(1, 100),
    "azimuth_deg": settings.Number(-90, 90, default=0),  # -90 is left
    "spacing_m": settings.Number(0.05, 1.5, default=0.4),  # of a spaced pair
}


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """raises: InputError naming the key"""
    return settings.draw(SETTINGS, given, rng)


def response(numbers: dict[str, Any], rate: int) -> Response:
    """Two channels, one for mono. Longer by the delay, so that no channel loses its end."""
    taken = curve.response(lambda hertz: -numbers["distance_m"] * air.absorption_db(hertz), rate)
    if numbers["pair"] == "mono":
        return taken
    both = arrivals(numbers)
    tail = math.ceil(max(each.delay_s for each in both) * rate)
    lead = sinc.HALF if tail else 0
    delays = [_delayed(each, rate, lead, lead + tail + lead + 1) for each in both]
    samples = np.stack([np.convolve(each, taken.samples[0]) for each in delays])
    return Response(samples.astype(np.float32), lead, tail)


def arrivals(numbers: dict[str, Any]) -> list[Arrival]:
    """Left and right; the mean of the squares of their gains is 1."""
    pair = PAIRS[numbers["pair"]]
    spacing = numbers["spacing_m"] if pair.spacing_m is None else pair.spacing_m
    azimuth = math.radians(numbers["azimuth_deg"])
    source = numbers["distance_m"] * np.array([math.sin(azimuth), math.cos(azimuth)])
    gains, ways = np.empty(2), np.empty(2)
    for number, side in enumerate((-1, 1)):
        x, y = source - np.array([side * spacing / 2, 0.0])
        ways[number] = math.hypot(x, y)
        off_axis = 0.0 if pair.half_angle is None else math.atan2(x, y) - side * math.radians(pair.half_angle)
        gains[number] = (1 + math.cos(off_axis)) / 2 / ways[number]
    gains /= math.sqrt(float((gains**2).mean()))
    delays = (ways - ways.min()) / air.SPEED_M_S
    return [Arrival(gain, delay) for gain, delay in zip(gains.tolist(), delays.tolist(), strict=True)]


def _delayed(arrival: Arrival, rate: int, lead: int, taps: int) -> NDArray[np.float64]:
    """A click of that gain, so much after `lead`, between samples if need be."""
    if arrival.delay_s == 0:
        click = np.zeros(taps)
        click[lead] = arrival.gain
        return click
    away = np.arange(taps) - lead - arrival.delay_s * rate
    return arrival.gain * sinc.kernel(away)
