"""Which estimate belongs to which reference, and what is measured of each pair."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from clefkit.errors import InputError
from clefkit.score.separation import FLOOR_DB, bss, ratios
from clefkit.score.separation.ratios import Sums, Values
from clefkit.score.separation.signals import Signals


def scores(signals: Signals, *, full: bool) -> dict[str, Any]:
    """What `compare` returns. full: ISR, SIR and SAR too

    raises: InputError when all references are silent, or there are too many stems for `full`
    """
    sums = ratios.sums(signals)
    sounding = np.flatnonzero(sums.reference.sum(axis=0) > 0)
    heard = np.flatnonzero(sums.estimate[:, :-1].sum(axis=0) > 0)
    if not len(sounding):
        raise InputError("all reference stems are silent")
    si_sdr = ratios.si_sdr(sums)
    rows, columns = linear_sum_assignment(si_sdr[np.ix_(sounding, heard)], maximize=True)
    pairs = dict(zip(sounding[rows].tolist(), heard[columns].tolist(), strict=True))
    counted = _counted(signals, sums, pairs)
    stems = [_row(sums, si_sdr, each, pairs.get(each), counted, mixed=signals.mixed) for each in sounding.tolist()]
    if full and counted.any():
        for name, values in bss.ratios(signals, sounding.tolist(), pairs, counted).items():
            for stem in stems:
                stem[name] = values[stem["reference"]]
    measures = [key for key in stems[0] if key not in ("reference", "estimate")]
    return {
        **{key: float(np.mean([stem[key] for stem in stems])) for key in measures},
        "stem_count_accuracy": float(len(sounding) == len(heard)),
        "ref_stems": len(sounding),
        "est_stems": len(heard),
        "silent_stems": sorted(set(range(signals.references)) - set(sounding.tolist())),
        "extra_stems": sorted(set(heard.tolist()) - set(pairs.values())),
        "cut_stems": signals.cut,
        "stems": stems,
    }


def _row(
    sums: Sums, si_sdr: Values, reference: int, estimate: int | None, counted: NDArray[np.bool_], *, mixed: bool
) -> dict[str, Any]:
    """The ratios of one reference with its estimate, or with silence."""
    energy = sums.reference[:, reference]
    distortion = energy if estimate is None else sums.distortion[:, reference, estimate]
    row: dict[str, Any] = {"reference": reference, "estimate": estimate}
    row["si_sdr"] = FLOOR_DB if estimate is None else float(si_sdr[reference, estimate])
    if mixed:
        row["si_sdr_improvement"] = row["si_sdr"] - float(si_sdr[reference, -1])
    if counted.any():
        row["sdr"] = float(np.median(ratios.decibels(energy[counted], distortion[counted], 0.0)))
    whole = ratios.decibels(energy.sum() + ratios.MDX_EPSILON, distortion.sum() + ratios.MDX_EPSILON, 0.0)
    return row | {"sdr_mdx": float(whole)}


def _counted(signals: Signals, sums: Sums, pairs: dict[int, int]) -> NDArray[np.bool_]:
    """Windows for the median: whole ones in which every stem sounds, references as well as the estimates given to them.

    References that are silent throughout are none.
    """
    reference = ~sums.reference_silent[:, sums.reference.sum(axis=0) > 0]
    estimate = ~sums.estimate_silent[:, list(pairs.values())]
    whole = np.arange(len(estimate)) < max(signals.length // signals.rate, 1)
    return np.asarray(reference.all(axis=1) & estimate.all(axis=1) & whole)
