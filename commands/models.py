"""`clefkit models`: the checkpoints that the registry knows."""

from __future__ import annotations

from typing import Annotated

import typer

from clefkit import stream

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@stream.command(app, stream.LISTS)
def models(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these.", show_default=False)
    ] = None,
    *,
    common: stream.Common,
    card: Annotated[bool, typer.Option("--card", help="Print the model cards.")] = False,
) -> None:
    """List checkpoints with their licence, size, hash and measured figures.

    Your own go into a folder models/ of CLEFKIT_PATH or of the user data folder that `clefkit doctor` names.

    \b
    Examples:
      clefkit models
      clefkit models notes --card
    """
    from clefkit import catalogue

    rows = catalogue.models(names or [])
    if card:
        stream.text(catalogue.details("models", row["name"]) for row in rows)
    stream.rows(rows, ["name", "licence", "size", "sha256", "measured"], common)
