"""Written music: scores with measures, voices and exact fractions, read from files.

`read(path)` gives a `model.Score`; `unfold.unfold` says in which order its measures are played.
"""

from __future__ import annotations

from pathlib import Path

from clefkit.errors import InputError
from clefkit.notation.model import Score

SUFFIXES = (".musicxml", ".xml", ".mxl")


def read(path: Path) -> Score:
    """Read a score: MusicXML, plain (.musicxml, .xml) or compressed (.mxl).

    raises: InputError when the file is missing, damaged, of another kind or past a limit
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"not a kind of score we read: give one of {', '.join(SUFFIXES)}")
    from clefkit.notation import musicxml

    return musicxml.read(path)
