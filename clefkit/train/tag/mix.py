"""Mixtures for `tag`, made anew for every step from the units of the bank, with all that is to be heard in them.

A mixture has no unit to five, each up to 15 dB softer than the loudest, moved in time; it is recorded somewhere
(`record`), and cut to half a second or more. Most are sums of the energies of their units, which takes a tenth of the
time; the others are sums of sounds, in which partials beat and a room smears them. What is true of it is known from the
units: who sounds in each cell, and each one's share of the energy. Names are ON, OFF or UNSURE: unsure are instruments
too soft to be heard for certain, and names that are neither right nor wrong for what plays.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit.tag import hearing
from clefkit.tag.descriptors.loudness import k_weights
from clefkit.tag.hearing import CELL, FRAMES
from clefkit.tag.vocabulary import FAMILIES, LEAVES
from clefkit.train.tag import measured, players, record
from clefkit.train.tag.units import CELLS, OFF, ON, SEVERAL, UNSURE, Units
from clefkit.train.voices import log_uniform

Array = NDArray[np.float32]

COUNTS = (0.03, 0.36, 0.25, 0.2, 0.11, 0.05)  # how often no unit to five are mixed
SOFTEST_DB = 15.0
MOVED = 0.4
MOST_MOVED = 30  # cells
OF_SOUNDS = 0.25  # of the mixtures
COLOURED = 0.6  # of the units in the others, by an equaliser of their own
MOVED_BANDS = 0.5  # of them as if they were played faster or slower
RINGING = 0.3  # of them: what stops dies away
WITH_CYMBALS = 0.5  # of the mixtures with drums
HEARD_DB, UNHEARD_DB = -22.0, -38.0  # of a cell of the mixture
ALIVE_DB = -30.0  # of the loudest cell of the unit itself
CLIP_HEARD_DB, CLIP_UNHEARD_DB = -25.0, -40.0
HIDING, HIDDEN, MOST_HIDDEN = 0.4, 2, 10  # of the mixtures, stretches, bands of each
LEVEL = 0.1
FAINTEST = 1e-5  # what is softer, of units that were moved out of sight, stays faint
DRUMS, CYMBALS = LEAVES.index("drums"), LEAVES.index("cymbals")
NOBODY = -2  # whose unit a mixture of several is
FEW = 6  # timbres that all who are made up of one kind count as: they are another one each time; and all who speak


class Stock(NamedTuple):
    """Units by who plays them, and those by the name of what is played.

    shards: see `units.load`; described, bands: per shard, see `measured`; by: (names, timbres, rows), rows of (shard,
    unit)
    """

    shards: Sequence[Units]
    described: Sequence[Array]
    bands: Sequence[NDArray[np.uint8]]
    by: Sequence[Sequence[NDArray[np.int32]]]
    often: NDArray[np.float64]


class Mixture(NamedTuple):
    """One example.

    seen: (CHANNELS, frames, BANDS), uint8, 0 to 255 for 0 to 1; clip: (names,); cells: (cells, names), int8
    shares: (cells, LEAVES + 1), of the energy of the whole clip; described: (LEAVES, descriptors), nan where unknown
    timbre: whose unit it is alone, NOBODY for more; leaf: what it is, -1 for others
    """

    seen: NDArray[np.uint8]
    clip: NDArray[np.int8]
    cells: NDArray[np.int8]
    shares: Array
    described: Array
    timbre: int
    leaf: int


class Row(NamedTuple):
    """What is known of a unit. names: as `Units.names`; leaf: -1 for others; described: (descriptors,), scaled"""

    names: NDArray[np.int8]
    leaf: int
    described: Array


class Arranged(NamedTuple):
    """Units, (shard, unit) each; when they begin, in cells, perhaps before 0; gains; how long it is, in cells."""

    chosen: Sequence[tuple[int, int]]
    starts: list[int]
    gains: Array
    cells: int


class Made(NamedTuple):
    """Units played together. stems: (units, samples), float32; powers: (units, cells), of them"""

    stems: Array
    powers: Array

    @property
    def dry(self) -> Array:
        return np.asarray(self.stems.sum(axis=0), np.float32)


def stock(shards: Sequence[Units], described: Sequence[Array], bands: Sequence[NDArray[np.uint8]] = ()) -> Stock:
    """What mixtures are drawn from: every name, and within it every timbre, is as likely, but rare names less."""
    rows: dict[int, dict[str, list[tuple[int, int]]]] = {}
    many = tuple(f"{kind} " for kind in ("speech", *players.made_up()))
    for number, shard in enumerate(shards):
        for unit, (leaf, by) in enumerate(zip(shard.leaf.tolist(), shard.by.tolist(), strict=True)):
            who = f"{by.split(' ')[0]} {hash_of(by) % FEW}" if by.startswith(many) else by
            rows.setdefault(leaf, {}).setdefault(who, []).append((number, unit))
    leaves = sorted(rows)
    by = [[np.array(each, np.int32) for _, each in sorted(rows[leaf].items())] for leaf in leaves]
    sizes = np.array([sum(len(each) for each in timbres) for timbres in by], dtype=float)
    often = sizes**0.5
    return Stock(shards, described, bands, by, often / often.sum())


def hash_of(name: str) -> int:
    """A number that is the same for the same name, everywhere."""
    value = 2166136261
    for byte in name.encode():
        value = (value ^ byte) * 16777619 % 2**32
    return value


def draw(found: Stock, cells: int, generator: Generator, timbre: tuple[int, int] | None = None) -> Mixture:
    """One mixture, as the network sees it.

    cells: how long it is; timbre: (name, timbre) of the stock, to be heard alone; drawn if None
    """
    count = int(generator.choice(len(COUNTS), p=COUNTS))
    chosen = choose(found, count, generator) if timbre is None else [_unit(found, timbre, generator)]
    arranged = arrange(found, chosen, cells, generator)
    if generator.random() < OF_SOUNDS:
        made = mix(found, arranged)
        energies, powers = hearing.energies(record.somewhere(made.dry, generator)), made.powers
    else:
        energies, powers = in_bands(found, arranged, generator)
        energies = record.in_bands(energies, generator)
    rows = [row(found, each) for each in chosen]
    clip, each_cell, shares = heard(rows, powers)
    alone = chosen[0] if len(chosen) == 1 else None
    return Mixture(
        _hidden(np.rint(hearing.seen(energies) * 255).astype(np.uint8), generator),
        clip,
        each_cell,
        shares,
        described(rows, powers, found.described[0].shape[1]),
        hash_of(str(found.shards[alone[0]].by[alone[1]])) % 2**31 if alone else NOBODY,
        rows[0].leaf if alone else NOBODY,
    )


def _hidden(seen: NDArray[np.uint8], generator: Generator) -> NDArray[np.uint8]:
    """Without some bands, so that nothing is known by one place alone (SpecAugment, Park et al. 2019)."""
    for _ in range(HIDDEN if generator.random() < HIDING else 0):
        width = int(generator.integers(MOST_HIDDEN + 1))
        first = int(generator.integers(hearing.BANDS - width + 1))
        seen[:, :, first : first + width] = 0
    return seen


def arrange(found: Stock, chosen: Sequence[tuple[int, int]], cells: int, generator: Generator) -> Arranged:
    """A stretch of units played together, each moved and softer by chance."""
    first = int(generator.integers(0, CELLS - cells + 1))
    moved = [int(generator.integers(-MOST_MOVED, MOST_MOVED + 1)) if generator.random() < MOVED else 0 for _ in chosen]
    starts = [each - first for each in moved]
    return Arranged(chosen, starts, _gains(_powers(found, chosen, starts, cells), generator), cells)


def mix(found: Stock, arranged: Arranged) -> Made:
    """Units played together, as sounds."""
    chosen, starts, gains, cells = arranged
    stems = np.zeros((len(chosen), cells * CELL), np.float32)
    for stem, (shard, unit), start in zip(stems, chosen, starts, strict=True):
        _place(stem, found.shards[shard].sound[unit], start * CELL)
    stems *= gains[:, None] / np.float32(32767)
    return Made(stems, _powers(found, chosen, starts, cells) * gains[:, None] ** 2)


def in_bands(found: Stock, arranged: Arranged, generator: Generator) -> tuple[Array, Array]:
    """Units played together, as energies, some coloured, moved, or ringing on: their sum, and powers, as `Made`."""
    chosen, starts, gains, cells = arranged
    powers = _powers(found, chosen, starts, cells) * gains[:, None] ** 2
    total = np.zeros((hearing.CHANNELS, cells * FRAMES, hearing.BANDS), np.float32)
    for number, ((shard, unit), start, gain) in enumerate(zip(chosen, starts, gains, strict=True)):
        coded = np.zeros(total.shape, np.uint8)
        _place(coded.swapaxes(0, 1), found.bands[shard][unit].swapaxes(0, 1), start * FRAMES)
        own = plain = measured.ENERGY[coded] * gain**2
        if generator.random() < MOVED_BANDS:
            own = own @ record.moved(float(generator.uniform(-1, 1)))
        if generator.random() < RINGING:
            own = record.ringing(own, log_uniform(generator, *record.RINGS_DB_S))
        if generator.random() < COLOURED:
            own = own * record.colour(generator)
        if own is not plain:
            powers[number] = _changed(powers[number], _loud(plain), _loud(own))
        total += own
    return total, powers


def _changed(power: Array, before: Array, after: Array) -> Array:
    """(cells,): powers of a unit whose energies were changed; where it was silent, as much as those are in the rest."""
    sounding = before > 1e-3 * before.max()
    scale = float(power.sum() / max(float(before.sum()), 1e-20))
    return np.asarray(after * np.where(sounding, power / np.maximum(before, 1e-20), scale), np.float32)


def _loud(energies: Array) -> Array:
    """(cells,): K-weighted power of energies."""
    return np.asarray((energies[0] @ _loudness()).reshape(-1, FRAMES).sum(axis=1), np.float32)


@lru_cache(maxsize=1)
def _loudness() -> Array:
    """(bands,): how much of each band's energy K-weighting keeps."""
    return np.asarray(k_weights(hearing.centres_hz()), np.float32)


