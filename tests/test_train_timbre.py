"""Whose note it is: what is seen of a note, how networks learn it, the checkpoint. Mixtures: test_train_separate."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from training import RATE, at_once, kept_weights, tone

from clefkit import features, registry
from clefkit.errors import InputError, MissingError
from clefkit.notes import make
from clefkit.transcribe import timbre
from clefkit.transcribe.decode import Found
from clefkit.transcribe.timbre import Collector, Limits, Model, Views

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("safetensors")

from clefkit.nets.timbre import TOKEN  # noqa: E402 it needs torch
from clefkit.train import batches  # noqa: E402
from clefkit.train.separate import finish, loop, mixtures  # noqa: E402
from clefkit.train.separate import timbre as recipe  # noqa: E402
from clefkit.train.separate.mixtures import Mixture, Shard  # noqa: E402
from clefkit.train.separate.timbre import Branch, Some  # noqa: E402

Array = NDArray[np.float32]
Indices = NDArray[np.int64]
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
    between = middle[4 * count : 4 * count + len(timbre.BETWEEN)]
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
    low, high = (seen(partials(pitch, {1: 0.0}), pitch).aside[0, -6] for pitch in (60, 84))
    assert (low, high) == (0, 1)


def test_what_others_sound_at_too_is_not_its_own() -> None:
    """Four partials, of which an octave above has two."""
    sound, count = partials(60, {1: 0.0, 2: 0.0, 3: 0.0, 4: 0.0}), len(timbre.PARTIALS)
    for others, own, shared in (((), [1, 1, 1, 1], [0, 0, 0, 0]), ((72,), [1, 0, 1, 0.5], [0, 1, 0, 0.5])):
        frame = seen(sound, 60, others).spectrum[0, 15]
        assert np.allclose(frame[-2 * count : -count][:4], own, atol=0.1)
        assert np.allclose(frame[-count:][:4], shared)


def test_a_note_is_seen_by_frequency_whatever_its_pitch() -> None:
    """A partial at G4, whichever of a note's it is, is in the band of G4."""
    places = 4 * np.arange(timbre.BANDS) + timbre.LOWEST_BAND
    for pitch, partial in ((67, 1), (55, 2), (48, 3), (43, 4)):
        aside = seen(partials(pitch, {partial: 0.0}), pitch).aside[0, len(timbre.PARTIALS) :]
        loudest, mean, own = aside[: 3 * timbre.BANDS].reshape(3, timbre.BANDS)
        near = np.abs(places - 67) <= 4
        assert loudest[near].max() > 0.6
        assert loudest[~near].max() < loudest[near].max() - 0.2
        assert abs(places[mean.argmax()] - 67) <= 4
        assert np.allclose(own, mean, atol=1e-5), "nobody else plays"


# Collected on the way


class Single:
    """Where a network of single notes is wanted: says what it saw, in few numbers."""

    def run(self, _outputs: None, inputs: dict[str, Array]) -> list[Array]:
        seen = [inputs[name].reshape(len(inputs["aside"]), -1) for name in Views._fields]
        return [np.concatenate([each @ _turns(each.shape[1]) for each in seen], axis=1)]


class Together:
    """Where one of all notes is wanted: notes of a height are of one instrument."""

    def run(self, _outputs: None, inputs: dict[str, Array]) -> list[Array]:
        pitch = inputs["placed"][:, 2]
        return [4 - np.abs(pitch[:, None] - pitch[None])]


MODEL = Model(Single(), Together(), Limits(0.0, 0.03))


def _turns(count: int) -> Array:
    return default_rng(count).normal(0, 1 / count, (count, 3)).astype(np.float32)


def found(first: int, last: int, pitch: int) -> Found:
    return Found(first / 43, last / 43, pitch, 80, 0.9, first, last)


