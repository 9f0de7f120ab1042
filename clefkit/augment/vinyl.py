"""What an old record adds: rumble, the hiss of its surface, crackle, ticks, and scratches that come round.

Everything in the groove goes through the curve of playback (RIAA, IEC 60098: 3180, 318 and 75 microseconds), so the
surface is darker than white noise, and a tick has a body. Crackle is dense and small, ticks are rare; both are drawn
from the times of a Poisson process, denser on one side of the disc, with heavy-tailed heights (Godsill and Rayner,
Digital audio restoration, 1998, chapter 5). A scratch is met once in each turn of 1.8 s for some turns. Heights are
held, so that no tick is a shot.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.audio import Samples
from clefkit.augment import coloured, curve, level
from clefkit.augment.curve import Levels

if TYPE_CHECKING:
    from numpy.random import Generator

TURN_S = 60 / (100 / 3)
RIAA_S = (3180e-6, 318e-6, 75e-6)
SURFACE_HZ = [30, 45, 70, 125, 250, 500, 1000, 2000, 4000, 8000, 16_000, 20_000]
RUMBLE_DB = {30: 10, 45: 5, 70: 1}
SWISH = 0.12  # how much louder the surface is on one side of the disc

SHAPES = 16
SHAPE_S = 0.03
MIDDLE_S = 0.001  # where in its shape a bump is
WIDTH_S = (12e-6, 90e-6)
CARTRIDGE_HZ = 14_000
CRACKLE_A_SECOND = (4.0, 25.0)
TICKS_A_SECOND = (0.2, 1.2)
SCRATCHES_A_SECOND = 1 / 25
SCRATCH_TURNS = (4, 16)
SCRATCH_WANDER_S = 0.002
ONE_SIDED = 0.6  # how unevenly the crackle lies around the disc
# Against the surface's A-weighted level: the median height and how it spreads, and the highest.
CRACKLE_DB, CRACKLE_SPREAD_DB = 11.0, 6.0
TICK_DB, TICK_SPREAD_DB = 21.0, 5.0
HIGHEST_DB = 31.0


class Ticks(NamedTuple):
    """When (samples, in order), how high on each channel (ticks, channels), and of which shape."""

    at: NDArray[np.int64]
    heights: Samples
    shapes: NDArray[np.int64]


def pieces(rng: Generator, shape: tuple[int, ...], rate: int) -> Iterator[Samples]:
    """An A-weighted mean level of 0 dB. yields: (channels, up to 2**20 samples), float32"""
    shapes = _shapes(rng, rate)
    ticks = _ticks(rng, shape, rate)
    phase = rng.uniform(0, 2 * math.pi)
    surface = [(hertz, float(db)) for hertz, db in zip(SURFACE_HZ, _surface_db(), strict=True)]
    power = 1 + SWISH**2 / 2 + _power(ticks, shapes, rate, shape[1])
    scale = np.float32(1 / math.sqrt(power))
    start = 0
    for piece in coloured.noise(surface, rng, shape, rate):
        turns = np.arange(start, start + piece.shape[1]) / (TURN_S * rate)
        heard = piece * (1 + SWISH * np.cos(2 * math.pi * turns + phase)).astype(np.float32)
        _add(heard, start, ticks, shapes)
        start += piece.shape[1]
        yield scale * heard


def _riaa_db(hertz: Levels) -> Levels:
    """The curve of playback, 0 dB at 1 kHz."""
    bass, middle, treble = (10 * np.log10(1 + (2 * np.pi * hertz * each) ** 2) for each in RIAA_S)
    return np.asarray(middle - bass - treble + 19.91)


def _surface_db() -> Levels:
    rumble = np.array([RUMBLE_DB.get(hertz, 0) for hertz in SURFACE_HZ])
    return np.asarray(_riaa_db(np.array(SURFACE_HZ, np.float64)) + rumble)


def _shapes(rng: Generator, rate: int) -> Samples:
    """Bumps in a groove as the cartridge hears their speed and the amplifier plays them. returns: (SHAPES, taps)"""
    size = 1 << math.ceil(math.log2(2 * SHAPE_S * rate))
    hertz = np.fft.rfftfreq(size, 1 / rate)
    width = (WIDTH_S[0] * (WIDTH_S[1] / WIDTH_S[0]) ** rng.random(SHAPES))[:, None]
    bump = 1j * hertz * np.exp(-((2 * np.pi * hertz * width) ** 2) / 2)
    bump *= np.cos(np.clip(hertz / rate - 0.4, 0, 0.1) * 5 * np.pi)  # nothing sharp at half the rate
    bump *= np.exp(-2j * np.pi * hertz * MIDDLE_S)
    playback = np.fft.rfft(curve.response(_playback_db, rate).samples[0], size)
    taps = np.fft.irfft(bump * playback, size)[:, : round(SHAPE_S * rate)]
    taps[:, -(taps.shape[1] // 4) :] *= np.linspace(1, 0, taps.shape[1] // 4)
    return np.asarray(taps / np.abs(taps).max(axis=1, keepdims=True), np.float32)


def _playback_db(hertz: Levels) -> Levels:
    """Amplifier and cartridge, whose resonance ends its range."""
    return np.asarray(_riaa_db(hertz) - 10 * np.log10(1 + (hertz / CARTRIDGE_HZ) ** 4))


def _ticks(rng: Generator, shape: tuple[int, ...], rate: int) -> Ticks:
    """All of them, for the whole sound."""
    duration_s = shape[1] / rate
    crackle = _crackle_times(rng, duration_s)
    ticks = rng.uniform(-SHAPE_S, duration_s, rng.poisson(rng.uniform(*TICKS_A_SECOND) * duration_s))
    scratch_times, scratch_db = _scratches(rng, duration_s)
    decibels = np.concatenate(
        [
            CRACKLE_DB + CRACKLE_SPREAD_DB * rng.standard_normal(len(crackle)),
            TICK_DB + TICK_SPREAD_DB * rng.standard_normal(len(ticks)),
            scratch_db,
        ]
    )
    at = np.rint(np.concatenate([crackle, ticks, scratch_times]) * rate).astype(np.int64)
    order = np.argsort(at, kind="stable")
    # A groove's walls are its two channels: what hits both may push them the same way or apart.
    angle = rng.uniform(0, 2 * math.pi, len(at))
    walls = np.stack([np.cos(angle), np.sin(angle)], axis=1) * math.sqrt(2)
    if shape[0] == 1:
        walls = np.sign(walls[:, :1])
    heights = 10 ** (np.minimum(decibels, HIGHEST_DB) / 20)[:, None] * walls
    return Ticks(at[order], heights[order].astype(np.float32), rng.integers(SHAPES, size=len(at))[order])


def _crackle_times(rng: Generator, duration_s: float) -> Levels:
    """Seconds; more on one side of the disc."""
    most = rng.uniform(*CRACKLE_A_SECOND) * (1 + ONE_SIDED)
    times = rng.uniform(-SHAPE_S, duration_s, rng.poisson(most * duration_s))
    share = 1 + ONE_SIDED * np.cos(2 * math.pi * (times / TURN_S + rng.random()))
    return np.asarray(times[rng.random(len(times)) * (1 + ONE_SIDED) < share])


def _scratches(rng: Generator, duration_s: float) -> tuple[Levels, Levels]:
    """Seconds and dB of their ticks, one a turn, a little earlier or later, rising and falling over the turns."""
    longest_s = SCRATCH_TURNS[1] * TURN_S
    times, decibels = [np.zeros(0)], [np.zeros(0)]
    for first in rng.uniform(-longest_s, duration_s, rng.poisson((duration_s + longest_s) * SCRATCHES_A_SECOND)):
        turn = np.arange(rng.integers(*SCRATCH_TURNS))
        times.append(first + turn * TURN_S + np.cumsum(SCRATCH_WANDER_S * rng.standard_normal(len(turn))))
        height = TICK_DB + TICK_SPREAD_DB * rng.standard_normal()
        decibels.append(height + 20 * np.log10(np.sin(np.pi * (turn + 0.5) / len(turn))))
    return np.concatenate(times), np.concatenate(decibels)


def _power(ticks: Ticks, shapes: Samples, rate: int, length: int) -> float:
    """The A-weighted power of the ticks, the mean over channels and time, against the surface's."""
    weights = level.a_weighting(np.fft.rfftfreq(2 * shapes.shape[1], 1 / rate))
    spectra = np.abs(np.fft.rfft(shapes, 2 * shapes.shape[1])) * weights
    energies = (2 * (spectra**2).sum(axis=1) - spectra[:, -1] ** 2) / (2 * shapes.shape[1])
    inside = (ticks.at > -shapes.shape[1]) & (ticks.at < length)
    squares = (ticks.heights[inside] ** 2).mean(axis=1)
    return float((squares * energies[ticks.shapes[inside]]).sum() / max(length, 1))


def _add(piece: Samples, start: int, ticks: Ticks, shapes: Samples) -> None:
    """The ticks that are heard in this piece, which begins at sample `start`."""
    taps, end = shapes.shape[1], start + piece.shape[1]
    first, last = np.searchsorted(ticks.at, [start - taps + 1, end])
    for number in range(first, last):
        at = int(ticks.at[number]) - start
        inside = slice(max(at, 0), min(at + taps, piece.shape[1]))
        shape = shapes[ticks.shapes[number], inside.start - at : inside.stop - at]
        piece[:, inside] += ticks.heights[number][:, None] * shape
