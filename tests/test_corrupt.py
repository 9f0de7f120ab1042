"""corrupt: what each kind of corruption changes and what it leaves alone; the command."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Shell
from excerpts import excerpts
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from clefkit import midi, midiplay, notation, notes
from clefkit.critique.corrupt import KINDS, clusters, corrupt, settled
from clefkit.critique.table import DURATION, ONSET, PITCH, VELOCITY, Table
from clefkit.render import perform

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
    assert after[:, PITCH].min() == before[:, PITCH].min()
    assert after[:, PITCH].max() == before[:, PITCH].max()


def doubled(table: Table) -> set[int]:
    """Rows whose pitch sounds already, or begins with them."""
    start, end = table[:, ONSET], table[:, ONSET] + table[:, DURATION]
    beside = (
        (start[None] < end[:, None]) & (end[None] > start[:, None]) & (table[None, :, PITCH] == table[:, None, PITCH])
    )
    np.fill_diagonal(beside, val=False)
    return set(np.flatnonzero(beside.any(axis=1)).tolist())


@settings(max_examples=25, deadline=None)
@given(NUMBERS, st.sampled_from(PITCHED), SEVERITIES, SEEDS)
def test_no_note_moves_onto_a_pitch_that_sounds(number: int, kind: str, severity: float, seed: int) -> None:
    spoilt = corrupt(piece(number), kind, severity, np.random.default_rng(seed))
    assert not doubled(spoilt.notes) & set(np.flatnonzero(spoilt.changed).tolist())
    was = piece(number)[spoilt.source]
    assert np.array_equal(spoilt.notes[:, DURATION], was[:, DURATION])
    real = {*map(tuple, was[:, [ONSET, PITCH]].tolist())}
    assert not real & {*map(tuple, spoilt.notes[spoilt.changed][:, [ONSET, PITCH]].tolist())}


@settings(max_examples=25, deadline=None)
@given(NUMBERS, SEVERITIES, SEEDS)
def test_a_shuffle_keeps_the_notes_and_the_steps(number: int, severity: float, seed: int) -> None:
    before = piece(number)
    spoilt = corrupt(before, "shuffle", severity, np.random.default_rng(seed))
    assert np.array_equal(spoilt.changed, spoilt.seam)
    assert np.array_equal(np.sort(spoilt.source), np.arange(len(before)))
    was = before[spoilt.source]
    assert np.array_equal(spoilt.notes[:, [PITCH, VELOCITY]], was[:, [PITCH, VELOCITY]])
    shorter = spoilt.notes[:, DURATION] < was[:, DURATION]
    assert np.array_equal(spoilt.notes[~shorter, DURATION], was[~shorter, DURATION])
    assert shorter.sum() <= 4 * spoilt.seam.sum()  # keys that are struck again after a seam
    assert np.array_equal(np.sort(steps(spoilt.notes)), np.sort(steps(before)))


def steps(table: Table) -> NDArray[np.int32]:
    _, first = clusters(table[:, ONSET])
    found: NDArray[np.int32] = np.diff(table[first, ONSET])
    return found


def test_the_first_phrase_stays_first_and_the_last_one_last() -> None:
    before = piece(2)
    spoilt = corrupt(before, "shuffle", 0.5, np.random.default_rng(1))
    bounds = np.flatnonzero(np.diff(spoilt.seam.astype(int), prepend=0) == 1)
    assert np.array_equal(spoilt.notes[: bounds[0], [ONSET, PITCH]], before[: bounds[0], [ONSET, PITCH]])
    assert np.array_equal(spoilt.notes[bounds[-1] :], before[bounds[-1] :])
    later = np.diff(spoilt.source[bounds])
    assert (later < 0).any()


@settings(max_examples=25, deadline=None)
@given(NUMBERS, st.integers(3, 40), SEVERITIES, SEEDS, st.sampled_from(list(KINDS)))
def test_short_pieces_are_spoilt_or_stay(number: int, count: int, severity: float, seed: int, kind: str) -> None:
    before = piece(number)[:count]
    spoilt = corrupt(before, kind, severity, np.random.default_rng(seed))
    assert len(spoilt.notes) == count
    assert spoilt.changed.any() or np.array_equal(spoilt.notes, before)


def test_a_severe_shuffle_has_many_seams() -> None:
    counts = []
    for severity in (0.1, 1.0):
        spoilt = corrupt(piece(3), "shuffle", severity, np.random.default_rng(1))
        counts.append(len(np.unique(clusters(spoilt.notes[:, ONSET])[0][spoilt.seam])))
    assert 0 < counts[0] < counts[1]


@settings(max_examples=25, deadline=None)
@given(NUMBERS, SEVERITIES, SEEDS)
def test_rhythm_keeps_the_steps_in_another_order(number: int, severity: float, seed: int) -> None:
    before = piece(number)
    spoilt = corrupt(before, "rhythm", severity, np.random.default_rng(seed))
    after = spoilt.notes
    assert np.array_equal(np.sort(steps(after)), np.sort(steps(before)))
    assert Counter(after[:, PITCH].tolist()) == Counter(before[:, PITCH].tolist())
    others = np.flatnonzero(steps(after) != steps(before)) + 1
    assert np.array_equal(np.unique(clusters(after[:, ONSET])[0][spoilt.changed]), others)
    assert len(others) <= max(2, round(severity * len(steps(before))))


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


def test_both_of_a_unison_are_let_go_before_the_key_is_struck_again() -> None:
    held = np.array([[0, 2000, 60, 80], [0, 500, 60, 80], [1000, 300, 60, 80]], np.int32)
    assert overlaps(settled(held)) == 0
    assert settled(held)[:, DURATION].tolist() == [970, 500, 300]
    assert np.array_equal(settled(settled(held)), settled(held))


# the command


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Two parts and a kit: a volume and a program each, a pedal, an accent of tempo."""
    _, single = np.unique(excerpts()[0][:, [ONSET, PITCH]], axis=0, return_index=True)
    table = excerpts()[0][np.sort(single)]
    onset, kit = table[:, ONSET] / 1000, np.arange(40) / 2
    parts = (notes.Part("high", 40), notes.Part("low", 42), notes.Part("kit", 0, drums=True))
    made = notes.make(
        np.concatenate([onset, kit]),
        np.concatenate([onset + table[:, DURATION] / 1000, kit + 0.1]),
        np.concatenate([table[:, PITCH], np.full(40, 38)]),
        np.concatenate([table[:, VELOCITY], np.full(40, 90)]),
        np.concatenate([(table[:, PITCH] < 60).astype(int), np.full(40, 2)]),
        parts,
    )
    controls = [(0.0, 7, 100), (4.0, 64, 127), (5.0, 11, 90), (6.0, 64, 0)]
    beats = [notes.Beat("1", 1, 1.0 + each, float(each), 0.5 * each + 0.02 * (each > 3)) for each in range(12)]
    played = notes.Performance(
        made,
        tuple(notes.Control(time_s, 1, "control", number, value) for time_s, number, value in controls),
        tuple(beats),
    )
    path = tmp_path / "song.mid"
    path.write_bytes(midiplay.encode(played))
    return path


