"""The bytes of a MusicXML file, plain or compressed (.mxl), without trusting what the file says of itself.

A compressed score is a zip whose `META-INF/container.xml` names the score. What a zip says about sizes can be a lie, so
members are read through a counter that stops; entities, which can multiply without bound, are refused before parsing.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import lxml.etree

from clefkit.errors import InputError

MOST_BYTES = 64 * 2**20
MOST_RATIO = 250
FREE_BYTES = 2**20
MOST_MEMBERS = 1000
BLOCK = 2**18

ZIP_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError)
UTF_16_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be", b"<\x00": "utf-16-le", b"\x00<": "utf-16-be"}


def xml_bytes(path: Path) -> bytes:
    """The XML of a score file: its own bytes, or the score inside it when it is a zip, whatever it is called.

    raises: InputError when there is no such file, it is damaged, past 64 MiB (also unpacked), or declares entities
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
            file.seek(0)
            data = _from_zip(file) if head[:2] == b"PK" else _bounded(file, MOST_BYTES)
    except FileNotFoundError as error:
        raise InputError("no such file") from error
    except IsADirectoryError as error:
        raise InputError("a folder, not a score") from error
    if not data.strip(b" \t\r\n\x00"):
        raise InputError("an empty file")
    _refuse_entities(data)
    return data


def _from_zip(file: IO[bytes]) -> bytes:
    try:
        with zipfile.ZipFile(file) as archive:
            if len(archive.infolist()) > MOST_MEMBERS:
                raise InputError(f"a compressed score of more than {MOST_MEMBERS} members")
            return _member(archive, _score_name(archive))
    except ZIP_FAULTS as error:
        raise InputError("a damaged compressed score (mxl): export it again") from error


def _score_name(archive: zipfile.ZipFile) -> str:
    """The member that the container names; without a container, the only XML outside META-INF."""
    names = archive.namelist()
    if "META-INF/container.xml" in names:
        data = _member(archive, "META-INF/container.xml")
        _refuse_entities(data)
        try:
            root = lxml.etree.fromstring(data, safe_parser())
        except lxml.etree.XMLSyntaxError as error:
            raise InputError("a compressed score (mxl) whose container is not XML") from error
        for element in root.iter("{*}rootfile"):
            if element.get("media-type", "application/vnd.recordare.musicxml+xml").endswith("xml"):
                return _present(element.get("full-path", ""), names)
    scores = [
        n for n in names if n.lower().endswith((".xml", ".musicxml")) and not n.startswith(("META-INF", "__MACOSX"))
    ]
    if len(scores) != 1:
        raise InputError("a zip without a score in it: not a compressed score (mxl)")
    return scores[0]


def _present(name: str, names: list[str]) -> str:
    if name not in names:
        raise InputError("a compressed score (mxl) whose container names a file that is not in it")
    return name


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    info = archive.getinfo(name)
    limit = min(MOST_BYTES, FREE_BYTES + MOST_RATIO * info.compress_size)
    with archive.open(info) as file:
        return _bounded(file, limit)


def _bounded(file: IO[bytes], limit: int) -> bytes:
    """All of `file`, in blocks, so that not more than `limit` bytes are ever held."""
    blocks: list[bytes] = []
    size = 0
    while block := file.read(BLOCK):
        size += len(block)
        if size > limit:
            raise InputError(f"a score that unpacks to more than {limit // 2**20} MiB, more than we read")
        blocks.append(block)
    return b"".join(blocks)


def _refuse_entities(data: bytes) -> None:
    coding = UTF_16_MARKS.get(data[:2])
    text = data.decode(coding, errors="replace").encode("utf-8", errors="replace") if coding else data
    if b"<!ENTITY" in text:
        raise InputError("declares XML entities, which no score needs: export it again without a DTD of its own")


def tree(data: bytes) -> Any:
    """The root of an XML document. An id may stand twice: programs copy measures with all their ids.

    raises: InputError when it is damaged
    """
    parser = safe_parser(recover=True)
    try:
        root = lxml.etree.fromstring(data, parser)
    except lxml.etree.XMLSyntaxError as error:
        raise InputError(f"damaged XML in line {error.lineno}: export it again") from error
    for fault in parser.error_log:
        if fault.type != lxml.etree.ErrorTypes.DTD_ID_REDEFINED:
            raise InputError(f"damaged XML in line {fault.line}: export it again")
    return root


def safe_parser(*, recover: bool = False) -> lxml.etree.XMLParser:
    """An XML parser that resolves nothing, loads nothing and keeps libxml2's own limits. recover: reads on at faults"""
    return lxml.etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=recover
    )  # fmt: skip
