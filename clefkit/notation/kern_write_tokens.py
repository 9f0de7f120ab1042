"""Notes, chords and rests as **kern tokens: "4.cc#'", "[8e- 8g", "2ryy"."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from fractions import Fraction
from functools import lru_cache

from clefkit.notation import kern_ties
from clefkit.notation.layout import Head, Layout
from clefkit.notation.model import NO_MARKS, Note, Score
from clefkit.notation.spelling import Spelled, signature, spelled

MOST_DIGITS = 9999
SIGNS = {
    "staccatissimo": "`", "staccato": "'", "tenuto": "~", "detached-legato": "'~", "accent": "^",
    "strong-accent": "^^", "breath-mark": ",", "up-bow": "v", "down-bow": "u", "harmonic": "o", "arpeggiate": ":",
}  # fmt: skip
TURNS = {"turn": "sS", "inverted-turn": "s$", "delayed-turn": "SS", "delayed-inverted-turn": "$$"}
NEIGHBOURS = {  # steps, whole tone, semitone
    "trill-mark": (1, "T", "t"), "inverted-mordent": (1, "M", "m"), "mordent": (-1, "W", "w"),
}  # fmt: skip
TREMOLOS = ("tremolo", "tremolo-start", "tremolo-stop")
SAYABLE = {*SIGNS, *TURNS, *NEIGHBOURS, *TREMOLOS}
ALTERS = {"flat-flat": -2, "flat": -1, "natural": 0, "sharp": 1, "double-sharp": 2}
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
LETTERS = "CDEFGAB"
MOST_SLURS = 4  # of a staff at the same time
GRACE_LENGTHS = {-1: "8", -2: "16"}


def sayable(page: Layout) -> bool:
    """Whether every duration of a layout fits into the digits of a **kern rhythm."""
    durations = {head.duration for part in page.lines for lines in part for line in lines for head in line.heads}
    wholes = (Fraction(duration, 4 * page.ticks) for duration in durations)
    return all(whole.denominator <= MOST_DIGITS for whole in wholes)


def sayable_pitch(note: Note) -> int:
    """The pitch of a note as **kern has it: without quarter tones."""
    return math.floor(note.pitch)


def sayable_marks(marks: frozenset[str]) -> frozenset[str]:
    """What is left of the marks of a note when **kern has said them; ornaments without their accidentals."""
    if not marks:
        return NO_MARKS
    names = {mark.partition(":")[0]: mark for mark in marks}
    kept = {mark if name in TREMOLOS else name for name, mark in names.items() if name in SAYABLE}
    if "detached-legato" in kept or {"staccato", "tenuto"} <= kept:
        kept = kept - {"staccato", "tenuto"} | {"detached-legato"}
    if "strong-accent" in kept:
        kept.discard("accent")
    return frozenset(kept)


class Tokens:
    """Writes heads as tokens."""

    def __init__(self, score: Score, page: Layout) -> None:
        self.page = page
        self.keys = [(page.tick(key.onset), key.fifths) for key in score.keys]
        self.held = {(f.part, page.tick(f.onset)) for f in score.fermatas if f.duration}
        self.lengths: dict[int, str] = {}
        self.slurs = _slurs(score, page)
        self.pairs = _pairs(score)
        self.untied = {last.id for _, last in kern_ties.loose(score)}  # struck, as their ties do not meet a note

    def head(self, head: Head, part: int, place: int) -> str:
        """A token. part, place: indices of its part and measure"""
        length = self.lengths.get(head.duration)
        if length is None:
            length = self.lengths[head.duration] = rhythm(Fraction(head.duration, 4 * self.page.ticks))
        tick = self.page.starts[place] + head.onset
        held = ";" if head.first and head.duration and (part, tick) in self.held else ""
        if not head.notes:
            return f"{length}r{'yy' if head.hidden else held}"
        fifths = self._fifths(tick)
        grace = "" if head.duration else "q" if head.notes[0].grace == "slashed" else "qq"
        if grace:
            length = GRACE_LENGTHS[head.shape.log]
        common = frozenset[str]().union(*(note.marks for note in head.notes)) if head.first else NO_MARKS
        signs = (_articulations(common) + self._tremolo(head, common, length) if common else "") + held
        pieces = [self._note(note, head, length, fifths) + grace + signs for note in head.notes]
        opens, closes = self._slur_signs(head)
        return f"{opens}{' '.join(pieces)}{closes}"

    def _note(self, note: Note, head: Head, length: str, fifths: int) -> str:
        starts = note.tie_start or not head.last
        stops = not head.first or (note.tie_stop and note.id not in self.untied)
        found = spelled(sayable_pitch(note), note.step, fifths)
        tie = ("[" if starts and not stops else "", "_" if starts and stops else "]" if stops else "")
        ornaments = _ornaments(note.marks, found, fifths) if note.marks and head.first else ""
        return f"{tie[0]}{length}{_pitch(found)}{ornaments}{tie[1]}"

    def _tremolo(self, head: Head, marks: frozenset[str], length: str) -> str:
        """A tremolo of one note, "@32@", or of two, "@@32@@": it stands at the first."""
        flags = max(int(length.partition("%")[0].rstrip(".")).bit_length() - 3, 0)
        for mark in sorted(marks):
            name, _, strokes = mark.partition(":")
            if name == "tremolo" and strokes.isdecimal():
                return f"@{4 << (int(strokes) + flags)}@"
            if name == "tremolo-start" and strokes.isdecimal() and not self.pairs.isdisjoint(n.id for n in head.notes):
                return f"@@{4 << (int(strokes) + max(flags - 1, 0))}@@"
        return ""

    def _fifths(self, tick: int) -> int:
        place = bisect_right(self.keys, tick, key=lambda key: key[0])
        return self.keys[place - 1][1] if place else 0

    def _slur_signs(self, head: Head) -> tuple[str, str]:
        if not self.slurs:
            return "", ""
        opens, closes = "", ""
        for note in head.notes:
            starts, stops = self.slurs.get(note.id, ("", ""))
            opens += starts if head.first else ""
            closes += stops if head.last else ""
        return opens, closes


def rhythm(whole: Fraction) -> str:
    """A duration in whole notes: "4", "8.", "0" for a breve, "3%2" for two thirds of a whole note."""
    for dots, factor in (("", Fraction(1)), (".", Fraction(2, 3)), ("..", Fraction(4, 7))):
        plain = whole * factor
        if plain.numerator == 1:
            return f"{plain.denominator}{dots}"
        if plain in (2, 4):
            return "0" * (int(plain) // 2) + dots
    return f"{whole.denominator}%{whole.numerator}"


@lru_cache(maxsize=1024)
def _pitch(found: Spelled) -> str:
    letter = found.step.lower() * (found.octave - 3) if found.octave >= 4 else found.step * (4 - found.octave)
    alter = int(found.alter)
    return letter + "#" * alter + "-" * -alter


@lru_cache(maxsize=1024)
def _articulations(marks: frozenset[str]) -> str:
    kept = sayable_marks(marks)
    return "".join(sign for name, sign in SIGNS.items() if name in kept)


def _ornaments(marks: frozenset[str], note: Spelled, fifths: int) -> str:
    out = ""
    for mark in sorted(marks):
        name, _, detail = mark.partition(":")
        if name in TURNS:
            out += TURNS[name]
        elif name in NEIGHBOURS:
            steps, whole, half = NEIGHBOURS[name]
            out += half if _distance(note, steps, detail, fifths) == 1 else whole
    return out


def _distance(note: Spelled, steps: int, accidental: str, fifths: int) -> int:
    """Semitones from a note to the neighbour it is ornamented with."""
    place = LETTERS.index(note.step) + steps
    letter = LETTERS[place % 7]
    alter = ALTERS.get(accidental, signature(fifths)[letter])
    height = SEMITONES[letter] + 12 * (place // 7) + alter
    return abs(height - SEMITONES[note.step] - int(note.alter))


def _pairs(score: Score) -> set[str]:
    """Ids of the notes that begin a tremolo of two notes and are followed by the second one in their voice."""
    stops: set[tuple[int, int, str, Fraction]] = set()
    starts: list[tuple[str, tuple[int, int, str, Fraction]]] = []
    for note in score.notes:
        for mark in note.marks:
            if mark.startswith("tremolo-start"):
                starts.append((note.id, (note.part, note.staff, note.voice, note.onset + note.duration)))
            elif mark.startswith("tremolo-stop"):
                stops.add((note.part, note.staff, note.voice, note.onset))
    return {name for name, end in starts if end in stops}


def _slurs(score: Score, page: Layout) -> dict[str, tuple[str, str]]:
    """For each note at the end of a slur: what opens before it and closes behind it.

    Slurs of a staff that overlap have different numbers of "&". Left out are slurs to another staff, of several with
    the same beginning and end all but one, and a fifth one at the same time.
    """
    notes = {note.id: note for note in score.notes} if score.slurs else {}
    spans = []
    for order, slur in enumerate(score.slurs):
        first, last = notes[slur.first], notes[slur.last]
        if (first.part, first.staff) == (last.part, last.staff) and first.onset <= last.onset and first is not last:
            spans.append((page.tick(first.onset), page.tick(last.onset + last.duration), order, slur))
    busy: dict[tuple[int, int], list[int]] = defaultdict(list)
    seen: set[tuple[int, ...]] = set()
    found: dict[str, tuple[str, str]] = {}
    for begin, end, _, slur in sorted(spans, key=lambda span: span[:3]):
        staff = (notes[slur.first].part, notes[slur.first].staff)
        levels = busy[staff]
        level = next((level for level, until in enumerate(levels) if until <= begin), len(levels))
        if (*staff, begin, end) in seen or level == MOST_SLURS:
            continue
        seen.add((*staff, begin, end))
        levels[level : level + 1] = [max(end, begin + 1)]
        opens, closes = found.get(slur.first, ("", ""))
        found[slur.first] = (opens + "&" * level + "(", closes)
        opens, closes = found.get(slur.last, ("", ""))
        found[slur.last] = (opens, closes + "&" * level + ")")
    return found
