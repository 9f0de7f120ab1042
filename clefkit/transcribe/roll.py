"""The piano roll for a terminal: a character is two semitones high; a colour is a part.

The whole recording is shown, in one to four systems: a column is as short as that allows, 50 ms at least. Between two
notes of one pitch that follow each other is an empty column.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clefkit import notes as note_files
from clefkit.notes import Notes

Line = list[tuple[str, str]]
Grid = NDArray[np.int64]

COLOURS = ("cyan", "yellow", "magenta", "green", "blue", "red")
EMPTY = -1
LABEL = 5  # columns for the names of pitches
SYSTEMS = 4
COLUMNS_S = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
TICK = 10  # columns from one time to the next


def draw(path: Path, columns: int, coloured: bool) -> list[Line]:
    """The notes in a file, as lines of (text, style).

    columns: of the terminal; coloured: whether it shows colours
    """
    found = note_files.read(path)
    width = max((columns - LABEL - 1) // TICK, 1) * TICK  # so that each system begins at a round time
    end_s = float(found.offset.max(initial=0.0))
    column_s = next((each for each in COLUMNS_S if end_s <= SYSTEMS * width * each), COLUMNS_S[-1])
    count = max(1, math.ceil(end_s / column_s))
    lines: list[Line] = [[(f"{path.name}: {len(found)} notes", "bold")]]
    if not len(found):
        return lines
    low = int(found.pitch.min()) // 2 * 2
    grid = _grid(found, low, count, column_s)
    for first in range(0, count, width):
        part = grid[:, first : first + width]
        rows = range(len(grid) - 2, -1, -2)
        lines += [_line(low + row, part[row + 1], part[row], coloured) for row in rows]
        lines.append(_axis(first, part.shape[1], column_s))
    return lines


def _grid(notes: Notes, low: int, count: int, column_s: float) -> Grid:
    """(semitones from `low`, columns): which part sounds."""
    pitch = np.rint(notes.pitch).astype(np.int64) - low
    grid = np.full((int(pitch.max()) // 2 * 2 + 2, count), EMPTY)
    begin = np.minimum((notes.onset / column_s).astype(np.int64), count - 1)
    end = np.maximum(np.ceil(notes.offset / column_s - 1e-6).astype(np.int64), begin + 1)
    for index in range(len(notes)):
        row, first = grid[pitch[index]], begin[index]
        if first > 1 and row[first - 1] != EMPTY and row[first - 2] == row[first - 1]:
            row[first - 1] = EMPTY
        row[first : end[index]] = notes.part[index]
    return grid


def _line(pitch: int, upper: Grid, lower: Grid, coloured: bool) -> Line:
    """Two semitones, of which `pitch` is the lower."""
    c = next((each for each in (pitch, pitch + 1) if each % 12 == 0), None)
    line: Line = [((f"C{c // 12 - 1}" if c is not None else "").rjust(LABEL - 1) + " ", "dim")]
    changes = np.flatnonzero((np.diff(upper) != 0) | (np.diff(lower) != 0)) + 1
    for first, end in pairwise([0, *changes.tolist(), len(upper)]):
        character, style = _cell(int(upper[first]), int(lower[first]), coloured)
        line.append(
            (character * (end - first), style) if character != " " or c is None else ("·" * (end - first), "dim")
        )
    return line


def _cell(upper: int, lower: int, coloured: bool) -> tuple[str, str]:
    names = [COLOURS[part % len(COLOURS)] for part in (upper, lower)]
    if EMPTY in (upper, lower):
        return (" ", "") if upper == lower else ("▀", names[0]) if lower == EMPTY else ("▄", names[1])
    if names[0] == names[1] or not coloured:
        return "█", names[0]
    return "▀", f"{names[0]} on {names[1]}"


def _axis(first: int, count: int, column_s: float) -> Line:
    """Times below the columns."""
    labels = [f"|{_clock((first + column) * column_s)}".ljust(TICK) for column in range(0, count, TICK)]
    text = "".join(labels)
    return [(" " * LABEL + (text if len(text.rstrip()) <= count else text[: -len(labels[-1])]).rstrip(), "dim")]


def _clock(seconds: float) -> str:
    """0:05, 0:05.5, 1:00:05"""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(round(minutes), 60)
    second = f"{rest:02.0f}" if abs(rest - round(rest)) < 0.01 else f"{rest:04.1f}"
    return f"{hours}:{minutes:02d}:{second}" if hours else f"{minutes}:{second}"
