"""Man pages from the commands themselves: `python -m clefkit.manual man` writes them."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

import typer

import clefkit
from clefkit.cli import TABLE, app

MANNERS = r"""
.SH FILES
Results go next to their inputs or into the folder given with \-\-out. Beside each is a record, NAME.json: where the
file came from, with what numbers it was made, and which reference it has. The same input, seed and versions give the
same bytes; a result that is already there is used again. A file that clefkit did not make is never replaced without
\-\-force.
.SH EXIT STATUS
.TP
0
Everything was done.
.TP
1
An input failed, or a threshold was not met; the other files were still done.
.TP
2
The command line was wrong.
.TP
130
Interrupted.
.SH ENVIRONMENT
.TP
CLEFKIT_PATH
Folders with presets/, models/ and soundfonts/ of your own, separated by colons.
.TP
CLEFKIT_SOUNDFONT
The soundfont to use, by file or name.
.TP
CLEFKIT_FLUIDSYNTH
The file of libfluidsynth, when it is not where systems keep it.
.TP
NO_COLOR
No colour on the terminal.
"""


def pages() -> dict[str, str]:
    """Every man page by file name, as roff."""
    made = {"clefkit.1": _page("clefkit", typer.main.get_command(app), _commands())}
    for name in TABLE:
        command = typer.main.get_command(importlib.import_module(f"clefkit.commands.{name}").app)
        others = ", ".join(f"clefkit-{other} (1)" for other in TABLE if other != name)
        made[f"clefkit-{name}.1"] = _page(f"clefkit {name}", command, f".SH SEE ALSO\nclefkit (1), {others}\n")
    return made


def _page(name: str, command: Any, end: str) -> str:
    about, *paragraphs = inspect.cleandoc(command.help).split("\n\n")
    dashed = name.replace(" ", "-")
    first = about.split(". ")[0].rstrip(".").replace("\n", " ")
    text = [
        f'.TH {dashed.upper()} 1 "" "clefkit {clefkit.__version__}" "User Commands"',
        f".SH NAME\n{dashed} \\- {_escaped(first[0].lower() + first[1:])}",
        f".SH SYNOPSIS\n.B {name}\n{_escaped(_synopsis(name, command))}",
        ".SH DESCRIPTION",
        *(_paragraph(each) for each in [about, *paragraphs]),
        ".SH OPTIONS",
        *_options(name, command),
    ]
    return "\n".join(text) + MANNERS + end


def _synopsis(name: str, command: Any) -> str:
    context = typer.Context(command, info_name=name)
    return " ".join(command.collect_usage_pieces(context))


def _options(name: str, command: Any) -> list[str]:
    context = typer.Context(command, info_name=name)
    shown = [each.get_help_record(context) for each in command.get_params(context)]
    return [f".TP\n.B {_escaped(head)}\n{_escaped(help_text)}" for head, help_text in filter(None, shown)]


def _paragraph(text: str) -> str:
    if not text.startswith("\b"):
        return f".PP\n{_escaped(' '.join(text.split()))}"
    title, *lines = text.strip("\b\n").split("\n")
    return f".SS {title.rstrip(':')}\n.nf\n{_escaped(chr(10).join(lines))}\n.fi"


def _commands() -> str:
    rows = [f".TP\n.B clefkit-{name} (1)\n{_escaped(line)}" for name, line in TABLE.items()]
    return "\n".join([".SH COMMANDS", *rows]) + "\n"


def _escaped(text: str) -> str:
    lines = text.replace("\\", "\\e").replace("-", "\\-").split("\n")
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in lines)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for file_name, page in pages().items():
        (folder / file_name).write_text(page, encoding="utf-8")
