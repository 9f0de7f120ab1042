"""MIDI files: exact times, the oddities of real files, damage. pretty_midi and mido are independent referees."""

from __future__ import annotations

import contextlib
import io
import struct
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest

from clefkit import midi, midifile, notes
from clefkit.errors import InputError
from clefkit.notes import Notes, Part, Performance

HALF_TICK_S = 0.5 / 2400


def chunk(events: bytes, end: bytes = b"\x00\xff\x2f\x00") -> bytes:
    return b"MTrk" + struct.pack(">I", len(events + end)) + events + end


def parsed(path: Path, *tracks: bytes, kind: int = 1, division: int = 480) -> Performance:
    """Reads a file of raw track events. At 480 ticks a quarter and 120 quarters a minute a tick is 1/960 s."""
    head = struct.pack(">4sIHHh", b"MThd", 6, kind, len(tracks), division)
    path.write_bytes(head + b"".join(chunk(track) for track in tracks))
    return midi.read(path)


def rows(found: Notes) -> list[tuple[float, float, float, int]]:
    """(onset, offset, pitch, velocity) with times in ticks of 1/960 s."""
    columns = (found.onset * 960, found.offset * 960, found.pitch, found.velocity)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def random_notes(generator: np.random.Generator, count: int, parts: tuple[Part, ...]) -> Notes:
    """Notes that do not overlap within a part and pitch."""
    pitch, part = generator.integers(21, 109, count), generator.integers(0, len(parts), count)
    start = np.zeros(count)
    clock: dict[tuple[int, int], float] = {}
    length = generator.uniform(0.01, 2.0, count)
    for index, place in enumerate(zip(part.tolist(), pitch.tolist(), strict=True)):
        start[index] = clock.get(place, 0.0) + generator.uniform(0.002, 3.0)
        clock[place] = start[index] + length[index]
    return notes.make(start, start + length, pitch, generator.integers(1, 128, count), part, parts)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.mid"


@pytest.mark.parametrize("count", [1, 4, 20, 40])
def test_what_we_write_comes_back(path: Path, count: int) -> None:
    parts = tuple(Part(f"Stimme {n} ♩", (7 * n) % 128, n % 9 == 5) for n in range(count))
    asked = random_notes(np.random.default_rng(count), 60 * count, parts)
    path.write_bytes(midi.encode(asked))
    found = midi.read(path).notes
    assert found.parts == parts
    order = np.lexsort((np.rint(found.onset * 2400), found.pitch, found.part))
    wanted = np.lexsort((np.rint(asked.onset * 2400), asked.pitch, asked.part))
    for column in ("pitch", "velocity", "part"):
        assert np.array_equal(getattr(found, column)[order], getattr(asked, column)[wanted])
    assert np.abs(found.onset[order] - asked.onset[wanted]).max() <= HALF_TICK_S + 1e-9
    assert np.abs(found.offset[order] - asked.offset[wanted]).max() <= HALF_TICK_S + 1e-9
    assert midi.encode(found) == midi.encode(asked)


def test_pretty_midi_reads_the_same_from_what_we_write(path: Path) -> None:
    parts = (Part("Violin", 40), Part("Drums", 0, drums=True), Part("Cello", 42))
    asked = random_notes(np.random.default_rng(3), 300, parts)
    path.write_bytes(midi.encode(asked))
    referee = pretty_midi.PrettyMIDI(str(path))
    assert [(each.name, each.program, each.is_drum) for each in referee.instruments] == [tuple(part) for part in parts]
    for index, instrument in enumerate(referee.instruments):
        ours = notes.take(asked, asked.part == index)
        theirs = sorted((note.pitch, note.start, note.end, note.velocity) for note in instrument.notes)
        wanted = sorted(zip(ours.pitch, ours.onset, ours.offset, ours.velocity, strict=True))
        assert np.abs(np.array(theirs, float) - np.array(wanted, float)).max() <= HALF_TICK_S + 1e-9


