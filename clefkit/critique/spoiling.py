"""`clefkit corrupt`: a piece spoilt by one kind of corruption, and the list of what was changed.

What is not listed stays as it is, to the tick, but for a key that is let go before it is struck again. Drums have no
pitch: shuffle and rhythm move them with the rest, the other kinds leave them alone. Tempo and controllers stay, too; as
they would not fit a shuffle or another rhythm, then only what is set before the first note stays, but no pedal, and
notes last as long as the pedal held them.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import midiplay, notes
from clefkit.critique import reading, table
from clefkit.critique.corrupt import KINDS, Corrupted, corrupt, settled
from clefkit.critique.table import DURATION, ONSET, PITCH, Table
from clefkit.errors import InputError, UsageError
from clefkit.notes import Control, Notes, Performance
from clefkit.record import Product, Source
from clefkit.render import held

if TYPE_CHECKING:
    from numpy.random import Generator

IN_TIME = ("shuffle", "rhythm")  # kinds that move drums, too
CHANGES = {"off-key": "pitch", "noise": "pitch", "rhythm": "time", "shuffle": "phrase", "stray": "new"}
LEAST_NOTES = 4
PEDALS = (64, 66, 69)
PITCHES = 128


class _Spoilt(NamedTuple):
    """before, rows: what could be spoilt, and which notes these are; after: what became of it; piece: all of it"""

    before: Table
    rows: NDArray[np.int64]
    after: Corrupted
    piece: Performance


def products(source: Source, rng: Generator, *, kind: str, severity: float) -> Iterator[Product]:
    """The spoilt piece as MIDI, and beside it what was changed, a line of JSON each.

    raises: InputError when kind or severity, as of an edited record, is none; writing, too, when the file is neither
        notes nor a score, is damaged, or has nothing in it that can be spoilt
    """
    if kind not in KINDS or not 0 < severity <= 1:
        raise InputError(f"there is no corruption {kind!r} by {severity:g}")
    facts: dict[str, Any] = {"kind": kind, "severity": severity}

    @functools.cache
    def spoilt() -> _Spoilt:
        return _spoilt(_played(source.path, kind), kind, severity, rng)

    def write_changes(path: Path) -> None:
        changes = _changes(spoilt(), kind)
        facts["changed"] = len(changes)
        path.write_text("".join(json.dumps(each) + "\n" for each in changes), encoding="utf-8")

    def write(path: Path) -> None:
        path.write_bytes(midiplay.encode(_written(spoilt(), kind)))
        facts["made_with"] = {"numpy": np.__version__}

    label = f"{kind}-{100 * severity:g}"
    yield Product(f"{label}.changed.jsonl", write_changes, {}, printed=False)
    yield Product(f"{label}.mid", write, facts)


def options(kind: str, severity: float) -> dict[str, Any]:
    """The options of `products`. Raises UsageError when one makes no sense."""
    if kind not in KINDS:
        raise UsageError(f"--kind {kind}: there are {', '.join(KINDS)}")
    if not 0 < severity <= 1:
        raise UsageError(f"--severity {severity:g}: give more than 0, and 1 at most")
    return {"kind": kind, "severity": severity}


def _played(path: Path, kind: str) -> Performance:
    """The piece, for kinds that move it in time without pedals."""
    found = reading.on_paper(path)
    if found is None:
        raise InputError("neither notes nor a score: give MIDI, .jsonl or a score, or transcribe it first")
    if not len(found.notes):
        raise InputError("no notes to spoil")
    if kind not in IN_TIME:
        return found
    controls = [each for each in found.controls if each.time_s <= found.notes.onset[0] and not _is_pedal(each)]
    return Performance(replace(found.notes, offset=_let_go(found)), tuple(controls))


def _is_pedal(control: Control) -> bool:
    return control.kind == "control" and control.number in PEDALS


def _let_go(played: Performance) -> NDArray[np.float64]:
    """(notes,), seconds: until when each sounds."""
    found = played.notes
    if found.sounding is not None:
        return np.maximum(found.offset, found.sounding)
    until = found.offset.copy()
    for part in range(len(found.parts)):
        mine = found.part == part
        moves = [each for each in played.controls if each.part == part]
        damper, sostenuto = (held.presses(moves, number) for number in (held.DAMPER, held.SOSTENUTO))
        until[mine] = held.until(found.onset[mine], found.offset[mine], damper, sostenuto)
    until[np.isinf(until)] = found.offset.max()
    return until


def _spoilt(piece: Performance, kind: str, severity: float, rng: Generator) -> _Spoilt:
    found = piece.notes
    whole, order = table.table(found)
    drums = np.array([part.drums for part in found.parts], dtype=bool)[found.part[order]]
    if drums.all():
        raise InputError("drums alone: no pitches to spoil")
    chosen = np.full(len(whole), kind in IN_TIME) | ~drums
    if chosen.sum() < LEAST_NOTES:
        raise InputError(f"too few notes to spoil: {chosen.sum()}, at least {LEAST_NOTES} are needed")
    after = corrupt(whole[chosen], kind, severity, rng)
    if not after.changed.any():
        raise InputError(f"nothing in it that {kind} could change")
    return _Spoilt(whole[chosen], order[chosen], after, piece)


def _written(spoilt: _Spoilt, kind: str) -> Performance:
    """The piece with its changes, everything else exactly as it was."""
    before, rows, after, piece = spoilt
    found = piece.notes
    was, mine = settled(before)[after.source], rows[after.source]
    onset, offset, pitch = found.onset[mine], found.offset[mine], found.pitch[mine]
    later = (after.notes[:, ONSET] - was[:, ONSET]) / 1000
    longer = (after.notes[:, DURATION] - was[:, DURATION]) / 1000 if kind == "rhythm" else np.zeros(len(mine))
    left = np.setdiff1d(np.arange(len(found)), rows)
    source = np.concatenate([mine, left])
    made = notes.make(
        np.concatenate([onset + later, found.onset[left]]),
        np.concatenate([offset + later + longer, found.offset[left]]),
        np.concatenate(
            [np.where(after.notes[:, PITCH] == was[:, PITCH], pitch, after.notes[:, PITCH]), found.pitch[left]]
        ),
        found.velocity[source],
        found.part[source],
        found.parts,
    )
    return Performance(_struck(made), piece.controls, () if kind in IN_TIME else piece.beats)


def _struck(found: Notes) -> Notes:
    """The same, but each part lets a key go before it strikes it again."""
    rows, order = table.table(replace(found, pitch=np.rint(found.pitch) + PITCHES * found.part))
    earlier = np.flatnonzero(settled(rows)[:, DURATION] < rows[:, DURATION])
    offset = found.offset.copy()
    offset[order[earlier]] = (rows[earlier, ONSET] + settled(rows)[earlier, DURATION]) / 1000
    return replace(found, offset=offset)


def _changes(spoilt: _Spoilt, kind: str) -> list[dict[str, Any]]:
    """A row for each change, in order of onset, then those that are gone.

    change: "pitch", "time" (of a rhythm: the step to it from the onset before), "phrase" (the first notes of one that
        doesn't follow), "new" or "gone"; part: from 1, in the order of the tracks
    """
    before, owner, after = spoilt.before, spoilt.piece.notes.part[spoilt.rows] + 1, spoilt.after
    rows = []
    for index in np.flatnonzero(after.changed):
        source = after.source[index]
        row = {"change": CHANGES[kind], **_told(after.notes[index]), "part": int(owner[source])}
        if CHANGES[kind] == "pitch":
            row["was_pitch"] = int(before[source, PITCH])
        elif CHANGES[kind] != "new":
            row["was_onset_s"] = round(int(before[source, ONSET]) / 1000, 3)
        rows.append(row)
    if kind == "stray":
        gone = np.setdiff1d(np.arange(len(before)), after.source[~after.changed])
        rows += [{"change": "gone", **_told(before[index]), "part": int(owner[index])} for index in gone]
    return rows


def _told(row: NDArray[np.int32]) -> dict[str, Any]:
    return {"onset_s": round(int(row[ONSET]) / 1000, 3), "pitch": int(row[PITCH])}
