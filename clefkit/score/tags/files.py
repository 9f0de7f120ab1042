"""Files that tell of clips: JSON Lines and CSV. The package says what is in them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from clefkit.errors import InputError
from clefkit.score.tags import clips
from clefkit.score.tags.clips import Clip

MOST_BYTES = 512 * 2**20
LONGEST_LINE = 4 * 2**20


def read(path: Path) -> list[Clip]:
    """raises: InputError when it can't be read, or says which line is wrong"""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"larger than {MOST_BYTES // 2**20} MiB")
        return clips.distinct(_table(path) if path.suffix.lower() == ".csv" else _json_lines(path))
    except OSError as error:
        raise InputError(f"can't be read ({(error.strerror or 'unknown error').lower()})") from error


def _lines(path: Path) -> Iterator[str]:
    """Lines as they are, each of a decent length."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                raise InputError(f"line {number} is longer than {LONGEST_LINE // 2**20} MiB")
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise InputError(f"line {number} is no text in UTF-8") from error


def _json_lines(path: Path) -> Iterator[Clip]:
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise InputError(f"line {number} is no JSON") from error
        yield clips.clip(data, f"line {number}")


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)


def _table(path: Path) -> Iterator[Clip]:
    rows = _rows(path)
    number, header = next(rows, (1, []))
    if header[:1] != ["file"] or len(header) < 2 or len(set(header)) < len(header):
        raise InputError(
            "a table of tags begins with the line file,tag,probability or file,tag or file,violin,piano,..."
        )
    told: dict[str, dict[str, Any]] = {}
    places: dict[str, str] = {}
    is_long = header[1] == "tag" and header[2:] in ([], ["probability"])
    for number, row in rows:
        if len(row) != len(header):
            raise InputError(f"line {number} has {len(row)} columns, where the first has {len(header)}")
        file, place = row[0], f"line {number}"
        if file in told and not is_long:
            raise InputError(f"{place}: {file} was told of before, in {places[file]}")
        named = [(row[1], row[2] if len(row) > 2 else "1")] if is_long else list(zip(header[1:], row[1:], strict=True))
        tags = told.setdefault(file, {})
        places.setdefault(file, place)
        for tag, value in named:
            if not tag and len(header) == 2:  # a clip without a tag
                continue
            if tag in tags:
                raise InputError(f"{place}: {file} was told to have {tag} or not before")
            if value:
                tags[tag] = _float(value, place)
    for file, tags in told.items():
        yield clips.clip({"file": file, "tags": list(tags) if len(header) == 2 and is_long else tags}, places[file])


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number of the line, and its cells, without the blanks round them; empty lines are passed over."""
    reader = csv.reader(_lines(path), strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, [cell.strip() for cell in row]
    except csv.Error as error:
        raise InputError(f"line {reader.line_num} is no row of a table: {error}") from error


def _float(text: str, place: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"{place}: {text[:40]!r} is no number") from error
