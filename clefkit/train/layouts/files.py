"""What readers of `layouts` share: what they make, and files in folders that others made, with limits."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, NoReturn

from clefkit.errors import InputError, MissingError

MOST_BYTES = 4 * 2**20  # of metadata
LONGEST_SHOWN = 100
RIGHT = 0.5  # a tag of this value or more is right
SUFFIXES = (".wav", ".flac", ".ogg")
SPLITS = {"train": "train", "validation": "validation", "valid": "validation", "val": "validation", "test": "test"}

# Beside its own errors, what PyYAML raises at depth and at values that aren't of the kind that they claim to be.
YAML_FAULTS = (ValueError, RecursionError, AttributeError, LookupError, TypeError, ArithmeticError)


class Stem(NamedTuple):
    """What one instrument plays in a track, alone.

    label: one of `LEAVES`; None for an instrument that isn't among them, of which only the family is known, and where
        anything may sound, of which neither is
    said: what the data set calls it
    """

    path: Path
    label: str | None
    family: str | None
    said: str


class Track(NamedTuple):
    """One piece or clip.

    split: "train", "validation", "test", or "" where nothing is said of it
    mix: None when only its stems are there
    tags: of a clip, 0 to 1; a leaf that isn't named is unknown; None where the stems say what sounds
    """

    name: str
    split: str
    mix: Path | None
    stems: tuple[Stem, ...]
    tags: dict[str, float] | None


Listed = Iterator[tuple[str, Callable[[], Track]]]  # tracks by name, each made when it is asked for


def refused(why: str) -> NoReturn:
    raise InputError(why)


def shown(name: str) -> str:
    """A name from a file, for a message."""
    return repr(name if len(name) <= LONGEST_SHOWN else name[:LONGEST_SHOWN] + "...")


def reason(error: OSError) -> str:
    return f"can't be read ({(error.strerror or 'unknown error').lower()})"


def entries(folder: Path) -> list[Path]:
    """What is in a folder, sorted, without what is hidden."""
    try:
        return sorted(each for each in folder.iterdir() if not each.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder} {reason(error)}") from error


def folders(folder: Path) -> list[Path]:
    return [each for each in entries(folder) if each.is_dir()]


def sections(folder: Path) -> list[tuple[str, Path]]:
    """The folders of splits; without one the folder itself, of which nothing is said."""
    splits = [(SPLITS[each.name], each) for each in folders(folder) if each.name in SPLITS]
    return splits or [("", folder)]


def inside(folder: Path, name: str) -> Path:
    """A path that metadata name, below the folder. Raises InputError when it leads elsewhere."""
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise InputError(f"{shown(name)} leads out of its folder")
    return folder / path


def there(path: Path) -> Path:
    """The path of a sound. Raises InputError when there is none."""
    if not path.is_file():
        raise InputError(f"no {path.name}")
    if not path.stat().st_size:
        raise InputError(f"{path.name} is empty")
    return path


def ending(path: Path) -> Path | None:
    """The sound of that name, whatever it ends in; None when there is none."""
    named = (path.with_name(path.name + suffix) for suffix in SUFFIXES)
    return next((each for each in named if each.is_file()), None)


def sound(path: Path) -> Path | None:
    """As `ending`. Raises InputError when it is empty."""
    found = ending(path)
    return found and there(found)


def text(path: Path) -> str:
    """The whole of a small file. Raises InputError when it is none."""
    try:
        if not path.is_file():
            raise InputError(f"no {path.name}")
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path.name} is larger than {MOST_BYTES // 2**20} MiB")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is no text in UTF-8") from error
    except OSError as error:
        raise InputError(f"{path.name} {reason(error)}") from error


def stems(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """What the metadata of MedleyDB or Slakh tell of each stem, in order of their keys.

    raises: InputError when they are damaged, MissingError when PyYAML isn't there
    """
    try:
        yaml: Any = importlib.import_module("yaml")
    except ImportError as error:
        raise MissingError("these recordings have metadata in YAML: pip install 'clefkit[train]'") from error
    written = text(path)
    try:
        told = yaml.load(written, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # ten times as fast where it is there
    except (yaml.YAMLError, *YAML_FAULTS) as error:
        raise InputError(f"{path.name} is no YAML that we can read") from error
    found = told.get("stems") if isinstance(told, dict) else None
    if not isinstance(found, dict) or not found or not all(isinstance(each, dict) for each in found.values()):
        raise InputError(f"{path.name} tells of no stems")
    return sorted(((str(key), each) for key, each in found.items()), key=lambda stem: stem[0])
