"""The noises of a player: air or bow hair while a tone lasts, scratches, consonants, keys, breaths between phrases.

Noise is made in frames of 256 samples (12 ms at 22,050 Hz) with a drawn spectrum each, overlapped by half.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit.train import tones
from clefkit.train.contours import STEP, Contours
from clefkit.train.phrasing import FRICATIVE, PHRASE_GAP_S, PLOSIVE, Event, Player

Array = NDArray[np.float32]

HOP = 2 * STEP
WINDOW = 2 * HOP


class Burst(NamedTuple):
    """A noise without pitch: when (s), its gain beside a tone, a band of octaves; it dies away or is rounded."""

    start: float
    length: float
    gain: float
    hz: float
    octaves: float
    dies: bool


def noise(
    contours: Contours, phase: Array, bursts: list[Burst], player: Player, size: float, rate: int, generator: Generator
) -> Array:
    """(samples,): all noises of a line, relative to a tone of root mean square 1.

    phase: (samples,), radians, of the tone, which shakes its air
    """
    times = contours.times[::2]
    hz = np.maximum(np.fft.rfftfreq(WINDOW, 1 / rate), 20.0)
    loud = contours.gate**0.6 * 10 ** (0.7 * contours.level_db / 20)
    air = loud * (10 ** (player["air_db"] / 20) * contours.voiced + 0.3 * (1 - contours.voiced))
    gains = air[::2, None].astype(np.float32) * _air(hz, contours.formants[::2], player, size)
    for burst in bursts:
        start, end = np.searchsorted(times, [burst.start, burst.start + burst.length])
        end = max(int(end), int(start) + 1)
        through = (times[start:end] - burst.start) / burst.length
        shape = np.exp(-3 * through) if burst.dies else np.sin(np.pi * np.clip(through, 0.05, 0.95)) ** 0.5
        band = np.exp(-((np.log2(hz / burst.hz) / burst.octaves) ** 2))
        gains[start:end] += (burst.gain * shape[:, None] * band / np.sqrt(np.mean(band**2))).astype(np.float32)
    sound = _shaped(gains, len(phase), generator)
    return np.asarray(sound * (1 + np.float32(player["pulse"]) * np.sin(phase)), dtype=np.float32)


def _air(hz: NDArray[np.float64], formants: NDArray[np.float64], player: Player, size: float) -> Array:
    """(frames or 1, bins): the spectrum of the air, mean square 1."""
    away = np.log2(hz / (player["air_hz"] * size))
    decibels = -((away / player["air_octaves"]) ** 2) * 4.0 + tones.body(np.log2(hz), player, size)
    decibels = decibels[None].astype(np.float32)
    if player["formant_gain"] > 0:
        decibels = decibels + tones.bells((hz**2)[None].astype(np.float32), formants, player)
    shape = np.exp(decibels * np.float32(np.log(10) / 20))
    return np.asarray(shape / np.sqrt(np.mean(shape**2, axis=1, keepdims=True)), dtype=np.float32)


def _shaped(gains: Array, length: int, generator: Generator) -> Array:
    """White noise of mean square 1 times the gains: (frames, bins)."""
    grains = generator.standard_normal((2, *gains.shape), dtype=np.float32)
    spectrum = (grains[0] + 1j * grains[1]) * (gains * np.float32(np.sqrt(WINDOW / 2)))
    frames = np.fft.irfft(spectrum, WINDOW).astype(np.float32)
    frames *= np.sin(np.pi * (np.arange(WINDOW) + 0.5) / WINDOW).astype(np.float32)
    sound = np.zeros((len(frames) + 1) * HOP, np.float32)
    sound[:-HOP] += frames[:, :HOP].reshape(-1)
    sound[HOP:] += frames[:, HOP:].reshape(-1)
    return sound[HOP : HOP + length]


def bursts(events: list[Event], player: Player, generator: Generator) -> list[Burst]:
    """Attacks, consonants, keys and breaths of a line."""
    drawn = []
    end = 0.0
    for event in events:
        loud = (event.velocity / 80) ** 1.2
        if event.join != "slur":
            drawn += _consonant(event, loud, generator)
            gain = 10 ** ((player["chiff_db"] + generator.normal(0, 4)) / 20) * loud
            hz = player["chiff_hz"] * np.exp(generator.normal(0, 0.3))
            drawn.append(Burst(event.onset - generator.uniform(0, 0.01), player["chiff_s"], gain, hz, 1.2, dies=True))
            if event.onset - event.before_s - end > PHRASE_GAP_S and generator.random() < player["breaths"]:
                drawn.append(_breath(event, end, generator))
        elif generator.random() < player["keys"]:
            gain = 10 ** (generator.uniform(-42, -22) / 20)
            drawn.append(Burst(event.onset - 0.008, 0.008, gain, generator.uniform(800, 4000), 1.0, dies=True))
        end = event.offset
    return drawn


def _consonant(event: Event, loud: float, generator: Generator) -> list[Burst]:
    if event.consonant not in {FRICATIVE, PLOSIVE}:
        return []
    hz = float(np.exp(generator.uniform(np.log(1200), np.log(7500))))
    gain = loud * 10 ** (generator.uniform(-26, -6) / 20)
    octaves = float(generator.uniform(0.3, 1.3))
    if event.consonant == FRICATIVE:
        start = event.onset - event.before_s
        return [Burst(start, event.before_s + 0.01, gain, hz, octaves, dies=False)]
    aspired = float(generator.uniform(0.005, min(0.06, event.before_s)))
    burst = Burst(event.onset - aspired, 0.012, 1.5 * gain, hz, octaves + 0.5, dies=True)
    return [burst, Burst(event.onset - aspired, aspired + 0.01, 0.3 * gain, 1800.0, 1.5, dies=False)]


def _breath(event: Event, end: float, generator: Generator) -> Burst:
    free = event.onset - event.before_s - end
    length = min(float(generator.uniform(0.15, 0.6)), 0.7 * free)
    start = event.onset - event.before_s - length - generator.uniform(0.02, 0.2) * (free - length)
    hz = generator.uniform(900, 4000)
    return Burst(start, length, 10 ** (generator.uniform(-40, -20) / 20), hz, generator.uniform(0.7, 1.5), dies=False)