def test_we_read_the_same_as_pretty_midi_from_what_it_writes(path: Path) -> None:
    generator = np.random.default_rng(4)
    theirs = pretty_midi.PrettyMIDI(resolution=220, initial_tempo=93)
    for number in range(20):  # more than there are channels, so some are shared
        instrument = pretty_midi.Instrument(program=number * 5, is_drum=number == 7, name=f"part {number}")
        for start in np.arange(0, 5, 0.5):
            pitch, end = int(generator.integers(30, 90)), start + generator.uniform(0.1, 0.5)
            instrument.notes.append(pretty_midi.Note(int(generator.integers(1, 128)), pitch, start, end))
        instrument.control_changes.append(pretty_midi.ControlChange(64, 100, 1.0))
        instrument.pitch_bends.append(pretty_midi.PitchBend(4096, 2.0))
        theirs.instruments.append(instrument)
    theirs.write(str(path))
    again, found = pretty_midi.PrettyMIDI(str(path)), midi.read(path)
    expected = {(each.name, each.program, each.is_drum) for each in again.instruments}
    assert {tuple(part) for part in found.notes.parts} == expected
    for index, part in enumerate(found.notes.parts):
        other = next(each for each in again.instruments if each.name == part.name)
        ours = notes.take(found.notes, found.notes.part == index)
        want = sorted((note.start, note.pitch, note.end, note.velocity) for note in other.notes)
        have = sorted(zip(ours.onset, ours.pitch, ours.offset, ours.velocity, strict=True))
        assert np.allclose(have, want, atol=1e-9)
        kinds = [(each.kind, each.number, each.value) for each in found.controls if each.part == index]
        assert kinds == [("control", 64, 100.0), ("bend", 0, 1.0)]


def test_tempo_map_over_all_tracks_is_exact(path: Path) -> None:
    generator = np.random.default_rng(5)
    ticks = np.cumsum(generator.integers(1, 700, 400)).tolist()
    changes = {tick: int(generator.integers(150_000, 2_000_000)) for tick in ticks}
    file = mido.MidiFile(type=1, ticks_per_beat=97)
    for turn in range(2):
        track, before = mido.MidiTrack(), 0
        for tick in ticks[turn::2]:
            track.append(mido.MetaMessage("set_tempo", tempo=changes[tick], time=tick - before))
            before = tick
        file.tracks.append(track)
    track = mido.MidiTrack()
    onsets = list(range(0, ticks[-1], 61))
    for _ in onsets:
        track.append(mido.Message("note_on", note=60, velocity=50, time=60))
        track.append(mido.Message("note_off", note=60, time=1))
    file.tracks.append(track)
    file.save(path)
    found = midi.read(path).notes

    def exact(tick: int) -> float:
        total, before, tempo = Fraction(0), 0, 500_000
        for change in [*ticks, tick]:
            here = min(change, tick)
            total += Fraction((here - before) * tempo, 97 * 1_000_000)
            before, tempo = here, changes.get(change, 0)
            if change >= tick:
                break
        return float(total)

    assert found.onset.tolist() == [exact(tick + 60) for tick in onsets]


@pytest.mark.parametrize(("frames", "rate"), [(24, 24), (25, 25), (29, Fraction(30_000, 1001)), (30, 30)])
def test_smpte_time_knows_no_tempo(path: Path, frames: int, rate: Fraction) -> None:
    slow = bytes([0, 0xFF, 0x51, 3, 0xFF, 0xFF, 0xFF])
    found = parsed(path, slow + b"\x64\x90\x3c\x40\x64\x80\x3c\x40", division=-frames * 256 + 40).notes
    assert found.onset[0] == float(Fraction(100, 40) / rate)
    assert found.offset[0] == float(Fraction(200, 40) / rate)


def test_running_status_and_velocity_zero(path: Path) -> None:
    found = parsed(path, b"\x00\x90\x3c\x40\x10\x3e\x50\x10\x3c\x00\x10\x3e\x00", kind=0).notes
    assert rows(found) == [(0, 32, 60, 64), (16, 48, 62, 80)]


def test_system_exclusive_and_unknown_events_are_passed_over(path: Path) -> None:
    track = (
        b"\x00\xf0\x03\x01\x02\xf7\x00\xff\x7f\x02\x01\x02\x00\x90\x3c\x40\x10\xd0\x11\x10\xa0\x3c\x01\x10\x80\x3c\x00"
    )
    assert rows(parsed(path, track).notes) == [(0, 48, 60, 64)]


def test_unknown_chunks_are_passed_over(path: Path) -> None:
    track = chunk(b"\x00\x90\x3c\x40\x10\x80\x3c\x00")
    path.write_bytes(struct.pack(">4sIHHh", b"MThd", 6, 1, 1, 480) + b"XFIH\x00\x00\x00\x02ab" + track)
    assert rows(midi.read(path).notes) == [(0, 16, 60, 64)]


def test_note_never_ended_ends_with_its_track(path: Path) -> None:
    found = parsed(path, b"\x10\x90\x3c\x40\x60\xb0\x07\x40", b"\x7f\x91\x3c\x40\x01\x81\x3c\x40").notes
    assert rows(found) == [(16, 112, 60, 64), (127, 128, 60, 64)]


def test_later_onset_of_a_key_ends_the_earlier_note(path: Path) -> None:
    found = parsed(path, b"\x00\x90\x3c\x40\x10\x90\x3c\x50\x10\x80\x3c\x00\x10\x80\x3c\x00").notes
    assert rows(found) == [(0, 16, 60, 64), (16, 32, 60, 80)]


