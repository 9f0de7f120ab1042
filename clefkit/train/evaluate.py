"""How good a network is on recordings that judge (`clefkit.train.heldout`), and the thresholds that suit it best."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from clefkit import audio, features, score, tuning
from clefkit import notes as note_files
from clefkit.notes import Notes, make
from clefkit.train import data
from clefkit.transcribe.decode import Decoder, Thresholds

Array = NDArray[np.float32]

FIGURES = ("note_precision", "note_recall", "note_f1", "note_offset_f1", "frame_f1")
NO_NOTES = "none"
FALSE_COST = 0.0002
OWN = "own"  # recordings of the training set's own kind

# What is tried, one line after another; the first figure decides, on the mean over groups.
GRID: tuple[tuple[str, dict[str, Sequence[float]]], ...] = (
    ("note_f1", {"onset": (0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55), "frame": (0.2, 0.3, 0.4, 0.5)}),
    ("note_f1", {"again": (0.0, 0.05, 0.1, 0.2, 0.3), "dip": (1.0, 0.3, 0.15)}),
    ("note_f1", {"legato": (1.0, 0.9, 0.8, 0.7)}),
    ("note_f1", {"ghost": (0.0, 0.4, 0.5, 0.6, 0.7)}),
    ("note_offset_f1", {"sustain": (0.15, 0.2, 0.3, 0.4, 0.5, 0.6), "offset": (0.05, 0.1, 0.2, 0.3, 1.0)}),
)


class Predicted(NamedTuple):
    """A recording, and what the network says of it. outputs: (frames, outputs, pitches), float16, 0 to 1."""

    name: str
    group: str
    notes: Notes
    outputs: NDArray[np.float16]


def predict(network: nn.Module, recordings: Iterable[tuple[str, str, Notes, Array]]) -> list[Predicted]:
    """What the network says of each recording, in float32. recordings: name, group, notes, features"""
    network.eval()
    result = []
    for name, group, notes, sound in recordings:
        seen = torch.from_numpy(np.ascontiguousarray(sound.transpose(1, 0, 2)))[None]
        with torch.inference_mode():
            outputs = torch.sigmoid(network(seen))[0].permute(1, 0, 2).numpy()
        result.append(Predicted(name, group, notes, outputs.astype(np.float16)))
    return result


def held_out(folder: Path, cents: Sequence[int] = (0,)) -> Iterable[tuple[str, str, Notes, Array]]:
    """The recordings of a set made by `clefkit.train.heldout`, at some tunings. Groups: the number of instruments."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for row in manifest["files"]:
        if row["cents"] in cents:
            path = folder / row["file"]
            sound = tuning.tuned(features.compute(np.concatenate(list(audio.blocks(path, features.RATE)))))
            group = NO_NOTES if row["source"] == NO_NOTES else f"{row['instruments']}"
            yield row["file"], group, note_files.read(folder / row["reference"]["file"]), sound


def shards(found: Sequence[data.Shard]) -> Iterable[tuple[str, str, Notes, Array]]:
    """The recordings of shards."""
    for shard in found:
        spans = zip(shard.first[:-1], shard.first[1:], strict=True)
        for number, (table, (first, end)) in enumerate(zip(shard.notes, spans, strict=True)):
            group = OWN if len(table) else NO_NOTES
            yield f"{number}", group, make(*table.T[:4]), features.restored(shard.sound[first:end])


def rows(predicted: Sequence[Predicted], thresholds: Thresholds) -> list[dict[str, Any]]:
    """Of each recording its name, group, and FIGURES; where there is no music "false_a_minute"."""
    found = []
    for each in predicted:
        estimate = decoded(each.outputs, thresholds)
        row: dict[str, Any] = {"name": each.name, "group": each.group}
        if each.group == NO_NOTES:
            minutes = len(each.outputs) / features.FRAMES_PER_SECOND / 60
            found.append(row | {"false_a_minute": len(estimate) / minutes})
        else:
            measured = score.compare(each.notes, estimate)
            found.append(row | {figure: measured[figure] for figure in FIGURES})
    return found


def means(measured: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """By group, and over the groups with notes as "mean"."""
    groups: dict[str, dict[str, float]] = {}
    for group in sorted({row["group"] for row in measured}):
        mine = [row for row in measured if row["group"] == group]
        keys = [key for key in mine[0] if key not in ("name", "group")]
        groups[group] = {key: float(np.mean([row[key] for row in mine])) for key in keys}
    music = [figures for group, figures in groups.items() if group != NO_NOTES]
    groups["mean"] = {figure: float(np.mean([each[figure] for each in music])) for figure in FIGURES}
    return groups


def choose(predicted: Sequence[Predicted], start: Thresholds) -> Thresholds:
    """The best thresholds, a few at a time, on a grid.

    What decides is the mean over groups, less FALSE_COST for each false note a minute where there is no music.
    """

    def worth(tried: Thresholds, figure: str) -> float:
        found = means(rows(predicted, tried))
        return found["mean"][figure] - FALSE_COST * found.get(NO_NOTES, {}).get("false_a_minute", 0.0)

    best = start
    for figure, wanted in GRID:
        tried = [best]
        for name, values in wanted.items():
            tried = [_with(each, best, name, value) for each in tried for value in values]
        best = max(tried, key=lambda each: worth(each, figure))
    return best


def _with(thresholds: Thresholds, best: Thresholds, name: str, value: float) -> Thresholds:
    """`again` is given as how much it is above the onset's, and stays above it."""
    if name == "again":
        value = min(0.95, round(best.onset + value, 2))
    changed = thresholds._replace(**{name: value})
    return changed._replace(again=value) if name == "onset" else changed


def decoded(outputs: NDArray[Any], thresholds: Thresholds) -> Notes:
    """The notes of a whole recording."""
    decoder = Decoder(thresholds)
    decoder.push(outputs.astype(np.float32))
    return decoder.finish()
