"""room: simulated responses have the times and the coherence asked for, are kept, and are files of the command."""

from __future__ import annotations

import functools
import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import Shell
from numpy.random import default_rng
from numpy.typing import NDArray
from scipy import signal

from clefkit import audio
from clefkit.audio import Audio
from clefkit.augment import acoustics, air, chain, rooms, shoebox, simulate, simulated
from clefkit.augment.filters import Response
from clefkit.augment.shoebox import Box
from clefkit.errors import InputError, MissingError

RATE = 44_100
STUDIO, LIVING = (0.3, Box(5, 4, 3, 1.2, 0.3)), (0.6, Box(6, 5, 3, 2, 0.17))
CHAMBER, HALL, CHURCH = (1.2, Box(15, 10, 6, 5, 0.6)), (2.0, Box(30, 20, 12, 10, 0.1)), (4.0, Box(45, 20, 18, 15, 0.17))
CORRIDOR, CUBE = (0.6, Box(20, 3, 2.5, 4, 0.6)), (0.5, Box(4, 4, 4, 1.5, 0))
CELL = {"rt60_s": 0.3, "length_m": 3.0, "width_m": 2.5, "height_m": 2.4, "distance_m": 1.0}
SMALL = "--rt60 0.3 --size 3x2.5x2.4 --rate 22050"


@functools.cache
def made(rt60_s: float, box: Box, seed: int = 0) -> Response:
    return simulate.response(rt60_s, box, seed, RATE)


def t20_s(samples: NDArray[Any], centre_hz: float | None = None) -> float:
    """As acoustics has it, in another way: forward filter, line by least squares."""
    if centre_hz:
        band = [centre_hz / 2**0.5, centre_hz * 2**0.5]
        samples = signal.sosfiltfilt(signal.butter(4, band, "bandpass", fs=RATE, output="sos"), samples)
    left = np.cumsum(samples.astype(np.float64)[::-1] ** 2)[::-1]
    decay = 10 * np.log10(left / left[0] + 1e-15)
    part = np.flatnonzero((decay <= -5) & (decay >= -25))
    return float(-60 / np.polyfit(part / RATE, decay[part], 1)[0])


# what is measured on a response


def test_decay_of_a_noise_that_falls_by_60_db_in_a_second() -> None:
    fall = 10 ** (-3 * np.arange(2 * RATE) / RATE)
    noise = default_rng(0).standard_normal((2, 2 * RATE)) * fall
    response = Response(noise.astype(np.float32), 0, 0)
    assert acoustics.rt60_s(response, RATE) == pytest.approx(1.0, rel=0.05)
    assert acoustics.edt_s(response, RATE) == pytest.approx(1.0, rel=0.03)
    late = 10 ** (-6 * 0.08)
    assert acoustics.c80_db(response, RATE) == pytest.approx(10 * np.log10((1 - late) / late), abs=0.5)


def test_direct_to_reverberant_ratio_of_two_clicks() -> None:
    samples = np.zeros((1, RATE), np.float32)
    samples[0, 1000], samples[0, 3000] = 1.0, 0.5
    assert acoustics.direct_to_reverberant_db(Response(samples, 1000, 0), RATE) == pytest.approx(6.02, abs=0.01)


# simulated rooms


@pytest.mark.parametrize("room", [STUDIO, LIVING, CHAMBER, HALL, CHURCH, CORRIDOR, CUBE], ids=lambda room: str(room[0]))
def test_reverberation_time_is_the_one_asked_for(room: tuple[float, Box]) -> None:
    rt60_s, box = room
    left = made(rt60_s, box).samples[0]
    assert (t20_s(left, 500) + t20_s(left, 1000)) / 2 == pytest.approx(rt60_s, rel=0.1)
    assert t20_s(left) == pytest.approx(rt60_s, rel=0.1)


def test_bass_rings_longer_than_the_middle_and_treble_shorter() -> None:
    left = made(*CHURCH).samples[0]
    middle = t20_s(left, 1000)
    assert 1.05 < t20_s(left, 125) / middle < 1.25
    assert 0.4 < t20_s(left, 8000) / middle < 0.8


