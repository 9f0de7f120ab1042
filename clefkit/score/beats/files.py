"""Beats from files: lists of times as trackers and datasets write them, MIDI, and the records of sounds.

A line of a list is a beat: its time in seconds, then, if anybody knows it, where it is in its bar. Columns are set
apart by blanks or tabs; empty lines and those that begin with # are passed over. These are told apart by themselves:

    12.48                    mir_eval, SMC
    12.48  1                 number in the bar, 1 is a downbeat: beat_this, madmom, Ballroom, GTZAN
    12.48  1  7              the same and the number of the bar: Harmonix
    12.48  12.48  db,4/4,-1  b, bR, db and the like: ASAP
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clefkit import midi, record
from clefkit.clock import Clock
from clefkit.errors import InputError
from clefkit.notes import Beat
from clefkit.record import Source
from clefkit.score import reference
from clefkit.score.beats import ENDINGS, Beats
from clefkit.score.beats.metrics import MOST_BEATS
from clefkit.score.kinds import MIDI, SOUND

MOST_BYTES = 16 * 2**20
NONE = "no record leads to a sound whose beats are known: give --ref"


def read(path: Path) -> Beats:
    """The beats of a list or of a MIDI file. An empty list has no beats and no downbeats.

    raises: InputError when it is neither, or holds no beats; says which line is wrong
    """
    if path.suffix.lower() in MIDI:
        return _counted(midi.read(path).beats)
    return _listed(_text(path))


def reference_for(source: Source, given: Path | None) -> tuple[Path, Beats]:
    """The file that knows the beats, and these in the time of the estimate.

    given: a list, MIDI, a sound with a record, or a folder that holds one by the estimate's name
    raises: InputError when there is none, or it can't be read
    """
    if given is None:
        sound, clocks = reference.follow(source, lambda each: each if "timemap" in each.record else None, NONE)
        found = _recorded(sound)
        for each in clocks:
            found = _moved(found, each)
        return sound.path, found
    path = reference.named(given, source.path, ENDINGS)
    with reference.told(path):
        return path, _recorded(record.source(path)) if path.suffix.lower() in SOUND else read(path)


def _moved(beats: Beats, by: Clock) -> Beats:
    return Beats(by.at(beats.times), None if beats.downbeats is None else by.at(beats.downbeats))


def _recorded(sound: Source) -> Beats:
    """What the record of a sound says in its `timemap`."""
    if "timemap" not in sound.record:
        raise InputError("a sound without a record that says where its beats are")
    try:
        rows = [
            Beat(str(measure), int(turn), float(beat), float(quarter), float(time_s))
            for measure, turn, beat, quarter, time_s in sound.record["timemap"]["rows"]
        ]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"the beats in the record of {sound.path.name} are damaged") from error
    return _counted(rows)


def _counted(rows: Iterable[Beat]) -> Beats:
    """Written beats as annotators count them: in compound meters each third, and none between whole beats.

    A measure is compound that counts 6, 9, 12, ... beats, and so is a shorter one (it is incomplete) behind it.
    """
    measures = [list(group) for _, group in itertools.groupby(rows, key=lambda each: (each.measure, each.turn))]
    times: list[float] = []
    downbeats: list[float] = []
    compound = False
    unit = 0.0
    for measure in measures:
        last, before = measure[-1].beat, unit
        if len(measure) > 1:
            unit = (measure[-1].quarter - measure[0].quarter) / max(last - measure[0].beat, 1e-6)
        compound = (last >= 6 and last % 3 == 0) or (compound and last <= 3 and math.isclose(unit, before))
        step = 3 if compound else 1
        times += [each.time_s for each in measure if (each.beat - 1) % step == 0]
        downbeats += [each.time_s for each in measure if each.beat == 1]
    if not times:
        raise InputError("it says nothing of beats")
    return Beats(np.array(times), np.array(downbeats))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise InputError(f"larger than {MOST_BYTES // 2**20} MiB: a list of beats is shorter")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("not a list of beats: no text") from error
    except OSError as error:
        raise InputError(f"can't be read ({(error.strerror or 'unknown error').lower()})") from error


@dataclass
class _Line:
    """A beat of a list. downbeat: None when the line doesn't say."""

    time_s: float
    downbeat: bool | None


def _listed(text: str) -> Beats:
    lines: list[_Line] = []
    for number, line in enumerate(text.splitlines(), start=1):
        columns = line.split(maxsplit=3)
        if not columns or columns[0].startswith("#"):
            continue
        try:
            lines.append(_line(columns))
        except ValueError as error:
            raise InputError(f"line {number} is no beat: write its seconds, then its number in the bar") from error
        if (lines[-1].downbeat is None) != (lines[0].downbeat is None):
            raise InputError(f"line {number}: either all beats have a number in the bar or none")
        if len(lines) > MOST_BEATS:
            raise InputError(f"more than {MOST_BEATS:,} beats")
    times = np.array([line.time_s for line in lines])
    if any(line.downbeat is None for line in lines[:1]):
        return Beats(times)
    return Beats(times, times[np.array([line.downbeat for line in lines], dtype=bool)])


def _line(columns: list[str]) -> _Line:
    time_s = float(columns[0])
    if not math.isfinite(time_s):
        raise ValueError
    if len(columns) == 1:
        return _Line(time_s, None)
    place = columns[2] if len(columns) > 2 and columns[2][0].isalpha() else columns[1]
    if place.startswith(("b", "db")):
        return _Line(time_s, place.startswith("db"))
    return _Line(time_s, int(place) == 1)
