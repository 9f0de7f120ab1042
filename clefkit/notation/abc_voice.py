"""The music code of one voice of an ABC tune: notes, chords, rests, bars, tuplets, decorations.

Times are quarters from the start of the measure. What is found goes into a `Tune`, which the voices share.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

from clefkit.errors import InputError
from clefkit.notation import abc_fields as fields
from clefkit.notation import words
from clefkit.notation.model import Measure, Note
from clefkit.notation.spelling import STEPS
from clefkit.notation.unfold import MOST_MEASURES

NOTE = r"(?P<sign>\^\^|\^/?|__|_/?|=)?(?P<letter>[A-Ga-g])(?P<octave>[,']{0,9})(?P<length>\d{0,4}(?:/{0,8}\d{0,4}))"
LENGTH = re.compile(r"(\d{0,4})(/{0,8})(\d{0,4})")
HEAD = re.compile(NOTE + r"(?P<tie>(?:\.?-)?)")
CODE = re.compile(
    r"(?P<field>\[[A-Za-z]:[^\]\n]{0,300}\])"
    r"|(?P<bar>:*\.?\|[|\]:]*(?:\[?(?P<bar_ending>\d[\d,.-]{0,9}))?"
    r"|:{2,}(?:\[?(?P<double_ending>\d[\d,.-]{0,9}))?"
    r"|:\[?(?P<late_ending>\d)|\[\|[:\]]*|\[(?P<ending>\d[\d,.-]{0,9}))"
    r"|(?P<quoted>\"[^\"\n]{0,500}\")"
    r"|(?P<decoration>![^!\s|]{1,40}!|\+[^+\s|]{1,40}\+)"
    r"|(?P<graces>\{/?[^}\n]{0,300}\})"
    r"|(?P<tuplet>\((\d{1,2})(?::(\d{0,2}))?(?::(\d{0,2}))?)"
    r"|(?P<chord>\[(?![A-Za-z]:)[^\]|\n]{1,300}\])(?P<chord_length>\d{0,4}(?:/{0,8}\d{0,4}))(?P<chord_tie>(?:\.?-)?)"
    rf"|(?P<note>{NOTE})(?P<tie>(?:\.?-)?)"
    r"|(?P<rest>[zx])(?P<rest_length>\d{0,4}(?:/{0,8}\d{0,4}))"
    r"|(?P<bars>[ZX])(?P<bar_count>\d{0,3})"
    r"|(?P<broken>>{1,3}|<{1,3})"
    r"|(?P<slur>[()])|(?P<overlay>&)|(?P<spacer>y\d{0,3})|(?P<short>[.~H-WYh-w-])"
)
ENDS_ENDING = re.compile(r"\|\||\]|\[\||:$")
SIGNS = {"^^": 2.0, "^": 1.0, "^/": 0.5, "=": 0.0, "_/": -0.5, "_": -1.0, "__": -2.0}
SHORT = {
    ".": "staccato", "~": "roll", "H": "fermata", "L": "accent", "M": "lowermordent", "O": "coda", "P": "uppermordent",
    "S": "segno", "T": "trill", "u": "upbow", "v": "downbow",
}  # fmt: skip
MARKS = {
    "staccato": "staccato", "roll": "turn", "accent": "accent", ">": "accent", "emphasis": "accent",
    "lowermordent": "mordent", "mordent": "mordent", "uppermordent": "inverted-mordent",
    "pralltriller": "inverted-mordent", "trill": "trill-mark", "turn": "turn", "invertedturn": "inverted-turn",
    "turnx": "turn", "tenuto": "tenuto", "wedge": "staccatissimo", "upbow": "up-bow", "downbow": "down-bow",
    "arpeggio": "arpeggiate", "breath": "breath-mark", "marcato": "strong-accent", "^": "strong-accent",
    "trill(": "trill-mark", "/": "tremolo:1", "//": "tremolo:2", "///": "tremolo:3", "////": "tremolo:4",
}  # fmt: skip
DYNAMICS = {"pppp", "ppp", "pp", "p", "mp", "mf", "f", "ff", "fff", "ffff", "sfz", "sf", "fp", "fz"}
WEDGES = {
    "<(": True, "crescendo(": True, ">(": False, "diminuendo(": False, "<)": None, "crescendo)": None, ">)": None,
    "diminuendo)": None,
}  # fmt: skip
TUPLETS = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}  # p notes in the time of q; of others it depends on the meter
MOST_NOTES = 1_000_000


@dataclass(slots=True)
class Tune:
    """What was found so far of one tune. Places are (measure, quarters from its start); parts count from 0.

    played: names of sections in the order of playing (P:), if the tune says it; sections: where each begins
    """

    measures: list[Measure] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    tempos: list[tuple[int, Fraction, float]] = field(default_factory=list)
    keys: list[tuple[int, Fraction, int, str]] = field(default_factory=list)
    texts: list[tuple[int, Fraction, int, str]] = field(default_factory=list)
    dynamics: list[tuple[int, Fraction, int, str]] = field(default_factory=list)
    wedges: list[tuple[int, Fraction, int, Fraction, int, bool]] = field(default_factory=list)
    fermatas: list[tuple[int, Fraction, Fraction, int]] = field(default_factory=list)
    slurs: list[tuple[str, str]] = field(default_factory=list)
    played: list[str] = field(default_factory=list)
    sections: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Last:
    """The last note, chord or rest, which a broken rhythm behind it changes."""

    notes: list[Note]
    duration: Fraction


class Voice:
    """Reads the lines of one voice in order. part: its number; prefix: of the ids of its notes."""

    def __init__(self, tune: Tune, part: int, settings: fields.Settings, symbols: dict[str, str], prefix: str) -> None:
        self.tune = tune
        self.part = part
        self.settings = settings
        self.symbols = symbols
        self.prefix = prefix
        self.place = 0
        self.cursor = Fraction(0)
        self.filled = False  # whether anything stands in this measure
        self.longest = Fraction(0)  # in this measure, over the layers
        self.layer = 1
        self.accidentals: dict[str, float] = {}
        self.ties: dict[tuple[str, int], float] = {}
        self.tuplet = (0, Fraction(1))  # notes that are left, factor
        self.factor = Fraction(1)  # of a broken rhythm, for the next note
        self.last: _Last | None = None
        self.graces: list[Note] = []
        self.pending: list[str] = []  # decorations for the next note
        self.slurs_to_open = 0
        self.open_slurs: list[str] = []
        self.wedge: tuple[int, Fraction, bool] | None = None
        self.ending: tuple[int, int] | None = None  # its first measure, and the most measures it may have
        self.ending_bars = 1  # of the last one
        self.count = 0
        self.acts = {
            "bar": self._bar, "quoted": self._quoted, "decoration": self._decoration, "graces": self._graces,
            "tuplet": self._tuplet, "chord": self._chord, "note": self._note, "rest": self._rest, "bars": self._bars,
            "broken": self._broken, "slur": self._slur, "overlay": self._overlay, "short": self._short,
        }  # fmt: skip
        self._reach()

    def code(self, found: re.Match[str]) -> None:
        """The next piece of music code, a match of `CODE` that is no field."""
        kind = next((name for name in self.acts if found[name] is not None), None)
        if kind is not None:
            self.acts[kind](found)

    def _reach(self) -> Measure:
        """The measure of the place, which may be a new one."""
        measures = self.tune.measures
        while len(measures) <= self.place:
            if len(measures) >= MOST_MEASURES:
                raise InputError(f"a tune of more than {MOST_MEASURES} measures, more than we read")
            measures.append(Measure("", len(measures), time=self.settings.meter or (4, 4)))
        return measures[self.place]

    def section(self, name: str) -> None:
        """A section of the tune begins (P:), with the next measure when anything stands in this one."""
        self.tune.sections.setdefault(name, self.place + self.filled)

    def new_meter(self) -> None:
        """The meter has changed."""
        if not self.filled:
            self._reach().time = self.settings.meter or (4, 4)

    def _bar(self, found: re.Match[str]) -> None:
        text = found["bar"]
        ending = found["bar_ending"] or found["double_ending"] or found["late_ending"] or found["ending"]
        colons = len(text) - len(text.lstrip(":"))
        closed = self._reach() if self.filled else None
        if closed is None and self.place > 0:
            closed = self.tune.measures[self.place - 1]
        if self.filled:
            self.end_measure()
        if colons and closed is not None:
            closed.repeat_times = colons + 1 if "|" in text else 2
        signs = re.sub(r"\d.*", "", text).rstrip("[")
        if closed is not None and (ending or colons or ENDS_ENDING.search(signs)):
            self._end_ending(closed.index)
        if signs.endswith(":") and (len(signs) > 1):
            self._reach().repeat_start = True
        if ending:
            passes = _passes(ending)
            self._reach().endings |= passes
            self.ending = (self.place, MOST_MEASURES if 1 in passes else self.ending_bars)

    def _end_ending(self, last: int) -> None:
        """An ending lasts until a repeat sign or a double bar, but a later one not longer than the first.

        last: index of its last measure
        """
        first, most = self.ending or (last, 0)
        if last - first < most:
            self.ending_bars = last - first + 1
            for measure in self.tune.measures[first : last + 1]:
                measure.endings |= self.tune.measures[first].endings
        self.ending = None

    def end_measure(self) -> None:
        """A measure is over; the next begins."""
        measure = self._reach()
        measure.length = max(measure.length, self.cursor, self.longest)
        before = self.last.notes[0].onset if self.last is not None and self.last.notes else None
        for grace in self.graces:
            if before is not None:
                grace.grace, grace.onset = "after", before
        self.graces.clear()
        self.place += 1
        self.cursor = self.longest = Fraction(0)
        self.filled, self.layer = False, 1
        self.accidentals.clear()
        self.last = None
        self._reach()

    def _bars(self, found: re.Match[str]) -> None:
        """Whole measures of rest."""
        for index in range(max(int(found["bar_count"] or 1), 1)):
            if index:
                self.end_measure()
            beats, kind = self.settings.meter or (4, 4)
            self.cursor, self.filled = Fraction(4 * beats, kind), True

    def _quoted(self, found: re.Match[str]) -> None:
        """Words with a place before them ("^rit."); others are chord symbols, which nobody plays here."""
        text = found["quoted"][1:-1].strip()
        if text[:1] in ("^", "_", "<", ">", "@") and text[1:].strip():
            said = " ".join(re.sub(r"^@[-\d.,\s]*", "", text).lstrip("^_<>").split())
            if said:
                self.tune.texts.append((self.place, self.cursor, self.part, said))
                self._jump(words.jump(said))

    def _jump(self, jump: words.Jump | None) -> None:
        """Note down a jump. A coda sign behind notes is the one to leave at."""
        if jump is not None:
            late = jump.coda and self.cursor > 0
            (words.Jump(to_coda=True) if late else jump).mark(self._reach())

    def _decoration(self, found: re.Match[str]) -> None:
        self._decorate(found["decoration"][1:-1])

    def _short(self, found: re.Match[str]) -> None:
        name = self.symbols.get(found["short"], SHORT.get(found["short"], ""))
        if name:
            self._decorate(name)

    def _decorate(self, name: str) -> None:
        place = (self.place, self.cursor, self.part)
        if name in DYNAMICS:
            self.tune.dynamics.append((*place, name))
        elif name in WEDGES:
            self._end_wedge()
            grows = WEDGES[name]
            self.wedge = None if grows is None else (self.place, self.cursor, grows)
        elif name == "segno":
            self._reach().segno = name
        elif name == "coda":
            self._jump(words.Jump(coda=True))
        elif name in ("D.C.", "D.S.", "fine", "dacapo", "dacoda", "D.C.alfine", "D.S.alfine"):
            self._jump(words.jump({"dacapo": "D.C.", "dacoda": "To Coda"}.get(name, name[:4])))
        else:
            self.pending.append(name)

    def _end_wedge(self) -> None:
        if self.wedge is not None:
            self.tune.wedges.append((*self.wedge[:2], self.place, self.cursor, self.part, self.wedge[2]))
            self.wedge = None

    def _graces(self, found: re.Match[str]) -> None:
        text = found["graces"][1:-1]
        # Tune books write a single one without the stroke and mean a short one.
        kind = "slashed" if text.startswith("/") or len(HEAD.findall(text)) == 1 else "plain"
        for head in HEAD.finditer(text):
            note = self._head(head, Fraction(0))
            if note is not None:
                note.grace = kind
                self.graces.append(note)

    def _tuplet(self, found: re.Match[str]) -> None:
        count, time, notes = [*re.findall(r"\d+|(?<=:)(?=:|$)", found["tuplet"][1:]), "", ""][:3]
        compound = self.settings.meter is not None and self.settings.meter[0] in (6, 9, 12)
        if int(count):
            in_time_of = int(time or TUPLETS.get(int(count), 3 if compound else 2))
            self.tuplet = (int(notes or count), Fraction(in_time_of or 1, int(count)))

    def _overlay(self, _found: re.Match[str]) -> None:
        """From here on a second layer of the same measure."""
        self.longest = max(self.longest, self.cursor)
        self.cursor, self.layer, self.last = Fraction(0), self.layer + 1, None

    def _broken(self, found: re.Match[str]) -> None:
        """a>b: the first note half as much again, the second half; with more signs, more."""
        if self.last is None:
            return
        small = Fraction(1, 2 ** len(found["broken"]))
        first, second = (2 - small, small) if found["broken"][0] == ">" else (small, 2 - small)
        self.cursor += self.last.duration * (first - 1)
        for note in self.last.notes:
            note.duration *= first
        for grace in self.graces:
            grace.onset = self.cursor
        self.factor, self.last = second, None

    def _slur(self, found: re.Match[str]) -> None:
        if found["slur"] == "(":
            self.slurs_to_open += 1
        elif self.open_slurs and self.last is not None and self.last.notes:
            self.tune.slurs.append((self.open_slurs.pop(), self.last.notes[0].id))

    def _rest(self, found: re.Match[str]) -> None:
        self._advance([], self._length(found["rest_length"]))

    def _note(self, found: re.Match[str]) -> None:
        duration = self._length(found["length"])
        note = self._head(found, duration)
        self._advance([] if note is None else [note], duration)

    def _chord(self, found: re.Match[str]) -> None:
        outer = _times(found["chord_length"])
        heads = list(HEAD.finditer(re.sub(r"\"[^\"]*\"|![^!]*!", "", found["chord"][1:-1])))
        if not heads:
            return
        scale = self._scale() * outer
        ties = found["chord_tie"]
        notes: list[Note] = []
        for head in heads:
            note = self._head(head, _times(head["length"]) * fields.unit(self.settings) * scale, tied=ties != "")
            if note is not None:
                note.chord = bool(notes)
                notes.append(note)
        self._advance(notes, _times(heads[0]["length"]) * fields.unit(self.settings) * scale)

    def _length(self, text: str) -> Fraction:
        return _times(text) * fields.unit(self.settings) * self._scale()

    def _scale(self) -> Fraction:
        """The factor of tuplet and broken rhythm for the next note, which takes its share of them."""
        left, ratio = self.tuplet
        scale = self.factor * (ratio if left else 1)
        self.tuplet, self.factor = (max(left - 1, 0), ratio), Fraction(1)
        return scale

    def _advance(self, notes: list[Note], duration: Fraction) -> None:
        """Notes (none for a rest) stand here: decorate them, and go on."""
        names, self.pending = self.pending, []
        marks = frozenset(MARKS[name] for name in names if name in MARKS)
        if marks:
            for note in notes:
                note.marks = marks
        if "fermata" in names or "invertedfermata" in names:
            self.tune.fermatas.append((self.place, self.cursor, duration, self.part))
        if notes:
            self.open_slurs += [notes[0].id] * self.slurs_to_open
            self.slurs_to_open = 0
        self.graces.clear()
        self.filled = True
        self.cursor += duration
        self.last = _Last(notes, duration)

    def _head(self, found: re.Match[str], duration: Fraction, *, tied: bool = False) -> Note | None:
        letter = found["letter"].upper()
        octave = 4 + found["letter"].islower() + found["octave"].count("'") - found["octave"].count(",")
        sign, key = found["sign"], (letter, octave)
        came = self.ties.pop(key, None)
        if sign:
            self.accidentals[letter] = SIGNS[sign]
        alter = came if came is not None and not sign else self.accidentals.get(
            letter, float(self.settings.key.get(letter, 0))
        )  # fmt: skip
        pitch = 12 * (octave + 1) + STEPS[letter] + alter + self.settings.shift
        goes_on = tied or found["tie"] != ""
        if goes_on:
            self.ties[key] = alter
        if not 0 <= pitch <= 127 or (self.filled and duration < 0):
            return None
        self.count += 1
        note = Note(f"{self.prefix}-n{self.count}", self.part, self.place, self.cursor, duration, pitch)
        note.step = letter if self.settings.shift % 12 == 0 else ""
        note.voice = str(self.layer)
        note.tie_start, note.tie_stop = goes_on, came is not None
        self.tune.notes.append(note)
        if len(self.tune.notes) > MOST_NOTES:
            raise InputError(f"a tune of more than {MOST_NOTES} notes, more than we read")
        return note

    def finish(self) -> None:
        """After the last line: close what is open."""
        self._end_wedge()
        if self.filled:
            measure = self._reach()
            measure.length = max(measure.length, self.cursor, self.longest)


def _times(text: str) -> Fraction:
    """A length as a multiple of the unit: "" 1, "3" 3, "/" a half, "3/2", "//" a quarter."""
    found = LENGTH.match(text)
    if not text or found is None:
        return Fraction(1)
    above, slashes, below = int(found[1] or 1), found[2], int(found[3] or 0)
    return Fraction(above, below or (2 ** len(slashes)))


def _passes(text: str) -> frozenset[int]:
    """The numbers of an ending: "1", "1,3", "1-3"."""
    found: set[int] = set()
    for first, last in re.findall(r"(\d{1,2})(?:-(\d{1,2}))?", text):
        found.update(range(int(first), min(int(last or first), 32) + 1))
    return frozenset(found - {0})
