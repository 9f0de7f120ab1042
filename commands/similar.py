"""`clefkit similar`: which sounds are most alike?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clefkit import stream

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@stream.command(app, stream.MEASURES)
def similar(
    paths: stream.Paths = None,
    *,
    common: stream.Common,
    index: Annotated[
        bool, typer.Option("--index", help="Make an index of files, and of all sound in folders.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="With --index: what to write.")
    ] = None,
    within: Annotated[Path | None, typer.Option("--in", metavar="FILE", help="The index to look in.")] = None,
    instrument: Annotated[
        str | None, typer.Option(metavar="NAME", help="Compare by the sound of this instrument alone.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, metavar="K", help="How many of the nearest are shown.")] = 10,
    model: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="A checkpoint: its name, or its folder (with a slash).")
    ] = "tag",
) -> None:
    """Find the sounds that are most alike, in an index that is made once.

    With --index an index is made of the files named, and of all sound in the folders named: one file, which may be
    moved along with the sounds. It holds these files and no others. Made again, it takes over what hasn't changed, or
    was renamed, and listens to the rest. It prints how many files it has, how many were listened to, kept, are gone
    since, and failed. Interrupted, it keeps what it has heard so far.

    With --in it prints the nearest of each file, best first, without the file itself: query, rank, file, similarity
    (cosine: 1 is the same, 0 nothing in common), and the instruments that are present, the loudest first; --json has
    their gains, too. An answer among a million files takes about a second.

    With --instrument they are compared by the sound of that one alone, among the files in which it is present. It takes
    the names that `clefkit tag` knows: accordion, banjo, bass, cello, clarinet, cymbals, drums, flute, guitar,
    mallet_percussion, mandolin, organ, piano, saxophone, synthesizer, trombone, trumpet, ukulele, violin, voice,
    double_reed, horn_tuba, harp, strings_ensemble.

    \b
    Examples:
      clefkit similar --index samples/ -o samples.index
      clefkit similar kick.wav --in samples.index
      clefkit similar take.wav --in samples.index --instrument violin --top 3
      find . -name '*.flac' | clefkit similar --index -o all.index
    """
    from clefkit.tag import similar as stage
    from clefkit.tag.similar import told

    target, files = told.target(out, within, instrument, index=index), told.expanded(paths)
    checkpoint = stage.checkpoint(model)
    if target is not None:
        with told.Building(target, checkpoint) as judge:
            stream.measure("tag.similar.entry", files, common, judge, checkpoint=checkpoint, index=target)
    options = {"checkpoint": checkpoint, "index": within, "instrument": instrument}
    stage.opened(**options)  # tells what is wrong with it once, not for each file
    stream.measure("tag.similar", files, common, told.Asking(common.form), **options, top=top)
