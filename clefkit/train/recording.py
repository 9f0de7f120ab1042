"""What lies between the instruments and the file: a room, a microphone, noise, a level.

Half of the recordings go through a chain of our own, drawn anew each time; the other half through a preset of
`augment`, of any level, but those that `heldout` keeps for the test. In our own chain rooms are made up (early echoes
and an exponentially decaying, darkening tail; the direct sound stays where it was), so that no response is learned by
heart; all linear parts are one multiplication in the frequency domain over the whole excerpt.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit import augment, registry
from clefkit.audio import Audio
from clefkit.notes import Notes
from clefkit.train.heldout import HELD_OUT_PRESETS

Array = NDArray[np.float32]

OWN_CHAIN = 0.5
LEVELS = (0.4, 0.35, 0.25)  # how often a preset of level 1, 2, 3 is drawn


def somewhere(
    dry: Array, notes: Notes, rate: int, generator: Generator, speech: Array | None = None
) -> tuple[Array, Notes]:
    """The sound recorded somewhere, and the notes where they are in it.

    dry: (samples,), float32; speech: somebody who talks meanwhile, at `rate`
    """
    if generator.random() < OWN_CHAIN or not dry.any():
        return record(dry, rate, generator, speech, hall=generator.random() < 0.2), notes
    names = _presets()[int(generator.choice(3, p=LEVELS))]
    chosen = names[int(generator.integers(len(names)))]
    if speech is not None:
        dry = _spoken(dry, speech, generator)
    level = 10 ** (-generator.uniform(3, 24) / 20) / max(float(np.abs(dry).max()), 1e-6)
    sound, clock = augment.apply(Audio(dry[None] * np.float32(level), rate), chosen, generator)
    moved = clock.moved(notes)
    return sound.samples.mean(axis=0), replace(moved, pitch=notes.pitch)


@lru_cache(maxsize=1)
def _presets() -> tuple[tuple[str, ...], ...]:
    """The presets that training may use, by level."""
    levels = {name: int(registry.preset(name).get("level", 0)) for name in sorted(registry.presets())}
    return tuple(
        tuple(name for name, level in levels.items() if level == wanted and name not in HELD_OUT_PRESETS)
        for wanted in (1, 2, 3)
    )


def record(dry: Array, rate: int, generator: Generator, speech: Array | None = None, hall: bool = False) -> Array:
    """Draw a recording chain and send the sound through it.

    dry: (samples,), float32; the silence of no music is fine
    speech: somebody who talks meanwhile, at `rate`
    hall: always in a room, and in a large one, often far away
    returns: (samples,), float32, peak between -30 and -1 dB
    """
    size = len(dry)
    padded = 1 << int(np.ceil(np.log2(size + rate)))
    response = microphone(padded, rate, generator)
    if generator.random() < 0.5 or hall:
        response = response * np.fft.rfft(room(rate, generator, hall), padded)
    wet = np.fft.irfft(np.fft.rfft(dry, padded) * response, padded)[:size].astype(np.float32)
    if generator.random() < 0.1:  # driven a little too hard
        drive = generator.uniform(1, 4) / max(float(np.abs(wet).max()), 1e-6)
        wet = np.tanh(wet * np.float32(drive))
    loudness = float(np.sqrt(np.mean(wet**2)))
    reference = loudness if loudness > 1e-6 else 0.05
    wet = wet + noise(size, rate, generator) * np.float32(reference * 10 ** (-generator.uniform(18, 70) / 20))
    if speech is not None:
        wet = _spoken(wet, speech, generator)
    peak_db = generator.uniform(-30, -1) if generator.random() < 0.5 else -generator.uniform(1, 6)
    peak = 10 ** (peak_db / 20)
    return np.asarray(wet * np.float32(peak / max(float(np.abs(wet).max()), 1e-6)), dtype=np.float32)


def _spoken(sound: Array, speech: Array, generator: Generator) -> Array:
    """With somebody who talks in it, 12 to 30 dB below; alone where there is nothing else."""
    start = int(generator.integers(0, max(1, len(sound) - len(speech))))
    voice = speech[: len(sound) - start]
    loudness = float(np.sqrt(np.mean(sound**2)))
    wanted = loudness * 10 ** (-generator.uniform(12, 30) / 20) if loudness > 1e-4 else 0.05
    result = sound.copy()
    result[start : start + len(voice)] += np.float32(wanted / float(np.sqrt(np.mean(voice**2)))) * voice
    return result


def microphone(padded: int, rate: int, generator: Generator) -> NDArray[np.complex128]:
    """A gain over frequency: tilt, two broad bands, sometimes a missing bottom or top."""
    octaves = np.log2(np.maximum(np.fft.rfftfreq(padded, 1 / rate), 10.0) / 1000)
    gain_db = generator.normal(0, 1.2) * octaves
    for _ in range(2):
        gain_db += generator.normal(0, 4) * np.exp(-(((octaves - generator.uniform(-4, 3)) / 0.7) ** 2))
    if generator.random() < 0.2:
        gain_db -= 12 * np.maximum(np.log2(generator.uniform(60, 300) / 1000) - octaves, 0)
    if generator.random() < 0.2:
        gain_db -= 12 * np.maximum(octaves - np.log2(generator.uniform(2500, 8000) / 1000), 0)
    return np.asarray(10 ** (np.clip(gain_db, -60, 18) / 20), dtype=np.complex128)


def room(rate: int, generator: Generator, hall: bool) -> Array:
    """A response that begins with the direct sound at sample 0, of height 1."""
    decay_s = float(np.exp(generator.uniform(np.log(1.0 if hall else 0.2), np.log(3.5))))
    size = int(min(decay_s, 2.5) * rate)
    time = np.arange(size) / rate
    tail = generator.standard_normal(size)
    bright = np.exp(-6.9 * time / decay_s)
    dull = np.convolve(generator.standard_normal(size), np.ones(8) / 8**0.5, mode="same")  # a gentle low pass
    tail = tail * np.exp(-6.9 * time / (decay_s * generator.uniform(0.3, 0.7))) + dull * bright
    predelay = int(generator.uniform(0.001, 0.03) * rate)
    tail[:predelay] = 0
    response = tail * np.clip((np.arange(size) - predelay) / (0.02 * rate), 0.05, 1)
    for _ in range(int(generator.integers(3, 12))):
        at = int(generator.uniform(0.001, 0.06) * rate)
        response[min(at, size - 1)] += generator.choice([-1, 1]) * generator.uniform(0.3, 1) * np.abs(tail).max()
    direct_db = generator.uniform(-10, 8) if hall else generator.uniform(-8, 14)  # direct to reverberant energy
    response *= 10 ** (-direct_db / 20) / np.sqrt(np.sum(response**2))
    response[0] += 1
    return response.astype(np.float32)


def noise(size: int, rate: int, generator: Generator) -> Array:
    """Coloured noise of RMS 1, sometimes with mains hum or clicks."""
    frequency = np.maximum(np.fft.rfftfreq(size, 1 / rate), 20.0)
    spectrum = np.fft.rfft(generator.standard_normal(size)) * frequency ** -generator.uniform(0, 1.0)
    sound = np.fft.irfft(spectrum, size)
    sound /= np.sqrt(np.mean(sound**2))
    if generator.random() < 0.2:
        time = np.arange(size) / rate
        mains = float(generator.choice([50.0, 60.0]))
        for number in range(1, 8):
            sound += generator.uniform(0, 1.5) / number * np.sin(2 * np.pi * mains * number * time)
    if generator.random() < 0.1:
        clicks = generator.integers(0, size, int(generator.integers(3, 60)))
        sound[clicks] += generator.uniform(-40, 40, len(clicks))
    return np.asarray(sound, dtype=np.float32)