@pytest.mark.parametrize("size", [37, 512, 3000])
def test_notes_look_the_same_however_the_sound_arrived(size: int) -> None:
    """Each note is handed over when what it ends in, and a few frames more, have been seen."""
    generator = default_rng(0)
    sound = generator.integers(0, 256, (1500, features.CHANNELS, features.BINS), np.uint8)
    roll = generator.random((1500, features.PITCHES)) < 0.05
    onsets = np.sort(generator.integers(0, 1400, 60))
    notes = sorted(
        (found(int(on), int(on) + 2 + number, 40 + number % 40) for number, on in enumerate(onsets)), key=_end
    )
    whole, pieces = Collector(MODEL), Collector(MODEL)
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
    order = [np.lexsort(np.array(each.placed).T) for each in (whole, pieces)]
    one, other = (np.concatenate(each.tokens)[by] for each, by in zip((whole, pieces), order, strict=True))
    assert np.allclose(one, other, atol=1e-6)
    assert np.array_equal(np.array(whole.placed)[order[0]], np.array(pieces.placed)[order[1]])


def _end(note: Found) -> int:
    return note.last


def test_parts_are_those_of_the_odds(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order in which notes were added; the bias moves what counts as one."""
    monkeypatch.setattr(timbre, "TOGETHER", 7)
    pitches = [40, 41, 42, 60, 61, 40, 41, 60, 61, 62, 42, 40]
    notes = [found(20 * number, 20 * number + 15, pitch) for number, pitch in enumerate(pitches)]
    for bias, instruments, parts in ((0.0, None, 2), (50.0, None, 1), (50.0, 2, 2), (0.0, 1, 1)):
        whose = Collector(MODEL._replace(limits=Limits(bias, 0.03)))
        whose.see(np.zeros((300, features.CHANNELS, features.BINS), np.uint8))
        whose.hear(np.zeros((300, features.PITCHES), dtype=bool))
        whose.add(notes)
        part = whose.shares(instruments).argmax(axis=1)
        assert part.tolist() == ([int(pitch > 50) for pitch in pitches] if parts == 2 else [0] * len(pitches))
        assert [each.name for each in whose.named(part)] == [f"timbre {number + 1}" for number in range(parts)]


def test_without_notes_there_are_no_parts() -> None:
    assert len(Collector(MODEL).shares()) == 0
    assert len(Collector(MODEL).shares(3)) == 0


# What there is to learn from


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shard of two mixtures of two timbres that take turns: a sine, and one with odd partials."""
    folder = tmp_path_factory.mktemp("timbres")
    mixtures.write(folder / "train-000", (_two_timbres(default_rng(seed)) for seed in range(2)))
    return folder


@pytest.fixture(scope="module")
def shard(folder: Path) -> Shard:
    return mixtures.load(folder / "train-000.npz")


def _two_timbres(generator: Generator) -> Mixture:
    onset = 0.2 + 0.25 * np.arange(48)
    pitch, part = generator.integers(50, 70, 48), np.arange(48) % 2
    stems = np.zeros((3, round(13 * RATE)), np.float32)
    for start, each, who in zip(onset, pitch, part, strict=True):
        gains = {1: 1.0, 3: 0.7, 5: 0.5, 7: 0.3} if who else {1: 1.0, 2: 0.05}
        single = 0.4 * np.sum([gain * tone(each + 12 * np.log2(k), 0.3) for k, gain in gains.items()], axis=0)
        stems[who, round(start * RATE) :][: len(single)] += single
    return Mixture(stems, make(onset, onset + 0.3, pitch, None, part), ["sine", "odd"])


def test_notes_to_learn_from_are_of_one_recording(shard: Shard) -> None:
    some = recipe.draw([shard], default_rng(0), most=20)
    count = len(some.who)
    assert 10 < count <= 25, "twenty, and some that nobody played"
    shapes = [(timbre.FRAMES, timbre.SPECTRUM), (timbre.FRAMES,), (timbre.ASIDE,)]
    assert [each.shape for each in some.views] == [(count, *shape) for shape in shapes]
    assert some.placed.shape == (count, 3)
    assert {each.dtype for each in (*some.views, some.placed)} == {np.dtype(np.float32)}
    again = recipe.draw([shard], default_rng(0), most=20)
    assert all(np.array_equal(one, other) for one, other in zip(some.views, again.views, strict=True))
    assert np.array_equal(some.placed, again.placed)
    third = some.views.spectrum[:, 3, 6:9].max(axis=1)
    odd, sine = (np.median(third[some.who == who]) for who in (1, 0))
    assert odd > sine + 0.2, "the odd timbre is the one with the third partial"


def drawn(shard: Shard, count: int) -> list[Some]:
    return [recipe.draw([shard], default_rng(seed)) for seed in range(count)]


def test_notes_are_as_a_transcription_has_them(shard: Shard) -> None:
    """In the order of their onsets; some were played by nobody, and are as far from a note as mistakes are."""
    false = total = 0
    for some in drawn(shard, 40):
        onset, offset, pitch = some.placed.T
        assert (np.diff(onset) >= 0).all()
        assert (offset - onset >= 0.049).all()
        assert set(some.who.tolist()) <= {-1, 0, 1}
        played = some.who >= 0
        for start, height in zip(onset[~played], pitch[~played], strict=True):
            apart = height - pitch[played][np.abs(onset[played] - start) < 1e-3]
            assert set(apart.tolist()) & set(recipe.FALSE_BY)
        false, total = false + int((~played).sum()), total + len(played)
    assert false / total == pytest.approx(recipe.FALSE, abs=0.03)


def test_some_notes_are_not_found_and_times_are_a_little_off(shard: Shard) -> None:
    stretch = recipe.Stretch(features.restored(shard.sound[0]), shard.notes[0], shard.names[0])
    missing, moved = [], []
    for seed in range(30):
        some = recipe.looked_at(stretch, default_rng(seed), 1000)
        onset = some.placed[some.who >= 0, 0]
        missing.append(1 - len(onset) / len(stretch.notes))
        moved.append(np.abs(onset[:, None] - stretch.notes[None, :, 0]).min(axis=1))
    assert np.mean(missing) == pytest.approx(np.mean(recipe.NOT_FOUND), abs=0.05)
    assert 0.004 < np.concatenate(moved).mean() < 0.02


def test_they_are_heard_in_every_key(shard: Shard) -> None:
    """The notes are of 20 pitches; in other keys there are more, and each is still seen at its own partials."""
    several = drawn(shard, 30)
    pitches = np.concatenate([some.placed[some.who >= 0, 2] for some in several])
    assert len(np.unique(pitches)) == 20 + 2 * batches.FARTHEST
    for some in several:
        first = some.views.spectrum[some.who >= 0, 3, :3].max(axis=1) * RANGE_DB
        assert np.median(first) > -6


def test_only_pitches_that_the_network_knows(shard: Shard) -> None:
    low = shard._replace(notes=[each - np.array([0, 0, 30, 0, 0], np.float32) for each in shard.notes])
    for some in drawn(low, 20):
        assert some.placed[:, 2].min() >= features.LOWEST_PITCH


def test_two_mixtures_laid_over_each_other_have_the_timbres_of_both(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "LAID_OVER", 1.0)
    other = shard._replace(names=[["soft", "hollow"]] * 2)
    several = [recipe.draw([shard, other], default_rng(seed), 1000) for seed in range(20)]
    timbres = [set(some.who.tolist()) - {-1} for some in several]
    assert {len(each) for each in timbres} == {2, 4}
    assert 4 < sum(len(each) == 4 for each in timbres) < 16, "not where the two have a timbre in common"
    for some in several:
        aside = some.views.aside[:, : len(timbre.PARTIALS)]
        assert 0 < aside.max() <= 1, "it is known where others sound too"
    monkeypatch.setattr(recipe, "MOST_TIMBRES", 3)
    assert not any(3 in recipe.draw([shard, other], default_rng(seed)).who for seed in range(10))


# Losses, networks


def test_a_contrast_is_small_when_timbres_lie_apart() -> None:
    who = torch.tensor([0, 0, 1, 1])
    apart = torch.eye(4)[who]
    together = torch.ones(4, 4) / 2
    assert float(recipe.contrast(apart, who)) < 0.01
    assert float(recipe.contrast(together, who)) == pytest.approx(np.log(3), abs=1e-4)
    assert float(recipe.contrast(apart, torch.arange(4))) == 0


def test_notes_that_nobody_played_are_not_learnt_from(shard: Shard) -> None:
    branch = fresh()
    some = recipe.draw([shard], default_rng(3))
    assert (some.who < 0).any()
    nobody = some._replace(who=np.where(some.who < 0, -2, some.who))
    with torch.inference_mode():
        value, figures = recipe.loss(branch, [some])
        assert recipe.loss(branch, [nobody])[0] == value
        twice = recipe.loss(branch, [some, some])[0]
    assert set(figures) == {"entropy", "contrast", "pairs"}
    assert 0 <= figures["pairs"] <= 1
    assert float(twice) == pytest.approx(float(value), rel=1e-4), "a mean of recordings"


def fresh(seed: int = 1) -> Branch:
    """Networks whose odds are of both signs, and depend on places, too."""
    torch.manual_seed(seed)
    branch = Branch().eval()
    with torch.no_grad():
        branch.context.bias.fill_(-2.0)
        for weight in branch.context.beside.parameters():
            weight.mul_(2)
    return branch


def notes_at_random(count: int, seed: int = 0) -> tuple[Any, Any]:
    """Tokens and places."""
    generator = default_rng(seed)
    onset = generator.uniform(0, 30, count)
    placed = np.stack([onset, onset + generator.uniform(0.05, 2, count), generator.integers(30, 90, count)], axis=1)
    tokens = generator.normal(0, 1, (count, TOKEN))
    return torch.from_numpy(tokens.astype(np.float32)), torch.from_numpy(placed.astype(np.float32))


def test_odds_are_those_of_two_whichever_is_named_first_and_in_whatever_order_notes_come() -> None:
    context = fresh().context
    tokens, placed = notes_at_random(50)
    order = torch.from_numpy(default_rng(1).permutation(50))
    with torch.inference_mode():
        odds, turned = context(tokens, placed), context(tokens[order], placed[order])
    assert torch.allclose(odds, odds.T, atol=1e-4)
    assert torch.allclose(turned, odds[order][:, order], atol=1e-3)
    assert float(odds.std()) > 0.1


def test_odds_do_not_depend_on_when_and_where_all_of_it_is_played() -> None:
    context = fresh().context
    tokens, placed = notes_at_random(20)
    with torch.inference_mode():
        odds, later = context(tokens, placed), context(tokens, placed + torch.tensor([100.0, 100.0, 0.0]))
        higher = context(tokens, placed + torch.tensor([0.0, 0.0, 7.0]))
        others, theirs = notes_at_random(9, 2)
        among = context(torch.cat([tokens, others]), torch.cat([placed, theirs]))
    assert torch.allclose(odds, later, atol=1e-2)
    assert torch.allclose(odds, higher, atol=1e-3)
    assert not torch.allclose(odds, among[:20, :20], atol=1e-2), "what else plays tells something"


def test_a_token_is_of_its_note_alone_and_of_the_frames_in_which_it_sounds(shard: Shard) -> None:
    network = fresh().timbre
    some = recipe.draw([shard], default_rng(2)).views
    given = [torch.from_numpy(each) for each in some]
    with torch.inference_mode():
        tokens = network(*given)
        assert torch.allclose(network(*(each[3:5] for each in given)), tokens[3:5], atol=1e-5)
        loud = given[0] + (1 - given[1][..., None])
        assert torch.allclose(network(loud, *given[1:]), tokens, atol=1e-5)
    assert tokens.shape == (len(some.aside), TOKEN)


# Training


@pytest.fixture
def learn(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Iterator[dict[str, Any]]]:
    """Two recordings of forty notes a step, drawn in this process."""
    at_once(monkeypatch, 6)
    monkeypatch.setattr(recipe, "RECORDINGS", 2)
    monkeypatch.setattr(recipe.draw, "__defaults__", (40,))

    def learn(work: Path) -> Iterator[dict[str, Any]]:
        monkeypatch.setattr(recipe, "_shards", [])
        return loop.train(recipe.RECIPE._replace(rate=5e-3), sorted(folder.glob("train-*.npz")), work, 24, 0, 1)

    return learn


def test_the_networks_learn_who_is_who_and_go_on_where_they_stopped(
    learn: Callable[[Path], Iterator[dict[str, Any]]], tmp_path: Path
) -> None:
    rows = list(learn(tmp_path / "whole"))
    assert [row["step"] for row in rows] == [6, 12, 18, 24]
    assert rows[-1]["entropy"] < 0.7 * rows[0]["entropy"]
    assert rows[-1]["pairs"] > 0.9
    cut = learn(tmp_path / "cut")
    assert [next(cut) for _ in range(2)] == rows[:2]
    del cut
    assert list(learn(tmp_path / "cut")) == rows[2:]
    (one, step), (other, _) = (loop.trained(recipe.RECIPE, tmp_path / name) for name in ("whole", "cut"))
    assert step == 24
    assert one.state_dict().keys() == other.state_dict().keys()
    assert all(torch.equal(kept, other.state_dict()[name]) for name, kept in one.state_dict().items())
    assert (tmp_path / "whole" / "log.csv").read_text() == (tmp_path / "cut" / "log.csv").read_text()
    torch.manual_seed(0)
    begun = Branch().state_dict()
    assert all(not torch.equal(kept, begun[name]) for name, kept in one.state_dict().items()), "all of it learns"
    assert list(learn(tmp_path / "whole")) == [], "it is there"


# The checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Branch]:
    branch = fresh()
    path = tmp_path_factory.mktemp("models") / "timbre-0"
    finish.write_timbre(path, branch, Limits(0.25, 0.06), {"about": "a test"}, {"track_f1": 0.51234})
    return path, branch


def agrees(model: Model, branch: Branch, seen: Callable[[int], Views]) -> Iterator[float]:
    """The largest differences of tokens and odds of a few numbers of notes."""
    mine = finish.model(branch.eval())
    for count in (1, 2, 7, 60):
        views = seen(count)
        told, wanted = timbre.tokens(model, views), timbre.tokens(mine, views)
        assert told.shape == (len(views.aside), TOKEN)
        yield float(np.abs(told - wanted).max() / wanted.std())
        _, placed = notes_at_random(len(told))
        found, expected = (timbre.odds(each, wanted, placed.numpy()) for each in (model, mine))
        assert found.shape == (len(told), len(told))
        yield float(np.abs(found - model.limits.bias - expected).max())


def viewed(shard: Shard) -> Callable[[int], Views]:
    views = recipe.draw([shard], default_rng(0), 1000).views
    return lambda count: Views(*(each[np.arange(count) % len(each)] for each in views))


def test_the_checkpoint_agrees_with_the_networks(checkpoint: tuple[Path, Branch], shard: Shard) -> None:
    path, branch = checkpoint
    assert {each.name for each in path.iterdir()} == {
        "model.onnx", "context.onnx", "weights.safetensors", "config.toml",
    }  # fmt: skip
    model = timbre.load(path)
    assert model.limits == Limits(0.25, 0.06)
    assert max(agrees(model, branch, viewed(shard))) < 0.02
    config = registry.config(path)
    assert config["net"] == "timbre"
    assert config["about"] == "a test"
    assert config["measured"]["track_f1"]["value"] == 0.5123
    for file, key in (
        ("model.onnx", "sha256"),
        ("context.onnx", "context_sha256"),
        ("weights.safetensors", "weights_sha256"),
    ):
        assert hashlib.sha256((path / file).read_bytes()).hexdigest() == config[key]
    assert registry.own_model(path).name == "timbre-0"


def reloaded(path: Path) -> Branch:
    branch = Branch()
    branch.timbre.load_state_dict(kept_weights(path, "timbre"))
    branch.context.load_state_dict(kept_weights(path, "context"))
    return branch.eval()


def test_the_weights_are_those_of_the_graphs(checkpoint: tuple[Path, Branch], shard: Shard) -> None:
    path, _ = checkpoint
    assert max(agrees(timbre.load(path), reloaded(path), viewed(shard))) < 0.02


def test_the_shipped_graphs_are_the_shipped_weights(shard: Shard) -> None:
    path = registry.model("timbre").path
    assert max(agrees(timbre.load(path), reloaded(path), viewed(shard))) < 0.02
    assert 0 < timbre.load(path).limits.least < 0.5


def replaced(old: str, new: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        config = path / "config.toml"
        text = config.read_text(encoding="utf-8")
        assert old in text
        config.write_text(text.replace(old, new), encoding="utf-8")

    return change


def longer(name: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        (path / name).write_bytes((path / name).read_bytes() + b"more")

    return change


def lost(name: str) -> Callable[[Path], None]:
    return lambda path: (path / name).unlink()


def swapped(path: Path) -> None:
    """Both graphs are known to the config, but each is the other."""
    one, other = ((path / name).read_bytes() for name in timbre.GRAPHS)
    for name, content, key in zip(timbre.GRAPHS, (other, one), ("sha256", "context_sha256"), strict=True):
        was = registry.config(path)[key]
        (path / name).write_bytes(content)
        replaced(f'{key} = "{was}"', f'{key} = "{hashlib.sha256(content).hexdigest()}"')(path)


def no_graph(path: Path) -> None:
    (path / "context.onnx").write_bytes(b"this is no graph" * 20)
    was = registry.config(path)["context_sha256"]
    replaced(was, hashlib.sha256((path / "context.onnx").read_bytes()).hexdigest())(path)


@pytest.mark.parametrize(
    ("change", "kind", "told"),
    [
        (longer("model.onnx"), MissingError, "the model.onnx of checkpoint timbre-0 is not the one"),
        (longer("context.onnx"), MissingError, "the context.onnx of checkpoint timbre-0 is not the one"),
        (lost("context.onnx"), MissingError, r"no checkpoint timbre-0: it needs config\.toml and model\.onnx and con"),
        (lost("config.toml"), MissingError, "no checkpoint timbre-0"),
        (replaced('net = "timbre"', 'net = "notes"'), MissingError, "of kind 'notes', not 'timbre'"),
        (replaced("[limits]", "[limits"), MissingError, "config.toml of checkpoint timbre-0 is damaged"),
        (replaced("[limits]", "[others]"), InputError, "needs bias, least"),
        (replaced("bias = ", "bias = true\nslope = "), InputError, "needs bias, least"),
        (swapped, InputError, "don't take what is seen of notes"),
        (no_graph, InputError, "context.onnx|ONNX graph"),
    ],
)  # fmt: skip
def test_a_checkpoint_that_was_changed_is_refused(
    checkpoint: tuple[Path, Branch], tmp_path: Path, change: Callable[[Path], None], kind: type[Exception], told: str
) -> None:
    path = tmp_path / "timbre-0"
    shutil.copytree(checkpoint[0], path)
    change(path)
    with pytest.raises(kind, match=told) as caught:
        timbre.load(path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
