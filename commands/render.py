"""`clefkit render`: scores become sound, with references exact to the sample."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from clefkit import stream

app = typer.Typer(add_completion=False, rich_markup_mode=None)


class Kind(StrEnum):
    wav = "wav"
    flac = "flac"


@stream.command(app)
def render(
    paths: stream.Paths = None,
    *,
    common: stream.Common,
    soundfont: Annotated[
        str | None, typer.Option(metavar="FONT", help="A file, or the name of an installed one.")
    ] = None,
    rate: Annotated[int, typer.Option(min=11025, max=96000, metavar="HZ", help="Samples a second.")] = 44100,
    kind: Annotated[Kind, typer.Option("--format", help="Kind of sound file.")] = Kind.wav,
    stems: Annotated[bool, typer.Option("--stems", help="Also one file for each part.")] = False,
    repeats: Annotated[bool, typer.Option(help="Play what is repeated.")] = True,
) -> None:
    """Play scores: MusicXML (.musicxml, .xml, .mxl) or MIDI (.mid) to sound.

    Beside x.wav it writes what it played: x.ref.jsonl (exact, in samples) and x.ref.mid (for people).

    \b
    Examples:
      clefkit render prelude.musicxml
      find scores -name '*.mxl' | clefkit render --format flac --out sound
    """
    from clefkit import registry

    font = registry.soundfont(soundfont)
    stream.run("render", paths, common, soundfont=font, rate=rate, kind=kind.value, stems=stems, repeats=repeats)
