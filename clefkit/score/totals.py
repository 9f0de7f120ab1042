"""Many files in a few numbers: mean, median, and whether they reach what was asked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from clefkit.errors import InputError
from clefkit.score.kinds import measures

Rows = Sequence[Mapping[str, Any]]


def summary(rows: Rows, missing: int = 0) -> dict[str, Any]:
    """Mean and median over files, each file the same weight.

    rows: what `measure` found; missing: how many files could not be measured: they count as 0 in both
    returns: {"files": measured, "missing": ..., "mean": {measure: value}, "median": {...}}, the last two empty when
        there is nothing at all
    """
    names = [key for key in measures() if any(key in row for row in rows)]
    columns = {key: sorted([float(row[key]) for row in rows] + [0.0] * missing) for key in names}
    found: dict[str, Any] = {"files": len(rows), "missing": missing, "mean": {}, "median": {}}
    for key, values in columns.items():
        if values:
            found["mean"][key] = math.fsum(values) / len(values)
            found["median"][key] = (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2
    return found


def check(
    rows: Rows,
    minimum: Mapping[str, float],
    minimum_each: Mapping[str, float],
    expect: int | None = None,
    missing: int = 0,
) -> list[str]:
    """What was asked for and not reached, a sentence each; none when all is well.

    minimum: measure -> least mean over files; minimum_each: measure -> least value of every file
    expect: exactly so many files must have been measured
    missing: how many files could not be measured: they count as 0
    raises: InputError for a measure that does not exist
    """
    for key in [*minimum, *minimum_each]:
        if key not in measures():
            raise InputError(f"no measure is called {key}: `clefkit score --measures` lists them")
    unmet = []
    if expect is not None and len(rows) != expect:
        unmet.append(f"{len(rows)} measured, where {expect} files were expected")
    if (minimum or minimum_each) and not rows:
        return [*unmet, "a threshold was given, but nothing was measured"]
    mean = summary(rows, missing)["mean"]
    unmet += [
        f"the mean {key} is {mean[key]:.6g}, below {least:g}"
        for key, least in minimum.items()
        if not mean[key] >= least
    ]
    for key, least in minimum_each.items():
        unmet += [f"{row['file']}: {key} is {row[key]:.6g}, below {least:g}" for row in rows if not row[key] >= least]
        if missing and least > 0:
            unmet.append(f"{key} is 0, below {least:g}, for {missing} that could not be measured")
    return unmet
