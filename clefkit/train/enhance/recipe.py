"""The recipe of the checkpoint `enhance`: pairs, training, checkpoint.

    clefkit train enhance --data DATA --soundfont FluidR3_GM --soundfont MuseScore_General_Full ...   the one that ships
    clefkit align --dataset FOLDER --out PAIRS
    clefkit train enhance --pairs PAIRS --from enhance-1 ...         on recordings of one's own, as `align` writes them

What is there already is used again, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from clefkit.errors import UsageError

SHARDS = {"validation": 5, "train": 800}
QUICK_SHARDS = {"validation": 1, "train": 2}
STEPS, QUICK_STEPS, OWN_STEPS = 18_000, 100, 1500
RECIPE = "enhance"


class Plan(NamedTuple):
    """What to learn from.

    data: the folder with `openscore/`, `pop909/`, `kern/` and `real/`; fonts: what plays; samples: folders of more real
    notes, as `gather --rate 44100` makes them
    pairs: a folder as `clefkit align --dataset` writes it, instead of these; begin: a checkpoint's folder to begin with
    """

    data: Path | None
    fonts: tuple[Path, ...]
    samples: tuple[Path, ...] = ()
    pairs: Path | None = None
    begin: Path | None = None
    steps: int | None = None
    quick: bool = False


def run(plan: Plan, work: Path, folder: Path, *, seed: int = 0, threads: int = 1) -> Iterator[dict[str, Any]]:
    """Make a checkpoint.

    work: room for the pairs and the state of training; folder: the checkpoint's, such as `models/enhance-1`
    yields: something to tell after each shard and every 100 steps
    raises: MissingError when the extra `train` is not installed; UsageError when there is nothing to learn from
    """
    from clefkit.train import recipes

    recipes.check_installed()
    from clefkit.train.enhance import card, finish, loop

    work.mkdir(parents=True, exist_ok=True)
    shards = work / "pairs"
    for line in _own(plan.pairs, shards) if plan.pairs else _made(plan, work, shards, seed, threads):
        yield {"built": line}
    steps = plan.steps or (OWN_STEPS if plan.pairs else QUICK_STEPS if plan.quick else STEPS)
    yield from loop.train(shards, work, steps, seed, threads, plan.begin)
    network, step = loop.trained(work)
    figures = loop.judged(network, loop.judges(shards))
    made = card.Made(folder.name, plan, seed, step)
    finish.write(folder, network, card.about(made), card.measured(figures))
    (folder / "card.md").write_text(card.text(made, figures), encoding="utf-8")
    yield {"validation": figures}


def _made(plan: Plan, work: Path, shards: Path, seed: int, jobs: int) -> Iterator[str]:
    from clefkit.train import corpus
    from clefkit.train.enhance import clean, pairs

    if not plan.fonts or (plan.data is None and not plan.quick):
        raise UsageError("training enhance needs --data and --soundfont (the model card names them), or --pairs")
    if plan.data is not None:
        corpus.read(plan.data, work / "corpus.npz")
    works, real = (work / "corpus.npz", plan.data / "real") if plan.data else (None, None)
    hall = clean.Hall(plan.fonts, works, real, plan.samples)
    yield from pairs.build(hall, shards, QUICK_SHARDS if plan.quick else SHARDS, seed, jobs)


def _own(folder: Path, shards: Path) -> Iterator[str]:
    from clefkit.train.enhance import own

    yield from own.build(folder, shards)
