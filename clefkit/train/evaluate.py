"""How good a network is on the validation set, and the thresholds that suit it best there."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from clefkit import score
from clefkit.notes import Notes, make
from clefkit.train import data
from clefkit.transcribe.decode import Decoder, Thresholds

Array = NDArray[np.float32]


class Predicted(NamedTuple):
    """A recording, and what the network says of it. outputs: (frames, outputs, pitches), 0 to 1."""

    kind: str
    notes: Notes
    outputs: Array


def predict(network: nn.Module, shards: Sequence[data.Shard]) -> list[Predicted]:
    """What the network says of each recording, in float32."""
    network.eval()
    result = []
    for shard in shards:
        spans = zip(shard.first[:-1], shard.first[1:], strict=True)
        for kind, table, (first, end) in zip(shard.kind, shard.notes, spans, strict=True):
            sound = torch.from_numpy(shard.sound[first:end].astype(np.float32) / 255).permute(1, 0, 2)[None]
            with torch.inference_mode():
                outputs = torch.sigmoid(network(sound))[0].permute(1, 0, 2).numpy()
            result.append(Predicted(kind, make(*table.T), outputs))
    return result


def measure(predicted: Sequence[Predicted], thresholds: Thresholds, figure: str = "note_f1") -> dict[str, float]:
    """A figure of `score.compare` by kind of recording, and over the kinds as "mean".

    Where there is no music ("silence") it is false notes a minute.
    """
    found: dict[str, list[float]] = {}
    for each in predicted:
        estimate = decoded(each.outputs, thresholds)
        silence = each.kind == "silence"
        value = len(estimate) * 60 / data.RECORDING_S if silence else score.compare(each.notes, estimate)[figure]
        found.setdefault(each.kind, []).append(value)
    means = {kind: round(float(np.mean(values)), 4) for kind, values in sorted(found.items())}
    music = [value for kind, value in means.items() if kind != "silence"]
    return means | {"mean": round(float(np.mean(music)), 4)}


def choose(predicted: Sequence[Predicted], start: Thresholds) -> Thresholds:
    """The best thresholds on a grid: onset and frame together, then for repeated notes, then for the end of notes."""
    music = [each for each in predicted if each.kind != "silence"]
    both = [start._replace(onset=onset, again=onset, frame=frame) for onset, frame in product(ONSETS, FRAMES)]
    best = max(both, key=lambda each: measure(music, each)["mean"])
    again = [best._replace(again=min(0.95, round(best.onset + more, 2))) for more in MORE_AGAIN]
    best = max(again, key=lambda each: measure(music, each)["mean"])
    ends = [best._replace(sustain=sustain) for sustain in SUSTAINS]
    return max(ends, key=lambda each: measure(music, each, "note_offset_f1")["mean"])


def decoded(outputs: Array, thresholds: Thresholds) -> Notes:
    """The notes of a whole recording."""
    decoder = Decoder(thresholds)
    decoder.push(outputs)
    return decoder.finish()


ONSETS = (0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
FRAMES = (0.2, 0.3, 0.4, 0.5)
MORE_AGAIN = (0.0, 0.05, 0.1, 0.2)
SUSTAINS = (0.15, 0.2, 0.3, 0.4)
