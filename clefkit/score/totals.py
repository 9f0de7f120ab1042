"""Many files in a few numbers: mean with its 95 % interval, and median, of each measure.

Each file has the same weight. A file that could not be measured counts as `Measure.missing`, mostly 0; where no number
would be fair, a measure has no mean while a file is missing. Files for which a measure makes no sense are left out of
it. Intervals are percentiles of the means of 2,000 samples drawn with replacement from the files (Efron, Bootstrap
methods, 1979), always the same samples.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from clefkit.score.kinds import Measure, measures

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

SAMPLES = 2_000
AT_ONCE = 8_000_000  # numbers held while sampling
LEAST_FILES = 2

Rows = Sequence[Mapping[str, Any]]


class Total(NamedTuple):
    """files: measured; missing: counted though not measured; low, high: of the mean's interval; of a single file what
    it says itself (of its clips), if anything; mean, median: None when a missing file can't be counted"""

    measure: str
    files: int
    missing: int
    mean: float | None
    low: float | None
    high: float | None
    median: float | None


def means(rows: Rows, missing: int = 0, names: Collection[str] | None = None) -> dict[str, float | None]:
    """The means of these measures, in their order, but for those that no file has or misses; None where a missing file
    can't be counted.

    rows: what `score.measure` found; missing: how many files could not be measured
    names: measures, None for all that some row has
    """
    chosen = {name for row in rows for name in row} if names is None else set(names)
    found: dict[str, float | None] = {}
    for name, each in measures().items():
        if name not in chosen:
            continue
        values = [float(row[name]) for row in rows if name in row]
        if missing and each.missing is None:
            found[name] = None
        elif values or missing:
            values += [each.missing or 0.0] * missing
            found[name] = math.fsum(values) / len(values)
    return found


def summary(rows: Rows, missing: int = 0, names: Collection[str] | None = None) -> dict[str, Total]:
    """All totals of these measures. As `means`, but slower, for it draws samples."""
    import numpy as np

    mean, known = means(rows, missing, names), measures()
    if not mean:
        return {}
    values = np.array([[float(row.get(name, np.nan)) for name in mean] for row in rows]).reshape(-1, len(mean))
    present = np.array([[name in row for name in mean] for row in rows], dtype=bool).reshape(-1, len(mean))
    files = present.sum(axis=0).tolist()
    values, present = _filled(values, present, [known[name] for name in mean], missing)
    intervals = _intervals(values, present)
    totals = {}
    for column, (name, middle) in enumerate(mean.items()):
        here = values[present[:, column], column]
        if middle is None:
            totals[name] = Total(name, files[column], missing, None, None, None, None)
            continue
        low, high = intervals[:, column].tolist() if len(here) >= LEAST_FILES else _own(rows, name)
        totals[name] = Total(name, files[column], missing, middle, low, high, float(np.median(here)))
    return totals


def _own(rows: Rows, name: str) -> tuple[float | None, float | None]:
    """The interval that the only file has of its own."""
    low, high = next((row["intervals"].get(name) for row in rows if "intervals" in row), None) or (None, None)
    return low, high


def _filled(
    values: Values, present: NDArray[np.bool_], of: list[Measure], missing: int
) -> tuple[Values, NDArray[np.bool_]]:
    """The table with a row for each missing file."""
    import numpy as np

    worst = np.array([0.0 if each.missing is None else each.missing for each in of])
    values = np.concatenate([values, np.tile(worst, (missing, 1))])
    return values, np.concatenate([present, np.ones((missing, len(of)), dtype=bool)])


def _intervals(values: Values, present: NDArray[np.bool_]) -> Values:
    """(2, measures): where the means of samples lie with 95 %."""
    import numpy as np

    rng = np.random.default_rng(0)
    count = len(values)
    chances = np.full(count, 1 / count)
    known = np.where(present, values, 0.0)
    drawn_means = []
    for _ in range(0, SAMPLES, step := max(1, min(SAMPLES, AT_ONCE // count))):
        drawn = rng.multinomial(count, chances, size=step).astype(np.float64)
        sums, weights = drawn @ known, drawn @ present.astype(np.float64)
        drawn_means.append(np.divide(sums, weights, out=np.full_like(sums, np.nan), where=weights > 0))
    table = np.concatenate(drawn_means)
    some = np.isfinite(table).any(axis=0)  # a measure that few files have is in few samples
    found = np.full((2, values.shape[1]), np.nan)
    found[:, some] = np.nanpercentile(table[:, some], [2.5, 97.5], axis=0)
    return found
