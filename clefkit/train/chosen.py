"""From what a command line asks for to the recipe that makes it, or a sentence why it can't."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from clefkit.errors import UsageError
from clefkit.train import critics, recipes
from clefkit.train.enhance import recipe as enhance
from clefkit.train.separate import recipe as separate
from clefkit.train.tag import recipe as tag

# Options that not all recipes have.
OWN = {tag.RECIPE: ("unlabelled", "begin", "freeze"), enhance.RECIPE: ("pairs", "begin")}


class Wishes(NamedTuple):
    """What may be asked of a recipe; see `clefkit train --help`."""

    data: Path | None
    fonts: tuple[Path, ...]
    samples: tuple[Path, ...]
    unlabelled: Path | None
    pairs: Path | None
    begin: Path | None
    freeze: bool
    steps: int | None
    quick: bool


def run(recipe: str, wishes: Wishes, work: Path, out: Path, *, seed: int, threads: int) -> Iterator[dict[str, Any]]:
    """Make a checkpoint: whatever the recipe tells meanwhile.

    raises: UsageError when an option is missing, or is none of this recipe's
    """
    _check(recipe, wishes)
    if recipe == enhance.RECIPE:
        improver = enhance.Plan(
            wishes.data,
            wishes.fonts,
            wishes.samples,
            wishes.pairs,
            wishes.begin,
            steps=wishes.steps,
            quick=wishes.quick,
        )
        return enhance.run(improver, work, out, seed=seed, threads=threads)
    if recipe == tag.RECIPE:
        if wishes.data is None:
            raise UsageError("training tag needs --data: scores (the model card names them), or recordings of your own")
        plan = tag.Plan(
            wishes.data, wishes.fonts, wishes.samples, wishes.unlabelled, wishes.begin,
            freeze=wishes.freeze, steps=wishes.steps, quick=wishes.quick,
        )  # fmt: skip
        return tag.run(plan, work, out, seed=seed, threads=threads)
    if recipe in critics.PLANS:
        critic = critics.plan(recipe, quick=wishes.quick, steps=wishes.steps)
        return critics.run(critic, work, out, wishes.data, wishes.fonts[0], seed=seed, threads=threads)
    samples = wishes.samples[0] if wishes.samples else None
    if recipe in separate.STEPS:
        taught = separate.Plan(recipe, wishes.data, wishes.fonts, samples, wishes.steps, quick=wishes.quick)
        return separate.run(taught, work, out, seed=seed, threads=threads)
    notes = recipes.plan(recipe, quick=wishes.quick, steps=wishes.steps)
    return recipes.run(
        notes, work, out, list(wishes.fonts), sources=wishes.data, samples=samples, seed=seed, threads=threads
    )


def _check(recipe: str, wishes: Wishes) -> None:
    for name in dict.fromkeys(name for names in OWN.values() for name in names):
        if getattr(wishes, name) and name not in OWN.get(recipe, ()):
            whose = " and ".join(other for other, names in OWN.items() if name in names)
            raise UsageError(f"--{name.replace('begin', 'from')} belongs to the recipe {whose}")
    if recipe not in OWN and not wishes.fonts:
        raise UsageError("give a font to play with: --soundfont FluidR3_GM")
    if recipe not in OWN and len(wishes.samples) > 1:
        raise UsageError("only the recipes tag and enhance take several --samples")
