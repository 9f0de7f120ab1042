"""From what a command line asks for to the recipe that makes it, or a sentence why it can't."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from clefkit.errors import UsageError
from clefkit.train import critics, recipes
from clefkit.train.tag import recipe as tag

ONLY_TAG = ("unlabelled", "begin", "freeze")


class Wishes(NamedTuple):
    """What may be asked of a recipe; see `clefkit train --help`."""

    data: Path | None
    fonts: tuple[Path, ...]
    samples: tuple[Path, ...]
    unlabelled: Path | None
    begin: Path | None
    freeze: bool
    steps: int | None
    quick: bool


def run(recipe: str, wishes: Wishes, work: Path, out: Path, *, seed: int, threads: int) -> Iterator[dict[str, Any]]:
    """Make a checkpoint: whatever the recipe tells meanwhile.

    raises: UsageError when an option is missing, or is none of this recipe's
    """
    if recipe == tag.RECIPE:
        if wishes.data is None:
            raise UsageError("training tag needs --data: scores (the model card names them), or recordings of your own")
        plan = tag.Plan(wishes.data, *wishes[1:])
        return tag.run(plan, work, out, seed=seed, threads=threads)
    _check(wishes)
    if recipe in critics.PLANS:
        critic = critics.plan(recipe, quick=wishes.quick, steps=wishes.steps)
        return critics.run(critic, work, out, wishes.data, wishes.fonts[0], seed=seed, threads=threads)
    notes = recipes.plan(recipe, quick=wishes.quick, steps=wishes.steps)
    samples = wishes.samples[0] if wishes.samples else None
    return recipes.run(
        notes, work, out, list(wishes.fonts), sources=wishes.data, samples=samples, seed=seed, threads=threads
    )


def _check(wishes: Wishes) -> None:
    foreign = [name for name in ONLY_TAG if getattr(wishes, name)]
    if foreign:
        raise UsageError(f"--{foreign[0].replace('begin', 'from')} belongs to the recipe tag")
    if not wishes.fonts:
        raise UsageError("give a font to play with: --soundfont FluidR3_GM")
    if len(wishes.samples) > 1:
        raise UsageError("only the recipe tag takes several --samples")
