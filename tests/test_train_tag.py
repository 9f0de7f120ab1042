"""The recipe of `tag`: roles, the bank, mixtures, the loop, the checkpoint; on sounds that are made in seconds."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.random import default_rng
from training import Here, general_midi, single_notes, tone

from clefkit import registry
from clefkit.errors import InputError, UsageError
from clefkit.notes import Part, make

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("safetensors")

from clefkit.nets.tag import Tag  # noqa: E402 it needs torch
from clefkit.tag import hearing, infer  # noqa: E402
from clefkit.tag.hearing import CELL, RATE  # noqa: E402
from clefkit.tag.vocabulary import DESCRIBED, FAMILIES, LEAVES  # noqa: E402
from clefkit.train import ahead, corpus, shards, state  # noqa: E402
from clefkit.train.tag import batches, finish, judge, loop, measured, mix, own, players, recipe, record, units  # noqa: E402
from clefkit.train.tag.mix import Row  # noqa: E402
from clefkit.train.tag.units import CELLS, OFF, ON, SAMPLES, SEVERAL, UNSURE  # noqa: E402

NAMES = (*LEAVES, *FAMILIES)
FLUTE, PIANO, DRUMS, CYMBALS = (LEAVES.index(name) for name in ("flute", "piano", "drums", "cymbals"))


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> units.Sources:
    """A font, a real flute, no scores but one scale."""
    folder = tmp_path_factory.mktemp("sources")
    flute = [("flute_ixox", True, pitch, tone(pitch, 1.5, 0.05)) for pitch in np.arange(50, 98, 6.0).tolist()]
    said = [("speech_one", False, 0, tone(45 + number, 0.3)) for number in range(4)]
    single_notes(folder / "data" / "real", ("upright_piano", False, 60, tone(60, 2)))
    return units.Sources(
        folder / "data", (general_midi(folder / "general.sf2"),), (single_notes(folder / "samples", *flute, *said),)
    )


def scores(path: Path) -> None:
    onset = np.arange(0, 60, 0.25)
    pitch = 60 + np.arange(240) % 12
    piece = make(onset, onset + 0.3, pitch, np.full(240, 80), np.zeros(240, int), (Part("", 0),))
    path.parent.mkdir(parents=True, exist_ok=True)
    corpus._save(path, [corpus.Work("lieder/a", "train", piece), corpus.Work("lieder/b", "validation", piece)])


@pytest.fixture(scope="module")
def bank(sources: units.Sources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bank")
    scores(out / "corpus.npz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(units, "PER_SHARD", 14)
        patch.setattr(shards, "ProcessPoolExecutor", Here)
        lines = list(units.build(sources, out, {"validation": 1, "train": 1}, seed=1))
        measured.build(out)
    assert lines == ["validation-000: built", "train-000: built"]
    return out


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps and trials of a few examples."""
    monkeypatch.setattr(batches, "EXAMPLES", 4)
    monkeypatch.setattr(batches, "PAIRS", 1)
    monkeypatch.setattr(finish, "TRIALS", 6)
    monkeypatch.setattr(finish, "LEAST_UNITS", 2)
    monkeypatch.setattr(ahead, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(loop, "TOGETHER", 1)
    monkeypatch.setattr(loop, "SAVE_EVERY", 2)


class Pool(Here):
    """In this process, after its initialiser."""

    def __init__(self, _workers: int, _method: object, initializer: Any, initargs: tuple[Any, ...]) -> None:
        initializer(*initargs)


# Roles


def test_roles_have_names_that_there_are() -> None:
    roles = players.roles()
    assert {role.leaf for role in roles if role.leaf} == set(LEAVES)
    for role in roles:
        assert role.leaf in (None, *LEAVES)
        assert role.family in (None, *FAMILIES)
        assert (role.leaf is None) == (role.family is not None)
        assert set(role.unknown) <= set(LEAVES)
        assert role.lowest < role.highest


def test_made_up_players_and_loops_are_for_training_alone(sources: units.Sources) -> None:
    roles = {role.name: role for role in players.roles()}
    train, validation = (players.Hall((), (), split) for split in ("train", "validation"))
    notes = make([0.1, 0.8], [0.7, 1.5], [60, 64], [80, 90])
    for name in ("organ", "accordion", "cello", "violin", "flute", "clarinet", "reeds made up", "brass made up"):
        assert not players.playable(roles[name], validation)
        played = players.play(roles[name], notes, 2 * RATE, train, default_rng(0))
        assert played is not None
        assert 0.01 < np.sqrt(np.mean(played.sound**2)) < 0.3
        assert played.by.startswith(f"{roles[name].made_up} ")
    assert players.playable(roles["voice"], validation)
    fonts = [players.Hall(sources.fonts, (), split) for split in ("train", "validation")]
    looped = [
        [each.by.endswith("looped") for seed in range(12)
         if (each := players.play(roles["piano"], notes, 2 * RATE, hall, default_rng(seed)))]
        for hall in fonts
    ]  # fmt: skip
    assert any(looped[0])
    assert not all(looped[0])
    assert not any(looped[1])


def test_a_line_has_one_note_at_a_time() -> None:
    chord = make([0, 0.01, 0, 1, 2], [0.9, 0.9, 0.9, 3, 3], [60, 64, 67, 65, 64])
    line = players.line(chord)
    assert line.pitch.tolist() == [67, 65, 64]
    assert (line.offset[:-1] <= line.onset[1:] + 0.021).all()


def test_notes_come_into_the_range_by_octaves() -> None:
    flute = next(role for role in players.roles() if role.name == "flute")
    low = make([0, 1, 2], [1, 2, 3], [36, 40, 43])
    fitted = players.fitting(flute, low)
    assert ((fitted.pitch - low.pitch) % 12 == 0).all()
    assert flute.lowest <= fitted.pitch.min() <= fitted.pitch.max() <= flute.highest


def test_drums_and_cymbals_share_a_kit_out() -> None:
    kit = make(np.arange(4) / 2, np.arange(4) / 2 + 0.1, [36, 42, 38, 49])
    roles = {role.kit: role for role in players.roles() if role.kit}
    assert players.fitting(roles["drums"], kit).pitch.tolist() == [36, 38]
    assert players.fitting(roles["cymbals"], kit).pitch.tolist() == [42, 49]


@pytest.mark.parametrize(
    ("stem", "cymbal"),
    [
        ("drumgizmo_muldjordkit_samples_hihatopen_18_hihatopen_ambl_0a1b2c", True),
        ("drumgizmo_muldjordkit_samples_snare_11_snare_ohl_0a1b2c", False),
        ("tr_808_cymbal_cy2525_0a1b2c", True),
        ("tr_808_hihat_open_oh10_0a1b2c", True),
        ("univox_oh_0a1b2c", True),
        ("samples_drum_splash_hard_0a1b2c", True),
        ("tr_808_kick_bd2510_0a1b2c", False),
    ],
)
def test_cymbals_are_told_by_their_names(stem: str, cymbal: bool) -> None:
    assert bool(players.IS_CYMBAL.search(stem)) == cymbal


# The bank


def test_units_are_loud_and_labelled(bank: Path) -> None:
    kept = units.load(bank / "train-000.npy")
    count = len(kept.leaf)
    assert count > 30
    assert kept.sound.shape == (count, SAMPLES)
    assert kept.names.shape == (count, len(NAMES))
    assert np.abs(kept.sound.astype(int)).max(axis=1).min() > 0.85 * 32767
    measured = np.stack([hearing.powers(each.astype(np.float32) / np.float32(32767)) for each in kept.sound])
    assert np.allclose(measured, kept.powers, rtol=0.02, atol=1e-7)
    for names, leaf in zip(kept.names, kept.leaf, strict=True):
        assert leaf < 0 or names[leaf] == ON
        assert (names[: len(LEAVES)] == ON).sum() == (0 if leaf < 0 else 2 if leaf == CYMBALS else 1)


def test_equal_seeds_make_equal_shards(bank: Path, sources: units.Sources, tmp_path: Path) -> None:
    scores(tmp_path / "corpus.npz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(units, "PER_SHARD", 14)
        units.build_shard(sources, tmp_path, "train", 0, 1)
    assert (tmp_path / "train-000.npy").read_bytes() == (bank / "train-000.npy").read_bytes()
    assert (units.load(tmp_path / "train-000.npy").by == units.load(bank / "train-000.npy").by).all()


def test_another_seed_needs_another_folder(bank: Path, sources: units.Sources) -> None:
    with pytest.raises(UsageError, match="another folder"):
        list(units.build(sources, bank, {"train": 1}, seed=2))


def test_speech_is_a_voice_and_cymbals_are_drums() -> None:
    assert units.labels("cymbals", None)[DRUMS] == ON
    drums = units.labels("drums", None)
    assert (drums[DRUMS], drums[CYMBALS]) == (ON, OFF)
    viola = units.labels(None, "bowed", ("violin", "cello"))
    assert viola[LEAVES.index("violin")] == UNSURE
    assert viola[len(LEAVES) + list(FAMILIES).index("bowed")] == ON


# Mixtures


def rows(*leaves: str) -> list[Row]:
    nothing = np.zeros(len(DESCRIBED), np.float32)
    return [Row(units.labels(name, None), LEAVES.index(name), nothing + number) for number, name in enumerate(leaves)]


def test_shares_and_names_are_those_of_the_units() -> None:
    powers = np.zeros((2, CELLS), np.float32)
    powers[0, :30], powers[1, 20:] = 3.0, 1.0
    clip, cells, shares = mix.heard(rows("flute", "piano"), powers)
    assert clip[FLUTE] == clip[PIANO] == ON
    assert cells[:30, FLUTE].tolist() == [ON] * 30
    assert cells[30:, FLUTE].tolist() == [OFF] * 10
    assert cells[20:, PIANO].tolist() == [ON] * 20
    assert shares.sum() == pytest.approx(1)
    assert shares[:, FLUTE].sum() == pytest.approx(90 / 110)
    assert shares[25, PIANO] / shares[25].sum() == pytest.approx(0.25)


def test_what_is_very_soft_is_unsure_then_not_there() -> None:
    loud = np.ones(CELLS, np.float32)
    for softer_db, expected in ((-15, ON), (-30, UNSURE), (-60, OFF)):
        soft = loud * np.float32(10 ** (softer_db / 10))
        clip, cells, _ = mix.heard(rows("flute", "piano"), np.stack([loud, soft]))
        assert clip[PIANO] == expected
        assert (cells[:, PIANO] == expected).all()
        assert clip[FLUTE] == ON


def test_a_recording_with_tags_alone_says_nothing_of_cells() -> None:
    tagged = Row(own.tagged({"flute": 1.0, "piano": 0.0}), SEVERAL, np.zeros(len(DESCRIBED), np.float32))
    clip, cells, shares = mix.heard([tagged], np.ones((1, CELLS), np.float32))
    assert clip[[FLUTE, PIANO, DRUMS]].tolist() == [ON, OFF, UNSURE]
    assert set(cells[:, FLUTE].tolist()) == {UNSURE}
    assert set(cells[:, PIANO].tolist()) == {OFF}
    assert shares.sum() == 0


def test_mixtures_add_up(bank: Path) -> None:
    source = batches.source(bank, None)
    generator = default_rng(4)
    for _ in range(12):
        chosen = mix.choose(source.stock, 3, generator)
        made = mix.mix(source.stock, mix.arrange(source.stock, chosen, 30, generator))
        assert made.stems.shape[1] == 30 * CELL
        alone = np.stack([hearing.powers(stem) for stem in made.stems])
        off = np.abs(alone[:, 3:] - made.powers[:, 3:]).sum(axis=1)
        assert (off <= 0.05 * made.powers.sum(axis=1) + 1e-7).all()


def test_equal_seeds_draw_equal_batches(bank: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "take.wav", tone(60, 6), RATE)
    source = batches.source(bank, tmp_path)
    one, other = (batches.draw(source, default_rng(3)) for _ in range(2))
    for name in batches.Batch._fields:
        first, second = getattr(one, name), getattr(other, name)
        assert np.array_equal(first, second, equal_nan=first.dtype.kind == "f")
    assert len(one.seen) == batches.EXAMPLES + 2 * batches.UNLABELLED
    assert one.timbre[: batches.PAIRS].tolist() == one.timbre[batches.PAIRS : 2 * batches.PAIRS].tolist()


def changed(patch: pytest.MonkeyPatch, *ways: str) -> None:
    """Each unit is changed in these ways, and in no others."""
    for name in ("COLOURED", "MOVED_BANDS", "RINGING"):
        patch.setattr(mix, name, float(name in ways))


def test_energies_add_up_as_sounds_do(bank: Path) -> None:
    stock = batches.source(bank, None).stock
    with pytest.MonkeyPatch.context() as patch:
        changed(patch)
        for seed in range(8):
            generator = default_rng(seed)
            arranged = mix.arrange(stock, mix.choose(stock, 3, generator), 30, generator)
            made, (energies, powers) = mix.mix(stock, arranged), mix.in_bands(stock, arranged, generator)
            assert np.allclose(powers, made.powers)
            of_sounds, of_energies = (hearing.seen(each) for each in (hearing.energies(made.dry), energies))
            assert np.abs(of_sounds - of_energies).mean() < 0.02  # of 80 dB


def test_an_equaliser_changes_energy_and_loudness_alike(bank: Path) -> None:
    stock = batches.source(bank, None).stock
    with pytest.MonkeyPatch.context() as patch:
        changed(patch, "COLOURED")
        patch.setattr(record, "colour", lambda _: np.full(hearing.BANDS, 0.25, np.float32))
        arranged = mix.arrange(stock, mix.choose(stock, 2, default_rng(0)), 30, default_rng(1))
        softer = mix.in_bands(stock, arranged, default_rng(0))
        changed(patch)
        plain = mix.in_bands(stock, arranged, default_rng(0))
    for one, other in zip(softer, plain, strict=True):
        assert np.allclose(one, 0.25 * other, rtol=1e-4, atol=1e-4 * other.max())


@pytest.mark.parametrize("by", [-1.0, -0.5, 0.0, 0.5, 1.0])
def test_bands_move_as_a_faster_recording_does(by: float) -> None:
    speed = 2 ** (by * record.MOST_MOVED / 12)
    time = np.arange(RATE) / RATE
    tones = [np.stack([np.sin(2 * np.pi * hz * each * time) for hz in (300, 1000, 2700)]) for each in (1.0, speed)]
    slow, fast = (hearing.energies(each.sum(axis=0).astype(np.float32)) for each in tones)
    moved = slow @ record.moved(by)
    spectra = [10 * np.log10(each[0, 20:30].mean(axis=0) + 1e-9) for each in (moved, fast)]
    loud = spectra[1] > -12
    assert loud.any()
    assert np.abs(spectra[0] - spectra[1])[loud].max() < 5
    assert 10 * np.log10(moved[0, 20:30].sum() / fast[0, 20:30].sum()) == pytest.approx(0, abs=1.5)


def test_what_rings_falls_no_faster_and_is_as_loud_as_it_was() -> None:
    energies = np.zeros((hearing.CHANNELS, 100, hearing.BANDS), np.float32)
    energies[:, 10:20] = 1.0
    rung = record.ringing(energies, 100.0)
    assert np.array_equal(rung[:, :20], energies[:, :20])
    fallen_db = -10 * np.log10(rung[0, 19:60, 0])
    assert np.diff(fallen_db) == pytest.approx(100.0 * hearing.HOP / RATE, rel=1e-4)


def test_powers_follow_what_rings(bank: Path) -> None:
    stock = batches.source(bank, None).stock
    with pytest.MonkeyPatch.context() as patch:
        changed(patch)
        arranged = mix.arrange(stock, mix.choose(stock, 1, default_rng(2)), 40, default_rng(1))
        _, dry = mix.in_bands(stock, arranged, default_rng(0))
        changed(patch, "RINGING")
        total, rung = mix.in_bands(stock, arranged, default_rng(0))
    assert (rung >= dry - 1e-6 * dry.max()).all()
    assert rung.sum() > dry.sum()
    loud = mix._loud(total)
    assert np.corrcoef(loud, rung[0])[0, 1] > 0.98


def test_some_bands_are_hidden_from_what_learns(bank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stock = batches.source(bank, None).stock
    hidden = []
    for seed in range(30):
        monkeypatch.setattr(mix, "HIDING", 0.0)
        whole = mix.draw(stock, 20, default_rng(seed)).seen
        monkeypatch.setattr(mix, "HIDING", 1.0)
        seen = mix.draw(stock, 20, default_rng(seed)).seen
        changed = (whole != seen).any(axis=(0, 1))
        assert not seen[:, :, changed].any()
        hidden.append(int(changed.sum()))
    assert 3 < np.mean(hidden) <= mix.HIDDEN * mix.MOST_HIDDEN / 2 + 2
    assert max(hidden) <= mix.HIDDEN * mix.MOST_HIDDEN


def test_recording_energies_is_like_recording_sounds() -> None:
    """On average over what may happen: the same loudness in each band, the same fall into silence."""
    dry = np.zeros(2 * RATE, np.float32)
    dry[: RATE // 2] = default_rng(0).standard_normal(RATE // 2).astype(np.float32)
    ways = [
        [hearing.energies(record.somewhere(dry, default_rng(seed))) for seed in range(60)],
        [record.in_bands(hearing.energies(dry), default_rng(seed)) for seed in range(60)],
    ]
    levels = [np.mean([hearing.seen(each)[0] for each in way], axis=0) for way in ways]
    assert np.abs(levels[0] - levels[1]).mean() * 80 < 4


def test_recording_keeps_the_sound_where_it_is() -> None:
    dry = np.zeros(2 * RATE, np.float32)
    dry[RATE : RATE + 2000] = default_rng(0).standard_normal(2000).astype(np.float32)
    for seed in range(12):
        wet = record.somewhere(dry, default_rng(seed))
        assert wet.shape == dry.shape
        assert np.isfinite(wet).all()
        assert 0 < np.abs(wet).max() <= 1
        assert np.abs(wet[RATE : RATE + 2500]).max() == np.abs(wet).max()


# Learning


def test_losses_pull_towards_the_truth(bank: Path, few: None) -> None:
    batch = batches.draw(batches.source(bank, None), default_rng(0))
    torch.manual_seed(0)
    learner = loop.Learner()
    heard = learner.tag(torch.from_numpy(batch.seen).float() / 255)
    seen = torch.from_numpy(batch.seen).float() / 255
    before = loop.losses(learner, heard, batch, seen)
    right = heard._replace(
        clip=torch.from_numpy(20 * batch.clip.astype(np.float32)),
        cells=torch.from_numpy(20 * (2 * batch.cells.astype(np.float32) - 1)),
        shares=torch.logit(batch_shares(batch), 1e-6),
    )
    after = loop.losses(learner, right, batch, seen)
    assert after["cells"] < 0.01 < before["cells"]
    assert after["gain"] < 0.01
    assert after["shares"] <= before["shares"]
    assert all(torch.isfinite(each) for each in before.values())


def batch_shares(batch: batches.Batch) -> Any:
    """(batch, cells, LEAVES): of each cell's energy."""
    shares = torch.from_numpy(batch.shares)
    return (shares / shares.sum(2, keepdim=True).clamp(min=1e-9))[:, :, : len(LEAVES)]


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(bank: Path, few: None, tmp_path: Path) -> None:
    start = loop.Start(None, freeze=False)
    list(loop.train(bank, None, tmp_path / "whole", 4, 0, 1, start))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "rate", lambda highest, step, _steps, warm_up, _falls_from: highest * (step + 1) / warm_up)
        assert [row["step"] for row in loop.train(bank, None, tmp_path / "cut", 2, 0, 1, start)] == [2]
    assert [row["step"] for row in loop.train(bank, None, tmp_path / "cut", 4, 0, 1, start)] == [4]
    whole, cut = (loop.trained(tmp_path / name)[0].state_dict() for name in ("whole", "cut"))
    assert all(torch.allclose(whole[name].float(), cut[name].float(), atol=1e-3) for name in whole)


def test_a_checkpoint_hears_as_the_network_does(bank: Path, few: None, tmp_path: Path) -> None:
    list(loop.train(bank, None, tmp_path / "work", 2, 0, 1, loop.Start(None, freeze=False)))
    network, _ = loop.trained(tmp_path / "work")
    figures = finish.write(tmp_path / "tag-9", network, finish.sets(bank), {"about": "a test"}, bank)
    assert any(name.endswith("calibration_error") for name in figures)
    model = infer.load(tmp_path / "tag-9")
    seen = np.random.default_rng(0).random((1, 2, 65, 96), dtype=np.float32)
    said = model.session.run(list(infer.OUTPUTS), {"seen": seen})
    network.eval()
    with torch.no_grad():
        wanted = network(torch.from_numpy(seen))
    for one, other in zip(said, wanted, strict=True):
        assert np.allclose(one, other.numpy(), atol=0.02, rtol=0.02)


@pytest.mark.parametrize(("output", "told"), [("shares", "other shapes"), ("whole", "has to take 'seen'")])
def test_a_graph_that_gives_something_else_is_refused(output: str, told: str, tmp_path: Path) -> None:
    from onnx import helper, load_from_string

    folder = registry.checkpoint("tag").path
    graph = load_from_string((folder / "model.onnx").read_bytes())
    for node in graph.graph.node:
        node.output[:] = [f"{each} before" if each == output else each for each in node.output]
        node.input[:] = [f"{each} before" if each == output else each for each in node.input]
    if output == "shares":
        graph.graph.node.append(helper.make_node("Identity", ["cells"], [output]))
    else:
        kept = [each for each in graph.graph.output if each.name != output]
        del graph.graph.output[:]
        graph.graph.output.extend(kept)
    network = graph.SerializeToString()
    (tmp_path / "model.onnx").write_bytes(network)
    was = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    config = (folder / "config.toml").read_text().replace(was, hashlib.sha256(network).hexdigest())
    (tmp_path / "config.toml").write_text(config)
    with pytest.raises(InputError, match=told):
        infer.load(tmp_path)


def test_probabilities_are_fitted_to_how_often_they_are_right() -> None:
    generator = default_rng(0)
    true = generator.normal(-1, 2, (4000, 3))
    truth = (generator.random((4000, 3)) < 1 / (1 + np.exp(-true))).astype(np.int8)
    scale, bias = finish._fitted(3 * true + np.array([1.0, 0.0, -2.0]), truth)
    assert scale == pytest.approx(np.full(3, 1 / 3), abs=0.04)
    said = 1 / (1 + np.exp(-(scale * (3 * true + np.array([1.0, 0.0, -2.0])) + bias)))
    assert finish.calibration_error(said, truth) < 0.02
    assert finish.calibration_error(np.ones((10, 3)), np.zeros((10, 3), np.int8)) == 1


def test_the_network_is_as_small_as_it_was_to_be() -> None:
    assert sum(each.numel() for each in Tag().parameters()) <= 2_000_000


# One's own recordings


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    for name, pitch in (("flute", 80), ("piano", 50), ("viola", 60)):
        (folder / name).mkdir(parents=True)
        for number in range(8):
            soundfile.write(folder / name / f"{number}.wav", tone(pitch + number, 5), RATE)
    return folder


def test_ones_own_recordings_become_units(mine: Path, tmp_path: Path) -> None:
    left_out: list[str] = []
    assert list(own.build(mine, tmp_path / "bank", left_out))
    kept = units.load(tmp_path / "bank" / "train-000.npy")
    assert {LEAVES[leaf] if leaf >= 0 else leaf for leaf in kept.leaf.tolist()} == {"flute", "piano", -1}
    bowed = kept.names[kept.leaf == -1]
    assert set(bowed[:, LEAVES.index("violin")].tolist()) == {UNSURE}
    assert set(bowed[:, FLUTE].tolist()) == {OFF}
    assert not left_out


def test_a_checkpoint_learns_ones_own_instruments(mine: Path, few: None, tmp_path: Path) -> None:
    plan = recipe.Plan(mine, (), steps=2)
    lines = list(recipe.run(plan, tmp_path / "work", tmp_path / "tag-8"))
    assert "validation" in lines[-1]
    card = (tmp_path / "tag-8" / "card.md").read_text(encoding="utf-8")
    assert "a folder of the layout classes" in card
    frozen = plan._replace(begin=tmp_path / "tag-8", freeze=True, steps=3)
    list(recipe.run(frozen, tmp_path / "again", tmp_path / "tag-7"))
    first, then = (infer_weights(tmp_path / name) for name in ("tag-8", "tag-7"))
    assert torch.equal(first["coarse.1.first.weight"], then["coarse.1.first.weight"])
    assert torch.equal(first["coarse.1.first_norm.running_mean"], then["coarse.1.first_norm.running_mean"])
    assert not torch.equal(first["spaces.project"], then["spaces.project"])


def infer_weights(folder: Path) -> Any:
    from safetensors.torch import load_file

    return load_file(folder / "weights.safetensors")


def test_nothing_to_learn_from_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="layouts"):
        list(own.build(tmp_path / "empty", tmp_path / "bank", []))
    with pytest.raises(UsageError, match="--from"):
        list(recipe.run(recipe.Plan(tmp_path / "empty", (), freeze=True), tmp_path / "w", tmp_path / "o"))


def test_tags_of_a_recording_reach_their_families() -> None:
    row = own.tagged({"violin": 1.0, "flute": 0.0, "clarinet": 0.0, "saxophone": 0.0, "double_reed": 0.0})
    families = dict(zip(FAMILIES, row[len(LEAVES) :].tolist(), strict=True))
    assert (families["bowed"], families["woodwind"], families["brass"]) == (ON, OFF, UNSURE)


def test_trials_are_the_same_for_the_same_seed(bank: Path) -> None:
    stock = batches.source(bank, None).stock
    one, other = (list(judge.trials(stock, 4, 3, alone=False)) for _ in range(2))
    assert json.dumps([each.truth for each in one]) == json.dumps([each.truth for each in other])
    assert all(np.array_equal(first.sound, second.sound) for first, second in zip(one, other, strict=True))
