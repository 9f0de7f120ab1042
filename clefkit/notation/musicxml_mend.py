"""MusicXML files in which the end tag of a measure or a part was forgotten: it ends where the next one begins.

Nothing else is mended: of a file that was cut off, or whose text is damaged, music is missing.
"""

from __future__ import annotations

import re
from typing import Any

import lxml.etree

from clefkit.notation.container import safe_parser

LEVELS = {"score-partwise": ("part", "measure"), "score-timewise": ("measure", "part")}
LEFT_OPEN = re.compile(r"Opening and ending tag mismatch: ([\w-]+) ")
MUSIC = ("note", "backup", "forward")


def mended(data: bytes) -> bytes | None:
    """The file as it was meant, or None when it lacks more than such end tags."""
    parser = safe_parser(recover=True)
    root: Any = lxml.etree.fromstring(data, parser)
    if root is None or root.tag not in LEVELS:
        return None
    levels = LEVELS[root.tag]
    opened = [LEFT_OPEN.match(fault.message) for fault in parser.error_log]
    if not all(found is not None and found[1] in levels for found in opened):
        return None
    for tag in levels:
        for element in reversed(list(root.iter(tag))):
            if element.getparent().tag == tag:
                _move_out(element)
    parents = dict(zip(levels, (root.tag, levels[0]), strict=True)) | dict.fromkeys(MUSIC, levels[1])
    if any(element.getparent().tag != parents[element.tag] for element in root.iter(*parents)):
        return None
    return bytes(lxml.etree.tostring(root))


def _move_out(element: Any) -> None:
    """Put an element, and all behind it, behind the one that holds it."""
    holder = element.getparent()
    for moved in reversed([element, *element.itersiblings()]):
        holder.addnext(moved)
