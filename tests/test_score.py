"""score: the numbers are mir_eval's, references are found, thresholds are honest."""

from __future__ import annotations

import json
import sys
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np
import pytest
from numpy.random import Generator

from clefkit import notes, record, score
from clefkit.errors import InputError
from clefkit.notes import Notes, Part
from clefkit.score import matching
from clefkit.score import notes as kind

CLOSE = 1e-9
MEASURES = tuple(each.name for each in kind.MEASURES)
NO_OFFSETS: Any = None  # mir_eval's own word for it, though it says float


def mir_eval_scores(reference: Notes, estimate: Notes) -> dict[str, float]:
    """The same dictionary, from mir_eval."""
    found: dict[str, float] = {}
    sides = (reference.intervals, reference.pitch_hz, estimate.intervals, estimate.pitch_hz)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of empty sides
        for prefix, ratio in (("note", NO_OFFSETS), ("note_offset", 0.2)):
            values = mir_eval.transcription.precision_recall_f1_overlap(*sides, offset_ratio=ratio)
            names = (f"{prefix}_{name}" for name in ("precision", "recall", "f1", "overlap"))
            found |= dict(zip(names, map(float, values), strict=True))
        times = np.arange(int(max([0.0, *reference.offset, *estimate.offset]) * 100) + 2) / 100
        rolls = [in_frames(side, times) for side in (reference, estimate)]
        precision, recall = mir_eval.multipitch.metrics(times, rolls[0], times, rolls[1])[:2]
    f1 = mir_eval.util.f_measure(precision, recall)
    return found | {"frame_precision": precision, "frame_recall": recall, "frame_f1": f1}


def in_frames(side: Notes, times: np.ndarray) -> list[np.ndarray]:
    """For each time the pitches that sound, in Hz, each once."""
    onset, offset = np.around(side.onset, 4), np.around(side.offset, 4)
    return [np.unique(side.pitch_hz[(onset <= time) & (time < offset)]) for time in times]


def assert_same(reference: Notes, estimate: Notes) -> None:
    ours = score.compare(reference, estimate)
    for key, value in mir_eval_scores(reference, estimate).items():
        assert ours[key] == pytest.approx(value, rel=0.0, abs=CLOSE), key


def some_notes(rng: Generator, count: int, pitches: list[float], length_s: float, step_s: float) -> Notes:
    """Any notes on a grid of times, none of no length."""
    onset = np.rint(rng.uniform(0, length_s, count) / step_s) * step_s
    duration = np.rint(rng.exponential(0.2, count) / step_s) * step_s + max(step_s, 0.001)
    return notes.make(onset, onset + duration, rng.choice(pitches, count))


def played(rng: Generator, side: Notes, jitter_s: float, lost: float, added: int, cents: float = 0.0) -> Notes:
    """The same notes as a transcriber might have heard them."""
    keep = rng.random(len(side)) >= lost
    onset = np.maximum(side.onset[keep] + rng.normal(0, jitter_s, keep.sum()), 0)
    length = (side.offset - side.onset)[keep] * rng.uniform(0.6, 1.3, keep.sum()) + 0.002
    extra = rng.uniform(0, side.onset.max(initial=1.0), added)
    pitch = np.concatenate([side.pitch[keep] + rng.normal(0, cents / 100, keep.sum()), rng.integers(40, 80, added)])
    return notes.make(np.append(onset, extra), np.append(onset + length, extra + 0.1), pitch)


