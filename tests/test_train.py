"""The recipe of `notes`: splits, data, targets, the loop, the export."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from clefkit import features, notes, registry
from clefkit.notes import Part

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("safetensors")

from clefkit.nets import notes as nets  # noqa: E402 it needs torch
from clefkit.train import arrange, batches, corpus, data, evaluate, export, recording, timbres  # noqa: E402
from clefkit.train import notes as recipe  # noqa: E402
from clefkit.transcribe import infer  # noqa: E402
from clefkit.transcribe.decode import Thresholds  # noqa: E402


@pytest.fixture
def piece() -> notes.Notes:
    """Forty seconds of two parts, and a drum."""
    onset = np.arange(0, 40, 0.25)
    high = notes.make(onset, onset + 0.2, 64 + (np.arange(len(onset)) * 5) % 12)
    columns = [np.concatenate([column, column]) for column in (onset, onset + 0.2)]
    pitch = np.concatenate([high.pitch, high.pitch - 24])
    part = np.repeat([0, 1], len(onset))
    return notes.make(
        columns[0], columns[1], pitch, None, part, (Part("a", 40), Part("b", 0), Part("d", 0, drums=True))
    )


def test_a_work_stays_in_its_split() -> None:
    titles = [f"Work {number}" for number in range(2000)]
    splits = [corpus.split("string-quartets", "A. Composer", title) for title in titles]
    assert splits == [corpus.split("string-quartets", "a. composer", title.upper()) for title in titles]
    assert splits.count("test") / 2000 == pytest.approx(0.25, abs=0.03)
    assert splits.count("validation") / 2000 == pytest.approx(0.08, abs=0.02)
    assert corpus.split("lieder", "Anybody", corpus.DEMO) == "demo"


@pytest.mark.parametrize("seed", range(12))
def test_an_arrangement_is_playable(piece: notes.Notes, seed: int) -> None:
    chosen = arrange.arrange(piece, 20.0, np.random.default_rng(seed))
    played = chosen.performance.notes
    melodic = np.array([not part.drums for part in played.parts])[played.part]
    assert melodic.any()
    assert played.onset.min() >= 0
    assert played.onset.max() < 21
    assert (played.offset > played.onset).all()
    assert played.pitch.min() >= 21
    assert played.pitch.max() <= 108
    assert not {part.program for part in played.parts if not part.drums} & arrange.HELD_BACK
    times = [control.time_s for control in chosen.performance.controls]
    assert times == sorted(times)


def test_held_back_instruments_are_played_for_validation_only(piece: notes.Notes) -> None:
    chosen = arrange.arrange(piece, 20.0, np.random.default_rng(0), held_back=True)
    assert {part.program for part in chosen.performance.notes.parts if not part.drums} <= arrange.HELD_BACK


@pytest.mark.parametrize("kind", timbres.KINDS)
def test_made_up_instruments_play_in_tune_and_on_time(kind: str) -> None:
    generator = np.random.default_rng(5)
    instrument = timbres.draw(generator) | {"kind": kind, "ratio": 1.0, "noise": 0.002, "vibrato": 0.0, "decay_s": 1.0}
    single = notes.make([0.5], [1.5], [69])
    sound = timbres.play(single, instrument, 2 * features.RATE, features.RATE, 0.0, generator)
    assert not sound[: features.RATE // 2].any()
    assert np.abs(sound[features.RATE // 2 :][: features.RATE // 10]).max() > 0.005
    spectrum = np.abs(np.fft.rfft(sound[features.RATE * 6 // 10 : features.RATE * 14 // 10]))
    frequency = np.fft.rfftfreq(features.RATE * 8 // 10, 1 / features.RATE)
    near = (frequency > 380) & (frequency < 500)
    assert frequency[near][spectrum[near].argmax()] == pytest.approx(440, rel=0.01)


def test_a_recording_keeps_onsets_and_level_bounds() -> None:
    dry = np.zeros(2 * features.RATE, np.float32)
    dry[features.RATE] = 0.5
    for seed in range(8):
        wet = recording.record(dry, features.RATE, np.random.default_rng(seed))
        peak = 20 * np.log10(np.abs(wet).max())
        assert -30.1 < peak < -0.9
        assert np.isfinite(wet).all()
        assert abs(int(np.abs(wet).argmax()) - features.RATE) < 0.06 * features.RATE
    first, again = (recording.record(dry, features.RATE, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first, again)


def test_a_hall_always_rings() -> None:
    dry = np.zeros(2 * features.RATE, np.float32)
    dry[features.RATE // 2] = 0.5
    for seed in range(8):
        wet = recording.record(dry, features.RATE, np.random.default_rng(seed), hall=True)
        before, after = wet[: features.RATE // 2 - 2000], wet[features.RATE :][: features.RATE // 4]
        assert np.mean(after**2) > 1.5 * np.mean(before**2)


def test_targets_are_triangles_and_spans() -> None:
    table = np.array([[10.25, 14.0, 60, 127], [12.0, 12.1, 62, 64], [50.0, 60.0, 64, 64]]) / np.array(
        [features.FRAMES_PER_SECOND, features.FRAMES_PER_SECOND, 1, 1]
    )
    target = batches.target(table.astype(np.float32), 2, 20)
    assert target.shape == (3, 20, 88)
    assert np.allclose(target[0, 6:11, 60 - 21], [0, 0.375, 0.875, 0.625, 0.125], atol=1e-3)
    assert target[1, :, 60 - 21].nonzero()[0].tolist() == [9, 10, 11]
    assert target[1, :, 62 - 21].sum() == 1
    assert target[2, 8, 60 - 21] == 1
    assert not target[:, :, 64 - 21].any()


@pytest.fixture
def tiny(tmp_path: Path, piece: notes.Notes, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two shards of two short recordings on made-up instruments."""
    monkeypatch.setattr(data, "RECORDING_S", 8.0)
    for name, seed in (("train-000", 0), ("validation-000", 1)):
        data._write_shard(tmp_path / name, _recordings(piece, seed))
    return tmp_path


