"""`clefkit presets`: the presets that the registry knows."""

from __future__ import annotations

from typing import Annotated

import typer

from clefkit import stream

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@stream.command(app, stream.LISTS)
def presets(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these.", show_default=False)
    ] = None,
    *,
    common: stream.Common,
    show: Annotated[bool, typer.Option("--show", help="Print the files of the presets.")] = False,
    effects: Annotated[bool, typer.Option("--effects", help="List what a preset may be made of instead.")] = False,
) -> None:
    """List presets of `augment`: which real situation each one is, how far from the studio (1 to 3), and its effects.

    Your own go into a folder presets/ of CLEFKIT_PATH or of the user data folder that `clefkit doctor` names.

    \b
    Examples:
      clefkit presets
      clefkit presets hall --show
      clefkit presets --effects
    """
    from clefkit import catalogue

    if effects:
        stream.rows(catalogue.effects(), ["kind", "setting", "values", "default"], common)
    rows = catalogue.presets(names or [])
    if show:
        stream.text(catalogue.details("presets", row["name"]) for row in rows)
    stream.rows(rows, ["name", "level", "about", "effects"], common)