def timbres(found: Stock) -> list[tuple[int, int]]:
    """Every (name, timbre) of the stock."""
    return [(name, timbre) for name, each in enumerate(found.by) for timbre in range(len(each))]


def choose(found: Stock, count: int, generator: Generator) -> list[tuple[int, int]]:
    """(shard, unit) of each that plays, mostly of different names."""
    names: list[int] = []
    while len(names) < count:
        name = int(generator.choice(len(found.by), p=found.often))
        if name not in names or generator.random() < 0.1:
            names.append(name)
    units = [_unit(found, (name, int(generator.integers(len(found.by[name])))), generator) for name in names]
    leaves = [row(found, each).leaf for each in units]
    if DRUMS in leaves and CYMBALS not in leaves and generator.random() < WITH_CYMBALS:
        name = next((number for number, each in enumerate(found.by) if row(found, _first(each)).leaf == CYMBALS), -1)
        if name >= 0:
            units.append(_unit(found, (name, int(generator.integers(len(found.by[name])))), generator))
    return units


def _first(timbres: Sequence[NDArray[np.int32]]) -> tuple[int, int]:
    return int(timbres[0][0, 0]), int(timbres[0][0, 1])


def _unit(found: Stock, timbre: tuple[int, int], generator: Generator) -> tuple[int, int]:
    rows = found.by[timbre[0]][timbre[1]]
    shard, unit = rows[int(generator.integers(len(rows)))]
    return int(shard), int(unit)


