"""What stands beside the notes of a **kern file: tempo, keys, clefs, pedal, dynamics spines, words.

Every function gets the `Marks` of the file that is read, and `now`, quarters from the start. Parts are still numbers of
spines here; `kern` puts the parts in when it knows them.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from fractions import Fraction

from clefkit.notation import words
from clefkit.notation.kern_parts import Spine
from clefkit.notation.model import Clef, Dynamic, Fermata, Key, Tempo, Text, Wedge
from clefkit.notation.numbers import TEMPO_RANGE, number

MODES = {
    "dor": "dorian", "phr": "phrygian", "lyd": "lydian", "mix": "mixolydian", "aeo": "aeolian", "loc": "locrian",
    "ion": "ionian",
}  # fmt: skip
KEY_SIGNATURE = re.compile(r"\*k\[((?:[a-g](?:[#-]{1,2}|n))*)\]")
KEY = re.compile(r"\*([A-Ga-g])([#-]?):(?:(dor|phr|lyd|mix|aeo|loc|ion)\b)?")
CLEF = re.compile(r"\*clef([GFC])([v^]{0,2})([1-5])?\Z")
TEMPO = re.compile(r"\*MM(\d{1,4}(?:\.\d{1,6})?)\Z")
METRONOME = re.compile(r"\[([a-z0-9]+)(-dot)?\]\s*=?\s*=\s*(?:ca?\.\s*)?(\d{1,4}(?:\.\d{1,3})?)")
BEATS = {
    "breve": Fraction(8), "whole": Fraction(4), "half": Fraction(2), "quarter": Fraction(1), "eighth": Fraction(1, 2),
    "8th": Fraction(1, 2), "sixteenth": Fraction(1, 4), "16th": Fraction(1, 4),
}  # fmt: skip
DYNAMICS = re.compile(r"\[{1,2}|\]{1,2}|[<>]|[a-z]+")
LEVEL = re.compile(r"(?:[mrs]?[pf]+z?p{0,2}|n)\Z")
LINE_FEED = re.compile(r"\\n")
TRANSPOSITION = re.compile(r"\*ITrd(-?\d{1,2})c(-?\d{1,2})\Z")
NO_PLAYERS = ("*ITr", "*IC", "*IG")
LONGEST_TEXT = 300


@dataclass(slots=True)
class Marks:
    """What was found so far, with numbers of spines in place of parts.

    pedals: (onset, spine, measure, kind); opened: spine of dynamics -> where its hairpin begins and whether it grows
    """

    tempos: dict[Fraction, float] = field(default_factory=dict)
    written_tempos: dict[Fraction, float] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)
    clefs: list[Clef] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    pedals: list[tuple[Fraction, int, int, str]] = field(default_factory=list)
    dynamics: list[Dynamic] = field(default_factory=list)
    wedges: list[Wedge] = field(default_factory=list)
    fermatas: dict[tuple[Fraction, int], Fermata] = field(default_factory=dict)
    opened: dict[int, tuple[Fraction, bool]] = field(default_factory=dict)
    clef_now: dict[int, Clef] = field(default_factory=dict)
    fifths: int = 0
    mode: str = ""


def signature(marks: Marks, fields: list[str], now: Fraction) -> None:
    """Key signature and key of a line of interpretations; the first spine's hold for all."""
    for text in fields:
        found = KEY_SIGNATURE.match(text)
        if found is not None:
            marks.fifths = found[1].count("#") - found[1].count("-")
            if marks.keys and marks.keys[-1].onset == now:
                marks.keys.pop()
            if not marks.keys or marks.keys[-1].fifths != marks.fifths:
                marks.keys.append(Key(now, marks.fifths))
            return
        named = KEY.match(text)
        if named is not None:
            mode = MODES.get(named[3] or "", "major" if named[1].isupper() else "minor")
            if marks.keys and marks.keys[-1].onset == now:
                marks.keys[-1] = Key(now, marks.fifths, mode)
            return


def tempo(marks: Marks, text: str, now: Fraction) -> None:
    """A tempo "*MM120"; it goes before one that words give, "*MM[Allegro]"."""
    found = TEMPO.match(text)
    if found is not None and TEMPO_RANGE[0] <= float(found[1]) <= TEMPO_RANGE[1]:
        marks.tempos[now] = float(found[1])
    elif text.startswith("*MM["):
        _worded(marks, text, now)


