"""A player of whom a few keys are kept, looped, and moved over the others, as small soundfonts and old cards do.

So that few recordings make many timbres for training: formants move with the pitch, by up to half an octave, a held
tone stands still after its beginning, and one loudness has to do for all. Recordings come from whoever plays:
`audition` is what is asked for, `play` makes the instrument of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit.notes import Notes, make
from clefkit.train import sampler
from clefkit.train.voices import log_uniform

Array = NDArray[np.float32]

SPACING = (4, 14)  # semitones between keys
MOST = 10  # keys
APART_S, HELD_S = 2.2, 1.6
LEAD_S = 0.01
LOOP_FROM_S = (0.08, 0.7)  # after the onset
LOOP_S = (0.005, 0.4)
SHORTEST = 200  # samples of a loop, so that a whole sample more or less is not heard as out of tune
NEAR = 0.03  # of a loop's length, within which it is moved to where the wave fits
MATCHED = 512  # samples
SLOWEST_DB_S = 2.0  # what fades less is held
RELEASE_S = (0.02, 0.25)
COARSE = 0.15  # of the instruments have 8 bits


class Tone(NamedTuple):
    """One key. samples: to the end of the loop, and its first once more; start: of it; fades: nepers a sample"""

    key: float
    samples: Array
    start: int
    fades: float


def keys(notes: Notes, generator: Generator) -> list[int]:
    """Which keys are kept, for these notes: some semitones apart."""
    if len(notes) == 0:
        return []
    apart = int(generator.integers(*SPACING))
    low, high = int(notes.pitch.min()), int(notes.pitch.max())
    every = np.arange(low + int(generator.integers(-apart // 2, apart // 2 + 1)), high + apart // 2 + 1, apart)
    if len(every) == 0:
        return [low]
    return [int(key) for key in np.unique(every[np.abs(notes.pitch[:, None] - every).argmin(axis=1)])[:MOST]]


def audition(asked: list[int], generator: Generator) -> Notes:
    """The keys one after another, each held."""
    onset = APART_S * np.arange(len(asked))
    loud = int(generator.integers(45, 115))
    return make(onset, onset + HELD_S, np.array(asked, float), np.full(len(asked), loud))


def play(recorded: Array, asked: list[int], notes: Notes, length: int, rate: int, generator: Generator) -> Array:
    """What is kept of an audition plays notes.

    recorded: the sound of `audition`; length: samples; rate: Hz
    returns: (length,), float32, about as loud as a soundfont; silent when nothing was to be heard
    """
    tones = [_tone(recorded, number, key, rate, generator) for number, key in enumerate(asked)]
    found = [tone for tone in tones if tone is not None]
    sound = np.zeros(length, np.float32)
    if not found:
        return sound
    if generator.random() < COARSE:
        found = [tone._replace(samples=np.asarray(np.rint(127 * tone.samples) / 127, np.float32)) for tone in found]
    kept = np.array([tone.key for tone in found])
    release_s = float(generator.uniform(*RELEASE_S))
    for onset, offset, pitch, velocity in zip(notes.onset, notes.offset, notes.pitch, notes.velocity, strict=True):
        tone = found[int(np.abs(kept - pitch).argmin())]
        first = round(onset * rate)
        held = round((offset - onset) * rate)
        count = min(held + round(release_s * rate), length - first)
        if count <= 0:
            continue
        fade = np.clip(1 - (np.arange(count) - held) / (release_s * rate), 0, 1)
        piece = _looped(tone, 2 ** ((pitch - tone.key) / 12), count) * fade
        sound[first : first + count] += (0.3 * (velocity / 127) ** 1.5 * piece).astype(np.float32)
    return sound


def _tone(recorded: Array, number: int, key: int, rate: int, generator: Generator) -> Tone | None:
    """A key of the audition with its loop; None when it was silent."""
    whole = recorded[round(number * APART_S * rate) : round((number * APART_S + HELD_S) * rate)]
    peak = float(np.abs(whole).max(initial=0.0))
    if peak < 1e-4 or len(whole) < rate:
        return None
    heard = int(np.argmax(np.abs(whole) > sampler.HEARD * peak))
    samples = (whole[max(0, heard - int(LEAD_S * rate)) :] / peak).astype(np.float32)
    start = int(generator.uniform(*LOOP_FROM_S) * rate)
    period = rate / (440 * 2 ** ((key - 69) / 12))
    wanted = log_uniform(generator, *LOOP_S) * rate
    length = round(max(1, round(max(wanted, SHORTEST) / period)) * period)
    if start + length * (1 + NEAR) + MATCHED + 1 > len(samples):
        return None
    end = start + _fitting(samples, start, length)
    samples = samples[:end].copy()
    blended = min(end - start, start) // 2
    weight = np.linspace(0, 1, blended, dtype=np.float32)
    samples[end - blended :] = (1 - weight) * samples[end - blended :] + weight * samples[start - blended : start]
    return Tone(key, np.append(samples, samples[start]), start, _fading(whole[heard:], rate))


def _fitting(samples: Array, start: int, length: int) -> int:
    """The length of a loop near `length` after which the wave goes on as it did at its start."""
    reach = max(1, int(NEAR * length))
    here = samples[start : start + MATCHED]
    lengths = np.arange(max(1, length - reach), length + reach + 1)
    there = np.stack([samples[start + each : start + each + MATCHED] for each in lengths])
    alike = there @ here / np.maximum(np.sqrt(np.square(there).sum(axis=1)), 1e-9)
    return int(lengths[int(alike.argmax())])


def _fading(heard: Array, rate: int) -> float:
    """How fast a tone fades, in nepers a sample; 0 for what is held."""
    early, late = (heard[round(at * rate) : round((at + 0.2) * rate)] for at in (0.1, 0.9))
    ratio = np.sqrt(np.mean(early**2, dtype=np.float64) / max(float(np.mean(late**2)) if len(late) else 0.0, 1e-12))
    decibels = 20 * np.log10(max(float(ratio), 1e-9)) / 0.8
    return float(np.clip(decibels, 0, 60) / 8.686 / rate) if decibels > SLOWEST_DB_S else 0.0


def _looped(tone: Tone, speed: float, count: int) -> NDArray[np.float64]:
    """A tone at another speed, going round its loop."""
    places = np.arange(count) * speed
    past = np.maximum(places - tone.start, 0.0)
    length = len(tone.samples) - 1 - tone.start
    inside = np.where(places < tone.start, places, tone.start + past % length)
    return np.asarray(
        np.interp(inside, np.arange(len(tone.samples)), tone.samples) * np.exp(-tone.fades * past / speed)
    )