@pytest.mark.parametrize("room", [STUDIO, LIVING, CHAMBER, HALL, CORRIDOR], ids=lambda room: str(room[1].spacing_m))
def test_late_bass_is_as_coherent_as_a_diffuse_field(room: tuple[float, Box]) -> None:
    rt60_s, box = room
    response = made(rt60_s, box)
    late = response.samples[:, response.direct + round(0.25 * rt60_s * RATE) :][:, : round(0.65 * rt60_s * RATE)]
    louder = late * 10 ** (3 * np.arange(late.shape[1]) / RATE / rt60_s)
    size = min(4096, late.shape[1] // 4)
    hertz, across = signal.csd(louder[0], louder[1], RATE, nperseg=size)
    strength = np.sqrt(np.prod([signal.welch(channel, RATE, nperseg=size)[1] for channel in louder], axis=0))
    for low, high in ((40, 300), (2000, 4000)):
        band = (hertz >= low) & (hertz < high)
        expected = np.average(np.sinc(2 * hertz[band] * box.spacing_m / 343.0), weights=strength[band])
        assert np.real(across[band]).sum() / strength[band].sum() == pytest.approx(expected, abs=0.1)


def test_direct_sound_is_a_click_of_unity_after_two_milliseconds() -> None:
    for rt60_s, box in (LIVING, HALL, CUBE):
        response = made(rt60_s, box)
        assert response.direct == round(0.002 * RATE)
        assert np.abs(response.samples[:, response.direct]).max() == pytest.approx(1.0, abs=0.01)
        nearer = response.samples[np.argmax(response.samples[:, response.direct])]
        assert np.abs(nearer[: response.direct]).max() < 0.001
        assert response.tail == response.samples.shape[1] - 1 - response.direct


def test_the_tail_ends_where_it_has_fallen_by_60_db() -> None:
    samples = made(*HALL).samples
    left = np.cumsum((samples.astype(np.float64) ** 2).sum(axis=0)[::-1])[::-1]
    assert 10 * np.log10(left[-RATE // 100] / left[0]) < -55
    assert np.abs(samples[:, -1]).max() < 1e-6


def test_direct_and_reverberant_sound_are_as_strong_as_the_critical_distance_says() -> None:
    for rt60_s, box in (LIVING, CHAMBER, HALL):
        response = made(rt60_s, box)
        click = np.zeros_like(response.samples[0])
        click[response.direct] = 1.0
        nearer = response.samples[np.argmax(response.samples[:, response.direct])]
        direct, rest = (acoustics.octave(each[None], RATE, 1000.0) for each in (click, nearer - click))
        critical_m = 0.057 * np.sqrt(box.size_m.prod() / rt60_s)
        ratio_db = 10 * np.log10((direct**2).sum() / (rest**2).sum())
        assert ratio_db == pytest.approx(20 * np.log10(critical_m / box.distance_m), abs=2)


def test_tail_is_a_noise_without_flutter() -> None:
    response = made(*CORRIDOR)
    late = response.samples[0, response.direct + round(0.15 * RATE) : response.direct + round(0.45 * RATE)]
    even = late * 10 ** (3 * np.arange(len(late)) / RATE / 0.6)
    energies = (even[: len(even) // 88 * 88].reshape(-1, 88) ** 2).sum(axis=1)
    assert energies.std() < 0.27 * energies.mean()
    assert energies.max() < 2.3 * energies.mean()
    spectrum = np.abs(np.fft.rfft(np.diff(even), 2 * len(even))) ** 2
    smooth = np.convolve(spectrum, np.hanning(401) / 200, "same")
    alike = np.fft.irfft(spectrum / smooth)
    assert np.abs(alike[100:4000]).max() < 0.05 * alike[0]


def test_rays_carry_the_energy_of_a_diffuse_field() -> None:
    box = Box(8, 6, 4, 3, 0)
    energies = shoebox.energies(box, shoebox.places(box, default_rng(1)), 1.0, default_rng(1))
    surface = 2 * (8 * 6 + 8 * 4 + 6 * 4)
    for absorption in (0.2, 0.4):
        expected = 16 * np.pi * (1 - absorption) / (surface * absorption)
        found = energies.all(-np.log(1 - absorption)).sum()
        assert 10 * np.log10(found / expected) == pytest.approx(0.0, abs=1.0)


def test_air_absorbs_as_in_the_standard() -> None:
    per_kilometre = air.absorption_db(np.array([125.0, 1000.0, 8000.0])) * 1000
    assert per_kilometre == pytest.approx([0.445, 4.66, 105.0], rel=0.02)  # ISO 9613-1, table 1: 20 degrees, 50 %


@pytest.mark.parametrize("seed", range(20))
def test_places_are_in_the_room_at_their_distances(seed: int) -> None:
    box = Box(9, 4, 2.6, 1 + seed * 0.3, 0.4)
    source, microphones = shoebox.places(box, default_rng(seed))
    everything = np.vstack([source, microphones])
    assert (everything > 0.3).all()
    assert (everything < box.size_m - 0.3).all()
    assert np.linalg.norm(microphones.mean(axis=0) - source) == pytest.approx(box.distance_m)
    assert np.linalg.norm(microphones[1] - microphones[0]) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("rt60_s", "box", "why"),
    [
        (9.0, Box(3, 3, 2.5, 1, 0), r"3 x 3 x 2\.5 m can't have an rt60_s of 9: from about 0\.\d\d to [4-6]\.\d$"),
        (0.15, Box(40, 30, 10, 5, 0), r"can't have an rt60_s of 0\.15: from about 0\.[2-5]\d to 10\.0$"),
        (1.0, Box(6, 5, 3, 6, 0), r"distance_m 6 is too far for a room of 6 x 5 x 3 m: 5\.00 at most"),
        (1.0, Box(6, 2, 3, 1, 1), r"spacing_m 1 is too wide for a room of 6 x 2 x 3 m: 0\.80 at most"),
        (1.0, Box(60, 2, 2, 1, 0), r"60 x 2 x 2 m is too long: 20 times its shortest side at most"),
    ],
)
def test_rooms_that_cannot_be(rt60_s: float, box: Box, why: str) -> None:
    with pytest.raises(InputError, match=why):
        simulate.response(rt60_s, box, 0, 16_000)


def test_the_same_numbers_give_the_same_bytes_and_touch_no_other_chance() -> None:
    rt60_s, box = STUDIO
    before, others = np.random.get_state(legacy=False), random.getstate()  # noqa: NPY002 it must stay as it is
    again = simulate.response(rt60_s, box, 0, RATE).samples
    after = np.random.get_state(legacy=False)  # noqa: NPY002
    assert np.array_equal(again, made(rt60_s, box).samples)
    assert str(before) == str(after)
    assert random.getstate() == others
    assert not np.array_equal(made(rt60_s, box, 1).samples[:, :1000], again[:, :1000])


def test_without_pyroomacoustics_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyroomacoustics", None)
    with pytest.raises(MissingError, match=r"pip install 'clefkit\[rooms\]'"):
        simulate.response(*STUDIO, 0, RATE)


# kept


def test_rooms_are_kept_and_a_damaged_one_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    numbers = {**CELL, "spacing_m": 0.17, "seed": 3}
    first = simulated.response(numbers, 16_000)
    (kept,) = (tmp_path / "clefkit" / "rooms").iterdir()
    whole = kept.read_bytes()

    def again() -> Response:
        simulated._response.cache_clear()
        return simulated.response(numbers, 16_000)

    kept.write_bytes(whole[:-1] + b"?")
    assert np.array_equal(again().samples, first.samples)
    assert kept.read_bytes() == whole
    monkeypatch.setattr(simulate, "response", None)
    assert np.array_equal(again().samples, first.samples)
    assert again()[1:] == first[1:]


def test_a_cache_that_cannot_be_written_to_and_one_that_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = Response(np.ones((1, 100), np.float32), 32, 67)
    monkeypatch.setattr(simulate, "response", lambda *_: quick)
    monkeypatch.setattr(simulated, "MOST_KEPT", 2)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for seed in (10, 11, 12):
        simulated.response({**CELL, "spacing_m": 0, "seed": seed}, 16_000)
    assert len(list((tmp_path / "clefkit" / "rooms").iterdir())) == 2
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert simulated.response({**CELL, "spacing_m": 0, "seed": 13}, 16_000) is quick


# the effect


def effect(**given: Any) -> dict[str, Any]:
    return {"name": "mine", "sha256": "0", "effect": [{"kind": "room", **CELL, **given}]}


def test_the_effect_keeps_a_click_where_it_was_and_adds_the_room() -> None:
    sound = Audio(np.zeros((1, 16_000), np.float32), 16_000)
    sound.samples[0, 5000] = 0.1
    drawn = chain.draw(effect(seed=3), default_rng(0))
    heard, clock = chain.apply(sound, drawn)
    arrival = rooms.direct(heard.samples)
    assert len(heard.samples) == 2
    assert abs(arrival.position - 5000) <= 0.1
    assert arrival.height == pytest.approx(0.1, rel=0.02)
    assert 0.2 < heard.duration_s - 1 < 0.5
    assert clock.data() == {"offset_s": 0.0, "rate": 1.0}
    near = chain.apply(sound, chain.draw(effect(seed=3, distance_gain_db=6), default_rng(0)))[0]
    late = 5000 + 16 * 5
    assert near.samples[:, late:] == pytest.approx(heard.samples[:, late:] * 10 ** (-6 / 20), abs=1e-6)


def test_numbers_are_drawn_and_draw_themselves() -> None:
    asked = effect(rt60_s=[0.3, 0.6], distance_m=[0.5, 1.2])
    (first,), (other,) = (chain.draw(asked, default_rng(seed)) for seed in (1, 2))
    assert first["seed"] != other["seed"]
    assert 0.3 <= first["rt60_s"] <= 0.6
    assert first["spacing_m"] == 0.17
    assert chain.draw({**asked, "effect": [first]}, default_rng(9)) == [first]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"rt60_s": 11}, "rt60_s must lie within 0.1 and 10"),
        ({"room": "hall_a"}, "unknown key 'room'"),
        ({"height_m": None}, "height_m is missing"),
        ({"seed": -1}, "seed must be a whole number"),
    ],
)
def test_wrong_numbers_are_named(given: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        chain.check(effect(**given))


# the command


def test_the_command_makes_a_file_with_a_record_and_uses_it_again(shell: Shell, tmp_path: Path) -> None:
    name = "room-0.3s-3x2.5x2.4-4.wav"
    first = shell(f"clefkit room {SMALL} --seed 4")
    assert (first.returncode, first.stdout, first.stderr) == (0, f"{name}\n", "")
    info = soundfile.info(tmp_path / name)
    assert (info.subtype, info.samplerate, info.channels) == ("PCM_24", 22_050, 2)
    data = json.loads((tmp_path / f"{name}.json").read_text())
    assert (data["seed"], data["options"]["rt60_s"], data["options"]["distance_m"]) == (4, 0.3, 0.66)
    assert data["measured"]["rt60_s"] == pytest.approx(0.3, rel=0.1)
    assert {"125", "4000", "all"} < data["measured"]["rt60_s_by_octave"].keys()
    assert {"c80_db", "direct_to_reverberant_db"} < data["measured"].keys()
    before = (tmp_path / name).stat()
    again = shell(f"clefkit room {SMALL} --seed 4 --json")
    assert json.loads(again.stdout) == {"path": name, **data}
    assert (tmp_path / name).stat() == before


def test_augment_hears_the_file_and_finds_it_by_name(shell: Shell, tmp_path: Path) -> None:
    sound = np.zeros((1, 22_050), np.float32)
    sound[0, 1000] = 0.5
    audio.write(tmp_path / "x.wav", Audio(sound, 22_050))
    line = f"clefkit augment --ir $(clefkit room {SMALL} --spacing 0) x.wav"
    assert shell(line).stdout == "x.ir-room-0.3s-3x2.5x2.4-0-0.wav\n"
    heard = audio.read(tmp_path / "x.ir-room-0.3s-3x2.5x2.4-0-0.wav")
    assert rooms.direct(heard.samples).position == pytest.approx(1000, abs=1)
    assert len(heard.samples) == 1
    flac = shell(f"clefkit room {SMALL} --spacing 0 --out mine/presets/rooms/cell.flac")
    assert flac.stdout == "mine/presets/rooms/cell.flac\n"
    named = shell("clefkit augment --ir cell x.wav", CLEFKIT_PATH=str(tmp_path / "mine"))
    assert (named.stdout, named.stderr) == ("x.ir-cell-0.wav\n", "")


@pytest.mark.parametrize(
    ("options", "status", "why"),
    [
        ("--rt60 0 --size 3x3x3", 2, "'--rt60'"),
        ("--rt60 1 --size 3x3", 2, "--size 3x3: give length, width and height in metres, like 30x20x12"),
        ("--rt60 1 --size 3x3x300", 2, "height_m must lie within 1.5 and 50"),
        ("--rt60 0.1 --size 40x30x10 --distance 3", 1, "a room of 40 x 30 x 10 m can't have an rt60_s of 0.1: from"),
        ("--rt60 1 --size 6x5x3 --distance 9", 1, "distance_m 9 is too far"),
        ("--rt60 1 --size 6x5x3 --out room.mp3", 1, "this makes a .wav file"),
    ],
)
def test_bad_command_lines(shell: Shell, options: str, status: int, why: str) -> None:
    done = shell(f"clefkit room {options}")
    assert (done.returncode, done.stdout) == (status, "")
    assert why in done.stderr
    assert status == 2 or done.stderr.count("\n") == 1


def test_a_foreign_file_is_not_replaced(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "mine.wav").write_text("mine")
    refused = shell(f"clefkit room {SMALL} --out mine.wav")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "use --force" in refused.stderr
    assert (tmp_path / "mine.wav").read_text() == "mine"
    assert shell(f"clefkit room {SMALL} --out mine.wav --force").stdout == "mine.wav\n"
