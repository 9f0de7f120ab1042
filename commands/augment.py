"""`clefkit augment`: the same performance, heard somewhere else."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
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
    crowd = "crowd"
    vinyl = "vinyl"


class Kind(StrEnum):
    wav = "wav"
    flac = "flac"


@stream.command(app)
def augment(
    paths: stream.Paths = None,
    *,
    common: stream.Common,
    preset: Annotated[
        str | None,
        typer.Option(metavar="NAME[,NAME]", help="Presets one after another, see `clefkit presets`. [default: hall]"),
    ] = None,
    level: Annotated[
        str | None, typer.Option(metavar="N[..N]", help="Any preset of level 1, 2 or 3: another for each file.")
    ] = None,
    ir: Annotated[
        str | None,
        typer.Option(
            metavar="ROOM", help="Only a room: of a preset, by its own name, any of 'hall_*', or from a file."
        ),
    ] = None,
    replay: Annotated[
        Path | None, typer.Option(metavar="RECORD", help="The same numbers as were drawn for another file.")
    ] = None,
    variants: Annotated[int, typer.Option(min=1, max=999, metavar="N", help="Draw so many times for each file.")] = 1,
    snr: Annotated[
        float | None, typer.Option(min=-20, max=120, metavar="DB", help="Add noise at so many dB below.")
    ] = None,
    noise: Annotated[Noise, typer.Option(help="Kind of noise for --snr.")] = Noise.pink,
    kind: Annotated[
        Kind | None,
        typer.Option("--format", help="Kind of sound file.", show_default="flac for FLAC, wav for all else"),
    ] = None,
) -> None:
    """Move recordings to another room, microphone, phone or medium.

    A file that has a reference gets its own, moved where time moved; the record holds what was drawn and the clock.
    x.wav becomes x.hall-7.wav with --preset hall --seed 7, and x.ir-hall-7.wav with --ir hall.

    \b
    Examples:
      clefkit render song.mid | clefkit augment --preset hall --seed 7
      clefkit augment --level 1..3 --variants 5 --out set takes/*.flac
      clefkit augment --preset cassette,phone --snr 30 --noise hum-50 take3.flac
      clefkit augment --replay take3.hall-7.wav.json take4.wav
    """
    from clefkit.augment import recipes

    if sum(each is not None for each in (preset, level, ir, replay)) > 1:
        raise UsageError("--preset, --level, --ir and --replay exclude each other: each says all that is done")
    if level:
        presets, label = recipes.of_levels(level), f"level-{level.replace('..', '-')}-{common.seed}"
    elif replay:
        replayed, label = recipes.replayed(replay)
        presets = [replayed]
    else:
        presets = [recipes.room(ir) if ir else recipes.named(preset or "hall")]
        label = f"{presets[0]['name']}-{common.seed}"
    if snr is not None:
        presets = [recipes.with_noise(each, snr, noise.value) for each in presets]
    stream.run(
        "augment", paths, common, presets=presets, label=label, variants=variants, kind=kind and kind.value,
    )  # fmt: skip
