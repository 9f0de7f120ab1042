"""Inputs from the command line, or from stdin as they come."""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

from clefkit.errors import UsageError
from clefkit.work import Item

LONGEST = 16 * 2**20  # bytes of a line on stdin


class Arrivals:
    """Paths in the order given. Two that would make one output name are refused: at once when both are on the command
    line (UsageError), the second one when they come on stdin.

    out: the folder that all results go to, if there is one
    total: how many there are, None when stdin still has to tell
    together: what neighbouring inputs have in common that are one item, "" for an input alone; None: all are alone
    enter: called with each folder that results go to, before the first of them; None when there are no results
    folders: the folders entered so far
    """

    def __init__(
        self,
        paths: list[str],
        *,
        null: bool,
        out: Path | None = None,
        enter: Callable[[Path], None] | None = None,
        together: Callable[[str], str] | None = None,
    ) -> None:
        self.out = out
        self.null = null
        self.enter = enter
        self.together = together
        self.ended = bool(paths) and paths != ["-"]
        self.here = deque(paths if self.ended else [])
        self.total = len(paths) if self.ended else None
        self.folders: set[Path] = set()
        self._claimed: dict[tuple[Path, str], str] = {}
        self._rest = b""
        if not self.ended and sys.stdin.isatty():
            raise UsageError("no files: name some, or pipe their paths in")
        if "" in paths:
            raise UsageError("one of the names is empty")
        for path in self.here:
            problem = self._problem(path)
            if problem:
                raise UsageError(f"{path}: {problem}")

    def fileno(self) -> int:
        return sys.stdin.fileno()

    def receive(self) -> None:
        """Read what stdin has. A last line without an end counts as well."""
        data = os.read(self.fileno(), 1 << 16)
        self.ended = not data
        if len(self._rest) > LONGEST:
            raise UsageError(f"stdin holds no paths: no line ends within {LONGEST // 2**20} MiB")
        *lines, self._rest = (self._rest + data).split(b"\0" if self.null else b"\n")
        if self.ended:
            lines.append(self._rest)
        self.here.extend(_path(os.fsdecode(line)) for line in lines if line.strip())

    def take(self) -> Item | None:
        """The next input that is here; the next group of them once something else comes, or the end."""
        if not self.here:
            return None
        common = self.together(self.here[0]) if self.together else ""
        if common:
            return self._group(common)
        path = self.here.popleft()
        folder, problem = self._folder(path), self._problem(path)
        if self.enter and not problem and folder not in self.folders:
            self.folders.add(folder)
            self.enter(folder)
        return Item(path, problem)

    def _group(self, common: str) -> Item | None:
        assert self.together is not None
        length = next((k for k, path in enumerate(self.here) if self.together(path) != common), len(self.here))
        if length == len(self.here) and not self.ended:
            return None
        path, *others = (self.here.popleft() for _ in range(length))
        return Item(path, others=tuple(others))

    def _folder(self, path: str) -> Path:
        return self.out or Path(path).parent

    def _problem(self, path: str) -> str:
        if "\n" in path and not self.null:
            return "a name with a newline needs --null"
        if "\0" in path:
            return "no name of a file, for it holds a NUL: say --null where paths end in one"
        if self.enter is None:
            return ""
        other = self._claimed.setdefault((self._folder(path).absolute(), Path(path).stem), path)
        if other != path:
            return f"would make files of the same names as {other}: rename one, or give another --out"
        return ""


def _path(line: str) -> str:
    """A line is a path, or the record that `--json` printed."""
    if not line.startswith("{"):
        return line
    try:
        path = json.loads(line)["path"]
        return path if path and os.fsencode(path) else line
    except (ValueError, KeyError, TypeError, RecursionError):
        return line
