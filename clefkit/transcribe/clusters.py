"""Notes put together: by the odds that one instrument played two of them, as long as something is gained by it.

The number of instruments isn't guessed first: notes are put together as long as the odds, summed over all pairs, gain
by it (correlation clustering: Bansal, Blum and Chawla 2004), by average linkage. When nothing gains from being apart,
there is one instrument.

Of many notes some, spread over the whole piece, are put together; they are the memory of what its instruments sound
like, and all others go to those of them that they are most like. So a long piece costs no more memory, and an
instrument that returns after a quarter of an hour is the same as before.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Indices = NDArray[np.int64]
Odds = Callable[[Indices], Array]

MOST = 6  # instruments
FEWEST = 4  # notes of an instrument, if nobody says how many there are: two or three may be any one's
REMEMBERED = 400  # notes that are put together
TOGETHER = 200  # of the others that are looked at at once


def shares(odds: Odds, count: int, least: float, instruments: int | None = None) -> Array:
    """Notes put together by timbre.

    odds: of some notes, the logarithm of the odds that two of them are of one timbre, (some, some)
    count: how many notes there are; least: share of them that an instrument has at least
    instruments: how many there are; None: as many as the odds say, 6 at most
    returns: (notes, parts), how likely each note is of each part; the part to which most notes belong comes first
    """
    if instruments == 1 or count < 2:
        return np.ones((count, 1), np.float32)
    some = np.unique(np.linspace(0, count - 1, min(count, REMEMBERED)).astype(np.int64))
    among = odds(some)
    among = np.asarray((among + among.T) / 2, dtype=np.float32)
    labels = linked(among, least, instruments)
    for _ in range(2):
        labels = _nearest(among, labels)
    fits = np.zeros((count, int(labels.max()) + 1), np.float32)
    fits[some] = _kept(_fits(_others(among), labels, own=True), labels)
    others = np.setdiff1d(np.arange(count), some)
    for first in range(0, len(others), TOGETHER):
        here = others[first : first + TOGETHER]
        fits[here] = _fits(odds(np.concatenate([some, here]))[len(some) :, : len(some)], labels)
    sizes = np.bincount(fits.argmax(axis=1), minlength=fits.shape[1])
    fits = fits[:, np.argsort(-sizes, kind="stable")]
    likely = np.exp(fits - fits.max(axis=1, keepdims=True))
    return np.asarray(likely / likely.sum(axis=1, keepdims=True), dtype=np.float32)


def linked(among: Array, least: float, instruments: int | None) -> Indices:
    """Average linkage of (notes, notes) odds, cut where joining gains nothing, or at a number of instruments."""
    from scipy.cluster import hierarchy
    from scipy.spatial import distance

    count = len(among)
    ceiling = float(among.max())
    tree = hierarchy.linkage(distance.squareform(ceiling - among, checks=False), "average")
    if instruments is not None:
        return _large(among, tree, instruments, max(least * count, 2))
    labels = hierarchy.fcluster(tree, ceiling, "distance") - 1
    fewest = max(least * count, FEWEST)
    wanted = int((np.bincount(labels) >= fewest).sum())
    return _large(among, tree, int(np.clip(wanted, 1, MOST)), fewest)


def _large(among: Array, tree: NDArray[np.float64], wanted: int, fewest: float) -> Indices:
    """The first cut of the tree with as many parts of so many notes; the notes of smaller ones go to these."""
    from scipy.cluster import hierarchy

    count = len(among)
    labels = np.zeros(count, np.int64)
    for number in range(min(wanted, count), min(count, 12 * wanted) + 1):
        labels = hierarchy.fcluster(tree, number, "maxclust") - 1
        sizes = np.bincount(labels)
        if (sizes >= fewest).sum() >= wanted:
            break
    sizes = np.bincount(labels)
    kept = np.sort(np.argsort(-sizes, kind="stable")[:wanted])
    members = [among[:, labels == each].mean(axis=1) for each in kept]
    inside = np.isin(labels, kept)
    return np.where(inside, np.searchsorted(kept, labels), np.argmax(members, axis=0)).astype(np.int64)


def _nearest(among: Array, labels: Indices) -> Indices:
    """Each note with those that it fits best with, itself not counted; no part is left empty."""
    found = _fits(_others(among), labels).argmax(axis=1)
    return found if len(np.unique(found)) == len(np.unique(labels)) else labels


def _kept(fits: Array, labels: Indices) -> Array:
    """With the label of each note as what it fits best, so that no part is left empty."""
    rows, best = np.arange(len(fits)), fits.argmax(axis=1)
    kept = fits.copy()
    kept[rows, labels], kept[rows, best] = fits[rows, best], fits[rows, labels]
    return kept


def _others(among: Array) -> Array:
    """Without the odds of a note and itself."""
    apart = among.copy()
    np.fill_diagonal(apart, 0)
    return apart


def _fits(among: Array, labels: Indices, *, own: bool = False) -> Array:
    """(notes, others) odds, (others,) labels -> (notes, parts): the mean odds of a note and the members of each part.

    own: a note's own part has one member less, for the odds of a note and itself are 0
    """
    members = np.eye(int(labels.max()) + 1, dtype=np.float32)[labels]
    count = members.sum(axis=0) - (members if own else 0)
    return np.asarray(among @ members / np.maximum(count, 1), dtype=np.float32)
