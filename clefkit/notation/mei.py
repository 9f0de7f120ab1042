"""MEI, as verovio writes it, to `Score`.

After the Music Encoding Initiative, "MEI Guidelines 5" (2023), module CMN. Of alternatives (app, choice) the first
reading or correction counts. The order of playing is that of the lists of expansion (`mei_expansion`), else of the
barlines and endings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import lxml.etree

from clefkit.errors import InputError
from clefkit.notation import mei_events as events
from clefkit.notation.container import tree
from clefkit.notation.mei_expansion import Expansions
from clefkit.notation.mei_layer import LayerReader, StaffState
from clefkit.notation.model import Clef, Key, Measure, Note, Part, Score
from clefkit.notation.numbers import whole
from clefkit.notation.unfold import MOST_MEASURES

NAME = "{http://www.music-encoding.org/ns/mei}"
CHOICES = {"app": ("lem", "rdg"), "choice": ("corr", "reg", "expan", "orig", "sic", "abbr")}
SIGNATURE = re.compile(r"(\d{1,2})([sf])\Z")


def parse(data: bytes) -> Score:
    """Read MEI.

    raises: InputError when it is not XML, or has no measures
    """
    root = tree(data)
    for element in root.iter(lxml.etree.Element):
        element.tag = element.tag.removeprefix(NAME)
    reading = Reading()
    title = root.find(".//title")
    reading.title = "" if title is None else " ".join("".join(title.itertext()).split())
    for score in root.iter("score"):
        _walk(score, reading, frozenset())
    if not reading.measures:
        raise InputError("a score without measures")
    return reading.score()


@dataclass(slots=True)
class Reading:
    """What was read so far.

    places: id -> the note, chord or rest that has it; waiting: what stands beside the staves, with its measure
    sounding: ids of the notes that say their sounding octave; first_notes: index of the first note of each measure
    """

    parts: list[Part] = field(default_factory=list)
    staves: dict[str, StaffState] = field(default_factory=dict)
    measures: list[Measure] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    clefs: list[Clef] = field(default_factory=list)
    places: dict[str, events.Place] = field(default_factory=dict)
    waiting: list[tuple[Any, Measure]] = field(default_factory=list)
    time: tuple[int, int] = (4, 4)
    now: Fraction = Fraction(0)
    title: str = ""
    open_repeat: bool = False
    sounding: set[str] = field(default_factory=set)
    first_notes: list[int] = field(default_factory=list)
    expansions: Expansions = field(default_factory=Expansions)

    def score(self) -> Score:
        """Everything, once all is read."""
        score = Score(self.parts, self.measures, self.notes, self.title)
        score.order = self.expansions.order(self.measures)
        score.keys, score.clefs = self.keys, sorted(self.clefs, key=lambda clef: clef.onset)
        events.add_all(events.Context(score, self.places, self.staves, self.sounding), self.waiting)
        return score


def _walk(element: Any, reading: Reading, passes: frozenset[int]) -> None:
    """Sections, endings and measures in their order."""
    first = len(reading.measures)
    for child in chosen(element):
        if child.tag == "measure":
            _measure(child, reading, passes)
        elif child.tag == "scoreDef":
            _score_definition(child, reading)
        elif child.tag == "staffDef":
            _staff_definition(child, reading)
        elif child.tag == "ending":
            numbers = {int(n) for n in re.findall(r"\d{1,2}", child.get("n", ""))} or {1}
            _walk(child, reading, frozenset(n for n in numbers if 1 <= n <= 32))
        elif isinstance(child.tag, str):
            _walk(child, reading, passes)
    versions = (found for name in CHOICES for found in element.iterfind(f"{name}/*/expansion"))
    lists = [*element.iterfind("expansion"), *versions]
    reading.expansions.add(element, range(first, len(reading.measures)), lists)


def chosen(element: Any) -> list[Any]:
    """The children, with one reading in place of alternatives."""
    found: list[Any] = []
    for child in element:
        options = CHOICES.get(child.tag) if isinstance(child.tag, str) else None
        if options is None:
            found.append(child)
        else:
            best = next((item for name in options for item in child.iterchildren(name)), None)
            found += [] if best is None else chosen(best)
    return found


def _score_definition(element: Any, reading: Reading) -> None:
    """Time and key of all staves, and the staves with their parts."""
    _meter(element, reading)
    braces: dict[Any, Part] = {}
    for staff in element.iter("staffDef"):
        number, group = staff.get("n", ""), staff.getparent()
        if number not in reading.staves:
            shared = _is_shared(group)
            part = braces.get(group)
            if part is None:
                part = Part(f"P{len(reading.parts) + 1}")
                reading.parts.append(part)
            else:
                part.staves += 1
            if shared:
                braces[group] = part
            _describe(part, group if shared else staff)
            reading.staves[number] = StaffState(len(reading.parts) - 1, part.staves)
        _staff_definition(staff, reading)
    _key(element, reading, None)


def _is_shared(group: Any) -> bool:
    """Whether a group of staves is one instrument's: a brace holds several."""
    symbol = group.find("grpSym")
    braced = group.get("symbol", symbol.get("symbol", "") if symbol is not None else "") == "brace"
    return braced and len({staff.get("n") for staff in group.iterchildren("staffDef")}) > 1


