"""What a critic found, as plain data: a row of a file, rows of its notes and of its curve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from clefkit.critique.infer import MARKS, Judgement
from clefkit.critique.reading import Piece
from clefkit.critique.table import ONSET, PITCH

NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
COLUMNS = ("file", "p_real", "percentile", "severity", "worst", "worst_measure", "suspicious", "domain")
NOTE_COLUMNS = ("file", "onset_s", "measure", "beat", "part", "pitch", "fault", "p", "rather")
CURVE_COLUMNS = ("file", "start_s", "end_s", "p_real", "attention")

Row = dict[str, Any]


def finding(
    path: Path, piece: Piece, judgement: Judgement, thresholds: dict[str, float], *, curve: bool, notes: bool
) -> Row:
    """The row of a file; with its "curve" and its "notes" as lists of rows, where wanted."""
    worst = int(judgement.curve.argmin())
    start_s, end_s = judgement.start_ms[worst] / 1000, judgement.end_ms[worst] / 1000
    faults = suspicious(piece, judgement, thresholds)
    found: Row = {
        "file": str(path),
        "p_real": rounded(judgement.p_real),
        "percentile": round(judgement.percentile, 1),
        "severity": rounded(judgement.severity),
        "worst": f"{clock(start_s)}-{clock(end_s)}",
        "worst_start_s": round(float(start_s), 3),
        "worst_end_s": round(float(end_s), 3),
        "worst_p_real": rounded(float(judgement.curve[worst])),
        "worst_measure": _measures(piece, judgement.start_ms[worst], judgement.end_ms[worst]),
        "suspicious": len(faults),
        "pitched_notes": len(piece.table),
        "domain": piece.domain,
    }
    if curve:
        found["curve"] = _curve(piece, judgement)
    if notes:
        found["suspicious_notes"] = faults
    return found


def suspicious(piece: Piece, judgement: Judgement, thresholds: dict[str, float]) -> list[Row]:
    """A row for each note that passes a threshold, in order of onset: its likeliest fault.

    fault: "pitch", "time" or "order" (a phrase begins that doesn't follow); p: 0 to 1; rather: the likeliest pitch
    """
    limits = np.array([thresholds[name] for name in MARKS])
    excess = judgement.marks / limits
    rows = []
    for index in np.flatnonzero((excess >= 1).any(axis=1)):
        fault = int(excess[index].argmax())
        note = int(piece.rows[index])
        pitch = int(piece.table[index, PITCH])
        rather = pitch + int(judgement.shift[index])
        row: Row = {"onset_s": round(float(piece.notes.onset[note]), 3)}
        if piece.notes.measure is not None and piece.notes.beat is not None:
            row |= {"measure": str(piece.notes.measure[note]), "beat": round(float(piece.notes.beat[note]), 3)}
        if piece.notes.ids is not None and piece.notes.ids[note]:
            row["id"] = str(piece.notes.ids[note])
        part = int(piece.notes.part[note])
        row |= {"part": piece.notes.parts[part].name or str(part + 1), "pitch": name(pitch), "midi": pitch}
        row |= {"fault": MARKS[fault], "p": rounded(float(judgement.marks[index, fault]))}
        if fault == 0 and rather != pitch:
            row["rather"] = name(rather)
        rows.append(row)
    return rows


def name(pitch: int) -> str:
    """60 is C4."""
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def rounded(value: float) -> float:
    """Six digits, however small: so that order is kept where everything is near 0."""
    return float(f"{value:.6g}")


def _measures(piece: Piece, start_ms: int, end_ms: int) -> str | None:
    """The first and the last measure of a stretch, as written."""
    if piece.notes.measure is None:
        return None
    onset = piece.table[:, ONSET]
    within = piece.notes.measure[piece.rows[(onset >= start_ms) & (onset < max(end_ms, start_ms + 1))]]
    if not len(within):
        return None
    return str(within[0]) if within[0] == within[-1] else f"{within[0]}-{within[-1]}"


def _curve(piece: Piece, judgement: Judgement) -> list[Row]:
    onset = piece.table[:, ONSET]
    return [
        {
            "start_s": round(float(start) / 1000, 3),
            "end_s": round(float(end) / 1000, 3),
            "p_real": rounded(float(value)),
            "attention": rounded(float(judgement.attention[(onset >= start) & (onset < end)].sum())),
        }
        for start, end, value in zip(judgement.start_ms, judgement.end_ms, judgement.curve, strict=True)
    ]
