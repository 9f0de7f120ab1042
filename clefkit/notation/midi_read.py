"""MIDI that holds notation to `Score`: what notation programs export, or a performance on a grid of bar lines.

Nothing is quantised: onsets and durations are the file's ticks as exact fractions of a quarter, and tempo changes stay.
Each (track, channel, program) is a part of one staff and one voice; MIDI has no letters of pitches (`step` is ""), no
rests, no repeats. Measures follow the time signatures up to the one in which the last note ends. Notation programs
write time signatures of their own for a pickup, for the last bar that it makes whole, and for the two parts of a bar
that a repeat sign cuts; here these are measures of the time signature around them.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from clefkit import midi, midifile
from clefkit.errors import InputError
from clefkit.midifile import Clock, Track
from clefkit.notation.model import Key, Measure, Note, Part, Score, Tempo
from clefkit.notes import Notes


def read(path: Path) -> Score:
    """Read a MIDI file of type 0 or 1 as a score.

    raises: InputError when `midi.read` does, or when the file has no time signature and so no bar lines
    """
    tracks, clock = midi.load(path)
    if not clock.quarter or not any(track.meters for track in tracks):
        raise InputError("MIDI without a time signature has no bar lines: it holds notes, not notation")
    # A clock of one second a quarter, whatever the tempo: its seconds times the ticks of a quarter are whole numbers.
    written = midi.performance(tracks, Clock([0], [0], [1], clock.quarter, clock.quarter)).notes
    end = Fraction(round(max(written.offset, default=0.0) * clock.quarter), clock.quarter)
    measures = _measures(tracks, clock, end)
    score = Score(_parts(written), measures, _notes(written, clock.quarter, measures))
    score.keys = _keys(tracks, clock)
    score.tempos = [
        Tempo(Fraction(tick, clock.quarter), 60_000_000 / tempo)
        for tick, tempo in dict(zip(clock.start, clock.tempo, strict=True)).items()
    ]
    return score


def _parts(written: Notes) -> list[Part]:
    return [
        Part(f"P{index + 1}", part.name, program=part.program, unpitched=part.drums)
        for index, part in enumerate(written.parts)
    ]


def _measures(tracks: list[Track], clock: Clock, end: Fraction) -> list[Measure]:
    """The measures up to `end`; one that a time signature cuts short keeps the signature and is shorter."""
    meter = midifile.meter(tracks, clock)
    if meter is None:
        raise InputError(f"more than {midifile.MOST_BEATS:,} beats: check its time signatures")
    changes = {tick: (beats, kind) for track in tracks for tick, beats, kind in track.meters}
    changes.setdefault(0, midifile.FIRST_METER)
    time = midifile.FIRST_METER
    found: list[Measure] = []
    for tick in meter.tick[meter.beat == 1].tolist():
        onset = Fraction(tick, clock.quarter)
        if onset >= end and found:
            break
        time = changes.get(tick, time)
        if found:
            found[-1].length = onset - found[-1].onset
        found.append(Measure(str(len(found) + 1), len(found), onset, _full(time), time))
    _mend(found)
    return found


def _mend(measures: list[Measure]) -> None:
    """Give measures that are parts of a bar the time signature of the whole bar."""
    if len(measures) > 1 and measures[0].time != measures[1].time and measures[0].length < _full(measures[1].time):
        measures[0].time, measures[0].implicit = measures[1].time, True
        before, last = measures[-2:]
        if last.time != before.time and measures[0].length + last.length == _full(before.time):
            last.time = before.time
    for before, one, other, after in zip(measures, measures[1:], measures[2:], measures[3:], strict=False):
        cut = before.time == after.time and before.time not in {one.time, other.time}
        if cut and one.length + other.length == _full(before.time):
            one.time, other.time, other.implicit = before.time, before.time, True


def _full(time: tuple[int, int]) -> Fraction:
    return Fraction(4 * time[0], time[1])


def _notes(written: Notes, quarter: int, measures: list[Measure]) -> list[Note]:
    edges = np.array([float(measure.onset) for measure in measures])
    places = np.searchsorted(edges, written.onset, side="right") - 1
    rows = zip(
        np.rint(written.onset * quarter).astype(np.int64).tolist(),
        np.rint(written.offset * quarter).astype(np.int64).tolist(),
        written.pitch.tolist(),
        written.part.tolist(),
        places.tolist(),
        strict=True,
    )
    return [
        Note(f"P{part + 1}-n{index + 1}", part, place, Fraction(start, quarter), Fraction(end - start, quarter), pitch)
        for index, (start, end, pitch, part, place) in enumerate(rows)
    ]


def _keys(tracks: list[Track], clock: Clock) -> list[Key]:
    changes = {tick: (fifths, minor) for track in tracks for tick, fifths, minor in track.keys}
    return [
        Key(Fraction(tick, clock.quarter), fifths, "minor" if minor else "major")
        for tick, (fifths, minor) in sorted(changes.items())
    ]
