"""Written music: scores with measures, voices and exact fractions, read from files.

`read(path)` gives a `model.Score`; `unfold.unfold` says in which order its measures are played.
"""

from __future__ import annotations

import re
from pathlib import Path

from clefkit.errors import InputError
from clefkit.notation.model import Score

MUSICXML = (".musicxml", ".xml", ".mxl")
KERN = (".krn", ".kern")
ABC = (".abc",)
FOREIGN = (".mei", ".pae")
SUFFIXES = (*MUSICXML, *KERN, *ABC, *FOREIGN)
HEAD_BYTES = 65536
MEI_ROOT = re.compile(rb"\A[^<]*(?:<[?!][^>]*>[^<]*)*<(?:\w+:)?mei[\s>]")


def read(path: Path) -> Score:
    """Read a score: MusicXML, plain (.musicxml, .xml) or compressed (.mxl), Humdrum **kern (.krn, .kern), ABC (.abc),
    MEI (.mei, .xml) or Plaine & Easie (.pae).

    raises: InputError when the file is missing, damaged, of another kind or past a limit; MissingError when verovio,
        which reads the last two, is not installed
    """
    suffix = path.suffix.lower()
    if suffix in KERN:
        from clefkit.notation import kern

        return kern.read(path)
    if suffix in ABC:
        from clefkit.notation import abc

        return abc.read(path)
    if suffix in FOREIGN or (suffix == ".xml" and _is_mei(path)):
        from clefkit.notation import foreign

        return foreign.read(path)
    if suffix in MUSICXML:
        from clefkit.notation import musicxml

        return musicxml.read(path)
    raise InputError(f"not a kind of score we read: give one of {', '.join(SUFFIXES)}")


def _is_mei(path: Path) -> bool:
    """Whether the root of an XML file is <mei>."""
    try:
        with path.open("rb") as file:
            return MEI_ROOT.match(file.read(HEAD_BYTES)) is not None
    except OSError:
        return False
