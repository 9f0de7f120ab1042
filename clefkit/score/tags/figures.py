"""The numbers of a set of clips, each with its interval.

Average precision is the sum of precisions by steps of recall, ROC AUC counts a tie as half; both as scikit-learn does.
Everything is computed for many weights of the clips at once: 1 for all, then as often as a clip was drawn in each
replicate of the bootstrap (Efron, Bootstrap methods: another look at the jackknife, 1979), from a fixed seed.

Gains are relative to the mix, so a common shift of all is an error, too. They are compared where the truth says that
something sounds and how loud, and the finder says how loud, whether it thinks that it sounds or not.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clefkit.errors import InputError
from clefkit.score.tags import clips, events
from clefkit.score.tags.clips import Clip

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

THRESHOLD = 0.5
APART_DB = 3.0
SAME_DB = 1e-9
REPLICATES = (100, 1000)  # at least, at most
MOST_DRAWN = 100_000_000  # clips times tags times replicates, unless these are the least
FEW_TAGS = 20  # fewer save no replicate: memory is clips times replicates
MOST_CELLS = 20_000_000
BLOCK = 2_000_000  # numbers that are computed at once
PERCENTILES = (2.5, 97.5)
MOST_NAMED = 100


def compared(truth: list[Clip], found: list[Clip]) -> dict[str, Any]:
    """See `clefkit.score.tags.compare`."""
    pairs = clips.matched(truth, found)
    tags = sorted({tag for each in truth for tag in (*each.tags, *(segment.tag for segment in each.segments or ()))})
    if len(tags) * len(truth) > MOST_CELLS:
        raise InputError(f"{len(truth):,} clips with {len(tags):,} tags: more than {MOST_CELLS:,} probabilities")
    known, positive = _truth(truth, tags)
    probability = np.array([[each.tags.get(tag, 0.0) if each else 0.0 for tag in tags] for each in pairs])
    weights = _weights(len(truth), len(tags))
    values, classes = _tagged(tags, known, positive, probability.reshape(known.shape), weights)
    for name, (numerator, denominator) in _sums(truth, pairs, set(tags)).items():
        if denominator.sum():
            values[name] = _ratio(weights.T @ numerator, weights.T @ denominator)
    missing = [each.file for each, other in zip(truth, pairs, strict=True) if other is None]
    details = {
        "ref_clips": len(truth),
        "est_clips": len(truth) - len(missing),
        "missing_clips": _shown(missing),
        "other_tags": _shown(sorted({tag for each in found for tag in each.tags} - set(tags))),
        "intervals": {name: _interval(value) for name, value in values.items() if weights.shape[1] > 1},
        "classes": classes,
    }
    return {name: float(value[0]) for name, value in values.items()} | details


def _truth(truth: list[Clip], tags: list[str]) -> tuple[Flags, Flags]:
    """What is known, and what sounds; each (clips, tags)."""
    for each in truth:
        if not set(each.tags.values()) <= {0.0, 1.0}:
            raise InputError(f"{each.place} of the truth: a tag is neither 0 nor 1")
    known = np.array([[each.is_list or tag in each.tags for tag in tags] for each in truth], dtype=bool)
    positive = np.array([[each.tags.get(tag, 0.0) == 1.0 for tag in tags] for each in truth], dtype=bool)
    known, positive = (each.reshape(len(truth), len(tags)) for each in (known, positive))
    if not positive.any():
        raise InputError("the truth has no clip with a tag")
    if not any(each.is_list for each in truth) and not (known & ~positive).any():
        raise InputError("the truth says of no clip that it lacks a tag: list the tags, or say 0 where there are none")
    return known, positive


def _weights(count: int, tags: int) -> Floats:
    """(clips, 1 + replicates): once each, then as often as drawn. One clip says nothing of chance, so none is drawn."""
    least, most = REPLICATES
    replicates = min(max(MOST_DRAWN // (count * max(tags, FEW_TAGS)), least), most) if count > 1 else 0
    rng = np.random.default_rng(0)
    weights = np.ones((count, 1 + replicates), dtype=np.float64)
    for replicate in range(1, 1 + replicates):
        weights[:, replicate] = np.bincount(rng.integers(0, count, count), minlength=count)
    return weights


def _tagged(
    tags: list[str], known: Flags, positive: Flags, probability: Floats, weights: Floats
) -> tuple[dict[str, Floats], dict[str, dict[str, float]]]:
    """Measures of tags, (1 + replicates,) each, and what is behind them for each tag."""
    heard = known & (probability >= THRESHOLD)
    hits, false, lost = (
        weights.T @ each.astype(np.float64) for each in (heard & positive, heard & ~positive, positive & ~heard)
    )
    precision, recall = _ratio(hits, hits + false), _ratio(hits, hits + lost)
    f1 = np.where(hits + lost > 0, _ratio(2 * hits, 2 * hits + false + lost), np.nan)
    ranked = [
        _ranking(np.flatnonzero(rows), positive[:, tag], probability[:, tag], weights)
        for tag, rows in enumerate(known.T)
    ]
    average, area = (np.stack(each, axis=1) for each in zip(*ranked, strict=True))
    classes = {}
    for index, tag in enumerate(tags):
        low, high = _interval(f1[:, index])
        figures = {
            "ap": average[0, index],
            "roc_auc": area[0, index],
            "f1": f1[0, index],
            "f1_low": low,
            "f1_high": high,
            "precision": precision[0, index],
            "recall": recall[0, index],
        }
        counts = {"n_positive": int(positive[:, index].sum()), "n": int(known[:, index].sum())}
        classes[tag] = {key: float(value) for key, value in figures.items() if np.isfinite(value)} | counts
    micro = _ratio(2 * hits.sum(axis=1), (2 * hits + false + lost).sum(axis=1))
    values = {"tag_map": _mean(average), "tag_roc_auc": _mean(area), "tag_f1": _mean(f1), "tag_f1_micro": micro}
    return {name: value for name, value in values.items() if np.isfinite(value[0])}, classes


def _ranking(rows: NDArray[np.int64], positive: Flags, probability: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Average precision and ROC AUC of one tag, nan where there is no positive, or no negative, to rank.

    rows: of the clips that count; positive, probability: (clips,); weights: (clips, n); returns: (n,) twice
    """
    precision, area = np.full((2, weights.shape[1]), np.nan)
    if len(rows) == 0:
        return precision, area
    order = rows[np.argsort(-probability[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(probability[order], prepend=np.inf))  # of each probability
    width = max(BLOCK // len(order), 1)
    for first in range(0, weights.shape[1], width):
        block = slice(first, first + width)
        drawn = weights[:, block][order]
        right = np.add.reduceat(drawn * positive[order, None], starts, axis=0)
        told = np.add.reduceat(drawn, starts, axis=0)
        hits, all_told = right.cumsum(axis=0), told.cumsum(axis=0)
        precision[block] = _ratio((right * (hits / np.maximum(all_told, 1.0))).sum(axis=0), hits[-1])
        above = ((told - right) * (hits - right / 2)).sum(axis=0)
        area[block] = _ratio(above, hits[-1] * (all_told - hits)[-1])
    return precision, area


def _sums(truth: list[Clip], found: list[Clip | None], tags: set[str]) -> dict[str, tuple[Floats, Floats]]:
    """What is one sum by another over all clips: for each its share of both, (clips,)."""
    none = (0.0, 0.0)
    pairs = list(zip(truth, found, strict=True))
    gains = [_gains(each, other) if other else (none, none) for each, other in pairs]
    columns = {"gain_error_db": [error for error, _ in gains], "gain_order_accuracy": [order for _, order in gains]}
    if any(other and other.segments is not None for other in found):
        sounding = [
            events.counts(each.segments, (other and other.segments) or (), tags)
            if each.segments is not None
            else (none, none)
            for each, other in pairs
        ]
        columns = {
            "segment_based_f1": [segments for segments, _ in sounding],
            "event_based_f1": [whole for _, whole in sounding],
        } | columns
    return {name: (np.array(column)[:, 0], np.array(column)[:, 1]) for name, column in columns.items()}


def _gains(truth: Clip, found: Clip) -> tuple[tuple[float, float], tuple[float, float]]:
    """Sum of errors in dB and their number; pairs in the right order and all pairs."""
    both = [tag for tag in truth.gains_db if truth.tags.get(tag) == 1.0 and tag in found.gains_db]
    levels = [(truth.gains_db[tag], found.gains_db[tag]) for tag in both]
    error = sum(abs(true - heard) for true, heard in levels)
    pairs = [(a[0] - b[0], a[1] - b[1]) for a, b in itertools.combinations(levels, 2)]
    apart = [(true, heard) for true, heard in pairs if abs(true) >= APART_DB - SAME_DB]
    right = sum(true * heard > 0 for true, heard in apart)
    return (error, float(len(both))), (float(right), float(len(apart)))


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """nan where the denominator is 0"""
    return np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator > 0)


def _mean(values: Floats) -> Floats:
    """Over tags, of those that are defined. values: (rows, tags)"""
    defined = np.isfinite(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=1), defined.sum(axis=1).astype(np.float64))


def _interval(values: Floats) -> list[float]:
    """values: (1 + replicates,)"""
    drawn = values[1:][np.isfinite(values[1:])]
    low, high = np.percentile(drawn, PERCENTILES).tolist() if len(drawn) else (np.nan, np.nan)
    return [low, high]


def _shown(names: list[str]) -> list[str]:
    more = len(names) - MOST_NAMED
    return names if more <= 0 else [*names[:MOST_NAMED], f"and {more:,} more"]