def changes(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.with_suffix(".changed.jsonl").read_text().splitlines()]


def rows_of(found: notes.Notes) -> Counter[tuple[int, float, int, int]]:
    columns = (found.part + 1, np.round(found.onset, 2), found.pitch.astype(int), found.velocity)
    return Counter(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_command_writes_the_piece_and_the_list(song: Path, shell: Shell, kind: str) -> None:
    done = shell(f"clefkit corrupt --kind {kind} --severity .25 --seed 5 song.mid")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"song.{kind}-25.mid\n", "")
    made = song.parent / f"song.{kind}-25.mid"
    before, after = notes.read(song), notes.read(made)
    assert after.parts == before.parts
    assert len(after) == len(before)
    listed = changes(made)
    record = json.loads(made.with_suffix(".mid.json").read_text())
    assert (record["kind"], record["severity"], record["changed"], record["seed"]) == (kind, 0.25, len(listed), 5)
    assert {row["change"] for row in listed} <= {"pitch", "time", "phrase", "new", "gone"}
    there = {(part, onset, pitch) for part, onset, pitch, _ in rows_of(after)}
    for row in listed:
        if row["change"] != "gone":
            near = {(row["part"], round(row["onset_s"] + d, 2), row["pitch"]) for d in (-0.005, 0, 0.005)}
            assert near & there, row


