"""What a run of `clefkit align` takes and amounts to: which file is the reference, and a row for each take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clefkit import registry
from clefkit.errors import UsageError
from clefkit.registry import Asset
from clefkit.verdict import Row, Verdict

COLUMNS = ("file", "offset_s", "drift_ppm", "delay_samples", "dropped", "missing_ms", "confidence")


def chosen(paths: list[str] | None, ref: str | None) -> tuple[list[str] | None, Asset]:
    """The takes, and the reference: that of --ref, or else the last of the files.

    raises: UsageError when no reference is named, or there is no such file
    """
    if ref is not None:
        return paths, registry.recording(ref)
    if not paths or paths == ["-"]:
        raise UsageError("paths on stdin are takes: name their reference with --ref FILE")
    *takes, last = paths
    if not takes:
        raise UsageError(f"only {last}: name the takes first, the reference last (or with --ref FILE)")
    return takes, registry.recording(last)


def check(*, write: bool, out: Path | None, csv: bool) -> None:
    """raises: UsageError when options don't go together"""
    if out is not None and not write:
        raise UsageError(f"--out {out} is for --write and --dataset: what is found goes to stdout")
    if csv and write:
        raise UsageError("--csv is for what is found: --write prints paths")


def check_dataset(paths: list[str] | None, *, write: bool) -> None:
    """raises: UsageError when options don't go together"""
    if paths or write:
        raise UsageError(f"--dataset takes its files from its folder: leave out {paths[0] if paths else '--write'}")


@dataclass
class Judge:
    """A `verdict.Judge` for one run. columns_shown: keys of a finding"""

    columns_shown: Sequence[str] = COLUMNS

    @property
    def decides(self) -> bool:
        return False

    def together(self, path: str) -> str:  # noqa: ARG002 each take stands alone
        return ""

    def columns(self, finding: Row, *, all_of_them: bool) -> Sequence[str]:  # noqa: ARG002 all have the same
        return self.columns_shown

    def lines(self, finding: Row) -> list[Row]:
        return [finding]

    def add(self, finding: Row) -> dict[Path, str]:  # noqa: ARG002 nothing is written
        return {}

    def fail(self, path: str, error: str) -> None:
        """It was told, and the exit status is 1."""

    def verdict(self) -> Verdict:
        return Verdict({}, [], [], None, [], {})