def row(found: Stock, unit: tuple[int, int]) -> Row:
    """What is known of a unit, (shard, unit)."""
    shard = found.shards[unit[0]]
    return Row(shard.names[unit[1]], int(shard.leaf[unit[1]]), found.described[unit[0]][unit[1]])


def _powers(found: Stock, chosen: Sequence[tuple[int, int]], starts: Sequence[int], cells: int) -> Array:
    """(units, cells), before gains."""
    powers = np.zeros((len(chosen), cells), np.float32)
    for power, (shard, unit), start in zip(powers, chosen, starts, strict=True):
        _place(power, found.shards[shard].powers[unit], start)
    return powers


def _place(room: NDArray[Any], values: NDArray[Any], start: int) -> None:
    """Put values where they begin at `start`, perhaps before 0, and leave what doesn't fit."""
    first, last = max(start, 0), min(start + len(values), len(room))
    if last > first:
        room[first:last] = values[first - start : last - start]


def _gains(powers: Array, generator: Generator) -> Array:
    """(units,): equally loud while they sound, then each softer by some decibels."""
    softer = -generator.uniform(0, SOFTEST_DB, len(powers))
    softer -= softer.max(initial=-np.inf)
    alive = powers > powers.max(axis=1, keepdims=True, initial=0) * 10 ** (ALIVE_DB / 10)
    loud = (powers * alive).sum(axis=1) / np.maximum(alive.sum(axis=1), 1)
    own = np.where(loud > 1e-12, LEVEL / np.sqrt(np.maximum(loud, FAINTEST)), 0.0)
    return np.asarray(own * 10 ** (softer / 20), np.float32)


