"""From what the network heard to what is told: who is there, when, and how loud.

Loudness is that of ITU-R BS.1770-4, of an instrument's share of the energy: blocks of four cells, one every cell, gated
at -70 LUFS and at 10 LU under their mean; what is told is the difference to the loudness of the whole, in LU.
An instrument sounds from where its probability passes the threshold until it falls below FALLS of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clefkit import audio
from clefkit.tag.hearing import CELLS_PER_SECOND
from clefkit.tag.infer import NAMES, Heard
from clefkit.tag.vocabulary import FAMILIES, LEAVES

BLOCK = 4  # cells
FALLS = 0.6  # of the threshold
SHORTEST, GAP = 2, 3  # cells: shorter segments are none, shorter gaps are closed
PARTS = {"drums": ("drums", "cymbals")}  # cymbals are heard by themselves, too


class Segment(NamedTuple):
    """start_s, end_s; strength: mean probability in it"""

    start_s: float
    end_s: float
    strength: float


def loudness(powers: ArrayLike) -> float:
    """LUFS of K-weighted power by cell, -inf when nothing passes the gate. Less than four cells are one block."""
    values = np.asarray(powers, np.float64)
    if not len(values):
        return -np.inf
    sums = np.concatenate([[0.0], np.cumsum(values)])
    size = min(BLOCK, len(values))
    blocks = (sums[size:] - sums[:-size]) / size
    return audio.gated_lufs(blocks)


def gains(energies: NDArray[np.float32], powers: NDArray[np.float32]) -> dict[str, float]:
    """LU of each instrument relative to the whole, -inf for none. energies: (cells, LEAVES); powers: (cells,)"""
    whole = loudness(powers)
    found = {}
    for name in LEAVES:
        own = energies[:, [LEAVES.index(part) for part in PARTS.get(name, (name,))]].sum(axis=1)
        own_lufs = loudness(np.minimum(own, powers))
        found[name] = own_lufs - whole if np.isfinite(own_lufs) and np.isfinite(whole) else -np.inf
    return found


def likely_gains(heard: Heard) -> dict[str, float]:
    """LU of each instrument relative to the whole, what the network says of them as sure as it is that they are there.

    An instrument that it hardly hears it takes for too soft: what isn't sure is as loud as everybody, were all equal.
    """
    there = heard.clip[: len(LEAVES)]
    equal = -10 * np.log10(max(1.0, float(there.sum())))
    sure = np.sqrt(there)
    said = gains(heard.energies, heard.powers)
    return {name: float(sure[index] * said[name] + (1 - sure[index]) * equal) for index, name in enumerate(LEAVES)}


def families(heard: Heard) -> dict[str, float]:
    """The probability of each family: its own, or that of its likeliest instrument."""
    return {
        family: max(float(heard.clip[NAMES.index(each)]) for each in (family, *leaves))
        for family, leaves in FAMILIES.items()
    }


def segments(cells: NDArray[np.float16], threshold: float, seconds: float) -> list[Segment]:
    """When one instrument sounds. cells: (cells,), probabilities; seconds: how long the sound is"""
    values = cells.astype(np.float64)
    high, low = values >= threshold, values >= FALLS * threshold
    found: list[list[int]] = []
    for start, end in runs(low):
        if high[start:end].any():
            if found and start - found[-1][1] < GAP:
                found[-1][1] = end
            else:
                found.append([start, end])
    kept = [(start, end) for start, end in found if end - start >= min(SHORTEST, len(values))]
    return [
        Segment(start / CELLS_PER_SECOND, min(end / CELLS_PER_SECOND, seconds), float(values[start:end].mean()))
        for start, end in kept
    ]


def runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and past the last index of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in zip(edges[0::2], edges[1::2], strict=True)]