def test_offset_written_after_the_next_onset_at_the_same_tick(path: Path) -> None:
    found = parsed(path, b"\x00\x90\x3c\x40\x10\x90\x3c\x50\x00\x80\x3c\x00\x10\x80\x3c\x00").notes
    assert rows(found) == [(0, 16, 60, 64), (16, 32, 60, 80)]


def test_two_onsets_at_one_tick_are_one_note(path: Path) -> None:
    found = parsed(path, b"\x00\x90\x3c\x40\x00\x90\x3c\x50\x10\x80\x3c\x00\x00\x80\x3c\x00").notes
    assert rows(found) == [(0, 16, 60, 80)]


def test_note_without_length_lasts_a_tick(path: Path) -> None:
    assert rows(parsed(path, b"\x10\x99\x24\x40\x00\x89\x24\x00").notes) == [(16, 17, 36, 64)]


def test_all_notes_off(path: Path) -> None:
    found = parsed(path, b"\x00\x90\x3c\x40\x00\x90\x40\x40\x10\xb0\x7b\x00\x20\x80\x3c\x00").notes
    assert rows(found) == [(0, 16, 60, 64), (0, 16, 64, 64)]


def test_parts_are_tracks_channels_and_programs(path: Path) -> None:
    name = b"\x00\xff\x03\x05Geige"
    first = name + b"\x00\xc0\x28\x00\x90\x3c\x40\x10\x80\x3c\x00\x00\xc0\x2d\x00\x90\x3c\x40\x10\x80\x3c\x00"
    second = b"\x00\x99\x24\x40\x10\x89\x24\x00\x00\x90\x30\x40\x10\x80\x30\x00"
    found = parsed(path, first, second).notes
    drums, borrowed = Part("", 0, drums=True), Part("", 45)
    assert found.parts == (Part("Geige", 40), Part("Geige", 45), borrowed, drums)
    assert found.part.tolist() == [3, 0, 2, 1]


def test_port_keeps_channels_apart(path: Path) -> None:
    here = b"\x00\xff\x21\x01\x00\x00\xc0\x05\x00\x90\x3c\x40\x10\x80\x3c\x00"
    there = b"\x00\xff\x21\x01\x01\x00\x90\x3c\x40\x10\x80\x3c\x00"
    assert [part.program for part in parsed(path, here, there).notes.parts] == [5, 0]


def test_pedal_reaches_both_hands(path: Path) -> None:
    right = b"\x00\xb0\x40\x7f\x00\x90\x3c\x40\x10\x80\x3c\x00"
    left = b"\x00\x90\x30\x40\x10\x80\x30\x00"
    other = b"\x00\x91\x30\x40\x10\x81\x30\x00"
    controls = parsed(path, right, left, other).controls
    assert [(each.part, each.kind, each.number, each.value) for each in controls] == [
        (0, "control", 64, 127.0),
        (1, "control", 64, 127.0),
    ]


def test_track_of_controllers_alone(path: Path) -> None:
    conductor = b"\x10\xb0\x07\x33"
    controls = parsed(path, conductor, b"\x00\x90\x30\x40\x20\x80\x30\x00").controls
    assert controls == (notes.Control(16 / 960, 0, "control", 7, 51.0),)


def test_bend_in_semitones_by_the_range_that_is_set(path: Path) -> None:
    note = b"\x00\x90\x30\x40"
    bend = b"\x00\xe0\x00\x60"
    twelve = b"\x00\xb0\x65\x00\x00\xb0\x64\x00\x00\xb0\x06\x0c\x00\xb0\x26\x32"
    other_parameter = b"\x00\xb0\x65\x00\x00\xb0\x64\x01\x00\xb0\x06\x05"
    controls = parsed(path, note + bend + twelve + other_parameter + bend).controls
    assert [each.value for each in controls] == [1.0, 6.0, 6.25, 6.25]
    assert {each.kind for each in controls} == {"bend"}


def test_reset_all_controllers(path: Path) -> None:
    controls = parsed(path, b"\x00\x90\x30\x40\x00\xe0\x00\x60\x00\xb0\x40\x7f\x10\xb0\x79\x00").controls
    after = {(each.kind, each.number): each.value for each in controls if each.time_s > 0}
    assert after == {
        ("bend", 0): 0.0,
        ("control", 1): 0.0,
        ("control", 11): 127.0,
        ("control", 64): 0.0,
        ("control", 66): 0.0,
        ("control", 67): 0.0,
    }


