"""`clefkit doctor`: what is installed, and what is missing."""

from __future__ import annotations

import typer

from clefkit import stream

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@stream.command(app, stream.LISTS)
def doctor(*, common: stream.Common) -> None:
    """Say what is found: libfluidsynth, soundfonts, checkpoints (hashes are verified), cores, GPU.

    Ends with status 1 when something that is needed is missing; the last column says what to do.

    \b
    Example:
      clefkit doctor
    """
    from clefkit import catalogue

    rows = catalogue.installation()
    stream.rows(rows, ["what", "ok", "found"], common, failed=any(row["ok"] == "no" for row in rows))
