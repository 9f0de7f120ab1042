"""augment: what becomes of a file and its labels; presets by name, joined, by level, again from a record."""

from __future__ import annotations

import importlib
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from sounds import ONSET_S, RATE, ROOT, plucks, preset_of, rng, sine, steepest_rise

from clefkit import audio, augment, notes, record, registry
from clefkit.augment import chain, noise, recipes
from clefkit.errors import InputError, UsageError


def made(folder: Path, *, ending: str = "wav", with_reference: bool = True) -> record.Source:
    sound, onsets = plucks()
    audio.write(folder / f"song.{ending}", sound, ending)
    data: dict[str, Any] = {}
    if with_reference:
        played = notes.make(onsets, onsets + 0.3, np.full(len(onsets), 60), ids=[f"n{i}" for i in range(len(onsets))])
        notes.write_jsonl(folder / "song.ref.jsonl", played, RATE, sound.samples.shape[1])
        digest = record.sha256(folder / "song.ref.jsonl")
        data = {"reference": {"file": "song.ref.jsonl", "sha256": digest}}
    return record.Source(folder / f"song.{ending}", data)


def test_products_move_the_reference_along(tmp_path: Path) -> None:
    source = made(tmp_path)
    products = list(augment.products(source, rng(7), presets=[registry.preset("hall")], label="hall-7"))
    assert [product.suffix for product in products] == ["hall-7.ref.jsonl", "hall-7.ref.mid", "hall-7.wav"]
    assert [product.printed for product in products] == [False, False, True]
    for number, product in enumerate(products):
        product.write(tmp_path / f".{number}.part")
    facts = products[-1].facts
    assert json.loads(json.dumps(facts)) == facts
    assert facts["preset"]["name"] == "hall"
    assert facts["preset"]["sha256"] == record.sha256(ROOT / "presets" / "hall.toml")
    assert [each["kind"] for each in facts["preset"]["drawn"]] == ["room", "noise"]
    assert facts["clock"] == {"offset_s": 0.0, "rate": 1.0}
    assert facts["reference"] == "hall-7.ref.jsonl"
    assert facts["gain_db"] <= 0
    with soundfile.SoundFile(tmp_path / ".2.part") as file:
        assert file.format == "WAV"
        frames = file.frames
    (tmp_path / ".0.part").rename(tmp_path / "moved.jsonl")
    head = json.loads((tmp_path / "moved.jsonl").read_text().splitlines()[0])
    assert (head["rate"], head["samples"]) == (RATE, frames)
    before, after = notes.read(tmp_path / "song.ref.jsonl"), notes.read(tmp_path / "moved.jsonl")
    assert np.array_equal(before.onset, after.onset)
    assert after.ids is not None
    assert list(after.ids) == list(before.ids if before.ids is not None else [])


def test_notes_are_heard_where_the_moved_reference_says(tmp_path: Path) -> None:
    source = made(tmp_path)
    products = list(
        augment.products(source, rng(3), presets=[registry.preset("practice-room")], label="practice-room-3")
    )
    for product in products:
        product.write(tmp_path / f"song.{product.suffix}")
    heard = audio.read(tmp_path / "song.practice-room-3.wav")
    reference = notes.read(tmp_path / "song.practice-room-3.ref.jsonl")
    late = [steepest_rise(heard.samples[0], at) - at for at in reference.onset]
    assert abs(np.median(late)) <= ONSET_S


def test_flac_stays_flac_and_no_reference_makes_none(tmp_path: Path) -> None:
    source = made(tmp_path, ending="flac", with_reference=False)
    (product,) = augment.products(source, rng(), presets=[recipes.room("studio_a")], label="ir-studio_a")
    assert product.suffix == "ir-studio_a.flac"
    product.write(tmp_path / "out.part")
    assert (tmp_path / "out.part").read_bytes()[:4] == b"fLaC"
    assert "reference" not in product.facts
    (product,) = augment.products(source, rng(), presets=[recipes.room("studio_a")], label="x", kind="wav")
    assert product.suffix == "x.wav"


