"""Tape and turntable: detune, wow and flutter, saturation, on clicks and sines; the right answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import soxr
from numpy.random import default_rng
from numpy.typing import NDArray

from clefkit.audio import Audio
from clefkit.augment import chain, level, saturation, wow
from clefkit.clock import Clock

RATE = 44_100
CLICKS_S = np.array([0.02, 1.0, 61.37, 123.4567, 200.0, 262.1, 299.9])
WAVERING = {"kind": "wow", "wow_hz": 0.8, "wow_percent": 0.4, "flutter_hz": 7, "flutter_percent": 0.15, "seed": 4}


def sine(hertz: float, duration_s: float, rate: int = RATE, channels: int = 1) -> Audio:
    wave = 0.1 * np.sin(2 * np.pi * hertz * np.arange(round(duration_s * rate)) / rate)
    return Audio(np.tile(wave.astype(np.float32), (channels, 1)), rate)


def clicks(duration_s: float = 300.0, rate: int = RATE) -> tuple[Audio, NDArray[np.float64]]:
    """Clicks of half the band, and when they are (seconds)."""
    shape = np.sinc(np.arange(-40, 41) / 2) * np.hanning(81)
    places = np.rint(CLICKS_S[duration_s > CLICKS_S] * rate).astype(int)
    samples = np.zeros((1, round(duration_s * rate)), np.float32)
    for place in places:
        samples[0, place - 40 : place + 41] = shape
    return Audio(samples, rate), places / rate


def through(sound: Audio, *effects: dict[str, Any]) -> tuple[Audio, Clock]:
    return chain.apply(sound, chain.draw({"name": "mine", "effect": list(effects)}, default_rng(0)))


def click_near(sound: Audio, near_s: float, fine: int = 16) -> float:
    """When the click within 5 ms of `near_s` is heard (seconds)."""
    first = max(round((near_s - 0.005) * sound.rate), 0)
    piece = soxr.resample(sound.samples[0, first : first + round(0.01 * sound.rate)], 1, fine)
    return float((first + np.argmax(piece) / fine) / sound.rate)


def deviation(sound: Audio, hertz: float) -> NDArray[np.float64]:
    """By how much the frequency differs from `hertz` at each moment, as a share of it (IEC 60386 measures that)."""
    turn = np.exp(-2j * np.pi * hertz / sound.rate * np.arange(sound.samples.shape[1]))
    window = np.hanning(round(0.004 * sound.rate))
    slow = np.convolve(sound.samples[0] * turn, window, "valid")
    return np.asarray(np.diff(np.unwrap(np.angle(slow))) * sound.rate / (2 * np.pi * hertz))


def spectrum_db(sound: Audio) -> NDArray[np.float64]:
    """One bin a hertz, of the second second; 0 is the strongest."""
    window = np.blackman(sound.rate) ** 2
    strength = np.abs(np.fft.rfft(sound.samples[0, sound.rate : 2 * sound.rate] * window))
    return np.asarray(20 * np.log10(strength / strength.max() + 1e-12))


def strongest_outside(sound: Audio, hertz: list[float], width_hz: int) -> float:
    decibels = spectrum_db(sound)
    for centre in hertz:
        decibels[max(round(centre) - width_hz, 0) : round(centre) + width_hz + 1] = -240
    return float(decibels.max())


# detune


@pytest.mark.parametrize("cents", [10, -10, 3.1416, 50])
def test_detuned_clicks_are_where_the_clock_says(cents: float) -> None:
    sound, places = clicks()
    heard, clock = through(sound, {"kind": "detune", "cents": cents})
    late = [click_near(heard, at) - at for at in clock.at(places)]
    assert np.abs(late).max() < 1e-5
    assert heard.duration_s == pytest.approx(300 * 2 ** (-cents / 1200), abs=1 / RATE)
    assert clock.data()["rate"] == pytest.approx(2 ** (-cents / 1200), abs=1e-12)


@pytest.mark.parametrize("cents", [10, -10, 50])
@pytest.mark.parametrize("rate", [8000, 44_100, 192_000])
def test_detuned_pitch(cents: float, rate: int) -> None:
    heard, _ = through(sine(440, 3.0, rate), {"kind": "detune", "cents": cents})
    inner = Audio(heard.samples[:, rate // 2 : -rate // 2], rate)
    asked = 440 * 2 ** (cents / 1200)
    assert abs(1200 * np.log2(1 + deviation(inner, asked).mean())) < 0.1


def test_no_detune_changes_nothing() -> None:
    sound = sine(440, 0.5)
    assert np.abs(through(sound, {"kind": "detune", "cents": 0})[0].samples - sound.samples).max() < 1e-6


# wow and flutter


@pytest.mark.parametrize(
    ("duration_s", "rate", "numbers"),
    [
        (300, 16_000, {}),
        (130, 22_050, {"wow_percent": 1, "wow_hz": 0.3, "flutter_percent": 0.5, "flutter_hz": 4}),
        (70, 44_100, {"wow_percent": 0}),
        (130, 8000, {"flutter_percent": 0}),
    ],
)
def test_wavering_clicks_are_where_the_clock_says(duration_s: int, rate: int, numbers: dict[str, float]) -> None:
    sound, places = clicks(duration_s, rate)
    heard, clock = through(sound, {**WAVERING, **numbers})
    late = [click_near(heard, at) - at for at in clock.at(places)]
    assert np.abs(late).max() < 5e-5
    assert np.abs(clock.at(places) - places).max() > 4e-5
    points = np.array(clock.data()["points"])
    assert points[0].tolist() == [0, 0]
    assert points[-1] == pytest.approx([duration_s, heard.duration_s], abs=1 / rate)
    assert len(points) < 40 * duration_s


def test_the_clock_has_few_points_where_time_hardly_bends() -> None:
    """A good tape machine: four points a second."""
    good = {**WAVERING, "wow_percent": 0.05, "flutter_percent": 0.05}
    assert len(wow.clock(good, 300.0).source) < 1200


@pytest.mark.parametrize(
    ("kind", "asked"), [("wow_percent", 0.2), ("wow_percent", 0.8), ("flutter_percent", 0.1), ("flutter_percent", 0.4)]
)
def test_a_sine_wavers_by_what_was_asked_for(kind: str, asked: float) -> None:
    effect = {**WAVERING, "wow_percent": 0, "flutter_percent": 0} | {kind: asked}
    heard, _ = through(sine(3150, 60.0, 16_000), effect)
    wavers = 100 * deviation(heard, 3150)[1600:-1600]
    assert 0.8 * asked < np.abs(wavers).max() < 1.02 * asked
    assert abs(wavers.mean()) < 0.05 * asked


def test_wavering_does_not_repeat() -> None:
    wavers = deviation(through(sine(3150, 60.0, 16_000), WAVERING)[0], 3150)[8000:-8000:160]
    spectrum = np.abs(np.fft.rfft(wavers / wavers.std(), 2 * len(wavers))) ** 2
    alike = np.fft.irfft(spectrum)[: len(wavers)] / np.arange(len(wavers), 0, -1)
    assert alike[0] == pytest.approx(1, abs=0.01)
    assert alike[200:3000].max() < 0.95  # from two seconds to half a minute later


@pytest.mark.parametrize(("hertz", "below_db"), [(1000, -110), (10_000, -110), (18_000, -95)])
def test_wavering_adds_no_tones(hertz: float, below_db: float) -> None:
    heard, _ = through(sine(hertz, 3.0), WAVERING)
    assert strongest_outside(heard, [hertz], width_hz=round(0.02 * hertz) + 100) < below_db


def test_wavering_has_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Audio((0.1 * default_rng(1).standard_normal((2, 2 * RATE))).astype(np.float32), RATE)
    whole, _ = through(sound, WAVERING)
    monkeypatch.setattr(wow, "BLOCK", 5000)
    assert np.abs(through(sound, WAVERING)[0].samples - whole.samples).max() < 1e-6


def test_channels_waver_alike_and_another_seed_otherwise() -> None:
    heard, clock = through(sine(440, 2.0, channels=2), WAVERING)
    assert np.array_equal(heard.samples[0], heard.samples[1])
    other, other_clock = through(sine(440, 2.0, channels=2), {**WAVERING, "seed": 5})
    assert clock.data() != other_clock.data()
    assert heard.samples.shape != other.samples.shape or not np.array_equal(heard.samples, other.samples)


def test_one_after_another() -> None:
    sound, places = clicks(70.0, 22_050)
    heard, clock = through(sound, WAVERING, {"kind": "detune", "cents": -8}, {**WAVERING, "wow_hz": 0.5, "seed": 9})
    late = [click_near(heard, at) - at for at in clock.at(places)]
    assert np.abs(late).max() < 5e-5


# saturation


def saturated(sound: Audio, drive_db: float, bias: float = 0.0) -> Audio:
    return through(sound, {"kind": "saturation", "drive_db": drive_db, "bias": bias})[0]


def test_saturation_adds_odd_harmonics_and_a_bias_even_ones() -> None:
    symmetric, biased = (spectrum_db(saturated(sine(440, 3.0), -12, bias)) for bias in (0.0, 0.3))
    # tanh(a sin) has a third harmonic of about a**2 / 12, a being the peak: 0.25 * sqrt 2.
    assert symmetric[3 * 440] == pytest.approx(20 * np.log10(0.125 / 12), abs=1)
    assert symmetric[2 * 440] < -120
    assert biased[2 * 440] > -30
    more = spectrum_db(saturated(sine(440, 3.0), -6))
    assert more[3 * 440] > symmetric[3 * 440] + 8


@pytest.mark.parametrize("drive_db", [-12, 0, 12])
@pytest.mark.parametrize("bias", [0.0, 0.6])
def test_saturation_adds_no_other_tones(drive_db: float, bias: float) -> None:
    heard = saturated(sine(9001, 3.0), drive_db, bias)
    assert strongest_outside(heard, [0, 9001, 18_002], width_hz=20) < -70


@pytest.mark.parametrize("hertz", [60, 440, 3000])
@pytest.mark.parametrize("rate", [8000, 44_100, 192_000])
def test_saturation_keeps_the_level_and_adds_no_0_hz(hertz: float, rate: int) -> None:
    sound = sine(hertz, 3.0, rate, channels=2)
    heard = saturated(sound, -3, 0.5)
    assert level.active_db(heard) == pytest.approx(level.active_db(sound), abs=0.1)
    assert abs(heard.samples[:, rate : 2 * rate].mean()) < 1e-5
    assert np.array_equal(heard.samples[0], heard.samples[1])


def test_saturation_does_not_depend_on_the_level() -> None:
    sound = Audio((0.1 * default_rng(1).standard_normal((1, RATE))).astype(np.float32), RATE)
    soft = Audio(sound.samples * np.float32(1 / 128), RATE)
    assert np.allclose(saturated(soft, -6, 0.3).samples * 128, saturated(sound, -6, 0.3).samples, atol=1e-5)


def test_saturation_has_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Audio((0.1 * default_rng(1).standard_normal((2, RATE))).astype(np.float32), RATE)
    whole = saturated(sound, -3, 0.4)
    monkeypatch.setattr(saturation, "BLOCK", 5000)
    assert np.abs(saturated(sound, -3, 0.4).samples - whole.samples).max() < 1e-6


# all of them


EFFECTS = [WAVERING, {"kind": "detune", "cents": 7}, {"kind": "saturation", "drive_db": -6, "bias": 0.3}]


@pytest.mark.parametrize("effect", EFFECTS)
def test_short_sounds_and_silence(effect: dict[str, Any]) -> None:
    for rate in (8000, 44_100, 192_000):
        short = sine(440, 0.05, rate, channels=2)
        before = short.samples.copy()
        heard, clock = through(short, effect)
        assert np.isfinite(heard.samples).all()
        assert np.abs(heard.samples).max() > 0.05
        assert heard.duration_s == pytest.approx(float(clock.at([short.duration_s])[0]), abs=1 / rate)
        assert np.array_equal(short.samples, before)
        assert not through(Audio(np.zeros((2, rate), np.float32), rate), effect)[0].samples.any()


@pytest.mark.parametrize("effect", EFFECTS)
def test_the_same_numbers_give_the_same_bits(effect: dict[str, Any]) -> None:
    sound = Audio((0.1 * default_rng(1).standard_normal((2, RATE))).astype(np.float32), RATE)
    assert through(sound, effect)[0].samples.tobytes() == through(sound, effect)[0].samples.tobytes()
