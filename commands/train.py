"""`clefkit train`: checkpoints from their recipes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from clefkit import stream

app = typer.Typer(add_completion=False, rich_markup_mode=None)


class Recipe(StrEnum):
    notes = "notes"
    notes_small = "notes-small"
    critic = "critic"
    critic_roll = "critic-roll"
    critic_research = "critic-research"


@stream.command(app, ("seed",))
def train(
    recipe: Annotated[Recipe, typer.Argument(help="Which checkpoint.")],
    *,
    common: stream.Common,
    work: Annotated[Path, typer.Option(metavar="DIR", help="Room for made sound and the state of training.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The checkpoint's folder.")],
    soundfont: Annotated[list[str], typer.Option(metavar="FONT", help="A font to play with; give several.")],
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the scores are; the card names them.")] = None,
    samples: Annotated[Path | None, typer.Option(metavar="DIR", help="More real notes, as gathered.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, metavar="N", help="How long to train.")] = None,
    threads: Annotated[int, typer.Option(min=1, metavar="N", help="Cores to use.")] = 1,
    quick: Annotated[
        bool, typer.Option(help="Notes: small, on exercises, without --data. Critics: on Chopin alone.")
    ] = False,
) -> None:
    """Make a checkpoint again, or a new one, from its recipe. Prints a line of JSON now and then.

    Needs the extra `train`. What an interrupted run left in --work is gone on with.

    --quick shows that all of it works. For notes it needs no data but a soundfont: three minutes of one core end in a
    note F1 of .62 on exercises that it has not heard. Critics learn from the first editions of Chopin alone.

    \b
    Examples:
      clefkit train notes --quick --work work --out models/mine-1 --soundfont FluidR3_GM --threads 2
      clefkit train notes --data data --samples samples --work work --out models/notes-2 --soundfont FluidR3_GM
    """
    import json

    from clefkit import registry
    from clefkit.train import critics, recipes

    fonts = [registry.soundfont(name).path for name in soundfont]
    if recipe.value in critics.PLANS:
        chosen = critics.plan(recipe.value, quick=quick, steps=steps)
        found = critics.run(chosen, work, out, data, fonts[0], seed=common.seed, threads=threads)
        stream.text(map(json.dumps, found))
    plan = recipes.plan(recipe.value, quick=quick, steps=steps)
    lines = recipes.run(plan, work, out, fonts, sources=data, samples=samples, seed=common.seed, threads=threads)
    stream.text(map(json.dumps, lines))
