"""The table of commands; each is imported when it is asked for, so that every `--help` is fast."""

from __future__ import annotations

import importlib
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import clefkit

TABLE = {
    "render": "Play scores: MusicXML or MIDI to sound, with exact references.",
    "augment": "Move recordings to another room, microphone or phone.",
    "room": "Simulate the response of a room (extra `rooms`).",
    "transcribe": "Hear notes: sound to MIDI.",
    "tag": "Name instruments: which, when, how loud in the mix, and how they sound.",
    "similar": "Find the sounds that are most alike.",
    "align": "Bring recordings of one performance onto one clock.",
    "separate": "Take a mixture apart: a sound for each instrument.",
    "enhance": "Restore phone recordings: dynamics, tone, no noise.",
    "critique": "Judge how much notes sound like music, and which are to blame.",
    "corrupt": "Spoil notes in a known way, to try critics with.",
    "compose": "Make little pieces that please a critic.",
    "score": "Compare with a reference; fail when it is not good enough.",
    "train": "Make checkpoints from their recipes (extra `train`).",
    "replay": "Make files again from their records, byte for byte.",
    "models": "List checkpoints, or show one.",
    "presets": "List presets, or show one.",
    "doctor": "Say what is installed and what is missing.",
}


class Commands(TyperGroup):
    """Shows the table; imports a command only when it is run, or completed."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name in TABLE:
            command = typer.main.get_command(importlib.import_module(f"clefkit.commands.{name}").app)
            command.name = name
        return name, command, rest


app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"clefkit {clefkit.__version__}")
        raise typer.Exit


@app.callback(no_args_is_help=True)
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say it and stop.")
    ] = False,
) -> None:
    """Scores into sound and sound into scores: small programs that chain in a shell.

    Each reads files, or their paths on stdin, and prints the paths it wrote.

    \b
    Example:
      clefkit render song.mxl | clefkit augment --ir hall | clefkit transcribe | clefkit score
    """


for _name, _line in TABLE.items():
    app.command(_name, help=_line)(lambda: None)


def main() -> None:
    """The program `clefkit`."""
    app(prog_name="clefkit")
