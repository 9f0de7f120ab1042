"""Parts that nobody plays: overtones of another part that were heard as notes.

Of some instruments, such as steel drums or bells, an overtone is as loud as a note, and is taken for one each time.
These look alike, and would be an instrument of their own. A part is such a one when nearly all of its notes begin with
a note of one other part, an octave or another overtone above it; an instrument that does nothing but double another one
at the octave is lost with it.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

INTERVALS = np.array([12, 19, 24, 28, 31, 34, 36])  # semitones
TOGETHER_S = 0.06
NEARLY_ALL = 0.8


def joined(shares: Array, placed: Array) -> Array:
    """Each such part joined with the one whose overtones it has.

    shares: (notes, parts), how likely each note is of each part; placed: (notes, 3): onset s, offset s, pitch
    returns: the same, with fewer parts or as many; most notes are of part 0
    """
    while shares.shape[1] > 1:
        pair = _found(shares.argmax(axis=1), placed, shares.shape[1])
        if pair is None:
            break
        overtone, of = pair
        shares = shares.copy()
        shares[:, of] += shares[:, overtone]
        shares = np.delete(shares, overtone, axis=1)
    sizes = np.bincount(shares.argmax(axis=1), minlength=shares.shape[1])
    return shares[:, np.argsort(-sizes, kind="stable")]


def _found(part: NDArray[np.int64], placed: Array, parts: int) -> tuple[int, int] | None:
    """A part whose notes are overtones of another one, and that one; the smallest first."""
    sizes = np.bincount(part, minlength=parts)
    order = np.argsort(sizes, kind="stable").tolist()
    for overtone, of in product(order, order[::-1]):
        larger = of != overtone and sizes[of] >= sizes[overtone]
        if larger and _share(placed[part == overtone], placed[part == of]) >= NEARLY_ALL:
            return overtone, of
    return None


def _share(mine: Array, theirs: Array) -> float:
    """How many of my notes begin with one of theirs that has them as an overtone; 0 when I have none."""
    theirs = theirs[np.argsort(theirs[:, 0])]
    bounds = np.searchsorted(theirs[:, 0], mine[:, 0] + np.array([[-TOGETHER_S], [TOGETHER_S]]))
    rows = zip(*bounds.tolist(), mine[:, 2], strict=True)
    found = sum(np.isin(np.rint(pitch - theirs[low:high, 2]), INTERVALS).any() for low, high, pitch in rows)
    return found / max(len(mine), 1)
