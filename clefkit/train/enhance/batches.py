"""Batches of pairs, varied as levels in bands can be cheaply: colour, noise, suppression, one more automatic gain.

What is done to both sides makes another instrument of it; what is done to the phone's side alone, another phone. Some
pairs are clean on both sides, and others but for suppression and gain: good recordings must not be harmed, nor those
that went through software alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit.enhance import bands, overall
from clefkit.enhance.bands import BANDS
from clefkit.train.enhance import pairs, suppressors
from clefkit.train.enhance.pairs import Pairs
from clefkit.train.voices import log_uniform

Array = NDArray[np.float32]

IDENTICAL, DIRECT = 0.2, 0.12  # of the pairs are clean on both sides, clean but for suppression and gain
NARROW, NARROW_HZ = 0.3, (7_000, 12_000)  # of these have nothing higher
OTHER_COLOUR, OTHER_PHONE, HISSING, SUPPRESSED, LEVELLED = 0.3, 0.3, 0.2, 0.2, 0.25
TRACKED = 0.6  # of what is suppressed
ATTACK_S, RELEASE_S = (0.01, 2.0), (0.1, 10.0)
INSTRUMENT_DB, PHONE_DB = 3.0, 2.5  # of colours; more, and nothing can be told of tone
STEP_S = bands.HOP_S


class Batch(NamedTuple):
    """heard, clean: (batch, frames, BANDS), dB relative to the recording's level; overall: (batch, 3, BANDS)"""

    heard: Array
    clean: Array
    overall: Array


def draw(kept: Sequence[Pairs], size: int, generator: Generator) -> Batch:
    """`size` pairs from anywhere, each varied."""
    return together([_pair(kept, generator) for _ in range(size)])


def every(kept: Pairs, clips: range) -> Batch:
    """Pairs as they are: of each clip its first phone, or the one whose turn it is."""
    rows = [
        (pairs.restored(kept.heard[each, each % kept.heard.shape[1]]), pairs.restored(kept.clean[each]))
        for each in clips
    ]
    return together(rows)


def together(rows: Sequence[tuple[Array, Array]]) -> Batch:
    """Pairs of levels (heard, clean) as a batch, relative to each recording's level."""
    heard, clean, told = [], [], []
    for one, other in rows:
        counter = overall.Counter()
        counter.add(one)
        known = counter.result()
        level_db = np.float32(known.level_db if np.isfinite(known.level_db) else 0.0)
        even = len(one) // 2 * 2
        heard.append((one - level_db)[:even])
        clean.append((other - level_db)[:even])
        told.append(known.percentiles - level_db)
    return Batch(np.stack(heard), np.stack(clean), np.stack(told))


def _pair(kept: Sequence[Pairs], generator: Generator) -> tuple[Array, Array]:
    shard = kept[int(generator.integers(len(kept)))]
    clip, phone = (int(generator.integers(each)) for each in shard.heard.shape[:2])
    clean = pairs.restored(shard.clean[clip])
    luck = generator.random()
    identical, direct = luck < IDENTICAL, IDENTICAL <= luck < IDENTICAL + DIRECT
    if (identical or direct) and generator.random() < NARROW:
        clean[:, bands.centres_hz() > generator.uniform(*NARROW_HZ)] = bands.SILENCE_DB
    heard = clean if identical or direct else pairs.restored(shard.heard[clip, phone])
    if generator.random() < OTHER_COLOUR:
        curve = colour(generator, INSTRUMENT_DB)
        heard, clean = heard + curve, clean + curve
    if identical:
        return heard, heard
    if direct:
        if generator.random() < 0.7:
            heard = _suppressed(heard, generator)
        heard = (heard + _gains(heard, generator)[:, None]).astype(np.float32)
        return np.maximum(heard, bands.SILENCE_DB).astype(np.float32), clean
    if generator.random() < OTHER_PHONE:
        heard = heard + colour(generator, PHONE_DB)
    if generator.random() < HISSING:
        heard = _noisy(heard, generator)
    if generator.random() < SUPPRESSED:
        heard = _suppressed(heard, generator)
    if generator.random() < LEVELLED:
        heard = (heard + _gains(heard, generator)[:, None]).astype(np.float32)
    return np.maximum(heard, bands.SILENCE_DB).astype(np.float32), clean


def colour(generator: Generator, most_db: float) -> Array:
    """A smooth curve over the bands. returns: (BANDS,), dB"""
    where = np.arange(BANDS) / BANDS
    turns = np.arange(1, 6)
    heights = generator.normal(0, most_db, 5) / turns
    turned = np.cos(np.pi * turns[:, None] * where + generator.uniform(0, 2 * np.pi, (5, 1)))
    return np.asarray(heights @ turned, np.float32)


def _noisy(heard: Array, generator: Generator) -> Array:
    """With noise whose power in a band varies from frame to frame as that of noise does."""
    loud = float(np.quantile(heard.max(axis=1), 0.9))
    level = loud - generator.uniform(25, 65) + colour(generator, 4.0) + generator.uniform(-8, 8) * np.arange(BANDS) / 32
    width = np.maximum(1.0, bands.triangles(44_100).sum(axis=0))
    power = generator.gamma(width, 1 / width, heard.shape)
    return 10 * np.log10(10 ** (heard / 10) + 10 ** (level / 10) * power)


def _suppressed(heard: Array, generator: Generator) -> Array:
    return (suppressors.tracked if generator.random() < TRACKED else suppressors.thinned)(heard, generator)


def _gains(heard: Array, generator: Generator) -> NDArray[np.float64]:
    """What automatic gain, or an expander, makes of a recording, frame by frame, in dB."""
    levels = 10 * np.log10(np.power(10.0, heard / 10).sum(axis=1))
    target = float(np.quantile(levels, 0.8))
    strength = generator.uniform(0.2, 0.9) if generator.random() < 0.7 else generator.uniform(-0.8, -0.2)
    wanted = np.clip(strength * (target - levels), -15, generator.uniform(5, 20))
    gate = target + generator.uniform(-50, -15)
    attack_s, release_s = (log_uniform(generator, *each) for each in (ATTACK_S, RELEASE_S))
    falls, rises = math.exp(-STEP_S / attack_s), math.exp(-STEP_S / release_s)
    state, out = float(wanted[0]) * (generator.random() < 0.5), []
    for value, level in zip(wanted.tolist(), levels.tolist(), strict=True):
        if level > gate:
            state = value + (falls if value < state else rises) * (state - value)
        out.append(state)
    return np.array(out)
