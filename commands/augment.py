"""`clefkit augment`: the same performance, heard somewhere else."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from clefkit import stream
from clefkit.errors import UsageError

app = typer.Typer(add_completion=False, rich_markup_mode=None)


class Noise(StrEnum):
    white = "white"
    pink = "pink"
    hiss = "hiss"
    room = "room"
    street = "street"
    hum_50 = "hum-50"
    hum_60 = "hum-60"


@stream.command(app)
def augment(
    paths: stream.Paths = None,
    *,
    common: stream.Common,
    preset: Annotated[
        str | None, typer.Option(metavar="NAME", help="A preset by name, see `clefkit presets`. [default: hall]")
    ] = None,
    ir: Annotated[
        str | None, typer.Option(metavar="ROOM", help="Only a room: of a preset, by its own name, or from a file.")
    ] = None,
    snr: Annotated[
        float | None, typer.Option(min=-20, max=120, metavar="DB", help="Add noise at so many dB below.")
    ] = None,
    noise: Annotated[Noise, typer.Option(help="Kind of noise for --snr.")] = Noise.pink,
) -> None:
    """Move recordings to another room, microphone or phone.

    The notes stay where they were: a file that has a reference gets its own, and the record holds what was drawn.
    x.wav becomes x.hall-7.wav with --preset hall --seed 7, and x.ir-hall-7.wav with --ir hall.

    \b
    Examples:
      clefkit render song.mid | clefkit augment --preset hall --seed 7
      clefkit augment --ir chapel.wav --snr 30 --noise hum-50 take3.flac
    """
    from clefkit import augment as stage
    from clefkit import registry
    from clefkit.augment import chain as chains

    if preset and ir:
        raise UsageError("--preset and --ir exclude each other: a preset has its own room")
    chain = stage.room_chain(ir) if ir else registry.preset(preset or "hall")
    if snr is not None:
        chain = stage.with_noise(chain, snr, noise.value)
    chains.check(chain)
    stream.run("augment", paths, common, chain=chain, label=f"{chain['name']}-{common.seed}")
