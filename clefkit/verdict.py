"""What becomes of the findings of a measuring stage: a judge collects them and says what they amount to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

Row = dict[str, Any]


class Rows(NamedTuple):
    """A table: rows, and the keys of them that are shown."""

    columns: Sequence[str]
    rows: list[Row]


class Verdict(NamedTuple):
    """last: a last row for the table of findings; tables: what comes after it
    complaints: what was not met, a sentence each: the exit status is 1 when there is one; fell: a table of what fell
    notes: what a person may want to know; files: texts to be written, whole or not at all
    """

    last: Row
    tables: list[Rows]
    complaints: list[str]
    fell: Rows | None
    notes: list[str]
    files: dict[Path, str]


class Stems(dict[str, int]):
    """Names of files that are taken, by how often."""

    def free(self, stem: str) -> str:
        """The stem, with a number where another file has it, if only in letters of another size; now taken."""
        while True:
            key = stem.casefold()
            self[key] = number = self.get(key, 0) + 1
            if number == 1:
                return stem
            stem = f"{stem}-{number}"


class Judge(Protocol):
    @property
    def decides(self) -> bool:
        """Does the exit status or a file depend on the findings? Then all are measured, whoever reads them."""
        ...

    def together(self, path: str) -> str:
        """What neighbouring inputs have in common that are measured as one; "" for an input that stands alone."""
        ...

    def columns(self, finding: Row, *, all_of_them: bool) -> Sequence[str]:
        """Which keys of a finding are shown; none when findings are not shown at all."""
        ...

    def lines(self, finding: Row) -> list[Row]:
        """What is shown of a finding: itself, or several rows of it."""
        ...

    def add(self, finding: Row) -> dict[Path, str]:
        """Take note of a finding. Returns texts to be written at once, and takes them out of the finding."""
        ...

    def fail(self, path: str, error: str) -> None:
        """Take note of an input that could not be measured."""

    def verdict(self) -> Verdict: ...