def test_products_are_cheap_until_they_are_written(tmp_path: Path) -> None:
    source = made(tmp_path, with_reference=False)
    source.path.write_bytes(b"no sound any more")
    (product,) = augment.products(source, rng(), presets=[registry.preset("hall")], label="hall-7")
    with pytest.raises(InputError, match="not a sound file"):
        product.write(tmp_path / "out.part")


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    source = made(tmp_path, with_reference=False)
    for name in ("one", "two"):
        (product,) = augment.products(source, rng(4), presets=[registry.preset("phone")], label="phone-4")
        product.write(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


# labels


def written(source: record.Source, presets: list[dict[str, Any]], folder: Path, **options: Any) -> list[Any]:
    products = list(augment.products(source, rng(1), presets=presets, **options))
    for product in products:
        product.write(folder / f"song.{product.suffix}")
    return products


def test_references_beats_and_pitches_follow_the_clock(tmp_path: Path) -> None:
    source = made(tmp_path)
    rows = [["1", 1, 1.0, 0.0, 0.25], ["1", 1, 2.0, 1.0, 2.0]]
    known = {"parts": [{"name": "Guitar", "program": 24, "drums": False}], "timemap": {"columns": [], "rows": rows}}
    source = source._replace(record=source.record | known)
    facts = written(source, [preset_of({"kind": "detune", "cents": 50})], tmp_path, label="f")[-1].facts
    before, after = notes.read(tmp_path / "song.ref.jsonl"), notes.read(tmp_path / "song.f.ref.jsonl")
    rate = 2 ** (-50 / 1200)
    assert facts["clock"] == {"offset_s": 0.0, "rate": pytest.approx(rate)}
    assert np.abs(after.onset - rate * before.onset).max() <= 0.5 / RATE
    assert np.abs(after.offset - rate * before.offset).max() <= 0.5 / RATE
    assert after.pitch == pytest.approx(before.pitch + 0.5, abs=1e-3)
    assert facts["parts"] == known["parts"]
    assert facts["timemap"]["rows"] == [["1", 1, 1.0, 0.0, pytest.approx(0.25 * rate, abs=1e-6)],
                                        ["1", 1, 2.0, 1.0, pytest.approx(2 * rate, abs=1e-6)]]  # fmt: skip


def test_a_score_without_beats_has_none_afterwards(tmp_path: Path) -> None:
    source = made(tmp_path, with_reference=False)
    source = source._replace(record={"timemap": {"columns": [], "rows": []}})
    (product,) = written(source, [registry.preset("detuned")], tmp_path, label="d")
    assert product.facts["timemap"]["rows"] == []


def test_the_record_says_how_loud_it_was_and_is(tmp_path: Path) -> None:
    source = made(tmp_path, with_reference=False)
    (product,) = written(source, [preset_of({"kind": "gain", "gain_db": -6})], tmp_path, label="soft")
    before, after = (audio.read(tmp_path / name) for name in ("song.wav", "song.soft.wav"))
    told = product.facts["loudness"]
    assert told["source_lufs"] == pytest.approx(audio.loudness(before.samples, RATE), abs=0.01)
    assert told["lufs"] == pytest.approx(audio.loudness(after.samples, RATE), abs=0.02)
    assert told["lufs"] - told["source_lufs"] == pytest.approx(-6, abs=0.02)


# presets joined, by level, in variants, from a record


def test_presets_are_joined_in_order() -> None:
    both = recipes.named("studio, phone")
    kinds = [effect["kind"] for effect in both["effect"]]
    assert both["name"] == "studio+phone"
    assert kinds == [effect["kind"] for name in ("studio", "phone") for effect in registry.preset(name)["effect"]]
    assert both["level"] == max(registry.preset(name)["level"] for name in ("studio", "phone"))
    with pytest.raises(UsageError, match="nowhere"):
        recipes.named("studio,nowhere")


@pytest.mark.parametrize(("asked", "levels"), [("1", {1}), ("2..3", {2, 3}), ("1..3", {1, 2, 3})])
def test_a_level_is_all_its_presets(asked: str, levels: set[int]) -> None:
    chosen = recipes.of_levels(asked)
    everything = [registry.preset(name) for name in registry.presets()]
    assert {preset["level"] for preset in chosen} == levels
    assert {preset["name"] for preset in chosen} == {each["name"] for each in everything if each["level"] in levels}


@pytest.mark.parametrize("asked", ["0", "4", "3..1", "1-3", "", "x"])
def test_what_is_no_level_is_told(asked: str) -> None:
    with pytest.raises(UsageError, match="give one of 1 to 3, or a range"):
        recipes.of_levels(asked)


def test_a_pattern_is_any_of_its_rooms() -> None:
    preset = recipes.room("h*_a")
    assert preset["name"] == "ir-h_a"
    assert preset["effect"] == [{"kind": "room", "room": "hall_a"}]
    assert recipes.room("studio_*")["effect"][0]["room"] == [f"studio_{place}" for place in "abcd"]
    halls = preset_of({"kind": "room", "room": ["hall_*", "studio_a"]})
    drawn = {chain.draw(halls, rng(seed))[0]["room"] for seed in range(60)}
    assert drawn == {"hall_a", "hall_b", "hall_c", "hall_d", "studio_a"}
    with pytest.raises(InputError, match=r"room 'nowhere_\*' is not known"):
        chain.check(preset_of({"kind": "room", "room": "nowhere_*"}))


def test_variants_differ_and_each_can_be_made_alone(tmp_path: Path) -> None:
    source = made(tmp_path)
    products = list(augment.products(source, rng(1), presets=recipes.of_levels("1..2"), label="m", variants=6))
    assert [product.suffix for product in products[:3]] == ["m.v1.ref.jsonl", "m.v1.ref.mid", "m.v1.wav"]
    drawn = [json.dumps(product.facts["preset"]) for product in products[2::3]]
    assert len(set(drawn)) == 6
    again = list(augment.products(source, rng(1), presets=recipes.of_levels("1..2"), label="m", variants=6))
    for number, some in enumerate((products, again)):
        some[8].write(tmp_path / str(number))
    assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes()


@pytest.mark.parametrize("name", sorted(registry.presets()))
def test_what_was_drawn_draws_itself(name: str) -> None:
    for seed in range(20):
        drawn = chain.draw(registry.preset(name), rng(seed))
        recorded = json.loads(json.dumps(chain.recorded(drawn)))
        assert chain.draw({"name": name, "effect": recorded}, rng(99)) == drawn


def test_a_record_is_replayed_on_another_file(tmp_path: Path) -> None:
    source = made(tmp_path)
    (first,) = [each for each in written(source, [registry.preset("phone")], tmp_path, label="phone-1") if each.printed]
    beside = tmp_path / "song.phone-1.wav.json"
    beside.write_text(record.encode({"options": {"label": "phone-1"}, **first.facts}))
    for path in (beside, tmp_path / "song.phone-1.wav"):
        preset, label = recipes.replayed(path)
        assert label == "phone-1"
        assert chain.recorded(chain.draw(preset, rng(5))) == first.facts["preset"]["drawn"]
    beside.write_text("{}")
    with pytest.raises(InputError, match="is no record of a file that augment made"):
        recipes.replayed(beside)


def test_a_record_with_a_room_of_a_file_finds_it_beside(tmp_path: Path) -> None:
    source = made(tmp_path, with_reference=False)
    response = np.zeros((1, 4000), np.float32)
    response[0, [7, 400]] = 0.5, 0.25
    soundfile.write(tmp_path / "closet.wav", response.T, RATE, subtype="FLOAT")
    preset = recipes.room(str(tmp_path / "closet.wav"))
    (product,) = written(source, [preset], tmp_path, label="ir-closet")
    data = {"options": {"label": "ir-closet"}, **product.facts}
    (tmp_path / "song.ir-closet.wav.json").write_text(record.encode(data))
    again, _ = recipes.replayed(tmp_path / "song.ir-closet.wav.json")
    assert chain.draw(again, rng(3)) == chain.draw(preset, rng(4))
    (tmp_path / "closet.wav").write_bytes((tmp_path / "closet.wav").read_bytes() + b"x")
    with pytest.raises(InputError, match="another file than the one drawn"):
        recipes.replayed(tmp_path / "song.ir-closet.wav.json")


def test_no_global_chance_is_touched() -> None:
    def state() -> tuple[object, str]:
        return random.getstate(), str(np.random.get_state())  # noqa: NPY002 the one that must not be touched

    before = state()
    for name in registry.presets():
        augment.apply(sine(440, 0.5), name, rng(1))
    assert state() == before


def test_the_command_offers_every_noise() -> None:
    command = importlib.import_module("clefkit.commands.augment")
    assert {each.value for each in command.Noise} == set(noise.KINDS)
