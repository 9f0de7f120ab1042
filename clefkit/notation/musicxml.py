"""MusicXML to `Score`: partwise or timewise, plain or compressed, in one pass that holds one measure of XML at a time.

After W3C, "MusicXML 4.0" (2021). What a file leaves out is taken from what is near it.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import lxml.etree

from clefkit.errors import InputError
from clefkit.notation import instruments
from clefkit.notation.container import xml_bytes
from clefkit.notation.model import Part, Score
from clefkit.notation.musicxml_assemble import assemble
from clefkit.notation.musicxml_barlines import halves
from clefkit.notation.musicxml_mend import mended
from clefkit.notation.musicxml_part import Found, PartReader
from clefkit.notation.numbers import common, whole

TAGS = ("score-part", "measure", "part", "work-title", "movement-title", "creator", "software")
ROOTS = ("score-partwise", "score-timewise")
DIVISIONS = re.compile(rb"<divisions>(\d{1,9})</divisions>")
TICKS = 32  # a quarter has a multiple of them, so that common time signatures are whole


def read(path: Path) -> Score:
    """Read a MusicXML file.

    raises: InputError when it is missing, damaged, not MusicXML, past 64 MiB, or has no measures
    """
    data = xml_bytes(path)
    try:
        reading, faults = _read(data), []
    except lxml.etree.XMLSyntaxError as error:
        reason = str(error.msg or "").split(", line")[0].strip().lower()
        fault = f"damaged XML in line {error.lineno} ({reason})"
        meant = mended(data)
        if meant is None:
            raise InputError(f"{fault}: export it again") from error
        reading, faults = _read(meant), [f"{fault}: read as if the end tag stood there"]
    score = assemble(reading.parts, reading.found)
    if reading.found.heads:
        halves(score, reading.found)
    score.faults = faults
    score.title = reading.names.get("work-title") or reading.names.get("movement-title", "")
    score.composer = reading.names.get("composer", "")
    return score


def _read(data: bytes) -> _Reading:
    """All parts. Ticks that divide all divisions divide all times too, but for odd files, which are read twice."""
    ticks = TICKS
    for divisions in set(DIVISIONS.findall(data)):
        ticks = common(ticks, int(divisions) or 1)
    reading = _read_at(data, ticks)
    return reading if reading.found.finer == 1 else _read_at(data, common(ticks, ticks * reading.found.finer))


def _read_at(data: bytes, ticks: int) -> _Reading:
    """All parts, at so many ticks to a quarter."""
    reading = _Reading(ticks)
    _walk(data, reading)
    if not reading.found.measures:
        raise InputError("a score without measures")
    for reader in reading.readers.values():
        reader.finish()
    return reading


def _walk(data: bytes, reading: _Reading) -> None:
    """Read measure after measure and forget each one's XML."""
    walk = lxml.etree.iterparse(
        io.BytesIO(data), events=("end",), tag=TAGS, load_dtd=False, no_network=True,
        resolve_entities=False, remove_comments=True, remove_pis=True, remove_blank_text=True, huge_tree=False,
    )  # fmt: skip
    ordinal = 0  # of the part that is being read, in a partwise file
    shares: list[Any] = []  # what each part has in the measure that is being read, in a timewise file
    for _, element in walk:
        parent = element.getparent()
        if element.tag == "score-part":
            reading.parts.append(_part(element))
        elif element.tag == "part":
            if parent is not None and parent.tag == "measure":
                shares.append(element)
            ordinal += 1
        elif element.tag == "measure":
            number, implicit = element.get("number", ""), element.get("implicit") == "yes"
            if not shares:
                own = "" if parent is None else parent.get("id", "")
                reading.reader(str(ordinal), own).measure(number, element, implicit=implicit)
            for share in shares:
                own = share.get("id", "")
                reading.reader(own, own).measure(number, share, implicit=implicit)
            shares.clear()
            element.clear()
        else:
            kind = element.get("type", "") if element.tag == "creator" else element.tag
            reading.names.setdefault(kind, " ".join((element.text or "").split()))
            if element.tag == "software" and reading.names["software"].startswith("MuseScore"):
                reading.found.cues_sound = True  # it writes <cue/> at every small note, and plays them
    root = walk.root
    if root is None or root.tag not in ROOTS:
        name = "" if root is None else f" (its root is <{lxml.etree.QName(root).localname}>)"
        raise InputError(f"not a MusicXML score{name}")


class _Reading:
    """The parts, a reader for each, and what they found."""

    def __init__(self, ticks: int) -> None:
        self.parts: list[Part] = []
        self.readers: dict[str, PartReader] = {}
        self.found = Found(ticks)
        self.names: dict[str, str] = {}  # titles, and creators by what they did

    def reader(self, key: str, part_id: str) -> PartReader:
        """The reader under `key`, a new one for the listed part with that id; a part that the list forgot is added."""
        if key not in self.readers:
            taken = {reader.index for reader in self.readers.values()}
            free = [index for index, part in enumerate(self.parts) if part.id == part_id and index not in taken]
            if not free:
                self.parts.append(Part(part_id))
            self.readers[key] = PartReader(free[0] if free else len(self.parts) - 1, self.parts, self.found)
        return self.readers[key]


def _part(element: Any) -> Part:
    part = Part(element.get("id", ""))
    part.name = _text(element, "part-name") or _text(element, "score-instrument/instrument-name")
    part.abbreviation = _text(element, "part-abbreviation")
    for midi in element.iterfind("midi-instrument"):
        program, channel = whole(midi.findtext("midi-program")), whole(midi.findtext("midi-channel"))
        if part.program is None and program is not None and 1 <= program <= 128:
            part.program = program - 1
            part.bank = max((whole(midi.findtext("midi-bank")) or 1) - 1, 0)
        if part.channel is None and channel is not None and 1 <= channel <= 16:
            part.channel = channel
        drum = whole(midi.findtext("midi-unpitched"))
        if drum is not None and 1 <= drum <= 128:
            part.percussion[midi.get("id", "")] = drum - 1
    told = [instruments.sound(sound.text or "") for sound in element.iterfind("score-instrument/instrument-sound")]
    part.program = instruments.agreed(part.program, told[0] if told else None)
    named = instruments.drum(part.name)
    if named is not None and not part.percussion:
        part.percussion[""] = named
    return part


def _text(element: Any, path: str) -> str:
    return " ".join((element.findtext(path) or "").split())
