"""What a person or the next program is told: paths and findings on stdout, everything else on stderr.

Progress is shown only on a terminal, and in a pipe only by its last program. rich is imported where something is drawn.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import stat
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TextIO

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console
    from rich.progress import Progress

LEAST_WIDTH = 10  # what a column of words keeps when the terminal is narrow
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # but for the end of a line


Line = list[tuple[str, str]]  # pieces of text, each with a style as rich names them, "" for none


class Canvas(NamedTuple):
    """columns: how many characters fit into a line; coloured: whether colours can be told apart"""

    columns: int
    coloured: bool


class Reporter:
    """Speaks for one command. Use it as a context; `total` is the number of inputs when it is known."""

    def __init__(self, name: str, total: int | None, *, quiet: bool) -> None:
        self.name = name
        self.quiet = quiet
        self.progress: Progress | None = None
        if not quiet and sys.stderr.isatty() and not _into_a_pipe():
            self.progress = _progress()
            self.task = self.progress.add_task(f"clefkit {name}", total=total)

    def __enter__(self) -> Self:
        if self.progress:
            self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.progress:
            self.progress.stop()

    def advance(self) -> None:
        """One more input is done."""
        if self.progress:
            self.progress.advance(self.task)
            self.progress.refresh()

    def error(self, text: str) -> None:
        """One line on stderr, or several with a traceback."""
        text = _shown(text)
        if self.progress:
            self.progress.console.print(
                f"clefkit {self.name}: {text}", markup=False, emoji=False, highlight=False, soft_wrap=True
            )
        else:
            print(f"clefkit {self.name}: {text}", file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """As `error`, but left out with --quiet."""
        if not self.quiet:
            self.error(text)

    def draw(self, lines: Sequence[Line]) -> None:
        """Lines of coloured pieces, on stderr."""
        from rich.text import Text

        if lines:
            console = self.progress.console if self.progress else _console()
            texts = [Text.assemble(*((_shown(text), style) for text, style in line)) for line in lines]
            # at once: a progress bar is drawn again after each print
            console.print(Text("\n").join(texts), soft_wrap=True, highlight=False)


def canvas() -> Canvas:
    """What can be drawn on: the terminal on stderr, or 80 columns without colours."""
    console = _console()
    return Canvas(console.width, bool(console.color_system) and not console.no_color)


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True)


def path(name: str, record: dict[str, Any], *, as_json: bool, null: bool) -> None:
    """A finished file, on stdout at once: the next program may be waiting for it."""
    name = f"./{name}" if name.startswith("-") else name  # or xargs would take it for an option
    text = _json({"path": name, **record}) if as_json else name
    sys.stdout.buffer.write(os.fsencode(text) + (b"\0" if null and not as_json else b"\n"))
    sys.stdout.buffer.flush()


class Table:
    """Findings as they come: tab-separated lines in a pipe, "json" Lines or "csv" by `form`; on a terminal a table, at
    the end. Without columns nothing is shown."""

    def __init__(self, columns: Sequence[str], form: str, to: TextIO | None = None) -> None:
        self.columns = columns
        self.form = form
        self.to = to or sys.stdout
        self.drawn = self.to.isatty() and not form
        self.findings: list[dict[str, Any]] = []
        self.begun = False

    def add(self, finding: dict[str, Any]) -> None:
        if not self.columns:
            return
        if self.drawn:
            self.findings.append({column: finding.get(column, "") for column in self.columns})
        elif self.form == "json":
            self._line(_json(finding))
        else:
            if not self.begun:
                self._line(self._joined(self.columns))
                self.begun = True
            self._line(self._joined(self._cells(finding)))

    def end(self, last: dict[str, Any]) -> None:
        """Draw the table, without empty columns, and a last row, such as the mean; a pipe gets no such row."""
        if not self.drawn or not self.findings:
            return
        from rich import box
        from rich.console import Console
        from rich.table import Table as Drawn

        self.columns = [each for each in self.columns if any(row[each] not in {"", None} for row in self.findings)]
        rows = [list(map(_shown, self._cells(finding))) for finding in self.findings]
        table = Drawn(box=box.SIMPLE_HEAD, show_footer=bool(last), padding=(0, 1, 0, 0))
        for index, (column, cell) in enumerate(zip(self.columns, self._cells(last), strict=True)):
            number = any(isinstance(finding[column], int | float) for finding in self.findings)
            width = max(len(cell), *(len(row[index]) for row in rows))
            words = column.split("_")
            table.add_column(
                " ".join(words),
                footer=cell,
                justify="right" if number else "left",
                overflow="fold",
                min_width=width if number else min(LEAST_WIDTH, width),
                max_width=max(width, *map(len, words)) if number else None,
            )
        for row in rows:
            table.add_row(*row)
        Console(file=self.to, markup=False, emoji=False).print(table)

    def _cells(self, finding: dict[str, Any]) -> list[str]:
        plain = str if self.form == "csv" else _cell
        return [plain("" if (value := finding.get(column)) is None else value) for column in self.columns]

    def _joined(self, cells: Sequence[str]) -> str:
        if self.form != "csv":
            return "\t".join(cells)
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(cells)
        return text.getvalue()

    def _line(self, text: str) -> None:
        self.to.buffer.write(os.fsencode(text) + b"\n")
        self.to.buffer.flush()


def table(columns: Sequence[str], rows: list[dict[str, Any]], form: str, to: TextIO | None = None) -> None:
    """Rows that are all known already."""
    table = Table(columns, form, to)
    for row in rows:
        table.add(row)
    table.end({})


def _json(data: dict[str, Any]) -> str:
    """Bytes of names that are no UTF-8 are escaped: JSON must be UTF-8."""
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value).replace("\t", " ").replace("\n", " ")


def _shown(text: str) -> str:
    """Text for a terminal: what names hold of control characters, and of bytes that are no UTF-8, is escaped."""
    text = CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
    return text.encode("utf-8", "backslashreplace").decode()


def line(text: str) -> None:
    """A line on stdout, at once."""
    sys.stdout.buffer.write(os.fsencode(text) + b"\n")
    sys.stdout.buffer.flush()


def _into_a_pipe() -> bool:
    """Another program reads what we print: the last one of a pipe shows its progress, or they would mix."""
    return stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode)


def _progress() -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    # no refresh thread: workers are forked from a process of one thread
    return Progress(*columns, console=_console(), auto_refresh=False, transient=True)
