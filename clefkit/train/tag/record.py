"""What lies between a mixture and the network, made up anew each time: a microphone, a room, noise, a level.

As `recording`, but all of it in one multiplication in the frequency domain and in single precision, since training
needs a hundred seconds of it in every second (`somewhere`); or, many times as fast, on the energies in the bands that
the network sees (`in_bands`), where an equaliser is a factor, noise a sum, and a room a decay of its own in each band.
Rooms are drawn among ROOMS.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit.tag import hearing
from clefkit.tag.hearing import HOP, RATE
from clefkit.train import recording

Array = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

ROOMS = 192
IN_ROOM, IN_HALL = 0.45, 0.2
NARROW = 0.15  # how often the bottom is missing, and the top: telephones, old records
DRIVEN = 0.08
CLEAN = 0.15
TAIL_S = 1.5  # of silence after the sound, so that a room doesn't come round to its beginning
MOST_MOVED = 3.0  # semitones
STEPS = 12  # of the places in between, to each side
RINGS_DB_S = (40.0, 300.0)  # how fast what rings dies away
GRID = np.linspace(-5.5, 3.6, 128)  # octaves from 1 kHz
NOISE_S = 30.0


def somewhere(dry: Array, generator: Generator) -> Array:
    """A sound as it is recorded somewhere.

    dry: (samples,), float32, at 22,050 Hz; silence gets noise, too
    returns: (samples,), float32, peak between -30 and -1 dB
    """
    from scipy import fft

    if generator.random() < CLEAN:
        return _at_some_level(dry, generator)
    size = 1 << int(np.ceil(np.log2(len(dry) + TAIL_S * RATE)))
    spectrum = np.asarray(fft.rfft(dry, size), np.complex64)
    octaves = _octaves(size)
    spectrum *= np.interp(octaves, GRID, _curve(generator)).astype(np.float32)
    if generator.random() < IN_ROOM:
        spectrum *= _room(int(generator.integers(ROOMS)), size)
    reference = float(np.sqrt(np.mean(dry**2, dtype=np.float64))) or 0.02
    snr_db = generator.uniform(15, 70)
    spectrum += _noise(octaves, reference * 10 ** (-snr_db / 20), size, generator)
    wet = np.asarray(fft.irfft(spectrum, size), np.float32)[: len(dry)]
    if generator.random() < DRIVEN:  # a little too hard
        wet = np.tanh(wet * np.float32(generator.uniform(1, 4) / max(float(np.abs(wet).max()), 1e-6)))
    return _at_some_level(wet, generator)


def in_bands(dry: Array, generator: Generator) -> Array:
    """The same for the energies of a sound, but for its level, and what drives it too hard.

    dry: (channels, frames, bands), as `hearing.energies`; silence gets noise, too
    """
    if generator.random() < CLEAN:
        return dry
    octaves = _band_octaves()
    wet = dry * colour(generator)
    if generator.random() < IN_ROOM:
        wet = _reverberant(wet, _decays(int(generator.integers(ROOMS))))
    reference = float(dry[0].sum(axis=1).mean(dtype=np.float64)) or 1e-3
    noise = _white()
    start = int(generator.integers(noise.shape[1] - dry.shape[1]))
    falling = 2 ** (-2 * generator.uniform(0, 1.0) * octaves)
    noise = noise[:, start : start + dry.shape[1]] * falling.astype(np.float32)
    snr_db = generator.uniform(15, 70)
    level = np.float32(reference * 10 ** (-snr_db / 10) / noise[0].sum(axis=1).mean())
    return np.asarray(wet + noise * level, np.float32)


def colour(generator: Generator) -> Array:
    """(bands,): by how much an equaliser multiplies energies."""
    return np.square(np.interp(_band_octaves(), GRID, _curve(generator))).astype(np.float32)


def ringing(energies: Array, fades_db_s: float) -> Array:
    """Energies that fall no faster than that: keys that are let go slowly, strings that nobody damps."""
    keeps = np.float32(10 ** (-fades_db_s * HOP / RATE / 10))
    result = energies.copy()
    for frame in range(1, result.shape[1]):
        np.maximum(result[:, frame], keeps * result[:, frame - 1], out=result[:, frame])
    return result


def moved(by: float) -> Array:
    """(bands, bands): multiplies energies to move them, as a recording that runs faster or slower. by: -1 to 1"""
    return _moving(round(by * STEPS))


@lru_cache(maxsize=2 * STEPS + 1)
def _moving(step: int) -> Array:
    """Each band of the result has what was at its frequency before, between two bands if need be."""
    centres = hearing.centres_hz()
    places = np.interp(centres / 2 ** (MOST_MOVED * step / STEPS / 12), centres, np.arange(len(centres)))
    before = np.arange(len(centres))[:, None]
    return np.asarray(np.clip(1 - np.abs(places - before), 0, None), np.float32)


def _reverberant(dry: Array, decays: NDArray[np.float64]) -> Array:
    """Energies, spread over time as a room does. decays: (frames, bands)"""
    size = 1 << (dry.shape[1] + len(decays) - 1).bit_length()
    spectrum = np.fft.rfft(dry.astype(np.float64), size, axis=1) * np.fft.rfft(decays, size, axis=0)
    return np.asarray(np.maximum(np.fft.irfft(spectrum, size, axis=1)[:, : dry.shape[1]], 0), np.float32)


@lru_cache(maxsize=ROOMS)
def _decays(number: int) -> NDArray[np.float64]:
    """(frames, bands): the energy of a room's response in each band, frame by frame, of TAIL_S."""
    response = _response(number)[: int(TAIL_S * RATE)]
    pieces = np.pad(response, (0, -len(response) % HOP)).reshape(-1, HOP)
    weights = hearing.band_weights()
    spectrum = np.square(np.abs(np.fft.rfft(pieces, hearing.WINDOWS[0], axis=1)))
    return np.asarray(spectrum @ (weights / weights.sum(axis=0)), np.float64)


