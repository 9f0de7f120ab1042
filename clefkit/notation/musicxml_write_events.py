"""What stands between the notes of a MusicXML part, written: directions, keys, clefs."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple
from xml.sax.saxutils import escape

from clefkit.notation.layout import Layout
from clefkit.notation.model import Clef, Score, Swing, Wedge

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
QUOTES = {'"': "&quot;"}
MARKS = {
    "p", "pp", "ppp", "pppp", "ppppp", "pppppp", "f", "ff", "fff", "ffff", "fffff", "ffffff", "mp", "mf", "sf", "sfp",
    "sfpp", "fp", "rf", "rfz", "sfz", "sffz", "fz", "n", "pf", "sfzp",
}  # fmt: skip
PEDALS = {"down": "start", "up": "stop", "change": "change"}
MODES = {"major", "minor", "dorian", "phrygian", "lydian", "mixolydian", "aeolian", "ionian", "locrian", "none"}
MOST_LEVELS = 16  # how many wedges or slurs may overlap, each with its number
SWINGS = {Fraction(1, 2): "eighth", Fraction(1, 4): "16th"}
MIDDLE_C = 60


class Event(NamedTuple):
    """A direction, or a barline with nothing `after`. tick: from the start of the measure; rank: order at a tick.

    The offset of a direction goes between `before` and `after`.
    """

    tick: int
    rank: int
    before: str
    after: str

    def text(self, offset: int) -> str:
        """Its XML. offset: ticks from where it is written to where it is."""
        moved = f"<offset>{offset}</offset>" if offset and self.after else ""
        return f"{self.before}{moved}{self.after}\n"


@dataclass(slots=True)
class Signs:
    """A change of key and clefs, as XML. staff: 0 when it is for all staves."""

    key: str = ""
    clefs: str = ""
    staff: int = 0

    @property
    def text(self) -> str:
        """What goes between the tags of <attributes>."""
        return self.key + self.clefs


def clean(words: str) -> str:
    """Text that is safe between tags and in attributes."""
    return escape(NOT_XML.sub("", words), QUOTES)


def number(value: float) -> str:
    """A decimal number as MusicXML and our reader take it: at most nine digits behind the point, no exponent."""
    return f"{value:.9f}".rstrip("0").rstrip(".")


def of_score(score: Score, page: Layout) -> list[list[list[Event]]]:
    """The directions, [part][measure], each in order of time."""
    return _Events(score, page).found


class _Events:
    """Gathers the directions of all parts."""

    def __init__(self, score: Score, page: Layout) -> None:
        self.page = page
        self.staves = [part.staves for part in score.parts]
        self.found: list[list[list[Event]]] = [[[] for _ in score.measures] for _ in score.parts]
        for place, measure in enumerate(score.measures):
            self._jumps(place, page.lengths[place], measure)
        for tempo in score.tempos:
            self._tempo(*self._place(tempo.onset), tempo.quarters_per_minute)
        for swing in score.swings:
            self._swing(*self._place(swing.onset), swing)
        for words in score.texts:
            self._add(words.part, *self._place(words.onset), 3, f"<words>{clean(words.text)}</words>")
        for dynamic in score.dynamics:
            mark = f"<{dynamic.mark}/>" if dynamic.mark in MARKS else ""
            mark = mark or f"<other-dynamics>{clean(dynamic.mark)}</other-dynamics>"
            self._add(dynamic.part, *self._place(dynamic.onset), 4, f"<dynamics>{mark}</dynamics>")
        self._wedges(score.wedges)
        for pedal in score.pedals:
            tick = page.tick(pedal.onset) - page.starts[pedal.measure]
            self._add(pedal.part, pedal.measure, tick, 2, f'<pedal type="{PEDALS[pedal.kind]}" line="no"/>')
        self._fermatas(score)
        for measures in self.found:
            for events in measures:
                events.sort(key=lambda event: event[:2])

    def _fermatas(self, score: Score) -> None:
        """Those over a bar line inside a measure, or at the start of the score."""
        edges = {measure.onset + measure.length for measure in score.measures}
        for held in score.fermatas:
            if not held.duration and held.onset not in edges:
                place, tick = self._place(held.onset)
                where = "middle" if tick else "left"
                fermata = f'<barline location="{where}"><fermata type="upright"/></barline>'
                self.found[held.part][place].append(Event(tick, 0, fermata, ""))

    def _place(self, onset: Fraction) -> tuple[int, int]:
        """The measure in which a time is, and the ticks from its start."""
        tick = self.page.tick(onset)
        place = max(bisect_right(self.page.starts, tick) - 1, 0)
        return place, max(tick - self.page.starts[place], 0)

    def _add(self, part: int, place: int, tick: int, rank: int, kind: str, sound: str = "") -> None:
        staff = "<staff>1</staff>" if self.staves[part] > 1 else ""
        before = f"<direction><direction-type>{kind}</direction-type>"
        self.found[part][place].append(Event(tick, rank, before, f"{staff}{sound}</direction>"))

    def _jumps(self, place: int, end: int, measure: object) -> None:
        """Signs and words that send the player elsewhere, in the first part."""
        for name in ("segno", "coda"):
            label = getattr(measure, name)
            if label:
                self._add(0, place, 0, 1, f"<{name}/>", f'<sound {name}="{clean(label)}"/>')
        for name, attribute, words in (
            ("to_coda", "tocoda", "To Coda"),
            ("dal_segno", "dalsegno", "D.S."),
            ("da_capo", "dacapo", "D.C."),
            ("fine", "fine", "Fine"),
        ):
            label = getattr(measure, name)
            if label:
                value = "yes" if label is True else clean(label)
                self._add(0, place, end, 9, f"<words>{words}</words>", f'<sound {attribute}="{value}"/>')

    def _tempo(self, place: int, tick: int, quarters: float) -> None:
        beat = f"<beat-unit>quarter</beat-unit><per-minute>{number(round(quarters, 2))}</per-minute>"
        self._add(0, place, tick, 1, f"<metronome>{beat}</metronome>", f'<sound tempo="{number(quarters)}"/>')

    def _swing(self, place: int, tick: int, swing: Swing) -> None:
        ratio = Fraction(swing.long).limit_denominator(16)
        kind = f"<first>{ratio.numerator}</first><second>{ratio.denominator}</second>"
        kind += f"<swing-type>{SWINGS.get(swing.unit, 'eighth')}</swing-type>"
        inside = "<straight/>" if ratio == 1 else kind
        self.found[0][place].append(Event(tick, 1, f"<sound><swing>{inside}</swing>", "</sound>"))

    def _wedges(self, wedges: list[Wedge]) -> None:
        """Hairpins that overlap in a part have different numbers; each ends in the measure that is over by then."""
        open_until: dict[tuple[int, int], Fraction] = defaultdict(Fraction)
        for wedge in wedges:
            levels = (level for level in range(1, MOST_LEVELS + 1) if open_until[wedge.part, level] <= wedge.onset)
            level = next(levels, None)
            if level is None:
                continue
            open_until[wedge.part, level] = wedge.end
            kind = "crescendo" if wedge.grows else "diminuendo"
            self._add(wedge.part, *self._place(wedge.onset), 5, f'<wedge type="{kind}" number="{level}"/>')
            end = self.page.tick(wedge.end)
            place = max(bisect_right(self.page.starts, end - 1) - 1, 0)
            stop = f'<wedge type="stop" number="{level}"/>'
            self._add(wedge.part, place, end - self.page.starts[place], 0, stop)


def attributes(score: Score, index: int, page: Layout, staves: int) -> list[dict[int, Signs]]:
    """Changes of key and clef in one part: [measure][tick]. Staves without a clef at the start get one that fits."""
    found: list[dict[int, Signs]] = [defaultdict(Signs) for _ in score.measures]

    def signs(onset: Fraction) -> Signs:
        tick = page.tick(onset)
        place = max(bisect_right(page.starts, tick) - 1, 0)
        return found[place][max(tick - page.starts[place], 0)]

    for key in score.keys:
        mode = f"<mode>{key.mode}</mode>" if key.mode in MODES else ""
        signs(key.onset).key = f"<key><fifths>{key.fifths}</fifths>{mode}</key>"
    for clef in [*first_clefs(score, index, staves), *(clef for clef in score.clefs if clef.part == index)]:
        at = signs(clef.onset)
        at.staff = clef.staff if not at.key else 0
        octave = f"<clef-octave-change>{clef.octave}</clef-octave-change>" if clef.octave else ""
        line = f"<line>{clef.line}</line>"
        staff = f' number="{clef.staff}"' if staves > 1 else ""
        at.clefs += f"<clef{staff}><sign>{clef.sign}</sign>{line}{octave}</clef>"
    return found


def first_clefs(score: Score, index: int, staves: int) -> list[Clef]:
    """Clefs for the staves of a part whose first clef the score does not say: treble or bass, by range."""
    part = score.parts[index]
    given = {clef.staff for clef in score.clefs if clef.part == index and clef.onset == 0}
    pitches: dict[int, list[float]] = defaultdict(list)
    for note in score.notes:
        if note.part == index:
            pitches[note.staff].append(note.pitch)
    clefs = []
    for staff in range(1, staves + 1):
        if staff in given:
            continue
        here = sorted(pitches[staff]) or [MIDDLE_C - staff + 1]
        sign, line = ("G", 2) if here[len(here) // 2] >= MIDDLE_C else ("F", 4)
        clefs.append(Clef(Fraction(0), index, staff, "percussion" if part.unpitched else sign, line))
    return clefs
