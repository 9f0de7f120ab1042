"""What the fields of an ABC tune say: meter, unit length, tempo, key, clef.

After "The abc music standard 2.1" (abcnotation.com, 2011), and the older forms that tune books still hold.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NamedTuple

from clefkit.errors import InputError
from clefkit.notation.model import Clef
from clefkit.notation.numbers import TEMPO_RANGE
from clefkit.notation.unfold import MOST_MEASURES

FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
MODES = {
    "maj": ("major", 0), "ion": ("ionian", 0), "min": ("minor", -3), "aeo": ("aeolian", -3), "mix": ("mixolydian", -1),
    "dor": ("dorian", -2), "phr": ("phrygian", -4), "lyd": ("lydian", 1), "loc": ("locrian", -5), "exp": ("", 0),
}  # fmt: skip
SHARPS, MOST_SHARPS = "FCGDAEB", 7
SIGNS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
KEY = re.compile(r"\s*([A-G])([#b]?)\s*([A-Za-z]*)")
SIGNED = re.compile(r"(\^\^?|__?|=)([A-Ga-g])(?![a-z])")
METER = re.compile(r"\(?(\d{1,3}(?:\s*\+\s*\d{1,3}){0,9})\)?\s*/\s*(\d{1,3})")
PARTS = re.compile(r"[A-Za-z()]|\d{1,2}")
LENGTH = re.compile(r"(\d{1,3})\s*/\s*(\d{1,3})")
TEMPO = re.compile(r"((?:\d{1,3}/\d{1,3}\s*)+)=\s*(\d{1,4}(?:\.\d{1,3})?)")
OLD_TEMPO = re.compile(r"(?:(C)(\d?)\s*=\s*)?(\d{1,4})\Z")
CLEFS = {
    "treble": ("G", 2), "bass": ("F", 4), "alto": ("C", 3), "tenor": ("C", 4), "baritone": ("F", 3),
    "soprano": ("C", 1), "mezzosoprano": ("C", 2), "perc": ("percussion", 2),
}  # fmt: skip
CLEF = re.compile(r"(?:clef=)?\"?\b(treble|bass|alto|tenor|baritone|soprano|mezzosoprano|perc)\d?([+-]?8)?")
OCTAVE_SIGN = re.compile(r"(?<!\w)([+-])8(?:va)?\b")
OCTAVE = re.compile(r"\boctave=([+-]?\d)\b")
TRANSPOSE = re.compile(r"\b(?:transpose|t)=([+-]?\d{1,2})\b")
NAMES = re.compile(r"\b\w*(?:name|nm)=(?:\"[^\"]*\"|\S+)")
NAME = re.compile(r"\b(?:name|nm)=(?:\"([^\"]{0,99})\"|(\S{1,99}))")
WHOLE = Fraction(4)
CODE_POINT = re.compile(r"\\u([0-9a-fA-F]{4})")
ACCENTS = {"`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", '"': "\u0308", "c": "\u0327", "v": "\u030c"}
ACCENTED = re.compile(r"\\([`'^~\"cv])([A-Za-z])")


@dataclass
class Settings:
    """What holds for one voice at a moment.

    unit: quarters of a note without a length; meter: None for free meter
    key: letter -> semitones of its accidental; fifths, mode: of the signature
    octave: semitones that its octaves are shifted by; clef_octave, transpose: semitones, for the player;
    midi: semitones that a MIDI directive asks for, which goes before the 8 of a clef
    """

    unit: Fraction | None = None
    meter: tuple[int, int] | None = (4, 4)
    key: dict[str, int] = field(default_factory=dict)
    fifths: int = 0
    mode: str = ""
    octave: int = 0
    clef_octave: int = 0
    transpose: int = 0
    midi: int = 0
    sign: tuple[str, int] = ("G", 2)

    @property
    def shift(self) -> int:
        """Semitones from the written to the sounding pitch."""
        return self.octave + self.transpose + (self.midi or self.clef_octave)

    def copy(self) -> Settings:
        """For a voice that goes its own way."""
        return replace(self, key=dict(self.key))


class Speed(NamedTuple):
    """quarters_per_minute: None when only words are given."""

    quarters_per_minute: float | None
    words: str


def meter(text: str, settings: Settings) -> None:
    """M: "6/8", "C", "C|", "2+3/8", "none"."""
    text = text.strip()
    found = METER.match(text)
    if text.startswith("C"):
        settings.meter = (2, 2) if text.startswith("C|") else (4, 4)
    elif found and int(found[2]):
        beats = sum(int(count) for count in found[1].split("+"))
        settings.meter = (beats, int(found[2])) if beats else settings.meter
    elif text.lower().startswith("none") or not text:
        settings.meter = None


def parts(text: str) -> list[str]:
    """P: in a header, "A2.B(AC)3": the names of the parts in the order of playing.

    raises: InputError when they are more than 50,000
    """
    groups: list[list[str]] = [[]]
    last: list[str] = []  # what a number repeats
    for mark in PARTS.findall(text):
        if mark == "(":
            groups.append([])
            continue
        if mark == ")":
            last = groups.pop() if len(groups) > 1 else []
        elif mark.isdecimal():
            last = last * (int(mark) - 1)
        else:
            last = [mark]
        groups[-1] += last
        if len(groups[-1]) > MOST_MEASURES:
            raise InputError(f"parts (P:) that play more than {MOST_MEASURES} measures")
    return [name for group in groups for name in group]


def unit(settings: Settings) -> Fraction:
    """The unit length in quarters: as set, else a sixteenth in meters shorter than 3/4, and an eighth in others."""
    if settings.unit is None:
        short = settings.meter is not None and Fraction(*settings.meter) < Fraction(3, 4)
        settings.unit = Fraction(1, 4) if short else Fraction(1, 2)
    return settings.unit


def length(text: str, settings: Settings) -> None:
    """L: "1/8"."""
    found = LENGTH.search(text)
    if found and int(found[1]) and int(found[2]):
        settings.unit = WHOLE * int(found[1]) / int(found[2])
    elif text.strip() == "1":
        settings.unit = WHOLE


def speed(text: str, settings: Settings) -> Speed:
    """Q: "1/4=120", "3/8=50 "Slowly"", "120" (units a minute), "C=120"; M: and L: have been read."""
    text = text.split("%", maxsplit=1)[0]
    said = " ".join(" ".join(re.findall(r'"([^"]*)"', text)).split())
    plain = re.sub(r'"[^"]*"', "", text).strip()
    found, old = TEMPO.search(plain), OLD_TEMPO.match(plain)
    value: Fraction | None = None
    if found:
        beat = sum((WHOLE * int(n) / max(int(d), 1) for n, d in LENGTH.findall(found[1])), Fraction(0))
        value = beat * Fraction(found[2])
    elif old:
        value = unit(settings) * int(old[2] or 1) * int(old[3])
    known = value is not None and TEMPO_RANGE[0] <= value <= TEMPO_RANGE[1]
    return Speed(float(value) if known and value is not None else None, said)


def key(text: str, settings: Settings) -> None:
    """K: "Ador", "Bb major", "HP", "none", "D ^f _b", with the clef and the shifts of `clef` behind it.

    HP is written without a signature, but the pipes have no other F and C than sharp ones, as Hp says.
    """
    found = KEY.match(text)
    if re.match(r"\s*(HP|Hp)\b", text):
        settings.fifths, settings.mode = 2, "mixolydian"
    elif found:
        name = found[3]
        mode, shift = MODES.get(name[:3].lower(), ("minor", -3) if name == "m" else ("major", 0))
        fifths = FIFTHS[found[1]] + 7 * ((found[2] == "#") - (found[2] == "b")) + shift
        settings.fifths, settings.mode = (0, "") if mode == "" else (max(min(fifths, 7), -7), mode)
    elif re.match(r"\s*(none\b|$)", text):
        settings.fifths, settings.mode = 0, ""
    if found or re.match(r"\s*(HP|Hp|none|$)", text):
        sharps = SHARPS if settings.fifths > 0 else SHARPS[::-1]
        settings.key = dict.fromkeys(sharps[: abs(settings.fifths)], 1 if settings.fifths > 0 else -1)
    for sign, letter in SIGNED.findall(text):
        settings.key[letter.upper()] = SIGNS[sign]
    clef(text[found.end() if found and found[3][:3].lower() in (*MODES, "m", "") else 0 :], settings)


def clef(text: str, settings: Settings) -> None:
    """What K: and V: say of clef, octave and transposition. Names ("alto sax") are no clefs."""
    text = NAMES.sub("", text)
    named, sign = CLEF.search(text), OCTAVE_SIGN.search(text)
    octave, moved = OCTAVE.search(text), TRANSPOSE.search(text)
    if named:
        settings.sign = CLEFS[named[1]]
        settings.clef_octave = 0 if not named[2] else 12 if named[2].startswith("+") else -12
    if sign:
        settings.clef_octave = 12 if sign[1] == "+" else -12
    if octave:
        settings.octave = 12 * int(octave[1])
    if moved:
        settings.transpose = int(moved[1])


def plain(text: str) -> str:
    """A text with its letters: "Caf\\'e", "Caf&eacute;" and "Caf\\u00e9" are the same."""
    text = html.unescape(CODE_POINT.sub(lambda found: chr(int(found[1], 16)), text))
    text = ACCENTED.sub(lambda found: unicodedata.normalize("NFC", found[2] + ACCENTS[found[1]]), text)
    return " ".join(text.split())


def name(text: str) -> str:
    """The name that V: gives a voice, "" for none."""
    found = NAME.search(text)
    return " ".join((found[1] or found[2] or "").split()) if found else ""


def sounding_key(settings: Settings) -> int:
    """Sharps of the signature as it sounds, when the voice is transposed."""
    fifths = settings.fifths + 7 * settings.shift
    while fifths > MOST_SHARPS - 1 or fifths < -MOST_SHARPS + 1:
        if abs(fifths) <= abs(settings.fifths):
            break
        fifths += -12 if fifths > 0 else 12
    return fifths


def as_clef(settings: Settings, part: int) -> Clef:
    """The clef at the start of a part."""
    return Clef(Fraction(0), part, 1, *settings.sign, settings.clef_octave // 12)
