"""`clefkit separate`: one sound for each instrument."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from clefkit import stream

app = typer.Typer(add_completion=False, rich_markup_mode=None)


class Mode(StrEnum):
    timbre = "timbre"
    harmonic_percussive = "harmonic-percussive"
    classes = "classes"


class Kind(StrEnum):
    wav = "wav"
    flac = "flac"


@stream.command(app)
def separate(
    paths: stream.Paths = None,
    *,
    common: stream.Common,
    instruments: Annotated[
        str, typer.Option(metavar="K|auto", help="How many stems: one for each timbre that is heard, or K.")
    ] = "auto",
    notes: Annotated[
        str | None, typer.Option(metavar="FILE|ref", help="The notes, if they are known: each track is a stem.")
    ] = None,
    stems: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Only these stems; all others stay in the rest.")
    ] = None,
    mode: Annotated[Mode, typer.Option(help="Told apart by timbre, by how it sounds, or into classes.")] = Mode.timbre,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, metavar="X", help="How sure of a note to be, as for transcribe.")
    ] = 0.5,
    names: Annotated[
        str, typer.Option(metavar="NAME|PATH|auto|none", help="A checkpoint of tag that names the stems.")
    ] = "auto",
    kind: Annotated[Kind | None, typer.Option("--format", help="[default: flac for flac, else wav]")] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME|PATH|none", help="What refines masks [masks]; or knows the classes.")
    ] = None,
) -> None:
    """Take a recording apart: a sound for each instrument, whatever and however many they are.

    mix.wav becomes mix.1-violin.wav, mix.2-timbre-2.wav, ..., each with its notes beside it (mix.1-violin.notes.mid),
    and mix.rest.wav: noise, drums, all that no note explains. They add up to the mixture. Nothing needs to be known of
    the instruments: notes that sound alike share a stem, and a stem has a name where clefkit tag is sure of it.

    --instruments 3 makes three stems; auto, as many as there seem to be, and one of a solo.

    --notes score.mid uses the notes of a file, on the mixture's clock, one stem a track; with --instruments, or of a
    single track, they are shared out by timbre. --notes ref: the reference that the recording's record names.

    --stems violin,piano writes these alone (by their names, or as numbered: 1-violin); all others are in the rest.

    --mode harmonic-percussive: what sounds on, and what is struck. --mode classes --model FOLDER/: the classes of a
    network of your own, such as Demucs or Open-Unmix in ONNX: vocals, drums, bass. The contract of its config.toml is
    in clefkit/separate/classes.py.

    Any rate and length, mono or stereo. WAV comes out as 32-bit floating point, FLAC with 24 bits. --model none leaves
    masks as the notes' partials have them: faster, and somewhat worse.

    \b
    Examples:
      clefkit separate trio.flac
      clefkit separate --instruments 3 --out stems trio.wav | clefkit score --ref trio/
      clefkit render --stems quartet.mxl | clefkit separate --notes ref
      clefkit separate --mode classes --model ./demucs/ --stems vocals song.mp3
    """
    from clefkit.separate import settings

    options = settings.options(
        mode.value, instruments=instruments, notes=notes, keep=stems.split(",") if stems else (), threshold=threshold,
        model=model, names=names,
    )  # fmt: skip
    stream.run("separate", paths, common, kind=kind.value if kind else None, **options)
