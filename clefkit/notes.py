"""Notes as columns, and as files.

A note has an onset and an offset in seconds, a pitch as a MIDI number (60 is middle C; a fraction is cents / 100), a
velocity (1 to 127) and a part. Two kinds of file hold notes:

- `.jsonl`, exact: a first line `{"clefkit": "notes", "rate": 44100, "samples": ..., "parts": [...]}`, then one note a
  line with onset and offset in samples at that rate. References are in this form.
- `.mid`, for people and other programs: written at 2,400 ticks a second, so within 0.21 ms; pitches are rounded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clefkit.errors import InputError

TICKS_PER_QUARTER = 1200
TICKS_PER_SECOND = 2400
MOST_BYTES = 256 * 2**20
MOST_NOTES = 2_000_000


class Part(NamedTuple):
    """Who plays: a name for people, a General MIDI program (0 to 127), and whether it is a drum kit."""

    name: str = ""
    program: int = 0
    drums: bool = False


@dataclass(frozen=True)
class Notes:
    """Notes sorted by onset, pitch, part.

    onset, offset: (notes,), float64, seconds
    pitch: (notes,), float64, MIDI number
    velocity: (notes,), int64, 1 to 127
    part: (notes,), int64, index into `parts`
    ids: (notes,), str, the source's own id of each note ("" when it has none)
    sounding: (notes,), float64, seconds: when its sound is let go: after the offset of the key where a pedal holds it
    measure, beat: (notes,), str and float64: where it is written; the first beat of a measure is 1
    confidence: (notes,), float64, 0 to 1: how sure a transcriber is of the note
    The last five may be missing: None.
    """

    onset: NDArray[np.float64]
    offset: NDArray[np.float64]
    pitch: NDArray[np.float64]
    velocity: NDArray[np.int64]
    part: NDArray[np.int64]
    parts: tuple[Part, ...] = (Part(),)
    ids: NDArray[np.str_] | None = None
    sounding: NDArray[np.float64] | None = None
    measure: NDArray[np.str_] | None = None
    beat: NDArray[np.float64] | None = None
    confidence: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.onset)

    @property
    def intervals(self) -> NDArray[np.float64]:
        """(notes, 2), seconds: what mir_eval calls intervals."""
        return np.stack([self.onset, self.offset], axis=1)

    @property
    def pitch_hz(self) -> NDArray[np.float64]:
        """(notes,), Hz, with A4 = 440 Hz: what mir_eval calls pitches."""
        return np.asarray(440.0 * 2.0 ** ((self.pitch - 69.0) / 12.0))


class Control(NamedTuple):
    """A controller of one part at one time.

    kind: "control" (number is the MIDI controller, value 0 to 127) or "bend" (number is 0, value in semitones)
    """

    time_s: float
    part: int
    kind: str
    number: int
    value: float


class Beat(NamedTuple):
    """A beat of a score as it is played.

    measure: as written; turn: 1 when it is played for the first time; beat: 1 is the first of a measure, and each is as
        long as what the time signature counts; quarter, time_s: quarters, seconds from the start of the performance
    """

    measure: str
    turn: int
    beat: float
    quarter: float
    time_s: float


@dataclass(frozen=True)
class Performance:
    """Everything a synthesiser needs: notes, and controllers (pedal, volume, pan, expression, bends) sorted by time.

    beats: where they are, () when nobody knows
    """

    notes: Notes
    controls: tuple[Control, ...] = ()
    beats: tuple[Beat, ...] = ()


def make(
    onset: ArrayLike,
    offset: ArrayLike,
    pitch: ArrayLike,
    velocity: ArrayLike | None = None,
    part: ArrayLike | None = None,
    parts: tuple[Part, ...] = (Part(),),
    ids: ArrayLike | None = None,
    sounding: ArrayLike | None = None,
    measure: ArrayLike | None = None,
    beat: ArrayLike | None = None,
    *,
    confidence: ArrayLike | None = None,
) -> Notes:
    """Notes from any sequences, sorted. Without a velocity it is 80; without a part it is the first."""
    start = np.asarray(onset, dtype=np.float64).reshape(-1)
    count = len(start)
    order = np.lexsort((_column(part, 0, count), np.asarray(pitch, dtype=np.float64).reshape(-1), start))
    return Notes(
        start[order],
        np.asarray(offset, dtype=np.float64).reshape(-1)[order],
        np.asarray(pitch, dtype=np.float64).reshape(-1)[order],
        _column(velocity, 80, count)[order],
        _column(part, 0, count)[order],
        parts,
        None if ids is None else np.asarray(ids, dtype=np.str_).reshape(-1)[order],
        None if sounding is None else np.asarray(sounding, dtype=np.float64).reshape(-1)[order],
        None if measure is None else np.asarray(measure, dtype=np.str_).reshape(-1)[order],
        None if beat is None else np.asarray(beat, dtype=np.float64).reshape(-1)[order],
        None if confidence is None else np.asarray(confidence, dtype=np.float64).reshape(-1)[order],
    )


def _column(values: ArrayLike | None, default: int, count: int) -> NDArray[np.int64]:
    return np.full(count, default, np.int64) if values is None else np.asarray(values, dtype=np.int64).reshape(-1)


def take(notes: Notes, chosen: NDArray[Any]) -> Notes:
    """Some of the notes, by a mask or by indices."""
    columns = (notes.onset, notes.offset, notes.pitch, notes.velocity, notes.part)
    onset, offset, pitch, velocity, part = (column[chosen] for column in columns)
    ids, sounding, measure, beat, confidence = (
        None if column is None else column[chosen]
        for column in (notes.ids, notes.sounding, notes.measure, notes.beat, notes.confidence)
    )
    return make(onset, offset, pitch, velocity, part, notes.parts, ids, sounding, measure, beat, confidence=confidence)


def alone(notes: Notes, part: int) -> Notes:
    """The notes of one part, as the only part."""
    mine = take(notes, notes.part == part)
    return replace(mine, part=np.zeros_like(mine.part), parts=(notes.parts[part],))


def read(path: Path) -> Notes:
    """Read notes from `.jsonl` or `.mid`. A MIDI part is one (track, channel, program).

    raises: InputError when the file is neither, is damaged, or is past 256 MiB or two million notes
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise InputError("no such file") from error
    if size > MOST_BYTES:
        raise InputError(f"larger than {MOST_BYTES // 2**20} MiB")
    if path.suffix.lower() == ".jsonl":
        return _read_jsonl(path)
    from clefkit import midi

    return midi.read(path).notes


