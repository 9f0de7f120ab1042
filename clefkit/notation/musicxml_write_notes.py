"""Notes and rests of a MusicXML part, written."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from functools import lru_cache

from clefkit.notation.layout import Head, Layout, Line
from clefkit.notation.model import Note, Score
from clefkit.notation.musicxml_write_events import MOST_LEVELS, clean, number
from clefkit.notation.shapes import Shape
from clefkit.notation.spelling import Spelled, signature, spelled

XML_ID = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*\Z")
LOUD = 90  # MusicXML counts dynamics in percent of velocity 90
TYPES = {
    5: "maxima", 4: "long", 3: "breve", 2: "whole", 1: "half", 0: "quarter", -1: "eighth", -2: "16th", -3: "32nd",
    -4: "64th", -5: "128th", -6: "256th", -7: "512th", -8: "1024th",
}  # fmt: skip
ACCIDENTALS = {
    -3: "triple-flat", -2: "flat-flat", -1.5: "three-quarters-flat", -1: "flat", -0.5: "quarter-flat", 0: "natural",
    0.5: "quarter-sharp", 1: "sharp", 1.5: "three-quarters-sharp", 2: "double-sharp", 3: "triple-sharp",
}  # fmt: skip
ORNAMENTS = {
    "trill-mark", "turn", "delayed-turn", "inverted-turn", "delayed-inverted-turn", "vertical-turn",
    "inverted-vertical-turn", "shake", "mordent", "inverted-mordent", "schleifer", "haydn",
}  # fmt: skip
TECHNICAL = {
    "up-bow", "down-bow", "harmonic", "open-string", "thumb-position", "double-tongue", "triple-tongue", "stopped",
    "snap-pizzicato", "heel", "toe", "fingernails", "golpe", "brass-bend", "flip", "smear", "open",
}  # fmt: skip
ARTICULATIONS = {
    "accent", "strong-accent", "staccato", "tenuto", "detached-legato", "staccatissimo", "spiccato", "scoop", "plop",
    "doit", "falloff", "breath-mark", "caesura", "stress", "unstress", "soft-accent",
}  # fmt: skip
TREMOLOS = {"tremolo": "single", "tremolo-start": "start", "tremolo-stop": "stop"}
# Where drums stand on a staff of five lines in treble position, as most drum keys have it; others stand in the middle.
DRUM_PLACES = {
    35: "F4", 36: "F4", 38: "C5", 40: "C5", 41: "A4", 42: "G5", 43: "G4", 44: "D4", 45: "D5", 46: "G5", 47: "B4",
    48: "E5", 49: "A5", 50: "E5", 51: "F5", 57: "A5", 59: "F5",
}  # fmt: skip
MIDDLE_LINE = "B4"


class Names:
    """Ids that XML allows, each once: of parts, of their drums, of notes."""

    def __init__(self, score: Score) -> None:
        self.taken: set[str] = set()
        self.parts = [self._own(part.id or f"P{index}") for index, part in enumerate(score.parts, 1)]
        drums: list[set[int]] = [set() for _ in score.parts]
        for note in score.notes:
            if is_drum(score, note):
                drums[note.part].add(round(note.pitch))
        self.drums = [
            {drum: f"{name}-I{drum + 1}" for drum in sorted(found)}
            for name, found in zip(self.parts, drums, strict=True)
        ]
        self.taken |= {f"{name}-I1" for name in self.parts} | {id_ for found in self.drums for id_ in found.values()}
        self.notes = {note.id: self._own(note.id) for note in score.notes}

    def _own(self, wanted: str) -> str:
        name = wanted
        if not XML_ID.match(name):
            name = re.sub(r"[^A-Za-z0-9._-]", "_", name)
            name = name if XML_ID.match(name) else f"_{name}"
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name


def is_drum(score: Score, note: Note) -> bool:
    """Whether a note has a place on the drum map instead of a pitch."""
    return score.parts[note.part].unpitched and not note.step


class PartNotes:
    """Writes the heads of one part, measure by measure."""

    def __init__(self, score: Score, index: int, page: Layout, names: Names, staves: int) -> None:
        self.score = score
        self.page = page
        self.lines = page.lines[index]
        self.names = names
        self.drums = names.drums[index]
        self.staves = staves
        self.keys = [(page.tick(key.onset), key.fifths) for key in score.keys]
        self.fermatas = defaultdict[int, set[int]](set)
        for fermata in score.fermatas:
            if fermata.part == index and fermata.duration:
                self.fermatas[page.tick(fermata.onset)].add(page.tick(fermata.onset + fermata.duration))
        self.slurs = _slurs(score, index, page)
        self.spelled: dict[str, tuple[Spelled, str]] = {}
        self.start = 0

    def begin(self, place: int) -> None:
        """Spell the notes of the next measure, and find out who needs an accidental."""
        self.start = self.page.starts[place]
        fifths = self._fifths(self.start)
        self.spelled.clear()
        inside = [(tick, f) for tick, f in self.keys if self.start < tick < self.start + self.page.lengths[place]]
        heads = [head for line in self.lines[place] for head in line.heads if head.notes]
        state: dict[tuple[int, str, int], float] = {}
        for head in sorted(heads, key=lambda head: head.onset):
            while inside and inside[0][0] <= self.start + head.onset:
                fifths = inside.pop(0)[1]
                state.clear()
            letters = signature(fifths)
            for note in head.notes:
                if note.id in self.spelled:
                    continue
                found = spelled(note.pitch, note.step, fifths)
                place_ = (note.staff, found.step, found.octave)
                shown = ""
                if not note.tie_stop and head.first and state.get(place_, letters[found.step]) != found.alter:
                    state[place_] = found.alter
                    shown = ACCIDENTALS.get(found.alter, "")
                self.spelled[note.id] = (found, f"<accidental>{shown}</accidental>" if shown else "")

    def _fifths(self, tick: int) -> int:
        place = bisect_right(self.keys, tick, key=lambda key: key[0])
        return self.keys[place - 1][1] if place else 0

    def head(self, line: Line, head: Head) -> str:
        """The XML of a chord, a rest or a grace chord."""
        if not head.notes:
            return self._rest(line, head)
        length = f"<duration>{head.duration}</duration>" if head.duration else ""
        kind, change = _shape(head.shape)
        held = self._held(head)
        out = []
        for index, note in enumerate(head.notes):
            starts, stops = note.tie_start or not head.last, note.tie_stop or not head.first
            ties = ('<tie type="stop"/>' if stops else "") + ('<tie type="start"/>' if starts else "")
            notations = ('<tied type="stop"/>' if stops else "") + ('<tied type="start"/>' if starts else "")
            if note.id in self.slurs:
                notations += self._slurs_at(note, head)
            if index == 0:
                notations += _tuplet(head.tuplet) + held
            if note.marks and head.first:
                notations += marks(note.marks)
            sound, accidental = self._sound(note)
            own = f' id="{self.names.notes[note.id]}"' if head.first else ""
            if note.velocity is not None:
                own += f' dynamics="{number(round(note.velocity * 100 / LOUD, 2))}"'
            out.append(
                f"<note{own}>{GRACES[note.grace]}{'<chord/>' if index else ''}{sound[0]}{length}{ties}{sound[1]}"
                f"<voice>{line.voice}</voice>{kind}{accidental}{change}"
                f"{f'<staff>{note.staff}</staff>' if self.staves > 1 else ''}"
                f"{f'<notations>{notations}</notations>' if notations else ''}</note>\n"
            )
        return "".join(out)

    def _rest(self, line: Line, head: Head) -> str:
        kind, change = ("", "") if head.whole else _shape(head.shape)
        rest = '<rest measure="yes"/>' if head.whole else "<rest/>"
        shown = ' print-object="no"' if head.hidden else ""
        notations = _tuplet(head.tuplet) + self._held(head)
        return (
            f"<note{shown}>{rest}<duration>{head.duration}</duration>"
            f"<voice>{line.voice}</voice>{kind}{change}{f'<staff>{line.staff}</staff>' if self.staves > 1 else ''}"
            f"{f'<notations>{notations}</notations>' if notations else ''}</note>\n"
        )

    def _held(self, head: Head) -> str:
        """A fermata, if the score has one for exactly this note or rest."""
        ends = self.fermatas.get(self.start + head.onset)
        if not ends or not head.duration or not head.first:
            return ""
        written = head.notes[0] if head.notes else None
        end = self.start + head.onset + head.duration
        if written is not None:
            end = self.page.tick(written.onset + written.duration)
        if end not in ends:
            return ""
        ends.remove(end)
        return '<fermata type="upright"/>'

    def _sound(self, note: Note) -> tuple[tuple[str, str], str]:
        """(pitch, instrument) and accidental."""
        if is_drum(self.score, note):
            drum = round(note.pitch)
            where = DRUM_PLACES.get(drum, MIDDLE_LINE)
            place = f"<display-step>{where[0]}</display-step><display-octave>{where[1]}</display-octave>"
            return (f"<unpitched>{place}</unpitched>", f'<instrument id="{self.drums[drum]}"/>'), ""
        found, accidental = self.spelled[note.id]
        return (_pitch(found), ""), accidental

    def _slurs_at(self, note: Note, head: Head) -> str:
        starts, stops = self.slurs[note.id]
        found = [f'<slur type="stop" number="{level}"/>' for level in stops if head.last]
        found += [f'<slur type="start" number="{level}"/>' for level in starts if head.first]
        return "".join(found)


GRACES = {
    "": "", "slashed": '<grace slash="yes"/>', "plain": "<grace/>", "after": '<grace steal-time-previous="50"/>',
}  # fmt: skip


@lru_cache(maxsize=1024)
def _shape(shape: Shape) -> tuple[str, str]:
    """Note type with dots, and time modification."""
    kind = f"<type>{TYPES[shape.log]}</type>" + "<dot/>" * shape.dots
    if shape.actual == 1:
        return kind, ""
    counts = f"<actual-notes>{shape.actual}</actual-notes><normal-notes>{shape.normal}</normal-notes>"
    return kind, f"<time-modification>{counts}</time-modification>"


@lru_cache(maxsize=4096)
def _pitch(found: Spelled) -> str:
    alter = f"<alter>{number(found.alter)}</alter>" if found.alter else ""
    return f"<pitch><step>{found.step}</step>{alter}<octave>{found.octave}</octave></pitch>"


def _tuplet(kind: str) -> str:
    if not kind:
        return ""
    kinds = ("start", "stop") if kind == "both" else (kind,)
    return "".join(f'<tuplet type="{each}"/>' for each in kinds)


@lru_cache(maxsize=1024)
def marks(found: frozenset[str]) -> str:
    """Articulations and ornaments as notations."""
    groups: dict[str, list[str]] = {"ornaments": [], "technical": [], "articulations": []}
    other = ""
    for mark in sorted(found):
        name, _, detail = mark.partition(":")
        if name in TREMOLOS:
            strokes = detail if detail.isdecimal() and len(detail) == 1 else "3"
            groups["ornaments"].append(f'<tremolo type="{TREMOLOS[name]}">{strokes}</tremolo>')
        elif name in ORNAMENTS:
            over = f"<accidental-mark>{clean(detail)}</accidental-mark>" if detail else ""
            groups["ornaments"].append(f"<{name}/>{over}")
        elif name == "arpeggiate":
            other += f'<arpeggiate direction="{detail}"/>' if detail in ("up", "down") else "<arpeggiate/>"
        elif name in TECHNICAL:
            groups["technical"].append(f"<{name}/>")
        elif name in ARTICULATIONS:
            groups["articulations"].append(f"<{name}/>")
        else:
            groups["articulations"].append(f"<other-articulation>{clean(mark)}</other-articulation>")
    return "".join(f"<{name}>{''.join(inside)}</{name}>" for name, inside in groups.items() if inside) + other


def _slurs(score: Score, index: int, page: Layout) -> dict[str, tuple[list[int], list[int]]]:
    """For each note of the part at the end of a slur: the numbers of slurs that start and that stop there.

    Slurs that overlap in the order of the file have different numbers.
    """
    mine = {note.id for note in score.notes if note.part == index} if score.slurs else set()
    slurs = [slur for slur in score.slurs if slur.first in mine and slur.last in mine]
    if not slurs:
        return {}
    heads = (head for lines in page.lines[index] for line in lines for head in line.heads)
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for order, head in enumerate(heads):
        for note in head.notes:
            first.setdefault(note.id, order)
            last[note.id] = order
    spans = []
    for slur in slurs:
        begin, end = sorted((first[slur.first], last[slur.last]))
        spans.append((begin, end, slur.first, slur.last))
    busy = [-1] * MOST_LEVELS
    found: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for begin, end, start, stop in sorted(spans):
        level = next((level for level, until in enumerate(busy) if until < begin), None)
        if level is not None:
            busy[level] = end
            found[start][0].append(level + 1)
            found[stop][1].append(level + 1)
    return found
