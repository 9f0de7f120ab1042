"""What a microphone hears: its frequency response on axis, its distance, and how one specimen differs from the next.

Each curve follows a published one, named beside it, in our own numbers, to about 1 dB. "From memory" says that the
data sheet's drawing is known but was not at hand when the numbers were written.

A directional microphone hears the bass of near sources louder (proximity effect). One that takes a share b of its
signal from the gradient of pressure (0 omni, 0.5 cardioid, 1 figure of eight) hears a point source at distance r, on
axis, as |1 + b / (jkr)|, k = 2 pi f / c (Eargle, The microphone book, 2004). The curves are those of a source at a
metre, so nearer ones have more bass and farther ones less. Nearer than 10 cm no source is a point any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from clefkit.augment import air, curve, settings
from clefkit.augment.curve import Corners, Curve, Levels
from clefkit.augment.filters import Response

if TYPE_CHECKING:
    from numpy.random import Generator

OMNI, CARDIOID, FIGURE_OF_EIGHT = 0.0, 0.5, 1.0


class Microphone(NamedTuple):
    """gradient: the share b; corners: (Hz, dB)"""

    gradient: float
    corners: Corners


MICROPHONES = {
    # Neumann U 87 Ai, cardioid, data sheet; from memory.
    "condenser": Microphone(
        CARDIOID,
        [(20, -6), (30, -3), (50, -1), (100, 0), (500, 0), (1000, 0), (2000, -0.5), (4000, 0.5), (6000, 1.5), (8000, 3),
         (10_000, 4), (12_000, 3), (15_000, -0.5), (20_000, -7)],
    ),
    # Neumann KM 184, data sheet; from memory.
    "small-condenser": Microphone(
        CARDIOID,
        [(20, -7), (30, -5), (50, -2.5), (100, -1), (200, 0), (1000, 0), (3000, 0), (5000, 1), (7000, 2), (9000, 3),
         (12_000, 2.5), (15_000, 1), (20_000, -2.5)],
    ),
    # Shure SM58, data sheet; from memory. (Shure Notes 30: rolls off below 100 Hz, a presence rise from 3 to 10 kHz.)
    "dynamic": Microphone(
        CARDIOID,
        [(50, -10), (70, -6.5), (100, -3.5), (150, -1), (200, 0), (500, 0), (1000, 0), (2000, 2), (3000, 4), (4500, 6),
         (6000, 4), (7500, 3), (9500, 5), (11_000, 3), (12_500, -1), (15_000, -8), (20_000, -20)],
    ),
    # Shure SM57, data sheet; from memory.
    "instrument-dynamic": Microphone(
        CARDIOID,
        [(40, -11), (60, -7), (100, -3), (150, -1), (200, 0), (500, -0.5), (1000, 0), (2000, 1), (3000, 2.5), (4500, 5),
         (6000, 6.5), (7500, 3), (9500, 4.5), (11_000, 3.5), (13_000, 1), (15_000, -5), (20_000, -17)],
    ),
    # Royer R-121, data sheet: within 3 dB from 30 Hz to 15 kHz (Studio Sound, April 1999); the shape from memory.
    "ribbon": Microphone(
        FIGURE_OF_EIGHT,
        [(20, -2), (30, 0), (50, 1.5), (100, 1), (300, 0), (1000, 0), (2000, 1), (3500, 2), (5000, 1), (7000, -1),
         (10_000, -2), (15_000, -3), (20_000, -9)],
    ),
    # Behringer ECM8000, as its calibrations by several laboratories show it; from memory.
    "measurement": Microphone(
        OMNI, [(20, -0.5), (50, 0), (1000, 0), (3000, 0), (6000, 1), (10_000, 2.5), (15_000, 1.5), (20_000, -1)]
    ),
    # DPA 4060 with its short grid, data sheet (a soft rise of 3 dB from 8 to 20 kHz); from memory.
    "lavalier": Microphone(
        OMNI, [(20, -0.5), (50, 0), (1000, 0), (3000, 0), (6000, 1), (9000, 2.5), (14_000, 3), (20_000, 1)]
    ),
    # The capsules of a handheld recorder, Zoom H4n. No measurement found: a small cardioid electret, from general
    # knowledge of reviews: thin below 100 Hz, a rise around 8 kHz.
    "portable": Microphone(
        CARDIOID,
        [(30, -13), (50, -7), (80, -3.5), (150, -1), (300, 0), (1000, 0), (3000, 0.5), (5000, 2), (8000, 4),
         (11_000, 3), (14_000, 0), (17_000, -5), (20_000, -10)],
    ),
    # A telephone that films: the steep filter of 24 dB an octave below 250 Hz that the iPhone applies (Studio Six
    # Digital, Internal Apple microphone; Faber Acoustical, iPhone microphone frequency response comparison, 2009, where
    # the rest is fairly flat); the rise of its port from the curve of the capsule, Knowles SPU0410LR5H, from memory.
    "phone": Microphone(
        OMNI,
        [(50, -54), (80, -38), (125, -23), (180, -12), (250, -4), (350, -1), (500, 0), (1000, 0), (3000, 0.5),
         (6000, 2), (10_000, 4), (14_000, 4), (17_000, 1), (20_000, -6)],
    ),
    # A laptop. No measurement found: the same kind of capsule behind a hole in the lid (Knowles, SiSonic design guide:
    # the port resonates), with the gentler filter that computers have; numbers of our own.
    "laptop": Microphone(
        OMNI,
        [(50, -18), (80, -10), (120, -5), (200, -1.5), (350, 0), (1000, 0), (2500, 1), (5000, 4), (7000, 7), (8500, 5),
         (11_000, -1), (14_000, -5), (20_000, -14)],
    ),
    # ITU-T P.830, annex D: the modified intermediate reference system, sending side; read from the response of the
    # filter of 16 kHz in the software tool library (ITU-T G.191), to 0.2 dB.
    "telephone": Microphone(
        OMNI,
        [(80, -35), (100, -28), (125, -21), (160, -13.5), (200, -9.5), (250, -6.5), (315, -4.5), (400, -3.5),
         (500, -2.5), (630, -2), (800, -1), (1000, 0), (1250, 1.5), (1600, 3), (2000, 3.5), (2500, 5), (3150, 6),
         (3550, 3), (4000, 0), (5000, -5.5), (6300, -20), (7000, -29.5), (8000, -36.5)],
    ),
}  # fmt: skip

SETTINGS: settings.Table = {
    "microphone": settings.Name(MICROPHONES.keys),
    "distance_m": settings.Number(0.1, 10, default=1),
    "unit_db": settings.Number(0, 10, default=0),
    "seed": settings.Seed(),
}
PUBLISHED_M = 1.0
# Where specimens differ, an octave from each other and none at 1 kHz, to which they are matched.
SPREAD_HZ = [31.25, 62.5, 125, 250, 500, 2000, 4000, 8000, 16_000]


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """The microphone by name, its distance, and how far this specimen may be off, at most, with the seed of how it is.

    raises: InputError naming the key
    """
    return settings.draw(SETTINGS, given, rng)


def response(numbers: dict[str, Any], rate: int) -> Response:
    """0 dB at 1 kHz."""
    chosen = MICROPHONES[numbers["microphone"]]
    published = curve.through(chosen.corners)
    specimen = _specimen(numbers["unit_db"], numbers["seed"])

    def level(hertz: Levels) -> Levels:
        near, usual = (_proximity_db(hertz, chosen.gradient, each) for each in (numbers["distance_m"], PUBLISHED_M))
        return published(hertz) + specimen(hertz) + near - usual

    return curve.response(level, rate)


def _proximity_db(hertz: Levels, gradient: float, distance_m: float) -> Levels:
    """|1 + b / (jkr)| in dB."""
    return 10 * np.log10(1 + (gradient * air.SPEED_M_S / (2 * np.pi * hertz * distance_m)) ** 2)


def _specimen(most_db: float, seed: int) -> Curve:
    """A smooth curve of at most so many dB, another for each seed."""
    from scipy.interpolate import PchipInterpolator

    decibels = most_db * np.random.default_rng(seed).uniform(-1, 1, len(SPREAD_HZ))
    at = np.log2([*SPREAD_HZ, curve.REFERENCE_HZ])
    order = np.argsort(at)
    smooth = PchipInterpolator(at[order], np.append(decibels, 0.0)[order])

    def level(hertz: Levels) -> Levels:
        return np.asarray(smooth(np.clip(np.log2(hertz), at.min(), at.max())), np.float64)

    return level
