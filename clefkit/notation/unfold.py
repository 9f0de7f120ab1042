"""The order in which measures are played: repeats, endings, D.C., D.S., Fine and Coda.

A repeat sign without a beginning goes back to the end of the section before it, or to the start of the movement. After
a D.C. or D.S. repeats are not played again and of several endings only the last is, as players do. Of two coda signs
without "To Coda" the first is where to leave, and a minuet whose Fine is missing ends before its trio (`_ends`). A file
may hold several movements; a new one begins where the measure numbers start again, and no jump leaves its movement.
Where they go on, a da capo from a trio goes back to the start of its minuet (`_minuet`).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from clefkit.errors import InputError
from clefkit.notation import words
from clefkit.notation.model import Measure, Score

MOST_MEASURES = 50_000


def unfold(score: Score) -> list[int]:
    """Indices of the score's measures in the order of playing.

    raises: InputError when that is more than 50,000 measures
    """
    if score.order is not None:
        return score.order
    edges = [*movements(score), len(score.measures)]
    headings = Headings(_headed(score, words.MINUET), _headed(score, words.TRIO))
    order: list[int] = []
    for first, end in pairwise(edges):
        order += walk(score.measures, first, end, MOST_MEASURES - len(order), headings)
    return order


class Headings(NamedTuple):
    """Indices of the measures with which minuets (or scherzos) and trios begin, as words over them say."""

    minuets: list[int]
    trios: list[int]


def _headed(score: Score, heading: re.Pattern[str]) -> list[int]:
    starts = [measure.onset for measure in score.measures]
    return [bisect_right(starts, text.onset) - 1 for text in score.texts if heading.search(text.text)]


def walk(measures: list[Measure], first: int, end: int, most: int, headings: Headings | None = None) -> list[int]:
    """The order in which measures[first:end] are played when nothing else is there.

    raises: InputError when that is more than `most` measures
    """
    return _Player(measures, first, end, headings or Headings([], [])).play(most)


class Visit(NamedTuple):
    """One playing of a measure.

    start: quarters from the start of the performance; shift: from written to played quarters
    turn: 1 when it is played for the first time; leaps: the measure before it is not the one written before it
    run: visits without a leap between them have the same
    """

    measure: int
    start: Fraction
    shift: Fraction
    turn: int
    leaps: bool
    run: int

    def name(self, written: str) -> str:
        """The id that a note has in this visit: in the n-th, from the second on, "@n" stands behind it."""
        return f"{written}@{self.turn}" if self.turn > 1 else written


def visits(score: Score, repeats: bool = True) -> list[Visit]:
    """All measures in the order of playing; without `repeats` each once, as written. Raises as `unfold` does."""
    turns: dict[int, int] = defaultdict(int)
    found: list[Visit] = []
    shift, before, run = Fraction(0), -1, 0
    for place in unfold(score) if repeats else range(len(score.measures)):
        measure = score.measures[place]
        turns[place] += 1
        leaps = place != before + 1
        if leaps:
            last = score.measures[before] if found else None
            shift += (last.onset + last.length if last else 0) - measure.onset
        run += leaps
        found.append(Visit(place, measure.onset + shift if shift else measure.onset, shift, turns[place], leaps, run))
        before = place
    return found


def movements(score: Score) -> list[int]:
    """Indices of the measures that begin a movement: the first, and each whose number starts again at 0 or 1."""
    found = [0]
    highest = 0
    for measure in score.measures:
        digits = re.match(r"\d{1,6}\Z", measure.number, re.ASCII)
        value = int(digits[0]) if digits else highest
        if value <= 1 < highest:
            found.append(measure.index)
            highest = 0
        highest = max(highest, value)
    return found


class _Player:
    """Walks through one movement, measures[first:end].

    sections: the repeated sections we are in, each [index of its first measure, number of this pass]. The first one has
        no repeat sign at its start; those that a sign opened follow, outermost first
    replay_until: while measures up to this index come for the second time after a jump, repeats are not played
    """

    def __init__(self, measures: list[Measure], first: int, end: int, headings: Headings) -> None:
        self.measures = measures
        self.first = first
        self.end = end
        self.sections = [[first, 1]]
        self.replay_until = -1
        self.fired: set[int] = set()
        self.jumps = {m.index for m in measures[first:end] if m.da_capo or m.dal_segno}
        self.brackets = _brackets(measures, first, end)
        self.headings = headings
        self.ends = _ends(measures[first:end], headings)

    def play(self, most: int) -> list[int]:
        """The order of playing, at most `most` measures long."""
        order: list[int] = []
        place = self.first
        while place < self.end:
            measure = self.measures[place]
            if place > self.replay_until >= 0:
                self._end_replay(place)
            if self._skips(measure, falls_through=order[-1:] == [place - 1]):
                place = self._forward(measure)
                continue
            if measure.repeat_start and (len(self.sections) == 1 or self.sections[-1][0] != place):
                if place in self.brackets:  # the last bracket of one section opens the next section
                    self._close(place)
                self.sections.append([place, 1])
            order.append(place)
            if len(order) > most:
                raise InputError(f"repeats that play more than {MOST_MEASURES} measures: check the repeat signs")
            place = self._next(measure)
        return order

    def _end_replay(self, place: int) -> None:
        """Back behind the jump: from here on everything is new, but the bracket we may be under is the last one."""
        self.replay_until = -1
        if place in self.brackets:
            self.sections[-1][1] = self.brackets[place].last

    def _behind_fine(self) -> int:
        """After a Fine: what follows the jump when another jump or movement is to come, else a coda, else the end."""
        goes_on = self._minuet(self.replay_until) > self.first
        if goes_on or self.replay_until < max(self.jumps):
            place = self.replay_until + 1
        else:
            place = next((m.index for m in self.measures[self.replay_until + 1 : self.end] if m.coda), self.end)
        self.replay_until = -1
        self.sections = [[place, 1]]  # a repeat sign without a beginning goes back to here from now on
        return place

    def _skips(self, measure: Measure, *, falls_through: bool) -> bool:
        """Whether this pass leaves out a measure under a bracket.

        falls_through: the measure before it was just played
        """
        run = self.brackets.get(measure.index)
        if run is None or self.sections[-1][0] >= run.first:
            return False
        number = self.sections[-1][1]
        if self.replay_until >= 0:
            number = run.again
        elif run.closes and number not in run.until and not run.goes_on:
            number = run.last
        elif not run.closes and not run.inside:
            return False
        elif run.closes and falls_through and run.is_over(number, measure.index) and number < min(measure.endings):
            self.sections[-1][1] = number = min(measure.endings)  # no sign sends us back, so the next bracket is next
        return number not in measure.endings

    def _next(self, measure: Measure) -> int:
        """Where to go after a measure that was played."""
        replaying = self.replay_until >= 0
        if replaying and measure.index in self.ends.fines:
            return self._behind_fine()
        if replaying and measure.index in self.ends.leaves:
            coda = self._coda(measure)
            if coda is not None:
                return coda
        if measure.repeat_times and not replaying:
            run = self.brackets.get(measure.index)
            if self.sections[-1][1] < max(measure.repeat_times, run.passes if run else 0):
                self.sections[-1][1] += 1
                return self.sections[-1][0]
            if run is None:
                self._close(measure.index + 1)
        if measure.index in self.jumps - self.fired:
            self.fired.add(measure.index)
            self.replay_until = measure.index
            target = self._minuet(measure.index) if measure.da_capo else self._segno(measure)
            self.sections = [[target, 1]]
            return target
        return self._forward(measure)

    def _forward(self, measure: Measure) -> int:
        """The next measure as written; behind the last bracket the section is over."""
        after = measure.index + 1
        run = self.brackets.get(measure.index)
        if run is not None and run.closes and after not in self.brackets and self.sections[-1][0] < run.first:
            self._close(after)
        return after

    def _close(self, after: int) -> None:
        """Leave the innermost section; a repeat sign without a beginning goes back to here from now on."""
        if len(self.sections) > 1:
            self.sections.pop()
        self.sections[0] = [after, 1]

    def _minuet(self, jump: int) -> int:
        return _minuet(self.measures[self.first : self.end], self.headings, jump)

    def _segno(self, measure: Measure) -> int:
        signs = [m for m in self.measures[self.first : self.end] if m.segno]
        same = [m for m in signs if m.segno == measure.dal_segno] or signs
        before = [m for m in same if m.index <= measure.index]
        return (before or same or [self.measures[self.first]])[-1].index

    def _coda(self, measure: Measure) -> int | None:
        """Where the coda begins: at its sign, best behind the jump; without a sign, right behind the jump."""
        signs = [m for m in self.measures[measure.index + 1 : self.end] if m.coda]
        same = [m for m in signs if m.coda == measure.to_coda] or signs
        found = [m.index for m in same if m.index > self.replay_until] or [m.index for m in same if measure.to_coda]
        found.append(self.replay_until + 1)
        return found[0] if found[0] < self.end else None


class _Ends(NamedTuple):
    """Measures after which a player who comes from a jump stops (fines) or goes on with the coda (leaves)."""

    fines: set[int]
    leaves: set[int]


def _ends(movement: list[Measure], headings: Headings) -> _Ends:
    """What the signs of a movement say, and what players understand when signs are missing.

    Without "To Coda", a coda sign before the last jump is where to leave, if a coda stands behind the jump. Without a
    Fine, a da capo to a minuet or scherzo stops before its trio.
    """
    fines = {m.index for m in movement if m.fine}
    leaves = {m.index for m in movement if m.to_coda}
    jump = max((m.index for m in movement if m.da_capo or m.dal_segno), default=-1)
    if jump < 0 or leaves:
        return _Ends(fines, leaves)
    codas = [m.index for m in movement if m.coda]
    follows = codas[-1:] > [jump] or (not fines and jump < movement[-1].index)
    if codas and movement[0].index < codas[0] <= jump and follows:
        return _Ends(fines, {codas[0] - 1})
    minuet = _minuet(movement, headings, jump)
    trio = min((place for place in headings.trios if minuet < place <= jump), default=None)
    if trio is not None and not fines and movement[jump - movement[0].index].da_capo:
        return _Ends({trio - 1}, leaves)
    return _Ends(fines, leaves)


def _minuet(movement: list[Measure], headings: Headings, jump: int) -> int:
    """Where a da capo goes back to: the start, or, from a trio, the start of its minuet.

    That is at its heading, else, where another movement stands behind the da capo, where its meter begins.
    """
    first = movement[0].index
    trio = max((place for place in headings.trios if first < place <= jump), default=first)
    headed = [place for place in headings.minuets if first <= place < trio]
    if headed:
        return max(headed)
    behind = movement[jump - first + 1 :]
    if not behind or any(measure.coda for measure in behind):
        return first
    changes = [now.index for before, now in pairwise(movement[: trio - first]) if now.time != before.time]
    return max(changes, default=first)


class _Run(NamedTuple):
    """Brackets that follow each other.

    first: index of their first measure; until: the last measure of each number; last: the highest number
    again: the one that is played after a jump: that with a Fine, else the last
    closes: whether a repeat sign closes any of them; if not, inside: whether they stand in the middle of a section that
        is repeated
    goes_on: a repeat sign closes the last bracket too, so that another pass follows that goes on behind the brackets,
        or ends at a Fine before them
    """

    first: int
    until: dict[int, int]
    last: int
    again: int
    closes: bool
    inside: bool
    goes_on: bool

    @property
    def passes(self) -> int:
        """How often the section is played."""
        return self.last + self.goes_on

    def is_over(self, number: int, place: int) -> bool:
        """Whether the brackets of a pass lie before a place."""
        return self.until.get(number, self.first) < place


def _brackets(measures: list[Measure], first: int, end: int) -> dict[int, _Run]:
    """For each measure under a bracket: the run of brackets it belongs to."""
    found: dict[int, _Run] = {}
    run: list[Measure] = []
    for place in range(first, end + 1):
        if place < end and measures[place].endings:
            run.append(measures[place])
        elif run:
            found |= dict.fromkeys(
                (measure.index for measure in run), _run(run, measures[first:place], measures[place:end])
            )
            run = []
    return found


def _run(run: list[Measure], before: list[Measure], behind: list[Measure]) -> _Run:
    """before, behind: the movement up to the end of the run and from there on."""
    until = {number: measure.index for measure in run for number in measure.endings}
    numbers = frozenset(until)
    closes = any(measure.repeat_times for measure in run)
    sign = next((measure for measure in behind if measure.repeat_start or measure.repeat_times), None)
    inside = not closes and sign is not None and not sign.repeat_start
    once = run[-1].repeat_times > 0 and run[-1].endings in (numbers, {max(numbers)})  # the sign has no other reason
    leads_on = any(measure.fine for measure in before) or (len(behind) > 0 and not behind[0].repeat_start)
    goes_on = run[-1].repeat_times > max(numbers) or (once and leads_on)
    again = max(next((measure.endings for measure in run if measure.fine), numbers))
    return _Run(run[0].index, until, max(numbers), again, closes, inside, goes_on)
