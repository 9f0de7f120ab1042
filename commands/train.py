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
    tag = "tag"
    enhance = "enhance"
    timbre = "timbre"
    masks = "masks"


@stream.command(app, ("seed",))
def train(
    recipe: Annotated[Recipe, typer.Argument(help="Which checkpoint.")],
    *,
    common: stream.Common,
    work: Annotated[Path, typer.Option(metavar="DIR", help="Room for made sound and the state of training.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The checkpoint's folder.")],
    soundfont: Annotated[
        list[str] | None, typer.Option(metavar="FONT", help="A font to play with; give several.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the scores are; the card names them. tag: or recordings.")
    ] = None,
    samples: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="More real notes; tag and enhance take several.")
    ] = None,
    unlabelled: Annotated[
        Path | None, typer.Option(metavar="DIR", help="tag: recordings of anything, to agree on.")
    ] = None,
    pairs: Annotated[
        Path | None, typer.Option(metavar="DIR", help="enhance: own pairs, as clefkit align --dataset makes them.")
    ] = None,
    begin: Annotated[
        str | None, typer.Option("--from", metavar="NAME|PATH", help="tag, enhance: a checkpoint to begin with.")
    ] = None,
    freeze: Annotated[bool, typer.Option("--freeze", help="tag: leave the trunk of --from as it is.")] = False,
    steps: Annotated[int | None, typer.Option(min=1, metavar="N", help="How long to train.")] = None,
    threads: Annotated[int, typer.Option(min=1, metavar="N", help="Cores to use.")] = 1,
    quick: Annotated[
        bool, typer.Option(help="Notes: small, on exercises, without --data. Critics: on Chopin alone.")
    ] = False,
) -> None:
    """Make a checkpoint again, or a new one, from its recipe. Prints a line of JSON now and then.

    Needs the extra `train`. What an interrupted run left in --work is gone on with.

    tag learns from stems that are rendered from scores; or, when --data is a folder like OpenMIC-2018, MUSDB18-HQ,
    MedleyDB or Slakh2100, or one folder an instrument, from these recordings.

    enhance learns from music that is played and heard through phones, all of them drawn; or from --pairs.

    timbre, whose a note is, and masks, whose share of a mixture is how large, learn from mixtures that are played; with
    the same --work the second finds those of the first.

    --quick shows that all of it works. For notes it needs no data but a soundfont: three minutes of one core end in a
    note F1 of .62 on exercises that it has not heard. Critics learn from the first editions of Chopin alone.

    \b
    Examples:
      clefkit train notes --quick --work work --out models/mine-1 --soundfont FluidR3_GM --threads 2
      clefkit train notes --data data --samples samples --work work --out models/notes-2 --soundfont FluidR3_GM
      clefkit train tag --data musdb18hq --from tag --freeze --work work --out models/mine-1 --threads 2
      clefkit train enhance --pairs pairs --from enhance --work work --out models/mine-1
    """
    import json

    from clefkit import registry
    from clefkit.train import chosen

    wishes = chosen.Wishes(
        data=data,
        fonts=tuple(registry.soundfont(name).path for name in soundfont or ()),
        samples=tuple(samples or ()),
        unlabelled=unlabelled,
        pairs=pairs,
        begin=registry.checkpoint(begin).path if begin else None,
        freeze=freeze,
        steps=steps,
        quick=quick,
    )
    lines = chosen.run(recipe.value, wishes, work, out, seed=common.seed, threads=threads)
    stream.text(map(json.dumps, lines))
