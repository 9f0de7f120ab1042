"""The recipe of `notes`: splits, shards, targets, the loop. What comes of it: test_train_checkpoint."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.typing import NDArray
from training import FEW, RATE, SHORT_S, short_sets, small_sources, small_steps, tone

from clefkit import features
from clefkit.errors import MissingError, UsageError
from clefkit.notes import Part, make

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("safetensors")

from clefkit.nets import notes as nets  # noqa: E402 it needs torch
from clefkit.train import batches, corpus, data  # noqa: E402
from clefkit.train import notes as recipe  # noqa: E402

Array = NDArray[np.float32]
SMALL = nets.Size(8, 8, ((1, 12), (2, 7)))
FPS = features.FRAMES_PER_SECOND


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> data.Sources:
    return small_sources(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def built(sources: data.Sources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of one validation shard and two to train on, of two recordings of eight seconds each."""
    out = tmp_path_factory.mktemp("shards")
    with pytest.MonkeyPatch.context() as patch:
        short_sets(patch)
        lines = list(data.build(sources, out, {"validation": 1, "train": 2}, seed=3))
    assert lines == ["validation-000: built", "train-000: built", "train-001: built"]
    return out


# Splits


def test_a_work_stays_in_its_split() -> None:
    titles = [f"Work {number}" for number in range(2000)]
    splits = [corpus.split("string-quartets", "A. Composer", title) for title in titles]
    assert splits == [corpus.split("string-quartets", "a. composer", title.upper()) for title in titles]
    assert splits.count("test") / 2000 == pytest.approx(0.25, abs=0.03)
    assert splits.count("validation") / 2000 == pytest.approx(0.08, abs=0.02)
    assert corpus.split("lieder", "Anybody", corpus.DEMO) == "demo"


def test_the_corpus_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    onset = np.arange(0, 40, 0.25)
    piece = make(
        onset,
        onset + 0.2,
        60 + np.arange(160) % 12,
        None,
        np.arange(160) % 2,
        (Part("a", 40), Part("d", 0, drums=True)),
    )
    works = [corpus.Work("lieder/a", "train", piece), corpus.Work("pop909/1", "validation", piece)]
    corpus._save(tmp_path / "corpus.npz", works)
    again = corpus.read(tmp_path, tmp_path / "corpus.npz")
    assert [(work.name, work.split) for work in again] == [("lieder/a", "train"), ("pop909/1", "validation")]
    assert np.allclose(again[1].notes.onset, piece.onset, atol=1e-5)
    assert [(part.program, part.drums) for part in again[0].notes.parts] == [(40, False), (0, True)]


# Shards


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*-0*"))}


