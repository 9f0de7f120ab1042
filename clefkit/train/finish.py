"""From what was trained to a checkpoint: thresholds, figures, files, card.

Thresholds are chosen on recordings that judge (`heldout`, its validation half) and on the validation shards, so that
neither one kind of sound nor the other has the say alone. When the first were not built, the shards have it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from clefkit import score
from clefkit.nets.notes import SIZES, Size
from clefkit.nets.timbre import Timbre
from clefkit.notes import Notes, Part
from clefkit.train import card, data, evaluate, export, notes
from clefkit.train import timbre as branch
from clefkit.transcribe import timbre
from clefkit.transcribe.decode import Decoder, Thresholds, collected
from clefkit.transcribe.timbre import Odds

FIRST_GUESS = Thresholds(onset=0.4, again=0.4, frame=0.3, sustain=0.3)
BIASES = (-3.0, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)
LEASTS = (0.02, 0.04, 0.06, 0.1)


class Heard(NamedTuple):
    """A recording as the network heard it: its reference, what was found, and where that is on the sphere."""

    reference: Notes
    found: list[Any]
    points: NDArray[np.float32]
    pitch: NDArray[np.int64]


def train_timbre(work: Path, steps: int, seed: int) -> Iterator[dict[str, Any]]:
    """Train the timbre branch on all shards, in one go; not again when `work/timbre.pt` is there, where it is kept."""
    if (work / "timbre.pt").is_file():
        return
    shards = [data.load(path) for path in sorted((work / "shards").glob("train-*.npy"))]
    for row, network, odds in branch.train(shards, steps, seed):
        yield {"timbre": row}
        if row["step"] == steps:
            torch.save({"network": network.state_dict(), "odds": odds.state_dict()}, work / "timbre.pt")


def finish(work: Path, folder: Path, size: Size) -> dict[str, Any]:
    """Choose thresholds and write the checkpoint with its card.

    folder: the checkpoint's, such as `models/notes-1`
    returns: what there is to tell: the figures on the validation set
    raises: MissingError when nothing was trained in `work`
    """
    network, step = notes.trained(work, size)
    judges = work / "heldout-validation"
    recordings = list(evaluate.shards([data.load(p) for p in sorted((work / "shards").glob("validation-*.npy"))]))
    if (judges / "manifest.json").is_file():
        recordings += list(evaluate.held_out(judges))
    predicted = evaluate.predict(network, recordings)
    thresholds = evaluate.choose(predicted, FIRST_GUESS)
    figures = evaluate.means(evaluate.rows(predicted, thresholds))
    pair: tuple[Timbre, Odds] | None = None
    separated: dict[str, dict[str, float]] | None = None
    if (work / "timbre.pt").is_file():
        pair, separated = _timbre(work / "timbre.pt", predicted, recordings, thresholds)
    manifest = json.loads((work / "shards" / "manifest.json").read_text(encoding="utf-8"))
    recipe = next(name for name, known in SIZES.items() if known == size)
    known = card.Known(folder.name, recipe, manifest, step, export.parameters(network), thresholds, figures, separated)
    measured = {
        "validation_note_f1": {
            "value": round(figures["mean"]["note_f1"], 4),
            "on": "the validation set, on which thresholds were chosen",
        }
    }
    export.write(folder, network, thresholds, pair, card.about(known), measured)
    recorded = work / "shards" / "credits.md"
    named = recorded.read_text(encoding="utf-8") if recorded.is_file() else ""
    (folder / "card.md").write_text(card.text(known) + named, encoding="utf-8")
    card.curve(work / "log.csv", folder / "curve.png")
    return {"validation": figures["mean"], **({"tracks": separated} if separated else {})}


def _timbre(
    path: Path, predicted: Sequence[evaluate.Predicted], recordings: Sequence[Any], thresholds: Thresholds
) -> tuple[tuple[Timbre, Odds], dict[str, dict[str, float]]]:
    """The branch and its odds, with the bias and the smallest share that find the right number most often."""
    saved = torch.load(path, weights_only=True)
    network = Timbre()
    network.load_state_dict(saved["network"])
    network.eval()
    odds = Odds(*(float(saved["odds"][name]) for name in ("slope", "bias", "apart")))
    heard = [
        _heard(network, each, sound, thresholds)
        for each, (_, _, _, sound) in zip(predicted, recordings, strict=True)
        if each.group not in (evaluate.NO_NOTES, evaluate.OWN)
    ]
    groups = [each.group for each in predicted if each.group not in (evaluate.NO_NOTES, evaluate.OWN)]
    if not heard:
        return (network, odds), {}
    tried = [odds._replace(bias=odds.bias + more, least=least) for more, least in product(BIASES, LEASTS)]
    best = max(tried, key=lambda each: _worth(tracks(heard, groups, each)))
    return (network, best), tracks(heard, groups, best)


def _worth(found: dict[str, dict[str, float]]) -> float:
    """Separated F-measure with the number not given, and how often the number is right, a group as much as another."""
    return float(np.mean([each["track_f1"] + 0.5 * each["number_right"] for each in found.values()]))


def _heard(network: Timbre, each: evaluate.Predicted, sound: NDArray[np.float32], thresholds: Thresholds) -> Heard:
    decoder = Decoder(thresholds)
    decoder.push(each.outputs.astype(np.float32))
    decoder.finish()
    collector = timbre.Collector(_Session(network), Odds(0, 0, 0))
    collector.see(sound)
    collector.hear(each.outputs[:, 1] >= thresholds.sustain)
    collector.add(decoder.found)
    points = np.concatenate(collector.points) if collector.points else np.zeros((0, 1), np.float32)
    return Heard(each.notes, decoder.found, points, np.array(collector.pitches, np.int64))


class _Session:
    """A torch network where `Collector` wants a session of ONNX Runtime."""

    def __init__(self, network: Timbre) -> None:
        self.network = network

    def run(self, _outputs: None, inputs: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        with torch.inference_mode():
            return [self.network(*(torch.from_numpy(each) for each in inputs.values())).numpy()]


def tracks(heard: Sequence[Heard], groups: Sequence[str], odds: Odds) -> dict[str, dict[str, float]]:
    """By number of instruments: separated note F1, the number not given and given, and how often it is right."""
    rows: dict[str, list[tuple[float, float, float]]] = {}
    for each, group in zip(heard, groups, strict=True):
        free, given = _score(each, odds, None), _score(each, odds, int(group))
        right = float(free["est_tracks"] == free["ref_tracks"])
        rows.setdefault(group, []).append((free["track_f1"], given["track_f1"], right))
    names = ("track_f1", "track_f1_given", "number_right")
    return {
        group: dict(zip(names, np.mean(each, axis=0).tolist(), strict=True)) for group, each in sorted(rows.items())
    }


def _score(each: Heard, odds: Odds, instruments: int | None) -> dict[str, float]:
    part = timbre.parts(each.points, each.pitch, odds, instruments) if len(each.pitch) else np.zeros(0, np.int64)
    parts = tuple(Part(f"timbre {number + 1}") for number in range(int(part.max(initial=0)) + 1))
    return score.compare(each.reference, collected(each.found, part, parts))