@pytest.mark.parametrize("kind", [*PITCHED, "stray"])
def test_what_is_listed_is_what_differs(song: Path, shell: Shell, kind: str) -> None:
    assert shell(f"clefkit corrupt --kind {kind} --severity .2 song.mid").returncode == 0
    before, after = notes.read(song), notes.read(song.parent / f"song.{kind}-20.mid")
    listed = changes(song.parent / f"song.{kind}-20.mid")
    melodic = int((before.part < 2).sum())
    came = [row for row in listed if row["change"] != "gone"]
    assert len(came) == round(0.2 * melodic)
    new, gone = rows_of(after) - rows_of(before), rows_of(before) - rows_of(after)
    assert sum(new.values()) == sum(gone.values()) == len(came)
    assert Counter(row["pitch"] for row in came) == _pitches(new)
    was = [row["pitch"] for row in listed if row["change"] == "gone"] or [row["was_pitch"] for row in listed]
    assert Counter(was) == _pitches(gone)
    if kind == "off-key":
        assert {abs(row["pitch"] - row["was_pitch"]) for row in listed} == {1}


def _pitches(rows: Counter[tuple[int, float, int, int]]) -> Counter[int]:
    found: Counter[int] = Counter()
    for (_, _, pitch, _), count in rows.items():
        found[pitch] += count
    return found


@pytest.mark.parametrize("kind", [*PITCHED, "stray"])
def test_the_rest_stays_where_pitches_change(song: Path, shell: Shell, kind: str) -> None:
    assert shell(f"clefkit corrupt --kind {kind} song.mid").returncode == 0
    before, after = midi.read(song), midi.read(song.parent / f"song.{kind}-20.mid")
    assert after.controls == before.controls
    assert [each.time_s for each in after.beats][:12] == pytest.approx([each.time_s for each in before.beats][:12])
    drums = [each.notes.intervals[each.notes.part == 2] for each in (before, after)]
    assert np.array_equal(drums[0], drums[1])
    if kind in PITCHED:
        assert np.abs(after.notes.onset - before.notes.onset).max() < 1e-9


@pytest.mark.parametrize("kind", ["shuffle", "rhythm"])
def test_drums_move_with_the_rest_and_pedals_become_length(song: Path, shell: Shell, kind: str) -> None:
    assert shell(f"clefkit corrupt --kind {kind} --severity .6 song.mid").returncode == 0
    before, after = midi.read(song), midi.read(song.parent / f"song.{kind}-60.mid")
    assert [(each.number, each.value) for each in after.controls] == [(7, 100.0)]
    drums = [each.notes.onset[each.notes.part == 2] for each in (before, after)]
    assert len(drums[0]) == len(drums[1])
    assert np.abs(drums[0] - drums[1]).max() > 0.05
    sounds = [(each.notes.offset - each.notes.onset)[each.notes.part == 1].sum() for each in (before, after)]
    assert sounds[1] > sounds[0]


def test_same_seed_same_bytes_and_replay(song: Path, shell: Shell) -> None:
    shutil.copy(ROOT / "demo" / "erinnerung.mxl", song.parent / "two.mxl")
    for jobs in (1, 4):
        assert shell(f"clefkit corrupt --seed 3 -j {jobs} song.mid two.mxl --out {jobs}").returncode == 0
    for name in ("song.off-key-20.mid", "two.off-key-20.mid", "two.off-key-20.changed.jsonl"):
        assert (song.parent / "1" / name).read_bytes() == (song.parent / "4" / name).read_bytes()
    first = (song.parent / "1" / "two.off-key-20.mid").read_bytes()
    assert shell("clefkit corrupt --seed 4 two.mxl --out other").returncode == 0
    assert first != (song.parent / "other" / "two.off-key-20.mid").read_bytes()
    (song.parent / "1" / "two.off-key-20.mid").unlink()
    assert shell("clefkit replay 1/two.off-key-20.mid").returncode == 0
    assert first == (song.parent / "1" / "two.off-key-20.mid").read_bytes()


