"""From trained networks of `separate` to the checkpoints `timbre` and `masks`: limits, figures, files.

Both are judged on the mixtures of `separate.heldout`, its validation half. What counts as one timbre is chosen there,
on the notes that `transcribe` hears in the mixtures, and in the solos, which are one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import nn

from clefkit import audio, features, registry, score, tuning
from clefkit import notes as note_files
from clefkit.nets.masks import Masks
from clefkit.nets.timbre import TOKEN
from clefkit.notes import Notes, Part, make
from clefkit.score import separation
from clefkit.separate import atoms, masks, stems
from clefkit.separate.atoms import Played
from clefkit.separate.whose import played, sure
from clefkit.train import export
from clefkit.train.separate.timbre import Branch
from clefkit.transcribe import infer, listen, timbre
from clefkit.transcribe.timbre import Collector, Limits

BIASES = tuple(np.arange(-8, 9) / 8)
LEASTS = (0.04, 0.06, 0.08, 0.1)
LISTENER = "notes"
Array = NDArray[np.float32]


class Judge(NamedTuple):
    """A mixture, or a solo, that judges. instruments: how many; notes: true ones, a part an instrument"""

    path: Path
    stems: list[Path]
    notes: Notes
    instruments: int


class _Torch:
    """A network of torch where one of ONNX Runtime is wanted."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def run(self, _outputs: None, inputs: dict[str, Array]) -> list[Array]:
        with torch.inference_mode():
            return [self.network(*(torch.from_numpy(np.ascontiguousarray(each)) for each in inputs.values())).numpy()]


def judges(folder: Path) -> list[Judge]:
    """What `separate.heldout` made."""
    rows = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    return [
        Judge(
            folder / row["file"],
            [folder / Path(row["file"]).stem / name for name in row["stems"]],
            note_files.read(folder / row["reference"]),
            len(row["instruments"]),
        )
        for row in rows
    ]


# Timbre


class Heard(NamedTuple):
    """A judge as it was heard: its notes, and those who know their timbres, with the order in which they have them."""

    judge: Judge
    notes: Notes
    whose: Collector
    order: list[int]

    def parted(self, limits: Limits, instruments: int | None) -> Notes:
        whose = Collector(
            self.whose.model._replace(limits=limits), self.whose.tokens, self.whose.placed, self.whose.falls
        )
        part = np.zeros(len(self.order), np.int64)
        part[self.order] = whose.shares(instruments).argmax(axis=1)
        names = tuple(Part(f"timbre {number + 1}") for number in range(int(part.max(initial=0)) + 1))
        return make(self.notes.onset, self.notes.offset, self.notes.pitch, self.notes.velocity, part, names)


def model(branch: Branch) -> timbre.Model:
    """A branch of torch as `transcribe` uses one."""
    return timbre.Model(_Torch(branch.timbre), _Torch(branch.context), Limits(0.0, LEASTS[0]))


def heard(branch: timbre.Model, judge: Judge, *, true: bool = False) -> Heard:
    """true: with its true notes, else with those that are heard in it"""

    def sound(rate: int) -> Any:
        return audio.blocks(judge.path, rate)

    if true:
        notes = judge.notes
    else:
        listener = infer.load(registry.checkpoint(LISTENER).path)
        notes = listen.listen(sound, listener, listen.Settings(listener.thresholds)).notes
    tuned = (features.stored(piece) for piece in tuning.follow(features.stream(sound(features.RATE))))
    return Heard(judge, notes, *listen.gathered(tuned, Collector(branch), notes))


def limits(found: Sequence[Heard]) -> Limits:
    """The bias and the smallest share with which notes are in the right track, and the number is right most often.

    One too few is the worse mistake: an instrument is lost, where one too many leaves another in two.
    """
    return max((Limits(*each) for each in product(BIASES, LEASTS)), key=lambda each: _worth(found, each))


def _worth(found: Sequence[Heard], tried: Limits) -> float:
    """A number of instruments counts as much as another."""
    by_count: dict[int, list[float]] = {}
    for each in found:
        measured = score.compare(each.judge.notes, each.parted(tried, None))
        right = float(measured["est_tracks"] == measured["ref_tracks"])
        lost = max(0, measured["ref_tracks"] - measured["est_tracks"]) / measured["ref_tracks"]
        by_count.setdefault(each.judge.instruments, []).append(measured["track_f1"] + 0.5 * right - lost)
    return float(np.mean([np.mean(values) for values in by_count.values()]))


def timbre_figures(branch: timbre.Model, chosen: Limits, found: Sequence[Heard]) -> dict[str, float]:
    """How many notes are in the right track, given and heard, and how often the number is right."""
    mixed = [each for each in found if each.judge.instruments > 1]
    true = [heard(branch, each.judge, true=True) for each in mixed]
    right = [score.compare(each.judge.notes, each.parted(chosen, each.judge.instruments))["track_f1"] for each in true]
    majority = [np.bincount(each.judge.notes.part).max() / len(each.judge.notes) for each in mixed]
    untold = [score.compare(each.judge.notes, each.parted(chosen, None)) for each in found]
    numbers = [(each, measured["est_tracks"]) for each, measured in zip(found, untold, strict=True)]
    free = [measured["track_f1"] for each, measured in zip(found, untold, strict=True) if each.judge.instruments > 1]
    given = [score.compare(each.judge.notes, each.parted(chosen, each.judge.instruments))["track_f1"] for each in mixed]
    return {
        "labels_of_true_notes": float(np.mean(right)),
        "majority": float(np.mean(majority)),
        "track_f1": float(np.mean(free)),
        "track_f1_given": float(np.mean(given)),
        "number_right": float(
            np.mean([number == each.judge.instruments for each, number in numbers if each.judge.instruments > 1])
        ),
        "solos_one": float(np.mean([number == 1 for each, number in numbers if each.judge.instruments == 1])),
    }


