"""The voices of an audience or a restaurant: babble of 20 to 60 people in a room, of whom none can be understood.

Thirty-two phrases are synthesised once, each by a speaker of its own, as source and filter (Fant, Acoustic theory of
speech production, 1960): pulses at a pitch that rises and falls, through the formants of vowels (men's averages from
Peterson and Barney, Control methods used in a study of the vowels, 1952, higher for women), and noise for consonants,
in syllables of 0.12 to 0.35 s, which is the modulation of 3 to 8 Hz that speech has. A crowd is many of them, drawn
from a Poisson process at levels that fall with distance, in a room that decays in 0.7 s. Its spectrum is that of
speech, on average over languages (Byrne and others, An international comparison of long-term average speech spectra,
1994).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import audio
from clefkit.audio import Audio, Samples
from clefkit.augment import convolve, curve, level
from clefkit.augment.curve import Levels

if TYPE_CHECKING:
    from numpy.random import Generator

PIECE = 2**18
VOICES = (20.0, 60.0)
NEAREST_M, FARTHEST_M = 1.5, 8.0

PHRASES = 32
PHRASE_S = 3.0
SPEECH_HZ = 24_000
FRAME, HOP = 512, 256
CONTROL_HZ = 200
SYLLABLE_S = (0.12, 0.35)
PAUSE, PAUSE_S = 0.12, (0.15, 0.4)  # how often a syllable is followed by one, and how long
MEN_HZ, WOMEN_HZ = (95, 140), (170, 225)
WOMEN_FORMANTS = 1.17
VOWELS_HZ = np.array(
    [[270, 2290, 3010], [390, 1990, 2550], [530, 1840, 2480], [660, 1720, 2410], [730, 1090, 2440], [570, 840, 2410],
     [440, 1020, 2240], [300, 870, 2240], [640, 1190, 2390], [490, 1350, 1690]],
    np.float64,
)  # fmt: skip
HIGHER_FORMANTS_HZ = (3500, 4500)
BANDWIDTHS_HZ = (70, 100, 140, 220, 280)
DECAY_S = 0.7
ROOM_DB = 3.0  # its sound against the direct one
CONSONANT_DB, BREATH_DB = -10.0, -26.0  # against the vowels
# Levels of speech in thirds of an octave. Above, they go on as they are; the voices end at 12 kHz.
SPEECH_DB = {
    100: 54.4, 125: 57.7, 160: 56.8, 200: 60.2, 250: 60.3, 315: 59.0, 400: 62.1, 500: 62.1, 630: 60.5, 800: 56.8,
    1000: 53.7, 1250: 53.0, 1600: 52.0, 2000: 48.7, 2500: 48.1, 3150: 46.8, 4000: 45.6, 5000: 44.5, 6300: 44.3,
    8000: 43.7, 10_000: 43.4,
}  # fmt: skip


class Bank(NamedTuple):
    """phrases: (PHRASES, samples); room: (2, taps), with the spectrum; energies: A-weighted, in the room, (PHRASES,)"""

    phrases: Samples
    room: Samples
    energies: Levels


class Voices(NamedTuple):
    """When each phrase begins (samples, in order), which it is, and its gain on each channel (events, channels)."""

    at: NDArray[np.int64]
    phrase: NDArray[np.int64]
    gains: Samples


def pieces(rng: Generator, shape: tuple[int, ...], rate: int) -> Iterator[Samples]:
    """An A-weighted mean level of 0 dB. yields: (channels, up to 2**18 samples), float32"""
    bank = _bank(rate)
    room = bank.room[: shape[0]]
    taps = room.shape[1]
    voices = _voices(rng, shape, bank)
    before = _mixed(voices, bank, 1 - taps, 0)
    for start in range(0, shape[1], PIECE):
        dry = _mixed(voices, bank, start, min(start + PIECE, shape[1]))
        joined = np.concatenate([before, dry], axis=1)
        before = joined[:, 1 - taps :]
        yield convolve.convolve(joined, room, lead=taps - 1, length=dry.shape[1])


def _voices(rng: Generator, shape: tuple[int, ...], bank: Bank) -> Voices:
    """All phrases of the whole sound, and those before it whose sound is still in the room."""
    channels, length = shape
    earliest = -bank.phrases.shape[1] - bank.room.shape[1]
    count = rng.poisson(rng.uniform(*VOICES) * (length - earliest) / bank.phrases.shape[1])
    at = np.sort(rng.integers(earliest, length, count))
    phrase = rng.integers(PHRASES, size=count)
    distance = np.sqrt(rng.uniform(NEAREST_M**2, FARTHEST_M**2, count))  # as many on each square metre
    side = rng.uniform(0.1, 0.9, count) * np.pi / 2
    sides = math.sqrt(2) * np.stack([np.cos(side), np.sin(side)], axis=1) if channels == 2 else np.ones((count, 1))
    inside = np.minimum(at + bank.phrases.shape[1], length) - np.maximum(at, 0)
    heard = np.clip(inside / bank.phrases.shape[1], 0, 1)
    power = float((heard * bank.energies[phrase] / distance**2).sum()) / max(length, 1)
    gains = sides / distance[:, None] / math.sqrt(power) if power > 0 else 0 * sides
    return Voices(at, phrase, gains.astype(np.float32))


def _mixed(voices: Voices, bank: Bank, start: int, end: int) -> Samples:
    """The voices from one sample to another, without the room. returns: (channels, samples)"""
    out = np.zeros((voices.gains.shape[1], end - start), np.float32)
    first, last = np.searchsorted(voices.at, [start - bank.phrases.shape[1] + 1, end])
    for number in range(first, last):
        at = int(voices.at[number]) - start
        inside = slice(max(at, 0), min(at + bank.phrases.shape[1], end - start))
        phrase = bank.phrases[voices.phrase[number], inside.start - at : inside.stop - at]
        for channel, gain in zip(out, voices.gains[number], strict=True):
            channel[inside] += gain * phrase
    return out


@lru_cache(maxsize=1)
def _bank(rate: int) -> Bank:
    """The phrases and the room at that rate. They are the same for every crowd, so they are made once."""
    rng = np.random.default_rng(0)
    spoken = np.stack([_phrase(rng, woman=number % 2 == 1) for number in range(PHRASES)])
    phrases = audio.resample(Audio(spoken, SPEECH_HZ), rate).samples
    room = _room(rng, rate, _equaliser(spoken))
    size = 1 << math.ceil(math.log2(phrases.shape[1] + room.shape[1]))
    weights = (np.abs(np.fft.rfft(room, size)) * level.a_weighting(np.fft.rfftfreq(size, 1 / rate))) ** 2
    energies = [
        2 * float((np.abs(np.fft.rfft(each, size)) ** 2 * weights.mean(axis=0)).sum()) / size for each in phrases
    ]
    return Bank(phrases, room, np.array(energies))


def _room(rng: Generator, rate: int, spectrum: curve.Curve) -> Samples:
    """A direct sound and a decay that is another in each channel, with the spectrum of speech. returns: (2, taps)"""
    time = np.arange(round(DECAY_S * rate)) / rate
    decay = rng.standard_normal((2, len(time))) * 10 ** (-3 * time / DECAY_S)
    decay *= 10 ** (ROOM_DB / 20) / np.sqrt((decay**2).sum(axis=1, keepdims=True))
    decay[:, 0] += 1
    return convolve.convolve(decay.astype(np.float32), curve.response(spectrum, rate).samples)


def _equaliser(spoken: Samples) -> curve.Curve:
    """What makes the average of these phrases the average of speech."""
    hertz = np.fft.rfftfreq(spoken.shape[1], 1 / SPEECH_HZ)
    power = (np.abs(np.fft.rfft(spoken)) ** 2).mean(axis=0)
    corners = []
    for middle, wanted_db in SPEECH_DB.items():
        inside = (hertz >= middle * 2 ** (-1 / 6)) & (hertz < middle * 2 ** (1 / 6))
        corners.append((float(middle), wanted_db - 10 * math.log10(power[inside].sum())))
    return curve.through(corners)


def _phrase(rng: Generator, *, woman: bool) -> Samples:
    """One speaker's phrase, of nothing that means anything. returns: (samples,), SPEECH_HZ"""
    steps = round(PHRASE_S * CONTROL_HZ)
    pitch, vowel, consonant = np.ones(steps), np.zeros(steps), np.zeros(steps)
    formants = np.tile(VOWELS_HZ[0], (steps, 1))
    start = 0
    while start < steps:
        long = round(rng.uniform(*SYLLABLE_S) * CONTROL_HZ)
        here = slice(start, min(start + long, steps))
        time = (np.arange(long) / long)[: here.stop - here.start]
        stress = 10 ** (rng.normal(0, 3) / 20)
        onset = rng.uniform(0.15, 0.4)
        vowel[here] = stress * np.sin(np.pi * np.clip((time - onset / 2) / (1 - onset / 2), 0, 1)) ** 0.7
        consonant[here] = stress * rng.uniform(0, 1) * np.sin(np.pi * np.clip(time / onset, 0, 1))
        pitch[here] = rng.normal(1.0, 0.1)
        formants[here] = VOWELS_HZ[rng.integers(len(VOWELS_HZ))]
        start += long + (round(rng.uniform(*PAUSE_S) * CONTROL_HZ) if rng.random() < PAUSE else 0)
    usual = rng.uniform(*(WOMEN_HZ if woman else MEN_HZ))
    hertz = _smooth(pitch) * np.linspace(1.12, 0.88, steps) * usual
    tracks = np.stack([_smooth(each) for each in formants.T], axis=1) * (WOMEN_FORMANTS if woman else 1.0)
    return _spoken(rng, hertz, vowel, consonant, tracks)


