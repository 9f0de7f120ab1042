"""MIDI files: read into a Performance, written from Notes.

Reading follows "Standard MIDI Files 1.0" (MIDI Manufacturers Association, 1996): types 0 and 1, quarter-note and SMPTE
divisions, one tempo map over all tracks, summed in whole microseconds, so a time is exact to the last bit of a double.

Conventions where the standard leaves a choice:

- A part is one (track, channel, program). A note's program is the last one its own track chose for the channel; a track
  that never chooses takes the channel's, whichever track set it. Tracks may name a port (meta event 0x21).
- Notes pair within their track: an offset ends the note of its channel and key, a later onset of that key ends it too.
- A controller reaches the parts of its own track and channel, and those of the same port, channel and program in
  other tracks (two hands, one pedal).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import midifile
from clefkit.errors import InputError
from clefkit.midifile import END, FIRST_TEMPO, META, NAME, PORT, TEMPO, Clock, Track, seconds
from clefkit.notes import TICKS_PER_QUARTER, TICKS_PER_SECOND, Beat, Control, Notes, Part, Performance, make

MOST_BYTES = 64 * 2**20
MOST_CONTROLS = 4_000_000
DRUM_CHANNEL = 9
SAME_S = 1e-6  # times that differ by rounding only
LONGEST_DELTA = 2**28 - 1  # four bytes of seven bits

# Bank, data entry and parameter numbers steer other controllers; from 120 on they are commands, not controllers.
NOT_CONTROLS = {0, 32, 96, 97}
FIRST_COMMAND = 120
# "Reset all controllers", as MIDI recommended practice 015 lists it.
RESET = ((1, 0), (11, 127), (64, 0), (66, 0), (67, 0))


@dataclass
class _Channel:
    """What a channel of a port remembers. bend_range: semitones; parameter: (coarse, fine) number being set."""

    program: int = 0
    bend: int = 0
    bend_range: float = 2.0
    parameter: tuple[int, int] = (127, 127)


class _Open(NamedTuple):
    """A note that sounds. replaced: it ended another note of its key at its own tick."""

    tick: int
    velocity: int
    part: int
    replaced: bool


@dataclass
class _Take:
    """What is gathered while the messages go by.

    notes: (onset tick, offset tick, key, velocity, part); parts: (track, channel, program) -> part
    controls: (tick, (track, channel, program), kind, number, value)
    """

    notes: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    controls: list[tuple[int, tuple[int, int, int], str, int, float]] = field(default_factory=list)
    parts: dict[tuple[int, int, int], int] = field(default_factory=dict)
    open: dict[tuple[int, int, int], _Open] = field(default_factory=dict)
    programs: dict[tuple[int, int], int] = field(default_factory=dict)
    channels: dict[tuple[int, int], _Channel] = field(default_factory=dict)


def read(path: Path) -> Performance:
    """Read a MIDI file of type 0 or 1.

    returns: notes in seconds, and controllers (bends in semitones, by the bend range the file sets)
    raises: InputError when it is not a MIDI file, is damaged or of type 2, or past 64 MiB, two million notes or a day
    """
    return performance(*load(path))


def load(path: Path) -> tuple[list[Track], Clock]:
    """Tracks and tempo map of a file, in ticks. Raises as `read` does."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"larger than {MOST_BYTES // 2**20} MiB")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError("no such file") from error
    except IsADirectoryError as error:
        raise InputError("a folder, not a MIDI file") from error
    return midifile.parse(data)


def encode(notes: Notes) -> bytes:
    """A MIDI file of type 1 at 2,400 ticks a second (1,200 a quarter, 120 quarters a minute), one track a part.

    Pitches and times are rounded; a note lasts at least one tick; notes of one part and pitch end where the next
    begins, and become one where they begin at the same tick. Parts past the fifteenth use further ports.
    raises: InputError when a note is past 31 hours, the longest delta
    """
    onset, offset, pitch, velocity, part = _ticks(notes)
    chunks = [chunk(track_name("clefkit") + bytes([0, META, TEMPO, 3]) + FIRST_TEMPO.to_bytes(3, "big"))]
    for index, (owner, (port, channel)) in enumerate(zip(notes.parts, channels(notes.parts), strict=True)):
        mine = part == index
        head = track_name(owner.name) + bytes([0, META, PORT, 1, port % 128, 0, 0xC0 | channel, owner.program & 127])
        chunks.append(chunk(head + _messages(channel, onset[mine], offset[mine], pitch[mine], velocity[mine])))
    return file(chunks, TICKS_PER_QUARTER)


def channels(parts: tuple[Part, ...]) -> list[tuple[int, int]]:
    """Port and channel of each part: drums on the tenth channel, past the fifteenth melodic part on further ports."""
    found = []
    melodic = 0
    for part in parts:
        port, channel = (0, DRUM_CHANNEL) if part.drums else divmod(melodic, 15)
        if not part.drums:
            channel += channel >= DRUM_CHANNEL
            melodic += 1
        found.append((port, channel))
    return found


def file(chunks: list[bytes], ticks_per_quarter: int) -> bytes:
    """A whole file of type 1 from its chunks."""
    return struct.pack(">4sIHHH", b"MThd", 6, 1, len(chunks), ticks_per_quarter) + b"".join(chunks)


def performance(tracks: list[Track], clock: Clock) -> Performance:
    """Notes, controllers and beats of a parsed file, in the time that the clock tells."""
    take = _Take()
    none = np.zeros(0, np.int64)
    ticks = np.concatenate([none, *(np.array(track.ticks, np.int64) for track in tracks)])
    messages = np.concatenate([none, *(np.array(track.messages, np.int64) for track in tracks)])
    owners = np.repeat(np.arange(len(tracks)), [len(track.ticks) for track in tracks])
    order = np.argsort(ticks, kind="stable")
    rows = zip(ticks[order].tolist(), messages[order].tolist(), owners[order].tolist(), strict=True)
    for tick, message, track in rows:
        _message(take, tick, message, track, tracks[track].port)
    for (track, channel, key), note in list(take.open.items()):
        _end(take, track, channel, key, max(tracks[track].end, note.tick))
    found, controls = _finished(take, tracks, clock)
    beats = _beats(tracks, clock)
    if beats and any(track.meters for track in tracks):
        found = _placed(found, beats)
    return Performance(found, controls, beats)


def _beats(tracks: list[Track], clock: Clock) -> tuple[Beat, ...]:
    meter = midifile.meter(tracks, clock)
    if meter is None:
        return ()
    quarters, times = (meter.tick / clock.quarter).tolist(), seconds(clock, meter.tick).tolist()
    rows = zip(meter.measure.tolist(), meter.beat.tolist(), quarters, times, strict=True)
    return tuple(Beat(str(measure), 1, float(beat), quarter, time_s) for measure, beat, quarter, time_s in rows)


def _placed(found: Notes, beats: tuple[Beat, ...]) -> Notes:
    """The notes with their measures and beats, when the file says where these are."""
    times = np.array([beat.time_s for beat in beats])
    index = np.clip(np.searchsorted(times, found.onset + SAME_S, side="right") - 1, 0, None)
    lengths = np.append(np.diff(times), np.diff(times)[-1:] if len(times) > 1 else 1.0)
    within = np.maximum(found.onset - times[index], 0.0) / np.maximum(lengths[index], SAME_S)
    measure = np.array([beat.measure for beat in beats])[index]
    return replace(found, measure=measure, beat=np.array([beat.beat for beat in beats])[index] + within)


def _message(take: _Take, tick: int, message: int, track: int, port: int) -> None:
    kind, channel, first, second = message >> 20, message >> 16 & 15, message >> 8 & 127, message & 127
    if kind == 0x9 and second:
        _begin(take, tick, (track, channel, first), second, port)
    elif kind in (0x8, 0x9):
        note = take.open.get((track, channel, first))
        # An offset written after the onset of the next note of its key, at the same tick, was meant for the one before.
        if note is not None and note.replaced and note.tick == tick:
            take.open[track, channel, first] = note._replace(replaced=False)
        else:
            _end(take, track, channel, first, tick)
    elif kind == 0xC:
        take.programs[track, channel] = first
        take.channels.setdefault((port, channel), _Channel()).program = first
    elif kind == 0xB:
        _control(take, tick, (track, channel), port, first, second)
    elif kind == 0xE:
        state = take.channels.setdefault((port, channel), _Channel())
        state.bend = (second << 7 | first) - 8192
        _add_control(take, tick, (track, channel), port, "bend", 0, state.bend / 8192 * state.bend_range)


def _begin(take: _Take, tick: int, place: tuple[int, int, int], velocity: int, port: int) -> None:
    track, channel, key = place
    before = take.open.get(place)
    if before is not None and before.tick < tick:
        _end(take, track, channel, key, tick)
    part = take.parts.setdefault((track, channel, _program(take, track, channel, port)), len(take.parts))
    take.open[place] = _Open(tick, velocity, part, before is not None)


def _end(take: _Take, track: int, channel: int, key: int, tick: int) -> None:
    note = take.open.pop((track, channel, key), None)
    if note is not None:
        # A note without length keeps one tick, so that it can be heard and matched.
        take.notes.append((note.tick, max(tick, note.tick + 1), key, note.velocity, note.part))


def _program(take: _Take, track: int, channel: int, port: int) -> int:
    own = take.programs.get((track, channel))
    if own is not None:
        return own
    state = take.channels.get((port, channel))
    return state.program if state else 0


def _control(take: _Take, tick: int, place: tuple[int, int], port: int, number: int, value: int) -> None:
    state = take.channels.setdefault((port, place[1]), _Channel())
    coarse, fine = state.parameter
    if number in (98, 99):
        state.parameter = (127, 127)
    elif number in (100, 101):
        state.parameter = (value, fine) if number == 101 else (coarse, value)
    elif number in (6, 38):
        if state.parameter == (0, 0):
            _set_bend_range(state, number, value)
            _add_control(take, tick, place, port, "bend", 0, state.bend / 8192 * state.bend_range)
    elif number == 121:
        state.bend = 0
        _add_control(take, tick, place, port, "bend", 0, 0.0)
        for other, rest in RESET:
            _add_control(take, tick, place, port, "control", other, rest)
    elif number in (120, 123):
        for key in [key for track, channel, key in take.open if (track, channel) == place]:
            _end(take, *place, key, tick)
    elif number < FIRST_COMMAND and number not in NOT_CONTROLS:
        _add_control(take, tick, place, port, "control", number, value)


def _set_bend_range(state: _Channel, number: int, value: int) -> None:
    semitones, hundredths = divmod(round(state.bend_range * 100), 100)
    state.bend_range = value + hundredths / 100 if number == 6 else semitones + value / 100


def _add_control(
    take: _Take, tick: int, place: tuple[int, int], port: int, kind: str, number: int, value: float
) -> None:
    track, channel = place
    take.controls.append((tick, (track, channel, _program(take, track, channel, port)), kind, number, float(value)))


def _finished(take: _Take, tracks: list[Track], clock: Clock) -> tuple[Notes, tuple[Control, ...]]:
    """Parts in the order of the file, times in seconds, each controller with the parts it reaches."""
    owners = sorted(take.parts)
    place = np.array([owners.index(owner) for owner in take.parts], dtype=np.int64)
    columns = np.array(take.notes, dtype=np.int64).reshape(-1, 5).T
    parts = tuple(Part(tracks[track].name, program, channel == DRUM_CHANNEL) for track, channel, program in owners)
    onset, offset = seconds(clock, columns[0]), seconds(clock, columns[1])
    part = place[columns[4]] if len(place) else columns[4]
    found = make(onset, offset, columns[2], columns[3], part, parts or (Part(),))
    times = seconds(clock, np.array([control[0] for control in take.controls], dtype=np.int64)).tolist()
    reach = {source: _reached(source, owners, tracks) for source in {control[1] for control in take.controls}}
    if sum(len(reach[source]) for _, source, *_ in take.controls) > MOST_CONTROLS:
        raise InputError(f"more than {MOST_CONTROLS:,} controllers")
    controls = tuple(
        Control(time, index, kind, number, value)
        for time, (_, source, kind, number, value) in zip(times, take.controls, strict=True)
        for index in reach[source]
    )
    return found, controls


def _reached(source: tuple[int, int, int], owners: list[tuple[int, int, int]], tracks: list[Track]) -> list[int]:
    track, channel, program = source
    port = tracks[track].port
    same = [n for n, owner in enumerate(owners) if owner[1] == channel and tracks[owner[0]].port == port]
    near = [n for n in same if owners[n][0] == track or owners[n][2] == program]
    return near or same


def _ticks(notes: Notes) -> tuple[NDArray[np.int64], ...]:
    """Onset, offset, pitch, velocity, part as MIDI can say them, sorted by part, pitch, onset."""
    onset = np.maximum(np.rint(notes.onset * TICKS_PER_SECOND), 0).astype(np.int64)
    offset = np.maximum(np.rint(notes.offset * TICKS_PER_SECOND).astype(np.int64), onset + 1)
    if offset.max(initial=0) > LONGEST_DELTA:
        raise InputError("notes past 31 hours don't fit into a MIDI file")
    return separated(onset, offset, notes.pitch, notes.velocity, notes.part)


def separated(
    onset: NDArray[np.int64],
    offset: NDArray[np.int64],
    pitch: NDArray[np.float64],
    velocity: NDArray[np.int64],
    part: NDArray[np.int64],
) -> tuple[NDArray[np.int64], ...]:
    """The same columns, in ticks, with whole pitches and one note at a time for each part and pitch."""
    key = np.clip(np.rint(pitch), 0, 127).astype(np.int64)
    # The longest note of those with the same onset comes last and stays.
    order = np.lexsort((offset, onset, key, part))
    onset, offset, key, velocity, part = (a[order] for a in (onset, offset, key, np.clip(velocity, 1, 127), part))
    follows = (part[1:] == part[:-1]) & (key[1:] == key[:-1])
    kept = np.append(~(follows & (onset[1:] == onset[:-1])), True)[: len(onset)]
    offset[:-1] = np.where(follows & (onset[1:] > onset[:-1]), np.minimum(offset[:-1], onset[1:]), offset[:-1])
    return onset[kept], offset[kept], key[kept], velocity[kept], part[kept]


def _messages(channel: int, *columns: NDArray[np.int64]) -> bytes:
    """The note messages of one part, offsets before onsets at the same tick.

    columns: onset, offset, pitch, velocity
    """
    onset, offset, pitch, velocity = columns
    ticks = np.concatenate([offset, onset])
    keys, levels = np.concatenate([pitch, pitch]), np.concatenate([np.full(len(offset), 64), velocity])
    status = np.repeat([0x80 | channel, 0x90 | channel], len(onset))
    order = np.lexsort((keys, status, ticks))
    deltas = np.diff(ticks[order], prepend=0).tolist()
    out = bytearray()
    rows = zip(deltas, status[order].tolist(), keys[order].tolist(), levels[order].tolist(), strict=True)
    for delta, *message in rows:
        out += variable(delta) + bytes(message)
    return bytes(out)


def variable(number: int) -> bytes:
    """A number as MIDI writes lengths: seven bits a byte."""
    out = [number & 127]
    while number := number >> 7:
        out.append(number & 127 | 128)
    return bytes(reversed(out))


def track_name(text: str) -> bytes:
    """The event that names a track, at its start."""
    data = text.encode("utf-8")
    return bytes([0, META, NAME]) + variable(len(data)) + data


def chunk(events: bytes) -> bytes:
    """A track from its events."""
    body = events + bytes([0, META, END, 0])
    return struct.pack(">4sI", b"MTrk", len(body)) + body
