"""From a trained critic to a checkpoint: calibration, thresholds, figures, files.

All is chosen on validation pieces. The odds of each fault and a scale are fitted for each domain on real excerpts and
twins of every kind and severity; then the bias is set so that 96 of 100 real excerpts have .5 or more: who
asks a critic wants to hear of faults, not of false alarms. The percentile is that among real excerpts. The thresholds
of the marks are those with the best F-measure of notes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from scipy.optimize import minimize

from clefkit.critique import context, infer, reading, rolls
from clefkit.critique.infer import MARKS, QUANTILES, Critic
from clefkit.nets import critic, critic_roll
from clefkit.nets.critic_roll import CriticRoll
from clefkit.train import export, transcripts, trial
from clefkit.train.pieces import Piece
from clefkit.train.trial import REAL, Case
from clefkit.transcribe import graph

REAL_KEPT = 0.96
EXCERPTS = 40  # of each collection and domain
SEED = 0
ON = "excerpts of 30 s of the validation split, on which it was calibrated"
RECORDED = 36  # excerpts that are played and transcribed
FINEST = np.arange(0.1, 0.96, 0.025)
JUDGED = {"pitch": ("off-key", "noise", "stray"), "time": ("rhythm",), "order": ("shuffle",)}


class Heard:
    """What a network says of cases, asked once."""

    def __init__(self, net: str, network: bytes, cases: Sequence[Case], domain: str | None = None) -> None:
        asked = Critic(net, graph.session(network, net), {}, {})
        said = infer.ask(asked, [case.notes for case in cases])
        self.cases = cases
        self.verdict = said.verdict
        self.marks = [np.asarray(1 / (1 + np.exp(-each)), np.float32) for each in said.notes]
        self.domains = np.array([domain or reading.domain(case.notes) for case in cases])


def onnx_graph(network: torch.nn.Module) -> bytes:
    """For ONNX Runtime: "seen" (stretches, notes, SEEN) and "mask" (stretches, notes) to what `nets.critic` names, or
    "roll" (stretches, KEYS, FRAMES) to what `nets.critic_roll` does."""
    if isinstance(network, CriticRoll):
        pictures = (torch.zeros(1, rolls.KEYS, rolls.FRAMES),)  # one, as recurrent layers are traced
        axes = {name: {0: "stretches"} for name in ("roll", *critic_roll.Judged._fields)}
        return export.graph(network.eval(), pictures, ["roll"], list(critic_roll.Judged._fields), axes)
    example = (torch.zeros(2, 24, context.SEEN), torch.ones(2, 24))
    both = {0: "stretches", 1: "notes"}
    axes = dict.fromkeys(("seen", "mask", "notes", "shift", "weight"), both) | {"verdict": {0: "stretches"}}
    return export.graph(network.eval(), example, ["seen", "mask"], list(critic.Judged._fields), axes)


def calibrated(heard: Heard, domain: str) -> dict[str, Any]:
    """For the config: weights of the verdicts, and quantiles of real music."""
    kinds = np.array([case.kind for case in heard.cases])
    mine = heard.domains == domain
    harmless = np.isin(kinds, list(trial.HARMLESS))
    real, fake = mine & (kinds == REAL), mine & (kinds != REAL) & ~harmless
    odds, scale = _fitted(heard.verdict, real, fake)
    logits = -scale * infer.spoilt(heard.verdict, odds)
    bias = float(np.quantile(logits[real], 1 - REAL_KEPT))
    quantiles = np.quantile(logits[real] - bias, np.linspace(0, 1, QUANTILES))
    return {
        "odds": odds.round(4).tolist(),
        "scale": round(scale, 4),
        "bias": round(bias, 4),
        "real": quantiles.round(4).tolist(),
    }


def _fitted(
    verdict: NDArray[np.float32], real: NDArray[np.bool_], fake: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], float]:
    """What is added to the logit of each fault, and the scale of the sum: the likeliest, both sides counting alike."""
    values = np.concatenate([verdict[real], verdict[fake]])
    target = np.repeat([0.0, 1.0], [int(real.sum()), int(fake.sum())])
    weight = np.where(target == 1, 0.5 / fake.sum(), 0.5 / real.sum())

    def cost(free: NDArray[np.float64]) -> float:
        logit = np.exp(free[3]) * infer.spoilt(values, free[:3])
        return float(weight @ (np.logaddexp(0, logit) - target * logit) + 1e-3 * free @ free)

    found = minimize(cost, np.zeros(4), method="Nelder-Mead", options={"maxiter": 2000}).x
    return found[:3], float(np.exp(found[3]))


def thresholds(heard: Heard) -> dict[str, float]:
    """The best for the F-measure of changed notes (pitch, time) and of first notes of phrases (order)."""
    chosen = {}
    for number, (name, kinds) in enumerate(JUDGED.items()):
        mine = [
            (case, mark[:, number]) for case, mark in zip(heard.cases, heard.marks, strict=True) if case.kind in kinds
        ]
        cases, marks = [case for case, _ in mine], [mark for _, mark in mine]
        scores = [np.mean([trial.note_f1(cases, marks, at, kind) for kind in kinds]) for at in FINEST]
        chosen[name] = round(float(FINEST[int(np.argmax(scores))]), 3)
    return chosen


def write(
    folder: Path, network: torch.nn.Module, pieces: Sequence[Piece], about: dict[str, Any], font: Path, jobs: int
) -> dict[str, Any]:
    """Write the checkpoint, but for its card.

    pieces: with the validation split; font: that plays what recordings are calibrated on
    returns: figures on the validation excerpts, as `report` does
    """
    folder.mkdir(parents=True, exist_ok=True)
    onnx = onnx_graph(network)
    net = "critic-roll" if isinstance(network, CriticRoll) else "critic"
    (folder / "model.onnx").write_bytes(onnx)
    weights = save({name: tensor.half().contiguous() for name, tensor in network.state_dict().items()})
    (folder / "weights.safetensors").write_bytes(weights)
    heard = Heard(net, onnx, trial.cases(pieces, "validation", EXCERPTS, SEED))
    recorded = Heard(net, onnx, transcripts.transcribed(heard.cases, font, RECORDED, jobs), "transcript")
    limits = thresholds(heard)
    config = {
        "net": net,
        "sha256": hashlib.sha256(onnx).hexdigest(),
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "parameters": export.parameters(network),
        **about,
    }
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in config.items()]
    lines += ["", "[thresholds]", *(f"{name} = {value}" for name, value in limits.items())]
    for domain in reading.DOMAINS:
        lines += ["", f"[calibration.{domain}]"]
        lines += [
            f"{key} = {json.dumps(value)}"
            for key, value in calibrated(recorded if domain == "transcript" else heard, domain).items()
        ]
    (folder / "config.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = report(folder, heard.cases)
    lines += ["", "[measured]"]
    lines += [f"{name} = {{ value = {value:.4f}, on = {json.dumps(ON)} }}" for name, value in _told(found).items()]
    (folder / "config.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return found | {"parameters": export.parameters(network)}


def _told(found: dict[str, Any]) -> dict[str, float]:
    """What the config says of figures."""
    aucs = {f"validation_{kind.replace('-', '_')}_auc": row["auc"] for kind, row in found["kinds"].items()}
    return {**aucs, "validation_real_kept": found["kept"][REAL]}


def report(folder: Path, cases: Sequence[Case]) -> dict[str, Any]:
    """What a checkpoint amounts to on cases: by kind of corruption, and what is kept of real and harmless ones."""
    loaded = infer.load(folder)
    said = [infer.judge(case.notes, loaded, reading.domain(case.notes)) for case in cases]
    scores = np.array([each.logit for each in said])
    marks = [each.marks[:, 0] for each in said]
    rows = {kind: each._asdict() for kind, each in trial.figures(cases, scores, 0.0).items()}
    for kind in JUDGED["pitch"]:
        rows[kind]["note_f1"] = trial.note_f1(cases, marks, loaded.thresholds[MARKS[0]], kind)
    real = sum(case.kind == REAL for case in cases)
    return {"real": real, "kinds": rows, "kept": trial.kept(cases, scores, 0.0)}
