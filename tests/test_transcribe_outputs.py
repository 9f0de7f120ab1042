"""transcribe: what it writes beside the notes, and how the notes become MIDI."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_graphs
from conftest import Shell
from numpy.typing import NDArray

from clefkit import audio, features, midi, notes, transcribe
from clefkit.audio import Audio
from clefkit.errors import UsageError
from clefkit.record import Source
from clefkit.spool import Spool
from clefkit.transcribe import bends, playback, roll, settings

Array = NDArray[np.float32]
RATE = features.RATE


def tone(pitch: float, cents: NDArray[np.float64], partials: int = 6) -> Array:
    """A harmonic tone whose pitch moves; cents: (samples,)"""
    hertz = 440 * 2 ** ((pitch - 69 + cents / 100) / 12)
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    sound = sum(np.sin(k * phase) / k for k in range(1, partials + 1))
    fade = np.minimum(1, np.minimum(np.arange(len(cents)), np.arange(len(cents))[::-1]) / 200)
    return np.asarray(0.2 * fade * sound, np.float32)


def spectrum(sound: Array) -> Spool:
    seen = Spool((features.BINS,), np.uint8)
    seen.push(features.stored(features.compute(sound)[:, 0]))
    return seen


@pytest.mark.parametrize("pitch", [45, 57, 64, 76, 88])
@pytest.mark.parametrize("cents", [-45, -20, 0, 33])
def test_the_tuning_of_a_steady_tone_is_known_to_five_cents(pitch: int, cents: int) -> None:
    rows = spectrum(tone(pitch, np.full(RATE, float(cents)))).read(8, 36)
    assert np.abs(bends.curve(rows, pitch) - cents).max() < 5


def test_vibrato_is_followed() -> None:
    time = np.arange(2 * RATE) / RATE
    truth = 50 * np.sin(2 * np.pi * 5 * time)
    found = bends.curve(spectrum(tone(76, truth)).read(4, 82), 76)
    expected = truth[np.arange(4, 82) * features.HOP]
    assert np.corrcoef(found, expected)[0, 1] > 0.97
    assert 35 < found.std() * 2**0.5 < 55


def test_silence_has_no_bends() -> None:
    assert np.isfinite(bends.curve(np.zeros((5, features.BINS), np.uint8), 60)).all()
    assert bends.curve(np.zeros((1, features.BINS), np.uint8), 108).shape == (1,)


def test_a_note_alone_has_its_curve_and_a_chord_the_tuning() -> None:
    seconds = [
        tone(69, np.full(RATE, 40.0)),
        tone(72, np.full(RATE, 20.0)),
        tone(60, np.zeros(RATE)) + tone(67, np.zeros(RATE)),
    ]
    found = notes.make([0, 1, 2, 2], [1.03, 2, 3, 3], [69, 72, 60, 67])
    controls = bends.controls(found, spectrum(np.concatenate(seconds)))
    assert {control.kind for control in controls} == {"bend"}
    times = np.array([control.time_s for control in controls])
    assert (np.diff(times) >= 0).all()

    def at(time_s: float) -> float:
        return controls[int(np.searchsorted(times, time_s, side="right")) - 1].value

    assert at(0.5) == pytest.approx(0.4, abs=0.06)
    assert at(1.5) == pytest.approx(0.2, abs=0.06)
    assert at(2.0) == at(2.9) == pytest.approx(0.3, abs=0.11)  # between the two


def test_a_file_with_bends_says_how_far_they_reach(tmp_path: Path) -> None:
    sound = np.concatenate([tone(69, np.full(RATE, 40.0)), tone(74, np.full(RATE, 40.0))])
    audio.write(tmp_path / "x.wav", Audio(sound[None], RATE))
    options = settings.options(bends=True, min_duration=200)
    (product,) = transcribe.products(Source(tmp_path / "x.wav"), np.random.default_rng(0), **options)
    product.write(tmp_path / "x.mid")
    played = midi.read(tmp_path / "x.mid")
    assert played.notes.pitch.tolist() == [69, 74]
    bent = [control for control in played.controls if control.kind == "bend"]
    assert bent[0].time_s <= played.notes.onset[0]
    assert bent[-1].value == pytest.approx(0.4, abs=0.06)


def test_a_key_is_let_go_before_it_is_struck_again(tmp_path: Path) -> None:
    found = notes.make([0.0, 0.5, 0.504, 1.0, 1.0], [0.5, 0.6, 0.8, 1.5, 2.0], [60, 60, 62, 62, 60])
    again = playback.struck(found)
    assert again.offset.tolist() == pytest.approx([0.49, 0.6, 0.8, 2.0, 1.5])
    close = playback.struck(notes.make([0.0, 0.01], [0.5, 0.6], [60, 60]))
    assert close.offset.tolist() == pytest.approx([0.005, 0.6])
    notes.write_midi(tmp_path / "x.mid", again)
    assert len(notes.read(tmp_path / "x.mid")) == 5


def test_confidences_go_into_a_file_and_come_back(tmp_path: Path) -> None:
    found = notes.make([1.0, 0.5], [1.5, 0.9], [60, 64], confidence=[0.25, 0.75])
    notes.write_jsonl(tmp_path / "x.jsonl", found, 22_050, 44_100)
    again = notes.read(tmp_path / "x.jsonl")
    assert again.confidence is not None
    assert again.confidence.tolist() == [0.75, 0.25]
    chosen = notes.take(again, again.confidence > 0.5)
    assert chosen.confidence is not None
    assert chosen.confidence.tolist() == [0.75]


def test_rows_on_disk_come_back_as_they_were() -> None:
    spool = Spool((2, 3), np.float16)
    rows = np.random.default_rng(0).uniform(0, 1, (10_000, 2, 3)).astype(np.float16)
    for piece in np.split(rows, [1, 10, 9000]):
        spool.push(piece)
        spool.read(0, 1)
    assert np.array_equal(np.concatenate(list(spool.pieces())), rows)
    assert np.array_equal(spool.read(-5, 3), rows[:3])
    assert spool.read(9_999, 20_000).shape == (1, 2, 3)
    assert spool.read(20_000, 20_001).shape == (0, 2, 3)


def line(line: list[tuple[str, str]]) -> str:
    return "".join(text for text, _ in line)


def test_a_roll_shows_each_note_where_it_is(tmp_path: Path) -> None:
    two = (notes.Part("a"), notes.Part("b"))
    found = notes.make([0.0, 0.5, 1.0, 1.0], [0.5, 1.0, 2.0, 2.0], [60, 60, 61, 65], part=[0, 0, 1, 1], parts=two)
    notes.write_midi(tmp_path / "x.mid", found)
    drawn = roll.draw(tmp_path / "x.mid", 66, coloured=True)
    title, upper, middle, lower, axis = map(line, drawn)
    assert title == "x.mid: 4 notes"
    assert upper == " " * 5 + " " * 20 + "▀" * 20
    assert middle == " " * 45
    assert lower == "  C4 " + "▄" * 9 + "·" + "▄" * 10 + "▀" * 20
    assert axis.split() == ["|0:00", "|0:00.5", "|0:01", "|0:01.5"]
    assert len({style for text, style in drawn[3] if "▄" in text or "▀" in text}) == 2


def test_two_parts_in_one_place_are_seen_with_and_without_colours(tmp_path: Path) -> None:
    two = (notes.Part("a"), notes.Part("b"))
    notes.write_midi(tmp_path / "x.mid", notes.make([0, 0], [1, 1], [60, 61], part=[0, 1], parts=two))
    assert ("▀" * 20, "yellow on cyan") in roll.draw(tmp_path / "x.mid", 80, coloured=True)[1]
    assert "█" * 20 in line(roll.draw(tmp_path / "x.mid", 80, coloured=False)[1])


@pytest.mark.parametrize(("seconds", "columns"), [(1, 20), (30, 80), (600, 80), (3 * 3600, 200), (3 * 3600, 1)])
def test_a_roll_of_any_length_fits(tmp_path: Path, seconds: int, columns: int) -> None:
    found = notes.make([0.0, seconds - 0.5], [0.5, seconds], [21, 108])
    notes.write_midi(tmp_path / "x.mid", found)
    drawn = roll.draw(tmp_path / "x.mid", columns, coloured=True)
    assert max(len(line(each)) for each in drawn[1:]) <= max(columns, 20)
    assert len(drawn) <= 1 + 4 * 46 or columns == 1


def test_a_roll_of_nothing_says_so(tmp_path: Path) -> None:
    notes.write_midi(tmp_path / "x.mid", notes.make([], [], []))
    assert [line(each) for each in roll.draw(tmp_path / "x.mid", 80, coloured=True)] == ["x.mid: 0 notes"]


@pytest.mark.parametrize(
    ("text", "pitches"), [("A0:C8", [21, 108]), ("40:84", [40, 84]), ("c#4:Bb4", [61, 70]), ("C-1:G9", [0, 127])]
)
def test_pitch_ranges_are_names_or_numbers(text: str, pitches: list[int]) -> None:
    assert settings.pitches(text) == pitches


@pytest.mark.parametrize("text", ["", "C4", "C5:C4", "H4:C5", "C4:C5:C6", "C4:128", "-3:5", "C4:", "²:5"])
def test_what_is_no_pitch_range_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="pitch-range"):
        settings.pitches(text)


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Three notes, one of them short, and a checkpoint that hears such things."""
    silence, sound = (
        np.zeros(RATE // 2, np.float32),
        [tone(p, np.zeros(n)) for p, n in ((60, RATE), (73, RATE // 5), (84, RATE))],
    )
    whole = np.concatenate([silence, sound[0], silence, sound[1], silence, sound[2], silence])
    audio.write(tmp_path / "x.wav", Audio(whole[None], RATE))
    tiny_graphs.write(tmp_path / "tiny", tiny_graphs.of_features())
    return tmp_path / "x.wav"


RUN = "clefkit transcribe --model ./tiny --pitch-range C4:C6"


def test_every_option_makes_the_notes_anew(song: Path, shell: Shell) -> None:
    def run(options: str) -> set[int]:
        done = shell(f"{RUN} {options} x.wav")
        assert (done.returncode, done.stdout) == (0, "x.notes.mid\n"), done.stderr
        assert ("out of date" in done.stderr) == bool(options)
        return {int(pitch) for pitch in notes.read(song.with_name("x.notes.mid")).pitch}

    assert {60, 73, 84} <= run("")
    before = song.with_name("x.notes.mid").stat().st_mtime_ns
    assert {60, 73, 84} <= run("")
    assert song.with_name("x.notes.mid").stat().st_mtime_ns == before
    assert 73 not in run("--min-duration 700")
    assert run("--pitch-range 60:72") <= set(range(60, 73))
    assert run("--threshold 1") == set()


def test_all_side_files_are_written_and_recorded(song: Path, shell: Shell) -> None:
    done = shell(f"{RUN} --jsonl --activations --bends x.wav && clefkit score --ref x.notes.jsonl --json x.notes.mid")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[1])["note_f1"] == 1
    record = json.loads(song.with_name("x.notes.mid.json").read_text())
    assert [each["file"] for each in record["beside"]] == ["x.notes.jsonl", "x.activations.npz"]
    assert record["options"]["bends"] is True
    assert record["options"]["thresholds"]["onset"] == 0.5
    again = shell(f"{RUN} --jsonl --activations --bends x.wav --out there")
    assert again.returncode == 0, again.stderr
    for name in ("x.notes.jsonl", "x.activations.npz", "x.notes.mid"):
        assert (song.parent / "there" / name).read_bytes() == song.with_name(name).read_bytes()
    replayed = shell("CLEFKIT_PATH=. clefkit replay x.notes.mid --out elsewhere")
    assert replayed.returncode == 1
    assert "tiny" in replayed.stderr


def test_a_roll_is_shown_on_stderr_also_when_the_notes_were_there(song: Path, shell: Shell) -> None:
    for _ in range(2):
        done = shell(f"{RUN} --show --quiet x.wav", COLUMNS="60")
        assert (done.returncode, done.stdout) == (0, "x.notes.mid\n")
        shown = done.stderr.splitlines()
        assert shown[0].startswith("x.notes.mid: ")
        assert "\x1b" not in done.stderr
        assert "▀" in done.stderr or "▄" in done.stderr
        assert max(map(len, shown)) <= 60
    assert "\x1b[" in shell(f"{RUN} --show x.wav", FORCE_COLOR="1").stderr
    assert "\x1b[3" not in shell(f"{RUN} --show x.wav", FORCE_COLOR="1", NO_COLOR="1").stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--threshold 2", "threshold"),
        ("--pitch-range C9:C1", "--pitch-range"),
        ("--min-duration -1", "min-duration"),
        ("--instruments 9", "--instruments"),
        ("--instruments some", "--instruments"),
        ("--model nothing", "no model 'nothing'"),
    ],
)
def test_options_that_make_no_sense_end_with_2(song: Path, shell: Shell, options: str, told: str) -> None:
    done = shell(f"clefkit transcribe {options} x.wav")
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_a_bad_graph_is_told_for_each_file(song: Path, shell: Shell) -> None:
    (song.parent / "tiny" / "model.onnx").write_bytes(b"nothing")
    done = shell(f"{RUN} x.wav")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("clefkit transcribe: x.wav: the model.onnx of tiny is no ONNX graph")
    assert done.stderr.count("\n") == 1
