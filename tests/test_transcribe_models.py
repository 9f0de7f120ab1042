"""transcribe: checkpoints of other people: what they may be, and what is said of those that can't be used."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tiny_graphs
from numpy.typing import NDArray

from clefkit import audio, features, registry, transcribe
from clefkit.audio import Audio
from clefkit.errors import ClefkitError, MissingError, UsageError
from clefkit.record import Source
from clefkit.transcribe import infer, listen, settings

Array = NDArray[np.float32]


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    return tiny_graphs.write(tmp_path / "ours", tiny_graphs.of_features())


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    return tiny_graphs.write(tmp_path / "theirs", tiny_graphs.of_samples(), tiny_graphs.OF_SAMPLES)


def tones(rate: int, times: list[float], pitch: float = 60, seconds: float = 8.0) -> Array:
    """Sines of half a second."""
    sound = np.zeros(round(seconds * rate), np.float32)
    for start in times:
        time = np.arange(round(0.5 * rate)) / rate
        first = round(start * rate)
        sound[first : first + len(time)] = 0.5 * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time)
    return sound


TIMES = [0.5, 1.75, 3.3, 5.12, 6.9]


def test_a_graph_of_features_in_a_folder(ours: Path) -> None:
    found = transcribe.notes(tones(22_050, TIMES, 72), 22_050, model=str(ours))
    strongest = found.onset[found.pitch == 72]
    assert np.allclose(strongest, TIMES, atol=0.08)  # its windows are longer than that
    assert found.confidence is not None


def test_a_graph_of_samples_in_a_folder(theirs: Path) -> None:
    found = transcribe.notes(tones(22_050, TIMES), 22_050, model=str(theirs))
    assert found.pitch.tolist() == [60] * len(TIMES)
    assert np.allclose(found.onset, TIMES, atol=0.03)
    assert np.allclose(found.offset, np.array(TIMES) + 0.5, atol=0.05)


@pytest.mark.parametrize("samples", [1, 159, 160, 14_399, 14_400, 14_401, 16_000, 40_000])
def test_samples_in_blocks_of_any_length_give_the_same_to_the_bit(theirs: Path, samples: int) -> None:
    model = infer.load(theirs)
    generator = np.random.default_rng(samples)
    sound = (0.3 * generator.standard_normal(samples) * (np.arange(samples) // 4000 % 2)).astype(np.float32)
    whole = np.concatenate(list(model.outputs([sound])))
    assert whole.shape == (samples // tiny_graphs.HOP + 1, 2, features.PITCHES)
    pieces = np.split(sound, np.sort(generator.integers(0, samples + 1, 7)))
    assert np.array_equal(np.concatenate(list(model.outputs(pieces))), whole)


def test_a_graph_of_samples_has_all_that_is_written_beside(theirs: Path, tmp_path: Path) -> None:
    audio.write(tmp_path / "x.wav", Audio(tones(44_100, TIMES)[None], 44_100))
    options = settings.options(str(theirs), bends=True, also=["jsonl", "activations"])
    for product in transcribe.products(Source(tmp_path / "x.wav"), np.random.default_rng(0), **options):
        product.write(tmp_path / f"x.{product.suffix}")
    with np.load(tmp_path / "x.activations.npz") as file:
        assert set(file) == {"onset", "frame", "times_s"}
        assert file["frame"].shape == (401, features.PITCHES)
        assert file["times_s"][-1] == 8.0
        loud = file["frame"][:, 60 - features.LOWEST_PITCH] > 0.5
        assert loud.sum() == pytest.approx(50 * 2.5, abs=len(TIMES))


def test_outputs_are_arranged_by_name() -> None:
    outputs = np.arange(1, 5, dtype=np.float32).reshape(1, 4, 1)
    for names, expected in (
        (("onset", "frame", "velocity", "timbre"), [1, 2, 0, 3]),
        (("velocity", "offset", "frame", "onset"), [4, 3, 2, 1]),
        (("onset", "frame", "offset", "timbre"), [1, 2, 3, 2]),
        (("onset", "frame", "offset", "velocity"), [1, 2, 3, 4]),
    ):
        assert infer.arranged(outputs, names)[0, :, 0].tolist() == expected


def broken(folder: Path) -> Iterator[tuple[str, str]]:
    """What can be wrong with a checkpoint, and what is said of it."""
    good = tiny_graphs.of_features()
    write = tiny_graphs.write
    write(folder / "text", b"this is no graph" * 20)
    yield "text", "no ONNX graph"
    write(folder / "empty", b"")
    yield "empty", "no ONNX graph"
    write(folder / "narrow", tiny_graphs.of_features(pitches=80))
    yield "narrow", r"\(1, 2, 12, 80\), not \(1, 2, 12, 88\)"
    write(folder / "bins", tiny_graphs.of_features(bins=500))
    yield "bins", "doesn't take 'sound'"
    write(folder / "input", tiny_graphs.of_samples())
    yield "input", "needs one input 'sound'"
    write(
        folder / "window", tiny_graphs.of_samples(), tiny_graphs.OF_SAMPLES.replace("window = 16000", "window = 8000")
    )
    yield "window", "doesn't take 'audio'"
    write(folder / "hop", tiny_graphs.of_samples(), tiny_graphs.OF_SAMPLES.replace("hop = 160", "hop = 100"))
    yield "hop", "of shape"
    write(folder / "reach", good, "")
    yield "reach", "reach must be a whole number"
    write(folder / "thresholds", good, "reach = 2\n[other]")
    (folder / "thresholds" / "config.toml").write_text('net = "notes"\nreach = 2\n[thresholds]\nonset = 2\n')
    yield "thresholds", "must have onset, again, frame, sustain"
    write(folder / "outputs", good, "reach = 2")
    config = (folder / "outputs" / "config.toml").read_text().replace('["onset", "frame"]', '["onset", "onset"]')
    (folder / "outputs" / "config.toml").write_text(config)
    yield "outputs", "onset and frame"
    write(folder / "hash", good, 'reach = 2\nsha256 = "00"')
    yield "hash", "not the"
    write(folder / "huge", good)
    with (folder / "huge" / "model.onnx").open("r+b") as file:
        file.truncate(registry.MOST_MODEL_BYTES + 1)
    yield "huge", "larger than 512 MiB"
    (folder / "nothing").mkdir()
    yield "nothing", r"no config\.toml"


def test_what_can_not_be_used_is_told_in_a_line(tmp_path: Path) -> None:
    for name, told in broken(tmp_path):
        with pytest.raises(ClefkitError, match=told) as caught:
            transcribe.notes(np.zeros(8000, np.float32), 8000, model=str(tmp_path / name))
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)


def test_who_changes_a_config_gets_another_checkpoint(ours: Path) -> None:
    first = settings.checkpoint(str(ours))
    assert first.name == "ours"
    config = ours / "config.toml"
    config.write_text(config.read_text().replace("onset = 0.5", "onset = 0.6"))
    second = settings.options(str(ours))
    assert second["checkpoint"].sha256 != first.sha256
    assert second["thresholds"]["onset"] == 0.6


def test_a_name_is_not_a_path() -> None:
    assert settings.checkpoint("notes").name.startswith("notes-")
    with pytest.raises(UsageError, match="no model"):
        settings.checkpoint("nothing")
    with pytest.raises(UsageError, match=r"no config\.toml"):
        settings.checkpoint("./nothing")


@pytest.mark.skipif(importlib.util.find_spec("basic_pitch") is not None, reason="it is installed")
def test_who_has_no_basic_pitch_hears_how_to_install_it() -> None:
    with pytest.raises(MissingError, match="pip install"):
        settings.options("basic-pitch")


def test_features_are_seen_by_all_models(ours: Path, theirs: Path) -> None:
    sound = tones(22_050, TIMES)
    seen = []
    for folder in (ours, theirs):
        model = infer.load(folder)
        heard = listen.listen(
            lambda rate: [audio.resample(Audio(sound[None], 22_050), rate).samples[0]],
            model,
            listen.Settings(model.thresholds),
            spectrum=True,
        )
        assert heard.spectrum is not None
        assert heard.seconds == pytest.approx(8.0)
        seen.append(heard.spectrum.read(0, 10_000))
    assert np.array_equal(seen[0], seen[1])
