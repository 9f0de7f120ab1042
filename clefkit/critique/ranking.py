"""What a run of `clefkit critique` amounts to: a table, a ranking, and whether everything is good enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from clefkit.critique.findings import COLUMNS, CURVE_COLUMNS, NOTE_COLUMNS
from clefkit.critique.reading import READ
from clefkit.errors import UsageError
from clefkit.verdict import Row, Rows, Stems, Verdict

LISTS = {"suspicious_notes": NOTE_COLUMNS, "curve": CURVE_COLUMNS}
UNWRAPPED = ("file", "p_real", "percentile", "severity", "worst_start_s", "worst_end_s", "worst_p_real")
UNWRAPPED_TOO = ("worst_measure", "suspicious", "pitched_notes", "domain")


def expanded(paths: Sequence[str] | None) -> tuple[list[str] | None, bool]:
    """Folders as the files in them that can be judged, in order of names; and whether there was a folder.

    raises: UsageError when there is none in a folder
    """
    if not paths:
        return None, False
    found: list[str] = []
    for path in paths:
        if not Path(path).is_dir():
            found.append(path)
            continue
        within = sorted(each for each in Path(path).rglob("*") if each.suffix.lower() in READ and each.is_file())
        if not within:
            raise UsageError(f"{path}: nothing to judge in this folder")
        found += map(str, within)
    return found, any(Path(path).is_dir() for path in paths)


@dataclass
class Judge:
    """A `verdict.Judge` for one run.

    least: of P(real), for each file; ranked: files best first, at the end; plot: a folder for pictures
    """

    least: float | None
    ranked: bool
    plot: Path | None
    detailed: bool
    form: str
    rows: list[Row] = field(default_factory=list)
    details: dict[str, list[Row]] = field(default_factory=dict)
    low: list[str] = field(default_factory=list)
    stems: Stems = field(default_factory=Stems)
    seen: list[float] = field(default_factory=list)

    @property
    def decides(self) -> bool:
        return self.least is not None or self.plot is not None

    def together(self, path: str) -> str:  # noqa: ARG002 each file stands alone
        return ""

    def columns(self, finding: Row, *, all_of_them: bool) -> Sequence[str]:  # noqa: ARG002 all have the same
        if self.ranked or (self.detailed and self.form != "json"):
            return ()
        return (*UNWRAPPED, *UNWRAPPED_TOO) if all_of_them else COLUMNS

    def lines(self, finding: Row) -> list[Row]:
        return [finding]

    def add(self, finding: Row) -> dict[Path, str]:
        picture = finding.pop("picture", None)
        self.seen.append(finding["p_real"])
        if self.least is not None and finding["p_real"] < self.least:
            self.low.append(f"{finding['file']}: P(real) is {finding['p_real']:.3f}, less than {self.least:g}")
        if self.ranked:
            self.rows.append(finding)
        if self.detailed and self.form != "json":
            for key in LISTS.keys() & finding.keys():
                rows = [{"file": finding["file"], **row} for row in finding[key]]
                self.details.setdefault(key, []).extend(rows)
        if picture is None or self.plot is None:
            return {}
        return {self.plot / f"{self.stems.free(Path(finding['file']).stem)}.critique.svg": picture}

    def fail(self, path: str, error: str) -> None:
        """It was told, and the exit status is 1."""

    def verdict(self) -> Verdict:
        complaints = list(self.low)
        if self.least is not None and not self.seen:
            complaints.append("there is a --min, but nothing was judged")
        last: Row = {"file": f"mean of {len(self.seen)}"}
        if self.seen:
            last["p_real"] = float(np.mean(self.seen))
        return Verdict(last, list(self._tables()), complaints, None, [], {})

    def _tables(self) -> Iterator[Rows]:
        if self.ranked and self.rows:
            best_first = sorted(self.rows, key=lambda row: (-row["p_real"], row["file"]))
            yield Rows(COLUMNS, best_first)
        for key, columns in LISTS.items():
            if self.details.get(key):
                yield Rows(columns, self.details[key])
