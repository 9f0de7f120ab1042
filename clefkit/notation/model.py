"""A score as data: parts, measures, notes and directions.

Every time is an exact `Fraction` of a quarter note, counted from the start of the score as it is written, before
repeats are played. Pitches are sounding pitches as MIDI numbers (60 is middle C, 60.5 a quarter tone above it).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

NO_MARKS: frozenset[str] = frozenset()


@dataclass(slots=True)
class Part:
    """Who plays.

    id: as in the source
    program: General MIDI program, 0 to 127, or None when the source names none
    bank: MIDI bank, 0 when the source names none
    channel: MIDI channel, 1 to 16, or None when the source names none
    transposition: semitones from written to sounding pitch in the first measure (the pitches of notes have it in them)
    percussion: instrument id -> General MIDI drum note, for instruments without pitch
    unpitched: whether any of its notes has no pitch but a place on the drum map
    staves: how many staves it is written on
    """

    id: str
    name: str = ""
    abbreviation: str = ""
    program: int | None = None
    bank: int = 0
    channel: int | None = None
    transposition: int = 0
    percussion: dict[str, int] = field(default_factory=dict)
    unpitched: bool = False
    staves: int = 1


@dataclass(slots=True)
class Measure:
    """One measure of all parts.

    number: as written ("12", "X1"); index: place in the score, from 0
    onset, length: quarters; the length is that of the longest part, whatever the time signature says
    time: beats and beat type, (3, 4)
    implicit: its number is not printed: a pickup, or the rest of a bar that was cut in two
    repeat_start: a repeat sign opens before it; repeat_times: how often the section that closes after it is played in
        all, 0 when no repeat sign closes
    endings: numbers of the passes that play it, empty when it stands under no bracket
    segno, coda: label of the sign at its start, "" when there is none
    to_coda, dal_segno: label of the sign to jump to after it, "" when there is none
    da_capo: jump to the start after it; fine: the end after a jump
    """

    number: str
    index: int
    onset: Fraction = Fraction(0)
    length: Fraction = Fraction(0)
    time: tuple[int, int] = (4, 4)
    implicit: bool = False
    repeat_start: bool = False
    repeat_times: int = 0
    endings: frozenset[int] = frozenset()
    segno: str = ""
    coda: str = ""
    to_coda: str = ""
    dal_segno: str = ""
    da_capo: bool = False
    fine: bool = False

    @property
    def unit(self) -> float:
        """The length in quarters of what its time signature counts."""
        return 4.0 / self.time[1]

    @property
    def first_beat(self) -> float:
        """The number of the beat it begins with: 1, or later when it is a pickup."""
        missing = 4.0 * self.time[0] / self.time[1] - float(self.length)
        return 1.0 + (missing / self.unit if self.implicit and self.index == 0 and missing > 0 else 0.0)


@dataclass(slots=True)
class Note:
    """One written note head that sounds.

    id: the source's own, else made from part, measure and order ("P1-m12-n3", measures counted from 1); unique
    part, measure: indices into the score's parts and measures
    onset, duration: quarters; a grace note has duration 0 and the onset of the note it leans on
    step: its letter, "C" to "B", as it sounds (a written D of a clarinet in B flat has step "C"), so pitch 60 with
        "B" is B sharp; "" when the source has none
    tie_start, tie_stop: it goes on in a later note; it goes on from an earlier one
    chord: it starts with the note before it
    grace: "" for a full note, "slashed" for a short grace note, "plain" for a long one, "after" for one that ends the
        note before it, whose onset it has
    marks: articulations and ornaments by their MusicXML name ("staccato", "accent", "trill-mark", "turn",
        "arpeggiate"), some with a detail behind a colon: "tremolo:3" (strokes), "tremolo-start:3" and "tremolo-stop:3"
        (between two notes), "arpeggiate:down", and an accidental over an ornament: "trill-mark:sharp"
    velocity: 1 to 127 when the source says it for this very note, else None
    """

    id: str
    part: int
    measure: int
    onset: Fraction
    duration: Fraction
    pitch: float
    step: str = ""
    voice: str = "1"
    staff: int = 1
    tie_start: bool = False
    tie_stop: bool = False
    chord: bool = False
    grace: str = ""
    marks: frozenset[str] = NO_MARKS
    velocity: int | None = None


class Tempo(NamedTuple):
    """Quarters per minute from `onset` on."""

    onset: Fraction
    quarters_per_minute: float


class Dynamic(NamedTuple):
    """A mark of one part: "pp", "mf", "sfz", "fp", ..."""

    onset: Fraction
    part: int
    mark: str


class Wedge(NamedTuple):
    """A hairpin of one part. grows: crescendo, else diminuendo."""

    onset: Fraction
    end: Fraction
    part: int
    grows: bool


class Pedal(NamedTuple):
    """The sustain pedal of one part. kind: "down", "up" or "change" (up and down again)."""

    onset: Fraction
    part: int
    measure: int
    kind: str


class Key(NamedTuple):
    """A key signature as it sounds, of all parts. fifths: sharps, negative for flats; mode: "major", "minor", "dorian",
    ..., "" when the source does not say."""

    onset: Fraction
    fifths: int
    mode: str = ""


class Clef(NamedTuple):
    """sign: "G", "F", "C" or "percussion"; line: from the lowest, 1; octave: -1 for a clef with an 8 below."""

    onset: Fraction
    part: int
    staff: int
    sign: str
    line: int
    octave: int = 0


class Slur(NamedTuple):
    """From one note to another, by their ids."""

    first: str
    last: str


class Text(NamedTuple):
    """Words at one part that are neither a dynamic mark nor a jump: "rit.", "a tempo", "pizz.", "Allegro"."""

    onset: Fraction
    part: int
    text: str


class Fermata(NamedTuple):
    """A note or rest that is held. duration: quarters, 0 for one over a bar line."""

    onset: Fraction
    duration: Fraction
    part: int


class Swing(NamedTuple):
    """From `onset` on, two notes of length `unit` (quarters) are played as `long` to 1; 1 is straight."""

    onset: Fraction
    unit: Fraction
    long: float


@dataclass(slots=True)
class Score:
    """A whole score. Notes are in the order of the source; directions are sorted by onset.

    order: indices of the measures in the order of playing, when the source lists it (a **kern expansion list); None
        when repeat signs and jumps tell it
    faults: what was wrong with the file, and how it was read all the same
    """

    parts: list[Part]
    measures: list[Measure]
    notes: list[Note]
    title: str = ""
    composer: str = ""
    order: list[int] | None = None
    faults: list[str] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    clefs: list[Clef] = field(default_factory=list)
    slurs: list[Slur] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    fermatas: list[Fermata] = field(default_factory=list)
    swings: list[Swing] = field(default_factory=list)
    tempos: list[Tempo] = field(default_factory=list)
    dynamics: list[Dynamic] = field(default_factory=list)
    wedges: list[Wedge] = field(default_factory=list)
    pedals: list[Pedal] = field(default_factory=list)
