"""Tracks without names: does each part of the reference have a part of its own in the estimate?

Every part of one side is matched with every part of the other, and one-to-one partners are chosen so that as many notes
as possible are right (Kuhn, The Hungarian method for the assignment problem, 1955), among equally good choices the one
with the fewest notes in the tracks that have a partner. So neither order nor names nor programs of tracks matter.

Notes of tracks without a partner are wrong in `track_f1`, and do not count in `track_paired_f1`: the first judges how
many tracks there are, the second does not. Partners that share no note are none. Drums and empty parts are no tracks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clefkit.notes import Notes
from clefkit.score.matching import Indices
from clefkit.score.notes.pairs import Pairs, ratios

MOST_TRACKS = 1_000


def scores(reference: Notes, estimate: Notes, by_onset: Pairs, by_offset: Pairs) -> dict[str, float]:
    """track_* and the numbers of tracks. With more than a thousand tracks on a side, the numbers alone.

    by_onset, by_offset: pairs of notes that agree in onset and pitch, and in offset, too
    """
    mine, sizes = _tracks(reference)
    yours, sizes_found = _tracks(estimate)
    found: dict[str, float] = {}
    if max(len(sizes), len(sizes_found)) <= MOST_TRACKS:
        for middle, pairs in (("", by_onset), ("_offset", by_offset)):
            right = _right(mine, yours, pairs, (len(sizes), len(sizes_found)))
            partners = _partners(right, sizes, sizes_found)
            total = int(right[partners].sum())
            expected, estimated = int(sizes[partners[0]].sum()), int(sizes_found[partners[1]].sum())
            found[f"track{middle}_f1"] = ratios(total, len(reference), len(estimate)).f1
            found[f"track_paired{middle}_f1"] = 2 * total / max(expected + estimated, 1)
    return found | {"ref_tracks": len(sizes), "est_tracks": len(sizes_found)}


def _tracks(notes: Notes) -> tuple[Indices, Indices]:
    """The track of each note, counted without the empty ones, (notes,), and how many notes each has, (tracks,)."""
    _, track, sizes = np.unique(notes.part, return_inverse=True, return_counts=True)
    return track, sizes


def _right(mine: Indices, yours: Indices, pairs: Pairs, shape: tuple[int, int]) -> NDArray[np.int64]:
    """(reference tracks, estimate tracks): how many notes can be paired between each two.

    All at once: a note stands once for each track of the other side, and a pair lies between two of these.
    """
    left, right = mine[pairs.reference], yours[pairs.estimate]
    _, one = np.unique(pairs.reference * shape[1] + right, return_inverse=True)
    _, other = np.unique(pairs.estimate * shape[0] + left, return_inverse=True)
    order = np.lexsort((other, one))
    chosen = Pairs(one[order], other[order]).largest()
    track_of, track_of_other = np.zeros(len(one), np.int64), np.zeros(len(one), np.int64)
    track_of[one], track_of_other[other] = left, right
    cells = track_of[chosen.reference] * shape[1] + track_of_other[chosen.estimate]
    return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)


def _partners(right: NDArray[np.int64], sizes: Indices, sizes_found: Indices) -> tuple[Indices, Indices]:
    """Which tracks belong together, (partners,) on either side."""
    if min(right.shape) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    from scipy.optimize import linear_sum_assignment

    # One right note weighs more than all notes there are; whole numbers below 2^53, so nothing is rounded.
    notes = sizes[:, None] + sizes_found[None, :]
    weight = np.where(right > 0, right * (int(sizes.sum() + sizes_found.sum()) + 1) - notes, 0)
    left, other = linear_sum_assignment(weight, maximize=True)
    shared = right[left, other] > 0
    return left[shared], other[shared]
