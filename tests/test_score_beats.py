"""score, kind beats: the numbers are mir_eval's, files are read as datasets write them, references are found."""

from __future__ import annotations

import json
import time
import warnings
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clefkit import record, score
from clefkit.errors import InputError
from clefkit.score import beats
from clefkit.score.beats import Beats, files

NAMES = {
    "beat_f1": "F-measure",
    "beat_cemgil": "Cemgil",
    "beat_goto": "Goto",
    "beat_p_score": "P-score",
    "beat_cmlc": "Correct Metric Level Continuous",
    "beat_cmlt": "Correct Metric Level Total",
    "beat_amlc": "Any Metric Level Continuous",
    "beat_amlt": "Any Metric Level Total",
    "beat_information_gain": "Information gain",
}
EVERY_HALF = np.arange(40) / 2 + 0.25
# A grid of 10 ms makes ties at 70 ms and at the borders of windows likely.
GRID = st.lists(st.integers(0, 1200), max_size=60, unique=True).map(lambda steps: np.sort(np.array(steps, float)) / 100)
FREE = st.lists(st.floats(0, 40), max_size=60, unique_by=lambda each: round(each, 6)).map(np.sort)


def referee(reference: np.ndarray, estimate: np.ndarray, first_s: float) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of short sides
        return dict(mir_eval.beat.evaluate(reference, estimate, min_beat_time=first_s))


def assert_same(reference: np.ndarray, estimate: np.ndarray, protocol: str, first_s: float) -> None:
    if (reference >= first_s).sum() < 2:
        with pytest.raises(InputError, match="fewer than two beats"):
            beats.compare(Beats(reference), Beats(estimate), protocol)
        return
    ours = beats.compare(Beats(reference), Beats(estimate), protocol)
    theirs = referee(reference, estimate, first_s)
    for name, their_name in NAMES.items():
        assert ours[name] == pytest.approx(theirs[their_name], rel=0, abs=1e-9), name


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.one_of(GRID, FREE), st.one_of(GRID, FREE))
def test_any_beats_score_as_mir_eval_says(reference: np.ndarray, estimate: np.ndarray) -> None:
    assert_same(reference.round(9), estimate.round(9), "mirex", 5.0)
    assert_same(reference.round(9), estimate.round(9), "untrimmed", 0.0)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.integers(0, 2**32), st.sampled_from([1, 2, 3]), st.floats(0, 0.09), st.floats(0, 0.3))
def test_trackers_score_as_mir_eval_says(seed: int, every: int, jitter_s: float, lost: float) -> None:
    rng = np.random.default_rng(seed)
    reference = np.cumsum(rng.uniform(0.3, 0.7, 80)).round(4)
    kept = reference[::every][rng.random(len(reference[::every])) >= lost]
    estimate = np.unique((kept + rng.normal(0, jitter_s, len(kept))).clip(0).round(4))
    assert_same(reference, estimate, "mirex", 5.0)
    ours = beats.compare(Beats(reference, reference[::4]), Beats(estimate, estimate[::4]))
    theirs = referee(reference[::4], estimate[::4], 5.0)
    for name in ("f1", "cmlt", "amlt"):
        assert ours[f"downbeat_{name}"] == pytest.approx(theirs[NAMES[f"beat_{name}"]], rel=0, abs=1e-9)


def test_what_is_right_is_one() -> None:
    found = beats.compare(Beats(EVERY_HALF, EVERY_HALF[::4]), Beats(EVERY_HALF, EVERY_HALF[::4]))
    wanted = {each.name for each in beats.MEASURES}
    assert wanted <= found.keys()
    assert all(found[name] == pytest.approx(1.0) for name in wanted - {"tempo_octave_error"})
    assert found["tempo_octave_error"] == 0.0
    assert (found["ref_tempo_bpm"], found["est_tempo_bpm"]) == (120.0, 120.0)
    assert (found["ref_beats"], found["est_beats"]) == (30, 30)


