"""Notes as a critic sees them: a table of whole numbers.

Times are whole milliseconds everywhere: a network must not tell one source from another, or real from corrupted, by
how numbers were rounded.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clefkit.notes import Notes

Table = NDArray[np.int32]

ONSET, DURATION, PITCH, VELOCITY = range(4)


def columns(played: Notes) -> Table:
    """(notes, 4), int32: onset and duration in ms, pitch, velocity; in order of onset, then pitch."""
    return table(played)[0]


def table(played: Notes) -> tuple[Table, NDArray[np.int64]]:
    """The same, and which of the notes each row is."""
    onset = np.rint(played.onset * 1000)
    duration = np.maximum(1, np.rint(played.offset * 1000) - onset)
    found = np.stack([onset, duration, np.rint(played.pitch), played.velocity], axis=1).astype(np.int32)
    order = np.lexsort((found[:, PITCH], found[:, ONSET]))
    return found[order], order
