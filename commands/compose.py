"""`clefkit compose`: music by listening alone."""

from __future__ import annotations

from typing import Annotated

import typer

from clefkit import stream

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@stream.command(app, ("out", "seed", "force", "json", "quiet"))
def compose(
    *,
    common: stream.Common,
    seconds: Annotated[float, typer.Option(min=4, max=600, metavar="S", help="How long it lasts, about.")] = 30.0,
    voices: Annotated[int, typer.Option(min=1, max=4, metavar="K", help="Melody, bass, and up to two between.")] = 3,
    beam: Annotated[int, typer.Option(min=1, max=32, metavar="N", help="How many lines are kept at each note.")] = 3,
    temperature: Annotated[
        float, typer.Option(min=0, max=5, metavar="T", help="0 takes the best note, more takes others, too.")
    ] = 0.2,
    model: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="The critic: a checkpoint's name, or its folder (with a slash).")
    ] = "critic",
    judge: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="Another critic, whose verdict goes into the record.")
    ] = "critic-roll",
) -> None:
    """Compose a little piece by asking a critic which next note sounds most like music: MIDI, a track a voice.

    First a melody, then a bass, then what lies between. No rule of harmony is built in: it shows what the critic has
    learnt. Nothing scores higher than the median of real music, and dull lines cost, so that it can't be fooled far.
    The record says what it, and another critic that never had a say in it, think of the result.

    Without --out the file is named after its numbers, in this folder: composed-30s-3-0.mid. The same seed makes the
    same piece.

    \b
    Examples:
      clefkit render $(clefkit compose --seconds 30)
      for seed in 1 2 3 4 5 6; do clefkit compose --seed $seed --out made; done; clefkit critique made
    """
    from clefkit import registry

    critics = {}
    for role, name in (("model", model), ("judge", judge)):
        found = registry.checkpoint(name)
        critics[role] = found.name if "/" not in name else str(found.path)
    stream.create(
        "critique.compose",
        common,
        **critics,
        seconds=seconds,
        voices=voices,
        beam=beam,
        temperature=temperature,
    )
