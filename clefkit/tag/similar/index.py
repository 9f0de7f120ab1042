"""An index of sounds: what each file sounds like, as a whole and instrument by instrument. One file.

It is laid out as safetensors are (eight bytes with the length of a header, the header as JSON, then numbers,
little-endian): so other programs can read it, nothing in it is ever run, and it is mapped into memory, not read. Files
are in order of the bytes of their names, so the same files make the same index.

    path_ends, leaf_ends   (files,), int64: where in `paths`, and among the instruments, those of each file end
    whole                  (files, 64), float32, of length 1, or 0 for silence
    space                  (instruments, 32), float32, of length 1: one for each instrument that is present in a file
    gain_lu                (instruments,), float32: relative to the whole; the loudest of a file comes first
    sha256                 (files, 32), uint8: of the file
    leaf                   (instruments,), uint8: which one, its place in LEAVES
    paths                  bytes of names, relative to the folder of the index

The metadata name the checkpoint and its hash: numbers of different networks can't be compared.
"""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.errors import InputError, RefusedError
from clefkit.tag.vocabulary import LEAVES

Array = NDArray[np.float32]
Bytes = NDArray[np.uint8]

FORMAT = "clefkit similar"
VERSION = "1"  # of this layout, and of how a sound is listened to with the same network
START = f'{{"__metadata__":{{"format":"{FORMAT}",'.encode()  # of each header, so that other files are told apart
WHOLE, SPACE = 64, 32
TYPES: dict[str, np.dtype[Any]] = {"I64": np.dtype("<i8"), "F32": np.dtype("<f4"), "U8": np.dtype("u1")}
LONGEST_HEADER = 1 << 16

Layout = dict[str, tuple[str, tuple[int, ...]]]


class Checkpoint(NamedTuple):
    """sha256: of its config.toml and model.onnx, as `registry.own_model` has it"""

    name: str
    sha256: str


class Instrument(NamedTuple):
    """One that is present in a file. gain_lu: relative to the whole; -inf where no energy is its own"""

    name: str
    gain_lu: float


class Entry(NamedTuple):
    """A file of an index.

    name: relative to the folder of the index; whole: (WHOLE,)
    leaves: (instruments,), the loudest first; gains_lu: (instruments,); spaces: (instruments, SPACE)
    """

    name: str
    sha256: str
    whole: Array
    leaves: Bytes
    gains_lu: Array
    spaces: Array


@dataclass(frozen=True)
class Index:
    """path: where it is, or will be; the rest: see above"""

    path: Path
    checkpoint: Checkpoint
    path_ends: NDArray[np.int64]
    leaf_ends: NDArray[np.int64]
    whole: Array
    space: Array
    gain_lu: Array
    sha256: Bytes
    leaf: Bytes
    paths: Bytes

    def __len__(self) -> int:
        return len(self.path_ends)

    def name(self, row: int) -> str:
        """Of a file, as seen from the folder of the index."""
        return os.fsdecode(self.paths[_span(self.path_ends, row)].tobytes())

    def file(self, row: int) -> Path:
        """The file, as seen from here; without `..` where that is the same."""
        long = folder(self.path) / self.name(row)
        short = Path(os.path.normpath(long))
        return short if short.resolve() == long.resolve() else long

    def instruments(self, row: int) -> list[Instrument]:
        """What is present in a file, the loudest first."""
        at = _span(self.leaf_ends, row)
        pairs = zip(self.leaf[at].tolist(), self.gain_lu[at].tolist(), strict=True)
        return [Instrument(LEAVES[leaf], gain_lu) for leaf, gain_lu in pairs]

    def entry(self, row: int) -> Entry:
        """All about a file, copied out of the mapped memory."""
        at = _span(self.leaf_ends, row)
        return Entry(
            self.name(row),
            self.sha256[row].tobytes().hex(),
            self.whole[row].copy(),
            self.leaf[at].copy(),
            self.gain_lu[at].copy(),
            self.space[at].copy(),
        )

    def row_of(self, sha256: str) -> int | None:
        """The first file of this content."""
        digest = bytes.fromhex(sha256)
        for row in np.flatnonzero(self._starts == np.frombuffer(digest, "<u8")[0]).tolist():
            if self.sha256[row].tobytes() == digest:
                return int(row)
        return None

    @cached_property
    def _starts(self) -> NDArray[np.uint64]:
        """(files,), the first eight bytes of each hash: 0.5 ms to look through a million."""
        return self.sha256[:, :8].copy().view("<u8").ravel()


def folder(path: Path) -> Path:
    """What names in the index at `path` are relative to: where the file is that a link leads to."""
    return (path.resolve() if path.is_symlink() else path).parent


def joined(path: Path, checkpoint: Checkpoint, entries: Iterable[Entry]) -> Index:
    """The index of at least one file."""
    files = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    names = [os.fsencode(entry.name) for entry in files]
    return Index(
        path,
        checkpoint,
        path_ends=np.cumsum([len(name) for name in names]),
        leaf_ends=np.cumsum([len(entry.leaves) for entry in files]),
        whole=np.stack([entry.whole for entry in files]),
        space=np.concatenate([entry.spaces for entry in files]),
        gain_lu=np.concatenate([entry.gains_lu for entry in files]),
        sha256=np.frombuffer(bytes.fromhex("".join(entry.sha256 for entry in files)), np.uint8).reshape(-1, 32),
        leaf=np.concatenate([entry.leaves for entry in files]),
        paths=np.frombuffer(b"".join(names), np.uint8),
    )


