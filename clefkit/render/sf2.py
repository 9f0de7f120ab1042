"""What a soundfont holds: its presets, the keys they sound for, and the recordings they are made of.

Reads the tables of a SoundFont 2.01 file, or of an .sf3, the same with samples in Ogg Vorbis; the sound itself is left
to FluidSynth. Format: E-mu Systems 1998, "SoundFont Technical Specification", version 2.01, section 7.

Fonts borrow from each other under new names, in mono, filtered, packed anew. What stays is where a sample's loop lies.
So two samples of the same rate whose loops lie at the same frames are one recording.
"""

from __future__ import annotations

import functools
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.errors import InputError

MOST_TABLE_BYTES = 32 * 2**20
MOST_CHUNKS = 64
DRUM_BANK = 128
# Kinds of generators: section 8.1.2.
ATTACK, INSTRUMENT, KEYS, VELOCITIES, SAMPLE = 34, 41, 43, 44, 53
ALL = 127 << 8  # of keys or velocities: the lowest in the low byte, the highest in the high one
SHORTEST_ATTACK = -12_000  # timecents, about 1 ms: what a zone has that says nothing
LONGEST_ATTACK = 8000
NONE = 32_767
BIPOLAR = 0x200  # of a modulator's source: -1 to 1, else 0 to 1
COMPRESSED = 0x10
# Loops are moved by a frame or two when a font is packed anew.
LOOP_STEP = 8

NAME = "S20"
PRESET_HEADER = np.dtype([("name", NAME), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("unused", "<u4", 3)])
INSTRUMENT_HEADER = np.dtype([("name", NAME), ("bag", "<u2")])
BAG = np.dtype([("generator", "<u2"), ("modulator", "<u2")])  # where a zone's rows begin
GENERATOR = np.dtype([("kind", "<u2"), ("amount", "<i2")])
MODULATOR = np.dtype([("source", "<u2"), ("kind", "<u2"), ("amount", "<i2"), ("scale", "<u2"), ("transform", "<u2")])
SAMPLE_HEADER = np.dtype([
    ("name", NAME), ("start", "<u4"), ("end", "<u4"), ("loop_start", "<u4"), ("loop_end", "<u4"), ("rate", "<u4"),
    ("pitch", "u1"), ("correction", "i1"), ("link", "<u2"), ("type", "<u2"),
])  # fmt: skip
TABLES = {
    b"phdr": PRESET_HEADER,
    b"pbag": BAG,
    b"pmod": MODULATOR,
    b"pgen": GENERATOR,
    b"inst": INSTRUMENT_HEADER,
    b"ibag": BAG,
    b"imod": MODULATOR,
    b"igen": GENERATOR,
    b"shdr": SAMPLE_HEADER,
}

Table = NDArray[Any]


class Place(NamedTuple):
    """A chunk of a file, without its head: start and length in bytes."""

    start: int
    length: int


class Sample(NamedTuple):
    """One sample as its header tells. loop_start, loop_end: frames from its beginning."""

    name: str
    rate: int
    loop_start: int
    loop_end: int

    @property
    def recording(self) -> tuple[object, ...]:
        """Equal for samples that come from one recording."""
        length = self.loop_end - self.loop_start
        if length <= 0 or self.loop_end < 4 * LOOP_STEP:
            return self.name, self.rate
        return self.rate, self.loop_start, round(length / LOOP_STEP)


class Zone(NamedTuple):
    """What plays in a range of keys and velocities, (lowest, highest), of a preset or an instrument.

    attack: timecents, the slowest that modulators can make of it
    """

    keys: tuple[int, int]
    velocities: tuple[int, int]
    attack: int
    target: int


class Layer(NamedTuple):
    """One sample in a range of keys and velocities. attack: timecents; sample: its index"""

    keys: slice
    velocities: slice
    attack: int
    sample: int