def test_overlapping_notes_of_a_pitch_are_written_one_after_the_other(path: Path) -> None:
    asked = notes.make([0, 1, 1, 3], [2, 1.5, 2.5, 3], [60, 60, 60, 61.6], [10, 20, 30, 40])
    path.write_bytes(midi.encode(asked))
    found = midi.read(path).notes
    assert found.onset.tolist() == [0, 1, 3]
    assert found.offset.tolist() == [1, 2.5, 3 + 1 / 2400]
    assert found.pitch.tolist() == [60, 60, 62]
    assert found.velocity.tolist() == [10, 30, 40]


def test_empty_notes_make_a_valid_file(path: Path) -> None:
    path.write_bytes(midi.encode(notes.make([], [], [])))
    assert len(midi.read(path).notes) == 0
    assert len(mido.MidiFile(path).tracks) == 2


def test_long_notes_are_not_capped_by_ticks(path: Path) -> None:
    path.write_bytes(midi.encode(notes.make([7000], [7190], [60])))  # 17 million ticks; pretty_midi stops at 10 million
    assert midi.read(path).notes.onset.tolist() == [7000]


def test_past_31_hours_is_refused() -> None:
    with pytest.raises(InputError, match="31 hours"):
        midi.encode(notes.make([200_000], [200_001], [60]))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "an empty file"),
        (b"RIFF\x00\x00\x00\x00WAVE", "not a MIDI file"),
        (b"MThd", "ends too early"),
        (struct.pack(">4sIHHh", b"MThd", 6, 2, 1, 480), "type 2"),
        (struct.pack(">4sIHHh", b"MThd", 6, 9, 1, 480), "damaged header"),
        (struct.pack(">4sIHHh", b"MThd", 6, 1, 1, 0), "damaged header"),
        (struct.pack(">4sIHHh", b"MThd", 6, 1, 2, 480) + chunk(b""), "ends too early"),
        (struct.pack(">4sIHHh", b"MThd", 6, 1, 1, 480) + chunk(b"\x00\x3c\x40"), "data without a command"),
        (struct.pack(">4sIHHh", b"MThd", 6, 1, 1, 480) + chunk(b"\x00\x90\xbc\x40"), "data byte over 127"),
        (struct.pack(">4sIHHh", b"MThd", 6, 1, 1, 480) + chunk(b"\xff" * 5000), "longer than four bytes"),
    ],
)
def test_what_is_no_midi_file_is_told_in_a_sentence(path: Path, data: bytes, message: str) -> None:
    path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        midi.read(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        midi.read(tmp_path / "x.mid")
    with pytest.raises(InputError, match="a folder"):
        midi.read(tmp_path)


def test_huge_delta_is_refused_at_once(path: Path) -> None:
    start = time.perf_counter()
    with pytest.raises(InputError, match=r"lasts 77\.7 hours, more than 24"):
        parsed(path, b"\x00\x90\x3c\x40\xff\xff\xff\x7f\x80\x3c\x00")
    assert time.perf_counter() - start < 0.5


def test_limits_of_size_and_notes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(midi, "MOST_BYTES", 50)
    monkeypatch.setattr(midifile, "MOST_NOTES", 2)
    with pytest.raises(InputError, match="more than 2 notes"):
        parsed(path, b"\x00\x90\x3c\x40" + b"\x10\x3c\x00\x10\x3c\x40" * 2)
    with pytest.raises(InputError, match="larger than 0 MiB"):
        parsed(path, b"\x00\x90\x3c\x40" * 10)


def damaged(change: Callable[[bytearray, np.random.Generator], bytearray], path: Path) -> None:
    """Damages a real file in many ways: each is read, or refused with a sentence."""
    generator = np.random.default_rng(6)
    good = midi.encode(random_notes(generator, 40, (Part("a"), Part("b", 3))))
    for _ in range(400):
        path.write_bytes(change(bytearray(good), generator))
        with contextlib.suppress(InputError):
            midi.read(path)


def test_cut_files(path: Path) -> None:
    damaged(lambda data, generator: data[: generator.integers(0, len(data))], path)


def test_files_with_wrong_bytes(path: Path) -> None:
    def change(data: bytearray, generator: np.random.Generator) -> bytearray:
        for place in generator.integers(0, len(data), 3):
            data[place] = generator.integers(0, 256)
        return data

    damaged(change, path)


def test_file_as_mido_writes_it(path: Path) -> None:
    file = mido.MidiFile(type=0)
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("track_name", name="Klavier"))
    track.append(mido.Message("program_change", program=3))
    track.append(mido.Message("note_on", note=60, velocity=99, time=480))
    track.append(mido.Message("note_on", note=60, velocity=0, time=480))
    file.tracks.append(track)
    buffer = io.BytesIO()
    file.save(file=buffer)
    path.write_bytes(buffer.getvalue())
    found = midi.read(path).notes
    assert (found.onset[0], found.offset[0], found.parts) == (0.5, 1.0, (Part("Klavier", 3),))
