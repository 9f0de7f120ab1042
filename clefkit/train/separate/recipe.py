"""The recipes of the checkpoints `timbre`, which tells whose a note is, and `masks`, which takes mixtures apart.

    clefkit train timbre --data DATA --samples SAMPLES --soundfont FluidR3_GM --soundfont MuseScore_General_Full ...
    clefkit train masks  ...

Both learn from the same mixtures, masks from the first half: with the same --work the second finds those of the first.
What is there already is used again, so an interrupted run goes on where it stopped. A shard of mixtures takes 104 MB,
all of them 37 GB.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from clefkit.errors import UsageError

SHARDS = {"timbre": 352, "masks": 176}
QUICK_SHARDS = 2
STEPS = {"timbre": 24_000, "masks": 14_000}
QUICK_STEPS = 20


class Plan(NamedTuple):
    """What to learn from.

    recipe: "timbre" or "masks"; data: the folder with `openscore/`, `pop909/`, `kern/` and `real/`; fonts: what plays;
    samples: a folder of more real notes, as `gather` makes it
    """

    recipe: str
    data: Path | None
    fonts: tuple[Path, ...]
    samples: Path | None = None
    steps: int | None = None
    quick: bool = False


def shards(plan: Plan) -> int:
    """How many it is learnt from."""
    return QUICK_SHARDS if plan.quick else SHARDS[plan.recipe]


def run(plan: Plan, work: Path, folder: Path, *, seed: int = 0, threads: int = 1) -> Iterator[dict[str, Any]]:
    """Make a checkpoint.

    work: room for the mixtures and the state of training; folder: the checkpoint's, such as `models/timbre-1`
    yields: something to tell after each shard and every 100 steps
    raises: MissingError when the extra `train` is not installed; UsageError when there is nothing to learn from
    """
    from clefkit.train import recipes

    recipes.check_installed()
    if not plan.fonts or (plan.data is None and not plan.quick):
        raise UsageError(f"training {plan.recipe} needs --data and --soundfont: the model card names them")
    from clefkit.train import data
    from clefkit.train.separate import card, finish, heldout, loop, mixtures
    from clefkit.train.separate import masks as masks_recipe
    from clefkit.train.separate import timbre as timbre_recipe

    built = work / "mixtures"
    music = data.Sources(plan.data, plan.fonts, plan.samples)
    for line in mixtures.build(music, built, {"train": shards(plan)}, seed, threads):
        yield {"built": line}
    judges = work / "separate-validation"
    if plan.data is not None and not (judges / "manifest.json").is_file() and shutil.which("timidity"):
        yield {"built": f"{sum(1 for _ in heldout.build(plan.data, judges, 'validation'))} mixtures that judge"}
    recipe = {"timbre": timbre_recipe.RECIPE, "masks": masks_recipe.RECIPE}[plan.recipe]
    steps = plan.steps or (QUICK_STEPS if plan.quick else STEPS[plan.recipe])
    learnt_from = [built / f"train-{number:03d}.npz" for number in range(shards(plan))]
    yield from loop.train(recipe, learnt_from, work / plan.recipe, steps, seed, threads)
    network, step = loop.trained(recipe, work / plan.recipe)
    judged = finish.judges(judges) if (judges / "manifest.json").is_file() else []
    made = card.Made(folder.name, plan, seed, step)
    figures = finish.write(plan.recipe, folder, network, card.about(made), judged)
    (folder / "card.md").write_text(card.text(made, figures), encoding="utf-8")
    yield {"validation": figures}
