"""augment: rooms, presets and files, on sounds made here; the right answer is known. Effects: test_augment_effects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from clefkit import audio, augment, notes, record, registry
from clefkit.audio import Audio
from clefkit.augment import chain, convolve, level, recipes, rooms
from clefkit.errors import InputError, MissingError, UsageError

ROOT = Path(__file__).parent.parent
RATE = 44_100
PRESETS = sorted(path.stem for path in (ROOT / "presets").glob("*.toml"))
ROOMS = sorted(path.stem for path in (ROOT / "presets" / "rooms").glob("*.flac"))
ONSET_S = 0.005


def rng(seed: int = 0) -> Generator:
    return default_rng(seed)


def sine(frequency_hz: float, duration_s: float, rate: int = RATE) -> Audio:
    wave = 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(round(duration_s * rate)) / rate)
    return Audio(wave.astype(np.float32)[None], rate)


def click(at: int, length: int, rate: int = RATE) -> Audio:
    samples = np.zeros((1, length), np.float32)
    samples[0, at] = 0.1
    return Audio(samples, rate)


def hiss(duration_s: float, channels: int = 1) -> Audio:
    samples = 0.1 * rng(5).standard_normal((channels, round(duration_s * RATE)))
    return Audio(samples.astype(np.float32), RATE)


def plucks() -> tuple[Audio, NDArray[np.float64]]:
    """Ten seconds of plucked strings, and when each is plucked (seconds)."""
    chance, samples, onsets, start = rng(5), np.zeros(10 * RATE), [], RATE // 4
    time = np.arange(RATE) / RATE
    while start < 8 * RATE:
        frequency = 440 * 2 ** ((chance.integers(48, 80) - 69) / 12)
        partial = np.arange(1, int(min(40, RATE / 2.2 / frequency)))[:, None]
        wave = np.sin(2 * np.pi * frequency * partial * time) * np.exp(-time * (1.5 + 0.8 * partial)) / partial
        samples[start : start + RATE] += 0.15 * wave.sum(axis=0)
        onsets.append(start / RATE)
        start += int(chance.uniform(0.35, 0.6) * RATE)
    return Audio(samples[None].astype(np.float32), RATE), np.array(onsets)


def steepest_rise(samples: NDArray[np.float32], near_s: float) -> float:
    """When, within 30 ms of `near_s`, the energy after exceeds that before by most (seconds)."""
    energy = np.cumsum(np.concatenate([[0.0], np.diff(samples.astype(np.float64)) ** 2]))
    after, before = int(0.004 * RATE), int(0.012 * RATE)
    at = np.arange(int((near_s - 0.03) * RATE), int((near_s + 0.03) * RATE))
    rise = np.log((energy[at + after] - energy[at] + 1e-9) / after)
    rise -= np.log((energy[at] - energy[at - before] + 1e-9) / before)
    return float(at[np.argmax(rise)] / RATE)


def preset_of(*effects: dict[str, Any]) -> dict[str, Any]:
    return {"name": "mine", "sha256": "0", "effect": list(effects)}


def through(sound: Audio, *effects: dict[str, Any], seed: int = 0) -> Audio:
    return chain.apply(sound, chain.draw(preset_of(*effects), rng(seed)))[0]


# rooms


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
@pytest.mark.parametrize("room", ROOMS)
def test_the_first_arrival_of_a_click_stays_where_it_was(room: str, rate: int) -> None:
    heard = through(click(5000, 20_000, rate), {"kind": "room", "room": room})
    arrival = rooms.direct(heard.samples)
    assert abs(arrival.position - 5000) <= 1
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


def test_the_presets_of_this_release() -> None:
    wanted = {"hall", "church", "studio", "chamber", "living-room", "practice-room", "bathroom", "phone"}
    assert wanted <= set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_parses_and_says_what_it_is(name: str) -> None:
    preset = registry.preset(name)
    chain.check(preset)
    assert preset["about"].endswith(".")
    assert preset["source"]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_sounds_like_music(name: str) -> None:
    sound, onsets = plucks()
    for seed in range(3):
        heard, _ = chain.apply(sound, chain.draw(registry.preset(name), rng(seed)))
        held, gain_db = chain.hold_peak(heard)
        late = np.array([steepest_rise(heard.samples[0], at) - at for at in onsets])
        assert np.isfinite(held.samples).all()
        assert gain_db <= 0
        assert audio.true_peak_db(held.samples) <= -1.0
        assert abs(np.median(late)) <= ONSET_S
        assert (np.abs(late) <= ONSET_S).mean() > 0.5
        assert -8 < level.active_db(heard) - level.active_db(sound) < 24


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_keeps_pitch(name: str) -> None:
    heard, _ = augment.apply(sine(440, 3.0), name, rng(2))
    middle = heard.samples[0, RATE : 2 * RATE].astype(np.float64) * np.hanning(RATE)
    spectrum = np.abs(np.fft.rfft(middle, 16 * RATE))
    found = np.argmax(spectrum) / 16
    assert abs(1200 * np.log2(found / 440)) < 1


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("channels", [1, 2])
def test_silence_stays_silence(name: str, channels: int) -> None:
    heard, _ = augment.apply(Audio(np.zeros((channels, RATE), np.float32), RATE), name, rng())
    assert not heard.samples.any()


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 96_000, 192_000])
def test_presets_at_other_rates(rate: int) -> None:
    for name in PRESETS:
        heard, _ = augment.apply(sine(440, 0.5, rate=rate), name, rng())
        assert heard.rate == rate
        assert np.isfinite(heard.samples).all()


def test_a_very_short_sound() -> None:
    for name in PRESETS:
        heard, _ = augment.apply(sine(440, 0.05), name, rng())
        assert np.isfinite(heard.samples).all()
        assert np.abs(heard.samples).max() > 0.01


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


# files


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