def write(index: Index) -> None:
    """Write the file at `index.path`: whole or not at all, in place of the index that was there. A link stays a link.

    raises: InputError when that can't be done; RefusedError as `refuse`
    """
    refuse(index.path)
    layout = _layout(len(index), len(index.leaf), len(index.paths))
    header = _header(index.checkpoint, layout)
    path = index.path.resolve()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")  # others may write this index at the same time
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(len(header).to_bytes(8, "little") + header)
                for name, (kind, _shape) in layout.items():
                    file.write(np.ascontiguousarray(getattr(index, name), TYPES[kind]).data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{index.path}: can't be written ({(error.strerror or str(error)).lower()})") from error


def refuse(path: Path) -> None:
    """raises: RefusedError when something is there already that is no index, and isn't empty"""
    if path.exists() and not (path.is_file() and (not path.stat().st_size or is_one(path))):
        raise RefusedError(f"{path} is there already and is no index of sounds: give another name")


def is_one(path: Path) -> bool:
    """Is the file an index, if perhaps of another version, or damaged? Raises OSError when it can't be read."""
    with path.open("rb") as file:
        return file.read(8 + len(START))[8:] == START


def load(path: Path) -> Index:
    """Map an index into memory; its numbers are read where they are needed.

    raises: InputError when the file can't be read, is no index, one of another version, or damaged
    """
    try:
        if not is_one(path):
            raise InputError(f"{path}: no index of sounds (`clefkit similar --index` makes one)")
        raw: Bytes = np.asarray(np.memmap(path, np.uint8, "r"))
    except OSError as error:
        raise InputError(f"{path}: can't be read ({(error.strerror or str(error)).lower()})") from error
    length = int.from_bytes(raw[:8].tobytes(), "little")
    text = raw[8 : 8 + min(length, LONGEST_HEADER)].tobytes()
    try:
        index = _mapped(path, text, raw[8 + length :])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: damaged: make it again with `clefkit similar --index`") from error
    return index


def _mapped(path: Path, text: bytes, raw: Bytes) -> Index:
    """raises: ValueError, KeyError, TypeError when the header is not the one that would be written"""
    header = json.loads(text)
    about = header["__metadata__"]
    if about["version"] != VERSION:
        raise InputError(
            f"{path}: an index of another version ({about['version']}): make it again with `clefkit similar --index`"
        )
    checkpoint = Checkpoint(about["checkpoint"], about["checkpoint_sha256"])
    layout = _layout(*(header[name]["shape"][0] for name in ("path_ends", "leaf", "paths")))
    if text != _header(checkpoint, layout) or len(raw) != _bytes(layout)[-1]:
        raise ValueError
    columns = {
        name: raw[slice(*place)].view(TYPES[kind]).reshape(shape)
        for (name, (kind, shape)), place in zip(layout.items(), itertools.pairwise(_bytes(layout)), strict=True)
    }
    index = Index(path, checkpoint, **columns)
    for ends, last in ((index.path_ends, len(index.paths)), (index.leaf_ends, len(index.leaf))):
        if ends[0] < 0 or (ends[1:] < ends[:-1]).any() or ends[-1] != last:
            raise ValueError
    if index.leaf.max(initial=0) >= len(LEAVES):
        raise ValueError
    return index


def _span(ends: NDArray[np.int64], row: int) -> slice:
    return slice(int(ends[row - 1]) if row else 0, int(ends[row]))


def _layout(files: int, instruments: int, letters: int) -> Layout:
    """Type and shape of each column, in order: the widest first, so that all are aligned."""
    return {
        "path_ends": ("I64", (files,)),
        "leaf_ends": ("I64", (files,)),
        "whole": ("F32", (files, WHOLE)),
        "space": ("F32", (instruments, SPACE)),
        "gain_lu": ("F32", (instruments,)),
        "sha256": ("U8", (files, 32)),
        "leaf": ("U8", (instruments,)),
        "paths": ("U8", (letters,)),
    }


def _bytes(layout: Layout) -> list[int]:
    """Where each column begins, counted from the end of the header, and where the last one ends."""
    sizes = [TYPES[kind].itemsize * math.prod(shape) for kind, shape in layout.values()]
    return list(itertools.accumulate(sizes, initial=0))


def _header(checkpoint: Checkpoint, layout: Layout) -> bytes:
    about = {
        "format": FORMAT,
        "version": VERSION,
        "checkpoint": checkpoint.name,
        "checkpoint_sha256": checkpoint.sha256,
    }
    header: dict[str, Any] = {"__metadata__": about}
    for (name, (kind, shape)), place in zip(layout.items(), itertools.pairwise(_bytes(layout)), strict=True):
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": place}
    text = json.dumps(header, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)
