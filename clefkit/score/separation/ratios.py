"""Ratios of signal to distortion, for all pairs of a reference and an estimate at once.

With a reference `s` and an estimate `e`, over all samples of all channels:

- SI-SDR: 10 log10(|a s|² / |e - a s|²), a = <e, s> / |s|². One gain for all channels; a mean (DC) is no different from
  other sound, as in torchmetrics; asteroid and espnet take it away first, which changes numbers where there is one. Le
  Roux, Wisdom, Erdogan and Hershey 2019, "SDR - half-baked or well done?". At least -30 dB, where estimate and
  reference share a thousandth of the energy: as silence, for which it isn't defined.
- SDR: 10 log10(|s|² / |e - s|²) in windows of 1 s, the last one whole; their median. In BSS eval version 4 (Liutkus,
  Stöter and Ito 2018, "The 2018 signal separation evaluation campaign") the parts of the distortion are found with
  filters, but their sum needs none. As in museval, windows in which a reference or an estimate is silent don't count.
- SDR of the MDX challenges (Mitsufuji et al. 2022, "Music demixing challenge 2021"; the same in 2023): 10 log10((|s|² +
  1e-7) / (|e - s|² + 1e-7)) over the whole file. Silence has 0 dB.

No ratio is above 100 dB: there 24-bit files end.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.score.separation import CEILING_DB, FLOOR_DB
from clefkit.score.separation.signals import Block, Signals, Stems

MDX_EPSILON = 1e-7
Values = NDArray[np.float64]


class Sums(NamedTuple):
    """Energies by window, windows first. The mixture stands behind the estimates.

    reference: |s|²; estimate: |e|²; distortion: |e - s|² and lean: <e - s, s>, of each reference with each estimate
    reference_silent, estimate_silent: as museval says: the sum of the channels is zero
    """

    reference: Values
    estimate: Values
    distortion: Values
    lean: Values
    reference_silent: NDArray[np.bool_]
    estimate_silent: NDArray[np.bool_]


def decibels(numerator: Values, denominator: Values, silent: float) -> Values:
    """Of energies that are never negative. Where both are 0 it is `silent`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = 10 * np.log10(numerator / denominator)
    limited = np.nan_to_num(found, nan=silent, posinf=CEILING_DB, neginf=FLOOR_DB)
    return np.asarray(np.minimum(limited, CEILING_DB))


def si_sdr(sums: Sums) -> Values:
    """returns: dB, (references, estimates with the mixture), FLOOR_DB where either is silent"""
    energy, distortion, lean = (each.sum(axis=0) for each in (sums.reference[:, :, None], sums.distortion, sums.lean))
    known = energy > 0
    energy = np.where(known, energy, 1.0)
    # by e - s, which is small where it matters: |e|² - <e, s>² / |s|² would be all rounding in a good estimate
    target = np.where(known & (sums.estimate.sum(axis=0) > 0), np.square(energy + lean) / energy, 0.0)
    noise = np.maximum(distortion - np.square(lean) / energy, 0.0)
    return np.asarray(np.maximum(decibels(target, noise, FLOOR_DB), FLOOR_DB))


def sums(signals: Signals) -> Sums:
    """Reads all once."""
    rows = [_of_block(block) for block in signals.blocks()]
    return Sums(*(np.stack(each) for each in zip(*rows, strict=True)))


def _of_block(block: Block) -> Sums:
    true, found = block.references, np.concatenate([block.estimates, block.mixture[None]])
    rests = [[(other - one).ravel() for other in found] for one in true]
    return Sums(
        np.array([np.vdot(one, one) for one in true]),
        np.array([np.vdot(one, one) for one in found]),
        np.array([[np.vdot(rest, rest) for rest in row] for row in rests]),
        np.array([[np.vdot(rest, one) for rest in row] for one, row in zip(true, rests, strict=True)]),
        _silent(true),
        _silent(found),
    )


def _silent(stems: Stems) -> NDArray[np.bool_]:
    return np.asarray((stems.sum(axis=1) == 0).all(axis=1))
