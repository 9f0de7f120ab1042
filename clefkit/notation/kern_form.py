"""The measures of a **kern file: barlines, time signatures, section labels and the list that says how they are played.

An expansion list "*>[A,A1,A,A2,B]" names sections that labels "*>A", "*>A1" begin. It goes before repeat signs. Lists
with a name of their own ("*>norep[A,B]") are other versions and not played; a list further on plays what stands behind
it. A list that names what is not there, or leaves measures out, is a slip of the pen: then the repeat signs count.
"""

from __future__ import annotations

import re
from fractions import Fraction

from clefkit.errors import InputError
from clefkit.notation.model import Measure
from clefkit.notation.unfold import MOST_MEASURES
from clefkit.notation.words import Jump

NUMBER = re.compile(r"(\d{1,6})([a-z]?)")
TIME = re.compile(r"\*M(\d{1,3}(?:\+\d{1,3}){0,9})/(\d{1,3})(?:%(\d{1,3}))?\Z")
LIST = re.compile(r"\*>([^\[]*)\[(.*)\]")
LABEL = re.compile(r"\*>([^\[\],]{1,99})\Z")
ENDING = re.compile(r"(.*\D)(\d{1,2})\Z")
MOST_PASSES = 32


class Form:
    """Collects measures while a file is read. now, in all calls: quarters from the start."""

    def __init__(self) -> None:
        self.measures = [Measure("0", 0, implicit=True)]
        self.labels: list[tuple[str, int]] = []
        self.label = ""  # found inside a measure: waits for a barline or the next note
        self.time = (4, 4)
        self.listed: dict[int, list[str]] = {}  # how many labels stand before a list -> the names in it
        self.named: set[str] = set()  # in any version
        self.unnumbered = True  # the first measure, until a barline tells its number
        self.full = False  # whether something stands in the last measure

    @property
    def current(self) -> Measure:
        """The measure that is being read."""
        return self.measures[-1]

    def signature(self, text: str) -> bool:
        """A time signature "*M3/4". returns: whether it is one"""
        found = TIME.match(text)
        if found is None:
            return False
        beats, unit = sum(int(count) for count in found[1].split("+")), int(found[2])
        if unit == 0:
            beats, unit = 2 * beats, 1  # a breve
        if found[3] and int(found[3]):
            beats *= int(found[3])
        if beats and unit:
            self.time = (beats, unit)
            if not self.full:
                self.current.time = self.time
        return True

    def sections(self, text: str, now: Fraction) -> bool:
        """A label or an expansion list. returns: whether it is one"""
        if not text.startswith("*>"):
            return False
        listed, label = LIST.match(text), LABEL.match(text)
        if listed is not None:
            names = [name.strip() for name in re.split(r"[\[\],]", listed[2]) if name.strip()]
            self.named.update(names)
            if not listed[1].strip():
                self.listed.setdefault(len(self.labels), names)
        elif label is not None and now == self.current.onset:
            self._begin_section(label[1].strip())
        elif label is not None:
            self.label = label[1].strip()
        return True

    def data(self, now: Fraction) -> None:
        """A note or rest comes: a label inside a measure cuts it in two."""
        if self.label:
            self._append(now, self.current.number, implicit=True)
        self.full = True

    def rested(self, now: Fraction, sounding: int) -> Fraction:
        """The end of the measure, which is a whole one when nothing but rests without a length ("r") stands in it.

        sounding: index of the last measure with a note
        """
        measure = self.current
        if self.full and now == measure.onset and sounding < measure.index:
            return now + Fraction(4 * measure.time[0], measure.time[1])
        return now

    def barline(self, text: str, now: Fraction) -> None:
        """A barline token with all its signs."""
        found = NUMBER.search(text)
        closed = self.current if self.full else self.measures[-2] if len(self.measures) > 1 else None
        if self.full:
            self._append(now, *self._number(found, now))
        elif found is not None:
            self.current.number, self.current.implicit = found[0], False
        if found is not None and self.unnumbered:
            self._name_first(int(found[1]))
        if closed is not None and (":|" in text or ":!" in text):
            closed.repeat_times = 2
        if "|:" in text or "!:" in text:
            self.current.repeat_start = True

    def _number(self, found: re.Match[str] | None, now: Fraction) -> tuple[str, bool]:
        """Number of the measure behind a barline, and whether it is not printed."""
        if found is not None:
            return found[0], False
        last = self.current
        short = now - last.onset < Fraction(4 * last.time[0], last.time[1])
        digits = NUMBER.match(last.number)
        if digits is None or (short and not last.implicit):
            return last.number, True
        return str(int(digits[1]) + 1), False

    def _name_first(self, number: int) -> None:
        self.unnumbered = False
        first = self.measures[0]
        if len(self.measures) > 1:
            first.number = str(max(number - 1, 0))
            signature = Fraction(4 * first.time[0], first.time[1])
            first.implicit = self.measures[1].onset < signature

    def _append(self, now: Fraction, number: str, implicit: bool) -> None:
        if len(self.measures) >= MOST_MEASURES:
            raise InputError(f"a score of more than {MOST_MEASURES} measures, more than we read")
        self.current.length = now - self.current.onset
        self.measures.append(Measure(number, len(self.measures), now, time=self.time, implicit=implicit))
        self.full = False
        if self.label:
            self._begin_section(self.label)
            self.label = ""

    def _begin_section(self, name: str) -> None:
        self.labels.append((name, self.current.index))

    def jump(self, jump: Jump) -> None:
        """Words that send the player somewhere else."""
        jump.mark(self.current)

    def finish(self, now: Fraction) -> list[int] | None:
        """Close the last measure. returns: the order of playing that the file lists, or None

        raises: InputError when the list plays more than 50,000 measures
        """
        self.current.length = now - self.current.onset
        if not self.full and len(self.measures) > 1:
            dropped = self.measures.pop()
            self.labels = [label for label in self.labels if label[1] < dropped.index]
        if self.unnumbered:
            self._count()
        named = [name for names in self.listed.values() for name in names]
        sections = self._sections()
        self._brackets(sections)
        if not named or not all(name in sections for name in named):
            return None
        if sum(len(sections[name]) for name in named) > MOST_MEASURES:
            raise InputError(f"an expansion list that plays more than {MOST_MEASURES} measures")
        before = list(range(min(places.start for places in sections.values())))
        order = before + [place for name in named for place in sections[name]]
        return order if set(order) == set(range(len(self.measures))) else None

    def _sections(self) -> dict[str, range]:
        """The measures of each section. Where there are lists, labels that none of them names are only for endings."""
        labels = self.labels
        if self.named:
            bases = {name: found[1] for name, _ in labels if (found := ENDING.match(name))}
            labels = [label for label in labels if {label[0], bases.get(label[0])} & self.named]
        places = [place for _, place in labels] + [len(self.measures)]
        return {name: range(place, places[i + 1]) for i, (name, place) in reversed(list(enumerate(labels)))}

    def _count(self) -> None:
        """No barline has a number: count from 1, or from 0 when the first measure is a pickup."""
        first = self.measures[0]
        first.implicit = first.length < Fraction(4 * first.time[0], first.time[1])
        shift = 0 if first.implicit else 1
        for measure in self.measures:
            if measure.number.isdecimal():
                measure.number = str(int(measure.number) + shift)

    def _brackets(self, sections: dict[str, range]) -> None:
        """Sections "A1" and "A2" behind a section "A" are its endings; a later one lasts as long as the first."""
        for name, places in sections.items():
            found = ENDING.match(name)
            if found is None or found[1] not in sections or not 1 <= int(found[2]) <= MOST_PASSES:
                continue
            first = sections.get(found[1] + "1", places)
            for place in places[: max(len(first), 1)]:
                self.measures[place].endings |= {int(found[2])}
