"""The gate of a CI build: what a set of files has to reach, and a sentence for each thing that it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from clefkit.errors import UsageError
from clefkit.score.kinds import Measure, measures
from clefkit.score.totals import means

Rows = Sequence[Mapping[str, Any]]


class Limit(NamedTuple):
    """A measure and what it must reach: at least, or where less is better at most, `value`."""

    measure: Measure
    value: float

    def is_met(self, value: float) -> bool:
        """Never by a number that is none."""
        return value >= self.value if self.measure.higher_is_better else value <= self.value

    @property
    def side(self) -> str:
        return "below" if self.measure.higher_is_better else "above"

    def __str__(self) -> str:
        return f"{self.measure.name} {'>=' if self.measure.higher_is_better else '<='} {self.value:g}"


class Check(NamedTuple):
    """One thing that was asked for. file: "" when it is asked of the whole set; problem: "" when it was met."""

    name: str
    file: str
    problem: str


class Gate(NamedTuple):
    """mean: limits for the means over files; each: limits for every file; expect: so many files must be measured"""

    mean: tuple[Limit, ...] = ()
    each: tuple[Limit, ...] = ()
    expect: int | None = None

    def checks(self, rows: Rows, missing: Sequence[str] = ()) -> list[Check]:
        """Everything that is asked for, met or not.

        rows: what `score.measure` found; missing: files that could not be measured
        """
        checks = []
        absent = len(missing)
        if self.expect is not None:
            problem = f"{len(rows)} measured, where {self.expect} files were expected"
            checks.append(Check(f"{self.expect} files", "", problem if len(rows) != self.expect else ""))
            absent = max(absent, self.expect - len(rows))
        if (self.mean or self.each) and not rows:
            return [*checks, Check("something to measure", "", "a threshold was given, but nothing was measured")]
        found = means(rows, absent) if self.mean else {}
        checks += [Check(f"mean {limit}", "", _of_mean(limit, found, absent)) for limit in self.mean]
        for limit in self.each:
            checks += _of_each(limit, rows, missing)
        return checks


def limits(minimum: Sequence[str], maximum: Sequence[str]) -> tuple[Limit, ...]:
    """Limits from texts like "note_f1=0.8".

    raises: UsageError when one is not of that form, names no measure, or asks for least where less is better
    """
    return (*(_limit(text, higher=True) for text in minimum), *(_limit(text, higher=False) for text in maximum))


def named(text: str) -> tuple[Measure, float]:
    """A measure and a number from "note_f1=0.8". Raises UsageError when it is not of that form."""
    key, _, value = text.partition("=")
    known = measures()
    if key not in known:
        raise UsageError(f"no measure is called {key!r}: `clefkit score --measures` lists them")
    try:
        number = float(value)
    except ValueError as error:
        raise UsageError(f"{text}: write it as {key}=0.8") from error
    if number != number:  # noqa: PLR0124 not a number
        raise UsageError(f"{text}: write it as {key}=0.8")
    return known[key], number


def _limit(text: str, higher: bool) -> Limit:
    measure, value = named(text)
    if measure.higher_is_better != higher:
        word, option = ("less", "--max") if higher else ("more", "--min")
        raise UsageError(f"{text}: {word} {measure.name} is better, so use {option} or {option}-each")
    return Limit(measure, value)


def _of_mean(limit: Limit, found: Mapping[str, float | None], absent: int) -> str:
    name = limit.measure.name
    if name not in found:
        return f"no file has a {name}: there is nothing to measure"
    mean = found[name]
    if mean is None:
        return f"the mean {name} can't be told, for {absent} could not be measured"
    return "" if limit.is_met(mean) else f"the mean {name} is {mean:.6g}, {limit.side} {limit.value:g}"


def _of_each(limit: Limit, rows: Rows, missing: Sequence[str]) -> list[Check]:
    name = limit.measure.name
    checks = []
    for row in rows:
        if name in row:
            problem = f"{name} is {row[name]:.6g}, {limit.side} {limit.value:g}"
            checks.append(Check(str(limit), row["file"], "" if limit.is_met(row[name]) else problem))
    if not checks:
        return [Check(str(limit), "", f"no file has a {name}: there is nothing to measure")]
    return checks + [Check(str(limit), file, f"{name} is missing: it could not be measured") for file in missing]
