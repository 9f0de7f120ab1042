"""What stands between the notes of a MusicXML part: tempo, dynamics, pedal, words, jumps, swing."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from clefkit.notation import words
from clefkit.notation.numbers import TEMPO_RANGE, number
from clefkit.notation.words import Jump

if TYPE_CHECKING:
    from clefkit.notation.musicxml_part import PartReader

SOUND, METRONOME, WORD = 2, 1, 0
BEAT_UNITS = {
    "long": Fraction(16), "breve": Fraction(8), "whole": Fraction(4), "half": Fraction(2), "quarter": Fraction(1),
    "eighth": Fraction(1, 2), "16th": Fraction(1, 4), "32nd": Fraction(1, 8), "64th": Fraction(1, 16),
}  # fmt: skip
PEDAL_KINDS = {"start": "down", "stop": "up", "change": "change", "resume": "down", "discontinue": "up"}
JUMPS = {"dacapo", "dalsegno", "tocoda", "fine"}


def direction(reader: PartReader, element: Any) -> None:
    """A <direction>: all at the cursor, moved by its <offset>. What <sound> says goes before words."""
    children = {child.tag: child for child in element}
    offset = number(children["offset"].text) if "offset" in children else None
    at = reader.cursor
    if offset is not None:
        at = max(at + reader.found.ticks(offset / reader.divisions), 0)
    texts: list[str] = []
    for kind in element.iterchildren("direction-type"):
        for child in kind:
            act = KINDS.get(child.tag)
            if act is not None:
                act(reader, child, at)
            elif child.tag == "words" and child.text:
                texts.append(child.text)
    spoken = children.get("sound")
    if spoken is not None:
        sound(reader, spoken, at)
    if texts:
        _words(reader, " ".join(" ".join(texts).split()), at, spoken)


def _words(reader: PartReader, text: str, at: int, spoken: Any) -> None:
    """What the words of a direction say, unless its <sound> says it."""
    tempo, jump = words.tempo(text), words.jump(text)
    if tempo is not None:
        _tempo(reader, at, WORD, tempo)
    if jump is not None and (spoken is None or not JUMPS.intersection(spoken.keys())):
        reader.jumps.append(jump)
    if jump is None and any(letter.isalnum() for letter in text):
        if words.DYNAMIC.match(text):
            reader.found.dynamics.append((reader.place, at, reader.index, text))
        else:
            reader.found.texts.append((reader.place, at, reader.index, text))


def sound(reader: PartReader, element: Any, at: int | None = None) -> None:
    """A <sound>: what a player does, whatever is printed."""
    at = reader.cursor if at is None else at
    tempo = number(element.get("tempo"))
    if tempo is not None:
        _tempo(reader, at, SOUND, float(tempo))
    pedal = element.get("damper-pedal")
    place = (reader.place, at, reader.index)
    if pedal is not None and place not in [found[:3] for found in reader.found.pedals[-1:]]:  # its sign came before it
        reader.found.pedals.append((*place, "up" if pedal in ("no", "0") else "down"))
    measure = reader.found.at(reader.place, at)
    measure.segno = element.get("segno", measure.segno)
    measure.coda = element.get("coda", measure.coda)
    measure.to_coda = element.get("tocoda", measure.to_coda)
    measure.dal_segno = element.get("dalsegno", measure.dal_segno)
    measure.da_capo |= element.get("dacapo") == "yes"
    measure.fine |= element.get("fine", "no") != "no"
    if element.get("forward-repeat") == "yes":
        measure.repeat_start = True
    swing = element.find("swing")
    if swing is not None:
        _swing(reader, swing, at)


def _swing(reader: PartReader, element: Any, at: int) -> None:
    """Two notes as first to second; <straight> or nothing is one to one."""
    first, second = number(element.findtext("first")), number(element.findtext("second"))
    long = float(first / second) if first and second and first > 0 and second > 0 else 1.0
    unit = BEAT_UNITS["16th" if element.findtext("swing-type") == "16th" else "eighth"]
    reader.found.swings.append((reader.place, at, unit, long))


def _tempo(reader: PartReader, at: int, rank: int, value: float) -> None:
    if TEMPO_RANGE[0] <= value <= TEMPO_RANGE[1]:
        reader.found.tempos.append((reader.place, at, rank, value))


def _metronome(reader: PartReader, element: Any, at: int) -> None:
    """A beat unit with dots and a number ("ca. 120" too). Units that equal each other say no tempo."""
    found = re.search(r"\d{1,4}(\.\d{1,6})?", element.findtext("per-minute") or "")
    unit = BEAT_UNITS.get((element.findtext("beat-unit") or "").strip())
    if found is None or unit is None:
        return
    dots = len(element.findall("beat-unit-dot"))
    per_minute = number(found[0]) or Fraction(0)
    _tempo(reader, at, METRONOME, float(per_minute * unit * (2 - Fraction(1, 2**dots))))


def _dynamics(reader: PartReader, element: Any, at: int) -> None:
    reader.dynamics(element, at)


def _wedge(reader: PartReader, element: Any, at: int) -> None:
    kind, label = element.get("type"), element.get("number", "1")
    if kind in ("crescendo", "diminuendo"):
        reader.open_wedges[label] = ((reader.place, at), kind == "crescendo")
    elif kind == "stop" and label in reader.open_wedges:
        begin, grows = reader.open_wedges.pop(label)
        reader.found.wedges.append((begin, (reader.place, at), reader.index, grows))


def _pedal(reader: PartReader, element: Any, at: int) -> None:
    kind = PEDAL_KINDS.get(element.get("type", ""))
    if kind is not None:
        reader.found.pedals.append((reader.place, at, reader.index, kind))


def _segno(reader: PartReader, _element: Any, at: int) -> None:
    measure = reader.found.at(reader.place, at)
    measure.segno = measure.segno or "segno"


def _coda(reader: PartReader, _element: Any, at: int) -> None:
    """Behind notes it is the sign to leave at."""
    Jump(coda=at == 0, to_coda=at > 0).mark(reader.current)


KINDS = {
    "dynamics": _dynamics,
    "metronome": _metronome,
    "wedge": _wedge,
    "pedal": _pedal,
    "segno": _segno,
    "coda": _coda,
}


def close_measure(reader: PartReader) -> None:
    """Add the jumps that only words ask for."""
    for jump in reader.jumps:
        jump.mark(reader.current)
    reader.jumps.clear()
