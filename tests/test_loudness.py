"""Dynamic range, stereo width, loudness and mastering, on sounds made here; the right answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.typing import NDArray

from clefkit import audio
from clefkit.audio import Audio
from clefkit.augment import chain

RATE = 44_100
SECTION_S = 8


def hiss(duration_s: float = 5.0, channels: int = 2, rate: int = RATE) -> Audio:
    return Audio((0.1 * default_rng(5).standard_normal((channels, round(duration_s * rate)))).astype(np.float32), rate)


def sections(*levels_db: float, channels: int = 1) -> Audio:
    """Noise, eight seconds of it at each level."""
    length = SECTION_S * RATE
    noise = 0.1 * default_rng(3).standard_normal((channels, length * len(levels_db)))
    return Audio((noise * np.repeat(10 ** (np.array(levels_db) / 20), length)).astype(np.float32), RATE)


def plucks() -> Audio:
    """Ten seconds of plucked strings, loud and soft, in an uneven rhythm."""
    chance, samples, start = default_rng(5), np.zeros(10 * RATE), RATE // 4
    time = np.arange(2 * RATE) / RATE
    while start < 8 * RATE:
        frequency = 440 * 2 ** ((chance.integers(40, 84) - 69) / 12)
        partial = np.arange(1, int(min(10, RATE / 2.2 / frequency)))[:, None]
        wave = np.sin(2 * np.pi * frequency * partial * time) * np.exp(-time * (1.5 + 0.8 * partial)) / partial
        samples[start : start + 2 * RATE] += chance.uniform(0.03, 0.3) * wave.sum(axis=0)
        start += int(chance.uniform(0.15, 0.6) * RATE)
    return Audio(samples[None].astype(np.float32), RATE)


def through(sound: Audio, *effects: dict[str, Any]) -> Audio:
    heard, clock = chain.apply(sound, chain.draw({"name": "mine", "effect": list(effects)}, default_rng(0)))
    assert clock.data() == {"offset_s": 0.0, "rate": 1.0}
    return heard


def gain_db(before: Audio, after: Audio, block_s: float) -> NDArray[np.float64]:
    """(blocks,), of the first channel."""
    size = round(block_s * RATE)
    count = before.samples.shape[1] // size
    powers = [(each.samples[0, : count * size].reshape(count, size) ** 2).mean(axis=1) for each in (after, before)]
    return np.asarray(10 * np.log10(powers[0] / powers[1]))


def middles(before: Audio, after: Audio) -> NDArray[np.float64]:
    """The gain in the middle second of each section."""
    return gain_db(before, after, 1.0)[SECTION_S // 2 :: SECTION_S]


# dynamic range


@pytest.mark.parametrize("scale", [0.4, 0.7, 1.0, 1.3, 1.6])
@pytest.mark.parametrize("window_s", [0.5, 2.0])
def test_dynamic_range_scales_the_distance_of_loud_and_soft(scale: float, window_s: float) -> None:
    sound = sections(0, -8, -3, -14)
    heard = through(sound, {"kind": "dynamic-range", "scale": scale, "window_s": window_s})
    wanted = np.array([0, -8, -3, -14]) * (scale - 1)
    gains = middles(sound, heard)
    assert gains - gains[0] == pytest.approx(wanted, abs=0.2)


def test_dynamic_range_leaves_pauses_alone() -> None:
    sound = sections(0, -45, -6, -45)
    for scale in (0.3, 1.8):
        heard = through(sound, {"kind": "dynamic-range", "scale": scale})
        gains = gain_db(sound, heard, 0.5)
        pause = gains[2 * SECTION_S : 4 * SECTION_S]
        assert np.abs(pause[4:-4]).max() < 0.1
        neighbours = gains[: 2 * SECTION_S].mean(), gains[4 * SECTION_S : 6 * SECTION_S].mean()
        assert min(*neighbours, 0) - 0.1 < pause.min() <= pause.max() < max(*neighbours, 0) + 0.1


def test_dynamic_range_stays_within_twelve_decibels_and_does_not_pump() -> None:
    sound = sections(0, -18, 0, -18)
    heard = through(sound, {"kind": "dynamic-range", "scale": 0.3, "window_s": 0.5})
    gains = gain_db(sound, heard, 0.1)
    assert gains.max() < 12.05
    assert np.abs(np.diff(gains)).max() < 6
    steady = np.concatenate([gains[10:70], gains[90:150], gains[170:230], gains[250:310]]).reshape(4, -1)
    assert np.ptp(steady, axis=1).max() < 0.2


def test_a_pulse_is_no_reason_for_gain() -> None:
    """Beats twice a second are within the window: all get the same gain."""
    sound = sections(0)
    sound.samples[:] *= (np.arange(sound.samples.shape[1]) % (RATE // 2) < RATE // 8).astype(np.float32)
    heard = through(sound, {"kind": "dynamic-range", "scale": 0.4})
    loud = sound.samples[0] != 0
    assert np.ptp(heard.samples[0][loud] / sound.samples[0][loud]) < 0.03


def test_dynamic_range_keeps_the_stereo_image() -> None:
    sound = sections(0, -10, channels=2)
    sound.samples[1] = 0.1 * sound.samples[0]
    heard = through(sound, {"kind": "dynamic-range", "scale": 0.5})
    assert np.allclose(heard.samples[1], 0.1 * heard.samples[0], atol=1e-6)


# width


@pytest.mark.parametrize("width", [0.0, 0.4, 1.0, 2.0])
def test_width_scales_what_differs_and_keeps_what_is_shared(width: float) -> None:
    sound = hiss()
    heard = through(sound, {"kind": "width", "width": width})
    (left, right), (new_left, new_right) = sound.samples, heard.samples
    assert np.allclose(new_left + new_right, left + right, atol=1e-6)
    assert np.allclose(new_left - new_right, width * (left - right), atol=1e-6)


def test_mono_has_no_width() -> None:
    sound = hiss(channels=1)
    assert np.array_equal(through(sound, {"kind": "width", "width": 2}).samples, sound.samples)


# loudness


@pytest.mark.parametrize("lufs", [-40, -23, -8])
def test_loudness_is_what_was_asked_for(lufs: float) -> None:
    sound = plucks()
    heard = through(sound, {"kind": "loudness", "lufs": lufs})
    assert audio.loudness(heard.samples, RATE) == pytest.approx(lufs, abs=0.01)
    gains = heard.samples[sound.samples > 0.01] / sound.samples[sound.samples > 0.01]
    assert np.ptp(gains) < 1e-4 * gains.max()


WAR = [
    {"kind": "compressor", "threshold_db": -4, "ratio": 4, "attack_s": 0.005, "release_s": 0.1},
    {"kind": "saturation", "drive_db": -6, "bias": 0.1},
]


@pytest.mark.parametrize("sound", [hiss(), plucks()], ids=["hiss", "plucks"])
@pytest.mark.parametrize("before", [[], WAR], ids=["alone", "chain"])
@pytest.mark.parametrize("lufs", [-23, -14, -10.5])
def test_mastered_to_a_loudness_under_a_true_peak(sound: Audio, before: list[dict[str, Any]], lufs: float) -> None:
    heard = through(sound, *before, {"kind": "maximizer", "lufs": lufs})
    assert audio.loudness(heard.samples, RATE) == pytest.approx(lufs, abs=0.3)
    assert audio.true_peak_db(heard.samples) <= -1.0
    assert chain.hold_peak(heard)[1] == 0.0


def test_what_needs_no_limiter_gets_gain_alone() -> None:
    sound = plucks()
    mastered, louder = (through(sound, {"kind": kind, "lufs": -25}) for kind in ("maximizer", "loudness"))
    assert np.allclose(mastered.samples, louder.samples, atol=1e-6)


def test_what_cannot_be_so_loud_is_as_loud_as_it_can_be() -> None:
    click = Audio(np.zeros((1, 4 * RATE), np.float32), RATE)
    click.samples[0, RATE : RATE + 40] = 0.5
    heard = through(click, {"kind": "maximizer", "lufs": -6})
    assert np.isfinite(heard.samples).all()
    assert -1.2 < audio.true_peak_db(heard.samples) <= -1.0


# all of them

EFFECTS: list[dict[str, Any]] = [
    {"kind": "dynamic-range", "scale": 0.5},
    {"kind": "width", "width": 1.5},
    {"kind": "loudness", "lufs": -20},
    {"kind": "maximizer", "lufs": -9},
]


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("channels", [1, 2])
def test_short_sounds_silence_and_the_input(effect: dict[str, Any], channels: int) -> None:
    for rate in (8000, 44_100, 192_000):
        short = hiss(0.05, channels, rate)
        before = short.samples.copy()
        heard, again = through(short, effect), through(short, effect)
        assert heard.samples.shape == short.samples.shape
        assert np.isfinite(heard.samples).all()
        assert np.abs(heard.samples).max() > 0.01
        assert heard.samples.tobytes() == again.samples.tobytes()
        assert np.array_equal(short.samples, before)
        assert not through(Audio(np.zeros((channels, rate), np.float32), rate), effect).samples.any()
