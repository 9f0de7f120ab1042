"""One part of a MusicXML file, measure by measure: a cursor that notes, backup and forward move.

Times inside a measure are quarters from its start. What is found goes into a `Found`, which all parts share.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any

from clefkit.notation import musicxml_directions as directions
from clefkit.notation.model import NO_MARKS, Measure, Note, Part
from clefkit.notation.numbers import number, whole
from clefkit.notation.words import Jump

STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
DRUM_LINES = {
    "D4": 44,
    "E4": 36,
    "F4": 36,
    "G4": 43,
    "A4": 41,
    "B4": 47,
    "C5": 38,
    "D5": 45,
    "E5": 48,
    "F5": 51,
    "G5": 42,
    "A5": 49,
}
SNARE = 38
ROUNDING = Fraction(1, 32)  # quarters
LOUD = 90  # MusicXML counts dynamics in percent of velocity 90


@dataclass(slots=True)
class Found:
    """What was read so far. Places are (measure index, quarters from the measure's start)."""

    measures: list[Measure] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    tempos: list[tuple[int, Fraction, int, float]] = field(default_factory=list)
    dynamics: list[tuple[int, Fraction, int, str]] = field(default_factory=list)
    pedals: list[tuple[int, Fraction, int, str]] = field(default_factory=list)
    wedges: list[tuple[tuple[int, Fraction], tuple[int, Fraction], int, bool]] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)


@lru_cache(maxsize=4096)
def _quarters(text: str | None, divisions: Fraction) -> Fraction:
    return max(number(text) or Fraction(0), Fraction(0)) / divisions


class PartReader:
    """Reads the measures of one part in order."""

    def __init__(self, index: int, parts: list[Part], found: Found) -> None:
        self.index = index
        self.part = parts[index]
        self.found = found
        self.place = -1  # index of the measure
        self.cursor = Fraction(0)
        self.chord_onset = Fraction(0)
        self.sounds_until = Fraction(0)  # in this measure
        self.voice_ends: dict[str, Fraction] = {}  # in this measure, rests too
        self.divisions = Fraction(1)
        self.shift: dict[str, int] = {}  # staff -> semitones from written to sounding; "" for all
        self.count = 0  # notes in this measure
        self.jumps: list[Jump] = []
        self.open_wedges: dict[str, tuple[tuple[int, Fraction], bool]] = {}
        self.ending: frozenset[int] = frozenset()
        self.ending_start = 0
        self.time = (4, 4)

    @property
    def current(self) -> Measure:
        """The measure that is being read."""
        return self.found.measures[self.place]

    def measure(self, written: str, element: Any) -> None:
        """Read the next measure. element: its XML, or this part's share of it in a timewise file."""
        self.place += 1
        self.cursor = self.chord_onset = self.sounds_until = furthest = Fraction(0)
        self.count = 0
        self.voice_ends.clear()
        if self.place == len(self.found.measures):
            self.found.measures.append(Measure(written, self.place, time=self.time))
        for child in element:
            act = ACTIONS.get(child.tag)
            if act is not None:
                act(self, child)
                furthest = max(furthest, self.cursor)
        if self.ending:
            self.current.endings |= self.ending
        self.current.length = max(self.current.length, self._length(furthest))
        directions.close_measure(self)

    def _length(self, furthest: Fraction) -> Fraction:
        """The length of this part's measure: that of its content, with two exceptions.

        Programs round, so a 128th more or less than the time signature is the signature. And they fill tuplets with
        rests that are too long: past the signature rests count only when every voice that fills the measure has them.
        """
        signature = Fraction(4 * self.time[0], self.time[1])
        if furthest < signature - ROUNDING or self.sounds_until > signature + ROUNDING:
            return furthest
        full = min((end for end in self.voice_ends.values() if end >= signature - ROUNDING), default=signature)
        return signature if abs(full - signature) <= ROUNDING else full

    def finish(self) -> None:
        """After the last measure: end what stayed open."""
        for begin, grows in self.open_wedges.values():
            self.found.wedges.append((begin, (self.place, self.current.length), self.index, grows))
        if self.ending:
            for measure in self.found.measures[self.ending_start + 1 :]:
                measure.endings -= self.ending

    def attributes(self, element: Any) -> None:
        """Divisions, key, time signature, transposition."""
        for child in element:
            if child.tag == "divisions":
                divisions = number(child.text)
                self.divisions = divisions if divisions is not None and divisions > 0 else self.divisions
            elif child.tag == "time":
                self.time = self.current.time = _time(child) or self.time
            elif child.tag == "transpose":
                self._transpose(child)

    def _transpose(self, element: Any) -> None:
        semitones = (whole(element.findtext("chromatic")) or 0) + 12 * (whole(element.findtext("octave-change")) or 0)
        self.shift[element.get("number", "")] = semitones
        if self.place == 0:
            self.part.transposition = semitones

    def backup(self, element: Any) -> None:
        """Move the cursor back, not past the start of the measure."""
        self.cursor = max(self.cursor - _quarters(element.findtext("duration"), self.divisions), Fraction(0))

    def forward(self, element: Any) -> None:
        """Move the cursor on."""
        self.cursor += _quarters(element.findtext("duration"), self.divisions)

    def note(self, element: Any) -> None:
        """A note or a rest: the cursor moves by it, and what sounds is kept. Cue notes are silent."""
        children = {child.tag: child for child in element}
        grace = children.get("grace")
        length = children.get("duration")
        duration = Fraction(0) if grace is not None or length is None else _quarters(length.text, self.divisions)
        if "chord" in children:
            onset = self.chord_onset
        else:
            onset = self.chord_onset = self.cursor
            self.cursor += duration
            self.voice_ends[_voice(children)] = self.cursor
        if "notations" in children:
            directions.of_note(self, children["notations"], onset)
        if "rest" in children or "cue" in children or (duration == 0 and grace is None):
            return
        pitch = self._pitch(children)
        if pitch is not None:
            self._add(element, children, onset, duration, pitch)

    def _add(self, element: Any, children: dict[str, Any], onset: Fraction, duration: Fraction, pitch: float) -> None:
        self.sounds_until = max(self.sounds_until, onset + duration)
        self.count += 1
        note = Note(self._id(element.get("id")), self.index, self.place, onset, duration, pitch)
        note.chord = "chord" in children
        note.voice = _voice(children)
        if "staff" in children:
            note.staff = whole(children["staff"].text) or 1
        if "tie" in children or "notations" in children:
            _mark(note, element, children)
        if "grace" in children:
            note.grace = "slashed" if children["grace"].get("slash") == "yes" else "plain"
        loudness = number(element.get("dynamics"))
        if loudness is not None:
            note.velocity = min(max(round(loudness * LOUD / 100), 1), 127)
        self.found.notes.append(note)

    def _id(self, written: str | None) -> str:
        name = written or f"{self.part.id}-m{self.place + 1}-n{self.count}"
        while name in self.found.ids:
            name = f"{self.part.id}-m{self.place + 1}-n{self.count}" if name == written else name + "x"
        self.found.ids.add(name)
        return name

    def _pitch(self, children: dict[str, Any]) -> float | None:
        if "pitch" in children:
            parts = {child.tag: child.text for child in children["pitch"]}
            step, octave, alter = (
                STEPS.get((parts.get("step") or "").strip()),
                whole(parts.get("octave")),
                parts.get("alter"),
            )
            if step is None or octave is None:
                return None
            staff = (children["staff"].text or "") if "staff" in children else "1"
            shift = self.shift.get(staff, self.shift.get("", 0)) if self.shift else 0
            pitch = 12 * (octave + 1) + step + float(number(alter) or 0) + shift
            return pitch if 0 <= pitch <= 127 else None
        if "unpitched" in children:
            return float(self._drum(children))
        return None

    def _drum(self, children: dict[str, Any]) -> int:
        self.part.unpitched = True
        drums = self.part.percussion
        instrument = children["instrument"].get("id", "") if "instrument" in children else ""
        if instrument in drums:
            return drums[instrument]
        if len(drums) == 1:
            return next(iter(drums.values()))
        place = children["unpitched"]
        line = (place.findtext("display-step") or "") + (place.findtext("display-octave") or "")
        return DRUM_LINES.get(line, SNARE)


