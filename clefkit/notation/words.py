"""What words over the staff mean for playing: tempo and jumps.

Tempo words are the fallback when no metronome mark stands there; the numbers are the middle of what metronomes print
beside these words, beats a minute.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from clefkit.notation.model import Measure

TEMPO_WORDS = {
    "larghissimo": 24, "grave": 40, "largo": 48, "lento": 54, "larghetto": 62, "adagio": 68, "adagietto": 72,
    "andante": 84, "andantino": 90, "moderato": 104, "allegretto": 114, "allegro moderato": 118, "allegro": 132,
    "vivace": 152, "allegro vivace": 144, "vivacissimo": 168, "allegrissimo": 168, "presto": 176, "prestissimo": 192,
    "langsam": 56, "sehr langsam": 48, "mäßig": 92, "mässig": 92, "lebhaft": 132, "schnell": 144, "sehr schnell": 168,
    "lent": 54, "modéré": 96, "animé": 126, "vif": 144,
}  # fmt: skip
TEMPO = re.compile(r"\b(" + "|".join(sorted(TEMPO_WORDS, key=len, reverse=True)) + r")\b", re.IGNORECASE)
LONGEST_TEMPO = 60

DYNAMIC = re.compile(r"(p{1,6}|f{1,6}|m[pf]|sfz?|sffz|sfp|fp|fz|rfz?|pf|n)\Z")

NAMED = r"^\W*(?:(?!senza|ohne|no\b)\w{1,20}\W{1,2}){0,2}?"  # "Menuetto D.C.", "M.D.C."
DA_CAPO = re.compile(rf"({NAMED}(d\.\s?c\.?|da capo)|^\W*dc)(\W|$)", re.IGNORECASE)
DAL_SEGNO = re.compile(rf"({NAMED}(d\.\s?s\.?|dal segno)|^\W*ds)(\W|$)", re.IGNORECASE)
TO_CODA = re.compile(r"^\W*(to coda|(al|alla) coda)\W*$", re.IGNORECASE)
FINE = re.compile(r"^\W*fine\W*$", re.IGNORECASE)
CODA = re.compile(r"^\W*coda\W*$", re.IGNORECASE)
TRIO = re.compile(r"^\W*trio\b", re.IGNORECASE)
MINUET = re.compile(r"^\W*([ivx]{1,4}\W+)?(tempo di )?(m[ei]nuett?o?|scherzo)\b", re.IGNORECASE)


class Jump(NamedTuple):
    """What a text says of the order of playing.

    da_capo, dal_segno, to_coda, fine: what the player does after the measure; coda: the coda begins here
    """

    da_capo: bool = False
    dal_segno: bool = False
    to_coda: bool = False
    fine: bool = False
    coda: bool = False

    def mark(self, measure: Measure) -> None:
        """Put it down in the measure where the text stands. Labels that are there already are kept."""
        measure.da_capo |= self.da_capo
        measure.fine |= self.fine
        measure.dal_segno = measure.dal_segno or ("segno" if self.dal_segno else "")
        measure.to_coda = measure.to_coda or ("coda" if self.to_coda else "")
        measure.coda = measure.coda or ("coda" if self.coda else "")


@lru_cache(maxsize=1024)
def tempo(text: str) -> float | None:
    """Beats per minute of the first tempo word in a text of at most 60 characters, or None."""
    found = TEMPO.search(text) if len(text) <= LONGEST_TEMPO else None
    return float(TEMPO_WORDS[found[1].lower()]) if found else None


@lru_cache(maxsize=1024)
def jump(text: str) -> Jump | None:
    """The jump a text asks for ("D.C. al Fine", "To Coda", "Fine"), or None; "Coda" is where one ends."""
    found = Jump(
        DA_CAPO.search(text) is not None,
        DAL_SEGNO.search(text) is not None,
        TO_CODA.search(text) is not None,
        FINE.search(text) is not None,
        CODA.search(text) is not None,
    )
    return found if any(found) else None