class Zones:
    """The zones of each preset or instrument, found when they are asked for.

    heads: the table of their names; kind: the letter with which their other tables begin
    target: the generator that names what a zone plays; attack: of a zone that says nothing, timecents
    """

    def __init__(self, found: dict[bytes, Table], heads: bytes, kind: bytes, target: int, attack: int) -> None:
        self._bags = found[heads]["bag"].tolist()
        self._generators, self._modulators = found[kind + b"gen"], found[kind + b"mod"]
        bags = found[kind + b"bag"]
        self._starts, self._changes = bags["generator"].tolist(), bags["modulator"].tolist()
        self._target, self._attack = target, attack
        self._known: dict[int, list[Zone]] = {}

    def __len__(self) -> int:
        return len(self._bags) - 1

    def __getitem__(self, index: int) -> list[Zone]:
        if index not in self._known:
            self._known[index] = self._read(index)
        return self._known[index]

    def _read(self, index: int) -> list[Zone]:
        """A first zone without a target holds what the others don't say."""
        common: dict[int, int] = {KEYS: ALL, VELOCITIES: ALL, ATTACK: self._attack}
        common_changes: dict[tuple[int, int], int] = {}
        zones: list[Zone] = []
        first, last = self._bags[index : index + 2]
        for bag in range(first, last):
            own = common | dict(self._generators[self._starts[bag] : self._starts[bag + 1]].tolist())
            own_changes = common_changes | dict(_slower(self._modulators[self._changes[bag] : self._changes[bag + 1]]))
            if self._target in own:
                slowest = own[ATTACK] + sum(own_changes.values())
                zones.append(Zone(_range(own[KEYS]), _range(own[VELOCITIES]), slowest, own[self._target] & 0xFFFF))
            elif bag == first:
                common, common_changes = own, own_changes
        return zones


class Preset:
    """One preset. What it holds is worked out when it is asked for: a font has hundreds, and a piece needs a few.

    bank: 128 for drums
    """

    def __init__(self, found: dict[bytes, Table], index: int, outer: Zones, inner: Zones) -> None:
        head = found[b"phdr"][index]
        self.bank, self.program, self.name = int(head["bank"]), int(head["program"]), text(head["name"])
        self._index, self._outer, self._inner = index, outer, inner
        self._headers = found[b"shdr"]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Preset) and self._told() == other._told()

    def __hash__(self) -> int:
        return hash(self.where)

    @property
    def where(self) -> tuple[int, int, str]:
        """Bank, program, name: how presets are sorted."""
        return self.bank, self.program, self.name

    @functools.cached_property
    def sounds(self) -> bool:
        """Whether any key has a sound."""
        return next(self._layers(), None) is not None

    @property
    def keys(self) -> frozenset[int]:
        """Those with a sound."""
        return frozenset(np.flatnonzero((self._attack < NONE).any(axis=1)).tolist())

    @functools.cached_property
    def samples(self) -> frozenset[Sample]:
        used = {layer.sample for layer in self._layers()}
        return frozenset(_sample(self._headers[index]) for index in used)

    @property
    def attack_s(self) -> float:
        """The longest of any key and velocity.

        Of several layers the fastest counts, which one hears first, and modulators, by which soft notes often begin
        slowly, count in full.
        """
        longest = int(self._attack.max(where=self._attack < NONE, initial=SHORTEST_ATTACK))
        return float(2.0 ** (longest / 1200))

    @functools.cached_property
    def _attack(self) -> NDArray[np.int16]:
        """(keys, velocities), the fastest there, timecents."""
        attack = np.full((128, 128), NONE, np.int16)
        for layer in self._layers():
            there = attack[layer.keys, layer.velocities]
            np.minimum(there, min(layer.attack, LONGEST_ATTACK), out=there)
        return attack

    def _told(self) -> tuple[object, ...]:
        return self.where, self.keys, self.samples, self.attack_s

    def _layers(self) -> Iterator[Layer]:
        for zone in self._outer[self._index]:
            for inner in self._inner[zone.target] if zone.target < len(self._inner) else []:
                keys, velocities = _common(zone.keys, inner.keys), _common(zone.velocities, inner.velocities)
                if keys and velocities and inner.target < len(self._headers) - 1:  # the last one marks the end
                    yield Layer(keys, velocities, zone.attack + inner.attack, inner.target)


