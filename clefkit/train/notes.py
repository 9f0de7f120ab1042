"""The recipe of the checkpoint `notes`: data, loss, loop, thresholds, export.

    run              all of it:
    data.build       the training set, shard by shard
    train            AdamW, a cosine from 3e-3 to 0 over the steps, six clips of 4.6 s a step, bfloat16; then once more
                     from where a longer cosine would be, with recordings from large rooms among the others
    finish           thresholds from the validation set, then the checkpoint and its card

The loss is a cross-entropy weighted by the distance to the target (a focal loss, Lin et al. 2017, "Focal Loss for Dense
Object Detection", with exponent 1 and soft targets). What is kept is a moving average of the weights. `train` saves its
whole state every 250 steps and goes on from there when it is called again.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from clefkit.errors import MissingError
from clefkit.nets.notes import Notes
from clefkit.train import batches, card, data, evaluate, export
from clefkit.transcribe.decode import Thresholds

CLIPS = 6
CLIP_FRAMES = 198
RATE = 3e-3
WARM_UP = 100
FRAME_WEIGHTS = (0.65, 0.35)  # of silent and of sounding cells
VELOCITY_WEIGHT = 0.1
AVERAGE = 0.998
SAVE_EVERY = 250
VALIDATE_EVERY = 1000
SHARDS = {"validation": 2, "train": 28, "halls": 12}
STEPS = 8000
FIRST_STAGE = 13 / 16
FIGURES = ("note_precision", "note_recall", "note_f1", "note_offset_f1", "frame_f1")
FIRST_GUESS = Thresholds(onset=0.4, again=0.4, frame=0.4, sustain=0.3)


class State(NamedTuple):
    """Everything that changes while training."""

    network: Notes
    average: Notes
    optimiser: torch.optim.AdamW
    step: int


def run(
    sources: Path, work: Path, folder: Path, fonts: Sequence[Path], steps: int = STEPS, seed: int = 0, threads: int = 1
) -> Iterator[dict[str, Any]]:
    """Make the checkpoint from its sources. What an earlier run left in `work` is used again.

    sources: the folder that holds `openscore/`, `pop909/` and `real/`
    work: where shards (1 GB) and the state of training go
    folder: the checkpoint's, such as `models/notes-1`
    fonts: soundfonts to play with
    yields: something to tell after each shard, every 250 steps, and at the end
    """
    for line in data.build(sources, work / "shards", fonts, SHARDS, seed):
        yield {"built": line}
    first = round(steps * FIRST_STAGE)
    yield from train(work / "shards", work, first, seed, threads, ("train",))
    yield from train(work / "shards", work, steps, seed, threads, ("train", "halls"))
    yield {"validation": finish(work / "shards", work, folder)}


def train(
    shards: Path, out: Path, steps: int, seed: int, threads: int = 1, sets: Sequence[str] = ("train",)
) -> Iterator[dict[str, Any]]:
    """Train, or go on training, until `steps` steps are done.

    shards: the folder that `data.build` filled
    sets: what to learn from
    out: where `state.pt` and `log.jsonl` go; what it holds is continued
    yields: a line of the log every so often: step, loss, and every 1000 steps the note F-measure
        on the validation set, by kind of recording
    """
    torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    learned = [data.load(path) for name in sets for path in sorted(shards.glob(f"{name}-*.npy"))]
    checked = _validation(shards)
    state = _start(out / "state.pt", seed)
    losses: list[float] = []
    began = time.process_time()
    for step in range(state.step, steps):
        batch = batches.draw(learned, CLIPS, CLIP_FRAMES, np.random.default_rng([seed, step]))
        losses.append(_learn(state, batch, step, steps))
        done = step + 1
        if done % SAVE_EVERY == 0 or done == steps:
            _save(out / "state.pt", state._replace(step=done))
            line: dict[str, Any] = {"step": done, "loss": round(float(np.mean(losses)), 6)}
            line["cpu_s"] = round(time.process_time() - began, 1)
            if done % VALIDATE_EVERY == 0 or done == steps:
                line["f1"] = evaluate.measure(evaluate.predict(state.average, checked), FIRST_GUESS)
            losses = []
            with (out / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
            yield line


def finish(shards: Path, out: Path, folder: Path) -> dict[str, float]:
    """Choose thresholds on the validation set, and write the checkpoint with its card.

    folder: the checkpoint's, such as `models/notes-1`
    returns: note F-measure on the validation set by kind of recording, with the chosen thresholds
    raises: MissingError when nothing was trained in `out`, or the data are gone
    """
    if not (out / "state.pt").is_file() or not (shards / "manifest.json").is_file():
        raise MissingError("nothing to finish: build the data and train first")
    state = _start(out / "state.pt", 0)
    network = state.average.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    predicted = evaluate.predict(network, _validation(shards))
    thresholds = evaluate.choose(predicted, FIRST_GUESS)
    figures = {name: evaluate.measure(predicted, thresholds, name) for name in FIGURES}
    manifest = json.loads((shards / "manifest.json").read_text(encoding="utf-8"))
    minutes = sum(len(shard.kind) for shard in _validation(shards)) * data.RECORDING_S / 60
    validated = f"own validation set, {minutes:.0f} minutes, thresholds chosen on it"
    measured = {"validation_note_f1": {"value": figures["note_f1"]["mean"], "on": validated}}
    export.write(folder, network, thresholds, card.about(manifest, state.step), measured)
    (folder / "card.md").write_text(card.text(manifest, state.step, thresholds, figures, minutes), encoding="utf-8")
    return figures["note_f1"]


def loss(logits: Tensor, target: Tensor) -> Tensor:
    """logits, target: (batch, outputs, frames, pitches) -> a number.

    Sums over pitches, means over frames, so that a sparse target still has a gradient to speak of.
    """
    says = torch.sigmoid(logits)
    distance = (says - target).abs().detach()
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    silent, sounding = FRAME_WEIGHTS
    onset = (entropy[:, 0] * distance[:, 0]).sum(-1).mean()
    frame = (entropy[:, 1] * distance[:, 1] * (silent + (sounding - silent) * target[:, 1])).sum(-1).mean()
    velocity = (entropy[:, 2] * target[:, 0]).sum(-1).mean()
    return onset + frame + VELOCITY_WEIGHT * velocity


def _validation(shards: Path) -> list[data.Shard]:
    return [data.load(path) for path in sorted(shards.glob("validation-*.npy"))]


def _learn(state: State, batch: batches.Batch, step: int, steps: int) -> float:
    state.network.train()
    for group in state.optimiser.param_groups:
        group["lr"] = RATE * min(1.0, (step + 1) / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
    sound = torch.from_numpy(batch.sound).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        logits = state.network(sound)
    value = loss(logits.float(), torch.from_numpy(batch.target))
    state.optimiser.zero_grad()
    value.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(state.network.parameters(), 3.0)
    state.optimiser.step()
    keep = min(AVERAGE, step / (step + 20))
    with torch.no_grad():
        for kept, new in zip(state.average.state_dict().values(), state.network.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - keep)
    return float(value.detach())


def _start(path: Path, seed: int) -> State:
    """A new state, or the one that was saved."""
    torch.manual_seed(seed)
    network = Notes().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.01)
    if not path.is_file():
        return State(network, average, optimiser, 0)
    saved = torch.load(path, weights_only=True)
    network.load_state_dict(saved["network"])
    average.load_state_dict(saved["average"])
    optimiser.load_state_dict(saved["optimiser"])
    return State(network, average, optimiser, int(saved["step"]))


def _save(path: Path, state: State) -> None:
    parts = {name: getattr(state, name).state_dict() for name in ("network", "average", "optimiser")}
    temporary = path.with_name(path.name + ".part")
    torch.save(parts | {"step": state.step}, temporary)
    temporary.replace(path)
