"""score, notes against notes: where mir_eval has a number, it is the same; the rest has known answers."""

from __future__ import annotations

import itertools
import json
import sys
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import mido
import mir_eval
import numpy as np
import pretty_midi
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.random import Generator

from clefkit import midi, midiplay, notes, record, score
from clefkit.errors import InputError, UsageError
from clefkit.notes import Control, Notes, Part, Performance
from clefkit.score import matching
from clefkit.score import notes as kind
from clefkit.score.notes import pedal
from clefkit.score.notes.labels import labels
from clefkit.score.notes.protocols import RULES

CLOSE = 1e-9
MEASURES = tuple(each.name for each in kind.MEASURES)
NO_OFFSETS: Any = None  # mir_eval's own word for it, though it says float
NONE = notes.make([], [], [])
TOLERANCES = {"mirex": 0.05, "mirex-25ms": 0.025, "mirex-100ms": 0.1}
FRAMES = ("precision", "recall", "accuracy", "substitution_error", "miss_error", "false_alarm_error", "total_error")
QUICK = settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def mir_eval_scores(reference: Notes, estimate: Notes, protocol: str = "mirex") -> dict[str, float]:
    """The same dictionary, from mir_eval: transcription, transcription_velocity and multipitch."""
    found: dict[str, float] = {}
    within: Any = {"onset_tolerance": TOLERANCES[protocol], "offset_min_tolerance": TOLERANCES[protocol]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of empty sides
        plain = [column for side in (reference, estimate) for column in (side.intervals, side.pitch_hz)]
        loud = [*plain[:2], reference.velocity, *plain[2:], estimate.velocity]
        for middle, module, arguments in (
            ("", mir_eval.transcription, plain),
            ("_velocity", mir_eval.transcription_velocity, loud),
        ):
            for prefix, ratio in (("note", NO_OFFSETS), ("note_offset", 0.2)):
                values = module.precision_recall_f1_overlap(*arguments, offset_ratio=ratio, **within)
                found |= named(f"{prefix}{middle}", ("precision", "recall", "f1", "overlap"), values)
        times = reference.intervals, estimate.intervals
        onsets = mir_eval.transcription.onset_precision_recall_f1(*times, onset_tolerance=TOLERANCES[protocol])
        offsets = mir_eval.transcription.offset_precision_recall_f1(*times, offset_min_tolerance=TOLERANCES[protocol])
        found |= named("onset", ("precision", "recall", "f1"), onsets)
        found |= named("offset", ("precision", "recall", "f1"), offsets)
    return found | mir_eval_frames(reference, estimate)


def mir_eval_frames(reference: Notes, estimate: Notes) -> dict[str, float]:
    times = np.arange(int(max([0.0, *reference.offset, *estimate.offset]) * 100) + 2) / 100
    times = times[int(min([*reference.onset, *estimate.onset], default=0) * 100) :]  # before, all is silent
    rolls = [in_frames(side, times) for side in (reference, estimate)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of empty sides
        values = mir_eval.multipitch.metrics(times, rolls[0], times, rolls[1])
    found: dict[str, float] = {}
    for prefix, seven in (("frame", values[:7]), ("frame_chroma", values[7:])):
        found |= named(prefix, FRAMES, seven)
        found[f"{prefix}_f1"] = mir_eval.util.f_measure(seven[0], seven[1])
    if not any(map(len, rolls[0])):  # it says 0 where there is nothing to be compared with
        found = {key: value for key, value in found.items() if not key.endswith("_error")}
    return found


def named(prefix: str, names: tuple[str, ...], values: Any) -> dict[str, float]:
    return {f"{prefix}_{name}": float(value) for name, value in zip(names, values, strict=True)}


def in_frames(side: Notes, times: np.ndarray) -> list[np.ndarray]:
    """For each time the pitches that sound, in Hz, each once."""
    onset, offset = np.around(side.onset, 4), np.around(side.offset, 4)
    sounds = (onset <= times[:, None]) & (times[:, None] < offset)
    return [np.array(sorted({*side.pitch_hz[now].tolist()})) for now in sounds]


def assert_same(reference: Notes, estimate: Notes, protocol: str = "mirex") -> None:
    ours, theirs = score.compare(reference, estimate, protocol), mir_eval_scores(reference, estimate, protocol)
    assert {key: ours[key] for key in theirs} == pytest.approx(theirs, rel=0.0, abs=CLOSE)
    assert [key for key in ours if key.endswith("_error")] == [key for key in theirs if key.endswith("_error")]


def some_notes(rng: Generator, count: int, pitches: list[float], length_s: float, step_s: float) -> Notes:
    """Any notes on a grid of times, none of no length."""
    onset = np.rint(rng.uniform(0, length_s, count) / step_s) * step_s
    duration = np.rint(rng.exponential(0.2, count) / step_s) * step_s + max(step_s, 0.001)
    return notes.make(onset, onset + duration, rng.choice(pitches, count), rng.integers(1, 128, count))


def played(rng: Generator, side: Notes, jitter_s: float, lost: float, added: int, cents: float = 0.0) -> Notes:
    """The same notes as a transcriber might have heard them."""
    keep = rng.random(len(side)) >= lost
    onset = np.maximum(side.onset[keep] + rng.normal(0, jitter_s, keep.sum()), 0)
    length = (side.offset - side.onset)[keep] * rng.uniform(0.6, 1.3, keep.sum()) + 0.002
    extra = rng.uniform(0, side.onset.max(initial=1.0), added)
    pitch = np.concatenate([side.pitch[keep] + rng.normal(0, cents / 100, keep.sum()), rng.integers(40, 80, added)])
    louder = np.clip(side.velocity[keep] * 0.7 + rng.normal(10, 8, keep.sum()), 1, 127)
    velocity = np.append(louder, rng.integers(1, 128, added)).astype(int)
    return notes.make(np.append(onset, extra), np.append(onset + length, extra + 0.1), pitch, velocity)


GRIDS = (
    st.sampled_from([0.0, 0.05, 0.1, 0.15]),
    st.sampled_from([0.0, 0.025, 0.05, 0.0501, 0.05005, 0.04995, 0.1, 0.11]),
    st.floats(0.0, 0.2),
)
PITCHES = (
    st.just(60.0),
    st.sampled_from([59.0, 60.0, 61.0, 71.0, 72.0]),
    st.sampled_from([59.5, 60.0, 60.5, 61.0, 72.25, 71.5, 48.75]),
    st.integers(21, 108).map(float),
    st.floats(58.0, 85.0),
)
DURATIONS = st.sampled_from([0.004, 0.01, 0.05, 0.1]) | st.floats(0.001, 0.15)


@st.composite
def pairs_of_notes(draw: Callable[..., Any]) -> tuple[Notes, Notes]:
    """Two lists of the same sort: unisons, repeated pitches, ties at the tolerances, quarter tones, nothing at all."""
    onset, pitch = draw(st.sampled_from(GRIDS)), draw(st.sampled_from(PITCHES))
    note = st.tuples(onset, DURATIONS, pitch, st.integers(1, 127))
    sides = []
    for rows in (draw(st.lists(note, max_size=10)), draw(st.lists(note, max_size=10))):
        columns = np.array(rows, dtype=np.float64).reshape(-1, 4).T
        sides.append(notes.make(columns[0], columns[0] + columns[1], columns[2], columns[3].astype(int)))
    return sides[0], sides[1]


# mir_eval's numbers


@settings(QUICK, max_examples=1000)
@given(pairs_of_notes(), st.sampled_from(sorted(TOLERANCES)))
def test_equals_mir_eval_on_any_notes(sides: tuple[Notes, Notes], protocol: str) -> None:
    assert_same(*sides, protocol)


@pytest.mark.parametrize("seed", range(20))
def test_equals_mir_eval_on_what_a_transcriber_hears(seed: int) -> None:
    rng = np.random.default_rng(1000 + seed)
    reference = some_notes(rng, 60, list(range(48, 72)), 4.0, 0.0625)
    heard = played(rng, reference, 0.03, 0.1, 15, cents=[0.0, 20.0, 60.0][seed % 3])
    assert_same(reference, heard, sorted(TOLERANCES)[seed % len(TOLERANCES)])


def assert_same_frames(reference: Notes, estimate: Notes) -> None:
    ours, theirs = score.compare(reference, estimate), mir_eval_frames(reference, estimate)
    assert {key: ours[key] for key in theirs} == pytest.approx(theirs, rel=0.0, abs=CLOSE)


@settings(QUICK, max_examples=300)
@given(st.integers(0, 2**32 - 1), st.integers(8, 20), st.sampled_from([0, 2, 3, 4, 7]))
def test_equals_mir_eval_on_clusters_of_many_pitches(seed: int, count: int, grid: int) -> None:
    rng = np.random.default_rng(seed)
    pitches = [rng.uniform(40, 80, count), rng.uniform(40, 80, max(1, count + int(rng.integers(-4, 5))))]
    chords = [np.rint(side * grid) / grid if grid else side for side in pitches]
    sides = [notes.make(np.zeros(len(side)), np.full(len(side), 0.01), side) for side in chords]
    assert_same_frames(sides[0], sides[1])


@settings(QUICK, max_examples=100)
@given(st.lists(st.sampled_from([(True, False), (False, True), (True, True)]), min_size=24, max_size=24))
def test_equals_mir_eval_where_chroma_have_no_gap(sides: list[tuple[bool, bool]]) -> None:
    pitches = [[60 + k / 2 for k, who in enumerate(sides) if who[side]] for side in (0, 1)]
    reference, estimate = (notes.make([0.0] * len(side), [0.01] * len(side), side) for side in pitches)
    assert_same_frames(reference, estimate)


def test_equals_mir_eval_on_frames_of_a_long_piece() -> None:
    rng = np.random.default_rng(8)
    reference = some_notes(rng, 700, list(range(50, 70)), 20.0, 0.001)
    assert_same_frames(reference, played(rng, reference, 0.02, 0.1, 50))


@pytest.mark.parametrize("seed", range(24))
def test_equals_mir_eval_on_dense_repetitions_at_the_tolerance(seed: int) -> None:
    rng = np.random.default_rng(2000 + seed)
    beats = np.arange(60) * [0.05, 0.1, 0.04, 0.02][seed % 4]
    reference = notes.make(beats, beats + 0.05, np.full(60, 60.0), rng.integers(1, 127, 60))
    onset = np.sort(np.abs(beats + rng.choice([-0.05, 0.0, 0.05, 0.04995, 0.05005, 0.0501], 60)))
    kept = rng.random(60) < 0.9
    offset = onset + rng.choice([0.05, 0.1, 0.2], 60)
    assert_same(reference, notes.make(onset[kept], offset[kept], np.full(kept.sum(), 60), np.full(kept.sum(), 64)))


def test_counts_a_note_exactly_at_each_tolerance() -> None:
    reference = notes.make([1.0, 2.0, 3.0], [2.0, 3.0, 4.0], [60, 60, 60])
    estimate = notes.make([1.05, 2.05004, 3.0501], [2.2, 3.2001, 4.0], [60, 60, 60])
    found = score.compare(reference, estimate)
    assert found["note_recall"] == pytest.approx(2 / 3)  # 50 ms and, after rounding to 0.1 ms, 50.04 ms
    assert found["note_offset_recall"] == pytest.approx(1 / 3)  # 20 % of a second, not 0.1 ms more
    assert_same(reference, estimate)


def test_known_small_case() -> None:
    reference = notes.make([0.0, 1.0], [1.0, 2.0], [60, 64])
    estimate = notes.make([0.0, 1.0, 1.0], [0.5, 2.0, 2.0], [60, 64, 79])
    expected = {"note_precision": 2 / 3, "note_recall": 1.0, "note_f1": 0.8, "note_overlap": 0.75}
    expected |= {"note_offset_precision": 1 / 3, "note_offset_recall": 0.5, "note_offset_f1": 0.4}
    expected |= {"onset_precision": 2 / 3, "onset_recall": 1.0, "offset_precision": 1 / 3, "offset_recall": 0.5}
    expected |= {"frame_precision": 150 / 250, "frame_recall": 150 / 200, "frame_f1": 2 / 3, "frame_accuracy": 0.5}
    expected |= {"frame_substitution_error": 0.0, "frame_miss_error": 0.25, "frame_false_alarm_error": 0.5}
    expected |= {"frame_total_error": 0.75, "multi_f1": 0.4, "track_f1": 0.8, "ref_notes": 2, "est_notes": 3}
    found = score.compare(reference, estimate)
    assert {key: found[key] for key in expected} == pytest.approx(expected, rel=0.0, abs=CLOSE)


def test_midi_differs_from_pretty_midi_where_the_package_says(tmp_path: Path) -> None:
    messages = [
        mido.Message("note_on", note=60, time=0),
        mido.Message("note_on", note=60, time=480),  # struck again before it was let go
        mido.Message("note_off", note=60, time=480),
        mido.Message("note_on", note=62),
        mido.Message("program_change", program=40, time=480),  # under a note that is held
        mido.Message("note_off", note=62, time=480),
        mido.Message("note_on", note=64),
        mido.Message("note_off", note=64),  # without length
    ]
    mido.MidiFile(tracks=[mido.MidiTrack(messages)]).save(tmp_path / "x.mid")
    ours = notes.read(tmp_path / "x.mid")
    theirs = pretty_midi.PrettyMIDI(str(tmp_path / "x.mid")).instruments
    assert ours.offset == pytest.approx([0.5, 1.0, 2.0, 2.0 + 1 / 960])
    assert [ours.parts[part].program for part in ours.part] == [0, 0, 0, 40]
    found = [(each.program, note.pitch, note.end) for each in theirs for note in each.notes]
    assert found == [(0, 60, 1.0), (0, 60, 1.0), (40, 62, 2.0)]


def test_perfect_is_one() -> None:
    reference = some_notes(np.random.default_rng(3), 300, list(range(40, 80)), 30.0, 0.125)
    parts = (Part("a", 0), Part("b", 40), Part("kit", 0, drums=True))
    reference = replace(reference, part=np.arange(300) % 3, parts=parts)
    for protocol in RULES:
        found = score.compare(reference, reference, protocol)
        good = {found[key] for key in MEASURES if "error" not in key and "overlap" not in key}
        assert (good, {found[key] for key in MEASURES if "error" in key}) == ({1.0}, {0.0})


def test_a_duplicate_is_an_error_as_a_note_but_not_in_frames() -> None:
    one = notes.make([0.0], [1.0], [60])
    two = notes.make([0.0, 0.0], [1.0, 1.0], [60, 60])
    found = score.compare(one, two)
    assert (found["note_precision"], found["note_recall"], found["frame_f1"]) == (0.5, 1.0, 1.0)
    assert_same(one, two)


def test_nothing_scores_zero_and_errors_need_a_reference() -> None:
    some = notes.make([0.0], [1.0], [60])
    for sides in ((NONE, some), (some, NONE), (NONE, NONE)):
        found = score.compare(*sides)
        measured = {key: found[key] for key in MEASURES if key in found}
        assert {value for key, value in measured.items() if "error" not in key} == {0.0}
        assert ("frame_total_error" in measured) == bool(len(sides[0]))
        assert_same(*sides)
    assert score.compare(some, NONE)["frame_miss_error"] == 1.0


def test_notes_of_no_length_and_before_zero_count() -> None:
    side = notes.make([-0.3, 1.0, 2.0], [-0.2, 1.0, 2.5], [60, 62, 64])
    found = score.compare(side, side)
    assert {found[key] for key in ("note_f1", "note_offset_f1", "note_overlap", "onset_f1", "frame_f1")} == {1.0}
    times, pitches = side.intervals, side.pitch_hz
    assert len(mir_eval.transcription.match_notes(times, pitches, times, pitches, offset_ratio=NO_OFFSETS)) == 3


def test_pitch_within_fifty_cents() -> None:
    for pitch in (60.5, 59.5, 60.49, 60.51, 61.0, 60.0):
        assert_same(notes.make([0.0], [1.0], [60]), notes.make([0.0], [1.0], [pitch]))


def test_velocities_are_judged_after_the_best_scaling() -> None:
    reference = notes.make(range(4), np.arange(4) + 0.5, [60] * 4, [20, 60, 80, 120])
    softer = replace(reference, velocity=np.array([30, 50, 60, 80]))
    assert score.compare(reference, softer)["note_velocity_f1"] == 1.0
    upside_down = replace(reference, velocity=np.array([120, 20, 120, 60]))
    assert score.compare(reference, upside_down)["note_velocity_f1"] < 0.6
    assert_same(reference, upside_down)


@pytest.mark.parametrize(
    ("bad", "velocity"),
    [
        ((np.nan, 1.0, 60), 80),
        ((0.0, np.inf, 60), 80),
        ((0.0, 1.0, np.nan), 80),
        ((2.0, 1.0, 60), 80),
        ((0, 1, 60), 128),
    ],
)
def test_impossible_notes_are_refused(bad: tuple[float, float, float], velocity: int) -> None:
    onset, offset, pitch = bad
    side = notes.make([onset], [offset], [pitch], [velocity])
    with pytest.raises(InputError, match="the estimate has a note with an impossible"):
        score.compare(notes.make([0.0], [1.0], [60]), side)
    with pytest.raises(InputError, match="the reference has a note with an impossible"):
        labels(side, side)


def test_an_impossible_program_or_sounding_is_refused() -> None:
    good = notes.make([0.0], [1.0], [60])
    with pytest.raises(InputError, match="impossible program"):
        score.compare(good, replace(good, parts=(Part("", 128),)))
    with pytest.raises(InputError, match="impossible"):
        score.compare(good, replace(good, sounding=np.array([np.inf])), "maestro-sustain")


def test_does_not_change_its_arguments() -> None:
    side = some_notes(np.random.default_rng(5), 50, [60, 61], 3.0, 0.01)
    before = [column.copy() for column in (side.onset, side.offset, side.pitch, side.velocity)]
    score.compare(side, side, "maestro-sustain")
    labels(side, side)
    after = (side.onset, side.offset, side.pitch, side.velocity)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


# matching


@settings(QUICK, max_examples=150)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.sampled_from([0.05, 0.1, 0.3]))
def test_matching_is_mir_evals_own(seed: int, size: int, density: float) -> None:
    """Not only as large: the same pairs, so that what depends on the choice agrees."""
    left, right = np.nonzero(np.random.default_rng(seed).random((size, size)) < density)
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


@settings(QUICK, max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=12))
def test_counting_in_intervals_is_maximum_matching(reaches: list[tuple[int, int]]) -> None:
    first, last = np.array(reaches, dtype=np.int64).reshape(-1, 2).T
    pairs = [(k, j) for k, (start, end) in enumerate(reaches) for j in range(start, end)]
    left, right = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    assert matching.count_in_intervals(first, last) == len(matching.maximum(left, right)[0])


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
    chord = notes.make(np.arange(4000) / 50, np.full(4000, 90.0), np.linspace(20, 100, 4000))
    with pytest.raises(InputError, match="different pitches"):
        score.compare(chord, chord)
    drone = notes.make(np.arange(400) / 5, np.full(400, 90.0), np.full(400, 60))
    assert score.compare(drone, drone)["frame_f1"] == 1.0  # the same pitch, often