def _recordings(piece: notes.Notes, seed: int) -> Iterator[tuple[NDArray[np.float32], notes.Notes, str]]:
    for number in range(2):
        generator = np.random.default_rng([seed, number])
        chosen = arrange.arrange(replace(piece, parts=piece.parts[:2]), 7.0, generator)
        played = chosen.performance.notes
        melodic = notes.take(played, np.array([not part.drums for part in played.parts])[played.part])
        dry = timbres.play(melodic, timbres.draw(generator), 8 * features.RATE, features.RATE, 0.0, generator)
        yield recording.record(dry, features.RATE, generator), melodic, "made up"


def test_shards_hold_what_was_recorded(tiny: Path) -> None:
    shard = data.load(tiny / "train-000.npy")
    assert shard.first.tolist() == [0, len(shard.sound) // 2, len(shard.sound)]
    assert shard.kind == ["made up", "made up"]
    assert shard.sound.dtype == np.uint8
    assert all(len(table) > 10 for table in shard.notes)
    batch = batches.draw([shard], 3, 50, np.random.default_rng(0))
    assert batch.sound.shape == (3, 2, 50, 264)
    assert batch.target.shape == (3, 3, 50, 88)


@pytest.mark.slow
def test_training_learns_and_goes_on_where_it_stopped(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "CLIP_FRAMES", 60)
    monkeypatch.setattr(recipe, "CLIPS", 2)
    monkeypatch.setattr(recipe, "SAVE_EVERY", 10)
    whole = list(recipe.train(tiny, tmp_path / "a", 30, seed=0))
    assert whole[-1]["loss"] < whole[0]["loss"]
    assert "f1" in whole[-1]
    interrupted = recipe.train(tiny, tmp_path / "b", 30, seed=0)
    next(interrupted)
    next(interrupted)
    del interrupted
    rest = list(recipe.train(tiny, tmp_path / "b", 30, seed=0))
    assert [line["step"] for line in rest] == [30]
    first, second = (torch.load(tmp_path / run / "state.pt", weights_only=True) for run in ("a", "b"))
    assert all(torch.allclose(first["average"][key], second["average"][key], atol=1e-5) for key in first["average"])


@pytest.fixture(scope="module")
def network() -> nets.Notes:
    torch.manual_seed(0)
    return nets.Notes().eval()


def test_an_output_depends_on_no_more_than_it_says(network: nets.Notes) -> None:
    sound = torch.rand(1, 2, 90, 264)
    changed = sound.clone()
    changed[:, :, 45] = 0
    with torch.inference_mode():
        moved = (network(sound) - network(changed)).abs().amax(dim=(0, 1, 3)).nonzero()[:, 0]
    assert int(moved.min()) >= 45 - nets.reach()
    assert int(moved.max()) <= 45 + nets.reach()


def test_the_exported_network_agrees_with_the_class(network: nets.Notes, tmp_path: Path) -> None:
    thresholds = Thresholds(0.4, 0.5, 0.3, 0.2)
    export.write(
        tmp_path / "notes-0", network, thresholds, {"about": "a test"}, {"f1": {"value": 0.5, "on": "nothing"}}
    )
    model = infer.load(tmp_path / "notes-0")
    assert isinstance(model, infer.Model)
    assert model.thresholds == thresholds
    assert model.reach == nets.reach()
    for frames in (3, 64, 301):
        sound = np.random.default_rng(frames).uniform(0, 1, (frames, 2, 264)).astype(np.float32)
        with torch.inference_mode():
            whole = (
                torch.sigmoid(network(torch.from_numpy(sound.transpose(1, 0, 2))[None]))[0].numpy().transpose(1, 0, 2)
            )
        pieces = np.concatenate(list(infer.outputs([sound], model, window=100)))
        assert np.allclose(pieces, whole, atol=1e-4)


def test_the_shipped_onnx_is_the_shipped_weights() -> None:
    from safetensors.torch import load_file

    folder = registry.model("notes").path
    shipped = nets.Notes().eval()
    shipped.load_state_dict(load_file(folder / "weights.safetensors"))
    model = infer.load(folder)
    assert isinstance(model, infer.Model)
    sound = np.random.default_rng(0).uniform(0, 1, (80, 2, 264)).astype(np.float32)
    with torch.inference_mode():
        whole = torch.sigmoid(shipped(torch.from_numpy(sound.transpose(1, 0, 2))[None]))[0].numpy().transpose(1, 0, 2)
    assert np.allclose(np.concatenate(list(infer.outputs([sound], model))), whole, atol=1e-4)


def test_thresholds_are_chosen_by_what_they_find() -> None:
    truth = notes.make([0.5, 1.0], [0.9, 1.4], [60, 62])
    frames: NDArray[np.float32] = batches.target(np.array([[0.5, 0.9, 60, 80], [1.0, 1.4, 62, 80]], np.float32), 0, 80)
    outputs = frames.transpose(1, 0, 2) * 0.42
    chosen = evaluate.choose([evaluate.Predicted("font", truth, outputs)], recipe.FIRST_GUESS)
    assert chosen.onset <= 0.4
    assert evaluate.measure([evaluate.Predicted("font", truth, outputs)], chosen)["mean"] == 1.0


def test_the_corpus_file_is_read_as_it_was_written(tmp_path: Path, piece: notes.Notes) -> None:
    works = [corpus.Work("lieder/a", "train", piece), corpus.Work("pop909/1", "validation", piece)]
    corpus._save(tmp_path / "corpus.npz", works)
    again = corpus.read(tmp_path, tmp_path / "corpus.npz")
    assert [work.name for work in again] == ["lieder/a", "pop909/1"]
    assert np.allclose(again[1].notes.onset, piece.onset, atol=1e-5)
    assert [part.drums for part in again[0].notes.parts] == [False, False, True]


def test_real_notes_are_moved_to_their_pitch(tmp_path: Path) -> None:
    import soundfile

    folder = tmp_path / "real" / "notes" / "horn"
    folder.mkdir(parents=True)
    time = np.arange(features.RATE) / features.RATE
    soundfile.write(folder / "A4.flac", np.sin(2 * np.pi * 440 * time), features.RATE)
    with (tmp_path / "real" / "index.csv").open("w", newline="") as index:
        csv.writer(index).writerows([["file", "midi_pitch"], ["notes/horn/A4.flac", "69"]])
    wanted = notes.make([0.25, 0.5], [0.75, 0.8], [71, 90])
    assert timbres.reachable(wanted, folder, features.RATE).tolist() == [True, False]
    near = notes.take(wanted, np.array([0]))
    sound = timbres.play_real(near, folder, features.RATE, features.RATE, 0.0, np.random.default_rng(0))
    spectrum = np.abs(np.fft.rfft(sound))
    assert spectrum.argmax() == pytest.approx(440 * 2 ** (2 / 12), abs=3)
    shutil.rmtree(folder)