@lru_cache(maxsize=1)
def _white() -> Array:
    """Energies of white noise."""
    return hearing.energies(np.random.default_rng(0).standard_normal(int(NOISE_S * RATE), dtype=np.float32))


@lru_cache(maxsize=1)
def _band_octaves() -> NDArray[np.float64]:
    return np.log2(hearing.centres_hz() / 1000)


def _at_some_level(sound: Array, generator: Generator) -> Array:
    wanted = 10 ** (-generator.uniform(1, 30) / 20)
    return np.asarray(sound * np.float32(wanted / max(float(np.abs(sound).max()), 1e-6)), np.float32)


@lru_cache(maxsize=4)
def _octaves(size: int) -> NDArray[np.float64]:
    return np.log2(np.maximum(np.arange(size // 2 + 1) * RATE / size, 20.0) / 1000)


@lru_cache(maxsize=4 * ROOMS)
def _room(number: int, size: int) -> Spectrum:
    from scipy import fft

    return np.asarray(fft.rfft(_response(number)[:size], size), np.complex64)


@lru_cache(maxsize=ROOMS)
def _response(number: int) -> Array:
    generator = np.random.default_rng([number])
    return np.asarray(recording.room(RATE, generator, hall=generator.random() < IN_HALL), np.float32)


def _curve(generator: Generator) -> NDArray[np.float64]:
    """A gain on GRID: tilt, two broad bands, sometimes a missing bottom or top."""
    gain_db = generator.normal(0, 1.5) * GRID
    for _ in range(2):
        gain_db += generator.normal(0, 4) * np.exp(-(((GRID - generator.uniform(-4, 3)) / 0.7) ** 2))
    if generator.random() < NARROW:
        gain_db -= 14 * np.maximum(np.log2(generator.uniform(60, 350) / 1000) - GRID, 0)
    if generator.random() < NARROW:
        gain_db -= 14 * np.maximum(GRID - np.log2(generator.uniform(2500, 8000) / 1000), 0)
    return np.asarray(10 ** (np.clip(gain_db, -60, 18) / 20))


def _noise(octaves: NDArray[np.float64], level: float, size: int, generator: Generator) -> Spectrum:
    """The spectrum of coloured noise, sometimes with mains hum. level: root mean square"""
    colour = 2 ** (-generator.uniform(0, 1.0) * octaves)
    if generator.random() < 0.1:
        for harmonic in range(1, 6):
            at = round(float(generator.choice([50.0, 60.0])) * harmonic * size / RATE)
            colour[at] += generator.uniform(0, 60) / harmonic
    colour *= level * size / np.sqrt(2 * np.sum(colour**2))
    phases = generator.standard_normal((2, len(colour)), dtype=np.float32) * colour.astype(np.float32)
    return np.asarray((phases[0] + 1j * phases[1]) / np.float32(np.sqrt(2)), np.complex64)
