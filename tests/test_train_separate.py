"""What `separate` learns from and how: mixtures, the recipe of masks, those who judge, both recipes from the shell.

The recipe of timbres: test_train_timbre.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_font
from numpy.random import default_rng
from numpy.typing import NDArray
from training import RATE, Here, at_once, single_notes, small_sources, tone

from clefkit import audio, cli, features, graph, registry, transcribe, tuning
from clefkit.errors import UsageError
from clefkit.notes import Notes, Part, make, take
from clefkit.train import arrange, corpus, data, heldout_sounds, shards
from clefkit.train.data import Sources
from clefkit.train.heldout_sounds import Instrument
from clefkit.train.separate import heldout, mixtures
from clefkit.train.separate.mixtures import Shard
from clefkit.transcribe import timbre
from clefkit.transcribe.timbre import Collector, Limits, Model

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
load_file = pytest.importorskip("safetensors.torch").load_file

from clefkit.nets.masks import Masks  # noqa: E402 it needs torch
from clefkit.nets.timbre import TOKEN  # noqa: E402
from clefkit.separate import masks  # noqa: E402
from clefkit.train.separate import finish, loop, recipe  # noqa: E402
from clefkit.train.separate import masks as masks_recipe  # noqa: E402
from clefkit.train.separate import timbre as timbre_recipe  # noqa: E402
from clefkit.train.separate.timbre import Branch  # noqa: E402

Array = NDArray[np.float32]

SHORT_S = 8.0
FEW = 3


def short_mixtures(patch: pytest.MonkeyPatch) -> None:
    """Shards of few and short mixtures, built in this process."""
    patch.setattr(mixtures, "LENGTH_S", SHORT_S)
    patch.setattr(mixtures, "PER_SHARD", FEW)
    patch.setattr(shards, "ProcessPoolExecutor", Here)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """A font alone; no scores, no single notes."""
    return small_sources(tmp_path_factory.mktemp("sources"))._replace(samples=None)


@pytest.fixture(scope="module")
def built(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("mixtures")
    with pytest.MonkeyPatch.context() as patch:
        short_mixtures(patch)
        assert list(mixtures.build(sources, out, {"train": 2}, 3)) == ["train-000: built", "train-001: built"]
    return out


@pytest.fixture(scope="module")
def known(built: Path) -> list[Shard]:
    return [mixtures.load(path) for path in sorted(built.glob("train-*.npz"))]


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    short_mixtures(monkeypatch)


# Mixtures


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("train-*"))}


@pytest.mark.usefixtures("_short")
def test_shards_are_the_same_bytes_for_the_same_seed(sources: Sources, built: Path, tmp_path: Path) -> None:
    list(mixtures.build(sources, tmp_path / "first", {"train": 1}, 3))
    assert digests(tmp_path / "first").items() < digests(built).items()
    list(mixtures.build(sources, tmp_path / "other", {"train": 1}, 4))
    assert not digests(tmp_path / "other").items() & digests(built).items()
    assert list(mixtures.build(sources, built, {"train": 2}, 3)) == [], "they are there"


def test_shards_hold_mixtures_of_stems(known: list[Shard]) -> None:
    length = int(SHORT_S * RATE)
    for shard in known:
        assert shard.sound.shape == (FEW, length // features.HOP + 1, features.CHANNELS, features.BINS)
        assert shard.sound.dtype == np.uint8
        assert len(shard.stems) == len(shard.notes) == len(shard.names) == FEW
        for stems, table, names in zip(shard.stems, shard.notes, shard.names, strict=True):
            assert stems.shape == (len(names) + 1, length)
            assert stems.dtype == np.int16
            assert np.abs(stems).max() <= np.ceil(mixtures.PEAK * 32767)
            assert 1 <= len(set(names)) == len(names) <= 5, "nobody plays two parts"
            assert set(table[:, 4].tolist()) <= set(range(len(names))), "the rest has no notes"
            assert (table[:, 1] > table[:, 0]).all()
            assert 0 <= table[:, 0].min() <= table[:, 0].max() < SHORT_S
    assert len({len(names) for shard in known for names in shard.names}) > 1
    assert sum(len(table) for shard in known for table in shard.notes) > 100


def test_stems_add_up_to_the_mixture_that_is_seen(built: Path, known: list[Shard]) -> None:
    for shard in known:
        for stems, seen in zip(shard.stems, shard.sound, strict=True):
            mixture = stems.astype(np.float32).sum(axis=0) / 32767
            mine = features.stored(tuning.tuned(features.restored(features.stored(features.compute(mixture)))))
            apart = np.abs(mine.astype(int) - seen)
            assert np.quantile(apart[seen > 40], 0.99) <= 2


def test_a_note_is_of_the_stem_in_which_it_sounds(known: list[Shard]) -> None:
    leads = []
    for stems, table in (each for shard in known for each in zip(shard.stems, shard.notes, strict=True)):
        alone = [features.compute(each.astype(np.float32) / 32767)[:, 0] for each in stems[:-1]]
        for onset, offset, pitch, _, part in table:
            frame = round(float(min(onset + 0.12, (onset + offset) / 2)) * features.FRAMES_PER_SECOND)
            at = features.BINS_PER_SEMITONE * round(float(pitch) - features.LOWEST_PITCH) + 1
            heard = [each[frame, max(at - 2, 0) : at + 3].max() for each in alone]
            own = heard.pop(int(part))
            leads += [own - max(heard)] if heard else []
    assert np.mean(np.array(leads) > 0) > 0.8


def mixed(sources: Sources, monkeypatch: pytest.MonkeyPatch, seed: int = 0, **constants: Any) -> mixtures.Mixture:
    for name, value in {"LENGTH_S": SHORT_S, "IN_A_ROOM": 0.0, **constants}.items():
        monkeypatch.setattr(mixtures, name, value)
    return mixtures.draw(sources, Path("nowhere"), "train", default_rng(seed))


@pytest.mark.usefixtures("_short")
def test_works_and_real_notes_are_learnt_from_where_there_are_some(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One work of each collection, whose voices have a note each, and nobody but a horn and a pipe who play."""
    piece = work(60, 67)()
    piece = replace(piece, pitch=(60 + 7 * piece.part).astype(np.float64))
    horns = [(name, True, pitch, tone(pitch, 1.5, 0.05)) for name in ("horn", "pipe") for pitch in range(40, 100, 6)]
    single_notes(tmp_path / "data" / "real", *horns)
    out = tmp_path / "out"
    out.mkdir()
    corpus._save(out / "corpus.npz", [corpus.Work(f"{name}/a", "train", piece) for name in data.COLLECTIONS])
    monkeypatch.setattr(data, "EXERCISES", 0.0)
    monkeypatch.setattr(mixtures, "SHARES", (0.0, 1.0, 0.0, 0.0))
    monkeypatch.setattr(mixtures, "INSTRUMENTS", only(2))
    assert list(mixtures.build(sources._replace(data=tmp_path / "data"), out, {"train": 1}, 0)) == ["train-000: built"]
    shard = mixtures.load(out / "train-000.npz")
    assert [sorted(names) for names in shard.names] == [["horn", "pipe"]] * FEW
    for table in shard.notes:
        assert 2 <= len(np.unique(table[:, 2] % 12)) <= 4, "the notes of the work, not exercises"


