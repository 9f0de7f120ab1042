"""score: references are found, and moved as the records say."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clefkit import notes, record, score
from clefkit.errors import InputError
from clefkit.score import notes as kind

MEASURES = tuple(each.name for each in kind.MEASURES)


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
    assert {key for key in (*kind.COLUMNS, *MEASURES) if not key.startswith("drum")} <= found.keys()
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


def test_what_the_pedal_holds_is_moved_with_its_notes(tmp_path: Path) -> None:
    held = notes.make([0.0, 1.0], [0.5, 1.5], [60, 62], sounding=[1.25, 3.0])
    notes.write_jsonl(tmp_path / "x.ref.jsonl", held, 1000, 9000)
    named = {"file": "x.ref.jsonl", "sha256": record.sha256(tmp_path / "x.ref.jsonl")}
    first = keep(tmp_path / "x.wav", {"reference": named, "clock": STILL})
    slow = keep(tmp_path / "x.slow.wav", {"from": first, "clock": {"offset_s": 1.0, "rate": 2.0}})
    heard = notes.make([1.0, 3.0], [3.5, 7.0], [60, 62])
    notes.write_jsonl(tmp_path / "x.slow.notes.jsonl", heard, 1000, 9000)
    keep(tmp_path / "x.slow.notes.jsonl", {"stage": "transcribe", "from": slow})
    estimate = record.source(tmp_path / "x.slow.notes.jsonl")
    assert score.measure(estimate, protocol="maestro-sustain")["note_offset_f1"] == 1.0
    assert score.measure(estimate)["note_offset_f1"] == 0.0


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


@pytest.mark.parametrize("junk", [None, 5, "x", [], [1], {"file": 5}, {"file": ["x"], "sha256": 5}, {"file": "a\0b"}])
@pytest.mark.parametrize("key", ["from", "reference", "stage", "clock"])
def test_a_damaged_record_leads_nowhere(tmp_path: Path, key: str, junk: Any) -> None:
    origin = keep(tmp_path / "x.wav", {"stage": "render", key: junk})
    estimate = keep_estimate(tmp_path / "x.notes.jsonl", [1.0], origin)
    with pytest.raises(InputError):
        score.measure(estimate)
    data = {**estimate.record, key: junk}
    record.beside(estimate.path).write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(InputError):
        score.measure(record.source(estimate.path))


def test_a_record_that_is_no_file_or_too_large_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.mid.json")
    assert record.load(tmp_path / "x.mid.json") == {}
    (tmp_path / "y.mid.json").write_text("[" * 100_000)
    assert record.load(tmp_path / "y.mid.json") == {}
    with (tmp_path / "z.mid.json").open("wb") as file:
        file.truncate(2**33)
    assert record.load(tmp_path / "z.mid.json") == {}


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