# instruments, as MT3

PARTS = (Part("piano", 0), Part("bright", 1), Part("violin", 40), Part("kit", 0, drums=True), Part("bass", 33))


def band(rng: Generator, count: int) -> Notes:
    side = some_notes(rng, count, list(range(55, 62)), 2.0, 0.025)
    return replace(side, part=rng.integers(0, len(PARTS), count), parts=PARTS)


def mt3(reference: Notes, estimate: Notes, size: int) -> tuple[float, float, float]:
    """MT3's measure, group by group through mir_eval. size: programs to a class"""
    keys = [[(part.drums or part.program // size, part.drums) for part in side.parts] for side in (reference, estimate)]
    right = 0.0
    for key in {*keys[0], *keys[1]}:
        columns = []
        for side, of_part in zip((reference, estimate), keys, strict=True):
            mine = notes.take(side, np.array([of_part[part] == key for part in side.part], dtype=bool))
            columns += [mine.intervals, mine.pitch_hz]
        if len(columns[0]) and len(columns[2]):
            ratio = NO_OFFSETS if key[1] else 0.2
            right += len(mir_eval.transcription.match_notes(*columns, offset_ratio=ratio))
    precision, recall = right / max(len(estimate), 1), right / max(len(reference), 1)
    return precision, recall, mir_eval.util.f_measure(precision, recall)


@pytest.mark.parametrize("seed", range(30))
def test_multi_instrument_f1_is_mt3s(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference, estimate = band(rng, int(rng.integers(0, 60))), band(rng, int(rng.integers(0, 60)))
    found = score.compare(reference, estimate)
    for prefix, size in (("multi", 1), ("multi_class", 8), ("multi_flat", 128)):
        ours = tuple(found[f"{prefix}_{name}"] for name in ("precision", "recall", "f1"))
        assert ours == pytest.approx(mt3(reference, estimate, size), rel=0.0, abs=CLOSE)


def test_the_wrong_program_is_wrong_its_class_may_be_right() -> None:
    reference = notes.make([0.0, 1.0], [0.5, 1.5], [60, 60], part=[0, 2], parts=PARTS)
    estimate = replace(reference, part=np.array([1, 4]))
    found = score.compare(reference, estimate)
    assert [found[f"{name}_f1"] for name in ("multi", "multi_class", "multi_flat")] == [0.0, 0.5, 1.0]
    assert found["instruments"] == {
        "piano": {"f1": 1.0, "offset_f1": 1.0, "ref_notes": 1, "est_notes": 1},
        "bass": {"f1": 0.0, "offset_f1": 0.0, "ref_notes": 0, "est_notes": 1},
        "strings": {"f1": 0.0, "offset_f1": 0.0, "ref_notes": 1, "est_notes": 0},
    }
    assert found["instrument_macro_f1"] == pytest.approx(1 / 3)
    json.dumps(found)


# tracks


def split_in(rng: Generator, side: Notes, count: int) -> Notes:
    return replace(side, part=rng.integers(0, count, len(side)), parts=(Part(),) * count)


@pytest.mark.parametrize("seed", range(20))
def test_neither_order_nor_program_of_tracks_matters(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference = split_in(rng, some_notes(rng, 80, list(range(55, 65)), 3.0, 0.05), 4)
    estimate = split_in(rng, played(rng, reference, 0.02, 0.1, 5), 1 + seed % 6)
    names = [key for key in MEASURES if key.startswith("track")]
    expected = [score.compare(reference, estimate)[key] for key in names]
    count = len(estimate.parts) + 2  # two of them empty
    order = rng.permutation(count)[: count - 2]
    parts = tuple(Part(f"part {k}", int(rng.integers(0, 128))) for k in range(count))
    shuffled = notes.make(
        *(estimate.onset, estimate.offset, estimate.pitch, estimate.velocity), order[estimate.part], parts
    )
    found = score.compare(reference, shuffled)
    assert [found[key] for key in names] == pytest.approx(expected, abs=CLOSE)
    assert (found["ref_tracks"], found["est_tracks"]) == (4, len({*estimate.part.tolist()}))


@pytest.mark.parametrize("seed", range(10))
def test_partners_are_the_best_of_all_assignments(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sides = [split_in(rng, some_notes(rng, 40, [60, 61, 62], 1.0, 0.05), tracks) for tracks in (3, 4)]
    right = np.zeros((3, 4))
    for a, b in itertools.product(range(3), range(4)):
        alone = [notes.alone(sides[0], a), notes.alone(sides[1], b)]
        right[a, b] = round(score.compare(alone[0], alone[1])["note_recall"] * len(alone[0]))
    best = max(sum(right[a, b] for a, b in enumerate(chosen)) for chosen in itertools.permutations(range(4), 3))
    assert score.compare(sides[0], sides[1])["track_f1"] == pytest.approx(2 * best / 80)


def test_a_track_too_many_costs_only_where_it_is_judged() -> None:
    reference = notes.make([0.0, 1.0], [0.5, 1.5], [60, 64], part=[0, 1], parts=(Part(), Part()))
    more = notes.make(
        [0.0, 1.0, 2.0, 3.0], [0.5, 1.5, 2.5, 3.5], [60, 64, 70, 71], part=[2, 0, 1, 1], parts=(Part(),) * 3
    )
    found = score.compare(reference, more)
    assert (found["track_f1"], found["track_paired_f1"]) == (pytest.approx(4 / 6), 1.0)
    one = replace(more, part=np.zeros(4, int))
    found = score.compare(reference, one)
    assert (found["track_f1"], found["track_paired_f1"]) == (pytest.approx(2 / 6), pytest.approx(2 / 5))


def test_tracks_that_share_no_note_are_no_partners() -> None:
    reference = notes.make([0.0, 1.0], [0.5, 1.5], [60, 64], part=[0, 1], parts=(Part(), Part()))
    found = score.compare(reference, replace(reference, pitch=np.array([60.0, 70.0])))
    assert (found["track_f1"], found["track_paired_f1"]) == (0.5, 1.0)


def test_hundreds_of_tracks_end_soon_and_thousands_are_only_counted() -> None:
    rng = np.random.default_rng(1)
    side = some_notes(rng, 3000, list(range(40, 80)), 60.0, 0.01)
    found = score.compare(split_in(rng, side, 500), split_in(rng, side, 400))
    assert 0.0 < found["track_f1"] < 0.2
    many = replace(side, part=np.arange(3000), parts=(Part(),) * 3000)
    found = score.compare(many, many)
    assert (found["ref_tracks"], "track_f1" in found, found["note_f1"]) == (3000, False, 1.0)


# drums


def strokes(onset: list[float], keys: list[int], **others: Any) -> Notes:
    parts = (Part("kit", others.pop("program", 0), drums=True),)
    return notes.make(onset, np.add(onset, 0.1), keys, parts=parts, **others)


def test_drums_count_by_onset_and_key() -> None:
    reference = strokes([0.0, 0.5, 1.0, 1.5], [36, 38, 42, 54])
    estimate = replace(strokes([0.02, 0.5, 1.0, 1.5], [35, 38, 46, 54], program=8), offset=np.full(4, 9.0))
    found = score.compare(reference, estimate)
    assert (found["drum_f1"], found["drum_class_f1"], found["multi_f1"]) == (0.5, 1.0, 0.5)  # 54 has no class
    assert (found["ref_drums"], found["est_drums"], found["instruments"]["drums"]["f1"]) == (4, 4, 0.5)
    assert not [key for key in found if key.startswith(("note", "frame", "track", "onset", "offset"))]


def test_drums_are_left_out_of_what_is_pitched() -> None:
    parts = (Part("piano"), Part("kit", 0, drums=True))
    reference = notes.make([0.0, 0.5], [1.0, 0.6], [60, 38], part=[0, 1], parts=parts)
    estimate = notes.make([0.0, 0.5], [1.0, 0.6], [60, 42], part=[0, 1], parts=parts)
    found = score.compare(reference, estimate)
    assert (found["note_f1"], found["drum_f1"], found["ref_notes"], found["est_notes"]) == (1.0, 0.0, 1, 1)
    assert "drum_f1" not in score.compare(notes.alone(reference, 0), notes.alone(estimate, 0))
    found = score.compare(notes.alone(reference, 0), estimate)
    assert (found["drum_f1"], found["drum_class_f1"]) == (0.0, 0.0)


def test_strokes_of_no_class_alone_have_no_class_f1() -> None:
    found = score.compare(strokes([0.0], [54]), strokes([0.0], [54]))
    assert (found["drum_f1"], "drum_class_f1" in found) == (1.0, False)


# protocols


def held(performance: Performance) -> list[float]:
    """Offsets by the rule of note_seq's `apply_sustain_control_changes`, event by event as it is told."""
    found = performance.notes
    offset: list[float] = found.offset.tolist()
    events = [(control.time_s, int(control.value < 64), control.part, -1) for control in performance.controls]
    for what, times in ((2, found.onset), (3, found.offset)):
        events += [(time, what, int(found.part[k]), k) for k, time in enumerate(times.tolist())]
    down = dict.fromkeys(range(len(found.parts)), False)
    active: dict[int, list[int]] = {part: [] for part in down}
    for time, what, part, index in sorted(events):
        ended = []
        if what == 1:
            ended = [k for k in active[part] if offset[k] < time]
        elif what == 2 and down[part]:
            ended = [k for k in active[part] if found.pitch[k] == found.pitch[index]]
        for k in ended:
            offset[k] = time
        gone = {*ended, index} if what == 3 and not down[part] else {*ended}
        active[part] = [k for k in active[part] if k not in gone] + [index] * (what == 2)
        down[part] = what == 0 if what < 2 else down[part]
    for k in itertools.chain(*active.values()):
        offset[k] = max(event[0] for event in events)
    return offset


@settings(QUICK, max_examples=200)
@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(1, 8), st.sampled_from([60, 61]), st.integers(0, 1)), max_size=14
    ),
    st.lists(st.tuples(st.integers(0, 22), st.integers(0, 1), st.sampled_from([0, 63, 64, 127])), max_size=8),
)
def test_the_pedal_holds_notes_as_in_note_seq(rows: list[tuple[int, ...]], moves: list[tuple[int, ...]]) -> None:
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    onset, offset, pitch, _, part = midi.separated(
        columns[0], columns[0] + columns[1], columns[2].astype(float), np.full(len(rows), 80), columns[3]
    )
    found = notes.make(onset / 4, offset / 4, pitch, part=part, parts=(Part(), Part()))
    controls = tuple(Control(time / 4, owner, "control", 64, value) for time, owner, value in sorted(moves))
    performance = Performance(found, controls)
    assert pedal.heard(pedal.let_go(performance)).offset.tolist() == held(performance)


def keep_midi(path: Path, controls: list[tuple[float, int]], offsets: list[float]) -> record.Source:
    found = notes.make([0.0, 1.0, 2.0], offsets, [60, 60, 64])
    moves = tuple(Control(time, 0, "control", 64, value) for time, value in controls)
    path.write_bytes(midiplay.encode(Performance(found, moves)))
    return record.source(path)


def test_under_maestro_sustain_notes_last_as_long_as_the_pedal(tmp_path: Path) -> None:
    keep_midi(tmp_path / "ref.mid", [(0.1, 127), (3.0, 0)], [0.25, 1.25, 2.25])
    without = keep_midi(tmp_path / "x.mid", [], [1.0, 3.0, 3.0])  # what is heard, no pedal
    ref = str(tmp_path / "ref.mid")
    assert score.measure(without, ref=ref)["note_offset_f1"] == 0.0
    for protocol in ("maestro-sustain", "mt3"):
        found = score.measure(without, ref=ref, protocol=protocol)
        assert (found["note_offset_f1"], found["multi_f1"], found["protocol"]) == (1.0, 1.0, protocol)
        assert found["frame_f1"] > 0.99


def test_notes_in_lines_say_themselves_when_they_end(tmp_path: Path) -> None:
    side = notes.make([0.0, 1.0], [0.5, 1.5], [60, 60], sounding=[4.0, 5.0])
    for name in ("ref.jsonl", "x.jsonl"):
        notes.write_jsonl(tmp_path / name, replace(side, sounding=None) if name[0] == "x" else side, 1000, 9000)
    longer = replace(side, offset=np.array([1.0, 5.0]), sounding=None)  # struck again, the first one ends
    assert score.compare(side, longer, "maestro-sustain")["note_offset_f1"] == 1.0
    found = score.measure(record.source(tmp_path / "x.jsonl"), ref=str(tmp_path / "ref.jsonl"), protocol="mt3")
    assert (found["note_f1"], found["note_offset_f1"]) == (1.0, 0.0)


def test_an_unknown_protocol_is_told() -> None:
    with pytest.raises(UsageError, match="notes have no protocol 'best': there are mirex, maestro-sustain"):
        score.compare(NONE, NONE, "best")
    assert kind.PROTOCOLS.keys() == RULES.keys()
    assert len(set(MEASURES)) == len(MEASURES)


# labels


def test_labels_tell_hits_misses_false_notes_and_octaves_apart() -> None:
    reference = notes.make([0.0, 1.0, 2.0, 3.0], [0.5, 1.5, 2.5, 3.5], [60, 62, 64, 65])
    estimate = notes.make([0.01, 1.0, 1.01, 2.0, 5.0], [0.5] * 5, [60, 74, 50, 66, 77])
    found = labels(reference, replace(estimate, offset=estimate.onset + 1))
    assert found.reference.tolist() == ["hit", "missed", "missed", "missed"]
    assert sorted(found.estimate[1:3].tolist()) == ["false", "octave"]  # one missed note explains one
    assert (found.estimate[0], found.estimate[3:].tolist()) == ("hit", ["false", "false"])
    octave = found.estimate.tolist().index("octave")
    assert found.pairs.tolist() == [[0, 0], [1, octave]]


def test_labels_agree_with_the_numbers() -> None:
    rng = np.random.default_rng(4)
    reference = some_notes(rng, 200, list(range(48, 84)), 10.0, 0.01)
    estimate = played(rng, reference, 0.03, 0.2, 40)
    found, numbers = labels(reference, estimate), score.compare(reference, estimate)
    assert np.mean(found.reference == "hit") == pytest.approx(numbers["note_recall"])
    assert np.mean(found.estimate == "hit") == pytest.approx(numbers["note_precision"])
    assert len(found.pairs) == np.sum(found.estimate != "false")
    empty = labels(NONE, NONE)
    assert (len(empty.reference), len(empty.estimate), empty.pairs.shape) == (0, 0, (0, 2))


def test_a_picture_is_of_what_is_pitched_or_of_drums_alone(tmp_path: Path) -> None:
    for name, side in (("x", strokes([0.0, 1.0], [36, 38])), ("y", notes.make([0.0, 1.0], [1.0, 2.0], [60, 62]))):
        notes.write_midi(tmp_path / f"{name}.mid", side)
        found = record.source(tmp_path / f"{name}.mid")
        row = score.measure(found, ref=str(tmp_path / f"{name}.mid"), protocol="mt3", plot=True)
        assert ET.fromstring(row["picture"]).tag.endswith("svg")
        assert f"{name}.mid" in row["picture"]
        assert "There are no notes" not in row["picture"]


def test_labels_never_pair_a_drum_with_a_pitch() -> None:
    parts = (Part(), Part("kit", 0, drums=True))
    onset, offset = np.arange(4.0), np.arange(4.0) + 0.5
    reference = notes.make(onset, offset, [38, 36, 36, 48], part=[0, 1, 1, 0], parts=parts)
    estimate = notes.make(onset, offset, [38, 36, 48, 36], part=[1, 1, 0, 1], parts=parts)
    found = labels(reference, estimate)
    assert found.reference.tolist() == ["missed", "hit", "missed", "missed"]
    assert found.estimate.tolist() == ["false", "hit", "false", "false"]
