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


@dataclass(slots=True)
class Measure:
    """One measure of all parts.

    number: as written ("12", "X1"); index: place in the score, from 0
    onset, length: quarters; the length is that of the longest part, whatever the time signature says
    time: beats and beat type, (3, 4); key: sharps, negative for flats
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
    key: int = 0
    repeat_start: bool = False
    repeat_times: int = 0
    endings: frozenset[int] = frozenset()
    segno: str = ""
    coda: str = ""
    to_coda: str = ""
    dal_segno: str = ""
    da_capo: bool = False
    fine: bool = False


@dataclass(slots=True)
class Note:
    """One written note head that sounds.

    id: the source's own, else made from part, measure and order ("P1-m12-n3", measures counted from 1); unique
    part, measure: indices into the score's parts and measures
    onset, duration: quarters; a grace note has duration 0 and the onset of what follows it
    tie_start, tie_stop: it goes on in a later note; it goes on from an earlier one
    chord: it starts with the note before it
    grace: "" for a full note, "slashed" for a short grace note, "plain" for a long one
    marks: articulations by their MusicXML name ("staccato", "accent", ...)
    velocity: 1 to 127 when the source says it for this very note, else None
    """

    id: str
    part: int
    measure: int
    onset: Fraction
    duration: Fraction
    pitch: float
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


@dataclass(slots=True)
class Score:
    """A whole score. Notes are in the order of the source; directions are sorted by onset."""

    parts: list[Part]
    measures: list[Measure]
    notes: list[Note]
    tempos: list[Tempo] = field(default_factory=list)
    dynamics: list[Dynamic] = field(default_factory=list)
    wedges: list[Wedge] = field(default_factory=list)
    pedals: list[Pedal] = field(default_factory=list)
