"""`clefkit transcribe`: sound becomes notes."""

from __future__ import annotations

from typing import Annotated

import typer

from clefkit import stream

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@stream.command(app)
def transcribe(
    paths: stream.Paths = None,
    *,
    common: stream.Common,
    model: Annotated[
        str, typer.Option(metavar="NAME", help="A checkpoint by name; without a number its highest version.")
    ] = "notes",
) -> None:
    """Hear notes: sound of any length and any pitched instrument to MIDI (x.wav to x.notes.mid).

    Reads WAV, FLAC, OGG and MP3; m4a and video when the program ffmpeg is installed.

    \b
    Examples:
      clefkit transcribe take3.flac
      find takes -name '*.wav' | clefkit transcribe --out notes
    """
    from clefkit import registry

    stream.run("transcribe", paths, common, checkpoint=registry.model(model))
