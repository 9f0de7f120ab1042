"""One sound for each part: kept until their common gain is known."""

from __future__ import annotations

import tempfile
import weakref

import numpy as np

from clefkit.audio import Samples
from clefkit.notes import Performance


class Stems:
    """The sounds of parts, unscaled, in a file without a name that goes when nobody holds it any more.

    Their common gain is known only when the mix is done, and all of them at once may be more than memory holds.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="clefkit-")  # noqa: SIM115 it lives as long as this does
        weakref.finalize(self, self._file.close)
        self._places: dict[int, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def add(self, part: int, chunk: Samples) -> None:
        """Append to the sound of a part, which has to be the last one that was begun. chunk: (2, samples), float32"""
        start, frames = self._places.get(part, (self._file.tell(), 0))
        self._file.write(np.ascontiguousarray(chunk.T).data)
        self._places[part] = start, frames + chunk.shape[1]

    def read(self, part: int, samples: int) -> Samples:
        """(2, samples), float32: the sound of a part, with silence after it; all silence when it had none."""
        found = np.zeros((2, samples), np.float32)
        if part in self._places:
            start, frames = self._places[part]
            self._file.seek(start)
            found[:, :frames] = np.fromfile(self._file, np.float32, 2 * frames).reshape(-1, 2).T
        return found


def played(performance: Performance) -> list[int]:
    """Indices of the parts that have notes."""
    return [int(part) for part in np.unique(performance.notes.part)]
