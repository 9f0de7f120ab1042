"""Organs and accordions made up for training: sums of harmonics, every one another registration.

Few fonts and nobody's single notes have them, and each registration is a timbre of its own. An organ has drawbars (a
sine each, Hammond's footages, perhaps a rotating loudspeaker and a drive), or pipes (flutes, stopped ones, principals,
strings, reeds in several footages), or transistors (square and saw waves through a filter). An accordion has one to
four rows of reeds, some a little out of tune on purpose, and bellows. Held tones start and stop at once, and don't
change.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit.notes import Notes
from clefkit.train import voices
from clefkit.train.voices import log_uniform

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

KINDS = ("organ", "accordion")
TABLE = 2048
BODY_HZ = 60.0  # where the body's curve begins, in octaves up from there
BODY_OCTAVES, BODY_PER_OCTAVE = 8, 2
DRAWBARS = (0.5, 1.5, 1, 2, 3, 4, 5, 6, 8)
PIPES = (0.5, 1, 1, 1, 1, 2, 2, 3, 4, 6, 8)
ROWS = ((1.0,), (1, 1), (1, 1, 1), (0.5, 1), (0.5, 1, 1), (1, 2), (0.5, 1, 2), (0.5, 1, 1, 2))


class Rank(NamedTuple):
    """One row of pipes, reeds or tone wheels.

    ratio: of its frequency to that of the key; gain; cents: out of tune; decibels: of its harmonics
    tilt_db: an octave, of those after the list; cutoff_hz: above it, 12 dB an octave less
    """

    ratio: float
    gain: float
    cents: float
    decibels: tuple[float, ...]
    tilt_db: float
    cutoff_hz: float


class Player(NamedTuple):
    """One registration.

    body_db: of frequencies; attack_s, release_s; chiff: noise at the beginning, its gain; shakes: Hz
    cents, decibels: how far it shakes; drive: 0 for none; bellows_db: how much loudness wanders
    """

    ranks: tuple[Rank, ...]
    body_db: Floats
    attack_s: float
    release_s: float
    chiff: float
    shakes: float = 5.0
    cents: float = 0.0
    decibels: float = 0.0
    drive: float = 0.0
    bellows_db: float = 0.0


def draw(generator: Generator, kind: str) -> Player:
    """A registration. kind: one of KINDS"""
    if kind == "accordion":
        return _accordion(generator)
    makers = (_drawbars, _pipes, _transistors)
    return makers[int(generator.choice(len(makers), p=(0.4, 0.4, 0.2)))](generator)


def play(notes: Notes, player: Player, length: int, rate: int, generator: Generator) -> Array:
    """Notes on one registration.

    length: samples; rate: Hz
    returns: (length,), float32, -20 dB RMS while it plays
    """
    sound = np.zeros(length)
    seconds = np.arange(length) / rate
    shaking = np.sin(2 * np.pi * (player.shakes * seconds + generator.random()))
    bent = np.cumsum(2 ** (player.cents * shaking / 1200)) / rate  # seconds as they go for a phase
    for onset, offset, pitch in zip(notes.onset, notes.offset, notes.pitch, strict=True):
        first, held = round(onset * rate), round((offset - onset) * rate)
        count = min(held + round(player.release_s * rate), length - first)
        if count <= 0:
            continue
        rise = np.clip((np.arange(count) + 1) / (player.attack_s * rate), 0, 1)
        fall = np.clip(1 - (np.arange(count) - held) / (player.release_s * rate), 0, 1)
        time = bent[first : first + count]
        key = 440 * 2 ** ((pitch - 69) / 12)
        tone = np.zeros(count)
        for rank in player.ranks:
            hz = key * rank.ratio * 2 ** (rank.cents / 1200)
            tone += rank.gain * _wave(rank, hz, player, rate, time, generator)
        tone += player.chiff * generator.standard_normal(count) * np.exp(-np.arange(count) / (0.02 * rate))
        sound[first : first + count] += tone * np.minimum(rise, fall)
    sound *= 10 ** (player.decibels * shaking / 20)
    sound *= 10 ** (player.bellows_db * _wandering(length, rate, generator) / 20)
    return voices.levelled(_driven(sound, player.drive).astype(np.float32), rate)


def _wave(rank: Rank, hz: float, player: Player, rate: int, time: Floats, generator: Generator) -> Floats:
    """A rank at one pitch, with as many harmonics as there is room for."""
    count = min(TABLE // 2 - 1, int(0.47 * rate / hz))
    if count < 1:
        return np.zeros(len(time))
    number = np.arange(1, count + 1)
    own = np.array(rank.decibels[:count])
    tilted = own[-1] + rank.tilt_db * np.log2(np.maximum(number / len(rank.decibels), 1))
    decibels = np.concatenate([own, tilted[len(own) :]])
    decibels = decibels - 12 * np.log2(np.maximum(number * hz / rank.cutoff_hz, 1))
    octaves = BODY_PER_OCTAVE * np.log2(np.maximum(number * hz / BODY_HZ, 1))
    decibels = decibels + np.interp(octaves, np.arange(len(player.body_db)), player.body_db)
    spectrum = np.zeros(TABLE // 2 + 1, complex)
    spectrum[1 : count + 1] = 10 ** (decibels / 20) * np.exp(2j * np.pi * generator.random(count))
    table = np.fft.irfft(spectrum, TABLE) * TABLE / 2
    phase = (hz * time + generator.random()) % 1
    return np.asarray(np.interp(phase, np.arange(TABLE + 1) / TABLE, np.append(table, table[0])))


def _drawbars(generator: Generator) -> Player:
    steps = generator.integers(0, 9, len(DRAWBARS)) * (generator.random(len(DRAWBARS)) < 0.6)
    steps[int(generator.integers(0, 4))] = 8
    ranks = tuple(
        Rank(ratio, 10 ** (3 * (step - 8) / 20), 0.0, (0.0, float(generator.uniform(-60, -35))), -20.0, 8000.0)
        for ratio, step in zip(DRAWBARS, steps.tolist(), strict=True)
        if step
    )
    rotating = generator.choice(3, p=(0.35, 0.25, 0.4))
    return Player(
        ranks,
        body_db=_body(generator, 2.0),
        attack_s=log_uniform(generator, 0.002, 0.012),
        release_s=log_uniform(generator, 0.006, 0.03),
        chiff=log_uniform(generator, 0.003, 0.3),
        shakes=(5.0, float(generator.uniform(0.6, 1.0)), float(generator.uniform(5.5, 7.2)))[rotating],
        cents=float((0, generator.uniform(2, 8), generator.uniform(4, 18))[rotating]),
        decibels=float((0, generator.uniform(0.5, 2), generator.uniform(0.5, 3))[rotating]),
        drive=float(generator.choice([0.0, 1.0]) * generator.uniform(0.5, 3)),
    )


def _pipes(generator: Generator) -> Player:
    ranks = []
    for ratio in generator.choice(PIPES, int(generator.integers(1, 7))):
        kind = int(generator.choice(5, p=(0.3, 0.15, 0.3, 0.1, 0.15)))
        decibels: tuple[float, ...] = (
            (0.0, float(generator.uniform(-28, -12)), float(generator.uniform(-36, -20))),
            (0.0, -45.0, float(generator.uniform(-24, -8)), -50.0, float(generator.uniform(-36, -20))),
            (0.0, float(generator.uniform(-14, 0)), float(generator.uniform(-18, -4))),
            (0.0, float(generator.uniform(-4, 6)), float(generator.uniform(-6, 6))),
            (0.0, float(generator.uniform(-6, 4)), float(generator.uniform(-6, 4))),
        )[kind]
        tilt = float(generator.uniform(*((-20, -10), (-20, -10), (-14, -7), (-9, -5), (-7, -3))[kind]))
        celeste = generator.random() < 0.12
        cents = float(generator.uniform(6, 14) if celeste else generator.normal(0, 1.5))
        gain, cutoff = float(generator.uniform(0.3, 1)), log_uniform(generator, 1500, 9000)
        ranks.append(Rank(float(ratio), gain, cents, decibels, tilt, cutoff))
    shaking = generator.random() < 0.15
    return Player(
        tuple(ranks),
        body_db=_body(generator, 3.0),
        attack_s=log_uniform(generator, 0.012, 0.09),
        release_s=log_uniform(generator, 0.03, 0.15),
        chiff=log_uniform(generator, 0.003, 0.2),
        shakes=float(generator.uniform(3.5, 6.5)),
        cents=float(shaking * generator.uniform(2, 12)),
        decibels=float(shaking * generator.uniform(0.3, 2)),
        bellows_db=float(generator.uniform(0, 0.5)),
    )


def _transistors(generator: Generator) -> Player:
    square = generator.random() < 0.5
    decibels = (0.0, -50.0, -9.5, -50.0, -14.0) if square else (0.0, -6.0, -9.5)
    footages = generator.choice((0.5, 1, 1, 2, 4), int(generator.integers(1, 4)))
    ranks = tuple(
        Rank(float(ratio), float(generator.uniform(0.3, 1)), float(generator.normal(0, 2)), decibels, -6.0,
             log_uniform(generator, 900, 7000))
        for ratio in footages
    )  # fmt: skip
    return Player(
        ranks,
        body_db=_body(generator, 3.0),
        attack_s=log_uniform(generator, 0.003, 0.02),
        release_s=log_uniform(generator, 0.006, 0.06),
        chiff=log_uniform(generator, 0.002, 0.08),
        shakes=float(generator.uniform(5, 7)),
        cents=float(generator.choice([0.0, 1.0]) * generator.uniform(3, 25)),
        drive=float(generator.choice([0.0, 0.0, 1.0]) * generator.uniform(0.5, 2)),
    )


def _accordion(generator: Generator) -> Player:
    rows = ROWS[int(generator.integers(len(ROWS)))]
    apart = float(generator.uniform(3, 28))
    tilt, cutoff = float(generator.uniform(-8, -2)), log_uniform(generator, 1800, 7000)
    ranks, seen = [], 0
    for ratio in rows:
        cents = 0.0
        if ratio == 1:
            cents, seen = (0.0, apart, -apart)[seen], seen + 1
        decibels = (float(generator.uniform(-10, 2)), float(generator.uniform(-4, 4)), float(generator.uniform(-6, 3)))
        gain = float(generator.uniform(0.5, 1))
        ranks.append(Rank(float(ratio), gain, cents + float(generator.normal(0, 1.5)), decibels, tilt, cutoff))
    return Player(
        tuple(ranks),
        body_db=_body(generator, 4.0),
        attack_s=log_uniform(generator, 0.015, 0.09),
        release_s=log_uniform(generator, 0.02, 0.09),
        chiff=log_uniform(generator, 0.003, 0.1),
        shakes=float(generator.uniform(2.5, 5)),
        decibels=float(generator.choice([0.0, 0.0, 1.0]) * generator.uniform(0.3, 2)),
        bellows_db=float(generator.uniform(0.5, 5)),
    )


def _body(generator: Generator, spread_db: float) -> Floats:
    return np.asarray(generator.normal(0, spread_db, BODY_OCTAVES * BODY_PER_OCTAVE))


def _wandering(length: int, rate: int, generator: Generator) -> Floats:
    """A slow curve of deviation 1 or so, that of bellows."""
    points = generator.standard_normal(2 + length // rate * 2)
    return np.asarray(np.interp(np.arange(length), np.linspace(0, length, len(points)), points))


def _driven(sound: Floats, drive: float) -> Floats:
    peak = float(np.abs(sound).max(initial=0.0))
    return np.tanh(drive * 2 * sound / peak) if drive and peak else sound
