"""Notes as a MIDI file that sounds right on any synthesiser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from clefkit import midiplay
from clefkit import notes as note_files
from clefkit.notes import Notes, Performance
from clefkit.transcribe.bends import controls
from clefkit.transcribe.listen import Heard

GAP_S = 0.01  # between two notes of one pitch: some synthesisers don't strike a key again that wasn't let go before


def write(path: Path, heard: Heard, bends: bool) -> None:
    """Write a MIDI file of type 1, one track a part, with pitch bends if wanted.

    raises: InputError when it would be longer than MIDI can say
    """
    found = struck(heard.notes)
    if bends and heard.spectrum is not None:
        path.write_bytes(midiplay.encode(Performance(found, controls(heard.notes, heard.spectrum))))
    else:
        note_files.write_midi(path, found)


def struck(notes: Notes) -> Notes:
    """The same notes, with 10 ms, or half a note if that is less, between two of one part and pitch."""
    order = np.lexsort((notes.onset, notes.pitch, notes.part))
    onset, offset = notes.onset[order], notes.offset[order].copy()
    follows = (np.diff(notes.part[order]) == 0) & (np.diff(notes.pitch[order]) == 0)
    latest = np.maximum(onset[1:] - GAP_S, (onset[:-1] + onset[1:]) / 2)
    offset[:-1] = np.where(follows, np.minimum(offset[:-1], latest), offset[:-1])
    back = np.empty_like(offset)
    back[order] = offset
    return replace(notes, offset=back)
