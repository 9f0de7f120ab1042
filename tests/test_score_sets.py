"""score, many files: pairs, missing ones, totals, the gate, baselines, reports."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from conftest import Shell

from clefkit import audio, notes, record
from clefkit.errors import UsageError
from clefkit.record import Source
from clefkit.score import baseline, gate, kinds, sets, totals
from clefkit.score import notes as kind

MEASURES = tuple(each.name for each in kind.MEASURES)


def row(name: str, value: float, **more: Any) -> dict[str, Any]:
    return {"file": name, "kind": "notes", "protocol": "mirex", **dict.fromkeys(MEASURES, value), **more}


def problems(rows: list[dict[str, Any]], limits: gate.Gate, missing: list[str] | None = None) -> list[str]:
    return [f"{check.file}: {check.problem}" for check in limits.checks(rows, missing or []) if check.problem]


def at_least(*texts: str, each: tuple[str, ...] = (), expect: int | None = None) -> gate.Gate:
    return gate.Gate(gate.limits(texts, ()), gate.limits(each, ()), expect)


# totals


def test_missing_files_count_as_zero() -> None:
    found = totals.summary([row("a", 0.9), row("b", 0.6)], missing=1)["note_f1"]
    assert (found.files, found.missing) == (2, 1)
    assert found.mean == pytest.approx(0.5)
    assert found.median == 0.6
    assert totals.summary([row("a", 0.2), row("b", 0.4)])["frame_f1"].median == pytest.approx(0.3)
    assert totals.summary([]) == {}


def test_a_measure_that_makes_no_sense_for_a_file_leaves_it_out() -> None:
    found = totals.summary([{"note_f1": 0.5, "note_recall": 1.0}, {"note_f1": 0.7}])
    assert (found["note_recall"].files, found["note_recall"].mean) == (1, 1.0)
    assert found["note_f1"].files == 2
    assert found["note_f1"].mean == pytest.approx(0.6)
    assert "frame_f1" not in found


def test_no_mean_where_a_missing_file_can_not_be_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    distance = kinds.Measure("distance", "of sounds", "dB", higher_is_better=False, missing=None)
    monkeypatch.setattr(kind, "MEASURES", (*kind.MEASURES, distance))
    rows = [{"distance": 2.0, "file": "a"}, {"distance": 4.0, "file": "b"}]
    assert totals.summary(rows)["distance"].mean == 3.0
    assert totals.summary(rows, missing=1)["distance"].mean is None
    most = gate.Gate(gate.limits((), ("distance=3.5",)))
    assert problems(rows, most) == []
    assert problems(rows, most, ["c"]) == [": the mean distance can't be told, for 1 could not be measured"]
    assert problems(rows, gate.Gate(gate.limits((), ("distance=2.5",)))) == [": the mean distance is 3, above 2.5"]


def test_the_interval_is_that_of_the_bootstrap() -> None:
    values = np.random.default_rng(1).beta(5, 2, 60)
    found = totals.summary([{"note_f1": value} for value in values])["note_f1"]
    rng = np.random.default_rng(2)
    means = [rng.choice(values, len(values)).mean() for _ in range(20_000)]
    assert [found.low, found.high] == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=0.003)
    assert totals.summary([{"note_f1": 0.5}])["note_f1"].low is None
    again = totals.summary([{"note_f1": value} for value in values])["note_f1"]
    assert again == found


# the gate


def test_thresholds_on_the_mean_and_on_each() -> None:
    rows = [row("a.mid", 0.9), row("b.mid", 0.5)]
    assert problems(rows, at_least("note_f1=.7", each=("note_f1=.5",), expect=2)) == []
    assert problems(rows, at_least("note_f1=.71")) == [": the mean note_f1 is 0.7, below 0.71"]
    assert problems(rows, at_least(each=("frame_f1=.6",))) == ["b.mid: frame_f1 is 0.5, below 0.6"]


def test_a_missing_file_lowers_the_mean_and_fails_each() -> None:
    found = problems([row("a.mid", 0.8)], at_least("note_f1=.5", each=("note_f1=.5",)), ["b.mid"])
    assert found == [
        ": the mean note_f1 is 0.4, below 0.5",
        "b.mid: note_f1 is missing: it could not be measured",
    ]


def test_expect_counts_measured_files() -> None:
    assert problems([row("a", 1.0)], at_least(expect=2)) == [": 1 measured, where 2 files were expected"]
    assert problems([row("a", 1.0)] * 3, at_least(expect=2)) == [": 3 measured, where 2 files were expected"]
    assert len(problems([], at_least("note_f1=.5", expect=2))) == 2
    assert problems([row("a", 1.0)], at_least("note_f1=.9", expect=2))[1] == ": the mean note_f1 is 0.5, below 0.9"


def test_no_threshold_is_met_by_accident() -> None:
    assert problems([], at_least("note_f1=0")) == [": a threshold was given, but nothing was measured"]
    assert len(problems([], at_least(each=("note_f1=.5",)), ["a", "b"])) == 1
    assert problems([], at_least()) == []
    assert len(problems([row("a", float("nan"))], at_least("note_f1=0", each=("note_f1=0",)))) == 2
    absent = [": no file has a note_f1: there is nothing to measure"]
    assert problems([{"file": "a"}], at_least("note_f1=0")) == absent
    assert problems([{"file": "a"}], at_least(each=("note_f1=0",))) == absent


@pytest.mark.parametrize("text", ["f1=.5", "note_f1", "note_f1=much", "note_f1=nan", "=.5"])
def test_a_threshold_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        gate.limits((text,), ())


def test_least_is_not_asked_of_what_is_better_when_it_is_less() -> None:
    with pytest.raises(UsageError, match="use --min or --min-each"):
        gate.limits((), ("note_f1=.5",))


# names, pairs, groups


def test_names_in_a_set_do_not_depend_on_where_it_lies() -> None:
    assert sets.short(["/tmp/1/x/a.mid", "/tmp/1/y/a.mid"]) == {
        "/tmp/1/x/a.mid": "x/a.mid",
        "/tmp/1/y/a.mid": "y/a.mid",
    }
    assert sets.short(["out/a.mid"]) == {"out/a.mid": "a.mid"}
    assert sets.short([]) == {}


def test_a_list_may_hold_ends_of_lines_in_quotes(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text('estimate,reference,about\r\nx.mid,y.mid,"two\nlines"\r\n', encoding="utf-8")
    found = sets.pairs(tmp_path / "pairs.csv")
    assert found.references == {str(tmp_path / "x.mid"): str(tmp_path / "y.mid")}
    assert found.fields[str(tmp_path / "x.mid")]["about"] == "two\nlines"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "line 2 needs an estimate and a reference"),
        ("estimate,reference\nx.mid,\n", "line 2 needs an estimate"),
        ("estimate,reference\nx.mid,y.mid\nx.mid,z.mid\n", "line 3 names x.mid again"),
        ("estimate,reference\n", "holds no pairs"),
        ("", "holds no pairs"),
        ("estimate,reference\n\xe4", "not a CSV file in UTF-8"),
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=message):
        sets.pairs(path)
    with pytest.raises(UsageError, match="can't be read"):
        sets.pairs(tmp_path / "none.csv")


FIELDS = ("preset", "preset.level", "font", "instrument", "seed", "human")


def test_fields_are_found_along_the_records(tmp_path: Path) -> None:
    parts = [{"timbre": {"preset": "Violin", "font": "F"}}, {"timbre": {"preset": "Piano", "font": "F"}}]
    first = kept(tmp_path / "x.wav", {"stage": "render", "seed": 3, "parts": parts, "options": {"human": 0.5}})
    second = kept(tmp_path / "x.hall.wav", {"from": first, "seed": 7, "preset": {"name": "hall", "level": 3}})
    third = kept(tmp_path / "x.hall.notes.mid", {"from": second, "checkpoint": {"name": "notes-1"}})
    source = Source(tmp_path / "x.hall.notes.mid", record.load(tmp_path / "x.hall.notes.mid.json"), third["sha256"])
    found = {field: sets.values(source, field) for field in FIELDS}
    assert found == {
        "preset": ["hall"],
        "preset.level": ["3"],
        "font": ["F"],
        "instrument": ["Piano", "Violin"],
        "seed": ["7"],
        "human": ["0.5"],
    }
    assert (sets.values(source, "checkpoint"), sets.values(source, "colour")) == (["notes-1"], ["unknown"])
    assert (sets.values(source, "model"), sets.values(source, "render.seed")) == (["notes-1"], ["3"])


def test_a_choice_that_was_not_drawn_is_no_value(tmp_path: Path) -> None:
    options = {"presets": [{"name": "hall", "effect": [{"room": ["a", "b"]}]}, {"name": "dry"}], "label": "x"}
    drawn = {"a": [{"kind": "room", "room": "a"}], "none": [{"kind": "noise"}]}
    for name, effects in drawn.items():
        kept(tmp_path / name, {"stage": "augment", "options": options, "preset": {"name": name, "drawn": effects}})
    found = [sets.values(record.source(tmp_path / name), "room") for name in drawn]
    assert found == [["a"], ["unknown"]]
    assert sets.values(record.source(tmp_path / "a"), "label") == ["x"]


def kept(path: Path, facts: dict[str, Any]) -> dict[str, str]:
    path.write_bytes(path.name.encode())
    entry = {"file": path.name, "sha256": record.sha256(path)}
    record.beside(path).write_text(record.encode(entry | facts), encoding="utf-8")
    return entry


# baselines


def compared(before: dict[str, float], now: dict[str, float], *tolerances: str) -> baseline.Comparison:
    first = baseline.Baseline(
        "notes", "mirex", ["note_f1"], {name: {"note_f1": value} for name, value in before.items()}
    )
    rows = {name: {"file": name, "kind": "notes", "protocol": "mirex", "note_f1": value} for name, value in now.items()}
    return baseline.compare(first, rows, baseline.tolerances(tolerances))


def told(found: baseline.Comparison) -> list[str]:
    return [check.problem for check in found.checks if check.problem]


def test_a_fall_past_the_tolerance_is_told_with_its_files() -> None:
    found = compared({"a": 0.9, "b": 0.8, "c": 0.7}, {"a": 0.9, "b": 0.5, "c": 0.72})
    assert told(found) == ["note_f1 fell from 0.8 to 0.7067, by more than 0.01"]
    assert [(line["file"], line["now"]) for line in found.fell] == [
        ("mean", pytest.approx(0.70667, abs=1e-4)),
        ("b", 0.5),
    ]
    assert told(compared({"a": 0.9, "b": 0.8}, {"a": 0.9, "b": 0.785})) == []
    assert told(compared({"a": 0.9, "b": 0.8}, {"a": 0.9, "b": 0.785}, "0.001")) != []
    assert told(compared({"a": 0.9, "b": 0.8}, {"a": 0.9, "b": 0.5}, "note_f1=.2", "0.001")) == []


def test_a_file_of_the_baseline_that_is_gone_counts_as_missing() -> None:
    found = compared({"a": 0.9, "b": 0.8}, {"a": 0.9})
    assert told(found) == ["note_f1 fell from 0.85 to 0.45, by more than 0.01"]
    assert found.fell[1] == {"measure": "note_f1", "file": "b", "baseline": 0.8, "now": 0.0, "change": -0.8}


def test_new_files_and_better_figures_are_noted() -> None:
    found = compared({"a": 0.5}, {"a": 0.9, "b": 0.1})
    assert told(found) == []
    assert found.notes[0].startswith("note_f1 is better than the baseline, 0.9 after 0.5")
    assert found.notes[1].startswith("1 not in the baseline, such as b")


def test_a_number_that_is_none_is_a_fall() -> None:
    assert told(compared({"a": 0.5}, {"a": float("nan")})) != []


def test_another_protocol_is_not_compared() -> None:
    first = baseline.Baseline("notes", "mt3", ["note_f1"], {"a": {"note_f1": 0.1}})
    found = baseline.compare(first, {"a": row("a", 0.9)}, baseline.tolerances(()))
    assert told(found) == [
        "the baseline is of the protocol mt3, not mirex: --update-baseline, when that is meant",
    ]
    found = baseline.compare(first._replace(kind="beats"), {"a": row("a", 0.9)}, baseline.tolerances(()))
    assert told(found) == ["the baseline is of the kind beats, not notes: --update-baseline, when that is meant"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": 1}', "[" * 100_000, '{"files": []}'])
def test_what_is_no_baseline_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="not a baseline: --update-baseline makes one"):
        baseline.read(path)
    with pytest.raises(UsageError, match="no such baseline"):
        baseline.read(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("measures", [], "judges nothing"),
        ("files", {}, "judges nothing"),
        ("measures", ["loveliness"], "judges 'loveliness', which is none"),
        ("measures", ["note_f1", "drum_f1"], "judges 'drum_f1', which no file of it has"),
        ("files", {"a": {"note_f1": float("nan")}}, "not a baseline"),
        ("files", {"a": {"note_f1": 1e999}}, "not a baseline"),
        ("files", {"a": {"note_f1": "1"}}, "not a baseline"),
    ],
)
def test_a_baseline_that_would_judge_nothing_is_refused(tmp_path: Path, key: str, value: Any, message: str) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(baseline.text({"a": {"kind": "notes", "protocol": "mirex", "note_f1": 1.0}}, None))
    assert baseline.read(path).files == {"a": {"note_f1": 1.0}}
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(UsageError, match=message):
        baseline.read(path)


@pytest.mark.parametrize("text", ["-1", "note_f1=-1", "much", "note_f1=much", "nan", "note_f1=nan", "loveliness=1"])
def test_a_tolerance_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        baseline.tolerances([text])


# the program


@pytest.fixture
def sung(tmp_path: Path) -> Path:
    """truth/ with a, b, c; found/ with a right, b half right."""
    for folder in ("truth", "found"):
        (tmp_path / folder).mkdir()
    for name in "abc":
        notes.write_midi(tmp_path / "truth" / f"{name}.mid", notes.make([0, 1], [0.5, 1.5], [60, 62]))
    notes.write_midi(tmp_path / "found" / "a.notes.mid", notes.make([0, 1], [0.5, 1.5], [60, 62]))
    notes.write_midi(tmp_path / "found" / "b.notes.mid", notes.make([0, 1], [0.5, 1.5], [60, 65]))
    return tmp_path


def cases(path: Path) -> dict[str, str]:
    """What a JUnit file says of each test: "", "failure" or "error"."""
    found = ET.parse(path).getroot()
    suite = found[0]
    assert int(suite.attrib["tests"]) == len(suite)
    result = {
        case.attrib["name"]: "".join(each.tag for each in case if each.tag in {"failure", "error"}) for case in suite
    }
    assert int(suite.attrib["failures"]) == list(result.values()).count("failure")
    assert int(suite.attrib["errors"]) == list(result.values()).count("error")
    return result


def test_a_set_that_passes(sung: Path, shell: Shell) -> None:
    done = shell(
        "clefkit score found/a.notes.mid --ref truth --subset --expect 1 --junit j.xml"
        " --min note_f1=1 --min-each note_f1=1"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert cases(sung / "j.xml") == {"found/a.notes.mid": "", "1 files": "", "mean note_f1 >= 1": ""}


def test_a_set_that_fails(sung: Path, shell: Shell) -> None:
    done = shell("clefkit score found/*.mid --ref truth --subset --min note_f1=.9 --min-each note_f1=.8 --junit j.xml")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "clefkit score: the mean note_f1 is 0.75, below 0.9",
        "clefkit score: found/b.notes.mid: note_f1 is 0.5, below 0.8",
    ]
    assert cases(sung / "j.xml") == {
        "found/a.notes.mid": "",
        "found/b.notes.mid": "failure",
        "mean note_f1 >= 0.9": "failure",
    }


def test_a_reference_without_an_estimate_is_missing(sung: Path, shell: Shell) -> None:
    done = shell("clefkit score found/*.mid --ref truth --min note_f1=.7 --junit j.xml --summary")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "clefkit score: truth/c.mid: no estimate was given: it counts as missing, or say --subset",
        "clefkit score: the mean note_f1 is 0.5, below 0.7",
    ]
    assert cases(sung / "j.xml")["truth/c.mid"] == "error"
    line = next(line.split("\t") for line in done.stdout.splitlines() if line.startswith("note_f1\t"))
    assert line[1:4] == ["2", "1", "0.500"]


def test_folders_in_folders_are_matched(sung: Path, shell: Shell) -> None:
    shell(
        "for y in 1 2; do for d in truth found; do mkdir $d/$y && cp $d/[ab].* $d/$y; done; done;"
        " rm truth/*.mid found/*.mid"
    )
    notes.write_midi(sung / "truth" / "2" / "a.mid", notes.make([5], [6], [60]))
    done = shell("find found -name '*.mid' | sort | clefkit score --ref truth --csv")
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert [line["reference"] for line in rows] == [f"truth/{year}/{name}.mid" for year in "12" for name in "ab"]
    assert [float(line["note_f1"]) for line in rows] == [1.0, 0.5, 0.0, 0.5]
    assert (done.returncode, done.stderr) == (0, "")
    done = shell("clefkit score found/1/*.mid --ref truth")
    assert "truth/2/a.mid: no estimate was given" in done.stderr


def test_a_corrupt_estimate_costs_only_itself(sung: Path, shell: Shell) -> None:
    (sung / "found" / "c.notes.mid").write_bytes(b"MThd nonsense")
    done = shell("clefkit score found/*.mid --ref truth --min note_f1=.1 --junit j.xml")
    assert done.returncode == 1
    assert "found/c.notes.mid: " in done.stderr
    assert len(done.stdout.splitlines()) == 3
    assert cases(sung / "j.xml") == {
        "found/a.notes.mid": "",
        "found/b.notes.mid": "",
        "found/c.notes.mid": "error",
        "mean note_f1 >= 0.1": "",
    }


def test_an_empty_stream_meets_no_threshold(sung: Path, shell: Shell) -> None:
    done = shell("true | clefkit score --min note_f1=0 --junit j.xml")
    assert done.returncode == 1
    assert cases(sung / "j.xml") == {"something to measure": "failure"}
    done = shell("true | clefkit score --expect 3 --junit j.xml")
    assert done.returncode == 1
    assert cases(sung / "j.xml") == {"3 files": "failure"}
    assert shell("true | clefkit score").returncode == 0


def test_a_list_of_pairs_with_groups(sung: Path, shell: Shell) -> None:
    (sung / "lists").mkdir()
    (sung / "lists" / "pairs.csv").write_text(
        "reference,estimate,room\n../truth/a.mid,../found/a.notes.mid,hall\n../truth/b.mid,../found/b.notes.mid,hall\n"
        "../truth/c.mid,../found/c.notes.mid,bath\n",
        encoding="utf-8",
    )
    done = shell("clefkit score --pairs lists/pairs.csv --by room --csv")
    assert done.returncode == 1
    assert "c.notes.mid: no such file" in done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines()))
    of_f1 = {line["room"]: line for line in rows if line["measure"] == "note_f1"}
    assert [(key, line["files"], line["missing"], float(line["mean"])) for key, line in of_f1.items()] == [
        ("bath", "0", "1", 0.0),
        ("hall", "2", "0", 0.75),
    ]
    assert shell("clefkit score found/a.notes.mid --pairs lists/pairs.csv").returncode == 2


def test_csv_and_json_hold_every_number(sung: Path, shell: Shell) -> None:
    line = next(csv.DictReader(shell("clefkit score found/a.notes.mid --ref truth/a.mid --csv").stdout.splitlines()))
    row = json.loads(shell("clefkit score found/a.notes.mid --ref truth/a.mid --json").stdout)
    assert {"note_f1", "frame_f1", "ref_notes"} <= line.keys() & row.keys()
    assert all(float(line[name]) == row[name] for name in MEASURES if name in row)
    assert row["definition"].startswith("mir_eval")
    assert shell("clefkit score found/a.notes.mid --ref truth/a.mid --csv --json").returncode == 2


def test_a_baseline_from_writing_to_falling(sung: Path, shell: Shell) -> None:
    score = "clefkit score found/a.notes.mid found/b.notes.mid --ref truth --subset --baseline base.json"
    assert shell(score).returncode == 2  # there is none yet
    done = shell(f"{score} --update-baseline")
    assert (done.returncode, done.stderr) == (0, "")
    assert shell(f"cp -r found elsewhere && {score.replace('found/', 'elsewhere/')}").returncode == 0
    notes.write_midi(sung / "found" / "a.notes.mid", notes.make([0, 1], [0.5, 1.5], [61, 62]))
    done = shell(f"{score} --junit j.xml")
    assert done.returncode == 1
    assert "clefkit score: note_f1 fell from 0.75 to 0.5, by more than 0.01" in done.stderr
    assert "note_f1\ta.notes.mid\t1.000\t0.500\t-0.500" in done.stderr
    assert cases(sung / "j.xml")["note_f1 as before"] == "failure"
    before = (sung / "base.json").read_bytes()
    assert shell(f"{score} found/c.notes.mid --update-baseline").returncode == 1  # not everything was measured
    assert (sung / "base.json").read_bytes() == before
    assert shell(f"{score} --tolerance .4").returncode == 0
    judged = json.loads(before) | {"measures": ["frame_f1"]}
    (sung / "base.json").write_text(json.dumps(judged), encoding="utf-8")
    assert shell(f"{score} --update-baseline").returncode == 0
    assert json.loads((sung / "base.json").read_bytes())["measures"] == ["frame_f1"]
    assert shell(score).returncode == 0


def test_a_baseline_needs_something_to_measure(sung: Path, shell: Shell) -> None:
    shell("clefkit score found/a.notes.mid --ref truth/a.mid --baseline base.json --update-baseline")
    done = shell("true | clefkit score --baseline base.json")
    assert (done.returncode, done.stderr) == (
        1,
        "clefkit score: there is a baseline, but nothing was measured\n",
    )


def test_reports_are_written_whole_or_not_at_all(sung: Path, shell: Shell) -> None:
    (sung / "j.xml").mkdir()
    done = shell("clefkit score found/a.notes.mid --ref truth/a.mid --junit j.xml")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert not list(sung.glob(".*"))


def test_reports_go_through_links_and_into_pipes(sung: Path, shell: Shell) -> None:
    (sung / "j.xml").symlink_to("reports/real.xml")
    shell("clefkit score found/a.notes.mid --ref truth/a.mid --junit j.xml")
    done = shell(
        "mkfifo fifo; cat fifo > got.xml & clefkit score found/a.notes.mid --ref truth/a.mid --junit fifo; wait"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (sung / "fifo").is_fifo()
    assert (sung / "j.xml").is_symlink()
    assert cases(sung / "got.xml") == cases(sung / "reports" / "real.xml") == {"found/a.notes.mid": ""}


def test_a_report_that_can_not_be_written_costs_nothing_else(sung: Path, shell: Shell) -> None:
    (sung / "taken").touch()
    done = shell(
        "clefkit score found/*.mid --ref truth --subset --junit taken/j.xml --plot taken --summary --min note_f1=.9"
        " --baseline b.json --update-baseline"
    )
    assert done.returncode == 1
    assert [line.split(" ", 2)[2] for line in done.stderr.splitlines()] == [
        "taken/a.notes.svg: can't be written (file exists)",
        "taken/b.notes.svg: can't be written (file exists)",
        "taken/j.xml: can't be written (file exists)",
        "taken/index.html: can't be written (file exists)",
        "the mean note_f1 is 0.75, below 0.9",
    ]
    assert "note_f1\t2\t0\t0.750" in done.stdout
    assert len(json.loads((sung / "b.json").read_text())["files"]) == 2


def test_a_gate_is_judged_whoever_stops_reading(sung: Path, shell: Shell) -> None:
    shell("for k in $(seq 100); do cp found/b.notes.mid found/b.$k.notes.mid; done")
    score = "clefkit score found/b.*.mid --ref truth --subset --json"
    assert shell(f"{score} | head -n 1 > /dev/null").returncode == 0
    done = shell(f"{score} --min note_f1=.9 --junit j.xml | head -n 1 > /dev/null")
    assert done.returncode == 1
    assert done.stderr == "clefkit score: the mean note_f1 is 0.5, below 0.9\n"
    assert len(cases(sung / "j.xml")) == 102


def test_two_runs_may_write_the_same_reports(sung: Path, shell: Shell) -> None:
    line = "clefkit score found/*.mid --ref truth --subset --junit j.xml --plot rolls"
    done = shell(f"({line} & {line} & {line} & wait)")
    assert done.stderr == ""
    assert len(cases(sung / "j.xml")) == 2
    assert not list(sung.rglob(".*"))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_any_name_goes_into_every_report_and_comes_back(sung: Path, shell: Shell) -> None:
    names = [b"bad\xff", "ü".encode(), b"new\nline", b"tab\there", b"-dash", b"[bold]:smile:", b"esc\x1b[31m", b'q"&<']
    for name in names:
        (sung / "found" / os.fsdecode(name + b".notes.mid")).write_bytes((sung / "found/a.notes.mid").read_bytes())
    score = "cd found; rm -f [ab].notes.mid; printf '%s\\0' * | clefkit score -0 --ref ../truth/a.mid"
    written = "--update-baseline --junit ../j.xml --plot ../rolls > ../out"
    assert shell(f"{score} --baseline ../b.json {written}").returncode == 0
    done = shell(f"{score} --baseline ../b.json --json")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert sorted(os.fsencode(json.loads(line)["file"]) for line in lines) == sorted(
        name + b".notes.mid" for name in names
    )
    assert len(cases(sung / "j.xml")) == len(names)
    assert len(list((sung / "rolls").glob("*.svg"))) == len(names)


def test_rolls_of_the_same_name_get_numbers(sung: Path, shell: Shell) -> None:
    for name in ("x/song", "y/song", "z/Song", "z/song-2"):
        (sung / name).parent.mkdir(exist_ok=True)
        (sung / f"{name}.mid").write_bytes((sung / "truth/a.mid").read_bytes())
    done = shell("clefkit score [xyz]/*.mid --ref truth/a.mid --plot rolls")
    assert (done.returncode, done.stderr) == (0, "")
    rolls = {path.name for path in (sung / "rolls").glob("*.svg")}
    assert rolls == {"song.svg", "song-2.svg", "Song-3.svg", "song-2-2.svg"}
    page = (sung / "rolls" / "index.html").read_text(encoding="utf-8")
    assert all(f'src="./{name}"' in page for name in rolls)


def test_a_field_that_no_record_has_is_told(sung: Path, shell: Shell) -> None:
    done = shell("clefkit score found/*.mid --ref truth --subset --by nonsense")
    assert done.returncode == 0
    assert done.stderr == "clefkit score: no record of a file, nor of what it was made from, has a field 'nonsense'\n"
    assert done.stdout.splitlines()[1].startswith("unknown\tnote_precision\t2\t")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--ref nowhere", "--ref nowhere: no such file or folder"),
        ("--ref truth --tolerance .1", "--tolerance: say of which baseline with --baseline"),
        ("--ref truth --update-baseline", "--update-baseline: say of which baseline with --baseline"),
    ],
)
def test_options_that_can_not_be_meant_are_refused(sung: Path, shell: Shell, options: str, message: str) -> None:
    done = shell(f"clefkit score found/*.mid {options}")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"clefkit score: {message}\n")


@pytest.mark.skipif(not shutil.which("script"), reason="needs a terminal")
def test_a_terminal_of_80_columns_shows_names_as_they_are_and_all_columns(sung: Path, shell: Shell) -> None:
    (sung / "[bold]:smile:\x1b[31m.mid").write_bytes((sung / "truth/a.mid").read_bytes())
    line = "stty cols 80; clefkit score [[]*.mid --ref truth/a.mid --protocol maestro-sustain 2> err"
    drawn = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shell(f"script -qec '{line}' /dev/null").stdout).replace("\r", "")
    lines = drawn.splitlines()
    assert max(map(len, lines)) <= 80
    heads = " ".join(lines[: next(number for number, each in enumerate(lines) if "───" in each)]).split()
    assert {"file", "precision", "recall", "frame", "protocol"} <= set(heads)
    assert "drum" not in heads  # no file has any
    column = [each.split()[0] for each in lines if each.strip() and "───" not in each]
    assert "".join(column[column.index("file") + 1 :]).startswith(r"[bold]:smile:\x1b[31m.mid")


def test_kinds_are_not_mixed(sung: Path, shell: Shell) -> None:
    assert shell("clefkit score found/a.notes.mid --as songs").returncode == 2
    assert shell("clefkit score found/a.notes.mid --protocol olympic").returncode == 2


def test_all_measures_are_listed(shell: Shell) -> None:
    listed = [json.loads(line) for line in shell("clefkit score --measures --json").stdout.splitlines()]
    names = [line["name"] for line in listed if not line["name"].startswith("--")]
    assert len(names) == len(set(names)) == sum(len(kinds.kind(name).MEASURES) for name in kinds.KINDS)
    assert all(line["about"] for line in listed)


def test_a_protocol_that_only_one_kind_has_says_the_kind(sung: Path, shell: Shell) -> None:
    found = "clefkit score found/a.notes.mid --ref truth/a.mid"
    assert json.loads(shell(f"{found} --protocol maestro-sustain --json").stdout)["kind"] == "notes"
    assert "MIDI without a time signature" in shell(f"{found} --protocol performance").stderr
    assert shell(f"{found} --protocol performance --as notes").returncode == 2
    assert json.loads(shell(f"{found} --protocol mirex --json").stdout)["kind"] == "notes"  # beats have one, too


def test_a_single_file_of_clips_has_an_interval_of_its_own(tmp_path: Path, shell: Shell) -> None:
    clips = [{"file": f"{number}.wav", "tags": {"oboe": number % 2}} for number in range(12)]
    found = [clip | {"tags": {"oboe": 0.6 if number % 3 else 0.2}} for number, clip in enumerate(clips)]
    for name, lines in (("truth", clips), ("found", found)):
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        (tmp_path / f"{name}.jsonl").write_text(text, encoding="utf-8")
    done = shell("clefkit score found.jsonl --ref truth.jsonl --summary --json")
    total = next(row for row in map(json.loads, done.stdout.splitlines()) if row["measure"] == "tag_f1")
    assert total["low"] < total["mean"] < total["high"]


# stems


@pytest.fixture
def mixtures(tmp_path: Path) -> Path:
    """truth/ and found/ of two mixtures with two stems each, those found a little wrong; records as separate keeps."""
    rng = np.random.default_rng(5)
    for track in ("one", "two"):
        for folder in ("truth", "found"):
            (tmp_path / folder / track).mkdir(parents=True, exist_ok=True)
        stems = rng.normal(0, 0.1, (2, 1, 16_000)).astype(np.float32)
        audio.write(tmp_path / f"{track}.wav", audio.Audio(stems.sum(axis=0), 8_000))
        for name, stem in zip(("flute", "horn"), stems, strict=True):
            audio.write(tmp_path / "truth" / track / f"{name}.wav", audio.Audio(stem, 8_000))
            path = tmp_path / "found" / track / f"{track}.{name}.wav"
            audio.write(path, audio.Audio(stem + rng.normal(0, 0.01, stem.shape).astype(np.float32), 8_000))
            origin = {"file": f"../../{track}.wav", "sha256": record.sha256(tmp_path / f"{track}.wav")}
            entry = {"file": path.name, "sha256": record.sha256(path), "stage": "separate", "from": origin}
            record.beside(path).write_text(record.encode(entry), encoding="utf-8")
    return tmp_path


def test_stems_are_measured_by_mixture(mixtures: Path, shell: Shell) -> None:
    done = shell("clefkit score found/*/*.wav --ref truth --json --expect 2 --min sdr=15")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["kind"], row["file"], row["ref_stems"], row["est_stems"]) for row in rows] == [
        ("separation", "found/one/one.flute.wav", 2, 2),
        ("separation", "found/two/two.flute.wav", 2, 2),
    ]
    assert [row["si_sdr"] for row in rows] == pytest.approx([20.0, 20.0], abs=0.3)
    piped = shell("ls found/*/*.wav | clefkit score --ref truth --json --jobs 1")
    assert piped.stdout == done.stdout


def test_stems_without_records_belong_together_by_folder_and_name(mixtures: Path, shell: Shell) -> None:
    shell("rm found/*/*.json")
    both = shell("clefkit score found/*/*.wav --ref truth --as separation --json")
    assert [json.loads(line)["est_stems"] for line in both.stdout.splitlines()] == [2, 2]
    shell("mkdir flat && cp found/*/*.wav flat")
    flat = shell("clefkit score flat/*.wav --ref truth --as separation --json")
    assert [json.loads(line)["est_stems"] for line in flat.stdout.splitlines()] == [2, 2]


def test_a_mixture_that_was_not_separated_is_missing(mixtures: Path, shell: Shell) -> None:
    done = shell("clefkit score found/one/*.wav --ref truth --min sdr=1 --json")
    assert done.returncode == 1
    assert "truth/two" in done.stderr


def test_sound_restored_against_the_clean_one(mixtures: Path, shell: Shell) -> None:
    done = shell("clefkit score found/one/one.flute.wav --as enhancement --ref truth/one/flute.wav --json --max lsd=9")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["si_sdr_aligned"] == pytest.approx(20.0, abs=0.3)