def presets(path: Path) -> tuple[Preset, ...]:
    """Every preset of a soundfont, by bank and program; kept for the process until the file changes.

    raises: InputError when it can't be read, is damaged, or is no soundfont
    """
    try:
        state = path.stat()
    except OSError as error:
        raise InputError(f"the soundfont {path.name} can't be read") from error
    return _presets(path, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def recordings(samples: frozenset[Sample]) -> frozenset[tuple[object, ...]]:
    """What a set of samples was made of."""
    return frozenset(sample.recording for sample in samples)


@functools.lru_cache(maxsize=64)
def _presets(path: Path, _size: int, _changed: int) -> tuple[Preset, ...]:
    try:
        with path.open("rb") as file:
            found = tables(file)
    except OSError as error:
        raise InputError(f"the soundfont {path.name} can't be read") from error
    except InputError as error:
        raise InputError(f"the soundfont {path.name}: {error}") from error
    inner = Zones(found, b"inst", b"i", SAMPLE, SHORTEST_ATTACK)
    outer = Zones(found, b"phdr", b"p", INSTRUMENT, 0)
    made = [Preset(found, index, outer, inner) for index in range(len(outer))]
    return tuple(sorted(made, key=lambda preset: preset.where))


def tables(file: BinaryIO) -> dict[bytes, Table]:
    """The nine tables of a font by their names in the file; each ends with a row that only marks the end.

    raises: InputError when one is missing or damaged
    """
    place = lists(file).get(b"pdta")
    if place is None:
        raise InputError("it has no presets: not a soundfont, or cut off")
    if place.length > MOST_TABLE_BYTES:
        raise InputError(f"its tables are larger than {MOST_TABLE_BYTES // 2**20} MiB")
    places = chunks(file, place)
    found = {}
    for name, row in TABLES.items():
        start, length = places.get(name, (0, 0))
        if (length < row.itemsize and row is not MODULATOR) or length % row.itemsize:
            raise InputError(f"its table {name.decode()} is missing or damaged")
        file.seek(start)
        found[name] = np.frombuffer(file.read(length), row)
    for heads, kind in ((b"phdr", b"p"), (b"inst", b"i")):
        bags = found[kind + b"bag"]
        _check(found[heads]["bag"], len(bags))
        _check(bags["generator"], len(found[kind + b"gen"]) + 1)
        _check(bags["modulator"], len(found[kind + b"mod"]) + 1)
    return found


def lists(file: BinaryIO) -> dict[bytes, Place]:
    """INFO, sdta and pdta of a soundfont. Raises InputError when it is none."""
    file.seek(0)
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise InputError("not a soundfont")
    size = file.seek(0, os.SEEK_END)
    found: dict[bytes, Place] = {}
    for name, place in _walk(file, Place(12, size - 12)):
        if name == b"LIST" and place.length >= 4:
            file.seek(place.start)
            found.setdefault(file.read(4), Place(place.start + 4, place.length - 4))
    return found


def chunks(file: BinaryIO, place: Place) -> dict[bytes, Place]:
    """The chunks inside a list, by name. Raises InputError when one reaches beyond its end."""
    return dict(_walk(file, place))


def _walk(file: BinaryIO, place: Place) -> list[tuple[bytes, Place]]:
    position, end = place.start, place.start + place.length
    found: list[tuple[bytes, Place]] = []
    while position + 8 <= end and len(found) < MOST_CHUNKS:
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        if position + 8 + length > end:
            raise InputError("damaged or cut off: a chunk reaches beyond its end")
        found.append((name, Place(position + 8, length)))
        position += 8 + length
        if length % 2:
            # A byte of padding, which writers of .sf3 leave out.
            file.seek(position)
            position += file.read(1) == b"\0"
    return found


def _check(starts: NDArray[np.uint16], limit: int) -> None:
    """Indices into the next table must grow and stay inside it."""
    if (np.diff(starts.astype(np.int64)) < 0).any() or int(starts[-1]) >= limit:
        raise InputError("damaged: its tables don't fit together")


def _sample(header: Any) -> Sample:
    # In .sf3 start and end are bytes of the compressed stream, and loops count from the sample's beginning.
    start = 0 if int(header["type"]) & COMPRESSED else int(header["start"])
    loop = (int(header["loop_start"]) - start, int(header["loop_end"]) - start)
    return Sample(text(header["name"]), int(header["rate"]), *loop)


def text(field: bytes) -> str:
    """A name of the file: until its first zero byte."""
    return bytes(field).split(b"\0")[0].decode("utf-8", "replace").strip()


def _slower(modulators: Table) -> list[tuple[tuple[int, int], int]]:
    """What each modulator is, and by how much it can make an attack longer at most, timecents."""
    found = []
    for source, kind, amount, scale, _ in modulators.tolist():
        most = abs(amount) if (source | scale) & BIPOLAR else max(amount, 0)
        found.append(((source, scale), most) if kind == ATTACK else ((0, kind), 0))
    return found


def _range(amount: int) -> tuple[int, int]:
    return amount & 0xFF, min(amount >> 8 & 0xFF, 127)


def _common(first: tuple[int, int], second: tuple[int, int]) -> slice | None:
    low, high = max(first[0], second[0]), min(first[1], second[1])
    return slice(low, high + 1) if low <= high else None
