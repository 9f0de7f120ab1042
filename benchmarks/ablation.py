"""What each ingredient of the recipe of `transcribe` gives: the small network, trained without it.

    python -m clefkit.train.heldout --data DATA --out SET --split validation
    python benchmarks/ablation.py --data DATA --samples SAMPLES --set SET --work DIR --soundfont NAME...

Every row is a training of its own, all alike: as many shards, steps and clips, the same seeds, but for two rows of all
of it that have other ones: how far those lie apart is what chance does, and no smaller difference says anything. Judged
on recordings that training never hears, as played and 40 cents sharp and flat, and where there are no notes; of a few
thresholds for onset and frame the best for each row. Recordings are made without what a variant leaves out (`BUILT`),
or it is left out of the training alone (`TRAINED`), or of what the network sees (`SEEN`). Prints a Markdown table; rows
that are there already in `DIR/results.jsonl` are not trained again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from clefkit import features, registry, tuning
from clefkit.nets.notes import SIZES
from clefkit.train import batches, corpus, data, evaluate, notes, players, recording
from clefkit.transcribe.decode import Thresholds

Array = NDArray[np.float32]

ALL = "all of it"
ONSETS, FRAMES = (0.25, 0.35, 0.45), (0.2, 0.35)
CENTS = (0, 40, -40)
GROUPS = ("1", "2", "3", "4")


class Asked(NamedTuple):
    """Where things are, and how much is trained."""

    sources: data.Sources
    judges: Path
    work: Path
    shards: int
    steps: int
    threads: int


def instead(module: ModuleType, name: str, value: Any) -> None:
    """For the rest of this process."""
    mock.patch.object(module, name, value).start()


def no_real_notes() -> None:
    """Soundfonts play what single notes would have played."""
    everybody = data.hall

    def fonts_alone(sources: data.Sources, split: str) -> players.Hall:
        return everybody(sources, split)._replace(samples=())

    instead(data, "hall", fonts_alone)


def without(source: str) -> None:
    """Soundfonts play what this kind of player would have played."""
    index = players.SOURCES.index(source)
    for name in ("SHARES", "SHARES_WITHOUT_SAMPLES"):
        shares = list(getattr(players, name))
        shares[0], shares[index] = shares[0] + shares[index], 0.0
        instead(players, name, tuple(shares))


def dry() -> None:
    """No rooms, microphones, noise."""
    instead(recording, "somewhere", lambda dry, notes, *_: (dry, notes))


def no_silence() -> None:
    """Every recording has music."""
    for module in (data, batches):
        instead(module, "EMPTY", 0.0)


def cross_entropy() -> None:
    """All cells count alike, however sure the network is of them."""

    def plain(logits: Tensor, target: Tensor) -> Tensor:
        cells = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        cells = torch.cat([cells[:, :3], cells[:, 3:] * target[:, :1]], dim=1)  # of an onset, where there is one
        onset, frame, offset, velocity = cells.sum(-1).mean((0, 2)).unbind()
        said: Tensor = notes.OFFSET_WEIGHT * offset + notes.VELOCITY_WEIGHT * velocity
        return onset + frame + said

    instead(notes, "loss", plain)


def adamw() -> None:
    """One kind of optimiser for all layers."""

    def alone(weights: Any, rate: float, weight_decay: float, **_: Any) -> torch.optim.Optimizer:
        return torch.optim.AdamW(weights, rate, weight_decay=weight_decay)

    instead(torch.optim, "Muon", alone)


def no_moves() -> None:
    """Clips are as they were recorded: not transposed, not laid over each other."""
    for name in ("MOVED", "LAID_OVER", "OUT_OF_TUNE"):
        instead(batches, name, 0.0)


def one_level() -> None:
    """Energies relative to the level of the whole recording."""

    def compute(audio: Array) -> Array:
        energies = np.concatenate(list(features._energy_chunks([audio])))
        total = energies[:, 1].sum(axis=1, dtype=np.float64)
        level = max(float(np.sqrt(total.mean() * total.max())), 10 ** (features.QUIETEST_LEVEL_DB / 10))
        decibels = 10 * np.log10(np.maximum(energies, np.float32(1e-16)) / np.float32(level))
        scaled = (decibels - features.FLOOR_DB) / (features.CEILING_DB - features.FLOOR_DB)
        return np.asarray(np.clip(scaled, 0, 1), dtype=np.float32)

    instead(features, "compute", compute)


def as_tuned() -> None:
    """The network sees a detuned recording as it is."""
    instead(tuning, "tuned", lambda sound: sound)


BUILT = {
    "no real single notes": no_real_notes,
    "no made-up instruments": lambda: without("made up"),
    "no players who slur": lambda: without("phrase"),
    "no rooms, microphones, noise": dry,
    "no recordings without notes": no_silence,
}
TRAINED = {
    "plain cross-entropy": cross_entropy,
    "AdamW instead of Muon": adamw,
    "no transposing, no laying over": no_moves,
}
SEEN = {"one level a recording": one_level, "not moved into tune": as_tuned}
SEEDS = {ALL: 0, f"{ALL}, seed 1": 1, f"{ALL}, seed 2": 2}
VARIANTS = {**dict.fromkeys(SEEDS, lambda: None), **BUILT, **TRAINED, **SEEN}


def run(name: str, asked: Asked) -> dict[str, Any]:
    """Train a variant in this process, which is of no use for another one afterwards, and judge it."""
    VARIANTS[name]()
    folder = asked.work / slug(name if name in BUILT or name in SEEN else ALL)
    folder.mkdir(parents=True, exist_ok=True)
    assert asked.sources.data is not None
    corpus.read(asked.sources.data, asked.work / "corpus.npz")
    if not (folder / "corpus.npz").is_file():
        (folder / "corpus.npz").hardlink_to(asked.work / "corpus.npz")
    for number in range(asked.shards):
        if not (folder / f"train-{number:03d}.npz").is_file():
            data.build_shard(asked.sources, folder, "train", number, 0)
    size = SIZES["notes-small"]
    work = asked.work / "trained" / slug(name)
    for row in notes.train(folder, work, size, asked.steps, SEEDS.get(name, 0), asked.threads):
        print(json.dumps({"variant": name} | row), flush=True)
    network, _ = notes.trained(work, size)
    return {"variant": name} | judged(network, asked.judges)


def slug(name: str) -> str:
    return name.replace(" ", "-").replace(",", "")


def judged(network: torch.nn.Module, judges: Path) -> dict[str, float]:
    """F1 by number of instruments, at each tuning, with offsets, and false notes a minute where there are none."""
    predicted = {cents: evaluate.predict(network, evaluate.held_out(judges, (cents,))) for cents in CENTS}
    tried = [Thresholds(onset, onset, frame, frame) for onset, frame in product(ONSETS, FRAMES)]
    rated = [(evaluate.means(evaluate.rows(predicted[0], each)), each) for each in tried]
    best, thresholds = max(rated, key=lambda each: each[0]["mean"]["note_f1"])
    figures = {group: best[group]["note_f1"] for group in GROUPS} | {"all": best["mean"]["note_f1"]}
    for cents in CENTS[1:]:
        found = evaluate.means(evaluate.rows(predicted[cents], thresholds))
        figures[f"{cents:+d} cents"] = found["mean"]["note_f1"]
    figures["with offsets"] = best["mean"]["note_offset_f1"]
    figures["false a minute"] = best[evaluate.NO_NOTES]["false_a_minute"]
    return figures


def table(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Markdown."""
    for number, row in enumerate(rows):
        names = [name for name in row if name != "variant"]
        if number == 0:
            yield f"| | {' | '.join(names)} |"
            yield "|---|" + "---|" * len(names)
        figures = [f"{row[name]:.0f}" if row[name] > 1 else f"{row[name]:.3f}".lstrip("0") for name in names]
        yield f"| {row['variant']} | {' | '.join(figures)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="what each ingredient of the recipe gives")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--samples", type=Path, required=True)
    parser.add_argument("--set", type=Path, required=True, help="recordings that judge")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--soundfont", nargs="+", required=True)
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--here", action="store_true", help="one variant, in this process")
    given = parser.parse_args()
    fonts = tuple(registry.soundfont(name).path for name in given.soundfont)
    sources = data.Sources(given.data, fonts, given.samples)
    asked = Asked(sources, given.set, given.work, given.shards, given.steps, given.threads)
    results = given.work / "results.jsonl"
    given.work.mkdir(parents=True, exist_ok=True)
    if given.here:
        row = run(given.only[0], asked)
        with results.open("a", encoding="utf-8") as out:
            print(json.dumps(row), file=out)
        return
    results.touch()
    for name in given.only:
        if name not in kept(results):
            subprocess.run([sys.executable, *sys.argv, "--here", "--only", name], check=True, stdout=sys.stderr)
    found = kept(results)
    print("\n".join(table(found[name] for name in VARIANTS if name in found)))


def kept(results: Path) -> dict[str, dict[str, Any]]:
    """Rows by variant."""
    return {row["variant"]: row for row in map(json.loads, results.read_text(encoding="utf-8").splitlines())}


if __name__ == "__main__":
    main()
