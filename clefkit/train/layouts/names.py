"""Which of `tag`'s names data sets and people mean by a name, a program of General MIDI or a patch.

The tables are in `names.toml`.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from clefkit.tag.vocabulary import FAMILY_OF

TABLE = Path(__file__).with_name("names.toml")


class Known(NamedTuple):
    """leaf: None for an instrument that isn't among `LEAVES`; family: None, too, where anything may sound"""

    leaf: str | None
    family: str | None


UNCLEAR = Known(None, None)
DRUM_KIT = 128  # beyond General MIDI's programs, as Slakh2100 counts


def named(name: str) -> Known | None:
    """What a name means, however it is written; None for one that isn't in the table."""
    written = plain(name)
    names = _known("names")
    return names.get(written) or names.get(written.removesuffix("s"))


def together(names: Sequence[str]) -> Known:
    """What they have in common when they sound together; a name that we don't know may be anything."""
    known = {named(name) or UNCLEAR for name in names}
    families = {each.family for each in known}
    if len(known) == 1:
        return known.pop()
    return Known(None, families.pop()) if len(families) == 1 else UNCLEAR


def played(patch: str, program: int | None, kind: str) -> Known:
    """What a stem of Slakh2100 sounds like: the first that is known counts.

    patch: its name without the ending; program: of General MIDI, from 0, or DRUM_KIT; kind: Slakh's class
    """
    return _known("patches").get(patch) or _known("programs").get(program) or named(kind) or UNCLEAR


def plain(name: str) -> str:
    """A name as the table writes it, but for a plural."""
    return " ".join(unicodedata.normalize("NFC", name).lower().replace("_", " ").replace("-", " ").split())


@cache
def musdb_validation() -> frozenset[str]:
    """Tracks of MUSDB18's folder `train` that are for validation."""
    return frozenset(_table()["musdb18"]["validation"])


@cache
def _known(kind: str) -> dict[object, Known]:
    """kind: "names", "programs" or "patches" """
    table = _table()[kind]
    known = {each: Known(leaf, FAMILY_OF[leaf]) for leaf, all_of_it in table["leaf"].items() for each in all_of_it}
    for family, all_of_it in table["family"].items():
        known |= dict.fromkeys(all_of_it, UNCLEAR if family == "unclear" else Known(None, family))
    return known


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))
