"""The recipes by name: data, training, thresholds, checkpoint. Torch is imported when one is run.

    build    the training set, shard by shard (`data`), and the recordings that thresholds are chosen on (`heldout`)
    train    the network that hears notes (`notes`)
    finish   thresholds, figures, the checkpoint and its card (`finish`)

What is there already is used again, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from clefkit.errors import MissingError, UsageError

NEEDED = ("torch", "onnx", "safetensors")


class Plan(NamedTuple):
    """How much of everything.

    size: a name of `nets.notes.SIZES`; shards: of each set, 24 minutes each
    steps: of the network; alone: does without sources
    """

    size: str
    shards: dict[str, int]
    steps: int
    alone: bool = False


PLANS = {
    "notes": Plan("notes", {"validation": 2, "train": 88}, 14_000),
    "notes-small": Plan("notes-small", {"validation": 2, "train": 88}, 24_000),
}
QUICK = Plan("notes-small", {"validation": 1, "train": 2}, 700, alone=True)


def plan(recipe: str, *, quick: bool = False, steps: int | None = None) -> Plan:
    """The plan of a recipe, a name of PLANS.

    quick: the small network, on an hour of exercises: to see that all of it works
    steps: another number of them
    """
    chosen = QUICK if quick else PLANS[recipe]
    return chosen if steps is None else chosen._replace(steps=steps)


def run(
    plan: Plan,
    work: Path,
    folder: Path,
    fonts: list[Path],
    *,
    sources: Path | None = None,
    samples: Path | None = None,
    seed: int = 0,
    threads: int = 1,
) -> Iterator[dict[str, Any]]:
    """Make a checkpoint.

    work: room for made sound and the state of training
    folder: the checkpoint's, such as `models/notes-1`
    fonts: soundfonts to play with
    sources: the folder with `openscore/`, `pop909/`, `kern/` and `real/`
    samples: a folder made by `python -m clefkit.train.gather`
    yields: something to tell after each shard, every 250 steps, and at the end
    raises: MissingError when the extra `train` is not installed; UsageError when there are no sources
    """
    check_installed()
    if sources is None and not plan.alone:
        raise UsageError("a full training needs --data: the model card names its sources; --quick does without")
    from clefkit.nets.notes import SIZES
    from clefkit.train import data, finish, heldout, notes

    size = SIZES[plan.size]
    music = data.Sources(sources, tuple(fonts), samples)
    for line in data.build(music, work / "shards", plan.shards, seed, threads):
        yield {"built": line}
    judges = work / "heldout-validation"
    if sources is not None and not (judges / "manifest.json").is_file() and shutil.which("timidity"):
        yield {"built": f"{sum(1 for _ in heldout.build(sources, judges, 'validation'))} recordings that judge"}
    yield from notes.train(work / "shards", work, size, plan.steps, seed, threads)
    yield finish.finish(work, folder, size)


def check_installed() -> None:
    """Raises MissingError when what the extra `train` installs is not there."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingError(f"training needs {', '.join(missing)}: pip install 'clefkit[train]'")
