"""The performance as a MIDI file, read back by clefkit and by mido."""

from __future__ import annotations

import io
from pathlib import Path

import mido
import numpy as np
import pytest

from clefkit import midi, midiplay, notes
from clefkit.errors import InputError
from clefkit.notes import Beat, Control, Part, Performance


def performance(controls: tuple[Control, ...] = ()) -> Performance:
    """Two parts over 200 beats of 3/4, each beat with a tempo of its own; notes on every beat and between."""
    generator = np.random.default_rng(0)
    times = np.concatenate([[0.0], np.cumsum(generator.uniform(0.3, 0.9, 200))])
    beats = tuple(Beat(str(i // 3 + 1), 1, 1.0 + i % 3, float(i), t) for i, t in enumerate(times.tolist()))
    onset = np.sort(np.concatenate([times[:-1], generator.uniform(0, times[-1], 300)]))
    part = np.arange(len(onset)) % 2
    found = notes.make(
        onset, onset + 0.2, 60 + np.arange(len(onset)) % 24, None, part, (Part("Violin", 40), Part("Kit", drums=True))
    )
    return Performance(found, controls, beats)


def written(folder: Path, played: Performance) -> Performance:
    path = folder / "x.mid"
    path.write_bytes(midiplay.encode(played))
    return midi.read(path)


def test_times_and_beats_come_back(tmp_path: Path) -> None:
    played = performance()
    again = written(tmp_path, played)
    assert again.notes.parts == played.notes.parts
    assert np.abs(again.notes.onset - played.notes.onset).max() < 1e-4
    assert np.abs(again.notes.offset - played.notes.offset).max() < 1e-4
    found = {(beat.measure, beat.beat): beat.time_s for beat in again.beats}
    assert all(abs(found[beat.measure, beat.beat] - beat.time_s) < 1e-4 for beat in played.beats[:-3])


def test_pedals_and_bends_come_back(tmp_path: Path) -> None:
    controls = (Control(0.5, 0, "control", 64, 127), Control(1.0, 0, "bend", 0, 3.5), Control(2.0, 0, "control", 64, 0))
    again = written(tmp_path, performance(controls)).controls
    assert [(c.kind, c.number, round(c.value, 2)) for c in again if c.part == 0 and c.time_s > 0] == [
        ("control", 64, 127), ("bend", 0, 3.5), ("control", 64, 0),
    ]  # fmt: skip
    assert np.allclose([c.time_s for c in again if c.part == 0 and c.time_s > 0], [0.5, 1.0, 2.0], atol=1e-4)
    with pytest.raises(InputError, match="bends by 100"):
        midiplay.encode(performance((Control(1.0, 0, "bend", 0, 100.0),)))


def test_other_programs_read_it() -> None:
    file = mido.MidiFile(file=io.BytesIO(midiplay.encode(performance())))
    assert [track.name for track in file.tracks] == ["clefkit", "Violin", "Kit"]
    meters = [m for m in file.tracks[0] if m.type == "time_signature"]
    assert [(m.numerator, m.denominator) for m in meters][:1] == [(3, 4)]
    assert sum(m.type == "note_on" for m in file) == 500


def test_without_beats_the_tempo_is_120(tmp_path: Path) -> None:
    found = notes.make([0.25, 1.0], [0.5, 1.5], [60, 62])
    assert written(tmp_path, Performance(found)).notes.onset.tolist() == [0.25, 1.0]
