"""augment: rooms, presets and files, on sounds made here; the right answer is known. Effects: test_augment_effects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from sounds import PRESETS, RATE, ROOMS, click, hiss, plucks, preset_of, rng

from clefkit import audio, augment, record, registry
from clefkit.audio import Audio
from clefkit.augment import chain, convolve, recipes, rooms
from clefkit.errors import InputError, MissingError, UsageError


def through(sound: Audio, *effects: dict[str, Any], seed: int = 0) -> Audio:
    return chain.apply(sound, chain.draw(preset_of(*effects), rng(seed)))[0]


# rooms


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
@pytest.mark.parametrize("room", ROOMS)
def test_the_first_arrival_of_a_click_stays_where_it_was(room: str, rate: int) -> None:
    heard = through(click(5000, 20_000, rate), {"kind": "room", "room": room})
    arrival = rooms.direct(heard.samples)
    assert abs(arrival.position - 5000) <= 0.1
    assert arrival.height == pytest.approx(0.1, rel=0.02)


def test_the_direct_sound_is_not_the_strongest_reflection() -> None:
    response = np.zeros((1, 8000), np.float32)
    response[0, 300], response[0, 2300] = 0.4, -0.9
    ready = rooms.prepared(Audio(response, RATE))
    assert ready.direct == 300
    assert ready.samples[0, 300] == pytest.approx(1.0, abs=1e-3)


def test_the_direct_sound_is_that_of_the_channel_where_it_comes_first() -> None:
    response = np.zeros((2, 4000), np.float32)
    response[0, 340], response[1, 300] = 0.9, 0.7
    ready = rooms.prepared(Audio(response, RATE))
    assert ready.direct == 300
    assert ready.samples[1, 300] == pytest.approx(1.0, abs=1e-3)
    assert ready.samples[0, 340] == pytest.approx(0.9 / 0.7, abs=1e-3)


def test_nearer_leaves_the_direct_sound_and_softens_the_rest() -> None:
    asset = registry.room("hall_b")
    plain = rooms.response(asset.path, asset.sha256, RATE)
    near = rooms.nearer(plain, 6.0, RATE)
    edge = plain.direct + round(0.0015 * RATE)
    assert np.array_equal(near.samples[:, :edge], plain.samples[:, :edge])
    late = plain.direct + round(0.0026 * RATE)
    assert near.samples[:, late:] == pytest.approx(plain.samples[:, late:] * 10 ** (-6 / 20), rel=1e-4)


def test_the_output_is_longer_by_the_tail_and_ends_quietly() -> None:
    sound, _ = plucks()
    heard = through(sound, {"kind": "room", "room": "hall_b"})
    assert 1.0 < heard.duration_s - sound.duration_s < 2.5
    last = np.abs(heard.samples[:, -RATE // 50 :]).max()
    assert last < 0.01 * np.abs(heard.samples).max()


@pytest.mark.parametrize(
    ("channels", "room", "expected"), [(1, "hall_c", 1), (1, "hall_a", 2), (2, "hall_c", 2), (2, "hall_a", 2)]
)
def test_channels(channels: int, room: str, expected: int) -> None:
    assert len(through(hiss(0.5, channels), {"kind": "room", "room": room}).samples) == expected


def test_stereo_meets_stereo_channel_by_channel() -> None:
    left_only = hiss(0.5, 2)
    left_only.samples[1] = 0
    heard = through(left_only, {"kind": "room", "room": "hall_a"})
    assert np.abs(heard.samples[0]).max() > 0.1
    assert np.abs(heard.samples[1]).max() < 1e-6


@pytest.mark.parametrize(("length", "taps"), [(1, 1), (10, 5000), (5000, 10), (70_000, 40_000), (200_000, 30_000)])
def test_convolution_is_exact(length: int, taps: int) -> None:
    chance = rng(length)
    samples = chance.standard_normal((2, length)).astype(np.float32)
    response = chance.standard_normal((1, taps)).astype(np.float32)
    size = length + taps - 1
    exact = np.fft.irfft(np.fft.rfft(samples, 2 * size) * np.fft.rfft(response, 2 * size), 2 * size)[:, :size]
    whole = convolve.convolve(samples, response)
    assert whole.dtype == np.float32
    assert whole.shape == exact.shape
    allowed = 2e-6 * max(np.abs(exact).max(), 1)
    assert np.abs(whole - exact).max() < allowed
    part = convolve.convolve(samples, response, lead=size // 3, length=size // 4)
    assert np.abs(part - exact[:, size // 3 : size // 3 + size // 4]).max(initial=0) < allowed


def test_a_file_as_room(tmp_path: Path) -> None:
    response = np.zeros((1, 9000), np.float32)
    response[0, 700], response[0, 4000] = 0.5, 0.25
    path = tmp_path / "my room.wav"
    soundfile.write(path, response.T, RATE, subtype="FLOAT")
    made = recipes.room(str(path))
    drawn = chain.draw(made, rng())
    heard, clock = chain.apply(click(1000, 5000), drawn)
    assert made["name"] == "ir-my room"
    assert clock.data() == {"offset_s": 0.0, "rate": 1.0}
    assert heard.samples[0, 1000] == pytest.approx(0.1, abs=1e-4)
    assert heard.samples[0, 4300] == pytest.approx(0.05, abs=1e-4)
    assert chain.recorded(drawn) == [
        {"kind": "room", "file": "my room.wav", "sha256": record.sha256(path), "distance_gain_db": 0.0}
    ]
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(InputError, match=r"my room\.wav is another file"):
        chain.apply(click(1000, 5000, 48_000), drawn)


def test_files_that_are_no_response(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(9000), RATE)
    soundfile.write(tmp_path / "long.wav", 0.1 * np.ones(31 * 11_025), 11_025)
    (tmp_path / "text.wav").write_text("no sound")
    for name, why in (("silent.wav", "is silent"), ("long.wav", "longer than 30 s"), ("text.wav", "not a sound file")):
        with pytest.raises(InputError, match=f"room response {name}.*{why}"):
            recipes.room(str(tmp_path / name))


def test_a_response_that_no_reader_takes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    (tmp_path / "room.mid").write_bytes(b"MThd")
    with pytest.raises(MissingError, match=r"room response room\.mid: .*ffmpeg"):
        recipes.room(str(tmp_path / "room.mid"))


def test_rooms_by_name() -> None:
    assert [effect["kind"] for effect in recipes.room("phone")["effect"]] == ["room"]
    assert recipes.room("hall_a")["effect"] == [{"kind": "room", "room": "hall_a"}]
    with pytest.raises(UsageError, match="nowhere"):
        recipes.room("nowhere")


# presets


def test_same_numbers_same_bits_other_seed_other_sound() -> None:
    sound, _ = plucks()
    for name in ("hall", "phone", "studio"):
        drawn = chain.draw(registry.preset(name), rng(7))
        assert drawn == json.loads(json.dumps(drawn)) == chain.draw(registry.preset(name), rng(7))
        first, again = (chain.apply(sound, drawn)[0].samples for _ in range(2))
        other = augment.apply(sound, name, rng(8))[0].samples
        assert first.tobytes() == again.tobytes()
        assert first.shape != other.shape or not np.array_equal(first, other)


def test_the_input_is_left_alone() -> None:
    sound = hiss(1.0, 2)
    before = sound.samples.copy()
    for name in PRESETS:
        augment.apply(sound, name, rng())
    augment.apply(sound, preset_of({"kind": "gain", "gain_db": 20}), rng())
    assert np.array_equal(sound.samples, before)


def test_the_peak_is_held() -> None:
    held, _ = augment.apply(hiss(1.0), preset_of({"kind": "gain", "gain_db": 24}), rng())
    assert -1.1 < audio.true_peak_db(held.samples) <= -1.0


@pytest.mark.parametrize(
    ("preset", "message"),
    [
        ({"name": "mine"}, r"preset mine: needs at least one \[\[effect\]\]"),
        ({"name": "mine", "effect": "room"}, r"preset mine: needs at least one \[\[effect\]\]"),
        ({"name": "mine", "effects": []}, "preset mine: unknown key 'effects'"),
        (preset_of({"kind": "reverb"}), "preset mine: effect 1: kind 'reverb' is not known"),
        (preset_of({"kind": "gain"}), r"preset mine: effect 1 \(gain\): gain_db is missing"),
        (preset_of({"kind": "gain", "gain_db": [3, -3]}), "gain_db must be a number or a range"),
        (preset_of({"kind": "gain", "gain_db": True}), "gain_db must be a number or a range"),
        (preset_of({"kind": "gain", "gain_db": float("nan")}), "gain_db must be a number or a range"),
        (preset_of({"kind": "gain", "gain_db": 1e9}), "gain_db must lie within -60 and 24"),
        (preset_of({"kind": "gain", "gain_db": 1, "speed": 2}), "unknown key 'speed': there are gain_db"),
        (preset_of({"kind": "room", "room": "attic"}), r"effect 1 \(room\): room 'attic' is not known"),
        (preset_of({"kind": "room", "room": []}), "room is an empty list"),
        (preset_of({"kind": "room"}), "room is missing"),
        (preset_of({"kind": "noise", "noise": ["pink", 3], "snr_db": 3}), "noise 3 is not known"),
    ],
)
def test_a_bad_preset_is_told_by_name_and_key(preset: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        chain.check(preset)


def test_numbers_are_drawn_within_their_range() -> None:
    effect = {"kind": "band", "low_hz": [20, 2000], "high_hz": 8000}
    lows = [chain.draw(preset_of(effect), rng(seed))[0]["low_hz"] for seed in range(200)]
    assert 20 <= min(lows) < 40
    assert 1000 < max(lows) <= 2000
    assert 120 < np.median(lows) < 350  # evenly in logarithm: the middle is 200
