"""Barlines of a MusicXML part: repeat signs, the brackets of endings, fermatas."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from clefkit.notation.model import Measure

if TYPE_CHECKING:
    from clefkit.notation.musicxml_part import PartReader

MOST_TIMES = 32
PASSES = re.compile(r"(\d{1,3})(?:\s*-\s*(\d{1,3}))?")


def barline(reader: PartReader, element: Any) -> None:
    """Repeat signs and the brackets of endings."""
    measure = reader.current
    ending = element.find("ending")
    if ending is not None and ending.get("type") == "start":
        reader.ending = _passes(ending.get("number", "") or ending.text or "")
        reader.ending_start = reader.place
        measure.endings |= reader.ending
    repeat = element.find("repeat")
    if repeat is not None and repeat.get("direction") == "forward":
        measure.repeat_start = True
    elif repeat is not None:
        times = repeat.get("times", "2")
        measure.repeat_times = max(min(int(times) if times.isdecimal() else 2, MOST_TIMES), 2)
    end = ending.get("type") if ending is not None else None
    if end == "discontinue" and repeat is None:
        reader.found.open_endings.add((reader.place, reader.ending))
    if end in ("stop", "discontinue") or (repeat is not None and repeat.get("direction") == "backward"):
        measure.endings |= reader.ending
        reader.ending = frozenset()
    if element.find("fermata") is not None:
        place = {"left": Fraction(0), "middle": reader.cursor}.get(element.get("location", "right"))
        reader.found.bar_fermatas.append((reader.place, place, reader.index))


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
