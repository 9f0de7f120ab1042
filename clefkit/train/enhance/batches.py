"""Batches of pairs: as they were made at first, then varied as levels in bands can be cheaply.

What is done to both sides makes another instrument of it; what is done to the phone's side alone, another phone. Some
of these pairs are clean on both sides, and others but for suppression and gain: good recordings must not be harmed, nor
those that went through software alone. But with such pairs from the beginning it learns to leave things as they are,
and what rooms do is hardly learnt at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit.enhance import bands, overall
from clefkit.enhance.bands import BANDS
from clefkit.train.enhance import pairs, suppressors
from clefkit.train.enhance.pairs import Pairs
from clefkit.train.voices import log_uniform

Array = NDArray[np.float32]

IDENTICAL, DIRECT = 0.13, 0.17  # of the pairs are clean on both sides, clean but for suppression and gain
NARROW, NARROW_HZ = 0.3, (7_000, 12_000)  # of these have nothing higher
OTHER_COLOUR, OTHER_PHONE, HISSING, SUPPRESSED, LEVELLED = 0.25, 0.25, 0.2, 0.2, 0.4
SUPPRESSED_DIRECT, TRACKED = 0.7, 0.6  # of what went through software alone; of what is suppressed
ATTACK_S, RELEASE_S = (0.01, 2.0), (0.1, 10.0)
INSTRUMENT_DB, PHONE_DB = 3.0, 2.5  # of colours; more, and nothing can be told of tone
STEP_S = bands.HOP_S


class Batch(NamedTuple):
    """heard, clean: (batch, frames, BANDS), dB relative to the recording's level; floors: (batch, frames / 2, BANDS) of
    what is heard; overall: (batch, 6, BANDS)
    """

    heard: Array
    floors: Array
    overall: Array
    clean: Array


class Row(NamedTuple):
    """A pair, in dB of full scale. heard, clean: (frames, BANDS); floors: (half as many, BANDS)"""

    heard: Array
    floors: Array
    clean: Array


def draw(kept: Sequence[Pairs], size: int, generator: Generator, *, varied: bool) -> Batch:
    """`size` pairs from anywhere, as they were made or each varied."""
    return together([_pair(kept, generator, varied=varied) for _ in range(size)])


def every(kept: Pairs, clips: range) -> Batch:
    """Pairs as they are: of each clip its first phone, or the one whose turn it is."""
    return together([_row(kept, each, each % kept.heard.shape[1]) for each in clips])


def together(rows: Sequence[Row]) -> Batch:
    """Pairs as a batch, relative to each recording's level."""
    made = []
    for row in rows:
        counter = overall.Counter()
        counter.add(row.heard, row.floors)
        known = counter.result()
        known = known._replace(level_db=known.level_db if np.isfinite(known.level_db) else 0.0)
        level_db, steps = np.float32(known.level_db), len(row.heard) // bands.EVERY
        whole = slice(steps * bands.EVERY)
        made.append(
            (row.heard[whole] - level_db, row.floors[:steps] - level_db, known.relative, row.clean[whole] - level_db)
        )
    return Batch(*(np.stack(side) for side in zip(*made, strict=True)))


def _row(shard: Pairs, clip: int, phone: int | None) -> Row:
    """A pair as it was made, None: clean on both sides."""
    clean = pairs.restored(shard.clean[clip])
    if phone is None:
        return Row(clean, pairs.restored(shard.clean_floors[clip]), clean)
    return Row(pairs.restored(shard.heard[clip, phone]), pairs.restored(shard.heard_floors[clip, phone]), clean)


def _pair(kept: Sequence[Pairs], generator: Generator, *, varied: bool) -> Row:
    shard = kept[int(generator.integers(len(kept)))]
    clip, phone = (int(generator.integers(each)) for each in shard.heard.shape[:2])
    if not varied:
        return _row(shard, clip, phone)
    luck = generator.random()
    well_recorded, direct = luck < IDENTICAL + DIRECT, IDENTICAL <= luck < IDENTICAL + DIRECT
    row = _row(shard, clip, None if well_recorded else phone)
    if well_recorded and generator.random() < NARROW:
        row = _narrow(row, generator.uniform(*NARROW_HZ))
    if generator.random() < OTHER_COLOUR:
        curve = colour(generator, INSTRUMENT_DB)
        row = Row(row.heard + curve, row.floors + curve, row.clean + curve)
    if direct:
        row = _suppressed(row, generator) if generator.random() < SUPPRESSED_DIRECT else row
        return _levelled(row, generator)
    return row if well_recorded else _by_another_phone(row, generator)


