"""Barlines of a MusicXML part: repeat signs, the brackets of endings, fermatas."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

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
    closes = ending is not None and ending.get("type") in ("stop", "discontinue")
    if closes or (repeat is not None and repeat.get("direction") == "backward"):
        measure.endings |= reader.ending
        reader.ending = frozenset()
    if element.find("fermata") is not None:
        place = {"left": Fraction(0), "middle": reader.cursor}.get(element.get("location", "right"))
        reader.found.bar_fermatas.append((reader.place, place, reader.index))


def _passes(text: str) -> frozenset[int]:
    """The numbers of an ending: "1, 2", "1-3"."""
    found: set[int] = set()
    for first, last in PASSES.findall(text):
        found.update(range(int(first), min(int(last or first), MOST_TIMES) + 1))
    return frozenset(n for n in found if 1 <= n <= MOST_TIMES)