def test_the_first_five_seconds_count_when_asked_to() -> None:
    late = EVERY_HALF[EVERY_HALF > 3]
    assert beats.compare(Beats(EVERY_HALF), Beats(late))["beat_f1"] == 1.0
    assert beats.compare(Beats(EVERY_HALF), Beats(late), "untrimmed")["beat_f1"] == pytest.approx(2 * 34 / 74)
    short = Beats(EVERY_HALF[:8])
    assert beats.compare(short, short, "untrimmed")["beat_f1"] == 1.0
    with pytest.raises(InputError, match="from 5 s on: say --protocol untrimmed"):
        beats.compare(short, short)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_beats_are_zero_and_say_nothing(count: int, capfd: pytest.CaptureFixture[str]) -> None:
    few = EVERY_HALF[20 : 20 + count]
    found = beats.compare(Beats(EVERY_HALF, EVERY_HALF[::4]), Beats(few, few))
    assert found["beat_f1"] == pytest.approx(2 * count / (30 + count))
    assert all(found[name] == 0 for name in ("beat_amlt", "beat_information_gain", "downbeat_amlt", "tempo_accuracy_2"))
    assert "tempo_octave_error" not in found
    assert found["beat_cemgil"] < 0.1
    with pytest.raises(InputError, match="the reference has fewer than two beats"):
        beats.compare(Beats(few), Beats(EVERY_HALF), "untrimmed")
    assert capfd.readouterr() == ("", "")


