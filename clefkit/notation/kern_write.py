"""`Score` to Humdrum **kern: one spine a staff, lowest first, with voices as sub-spines; a **dynam spine beside a part
that has dynamics.

After D. Huron, "The Humdrum Toolkit: Reference Manual" (1994), and the Verovio Humdrum Viewer's additions (C. Sapp).
Repeats with endings and jumps are an expansion list, which says the order of playing by name of section. Rests that
only fill gaps are hidden (yy).

What **kern can't say, so that it is lost or changed on the way:

- quarter tones (lowered to the semitone), velocities, swing, ids, the parts' MIDI channels and banks
- percussion without pitch: its place on the drum map is written as a pitch
- times finer than 1/9999 of a whole note: the whole score is moved to the nearest 1/1920 of a quarter
- the end of a note that lasts less than 1/32 of a quarter past its bar line: it is rounding, and cut off
- slurs from one staff to another; hairpins that overlap in one part; dynamic marks of other letters than p, f, m, s, r,
  z, n
- ties whose ends do not meet, which **kern would hold: their last note is struck
- grace notes after the note, inside a measure: they lean on the next one
- tremolos between notes of two staves; spiccato, stress and other rare articulations; techniques but bowing and
  harmonics; accidentals over ornaments that are no semitone or whole tone away; the direction of an arpeggio; staccato
  with tenuto is detached legato; an articulation or tremolo of one note of a chord is one of the chord
- labels of segno and coda, and numbers of endings beyond the first of each bracket; the order of playing is said
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from clefkit.notation import instruments, kern_write_tokens, layout
from clefkit.notation.kern_parts import CODES
from clefkit.notation.kern_write_form import expansion
from clefkit.notation.kern_write_tokens import Tokens
from clefkit.notation.layout import Head, Layout, Line
from clefkit.notation.model import Clef, Key, Part, Score, Wedge
from clefkit.notation.musicxml_write_events import first_clefs, number
from clefkit.notation.shapes import Shape

TICKS = 1920  # a quarter, when the exact number is too fine for **kern
DYNAMIC = re.compile(r"(?:[mrs]?[pf]+z?p{0,2}|n)\Z")
NUMBER = re.compile(r"\d{1,6}[a-z]?\Z")
SHARPS, FLATS = "fcgdaeb", "beadgcf"
TONICS = "FCGDAEB"
MODES = {  # fifths from the major key with the same signature, and what stands behind the colon
    "major": (0, ""), "minor": (3, ""), "dorian": (2, "dor"), "phrygian": (4, "phr"), "lydian": (-1, "lyd"),
    "mixolydian": (1, "mix"), "aeolian": (3, "aeo"), "locrian": (5, "loc"), "ionian": (0, "ion"),
}  # fmt: skip
PEDALS = ("*ped", "*Xped")
PEDAL_SIGNS = {"down": ("*ped",), "up": ("*Xped",), "change": ("*Xped", "*ped")}
ESCAPES = {"&": "&amp;", ":": "&colon;", "\t": " ", "\n": " ", "\r": " "}


def text(score: Score) -> str:
    """The **kern text of a score, to be stored as UTF-8.

    raises: InputError when its repeats play more than 50,000 measures
    """
    page = layout.arrange(score, by_staff=True)
    if page.ticks > TICKS and not kern_write_tokens.sayable(page):
        page = layout.arrange(score, by_staff=True, most_ticks=TICKS)
    return _Writer(score, page).text()


def sayable_wedges(wedges: list[Wedge]) -> list[Wedge]:
    """The hairpins that **kern can say: one at a time in a part."""
    until: dict[int, Fraction] = defaultdict(Fraction)
    kept = []
    for wedge in wedges:
        if wedge.onset >= until[wedge.part]:
            until[wedge.part] = wedge.end
            kept.append(wedge)
    return kept


class _Spine:
    """A column of the file, or several when it is split.

    staff: of the part, 0 for dynamics; columns: how many are open
    """

    def __init__(self, part: int, staff: int, number: int) -> None:
        self.part = part
        self.staff = staff
        self.number = number
        self.columns = 1


class _Writer:
    """Writes line after line. Places are measures, ticks count from the start of the measure."""

    def __init__(self, score: Score, page: Layout) -> None:
        self.score = score
        self.page = page
        self.out: list[str] = []
        self.spines = self._arranged_spines()
        self.tokens = Tokens(score, page)
        self.dynamics = self._dynamics()
        self.signs = self._signs()  # [measure][tick] -> rows of interpretations and comments: spine -> text

    def _arranged_spines(self) -> list[_Spine]:
        """The lowest part first, of each part the lowest staff first, its dynamics behind it."""
        marked = {dynamic.part for dynamic in self.score.dynamics if DYNAMIC.match(dynamic.mark)}
        marked |= {wedge.part for wedge in self.score.wedges}
        spines: list[_Spine] = []
        above = 0
        for index in range(len(self.score.parts)):
            staves = self.page.staves(index)
            own = [_Spine(index, staff, above + staff) for staff in range(staves, 0, -1)]
            if index in marked:
                own.append(_Spine(index, 0, above + 1))
            spines = own + spines
            above += staves
        return spines

    def text(self) -> str:
        """The whole file."""
        score = self.score
        self.out += [f"!!!COM: {' '.join(score.composer.split())}"] if score.composer else []
        self.out += [f"!!!OTL: {' '.join(score.title.split())}"] if score.title else []
        self._row(["**kern" if spine.staff else "**dynam" for spine in self.spines])
        self._head()
        labels, listed = expansion(score)
        if listed:
            self._all(f"*>[{','.join(listed)}]")
        time: tuple[int, int] | None = None
        for place, measure in enumerate(score.measures):
            content = self._content(place)
            self._fit({id(spine): min(spine.columns, len(content[id(spine)])) for spine in self.spines if spine.staff})
            self._barline(place)
            if place in labels:
                self._all(f"*>{labels[place]}")
            if measure.time != time:
                time = measure.time
                self._all(f"*M{time[0]}/{time[1]}")
            self._fit({id(spine): len(content[id(spine)]) for spine in self.spines if spine.staff})
            self._measure(place, content)
        self._fit(dict.fromkeys((id(spine) for spine in self.spines), 1))
        last = score.measures[-1]
        self._bar("==" + (":|!" if last.repeat_times else ""), last.onset + last.length)
        self._all("*-")
        return "\n".join(self.out) + "\n"

    def _head(self) -> None:
        """Who plays: part, staff, instrument, names."""
        parts = self.score.parts
        self._row([f"*part{spine.part + 1}" for spine in self.spines])
        self._row([f"*staff{spine.number}" for spine in self.spines])
        for prefix, told in (("*I", _code), ('*I"', _name), ("*I'", _abbreviation)):
            row = [told(parts[spine.part]) if spine.staff else "" for spine in self.spines]
            if any(row):
                self._row([prefix + each if each else "*" for each in row])

    def _content(self, place: int) -> dict[int, list[Line]]:
        """The lines of each spine. Where a sign stands at a time at which nothing begins, hidden rests begin there."""
        found: dict[int, list[Line]] = {}
        needed = set(self.signs[place]) | {tick for tick, _ in self.dynamics[place]}
        for spine in self.spines:
            if spine.staff:
                lines = [line for line in self.page.lines[spine.part][place] if line.staff == spine.staff]
                found[id(spine)] = lines
                needed -= {head.onset for line in lines for head in line.heads}
        length = self.page.lengths[place]
        needed -= {length}
        if needed:
            edges = [0, *sorted(needed), length]
            rests = [Head(begin, end - begin, Shape(0), hidden=True) for begin, end in pairwise(edges)]
            top = next(spine for spine in reversed(self.spines) if spine.staff)
            found[id(top)] = [*found[id(top)], Line(0, top.staff, rests)]
        return found

    def _measure(self, place: int, content: dict[int, list[Line]]) -> None:
        """All rows of a measure but its barline."""
        columns = [(spine.part, line) for spine in self.spines if spine.staff for line in content[id(spine)]]
        full: dict[int, dict[int, str]] = defaultdict(dict)  # tick -> column -> token
        graces: dict[int, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        for column, (part, line) in enumerate(columns):
            now = 0
            for head in line.heads:
                token = self.tokens.head(head, part, place)
                if head.duration:
                    full[now][column] = token
                    now += head.duration
                else:
                    graces[now][column].append(token)
        marks: dict[int, dict[int, str]] = defaultdict(dict)
        for (tick, part), token in self.dynamics[place].items():
            marks[tick][part] = token
        for tick in sorted(full.keys() | graces.keys() | marks.keys() | self.signs[place].keys()):
            for row in self.signs[place].get(tick, []):
                self._signs_row(row)
            longest = max((len(tokens) for tokens in graces[tick].values()), default=0)
            for row_number in range(longest):
                self._data(
                    {
                        column: tokens[row_number - longest + len(tokens)]
                        for column, tokens in graces[tick].items()
                        if row_number >= longest - len(tokens)
                    },
                    {},
                )
            if tick in full or tick in marks:
                self._data(full[tick], marks[tick])

    def _signs_row(self, signs: dict[int, str]) -> None:
        """Interpretations or comments. What happens once, not in each voice, stands in a spine's first column."""
        empty = "!" if any(sign.startswith("!") for sign in signs.values()) else "*"
        row = []
        for index, spine in enumerate(self.spines):
            sign = signs.get(index, empty)
            once = sign.startswith("!") or sign in PEDALS
            row += [sign] + [empty if once else sign] * (spine.columns - 1)
        self._row(row)

    def _data(self, tokens: dict[int, str], marks: dict[int, str]) -> None:
        row = []
        column = 0
        for spine in self.spines:
            if not spine.staff:
                row.append(marks.get(spine.part, "."))
            for _ in range(spine.columns if spine.staff else 0):
                row.append(tokens.get(column, "."))
                column += 1
        self._row(row)

    def _fit(self, wanted: dict[int, int]) -> None:
        """Join and split columns until each spine has as many as wanted. Two spines never join in the same line."""
        for spine in self.spines:
            surplus = spine.columns - wanted.get(id(spine), 1)
            if surplus > 0:
                row = ["*" for other in self.spines for _ in range(other.columns)]
                end = self._first(spine) + spine.columns
                row[end - surplus - 1 : end] = ["*v"] * (surplus + 1)
                self._row(row)
                spine.columns -= surplus
        while True:
            short = [spine for spine in self.spines if spine.columns < wanted.get(id(spine), 1)]
            if not short:
                return
            row = ["*" for spine in self.spines for _ in range(spine.columns)]
            for spine in short:
                row[self._first(spine) + spine.columns - 1] = "*^"
            self._row(row)
            for spine in short:
                spine.columns += 1

    def _first(self, spine: _Spine) -> int:
        """The first column of a spine."""
        return sum(other.columns for other in self.spines[: self.spines.index(spine)])

    def _row(self, fields: list[str]) -> None:
        self.out.append("\t".join(fields))

    def _all(self, field: str) -> None:
        """The same in all columns."""
        self._row([field] * sum(spine.columns for spine in self.spines))

    def _barline(self, place: int) -> None:
        """The barline before a measure. A pickup has none; the first of the score is not seen."""
        measure = self.score.measures[place]
        before = self.score.measures[place - 1] if place else None
        closes, opens = before is not None and before.repeat_times > 0, measure.repeat_start
        sign = ":|!|:" if closes and opens else ":|!" if closes else "!|:" if opens else ""
        number = measure.number if NUMBER.match(measure.number) else ""
        if before is None:
            number = "" if measure.implicit else number
            if not opens and (measure.implicit or not number):
                return
            sign = sign or "-"
        self._bar(f"={number}{sign}", measure.onset)

    def _bar(self, token: str, onset: Fraction) -> None:
        """A barline, with the fermatas over it."""
        held = {f.part for f in self.score.fermatas if f.onset == onset and not f.duration}
        self._row([token + ";" * (spine.part in held) for spine in self.spines for _ in range(spine.columns)])

    def _place(self, onset: Fraction) -> tuple[int, int]:
        """The measure in which a time is, and the ticks from its start."""
        tick = self.page.tick(onset)
        place = max(bisect_right(self.page.starts, tick) - 1, 0)
        return place, max(tick - self.page.starts[place], 0)

    def _dynamics(self) -> list[dict[tuple[int, int], str]]:
        """Tokens of the dynamics spines: [measure][tick, part]. Of a hairpin and its end the end comes first."""
        pieces: list[dict[tuple[int, int], list[str]]] = [defaultdict(list) for _ in self.score.measures]
        wedges = sayable_wedges(self.score.wedges)
        found = [(wedge.end, 0, wedge.part, "[" if wedge.grows else "]") for wedge in wedges]
        marks = [dynamic for dynamic in self.score.dynamics if DYNAMIC.match(dynamic.mark)]
        found += [(dynamic.onset, 1, dynamic.part, dynamic.mark) for dynamic in marks]
        found += [(wedge.onset, 2, wedge.part, "<" if wedge.grows else ">") for wedge in wedges]
        for onset, _, part, token in sorted(found):
            place, tick = self._place(onset)
            pieces[place][tick, part].append(token)
        return [{where: " ".join(tokens) for where, tokens in measure.items()} for measure in pieces]

    def _signs(self) -> list[dict[int, list[dict[int, str]]]]:
        """Interpretations and comments: [measure][tick] -> rows, each spine -> text."""
        found: list[dict[int, list[dict[int, str]]]] = [{} for _ in self.score.measures]
        staves = {(spine.part, spine.staff): index for index, spine in enumerate(self.spines)}
        every = [index for index, spine in enumerate(self.spines) if spine.staff]

        def add(onset: Fraction, row: dict[int, str], place: int | None = None) -> None:
            home, tick = self._place(onset)
            if place is not None:
                home, tick = place, self.page.tick(onset) - self.page.starts[place]
            found[home].setdefault(tick, []).append(row)

        for onset, clefs in sorted(self._clefs(staves).items()):
            add(onset, clefs)
        for key in self.score.keys:
            for interpretation in _key(key):
                add(key.onset, dict.fromkeys(every, interpretation))
        for tempo in self.score.tempos:
            add(tempo.onset, dict.fromkeys(every, f"*MM{number(round(tempo.quarters_per_minute, 6))}"))
        for words in self.score.texts:
            add(words.onset, {staves[words.part, 1]: f"!LO:TX:t={_plain(words.text)}"})
        for pedal in self.score.pedals:
            for kind in PEDAL_SIGNS[pedal.kind]:
                add(pedal.onset, {staves[pedal.part, 1]: kind}, pedal.measure)
        return found

    def _clefs(self, staves: dict[tuple[int, int], int]) -> dict[Fraction, dict[int, str]]:
        """All clefs: onset -> spine -> interpretation."""
        clefs = [
            clef
            for index in range(len(self.score.parts))
            for clef in first_clefs(self.score, index, self.page.staves(index))
        ]
        found: dict[Fraction, dict[int, str]] = defaultdict(dict)
        for clef in clefs + self.score.clefs:
            if (clef.part, clef.staff) in staves:
                found[clef.onset][staves[clef.part, clef.staff]] = _clef(clef)
        return found


