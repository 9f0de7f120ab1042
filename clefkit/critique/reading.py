"""Files as a critic reads them: what was played, what is written, what is heard in a recording.

A score is played exactly as it is written, without repeats; a recording is transcribed. Drums are left out: they have
no pitch.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import midi, notation, notes
from clefkit.critique import table as tables
from clefkit.critique.table import ONSET, Table
from clefkit.errors import InputError
from clefkit.notes import Performance

NOTE_FILES = (".mid", ".midi", ".jsonl")
SOUND_FILES = (".wav", ".flac", ".ogg", ".mp3", ".m4a")
READ = (*NOTE_FILES, *notation.SUFFIXES, *SOUND_FILES)
DOMAINS = ("score", "performance", "transcript")
LEAST_NOTES = 8
CHORD_MS, EXACT_MS = 40, 2
COMMON, COMMON_COUNT = 0.02, 3  # of all steps, and how many, one value has to have to be common
MOSTLY = 0.7


class Piece(NamedTuple):
    """notes: all, in seconds; rows: (rows,), which of them each row of the table is; domain: one of DOMAINS"""

    notes: notes.Notes
    table: Table
    rows: NDArray[np.int64]
    domain: str


def read(path: Path) -> Piece:
    """A MIDI file, a file of notes, a score of any kind that `render` plays, or a recording.

    raises: InputError when the file is none of these or damaged, or has less than 8 notes with a pitch
    """
    written = on_paper(path)
    if written is not None:
        return piece(written.notes, "score" if path.suffix.lower() in notation.SUFFIXES else None)
    from clefkit import audio
    from clefkit.transcribe import infer, listen, settings

    model = infer.load(settings.checkpoint("notes").path)
    heard = listen.listen(
        lambda rate: audio.blocks(path, rate), model, listen.Settings(model.thresholds, instruments=1)
    )
    return piece(heard.notes, "transcript")


def on_paper(path: Path) -> Performance | None:
    """What is in a MIDI file, a file of notes or a score; None of any other file. Raises InputError as `read`."""
    suffix = path.suffix.lower()
    if suffix in NOTE_FILES:
        return Performance(notes.read(path)) if suffix == ".jsonl" else midi.read(path)
    if suffix not in notation.SUFFIXES:
        return None
    from clefkit.render import perform

    return perform.perform(notation.read(path), repeats=False)


def piece(played: notes.Notes, given: str | None = None) -> Piece:
    """Notes as a piece.

    given: its domain; None tells scores from performances by their steps
    raises: InputError when less than 8 of them have a pitch
    """
    pitched = np.flatnonzero(~np.array([part.drums for part in played.parts], dtype=bool)[played.part])
    if not len(played):
        raise InputError("no notes to judge")
    if not len(pitched):
        raise InputError("drums alone: no pitches to judge")
    if len(pitched) < LEAST_NOTES:
        raise InputError(f"too few notes to judge: {len(pitched)}, at least {LEAST_NOTES} are needed")
    found, order = tables.table(notes.take(played, pitched))
    return Piece(played, found, pitched[order], given or domain(found))


def domain(table: Table) -> str:
    """ "score" when the steps between onsets are a few that come again and again, as no player's do, else
    "performance"."""
    steps = np.diff(table[:, ONSET])
    spread = steps[steps < CHORD_MS]
    _, counts = np.unique(np.rint(steps[steps >= CHORD_MS] / EXACT_MS), return_counts=True)
    if len(spread) and np.mean(spread < EXACT_MS) < MOSTLY:
        return "performance"
    often = counts[counts >= max(COMMON_COUNT, COMMON * counts.sum())]
    return "score" if often.sum() >= MOSTLY * counts.sum() else "performance"
