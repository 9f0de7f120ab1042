"""From a trained critic to a checkpoint: calibration, thresholds, figures, files.

All is chosen on validation pieces. The odds of each fault and a scale are fitted for each domain on real excerpts and
twins of every kind and severity. The bias is such that 96 of 100 real excerpts have .5 or more, and 95 of 100 of each
harmless kind: who asks a critic wants to hear of faults, not of false alarms. How much the share of wrong notes counts
is what then has the most of the mildest twins under .5, in all domains alike: one piece may be judged as a score, as it
was played, and by its sound. The percentile is that among real excerpts. The thresholds of the marks are those with the
best F-measure of notes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from scipy.optimize import minimize

from clefkit import graph
from clefkit.critique import context, infer, reading, rolls
from clefkit.critique.corrupt import KINDS
from clefkit.critique.infer import MARKS, QUANTILES, Critic
from clefkit.nets import critic, critic_roll
from clefkit.nets.critic_roll import CriticRoll
from clefkit.train import export, transcripts, trial
from clefkit.train.pieces import Piece
from clefkit.train.trial import REAL, Case

REAL_KEPT, HARMLESS_KEPT = 0.96, 0.95
LEAST_HARMLESS = 20  # of a kind and domain
WRONG_COUNTS = (0.0, 10.0, 20.0, 40.0, 60.0)  # what counts more hides the other faults
EXCERPTS = 40  # of each collection and domain
SEED = 0
ON = "excerpts of 30 s of the validation split, on which it was calibrated"
RECORDED = 120  # excerpts that are played and transcribed
FINEST = np.arange(0.1, 0.96, 0.025)
JUDGED = {"pitch": ("off-key", "noise", "stray"), "time": ("rhythm",), "order": ("shuffle",)}


class Heard:
    """What a network says of cases, asked once."""

    def __init__(self, net: str, network: bytes, cases: Sequence[Case], domain: str | None = None) -> None:
        asked = Critic(net, graph.session(network, net), {}, {})
        said = infer.ask(asked, [case.notes for case in cases])
        self.cases = cases
        self.verdict = said.verdict
        self.wrong = infer.wrong(said.notes)
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


class Fitted(NamedTuple):
    """What a network says of the cases of one domain.

    kinds: (cases,); mild: (cases,), those of the least severity; wrong: (cases,), as `infer.wrong`
    odds, scale: fitted; logits: (cases,), of being real by these
    """

    kinds: NDArray[np.str_]
    mild: NDArray[np.bool_]
    odds: NDArray[np.float64]
    scale: float
    logits: NDArray[np.float64]
    wrong: NDArray[np.float64]

    def counting(self, wrong: float) -> tuple[NDArray[np.float64], float]:
        """Logits when the share of wrong notes counts so much, and the bias: what enough real cases reach, and enough
        of each harmless kind."""
        logits = self.logits - wrong * self.wrong
        shares = {REAL: REAL_KEPT} | dict.fromkeys(trial.HARMLESS, HARMLESS_KEPT)
        groups = {kind: logits[self.kinds == kind] for kind in shares}
        enough = [kind for kind in shares if kind == REAL or len(groups[kind]) >= LEAST_HARMLESS]
        return logits, min(float(np.quantile(groups[kind], 1 - shares[kind])) for kind in enough)

    def caught(self, wrong: float) -> float:
        """The share of the mildest twins that are then called spoilt; 0 when there are none."""
        logits, bias = self.counting(wrong)
        return float(np.mean(logits[self.mild] < bias)) if self.mild.any() else 0.0


def calibrations(heard: Heard, recorded: Heard) -> dict[str, dict[str, Any]]:
    """For the config, by domain: weights of what the network says, and quantiles of real music."""
    fitted = {name: _fitted(recorded if name == "transcript" else heard, name) for name in reading.DOMAINS}
    wrong = max(WRONG_COUNTS, key=lambda each: np.mean([fit.caught(each) for fit in fitted.values()]))
    found = {}
    for name, fit in fitted.items():
        logits, bias = fit.counting(wrong)
        quantiles = np.quantile(logits[fit.kinds == REAL] - bias, np.linspace(0, 1, QUANTILES))
        found[name] = {
            "odds": fit.odds.round(4).tolist(),
            "scale": round(fit.scale, 4),
            "wrong": wrong,
            "bias": round(bias, 4),
            "real": quantiles.round(4).tolist(),
        }
    return found


def _fitted(heard: Heard, domain: str) -> Fitted:
    """What is added to the logit of each fault, and the scale of the sum: the likeliest, both sides counting alike."""
    mine = heard.domains == domain
    kinds, verdict = np.array([case.kind for case in heard.cases])[mine], heard.verdict[mine]
    mild = np.array([case.severity for case in heard.cases])[mine] == trial.SEVERITIES[0]
    real, fake = kinds == REAL, np.isin(kinds, list(KINDS))
    weight = np.where(fake, 0.5 / fake.sum(), np.where(real, 0.5 / real.sum(), 0))

    def cost(free: NDArray[np.float64]) -> float:
        logit = np.exp(free[3]) * infer.spoilt(verdict, free[:3])
        return float(weight @ (np.logaddexp(0, logit) - fake * logit) + 1e-3 * free @ free)

    found = minimize(cost, np.zeros(4), method="Nelder-Mead", options={"maxiter": 2000}).x
    odds, scale = found[:3], float(np.exp(found[3]))
    return Fitted(kinds, mild, odds, scale, -scale * infer.spoilt(verdict, odds), heard.wrong[mine])


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
    for domain, values in calibrations(heard, recorded).items():
        lines += ["", f"[calibration.{domain}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
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
    for kind in JUDGED["pitch"] if loaded.net == "critic" else ():  # the other names no notes
        rows[kind]["note_f1"] = trial.note_f1(cases, marks, loaded.thresholds[MARKS[0]], kind)
    real = sum(case.kind == REAL for case in cases)
    return {"real": real, "kinds": rows, "kept": trial.kept(cases, scores, 0.0)}
