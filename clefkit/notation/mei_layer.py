"""One layer of one measure of MEI: notes, chords, rests, in beams, tuplets and tremolos."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from clefkit.errors import InputError
from clefkit.notation.mei_events import Place
from clefkit.notation.model import Measure, Note
from clefkit.notation.numbers import whole

if TYPE_CHECKING:
    from clefkit.notation.mei import Reading

ID = "{http://www.w3.org/XML/1998/namespace}id"
MOST_NOTES = 1_000_000
MOST_DEPTH = 40
STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
SHARPS = "fcgdaeb"
LENGTHS = {"breve": Fraction(8), "long": Fraction(16), "maxima": Fraction(32)}
ACCIDENTALS = {
    "s": 1.0, "f": -1.0, "ss": 2.0, "x": 2.0, "ff": -2.0, "n": 0.0, "xs": 3.0, "sx": 3.0, "ts": 3.0, "tf": -3.0,
    "ns": 1.0, "nf": -1.0, "su": 1.5, "sd": 0.5, "fu": -0.5, "fd": -1.5, "1qs": 0.5, "1qf": -0.5, "3qs": 1.5,
    "3qf": -1.5,
}  # fmt: skip
REPEATS = {"mRpt": Fraction(1), "halfmRpt": Fraction(1, 2), "beatRpt": Fraction(0)}  # of the measure before
ARTICULATIONS = {
    "acc": "accent", "stacc": "staccato", "ten": "tenuto", "stacciss": "staccatissimo", "marc": "strong-accent",
    "spicc": "spiccato", "ten-stacc": "detached-legato", "upbow": "up-bow", "dnbow": "down-bow", "harm": "harmonic",
}  # fmt: skip


Pitch = tuple[str, int]  # letter and octave
When = tuple[Fraction, bool, int]  # onset, whether it is a full note, and of grace notes which one


@dataclass(slots=True)
class StaffState:
    """What holds for one staff.

    shift: semitones from written to sounding
    accidentals, unsigned: of this measure, each with its place; an accidental holds for the notes behind it that have
        none, in all layers, so these wait until the measure is read
    """

    part: int
    staff: int
    shift: int = 0
    fifths: int = 0
    accidentals: dict[Pitch, list[tuple[When, float]]] = field(default_factory=dict)
    unsigned: list[tuple[When, Pitch, Note]] = field(default_factory=list)

    def signed(self, letter: str) -> float:
        """What the key signature does to a letter."""
        place = SHARPS.index(letter)
        return float((place < self.fifths) - (6 - place < -self.fifths))

    def settle(self) -> None:
        """At the end of a measure: the pitches of the notes that wait."""
        for found in self.accidentals.values():
            found.sort()
        for when, pitch, note in self.unsigned:
            found = self.accidentals.get(pitch, [])
            place = bisect_right(found, when, key=lambda item: item[0])
            if place:
                note.pitch += found[place - 1][1] - self.signed(pitch[0])
        self.accidentals.clear()
        self.unsigned.clear()


class LayerReader:
    """Reads one layer. cursor: quarters from the start of the measure; graces: that no note has followed yet"""

    def __init__(self, reading: Reading, state: StaffState, measure: Measure, layer: int) -> None:
        self.reading = reading
        self.state = state
        self.measure = measure
        self.voice = str(layer + 4 * (state.staff - 1))
        self.cursor = Fraction(0)
        self.graces: list[Note] = []
        self.onset: Fraction | None = None  # of the last note, None behind a rest
        self.count = 0

    def read(self, element: Any, scale: Fraction = Fraction(1), depth: int = 0, *, grace: str = "") -> None:
        """Everything inside an element. scale: of tuplets and tremolos around it"""
        from clefkit.notation.mei import add_clef, chosen

        if depth > MOST_DEPTH:
            raise InputError("MEI that is nested deeper than music is")
        for child in chosen(element):
            tag = child.tag
            if tag in ("note", "chord", "rest", "space"):
                self._event(child, scale, grace)
            elif tag == "multiRest":
                beats, unit = self.measure.time
                self.cursor += Fraction(4 * beats, unit) * max(min(whole(child.get("num")) or 1, 1000), 1)
            elif tag in REPEATS:
                self._repeat(tag)
            elif tag in ("fTrem", "bTrem"):
                self._tremolo(child, scale, depth)
            elif tag == "clef":
                add_clef(self.reading, child, self.state, self.measure.onset + self.cursor)
            elif tag == "graceGrp":
                self._grace_group(child, scale, depth)
            elif isinstance(tag, str) and tag not in ("verse", "syl", "del"):
                self.read(child, scale * _ratio(child), depth + 1, grace=grace)

    def _grace_group(self, element: Any, scale: Fraction, depth: int) -> None:
        self.read(element, scale, depth + 1, grace=_grace(element.get("grace")) or "plain")
        if element.get("attach") == "post":
            self.end_graces()

    def end_graces(self) -> None:
        """Grace notes that no note follows end the note before them."""
        for note in self.graces:
            if self.onset is not None:
                note.grace, note.onset = "after", self.onset
        self.graces.clear()

    def _repeat(self, tag: str) -> None:
        """Signs that stand for the measure, half measure or beat before them in this layer."""
        index, now = self.measure.index, self.measure.onset + self.cursor
        before = max(index - 1, 0)
        beats, unit = self.measure.time
        bar = self.reading.measures[before].length or Fraction(4 * beats, unit)
        length = Fraction(4, unit) if tag == "beatRpt" else bar * REPEATS[tag]
        for note in self.reading.notes[self.reading.first_notes[before] :]:
            if (note.part, note.voice) == (self.state.part, self.voice) and now - length <= note.onset < now:
                self.count += 1
                name = f"{note.id.partition('-again')[0]}-again{index + 1}.{self.count}"
                again = replace(note, id=name, measure=index, onset=note.onset + length)
                again.tie_start = again.tie_stop = False
                self._add(again)
        self.cursor += length

    def _add(self, note: Note) -> None:
        self.reading.notes.append(note)
        if len(self.reading.notes) > MOST_NOTES:
            raise InputError(f"a score of more than {MOST_NOTES} notes, more than we read")

    def _mark(self, first: int, mark: str) -> None:
        for note in self.reading.notes[first:]:
            note.marks |= {mark}

    def _tremolo(self, element: Any, scale: Fraction, depth: int) -> None:
        """Of one note or chord, or between two, each of which is written with the length of both."""
        first = len(self.reading.notes)
        if element.tag == "bTrem":
            self.read(element, scale, depth + 1)
            strokes = next((_strokes(item.get("stem.mod")) for item in element.iter() if item.get("stem.mod")), 3)
            self._mark(first, f"tremolo:{strokes}")
            return
        for place, child in enumerate(item for item in element if item.tag in ("note", "chord")):
            first = len(self.reading.notes)
            self._event(child, scale / 2, "")
            self._mark(first, f"tremolo-{'stop' if place else 'start'}:{_strokes(element.get('beams'))}")

    def _event(self, element: Any, scale: Fraction, grace: str) -> None:
        """A note, chord, rest or space: the cursor moves by it."""
        grace = _grace(element.get("grace")) or grace
        duration = Fraction(0) if grace else _length(element) * scale
        onset = self.measure.onset + self.cursor
        notes: list[Note] = []
        for child in [element] if element.tag == "note" else element.iter("note"):
            note = self._note(child, element, onset, duration, grace)
            if note is not None:
                note.chord = bool(notes)
                notes.append(note)
                self._place(child, note.id, onset, duration, [note])
        marks = _articulations(element)
        for note in notes:
            note.marks |= marks
        if element.tag != "note" or not notes:
            self._place(element, "", onset, duration, notes)
        self.cursor += duration
        if grace:
            self.graces += notes
        else:
            self.graces.clear()
            self.onset = onset if notes else None

    def _place(self, element: Any, name: str, onset: Fraction, duration: Fraction, notes: list[Note]) -> None:
        self.reading.places[element.get(ID) or name] = Place(
            onset, duration, self.state.part, self.measure.index, notes
        )

    def _note(self, element: Any, group: Any, onset: Fraction, duration: Fraction, grace: str) -> Note | None:
        letter, octave = (element.get("pname") or "").lower(), whole(element.get("oct"))
        key = (letter, octave or 0)
        if letter not in STEPS or octave is None or element.get("cue") == "true" or group.get("cue") == "true":
            return None
        written, meant = _signs(element)
        own = written if meant is None else meant
        ties = (element.get("tie") or "") + (group.get("tie") or "" if group is not element else "")
        sounding = whole(element.get("oct.ges"))
        alter = self.state.signed(letter) if own is None else own
        pitch = 12 * ((octave if sounding is None else sounding) + 1) + STEPS[letter] + alter + self.state.shift
        if not 0 <= pitch <= 127:
            return None
        self.count += 1
        made = f"{self.state.part}-{self.voice}-m{self.measure.index + 1}-n{self.count}"
        name = element.get(ID) or made
        if name in self.reading.places:
            name = made
        note = Note(name, self.state.part, self.measure.index, onset, duration, pitch)
        note.step = letter.upper() if self.state.shift % 12 == 0 else ""
        over = self.reading.staves.get(element.get("staff") or group.get("staff") or "", self.state)
        note.voice, note.grace = self.voice, grace
        note.staff = over.staff if over.part == self.state.part else self.state.staff
        note.tie_start, note.tie_stop = "i" in ties or "m" in ties, "t" in ties or "m" in ties
        strokes = element.get("stem.mod") or group.get("stem.mod")
        if strokes and strokes.endswith("slash"):
            note.marks |= {f"tremolo:{_strokes(strokes)}"}
        if sounding is not None:
            self.reading.sounding.add(name)
        self._add(note)
        when = (onset, not grace, self.count if grace else 0)
        if written is not None:
            self.state.accidentals.setdefault(key, []).append((when, written))
        elif own is None:
            self.state.unsigned.append((when, key, note))
        return note


def _signs(element: Any) -> tuple[float | None, float | None]:
    """The accidental before a note, and the one it sounds with, in semitones; None where nothing is said."""
    signs = [element, *element.iter("accid")]
    written = next((ACCIDENTALS.get(e.get("accid") or "") for e in signs if e.get("accid")), None)
    meant = next((ACCIDENTALS.get(e.get("accid.ges") or "") for e in signs if e.get("accid.ges")), None)
    return written, meant


def _ratio(element: Any) -> Fraction:
    """What a tuplet makes of the lengths in it."""
    if element.tag != "tuplet":
        return Fraction(1)
    number, base = whole(element.get("num")) or 3, whole(element.get("numbase")) or 2
    return Fraction(max(base, 1), max(number, 1))


def _grace(text: str | None) -> str:
    return {"acc": "plain", "unacc": "slashed", "unknown": "plain"}.get(text or "", "")


def _strokes(text: str | None) -> int:
    return max(min(whole((text or "")[:1]) or 3, 8), 1)


def _length(element: Any) -> Fraction:
    """Quarters of a written duration; a chord without one has that of its first note."""
    holder = element
    if element.get("dur") is None:
        holder = next((note for note in element.iter("note") if note.get("dur")), element)
    text = holder.get("dur") or holder.get("dur.ges") or ""
    value = whole(text)
    base = LENGTHS.get(text, Fraction(4, value) if value and 1 <= value <= 2048 else Fraction(0))
    dots = min(whole(holder.get("dots")) or len(holder.findall("dot")), 8)
    return base * (2 - Fraction(1, 2**dots))


def _articulations(element: Any) -> frozenset[str]:
    names = (element.get("artic") or "").split()
    for sign in element.iter("artic"):
        names += (sign.get("artic") or "").split()
    return frozenset(ARTICULATIONS[name] for name in names if name in ARTICULATIONS)
