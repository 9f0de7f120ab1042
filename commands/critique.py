"""`clefkit critique`: is this music, when does it stop being music, and which notes are to blame?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clefkit import stream

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@stream.command(app, stream.MEASURES)
def critique(
    paths: stream.Paths = None,
    *,
    common: stream.Common,
    model: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="A checkpoint: its name, or its folder (with a slash).")
    ] = "critic",
    minimum: Annotated[
        float | None, typer.Option("--min", min=0, max=1, metavar="P", help="What P(real) of each file must reach.")
    ] = None,
    rank: Annotated[bool, typer.Option("--rank", help="Best first, at the end; a folder is always ranked.")] = False,
    notes: Annotated[
        bool, typer.Option("--notes", help="List the suspicious notes instead; with --json, in each file's line.")
    ] = False,
    curve: Annotated[bool, typer.Option("--curve", help="List P(real) over time, likewise: 10 s every 5.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Draw each file: piano roll, curve, attention, suspicious notes."),
    ] = None,
) -> None:
    """Say how much notes sound like music that a human wrote, where they do so least, and which notes are suspicious.

    Takes MIDI, notes (.jsonl), scores (MusicXML, **kern, ABC, MEI) and sound, which is transcribed first. Of each file
    it prints:

    p_real: the probability that it is music and not a spoilt piece, whose notes or order were changed; calibrated so
    that at least 96 of 100 real excerpts have .5 or more. percentile: how many of a hundred real pieces are less so.
    severity: how much of it is spoilt, 0 to 1. worst: the 10 s that are least convincing. suspicious: how many notes
    are (--notes names them: a wrong pitch, and which would be right; moved in time; the first of a phrase that doesn't
    follow).

    Transposition, tempo, loudness, octave doublings and what a transcriber misses hardly move the score. It was made
    for Western tonal music with a pitch: it says nothing of drums, and little of atonal music.

    With --min the exit status is 1 when a file has less, or can't be judged.

    \b
    Examples:
      clefkit critique sonata.mid
      clefkit critique generated/ --min .6
      clefkit critique song.musicxml --notes
      clefkit transcribe *.wav | clefkit critique --json --curve
      clefkit critique take.wav --plot pictures
    """
    from clefkit import registry
    from clefkit.critique import ranking

    files, folder = ranking.expanded(paths)
    judge = ranking.Judge(minimum, rank or folder, plot, notes or curve, common.form)
    options = {"checkpoint": registry.checkpoint(model), "curve": curve, "notes": notes, "plot": plot is not None}
    stream.measure("critique", files, common, judge, **options)
