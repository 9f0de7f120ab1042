"""Can counting tell spoilt music from music? Statistics of notes that know no relation between pitches, and a tree.

Windows of real music and the same windows spoilt, all brought to one last step (`settled`) and moved by the same few
semitones. A boosted tree learns on half of the works and judges the other half, and the other way round: an ROC-AUC of
.5 is no shortcut. What rises or falls in the course of a window (`course`) is counted apart: it is the order that a
shuffle destroys, and to hear it is no leak.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from excerpts import named
from numpy.random import Generator
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from clefkit.critique.corrupt import DURATION, ONSET, PITCH, VELOCITY, Table, clusters, settled

Spoil = Callable[[Table, Generator], Table]
Counted = Iterator[tuple[str, Any]]

WINDOW_MS = 10_000
LEAST_NOTES = 12
NEAR_MS = 12  # ends and onsets that may be meant to be one
SHARES = (5, 25, 50, 75, 95)
OCTAVES = np.arange(3.0, 13.5, 0.5)  # edges of histograms of log2 milliseconds


class Audit(NamedTuple):
    """auc: mean over the halves; error: its standard error; windows: how many real ones, and as many spoilt

    gains: by statistic, how much AUC is lost when it is shuffled among the windows; {} when nobody asked
    """

    auc: float
    error: float
    windows: int
    gains: dict[str, float]


def works() -> list[list[Table]]:
    """The pieces of `excerpts`, by work."""
    found: dict[str, list[Table]] = {}
    for name, notes in named().items():
        found.setdefault(name.split()[0], []).append(notes)
    return list(found.values())


def statistics(notes: Table, *, course: bool = False) -> dict[str, float]:
    """What can be counted. notes: (notes, 4), in order of onset"""
    counted = (_amounts, _lengths, _steps, _ends, _loudness, *((_course,) if course else ()))
    return {name: float(value) for count in counted for name, value in count(notes)}


def _amounts(notes: Table) -> Counted:
    which, _ = clusters(notes[:, ONSET])
    size = np.bincount(which)
    yield "notes", len(notes)
    yield "onsets", len(size)
    yield "chord mean", size.mean()
    yield "chord max", size.max()
    yield "chord entropy", _entropy(np.bincount(size).astype(float))
    yield "single", (size == 1).mean()
    yield "chord next", _correlation(size[:-1], size[1:])
    inside = notes[:, ONSET] - notes[np.searchsorted(which, which), ONSET]
    yield "spread", inside.mean()
    yield "spread max", inside.max()
    yield "spread zero", (inside == 0).mean()
    yield "range", np.ptp(notes[:, PITCH])
    yield "pitch deviation", notes[:, PITCH].std()
    yield from zip([f"pitch {share}" for share in SHARES], np.percentile(notes[:, PITCH], SHARES), strict=True)
    for name, column in (("length", np.log2(notes[:, DURATION])), ("loudness", notes[:, VELOCITY])):
        yield f"pitch with {name}", _correlation(notes[:, PITCH], column)


def _lengths(notes: Table) -> Counted:
    duration = notes[:, DURATION]
    long = np.log2(duration)
    yield from zip([f"length {share}" for share in SHARES], np.percentile(long, SHARES), strict=True)
    yield "length least", long.min()
    yield "length most", long.max()
    yield "length mean", long.mean()
    yield "length deviation", long.std()
    yield "length entropy", _entropy(np.histogram(long, OCTAVES)[0])
    values, counts = np.unique(duration, return_counts=True)
    yield "lengths", len(values) / len(notes)
    yield "length commonest", counts.max() / len(notes)
    yield "length next", _correlation(long[:-1], long[1:])
    yield "length jump", np.abs(np.diff(long)).mean()


def _steps(notes: Table) -> Counted:
    _, first = clusters(notes[:, ONSET])
    start = notes[first, ONSET].astype(np.int64)
    step = np.diff(start) if len(start) > 1 else np.array([WINDOW_MS])
    long = np.log2(step)
    yield "span", start[-1] - start[0]
    yield from zip([f"step {share}" for share in SHARES], np.percentile(long, SHARES), strict=True)
    yield "step least", long.min()
    yield "step most", long.max()
    yield "step deviation", long.std()
    yield "step entropy", _entropy(np.histogram(long, OCTAVES)[0])
    values, counts = np.unique(step, return_counts=True)
    yield "steps", len(values) / len(step)
    yield "step commonest", counts.max() / len(step)
    yield "step next", _correlation(long[:-1], long[1:])
    yield "step next but one", _correlation(long[:-2], long[2:])
    yield "step jump", np.abs(np.diff(long)).mean() if len(long) > 1 else 0.0
    yield "step same", (np.abs(np.diff(long)) < 0.1).mean() if len(long) > 1 else 0.0
    yield "step last", long[-1] - np.median(long)
    yield "step first", long[0] - np.median(long)


def _ends(notes: Table) -> Counted:
    """How notes end: together, at onsets, into other notes, before silence."""
    onset, end = notes[:, ONSET].astype(np.int64), notes[:, ONSET].astype(np.int64) + notes[:, DURATION]
    ends, starts = np.sort(end), np.unique(onset)
    yield "ends shared", (np.diff(ends) == 0).mean()
    yield "ends near", (np.diff(ends) <= NEAR_MS).mean()
    together = np.searchsorted(ends, ends + NEAR_MS, side="right") - np.searchsorted(ends, ends)
    yield "ends together", together.max()
    sounding = np.searchsorted(onset, starts, side="right") - np.searchsorted(ends, starts, side="right")
    held = np.searchsorted(onset, starts) - np.searchsorted(ends, starts, side="right")
    yield from zip(("voices 50", "voices 95"), np.percentile(sounding, (50, 95)), strict=True)
    yield "voices mean", sounding.mean()
    yield "voices max", sounding.max()
    yield "held mean", held.mean()
    yield "held max", held.max()
    yield "held none", (held == 0).mean()
    yield "held next", _correlation(sounding[:-1], sounding[1:])
    following = np.searchsorted(starts, end - NEAR_MS)
    known = following < len(starts)
    gap = starts[following[known]] - end[known] if known.any() else np.zeros(1)
    yield "legato", (gap <= NEAR_MS).mean()
    yield "legato exact", (gap == 0).mean()
    yield from zip(("gap 25", "gap 50", "gap 75"), np.percentile(gap, (25, 50, 75)), strict=True)
    yield "gap deviation", gap.std()
    passed = following - np.searchsorted(starts, onset, side="right")
    yield "passed mean", passed.mean()
    yield "passed max", passed.max()
    yield "rings past", (end > onset[-1]).sum()
    yield "past the last", end.max() - onset[-1]
    upto = np.maximum.accumulate(end)[:-1]
    silence = np.maximum(onset[1:] - upto, 0)
    yield "silence", silence.sum()
    yield "silence most", silence.max()
    yield "silences", (silence > NEAR_MS).sum()


def _loudness(notes: Table) -> Counted:
    loud = notes[:, VELOCITY].astype(np.float64)
    which, _ = clusters(notes[:, ONSET])
    mean = np.bincount(which, loud) / np.bincount(which)
    yield from zip(("loud 5", "loud 50", "loud 95"), np.percentile(loud, (5, 50, 95)), strict=True)
    yield "loud deviation", loud.std()
    yield "loudnesses", len(np.unique(loud)) / len(loud)
    yield "loud next", _correlation(mean[:-1], mean[1:])
    yield "loud jump", np.abs(np.diff(mean)).mean() if len(mean) > 1 else 0.0
    yield "loud jump most", np.abs(np.diff(mean)).max() if len(mean) > 1 else 0.0
    yield "loud in chords", np.sqrt(np.mean((loud - mean[which]) ** 2))
    yield "loud with length", _correlation(loud, np.log2(notes[:, DURATION]))


def _course(notes: Table) -> Counted:
    """What rises or falls from the start to the end, and how the halves differ."""
    onset = notes[:, ONSET].astype(np.float64)
    step = np.log2(np.maximum(np.diff(onset), 1)) if len(onset) > 1 else np.zeros(1)
    yield "loud in time", _correlation(onset, notes[:, VELOCITY])
    yield "length in time", _correlation(onset, np.log2(notes[:, DURATION]))
    yield "step in time", _correlation(onset[1:], step)
    middle = (onset[0] + onset[-1]) / 2
    yield "second half", (onset > middle).mean()
    fifths = np.histogram(onset, 5)[0]
    yield "fifths", fifths.std() / fifths.mean()
    yield "first", (onset < onset[0] + 1000).sum()
    yield "last", (onset > onset[-1] - 1000).sum()


def _entropy(counts: NDArray[Any]) -> float:
    share = counts[counts > 0] / max(counts.sum(), 1)
    return float(-(share * np.log2(share)).sum())


def _correlation(one: NDArray[Any], other: NDArray[Any]) -> float:
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def windows(found: Sequence[Sequence[Table]], each: int, generator: Generator) -> list[list[Table]]:
    """Stretches of 10 s, by work. each: how many of every piece"""
    cut = [[_stretch(notes, generator) for notes in pieces for _ in range(each)] for pieces in found]
    return [[window for window in some if len(window) >= LEAST_NOTES] for some in cut]


def _stretch(notes: Table, generator: Generator) -> Table:
    start = generator.integers(notes[0, ONSET], max(notes[-1, ONSET] - WINDOW_MS, notes[0, ONSET]) + 1)
    first, end = np.searchsorted(notes[:, ONSET], [start, start + WINDOW_MS])
    return notes[first:end].copy()


def audit(
    found: Sequence[Sequence[Table]], spoil: Spoil, seed: int, *, course: bool = False, explained: bool = False
) -> Audit:
    """How well a tree tells windows from what `spoil` makes of them.

    found: windows by work
    """
    generator = np.random.default_rng(seed)
    moved = [[_transposed(window, generator) for window in work] for work in found]
    real = [_rows([settled(window) for window in work], course) for work in moved]
    spoilt = [_rows([spoil(window, generator) for window in work], course) for work in moved]
    names = list(statistics(moved[0][0], course=course))
    halves = generator.permutation(len(found)) % 2
    scores, gains = [], np.zeros(len(names))
    for half in (0, 1):
        tree = HistGradientBoostingClassifier(
            max_iter=120, learning_rate=0.08, max_leaf_nodes=12, min_samples_leaf=8, l2_regularization=1.0,
            random_state=seed,
        )  # fmt: skip
        tree.fit(*_labelled(real, spoilt, halves != half))
        rows, label = _labelled(real, spoilt, halves == half)
        scores.append(_auc(tree, rows, label))
        if explained:
            gains += [scores[-1] - _auc(tree, _mixed(rows, each, generator), label) for each in range(len(names))]
    count = sum(map(len, real))
    told = dict(zip(names, (gains / 2).tolist(), strict=True)) if explained else {}
    return Audit(float(np.mean(scores)), _error(float(np.mean(scores)), count), count, told)


def _transposed(notes: Table, generator: Generator) -> Table:
    """By a few semitones: how high a note is may be counted, but not whether it is a C or a C sharp."""
    return notes + np.array([0, 0, generator.integers(-3, 4), 0], np.int32)


def _rows(found: list[Table], course: bool) -> NDArray[np.float64]:
    return np.array([list(statistics(notes, course=course).values()) for notes in found])


def _labelled(
    real: list[NDArray[np.float64]], spoilt: list[NDArray[np.float64]], chosen: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    good, bad = ([rows[index] for index in np.flatnonzero(chosen) if len(rows[index])] for rows in (real, spoilt))
    label = np.repeat([0, 1], [sum(map(len, good)), sum(map(len, bad))])
    return np.concatenate(good + bad), label


def _auc(tree: HistGradientBoostingClassifier, rows: NDArray[np.float64], label: NDArray[np.int64]) -> float:
    return float(roc_auc_score(label, tree.predict_proba(rows)[:, 1]))


def _mixed(rows: NDArray[np.float64], column: int, generator: Generator) -> NDArray[np.float64]:
    found = rows.copy()
    found[:, column] = generator.permutation(found[:, column])
    return found


def _error(auc: float, count: int) -> float:
    """Hanley and McNeil, The meaning and use of the area under a ROC curve, 1982; for `count` of each sort."""
    one, two = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    return float(np.sqrt((auc * (1 - auc) + (count - 1) * (one + two - 2 * auc**2)) / count**2))
