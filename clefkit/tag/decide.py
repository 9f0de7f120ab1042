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
FAINT = 0.02  # of the energy: an instrument that is there has more
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


def likely_gains(heard: Heard, weights: NDArray[np.float64]) -> dict[str, float]:
    """LU of each instrument relative to the whole, as it is likeliest given what the network says.

    weights: (3,), of `reckoned`, as fitted on validation (the checkpoint's calibration)
    returns: -inf for all of silence
    """
    if not np.isfinite(loudness(heard.powers)):
        return dict.fromkeys(LEAVES, -np.inf)
    return dict(zip(LEAVES, (reckoned(heard) @ weights).tolist(), strict=True))


def reckoned(heard: Heard) -> NDArray[np.float64]:
    """What the likely gain of each instrument is reckoned from.

    returns: (LEAVES, 3): 1; what the network says, at least FAINT; and what it would be if all who are there were
        equally loud. What is hardly heard is taken for too soft, so neither alone is the likeliest.
    """
    equal = -10 * np.log10(max(1.0, float(heard.clip[: len(LEAVES)].sum())))
    said = np.array(list(gains(heard.energies, heard.powers).values()))
    softened = 10 * np.log10(10 ** (said / 10) + FAINT)
    return np.stack([np.ones(len(LEAVES)), softened, np.full(len(LEAVES), equal)], axis=1)


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
