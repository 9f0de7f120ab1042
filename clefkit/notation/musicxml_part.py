"""One part of a MusicXML file, measure by measure: a cursor that notes, backup and forward move.

Times inside a measure are whole ticks from its start, so many to a quarter that all divisions of the file fit in. What
is found goes into a `Found`, which all parts share.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any, NamedTuple

from clefkit.notation import musicxml_directions as directions
from clefkit.notation import musicxml_notations as notations
from clefkit.notation.model import Measure, Note, Part, Slur
from clefkit.notation.musicxml_attributes import MOST_STAVES, attributes
from clefkit.notation.musicxml_barlines import barline
from clefkit.notation.numbers import Remembered, common, number, whole
from clefkit.notation.spelling import STEPS
from clefkit.notation.words import Jump

LETTERS = "CDEFGAB"
DRUM_LINES = {
    "D4": 44, "E4": 36, "F4": 36, "G4": 43, "A4": 41, "B4": 47, "C5": 38, "D5": 45, "E5": 48, "F5": 51, "G5": 42,
    "A5": 49,
}  # fmt: skip
SNARE = 38
ROUNDING = 32  # of these make a quarter
LOUD = 90  # MusicXML counts dynamics in percent of velocity 90

Place = tuple[int, int]


class Share(NamedTuple):
    """How long a part's content of a measure is, ticks, and the time signature that the part has there.

    is_full: whether the content fills the signature exactly
    """

    part: int
    length: int
    time: tuple[int, int]
    is_full: bool


@dataclass(slots=True)
class Found:
    """What was read so far. Places are (measure index, ticks from the measure's start).

    quarter: so many ticks make one; quarters: from ticks
    finer: so many ticks should each of them be for all times of the file to be whole
    lengths: of the measures, ticks
    shares: of each measure, by the parts that have a time signature
    onsets: of each note, ticks from the measure's start; the notes get theirs in the end
    bar_fermatas: the place None is the end of the measure
    heads: measure index -> where a repeat sign cuts it, and the measure before the sign
    cues_sound: whether <cue> only means small
    """

    quarter: int
    quarters: Remembered[int, Fraction] = field(init=False)
    finer: int = 1
    measures: list[Measure] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    shares: list[list[Share]] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    onsets: list[int] = field(default_factory=list)
    tempos: list[tuple[int, int, int, float]] = field(default_factory=list)
    dynamics: list[tuple[int, int, int, str]] = field(default_factory=list)
    pedals: list[tuple[int, int, int, str]] = field(default_factory=list)
    wedges: list[tuple[Place, Place, int, bool]] = field(default_factory=list)
    keys: list[tuple[int, int, int, int, str]] = field(default_factory=list)
    clefs: list[tuple[int, int, tuple[int, int, str, int, int]]] = field(default_factory=list)
    slurs: list[Slur] = field(default_factory=list)
    texts: list[tuple[int, int, int, str]] = field(default_factory=list)
    fermatas: set[tuple[int, int, int, int]] = field(default_factory=set)
    bar_fermatas: list[tuple[int, int | None, int]] = field(default_factory=list)
    swings: list[tuple[int, int, Fraction, float]] = field(default_factory=list)
    open_endings: set[tuple[int, frozenset[int]]] = field(default_factory=set)
    heads: dict[int, tuple[int, Measure]] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    cues_sound: bool = False

    def __post_init__(self) -> None:
        quarter = self.quarter  # not self: nothing here may hold itself, or it would outlive its file
        self.quarters = Remembered(lambda ticks: Fraction(ticks, quarter))

    def ticks(self, quarters: Fraction) -> int:
        """A time in ticks. When it is no whole number of them, `finer` says so and what is read is of no use."""
        exact = quarters * self.quarter
        self.finer = common(self.finer, exact.denominator)
        return int(exact)

    def duration(self, divisions: Fraction, written: str | None) -> int:
        """A <duration> in ticks. divisions: of a quarter"""
        return self.ticks(max(number(written) or Fraction(0), Fraction(0)) / divisions)

    def at(self, place: int, at: int) -> Measure:
        """The measure, or the part before the repeat sign that cuts it."""
        head = self.heads.get(place)
        return head[1] if head is not None and at < head[0] else self.measures[place]


def _staff(part: Part, written: str | None) -> int:
    """The number of a staff, which its part then has."""
    staff = min(whole(written) or 1, MOST_STAVES)
    part.staves = max(part.staves, staff)
    return staff


def _velocity(loudness: str) -> int | None:
    percent = number(loudness)
    return None if percent is None else min(max(round(percent * LOUD / 100), 1), 127)


@lru_cache(maxsize=4096)
def _sounding(pitch: tuple[tuple[str, str | None], ...], shift: tuple[int, int]) -> tuple[float, str] | None:
    """Pitch and letter. pitch: the children of a <pitch>; shift: semitones and letters from written to sounding."""
    written = dict(pitch)
    letter, height = (written.get("step") or "").strip(), whole(written.get("octave"))
    if letter not in STEPS or height is None:
        return None
    sounding = 12 * (height + 1) + STEPS[letter] + float(number(written.get("alter")) or 0) + shift[0]
    if not 0 <= sounding <= 127:
        return None
    return sounding, LETTERS[(LETTERS.index(letter) + shift[1]) % 7]


class PartReader:
    """Reads the measures of one part in order."""

    def __init__(self, index: int, parts: list[Part], found: Found) -> None:
        self.index = index
        self.part = parts[index]
        self.found = found
        self.place = -1  # index of the measure
        self.cursor = 0
        self.chord_onset = 0
        self.sounds_until = 0  # in this measure
        self.voice_ends: dict[str, int] = {}  # in this measure, rests too
        self.last_onsets: dict[str, int] = {}  # of the full notes of each voice in this measure
        self.graces: dict[str, list[int]] = {}  # voice -> grace notes that wait for what they lean on
        self.first_note = 0  # of this measure: index into all notes
        self.divide(Fraction(1))
        self.staffs = Remembered(partial(_staff, self.part))  # as written -> number
        self.shift: dict[str, tuple[int, int]] = {}  # staff -> semitones and letters from written to sounding
        self.clefs: dict[int, tuple[str, int, int]] = {}
        self.count = 0  # notes in this measure
        self.prefix = ""  # of their ids
        self.jumps: list[Jump] = []
        self.open_wedges: dict[str, tuple[Place, bool]] = {}
        self.open_slurs: dict[str, tuple[str, Place]] = {}
        self.stopped_slurs: dict[str, tuple[str, Place]] = {}  # before they started
        self.open_trills: dict[str, int] = {}
        self.ending: frozenset[int] = frozenset()
        self.ending_start = 0
        self.time: tuple[int, int] = (4, 4)
        self.signature = 4 * found.quarter  # how long its measures are
        self.is_timed = False  # whether this part has said so itself

    def divide(self, divisions: Fraction) -> None:
        """Count in other divisions of a quarter from here on."""
        self.divisions = divisions
        self.durations = Remembered(partial(self.found.duration, divisions))  # as written -> ticks

    @property
    def current(self) -> Measure:
        """The measure that is being read."""
        return self.found.measures[self.place]

    def measure(self, written: str, element: Any, *, implicit: bool) -> None:
        """Read the next measure. element: its XML, or this part's share of it in a timewise file."""
        self.place += 1
        self.cursor = self.chord_onset = self.sounds_until = furthest = 0
        self.count = 0
        self.prefix = f"{self.part.id}-m{self.place + 1}-n"
        self.first_note = len(self.found.notes)
        self.voice_ends.clear()
        self.last_onsets.clear()
        if self.place == len(self.found.measures):
            self.found.measures.append(Measure(written, self.place, time=self.time, implicit=implicit))
            self.found.lengths.append(0)
            self.found.shares.append([])
        for child in element:
            act = ACTIONS.get(child.tag)
            if act is not None:
                act(self, child)
                furthest = max(furthest, self.cursor)
        self._lean_back()
        if self.ending:
            self.current.endings |= self.ending
        length = self._length(furthest)
        self.found.lengths[self.place] = max(self.found.lengths[self.place], length)
        if self.is_timed:
            self.found.shares[self.place].append(Share(self.index, length, self.time, length == self.signature))
        directions.close_measure(self)

    def _length(self, furthest: int) -> int:
        """The length of this part's measure: that of its content, with two exceptions.

        Programs round, so a 128th more or less than the time signature is the signature. And they fill tuplets with
        rests that are too long: past the signature rests count only when every voice that fills the measure has them.
        """
        signature, rounding = self.signature, self.found.quarter // ROUNDING
        if furthest < signature - rounding or self.sounds_until > signature + rounding:
            return furthest
        full = min((end for end in self.voice_ends.values() if end >= signature - rounding), default=signature)
        return signature if abs(full - signature) <= rounding else full

    def finish(self) -> None:
        """After the last measure: end what stayed open."""
        for begin, grows in self.open_wedges.values():
            self.found.wedges.append((begin, (self.place, self.found.lengths[self.place]), self.index, grows))
        if self.ending:
            for measure in self.found.measures[self.ending_start + 1 :]:
                measure.endings -= self.ending

    def backup(self, element: Any) -> None:
        """Move the cursor back, not past the start of the measure."""
        self.cursor = max(self.cursor - self.durations[element.findtext("duration")], 0)

    def forward(self, element: Any) -> None:
        """Move the cursor on."""
        self.cursor += self.durations[element.findtext("duration")]

    def note(self, element: Any) -> None:
        """A note or a rest: the cursor moves by it, and what sounds is kept."""
        children = {child.tag: child for child in element}
        grace, length = children.get("grace"), children.get("duration")
        duration = 0 if grace is not None or length is None else self.durations[length.text]
        voice = (children["voice"].text or "1").strip() if "voice" in children else "1"
        attached: list[Any] = []
        if "notations" in children:
            attached = [child for group in element.iterchildren("notations") for child in group]
        if "chord" in children:
            onset = self.chord_onset
        else:
            onset = self.chord_onset = self.cursor
            self.cursor += duration
            if grace is None:
                self.voice_ends[voice] = self.cursor
        if attached:
            notations.of_place(self, attached, onset, duration)
        if "rest" in children:
            if voice in self.graces:
                self._lean_back(voice)
        elif (duration > 0 or grace is not None) and ("cue" not in children or self.found.cues_sound):
            sounding = self._pitch(children)
            if sounding is not None:
                quarters = self.found.quarters
                note = Note(
                    "", self.index, self.place, quarters[0], quarters[duration], *sounding, voice,
                    chord="chord" in children,
                )  # fmt: skip
                self._add(note, onset, element, children, attached)
                if grace is not None:
                    self._grace(note, grace)
                else:
                    self.sounds_until = max(self.sounds_until, onset + duration)
                    self.last_onsets[voice] = onset
                    self.graces.pop(voice, None)

    def _add(self, note: Note, onset: int, element: Any, children: dict[str, Any], attached: list[Any]) -> None:
        """Keep a note, with all that belongs to it."""
        self.count += 1
        note.id = self._id(element.get("id"))
        loudness = element.get("dynamics")
        if loudness is not None:
            note.velocity = _velocity(loudness)
        if "staff" in children:
            note.staff = self.staffs[children["staff"].text]
        if attached:
            notations.of_note(self, note, onset, attached)
        if "tie" in children:
            notations.ties(note, element.iterchildren("tie"))
        self.found.notes.append(note)
        self.found.onsets.append(onset)

    def _grace(self, note: Note, element: Any) -> None:
        note.grace = "slashed" if element.get("slash") == "yes" else "plain"
        self.graces.setdefault(note.voice, []).append(len(self.found.notes) - 1)
        if element.get("steal-time-previous") is not None and element.get("steal-time-following") is None:
            self._lean_back(note.voice)

    def _lean_back(self, voice: str | None = None) -> None:
        """Grace notes of one or of all voices that no note follows: they end the note before them."""
        for name in [voice] if voice is not None else list(self.graces):
            for grace in self.graces.pop(name):
                onset = self.last_onsets.get(name)
                if onset is not None and not self._begins_at(self.found.onsets[grace]):
                    self.found.notes[grace].grace, self.found.onsets[grace] = "after", onset

    def _begins_at(self, onset: int) -> bool:
        """Whether any full note of this part begins there in this measure."""
        found = zip(self.found.onsets[self.first_note :], self.found.notes[self.first_note :], strict=True)
        return any(at == onset and not note.grace and note.part == self.index for at, note in found)

    def _id(self, written: str | None) -> str:
        ids = self.found.ids
        name = written or f"{self.prefix}{self.count}"
        while name in ids:
            name = f"{self.prefix}{self.count}" if name == written else name + "x"
        ids.add(name)
        return name

    def _pitch(self, children: dict[str, Any]) -> tuple[float, str] | None:
        """Pitch and letter as they sound."""
        pitch = children.get("pitch")
        if pitch is not None:
            shift = (0, 0)
            if self.shift:
                staff = (children["staff"].text or "") if "staff" in children else "1"
                shift = self.shift.get(staff) or self.shift.get("", shift)
            return _sounding(tuple([(child.tag, child.text) for child in pitch]), shift)
        return (float(self._drum(children)), "") if "unpitched" in children else None

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

    def dynamics(self, element: Any, at: int) -> None:
        """The marks in a <dynamics>."""
        for mark in element:
            name = (mark.text or "").strip() if mark.tag == "other-dynamics" else mark.tag
            self.found.dynamics.append((self.place, at, self.index, name))


ACTIONS = {
    "note": PartReader.note,
    "backup": PartReader.backup,
    "forward": PartReader.forward,
    "attributes": attributes,
    "direction": directions.direction,
    "sound": directions.sound,
    "barline": barline,
}
