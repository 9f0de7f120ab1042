"""Notes of one timbre get one part: what is seen of a note, how notes are put together, how the branch learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from training import RATE, kept_weights, tone

from clefkit import features, graph, registry
from clefkit.notes import Part, make
from clefkit.train import batches, data
from clefkit.transcribe import timbre
from clefkit.transcribe.decode import Found
from clefkit.transcribe.timbre import Collector, Odds, Views

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from clefkit.nets.timbre import POINT, Timbre  # noqa: E402 it needs torch
from clefkit.train import export, finish  # noqa: E402
from clefkit.train import timbre as branch  # noqa: E402

Array = NDArray[np.float32]
Indices = NDArray[np.int64]
ODDS = Odds(slope=8.0, bias=-4.0, apart=0.0)
RANGE_DB = features.CEILING_DB - features.FLOOR_DB


# What is seen of a note


def partials(pitch: float, gains_db: dict[int, float]) -> Array:
    """A second of nothing, then one of some partials."""
    tones = [tone(pitch + 12 * np.log2(k), 1.0) * 10 ** (gain / 20) for k, gain in gains_db.items()]
    return np.pad(0.2 * np.sum(tones, axis=0), (RATE, 0)).astype(np.float32)


def seen(sound: Array, pitch: int, others: tuple[int, ...] = (), onset: int = 43, offset: int = 80) -> Views:
    frames = features.compute(sound)
    roll = np.zeros((len(frames), features.PITCHES), dtype=bool)
    roll[onset - 1 : offset, [each - features.LOWEST_PITCH for each in (pitch, *others)]] = True
    return timbre.views(frames, roll, np.array([onset]), np.array([offset]), np.array([pitch]))


@pytest.mark.parametrize("pitch", [48, 60, 72])
def test_a_note_is_seen_at_its_partials(pitch: int) -> None:
    """The first and third are there, the third 20 dB below; nothing sounds at the others, nor between."""
    view = seen(partials(pitch, {1: 0.0, 3: -20.0}), pitch)
    assert [each.shape[1:] for each in view] == [(timbre.FRAMES, timbre.SPECTRUM), (timbre.FRAMES,), (timbre.ASIDE,)]
    middle = view.spectrum[0, 15]
    count = len(timbre.PARTIALS)
    long = middle[: 3 * count].reshape(count, 3).max(axis=1)
    between = middle[4 * count :]
    assert long[0] == pytest.approx(0, abs=0.02), "all else is relative to it"
    assert RANGE_DB * long[2] == pytest.approx(-20, abs=1.5)
    assert long[[1, 3, 4, 5, 6]].max() * RANGE_DB < -40
    assert between[[0, 3, 4, 5]].max() * RANGE_DB < -30
    assert view.present[0].all()
    assert view.spectrum[0, 0].max() < view.spectrum[0, 2].max() - 0.05, (
        "the attack is coming, a frame before the onset"
    )


def test_what_a_note_is_beside_others_is_told() -> None:
    """An octave above sounds at the second partial as its first, at the fourth as its second, and so on."""
    shared = seen(partials(60, {1: 0.0}), 60, (72,)).aside[0, : len(timbre.PARTIALS)]
    assert np.allclose(shared[[0, 1, 2, 3, 4, 5]], [0, 1, 0, 1 / 2, 0, 1 / 3])
    assert not seen(partials(60, {1: 0.0}), 60).aside[0, : len(timbre.PARTIALS)].any()
    alone, high = (seen(partials(pitch, {1: 0.0}), pitch).aside[0, len(timbre.PARTIALS) :] for pitch in (60, 84))
    assert (alone[0], high[0]) == (0, 1)


def test_a_short_note_is_there_for_a_while_and_then_not() -> None:
    view = seen(partials(60, {1: 0.0}), 60, offset=50)
    assert view.present[0].tolist() == [1] * 9 + [0] * (timbre.FRAMES - 9)
    assert not view.spectrum[0, 9:].any()


# Collected on the way


class Session:
    """A branch that says what it saw."""

    def run(self, _outputs: None, inputs: dict[str, Array]) -> list[Array]:
        seen = [inputs[name].reshape(len(inputs["aside"]), -1) for name in Views._fields]
        return [np.concatenate([each @ _turns(each.shape[1]) for each in seen], axis=1)]


def _turns(count: int) -> Array:
    return default_rng(count).normal(0, 1 / count, (count, 3)).astype(np.float32)


def found(first: int, last: int, pitch: int) -> Found:
    return Found(first / 43, last / 43, pitch, 80, 0.9, first, last)


@pytest.mark.parametrize("size", [37, 512, 3000])
def test_notes_look_the_same_however_the_sound_arrived(size: int) -> None:
    """Each note is handed over when what it ends in, and a few frames more, have been seen."""
    generator = default_rng(0)
    sound = generator.uniform(0, 1, (1500, features.CHANNELS, features.BINS)).astype(np.float32)
    roll = generator.random((1500, features.PITCHES)) < 0.05
    onsets = np.sort(generator.integers(0, 1400, 60))
    notes = sorted(
        (found(int(on), int(on) + 2 + number, 40 + number % 40) for number, on in enumerate(onsets)), key=_end
    )
    whole, pieces = Collector(Session(), ODDS), Collector(Session(), ODDS)
    whole.see(sound)
    whole.hear(roll)
    whole.add(notes)
    waiting = list(notes)
    for start in range(0, 1500, size):
        pieces.see(sound[start : start + size])
        pieces.hear(roll[start : start + size])
        ended = [note for note in waiting if note.last + timbre.FRAMES < start + size or start + size >= 1500]
        waiting = [note for note in waiting if note not in ended]
        pieces.add(ended)
    assert not waiting
    one, other = (np.concatenate(each.points)[np.argsort(each.pitches, kind="stable")] for each in (whole, pieces))
    assert np.allclose(one, other, atol=1e-6)


def _end(note: Found) -> int:
    return note.last


def test_without_notes_there_are_no_parts() -> None:
    assert len(Collector(Session(), ODDS).parts()) == 0


# Notes put together


def clusters(sizes: list[int], generator: Generator, spread: float = 0.15) -> tuple[Array, Indices]:
    """Points around directions at right angles, mixed, and which is whose."""
    whose = generator.permutation(np.repeat(np.arange(len(sizes)), sizes))
    points = np.eye(len(sizes), POINT)[whose] + generator.normal(0, spread / POINT**0.5, (len(whose), POINT))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32), whose


def pitches(count: int, generator: Generator) -> Indices:
    return generator.integers(48, 80, count)


def agree(one: Indices, other: Indices) -> bool:
    return bool(((one[:, None] == one) == (other[:, None] == other)).all())


@pytest.mark.parametrize("sizes", [[40], [30, 50], [20, 30, 40], [12, 14, 16, 18, 20, 22]])
def test_clear_timbres_are_told_apart_and_one_is_one(sizes: list[int]) -> None:
    generator = default_rng(len(sizes))
    points, whose = clusters(sizes, generator)
    part = timbre.parts(points, pitches(len(whose), generator), ODDS)
    assert agree(part, whose)
    assert np.bincount(part).tolist() == sorted(sizes, reverse=True), "the part with the most notes is the first"


def test_a_number_that_is_known_is_kept() -> None:
    generator = default_rng(5)
    points, whose = clusters([30, 40, 50], generator)
    pitch = pitches(len(whose), generator)
    for instruments in (1, 2, 3, 4):
        assert len(np.unique(timbre.parts(points, pitch, ODDS, instruments))) == instruments
    single, _ = clusters([60], generator, spread=0.5)
    assert len(np.unique(timbre.parts(single, pitches(60, generator), ODDS, 2))) == 2
    assert timbre.parts(single[:1], pitch[:1], ODDS).tolist() == [0]
    assert timbre.parts(single[:1], pitch[:1], ODDS, 2).tolist() == [0]


def test_there_are_six_instruments_at_most() -> None:
    generator = default_rng(6)
    points, whose = clusters([20] * 9, generator)
    assert len(np.unique(timbre.parts(points, pitches(len(whose), generator), ODDS))) == timbre.MOST


def test_a_few_notes_are_no_instrument() -> None:
    generator = default_rng(7)
    points, whose = clusters([100, 2], generator)
    pitch = pitches(len(whose), generator)
    assert not timbre.parts(points, pitch, ODDS).any()
    assert agree(timbre.parts(points, pitch, ODDS._replace(least=0.01)), whose)


def test_parts_are_the_same_whatever_the_order_of_the_notes() -> None:
    generator = default_rng(8)
    points, whose = clusters([30, 40, 50], generator, spread=0.6)
    pitch = pitches(len(whose), generator)
    part = timbre.parts(points, pitch, ODDS)
    assert np.array_equal(part, timbre.parts(points, pitch, ODDS))
    for _ in range(3):
        order = generator.permutation(len(whose))
        assert np.array_equal(timbre.parts(points[order], pitch[order], ODDS), part[order])


def test_notes_beyond_those_that_are_compared_go_where_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = default_rng(9)
    points, whose = clusters([300, 500], generator)
    monkeypatch.setattr(timbre, "PAIRED", 100)
    assert agree(timbre.parts(points, pitches(800, generator), ODDS), whose)


def test_distance_in_pitch_counts() -> None:
    """Of two timbres that are all but one, those who play three octaves apart are two instruments."""
    generator = default_rng(10)
    points, _ = clusters([80], generator)
    pitch = np.where(np.arange(80) % 2, 40, 76)
    assert not timbre.parts(points, pitch, ODDS).any()
    part = timbre.parts(points, pitch, ODDS._replace(apart=-3.0))
    assert agree(part, pitch)


# The branch


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> data.Shard:
    """Two recordings of two timbres that take turns: a sine, and one with odd partials."""
    folder = tmp_path_factory.mktemp("timbres")
    recordings = [_two_timbres(default_rng(seed)) for seed in range(2)]
    data._write_shard(folder / "train-000", iter(recordings))
    return data.load(folder / "train-000.npy")


def _two_timbres(generator: Generator) -> tuple[Array, Any, list[str]]:
    onset = 0.2 + 0.25 * np.arange(48)
    pitch, part = generator.integers(50, 70, 48), np.arange(48) % 2
    sound = np.zeros(round(13 * RATE), np.float32)
    for start, each, who in zip(onset, pitch, part, strict=True):
        gains = {1: 1.0, 3: 0.7, 5: 0.5, 7: 0.3} if who else {1: 1.0, 2: 0.05}
        single = np.sum([gain * tone(each + 12 * np.log2(k), 0.3) for k, gain in gains.items()], axis=0)
        sound[round(start * RATE) :][: len(single)] += single
    return sound, make(onset, onset + 0.3, pitch, None, part, (Part(), Part())), ["sine", "odd"]


def test_notes_to_learn_from_are_of_one_recording(shard: data.Shard) -> None:
    some = branch.draw([shard], default_rng(0), most=20)
    assert 10 < len(some.who) <= 20
    assert len(some.views.spectrum) == len(some.who) == len(some.pitch)
    again = branch.draw([shard], default_rng(0), most=20)
    assert np.array_equal(some.views.spectrum, again.views.spectrum)
    third = some.views.spectrum[:, 3, 6:9].max(axis=1)
    assert third[some.who == 1].min() > third[some.who == 0].max(), "the odd timbre is the one with the third partial"


def test_they_are_heard_in_every_key(shard: data.Shard) -> None:
    """The notes are of 20 pitches; in other keys there are more, and each is still seen at its own partials."""
    drawn = [branch.draw([shard], default_rng(seed)) for seed in range(30)]
    assert len(np.unique(np.concatenate([some.pitch for some in drawn]))) == 20 + 2 * batches.FARTHEST
    for some in drawn:
        first = some.views.spectrum[:, 3, :3].max(axis=1) * RANGE_DB
        assert np.median(first) > -6


def test_two_recordings_laid_over_each_other_are_of_four_timbres(
    shard: data.Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(branch, "LAID_OVER", 1.0)
    other = shard._replace(timbres=[["soft", "hollow"]] * 2)
    drawn = [branch.draw([shard, other], default_rng(seed)) for seed in range(20)]
    both = [some for some in drawn if len(set(some.who)) == 4]
    assert 5 < len(both) < 15, "not where the two have a timbre in common"
    for some in both:
        aside = some.views.aside[:, : len(timbre.PARTIALS)]
        assert 0 < aside.max() <= 1, "it is known where others sound too"
    assert {len(set(some.who)) for some in drawn} == {2, 4}


def test_a_contrast_is_small_when_timbres_lie_apart() -> None:
    who = torch.tensor([0, 0, 1, 1])
    apart = torch.eye(4)[who]
    together = torch.ones(4, 4) / 2
    assert float(branch.contrast(apart, who)) < 0.01
    assert float(branch.contrast(together, who)) == pytest.approx(np.log(3), abs=1e-4)
    assert float(branch.contrast(apart, torch.arange(4))) == 0


def test_the_branch_learns_who_is_who_and_the_odds(
    shard: data.Shard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(branch, "TELL_EVERY", 10)
    monkeypatch.setattr(branch, "RECORDINGS", 2)
    monkeypatch.setattr(branch, "RATE", 5e-3)
    (tmp_path / "shards").mkdir()
    monkeypatch.setattr(data, "load", lambda _: shard)
    (tmp_path / "shards" / "train-000.npy").touch()
    rows = [line["timbre"] for line in finish.train_timbre(tmp_path, 24, 0)]
    assert [row["step"] for row in rows] == [10, 20, 24]
    assert rows[-1]["entropy"] < rows[0]["entropy"]
    assert rows[-1]["pairs"] > 0.9
    assert list(finish.train_timbre(tmp_path, 24, 0)) == [], "it is there"
    (row, network, odds) = next(branch.train([shard], 24, 0))
    assert row == rows[0]
    assert float(odds.slope.detach()) > 0
    assert isinstance(network, Timbre)


def test_the_exported_branch_agrees_with_the_class(shard: data.Shard) -> None:
    torch.manual_seed(1)
    network = Timbre().eval()
    session = graph.session(export.timbre_graph(network), "timbre")
    for most in (1, 7, 30):
        views = branch.draw([shard], default_rng(most), most).views
        (points,) = session.run(None, dict(zip(Views._fields, views, strict=True)))
        with torch.inference_mode():
            wanted = network(*map(torch.from_numpy, views)).numpy()
        assert points.shape == (len(views.aside), POINT)
        assert np.allclose(np.linalg.norm(points, axis=1), 1, atol=1e-3)
        assert np.abs(points - wanted).max() < 0.01


def test_the_shipped_branch_is_the_shipped_weights(shard: data.Shard) -> None:
    folder = registry.model("notes").path
    network = Timbre().eval()
    network.load_state_dict(kept_weights(folder, "timbre"))
    views = branch.draw([shard], default_rng(0)).views
    (points,) = graph.session((folder / "timbre.onnx").read_bytes(), "notes").run(
        None, dict(zip(Views._fields, views, strict=True))
    )
    with torch.inference_mode():
        assert np.abs(points - network(*map(torch.from_numpy, views)).numpy()).max() < 0.01
