"""One **kern token: "4.cc#'L" or "8e- 8g)", taken apart.

After D. Huron, "The Humdrum Toolkit: Reference Manual" (1994), section **kern; mordents and turns as the Verovio
Humdrum Viewer reads them (C. Sapp): m and M go up, w and W go down.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from clefkit.notation.model import NO_MARKS

SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
LETTERS = "CDEFGAB"
RHYTHM = re.compile(r"(\d{1,4})(?:%(\d{1,4}))?")
MOST_DOTS = 8
LETTER = re.compile(r"[A-Ga-g]")
TREMOLO = re.compile(r"(@@?)(\d{1,4})\1(?!@)")
MOST_STROKES = 8
ARTICULATIONS = {
    "`": "staccatissimo", ",": "breath-mark", "v": "up-bow", "u": "down-bow", "o": "harmonic",
}  # fmt: skip
NEIGHBOURS = {  # letter -> mark, steps, semitones
    "T": ("trill-mark", 1, 2), "t": ("trill-mark", 1, 1), "M": ("inverted-mordent", 1, 2),
    "m": ("inverted-mordent", 1, 1), "W": ("mordent", -1, -2), "w": ("mordent", -1, -1),
}  # fmt: skip
ACCIDENTALS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
TURN = re.compile(r"[sS$]+")
TURNS = {"S": "turn", "s": "turn", "$": "inverted-turn", "sS": "turn", "s$": "inverted-turn"}


class Head(NamedTuple):
    """One note of a token. pitch: MIDI number; slot: its place in the token from 0, with rests and hidden notes."""

    pitch: int
    step: str
    duration: Fraction
    grace: str
    tie_start: bool
    tie_stop: bool
    marks: frozenset[str]
    slot: int


class Token(NamedTuple):
    """A note, chord or rest.

    duration: quarters, 0 for grace notes and for tokens without a rhythm
    heads: what sounds; chord: whether several notes or rests stand in it, sounding or not
    pair: strokes of a tremolo with the next note, 0 for none
    opens, closes: slurs, with "&" for each that may cross another
    """

    duration: Fraction
    heads: tuple[Head, ...]
    chord: bool
    grace: bool
    fermata: bool
    sforzando: bool
    pair: int
    opens: tuple[str, ...]
    closes: tuple[str, ...]


@lru_cache(maxsize=16384)
def token(text: str, sharps: int = 0) -> Token:
    """Take a token apart. sharps: of the key signature, negative for flats: the ornaments' accidentals depend on it."""
    duration: Fraction | None = None
    heads: list[Head] = []
    pair, strokes = _tremolo(text)
    common = _articulations(text) | ({f"tremolo:{strokes}"} if strokes and not pair else NO_MARKS)
    grace = "" if "q" not in text and "Q" not in text else "plain" if "qq" in text or "Q" in text else "slashed"
    for slot, piece in enumerate(text.split(" ")):
        found = RHYTHM.search(piece)
        own = _quarters(found, min(piece.count("."), MOST_DOTS)) if found else None
        duration = own if duration is None else duration
        length = Fraction(0) if grace else own if own is not None else duration
        head = _head(piece, length, grace, slot, sharps, common)
        if head is not None:
            heads.append(head)
    return Token(
        Fraction(0) if grace or duration is None else duration, tuple(heads), " " in text, grace != "", ";" in text,
        "z" in text, strokes if pair else 0, *_slurs(text),
    )  # fmt: skip


def _quarters(found: re.Match[str], dots: int) -> Fraction:
    """The length a rhythm stands for: 4 a quarter, 0 a breve, 00 a long, 3%2 two thirds of a whole note.

    dots: they may stand behind the pitch ("4gg.")
    """
    digits, denominator = found.groups()
    number = int(digits)
    length = Fraction(4 * int(denominator or 1), number) if number else Fraction(4 * 2 ** len(digits))
    return length * (2 - Fraction(1, 2**dots)) if dots else length


def _head(
    piece: str, duration: Fraction | None, grace: str, slot: int, sharps: int, common: frozenset[str]
) -> Head | None:
    """What sounds of one note of a token: no rest, no hidden note, nothing without pitch or length.

    Slips of the hand ("4A<#", "8gfg") mean what Humdrum's tools make of them: the first letter in the octave that the
    number of letters says, with all accidentals, wherever they stand.
    """
    letters = LETTER.findall(piece)
    if "r" in piece or "yy" in piece or not letters or duration is None or (not duration and not grace):
        return None
    step = letters[0].upper()
    octave = 3 + len(letters) if letters[0].islower() else 4 - len(letters)
    pitch = 12 * (octave + 1) + SEMITONES[step] + piece.count("#") - piece.count("-")
    if not 0 <= pitch <= 127:
        return None
    goes_on = "_" in piece
    marks = common | _ornaments(piece, pitch, step, sharps)
    return Head(pitch, step, duration, grace, goes_on or "[" in piece, goes_on or "]" in piece, marks, slot)


def _articulations(text: str) -> frozenset[str]:
    """Of the whole token: what is written at one note of a chord counts for all."""
    marks = {name for sign, name in ARTICULATIONS.items() if sign in text}
    if "^" in text:
        marks.add("strong-accent" if "^^" in text else "accent")
    if "'" in text:
        marks.add("staccatissimo" if "''" in text else "detached-legato" if "~" in text else "staccato")
    elif "~" in text:
        marks.add("tenuto")
    if ":" in text:
        marks.add("arpeggiate")
    return frozenset(marks) if marks else NO_MARKS


def _ornaments(piece: str, pitch: int, step: str, sharps: int) -> set[str]:
    marks: set[str] = set()
    for sign, (name, steps, semitones) in NEIGHBOURS.items():
        if sign in piece and not any(mark.startswith(name) for mark in marks):
            marks.add(name + _accidental(pitch + semitones, step, steps, sharps))
    turn = TURN.search(piece)
    if turn:
        signs = turn[0]
        undelayed = TURNS.get(signs[:2] if signs[0] == "s" else signs)
        marks.add(undelayed or ("delayed-turn" if signs[0] == "S" else "delayed-inverted-turn"))
    return marks


def _tremolo(text: str) -> tuple[bool, int]:
    """Whether a tremolo of a token is one with the next note, and its strokes, 0 when there is none.

    Its number says how short its notes are; flags say a part of that. A pair is written twice as long as it lasts.
    """
    found = TREMOLO.search(text)
    rhythm = RHYTHM.search(text)
    if found is None or rhythm is None:
        return False, 0
    pair = found[1] == "@@"
    flags = max(int(rhythm[1]).bit_length() - (4 if pair else 3), 0)
    strokes = int(found[2]).bit_length() - 3 - flags
    return pair, strokes if 1 <= strokes <= MOST_STROKES else 0


def _accidental(pitch: int, step: str, steps: int, sharps: int) -> str:
    """The accidental that an ornament needs so that it reaches `pitch`: ":sharp", or "" when the key has it."""
    index = LETTERS.index(step) + steps
    letter = LETTERS[index % 7]
    alter = (pitch - SEMITONES[letter] + 6) % 12 - 6
    order = "FCGDAEB"
    place = order.index(letter)
    in_key = (place < sharps) - (6 - place < -sharps)
    return "" if alter == in_key or alter not in ACCIDENTALS else ":" + ACCIDENTALS[alter]


def _slurs(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if "(" not in text and ")" not in text:
        return (), ()
    found = re.findall(r"(&*)([()])", text)
    return tuple(mark for mark, sign in found if sign == "("), tuple(mark for mark, sign in found if sign == ")")