def test_shards_are_the_same_bytes_whatever_jobs_and_order(
    sources: data.Sources, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_sets(monkeypatch, processes=True)
    list(data.build(sources, tmp_path / "two", {"validation": 1, "train": 2}, seed=3, jobs=2))
    assert digests(tmp_path / "two") == digests(built)
    short_sets(monkeypatch)
    list(data.build(sources, tmp_path / "first", {"train": 1}, seed=3))
    assert digests(tmp_path / "first").items() < digests(built).items()
    list(data.build(sources, tmp_path / "other", {"train": 1}, seed=4))
    assert not digests(tmp_path / "other").items() & digests(built).items()


def test_what_is_there_is_not_built_again(sources: data.Sources, built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short_sets(monkeypatch)
    assert list(data.build(sources, built, {"validation": 1, "train": 2}, seed=3)) == []
    manifest = json.loads((built / "manifest.json").read_text())
    assert manifest["seed"] == 3
    assert manifest["shards"] == {"validation": 1, "train": 2}
    assert manifest["corpus_sha256"] is None
    assert list(manifest["fonts"]) == ["general.sf2"]
    assert "somebody" in (built / "credits.md").read_text()
    with pytest.raises(UsageError, match="another folder"):
        next(data.build(sources, built, {"train": 2}, seed=4))
    with pytest.raises(UsageError, match="another folder"):
        next(data.build(sources._replace(samples=None), built, {"train": 2}, seed=3))


def test_shards_hold_what_was_recorded(built: Path) -> None:
    shards = [data.load(path) for path in sorted(built.glob("*.npy"))]
    frames = int(SHORT_S * RATE) // features.HOP + 1
    for shard in shards:
        assert shard.first.tolist() == [frames * number for number in range(FEW + 1)]
        assert shard.sound.shape == (FEW * frames, features.CHANNELS, features.BINS)
        assert shard.sound.dtype == np.uint8
        for table, timbres in zip(shard.notes, shard.timbres, strict=True):
            assert (table[:, 1] > table[:, 0]).all()
            assert set(table[:, 4]) <= set(range(len(timbres)))
    assert sum(len(table) for shard in shards for table in shard.notes) > 30


def test_labels_of_a_set_meet_its_sound(built: Path) -> None:
    """After all players and places: where a pitch begins alone, the shortest windows see it rise at its onset."""
    rises = []
    for shard in map(data.load, sorted(built.glob("*.npy"))):
        for table, start, end in zip(shard.notes, shard.first, shard.first[1:], strict=False):
            sound = features.restored(shard.sound[start:end])[:, 2:].mean(axis=1)
            for onset, offset, pitch, *_ in table:
                at, bins = round(onset * FPS), features.BINS_PER_SEMITONE * int(pitch - 21)
                course = sound[:, bins : bins + 3].max(axis=1)
                if (
                    8 <= at < len(sound) - 8
                    and offset - onset > 0.1
                    and course[at - 8 : at].max() < course[at + 3] - 0.2
                ):
                    rises.append(np.diff(course[at - 6 : at + 7]).argmax() - 6 + 0.5 - (onset * FPS - at))
    assert len(rises) > 10
    assert abs(np.median(rises)) < 0.7, "frames"


# Targets and clips


def in_frames(*rows: tuple[float, float, int, int]) -> Array:
    """Onset and offset in frames, pitch, velocity."""
    return np.array([(on / FPS, off / FPS, pitch, velocity, 0) for on, off, pitch, velocity in rows], np.float32)


def test_targets_are_triangles_and_spans() -> None:
    table = in_frames((10.25, 14.0, 60, 127), (12.0, 12.1, 62, 64), (50.0, 60.0, 64, 64))
    target = batches.target(table, 2, 20)
    assert target.shape == (len(nets.OUTPUTS), 20, features.PITCHES)
    onset, frame, offset, velocity = target[:, :, 60 - 21]
    assert np.allclose(onset[6:11], [0, 0.375, 0.875, 0.625, 0.125], atol=1e-3)
    assert frame.nonzero()[0].tolist() == [9, 10, 11]
    assert np.allclose(offset[10:15], [0, 0.5, 1, 0.5, 0], atol=1e-3)
    assert np.allclose(velocity[7:11], 1)
    assert target[1, :, 62 - 21].sum() == 1, "a short note sounds for a frame"
    assert target[2, 11, 62 - 21] == pytest.approx(1), "and ends after it"
    assert target[3, 10, 62 - 21] == pytest.approx(64 / 127)
    assert not target[:, :, 64 - 21].any(), "what is yet to come"


def test_targets_move_with_the_pitch_and_leave_the_range() -> None:
    table = in_frames((4, 8, 108, 80), (4, 8, 21, 80), (4, 8, 60, 80))
    higher, lower = (batches.target(table, 0, 20, semitones)[1].any(axis=0).nonzero()[0] for semitones in (3, -3))
    assert (higher + 21).tolist() == [24, 63]
    assert (lower + 21).tolist() == [57, 105]


def test_notes_struck_again_have_two_onsets_and_the_louder_triangle() -> None:
    target = batches.target(in_frames((4, 7, 60, 40), (7, 12, 60, 120)), 0, 20)[:, :, 60 - 21]
    assert np.allclose(target[0, 3:10], [0.5, 1, 0.5, 0.5, 1, 0.5, 0], atol=1e-3)
    assert target[1, 4:12].all()
    assert target[3, 4] == pytest.approx(40 / 127)
    assert target[3, 7] == pytest.approx(120 / 127)


def steady(*pitches: float, seconds: float = 3.0) -> Array:
    return np.asarray(np.sum([tone(pitch, seconds) for pitch in pitches], axis=0), dtype=np.float32)


def level_db(sound: Array) -> float:
    """What the front end takes for 0 dB in the middle of a steady sound."""
    relative = features.compute(sound)[65, 0].max() * (features.CEILING_DB - features.FLOOR_DB) + features.FLOOR_DB
    return float(10 * np.log10(features.resolved(sound)[65].max()) - relative)


@pytest.mark.parametrize("gain_db", [0.0, -10.0])
def test_a_clip_laid_over_another_is_what_both_sound_like_together(gain_db: float) -> None:
    """Two steady sounds, the second so many decibels above the first on the front end's own scale of levels."""
    first, second = steady(45, 60, 64), steady(71, 79, 90)
    second *= np.float32(10 ** ((level_db(first) - level_db(second) + gain_db) / 20))
    together = features.compute(first + second)[40:90]
    laid = batches.over(features.compute(first)[40:90], features.compute(second)[40:90], gain_db)
    loud = together > 0.3
    assert loud.sum() > 1000
    assert np.abs(laid - together)[loud].max() * (features.CEILING_DB - features.FLOOR_DB) < 0.5


@pytest.fixture
def sines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> data.Shard:
    """One recording of sines, one at a time, a semitone apart."""
    pitch = np.arange(50, 66)
    onset = 0.25 + 0.5 * np.arange(len(pitch))
    sound = np.zeros(round(8.5 * RATE), np.float32)
    for start, each in zip(onset, pitch, strict=True):
        sound[round(start * RATE) :][: RATE // 2] = tone(float(each), 0.5)
    data._write_shard(tmp_path / "train-000", iter([(sound, make(onset, onset + 0.5, pitch), ["sine"])]))
    return data.load(tmp_path / "train-000.npy")


def test_clips_are_moved_with_their_notes(sines: data.Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOVED", 1.0)
    monkeypatch.setattr(batches, "LAID_OVER", 0.0)
    batch = batches.draw([sines], 12, 100, default_rng(0))
    assert batch.sound.shape == (12, features.CHANNELS, 100, features.BINS)
    assert batch.target.shape == (12, len(nets.OUTPUTS), 100, features.PITCHES)
    frame = batch.target[:, 1, 4:] * batch.target[:, 1, :-4]  # not near an onset
    clip, row, pitch = frame.nonzero()
    strongest = batch.sound[:, 0, 2:-2][clip, row].argmax(axis=1)
    assert len(clip) > 800
    assert (np.abs(strongest - (features.BINS_PER_SEMITONE * pitch + 1)) <= 1).mean() > 0.97
    unmoved = batches.target(sines.notes[0], 0, 340)[1]
    assert {tuple(each) for each in batch.target[:, 1, 50].nonzero()[1][:, None]} != {tuple(unmoved[50].nonzero()[0])}


def test_batches_are_drawn_from_the_generator_alone(built: Path) -> None:
    shards = [data.load(path) for path in sorted(built.glob("train-*.npy"))]
    first, again, other = (batches.draw(shards, 3, 50, default_rng(seed)) for seed in (0, 0, 1))
    assert np.array_equal(first.sound, again.sound)
    assert np.array_equal(first.target, again.target)
    assert not np.array_equal(first.sound, other.sound)
    assert first.sound.min() >= 0
    assert first.sound.max() <= 1


# Training


@pytest.fixture
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    small_steps(monkeypatch)


def trained(shards: Path, work: Path, steps: int, stop: int = 0, size: nets.Size = SMALL) -> list[dict[str, Any]]:
    """Train; after `stop` lines the power fails."""
    lines = recipe.train(shards, work, size, steps, 0, 1)
    return [next(lines) for _ in range(stop)] if stop else list(lines)


def state(work: Path) -> dict[str, Any]:
    kept = torch.load(work / "state.pt", weights_only=True)
    return {
        "step": kept["step"],
        **kept["network"],
        **{f"average {key}": each for key, each in kept["average"].items()},
    }


def assert_same(first: Path, second: Path) -> None:
    one, other = state(first), state(second)
    assert one.keys() == other.keys()
    assert all(torch.equal(torch.as_tensor(one[key]), torch.as_tensor(other[key])) for key in one)


@pytest.mark.usefixtures("_small_steps")
def test_training_learns_and_goes_on_exactly_where_it_stopped(built: Path, tmp_path: Path) -> None:
    whole = trained(built, tmp_path / "a", 24)
    assert [line["step"] for line in whole] == [6, 12, 18, 24]
    assert whole[-1]["loss"] < 0.9 * whole[0]["loss"]
    trained(built, tmp_path / "b", 24, stop=2)
    assert [line["step"] for line in trained(built, tmp_path / "b", 24)] == [18, 24]
    assert_same(tmp_path / "a", tmp_path / "b")
    with (tmp_path / "a" / "log.csv").open() as log:
        assert [float(row["loss"]) for row in csv.DictReader(log)] == [line["loss"] for line in whole]
    assert trained(built, tmp_path / "a", 24) == []
    network, step = recipe.trained(tmp_path / "a", SMALL)
    assert step == 24
    assert torch.equal(network.head.weight, state(tmp_path / "a")["average head.weight"])
    torch.manual_seed(0)
    for name, fresh in nets.Notes(SMALL).named_parameters():
        assert not torch.equal(fresh, state(tmp_path / "a")[name]), f"{name} never learnt"


@pytest.mark.usefixtures("_small_steps")
def test_asked_for_more_steps_the_learning_rate_falls_once(built: Path, tmp_path: Path) -> None:
    """From `stable.pt`, also when it is far: as if so many had been asked for from the beginning."""
    trained(built, tmp_path / "whole", 30)
    trained(built, tmp_path / "twice", 12)
    trained(built, tmp_path / "twice", 30, stop=1)
    trained(built, tmp_path / "twice", 30)
    assert_same(tmp_path / "whole", tmp_path / "twice")


@pytest.mark.usefixtures("_small_steps")
def test_a_folder_of_another_training_is_refused(built: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="nothing was trained"):
        recipe.trained(tmp_path, SMALL)
    trained(built, tmp_path, 2)
    with pytest.raises(UsageError, match="another network"):
        trained(built, tmp_path, 20, size=SMALL._replace(width=16))


def test_a_loss_is_smallest_where_the_network_is_right() -> None:
    target = torch.from_numpy(batches.target(in_frames((10, 20, 60, 100)), 0, 40))[None]
    right, silent = torch.logit(target.clamp(0.01, 0.99)), torch.full(target.shape, -4.0)
    values = [float(recipe.loss(logits, target)) for logits in (right, silent, -right)]
    assert values == sorted(values)
    assert values[0] < 0.5 * values[1]
