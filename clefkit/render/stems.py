"""One sound for each part: kept until their common gain is known, and how their files are called."""

from __future__ import annotations

import re
import tempfile
import unicodedata
import weakref

import numpy as np

from clefkit.audio import Samples
from clefkit.notes import Part, Performance

LONGEST_NAME = 40


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


def label(number: int, part: Part) -> str:
    """A name for files: "1-violin". A part without a name we can write has that of its General MIDI instrument."""
    return f"{number}-{_plain(part.name) or ('drums' if part.drums else _plain(_instrument(part.program)))}"


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", letters)[:LONGEST_NAME].strip("-")


def _instrument(program: int) -> str:
    import pretty_midi

    return str(pretty_midi.program_to_instrument_name(program))
