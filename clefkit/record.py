"""The record beside each file: where it came from, with what numbers, and which reference it has.

The record of `x.wav` is `x.wav.json`. It holds no date, no host name and only relative paths, and it is believed only
while its hash is that of the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from clefkit.errors import InputError

if TYPE_CHECKING:
    from numpy.random import Generator

SUFFIX = ".json"
MOST_BYTES = 64 * 2**20
LINKS = ("from", "reference")  # what names a file and its hash
ROW = re.compile(r"\[\n *([^\[\]{}]*?)\n *\]")
LINE_END = re.compile(r"\n *")


class Source(NamedTuple):
    """An input file with its record ({} when it has none that fits)."""

    path: Path
    record: dict[str, Any] = {}  # noqa: RUF012 a default of a named tuple; never changed
    sha256: str = ""

    @property
    def stem(self) -> str:
        return self.path.stem

    @property
    def reference(self) -> Path | None:
        """The reference that the record names. Raises InputError when it has gone or was edited since."""
        named = self.record.get("reference")
        if not named:
            return None
        path = self.path.parent / named["file"]
        if not path.is_file() or sha256(path) != named["sha256"]:
            raise InputError(f"its reference {named['file']} is missing or was edited since")
        return Path(path)


class Product(NamedTuple):
    """One file that a stage makes of one input.

    suffix: appended to the input's stem: "hall-7.wav", "1-violin.wav", "ref.mid"
    write: writes the file at exactly this path, whose name is a temporary one; called once, by the stream
    facts: what goes into the record; may be filled while writing. "reference" names a side file by its suffix
    printed: whether the path goes to stdout. Side files do not, and come before the product they belong to
    """

    suffix: str
    write: Callable[[Path], None]
    facts: dict[str, Any]
    printed: bool = True


def beside(path: Path) -> Path:
    """Where the record of `path` is."""
    return Path(f"{path}{SUFFIX}")


def load(record: Path) -> dict[str, Any]:
    """A record as written, but for links to other files that are none. {} when there is none or it can't be read."""
    try:
        if not record.is_file() or record.stat().st_size > MOST_BYTES:
            return {}
        data = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(data, dict):
        return {}
    return {key: value for key, value in data.items() if key not in LINKS or _names_a_file(value)}


def _names_a_file(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("file"), str) and isinstance(value.get("sha256"), str)


def source(path: Path) -> Source:
    """The file with its hash and its record, if the record is of these very bytes.

    raises: InputError when there is no such file, it is a folder, or we may not read it
    """
    digest = sha256(path)
    data = load(beside(path))
    return Source(path, data if data.get("sha256") == digest else {}, digest)


def sha256(path: Path) -> str:
    """raises: InputError when the file can't be read"""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise InputError("no such file") from error
    except IsADirectoryError as error:
        raise InputError("a folder: name its files, as `find FOLDER -type f` does") from error
    except OSError as error:
        raise InputError(f"can't be read ({(error.strerror or 'unknown error').lower()})") from error


def relative(path: Path, folder: Path) -> str:
    """`path` as seen from `folder`, with forward slashes."""
    return Path(os.path.relpath(path, folder)).as_posix()


def encode(data: dict[str, Any]) -> str:
    """The text of a record: one key or row of numbers a line, the same for the same data."""
    text = json.dumps(data, ensure_ascii=False, indent=1)
    # Line ends stand between the values only, so taking some away never changes a value.
    return ROW.sub(lambda row: f"[{LINE_END.sub(' ', row[1])}]", text) + "\n"


def generator(seed: int, digest: str, stage: str) -> Generator:
    """Chance for one file: drawn from the seed, the file's content and the stage, so order and workers don't matter."""
    import numpy as np

    words = hashlib.sha256(f"{seed}:{digest}:{stage}".encode()).digest()
    return np.random.default_rng(np.frombuffer(words, dtype="<u4"))
