"""`clefkit tag`: which instruments play, when, how loud each is, and what they sound like."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clefkit import stream

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@stream.command(app, stream.MEASURES)
def tag(
    paths: stream.Paths = None,
    *,
    common: stream.Common,
    model: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="A checkpoint: its name, or its folder (with a slash).")
    ] = "tag",
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, metavar="P", help="From which probability on one is called present [the checkpoint's]."
        ),
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, metavar="K", help="The K likeliest instruments of each file.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Draw each file: who sounds when, and gains as bars.")
    ] = None,
) -> None:
    """Say which instruments play in recordings, when, how loud each is in the mix, and what they sound like.

    Prints a row for each instrument that is present in a file:

    probability: that it plays; calibrated, so of a hundred such answers of .8 about eighty are right. gain_lu: its
    loudness relative to the whole (ITU-R BS.1770). sounds_s, first, last: how many seconds it sounds, and from when to
    when. brightness, roughness: of this instrument in the mix.

    --json has it all, a line a file: every instrument with family, segments (start, end, strength), 13 descriptors of
    timbre and an embedding; the same of the whole file. `clefkit score --as tags` reads these lines.

    24 instruments are known: accordion, banjo, bass, cello, clarinet, cymbals, drums, flute, guitar, mallet_percussion,
    mandolin, organ, piano, saxophone, synthesizer, trombone, trumpet, ukulele, violin, voice (OpenMIC's names),
    double_reed, horn_tuba, harp, strings_ensemble. Of others --json tells the family. Any length from 0.05 s, any rate,
    mono or stereo; silence is called silence.

    \b
    Examples:
      clefkit tag song.wav
      clefkit tag album/*.flac --json > album.jsonl
      clefkit tag take.wav --top 3 --threshold .5
      find . -name '*.wav' | clefkit tag --plot pictures
    """
    from clefkit import registry
    from clefkit.tag import told

    judge = told.Judge(common.form, plot)
    options = {"checkpoint": registry.checkpoint(model), "threshold": threshold, "top": top, "plot": plot is not None}
    stream.measure("tag", paths, common, judge, **options)