@pytest.mark.parametrize("name", ["small.krn", "notation-24a-grace-notes.xml", "notation-brahms-magdalena.mxl"])
def test_scores_are_read_and_repeats_left_out(tmp_path: Path, shell: Shell, name: str) -> None:
    score = tmp_path / Path(name).with_stem("score").name
    shutil.copy(ROOT / "tests" / "data" / name, score)
    done = shell(f"clefkit corrupt --kind noise {score.name}")
    assert (done.returncode, done.stdout) == (0, "score.noise-20.mid\n"), done.stderr
    written = perform.perform(notation.read(score), repeats=False).notes
    assert len(notes.read(tmp_path / "score.noise-20.mid")) == len(written)


def test_pipes(song: Path, shell: Shell) -> None:
    done = shell(
        "clefkit render song.mid --out 'a b' && ls a*/*.ref.jsonl | clefkit corrupt --kind noise --severity .125"
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "a b/song.ref.noise-12.5.mid"), done.stderr
    done = shell("printf 'song.mid\nmissing.mid\n' | clefkit corrupt --json --out out")
    assert done.returncode == 1
    assert json.loads(done.stdout)["file"] == "song.off-key-20.mid"
    assert "missing.mid: no such file" in done.stderr
    done = shell("clefkit corrupt song.mid --kind stray --out spoilt.mid")
    assert (done.returncode, done.stdout) == (0, "spoilt.mid\n"), done.stderr
    assert changes(song.parent / "spoilt.mid")


def test_what_cannot_be_spoilt_is_said(song: Path, shell: Shell) -> None:
    start = np.arange(20) / 4
    kit = (notes.Part("kit", 0, drums=True),)
    notes.write_midi(song.parent / "drums.mid", notes.make(start, start + 0.1, [38] * 20, parts=kit))
    notes.write_midi(song.parent / "none.mid", notes.make([], [], []))
    notes.write_midi(song.parent / "one.mid", notes.make([0], [1], [60]))
    notes.write_midi(song.parent / "same.mid", notes.make(start, start + 0.2, [60] * 20))
    (song.parent / "broken.mid").write_bytes(b"MThd\0\0\0\6\0\1\0\1\0x")
    (song.parent / "sound.wav").write_bytes(b"RIFF")
    done = shell("clefkit corrupt drums.mid none.mid one.mid same.mid broken.mid sound.wav song.mid")
    assert done.returncode == 1
    assert done.stdout == "song.off-key-20.mid\n"
    said = dict(line.removeprefix("clefkit corrupt: ").split(": ", 1) for line in done.stderr.splitlines())
    assert said["drums.mid"].startswith("drums alone")
    assert said["none.mid"].startswith("no notes")
    assert said["one.mid"].startswith("too few notes")
    assert said["same.mid"] == "nothing in it that off-key could change"
    assert said["sound.wav"].startswith("neither notes nor a score")
    assert "ends too early" in said["broken.mid"]
    assert not list(song.parent.glob("same.*.mid"))
    assert shell("clefkit corrupt --kind slower song.mid").returncode == 2
    assert shell("clefkit corrupt --severity 0 song.mid").returncode == 2


def test_an_edited_record_is_told(song: Path, shell: Shell) -> None:
    assert shell("clefkit corrupt song.mid").returncode == 0
    beside = song.parent / "song.off-key-20.mid.json"
    beside.write_text(beside.read_text().replace('"kind": "off-key"', '"kind": "of-key"'))
    done = shell("clefkit replay song.off-key-20.mid")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "there is no corruption 'of-key'" in done.stderr
