"""Recordings in folders of one's own: tables of tags, as `clefkit score` reads them, and a folder an instrument."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path

from clefkit.errors import InputError
from clefkit.score.kinds import SOUND
from clefkit.score.tags import files as tables
from clefkit.score.tags.clips import Clip
from clefkit.tag.vocabulary import FAMILY_OF
from clefkit.train.layouts import files, names
from clefkit.train.layouts.files import Listed, Stem, Track, refused

MOST_NAMED = 5


def has_tables(folder: Path) -> bool:
    return bool(_tables(folder))


def _tables(folder: Path) -> list[Path]:
    readers = {".csv": _begins_table, ".jsonl": _begins_lines}
    found = [(path, readers.get(path.suffix.lower())) for path in files.entries(folder) if path.is_file()]
    return [path for path, begins in found if begins and begins(_first_line(path))]


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.readline(tables.LONGEST_LINE).decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise InputError(f"{path} {files.reason(error)}") from error


def _begins_table(line: str) -> bool:
    try:
        cells = [cell.strip() for cell in next(csv.reader([line]), [])]
    except csv.Error:
        return False
    return cells[:1] == ["file"] and (cells[1:2] == ["tag"] or any(names.named(cell) for cell in cells[1:]))


def _begins_lines(line: str) -> bool:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(told, dict) and "file" in told and ("tags" in told or "segments" in told)


def tagged(folder: Path) -> Listed:
    """In order of tables and, in each, of files; what a table calls by names that we don't know is listed, too."""
    seen: set[str] = set()
    for path in _tables(folder):
        clips, strange = _read(path)
        if strange:
            yield path.name, partial(refused, f"some of its tags are no instruments that we know: {strange}")
        for clip in sorted(clips, key=lambda clip: clip.file):
            if clip.file in seen:
                yield clip.file, partial(refused, f"is in two tables, the second is {path.name}")
            else:
                yield clip.file, partial(_tagged, folder, clip, files.SPLITS.get(path.stem, ""))
            seen.add(clip.file)


def _read(path: Path) -> tuple[list[Clip], str]:
    """The clips of a table, and for a message which of its tags we don't know."""
    try:
        clips = tables.read(path)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from error
    tags = set(chain.from_iterable(clip.tags for clip in clips))
    strange = sorted(tag for tag in tags if names.named(tag) is None)
    more = f" and {len(strange) - MOST_NAMED} more" if len(strange) > MOST_NAMED else ""
    told = ", ".join(files.shown(tag) for tag in strange[:MOST_NAMED]) + more
    if tags and len(strange) == len(tags):
        raise InputError(f"{path.name}: none of its tags is an instrument that we know: {told}")
    return clips, told


def _tagged(folder: Path, clip: Clip, split: str) -> Track:
    return Track(clip.file, split, files.there(files.inside(folder, clip.file)), (), _tags(clip))


def _tags(clip: Clip) -> dict[str, float]:
    """What a clip's tags say of the leaves.

    That there is no electric guitar doesn't say that there is no guitar, so a name of a part of a leaf counts only
    where it is right. What a list leaves out isn't there, but for what it may have meant: where it names a viola or
    brass, the bowed strings or brass that it doesn't name are unknown.
    """
    tags: dict[str, float] = {}
    vague: set[str | None] = set()
    for tag, value in clip.tags.items():
        known = names.named(tag)
        if known is None:
            continue
        if known.leaf is None:
            vague.add(known.family)
        elif value >= files.RIGHT or names.plain(tag) == names.plain(known.leaf):
            tags[known.leaf] = max(value, tags.get(known.leaf, 0.0))
    if clip.is_list and None not in vague:
        tags = {leaf: 0.0 for leaf, family in FAMILY_OF.items() if family not in vague} | tags
    return tags


def has_classes(folder: Path) -> bool:
    return any(names.named(path.name) is not None and next(_sounds(path), None) for path, _ in _classes(folder))


def _classes(folder: Path) -> list[tuple[Path, str]]:
    """Folders that may be of an instrument, and their splits: with some in folders of splits, others may have none."""
    splits = [(path, split) for split, section in files.sections(folder) if split for path in files.folders(section)]
    return sorted([*splits, *((path, "") for path in files.folders(folder) if path.name not in files.SPLITS)])


def _sounds(folder: Path) -> Iterator[Path]:
    """Sounds in a folder and the folders in it, in no order, without hidden ones."""
    return (
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SOUND
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def classes(folder: Path) -> Listed:
    for path, split in _classes(folder):
        known = names.named(path.name)
        sounds = sorted(_sounds(path))
        if known is None and sounds:
            where = path.relative_to(folder).as_posix()
            yield where, partial(refused, "no instrument that we know, by the name of the folder")
        elif known is not None:
            for sound in sounds:
                name = sound.relative_to(folder).as_posix()
                yield name, partial(_of_class, name, sound, split, known, path.name)


def _of_class(name: str, sound: Path, split: str, known: names.Known, said: str) -> Track:
    stem = Stem(files.there(sound), *known, said)
    return Track(name, split, sound, (stem,), {known.leaf: 1.0} if known.leaf else {})