def write_timbre(
    folder: Path, branch: Branch, chosen: Limits, about: dict[str, Any], figures: dict[str, float]
) -> None:
    """model.onnx, context.onnx, weights.safetensors, config.toml."""
    names = list(timbre.Views._fields)
    single = export.graph(
        branch.timbre.eval(),
        (torch.zeros(3, timbre.FRAMES, timbre.SPECTRUM), torch.ones(3, timbre.FRAMES), torch.zeros(3, timbre.ASIDE)),
        names, ["tokens"], {name: {0: "notes"} for name in [*names, "tokens"]},
    )  # fmt: skip
    together = export.graph(
        branch.context.eval(), (torch.zeros(5, TOKEN), torch.zeros(5, 3)), ["tokens", "placed"], ["odds"],
        {"tokens": {0: "notes"}, "placed": {0: "notes"}, "odds": {0: "notes", 1: "others"}},
    )  # fmt: skip
    graphs = {"model.onnx": single, "context.onnx": together}
    config = {"net": "timbre", "context_sha256": hashlib.sha256(together).hexdigest()}
    _write(folder, graphs, branch, config | about, {"limits": chosen._asdict()}, figures)


# Masks


def masks_graph(network: Masks) -> bytes:
    """For ONNX Runtime: what `masks.Views` names, of any number of stems and frames, to "masks"."""
    example = (torch.zeros(2, masks.CHANNELS, 9, masks.BINS), torch.zeros(2, 9, masks.BINS))
    axes = {"seen": {0: "stems", 2: "frames"}, "share": {0: "stems", 1: "frames"}, "masks": {0: "stems", 1: "frames"}}
    return export.graph(network.eval(), example, ["seen", "share"], ["masks"], axes)


def masks_figures(session: Any, judged: Sequence[Judge]) -> dict[str, float]:
    """SI-SDR improvement with true notes and labels, with and without the network, dB."""
    found: dict[str, list[float]] = {"si_sdr_improvement": [], "without": []}
    for judge in judged:
        if judge.instruments > 1:
            reference = [audio.read(path).samples for path in judge.stems]
            for name, each in zip(found, (session, None), strict=True):
                separated = _separated(judge.path, played(sure(judge.notes)), each)
                rate = audio.shape(judge.path).rate
                found[name].append(separation.compare(reference, separated, rate)["si_sdr_improvement"])
    return {name: float(np.mean(values)) for name, values in found.items()}


def _separated(path: Path, notes: Played, session: Any) -> list[Array]:
    shape = audio.shape(path)
    blocks = audio.chunks(path, shape.rate, shape.channels, 1 << 16)
    return [np.concatenate(list(each.pieces())).T for each in stems.split(blocks, shape, notes, session)]


def write_masks(folder: Path, network: Masks, about: dict[str, Any], figures: dict[str, float]) -> None:
    """model.onnx, weights.safetensors, config.toml."""
    config = {"net": "masks", "steps": atoms.STEPS}
    _write(folder, {"model.onnx": masks_graph(network)}, network, config | about, {}, figures)


def write(recipe: str, folder: Path, network: Any, about: dict[str, Any], judged: Sequence[Judge]) -> dict[str, float]:
    """Judge a trained network, and write its checkpoint but for the card. returns: its figures, {} without judges"""
    if recipe == "timbre":
        branch = model(network.eval())
        found = [heard(branch, each) for each in judged]
        chosen = limits(found) if found else branch.limits
        figures = timbre_figures(branch, chosen, found) if found else {}
        write_timbre(folder, network, chosen, about, figures)
    else:
        figures = masks_figures(_Torch(network.eval()), judged) if judged else {}
        write_masks(folder, network, about, figures)
    return figures


def _write(
    folder: Path, graphs: dict[str, bytes], network: nn.Module, config: dict[str, Any],
    tables: dict[str, dict[str, float]], figures: dict[str, float],
) -> None:  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in graphs.items():
        (folder / name).write_bytes(content)
    weights = save({name: export.half(tensor) for name, tensor in network.state_dict().items()})
    (folder / "weights.safetensors").write_bytes(weights)
    described = {
        "net": config.pop("net"),
        "sha256": hashlib.sha256(graphs["model.onnx"]).hexdigest(),
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "parameters": export.parameters(network),
        **config,
    }
    on = "the validation half of clefkit.train.separate.heldout"
    measured = {name: {"value": round(value, 4), "on": on} for name, value in figures.items()}
    export.write_config(folder, described, tables, measured)