def _by_another_phone(row: Row, generator: Generator) -> Row:
    if generator.random() < OTHER_PHONE:
        row = _turned(row, colour(generator, PHONE_DB))
    if generator.random() < HISSING:
        row = _noisy(row, generator)
    if generator.random() < SUPPRESSED:
        row = _suppressed(row, generator)
    return _levelled(row, generator) if generator.random() < LEVELLED else row


def colour(generator: Generator, most_db: float) -> Array:
    """A smooth curve over the bands. returns: (BANDS,), dB"""
    where = np.arange(BANDS) / BANDS
    turns = np.arange(1, 6)
    heights = generator.normal(0, most_db, 5) / turns
    turned = np.cos(np.pi * turns[:, None] * where + generator.uniform(0, 2 * np.pi, (5, 1)))
    return np.asarray(heights @ turned, np.float32)


def _narrow(row: Row, highest_hz: float) -> Row:
    """With nothing above a frequency."""
    there = bands.centres_hz() <= highest_hz
    heard, floors, clean = (np.where(there, each, np.float32(bands.SILENCE_DB)) for each in row)
    return Row(heard, floors, clean)


def _turned(row: Row, gain_db: Array, between_db: Array | None = None) -> Row:
    """What is heard, with a gain. gain_db: (BANDS,), (frames, 1) or (frames, BANDS); between_db: the same for floors"""
    between_db = gain_db if between_db is None else between_db
    if between_db.ndim > 1:
        between_db = _as_long(between_db)[: len(row.floors)]
    return Row(_audible(row.heard + gain_db), _audible(row.floors + between_db), row.clean)


def _as_long(gain_db: Array) -> Array:
    """Gains as frames that are four times as long have them."""
    from scipy import ndimage

    window = np.square(np.hanning(bands.LONGER * bands.OVERLAP + 1)[1:-1])
    smooth = ndimage.convolve1d(gain_db, window / window.sum(), axis=0, mode="nearest")
    return np.asarray(smooth[:: bands.EVERY], np.float32)


def _audible(levels_db: Array) -> Array:
    return np.asarray(np.maximum(levels_db, bands.SILENCE_DB), np.float32)


def _noisy(row: Row, generator: Generator) -> Row:
    """With noise whose power in a band varies from frame to frame as that of noise does."""
    loud = float(np.quantile(row.heard.max(axis=1), 0.9))
    level = loud - generator.uniform(25, 65) + colour(generator, 4.0) + generator.uniform(-8, 8) * np.arange(BANDS) / 32
    floors = _with(row.floors, level + bands.FLOOR_DB, generator)
    return row._replace(heard=_with(row.heard, level, generator), floors=floors)


def _with(side: Array, noise_db: NDArray[Any], generator: Generator) -> Array:
    width = np.maximum(1.0, bands.triangles(44_100).sum(axis=0))
    power = 10 ** (side / 10) + 10 ** (noise_db / 10) * generator.gamma(width, 1 / width, side.shape)
    return np.asarray(10 * np.log10(power), np.float32)


def _suppressed(row: Row, generator: Generator) -> Row:
    """Between partials as much as on them, or as much as where there are none, or in between."""
    made = (suppressors.tracked if generator.random() < TRACKED else suppressors.thinned)(row.heard, generator)
    gain_db, alike = made - row.heard, np.float32(generator.random())
    return _turned(row, gain_db, alike * gain_db + (1 - alike) * np.quantile(gain_db, 0.05))


def _levelled(row: Row, generator: Generator) -> Row:
    return _turned(row, _gains(row.heard, generator)[:, None])


def _gains(heard: Array, generator: Generator) -> Array:
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
    return np.array(out, np.float32)
