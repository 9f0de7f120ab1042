"""Microphones and places, on clicks and sines made here, against the published tables and the closed formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.typing import NDArray

from clefkit.audio import Audio
from clefkit.augment import air, chain, level, microphone
from clefkit.errors import InputError

RATE = 44_100
AT = 3000


def click(rate: int = RATE, channels: int = 1) -> Audio:
    samples = np.zeros((channels, round(0.6 * rate)), np.float32)
    samples[:, AT] = 0.5
    return Audio(samples, rate)


def through(sound: Audio, effect: dict[str, Any], seed: int = 0) -> Audio:
    return chain.apply(sound, chain.draw({"name": "mine", "effect": [effect]}, default_rng(seed)))[0]


def spectrum(sound: Audio, hertz: list[float] | NDArray[np.float64]) -> NDArray[np.complex128]:
    """What became of a click, at these frequencies. returns: (channels, frequencies)"""
    time = np.arange(sound.samples.shape[1]) - AT
    turns = np.exp(-2j * np.pi * np.outer(time, np.asarray(hertz) / sound.rate))
    return np.asarray(sound.samples.astype(np.float64) @ turns / 0.5, np.complex128)


def decibels(sound: Audio, hertz: list[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(20 * np.log10(np.abs(spectrum(sound, hertz))))


# microphones


@pytest.mark.parametrize("rate", [8000, 44_100, 192_000])
@pytest.mark.parametrize("name", microphone.MICROPHONES)
def test_a_microphone_hears_what_its_table_says(name: str, rate: int) -> None:
    corners = [corner for corner in microphone.MICROPHONES[name].corners if corner[0] < 0.45 * rate]
    hertz, wanted = np.array(corners, np.float64).T
    sound = click(rate)
    heard = through(sound, {"kind": "microphone", "microphone": name})
    assert heard.samples.shape == sound.samples.shape
    assert np.abs(decibels(heard, hertz) - wanted).max() < 0.5
    assert dict(microphone.MICROPHONES[name].corners)[1000] == 0


@pytest.mark.parametrize("name", microphone.MICROPHONES)
def test_a_click_stays_where_it_was(name: str) -> None:
    heard = through(click(), {"kind": "microphone", "microphone": name, "unit_db": 2, "distance_m": 0.1})
    size = np.abs(heard.samples[0])
    assert size[:AT].max() < 1e-6
    assert abs(int(np.argmax(size > 0.1 * size.max())) - AT) <= 1
    assert (size[AT : AT + 44] ** 2).sum() > 0.5 * (size**2).sum()


@pytest.mark.parametrize(("name", "gradient"), [("dynamic", 0.5), ("ribbon", 1.0), ("measurement", 0.0)])
@pytest.mark.parametrize("distance_m", [0.1, 0.3, 5])
def test_bass_of_near_sources_is_louder(name: str, gradient: float, distance_m: float) -> None:
    hertz = [60.0, 100.0, 200.0, 1000.0, 5000.0]
    far, near = (
        decibels(through(click(), {"kind": "microphone", "microphone": name, "distance_m": each}), hertz)[0]
        for each in (1, distance_m)
    )
    wave = 2 * np.pi * np.array(hertz) / air.SPEED_M_S
    wanted = 20 * np.log10(np.abs((1 + gradient / (1j * wave * distance_m)) / (1 + gradient / (1j * wave))))
    assert near - far == pytest.approx(wanted - wanted[3], abs=0.2)


def test_specimens_differ_but_not_by_more_than_they_may() -> None:
    hertz = np.geomspace(40, 18_000, 60)
    plain = decibels(through(click(), {"kind": "microphone", "microphone": "condenser"}), hertz)
    offs = [
        decibels(through(click(), {"kind": "microphone", "microphone": "condenser", "unit_db": 1, "seed": seed}), hertz)
        - plain
        for seed in range(4)
    ]
    assert all(np.abs(off).max() < 1.05 for off in offs)
    assert all(np.abs(off).max() > 0.3 for off in offs)
    assert np.abs(offs[0] - offs[1]).max() > 0.3


def test_a_microphone_that_is_not_known() -> None:
    with pytest.raises(InputError, match="microphone 'tin-can' is not known"):
        through(click(), {"kind": "microphone", "microphone": "tin-can"})


@pytest.mark.parametrize("kind", ["microphone", "place"])
def test_silence_stays_silent_and_sound_stays_as_it_was(kind: str) -> None:
    place_of = {"pair": "ortf", "distance_m": 4, "azimuth_deg": 30}
    effect: dict[str, Any] = {"kind": kind, **({"microphone": "phone"} if kind == "microphone" else place_of)}
    silence = Audio(np.zeros((2, 2205), np.float32), RATE)
    assert not through(silence, effect).samples.any()
    sound = Audio(default_rng(1).standard_normal((2, 4000)).astype(np.float32), RATE)
    before = sound.samples.copy()
    first, second = (through(sound, effect) for _ in range(2))
    assert np.array_equal(first.samples, second.samples)
    assert np.array_equal(sound.samples, before)


# places


@pytest.mark.parametrize("azimuth_deg", [-90, -35, 0, 10, 60, 90])
@pytest.mark.parametrize(
    ("pair", "spacing_m", "half_angle"), [("spaced", 0.6, None), ("ortf", 0.17, 55), ("xy", 0, 45)]
)
def test_levels_and_times_are_those_of_geometry(
    pair: str, spacing_m: float, half_angle: float | None, azimuth_deg: float
) -> None:
    effect = {"kind": "place", "pair": pair, "distance_m": 2, "azimuth_deg": azimuth_deg, "spacing_m": 0.6}
    heard = through(click(), effect)
    azimuth = math.radians(azimuth_deg)
    left = math.hypot(2 * math.sin(azimuth) + spacing_m / 2, 2 * math.cos(azimuth))
    right = math.hypot(2 * math.sin(azimuth) - spacing_m / 2, 2 * math.cos(azimuth))
    gain = left / right
    if half_angle is not None:
        half = math.radians(half_angle)
        angles = [
            math.atan2(2 * math.sin(azimuth) - side * spacing_m / 2, 2 * math.cos(azimuth)) - side * half
            for side in (1, -1)
        ]
        gain *= (1 + math.cos(angles[0])) / (1 + math.cos(angles[1]))
    hertz = np.array([100.0, 1000.0, 5000.0, 15_000.0])
    left_heard, right_heard = spectrum(heard, hertz)
    turn = np.exp(-2j * np.pi * hertz * (right - left) / air.SPEED_M_S)
    assert right_heard / left_heard == pytest.approx(gain * turn, rel=2e-3)


def test_the_channel_that_comes_first_stays_in_time_and_the_other_comes_after() -> None:
    heard = through(click(), {"kind": "place", "pair": "spaced", "distance_m": 3, "azimuth_deg": -70, "spacing_m": 1.2})
    left, right = np.abs(heard.samples)
    late = (math.hypot(3, 1.2) - 3) / air.SPEED_M_S  # more than nothing, less than this way round
    assert int(left.argmax()) == AT
    assert left[:AT].max() < 1e-6
    assert int(right.argmax()) > AT + late * RATE
    assert heard.samples.shape[1] > click().samples.shape[1]


def test_air_takes_the_treble() -> None:
    near, far = (
        decibels(through(click(), {"kind": "place", "pair": "mono", "distance_m": each}), [1e3, 2e3, 4e3, 8e3])[0]
        for each in (1, 100)
    )
    table = np.array([4.66, 9.86, 29.4, 104])  # ISO 9613-1, table 1, 20 degrees, 50 %: dB a kilometre
    assert far - near == pytest.approx(-(table - table[0]) * 0.099, abs=0.15)


def test_a_pair_makes_stereo_and_treats_stereo_alike() -> None:
    effect = {"kind": "place", "pair": "xy", "distance_m": 1, "azimuth_deg": 40}
    assert len(through(click(), {**effect, "pair": "mono"}).samples) == 1
    mono, stereo = through(click(), effect), through(click(channels=2), effect)
    assert np.array_equal(mono.samples, stereo.samples)
    other = through(click(), {**effect, "azimuth_deg": -40})
    assert np.allclose(other.samples[::-1], mono.samples, atol=1e-7)


def test_the_level_stays() -> None:
    wave = 0.3 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    sound = Audio(wave.astype(np.float32)[None], RATE)
    for distance_m in (1, 100):
        effect = {"kind": "place", "pair": "ortf", "distance_m": distance_m, "azimuth_deg": 70}
        assert level.active_db(through(sound, effect)) == pytest.approx(level.active_db(sound), abs=0.1)


def test_the_published_absorption() -> None:
    per_kilometre = 1000 * air.absorption_db(np.array([63.0, 500.0, 10_000.0]))
    assert per_kilometre == pytest.approx([0.123, 2.73, 159], rel=0.02)
