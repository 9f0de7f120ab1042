"""What stands between the notes of a MusicXML part: tempo, dynamics, pedal, repeats, jumps."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from clefkit.notation import words
from clefkit.notation.numbers import number

if TYPE_CHECKING:
    from clefkit.notation.musicxml_part import PartReader

SOUND, METRONOME, WORD = 2, 1, 0
TEMPO_RANGE = (5.0, 1200.0)
BEAT_UNITS = {
    "long": Fraction(16), "breve": Fraction(8), "whole": Fraction(4), "half": Fraction(2), "quarter": Fraction(1),
    "eighth": Fraction(1, 2), "16th": Fraction(1, 4), "32nd": Fraction(1, 8), "64th": Fraction(1, 16),
}  # fmt: skip
PEDAL_KINDS = {"start": "down", "stop": "up", "change": "change", "resume": "down", "discontinue": "up"}
JUMPS = {"dacapo", "dalsegno", "tocoda", "fine"}
MOST_TIMES = 32
PASSES = re.compile(r"(\d{1,3})(?:\s*-\s*(\d{1,3}))?")


def direction(reader: PartReader, element: Any) -> None:
    """A <direction>: all at the cursor, moved by its <offset>. What <sound> says goes before words."""
    offset = number(element.findtext("offset"))
    at = reader.cursor if offset is None else max(reader.cursor + offset / reader.divisions, Fraction(0))
    texts: list[str] = []
    for kind in element.iterfind("direction-type"):
        for child in kind:
            act = KINDS.get(child.tag)
            if act is not None:
                act(reader, child, at)
            elif child.tag == "words" and child.text:
                texts.append(child.text)
    spoken = element.find("sound")
    if spoken is not None:
        sound(reader, spoken, at)
    text = " ".join(" ".join(texts).split())
    tempo, jump = words.tempo(text), words.jump(text)
    if tempo is not None:
        _tempo(reader, at, WORD, tempo)
    if jump is not None and (spoken is None or not JUMPS.intersection(spoken.keys())):
        reader.jumps.append(jump)


def sound(reader: PartReader, element: Any, at: Fraction | None = None) -> None:
    """A <sound>: what a player does, whatever is printed."""
    at = reader.cursor if at is None else at
    tempo = number(element.get("tempo"))
    if tempo is not None:
        _tempo(reader, at, SOUND, float(tempo))
    pedal = element.get("damper-pedal")
    place = (reader.place, at, reader.index)
    if pedal is not None and place not in [found[:3] for found in reader.found.pedals[-1:]]:  # its sign came before it
        reader.found.pedals.append((*place, "up" if pedal in ("no", "0") else "down"))
    measure = reader.current
    measure.segno = element.get("segno", measure.segno)
    measure.coda = element.get("coda", measure.coda)
    measure.to_coda = element.get("tocoda", measure.to_coda)
    measure.dal_segno = element.get("dalsegno", measure.dal_segno)
    measure.da_capo |= element.get("dacapo") == "yes"
    measure.fine |= element.get("fine", "no") != "no"
    if element.get("forward-repeat") == "yes":
        measure.repeat_start = True


def _tempo(reader: PartReader, at: Fraction, rank: int, value: float) -> None:
    if TEMPO_RANGE[0] <= value <= TEMPO_RANGE[1]:
        reader.found.tempos.append((reader.place, at, rank, value))


def _metronome(reader: PartReader, element: Any, at: Fraction) -> None:
    """A beat unit with dots and a number ("ca. 120" too). Units that equal each other say no tempo."""
    found = re.search(r"\d{1,4}(\.\d{1,6})?", element.findtext("per-minute") or "")
    unit = BEAT_UNITS.get((element.findtext("beat-unit") or "").strip())
    if found is None or unit is None:
        return
    dots = len(element.findall("beat-unit-dot"))
    per_minute = number(found[0]) or Fraction(0)
    _tempo(reader, at, METRONOME, float(per_minute * unit * (2 - Fraction(1, 2**dots))))


def _dynamics(reader: PartReader, element: Any, at: Fraction) -> None:
    for mark in element:
        name = (mark.text or "").strip() if mark.tag == "other-dynamics" else mark.tag
        reader.found.dynamics.append((reader.place, at, reader.index, name))


def _wedge(reader: PartReader, element: Any, at: Fraction) -> None:
    kind, label = element.get("type"), element.get("number", "1")
    if kind in ("crescendo", "diminuendo"):
        reader.open_wedges[label] = ((reader.place, at), kind == "crescendo")
    elif kind == "stop" and label in reader.open_wedges:
        begin, grows = reader.open_wedges.pop(label)
        reader.found.wedges.append((begin, (reader.place, at), reader.index, grows))


def _pedal(reader: PartReader, element: Any, at: Fraction) -> None:
    kind = PEDAL_KINDS.get(element.get("type", ""))
    if kind is not None:
        reader.found.pedals.append((reader.place, at, reader.index, kind))


def _segno(reader: PartReader, _element: Any, _at: Fraction) -> None:
    reader.current.segno = reader.current.segno or "segno"


def _coda(reader: PartReader, _element: Any, _at: Fraction) -> None:
    reader.current.coda = reader.current.coda or "coda"


KINDS = {
    "dynamics": _dynamics,
    "metronome": _metronome,
    "wedge": _wedge,
    "pedal": _pedal,
    "segno": _segno,
    "coda": _coda,
}


def of_note(reader: PartReader, notations: Any, onset: Fraction) -> None:
    """Dynamics that are written at a note instead of in a direction."""
    for element in notations.iterfind("dynamics"):
        _dynamics(reader, element, onset)


def close_measure(reader: PartReader) -> None:
    """Add the jumps that only words ask for."""
    measure = reader.current
    for jump in reader.jumps:
        measure.da_capo |= jump.da_capo
        measure.fine |= jump.fine
        if jump.dal_segno:
            measure.dal_segno = measure.dal_segno or "segno"
        if jump.to_coda:
            measure.to_coda = measure.to_coda or "coda"
    reader.jumps.clear()


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


def _passes(text: str) -> frozenset[int]:
    """The numbers of an ending: "1, 2", "1-3"."""
    found: set[int] = set()
    for first, last in PASSES.findall(text):
        found.update(range(int(first), min(int(last or first), MOST_TIMES) + 1))
    return frozenset(n for n in found if 1 <= n <= MOST_TIMES)