def clef(marks: Marks, text: str, spine: int, now: Fraction) -> None:
    """A clef "*clefGv2", when it is another one than before."""
    found = CLEF.match(text)
    if found is not None:
        octave = found[2].count("^") - found[2].count("v")
        new = Clef(now, spine, 1, found[1], int(found[3] or {"G": 2, "F": 4, "C": 3}[found[1]]), octave)
    elif text.startswith("*clefX"):
        new = Clef(now, spine, 1, "percussion", 2)
    else:
        return
    old = marks.clef_now.get(spine)
    if old is None or old[3:] != new[3:]:
        marks.clef_now[spine] = new
        marks.clefs.append(new)


def player(spine: Spine, text: str) -> None:
    """Instrument, name, staff, part and transposition of a spine."""
    if text.startswith("*staff"):
        spine.staves = tuple(int(n) for n in re.findall(r"\d{1,3}", text)[:8]) or spine.staves
    elif text.startswith("*part"):
        spine.part = text[5:]
    elif text.startswith('*I"'):
        spine.name = spine.name or plain(text[3:])
    elif text.startswith("*I'"):
        spine.abbreviation = spine.abbreviation or plain(text[3:])
    elif text.startswith("*IC"):
        spine.family = text[3:]
    elif text.startswith("*I") and not text.startswith(NO_PLAYERS) and text[2:].replace("_", "").isalpha():
        spine.code = spine.code or text[2:]
    found = TRANSPOSITION.match(text)
    if found is not None:
        spine.transposition = -int(found[2])


def dynamics(marks: Marks, text: str, spine: int, now: Fraction, end: Fraction) -> None:
    """A token of a dynamics spine: "f", "<", "]", "sf >", "[[". end: of the note it stands at."""
    for piece in DYNAMICS.findall(text):
        if piece in "<>":
            _close(marks, spine, now)
            marks.opened[spine] = (now, piece == "<")
        elif piece[0] in "[]":
            opens_here = spine in marks.opened and marks.opened[spine][0] == now
            _close(marks, spine, end if len(piece) > 1 or opens_here else now)
        elif LEVEL.match(piece):
            marks.dynamics.append(Dynamic(now, spine, piece))


def _close(marks: Marks, spine: int, now: Fraction) -> None:
    begin = marks.opened.pop(spine, None)
    if begin is not None and now > begin[0]:
        marks.wedges.append(Wedge(begin[0], now, spine, begin[1]))


def close_all(marks: Marks, now: Fraction) -> None:
    """At the end of the file: the hairpins that are still open."""
    for spine in list(marks.opened):
        _close(marks, spine, now)


def layout(text: str) -> str:
    """The words of a layout comment "!LO:TX:a:t=rit.", "" when it is none or is a remark of the encoder ("t=P")."""
    if not text.startswith("LO:TX"):
        return ""
    found = [piece[2:] for piece in text.split(":")[2:] if piece.startswith("t=")]
    return "" if not found or found[0] == "P" else plain(found[0].replace("\\ ", " "))


def say(marks: Marks, text: str, spine: int, now: Fraction) -> words.Jump | None:
    """Words at a spine. A metronome mark in them, "[quarter] = 80", is a tempo. returns: the jump they ask for"""
    found = METRONOME.search(text)
    if found is not None and found[1] in BEATS:
        value = (number(found[3]) or Fraction(0)) * BEATS[found[1]] * (Fraction(3, 2) if found[2] else 1)
        if TEMPO_RANGE[0] <= value <= TEMPO_RANGE[1]:
            marks.tempos.setdefault(now, float(value))
    text = " ".join(METRONOME.sub("", text).split())[:LONGEST_TEXT]
    if not text:
        return None
    marks.texts.append(Text(now, spine, text))
    _worded(marks, text, now)
    return words.jump(text)


def _worded(marks: Marks, text: str, now: Fraction) -> None:
    worded = words.tempo(text)
    if worded is not None:
        marks.written_tempos.setdefault(now, worded)


def plain(text: str) -> str:
    """HTML's names for letters, and line feeds, as themselves."""
    return " ".join(html.unescape(LINE_FEED.sub(" ", text)).split())


def tempos(marks: Marks) -> list[Tempo]:
    """Numbers where there are any, else what the words mean."""
    found = marks.tempos or marks.written_tempos
    return [Tempo(onset, found[onset]) for onset in sorted(found)]


def fermata(marks: Marks, spine: int, onset: Fraction, duration: Fraction) -> None:
    """A note, rest (or with duration 0, barline) that is held; of several at a place the longest."""
    old = marks.fermatas.get((onset, spine))
    if old is None or old.duration < duration:
        marks.fermatas[onset, spine] = Fermata(onset, duration, spine)
