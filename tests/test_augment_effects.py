"""The effects of augment, one by one, on sounds made here; the right answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.random import default_rng

from clefkit import registry
from clefkit.audio import Audio
from clefkit.augment import biquad, chain, codec, dynamics, level, noise, recipes
from clefkit.errors import MissingError

RATE = 44_100


def sine(frequency_hz: float, duration_s: float, amplitude: float = 0.5, channels: int = 1) -> Audio:
    wave = amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(round(duration_s * RATE)) / RATE)
    return Audio(np.tile(wave.astype(np.float32), (channels, 1)), RATE)


def hiss(duration_s: float, channels: int = 1, amplitude: float = 0.1) -> Audio:
    samples = amplitude * default_rng(5).standard_normal((channels, round(duration_s * RATE)))
    return Audio(samples.astype(np.float32), RATE)


def through(sound: Audio, effect: dict[str, Any]) -> Audio:
    return chain.apply(sound, chain.draw({"name": "mine", "effect": [effect]}, default_rng(0)))[0]


def strength_db(sound: Audio, frequency_hz: float) -> float:
    """Level of one frequency in the middle second of the first channel."""
    middle = sound.samples[0, RATE // 2 : RATE // 2 + RATE].astype(np.float64) * np.hanning(RATE)
    turn = np.exp(-2j * np.pi * frequency_hz * np.arange(RATE) / RATE)
    return float(20 * np.log10(np.abs((middle * turn).sum())))


# noise


@pytest.mark.parametrize("kind", noise.KINDS)
@pytest.mark.parametrize("snr_db", [10, 40])
def test_noise_has_the_ratio_asked_for(kind: str, snr_db: int) -> None:
    sound = sine(1000, 8.0, channels=2)
    sound.samples[:, : 4 * RATE] = 0  # a pause is not part of the active level
    heard = through(sound, {"kind": "noise", "noise": kind, "snr_db": snr_db})
    added = Audio(heard.samples - sound.samples, RATE)
    assert level.active_db(sound) == pytest.approx(20 * np.log10(0.5) - 3.01, abs=0.15)
    assert level.active_db(sound) - level.mean_db(added) == pytest.approx(snr_db, abs=0.3)


def test_noise_channels_differ_but_for_hum() -> None:
    pink = np.concatenate(list(noise.blocks("pink", 3, (2, RATE), RATE)), axis=1)
    hum = np.concatenate(list(noise.blocks("hum-50", 3, (2, RATE), RATE)), axis=1)
    assert abs(float(np.asarray(np.corrcoef(pink))[0, 1])) < 0.3
    assert np.array_equal(hum[0], hum[1])


def test_noise_goes_on_over_the_border_of_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "BLOCK", 10_000)
    for kind in ("hum-60", "room", "street"):
        pieces = list(noise.blocks(kind, 1, (1, 25_000), RATE))
        assert [piece.shape[1] for piece in pieces] == [10_000, 10_000, 5000]
        step = np.abs(np.diff(np.concatenate(pieces, axis=1)[0]))
        assert step[9_999] < 6 * np.median(step)


def test_hum_is_where_the_mains_are() -> None:
    hum = Audio(np.concatenate(list(noise.blocks("hum-50", 3, (1, 2 * RATE), RATE)), axis=1), RATE)
    assert strength_db(hum, 50) > strength_db(hum, 75) + 30
    assert strength_db(hum, 150) > strength_db(hum, 175) + 30


def test_with_noise_adds_one_at_the_end() -> None:
    made = recipes.with_noise(recipes.room("hall"), 30, "street")
    assert [effect["kind"] for effect in made["effect"]] == ["room", "noise"]
    assert chain.draw(made, default_rng(0))[1]["snr_db"] == 30


# filters and dynamics


@pytest.mark.parametrize(
    ("shape", "at_hz", "expected_db"),
    [("peak", 1000, 6.0), ("low-shelf", 100, 6.0), ("high-shelf", 10_000, 6.0), ("peak", 60, 0.0)],
)
def test_eq_raises_what_it_says(shape: str, at_hz: float, expected_db: float) -> None:
    sound = sine(at_hz, 2.0, 0.2)
    heard = through(sound, {"kind": "eq", "shape": shape, "frequency_hz": 1000, "gain_db": 6, "q": 0.7071})
    assert strength_db(heard, at_hz) - strength_db(sound, at_hz) == pytest.approx(expected_db, abs=0.15)
    assert heard.samples.shape == sound.samples.shape


def test_a_cascade_is_its_recursion() -> None:
    from scipy import signal

    sections = [biquad.high_pass(30, 0.54, RATE), biquad.peak(2000, 5, 2, RATE), biquad.low_pass(9000, 1.3, RATE)]
    sound = hiss(2.0)
    exact = signal.sosfilt([[b0, b1, b2, 1, a1, a2] for b0, b1, b2, a1, a2 in sections], sound.samples[0].astype(float))
    assert np.abs(biquad.apply(sound, sections).samples[0] - exact).max() < 1e-6


def test_band_limits() -> None:
    limits = {"kind": "band", "low_hz": 300, "high_hz": 5000}
    for frequency, low, high in ((100, -41, -36), (300, -3.2, -2.8), (1200, -0.1, 0.1), (5000, -3.2, -2.8)):
        sound = sine(frequency, 2.0)
        assert low < strength_db(through(sound, limits), frequency) - strength_db(sound, frequency) < high


def test_compressor_on_steady_sound() -> None:
    for peak_db, out_db in ((-40, -40), (-10, -17.5), (0, -15)):
        sound = sine(1000, 2.0, 10 ** (peak_db / 20))
        heard = dynamics.compress(sound, -20 - 3.01, 4, 0.005, 0.1)
        assert strength_db(heard, 1000) - strength_db(sound, 1000) == pytest.approx(out_db - peak_db, abs=0.1)


def test_compressor_keeps_the_stereo_image() -> None:
    sound = sine(1000, 1.0, 0.9, channels=2)
    sound.samples[1] *= 0.1
    heard = dynamics.compress(sound, -30, 4, 0.005, 0.1)
    assert np.allclose(heard.samples[1], 0.1 * heard.samples[0], atol=1e-6)


def test_limiter_lets_no_sample_over_its_ceiling() -> None:
    heard = dynamics.limit(hiss(2.0, 2, 0.3), -12, 0.05)
    assert np.abs(heard.samples).max() <= 10 ** (-12 / 20) + 1e-6
    soft = hiss(1.0, 1, 0.01)
    assert np.allclose(dynamics.limit(soft, -12, 0.05).samples, soft.samples, atol=1e-7)


def test_phone_is_band_limited() -> None:
    drawn = [each for each in chain.draw(registry.preset("phone"), default_rng(1)) if each["kind"] == "phone"]
    sound = hiss(3.0)
    heard, _ = chain.apply(sound, drawn)
    before, after = (10 * np.log10(np.abs(np.fft.rfft(each.samples[0])) ** 2 + 1e-12) for each in (sound, heard))
    hertz = np.fft.rfftfreq(sound.samples.shape[1], 1 / RATE)

    def change(low: float, high: float) -> float:
        inside = (hertz >= low) & (hertz < high)
        return float((after[inside] - before[inside]).mean())

    assert change(20, 60) < change(1000, 2000) - 12
    assert change(18_000, 22_000) < change(1000, 2000) - 6
    assert change(2000, 4500) > change(600, 1000)


# codecs


def bursts(rate: int, channels: int = 1) -> Audio:
    """Two seconds of noise under 3 kHz, on and off."""
    rng, time = default_rng(5), np.arange(2 * rate) / rate
    spectrum = np.fft.rfft(rng.standard_normal((channels, 2 * rate)))
    spectrum[:, np.arange(spectrum.shape[1]) > 2 * min(3000, 0.4 * rate)] = 0
    samples = 0.2 * np.fft.irfft(spectrum, 2 * rate) * (np.sin(9 * time) > 0.5)
    return Audio(samples.astype(np.float32), rate)


def lag_s(first: Audio, second: Audio) -> float:
    """By how much the first is later, to a sixteenth of a sample, where they are most alike."""
    size, fine = 4 * first.rate, 16
    product = np.fft.rfft(first.samples[0], size) * np.conj(np.fft.rfft(second.samples[0], size))
    place = int(np.argmax(np.fft.irfft(product, size * fine)))
    return ((place + size * fine // 2) % (size * fine) - size * fine // 2) / fine / first.rate


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 44_100, 96_000, 192_000])
@pytest.mark.parametrize("name", codec.CODECS)
def test_codec_keeps_length_and_time(name: str, rate: int) -> None:
    sound = bursts(rate)
    heard, again = (through(sound, {"kind": "codec", "codec": name}) for _ in range(2))
    assert heard.samples.shape == sound.samples.shape
    assert not np.allclose(heard.samples, sound.samples, atol=1e-4)
    assert abs(lag_s(heard, sound)) < 1e-5
    assert heard.samples.tobytes() == again.samples.tobytes()


@pytest.mark.parametrize("name", codec.CODECS)
def test_codecs_of_telephones_make_mono(name: str) -> None:
    heard = through(bursts(RATE, channels=2), {"kind": "codec", "codec": name})
    assert len(heard.samples) == (1 if name in ("gsm", "ulaw") else 2)


@pytest.mark.parametrize("name", codec.CODECS)
def test_codecs_leave_silence_and_do_not_clip(name: str) -> None:
    for rate in (8000, RATE, 192_000):
        assert not through(Audio(np.zeros((2, rate), np.float32), rate), {"kind": "codec", "codec": name}).samples.any()
    sound = bursts(RATE)
    loud = through(Audio(sound.samples * 64, RATE), {"kind": "codec", "codec": name})
    assert np.array_equal(loud.samples, 64 * through(sound, {"kind": "codec", "codec": name}).samples)


@pytest.mark.parametrize(
    ("name", "setting", "worse", "better"),
    [("mp3", "vbr_quality", 9, 1), ("opus", "kbps", 24, 256), ("vorbis", "kbps", 64, 320)],
)
def test_more_bits_leave_more(name: str, setting: str, worse: float, better: float) -> None:
    sound = bursts(RATE, channels=2)
    bad, good = (through(sound, {"kind": "codec", "codec": name, setting: value}) for value in (worse, better))
    errors = [float(((each.samples - sound.samples) ** 2).mean()) for each in (bad, good)]
    assert errors[0] > 4 * errors[1]


def test_mu_law_has_eight_bits_of_g711() -> None:
    """At most 255 values, a ratio of signal to noise of some 38 dB at any level."""
    sound = bursts(8000)
    heard = through(sound, {"kind": "codec", "codec": "ulaw"})
    assert len(np.unique(heard.samples.round(6))) <= 255
    noise = ((heard.samples - sound.samples) ** 2).mean() / (sound.samples**2).mean()
    assert 35 < -10 * np.log10(noise) < 40


def test_a_long_sound_does_not_overflow_the_encoder() -> None:
    sound = Audio(np.tile(bursts(RATE).samples, (1, 40)), RATE)
    assert through(sound, {"kind": "codec", "codec": "vorbis", "kbps": 64}).samples.shape == sound.samples.shape


def test_a_libsndfile_without_opus_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import soundfile

    def refuse(*_: Any, **__: Any) -> None:
        raise soundfile.LibsndfileError(26)

    monkeypatch.setattr(soundfile, "SoundFile", refuse)
    with pytest.raises(MissingError, match="can't write Opus: `pip install"):
        through(bursts(RATE), {"kind": "codec", "codec": "opus"})