def only(count: int) -> tuple[float, ...]:
    return tuple(float(number == count) for number in range(1, 6))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_as_many_play_as_are_wanted(sources: Sources, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    made = mixed(sources, monkeypatch, INSTRUMENTS=only(count))
    assert len(made.names) == count
    assert made.stems.shape == (count + 1, int(SHORT_S * RATE))
    assert made.stems.dtype == np.float32
    loudest = max(np.abs(made.stems.sum(axis=0)).max(), np.abs(made.stems).max())
    assert loudest == pytest.approx(mixtures.PEAK, abs=1e-3)
    assert (np.square(made.stems[:count]).mean(axis=1) > 1e-8).all()


def test_noise_and_drums_are_the_rest(sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = mixed(sources, monkeypatch, INSTRUMENTS=only(2), NOISY=0.0, DRUMS=0.0)
    assert not quiet.stems[-1].any()
    for noisy in (0.0, 1.0):
        made = mixed(sources, monkeypatch, INSTRUMENTS=only(2), NOISY=noisy, DRUMS=1 - noisy)
        assert made.stems[-1].any()
        assert set(made.notes.part.tolist()) == {0, 1}, "which has no notes"


def voices_of(*pitches: int) -> list[Notes]:
    """Four notes a second each, all at once, of one pitch."""
    onset = np.arange(0.1, mixtures.LENGTH_S - 0.5, 0.25)
    return [make(onset, onset + 0.2, np.full(len(onset), pitch), np.full(len(onset), pitch)) for pitch in pitches]


def rows(voices: list[Notes]) -> list[tuple[float, ...]]:
    columns = [[getattr(voice, name) for name in ("onset", "offset", "pitch", "velocity")] for voice in voices]
    return sorted(row for voice in columns for row in zip(*(each.tolist() for each in voice), strict=True))


def test_all_notes_are_played_when_voices_change_hands() -> None:
    """Each player plays one voice at a time, and most play several; all together they play what there was."""
    several, changes = [], set()
    for seed in range(40):
        voices = voices_of(48, 60, 72)
        handed = mixtures.change_hands(voices, default_rng(seed))
        assert len(handed) == 3
        assert rows(handed) == rows(voices)
        turns = [np.flatnonzero(np.diff(each.pitch)) for each in handed]
        changes.add(max(len(each) for each in turns))
        several.append(np.mean([len(each) > 0 for each in turns]))
        for one in handed:
            assert (np.diff(one.onset) > 0.2).all(), "no player has two voices at once"
    assert changes <= {0, 1, 2, 3}
    assert {1, 2} < changes
    assert np.mean(several) > 0.6
    alone = mixtures.change_hands(voices_of(60), default_rng(0))
    assert rows(alone) == rows(voices_of(60))


def work(*medians: int) -> Callable[[], Notes]:
    """A work of a minute, two notes a second in each part."""
    onset = np.arange(0, 60, 0.5)
    parts = [make(onset, onset + 0.4, median - 3 + np.arange(120) % 7, np.full(120, 80)) for median in medians]
    return lambda: together(parts)


def together(parts: list[Notes]) -> Notes:
    onset, offset, pitch, velocity = (
        np.concatenate([getattr(part, name) for part in parts]) for name in data.COLUMNS[:4]
    )
    whose = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return make(onset, offset, pitch, velocity, whose, tuple(Part(str(number)) for number in range(len(parts))))


def heights(voices: list[Notes]) -> list[float]:
    return [float(np.median(voice.pitch)) for voice in voices]


def test_voices_are_brought_into_one_register(monkeypatch: pytest.MonkeyPatch) -> None:
    piece = work(40, 55, 70, 90)
    for one, apart in ((1.0, 12.5), (0.0, 60.0)):
        monkeypatch.setattr(mixtures, "ONE_REGISTER", one)
        spans = []
        for seed in range(20):
            voices = mixtures.voiced(piece, 4, default_rng(seed))
            assert len(voices) == 4
            spans.append(np.ptp(heights(voices)))
            for voice in voices:
                assert len(voice) >= 6
                assert 0 <= voice.onset.min() <= voice.onset.max() < mixtures.LENGTH_S
        assert max(spans) <= apart
        assert one or min(spans) > 45


def test_a_work_with_too_few_voices_is_joined_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixtures, "ONE_REGISTER", 0.0)
    others = cycle([work(40)(), work(80)(), work(60, 62)()])
    for seed in range(8):
        assert len(mixtures.voiced(lambda: next(others), 3, default_rng(seed))) == 3
    empty = make([], [], [])
    monkeypatch.setattr(arrange, "stretch", lambda *_: empty)
    assert mixtures.voiced(work(60), 2, default_rng(0)) == [], "it gives up"


# Masks


@pytest.fixture
def few_frames(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(masks_recipe, "FRAMES", 42)
    return 42


def example(known: list[Shard], seed: int) -> masks_recipe.Example:
    return masks_recipe.draw(known, default_rng(seed))


def test_an_example_is_what_the_network_sees_and_what_is_right(
    known: list[Shard], few_frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers, widths = set(), set()
    for seed in range(25):
        each = example(known, seed)
        stems, frames, bins = each.stems.shape
        numbers.add(stems)
        widths.add(bins)
        assert frames == few_frames
        assert each.seen.shape == (stems, masks.CHANNELS, frames, bins)
        assert each.share.shape == each.stems.shape
        assert each.mixture.shape == (frames, bins)
        share = np.exp(each.share.astype(np.float32))
        assert share.max() <= 1
        assert share.sum(axis=0).max() <= 1 + stems * masks.LEAST + 2e-3
        assert np.isfinite(each.seen).all()
        assert np.abs(each.seen).max() <= 1.2
    assert numbers <= set(range(1, masks_recipe.MOST_STEMS + 1))
    assert len(numbers) > 2
    assert widths == {masks.BINS // part for part in masks_recipe.PARTS}
    one, again, other = (example(known, seed) for seed in (4, 4, 5))
    assert all(np.array_equal(getattr(one, name), getattr(again, name)) for name in one._fields)
    assert not np.array_equal(one.mixture, other.mixture)
    monkeypatch.setattr(masks_recipe, "ALONE", 0.0)
    assert min(len(example(known, seed).stems) for seed in range(15)) > 1


@pytest.mark.usefixtures("few_frames")
def test_stems_and_the_rest_are_the_mixture(known: list[Shard], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masks_recipe, "LAID_OVER", 0.0)
    silent = [shard._replace(stems=[np.vstack([each[:-1], 0 * each[-1:]]) for each in shard.stems]) for shard in known]
    for seed in range(5):
        each = example(silent, seed)
        assert np.abs(each.mixture - each.stems.sum(axis=0)).max() < 1e-3 * np.abs(each.mixture).max()


@pytest.mark.usefixtures("few_frames")
def test_mixtures_laid_over_each_other_have_the_stems_of_both(
    known: list[Shard], monkeypatch: pytest.MonkeyPatch
) -> None:
    stems, tables = [each[[0, -1]] for each in known[0].stems], [each[each[:, 4] == 0] for each in known[0].notes]
    one = known[0]._replace(stems=stems, notes=tables, names=[["somebody"]] * FEW)
    monkeypatch.setattr(masks_recipe, "ALONE", 1.0)
    for laid_over, count in ((1.0, 2), (0.0, 1)):
        monkeypatch.setattr(masks_recipe, "LAID_OVER", laid_over)
        examples = [example([one], seed) for seed in range(6)]
        assert {len(each.stems) for each in examples} == {count}
        assert (np.max([np.abs(each.stems).max(axis=(1, 2)) for each in examples], axis=0) > 0).all()
    monkeypatch.setattr(masks_recipe, "MOST_STEMS", 1)
    assert len(example([one], 1).stems) == 1


def test_notes_are_a_little_off_but_never_gone() -> None:
    table = np.array([(0.5 * number, 0.5 * number + 0.3, 60, 80, 0) for number in range(40)], np.float32)
    lost = []
    for seed in range(20):
        off = masks_recipe._off(table, default_rng(seed))
        lost.append(1 - len(off) / len(table))
        assert (off[:, 1] - off[:, 0] >= 0.049).all()
        assert np.abs(off[:, 0, None] - table[None, :, 0]).min(axis=1).max() < 0.1
    assert 0.03 < np.mean(lost) < 0.2
    assert len(masks_recipe._off(table[:1], default_rng(0))) == 1


def ideal(each: masks_recipe.Example) -> Array:
    return np.asarray(np.abs(each.stems) / np.maximum(np.abs(each.stems).sum(axis=0), 1e-9), np.float32)


def measured(found: Array, each: masks_recipe.Example) -> tuple[float, float]:
    given = (torch.from_numpy(np.ascontiguousarray(one)) for one in (found, each.mixture, each.stems))
    distortion, magnitudes = masks_recipe.losses(*given)
    return float(distortion), float(magnitudes)


@pytest.mark.usefixtures("few_frames")
def test_losses_are_far_smaller_where_masks_are_right(known: list[Shard], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masks_recipe, "ALONE", 0.0)
    gains = []
    for seed in range(6):
        each = example(known, seed)
        right = ideal(each)
        nothing, equal = np.zeros_like(right), np.full_like(right, 1 / len(right))
        best, worst = measured(right, each), measured(right[::-1], each)
        for other in (worst, measured(nothing, each), measured(equal, each)):
            assert best[0] < other[0]
            assert best[1] < other[1]
        gains.append(worst[0] - best[0])
    assert np.mean(gains) > 5


def test_stems_that_never_meet_can_be_had_without_distortion() -> None:
    bins, generator = 64, default_rng(0)
    stems = (generator.normal(size=(2, 10, bins)) + 1j * generator.normal(size=(2, 10, bins))).astype(np.complex64)
    stems[0, :, ::2], stems[1, :, 1::2] = 0, 0
    each = masks_recipe.Example(np.zeros(0, np.float16), np.zeros(0, np.float16), stems.sum(axis=0), stems)
    right = (stems != 0).astype(np.float32)
    assert measured(right, each)[0] < -30
    assert measured(right, each)[1] < 0.02
    assert measured(1 - right, each)[0] > 2
    assert measured(0 * right, each)[0] == pytest.approx(0, abs=0.2), "silence is as wrong as the stem is loud"


def fresh(seed: int = 0) -> Masks:
    """As after some training: it says something."""
    torch.manual_seed(seed)
    network = Masks().eval()
    torch.nn.init.normal_(network.head.weight, std=0.3)
    return network


def views(stems: int, frames: int, seed: int = 0) -> masks.Views:
    generator = default_rng(seed)
    seen = generator.uniform(-1, 1, (stems, masks.CHANNELS, frames, masks.BINS)).astype(np.float32)
    share = generator.uniform(0, 1, (stems, frames, masks.BINS)) ** 3 / stems
    return masks.Views(seen, np.log(np.maximum(share, masks.LEAST)).astype(np.float32))


def said(network: Masks, seen: masks.Views) -> Array:
    with torch.inference_mode():
        return np.asarray(network(*map(torch.from_numpy, seen)).numpy())


def test_a_network_that_has_not_learnt_says_what_it_was_told() -> None:
    torch.manual_seed(0)
    seen = views(3, 10)
    assert np.abs(said(Masks().eval(), seen) - np.exp(seen.share)).max() < 5e-3


@pytest.mark.parametrize(("stems", "frames"), [(1, 4), (2, 13), (5, 7)])
def test_masks_of_all_stems_are_at_most_one(stems: int, frames: int) -> None:
    found = said(fresh(), views(stems, frames))
    assert found.shape == (stems, frames, masks.BINS)
    assert found.min() >= 0
    assert found.sum(axis=0).max() <= 1 + 1e-5
    assert found.std() > 0.02


def test_stems_may_come_in_any_order() -> None:
    network, seen = fresh(), views(4, 9)
    order = [2, 0, 3, 1]
    turned = said(network, masks.Views(seen.seen[order], seen.share[order]))
    assert np.abs(turned - said(network, seen)[order]).max() < 1e-4


def test_the_exported_network_agrees_with_the_class(tmp_path: Path) -> None:
    network = fresh()
    finish.write_masks(tmp_path / "masks-0", network, {"about": "a test"}, {"si_sdr_improvement": 7.0})
    assert {each.name for each in (tmp_path / "masks-0").iterdir()} == {
        "model.onnx", "weights.safetensors", "config.toml",
    }  # fmt: skip
    config = registry.config(tmp_path / "masks-0")
    assert (config["net"], config["about"]) == ("masks", "a test")
    assert config["measured"]["si_sdr_improvement"]["value"] == 7.0
    assert registry.own_model(tmp_path / "masks-0").name == "masks-0"
    weights = tmp_path / "masks-0" / "weights.safetensors"
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == config["weights_sha256"]
    again = Masks().eval()
    again.load_state_dict(load_file(tmp_path / "masks-0" / "weights.safetensors"))
    session = graph.session((tmp_path / "masks-0" / "model.onnx").read_bytes(), "masks-0")
    for stems, frames in ((1, 1), (1, 9), (2, 12), (3, 31), (6, 18)):
        seen = views(stems, frames, frames)
        (found,) = session.run(None, seen._asdict())
        assert found.shape == (stems, frames, masks.BINS)
        assert np.abs(found - said(again, seen)).max() < 2e-3, "its weights are those of the graph"
        assert np.abs(found - said(network, seen)).max() < 0.02


def test_the_shipped_network_is_the_shipped_weights() -> None:
    folder = registry.model("masks").path
    network = Masks().eval()
    network.load_state_dict(load_file(folder / "weights.safetensors"))
    session = graph.session((folder / "model.onnx").read_bytes(), "masks")
    for stems, frames in ((1, 10), (3, 17)):
        seen = views(stems, frames)
        (found,) = session.run(None, seen._asdict())
        assert np.abs(found - said(network, seen)).max() < 5e-3


@pytest.fixture
def learn(built: Path, few_frames: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Iterator[dict[str, Any]]]:
    """Twelve steps of a second, drawn in this process."""
    at_once(monkeypatch, 4)

    def learn(work: Path) -> Iterator[dict[str, Any]]:
        monkeypatch.setattr(masks_recipe, "_shards", [])
        return loop.train(masks_recipe.RECIPE, sorted(built.glob("train-*.npz")), work, 12, 0, 1)

    return learn


def test_masks_get_better_and_a_training_goes_on_where_it_stopped(
    learn: Callable[[Path], Iterator[dict[str, Any]]], known: list[Shard], tmp_path: Path
) -> None:
    rows = list(learn(tmp_path / "whole"))
    assert [row["step"] for row in rows] == [4, 8, 12]
    assert set(rows[0]) == {"step", "distortion", "magnitudes"}
    cut = learn(tmp_path / "cut")
    assert next(cut) == rows[0]
    del cut
    assert list(learn(tmp_path / "cut")) == rows[1:]
    (one, step), (other, _) = (loop.trained(masks_recipe.RECIPE, tmp_path / name) for name in ("whole", "cut"))
    assert step == 12
    assert all(torch.equal(kept, other.state_dict()[name]) for name, kept in one.state_dict().items())
    examples = [example(known, seed) for seed in range(100, 106)]
    with torch.inference_mode():
        before, after = (
            np.mean([float(masks_recipe.loss(network, each)[0]) for each in examples]) for network in (Masks(), one)
        )
    assert after < before


def test_a_folder_of_another_training_is_refused(
    learn: Callable[[Path], Iterator[dict[str, Any]]], tmp_path: Path
) -> None:
    next(learn(tmp_path))
    with pytest.raises(UsageError, match="another network"):
        loop.trained(timbre_recipe.RECIPE, tmp_path)


# Those who judge

TONES = Instrument("tones", "musescore", 0, 2, 40, 90, chords=True)
OTHERS = [TONES._replace(name=f"tones {program}", program=program) for program in (3, 4)]


@pytest.fixture
def _font(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A MuseScore_General of three presets, a tone for ever each."""
    (tmp_path / "assets" / "soundfonts").mkdir(parents=True)
    tones = [tiny_font.Preset(tiny_font.tone(), program=each, looped=True) for each in (2, 3, 4)]
    tiny_font.font(tmp_path / "assets" / "soundfonts" / "MuseScore_General.sf2", *tones)
    monkeypatch.setenv("CLEFKIT_PATH", str(tmp_path / "assets"))


@pytest.fixture
def works() -> dict[str, Notes]:
    """A quartet of a minute, two notes a second; each part has six pitches of its own."""
    onset = np.arange(0, 60, 0.5)
    parts = [
        make(onset + 0.1 * part, onset + 0.1 * part + 0.4, 50 + 9 * part + np.arange(120) % 6) for part in range(4)
    ]
    return {"string-quartets/a": together(parts)}


def judge(works: dict[str, Notes], count: int, *, seed: int = 0, in_a_room: bool = False) -> heldout.Made:
    choice = [TONES, *OTHERS]
    return heldout.draw(f"mix-{count}-{seed:02d}", works, choice, count, default_rng(seed), in_a_room=in_a_room)


def test_everybody_takes_another_voice_at_half_time() -> None:
    onset = np.arange(0.2, 11, 0.5)
    half = heldout.MUSIC_S / 2
    for count in (1, 2, 3, 4):
        voices = [make(onset, onset + 0.3, np.full(len(onset), 50 + 10 * number)) for number in range(count)]
        for seed in range(5):
            handed = heldout.handed(voices, default_rng(seed))
            assert handed is not None
            assert rows(handed) == rows(voices)
            for number, each in enumerate(handed):
                assert set(each.pitch[each.onset < half].tolist()) == {50 + 10 * number}
                (then,) = set(each.pitch[each.onset >= half].tolist())
                assert (then != 50 + 10 * number) == (count > 1)
    early = take(voices[0], onset < half + 1)
    assert heldout.handed([early, voices[1]], default_rng(0)) is None, "too little in the second half"


@pytest.mark.usefixtures("_font")
def test_judges_are_mixtures_of_different_instruments_that_share_their_registers(works: dict[str, Notes]) -> None:
    for count in (1, 2, 3):
        made = judge(works, count)
        assert made.stems.shape == (count, int(heldout.LENGTH_S * heldout_sounds.RATE))
        assert len({each.name for each in made.instruments}) == count == len(made.notes.parts)
        assert np.bincount(made.notes.part).min() >= 2 * heldout.LEAST_NOTES
        peaks = np.abs(made.stems.sum(axis=0)).max(), np.abs(made.stems).max()
        assert max(peaks) == pytest.approx(heldout.PEAK, rel=1e-3)
        for number in range(count):
            mine = take(made.notes, made.notes.part == number)
            first, then = (set(((mine.pitch[half] - 50) // 9).tolist()) for half in _halves(mine))
            assert (first != then) == (count > 1)
    again = judge(works, 3)
    assert np.array_equal(again.stems, made.stems)
    assert not np.array_equal(judge(works, 3, seed=1).stems, made.stems)
    there = judge(works, 2, in_a_room=True)
    assert there.room in registry.rooms()
    assert not np.array_equal(there.stems, judge(works, 2).stems)
    assert np.array_equal(there.notes.onset, judge(works, 2).notes.onset), "a room moves no onset"


def _halves(played: Notes) -> Iterator[NDArray[np.bool_]]:
    yield played.onset < heldout.MUSIC_S / 2
    yield played.onset >= heldout.MUSIC_S / 2


@pytest.fixture
def judged(_font: None, works: dict[str, Notes], tmp_path: Path) -> Path:
    """A duet and a solo, as `separate.heldout` writes them."""
    out = tmp_path / "judges"
    out.mkdir()
    written = [heldout._write(out, judge(works, count), "validation") for count in (2, 1)]
    (out / "manifest.json").write_text(json.dumps({"files": written}), encoding="utf-8")
    return out


def test_a_written_mixture_is_the_sum_of_its_stems(judged: Path) -> None:
    duet, solo = finish.judges(judged)
    assert (duet.instruments, solo.instruments) == (2, 1)
    assert [path.name for path in duet.stems] == [f"{part + 1}-{name}.flac" for part, name in enumerate(_names(judged))]
    for each in (duet, solo):
        mixture = audio.read(each.path)
        stems = np.sum([audio.read(path).samples for path in each.stems], axis=0)
        assert np.abs(mixture.samples - stems).max() < 2 / 32768
        assert mixture.rate == heldout_sounds.RATE
        assert len(np.unique(each.notes.part)) == each.instruments == len(each.stems)


def _names(judged: Path) -> list[str]:
    first = json.loads((judged / "manifest.json").read_text(encoding="utf-8"))["files"][0]
    return [name.replace(" ", "-") for name in first["instruments"]]


def test_checkpoints_are_written_with_what_judges_say(judged: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    found = finish.judges(judged)
    figures = finish.write("timbre", tmp_path / "timbre-0", Branch(), {"about": "a test"}, found)
    assert set(figures) == {
        "labels_of_true_notes", "majority", "track_f1", "track_f1_given", "number_right", "solos_one",
    }  # fmt: skip
    assert all(0 <= value <= 1 for value in figures.values())
    assert figures["majority"] == pytest.approx(0.5, abs=0.1)
    model = timbre.load(tmp_path / "timbre-0")
    assert model.limits.bias in finish.BIASES
    assert model.limits.least in finish.LEASTS
    figures = finish.write("masks", tmp_path / "masks-0", Masks(), {"about": "a test"}, found)
    assert figures["si_sdr_improvement"] == pytest.approx(figures["without"], abs=0.5), "it has not learnt"
    assert figures["without"] > 1
    config = registry.config(tmp_path / "masks-0")
    assert config["measured"]["without"] == {
        "value": round(figures["without"], 4), "on": "the validation half of clefkit.train.separate.heldout",
    }  # fmt: skip


class Apart:
    """Notes less than an octave apart are of one instrument; but it takes others for one, too, if only just."""

    def run(self, _outputs: None, inputs: dict[str, Array]) -> list[Array]:
        if "placed" not in inputs:
            return [np.zeros((len(inputs["aside"]), TOKEN), np.float32)]
        pitch = inputs["placed"][:, 2]
        return [np.where(np.abs(pitch[:, None] - pitch[None]) < 12, 2, 0.45).astype(np.float32)]


def test_what_counts_as_one_timbre_is_what_finds_the_right_number() -> None:
    onset = 0.2 * np.arange(40)
    pitch = np.where(np.arange(40) % 4 == 0, 40, 70)
    found = []
    for count in (1, 2):
        truth = make(onset, onset + 0.1, pitch if count == 2 else np.full(40, 60), None, (pitch < 60) * (count - 1))
        truth = replace(truth, parts=tuple(Part() for _ in range(count)))
        whose = Collector(Model(Apart(), Apart(), Limits(0.0, 0.03)))
        whose.placed = list(zip(onset.tolist(), (onset + 0.1).tolist(), truth.pitch.tolist(), strict=True))
        whose.tokens, whose.falls = [np.zeros((40, TOKEN), np.float32)], [0.0] * 40
        found.append(finish.Heard(finish.Judge(Path("x"), [], truth, count), truth, whose, list(range(40))))
    chosen = finish.limits(found)
    assert -2 < chosen.bias < -0.45
    assert [len(each.parted(chosen, None).parts) for each in found] == [1, 2]
    assert len(found[1].parted(chosen, 1).parts) == 1


# The recipes


def run(line: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    monkeypatch.setattr("sys.argv", ["clefkit", *line])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    output = capsys.readouterr()
    assert ended.value.code == 0, output.err
    return [json.loads(each) for each in output.out.splitlines()]


@pytest.mark.usefixtures("_short")
def test_both_recipes_from_the_command_line(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a font to checkpoints; the second finds the mixtures of the first."""
    monkeypatch.setattr(recipe, "QUICK_SHARDS", 1)
    models = tmp_path / "root" / "models"
    options = ["--quick", "--work", str(tmp_path / "work"), "--seed", "3", "--soundfont", str(sources.fonts[0])]
    for name, steps in (("timbre", "3"), ("masks", "2")):
        out = models / f"{name}-99"
        lines = run(["train", name, *options, "--steps", steps, "--out", str(out)], monkeypatch, capsys)
        assert [line["built"] for line in lines if "built" in line] == (
            ["train-000: built"] if name == "timbre" else []
        )
        assert [line["step"] for line in lines if "step" in line] == [int(steps)]
        assert lines[-1] == {"validation": {}}
        config, card = tomllib.loads((out / "config.toml").read_text()), (out / "card.md").read_text()
        assert config["net"] == name
        assert config["made_by"] == f"clefkit train {name}, seed 3, {steps} steps"
        assert "OpenScore" not in card + config["data"], "nothing was learnt from scores"
        assert card.startswith(f"# {name}-99\n")
        assert f"clefkit train {name} --quick --soundfont general --work WORK --out models/{name}-99" in " ".join(
            card.split()
        )
        assert f"{FEW} mixtures" in card
    assert {each.name for each in (models / "timbre-99").iterdir()} == {
        "model.onnx", "context.onnx", "weights.safetensors", "config.toml", "card.md",
    }  # fmt: skip
    monkeypatch.setenv("CLEFKIT_PATH", str(tmp_path / "root"))
    assert registry.model("timbre").name == "timbre-99"
    assert registry.model("masks").name == "masks-99"
    sound = np.concatenate([tone(pitch, 0.4) for pitch in (60, 64, 67, 72)])
    found = transcribe.notes(sound, RATE, instruments=2, names="none")
    assert len(found.parts) == 2


def test_a_recipe_asks_for_its_sources(sources: Sources, tmp_path: Path) -> None:
    for plan in (recipe.Plan("timbre", None, sources.fonts), recipe.Plan("masks", tmp_path, (), quick=True)):
        with pytest.raises(UsageError, match=f"training {plan.recipe} needs --data and --soundfont"):
            next(recipe.run(plan, tmp_path, tmp_path / "mine-1"))
