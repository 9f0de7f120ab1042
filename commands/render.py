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


class Repeats(StrEnum):
    full = "full"
    none = "none"


class Also(StrEnum):
    midi = "midi"
    score_midi = "score-midi"
    kern = "kern"
    musicxml = "musicxml"
    mel = "mel"


@stream.command(app)
def render(
    paths: stream.Paths = None,
    *,
    common: stream.Common,
    human: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="0 is exact, 1 very free.", show_default=".5 for scores, 0 for MIDI"),
    ] = None,
    timbre: Annotated[
        str,
        typer.Option(
            metavar="fixed|random|FONT[:BANK:PROGRAM]",
            help="The installed font's instruments; each part another of its kind; or a soundfont, by name or file.",
        ),
    ] = "fixed",
    variants: Annotated[int, typer.Option(min=1, max=999, help="Play each score so many times.")] = 1,
    repeats: Annotated[Repeats, typer.Option(help="Play what is repeated, or each measure once.")] = Repeats.full,
    stems: Annotated[bool, typer.Option("--stems", help="Also one file for each part.")] = False,
    also: Annotated[
        list[Also] | None, typer.Option(help="Also the performance as MIDI, the score as it sounds, a log-mel.")
    ] = None,
    rule: Annotated[
        list[str] | None, typer.Option(metavar="NAME=WEIGHT", help="Weight of a rule of human performance.")
    ] = None,
    lufs: Annotated[
        float | None, typer.Option(min=-70, max=0, help="Loudness of the mix, when its peaks allow it.")
    ] = None,
    rate: Annotated[int, typer.Option(min=8000, max=96000, metavar="HZ", help="Samples a second.")] = 44100,
    kind: Annotated[Kind, typer.Option("--format", help="Kind of sound file.")] = Kind.wav,
) -> None:
    """Play scores: MusicXML, **kern, ABC, MEI, or MIDI, to sound.

    Beside x.wav it writes what it played: x.ref.jsonl (exact, in samples) and x.ref.mid (for people).

    \b
    Examples:
      clefkit render prelude.musicxml
      clefkit render --timbre random --variants 5 --seed 1 quartet.krn
      find scores -name '*.mxl' | clefkit render --format flac --out sound
    """
    from clefkit import registry

    preset, fonts = registry.timbre(timbre)
    rules = None
    if rule:
        from clefkit.render import human as rule_system

        rules = rule_system.weights(rule)
    stream.run(
        "render", paths, common, timbre=preset, fonts=fonts, human=human, variants=variants, repeats=repeats.value,
        stems=stems, also=[each.value for each in also or []], rules=rules, lufs=lufs,
        rate=rate, kind=kind.value,
    )  # fmt: skip
