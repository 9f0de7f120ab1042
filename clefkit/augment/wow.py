"""Wow and flutter: the speed of a tape or a turntable wavers, slowly (wow) and fast (flutter).

The speed deviates by a sum of sines whose frequencies have no common measure, so it doesn't repeat: the hub and the
capstan, and below them a drift. Its integral, in closed form, says which moment of the sound is heard when; the sound
is read there, between its samples, by quintic splines on the sound at four times its rate (Unser, Aldroubi and Eden,
B-spline signal processing, 1993): 130 dB down at 10 kHz and 100 dB at 20 kHz, of a rate of 44.1 kHz.
The clock has as few points as keep it within 0.02 ms (Ramer, An iterative procedure for the polygonal approximation of
plane curves, 1972).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from clefkit import audio
from clefkit.audio import Audio
from clefkit.augment import settings
from clefkit.clock import TIME_DECIMALS, Clock

if TYPE_CHECKING:
    from numpy.random import Generator

SETTINGS: settings.Table = {
    "wow_hz": settings.Number(0.3, 3),
    "wow_percent": settings.Number(0, 1),  # the highest deviation of the speed
    "flutter_hz": settings.Number(4, 30),
    "flutter_percent": settings.Number(0, 0.5),
    "seed": settings.Seed(),
}
# Frequency against the one asked for, and share of the deviation.
WOW = ((1.0, 0.55), (0.618, 0.2), (1.414, 0.15), (0.171, 0.1))
FLUTTER = ((1.0, 0.6), (0.771, 0.25), (1.309, 0.15))
SPREAD = 0.05
OVERSAMPLING = 4
SPLINE_ORDER = 5
BLOCK = 2**15
MARGIN = 256
GRID_S = 0.002
CLOCK_S = 1.8e-5
ROUNDS = 12  # the deviation is 1.5 % at most, so each round of the search for the end is 60 times nearer


class Component(NamedTuple):
    """One sine of the deviation: how much of the speed, radians a second, radians at the start."""

    depth: float
    turn: float
    phase: float


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """raises: InputError naming the key"""
    return settings.draw(SETTINGS, given, rng)


def apply(sound: Audio, numbers: dict[str, Any]) -> Audio:
    """As long as the wavering tape takes; both channels waver alike."""
    from scipy import ndimage

    components = _components(numbers)
    length = round(_duration_s(components, sound.duration_s) * sound.rate)
    out = np.empty((len(sound.samples), length), np.float32)
    for first in range(0, length, BLOCK):
        here = np.arange(first, min(first + BLOCK, length)) / sound.rate
        place = (here + _ahead_s(components, here)) * sound.rate
        start = int(place[0]) - MARGIN
        heard = audio.piece(sound.samples, start, int(place[-1]) + MARGIN)
        for channel, row in zip(heard, out, strict=True):
            fine = soxr.resample(channel, 1, OVERSAMPLING)
            row[first : first + BLOCK] = ndimage.map_coordinates(
                fine, [(place - start) * OVERSAMPLING], np.float32, SPLINE_ORDER
            )
    return Audio(out, sound.rate)


def clock(numbers: dict[str, Any], duration_s: float) -> Clock:
    """From (0, 0), within 0.02 ms of the speed's integral."""
    components = _components(numbers)
    end = _duration_s(components, duration_s)
    here = np.linspace(0.0, end, math.ceil(end / GRID_S) + 1)
    ahead = _ahead_s(components, here)
    bends = _bends(here, ahead)
    return Clock((here + ahead)[bends].round(TIME_DECIMALS), here[bends].round(TIME_DECIMALS))


def _components(numbers: dict[str, Any]) -> list[Component]:
    rng = np.random.default_rng(numbers["seed"])
    components = []
    for name, parts in (("wow", WOW), ("flutter", FLUTTER)):
        for relative, share in parts:
            hz = numbers[f"{name}_hz"] * relative * (1 + rng.uniform(-SPREAD, SPREAD))
            depth, phase = numbers[f"{name}_percent"] / 100 * share, rng.uniform(0, 2 * math.pi)
            components.append(Component(depth, 2 * math.pi * hz, phase))
    return [each for each in components if each.depth > 0]


def _ahead_s(components: list[Component], here: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the sound is ahead of a steady tape: the integral of depth * sin(turn * t + phase). (n,), seconds"""
    ahead = np.zeros(len(here))
    for depth, turn, phase in components:
        ahead += depth / turn * (math.cos(phase) - np.cos(turn * here + phase))
    return ahead


def _duration_s(components: list[Component], duration_s: float) -> float:
    """When the wavering tape has played all of a sound of that duration."""
    end = duration_s
    for _ in range(ROUNDS):
        end = duration_s - float(_ahead_s(components, np.array([end]))[0])
    return end


def _bends(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which points to keep, so that straight lines between them are within CLOCK_S of all. x, y: (n,)"""
    kept, open_pieces = [0, len(x) - 1], [(0, len(x) - 1)]
    while open_pieces:
        first, last = open_pieces.pop()
        slope = (y[last] - y[first]) / (x[last] - x[first])
        off = np.abs(y[first : last + 1] - y[first] - slope * (x[first : last + 1] - x[first]))
        farthest = first + int(off.argmax())
        if off[farthest - first] > CLOCK_S:
            kept.append(farthest)
            open_pieces += [(first, farthest), (farthest, last)]
    return np.sort(np.array(kept))
