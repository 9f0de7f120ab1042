"""Training of `enhance`: phones that are drawn, pairs, the measures that are learnt by, the recipe from end to end."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from conftest import Shell
from numpy.typing import NDArray
from sounds import RATE, plucks, rng

pytest.importorskip("torch", reason="the extra `train` is not installed")

import torch
from training import general_midi

from clefkit import audio
from clefkit.align.dataset import MANIFEST
from clefkit.audio import Audio
from clefkit.augment import chain
from clefkit.enhance import bands, filterbank, infer
from clefkit.errors import InputError, UsageError
from clefkit.nets.enhance import Enhance, Gains
from clefkit.score import enhancement
from clefkit.train.enhance import batches, clean, finish, loop, losses, own, pairs, phones, recipe, suppressors

Array = NDArray[np.float32]


@pytest.fixture(scope="module")
def font(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return general_midi(tmp_path_factory.mktemp("font") / "tiny.sf2")


@pytest.fixture(scope="module")
def shards(font: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small shards for training and one that judges."""
    out = tmp_path_factory.mktemp("pairs")
    patch = pytest.MonkeyPatch()
    patch.setattr(pairs, "CLIP_S", 3.0)
    patch.setattr(pairs, "PER_SHARD", 4)
    hall = clean.Hall((font,), None, None)
    for kept, number in (("train", 0), ("train", 1), ("validation", 0)):
        assert pairs.build_shard(hall, out, kept, number, seed=0) == f"{kept}-{number:03d}"
    patch.undo()
    return out


# phones


def test_chains_are_presets_of_augment() -> None:
    for seed in range(60):
        drawn = phones.effects(rng(seed), strong=bool(seed % 2))
        assert drawn
        chain.draw({"name": "phone", "effect": drawn}, rng(seed))


def test_a_phone_is_drawn_again_from_the_same_numbers() -> None:
    sound = plucks()[0].samples[0, : 2 * RATE]
    first, again, other = (phones.heard(sound, RATE, rng(seed)) for seed in (2, 2, 3))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.shape == sound.shape


def test_phones_go_both_ways() -> None:
    """Some level dynamics, and some widen them; all stay music, with the time where it was."""
    sound = plucks()[0]
    slopes = []
    for seed in range(24):
        heard = phones.heard(sound.samples[0], RATE, rng(seed))
        assert np.isfinite(heard).all()
        told = enhancement.compare(sound.samples, heard[None], RATE)
        slopes.append(told["loudness_slope"])
    assert min(slopes) < 0.7
    assert max(slopes) > 1.05


# pairs


def test_clean_music_is_loud_enough_and_differs(font: Path) -> None:
    hall = clean.Hall((font,), None, None)
    sounds = [clean.draw(hall, "train", 3.0, rng(seed)) for seed in range(4)]
    for sound in sounds:
        assert sound.shape == (3 * RATE,)
        assert 20 * np.log10(np.abs(sound).max()) == pytest.approx(clean.PEAK_DB, abs=0.01)
    assert not np.array_equal(sounds[0], sounds[1])


def test_a_shard_is_built_again_bit_for_bit(shards: Path, font: Path, tmp_path: Path) -> None:
    patch = pytest.MonkeyPatch()
    patch.setattr(pairs, "CLIP_S", 3.0)
    patch.setattr(pairs, "PER_SHARD", 4)
    pairs.build_shard(clean.Hall((font,), None, None), tmp_path, "train", 1, seed=0)
    patch.undo()
    first, again = (pairs.load(folder / "train-001.npz") for folder in (shards, tmp_path))
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one, other)
    assert first.heard.shape == (4, pairs.DRAWS, *first.clean.shape[1:])
    assert first.heard_floors.shape == (4, pairs.DRAWS, *first.clean_floors.shape[1:])


def test_levels_are_kept_to_a_quarter_of_a_decibel() -> None:
    levels = rng(0).uniform(-120, 0, (5, bands.BANDS)).astype(np.float32)
    assert np.abs(pairs.restored(pairs.stored(levels)) - levels).max() <= pairs.STEP_DB / 2 + 1e-4


