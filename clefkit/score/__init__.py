"""How close something is to its reference: notes, notation, beats, stems, sound, tags.

`measure` decides what kind of thing a file is, finds its reference and makes one row of it; each kind has a module of
its own with a `compare` on data (`kinds` says which). `summary` is for many rows,
`gate` and `baseline` for what they must reach.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from clefkit.errors import InputError, UsageError
from clefkit.score import kinds, sets
from clefkit.score.notes import compare
from clefkit.score.totals import summary

if TYPE_CHECKING:
    from clefkit.record import Source

__all__ = ["compare", "measure", "summary"]


def measure(
    source: Source,
    *others: Source,
    ref: str | dict[str, str] | None = None,
    kind: str | None = None,
    protocol: str | None = None,
    by: str | None = None,
    plot: bool = False,
) -> dict[str, Any]:
    """Measure one file by its reference.

    others: the rest of the group, where the kind compares groups of files (stems of one mixture)
    ref: a file, or a folder that holds one by the same name, or which file each file has; without it the records lead
        there
    kind, protocol: by name (`kinds`); None is what the file is, and the kind's first protocol
    by: a field of the records (`sets.values`)
    plot: draw a piano roll, when it is notes that are compared
    returns: {"file", "kind", "reference", the measures, counts and details, "protocol", "definition"}, and "groups" and
        "picture" (SVG) when they are asked for
    raises: InputError when the file is of another kind, or no reference is found; UsageError for a name that isn't
    """
    path = str(source.path)
    given = ref.get(path) if isinstance(ref, dict) else ref
    where = None if given is None else Path(given)
    name = kinds.chosen(kind, protocol) or kinds.guess(source, where)
    stage = kinds.kind(name)
    protocol = protocol or next(iter(stage.PROTOCOLS))
    if protocol not in stage.PROTOCOLS:
        raise UsageError(f"{name} have no protocol {protocol!r}: there are {', '.join(stage.PROTOCOLS)}")
    if others and name != "separation":
        raise InputError(f"several files at once are compared as stems, not as {name}")
    found: dict[str, Any] = {"file": path, "kind": name}
    found |= stage.measure(
        source, *others, ref=where, protocol=protocol, **({"plot": True} if plot and name == "notes" else {})
    )
    found |= {"protocol": protocol, "definition": stage.PROTOCOLS[protocol]}
    return found if by is None else found | {"groups": sets.values(source, by)}
