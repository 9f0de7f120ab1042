"""How fast a score goes: metronome marks, words that change the tempo, and fermatas, as a curve over written time.

Numbers are exact, and "Tempo I" is the first of them. Other words are not: how much "rit." or a fermata slows is by
common practice, and `amount` scales it; at 0 only the numbers count.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from itertools import pairwise
from typing import NamedTuple

from clefkit.notation.model import Score
from clefkit.render.clock import Curve, Segment

DEFAULT_TEMPO = 120.0  # without any mark: the default of the Standard MIDI File (1996) and of MuseScore
LATEST_FIRST_TEMPO = 4.0  # quarters
LONGEST_CHANGE = 16.0  # quarters: what takes it back is looked for so far
UNDONE_AFTER = 8.0  # quarters: a change that nothing takes back so soon is taken back after this
FERMATAS = ((1.0, 1.8), (2.0, 1.6), (4.0, 1.4))  # up to so many quarters, longer by
LONG_FERMATA = 1.25
BAR_FERMATA = (1.0, 1.5)  # quarters before the bar line, and their factor


def _words(*alternatives: str) -> re.Pattern[str]:
    return re.compile(rf"\b({'|'.join(alternatives)})(?!\w)", re.IGNORECASE)


GRADUAL = (
    (_words("rit", "ritard", "ritardando", "rall", "rallent", "rallentando", "allarg", "allargando"), 1.35),
    (_words("slentando", "slargando", "calando", "morendo", "smorz", "smorzando", "perdendosi"), 1.25),
    (_words("zurückhaltend", "retardez", "retenu", "ralentir", "cédez"), 1.25),
    (_words("accel", "accelerando", r"string\.", "stringendo", "affrett", "affrettando", "animando"), 0.78),
    (_words("incalzando", "beschleunigend", "pressez", "en pressant"), 0.78),
)
HELD = _words("riten", "ritenuto")
SUDDEN = (
    (HELD, 1.18),
    (_words("meno mosso", "più lento", "piu lento", "langsamer", "ruhiger", "moins vite"), 1.18),
    (_words("slower", "plus lent"), 1.18),
    (_words("più mosso", "piu mosso", "più vivo", "più animato", "schneller", "bewegter", "lebhafter"), 0.86),
    (_words("plus vite", "faster"), 0.86),
)
BACK = _words("a tempo", "in tempo", "im tempo", "im zeitmaß", "au mouvement")
FIRST = _words("tempo (i|1|primo|1mo|1o)", "tempo 1º", "erstes tempo", "1er mouvement")
MUCH, LITTLE = _words("molto", "assai", "sehr", "très"), _words("poco", "etwas", "ein wenig", "un peu")


class _Change(NamedTuple):
    """gradual: whether it is reached at the end, else at once; lasts: until something ends it, however far that is;
    factor: of a quarter's length."""

    place: float
    gradual: bool
    lasts: bool
    factor: float


def curve(score: Score, amount: float) -> Curve:
    """Seconds a quarter over the score as written.

    amount: 0 to 1, how far words and fermatas are followed
    """
    end = float(score.measures[-1].onset + score.measures[-1].length)
    marks = _with_first_tempo(score, _marks(score))
    plain = [
        Segment(start, stop, slope, slope) for (start, slope), (stop, _) in pairwise([*marks, (max(end, 1.0), 0.0)])
        if stop > start
    ]  # fmt: skip
    base = Curve(plain or [Segment(0.0, max(end, 1.0), marks[-1][1], marks[-1][1])])
    if amount <= 0:
        return base
    worded = _follow(base, _changes(score), [place for place, _ in marks[1:]], _ends(score, end), amount)
    return _hold(worded, score, amount)


def _marks(score: Score) -> list[tuple[float, float]]:
    """(place, seconds a quarter); the first is at 0: a pickup has the tempo of the first full measure."""
    marks = [(float(tempo.onset), 60.0 / tempo.quarters_per_minute) for tempo in score.tempos]
    if not marks or marks[0][0] > LATEST_FIRST_TEMPO:
        marks.insert(0, (0.0, 60.0 / DEFAULT_TEMPO))
    marks[0] = (0.0, marks[0][1])
    return marks


