"""What a run of `clefkit tag` amounts to: rows for each file as it comes, and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clefkit.tag import findings
from clefkit.verdict import Row, Stems, Verdict


@dataclass
class Judge:
    """A `verdict.Judge` for one run. form: how findings are printed; plot: a folder for pictures"""

    form: str
    plot: Path | None
    stems: Stems = field(default_factory=Stems)

    @property
    def decides(self) -> bool:
        return self.plot is not None

    def together(self, path: str) -> str:  # noqa: ARG002 each file stands alone
        return ""

    def columns(self, finding: Row, *, all_of_them: bool) -> Sequence[str]:  # noqa: ARG002 all have the same
        return findings.COLUMNS

    def lines(self, finding: Row) -> list[Row]:
        return [finding] if self.form == "json" else findings.rows(finding)

    def add(self, finding: Row) -> dict[Path, str]:
        picture = finding.pop("picture", None)
        if picture is None or self.plot is None:
            return {}
        return {self.plot / f"{self.stems.free(Path(finding['file']).stem)}.tag.svg": picture}

    def fail(self, path: str, error: str) -> None:
        """It was told, and the exit status is 1."""

    def verdict(self) -> Verdict:
        return Verdict({}, [], [], None, [], {})
