"""Notes against notes: how good a transcription is.

What each number means is written in `matched` (precision, recall, F-measure, overlap) and `frames`. They are
mir_eval's numbers; what makes them comparable between papers is said in `PROTOCOLS`.

Drum parts are left out on both sides: their pitches name instruments. So a file with drums alone has no notes here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clefkit.errors import InputError
from clefkit.score.kinds import Measure

if TYPE_CHECKING:
    from pathlib import Path

    from clefkit.notes import Notes
    from clefkit.record import Source

MEASURES = (
    Measure("note_precision", "estimated notes that are right: onset within 50 ms, pitch within 50 cents"),
    Measure("note_recall", "reference notes that were found"),
    Measure("note_f1", "their harmonic mean"),
    Measure("note_overlap", "mean overlap ratio of the pairs"),
    Measure("note_offset_precision", "the same, offsets too: within 50 ms or 20 % of the duration"),
    Measure("note_offset_recall", "reference notes found with their offset"),
    Measure("note_offset_f1", "their harmonic mean"),
    Measure("note_offset_overlap", "mean overlap ratio of the pairs"),
    Measure("frame_precision", "estimated pitches that sound, in frames of 10 ms"),
    Measure("frame_recall", "sounding pitches that were found"),
    Measure("frame_f1", "their harmonic mean"),
)
COLUMNS = (
    "file",
    "note_precision",
    "note_recall",
    "note_f1",
    "note_offset_f1",
    "frame_f1",
    "ref_notes",
    "est_notes",
)
PROTOCOLS = {
    "mirex": "mir_eval 0.8: onset 50 ms, pitch 50 cents; offset 50 ms or 20 %; frames 10 ms, onset <= time < offset; "
    "no drums"
}
ENDINGS = (".ref.jsonl", ".ref.mid", ".jsonl", ".mid", ".midi")
LONGEST_S = 1_000_000.0
PITCHES = (-100.0, 300.0)


def compare(reference: Notes, estimate: Notes) -> dict[str, Any]:
    """Every measure of `MEASURES`, and the number of notes on both sides (`ref_notes`, `est_notes`).

    raises: InputError when a note is no note: a time or pitch that is not a number, an end before its beginning; or
        when there are absurdly many notes at the same time and pitch
    """
    from clefkit.score.notes import frames, matched

    sides = [_pitched(reference, "the reference"), _pitched(estimate, "the estimate")]
    by_onset, by_offset = matched.scores(*sides)
    found = {f"note_{key}": value for key, value in by_onset._asdict().items()}
    found |= {f"note_offset_{key}": value for key, value in by_offset._asdict().items()}
    found |= {f"frame_{key}": value for key, value in frames.scores(*sides)._asdict().items()}
    return found | {"ref_notes": len(sides[0]), "est_notes": len(sides[1])}


def measure(source: Source, *, ref: Path | None, protocol: str) -> dict[str, Any]:  # noqa: ARG001 one protocol so far
    """Measure one file of notes (.mid or .jsonl) by its reference.

    ref: a file of notes, or a folder that holds one by the same name; without it the records lead there
    raises: InputError when the file holds no notes, or no reference is found (see `reference`)
    """
    from clefkit import notes
    from clefkit.score import reference

    estimate = notes.read(source.path)
    path, expected = reference.notes_for(source, ref)
    return {"reference": str(path), **compare(expected, estimate)}


def _pitched(notes: Notes, side: str) -> Notes:
    """The notes that are not drums."""
    from dataclasses import replace

    import numpy as np

    within = (np.abs(notes.onset) <= LONGEST_S) & (np.abs(notes.offset) <= LONGEST_S) & (notes.offset >= notes.onset)
    within &= (notes.pitch >= PITCHES[0]) & (notes.pitch <= PITCHES[1])
    within &= (notes.part >= 0) & (notes.part < len(notes.parts))
    if not within.all():
        raise InputError(f"{side} has a note with an impossible time, pitch or part: number {np.argmin(within) + 1}")
    keep = ~np.array([part.drums for part in notes.parts], dtype=bool)[notes.part]
    return replace(
        notes,
        onset=notes.onset[keep],
        offset=notes.offset[keep],
        pitch=notes.pitch[keep],
        velocity=notes.velocity[keep],
        part=notes.part[keep],
        ids=None,
    )
