"""`clefkit enhance`: from a phone to the sound of a studio."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from clefkit import stream
from clefkit.errors import UsageError

app = typer.Typer(add_completion=False, rich_markup_mode=None)


class Part(StrEnum):
    dynamics = "dynamics"
    tone = "tone"
    noise = "noise"


class Kind(StrEnum):
    wav = "wav"
    flac = "flac"


@stream.command(app)
def enhance(
    paths: stream.Paths = None,
    *,
    common: stream.Common,
    strength: Annotated[float, typer.Option(min=0, max=1, metavar="0..1", help="How much of it; 0 is none.")] = 1.0,
    keep_dynamics: Annotated[bool, typer.Option("--keep-dynamics", help="Leave loud and soft as they are.")] = False,
    only: Annotated[list[Part] | None, typer.Option(help="Restore only this; may be given twice.")] = None,
    reference: Annotated[
        str | None, typer.Option(metavar="FILE", help="A recording whose spectrum and loudness to match.")
    ] = None,
    lufs: Annotated[
        float | None, typer.Option(min=-60, max=0, metavar="LUFS", help="Loudness [the recording's own].")
    ] = None,
    kind: Annotated[Kind | None, typer.Option("--format", help="[default: flac for flac, else wav]")] = None,
    model: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="A checkpoint: its name, or its folder (with a slash).")
    ] = "enhance",
    plot: Annotated[bool, typer.Option("--plot", help="Draw before and after: x.studio.png.")] = False,
) -> None:
    """Restore recordings that a telephone made: dynamics, tone, and no noise. take.wav becomes take.studio.wav.

    Dynamics: automatic gain and compression made everything equally loud; the gain that did it is inferred and undone.
    Tone: what the microphone and the room coloured, and bands that are missing. Noise: hiss, hum, rooms, suppression.

    --keep-dynamics is all but dynamics. --only tone restores the tone alone, a static curve.

    The loudness stays that of the recording (ITU-R BS.1770) unless --lufs or --reference say another; it is less where
    peaks would go over -1 dBTP, for nothing is limited: dynamics that were restored are not taken away again.

    The record, x.studio.wav.json, holds what was inferred: the gain over time, the curve over frequency, the noise.

    Any rate, mono or stereo. WAV, FLAC, OGG, MP3; m4a and video when the program ffmpeg is installed. Recordings of
    music: speech and noise come out as they went in, or nearly.

    \b
    Examples:
      clefkit enhance take.wav
      clefkit enhance --plot --lufs -16 --out better phone/*.m4a
      clefkit enhance --reference album.flac take.wav | clefkit transcribe
      clefkit augment --preset phone-near song.wav | clefkit enhance | clefkit score
    """
    from clefkit import registry

    if only and keep_dynamics:
        raise UsageError("--only and --keep-dynamics don't go together: name with --only what is wanted")
    left = {Part.dynamics} if keep_dynamics else set()
    stream.run(
        "enhance", paths, common, checkpoint=registry.checkpoint(model), strength=strength,
        parts=[part.value for part in Part if part in (only or Part) and part not in left],
        reference=registry.recording(reference) if reference else None, lufs=lufs,
        kind=kind.value if kind else None, plot=plot,
    )  # fmt: skip
