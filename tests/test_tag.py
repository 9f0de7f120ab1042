"""`clefkit tag`: what it hears in rendered instruments, what it prints, and sounds that are hardly any."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import soundfile
from conftest import Shell
from numpy.typing import NDArray

from clefkit import notes, registry, tag
from clefkit.errors import InputError, UsageError
from clefkit.notes import Part, Performance
from clefkit.render import synth
from clefkit.render.timbre import Timbre
from clefkit.tag import hearing, infer
from clefkit.tag.vocabulary import DESCRIBED, FAMILIES, LEAVES

Array = NDArray[np.float32]

RATE = 44_100
SPEECH_HZ = 4  # syllables a second


@pytest.fixture(scope="session")
def model() -> infer.Model:
    return infer.load(registry.checkpoint("tag").path)


@pytest.fixture(scope="session")
def soundfont() -> Path:
    """The font that `make test` installs; the one that pretty_midi carries is kept for evaluation."""
    found = [path for name, path in registry.soundfonts().items() if name.startswith(("FluidR3", "MuseScore"))]
    if not found:
        pytest.skip("no soundfont of the Fluid family is installed")
    return found[0]


def played(font: Path, program: int, low: int, seconds: float = 6.0, chords: bool = False) -> Array:
    """A tune on a program of General MIDI: (samples,), peak 0.5."""
    onset = np.arange(0, seconds - 0.5, 0.4)
    pitch = low + np.array([0, 4, 7, 12, 9, 5, 2, 7] * len(onset))[: len(onset)]
    if chords:
        onset, pitch = np.repeat(onset, 2), np.repeat(pitch, 2) + np.tile([0, 7], len(pitch))
    tune = notes.make(onset, onset + 0.38, pitch, np.full(len(onset), 90), parts=(Part("", program),))
    sound = synth.render(Performance(tune), [Timbre(font, 0, program)], RATE).audio.samples.mean(axis=0)
    sound = np.pad(sound, (0, max(0, int(seconds * RATE) - len(sound))))[: int(seconds * RATE)]
    return np.asarray(sound * np.float32(0.5 / np.abs(sound).max()), np.float32)


def heard(sound: Array, rate: int = RATE, **options: Any) -> dict[str, Any]:
    return tag.listen(sound[None], rate, **options)


def names(found: dict[str, Any]) -> list[str]:
    return [each["name"] for each in found["instruments"]]


@pytest.mark.parametrize(
    ("program", "low", "expected"),
    [
        (0, 60, "piano"),
        (24, 52, "guitar"),
        (33, 33, "bass"),
        (40, 67, "violin"),
        (56, 64, "trumpet"),
        (73, 72, "flute"),
        (71, 62, "clarinet"),
        (19, 60, "organ"),
        (46, 60, "harp"),
        (11, 65, "mallet_percussion"),
    ],
)
def test_instruments_of_a_soundfont_are_named(soundfont: Path, program: int, low: int, expected: str) -> None:
    found = heard(played(soundfont, program, low, chords=program in (0, 19)))
    assert expected in names(found)[:2]
    first = next(each for each in found["instruments"] if each["name"] == expected)
    assert first["present"]
    assert first["gain_lu"] > -6


def test_two_instruments_are_heard_with_their_balance(soundfont: Path) -> None:
    piano, flute = played(soundfont, 0, 48, 8.0, chords=True), played(soundfont, 73, 74, 8.0)
    louder = heard(np.asarray(piano + 0.25 * flute, np.float32))
    softer = heard(np.asarray(0.25 * piano + flute, np.float32))
    gain = [{each["name"]: each["gain_lu"] for each in found["instruments"]} for found in (louder, softer)]
    assert gain[0]["piano"] - gain[0]["flute"] > 2
    assert gain[1]["flute"] - gain[1]["piano"] > 2


def test_segments_are_where_an_instrument_sounds(soundfont: Path) -> None:
    sound = np.concatenate(
        [played(soundfont, 0, 60, 5.0), np.zeros(3 * RATE, np.float32), played(soundfont, 56, 64, 5.0)]
    )
    found = {each["name"]: each for each in heard(sound)["instruments"]}
    assert found["piano"]["segments"][0]["start_s"] < 1
    assert found["piano"]["segments"][-1]["end_s"] < 8
    assert found["trumpet"]["segments"][0]["start_s"] > 7
    assert all(0 <= one["strength"] <= 1 for one in found["piano"]["segments"])


def test_all_is_there_and_bounded(soundfont: Path) -> None:
    found = heard(played(soundfont, 40, 67))
    assert sorted(names(found)) == sorted(LEAVES)
    assert set(found["families"]) == set(FAMILIES)
    for each in found["instruments"]:
        assert 0 <= each["probability"] <= 1
        assert each["name"] in FAMILIES[each["family"]]
        assert set(each["descriptors"]) == set(DESCRIBED)
        assert len(each["embedding"]) == 32
    assert len(found["embedding"]) == 64
    assert math.hypot(*found["embedding"]) == pytest.approx(1, abs=1e-3)
    assert set(found["descriptors"]) == set(DESCRIBED)
    json.dumps(found, allow_nan=False)


def test_the_level_changes_nothing_but_the_loudness(soundfont: Path) -> None:
    sound = played(soundfont, 24, 52)
    loud, soft = heard(sound), heard(sound * np.float32(0.1))
    assert loud["loudness_lufs"] - soft["loudness_lufs"] == pytest.approx(20, abs=0.1)
    for one, other in zip(loud["instruments"], soft["instruments"], strict=True):
        assert one["name"] == other["name"]
        assert one["probability"] == pytest.approx(other["probability"], abs=0.02)


def test_blocks_may_be_cut_anywhere(model: infer.Model, soundfont: Path) -> None:
    sound = played(soundfont, 0, 60, 13.0)[::2]
    whole = infer.listen([sound], model)
    cut = infer.listen(np.split(sound, [1, 5000, 5001, 90_000, 133_000]), model)
    assert np.array_equal(whole.cells, cut.cells)
    assert np.array_equal(whole.clip, cut.clip)
    assert np.array_equal(whole.energies, cut.energies)
    assert len(whole.powers) == hearing.cells(len(sound))


def test_stereo_and_rates_are_heard_alike(soundfont: Path, tmp_path: Path, shell: Shell) -> None:
    sound = played(soundfont, 40, 67)
    soundfile.write(tmp_path / "mono.wav", sound, RATE)
    soundfile.write(tmp_path / "stereo.flac", np.stack([sound, sound], axis=1), RATE)
    soundfile.write(tmp_path / "half.wav", sound[::2], RATE // 2)
    done = shell("clefkit tag --json mono.wav stereo.flac half.wav")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [names(each)[0] for each in found] == ["violin"] * 3
    assert found[0]["tags"]["violin"] == pytest.approx(found[1]["tags"]["violin"], abs=0.02)


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.1, 0.3, 0.5])
def test_short_clips_are_no_trouble(soundfont: Path, seconds: float) -> None:
    found = heard(played(soundfont, 0, 60)[: int(seconds * RATE)])
    assert len(found["instruments"]) == len(LEAVES)
    assert found["seconds"] == pytest.approx(seconds, abs=0.001)
    json.dumps(found, allow_nan=False)


def test_a_third_of_a_second_of_piano_is_a_keyboard(soundfont: Path) -> None:
    found = heard(played(soundfont, 0, 60)[: int(0.3 * RATE)])
    assert "piano" in names(found)[:3]


def test_silence_is_called_silence(tmp_path: Path, shell: Shell) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(3 * RATE), RATE)
    done = shell("clefkit tag silence.wav")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert [line.split("\t")[:2] for line in lines[1:]] == [["silence.wav", "silence"]]
    found = json.loads(shell("clefkit tag --json silence.wav").stdout)
    assert found["silent"]
    assert found["loudness_lufs"] is None
    assert not any(each["present"] for each in found["instruments"])
    assert found["segments"] == []


def test_noise_is_no_instrument() -> None:
    noise = np.random.default_rng(0).standard_normal(5 * RATE).astype(np.float32) * np.float32(0.1)
    assert not any(each["present"] for each in heard(noise)["instruments"])


def test_the_table_has_a_row_for_each_instrument(soundfont: Path, tmp_path: Path, shell: Shell) -> None:
    soundfile.write(tmp_path / "both.wav", played(soundfont, 0, 48) + played(soundfont, 73, 76), RATE)
    done = shell("clefkit tag both.wav")
    head, *rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert head[:5] == ["file", "instrument", "family", "probability", "gain_lu"]
    assert "flute" in {row[1] for row in rows}
    probabilities = [float(row[3]) for row in rows]
    assert probabilities == sorted(probabilities, reverse=True)


def test_threshold_and_top_choose(soundfont: Path, tmp_path: Path, shell: Shell) -> None:
    soundfile.write(tmp_path / "x.wav", played(soundfont, 0, 60), RATE)
    every = json.loads(shell("clefkit tag --json --threshold 0 x.wav").stdout)
    assert all(each["present"] for each in every["instruments"])
    some = json.loads(shell("clefkit tag --json --top 3 x.wav").stdout)
    assert names(some) == names(every)[:3]
    assert len(some["tags"]) == len(LEAVES)
    none = json.loads(shell("clefkit tag --json --threshold 1 x.wav").stdout)
    assert not any(each["present"] for each in none["instruments"])
    assert shell("clefkit tag --threshold 1.5 x.wav").returncode == 2


def test_what_is_found_can_be_scored(soundfont: Path, tmp_path: Path, shell: Shell) -> None:
    truth = []
    for name, program, low in (("piano", 0, 60), ("violin", 40, 67), ("trumpet", 56, 64)):
        soundfile.write(tmp_path / f"{name}.wav", played(soundfont, program, low), RATE)
        segment = {"tag": name, "onset": 0.0, "offset": 5.8}
        truth.append({"file": f"{name}.wav", "tags": [name], "segments": [segment], "gains_db": {name: 0.0}})
    (tmp_path / "truth.jsonl").write_text("".join(json.dumps(each) + "\n" for each in truth), encoding="utf-8")
    line = "clefkit tag --json *.wav > found.jsonl && clefkit score --json --as tags --ref truth.jsonl found.jsonl"
    found = json.loads(shell(line).stdout.splitlines()[0])
    assert found["tag_map"] > 0.7
    assert found["gain_error_db"] < 6
    assert found["segment_based_f1"] > 0.4


def test_bad_files_cost_nothing_else(soundfont: Path, tmp_path: Path, shell: Shell) -> None:
    soundfile.write(tmp_path / "good.wav", played(soundfont, 0, 60), RATE)
    (tmp_path / "junk.wav").write_bytes(b"no sound at all")
    done = shell("clefkit tag --json junk.wav missing.wav good.wav")
    assert done.returncode == 1
    assert [json.loads(line)["file"] for line in done.stdout.splitlines()] == ["good.wav"]
    told = done.stderr.splitlines()
    assert len([line for line in told if "junk.wav" in line]) == 1
    assert len([line for line in told if "missing.wav" in line]) == 1
    assert "Traceback" not in done.stderr


def test_workers_change_nothing(soundfont: Path, tmp_path: Path, shell: Shell) -> None:
    for number, program in enumerate((0, 40, 73)):
        soundfile.write(tmp_path / f"{number}.wav", played(soundfont, program, 66), RATE)
    one, two = (shell(f"clefkit tag --json -j {jobs} *.wav").stdout for jobs in (1, 2))
    assert one == two


def test_a_picture_is_drawn(soundfont: Path, tmp_path: Path, shell: Shell) -> None:
    soundfile.write(tmp_path / "a & b.wav", played(soundfont, 0, 60), RATE)
    done = shell("clefkit tag --plot pictures 'a & b.wav'")
    assert done.returncode == 0
    text = (tmp_path / "pictures" / "a & b.tag.svg").read_text(encoding="utf-8")
    words = [each.text for each in ET.fromstring(text).iter() if each.text]
    assert "a & b.wav" in words
    assert "piano" in words


def test_another_checkpoint_is_refused(model: infer.Model) -> None:
    assert model.described == tuple(DESCRIBED)
    with pytest.raises(InputError, match="names no instruments"):
        infer.load(registry.checkpoint("notes").path)
    with pytest.raises(UsageError):
        tag.listen(np.zeros((1, 100), np.float32), RATE, model="no-such-model")


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    good = registry.checkpoint("tag").path
    for name in ("config.toml", "model.onnx"):
        (tmp_path / name).write_bytes((good / name).read_bytes())
    (tmp_path / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not the file that its config"):
        infer.load(tmp_path)


def test_the_checkpoint_is_small() -> None:
    folder = registry.checkpoint("tag").path
    assert sum(path.stat().st_size for path in folder.iterdir()) < 10_000_000