def _smooth(track: Levels) -> Levels:
    """Mouths take some 50 ms to move."""
    window = np.hanning(15)
    return np.asarray(np.convolve(np.pad(track, 7, "edge"), window / window.sum(), "valid"), np.float64)


def _spoken(rng: Generator, pitch: Levels, vowel: Levels, consonant: Levels, formants: Levels) -> Samples:
    """Source and filter. pitch, vowel, consonant: (steps,); formants: (steps, 3)"""
    count = round(PHRASE_S * SPEECH_HZ)
    at = np.arange(count) * (CONTROL_HZ / SPEECH_HZ)
    grid = np.arange(len(pitch))
    turns = np.cumsum(np.interp(at, grid, np.clip(pitch, 90, 250))) / SPEECH_HZ
    breath, hiss = rng.standard_normal((2, count))
    source = (1 - 2 * (turns % 1.0) + 10 ** (BREATH_DB / 20) * breath) * np.interp(at, grid, vowel)
    frames = np.arange(0, count, HOP) * (CONTROL_HZ / SPEECH_HZ)
    hertz = np.fft.rfftfreq(FRAME, 1 / SPEECH_HZ)
    tracks = [np.interp(frames, grid, track)[:, None] for track in formants.T] + [
        np.array(each) for each in HIGHER_FORMANTS_HZ
    ]
    mouth = np.ones((len(frames), len(hertz)))
    for track, width in zip(tracks, BANDWIDTHS_HZ, strict=True):
        mouth /= np.sqrt((1 - (hertz / track) ** 2) ** 2 + (hertz * width / track**2) ** 2)
    teeth = 1 / (1 + ((hertz - rng.uniform(3000, 7000)) / rng.uniform(1000, 2500)) ** 2)
    voiced = _filtered(source, mouth)
    unvoiced = _filtered(hiss * np.interp(at, grid, consonant), teeth)
    spoken = voiced / voiced.std() + 10 ** (CONSONANT_DB / 20) * unvoiced / unvoiced.std()
    edge = np.minimum(1, np.minimum(np.arange(count), np.arange(count)[::-1]) / (0.02 * SPEECH_HZ))
    return np.asarray(spoken / spoken.std() * edge, np.float32)


def _filtered(source: Levels, gains: Levels) -> Levels:
    """Frames of the source, each through gains of its own. gains: (frames or 1, bins)"""
    window = np.sqrt(np.hanning(FRAME + 1)[:FRAME])
    padded = np.pad(source, (HOP, FRAME))
    starts = range(0, len(source), HOP)
    frames = np.stack([padded[start : start + FRAME] for start in starts]) * window
    heard = np.fft.irfft(np.fft.rfft(frames) * gains, FRAME) * window
    out = np.zeros(len(padded))
    for start, frame in zip(starts, heard, strict=True):
        out[start : start + FRAME] += frame
    return out[HOP : HOP + len(source)]