def _plain(words: str) -> str:
    return "".join(ESCAPES.get(letter, letter) for letter in words)


def _name(part: Part) -> str:
    return _plain(part.name)


def _abbreviation(part: Part) -> str:
    return _plain(part.abbreviation)


def _code(part: Part) -> str:
    """The Humdrum code of an instrument: that of its name, else the first one with its program."""
    program = part.program if part.program is not None else instruments.guess(part.name)
    fitting = [(code, name) for code, (name, known) in CODES.items() if known == program]
    same = [code for code, name in fitting if name.lower() in part.name.lower()]
    return (same or [code for code, _ in fitting] or [""])[0]


def _clef(clef: Clef) -> str:
    if clef.sign == "percussion":
        return "*clefX"
    return f"*clef{clef.sign}{'v' * -clef.octave}{'^' * clef.octave}{clef.line}"


def _key(key: Key) -> Iterator[str]:
    """Key signature, and the key when its mode is known."""
    letters = "".join(f"{letter}#" for letter in SHARPS[: max(key.fifths, 0)])
    letters += "".join(f"{letter}-" for letter in FLATS[: max(-key.fifths, 0)])
    yield f"*k[{letters}]"
    if key.mode in MODES:
        shift, suffix = MODES[key.mode]
        place = key.fifths + shift + 1
        sign = "#" * (place // 7) if place >= 0 else "-" * -(place // 7)
        tonic = TONICS[place % 7]
        yield f"*{tonic if shift in (0, 1, -1) else tonic.lower()}{sign}:{suffix}"
