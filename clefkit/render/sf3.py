"""Soundfonts with compressed samples (.sf3), unpacked once to .sf2 in the user's cache folder.

FluidSynth decodes the Ogg Vorbis samples of an .sf3 in each process that loads it: seconds, where an .sf2 takes a
fraction of one. We decode as it does, by libsndfile to 16 bits, so both sound the same to the bit, but for the last
46 frames of samples without a loop: an .sf3's stop at once, an .sf2's filter may ring out (FluidSynth 2.3, -49 dB).

In an .sf3 a sample's start and end are bytes of its stream in the chunk of samples and its loop counts from its own
beginning; in an .sf2 all four count frames from the chunk's beginning, and 46 zeros follow each sample.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from clefkit.errors import InputError
from clefkit.render import sf2

if sys.platform != "win32":
    import fcntl

PADDING = bytes(2 * 46)
VERSION = struct.pack("<HH", 2, 1)
MOST_BYTES = 2**32 - 2**26
FORM = b"1"  # of what we write; another one makes another file


def unpacked(path: Path) -> Path:
    """The .sf2 of an .sf3, made when it is not there yet; any other path, or one we can't unpack, as it is.

    Two processes that want the same one wait for each other.
    """
    if path.suffix.lower() != ".sf3":
        return path
    try:
        with path.open("rb") as file:
            place = _place(path, file)
            place.parent.mkdir(parents=True, exist_ok=True)
            if not _is_whole(place):
                _make(file, place)
    except (OSError, InputError):
        # A full disk, a folder that can't be written to, a damaged font: FluidSynth has the last word.
        return path
    return place


def _place(path: Path, file: BinaryIO) -> Path:
    """Where the .sf2 lies: named by the font, its tables and size, and by what decodes it."""
    import platformdirs
    import soundfile

    pdta = sf2.lists(file).get(b"pdta", sf2.Place(0, 0))
    file.seek(pdta.start)
    digest = hashlib.sha256(file.read(min(pdta.length, sf2.MOST_TABLE_BYTES)))
    digest.update(f"{path.stat().st_size} {soundfile.__libsndfile_version__}".encode() + FORM)
    folder = platformdirs.user_cache_path("clefkit") / "soundfonts"
    return folder / f"{path.stem}-{digest.hexdigest()[:16]}.sf2"


def _is_whole(path: Path) -> bool:
    """Whether a file is there and as long as its first line says."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
            return len(head) == 8 and struct.unpack("<I", head[4:])[0] + 8 == file.seek(0, os.SEEK_END)
    except FileNotFoundError:
        return False


def _make(file: BinaryIO, place: Path) -> None:
    pending = place.with_name(f".{place.name}.part")
    with _locked(pending) as out:
        if _is_whole(place):  # another process was faster
            return
        try:
            out.truncate(0)
            _write(file, out)
            out.flush()
            pending.replace(place)
        except BaseException:
            out.truncate(0)  # what is left of it takes no room
            raise


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as out:
        if sys.platform != "win32":
            fcntl.flock(out, fcntl.LOCK_EX)
        yield out


def _write(file: BinaryIO, out: BinaryIO) -> None:
    """Write the .sf2 of an open .sf3, sample by sample."""
    places, headers = sf2.lists(file), sf2.tables(file)[b"shdr"].copy()
    info = [
        (name, VERSION if name == b"ifil" else _read(file, place))
        for name, place in sf2.chunks(file, places.get(b"INFO", sf2.Place(0, 0))).items()
    ]
    out.write(b"RIFF" + bytes(4) + b"sfbk" + _list(b"INFO", info))
    samples_at = out.tell()
    out.write(b"LIST" + bytes(4) + b"sdtasmpl" + bytes(4))
    length = _write_samples(file, out, headers)
    tables = [
        (name, headers.tobytes() if name == b"shdr" else _read(file, place))
        for name, place in sf2.chunks(file, places[b"pdta"]).items()
    ]
    out.write(_list(b"pdta", tables))
    for position, size in ((4, out.tell() - 8), (samples_at + 4, length + 12), (samples_at + 16, length)):
        out.seek(position)
        out.write(struct.pack("<I", size))


def _write_samples(file: BinaryIO, out: BinaryIO, headers: sf2.Table) -> int:
    """Write the sound of each sample once and move its headers there. Returns the bytes written."""
    compressed = sf2.chunks(file, sf2.lists(file).get(b"sdta", sf2.Place(0, 0))).get(b"smpl")
    if compressed is None:
        raise InputError("it has no samples")
    begun: dict[tuple[int, int, bool], tuple[int, int]] = {}  # start and frames of each stream
    written = 0
    for header in headers[:-1]:  # the last one marks the end
        stream = (int(header["start"]), int(header["end"]), bool(header["type"] & sf2.COMPRESSED))
        if stream not in begun:
            sound = _decoded(file, compressed, *stream)
            begun[stream] = written // 2, len(sound)
            written += out.write(sound.astype("<i2").tobytes() + PADDING)
            if written > MOST_BYTES:
                raise InputError("too large for an .sf2")
        _move(header, *begun[stream])
    return written


def _decoded(file: BinaryIO, place: sf2.Place, start: int, end: int, compressed: bool) -> NDArray[np.int16]:
    import soundfile

    size = 1 if compressed else 2
    if not 0 <= start * size <= end * size <= place.length:
        raise InputError("damaged: a sample reaches beyond the end")
    file.seek(place.start + start * size)
    data = file.read((end - start) * size)
    if not compressed:
        return np.frombuffer(data, "<i2").astype(np.int16)
    try:
        sound, _ = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise InputError("damaged: a sample can't be decoded") from error
    # What reading 16 bits would give, but that louder samples are clipped and don't wrap around.
    return np.asarray(np.clip(np.rint(sound[:, 0] * np.float32(32_767)), -32_768, 32_767), np.int16)


def _move(header: np.void, start: int, length: int) -> None:
    """A sample's header, which says where it lay, made to say where it lies; loops end with their sample at the latest.

    start, length: frames
    """
    origin = 0 if header["type"] & sf2.COMPRESSED else int(header["start"])
    loop = (int(header["loop_start"]) - origin, int(header["loop_end"]) - origin)
    header["loop_start"] = start + (loop[0] if 0 <= loop[0] <= length else 0)
    header["loop_end"] = start + (loop[1] if 0 <= loop[1] <= length else length)
    header["start"], header["end"] = start, start + length
    header["type"] &= ~np.uint16(sf2.COMPRESSED)


def _read(file: BinaryIO, place: sf2.Place) -> bytes:
    file.seek(place.start)
    return file.read(place.length)


def _list(name: bytes, bodies: list[tuple[bytes, bytes]]) -> bytes:
    return _chunk(b"LIST", name + b"".join(_chunk(*each) for each in bodies))


def _chunk(name: bytes, body: bytes) -> bytes:
    body += bytes(len(body) % 2)  # the format wants even lengths, and FluidSynth doesn't look for padding
    return name + struct.pack("<I", len(body)) + body
