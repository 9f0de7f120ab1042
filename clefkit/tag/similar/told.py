"""What a run of `clefkit similar` amounts to: an index, or the nearest of each query."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from clefkit import audio
from clefkit.errors import InputError, UsageError
from clefkit.registry import Asset
from clefkit.tag import similar
from clefkit.tag.similar import index as index_file
from clefkit.tag.similar.index import Checkpoint, Entry, Index
from clefkit.verdict import Row, Rows, Verdict

SUFFIXES = audio.NATIVE_SUFFIXES | {".m4a", ".opus", ".wma"}
COLUMNS = ("query", "rank", "file", "similarity", "instruments")
BUILT = ("path", "files", "listened", "kept", "gone", "failed")


def expanded(paths: Sequence[str] | None) -> list[str] | None:
    """Folders as the sound files in them, in order of names, without hidden ones.

    raises: UsageError when there is none in a folder
    """
    if not paths:
        return None
    found: list[str] = []
    for path in paths:
        within = sorted(_within(path)) if Path(path).is_dir() else [path]
        if not within:
            raise UsageError(f"{path}: no sound files in this folder")
        found += within
    return found


def _within(folder: str) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):  # macOS leaves ._kick.wav
                yield str(Path(place) / name)


def target(out: Path | None, within: Path | None, instrument: str | None, *, index: bool) -> Path | None:
    """Where an index is to be made; None when one is asked.

    raises: UsageError when neither is meant, or both are, or there is no such instrument
    """
    if not index:
        if out is not None:
            raise UsageError(f"--out {out} is for --index: answers go to stdout")
        if within is None:
            raise UsageError("say which index to look in with --in FILE, or make one with --index -o FILE")
        if not within.exists():
            raise UsageError(f"--in {within}: no such file")
        if instrument is not None:
            similar.leaf(instrument)
        return None
    if within is not None or instrument is not None:
        raise UsageError(f"--index makes an index: {'--in' if within else '--instrument'} is for asking one")
    if out is None:
        raise UsageError("--index: say which file to write with --out")
    if out.is_dir():
        raise UsageError(f"--out {out} is a folder: name a file")
    return out


@dataclass
class Building:
    """A `verdict.Judge` that makes an index of all files that could be listened to.

    As a context it keeps what was heard until someone interrupted it, beside what the index had before.
    """

    out: Path
    checkpoint: Asset
    before: Index | None = None
    entries: dict[str, Entry] = field(default_factory=dict)
    listened: int = 0
    kept: int = 0
    failed: int = 0
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Find out at once, not after hours, that the index can't be written."""
        self.out.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(self.out.parent, os.W_OK):
            raise InputError(f"{self.out}: can't be written (no permission to write in its folder)")
        index_file.refuse(self.out)
        if not self.out.exists() or not self.out.stat().st_size:
            return
        try:
            self.before = index_file.load(self.out)
        except InputError as error:
            self.notes.append(f"{error}, as is done now")
            return
        if self.before.checkpoint.sha256 != self.checkpoint.sha256:
            self.notes.append(f"{self.out} was made with another checkpoint: everything is listened to again")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.listened and isinstance(error, KeyboardInterrupt | SystemExit):
            before = self.before
            if before is not None and before.checkpoint.sha256 == self.checkpoint.sha256:
                old = (before.entry(row) for row in range(len(before)))
                self.entries = {entry.name: entry for entry in old} | self.entries
            self._write()

    @property
    def decides(self) -> bool:
        return True

    def together(self, path: str) -> str:  # noqa: ARG002 each file stands alone
        return ""

    def columns(self, finding: Row, *, all_of_them: bool) -> Sequence[str]:  # noqa: ARG002 nothing is shown of a file
        return ()

    def lines(self, finding: Row) -> list[Row]:  # noqa: ARG002 likewise
        return []

    def add(self, finding: Row) -> dict[Path, str]:
        entry: Entry = finding["entry"]
        self.entries[entry.name] = entry
        self.kept += finding["kept"]
        self.listened += not finding["kept"]
        return {}

    def fail(self, path: str, error: str) -> None:  # noqa: ARG002 they were told
        self.failed += 1

    def verdict(self) -> Verdict:
        if not self.entries:
            stays = f"{self.out} stays as it was" if self.before else f"{self.out} is not written"
            return Verdict({}, [], [f"nothing to make an index of: {stays}"], None, self.notes, {})
        self._write()
        row: Row = {"path": str(self.out), "files": len(self.entries), "listened": self.listened, "kept": self.kept}
        row |= {"gone": self._gone(), "failed": self.failed}
        return Verdict({}, [Rows(BUILT, [row])], [], None, self.notes, {})

    def _gone(self) -> int:
        names = map(self.before.name, range(len(self.before))) if self.before else ()
        return sum(name not in self.entries for name in names)

    def _write(self) -> None:
        made_with = Checkpoint(self.checkpoint.name, self.checkpoint.sha256)
        index_file.write(index_file.joined(self.out, made_with, self.entries.values()))


@dataclass
class Asking:
    """A `verdict.Judge` that shows the nearest of each query. form: how findings are printed"""

    form: str

    @property
    def decides(self) -> bool:
        return False

    def together(self, path: str) -> str:  # noqa: ARG002 each file stands alone
        return ""

    def columns(self, finding: Row, *, all_of_them: bool) -> Sequence[str]:  # noqa: ARG002 all have the same
        return COLUMNS

    def lines(self, finding: Row) -> list[Row]:
        neighbours: list[Row] = finding["neighbours"]
        if self.form == "json":
            return neighbours
        return [{**each, "instruments": ", ".join(one["name"] for one in each["instruments"])} for each in neighbours]

    def add(self, finding: Row) -> dict[Path, str]:  # noqa: ARG002 nothing is kept of it
        return {}

    def fail(self, path: str, error: str) -> None:
        """It was told, and the exit status is 1."""

    def verdict(self) -> Verdict:
        return Verdict({}, [], [], None, [], {})
