"""corrupt: what each kind of corruption changes and what it leaves alone; the command."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Shell
from excerpts import excerpts
from hypothesis import given, settings
from hypothesis import strategies as st

from clefkit import notes
from clefkit.critique.corrupt import KINDS, clusters, corrupt, settled
from clefkit.critique.table import DURATION, ONSET, PITCH, VELOCITY, Table

PITCHED = ("off-key", "noise")
SEVERITIES = st.floats(0.02, 1)
SEEDS = st.integers(0, 2**32 - 1)
NUMBERS = st.integers(0, 55)


def piece(number: int) -> Table:
    return settled(excerpts()[number % len(excerpts())][:250])


def spoil(number: int, kind: str, severity: float, seed: int) -> tuple[Table, Table]:
    before = piece(number)
    return before, corrupt(before, kind, severity, np.random.default_rng(seed)).notes


def overlaps(table: Table) -> int:
    """Pairs of equal pitch that sound together, but for those that begin together."""
    found = 0
    for pitch in np.unique(table[:, PITCH]):
        mine = table[table[:, PITCH] == pitch]
        end = mine[:, ONSET] + mine[:, DURATION]
        later = np.diff(mine[:, ONSET]) > 0
        found += int(((end[:-1] > mine[1:, ONSET]) & later).sum())
    return found


@settings(max_examples=30, deadline=None)
@given(NUMBERS, st.sampled_from(list(KINDS)), SEVERITIES, SEEDS)
def test_every_kind_keeps_the_number_of_notes_and_settles(number: int, kind: str, severity: float, seed: int) -> None:
    before, after = spoil(number, kind, severity, seed)
    assert len(after) == len(before)
    assert (np.diff(after[:, ONSET]) >= 0).all()
    assert (after[:, DURATION] > 0).all()
    assert overlaps(after) == 0
    assert np.array_equal(settled(after), after)


@settings(max_examples=25, deadline=None)
@given(NUMBERS, st.sampled_from(PITCHED), SEVERITIES, SEEDS)
def test_wrong_pitches_are_new_ones_in_the_range(number: int, kind: str, severity: float, seed: int) -> None:
    before = piece(number)
    spoilt = corrupt(before, kind, severity, np.random.default_rng(seed))
    after, was = spoilt.notes, before[spoilt.source]
    moved = np.abs(after[:, PITCH] - was[:, PITCH])
    assert np.array_equal(moved > 0, spoilt.changed)
    assert moved.max() <= (1 if kind == "off-key" else 11)
    assert spoilt.changed.sum() <= max(1, round(severity * len(before)))
    assert np.array_equal(after[:, [ONSET, VELOCITY]], was[:, [ONSET, VELOCITY]])
    assert after[:, PITCH].min() >= before[:, PITCH].min()
    assert after[:, PITCH].max() <= before[:, PITCH].max()


@settings(max_examples=25, deadline=None)
@given(NUMBERS, SEVERITIES, SEEDS)
def test_a_shuffle_keeps_the_notes_and_most_steps(number: int, severity: float, seed: int) -> None:
    before = piece(number)
    spoilt = corrupt(before, "shuffle", severity, np.random.default_rng(seed))
    for columns in ([PITCH], [PITCH, VELOCITY]):
        assert Counter(map(tuple, spoilt.notes[:, columns].tolist())) == Counter(
            map(tuple, before[:, columns].tolist())
        )
    assert np.array_equal(spoilt.changed, spoilt.seam)
    steps = [Counter(np.diff(np.unique(each[:, ONSET])).tolist()) for each in (before, spoilt.notes)]
    seams = len(np.unique(clusters(spoilt.notes[:, ONSET])[spoilt.seam]))
    assert sum((steps[0] - steps[1]).values()) <= 2 * seams + 2


def test_a_severe_shuffle_has_many_seams() -> None:
    counts = []
    for severity in (0.1, 1.0):
        spoilt = corrupt(piece(3), "shuffle", severity, np.random.default_rng(1))
        counts.append(len(np.unique(clusters(spoilt.notes[:, ONSET])[spoilt.seam])))
    assert 0 < counts[0] < counts[1]


@settings(max_examples=25, deadline=None)
@given(NUMBERS, SEVERITIES, SEEDS)
def test_rhythm_keeps_the_steps_in_another_order(number: int, severity: float, seed: int) -> None:
    before, after = spoil(number, "rhythm", severity, seed)
    steps = []
    for each in (before, after):
        which = clusters(each[:, ONSET])
        steps.append(np.diff(each[np.flatnonzero(np.diff(which, prepend=-1)), ONSET]))
    assert np.array_equal(np.sort(steps[0]), np.sort(steps[1]))
    assert Counter(after[:, PITCH].tolist()) == Counter(before[:, PITCH].tolist())


def test_stray_notes_come_for_those_that_go() -> None:
    before = piece(5)
    spoilt = corrupt(before, "stray", 0.25, np.random.default_rng(2))
    assert spoilt.changed.sum() == round(0.25 * len(before))
    kept = spoilt.source[~spoilt.changed]
    assert len(np.unique(kept)) == len(kept) == len(before) - spoilt.changed.sum()
    assert np.array_equal(spoilt.notes[~spoilt.changed][:, [ONSET, PITCH]], before[np.sort(kept)][:, [ONSET, PITCH]])


def test_a_key_is_let_go_before_it_is_struck_again() -> None:
    held = np.array([[0, 900, 60, 80], [500, 400, 60, 80], [500, 400, 64, 80], [1000, 300, 60, 80]], np.int32)
    done = settled(held)
    assert done[0, DURATION] == 400  # 100 ms before, as between the second and the third
    assert np.array_equal(done[1:], held[1:])


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Two parts and a kit."""
    table = excerpts()[0]
    onset = table[:, ONSET] / 1000
    beats = np.arange(40) / 2
    parts = (notes.Part("high", 40), notes.Part("low", 42), notes.Part("kit", 0, drums=True))
    path = tmp_path / "song.mid"
    made = notes.make(
        np.concatenate([onset, beats]),
        np.concatenate([onset + table[:, DURATION] / 1000, beats + 0.1]),
        np.concatenate([table[:, PITCH], np.full(40, 38)]),
        np.concatenate([table[:, VELOCITY], np.full(40, 90)]),
        np.concatenate([(table[:, PITCH] < 60).astype(int), np.full(40, 2)]),
        parts,
    )
    notes.write_midi(path, made)
    return path


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_command_writes_the_piece_and_the_list(song: Path, shell: Shell, kind: str) -> None:
    done = shell(f"clefkit corrupt --kind {kind} --severity .25 song.mid")
    assert (done.returncode, done.stdout) == (0, f"song.{kind}-25.mid\n"), done.stderr
    before, after = notes.read(song), notes.read(song.parent / f"song.{kind}-25.mid")
    assert [part.program for part in after.parts] == [part.program for part in before.parts]
    assert [part.drums for part in after.parts] == [False, False, True]
    drums = [each.onset[each.part == 2] for each in (before, after)]
    if kind in ("shuffle", "rhythm"):
        assert len(drums[1]) >= len(drums[0]) - 1
    else:
        assert drums[1] == pytest.approx(drums[0], abs=1e-3)
    rows = [json.loads(line) for line in (song.parent / f"song.{kind}-25.changed.jsonl").read_text().splitlines()]
    record = json.loads((song.parent / f"song.{kind}-25.mid.json").read_text())
    assert (record["kind"], record["severity"], record["changed"]) == (kind, 0.25, len(rows))
    assert {row["change"] for row in rows} <= {"pitch", "time", "phrase", "new", "gone"}
    sounding = {(round(float(on), 2), int(pitch)) for on, pitch in zip(after.onset, after.pitch, strict=True)}
    there = [(round(row["onset_s"], 2), row["pitch"]) in sounding for row in rows if row["change"] != "gone"]
    assert np.mean(there) > 0.95  # two voices on one key are one note of MIDI


