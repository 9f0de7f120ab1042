"""From a trained network for tags to a checkpoint: calibration, figures, files.

Logits become probabilities by one scale, and a bias for each name (Platt 1999, "Probabilistic outputs for support
vector machines"), fitted on trials of instruments that it never learnt from: of clips, then of cells. Biases are held
near their mean where there are few trials of a name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from scipy.optimize import least_squares, minimize

from clefkit import graph
from clefkit.nets.tag import Tag
from clefkit.tag import decide, hearing
from clefkit.tag.hearing import BANDS, CHANNELS, FRAMES
from clefkit.tag.infer import NAMES, OUTPUTS, Calibration, Heard, Model
from clefkit.tag.vocabulary import DESCRIBED, LEAVES
from clefkit.train import export
from clefkit.train.tag import judge, measured, mix, units
from clefkit.train.tag.judge import Trial
from clefkit.train.tag.mix import Stock
from clefkit.train.tag.units import ON, UNSURE, Units

Floats = NDArray[np.float64]

TRIALS = 400  # of each kind and set
SEED = 0
LEAST_UNITS = 20
FONTS = ("FluidR3", "MuseScore", "OPL", "GeneralUser")
SETS = (("heldout", "heldout-validation-???.npy", ""), ("real", "validation-???.npy", "real"))
HELD = 0.02  # how strongly biases are held near their mean
THRESHOLDS = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)  # that are tried
BINS = 15  # of the expected calibration error


class Judged(NamedTuple):
    """What the network, calibrated, says of trials."""

    trials: list[Trial]
    said: list[Heard]


def sets(bank: Path) -> dict[str, Stock]:
    """Units of a bank that nothing was learnt from: by held-out instruments, real ones, or else all for validation."""
    found = {}
    for name, pattern, only in SETS:
        paths = [path for path in sorted(bank.glob(pattern)) if path.with_suffix(".npz").is_file()]
        shards = [_those(units.load(path), only) for path in paths]
        if sum(len(shard.leaf) for shard in shards) >= LEAST_UNITS:
            width = len(DESCRIBED)
            found[name] = mix.stock(shards, [np.full((len(each.leaf), width), np.nan, np.float32) for each in shards])
    return found


def _those(units: Units, only: str) -> Units:
    """Those that no soundfont plays, for "real"; else all, but for what nobody plays."""
    there = np.array([by != "" and (only != "real" or not by.startswith(FONTS)) for by in units.by], dtype=bool)
    return Units(units.sound[there], units.names[there], units.leaf[there], units.by[there], units.powers[there])


def onnx_graph(network: Tag) -> bytes:
    """For ONNX Runtime: "seen" (1, CHANNELS, frames, BANDS), whole cells, to what `nets.tag.Heard` names."""
    example = (torch.zeros(1, CHANNELS, 8 * FRAMES, BANDS),)
    axes = {"seen": {2: "frames"}, "cells": {1: "cells"}, "shares": {1: "cells"}}
    return export.graph(network.eval(), example, ["seen"], list(OUTPUTS), axes)


def plain(network: bytes) -> Model:
    """A network not calibrated yet."""
    ones, zeros = np.ones(len(NAMES)), np.zeros(len(NAMES))
    width = len(DESCRIBED)
    session = graph.session(network, "tag")
    return Model(
        session,
        Calibration(ones, zeros, ones, zeros, np.array([0.0, 1.0, 0.0])),
        tuple(DESCRIBED),
        np.zeros(width),
        np.ones(width),
        0.5,
    )


def calibrated(model: Model, trials: Sequence[Trial]) -> Calibration:
    """Fitted on trials."""
    said = judge.heard(model, trials)
    clip = _fitted(_logit(np.array([each.clip for each in said])), np.array([trial.clip for trial in trials]))
    cells = np.concatenate([each.cells.astype(float) for each in said])
    truth = np.concatenate([trial.cells for trial in trials])
    return Calibration(*clip, *_fitted(_logit(cells), truth), model.calibration.gain)


def _weighed(mixtures: Iterable[Judged], gain: Floats) -> Floats:
    """What the likely gains of mixtures are made of: the least mean error in decibels. gain: where nothing is known"""
    rows, wanted = [], []
    for trial, said in (pair for judged in mixtures for pair in zip(judged.trials, judged.said, strict=True)):
        told = decide.reckoned(said)
        for name, true_db in trial.truth["gains_db"].items():
            rows.append(told[LEAVES.index(name)])
            wanted.append(true_db)
    if not rows:
        return gain
    given, true = np.array(rows), np.array(wanted)
    return np.asarray(least_squares(lambda each: given @ each - true, [0.0, 0.6, 0.2], loss="soft_l1", f_scale=0.3).x)


def write(folder: Path, network: Tag, stocks: dict[str, Stock], about: dict[str, Any], bank: Path) -> dict[str, float]:
    """Write all but the card.

    stocks: of units that it never learnt from, by name: calibrated on all of them, measured on each
    about: what the config says of itself; bank: has the scale of the descriptors
    returns: the figures
    """
    onnx = onnx_graph(network)
    trials = {(name, alone): list(judge.trials(stock, TRIALS, SEED, alone=alone))
              for name, stock in stocks.items() for alone in (True, False)}  # fmt: skip
    model = plain(onnx)
    model = model._replace(calibration=calibrated(model, [trial for each in trials.values() for trial in each]))
    judged = {key: Judged(each, judge.heard(model, each)) for key, each in trials.items()}
    model = _decided(model, [each for (_, alone), each in judged.items() if not alone])
    figures = _figures(model, judged)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(onnx)
    weights = save({name: export.half(tensor) for name, tensor in network.state_dict().items()})
    (folder / "weights.safetensors").write_bytes(weights)
    config: dict[str, Any] = {
        "net": "tag",
        "rate_hz": hearing.RATE,
        "sha256": hashlib.sha256(onnx).hexdigest(),
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "parameters": export.parameters(network),
        "leaves": list(LEAVES),
        "descriptors": list(DESCRIBED),
        "threshold": model.threshold,
    }
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in (config | about).items()]
    lines += ["", "[calibration]"]
    mean, deviation = measured.scale(bank)
    numbers = {**model.calibration._asdict(), "mean": mean, "deviation": deviation}
    lines += [f"{key} = {[round(float(value), 4) for value in values]}" for key, values in numbers.items()]
    lines += ["", "[measured]"]
    lines += [f"{key} = {{ value = {value}, on = {json.dumps(ON_WHAT)} }}" for key, value in figures.items()]
    (folder / "config.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return figures


ON_WHAT = "trials of 1 to 4 s of the validation split, on which it was calibrated"


def calibration_error(probability: Floats, truth: NDArray[np.int8]) -> float:
    """Expected calibration error (Naeini, Cooper, Hauskrecht 2015) of all names together; what is UNSURE left out."""
    known = truth != UNSURE
    said, true = probability[known], (truth[known] == ON).astype(float)
    bins = np.minimum((said * BINS).astype(int), BINS - 1)
    off = [
        abs(said[bins == each].mean() - true[bins == each].mean()) * (bins == each).mean() for each in np.unique(bins)
    ]
    return float(np.sum(off))


def _figures(model: Model, judged: dict[tuple[str, bool], Judged]) -> dict[str, float]:
    found: dict[str, float] = {}
    for (name, alone), (trials, said) in judged.items():
        truth, clip = np.array([trial.clip for trial in trials]), np.array([one.clip for one in said])
        what = f"{name}_{'solo' if alone else 'mix'}"
        if alone:
            found |= {f"{what}_{key}": value for key, value in judge.solo(trials, said).items()}
        found |= {f"{what}_{key}": value for key, value in judge.together(trials, said, model).items()}
        count = len(LEAVES)
        found[f"{what}_calibration_error"] = round(calibration_error(clip[:, :count], truth[:, :count]), 4)
    return found


def _decided(model: Model, mixtures: Sequence[Judged]) -> Model:
    """With gains that fit mixtures best, and the threshold at which their segments are found best, mean over sets."""
    gain = _weighed(mixtures, model.calibration.gain)
    model = model._replace(calibration=model.calibration._replace(gain=gain))
    tried = [model._replace(threshold=threshold) for threshold in THRESHOLDS]
    found = [np.mean([judge.together(*each, one).get("segment_based_f1", 0.0) for each in mixtures]) for one in tried]
    return tried[int(np.argmax(found))]


def _fitted(logits: Floats, truth: NDArray[np.int8]) -> tuple[Floats, Floats]:
    """A scale for all names, and a bias for each. logits, truth: (examples, names)"""
    known, wanted = truth != UNSURE, (truth == ON).astype(float)
    names = logits.shape[1]

    def off(numbers: Floats) -> tuple[float, Floats]:
        scale, bias = np.exp(numbers[0]), numbers[1:]
        value = scale * logits + bias
        entropy = np.where(known, np.logaddexp(0, value) - wanted * value, 0.0)
        slope = np.where(known, 1 / (1 + np.exp(-value)) - wanted, 0.0) / known.sum()
        apart = bias - bias.mean()
        loss = entropy.sum() / known.sum() + HELD * np.mean(apart**2)
        gradient = np.concatenate(
            [[float((slope * logits).sum() * scale)], slope.sum(axis=0) + 2 * HELD * apart / names]
        )
        return float(loss), gradient

    best = minimize(off, np.zeros(1 + names), jac=True, method="L-BFGS-B").x
    return np.full(names, np.exp(best[0])), best[1:]


def _logit(probability: Floats) -> Floats:
    clipped = np.clip(probability, 1e-7, 1 - 1e-7)
    return np.asarray(np.log(clipped / (1 - clipped)))
