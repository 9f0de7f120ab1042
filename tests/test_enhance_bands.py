"""The bands of `enhance`: levels that are known, gains that become sound, what is known of a whole recording, parts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from sounds import RATE, rng, sine

from clefkit.enhance import bands, filterbank, infer, overall, parts
from clefkit.enhance.bands import BANDS, NO_FILL_DB
from clefkit.enhance.infer import Said

Array = NDArray[np.float32]
RATES = (8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000)


def blocks(samples: Array, size: int = 7001) -> Iterator[Array]:
    return (samples[:, first : first + size] for first in range(0, samples.shape[1], size))


def noise(seconds: float, rate: int = RATE, channels: int = 1) -> Array:
    return (0.1 * rng(1).standard_normal((channels, round(seconds * rate)))).astype(np.float32)


def turned(samples: Array, rate: int, gain_db: float | Array, fill_db: float = -200.0) -> Array:
    count = samples.shape[1] // bands.hop(rate) + 1
    gains = np.broadcast_to(np.float32(gain_db), (count, BANDS)).astype(np.float32)
    fills = np.full((count, BANDS), fill_db, np.float32)
    made = filterbank.turned(blocks(samples), lambda here: (gains[here], fills[here]), count, rate)
    return np.concatenate(list(made), axis=1)[:, : samples.shape[1]]


@pytest.mark.parametrize("rate", RATES)
def test_frames_are_as_long_at_any_rate(rate: int) -> None:
    assert bands.hop(rate) / rate == pytest.approx(bands.HOP_S, rel=0.04)
    assert np.allclose(bands.triangles(rate).sum(axis=1), 1)


@pytest.mark.parametrize("rate", RATES)
def test_a_sine_is_in_its_band_at_its_level(rate: int) -> None:
    hertz = float(bands.centres_hz()[20])
    sound = sine(hertz, 1.0, rate)  # of amplitude .5
    levels = filterbank.heard_of(sound.samples[0], rate)[0][10:-10]
    assert int(levels.mean(axis=0).argmax()) == 20
    total = 10 * np.log10(np.power(10.0, levels / 10).sum(axis=1))
    assert total == pytest.approx(10 * np.log10(0.125), abs=0.05)


def test_what_is_heard_in_blocks_is_that_of_the_whole() -> None:
    samples = noise(2.3)
    whole = filterbank.heard_of(samples[0], RATE)
    streamed = zip(*filterbank.heard(blocks(samples), RATE), strict=True)
    for one, other in zip(streamed, whole, strict=True):
        assert np.allclose(np.concatenate(one), other, atol=1e-3)
    assert np.allclose(np.concatenate(list(filterbank.levels(blocks(samples), RATE))), whole[0], atol=1e-3)


@pytest.mark.parametrize("rate", RATES)
def test_a_floor_is_the_noise_between_partials(rate: int) -> None:
    """White noise 60 dB under a sawtooth shows in each band; by itself it is 5.4 dB over its floor."""
    hiss = 1e-3 * noise(3.0, rate)[0]
    partials = [
        sine(hertz, 3.0, rate).samples[0] / number for number, hertz in enumerate(range(200, rate // 2, 200), 1)
    ]
    alone, together = (filterbank.heard_of(each, rate) for each in (hiss, hiss + np.sum(partials, axis=0)))
    there = bands.centres_hz() < rate / 2.5
    below = (alone[1].mean(axis=0) - alone[0].mean(axis=0))[there]
    assert below.mean() == pytest.approx(-5, abs=1)
    assert np.ptp(below) < 5
    middle = slice(20, -20)
    apart = [one[middle].mean(axis=0) - other[middle].mean(axis=0) for one, other in zip(together, alone, strict=True)]
    wide = there & (bands.centres_hz() > 1500)  # lower ones are narrower than partials are apart
    assert np.median(apart[1][wide]) < 7
    assert apart[0][wide].min() > 20


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("length", [0.05, 1.234])
def test_no_gain_gives_the_sound_itself(rate: int, length: float) -> None:
    samples = noise(length, rate, channels=2)
    assert np.abs(turned(samples, rate, 0.0) - samples).max() < 1e-6


def test_a_gain_is_a_gain() -> None:
    samples = noise(1.0)
    assert np.allclose(turned(samples, RATE, -6.0), samples * 10 ** (-6 / 20), atol=1e-6)


def test_one_band_is_turned_and_others_are_not() -> None:
    gains = np.zeros(BANDS, np.float32)
    gains[40] = 12
    samples = noise(4.0)
    change = [filterbank.heard_of(each[0], RATE)[0].mean(axis=0) for each in (samples, turned(samples, RATE, gains))]
    raised = change[1] - change[0]
    assert raised[40] > 8
    assert np.abs(np.delete(raised, [38, 39, 40, 41, 42])).max() < 0.2


def test_a_gain_that_moves_moves_when_it_says() -> None:
    samples, step = noise(2.0), bands.hop(RATE)
    gains = np.zeros((samples.shape[1] // step + 1, BANDS), np.float32)
    gains[86:] = -20
    heard = turned(samples, RATE, gains)
    edge = 86 * step
    early, late = slice(edge - 4 * step, edge - 2 * step), slice(edge + 2 * step, edge + 4 * step)
    assert np.allclose(heard[:, early], samples[:, early], atol=1e-5)
    assert np.allclose(heard[:, late], 0.1 * samples[:, late], atol=1e-5)


def test_a_band_with_nothing_in_it_is_filled_from_below() -> None:
    low = np.zeros(RATE // 2 + 1)
    low[:4000] = 1
    samples = np.fft.irfft(np.fft.rfft(noise(1.0)[0].astype(np.float64)) * low, RATE).astype(np.float32)[None]
    heard = turned(samples, RATE, 0.0, fill_db=-50.0)
    levels = filterbank.heard_of(heard[0], RATE)[0][10:-10].mean(axis=0)
    upper = (bands.centres_hz() > 4600) & (bands.centres_hz() < 5300)
    assert np.abs(levels[upper] + 50).max() < 2.5
    before = filterbank.heard_of(samples[0], RATE)[0][10:-10].mean(axis=0)
    assert before[upper].max() < -90


def test_channels_keep_their_balance() -> None:
    mono = noise(1.0)
    stereo = np.concatenate([mono, 0.25 * mono])
    heard = turned(stereo, RATE, np.linspace(-20, 10, BANDS).astype(np.float32), fill_db=-60.0)
    assert np.allclose(heard[1], 0.25 * heard[0], atol=1e-5)


def test_what_is_known_of_a_recording() -> None:
    """A second of sound 40 dB over a second of noise, and three of silence."""
    loud, soft = np.full((86, BANDS), -30.0, np.float32), np.full((86, BANDS), -70.0, np.float32)
    silence = np.full((258, BANDS), bands.SILENCE_DB, np.float32)
    counter = overall.Counter()
    for part in (loud, silence, soft):
        counter.add(part, part[::2] - 15)
    known = counter.result()
    assert known.level_db == pytest.approx(-30 + 10 * np.log10(BANDS), abs=0.6)
    for side, less in zip(known.percentiles, (0, 15), strict=True):
        assert side[0] == pytest.approx(-70 - less, abs=1)
        assert side[2] == pytest.approx(-30 - less, abs=1)


def test_nothing_is_known_of_silence() -> None:
    counter = overall.Counter()
    silence = np.full((10, BANDS), bands.SILENCE_DB, np.float32)
    counter.add(silence, silence[::2])
    assert counter.result().level_db == -np.inf


def said(count: int = 430) -> tuple[Said, NDArray[np.float16], Array, Array]:
    """A tone curve and a slow gain as a network would say them; and both, with the levels that it heard."""
    tone = np.linspace(-6, 6, BANDS).astype(np.float32)
    slow = (5 * np.sin(np.arange(count) / 60)).astype(np.float32)
    levels = (-40 + rng(2).normal(0, 3, (count, BANDS))).astype(np.float16)
    fill = np.full((count, BANDS), NO_FILL_DB, np.float16)
    band = np.tile(tone, (count, 1)).astype(np.float16)
    return Said(slow.astype(np.float16), band, fill), levels, tone, slow


def test_parts_are_what_they_were_made_of_and_add_up() -> None:
    told, levels, tone, slow = said()
    found = parts.of(told, levels)
    assert found.dynamics == pytest.approx(slow - slow.mean(), abs=0.05)
    assert found.tone == pytest.approx(tone + slow.mean(), abs=0.05)
    assert np.abs(found.noise).max() < 0.05
    gains, _ = parts.together(found, -30.0, parts.NAMES, 1.0)
    assert np.allclose(gains, slow[:, None] + tone, atol=0.05)


def test_parts_can_be_left_out_and_weakened() -> None:
    told, levels, tone, slow = said()
    found = parts.of(told, levels)
    only, _ = parts.together(found, -30.0, ["tone"], 1.0)
    assert np.ptp(only, axis=0).max() < 1e-6
    half, _ = parts.together(found, -30.0, ["dynamics", "tone", "noise"], 0.5)
    assert np.allclose(half, 0.5 * (slow[:, None] + tone), atol=0.05)
    none, fills = parts.together(found, -30.0, ["dynamics", "tone", "noise"], 0.0)
    assert not none.any()
    assert fills.max() < NO_FILL_DB


class Echo:
    """A network that says of each frame how loud its first band and each floor is, and looks at nothing else."""

    def run(self, _names: list[str], feed: dict[str, Array]) -> list[Array]:
        levels, floors = feed["levels"], feed["floors"].repeat(bands.EVERY, axis=1)
        assert levels.shape == floors.shape
        return [levels[:, :, 0], floors, np.full_like(levels, NO_FILL_DB)]


@pytest.mark.parametrize("seconds", [0.1, 23.9, 24.5, 61.0])
def test_windows_leave_no_seam(seconds: float) -> None:
    count = bands.frames(seconds)
    levels = (-40 + rng(3).normal(0, 3, (count, BANDS))).astype(np.float16)
    floors = levels[:: bands.EVERY] - np.float16(20)
    counter = overall.Counter()
    counter.add(levels.astype(np.float32), floors.astype(np.float32))
    known = counter.result()
    told = infer.say(Echo(), levels, floors, known)
    assert np.allclose(told.band, floors.repeat(bands.EVERY, axis=0)[:count] - known.level_db, atol=0.06)
    assert np.allclose(told.slow, levels[:, 0] - known.level_db, atol=0.06)
