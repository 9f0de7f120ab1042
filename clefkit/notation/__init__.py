"""Written music: scores with measures, voices and exact fractions, read from files.

`read(path)` gives a `model.Score`; `unfold.unfold` says in which order its measures are played.
"""

from __future__ import annotations

from pathlib import Path

from clefkit.errors import InputError
from clefkit.notation.model import Score

MUSICXML = (".musicxml", ".xml", ".mxl")
KERN = (".krn", ".kern")
ABC = (".abc",)
SUFFIXES = (*MUSICXML, *KERN, *ABC)


def read(path: Path) -> Score:
    """Read a score: MusicXML, plain (.musicxml, .xml) or compressed (.mxl), or Humdrum **kern (.krn, .kern).

    raises: InputError when the file is missing, damaged, of another kind or past a limit
    """
    suffix = path.suffix.lower()
    if suffix in KERN:
        from clefkit.notation import kern

        return kern.read(path)
    if suffix in ABC:
        from clefkit.notation import abc

        return abc.read(path)
    if suffix in MUSICXML:
        from clefkit.notation import musicxml

        return musicxml.read(path)
    raise InputError(f"not a kind of score we read: give one of {', '.join(SUFFIXES)}")
