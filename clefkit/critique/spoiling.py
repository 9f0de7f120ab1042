"""`clefkit corrupt`: a piece spoilt by one kind of corruption, and the list of what was changed.

Drums have no pitch: shuffle and rhythm move them with the rest, the other kinds leave them alone. Controllers are left
out, because they would be wrong after a shuffle; where a pedal held notes they last as long as they sounded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clefkit import notes
from clefkit.critique import reading, table
from clefkit.critique.corrupt import KINDS, Corrupted, corrupt
from clefkit.critique.table import DURATION, ONSET, PITCH, VELOCITY, Table
from clefkit.errors import InputError, UsageError
from clefkit.notes import Notes
from clefkit.record import Product, Source

if TYPE_CHECKING:
    from numpy.random import Generator

IN_TIME = ("shuffle", "rhythm")  # kinds that move drums, too
LEAST_NOTES = 4


def products(source: Source, rng: Generator, *, kind: str, severity: float) -> Iterator[Product]:
    """The spoilt piece as MIDI, and beside it what was changed, a line of JSON each.

    raises: InputError when the file is neither notes nor a score, is damaged, or has too few notes that can be spoilt
    """
    piece = _piece(source.path)
    whole, which = table.table(piece)
    drums = np.array([part.drums for part in piece.parts], dtype=bool)[piece.part[which]]
    rows = np.arange(len(whole)) if kind in IN_TIME else np.flatnonzero(~drums)
    if drums.all():
        raise InputError("drums alone: no pitches to spoil")
    if len(rows) < LEAST_NOTES:
        raise InputError(f"too few notes to spoil: {len(rows)}, at least {LEAST_NOTES} are needed")
    spoilt = corrupt(whole[rows], kind, severity, rng)
    part = piece.part[which]
    left = np.setdiff1d(np.arange(len(whole)), rows)
    made = _notes(
        np.concatenate([spoilt.notes, whole[left]]), np.concatenate([part[rows][spoilt.source], part[left]]), piece
    )
    changes = _changes(whole[rows], part[rows], spoilt, kind)
    label = f"{kind}-{100 * severity:g}"

    def write_changes(path: Path) -> None:
        path.write_text("".join(json.dumps(each) + "\n" for each in changes), encoding="utf-8")

    def write(path: Path) -> None:
        notes.write_midi(path, made)

    yield Product(f"{label}.changed.jsonl", write_changes, {}, printed=False)
    yield Product(f"{label}.mid", write, {"kind": kind, "severity": severity, "changed": len(changes)})


def options(kind: str, severity: float) -> dict[str, Any]:
    """The options of `products`. Raises UsageError when one makes no sense."""
    if kind not in KINDS:
        raise UsageError(f"--kind {kind}: there are {', '.join(KINDS)}")
    if not 0 < severity <= 1:
        raise UsageError(f"--severity {severity:g}: give more than 0, and 1 at most")
    return {"kind": kind, "severity": severity}


def _piece(path: Path) -> Notes:
    found = reading.on_paper(path)
    if found is None:
        raise InputError("neither notes nor a score: give MIDI, .jsonl or a score, or transcribe it first")
    if not len(found):
        raise InputError("no notes to spoil")
    if found.sounding is None:
        return found
    return notes.make(
        found.onset, np.maximum(found.offset, found.sounding), found.pitch, found.velocity, found.part, found.parts
    )


def _notes(rows: Table, part: NDArray[np.int64], piece: Notes) -> Notes:
    onset = rows[:, ONSET] / 1000
    return notes.make(onset, onset + rows[:, DURATION] / 1000, rows[:, PITCH], rows[:, VELOCITY], part, piece.parts)


def _changes(before: Table, part: NDArray[np.int64], spoilt: Corrupted, kind: str) -> list[dict[str, Any]]:
    """A row for each change: in order of onset, then those that are gone.

    change: "pitch", "time", "phrase" (the first notes of one that doesn't follow), "new" or "gone"
    """
    change = {"off-key": "pitch", "noise": "pitch", "rhythm": "time", "shuffle": "phrase", "stray": "new"}[kind]
    rows = []
    for index in np.flatnonzero(spoilt.changed):
        was = before[spoilt.source[index]]
        row = {"change": change, **_told(spoilt.notes[index]), "part": int(part[spoilt.source[index]]) + 1}
        if change == "pitch":
            row["was_pitch"] = int(was[PITCH])
        elif change != "new":
            row["was_onset_s"] = round(int(was[ONSET]) / 1000, 3)
        rows.append(row)
    if change == "new":
        kept = spoilt.source[~spoilt.changed]
        gone = np.setdiff1d(np.arange(len(before)), kept)
        rows += [{"change": "gone", **_told(before[index]), "part": int(part[index]) + 1} for index in gone]
    return rows


def _told(row: NDArray[np.int32]) -> dict[str, Any]:
    return {"onset_s": round(int(row[ONSET]) / 1000, 3), "pitch": int(row[PITCH])}
