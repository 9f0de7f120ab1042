"""What a MusicXML part says of itself at a place: divisions, key, time signature, clefs, transposition, staves."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from clefkit.notation.numbers import number, whole

if TYPE_CHECKING:
    from clefkit.notation.musicxml_part import PartReader

SIGNS = {"G": 2, "F": 4, "C": 3, "percussion": 3}  # and the line each stands on when none is written
MOST_FIFTHS = 7
MOST_STAVES = 16


def attributes(reader: PartReader, element: Any) -> None:
    """An <attributes>. The transposition is last in it, but the key needs it."""
    for child in element.iterfind("transpose"):
        _transpose(reader, child)
    for child in element:
        act = KINDS.get(child.tag)
        if act is not None:
            act(reader, child)


def _divisions(reader: PartReader, element: Any) -> None:
    divisions = number(element.text)
    if divisions is not None and divisions > 0:
        reader.divide(divisions)


def _staves(reader: PartReader, element: Any) -> None:
    reader.part.staves = max(reader.part.staves, min(whole(element.text) or 1, MOST_STAVES))


def _transpose(reader: PartReader, element: Any) -> None:
    """From written to sounding: semitones, and letters of the scale. One without a staff number counts for all."""
    octaves = whole(element.findtext("octave-change")) or 0
    semitones, letters = whole(element.findtext("chromatic")) or 0, whole(element.findtext("diatonic"))
    if letters is None or abs(7 * semitones - 12 * letters) > MOST_FIFTHS:  # missing, or no interval there is
        letters = round(Fraction(7 * semitones, 12))
    staff = element.get("number", "")
    if not staff:
        reader.shift.clear()
    reader.shift[staff] = (semitones + 12 * octaves, letters + 7 * octaves)
    if reader.place == 0:
        reader.part.transposition = semitones + 12 * octaves


def _key(reader: PartReader, element: Any) -> None:
    """A key signature, as it sounds. Of staves with different ones the first counts."""
    fifths = whole(element.findtext("fifths"))
    if fifths is None or element.get("number", "1") != "1":
        return
    semitones, letters = reader.shift.get("1", reader.shift.get("", (0, 0)))
    fifths += 7 * semitones - 12 * letters
    if abs(fifths) > MOST_FIFTHS:  # C sharp major on a clarinet in B flat: what sounds is written as flats
        fifths = (fifths + MOST_FIFTHS) % 12 - MOST_FIFTHS
    mode = (element.findtext("mode") or "").strip().lower()
    reader.found.keys.append((reader.place, reader.cursor, reader.index, fifths, mode))


def _clef(reader: PartReader, element: Any) -> None:
    sign = (element.findtext("sign") or "").strip()
    if sign not in SIGNS:
        return
    line = whole(element.findtext("line")) or SIGNS[sign]
    octave = whole(element.findtext("clef-octave-change")) or 0
    staff = whole(element.get("number")) or 1
    if reader.clefs.get(staff) != (sign, line, octave):
        reader.clefs[staff] = (sign, line, octave)
        reader.found.clefs.append((reader.place, reader.cursor, (reader.index, staff, sign, line, octave)))


def _time(reader: PartReader, element: Any) -> None:
    time = _signature(element)
    if time is not None:
        reader.time, reader.is_timed = time, True
        reader.signature = reader.found.ticks(Fraction(4 * time[0], time[1]))


def _signature(element: Any) -> tuple[int, int] | None:
    """Beats and beat type; "3+2" is 5, and several fractions are added up."""
    total = Fraction(0)
    kinds: list[int] = []
    for beats, kind in zip(element.iterfind("beats"), element.iterfind("beat-type"), strict=False):
        counts = [whole(piece) or 0 for piece in (beats.text or "").split("+")]
        unit = whole(kind.text) or 0
        if unit <= 0 or sum(counts) <= 0:
            return None
        total += Fraction(sum(counts), unit)
        kinds.append(unit)
    if not kinds:
        return None
    finest = max(kinds)
    beats_in_all = total * finest
    return (int(beats_in_all), finest) if beats_in_all.denominator == 1 else None


KINDS = {"divisions": _divisions, "key": _key, "time": _time, "clef": _clef, "staves": _staves}