def test_order_and_repetition_change_nothing() -> None:
    shuffled = np.random.default_rng(1).permutation(np.concatenate([EVERY_HALF, EVERY_HALF]))
    assert beats.compare(Beats(shuffled), Beats(shuffled)) == beats.compare(Beats(EVERY_HALF), Beats(EVERY_HALF))
    near = np.concatenate([[0.0, 5e-324], EVERY_HALF, EVERY_HALF + 1e-12])
    assert beats.compare(Beats(near), Beats(near), "untrimmed")["ref_beats"] == 41


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ([1.0, float("nan")], "the estimate has a beat that is not a time"),
        ([1.0, float("inf")], "not a time"),
        ([1.0, 30_001.0], "past 30,000 s"),
        (np.arange(40_001) / 2, "more than 40,000 beats"),
    ],
)
def test_impossible_beats_are_refused(times: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        beats.compare(Beats(EVERY_HALF), Beats(times))
    with pytest.raises(InputError, match=words.replace("estimate", "reference")):
        beats.compare(Beats(times), Beats(EVERY_HALF))
    with pytest.raises(InputError, match=words):
        beats.compare(Beats(EVERY_HALF), Beats(EVERY_HALF, times))


@pytest.mark.parametrize(
    ("ratio", "first", "second"),
    [(1.0, 1, 1), (1.039, 1, 1), (1.041, 0, 0), (0.961, 1, 1), (2.0, 0, 1), (0.5, 0, 1), (3.1, 0, 1), (1 / 3, 0, 1),
     (1.5, 0, 0), (4.0, 0, 0), (0.25, 0, 0)],
)  # fmt: skip
def test_tempo(ratio: float, first: int, second: int) -> None:
    expected = np.arange(200) / 2
    found = beats.compare(Beats(expected), Beats(expected / ratio))
    assert (found["tempo_accuracy_1"], found["tempo_accuracy_2"]) == (first, second)
    assert found["tempo_octave_error"] == pytest.approx(abs(np.log2(ratio)), abs=1e-6)
    reference, estimate = found["ref_tempo_bpm"], found["est_tempo_bpm"]
    theirs = mir_eval.tempo.detection(np.array([reference, 1.0]), 1.0, np.array([estimate, 1.0]), tol=0.04)[0]
    assert theirs == first


def test_the_tempo_is_the_median_whatever_is_lost() -> None:
    kept = np.delete(EVERY_HALF, [15, 16, 23])
    assert beats.compare(Beats(EVERY_HALF), Beats(kept))["est_tempo_bpm"] == 120.0


def test_downbeats_are_measured_when_both_sides_tell_them() -> None:
    bars = Beats(EVERY_HALF, EVERY_HALF[::4])
    assert "downbeat_f1" not in beats.compare(bars, Beats(EVERY_HALF))
    assert "downbeat_f1" not in beats.compare(Beats(EVERY_HALF), bars)
    late = beats.compare(bars, Beats(EVERY_HALF, EVERY_HALF[2::4]))
    assert (late["downbeat_f1"], late["downbeat_cmlt"], late["downbeat_amlt"]) == (
        0.0,
        0.0,
        0.75,
    )
    assert beats.compare(bars, Beats(EVERY_HALF, []))["downbeat_f1"] == 0.0


def test_beats_that_were_piled_up_where_a_repeat_was_left_out_are_measured() -> None:
    """As in four performances of ASAP, with 144 beats in less than a second."""
    piled = np.concatenate([EVERY_HALF, 20.3 + np.arange(144) * 0.0049, EVERY_HALF + 21]).round(4)
    assert_same(piled, (EVERY_HALF + 0.03).round(4), "mirex", 5.0)
    assert_same(piled, np.sort(piled + 0.06).round(4), "mirex", 5.0)


def test_hours_take_seconds() -> None:
    reference = np.arange(14_400) / 2
    jittered = reference + np.random.default_rng(0).normal(0, 0.02, len(reference))
    start = time.process_time()
    found = beats.compare(Beats(reference), Beats(jittered))
    assert found["beat_p_score"] > 0.99
    assert time.process_time() - start < 20  # mir_eval's P-score alone takes minutes


LISTS = {
    "plain": "# seconds\n6.5\n7.0\n\n7.5\n8.0\n",
    "beat_this": "6.5\t4\n7.0\t1\n7.5\t2\n8.0\t3\n",
    "ballroom": "6.5 4\r\n7.0 1\r\n7.5 2\r\n8.0 3\r\n",
    "harmonix": "6.5\t4\t1\n7.0\t1\t2\n7.5\t2\t2\n8.0\t3\t2\n",
    "asap": "6.5\t6.5\tb\n7.0\t7.0\tdb,4/4,-1\n7.5\t7.5\tbR\n8.0\t8.0\tb,3/4\n",
    "words": "\ufeff6.5 b\n7.0 db\n7.5 b\n8.0 b\n",
    "unordered": "8.0 3\n6.5 4\n7.0 1\n7.5 2\n",
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_are_read_as_datasets_write_them(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.beats"
    path.write_text(LISTS[name], encoding="utf-8", newline="")
    found = files.read(path)
    assert sorted(np.asarray(found.times)) == [6.5, 7.0, 7.5, 8.0]
    assert found.downbeats is None if name == "plain" else np.asarray(found.downbeats).tolist() == [7.0]
    same = beats.compare(Beats([6.5, 7.0, 7.5, 8.0]), found)
    assert same["beat_f1"] == 1.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1.0\ntwo\n", "line 2 is no beat"),
        ("1.0\nnan\n", "line 2 is no beat"),
        ("1.0\n-inf\n", "line 2 is no beat"),
        ("1.0 1\n2.0 1.5\n", "line 2 is no beat"),
        ("1.0 1\n2.0 no\n", "line 2 is no beat"),
        ("1.0,1\n", "line 1 is no beat"),
        ("1.0 1\n2.0\n", "line 2: either all beats have a number"),
        ("{}", "line 1 is no beat"),
        ("1.0 " + "9" * 5000, "line 1 is no beat"),
        ("".join(f"{each}\n" for each in range(40_001)), "more than 40,000 beats"),
        ("1" * (16 * 2**20 + 1), "larger than 16 MiB"),
        ("\udcff\udcfe", "no text"),
    ],
)
def test_what_is_no_list_of_beats_is_refused(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(InputError, match=words):
        files.read(path)


def written(path: Path, times: np.ndarray) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{each:.4f}\t{number % 4 + 1}\n" for number, each in enumerate(times)), encoding="utf-8")
    return path


def test_an_empty_list_has_found_nothing(tmp_path: Path) -> None:
    reference = written(tmp_path / "ref" / "x.beats", EVERY_HALF)
    estimate = written(tmp_path / "x.beats", np.zeros(0))
    found = score.measure(record.source(estimate), ref=str(reference))
    assert (found["kind"], found["beat_f1"], found["downbeat_f1"], found["est_beats"]) == ("beats", 0.0, 0.0, 0)


@pytest.mark.parametrize("name", ["x.beats", "x.tsv", "x_annotations.txt"])
def test_references_are_found_by_name(name: str, tmp_path: Path) -> None:
    written(tmp_path / "ref" / name, EVERY_HALF)
    estimate = written(tmp_path / "x.tracker.beats", EVERY_HALF)
    found = score.measure(record.source(estimate), ref=str(tmp_path / "ref"))
    assert found["beat_f1"] == found["downbeat_amlt"] == 1.0
    assert found["reference"] == str(tmp_path / "ref" / name)
    assert found["definition"].startswith("beats before 5 s")
    with pytest.raises(InputError, match="no reference in"):
        score.measure(record.source(written(tmp_path / "y.beats", EVERY_HALF)), ref=str(tmp_path / "ref"))


def test_a_bad_reference_is_named(tmp_path: Path) -> None:
    (tmp_path / "ref.beats").write_text("x\n", encoding="utf-8")
    estimate = written(tmp_path / "x.beats", EVERY_HALF)
    with pytest.raises(InputError, match=r"its reference ref.beats: line 1 is no beat"):
        score.measure(record.source(estimate), ref=str(tmp_path / "ref.beats"))


def sound(path: Path, facts: dict[str, Any]) -> Path:
    """A file that has a record."""
    path.write_bytes(path.name.encode())
    data = {"file": path.name, "sha256": record.sha256(path), **facts}
    record.beside(path).write_text(json.dumps(data), encoding="utf-8")
    return path


def origin(path: Path) -> dict[str, Any]:
    return {"from": {"file": path.name, "sha256": record.sha256(path)}}


def timemap(counts: list[int], unit: float, first: int = 1) -> dict[str, Any]:
    """Measures of so many written beats, each of `unit` quarters and half as many seconds, from 6 s on."""
    rows, quarter = [], 0.0
    for number, count in enumerate(counts):
        for beat in range(first if number == 0 else 1, count + 1):
            rows.append([str(number), 1, float(beat), quarter, 6 + quarter / 2])
            quarter += unit
    return {"timemap": {"columns": ["measure", "turn", "beat", "quarter", "time_s"], "rows": rows}}


def test_records_lead_to_the_beats_of_the_sound(tmp_path: Path) -> None:
    dry = sound(tmp_path / "x.wav", timemap([4] * 6, 1.0))
    hall = sound(tmp_path / "x.hall.wav", {**origin(dry), "clock": {"offset_s": 0.5, "rate": 2.0}})
    tape = {"points": [[0.0, 0.0], [10.0, 10.0], [20.0, 30.0]]}
    bent = sound(tmp_path / "x.hall.tape.wav", {**origin(hall), "clock": tape})
    times = 0.5 + 2 * (6 + np.arange(24) / 2)
    for made_from, expected in ((dry, 6 + np.arange(24) / 2), (hall, times), (bent, np.maximum(times, 2 * times - 10))):
        estimate = tmp_path / f"{made_from.stem}.beats"
        written(estimate, expected)
        facts = {"file": estimate.name, "sha256": record.sha256(estimate), **origin(made_from)}
        record.beside(estimate).write_text(json.dumps(facts), encoding="utf-8")
        found = score.measure(record.source(estimate))
        assert found["beat_f1"] == found["downbeat_f1"] == 1.0, estimate
        assert found["beat_cemgil"] == pytest.approx(1.0)
        assert found["reference"] == str(dry)
    with pytest.raises(InputError, match="give --ref"):
        score.measure(record.source(written(tmp_path / "z.beats", EVERY_HALF)))


@pytest.mark.parametrize(
    "clock", [{}, {"offset_s": "x", "rate": 1}, {"points": [[0, 0]]}, {"points": [[1, 0], [0, 1]]}]
)
def test_a_damaged_clock_is_refused(clock: dict[str, Any], tmp_path: Path) -> None:
    dry = sound(tmp_path / "x.wav", timemap([4] * 6, 1.0))
    hall = sound(tmp_path / "x.hall.wav", {**origin(dry), "clock": clock})
    estimate = written(tmp_path / "x.hall.beats", EVERY_HALF)
    facts = {"file": estimate.name, "sha256": record.sha256(estimate), **origin(hall)}
    record.beside(estimate).write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(InputError, match="a clock in the records" if clock else "no record leads to a sound"):
        score.measure(record.source(estimate))


def test_a_sound_with_a_record_is_a_reference(tmp_path: Path) -> None:
    (tmp_path / "ref").mkdir()
    sound(tmp_path / "ref" / "x.wav", timemap([4] * 6, 1.0))
    estimate = written(tmp_path / "x.beats", 6 + np.arange(24) / 2)
    assert score.measure(record.source(estimate), ref=str(tmp_path / "ref"))["downbeat_f1"] == 1.0
    sound(tmp_path / "ref" / "x.wav", {})
    with pytest.raises(
        InputError, match=r"its reference x.wav: a sound without a record that says where its beats are"
    ):
        score.measure(record.source(estimate), ref=str(tmp_path / "ref"))


@pytest.mark.parametrize(
    "rows", [None, 3, [3], ["abcde"], [["1", 1, 1.0, 0.0]], [["1", "x", 1.0, 0.0, 0.0]], [["1", 1e999, 1, 0, 0]]]
)
def test_damaged_records_are_refused(rows: Any, tmp_path: Path) -> None:
    path = sound(tmp_path / "x.wav", {"timemap": {"rows": rows}})
    estimate = written(tmp_path / "x.beats", EVERY_HALF)
    with pytest.raises(InputError, match=r"the beats in the record of x\.wav are damaged"):
        score.measure(record.source(estimate), ref=str(path))


@pytest.mark.parametrize(
    ("counts", "unit", "first", "times", "downbeats"),
    [
        ([4, 4], 1.0, 1, [0, 1, 2, 3, 4, 5, 6, 7], [0, 4]),
        ([3, 3], 0.5, 1, [0, 0.5, 1, 1.5, 2, 2.5], [0, 1.5]),
        ([6, 6], 0.5, 1, [0, 1.5, 3, 4.5], [0, 3]),
        ([9], 0.5, 1, [0, 1.5, 3], [0]),
        ([12], 0.25, 1, [0, 0.75, 1.5, 2.25], [0]),
        ([6], 1.0, 1, [0, 3], [0]),
        ([6, 6, 3], 0.5, 1, [0, 1.5, 3, 4.5, 6], [0, 3, 6]),  # the last one is cut short
        ([6, 4], 0.5, 1, [0, 1.5, 3, 3.5, 4, 4.5], [0, 3]),
        ([3, 6], 0.5, 1, [0, 0.5, 1, 1.5, 3], [0, 1.5]),
        ([6, 6], 0.5, 6, [0.5, 2], [0.5]),  # an upbeat of one eighth
        ([4, 4], 1.0, 4, [0, 1, 2, 3, 4], [1]),
    ],
)
def test_beats_are_counted_as_annotators_do(
    counts: list[int], unit: float, first: int, times: list[float], downbeats: list[float], tmp_path: Path
) -> None:
    found = files.reference_for(
        record.source(written(tmp_path / "x.beats", EVERY_HALF)),
        sound(tmp_path / "x.wav", timemap(counts, unit, first)),
    )[1]
    assert np.asarray(found.times).tolist() == [6 + each / 2 for each in times]
    assert np.asarray(found.downbeats).tolist() == [6 + each / 2 for each in downbeats]


def test_simple_meters_after_compound_ones_and_upbeats_between_beats(tmp_path: Path) -> None:
    rows = [["0", 1, 6.5, 0.0, 6.0]]
    rows += [["1", 1, float(beat + 1), 0.25 + beat / 2, 6.25 + beat / 2] for beat in range(6)]
    rows += [["2", 1, float(beat + 1), 3.25 + beat, 9.25 + beat] for beat in range(2)]
    path = sound(tmp_path / "x.wav", {"timemap": {"rows": rows}})
    found = files.reference_for(record.source(written(tmp_path / "x.beats", EVERY_HALF)), path)[1]
    assert np.asarray(found.times).tolist() == [6.25, 7.75, 9.25, 10.25]
    simple = sound(tmp_path / "y.wav", {"timemap": {"rows": [["0", 1, 4.5, 0.0, 6.0], ["1", 1, 1.0, 0.5, 6.5]]}})
    found = files.reference_for(record.source(written(tmp_path / "y.beats", EVERY_HALF)), simple)[1]
    assert np.asarray(found.times).tolist() == [6.5]


def midi_file(path: Path, numerator: int, denominator: int, ticks: int) -> Path:
    """One note, `ticks` long at 480 a quarter and 120 quarters a minute."""
    length = bytes([ticks >> 14 & 127 | 128, ticks >> 7 & 127 | 128, ticks & 127])
    body = bytes([0, 0xFF, 0x58, 4, numerator, denominator.bit_length() - 1, 24, 8, 0, 0x90, 60, 90])
    body += length + bytes([0x80, 60, 0, 0, 0xFF, 0x2F, 0])
    path.write_bytes(
        b"MThd" + bytes([0, 0, 0, 6, 0, 0, 0, 1, 480 >> 8, 480 & 255]) + b"MTrk" + len(body).to_bytes(4, "big") + body
    )
    return path


def test_midi_has_beats_when_asked_for(tmp_path: Path) -> None:
    six = midi_file(tmp_path / "x.mid", 6, 8, 480 * 30 - 1)
    times = np.arange(20) * 0.75
    reference = written(tmp_path / "x.beats", times)
    found = score.measure(record.source(six), ref=str(reference), kind="beats")
    assert found["beat_f1"] == 1.0
    assert found["ref_tempo_bpm"] == pytest.approx(80.0)
    back = score.measure(record.source(reference), ref=str(six))
    assert back["beat_f1"] == 1.0