def _voice(children: dict[str, Any]) -> str:
    return (children["voice"].text or "1").strip() if "voice" in children else "1"


def _mark(note: Note, element: Any, children: dict[str, Any]) -> None:
    """Ties and articulations. Old files have only <tied>, what is seen, and no <tie>, what is heard."""
    kinds = [tie.get("type") for tie in element.iterfind("tie")] or [
        tie.get("type") for tie in element.iterfind("notations/tied")
    ]
    note.tie_start, note.tie_stop = "start" in kinds, "stop" in kinds
    if "continue" in kinds:
        note.tie_start = note.tie_stop = True
    if "notations" in children:
        marks = [mark.tag for group in children["notations"].iterfind("articulations") for mark in group]
        note.marks = frozenset(marks) if marks else NO_MARKS


def _time(element: Any) -> tuple[int, int] | None:
    """Beats and beat type; "3+2" is 5, and several fractions are added up."""
    total = Fraction(0)
    kinds: list[int] = []
    for beats, kind in zip(element.iterfind("beats"), element.iterfind("beat-type"), strict=False):
        counts = [whole(piece) or 0 for piece in (beats.text or "").split("+")]
        unit = whole(kind.text) or 0
        if unit <= 0 or sum(counts) <= 0:
            return None
        total += Fraction(sum(counts), unit)
        kinds.append(unit)
    if not kinds:
        return None
    finest = max(kinds)
    beats_in_all = total * finest
    return (int(beats_in_all), finest) if beats_in_all.denominator == 1 else None


ACTIONS = {
    "note": PartReader.note,
    "backup": PartReader.backup,
    "forward": PartReader.forward,
    "attributes": PartReader.attributes,
    "direction": directions.direction,
    "sound": directions.sound,
    "barline": directions.barline,
}
