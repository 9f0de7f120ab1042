"""Noise under the music, synthesised, at a signal-to-noise ratio.

The ratio is that of the music's active level (see `level`) to the noise's mean level, both A-weighted, in dB. The noise
lasts as long as the sound, its channels are independent (but for hum, which is the same in all, and what `crowd` and
`vinyl` put between them), and silence gets none.

Spectra are tables of our own: white and pink by definition; `hiss` rises like an unequalised tape and falls above
12 kHz; `room` falls by some 6 dB an octave like ventilation; `street` is a distant wash with cars that pass every few
seconds; `hum-50` and `hum-60` are the mains with its harmonics, odd ones stronger; `crowd` and `vinyl` have modules of
their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clefkit.audio import Audio, Samples
from clefkit.augment import coloured, crowd, level, settings, vinyl
from clefkit.augment.curve import Corners

if TYPE_CHECKING:
    from numpy.random import Generator

# (Hz, dB) at corners, straight lines in logarithm between them.
SPECTRA: dict[str, Corners] = {
    "white": [(20, 0), (20_000, 0)],
    "pink": [(20, 0), (20_480, -30.1)],
    "hiss": [(20, -30), (200, -14), (1000, -8), (4000, 0), (12_000, 2), (20_000, -12)],
    "room": [(20, 0), (60, 0), (250, -11), (1000, -23), (4000, -35), (16_000, -48)],
    "street": [(20, -8), (60, 0), (250, -8), (1000, -13), (2500, -22), (8000, -40), (20_000, -60)],
}
PASSING: Corners = [(20, -4), (50, 0), (120, -2), (500, -9), (1200, -9), (3000, -19), (10_000, -38), (20_000, -60)]
MAINS_HZ = {"hum-50": 50.0, "hum-60": 60.0}
KINDS = (*SPECTRA, *MAINS_HZ, "crowd", "vinyl")

BLOCK = 2**20
HARMONICS = 20
MAINS_WANDER_HZ = 0.05
CARS_EVERY_S = 9.0
CAR_LASTS_S = (1.0, 4.0)
CAR_DB = (-3.0, 9.0)
ENVELOPE_HZ = 20

SETTINGS: settings.Table = {
    "noise": settings.Name(lambda: KINDS),
    "snr_db": settings.Number(-20, 120),
    "seed": settings.Seed(),
}


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """The kind, the ratio in dB, and the seed of the noise itself.

    raises: InputError naming the key
    """
    return settings.draw(SETTINGS, given, rng)


def apply(sound: Audio, numbers: dict[str, Any]) -> Audio:
    active = level.active_db(sound)
    out = sound.samples.copy()
    if np.isfinite(active):
        gain = np.float32(10 ** ((active - numbers["snr_db"]) / 20))
        start = 0
        for block in blocks(numbers["noise"], numbers["seed"], out.shape, sound.rate):
            out[:, start : start + block.shape[1]] += gain * block
            start += block.shape[1]
    return Audio(out, sound.rate)


def blocks(kind: str, seed: int, shape: tuple[int, ...], rate: int) -> Iterator[Samples]:
    """Noise with an A-weighted mean level of 0 dB, block by block.

    shape: (channels, samples) of the whole; yields: (channels, up to 2**20 samples), float32
    """
    for piece in _pieces(kind, np.random.default_rng(seed), shape, rate):
        for start in range(0, piece.shape[1], BLOCK):
            yield piece[:, start : start + BLOCK]


def _pieces(kind: str, rng: Generator, shape: tuple[int, ...], rate: int) -> Iterator[Samples]:
    """The noise in pieces of the size that suits its kind."""
    if kind in MAINS_HZ:
        return _hum(MAINS_HZ[kind], rng, shape, rate)
    if kind in SPECTRA and kind != "street":
        return coloured.noise(SPECTRA[kind], rng, shape, rate)
    return {"street": _street, "crowd": crowd.pieces, "vinyl": vinyl.pieces}[kind](rng, shape, rate)


def _hum(mains_hz: float, rng: Generator, shape: tuple[int, ...], rate: int) -> Iterator[Samples]:
    """Harmonics that fall by 3 to 9 dB an octave, the even ones weaker, at a frequency that is a little off."""
    frequency = mains_hz + rng.uniform(-MAINS_WANDER_HZ, MAINS_WANDER_HZ)
    number = np.arange(1, HARMONICS + 1)
    decibels = rng.normal(0, 3, HARMONICS) - rng.uniform(3, 9) * np.log2(number)
    decibels -= rng.uniform(3, 12) * (number % 2 == 0)
    strength = 10 ** (decibels / 20) * (number * frequency < rate / 2)
    power = (strength**2 / 2 * level.a_weighting(number * frequency) ** 2).sum()
    weights = (strength / np.sqrt(power) * np.exp(2j * np.pi * rng.random(HARMONICS))).astype(np.complex64)
    for start in range(0, shape[1], BLOCK):
        count = min(BLOCK, shape[1] - start)
        turns = np.arange(start, start + count) * (frequency / rate) % 1.0
        base = np.exp(2j * np.pi * turns).astype(np.complex64)
        wave, harmonic = np.zeros(count, np.float32), np.ones(count, np.complex64)
        for weight in weights:
            harmonic *= base
            wave += (weight * harmonic).real
        yield np.broadcast_to(wave, (shape[0], count))


def _street(rng: Generator, shape: tuple[int, ...], rate: int) -> Iterator[Samples]:
    """A steady wash, and cars: each louder and softer again, with a spectrum of its own."""
    envelope = _passing(rng, shape[1] / rate)
    scale = np.float32(1 / np.sqrt(1 + (envelope**2).mean()))
    wash = coloured.noise(SPECTRA["street"], np.random.default_rng(rng.integers(2**32)), shape, rate)
    cars = coloured.noise(PASSING, np.random.default_rng(rng.integers(2**32)), shape, rate)
    start, grid = 0, np.arange(len(envelope)) / ENVELOPE_HZ
    for steady, passing in zip(wash, cars, strict=True):
        time = np.arange(start, start + steady.shape[1]) / rate
        start += steady.shape[1]
        yield scale * (steady + passing * np.interp(time, grid, envelope).astype(np.float32))


def _passing(rng: Generator, duration_s: float) -> NDArray[np.float64]:
    """How loud the cars are against the wash. returns: (time,), amplitude, ENVELOPE_HZ values a second"""
    time = np.arange(int(duration_s * ENVELOPE_HZ) + 2) / ENVELOPE_HZ
    envelope = np.zeros(len(time))
    for centre in rng.uniform(0, duration_s, rng.poisson(duration_s / CARS_EVERY_S)):
        height = 10 ** (rng.uniform(*CAR_DB) / 20)
        envelope += height / (1 + ((time - centre) / rng.uniform(*CAR_LASTS_S)) ** 2)
    return envelope
