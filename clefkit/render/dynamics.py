"""Dynamic marks and hairpins to velocities, 1 to 127.

The levels are those that MuseScore plays: ppp 16, pp 33, p 49, mp 64, mf 80, f 96, ff 112, fff 126.
"""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from typing import NamedTuple

from clefkit.notation.model import Dynamic, Score, Wedge

LEVELS = {
    "pppppp": 4, "ppppp": 6, "pppp": 10, "ppp": 16, "pp": 33, "p": 49, "mp": 64, "mf": 80,
    "f": 96, "ff": 112, "fff": 126, "ffff": 127, "fffff": 127, "ffffff": 127, "n": 5,
}  # fmt: skip
BURSTS = {"sf": 18, "sfz": 18, "fz": 18, "rf": 14, "rfz": 14, "sffz": 28}  # louder for one moment
FALLS = {"fp": ("f", "p"), "sfp": ("f", "p"), "sfpp": ("f", "pp"), "pf": ("p", "f")}  # a moment, then a level
ACCENTS = {"accent": 14, "strong-accent": 24, "stress": 8}
DEFAULT = 80
STEP = 16
NEAR = Fraction(1)  # a level written up to a quarter after a hairpin is where the hairpin leads


class _Slope(NamedTuple):
    """From `start` on the level is `low`, and from `end` on it is `high`; in between a straight line."""

    start: Fraction
    end: Fraction
    low: float
    high: float


def velocities(score: Score) -> list[int]:
    """The velocity of each note of `score.notes`: what the note itself says, else dynamics, hairpins and accents."""
    slopes = [_slopes(score, part) for part in range(len(score.parts))]
    starts = [[slope.start for slope in part] for part in slopes]
    moments = _moments(score)
    found: list[int] = []
    for note in score.notes:
        if note.velocity is not None:
            found.append(note.velocity)
            continue
        place = bisect_right(starts[note.part], note.onset) - 1
        level = _level(slopes[note.part][place], note.onset) if place >= 0 else DEFAULT
        mark = moments.get((note.part, note.onset), "")
        level = LEVELS[FALLS[mark][0]] if mark in FALLS else level + BURSTS.get(mark, 0)
        level += max((ACCENTS.get(name, 0) for name in note.marks), default=0)
        found.append(min(max(round(level), 1), 127))
    return found


def _moments(score: Score) -> dict[tuple[int, Fraction], str]:
    return {(mark.part, mark.onset): mark.mark for mark in score.dynamics if mark.mark in BURSTS or mark.mark in FALLS}


def _level(slope: _Slope, onset: Fraction) -> float:
    if onset >= slope.end:
        return slope.high
    return slope.low + (slope.high - slope.low) * float((onset - slope.start) / (slope.end - slope.start))


def _slopes(score: Score, part: int) -> list[_Slope]:
    """Levels and hairpins of one part, sorted by start."""
    marks = [
        (mark.onset, level) for mark in score.dynamics if mark.part == part and (level := _mark_level(mark)) is not None
    ]
    wedges = [wedge for wedge in score.wedges if wedge.part == part]
    changes: list[tuple[Fraction, int, float | Wedge]] = [(onset, 0, level) for onset, level in marks]
    changes += [(wedge.onset, 1, wedge) for wedge in wedges]
    slopes: list[_Slope] = []
    for onset, _, change in sorted(changes, key=lambda change: change[:2]):
        if isinstance(change, Wedge):
            before = _level(slopes[-1], onset) if slopes else float(DEFAULT)
            slopes.append(_hairpin(change, before, marks))
        else:
            slopes.append(_Slope(onset, onset, change, change))
    return slopes


def _mark_level(mark: Dynamic) -> float | None:
    name = FALLS[mark.mark][1] if mark.mark in FALLS else mark.mark
    return LEVELS.get(name)


def _hairpin(wedge: Wedge, before: float, marks: list[tuple[Fraction, float]]) -> _Slope:
    """Leads to the next level written within or just after it, if that lies in its direction; else one step."""
    for onset, level in marks:
        if wedge.onset < onset <= wedge.end + NEAR:
            end = min(onset, wedge.end)
            if (level > before) == wedge.grows and level != before:
                return _Slope(wedge.onset, end, before, level)
            break
    change = STEP if wedge.grows else -STEP
    return _Slope(wedge.onset, wedge.end, before, min(max(before + change, LEVELS["ppp"]), LEVELS["fff"]))