def test_the_list_is_what_differs(song: Path, shell: Shell) -> None:
    assert shell("clefkit corrupt --kind off-key --severity .1 song.mid").returncode == 0
    rows = [json.loads(line) for line in (song.parent / "song.off-key-10.changed.jsonl").read_text().splitlines()]
    before = Counter(zip(*_columns(notes.read(song)), strict=True))
    after = Counter(zip(*_columns(notes.read(song.parent / "song.off-key-10.mid")), strict=True))
    differ = sum((after - before).values())
    assert differ == pytest.approx(len(rows), abs=3)
    assert all(abs(row["pitch"] - row["was_pitch"]) == 1 for row in rows)


def _columns(found: notes.Notes) -> tuple[list[float], list[int]]:
    return np.round(found.onset, 2).tolist(), found.pitch.astype(int).tolist()


def test_same_seed_same_bytes_and_replay(song: Path, shell: Shell) -> None:
    shutil.copy(ROOT / "demo" / "erinnerung.mxl", song.parent / "two.mxl")
    for jobs in (1, 4):
        assert shell(f"clefkit corrupt --seed 3 -j {jobs} song.mid two.mxl --out {jobs}").returncode == 0
    first = (song.parent / "1" / "two.off-key-20.mid").read_bytes()
    assert first == (song.parent / "4" / "two.off-key-20.mid").read_bytes()
    assert shell("clefkit corrupt --seed 4 two.mxl --out other").returncode == 0
    assert first != (song.parent / "other" / "two.off-key-20.mid").read_bytes()
    (song.parent / "1" / "two.off-key-20.mid").unlink()
    assert shell("clefkit replay 1/two.off-key-20.mid").returncode == 0
    assert first == (song.parent / "1" / "two.off-key-20.mid").read_bytes()


def test_what_cannot_be_spoilt_is_said(song: Path, shell: Shell) -> None:
    start = np.arange(20) / 4
    kit = (notes.Part("kit", 0, drums=True),)
    notes.write_midi(song.parent / "drums.mid", notes.make(start, start + 0.1, [38] * 20, parts=kit))
    notes.write_midi(song.parent / "none.mid", notes.make([], [], []))
    notes.write_midi(song.parent / "one.mid", notes.make([0], [1], [60]))
    (song.parent / "broken.mid").write_bytes(b"MThd\0\0\0\6\0\1\0\1\0x")
    (song.parent / "sound.wav").write_bytes(b"RIFF")
    done = shell("clefkit corrupt drums.mid none.mid one.mid broken.mid sound.wav song.mid")
    assert done.returncode == 1
    assert done.stdout == "song.off-key-20.mid\n"
    said = dict(line.removeprefix("clefkit corrupt: ").split(": ", 1) for line in done.stderr.splitlines())
    assert said["drums.mid"].startswith("drums alone")
    assert said["none.mid"].startswith("no notes")
    assert said["one.mid"].startswith("too few notes")
    assert said["sound.wav"].startswith("neither notes nor a score")
    assert "broken.mid" in said
    assert shell("clefkit corrupt --kind slower song.mid").returncode == 2
    assert shell("clefkit corrupt --severity 0 song.mid").returncode == 2
