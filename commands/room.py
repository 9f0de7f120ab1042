"""`clefkit room`: the response of a room that is not there."""

from __future__ import annotations

from typing import Annotated

import typer

from clefkit import stream

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@stream.command(app, ("out", "seed", "force", "json", "quiet"))
def room(
    *,
    common: stream.Common,
    rt60: Annotated[float, typer.Option(min=0.1, max=10, metavar="SECONDS", help="How long it rings (T20, middle).")],
    size: Annotated[str, typer.Option(metavar="LxWxH", help="Length, width and height in metres.")],
    distance: Annotated[
        float | None,
        typer.Option(metavar="M", help="From source to microphones. [default: 1.5 critical distances]"),
    ] = None,
    spacing: Annotated[float, typer.Option(metavar="M", help="Between two microphones; 0 is one, mono.")] = 0.17,
    rate: Annotated[int, typer.Option(min=8000, max=192_000, metavar="HZ", help="Sampling rate.")] = 48_000,
) -> None:
    """Simulate the impulse response of a room (needs the extra `rooms`).

    The seed says where in the room source and microphones are. Without --out the file is named after its numbers, in
    this folder: room-1.8s-30x20x12-0.wav. --out FILE.flac makes FLAC. The record holds what was measured.

    \b
    Examples:
      clefkit augment --ir $(clefkit room --rt60 1.8 --size 30x20x12) take.wav
      clefkit room --rt60 0.4 --size 6x5x3 --distance 1.5 --spacing 0 --seed 3 --out booth.flac
    """
    from clefkit.augment import roomfile

    numbers = roomfile.numbers(rt60, size, distance, spacing)
    kind = "flac" if common.out and common.out.suffix.lower() == ".flac" else "wav"
    stream.create("augment.roomfile", common, rate=rate, kind=kind, **numbers)
