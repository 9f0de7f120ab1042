"""Notes against notes: how good a transcription is.

What the numbers mean is written where they are found: `matched` (notes, onsets, offsets, velocities), `frames`,
`instruments` and `drums` (MT3), `tracks` (parts without names). `protocols` says under which rules, `labels` tells
single notes apart. Where mir_eval has a number, it is this one; the modules name the few exceptions.

MIDI that pretty_midi or note_seq has read gives the same numbers but for three things. A key that is struck again
before it was let go ends its first note here, as on a piano, and there both end together; so offsets and overlaps may
differ. A note that is held while the program changes keeps the program it began with, there it has the next. A note
without length lasts one tick, and there it is left out.

Drums count in `multi_*`, `instruments` and `drum_*` alone: their pitches name instruments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clefkit.score.notes.measures import MEASURES
from clefkit.score.notes.protocols import PROTOCOLS, rule

if TYPE_CHECKING:
    from pathlib import Path

    from clefkit.notes import Notes
    from clefkit.record import Source
    from clefkit.score.notes.pairs import Pairs
    from clefkit.score.notes.protocols import Rule
    from clefkit.score.notes.sides import Side

__all__ = ["COLUMNS", "ENDINGS", "MEASURES", "PROTOCOLS", "compare", "measure"]

COLUMNS = (
    "file",
    "note_precision",
    "note_recall",
    "note_f1",
    "note_offset_f1",
    "frame_f1",
    "drum_f1",
    "ref_notes",
    "est_notes",
)
ENDINGS = (".ref.jsonl", ".ref.mid", ".jsonl", ".mid", ".midi")


def compare(reference: Notes, estimate: Notes, protocol: str = "mirex") -> dict[str, Any]:
    """The measures of `MEASURES` that make sense for these notes, the numbers of notes and tracks, and `instruments`.

    Without drums on either side there are no drum_*; with drums alone there are only these and multi_*.
    protocol: one of `PROTOCOLS`; where the pedal counts, a note ends where `sounding` says so, if it does
    raises: InputError when a note is no note: a time or pitch that is not a number, an end before its beginning; or
        when there are absurdly many notes at the same time and pitch; UsageError when there is no such protocol
    """
    from clefkit.score.notes import drums, instruments, pairs, sides

    given = rule(protocol)
    expected = sides.split(reference, "the reference", held=given.pedal)
    found = sides.split(estimate, "the estimate", held=given.pedal)
    row: dict[str, Any] = {}
    strokes = 0
    near = pairs.agreeing(expected.pitched, found.pitched, given)
    by_offset = near.where(pairs.offsets_agree(expected.pitched, found.pitched, near, given))
    with_drums = len(expected.drums) + len(found.drums) > 0
    if len(expected.pitched) or len(found.pitched) or not with_drums:
        row |= _pitched(expected.pitched, found.pitched, near, by_offset, given)
    if with_drums:
        strokes = drums.right(expected.drums, found.drums, given)
        row |= _drums(expected, found, strokes, given)
    for prefix, ratios in instruments.multi(expected, found, by_offset, strokes).items():
        row |= _named(prefix, ratios)
    row |= instruments.each(expected, found, near, by_offset, strokes)
    return row | {"ref_notes": len(expected.pitched), "est_notes": len(found.pitched)}


def measure(source: Source, *, ref: Path | None, protocol: str, plot: bool = False) -> dict[str, Any]:
    """Measure one file of notes (.mid or .jsonl) by its reference.

    ref: a file of notes, or a folder that holds one by the same name; without it the records lead there
    plot: add "picture", a piano roll of what was found (SVG)
    raises: InputError when the file holds no notes, or no reference is found (see `reference`)
    """
    from clefkit import notes
    from clefkit.score import reference
    from clefkit.score.notes import pedal

    read = pedal.read if rule(protocol).pedal else notes.read
    estimate = read(source.path)
    path, expected = reference.notes_for(source, ref, read)
    row = {"reference": str(path), **compare(expected, estimate, protocol)}
    return row | {"picture": _picture(expected, estimate, protocol, source.path.name, row)} if plot else row


def _picture(reference: Notes, estimate: Notes, protocol: str, title: str, row: dict[str, Any]) -> str:
    """A piano roll of the pitched notes, or of drums where there is nothing else."""
    from clefkit.score.notes import labels, sides
    from clefkit.score.plot import roll

    held = rule(protocol).pedal
    both = sides.split(reference, "the reference", held=held), sides.split(estimate, "the estimate", held=held)
    drums_alone = not any(len(side.pitched) for side in both)
    drawn = [side.drums if drums_alone else side.pitched for side in both]
    figures = {each.name: row[each.name] for each in MEASURES if each.name in row and each.name in COLUMNS}
    return roll(drawn[0], drawn[1], labels.labels(drawn[0], drawn[1], protocol), title, figures)


def _pitched(reference: Notes, estimate: Notes, near: Pairs, by_offset: Pairs, given: Rule) -> dict[str, Any]:
    from clefkit.score.notes import frames, matched, tracks

    row: dict[str, Any] = {}
    for name, pairs in (("note", near), ("note_offset", by_offset)):
        largest = pairs.largest()
        loud = matched.as_loud(reference, estimate, largest)
        row |= _named(name, matched.scores(reference, estimate, largest))
        row |= _named(f"{name}_velocity", matched.scores(reference, estimate, loud))
    row |= _named("onset", matched.onsets(reference, estimate, given))
    row |= _named("offset", matched.offsets(reference, estimate, given))
    return row | frames.scores(reference, estimate) | tracks.scores(reference, estimate, near, by_offset)


def _drums(reference: Side, estimate: Side, strokes: int, given: Rule) -> dict[str, Any]:
    from clefkit.score.notes import drums, pairs

    expected, found = len(reference.drums), len(estimate.drums)
    row = _named("drum", pairs.ratios(strokes, expected, found))
    by_class = drums.by_class(reference.drums, estimate.drums, given)
    if by_class is not None:
        row["drum_class_f1"] = by_class.f1
    return row | {"ref_drums": expected, "est_drums": found}


def _named(prefix: str, ratios: Any) -> dict[str, float]:
    return {f"{prefix}_{name}": value for name, value in ratios._asdict().items()}
