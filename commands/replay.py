"""`clefkit replay`: files again from their records."""

from __future__ import annotations

import typer

from clefkit import stream

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@stream.command(app, ("out", *stream.MEASURES, "force"))
def replay(paths: stream.Paths = None, *, common: stream.Common) -> None:
    """Make files again from their records, and see that they come out the same to the byte.

    The file itself may be gone; its record (x.wav.json) and its source must be there.

    \b
    Example:
      rm song.hall-7.wav && clefkit replay song.hall-7.wav
    """
    stream.replay(paths, common)
