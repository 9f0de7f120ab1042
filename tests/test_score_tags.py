"""score, kind tags: the numbers are scikit-learn's and sed_eval's, clips are matched, damaged files are refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clefkit import record, score
from clefkit.errors import InputError
from clefkit.score import tags
from clefkit.score.tags import clips

Rows = list[dict[str, Any]]

NAMES = ("bass", "flute", "piano", "violin")


def grid(count: int = 30) -> tuple[Rows, Rows]:
    """Clips with ties among the probabilities; what is true of each, and what was found."""
    truth, found = [], []
    for i in range(count):
        true = [(i * i + 3 * j * i + j) % 7 < 3 for j in range(4)]
        heard = [((i * 37 + j * 11) % 16) / 15 * 0.6 + 0.4 * (true[j] and (i + j) % 3 != 0) for j in range(4)]
        truth.append({"file": f"{i}.wav", "tags": dict(zip(NAMES, map(int, true), strict=True))})
        found.append({"file": f"{i}.wav", "tags": {name: round(p, 2) for name, p in zip(NAMES, heard, strict=True)}})
    return truth, found


def masked(truth: Rows) -> Rows:
    """The same, where a fifth is unknown."""
    return [
        {**row, "tags": {name: row["tags"][name] for j, name in enumerate(NAMES) if (i + 2 * j) % 5}}
        for i, row in enumerate(truth)
    ]


# scikit-learn 1.9.1 of `grid`: average_precision_score, roc_auc_score, f1_score of probabilities of .5 or more.
SKLEARN = {
    "tag_map": 0.7749313254993793,
    "tag_roc_auc": 0.790572564010064,
    "tag_f1": 0.6033494724671196,
    "tag_f1_micro": 0.6470588235294118,
}
SKLEARN_MASKED = {
    "tag_map": 0.7666125528185169,
    "tag_roc_auc": 0.7654372860255214,
    "tag_f1": 0.5981481481481481,
    "tag_f1_micro": 0.6341463414634146,
}


def test_the_numbers_are_those_of_scikit_learn() -> None:
    truth, found = grid()
    ours = tags.compare(truth, found)
    assert {name: ours[name] for name in SKLEARN} == pytest.approx(SKLEARN, abs=1e-12)
    as_lists = [{**row, "tags": [name for name in NAMES if row["tags"][name]]} for row in truth]
    assert tags.compare(as_lists, found) == ours
    assert (ours["ref_clips"], ours["est_clips"], ours["missing_clips"], ours["other_tags"]) == (30, 30, [], [])


def test_a_half_is_enough() -> None:
    truth = [{"file": "a", "tags": ["x"]}, {"file": "b", "tags": []}]
    assert tags.compare(truth, [{"file": "a", "tags": {"x": 0.5}}, {"file": "b", "tags": {"x": 0.499}}])["tag_f1"] == 1


def test_what_the_truth_does_not_know_is_left_out() -> None:
    truth, found = grid()
    ours = tags.compare(masked(truth), found)
    assert {name: ours[name] for name in SKLEARN} == pytest.approx(SKLEARN_MASKED, abs=1e-12)
    bass = ours["classes"]["bass"]
    assert (bass["precision"], bass["recall"], bass["n"]) == (pytest.approx(11 / 13), pytest.approx(11 / 17), 24)


PROBABILITIES = st.integers(0, 5).map(lambda step: step / 5)
RANKED = st.lists(st.tuples(st.booleans(), PROBABILITIES), min_size=1, max_size=40).filter(
    lambda rows: any(true for true, _ in rows)
)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(RANKED)
def test_ranks_are_as_they_are_defined(rows: list[tuple[bool, float]]) -> None:
    """From the definitions: each threshold a point; each pair of a positive and a negative."""
    truth = [{"file": str(i), "tags": ["x"] if true else []} for i, (true, _) in enumerate(rows)]
    ours = tags.compare(truth, [{"file": str(i), "tags": {"x": p}} for i, (_, p) in enumerate(rows)])
    positives = [p for true, p in rows if true]
    negatives = [p for true, p in rows if not true]
    average = 0.0
    for threshold in sorted(set(positives)):
        told = sum(p >= threshold for _, p in rows)
        average += positives.count(threshold) / len(positives) * sum(p >= threshold for p in positives) / told
    assert ours["tag_map"] == pytest.approx(average, abs=1e-12)
    assert ("tag_roc_auc" in ours) == bool(negatives)
    if negatives:
        won = sum((p > n) + (p == n) / 2 for p in positives for n in negatives)
        assert ours["tag_roc_auc"] == pytest.approx(won / len(positives) / len(negatives), abs=1e-12)


def test_intervals_hold_the_value_and_repeat() -> None:
    truth, found = grid()
    ours = tags.compare(truth, found)
    for name, (low, high) in ours["intervals"].items():
        assert 0 <= low < ours[name] < high <= 1, name
    bass = ours["classes"]["bass"]
    assert bass["f1_low"] < bass["f1"] < bass["f1_high"]
    assert tags.compare(truth, found)["intervals"] == ours["intervals"]


def test_an_interval_covers_what_chance_does() -> None:
    """The spread of the bootstrap is that of new samples: within a fifth for a share of 200 clips."""
    rng = np.random.default_rng(3)
    widths = []
    for _ in range(3):
        hit = rng.random(200) < 0.7  # the only positives: recall is their share, F1 = 2 r / (1 + r)
        truth = [{"file": str(i), "tags": ["x"]} for i in range(200)]
        found = [{"file": str(i), "tags": {"x": float(each)}} for i, each in enumerate(hit)]
        low, high = tags.compare(truth, found)["intervals"]["tag_f1_micro"]
        widths.append(high - low)
    recall = rng.binomial(200, 0.7, 20_000) / 200
    expected = np.subtract(*np.percentile(2 * recall / (1 + recall), [97.5, 2.5]))
    assert np.mean(widths) == pytest.approx(expected, rel=0.2)


def test_one_clip_has_no_interval() -> None:
    row = {"file": "a", "tags": ["x"]}
    ours = tags.compare([row], [row])
    assert ours["intervals"] == {}
    assert ours["classes"] == {"x": {"ap": 1, "f1": 1, "precision": 1, "recall": 1, "n_positive": 1, "n": 1}}


def test_many_clips_take_seconds() -> None:
    truth, found = grid(5000)
    ours = tags.compare(truth, found)
    low, high = ours["intervals"]["tag_map"]
    assert high - low < 0.05


def test_clips_without_findings_count_as_nothing_heard_and_are_named() -> None:
    truth, found = grid()
    silent = [{**row, "tags": dict.fromkeys(NAMES, 0.0)} if row["file"] in {"3.wav", "7.wav"} else row for row in found]
    kept = [row for row in found if row["file"] not in {"3.wav", "7.wav"}]
    ours, theirs = tags.compare(truth, kept), tags.compare(truth, silent)
    assert {name: ours[name] for name in SKLEARN} == {name: theirs[name] for name in SKLEARN}
    assert (ours["missing_clips"], ours["est_clips"]) == (["3.wav", "7.wav"], 28)
    few = tags.compare([{"file": f"{i}", "tags": ["x"]} for i in range(300)], [{"file": "0", "tags": ["x"]}])
    assert len(few["missing_clips"]) == 101
    assert few["missing_clips"][-1] == "and 199 more"


def test_only_tags_of_the_truth_count_and_others_are_named() -> None:
    truth, found = grid()
    chatty = [{**row, "tags": {**row["tags"], "kazoo": 1.0}} for row in found]
    ours = tags.compare(truth, chatty)
    assert ours.pop("other_tags") == ["kazoo"]
    assert ours == {key: value for key, value in tags.compare(truth, found).items() if key != "other_tags"}


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [
        (["a.wav", "b.wav"], ["b.wav", "a.wav"], ["a.wav", "b.wav"]),
        (["set/a.wav", "set/b.wav"], ["x/a.wav", "b.wav"], ["x/a.wav", "b.wav"]),
        (["a.wav", "b.wav"], ["a.flac", "b"], ["a.flac", "b"]),
        (["000046_3840", "k.1", "k.2"], ["000046_3840.ogg", "k.2"], ["000046_3840.ogg", None, "k.2"]),
        (["1/a.wav", "2/a.wav", "b.wav"], ["1/a.wav", "b.wav"], ["1/a.wav", None, "b.wav"]),
        (["1/a.wav", "2/a.wav", "b.wav"], ["a.wav", "b.wav"], [None, None, "b.wav"]),
        (["a.wav", "a.flac"], ["a.wav"], ["a.wav", None]),
    ],
)
def test_clips_are_matched_by_name(truth: list[str], found: list[str], expected: list[str | None]) -> None:
    sides = [clips.checked({"file": file, "tags": ["x"]} for file in files) for files in (truth, found)]
    assert [each and each.file for each in clips.matched(*sides)] == expected


def test_no_clip_in_common_is_an_error() -> None:
    with pytest.raises(
        InputError, match=r"nothing was found of any clip of the truth: its first is a\.wav, not b\.wav"
    ):
        tags.compare([{"file": "a.wav", "tags": ["x"]}], [{"file": "b.wav", "tags": ["x"]}])


@pytest.mark.parametrize(
    ("truth", "words"),
    [
        ([{"file": "a", "tags": {"x": 0.4}}], "clip 1 of the truth: a tag is neither 0 nor 1"),
        ([{"file": "a", "tags": {"x": 1}}, {"file": "b", "tags": {"x": 1}}], "says of no clip that it lacks a tag"),
        ([{"file": "a", "tags": {"x": 0}}], "has no clip with a tag"),
        ([{"file": "a", "tags": []}], "has no clip with a tag"),
        ([], "tells of no clip"),
    ],
)
def test_a_truth_that_is_none_is_refused(truth: Rows, words: str) -> None:
    with pytest.raises(InputError, match=words):
        tags.compare(truth, [{"file": "a", "tags": {"x": 0.4}}])


def sounding(i: int, late: int) -> list[dict[str, Any]]:
    """Some segments, `late` times some tenths of a second late."""
    rows = []
    for k in range((i * 5) % 6):
        onset = ((i * 7 + k * 13) % 40) / 5
        offset = round(onset + 0.5 + ((i * 3 + k) % 17) / 5 + late * ((i * k) % 5) / 10, 2)
        onset = round(onset + late * ((i + k) % 4) / 10, 2)
        rows.append({"tag": NAMES[(i * k + k) % 3], "onset": onset, "offset": offset})
    return rows


def test_segments_score_as_sed_eval_says() -> None:
    truth = [{"file": str(i), "segments": sounding(i, 0)} for i in range(20)]
    found = [{"file": str(i), "tags": [], "segments": sounding(i, 1)[i % 4 == 0 :]} for i in range(20)]
    ours = tags.compare(truth, found)
    # sed_eval 0.2.1: SegmentBasedMetrics(time_resolution=1), EventBasedMetrics(t_collar=.2, percentage_of_length=.2)
    assert ours["segment_based_f1"] == pytest.approx(0.9365079365079364, abs=1e-12)
    assert ours["event_based_f1"] == pytest.approx(0.49484536082474223, abs=1e-12)
    assert ours["tag_f1"] == 0.0
    assert set(ours["intervals"]) > {"segment_based_f1", "event_based_f1"}


def test_segments_count_where_the_truth_has_them() -> None:
    held = {"tag": "x", "onset": 0.5, "offset": 3.5}
    truth: Rows = [{"file": "a", "segments": [held]}, {"file": "b", "tags": []}, {"file": "c", "segments": []}]
    found: Rows = [{"file": name, "tags": [], "segments": [held]} for name in "abc"]
    ours = tags.compare(truth, found)
    assert ours["segment_based_f1"] == pytest.approx(2 * 4 / (4 + 8))
    assert ours["event_based_f1"] == pytest.approx(2 / 3)
    assert tags.compare(truth, [{"file": "c", "segments": []}])["event_based_f1"] == 0.0
    assert "event_based_f1" not in tags.compare(truth, [{"file": "a", "tags": ["x"]}])
    assert "event_based_f1" not in tags.compare([{"file": "a", "tags": ["x"]}], found)


@pytest.mark.parametrize(
    ("onset", "offset", "right"),
    [(0.25, 0.0, 0), (0.125, 0.0, 1), (-0.125, 1.5, 1), (0.0, 2.5, 0), (0.0, -2.0, 1)],
)
def test_events_may_end_a_fifth_of_their_length_off(onset: float, offset: float, right: int) -> None:
    truth = [{"file": "a", "segments": [{"tag": "x", "onset": 5.0, "offset": 15.0}]}]
    found = [{"file": "a", "segments": [{"tag": "x", "onset": 5.0 + onset, "offset": 15.0 + offset}]}]
    assert tags.compare(truth, found)["event_based_f1"] == right


def test_gains() -> None:
    truth: Rows = [
        {"file": "a", "tags": ["x", "y", "z"], "gains_db": {"x": -3.0, "y": -6.0, "z": -20.0}},
        {"file": "b", "tags": ["x", "y"], "gains_db": {"x": -1.0, "y": -3.0, "z": 0.0}},
        {"file": "c", "tags": ["x"], "gains_db": {"x": 0.0}},
    ]
    found: Rows = [
        {"file": "a", "tags": [], "gains_db": {"x": -7.0, "y": -5.0, "z": -16.0, "w": 0.0}},
        {"file": "b", "tags": [], "gains_db": {"x": -2.0, "y": -2.0, "z": -9.0}},
        {"file": "d", "tags": []},
    ]
    ours = tags.compare(truth, found)
    assert ours["gain_error_db"] == pytest.approx((4 + 1 + 4 + 1 + 1) / 5)
    assert ours["gain_order_accuracy"] == pytest.approx(2 / 3)  # x and y of b are nearer than 3 dB, and z is silent
    shifted = [{**row, "gains_db": {tag: gain + 2 for tag, gain in row.get("gains_db", {}).items()}} for row in truth]
    assert tags.compare(truth, shifted)["gain_error_db"] == pytest.approx(2.0)
    assert tags.compare(truth, shifted)["gain_order_accuracy"] == 1.0
    assert "gain_error_db" not in tags.compare(truth, [{"file": "a", "tags": ["x"]}])


def jsonl(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_files_in_every_form_say_the_same(tmp_path: Path) -> None:
    truth, found = grid()
    reference = jsonl(tmp_path / "ref" / "x.jsonl", truth)
    estimate = jsonl(tmp_path / "x.jsonl", found)
    ours = score.measure(record.source(estimate), ref=str(tmp_path / "ref"))
    assert (ours["kind"], ours["reference"]) == ("tags", str(reference))
    assert ours["tag_map"] == pytest.approx(SKLEARN["tag_map"], abs=1e-12)
    wide = ["\ufefffile," + ",".join(NAMES)]
    wide += [f'"{row["file"]}", ' + ",".join(str(row["tags"][name]) for name in NAMES) + "\r" for row in found]
    long = ["file,tag,probability"]
    long += [f"{row['file']},{name},{row['tags'][name]}" for name in NAMES for row in found]
    listed = ["file,tag"]
    listed += [f"{row['file']},{name}" for row in truth for name in NAMES if row["tags"][name]]
    listed += [f"{row['file']}," for row in truth if not any(row["tags"].values())]
    for name, lines in (("wide", wide), ("long", long), ("listed", listed)):
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    for name, ref in (("wide", reference), ("long", reference), ("wide", tmp_path / "listed.csv")):
        again = score.measure(record.source(tmp_path / f"{name}.csv"), ref=str(ref))
        assert {key: again[key] for key in SKLEARN} == {key: ours[key] for key in SKLEARN}, name


def test_clips_without_findings_are_counted_for_a_person(tmp_path: Path) -> None:
    truth, found = grid()
    reference = jsonl(tmp_path / "truth.jsonl", truth)
    row = score.measure(record.source(jsonl(tmp_path / "x.jsonl", found[1:-1])), ref=str(reference))
    assert row["notes"] == [
        f"nothing was found about 2 clips, the first is {found[0]['file']}: all their tags count as 0"
    ]
    assert not score.measure(record.source(jsonl(tmp_path / "y.jsonl", found)), ref=str(reference))["notes"]


def test_an_empty_cell_of_a_table_is_unknown(tmp_path: Path) -> None:
    truth, found = grid()
    lines = ["file," + ",".join(NAMES)]
    lines += [row["file"] + "," + ",".join(str(row["tags"].get(name, "")) for name in NAMES) for row in masked(truth)]
    (tmp_path / "truth.csv").write_text("\n".join(lines), encoding="utf-8")
    ours = score.measure(record.source(jsonl(tmp_path / "x.jsonl", found)), ref=str(tmp_path / "truth.csv"))
    assert {name: ours[name] for name in SKLEARN} == pytest.approx(SKLEARN_MASKED, abs=1e-12)


GOOD = b'{"file": "a.wav", "tags": ["x"]}\n'


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{", "line 2 is no JSON"),
        (b'{"file": "b", "tags": {"x": NaN}}', "line 2 is no JSON"),
        (b'{"file": "b", "tags": {"x": -Infinity}}', "line 2 is no JSON"),
        (b'{"file": "b", "tags": {"x": ' + b"9" * 5000 + b"}}", "line 2"),
        (b"[" * 100_000, "line 2 is no JSON"),
        (b"\xff\xfe", "line 2 is no text in UTF-8"),
        (b" " * (4 * 2**20 + 1), "line 2 is longer than 4 MiB"),
        (b"[]", "line 2 is no clip"),
        (b'{"tags": ["x"]}', "line 2: `file` is no name"),
        (b'{"file": "", "tags": ["x"]}', "line 2: `file` is no name"),
        (b'{"file": "' + b"b" * 501 + b'", "tags": ["x"]}', "line 2: `file` is no name"),
        (b'{"file": "b"}', "line 2: `tags` is missing"),
        (b'{"file": "b", "tags": "x"}', "line 2: `tags` is missing or not"),
        (b'{"file": "b", "tags": [1]}', "line 2: `tag` is no name"),
        (b'{"file": "b", "tags": {"x": 1e999}}', "line 2: `tags` has a value that is no number from 0 to 1"),
        (b'{"file": "b", "tags": {"x": 1.01}}', "line 2: `tags` has a value"),
        (b'{"file": "b", "tags": {"x": "1"}}', "line 2: `tags` has a value"),
        (json.dumps({"file": "b", "tags": ["x"] * 1001}).encode(), "line 2: more than 1,000 tags"),
        (
            json.dumps({"file": "b", "tags": dict.fromkeys(map(str, range(1001)), 1)}).encode(),
            "line 2: more than 1,000",
        ),
        (b'{"file": "b", "tags": [], "gains_db": [1]}', "line 2: `gains_db` is missing or not"),
        (b'{"file": "b", "tags": [], "gains_db": {"x": -1e9}}', "line 2: `gains_db` has a value"),
        (b'{"file": "b", "tags": [], "segments": {}}', "line 2: `segments` is no list"),
        (b'{"file": "b", "tags": [], "segments": [[0, 1]]}', "line 2: `segments` is no list"),
        (b'{"file": "b", "tags": [], "segments": [{"tag": "x", "onset": 0}]}', "line 2: `offset` has a value"),
        (b'{"file": "b", "tags": [], "segments": [{"tag": "x", "onset": 2, "offset": 1}]}', "line 2: `offset` has"),
        (b'{"file": "b", "tags": [], "segments": [{"tag": "x", "onset": -1, "offset": 1}]}', "line 2: `onset` has"),
        (b'{"file": "b", "tags": [], "segments": [{"onset": 0, "offset": 1}]}', "line 2: `tag` is no name"),
        (b'{"file": "b", "segments": [' + b",".join([b"{}"] * 2001) + b"]}", "line 2: more than 2,000 segments"),
        (GOOD, r"line 2: a\.wav was told of before, in line 1"),
    ],
)
def test_a_damaged_line_is_named(line: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(GOOD + line)
    good = tmp_path / "good.jsonl"
    good.write_bytes(GOOD)
    with pytest.raises(InputError, match=words):
        score.measure(record.source(path), ref=str(good), kind="tags")
    with pytest.raises(InputError, match=r"its reference x\.jsonl: " + words):
        score.measure(record.source(good), ref=str(path), kind="tags")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "begins with the line file,tag,probability"),
        ("a.wav,x\n", "begins with the line"),
        ("file\na.wav\n", "begins with the line"),
        ("file,x,x\na.wav,1,1\n", "begins with the line"),
        ("file,x\n", "tells of no clip"),
        ("file,x\na.wav\n", "line 2 has 1 columns, where the first has 2"),
        ("file,x\na.wav,yes\n", "line 2: 'yes' is no number"),
        ("file,x\na.wav,nan\n", "line 2: `tags` has a value"),
        ("file,x\n\na.wav,2\n", "line 3: `tags` has a value"),
        ("file,x\na.wav,1\na.wav,0\n", r"line 3: a\.wav was told of before, in line 2"),
        ("file,tag,probability\na.wav,x,1\na.wav,x,0\n", r"line 3: a\.wav was told to have x or not before"),
        ("file,tag,probability\na.wav,,1\n", "line 2: `tags` is no name"),
        ('file,x\n"a.wav,1\n', "line 2 is no row of a table"),
        ("file,x\n" + "a" * 200_000 + ",1\n", "line 2 is no row of a table"),
        ("file,x\n,1\n", "line 2: `file` is no name"),
    ],
)
def test_a_damaged_table_is_refused(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text, encoding="utf-8")
    good = tmp_path / "good.jsonl"
    good.write_bytes(GOOD)
    with pytest.raises(InputError, match=words):
        score.measure(record.source(path), ref=str(good))


def test_files_that_are_empty_or_missing_are_refused(tmp_path: Path) -> None:
    good, empty = tmp_path / "good.jsonl", tmp_path / "empty.jsonl"
    good.write_bytes(GOOD)
    empty.write_bytes(b"\n\n")
    with pytest.raises(InputError, match="tells of no clip"):
        score.measure(record.source(empty), ref=str(good))
    with pytest.raises(InputError, match=r"its reference none\.jsonl: can't be read \(no such file"):
        score.measure(record.source(good), ref=str(tmp_path / "none.jsonl"))
    with pytest.raises(InputError, match="give it by --ref"):
        score.measure(record.source(good))


def test_too_many_probabilities_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, found = grid()
    monkeypatch.setattr("clefkit.score.tags.figures.MOST_CELLS", 119)
    with pytest.raises(InputError, match="30 clips with 4 tags: more than 119"):
        tags.compare(truth, found)
    monkeypatch.setattr("clefkit.score.tags.clips.MOST_CLIPS", 29)
    with pytest.raises(InputError, match="more than 29 clips"):
        tags.compare(truth, found)


def test_what_is_printed_is_json() -> None:
    truth, found = grid()
    text = json.dumps(tags.compare(truth, found[:5]), allow_nan=False)
    assert math.isfinite(json.loads(text)["tag_map"])
