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
REMEMBERED = 480  # notes that are put together
TOGETHER = 480  # of the others that are looked at at once


def parts(odds: Odds, count: int, least: float, instruments: int | None = None) -> Indices:
    """Notes put together by timbre.

    odds: of some notes, the logarithm of the odds that two of them are of one timbre, (some, some)
    count: how many notes there are; least: share of them that an instrument has at least
    instruments: how many there are; None: as many as the odds say, 6 at most
    returns: (notes,), 0 to instruments - 1, the part with the most notes first
    """
    if instruments == 1 or count < 2:
        return np.zeros(count, np.int64)
    some = np.unique(np.linspace(0, count - 1, min(count, REMEMBERED)).astype(np.int64))
    among = odds(some)
    among = np.asarray((among + among.T) / 2, dtype=np.float32)
    labels = linked(among, least, instruments)
    for _ in range(2):
        labels = _nearest(among, labels)
    found = np.zeros(count, np.int64)
    found[some] = labels
    others = np.setdiff1d(np.arange(count), some)
    for first in range(0, len(others), TOGETHER):
        here = others[first : first + TOGETHER]
        found[here] = _best(odds(np.concatenate([some, here]))[len(some) :, : len(some)], labels)
    order = np.argsort(-np.bincount(found), kind="stable")
    return np.asarray(np.argsort(order, kind="stable")[found], dtype=np.int64)


def linked(among: Array, least: float, instruments: int | None) -> Indices:
    """Average linkage of (notes, notes) odds, cut where joining gains nothing, or at a number of instruments."""
    from scipy.cluster import hierarchy
    from scipy.spatial import distance

    count = len(among)
    ceiling = float(among.max())
    tree = hierarchy.linkage(distance.squareform(ceiling - among, checks=False), "average")
    if instruments is not None:
        return _large(among, tree, instruments, least)
    labels = hierarchy.fcluster(tree, ceiling, "distance") - 1
    wanted = int((np.bincount(labels) >= max(least * count, 2)).sum())
    return _large(among, tree, int(np.clip(wanted, 1, MOST)), least)


def _large(among: Array, tree: NDArray[np.float64], wanted: int, least: float) -> Indices:
    """The first cut of the tree with as many parts that are large enough; the notes of smaller ones go to these."""
    from scipy.cluster import hierarchy

    count = len(among)
    labels = np.zeros(count, np.int64)
    for number in range(min(wanted, count), min(count, 12 * wanted) + 1):
        labels = hierarchy.fcluster(tree, number, "maxclust") - 1
        sizes = np.bincount(labels)
        if (sizes >= max(least * count, 2)).sum() >= wanted:
            break
    sizes = np.bincount(labels)
    kept = np.sort(np.argsort(-sizes, kind="stable")[:wanted])
    members = [among[:, labels == each].mean(axis=1) for each in kept]
    inside = np.isin(labels, kept)
    return np.where(inside, np.searchsorted(kept, labels), np.argmax(members, axis=0)).astype(np.int64)


def _nearest(among: Array, labels: Indices) -> Indices:
    """Each note with those that it fits best with, itself not counted; no part is left empty."""
    own = among.copy()
    np.fill_diagonal(own, 0)
    found = _best(own, labels)
    return found if len(np.unique(found)) == len(np.unique(labels)) else labels


def _best(among: Array, labels: Indices) -> Indices:
    """(notes, others) odds, (others,) labels -> (notes,): the label whose members a note fits best on average."""
    members = [among[:, labels == each].mean(axis=1) for each in range(int(labels.max()) + 1)]
    return np.asarray(np.argmax(members, axis=0), dtype=np.int64)