def write_midi(path: Path, notes: Notes) -> None:
    """Write a MIDI file of type 1, one track a part, at a constant 120 quarters a minute."""
    from clefkit import midi

    path.write_bytes(midi.encode(notes))


def write_jsonl(path: Path, notes: Notes, rate: int, samples: int) -> None:
    """Write notes with onset and offset in samples at `rate`; `samples` is the length of the sound they belong to."""
    head = {"clefkit": "notes", "rate": rate, "samples": samples, "parts": [part._asdict() for part in notes.parts]}
    encode = json.JSONEncoder(ensure_ascii=False).encode
    lines = [encode(head)]
    onset = np.rint(notes.onset * rate).astype(np.int64).tolist()
    offset = np.rint(notes.offset * rate).astype(np.int64).tolist()
    rows = zip(onset, offset, notes.pitch.tolist(), notes.velocity.tolist(), notes.part.tolist(), strict=True)
    for index, (start, end, pitch, velocity, part) in enumerate(rows):
        row: dict[str, Any] = {"onset": start, "offset": end, "pitch": int(pitch) if pitch == int(pitch) else pitch}
        row |= {"velocity": velocity, "part": part}
        if notes.sounding is not None:
            row["sounding"] = round(float(notes.sounding[index]) * rate)
        if notes.ids is not None:
            row["id"] = str(notes.ids[index])
        if notes.measure is not None and notes.beat is not None:
            row |= {"measure": str(notes.measure[index]), "beat": round(float(notes.beat[index]), 6)}
        if notes.confidence is not None:
            row["confidence"] = round(float(notes.confidence[index]), 4)
        lines.append(encode(row))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _read_jsonl(path: Path) -> Notes:
    try:
        with path.open(encoding="utf-8") as file:
            head = json.loads(file.readline())
            if head["clefkit"] != "notes":
                raise InputError("not a file of notes")
            rate = float(head["rate"])
            parts = tuple(Part(str(p["name"]), int(p["program"]), bool(p["drums"])) for p in head["parts"])
            rows = [json.loads(line) for line in file if line.strip()]
        return make(
            [row["onset"] / rate for row in rows],
            [row["offset"] / rate for row in rows],
            [row["pitch"] for row in rows],
            [row["velocity"] for row in rows],
            [row["part"] for row in rows],
            parts,
            _optional(rows, "id", ""),
            [row["sounding"] / rate for row in rows] if rows and all("sounding" in row for row in rows) else None,
            _optional(rows, "measure", ""),
            _optional(rows, "beat", 0.0),
            confidence=_optional(rows, "confidence", 0.0),
        )
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise InputError("not a file of notes, or damaged") from error


def _optional(rows: list[dict[str, Any]], key: str, missing: Any) -> list[Any] | None:
    return [row.get(key, missing) for row in rows] if any(key in row for row in rows) else None
