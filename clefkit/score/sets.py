"""Sets of files: which estimate belongs to which reference, which have none, and how files are grouped."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from clefkit import record
from clefkit.errors import InputError, UsageError
from clefkit.record import Source
from clefkit.score import reference

MOST_BYTES = 64 * 2**20
UNKNOWN = "unknown"
ALIASES = {  # what render draws of a part is called a preset as well
    "instrument": "timbre.preset",
    "model": "checkpoint",
}


class Pairs(NamedTuple):
    """references: estimate -> reference, in the order of the list; fields: estimate -> the other columns"""

    references: dict[str, str]
    fields: dict[str, dict[str, str]]


def pairs(path: Path) -> Pairs:
    """Read a CSV file with the columns `estimate` and `reference`, and any others. Paths are seen from its folder.

    raises: UsageError when it can't be read, lacks one of the two, or names an estimate twice
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path}: larger than {MOST_BYTES // 2**20} MiB")
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except OSError as error:
        raise UsageError(f"{path}: can't be read ({(error.strerror or str(error)).lower()})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: not a CSV file in UTF-8") from error
    found = Pairs({}, {})
    for number, row in enumerate(rows, 2):
        if not row.get("estimate") or not row.get("reference"):
            raise UsageError(f"{path}: line {number} needs an estimate and a reference, columns of these names")
        estimate, expected = (str(path.parent / row[key]) for key in ("estimate", "reference"))
        if estimate in found.references:
            raise UsageError(f"{path}: line {number} names {row['estimate']} again")
        found.references[estimate] = expected
        found.fields[estimate] = {key: value for key, value in row.items() if isinstance(key, str) and value}
    if not found.references:
        raise UsageError(f"{path}: holds no pairs")
    return found


def instead_of(paths: list[str] | None, ref: Path | None, listed: Path) -> Pairs:
    """The pairs of a list, which go with no other files. Raises UsageError."""
    if paths or ref is not None:
        raise UsageError("--pairs names the files and their references: give no others")
    return pairs(listed)


def unused(folder: Path, endings: Sequence[str], used: Iterable[Path], inputs: Iterable[str]) -> list[Path]:
    """References of a folder, and of those in it, that nothing was compared with: one a stem, without the inputs and
    what was made from sound.

    endings: of references of this kind; used: references that were used, or may have been, a folder with all in it
    """
    used = list(used)
    folders = {path.resolve() for path in used if path.is_dir()}
    stems = {_stem(path.resolve(), endings) for path in used}
    taken = {Path(path).resolve() for path in inputs}
    found: dict[Path | None, Path] = {}
    for path in _files(folder):
        stem = _stem(path.resolve(), endings)
        if not stem or stem in stems or path.resolve() in taken or folders.intersection(path.resolve().parents):
            continue
        if not _is_estimate(path):
            found.setdefault(stem, path)
    return list(found.values())


def _files(folder: Path) -> Iterator[Path]:
    """All files, but hidden ones, sorted."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(names) if not name.startswith("."))


def _stem(path: Path, endings: Sequence[str]) -> Path | None:
    """The path without its ending, None when it has none of these."""
    ending = max((each for each in endings if path.name.lower().endswith(each)), key=len, default="")
    return path.with_name(path.name[: -len(ending)]) if ending and path.name != ending else None


def _is_estimate(path: Path) -> bool:
    return path.stem.endswith(".notes") or record.load(record.beside(path)).get("stage") not in {None, "render"}


def values(source: Source, field: str) -> list[str]:
    """What a field of the records says of a file: of its own record, else of what it was made from, and so on.

    field: a key at any depth ("preset", "font"), or several, each within the one before ("preset.level"); the first may
        be a stage, whose record is asked alone ("augment.seed"). "instrument" is what each part was played with,
        "model" the checkpoint
    returns: text, several where the record has several, ["unknown"] when no record has the field
    """
    steps = list(_steps(source))
    stage, _, rest = field.partition(".")
    of_stage = [step for step in steps if rest and step.get("stage") == stage]
    name = rest if of_stage else field
    keys = ALIASES.get(name, name).split(".")
    found = next(filter(None, (_within([step], keys) for step in of_stage or steps)), [UNKNOWN])
    return sorted(set(map(_named, found)))


def _steps(source: Source) -> Iterator[dict[str, Any]]:
    """The records of a file, of what it was made from, and so on, up to one that leads nowhere. Of options only single
    values: what has several was drawn from, and what was drawn stands elsewhere."""
    try:
        for each in (source, *reference.ancestors(source)):
            options = each.record.get("options")
            known = options if isinstance(options, dict) else {}
            single = {key: value for key, value in known.items() if not isinstance(value, dict | list)}
            yield each.record | {"options": single}
    except InputError:
        return


def _within(data: list[Any], keys: list[str]) -> list[Any]:
    for key in keys:
        data = _shallowest(data, key)
    return [each for value in data for each in (value if isinstance(value, list) else [value])]


def _shallowest(level: list[Any], key: str) -> list[Any]:
    """All values of a key at the smallest depth at which it stands."""
    while level:
        found = [each[key] for each in level if isinstance(each, dict) and each.get(key) is not None]
        if found:
            return found
        level = [child for each in level for child in _children(each)]
    return []


def _children(data: Any) -> Iterator[Any]:
    if isinstance(data, dict):
        yield from data.values()
    elif isinstance(data, list):
        yield from data


def _named(value: Any) -> str:
    return str(value.get("name", value)) if isinstance(value, dict) else str(value)


def short(paths: Sequence[str]) -> dict[str, str]:
    """Names for files that are the same wherever the set lies: the way from the folder that they share."""
    if not paths:
        return {}
    folders = [os.path.dirname(os.path.abspath(path)) for path in paths]  # noqa: PTH100, PTH120 no links followed
    shared = os.path.commonpath(folders)
    return {path: Path(os.path.relpath(path, shared)).as_posix() for path in paths}