def test_batches_are_finite_and_drawn_again(shards: Path) -> None:
    kept = [pairs.load(path) for path in sorted(shards.glob("train-*.npz"))]
    for varied in (False, True):
        drawn = [batches.draw(kept, 32, rng(1), varied=varied) for _ in range(2)]
        for one, other in zip(*drawn, strict=True):
            assert np.array_equal(one, other)
            assert np.isfinite(one).all()
        same = (drawn[0].heard == drawn[0].clean).all(axis=(1, 2))
        assert varied <= same.sum() < 16


def steps(*parts: tuple[float, float]) -> Array:
    """Levels that stay for so many seconds at so many dB, in all bands."""
    return np.concatenate([np.full((bands.frames(seconds), bands.BANDS), db, np.float32) for seconds, db in parts])


@pytest.mark.parametrize("seed", range(8))
def test_what_lasts_is_suppressed_and_what_is_new_is_not(seed: int) -> None:
    held, new = bands.frames(3.9), bands.frames(4.2)
    before = steps((4, -40), (4, -15))
    gains = suppressors.tracked(before, rng(seed)) - before
    assert -suppressors.FLOOR_DB[1] - 0.1 < gains.min()
    assert gains.max() <= 0
    assert gains[held].max() < -suppressors.FLOOR_DB[0] + 0.1
    assert gains[new].min() > -3


@pytest.mark.parametrize("seed", range(8))
def test_noise_is_thinned_between_notes(seed: int) -> None:
    before = steps((1, -60), (0.3, -10), (1, -60), (0.3, -10), (1, -60))
    gains = suppressors.thinned(before, rng(seed)) - before
    assert gains.max() <= 0.01
    assert gains[bands.frames(0.4)].max() < -1
    assert gains[bands.frames(1.2)].min() > -1


# what is learnt by


def levels(sound: Array) -> torch.Tensor:
    return torch.from_numpy(filterbank.heard_of(sound, RATE)[0])[None]


def nothing(like: torch.Tensor) -> Gains:
    return Gains(torch.zeros(like.shape[:2]), torch.zeros_like(like), torch.full_like(like, -100.0))


def test_measures_follow_those_of_score() -> None:
    """For phones of all kinds the measures on bands are near those that `clefkit score` makes of the sounds."""
    true = plucks()[0].samples[0]
    rows = []
    for seed in range(12):
        heard = phones.heard(true, RATE, rng(seed))
        told = enhancement.compare(true[None], heard[None], RATE)
        found = losses.measures(levels(heard), levels(true), nothing(levels(true)))
        slope = abs(told["loudness_slope"] - 1)
        pairs_of = [("lsd", "lsd"), ("mrstft", "mrstft"), ("loudness_rms", "loudness")]
        rows.append([*(each for one, other in pairs_of for each in (told[one], found[other])), slope, found["slope"]])
    table = np.array([[float(value) for value in row] for row in rows])
    for first in range(0, table.shape[1], 2):
        assert np.corrcoef(table[:, first], table[:, first + 1])[0, 1] > 0.9
    assert np.abs(table[:, 0] - table[:, 1]).mean() < 1.0
    assert np.abs(table[:, 4] - table[:, 5]).mean() < 0.5


def test_equal_sounds_are_at_no_distance_and_gains_count() -> None:
    true = levels(plucks()[0].samples[0]) + 30  # as loud as levels relative to a recording's are
    none = losses.measures(true, true, nothing(true))
    assert float(none["lsd"]) < 0.1
    assert float(none["mrstft"]) < 0.02
    assert float(none["loudness"]) < 0.05
    louder = nothing(true)._replace(slow=torch.full(true.shape[:2], 7.0))
    assert float(losses.measures(true, true, louder)["lsd"]) < 0.1
    worse = nothing(true)._replace(band=torch.linspace(-9, 9, bands.BANDS).expand_as(true))
    assert float(losses.measures(true, true, worse)["harm"]) > 0.1


def test_the_network_changes_nothing_before_it_has_learnt() -> None:
    network = Enhance().eval()
    levels = torch.randn(2, 64, bands.BANDS) * 20 - 40
    said = network(levels, levels[:, ::2], torch.zeros(2, 6, bands.BANDS))
    assert not said.slow.any()
    assert not said.band.any()
    assert (said.fill == -100).all()
    assert sum(each.numel() for each in network.parameters()) <= 500_000


