"""What is attached to a note of a MusicXML part: ties, slurs, articulations, ornaments, fermatas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from clefkit.notation.model import Note, Slur
from clefkit.notation.numbers import whole

if TYPE_CHECKING:
    from clefkit.notation.musicxml_part import PartReader

TREMOLOS = {"single": "tremolo", "start": "tremolo-start", "stop": "tremolo-stop", "unmeasured": "tremolo"}
MARKS = {"articulations", "technical", "arpeggiate"}
BUZZ = 3  # strokes of a tremolo without a measure
MOST_STROKES = 8
SILENT_TECHNIQUES = {
    "fingering", "pluck", "fret", "string", "hammer-on", "pull-off", "bend", "tap", "handbell", "other-technical",
    "arrow", "hole", "harmon-mute",
}  # fmt: skip


def ties(note: Note, elements: Iterable[Any]) -> None:
    """What the <tie>s or <tied>s of a note say."""
    kinds = {element.get("type") for element in elements}
    note.tie_start = not kinds.isdisjoint(("start", "continue"))
    note.tie_stop = not kinds.isdisjoint(("stop", "continue"))


def of_place(reader: PartReader, notations: list[Any], onset: int, duration: int) -> None:
    """What notes and rests have: fermatas, and dynamics that are written here instead of in a direction."""
    for child in notations:
        if child.tag == "fermata" and duration:
            reader.found.fermatas.add((reader.place, onset, duration, reader.index))
        elif child.tag == "dynamics":
            reader.dynamics(child, onset)


def of_note(reader: PartReader, note: Note, onset: int, notations: list[Any]) -> None:
    """What only notes have: slurs, articulations, ornaments.

    Old files have only <tied>, what is seen; <tie>, what is heard, is read after it and goes before it.
    """
    marks: list[str] = []
    slurs: list[Any] = []
    tied: list[Any] = []
    for child in notations:
        if child.tag == "slur":
            slurs.append(child)
        elif child.tag == "tied":
            tied.append(child)
        elif child.tag == "ornaments":
            marks += _ornaments(reader, note, child)
        elif child.tag in MARKS:
            marks += _marks(child)
    if tied:
        ties(note, tied)
    if marks:
        note.marks = frozenset(marks)
    if slurs:
        _slurs(reader, note, (reader.place, onset), slurs)


def _slurs(reader: PartReader, note: Note, here: tuple[int, int], slurs: list[Any]) -> None:
    """Those that stop at a note, then those that start there. In the XML a slur may stop before it starts."""
    for kind, act in (("stop", _slur_stop), ("start", _slur_start)):
        for slur in slurs:
            if slur.get("type") == kind:
                act(reader, note, here, slur.get("number", "1"))


def _marks(element: Any) -> list[str]:
    """Articulations, techniques, arpeggio."""
    if element.tag == "articulations":
        names = [(mark.text or "").strip() if mark.tag == "other-articulation" else mark.tag for mark in element]
        return [name for name in names if name]
    if element.tag == "technical":
        return [mark.tag for mark in element if mark.tag not in SILENT_TECHNIQUES]
    way = element.get("direction")
    return [f"arpeggiate:{way}" if way in ("up", "down") else "arpeggiate"]


def _slur_start(reader: PartReader, note: Note, here: tuple[int, int], number: str) -> None:
    stop = reader.stopped_slurs.pop(number, None)
    if stop is not None and stop[1] > here:
        reader.found.slurs.append(Slur(note.id, stop[0]))
    else:
        reader.open_slurs[number] = (note.id, here)


def _slur_stop(reader: PartReader, note: Note, here: tuple[int, int], number: str) -> None:
    start = reader.open_slurs.pop(number, None)
    if start is not None:
        reader.found.slurs.append(Slur(start[0], note.id))
    else:
        reader.stopped_slurs[number] = (note.id, here)


def _ornaments(reader: PartReader, note: Note, element: Any) -> list[str]:
    """Each ornament with the accidental that follows it; a wavy line is a trill on all notes up to its end."""
    found: list[str] = []
    for child in element:
        kind = child.tag
        if kind == "accidental-mark":
            if found and ":" not in found[-1] and child.text:
                found[-1] += ":" + child.text.strip()
        elif kind == "tremolo":
            strokes = BUZZ if child.get("type") == "unmeasured" else whole(child.text) or BUZZ
            found.append(f"{TREMOLOS.get(child.get('type'), 'tremolo')}:{min(max(strokes, 1), MOST_STROKES)}")
        elif kind == "wavy-line":
            if _wavy(reader, note, child) and not any(mark.startswith("trill-mark") for mark in found):
                found.append("trill-mark")
        elif kind != "other-ornament":
            found.append(kind)
    return found


def _wavy(reader: PartReader, note: Note, element: Any) -> bool:
    """Whether the line stands over this note. Where it stops, the notes between are trilled too."""
    number, kind = element.get("number", "1"), element.get("type")
    if kind == "start":
        reader.open_trills[number] = len(reader.found.notes)
        return True
    begin = reader.open_trills.get(number)
    if kind == "stop" and begin is not None:
        del reader.open_trills[number]
        for between in reader.found.notes[begin + 1 :]:
            if between.part == note.part and between.voice == note.voice:
                between.marks |= {"trill-mark"}
    return kind == "continue" and begin is not None
