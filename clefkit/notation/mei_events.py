"""What stands in a measure of MEI beside its staves: ties, slurs, dynamics, tempo, ornaments, pedal, jumps."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from clefkit.notation import words
from clefkit.notation.model import Dynamic, Fermata, Measure, Note, Pedal, Score, Slur, Tempo, Text, Wedge
from clefkit.notation.numbers import TEMPO_RANGE, number, whole

if TYPE_CHECKING:
    from clefkit.notation.mei_layer import StaffState

BEATS = {"breve": Fraction(8)} | {str(2**k): Fraction(4, 2**k) for k in range(8)}
LATER = re.compile(r"(?:(\d{1,5})m\s*\+\s*)?(\d{1,4}(?:\.\d{1,6})?)\Z")
LEVEL = re.compile(r"(?:[mrs]?[pf]+z?p{0,2}|n)\Z")
SIGNS = {"s": "sharp", "f": "flat", "n": "natural", "x": "double-sharp", "ss": "double-sharp", "ff": "flat-flat"}
PEDALS = {"down": "down", "up": "up", "bounce": "change"}
MOST_ALTERED = 4  # semitones between two notes of one letter and octave, and some
REPEAT_MARKS = {"daCapo": "D.C.", "dalSegno": "D.S.", "fine": "Fine", "segno": "", "coda": ""}


class Place(NamedTuple):
    """Where a note, chord or rest stands. onset, duration: quarters"""

    onset: Fraction
    duration: Fraction
    part: int
    measure: int
    notes: list[Note]


class Context(NamedTuple):
    """What the functions below need to know. sounding: ids of the notes that say their sounding octave"""

    score: Score
    places: dict[str, Place]
    staves: dict[str, StaffState]
    sounding: set[str]


def add_all(context: Context, waiting: list[tuple[Any, Measure]]) -> None:
    """Add everything that stands beside the staves, each with the measure it is written in."""
    score = context.score
    for element, measure in waiting:
        act = ACTIONS.get(element.tag)
        if act is not None:
            act(context, element, measure)
    score.tempos.sort()
    score.dynamics.sort()
    score.wedges.sort()
    score.fermatas.sort()
    score.pedals.sort(key=lambda pedal: pedal.onset)
    score.texts.sort(key=lambda text: text.onset)


def _place(context: Context, element: Any, name: str = "startid") -> Place | None:
    return context.places.get((element.get(name) or "").removeprefix("#"))


def _onset(context: Context, element: Any, measure: Measure) -> Fraction:
    place = _place(context, element)
    return place.onset if place is not None else _stamp(element.get("tstamp"), measure)


def _stamp(text: str | None, measure: Measure) -> Fraction:
    """A beat, from 1, of a measure."""
    beat = number(text)
    if beat is None:
        return measure.onset
    return measure.onset + min(max((beat - 1) * Fraction(4, measure.time[1]), Fraction(0)), measure.length)


def _end(context: Context, element: Any, measure: Measure) -> Fraction | None:
    place = _place(context, element, "endid")
    if place is not None:
        return place.onset
    found = LATER.match(element.get("tstamp2") or "")
    if found is None:
        return None
    measures = context.score.measures
    return _stamp(found[2], measures[min(measure.index + int(found[1] or 0), len(measures) - 1)])


def _part(context: Context, element: Any) -> int:
    place = _place(context, element)
    if place is not None:
        return place.part
    state = context.staves.get((element.get("staff") or "1").split()[0])
    return 0 if state is None else state.part


def _words(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())[:300]


def _tie(context: Context, element: Any, _measure: Measure) -> None:
    first, last = _place(context, element), _place(context, element, "endid")
    for note in first.notes if first else []:
        note.tie_start = True
    for note in last.notes if last else []:
        note.tie_stop = True
        for other in first.notes if first else []:
            if other.step and other.step == note.step and abs(other.pitch - note.pitch) < MOST_ALTERED:
                note.pitch = other.pitch  # its accidental is not said again


def _slur(context: Context, element: Any, _measure: Measure) -> None:
    first, last = _place(context, element), _place(context, element, "endid")
    if first and last and first.notes and last.notes:
        context.score.slurs.append(Slur(first.notes[0].id, last.notes[0].id))


def _dynamic(context: Context, element: Any, measure: Measure) -> None:
    text = _words(element)
    onset, part = _onset(context, element, measure), _part(context, element)
    if LEVEL.match(text):
        context.score.dynamics.append(Dynamic(onset, part, text))
    elif text:
        context.score.texts.append(Text(onset, part, text))


def _hairpin(context: Context, element: Any, measure: Measure) -> None:
    onset, end = _onset(context, element, measure), _end(context, element, measure)
    if end is not None and end > onset and element.get("form") in ("cres", "dim"):
        grows = element.get("form") == "cres"
        context.score.wedges.append(Wedge(onset, end, _part(context, element), grows))


def _tempo(context: Context, element: Any, measure: Measure) -> None:
    onset, text = _onset(context, element, measure), _words(element)
    value = number(element.get("midi.bpm"))
    beats, unit = number(element.get("mm")), BEATS.get(element.get("mm.unit") or "")
    if beats is not None and unit is not None:
        value = beats * unit * (2 - Fraction(1, 2 ** min(whole(element.get("mm.dots")) or 0, 4)))
    worded = words.tempo(text) if value is None else None
    speed = float(value) if value is not None else worded
    if speed is not None and TEMPO_RANGE[0] <= speed <= TEMPO_RANGE[1]:
        context.score.tempos.append(Tempo(onset, speed))
    if text:
        context.score.texts.append(Text(onset, _part(context, element), text))


def _direction(context: Context, element: Any, measure: Measure) -> None:
    text = _words(element)
    if text:
        context.score.texts.append(Text(_onset(context, element, measure), _part(context, element), text))
        _jump(measure, words.jump(text))


def _repeat_mark(_context: Context, element: Any, measure: Measure) -> None:
    kind = element.get("func") or ""
    measure.segno = measure.segno or ("segno" if kind == "segno" else "")
    measure.coda = measure.coda or ("coda" if kind == "coda" else "")
    _jump(measure, words.jump(_words(element) or REPEAT_MARKS.get(kind, "")))


def _jump(measure: Measure, jump: words.Jump | None) -> None:
    if jump is not None:
        jump.mark(measure)


def _fermata(context: Context, element: Any, measure: Measure) -> None:
    place = _place(context, element)
    duration = place.duration if place is not None else Fraction(0)
    onset = _onset(context, element, measure)
    context.score.fermatas.append(Fermata(onset, duration, _part(context, element)))


def _pedal(context: Context, element: Any, measure: Measure) -> None:
    kind = PEDALS.get(element.get("dir") or "")
    if kind is not None:
        onset = _onset(context, element, measure)
        context.score.pedals.append(Pedal(onset, _part(context, element), measure.index, kind))


def _ornament(context: Context, element: Any, measure: Measure) -> None:
    form = element.get("form") or ""
    detail = SIGNS.get(element.get("accidupper") or element.get("accidlower") or "", "")
    name = {
        "trill": "trill-mark",
        "mordent": "mordent" if form == "lower" else "inverted-mordent",
        "turn": "inverted-turn" if form == "lower" else "turn",
    }[element.tag]
    if element.get("delayed") == "true":
        name = "delayed-" + name
    place = _place(context, element)
    notes = place.notes if place is not None else _notes_at(context, element, measure)
    for note in notes[-1:]:
        note.marks |= {f"{name}:{detail}" if detail else name}


def _notes_at(context: Context, element: Any, measure: Measure) -> list[Note]:
    onset, part = _onset(context, element, measure), _part(context, element)
    places = [p for p in context.places.values() if p.onset == onset and p.part == part and p.notes]
    return places[0].notes if places else []


def _arpeggio(context: Context, element: Any, _measure: Measure) -> None:
    mark = "arpeggiate:down" if element.get("order") == "down" else "arpeggiate"
    names = (element.get("plist") or element.get("startid") or "").split()
    for name in names:
        place = context.places.get(name.removeprefix("#"))
        for note in place.notes if place is not None else []:
            note.marks |= {mark}


def _octave(context: Context, element: Any, measure: Measure) -> None:
    """8va, for the notes of a staff that do not say their sounding octave themselves."""
    octaves = {"8": 12, "15": 24, "22": 36}.get(element.get("dis") or "8", 12)
    shift = -octaves if element.get("dis.place") == "below" else octaves
    state = context.staves.get((element.get("staff") or "").split()[0] if element.get("staff") else "")
    first, last = _place(context, element), _place(context, element, "endid")
    start = first.onset if first else _onset(context, element, measure)
    end = last.onset if last else _end(context, element, measure)
    part = state.part if state else _part(context, element)
    for note in context.score.notes:
        inside = note.part == part and end is not None and start <= note.onset <= end
        if inside and (state is None or note.staff == state.staff) and note.id not in context.sounding:
            note.pitch = min(max(note.pitch + shift, 0.0), 127.0)


ACTIONS = {
    "tie": _tie, "slur": _slur, "phrase": _slur, "dynam": _dynamic, "hairpin": _hairpin, "tempo": _tempo,
    "dir": _direction, "repeatMark": _repeat_mark, "fermata": _fermata, "pedal": _pedal, "trill": _ornament,
    "mordent": _ornament, "turn": _ornament, "arpeg": _arpeggio, "octave": _octave,
}  # fmt: skip
