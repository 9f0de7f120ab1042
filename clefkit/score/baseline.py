"""Is it worse than last time? The figures of a set of files, kept in a file and compared with.

A baseline is a JSON file: `measures` lists what is judged, `files` the figures of each file. It is written by
`--update-baseline` and meant to be checked in; take a measure out of `measures` and it is judged no more. What is
judged is the mean of each measure over the files of the baseline. One that is not there any more counts as missing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from clefkit.errors import UsageError
from clefkit.record import encode
from clefkit.score.gate import Check, named
from clefkit.score.kinds import Measure, measures
from clefkit.score.totals import means

TOLERANCE = 0.01  # of measures from 0 to 1
TOLERANCE_WITH_UNIT = 0.1  # of those in dB and the like
MOST_FILES = 5  # shown of a measure that fell

Rows = Mapping[str, Mapping[str, Any]]  # by name


class Baseline(NamedTuple):
    """measures: names of those that are judged; files: name -> figures"""

    kind: str
    protocol: str
    measures: list[str]
    files: dict[str, dict[str, float]]


class Comparison(NamedTuple):
    """checks: one a measure; fell: rows that tell where; notes: what has grown better, and new files"""

    checks: list[Check]
    fell: list[dict[str, Any]]
    notes: list[str]


def read(path: Path) -> Baseline:
    """raises: UsageError when it is no baseline"""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        files = {name: {key: _finite(value) for key, value in row.items()} for name, row in data["files"].items()}
        found = Baseline(str(data["kind"]), str(data["protocol"]), [str(name) for name in data["measures"]], files)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such baseline: --update-baseline makes it") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path}: not a baseline: --update-baseline makes one") from error
    if not found.files or not found.measures:
        raise UsageError(f"{path}: a baseline of no files or no measures judges nothing")
    known = measures()
    for name in found.measures:
        if name not in known or not any(name in row for row in files.values()):
            raise UsageError(f"{path}: it judges {name!r}, which {'no file of it has' if name in known else 'is none'}")
    return found


def _finite(value: Any) -> float:
    if not math.isfinite(value):
        raise ValueError(value)
    return float(value)


def text(rows: Rows, judged: Sequence[str] | None) -> str:
    """The file for these findings, which are of one kind. judged: the measures to judge; None is all."""
    first = next(iter(rows.values()))
    names = [name for name in measures() if any(name in row for row in rows.values())]
    files = {file: {name: row[name] for name in names if name in row} for file, row in sorted(rows.items())}
    judged = names if judged is None else [name for name in judged if name in names]
    return encode(
        {"clefkit": "baseline", "kind": first["kind"], "protocol": first["protocol"], "measures": judged}
        | {"files": files}
    )


def tolerances(texts: Sequence[str]) -> dict[str, float]:
    """How far each measure may fall, from texts like "0.02" (all) and "sdr=0.5". Raises UsageError."""
    found = {name: TOLERANCE_WITH_UNIT if each.unit else TOLERANCE for name, each in measures().items()}
    for each in sorted(texts, key=lambda text: "=" in text):  # those of single measures come last
        if "=" in each:
            found[named(each)[0].name] = _number(each.partition("=")[2])
        else:
            found = dict.fromkeys(found, _number(each))
    return found


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise UsageError(f"--tolerance {text}: give a number, or MEASURE=NUMBER") from error
    if not value >= 0:
        raise UsageError(f"--tolerance {text}: it must not be negative")
    return value


def compare(before: Baseline, now: Rows, tolerance: Mapping[str, float]) -> Comparison:
    """Judge findings by a baseline. now: findings by name; files that could not be measured are not among them"""
    for key, wanted in (("kind", before.kind), ("protocol", before.protocol)):
        others = sorted({str(row[key]) for row in now.values()} - {wanted})
        if others:
            problem = f"the baseline is of the {key} {wanted}, not {others[0]}: --update-baseline, when that is meant"
            return Comparison([Check(f"same {key} as the baseline", "", problem)], [], [])
    there = {name: row for name, row in now.items() if name in before.files}
    then = means(list(before.files.values()))
    today = means(list(there.values()), len(before.files) - len(there), before.measures)
    result = Comparison([], [], [])
    for name in before.measures:
        was = then[name]
        assert was is not None
        _judge(result, measures()[name], was, today.get(name), tolerance[name], before, there)
    new = [name for name in now if name not in before.files]
    if new:
        result.notes.append(f"{len(new)} not in the baseline, such as {new[0]}: --update-baseline takes them in")
    return result


def _judge(
    result: Comparison,
    measure: Measure,
    was: float,
    mean: float | None,
    tolerance: float,
    before: Baseline,
    there: Rows,
) -> None:
    name = measure.name
    if mean is None:
        result.checks.append(Check(f"{name} as before", "", f"{name} was {was:.6g} and can't be told now"))
        return
    loss = was - mean if measure.higher_is_better else mean - was
    if loss <= tolerance:  # a number that is none is no success
        result.checks.append(Check(f"{name} as before", "", ""))
        if loss < -tolerance:
            result.notes.append(f"{name} is better than the baseline, {mean:.4g} after {was:.4g}: --update-baseline")
        return
    verb = "fell" if measure.higher_is_better else "rose"
    problem = f"{name} {verb} from {was:.4g} to {mean:.4g}, by more than {tolerance:g}"
    result.checks.append(Check(f"{name} as before", "", problem))
    result.fell.append({"measure": name, "file": "mean", "baseline": was, "now": mean, "change": mean - was})
    result.fell.extend(_worst(measure, before, there))


def _worst(measure: Measure, before: Baseline, there: Rows) -> list[dict[str, Any]]:
    """The files that lost most."""
    sign = 1.0 if measure.higher_is_better else -1.0
    rows = []
    for file, figures in before.files.items():
        was = figures.get(measure.name)
        if was is None:
            continue
        now = there.get(file, {}).get(measure.name, measure.missing)
        change = 0.0 if now is None else now - was
        if now is None or sign * change < 0:
            rows.append({"measure": measure.name, "file": file, "baseline": was, "now": now, "change": change})
    rows.sort(key=lambda row: (row["now"] is not None, sign * row["change"]))
    return rows[:MOST_FILES]
