"""Barlines of a MusicXML part: repeat signs, the brackets of endings, fermatas.

A repeat sign in the middle of a measure cuts it in two: what stands before it is kept in `Found.heads` until all is
read, and `halves` makes it a measure of its own.
"""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from clefkit.notation.model import Measure, Score

if TYPE_CHECKING:
    from clefkit.notation.musicxml_part import Found, PartReader

MOST_TIMES = 32
NO_PASSES: frozenset[int] = frozenset()
PASSES = re.compile(r"(\d{1,3})(?:\s*-\s*(\d{1,3}))?")


def barline(reader: PartReader, element: Any) -> None:
    """Repeat signs and the brackets of endings."""
    ending, repeat = element.find("ending"), element.find("repeat")
    before, after = _sides(reader, element.get("location", "right"), signed=repeat is not None)
    kind = ending.get("type") if ending is not None else None
    direction = repeat.get("direction") if repeat is not None else None
    if repeat is not None and direction == "backward":
        times = repeat.get("times", "2")
        before.repeat_times = max(min(int(times) if times.isdecimal() else 2, MOST_TIMES), 2)
    if kind == "discontinue" and repeat is None:
        reader.found.open_endings.add((reader.place, reader.ending))
    if kind in ("stop", "discontinue") or direction == "backward":
        before.endings |= reader.ending
        reader.ending = frozenset()
    if ending is not None and kind == "start":
        reader.ending = _passes(ending.get("number", "") or ending.text or "")
        reader.ending_start = reader.place
        after.endings |= reader.ending
    if direction == "forward":
        after.repeat_start = True
    if element.find("fermata") is not None:
        place = {"left": 0, "middle": reader.cursor}.get(element.get("location", "right"))
        reader.found.bar_fermatas.append((reader.place, place, reader.index))


def _sides(reader: PartReader, location: str, *, signed: bool) -> tuple[Measure, Measure]:
    """The measures that a barline ends and begins: in the middle two, where it has a repeat sign, else one."""
    found, measure = reader.found, reader.current
    if location == "middle" and signed and reader.cursor > 0:
        if reader.place not in found.heads:
            for jump in reader.jumps:
                jump.mark(measure)
            reader.jumps.clear()
            found.heads[reader.place] = (reader.cursor, replace(measure))
            measure.segno = measure.coda = measure.to_coda = measure.dal_segno = ""
            measure.da_capo = measure.fine = measure.repeat_start = False
            measure.endings = NO_PASSES
        return found.heads[reader.place][1], measure
    one = found.at(reader.place, 0) if location == "left" else measure
    return one, one


def halves(score: Score, found: Found) -> None:
    """Cut the measures with a repeat sign in their middle. One at the end of all parts leaves nothing behind it."""
    cut: list[Measure] = []
    first: list[int] = []  # by the index as written, for the first half too
    tails: dict[int, Measure] = {}
    for written, measure in enumerate(score.measures):
        first.append(len(cut))
        if written in found.heads:
            ticks, head = found.heads[written]
            at = min(found.quarters[ticks], measure.length)
            head.index, head.onset, head.length, head.time = len(cut), measure.onset, at, measure.time
            cut.append(head)
            measure.onset, measure.length, measure.implicit = measure.onset + at, measure.length - at, True
            if not measure.length:
                continue
            tails[written] = measure
        measure.index = len(cut)
        cut.append(measure)

    def place(written: int, onset: Fraction) -> int:
        tail = tails.get(written)
        return tail.index if tail is not None and onset >= tail.onset else first[written]

    for note in score.notes:
        note.measure = place(note.measure, note.onset)
    score.pedals = [pedal._replace(measure=place(pedal.measure, pedal.onset)) for pedal in score.pedals]
    score.measures = cut


def extend(measures: list[Measure], open_endings: set[tuple[int, frozenset[int]]]) -> None:
    """Brackets that are drawn open at their end hold up to the repeat sign or the next bracket behind them.

    Not so the last bracket of a section, that is, one that follows a repeat sign: behind it the music simply goes on.
    """
    for place, numbers in sorted(open_endings):
        start = place
        while start and measures[start - 1].endings:
            start -= 1
        if not any(measure.repeat_times for measure in measures[start:place]):
            for measure in measures[place + 1 : _reach(measures, place)]:
                measure.endings |= numbers


def _reach(measures: list[Measure], place: int) -> int:
    """Index behind the last measure of a bracket that is drawn open in measure `place`."""
    for measure in measures[place + 1 :]:
        if measure.endings:
            return measure.index
        if measure.repeat_start:
            break
        if measure.repeat_times:
            return measure.index + 1
    return place + 1


def _passes(text: str) -> frozenset[int]:
    """The numbers of an ending: "1, 2", "1-3"."""
    found: set[int] = set()
    for first, last in PASSES.findall(text):
        found.update(range(int(first), min(int(last or first), MOST_TIMES) + 1))
    return frozenset(n for n in found if 1 <= n <= MOST_TIMES)