def _with_first_tempo(score: Score, marks: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """ "Tempo I" is a mark with the first tempo, where no number stands at the same place."""
    known = {place for place, _ in marks}
    again = {float(text.onset) for text in score.texts if FIRST.search(text.text)} - known
    return sorted([*marks, *((place, marks[0][1]) for place in again)])


def _changes(score: Score) -> list[_Change]:
    """What the words ask for, each place once; parts repeat each other's words. A factor of 1 goes back."""
    numbers = {float(tempo.onset) for tempo in score.tempos}
    found: dict[float, _Change] = {}
    for text in score.texts:
        place = float(text.onset)
        change = _change(place, text.text, place in numbers)
        if change is not None:
            found.setdefault(place, change)
    return [found[place] for place in sorted(found)]


def _change(place: float, words: str, numbered: bool) -> _Change | None:
    """numbered: a metronome mark stands at the same place, so only what is to come after it is in the words."""
    if BACK.search(words) or FIRST.search(words):
        return _Change(place, gradual=False, lasts=False, factor=1.0)
    depth = 1.6 if MUCH.search(words) else 0.55 if LITTLE.search(words) else 1.0
    for pattern, factor in GRADUAL:
        if pattern.search(words):
            return _Change(place, gradual=True, lasts=False, factor=factor**depth)
    for pattern, factor in () if numbered else SUDDEN:
        if pattern.search(words):
            return _Change(place, gradual=False, lasts=pattern is not HELD, factor=factor**depth)
    return None


def _ends(score: Score, end: float) -> list[float]:
    """Where a change of tempo is over although nobody says so: at repeat signs, and at the end."""
    signs = [float(m.onset + m.length) for m in score.measures if m.repeat_times or m.fine or m.da_capo or m.dal_segno]
    return sorted({*signs, end})


def _follow(base: Curve, changes: list[_Change], marks: list[float], ends: list[float], amount: float) -> Curve:
    """Lay the changes over the curve. Each lasts to the next change or mark, else some bars."""
    places = [change.place for change in changes]
    knots: list[float] = []
    slopes: list[Segment] = []
    for index, change in enumerate(changes):
        if change.factor == 1.0:
            continue
        ahead = places[index + 1 : index + 2] + _next(marks, change.place) + _next(ends, change.place)
        stop = min([*ahead, math.inf])
        if not change.lasts and stop - change.place > LONGEST_CHANGE:
            stop = change.place + UNDONE_AFTER
        factor = change.factor**amount
        slopes.append(Segment(change.place, stop, 1.0 if change.gradual else factor, factor))
        knots += [change.place, stop]
    if not slopes:
        return base
    starts = [slope.start for slope in slopes]

    def factor_at(place: float) -> float:
        index = bisect_right(starts, place) - 1
        return slopes[index].at(place) if index >= 0 and place < slopes[index].end else 1.0

    return base.stretched(sorted({*knots}), factor_at)


def _next(places: list[float], after: float) -> list[float]:
    """The first of sorted places behind another, if there is one."""
    index = bisect_right(places, after)
    return places[index : index + 1]


def _hold(base: Curve, score: Score, amount: float) -> Curve:
    """Stretch what lies under fermatas; where several overlap, the longest stretch counts."""
    holds: dict[tuple[float, float], float] = {}
    for fermata in score.fermatas:
        onset, length = float(fermata.onset), float(fermata.duration)
        if length <= 0:
            holds[max(onset - BAR_FERMATA[0], 0.0), onset] = BAR_FERMATA[1]
            continue
        factor = next((factor for longest, factor in FERMATAS if length <= longest), LONG_FERMATA)
        holds[onset, onset + length] = factor
    if not holds:
        return base
    knots = sorted({place for hold in holds for place in hold})
    factors = [1.0] * len(knots)
    for (start, stop), factor in holds.items():
        for index in range(bisect_left(knots, start), bisect_left(knots, stop)):
            factors[index] = max(factors[index], factor**amount)

    def factor_at(place: float) -> float:
        index = bisect_right(knots, place) - 1
        return factors[index] if index >= 0 else 1.0

    return base.stretched(knots, factor_at)