def heard(rows: Sequence[Row], powers: Array) -> tuple[NDArray[np.int8], NDArray[np.int8], Array]:
    """What is true of a mixture: clip, cells, shares.

    powers: (units, cells)
    """
    cells = powers.shape[1]
    width = len(LEAVES) + len(FAMILIES)
    several = any(each.leaf == SEVERAL for each in rows)
    clip, each_cell = np.full(width, OFF, np.int8), np.full((cells, width), OFF, np.int8)
    shares = np.zeros((cells, len(LEAVES) + 1), np.float32)
    total = powers.sum(axis=0)
    for (own, leaf, _), power in zip(rows, powers, strict=True):
        alive = power > power.max(initial=0) * 10 ** (ALIVE_DB / 10)
        there = alive & (power > total * 10 ** (HEARD_DB / 10))
        perhaps = (power > power.max(initial=0) * 10 ** (2 * ALIVE_DB / 10)) & (power > total * 10 ** (UNHEARD_DB / 10))
        said = np.where(there[:, None], own, np.where(perhaps[:, None] & (own != OFF), UNSURE, OFF))
        each_cell = _either(each_cell, said.astype(np.int8))
        ratio = power.sum() / max(float(total.sum()), 1e-12)
        if ratio > 10 ** (CLIP_HEARD_DB / 10) and there.any():
            clip = _either(clip, own)
        elif ratio > 10 ** (CLIP_UNHEARD_DB / 10):
            clip = _either(clip, np.where(own != OFF, UNSURE, OFF).astype(np.int8))
        shares[:, leaf if leaf >= 0 else len(LEAVES)] += power
    if several:  # when they sound, and how loud each is, isn't known
        return clip, np.where(each_cell == ON, UNSURE, each_cell).astype(np.int8), np.zeros_like(shares)
    return clip, each_cell, shares / np.float32(max(float(total.sum()), 1e-12))


def _either(one: NDArray[np.int8], other: NDArray[np.int8]) -> NDArray[np.int8]:
    """ON where one of them is, else UNSURE where one of them is."""
    sure = np.maximum(one, other)
    unsure = (sure == OFF) & ((one == UNSURE) | (other == UNSURE))
    return np.where(unsure, UNSURE, sure).astype(np.int8)


def described(rows: Sequence[Row], powers: Array, count: int) -> Array:
    """(LEAVES, descriptors): of those that one unit plays, and that can be heard."""
    result = np.full((len(LEAVES), count), np.nan, np.float32)
    total = float(powers.sum())
    leaves = [each.leaf for each in rows]
    for (_, leaf, own), power in zip(rows, powers, strict=True):
        if leaf >= 0 and leaves.count(leaf) == 1 and power.sum() > total * 10 ** (CLIP_HEARD_DB / 10):
            result[leaf] = own
    return result
