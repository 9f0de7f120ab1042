"""The bytes of a Standard MIDI File as tracks of channel messages, and ticks as seconds.

Parsed here and not by a library, so that a damaged file costs bounded time and memory: every number has at most four
bytes, messages are kept as plain integers, and the notes are counted while they are read.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.errors import InputError
from clefkit.notes import MOST_NOTES

LONGEST_S = 24 * 3600  # recordings may be transcribed that are longer than anything that is played
FIRST_TEMPO = 500_000  # microseconds a quarter, until a file says otherwise
DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}
META, NAME, PORT, END, TEMPO, METER, KEY = 0xFF, 0x03, 0x21, 0x2F, 0x51, 0x58, 0x59
FIRST_METER = (4, 4)
FINEST_BEAT = 64
MOST_BEATS = 200_000


class Track(NamedTuple):
    """One track's channel messages, and its tempo, meter and key changes.

    ticks: from the start of the file; messages: status << 16 | first byte << 8 | second byte
    tempos: (tick, microseconds a quarter); meters: (tick, beats, beat type)
    keys: (tick, sharps or negative for flats, whether it is minor)
    """

    name: str
    port: int
    ticks: array[int]
    messages: array[int]
    tempos: list[tuple[int, int]]
    meters: list[tuple[int, int, int]]
    end: int
    keys: list[tuple[int, int, bool]]


class Clock(NamedTuple):
    """The tempo map. From tick `start` on, seconds are (total + (tick - start) * tempo) / scale.

    quarter: ticks in a quarter, 0 when the file counts frames
    """

    start: list[int]
    total: list[int]
    tempo: list[int]
    scale: int
    quarter: int


def parse(data: bytes) -> tuple[list[Track], Clock]:
    """Tracks and tempo map of a file of type 0 or 1.

    raises: InputError when it is not a MIDI file, is damaged or of type 2, or is past two million notes or a day
    """
    try:
        division, tracks = _tracks(data)
    except (IndexError, struct.error) as error:
        raise InputError("a MIDI file that ends too early: copy or export it again") from error
    return tracks, _clock(division, tracks)


def seconds(clock: Clock, ticks: NDArray[np.int64]) -> NDArray[np.float64]:
    """(ticks,) -> (ticks,), seconds."""
    start, total, tempo = (np.array(column, dtype=np.int64) for column in clock[:3])
    index = np.searchsorted(start, ticks, side="right") - 1
    return np.asarray((total[index] + (ticks - start[index]) * tempo[index]) / clock.scale)


class Meter(NamedTuple):
    """The beats of a file: tick, number of the measure, place in it (from 1), length in ticks; each (beats,)."""

    tick: NDArray[np.int64]
    measure: NDArray[np.int64]
    beat: NDArray[np.int64]
    length: NDArray[np.int64]


def meter(tracks: list[Track], clock: Clock) -> Meter | None:
    """The beats up to the end, by the time signatures, 4/4 until one is written. None when the file has no beats."""
    if not clock.quarter:
        return None
    end = max((track.end for track in tracks), default=0)
    changes = {tick: (beats, kind) for track in tracks for tick, beats, kind in track.meters}
    changes.setdefault(0, FIRST_METER)
    places = sorted(place for place in changes if place <= end)
    pieces: list[NDArray[np.int64]] = []
    first = 1
    for place, stop in pairwise([*places, end + 1]):
        beats, kind = changes[place]
        length = max(4 * clock.quarter // kind, 1)
        count = -((place - stop) // length)
        if count + sum(piece.shape[1] for piece in pieces) > MOST_BEATS:
            return None
        index = np.arange(count)
        pieces.append(
            np.stack([place + index * length, first + index // beats, 1 + index % beats, np.full(count, length)])
        )
        first += -(-count // beats)
    return Meter(*np.concatenate(pieces, axis=1))


def _tracks(data: bytes) -> tuple[int, list[Track]]:
    if data[:4] != b"MThd":
        raise InputError("an empty file" if not data else "not a MIDI file")
    size, kind, count, division = struct.unpack(">IHHh", data[4:14])
    if kind == 2:
        raise InputError("a MIDI file of type 2 (independent patterns): save it as type 1")
    if kind > 2 or size < 6 or division == 0 or (division < 0 and division & 0xFF == 0):
        raise InputError("a MIDI file with a damaged header")
    tracks: list[Track] = []
    position, notes = 8 + size, 0
    while len(tracks) < count:
        name, size = struct.unpack(">4sI", data[position : position + 8])
        position += 8
        if name == b"MTrk":
            if position + size > len(data):
                raise InputError("a MIDI file that ends too early: copy or export it again")
            tracks.append(_track(data[position : position + size]))
            notes += sum(1 for message in tracks[-1].messages if message >> 20 == 0x9 and message & 127)
            if notes > MOST_NOTES:
                raise InputError(f"more than {MOST_NOTES:,} notes")
        position += size
    return division, tracks


@dataclass
class _Facts:
    """What the meta events of a track say."""

    name: str = ""
    port: int = 0
    tempos: list[tuple[int, int]] = field(default_factory=list)
    meters: list[tuple[int, int, int]] = field(default_factory=list)
    keys: list[tuple[int, int, bool]] = field(default_factory=list)

    def add(self, kind: int, body: bytes, tick: int) -> None:
        if kind == TEMPO and len(body) == 3 and any(body):
            self.tempos.append((tick, int.from_bytes(body, "big")))
        elif kind == METER and len(body) >= 2 and body[0] and 2 ** body[1] <= FINEST_BEAT:
            self.meters.append((tick, body[0], 2 ** body[1]))
        elif kind == KEY and len(body) == 2 and (body[0] + 7) % 256 <= 14:
            self.keys.append((tick, (body[0] + 7) % 256 - 7, body[1] == 1))
        elif kind == NAME and not self.name:
            self.name = _decoded(body)
        elif kind == PORT and len(body) == 1:
            self.port = body[0]


def _track(data: bytes) -> Track:
    """Parse one chunk. Raises IndexError when a message is cut off."""
    ticks, messages = array("q"), array("l")
    facts = _Facts()
    tick, position, status = 0, 0, 0
    while position < len(data):
        delta, position = _number(data, position)
        tick += delta
        byte = data[position]
        if byte >= 0xF0:
            kind, body, position = _longer(data, position)
            if kind == END:
                break
            facts.add(kind, body, tick)
            continue
        if byte >= 0x80:
            status = byte
            position += 1
        elif not status:
            raise InputError("a damaged MIDI file: data without a command")
        count = DATA_BYTES[status >> 4]
        first, second = data[position], data[position + 1] if count == 2 else 0
        if first > 127 or second > 127:
            raise InputError("a damaged MIDI file: a data byte over 127")
        position += count
        ticks.append(tick)
        messages.append(status << 16 | first << 8 | second)
    return Track(facts.name, facts.port, ticks, messages, facts.tempos, facts.meters, tick, facts.keys)


def _longer(data: bytes, position: int) -> tuple[int, bytes, int]:
    """A meta event or system exclusive message: its kind (-1 for the latter), its bytes, and the position after it."""
    kind, position = (data[position + 1], position + 2) if data[position] == META else (-1, position + 1)
    size, position = _number(data, position)
    if position + size > len(data):
        raise IndexError
    return kind, data[position : position + size], position + size


def _number(data: bytes, position: int) -> tuple[int, int]:
    """A number of at most four bytes of seven bits, and the position after it."""
    value = 0
    for index in range(position, position + 4):
        byte = data[index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, index + 1
    raise InputError("a damaged MIDI file: a number longer than four bytes")


def _decoded(text: bytes) -> str:
    try:
        name = text.decode("utf-8")
    except UnicodeDecodeError:
        name = text.decode("latin-1")
    return "".join(letter for letter in name if letter.isprintable()).strip()


def _clock(division: int, tracks: list[Track]) -> Clock:
    """Raises InputError when the file lasts longer than a day."""
    changes = sorted((change for track in tracks for change in track.tempos), key=lambda change: change[0])
    scale, first = division * 1_000_000, FIRST_TEMPO
    if division < 0:
        frames, parts = -(division >> 8), division & 0xFF
        # 29 stands for "30 drop frame", which runs at 30000/1001 frames a second. SMPTE time knows no tempo.
        scale, first = (30_000 * parts, 1001) if frames == 29 else (frames * parts, 1)
        changes = []
    clock = Clock([0], [0], [first], scale, max(division, 0))
    for tick, tempo in changes:
        clock.total.append(clock.total[-1] + (tick - clock.start[-1]) * clock.tempo[-1])
        clock.start.append(tick)
        clock.tempo.append(tempo)
    end = max((track.end for track in tracks), default=0)
    duration = (clock.total[-1] + (end - clock.start[-1]) * clock.tempo[-1]) / scale
    if duration > LONGEST_S:
        hours = f"{duration / 3600:,.1f} hours, more than {LONGEST_S // 3600}"
        raise InputError(f"lasts {hours}: cut it, or export it again if that can't be true")
    return clock
