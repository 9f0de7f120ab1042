"""What a run of `clefkit score` amounts to: the totals of a set, the gate, the baseline, and the reports on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from clefkit import record
from clefkit.errors import UsageError
from clefkit.record import Source
from clefkit.score import baseline, junit, kinds, reference, sets
from clefkit.score.gate import Check, Gate
from clefkit.score.totals import Total, means, summary
from clefkit.verdict import Row, Rows, Stems, Verdict

MOST_NAMED = 5
TOTALS = tuple(Total._fields)


@dataclass(frozen=True)
class Wishes:
    """What is asked of a set of files besides its gate; paths are None when nobody asks.

    kind: of all files, None when each says it itself
    ref: where references are; all of a folder's must be used, unless `subset`
    pairs: a list of estimates and references instead
    by: a field of the records to group by; only_summary: totals instead of findings
    before: the baseline; update: write it again; tolerance: how far measures may fall, as text
    """

    kind: str | None = None
    ref: Path | None = None
    subset: bool = False
    pairs: sets.Pairs | None = None
    by: str | None = None
    only_summary: bool = False
    before: Path | None = None
    update: bool = False
    tolerance: Sequence[str] = ()
    report: Path | None = None
    plot: Path | None = None


@dataclass
class Judge:
    """A `verdict.Judge` for one run."""

    gate: Gate
    wishes: Wishes = field(default_factory=Wishes)
    rows: list[Row] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    pictures: dict[Path, str] = field(default_factory=dict)
    stems: Stems = field(default_factory=Stems)

    def __post_init__(self) -> None:
        for option, given in (("--update-baseline", self.wishes.update), ("--tolerance", self.wishes.tolerance)):
            if given and self.wishes.before is None:
                raise UsageError(f"{option}: say of which baseline with --baseline")
        if self.wishes.ref is not None and not self.wishes.ref.exists():
            raise UsageError(f"--ref {self.wishes.ref}: no such file or folder")
        self.tolerances = baseline.tolerances(self.wishes.tolerance)
        updated = self.wishes.update and self.wishes.before is not None and not self.wishes.before.exists()
        self.before = None if self.wishes.before is None or updated else baseline.read(self.wishes.before)

    @property
    def decides(self) -> bool:
        wishes = self.wishes
        return bool(self.gate != Gate() or wishes.before or wishes.report or wishes.plot)

    def together(self, path: str) -> str:
        """Stems of one mixture: those made from one file, or else those of one folder (and name, up to a dot)."""
        place = Path(path)
        if self.wishes.kind not in {None, "separation"} or place.suffix.lower() not in kinds.SOUND:
            return ""
        made = record.load(record.beside(place))
        if made.get("stage") == "separate" and "from" in made:
            return f"{place.parent}\n{made['from']['sha256']}"
        if self.wishes.kind is None:
            return ""
        return f"{place.parent}\n{place.stem.rpartition('.')[0] and place.stem.partition('.')[0]}"

    def columns(self, finding: Row, *, all_of_them: bool) -> Sequence[str]:
        if self.wishes.only_summary or self.wishes.by:
            return ()
        kind = kinds.kind(finding["kind"])
        if not all_of_them:
            return (*kind.COLUMNS, "protocol")
        names = [each.name for each in kind.MEASURES]
        counts = [key for key, value in finding.items() if isinstance(value, int | float) and key not in names]
        return ("file", "reference", "kind", "protocol", *names, *counts)

    def lines(self, finding: Row) -> list[Row]:
        return [finding]

    def add(self, finding: Row) -> dict[Path, str]:
        picture = finding.pop("picture", None)
        kept = {key: value for key, value in finding.items() if not isinstance(value, dict | list)}
        self.rows.append(kept | {key: finding[key] for key in ("intervals",) if key in finding})
        self.rows[-1]["groups"] = self._groups(finding["file"], finding.pop("groups", [sets.UNKNOWN]))
        if picture is None or self.wishes.plot is None:
            return {}
        path = self.wishes.plot / f"{self.stems.free(Path(finding['file']).stem)}.svg"
        self.pictures[path] = finding["file"]
        return {path: picture}

    def fail(self, path: str, error: str) -> None:
        self.failures[path] = error

    def verdict(self) -> Verdict:
        lost = dict.fromkeys(map(str, self._unused), "no estimate was given: it counts as missing, or say --subset")
        missing = {**self.failures, **lost}
        before = self._compared()
        checks = [*self._one_kind(), *self.gate.checks(self.rows, list(missing)), *before.checks]
        complaints = [*_told(lost), *(_with_file(check) for check in checks if check.problem)]
        files = {} if self.wishes.report is None else {self.wishes.report: junit.text(self.rows, missing, checks)}
        if self.wishes.update and self.wishes.before is not None:
            if missing or not self.rows or len({row["kind"] for row in self.rows}) > 1:
                complaints.append(f"{self.wishes.before}: not updated, for not everything was measured")
            else:
                judged = self.before.measures if self.before else None
                files[self.wishes.before] = baseline.text(self._named_rows(), judged)
        if self.wishes.plot is not None and self.pictures:
            files[self.wishes.plot / "index.html"] = self._page(missing)
        fell = Rows(("measure", "file", "baseline", "now", "change"), before.fell) if before.fell else None
        notes = [*before.notes, *self._notes()]
        return Verdict(self._last(missing), list(self._tables(missing)), complaints, fell, notes, files)

    def _compared(self) -> baseline.Comparison:
        """With the baseline; nothing when there is none, or it is to be written."""
        if self.before is None or self.wishes.update:
            return baseline.Comparison([], [], [])
        if not self.rows:
            problem = "there is a baseline, but nothing was measured"
            return baseline.Comparison([Check("something to measure", "", problem)], [], [])
        return baseline.compare(self.before, self._named_rows(), self.tolerances)

    def _notes(self) -> Iterator[str]:
        if self.wishes.plot is not None and not self.pictures:
            yield "nothing to draw: piano rolls are of notes"
        if self.wishes.by is not None and self.rows and all(row["groups"] == [sets.UNKNOWN] for row in self.rows):
            yield f"no record of a file, nor of what it was made from, has a field {self.wishes.by!r}"

    def _one_kind(self) -> Iterator[Check]:
        found = sorted({row["kind"] for row in self.rows})
        if len(found) > 1:
            yield Check("one kind of file", "", f"{' and '.join(found)} are measured differently: score them apart")

    def _groups(self, path: str, found: list[str]) -> list[str]:
        """What the list of pairs says, else what the records said."""
        fields = self.wishes.pairs.fields.get(path, {}) if self.wishes.pairs else {}
        return [fields[self.wishes.by]] if self.wishes.by in fields else found

    def _last(self, missing: dict[str, str]) -> Row:
        absent = self._absent(missing)
        return {"file": f"mean of {len(self.rows) + absent}", **means(self.rows, absent)}

    def _absent(self, missing: dict[str, str]) -> int:
        return max(len(missing), (self.gate.expect or 0) - len(self.rows))

    def _tables(self, missing: dict[str, str]) -> Iterator[Rows]:
        by = self.wishes.by
        if by is None and self.wishes.only_summary:
            totals = summary(self.rows, self._absent(missing)).values()
            yield Rows(TOTALS, [total._asdict() for total in totals])
        elif by is not None:
            absent = Counter(group for path in missing for group in self._groups(path, _groups_of(path, by)))
            groups: dict[str, list[Row]] = {group: [] for group in absent}
            for row in self.rows:
                for group in row["groups"]:
                    groups.setdefault(group, []).append(row)
            every = means(self.rows).keys()
            rows = [
                {by: group, **total._asdict()}
                for group in sorted(groups)
                for total in summary(groups[group], absent[group], every).values()
            ]
            yield Rows((by, *TOTALS), rows)

    def _named_rows(self) -> dict[str, Row]:
        names = sets.short([row["file"] for row in self.rows] + list(self.failures))
        return {names[row["file"]]: row for row in self.rows}

    @cached_property
    def _unused(self) -> list[Path]:
        """References of the folder that nothing was compared with."""
        folder = self.wishes.ref
        kind = self.wishes.kind or (self.rows[0]["kind"] if self.rows else None)
        if folder is None or self.wishes.subset or kind is None or not folder.is_dir():
            return []
        endings = kinds.kind(kind).ENDINGS
        used = [Path(row["reference"]) for row in self.rows]
        used += [path for each in self.failures for path in reference.candidates(folder, Path(each), endings)]
        lost = sets.unused(folder, endings, used, [*(row["file"] for row in self.rows), *self.failures])
        return sorted({path.parent for path in lost}) if kind == "separation" else lost  # a folder is a mixture

    def _page(self, missing: dict[str, str]) -> str:
        from clefkit.score import plot

        names = {file: path.name for path, file in self.pictures.items()}
        drawn = [row | {"roll": names[row["file"]]} for row in self.rows if row["file"] in names]
        return plot.page([*drawn, *({"file": file, "error": reason} for file, reason in missing.items())])


def _groups_of(path: str, by: str) -> list[str]:
    return sets.values(Source(Path(path), record.load(record.beside(Path(path)))), by)


def _told(lost: dict[str, str]) -> list[str]:
    """A few by name, then how many more."""
    named = [f"{path}: {reason}" for path, reason in list(lost.items())[:MOST_NAMED]]
    more = len(lost) - len(named)
    return [*named, f"and {more} more without an estimate"] if more else named


def _with_file(check: Check) -> str:
    return f"{check.file}: {check.problem}" if check.file else check.problem