def _describe(part: Part, element: Any) -> None:
    label, short, instrument = element.find("label"), element.find("labelAbbr"), element.find(".//instrDef")
    if label is not None and not part.name:
        part.name = " ".join("".join(label.itertext()).split())
    if short is not None and not part.abbreviation:
        part.abbreviation = " ".join("".join(short.itertext()).split())
    program = whole(instrument.get("midi.instrnum")) if instrument is not None else None
    if program is not None and 0 <= program <= 127:
        part.program = program


def _staff_definition(element: Any, reading: Reading) -> None:
    state = reading.staves.get(element.get("n", ""))
    if state is None:
        return
    shift = whole(element.get("trans.semi"))
    if shift is not None and abs(shift) <= 48:
        state.shift = shift
        if not reading.measures:
            reading.parts[state.part].transposition = shift
    _meter(element, reading)
    _key(element, reading, state)
    clef = element.find("clef")
    if clef is not None or element.get("clef.shape"):
        add_clef(reading, clef if clef is not None else element, state, reading.now)


def add_clef(reading: Reading, element: Any, state: StaffState, onset: Fraction) -> None:
    """A clef element, or a staffDef with the attributes of one."""
    shape = element.get("shape") or element.get("clef.shape") or ""
    if shape in ("G", "F", "C", "perc"):
        line = whole(element.get("line") or element.get("clef.line")) or {"G": 2, "F": 4, "C": 3, "perc": 2}[shape]
        places = {"8": 1, "15": 2, "22": 3}.get(element.get("dis") or element.get("clef.dis") or "", 0)
        below = (element.get("dis.place") or element.get("clef.dis.place")) == "below"
        sign = "percussion" if shape == "perc" else shape
        reading.clefs.append(Clef(onset, state.part, state.staff, sign, line, -places if below else places))


def _meter(element: Any, reading: Reading) -> None:
    sign = element if element.get("meter.count") else element.find("meterSig")
    if sign is None:
        return
    counts = [whole(count) or 0 for count in (sign.get("meter.count") or sign.get("count") or "").split("+")]
    unit = whole(sign.get("meter.unit") or sign.get("unit"))
    symbol = sign.get("meter.sym") or sign.get("sym")
    if unit and sum(counts) > 0:
        reading.time = (sum(counts), unit)
    elif symbol in ("common", "cut"):
        reading.time = (4, 4) if symbol == "common" else (2, 2)


def _key(element: Any, reading: Reading, state: StaffState | None) -> None:
    """The key signature of one staff, or of all. The score's key is that of the first staff, as it sounds."""
    sign = element.find("keySig")
    text = element.get("keysig") or element.get("key.sig") or ("" if sign is None else sign.get("sig", ""))
    if not text:
        return
    found = SIGNATURE.match(text)
    fifths = (int(found[1]) * (1 if found[2] == "s" else -1)) if found else 0
    mode = element.get("key.mode") or ("" if sign is None else sign.get("mode", ""))
    for one in [state] if state is not None else list(reading.staves.values()):
        one.fifths = max(min(fifths, 7), -7)
    first = next(iter(reading.staves.values()), None)
    if first is None or (state is not None and state is not first):
        return
    sounding = first.fifths + 7 * first.shift
    while abs(sounding) > 6:
        if abs(sounding) == 7 and first.shift == 0:
            break
        sounding -= 12 if sounding > 0 else -12
    reading.keys = [key for key in reading.keys if key.onset != reading.now]
    reading.keys.append(Key(reading.now, sounding, mode))


def _measure(element: Any, reading: Reading, passes: frozenset[int]) -> None:
    if len(reading.measures) >= MOST_MEASURES:
        raise InputError(f"a score of more than {MOST_MEASURES} measures, more than we read")
    number = element.get("n", "")
    measure = Measure(number or str(len(reading.measures)), len(reading.measures), reading.now, time=reading.time)
    measure.implicit = element.get("metcon") == "false" and (not reading.measures or not number)
    left, right = element.get("left", ""), element.get("right", "")
    measure.repeat_start = left in ("rptstart", "rptboth") or reading.open_repeat
    reading.open_repeat = right == "rptboth"
    if left in ("rptend", "rptboth") and reading.measures:
        reading.measures[-1].repeat_times = 2
    measure.repeat_times = 2 if right in ("rptend", "rptboth") else 0
    measure.endings = passes
    reading.measures.append(measure)
    reading.first_notes.append(len(reading.notes))
    for child in chosen(element):
        state = reading.staves.get(child.get("n", "")) if child.tag == "staff" else None
        if state is not None:
            for order, layer in enumerate(item for item in chosen(child) if item.tag == "layer"):
                reader = LayerReader(reading, state, measure, whole(layer.get("n")) or order + 1)
                reader.read(layer)
                reader.end_graces()
                measure.length = max(measure.length, reader.cursor)
            state.settle()
        elif isinstance(child.tag, str) and child.tag != "staff":
            reading.waiting.append((child, measure))
    if not measure.length:
        measure.length = Fraction(4 * measure.time[0], measure.time[1])
    reading.now += measure.length