@pytest.mark.parametrize("seed", range(120))
def test_equals_mir_eval_on_any_notes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    quarters, piano = [55 + k / 4 for k in range(40)], [float(k) for k in range(21, 100)]
    pitches = [[60.0], [60.0, 61.0, 62.0], [60.0, 60.5, 61.0], quarters, piano]
    step_s = [0.05, 0.025, 0.01, 0.0001, 1e-9][seed % 5]
    sides = [some_notes(rng, int(rng.integers(0, 80)), pitches[seed // 5 % 5], 2.0, step_s) for _ in range(2)]
    assert_same(*sides)


@pytest.mark.parametrize("seed", range(60))
def test_equals_mir_eval_on_what_a_transcriber_hears(seed: int) -> None:
    rng = np.random.default_rng(1000 + seed)
    reference = some_notes(rng, 150, list(range(48, 72)), 12.0, 0.0625)
    assert_same(reference, played(rng, reference, 0.03, 0.1, 15, cents=[0.0, 20.0, 60.0][seed % 3]))


@pytest.mark.parametrize("seed", range(60))
def test_equals_mir_eval_on_dense_repetitions_at_the_tolerance(seed: int) -> None:
    rng = np.random.default_rng(2000 + seed)
    beats = np.arange(60) * [0.05, 0.1, 0.04, 0.02][seed % 4]
    reference = notes.make(beats, beats + 0.05, np.full(60, 60.0))
    onset = np.sort(np.abs(beats + rng.choice([-0.05, 0.0, 0.05, 0.04995, 0.05005, 0.0501], 60)))
    kept = rng.random(60) < 0.9
    offset = onset + rng.choice([0.05, 0.1, 0.2], 60)
    assert_same(reference, notes.make(onset[kept], offset[kept], np.full(kept.sum(), 60)))


def test_counts_a_note_exactly_at_each_tolerance() -> None:
    reference = notes.make([1.0, 2.0, 3.0], [2.0, 3.0, 4.0], [60, 60, 60])
    estimate = notes.make([1.05, 2.05004, 3.0501], [2.2, 3.2001, 4.0], [60, 60, 60])
    found = score.compare(reference, estimate)
    assert found["note_recall"] == pytest.approx(2 / 3)  # 50 ms and, after rounding to 0.1 ms, 50.04 ms
    assert found["note_offset_recall"] == pytest.approx(1 / 3)  # 20 % of a second, not 0.1 ms more
    assert_same(reference, estimate)


def test_known_small_case() -> None:
    reference = notes.make([0.0, 1.0], [1.0, 2.0], [60, 64])
    estimate = notes.make([0.0, 1.0, 1.0], [0.5, 2.0, 2.0], [60, 64, 67])
    found = score.compare(reference, estimate)
    values = [2 / 3, 1.0, 0.8, 0.75, 1 / 3, 0.5, 0.4, 1.0, 150 / 250, 150 / 200, 2 / 3]
    expected = dict(zip(MEASURES, values, strict=True)) | {"ref_notes": 2, "est_notes": 3}
    assert found == pytest.approx(expected, rel=0.0, abs=CLOSE)


def test_perfect_is_one() -> None:
    reference = some_notes(np.random.default_rng(3), 300, list(range(40, 80)), 30.0, 0.125)
    found = score.compare(reference, reference)
    assert {found[key] for key in MEASURES if "overlap" not in key} == {1.0}


def test_a_duplicate_is_an_error_as_a_note_but_not_in_frames() -> None:
    one = notes.make([0.0], [1.0], [60])
    two = notes.make([0.0, 0.0], [1.0, 1.0], [60, 60])
    found = score.compare(one, two)
    assert (found["note_precision"], found["note_recall"], found["frame_f1"]) == (0.5, 1.0, 1.0)
    assert_same(one, two)


def test_nothing_scores_zero() -> None:
    none, some = notes.make([], [], []), notes.make([0.0], [1.0], [60])
    for sides in ((none, some), (some, none), (none, none)):
        assert {score.compare(*sides)[key] for key in MEASURES} == {0.0}
        assert_same(*sides)


def test_notes_of_no_length_and_before_zero_count() -> None:
    side = notes.make([-0.3, 1.0, 2.0], [-0.2, 1.0, 2.5], [60, 62, 64])
    found = score.compare(side, side)
    assert {found[key] for key in ("note_f1", "note_offset_f1", "note_overlap", "frame_f1")} == {1.0}
    times, pitches = side.intervals, side.pitch_hz
    assert len(mir_eval.transcription.match_notes(times, pitches, times, pitches, offset_ratio=NO_OFFSETS)) == 3


def test_pitch_within_fifty_cents() -> None:
    for pitch in (60.5, 59.5, 60.49, 60.51, 61.0, 60.0):
        assert_same(notes.make([0.0], [1.0], [60]), notes.make([0.0], [1.0], [pitch]))


def test_drums_are_left_out_on_both_sides() -> None:
    parts = (Part("piano"), Part("kit", 0, drums=True))
    reference = notes.make([0.0, 0.5], [1.0, 0.6], [60, 38], part=[0, 1], parts=parts)
    estimate = notes.make([0.0, 0.5], [1.0, 0.6], [60, 42], part=[0, 1], parts=parts)
    found = score.compare(reference, estimate)
    assert (found["note_f1"], found["ref_notes"], found["est_notes"]) == (1.0, 1, 1)


@pytest.mark.parametrize("bad", [(np.nan, 1.0, 60), (0.0, np.inf, 60), (0.0, 1.0, np.nan), (2.0, 1.0, 60)])
def test_impossible_notes_are_refused(bad: tuple[float, float, float]) -> None:
    onset, offset, pitch = bad
    side = notes.make([onset], [offset], [pitch])
    with pytest.raises(InputError, match="the estimate has a note with an impossible"):
        score.compare(notes.make([0.0], [1.0], [60]), side)


def test_does_not_change_its_arguments() -> None:
    side = some_notes(np.random.default_rng(5), 50, [60, 61], 3.0, 0.01)
    before = [column.copy() for column in (side.onset, side.offset, side.pitch)]
    score.compare(side, side)
    assert all(np.array_equal(a, b) for a, b in zip(before, (side.onset, side.offset, side.pitch), strict=True))


@pytest.mark.parametrize("seed", range(150))
def test_matching_is_mir_evals_own(seed: int) -> None:
    """Not only as large: the same pairs, so that what depends on the choice agrees."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 30))
    left, right = np.nonzero(rng.random((size, size)) < rng.choice([0.05, 0.1, 0.3]))
    graph: dict[int, list[int]] = {}
    for i, j in zip(left.tolist(), right.tolist(), strict=True):
        graph.setdefault(j, []).append(i)
    ours = zip(*(side.tolist() for side in matching.maximum(left, right)), strict=True)
    assert list(ours) == sorted(mir_eval.util._bipartite_match(graph).items())


def test_matching_survives_a_chain_longer_than_the_recursion_limit() -> None:
    length = 3 * sys.getrecursionlimit()
    # estimate k reaches references k and k + 1 and greedily takes k; the last estimate reaches only reference 0
    pairs = sorted([(k, k) for k in range(length)] + [(k + 1, k) for k in range(length)] + [(0, length)])
    left, right = np.array(pairs).T
    assert len(matching.maximum(left, right)[0]) == length + 1


def test_memory_for_ten_thousand_notes() -> None:
    rng = np.random.default_rng(9)
    reference = some_notes(rng, 10_000, list(range(30, 90)), 900.0, 0.001)
    estimate = played(rng, reference, 0.015, 0.07, 700)
    tracemalloc.start()
    score.compare(reference, estimate)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


def test_a_heap_of_the_same_note_is_refused_before_memory_is_gone() -> None:
    heap = notes.make(np.zeros(4000), np.ones(4000), np.full(4000, 60))
    with pytest.raises(InputError, match="too many notes at the same time"):
        score.compare(heap, heap)


# references


def keep(path: Path, facts: dict[str, Any]) -> dict[str, str]:
    """Write a file (unless it is there) with its record; returns how others name it."""
    if not path.exists():
        path.write_bytes(path.name.encode())
    named = {"file": path.name, "sha256": record.sha256(path)}
    record.beside(path).write_text(record.encode({**named, **facts}), encoding="utf-8")
    return named


def keep_reference(path: Path, onset: list[float]) -> dict[str, str]:
    notes.write_jsonl(path, notes.make(onset, np.add(onset, 0.5), np.full(len(onset), 60)), 44_100, 441_000)
    return {"file": path.name, "sha256": record.sha256(path)}


def keep_estimate(path: Path, onset: list[float], origin: dict[str, str] | None) -> record.Source:
    keep_reference(path, onset)
    if origin:
        keep(path, {"stage": "transcribe", "from": origin})
    return record.source(path)


STILL = {"offset_s": 0.0, "rate": 1.0}


def rendered(folder: Path, *onset: float) -> dict[str, str]:
    """x.wav with a reference, as render leaves it."""
    return keep(folder / "x.wav", {"reference": keep_reference(folder / "x.ref.jsonl", [*onset]), "clock": STILL})


def test_follows_the_record_to_the_reference_of_the_sound(tmp_path: Path) -> None:
    found = score.measure(keep_estimate(tmp_path / "x.notes.jsonl", [1.0, 2.0, 3.0], rendered(tmp_path, 1.0, 2.0)))
    assert (found["note_precision"], found["note_recall"]) == (pytest.approx(2 / 3), 1.0)
    assert (found["file"], found["reference"]) == (str(tmp_path / "x.notes.jsonl"), str(tmp_path / "x.ref.jsonl"))
    assert (found["ref_notes"], found["est_notes"], found["protocol"]) == (2, 3, "mirex")
    assert {*kind.COLUMNS, *MEASURES} <= found.keys()
    json.dumps(found)


@pytest.mark.parametrize(
    ("clock", "moved"),
    [
        (STILL, [1.0, 2.0]),
        ({"offset_s": 0.5, "rate": 1.0}, [1.5, 2.5]),
        ({"offset_s": 0.25, "rate": 2.0}, [2.25, 4.25]),
        ({"points": [[0.0, 0.0], [1.0, 2.0], [1.5, 2.25]]}, [2.0, 2.5]),
        ({"points": [[1.5, 0.5], [1.75, 1.0]]}, [-0.5, 1.5]),
    ],
)
def test_moves_an_ancestors_reference_by_the_clocks(tmp_path: Path, clock: dict[str, Any], moved: list[float]) -> None:
    first = rendered(tmp_path, 1.0, 2.0)
    second = keep(tmp_path / "x.bent.wav", {"from": first, "clock": clock})
    third = keep(tmp_path / "x.bent.late.wav", {"from": second, "clock": {"offset_s": 1.0, "rate": 1.0}})
    found = score.measure(keep_estimate(tmp_path / "x.bent.late.notes.jsonl", [at + 1.0 for at in moved], third))
    assert found["note_f1"] == 1.0
    assert found["reference"].endswith("x.ref.jsonl")


def test_the_nearest_reference_wins(tmp_path: Path) -> None:
    first = rendered(tmp_path, 1.0)
    near = keep_reference(tmp_path / "x.hall.ref.jsonl", [1.3])
    hall = keep(tmp_path / "x.hall.wav", {"from": first, "reference": near, "clock": {"offset_s": 0.3, "rate": 1.0}})
    assert score.measure(keep_estimate(tmp_path / "x.hall.notes.jsonl", [1.3], hall))["note_f1"] == 1.0


def test_a_step_without_a_clock_ends_the_search(tmp_path: Path) -> None:
    first = rendered(tmp_path, 1.0)
    stem = keep(tmp_path / "x.1-violin.wav", {"from": first})
    with pytest.raises(InputError, match="no reference: give --ref"):
        score.measure(keep_estimate(tmp_path / "x.1-violin.notes.jsonl", [1.0], stem))


def test_without_a_record_there_is_no_reference(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no reference: give --ref, or score files that came through a pipe"):
        score.measure(keep_estimate(tmp_path / "x.notes.jsonl", [1.0], None))
    take = {"file": "take.wav", "sha256": "0" * 64}  # a recording of someone's, without a record
    with pytest.raises(InputError, match="no reference: give --ref"):
        score.measure(keep_estimate(tmp_path / "take.notes.jsonl", [1.0], take))


def test_what_was_changed_since_is_told(tmp_path: Path) -> None:
    estimate = keep_estimate(tmp_path / "x.notes.jsonl", [1.0], rendered(tmp_path, 1.0))
    keep_reference(tmp_path / "x.ref.jsonl", [4.0])
    with pytest.raises(InputError, match=r"x\.ref\.jsonl is missing or was edited"):
        score.measure(estimate)
    (tmp_path / "x.wav").write_bytes(b"another seed")
    rendered(tmp_path, 1.0)
    with pytest.raises(InputError, match=r"x\.wav was made again since"):
        score.measure(estimate)


def test_the_sound_itself_may_be_gone(tmp_path: Path) -> None:
    estimate = keep_estimate(tmp_path / "x.notes.jsonl", [1.0], rendered(tmp_path, 1.0))
    (tmp_path / "x.wav").unlink()
    assert score.measure(estimate)["note_f1"] == 1.0


@pytest.mark.parametrize("clock", [{"offset_s": "x", "rate": 1}, {"rate": 1}, {"points": [[0, 0]]}, {"points": [1]}])
def test_a_damaged_clock_is_told(tmp_path: Path, clock: dict[str, Any]) -> None:
    first = rendered(tmp_path, 1.0)
    second = keep(tmp_path / "y.wav", {"from": first, "clock": clock})
    with pytest.raises(InputError, match="clock in the records"):
        score.measure(keep_estimate(tmp_path / "y.notes.jsonl", [1.0], second))


def test_records_in_a_circle_end(tmp_path: Path) -> None:
    named = keep(tmp_path / "x.wav", {})
    keep(tmp_path / "x.wav", {"from": named, "clock": STILL})
    with pytest.raises(InputError, match="no reference"):
        score.measure(keep_estimate(tmp_path / "x.notes.jsonl", [1.0], named))


@pytest.mark.parametrize(
    "end", ["hall-7.ref.jsonl", "hall-7.ref.mid", "hall-7.jsonl", "hall-7.mid", "ref.jsonl", "mid"]
)
def test_a_folder_of_references_is_searched_by_name(tmp_path: Path, end: str) -> None:
    path = tmp_path / "truth" / f"x.{end}"
    path.parent.mkdir()
    keep_reference(path, [1.0]) if path.suffix == ".jsonl" else notes.write_midi(path, notes.make([1], [1.5], [60]))
    found = score.measure(keep_estimate(tmp_path / "x.hall-7.notes.jsonl", [1.0], None), ref=str(path.parent))
    assert (found["note_f1"], found["reference"]) == (1.0, str(path))


def test_a_given_reference_comes_before_the_record(tmp_path: Path) -> None:
    keep_reference(tmp_path / "other.jsonl", [5.0])
    estimate = keep_estimate(tmp_path / "x.notes.jsonl", [5.0], rendered(tmp_path, 1.0))
    assert score.measure(estimate, ref=str(tmp_path / "other.jsonl"))["note_f1"] == 1.0


def test_errors_say_what_to_do(tmp_path: Path) -> None:
    estimate = keep_estimate(tmp_path / "x.notes.jsonl", [1.0], None)
    with pytest.raises(InputError, match=r"no reference in .*: it would be x\.ref\.jsonl"):
        score.measure(estimate, ref=str(tmp_path))
    with pytest.raises(InputError, match=r"its reference none\.jsonl: no such file"):
        score.measure(estimate, ref=str(tmp_path / "none.jsonl"))
    (tmp_path / "bad.jsonl").write_text("{}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"its reference bad\.jsonl: not a file of notes"):
        score.measure(estimate, ref=str(tmp_path / "bad.jsonl"))
    (tmp_path / "take.wav").write_bytes(b"RIFF")
    with pytest.raises(InputError, match="sound, not notes: transcribe it first"):
        score.measure(record.source(tmp_path / "take.wav"))
