"""How close something is to its reference: notes, notation, beats, stems, sound, tags.

`measure` decides what kind of thing a file is, finds its reference and makes one row of it; each kind has a module of
its own with a `compare` on data (`kinds` says which). `summary` and `check` are for many rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from clefkit.errors import UsageError
from clefkit.score import kinds
from clefkit.score.notes import compare
from clefkit.score.totals import check, summary

if TYPE_CHECKING:
    from clefkit.record import Source

__all__ = ["check", "compare", "measure", "summary"]


def measure(
    source: Source, *others: Source, ref: str | None = None, kind: str | None = None, protocol: str | None = None
) -> dict[str, Any]:
    """Measure one file by its reference.

    others: the rest of the group, where the kind compares groups of files (stems of one mixture)
    ref: a file, or a folder that holds one by the same name; without it the records lead there
    kind, protocol: by name (`kinds`); None is what the file is, and the kind's first protocol
    returns: {"file", "kind", "reference", the measures, counts, "protocol"}
    raises: InputError when the file is of another kind, or no reference is found
    """
    given = None if ref is None else Path(ref)
    name = kind or kinds.guess(source, given)
    stage = kinds.kind(name)
    protocol = protocol or next(iter(stage.PROTOCOLS))
    if protocol not in stage.PROTOCOLS:
        raise UsageError(f"{name} have no protocol {protocol!r}: there are {', '.join(stage.PROTOCOLS)}")
    found = stage.measure(source, *others, ref=given, protocol=protocol)
    return {"file": str(source.path), "kind": name, **found, "protocol": f"{protocol}: {stage.PROTOCOLS[protocol]}"}
