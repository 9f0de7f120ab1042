"""The kinds of things that are compared, and what is measured of each.

A kind is a module of this package, which is light to import (numpy and what it computes with come inside functions):

- `MEASURES`: its measures, in the order of a row. Their names are unique over all kinds.
- `COLUMNS`: what a table shows.
- `PROTOCOLS`: name -> a sentence that says all that makes numbers comparable. The first is the one to use.
- `ENDINGS`: the endings of its files, lower case; references of the same stem are looked up in this order.
- `measure(source, *others, ref, protocol)`: finds the reference and compares: {"reference": its path, the measures
  that exist for this file, counts and details, "notes": sentences for a person}. A measure that makes no sense for a
  file is left out.
- `compare(reference, estimate, ...)`: the same on data, for people without a shell.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

from clefkit import notation
from clefkit.errors import InputError, UsageError
from clefkit.record import Source


class Measure(NamedTuple):
    """about: a line for people; unit: "" for 0 to 1; missing: what a file counts as that could not be measured, None
    when no number would be fair: then nothing is said about the set while a file is missing"""

    name: str
    about: str
    unit: str = ""
    higher_is_better: bool = True
    missing: float | None = 0.0


class Kind(Protocol):
    MEASURES: tuple[Measure, ...]
    COLUMNS: tuple[str, ...]
    PROTOCOLS: dict[str, str]
    ENDINGS: tuple[str, ...]

    def measure(self, source: Source, *others: Source, ref: Path | None, protocol: str) -> dict[str, Any]: ...


KINDS = ("notes", "notation", "beats", "separation", "enhancement", "tags")

SOUND = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".mp4", ".aac", ".aif", ".aiff"})
MIDI = frozenset({".mid", ".midi"})
BEATS = frozenset({".beats", ".txt", ".tsv"})
TAGS = frozenset({".csv"})


def kind(name: str) -> Kind:
    """raises: UsageError when there is no such kind"""
    if name not in KINDS:
        raise UsageError(f"no kind is called {name!r}: there are {', '.join(KINDS)}")
    return cast("Kind", importlib.import_module(f"clefkit.score.{name}"))


def measures() -> dict[str, Measure]:
    """All measures of all kinds, by name."""
    return {each.name: each for name in KINDS for each in kind(name).MEASURES}


def chosen(name: str | None, protocol: str | None) -> str | None:
    """The kind that was asked for, by name or by a protocol that no other kind has; None leaves it to `guess`.

    raises: UsageError when there is no such kind, or no such protocol in it (in any, when the name is None)
    """
    if name is not None:
        kind(name)
    having = [each for each in KINDS if name in {None, each}]
    if protocol is None:
        return name
    found = [each for each in having if protocol in kind(each).PROTOCOLS]
    if not found:
        known = dict.fromkeys(key for each in having for key in kind(each).PROTOCOLS)
        raise UsageError(f"no protocol is called {protocol!r}: there are {', '.join(known)}")
    return found[0] if len(found) == 1 else None


LISTED = ("kind", "name", "unit", "better", "about")


def listed() -> list[dict[str, Any]]:
    """Rows on all measures and protocols."""
    rows: list[dict[str, Any]] = []
    for name in KINDS:
        for each in kind(name).MEASURES:
            better = "higher" if each.higher_is_better else "lower"
            rows.append({"kind": name, "name": each.name, "unit": each.unit, "better": better, "about": each.about})
        rows += [
            {"kind": name, "name": f"--protocol {key}", "unit": "", "better": "", "about": about}
            for key, about in kind(name).PROTOCOLS.items()
        ]
    return rows


def guess(source: Source, ref: Path | None) -> str:
    """What a file is, by its name and record, and by what it is compared with.

    raises: InputError when that can't be told
    """
    suffix = source.path.suffix.lower()
    if suffix in SOUND:
        return _kind_of_sound(source, ref)
    if suffix == ".jsonl":
        return "notes" if _begins_with(source.path, b'{"clefkit": "notes"') else "tags"
    if suffix in MIDI:
        return "notation" if ref is not None and ref.suffix.lower() in notation.SUFFIXES else "notes"
    for name, suffixes in (("notation", notation.SUFFIXES), ("beats", BEATS), ("tags", TAGS)):
        if suffix in suffixes:
            return name
    raise InputError(f"can't tell what kind of file this is: say --as {', '.join(KINDS)}")


def _kind_of_sound(source: Source, ref: Path | None) -> str:
    stage = source.record.get("stage")
    if stage == "separate":
        return "separation"
    if ref is not None or stage == "enhance":
        return "enhancement"
    raise InputError("sound, not notes: transcribe it first, score what comes out; or say --as separation, enhancement")


def _begins_with(path: Path, head: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(head)) == head