def test_the_graph_says_what_the_network_says(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Enhance().eval()
    for tensor in (network.last.weight, *network.slow[2].parameters()):
        torch.nn.init.normal_(tensor, std=0.1)
    finish.write(tmp_path / "mine-1", network, {"about": "x"}, {})
    session = infer.load(tmp_path / "mine-1")
    for frames in (2, 50, 300):
        given = [torch.randn(1, count, bands.BANDS) * 15 - 40 for count in (frames, frames // 2, 6)]
        with torch.inference_mode():
            expected = network(*given)
        found = session.run(None, {name: each.numpy() for name, each in zip(infer.INPUTS, given, strict=True)})
        for one, other in zip(expected, found, strict=True):
            assert np.abs(one.numpy() - other).max() < 0.3


@pytest.mark.slow
def test_a_training_learns_and_is_gone_on_with(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "EVERY", 5)
    monkeypatch.setattr(loop, "JUDGED", 10)
    rows = list(loop.train(shards, tmp_path, 20, 0, 1))
    assert rows[-1]["step"] == 20
    known = [pairs.load(path) for path in sorted(shards.glob("train-*.npz"))]
    before, after = (loop.judged(network, known) for network in (Enhance().eval(), loop.trained(tmp_path)[0]))
    assert after["lsd"] + after["mrstft"] < before["lsd"] + before["mrstft"]
    more = list(loop.train(shards, tmp_path, 30, 0, 1))
    assert [row["step"] for row in more] == [25, 30]
    assert loop.trained(tmp_path)[1] == 30


def test_a_recipe_asks_for_its_sources(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs --data and --soundfont"):
        list(recipe.run(recipe.Plan(None, ()), tmp_path, tmp_path / "mine-1"))


# pairs of one's own


def own_pairs(folder: Path, seconds: float = 31.0) -> Path:
    """A folder as `clefkit align --dataset` writes it: two takes, one of them with a gap."""
    folder.mkdir()
    sound = np.tile(plucks()[0].samples, (1, 4))[:, : int(seconds * RATE)]
    rows = []
    for take, split, gaps in (("one", "train", [[2.0, 2.1]]), ("two", "validation", [])):
        for name, gain in (("studio", 1.0), ("phone", 0.3)):
            audio.write(folder / f"{take}.{name}.wav", Audio(sound * np.float32(gain), RATE))
        files = {"input": f"{take}.phone.wav", "target": f"{take}.studio.wav"}
        rows.append({"take": take, "split": split, **files, "gaps": gaps})
    (folder / MANIFEST).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_own_pairs_become_shards(tmp_path: Path) -> None:
    lines = list(own.build(own_pairs(tmp_path / "mine"), tmp_path / "shards"))
    assert lines[-2:] == ["train-000: built", "validation-000: built"]
    train, judges = (pairs.load(tmp_path / "shards" / f"{kept}-000.npz") for kept in ("train", "validation"))
    assert (len(train.clean), len(judges.clean)) == (1, 2)  # the first clip of the one has a gap
    apart = pairs.restored(judges.clean) - pairs.restored(judges.heard[:, 0])
    assert np.median(apart) == pytest.approx(-20 * np.log10(0.3), abs=0.5)


def test_a_folder_that_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no pairs\.jsonl"):
        list(own.build(tmp_path, tmp_path / "shards"))


@pytest.mark.slow
def test_the_recipe_learns_from_own_pairs(shell: Shell, tmp_path: Path) -> None:
    own_pairs(tmp_path / "mine")
    options = "--pairs mine --from enhance --steps 2 --work work --out mine-1"
    done = shell(f"clefkit train enhance {options} && clefkit enhance --model ./mine-1 mine/one.phone.wav", timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "mine/one.phone.studio.wav"
    config = tomllib.loads((tmp_path / "mine-1" / "config.toml").read_text())
    assert config["net"] == "enhance"
    assert "--pairs PAIRS --from enhance-1" in (tmp_path / "mine-1" / "card.md").read_text()


def test_fills_come_from_where_something_is() -> None:
    for rate in (8000, 16_000, 44_100):
        for low, high, by in filterbank._moves(rate):
            assert by % bands.OVERLAP == 0
            assert 0 <= low - by < high <= bands.size(rate) // 2 + 1
