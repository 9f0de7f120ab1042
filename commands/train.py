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


@stream.command(app, ("seed",))
def train(
    recipe: Annotated[Recipe, typer.Argument(help="Which checkpoint.")],
    *,
    common: stream.Common,
    data: Annotated[Path, typer.Option(metavar="DIR", help="Where the sources are; the model card names them.")],
    work: Annotated[Path, typer.Option(metavar="DIR", help="Room for made sound and the state of training.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The checkpoint's folder.")],
    soundfont: Annotated[list[str], typer.Option(metavar="FONT", help="A font to play with; give several.")],
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="How long to train.")] = 8000,
    threads: Annotated[int, typer.Option(min=1, metavar="N", help="Cores to use.")] = 1,
) -> None:
    """Make a checkpoint again, or a new one, from its recipe. Prints a line of JSON now and then.

    Needs the extra `train`. What an interrupted run left in --work is gone on with.

    \b
    Example:
      clefkit train notes --data data --work work --out models/notes-2 --soundfont FluidR3_GM --threads 2
    """
    import json

    from clefkit import registry
    from clefkit.train import recipes

    fonts = [registry.soundfont(name).path for name in soundfont]
    lines = recipes.run(recipe.value, data, work, out, fonts, steps=steps, seed=common.seed, threads=threads)
    stream.text(map(json.dumps, lines))
