"""Humdrum **kern to `Score`, in one pass over the lines.

After D. Huron, "The Humdrum Toolkit: Reference Manual" (1994), and what the Verovio Humdrum Viewer added (C. Sapp,
doc.verovio.humdrum.org). Pitches are as they sound, also of transposing instruments and under 8va. A note has the id
"L12F3", by its line and field, the second one of a chord "L12F3S2", as in verovio. Hidden notes (yy) are silent.
Tremolos that *tremolo bids to draw as one are written out, so they are read as they stand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from clefkit.errors import InputError
from clefkit.notation import kern_marks, kern_parts, kern_ties
from clefkit.notation.kern_form import Form
from clefkit.notation.kern_marks import Marks
from clefkit.notation.kern_parts import Spine
from clefkit.notation.kern_tokens import Token, token
from clefkit.notation.model import Note, Pedal, Score, Slur

MOST_BYTES = 64 * 2**20
MOST_COLUMNS = 256
MOST_NOTES = 1_000_000
LONGEST_TOKEN = 2000
PATHS = {"*^", "*v", "*-", "*+", "*x"}


def read(path: Path) -> Score:
    """Read a **kern file in UTF-8, or in Latin-1 when it is not UTF-8.

    raises: InputError when it is missing, damaged, not **kern, or past a limit (64 MiB, 256 columns, a million notes)
    """
    return parse(text_of(path))


def text_of(path: Path) -> str:
    """A text file in UTF-8, or in Latin-1 when it is not UTF-8.

    raises: InputError when it is missing, empty or of more than 64 MiB
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise InputError("no such file") from error
    except IsADirectoryError as error:
        raise InputError("a folder, not a score") from error
    if len(data) > MOST_BYTES:
        raise InputError(f"a score of more than {MOST_BYTES // 2**20} MiB, more than we read")
    if not data.strip(b" \t\r\n\x00"):
        raise InputError("an empty file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text


def parse(text: str) -> Score:
    """Read **kern from a string.

    raises: InputError as `read`
    """
    reader = _Reader()
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        if line.strip():
            reader.line(number, line)
    return reader.finish()


@dataclass(slots=True)
class _Column:
    """One of the columns that are open, a spine or one of the voices it is split into.

    end: of its last note or rest; onset: of its last note, None after a rest; graces: that no note has followed yet
    strokes: of a tremolo whose second note is still to come
    """

    spine: int
    kind: str
    voice: int = 0
    end: Fraction = Fraction(0)
    onset: Fraction | None = None
    graces: list[Note] = field(default_factory=list)
    strokes: int = 0


class _Reader:
    """Holds the columns that are open and the time, and hands each kind of line to whoever knows it."""

    def __init__(self) -> None:
        self.columns: list[_Column] = []
        self.spines: list[Spine] = []
        self.form = Form()
        self.marks = Marks()
        self.notes: list[Note] = []
        self.slurs: list[Slur] = []
        self.open_slurs: dict[tuple[int, str], list[str]] = {}
        self.now = Fraction(0)
        self.title = self.composer = ""
        self.number = 0

    def line(self, number: int, line: str) -> None:
        """Read the next line that is not empty. number: in the file, from 1"""
        self.number = number
        if line.startswith("!!"):
            self._global_comment(line)
            return
        first = line[0]
        if first == "!":
            self._comments(line.split("\t"))
            return
        fields = self._fields(line)
        if first == "*":
            self._interpretations(fields)
        elif first == "=":
            self._barline(fields)
        else:
            self._data(fields)

    def _fields(self, line: str) -> list[str]:
        fields = line.split("\t")
        if not self.columns:
            if not line.startswith("**"):
                raise InputError(f'no Humdrum file: line {self.number} stands before the first "**kern"')
            return fields
        if len(fields) != len(self.columns):
            fields = [text for text in fields if text]
        if len(fields) != len(self.columns):
            counts = f"{len(fields)} fields where {len(self.columns)} columns are open"
            raise InputError(f"damaged Humdrum: line {self.number} has {counts}")
        return fields

    def _global_comment(self, line: str) -> None:
        if line.startswith("!!!"):
            key, _, value = line[3:].partition(":")
            value = kern_marks.plain(value)
            if key.partition("@")[0] == "OTL":
                self.title = self.title or value
            elif key == "COM":
                self.composer = self.composer or value
            elif key == "OMD":
                self._say(value, -1)
        else:
            self._say(kern_marks.layout(line[2:]), -1)

    def _say(self, text: str, spine: int) -> None:
        jump = kern_marks.say(self.marks, text, spine, self.now)
        if jump is not None:
            self.form.jump(jump)

    def _comments(self, fields: list[str]) -> None:
        """Comments on columns, which may be fewer or more: nothing hangs on them."""
        for column, text in zip(self.columns, fields, strict=False):
            if column.kind == "kern" and text.startswith("!LO:TX"):
                self._say(kern_marks.layout(text[1:]), column.spine)

    def _interpretations(self, fields: list[str]) -> None:
        if fields[0].startswith("**") and not self.columns:
            self._open(fields)
            return
        kern_marks.signature(self.marks, [t for c, t in zip(self.columns, fields, strict=True) if c.kind], self.now)
        tempo = next((text for text in fields if text.startswith("*MM")), "")
        kern_marks.tempo(self.marks, tempo, self.now)
        timed = labelled = False
        for column, text in zip(self.columns, fields, strict=True):
            if text == "*" or text in PATHS:
                continue
            if text.startswith("**"):
                self._reopen(column, text)
            timed = timed or self.form.signature(text)
            labelled = labelled or self.form.sections(text, self.now)
            kern_marks.player(self.spines[column.spine], text)
            if column.kind == "kern":
                kern_marks.clef(self.marks, text, column.spine, self.now)
                if text in ("*ped", "*Xped"):
                    kind = "down" if text == "*ped" else "up"
                    self.marks.pedals.append((self.now, column.spine, self.form.current.index, kind))
        if not PATHS.isdisjoint(fields):
            self._paths(fields)

    def _open(self, fields: list[str]) -> None:
        """The first line of spines, or of the spines of the next movement, which the same players play."""
        if len(fields) > MOST_COLUMNS:
            raise InputError(f"more than {MOST_COLUMNS} spines in line {self.number}, more than we read")
        kinds = [_kind(text) for text in fields]
        if [spine.kind for spine in self.spines] != kinds:
            first = len(self.spines)
            self.spines += [Spine(kind) for kind in kinds]
        else:
            first = 0
        self.columns = [_Column(first + index, kind, end=self.now) for index, kind in enumerate(kinds)]

    def _reopen(self, column: _Column, text: str) -> None:
        """A spine that "*+" added says what it holds, or one begins to hold something else."""
        column.kind = _kind(text)
        spine = self.spines[column.spine]
        if not spine.kind:
            spine.kind = column.kind
        elif spine.kind != column.kind:
            column.spine = len(self.spines)
            self.spines.append(Spine(column.kind, part=spine.part, staves=spine.staves))

    def _paths(self, fields: list[str]) -> None:
        """Columns that split, join, end, begin, or change places."""
        columns: list[_Column] = []
        joining, misjoined = False, 0
        crossed: list[int] = []
        for column, text in zip(self.columns, fields, strict=True):
            if text == "*v" and joining and columns[-1].spine == column.spine:
                _join(columns[-1], column)
                continue
            misjoined += text == "*v" and joining
            joining = text == "*v"
            if text == "*x":
                crossed.append(len(columns))
            columns += self._heirs(column, text)
        for one, two in zip(crossed[::2], crossed[1::2], strict=False):
            columns[one], columns[two] = columns[two], columns[one]
        for _ in range(misjoined):
            _join_elsewhere(columns)
        if len(columns) > MOST_COLUMNS:
            raise InputError(f"more than {MOST_COLUMNS} columns in line {self.number}, more than we read")
        self.columns = columns
        _number_voices(columns)

    def _heirs(self, column: _Column, text: str) -> list[_Column]:
        """The columns that stand below a column with a path interpretation."""
        if text == "*-":
            return []
        if text == "*^":
            return [column, _Column(column.spine, column.kind, end=column.end)]
        if text == "*+":
            self.spines.append(Spine(""))
            return [column, _Column(len(self.spines) - 1, "", end=self.now)]
        return [column]

    def _barline(self, fields: list[str]) -> None:
        kern = [(c, text) for c, text in zip(self.columns, fields, strict=True) if c.kind == "kern"]
        self.now = self.form.rested(self.now, self.notes[-1].measure if self.notes else -1)
        self.form.barline(next((text for _, text in kern), fields[0]), self.now)
        for column, text in kern:
            if ";" in text:
                kern_marks.fermata(self.marks, column.spine, self.now, Fraction(0))
            if column.graces and column.onset is not None:
                for note in column.graces:
                    note.grace, note.onset = "after", column.onset
            column.graces.clear()
            column.onset = None

    def _data(self, fields: list[str]) -> None:
        """Notes that begin at the same time; afterwards it is as late as the first column that needs something new."""
        now = self.now
        timed = graces = False
        end_left = now
        for place, text in enumerate(fields):
            column = self.columns[place]
            if column.kind == "kern":
                if text not in (".", ""):
                    self.form.data(now)
                    found = self._token(column, text, place)
                    timed, graces = timed or found.duration > 0, graces or found.grace
                end_left = column.end
            elif column.kind == "dynam" and text != ".":
                kern_marks.dynamics(self.marks, text, column.spine, now, end_left)
        if timed and not graces:
            self.now = min((c.end for c in self.columns if c.kind == "kern" and c.end > now), default=now)

    def _token(self, column: _Column, text: str, place: int) -> Token:
        if len(text) > LONGEST_TOKEN:
            raise InputError(f"a chord of more than {LONGEST_TOKEN} characters in line {self.number}")
        found = token(text, self.marks.fifths)
        now = self.now
        notes = self._heads(found, column, f"L{self.number}F{place + 1}")
        if found.fermata:
            kern_marks.fermata(self.marks, column.spine, now, found.duration)
        if found.duration:
            column.end = now + found.duration
            column.onset = now if notes else None
            column.graces.clear()
            if notes and (column.strokes or found.pair):
                _tremolo(column, notes, found.pair)
        elif found.grace:
            column.graces += notes
        if found.sforzando and notes:
            kern_marks.dynamics(self.marks, "sf", column.spine, now, now)
        if notes and (found.opens or found.closes):
            self._slur(found, column.spine, notes[0].id)
        return found

    def _heads(self, found: Token, column: _Column, name: str) -> list[Note]:
        """The notes of a token, which are the next of the score."""
        measure, spine, voice = self.form.current.index, column.spine, str(column.voice)
        notes = [
            Note(
                f"{name}S{head.slot + 1}" if found.chord else name, spine, measure, self.now, head.duration,
                head.pitch, head.step, voice, 1, head.tie_start, head.tie_stop, index > 0, head.grace, head.marks,
            )
            for index, head in enumerate(found.heads)
        ]  # fmt: skip
        self.notes += notes
        if len(self.notes) > MOST_NOTES:
            raise InputError(f"a score of more than {MOST_NOTES} notes, more than we read")
        return notes

    def _slur(self, found: Token, spine: int, name: str) -> None:
        for label in found.closes:
            waiting = self.open_slurs.get((spine, label))
            if waiting:
                self.slurs.append(Slur(waiting.pop(), name))
        for label in found.opens:
            self.open_slurs.setdefault((spine, label), []).append(name)

    def finish(self) -> Score:
        """The score, once all lines are read.

        raises: InputError when there was nothing in it
        """
        if not any(spine.kind == "kern" for spine in self.spines):
            raise InputError("no **kern spine in this file, so no notes that we read")
        order = self.form.finish(self.now)
        kern_marks.close_all(self.marks, self.now)
        if not any(measure.length for measure in self.form.measures):
            raise InputError("a score without measures")
        score = Score([], self.form.measures, self.notes, self.title, self.composer, order, slurs=self.slurs)
        _seat_all(score, self.spines, self.marks)
        kern_ties.mend(score)
        return score


def _kind(text: str) -> str:
    return {"**kern": "kern", "**dynam": "dynam", "**dyn": "dynam"}.get(text, "")


def _tremolo(column: _Column, notes: list[Note], strokes: int) -> None:
    """Marks of a tremolo between two notes or chords; **kern says it at the first one alone. strokes: said here"""
    mark = f"tremolo-stop:{column.strokes}" if column.strokes else f"tremolo-start:{strokes}"
    for note in notes:
        note.marks |= {mark}
    column.strokes = 0 if column.strokes else strokes


def _join(one: _Column, other: _Column) -> None:
    if other.end > one.end:
        one.end, one.onset = other.end, other.onset
    one.graces += other.graces


def _join_elsewhere(columns: list[_Column]) -> None:
    """A file joins two spines, which nobody can mean: join two voices of a spine that has several, the last such."""
    for place in range(len(columns) - 1, 0, -1):
        if columns[place - 1].spine == columns[place].spine and columns[place].kind == "kern":
            _join(columns[place - 1], columns.pop(place))
            return
    columns.pop()


def _number_voices(columns: list[_Column]) -> None:
    """The columns of a spine are its voices 0, 1, ... from the left."""
    counts: dict[int, int] = {}
    for column in columns:
        column.voice = counts.get(column.spine, 0)
        counts[column.spine] = column.voice + 1


def _seat_all(score: Score, spines: list[Spine], marks: Marks) -> None:
    """Put parts, staves and the parts' voices in where numbers of spines and of their columns were."""
    seats = kern_parts.seat(spines)
    score.parts = seats.parts
    of_spine = seats.of_spine
    voices: dict[tuple[int, str], str] = {}
    counts = [0] * len(score.parts)
    for spine in reversed(range(len(spines))):  # the first voices of the staves come before all others, top one first
        if spines[spine].kind == "kern":
            part = of_spine[spine][0]
            counts[part] += 1
            voices[spine, "0"] = str(counts[part])
    for note in score.notes:
        key = (note.part, note.voice)
        note.part, note.staff = of_spine[note.part]
        if key not in voices:
            counts[note.part] += 1
            voices[key] = str(counts[note.part])
        note.voice = voices[key]
    parts = {spine: part for spine, (part, _) in of_spine.items()} | {-1: 0}
    score.keys = marks.keys
    score.clefs = [clef._replace(part=parts[clef.part], staff=of_spine[clef.part][1]) for clef in marks.clefs]
    score.texts = [text._replace(part=parts[text.part]) for text in marks.texts]
    score.fermatas = sorted(mark._replace(part=parts[mark.part]) for mark in marks.fermatas.values())
    score.tempos = kern_marks.tempos(marks)
    score.dynamics = sorted({mark._replace(part=parts[mark.part]) for mark in marks.dynamics if mark.part in parts})
    score.wedges = sorted({wedge._replace(part=parts[wedge.part]) for wedge in marks.wedges if wedge.part in parts})
    score.pedals = [Pedal(onset, parts[spine], measure, kind) for onset, spine, measure, kind in marks.pedals]
