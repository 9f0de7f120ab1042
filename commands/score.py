"""`clefkit score`: how close notes are to their reference."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clefkit import stream

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@stream.command(app, stream.MEASURES)
def score(
    paths: stream.Paths = None,
    *,
    common: stream.Common,
    ref: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The reference, or a folder with references of the same names.")
    ] = None,
    minimum: Annotated[
        list[str] | None, typer.Option("--min", metavar="MEASURE=VALUE", help="What the mean must reach.")
    ] = None,
    minimum_each: Annotated[
        list[str] | None, typer.Option("--min-each", metavar="MEASURE=VALUE", help="The same for every file.")
    ] = None,
    expect: Annotated[int | None, typer.Option(min=0, metavar="N", help="So many files must be measured.")] = None,
) -> None:
    """Compare notes (.mid, .jsonl) with their reference: precision, recall and F-measure of notes and frames.

    Without --ref the records lead to the reference, as they do for all that came through a pipe from render. A file
    that fails counts as 0 in the mean. The numbers are mir_eval's: onset within 50 ms, pitch within 50 cents.

    \b
    Examples:
      clefkit score take.notes.mid --ref take.mid
      clefkit transcribe *.hall-7.wav | clefkit score --min note_f1=0.8 --expect 50 --json
    """
    from clefkit.score import notes
    from clefkit.score.gate import gate

    judge = gate(minimum or [], minimum_each or [], expect).judge
    stream.measure("score", paths, common, notes.COLUMNS, judge, ref=None if ref is None else str(ref))
