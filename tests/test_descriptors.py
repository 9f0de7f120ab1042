"""Timbre descriptors: what they say of sounds made here, and that real sounds come in timbral_models' order."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.typing import NDArray
from scipy.stats import rankdata

from clefkit import audio
from clefkit.audio import Audio
from clefkit.tag import descriptors
from clefkit.tag.descriptors import loudness

Sound = NDArray[np.float32]

RATE = descriptors.RATE
CLIPS = Path(__file__).parent / "data" / "descriptors"
REFERENCE = json.loads((CLIPS / "reference.json").read_text(encoding="utf-8"))["clips"]
LEAST = {
    "brightness": 0.98,
    "hardness": 0.95,
    "roughness": 0.95,
    "warmth": 0.95,
    "depth": 0.98,
    "sharpness": 0.98,
    "boominess": 0.98,
}


def told(sound: NDArray[np.floating]) -> dict[str, float]:
    """The descriptors by name."""
    return dict(zip(descriptors.NAMES, descriptors.describe(sound.astype(np.float32)).tolist(), strict=True))


def seconds(duration_s: float = 1.0) -> NDArray[np.float64]:
    return np.asarray(np.arange(round(duration_s * RATE)) / RATE, dtype=np.float64)


def tone(*frequencies_hz: float, duration_s: float = 1.0) -> NDArray[np.float64]:
    """Sines of equal strength, with different phases."""
    time = seconds(duration_s)
    sines = [np.sin(2 * np.pi * each * time + each) for each in frequencies_hz]
    return np.asarray(0.1 * np.sum(sines, axis=0), dtype=np.float64)


def note(attack_s: float = 0.01, fundamental_hz: float = 220.0, duration_s: float = 1.0) -> NDArray[np.float64]:
    """Eleven harmonics that rise in a straight line and die away."""
    time = seconds(duration_s)
    partials = sum(np.sin(2 * np.pi * fundamental_hz * number * time) / number for number in range(1, 12))
    return np.asarray(0.1 * np.minimum(time / attack_s, 1) * np.exp(-2 * time) * partials)


def noise(duration_s: float = 1.0) -> NDArray[np.float64]:
    return 0.1 * default_rng(0).standard_normal(round(duration_s * RATE))


def phrase(duration_s: float = 4.0) -> Sound:
    """Notes of several pitches, one every third of a second, with some noise."""
    whole = 1e-3 * noise(duration_s)
    for index, start in enumerate(range(0, len(whole), RATE // 3)):
        piece = note(fundamental_hz=110.0 * 1.5 ** (index % 5), duration_s=0.6)[: len(whole) - start]
        whole[start : start + len(piece)] += piece
    return whole.astype(np.float32)


def shelved(sound: NDArray[np.floating], gain_db: float) -> NDArray[np.float64]:
    """What is above 2 kHz raised."""
    hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
    gain = 10 ** (gain_db / 20 / (1 + (2000 / np.maximum(hertz, 1)) ** 4))
    return np.asarray(np.fft.irfft(np.fft.rfft(sound) * gain, len(sound)))


@cache
def compared() -> dict[str, NDArray[np.float64]]:
    """By descriptor, (2, clips): what we say of each clip and what timbral_models says."""
    ours = []
    for name in REFERENCE:
        clip = audio.resample(audio.read(CLIPS / name), RATE)
        ours.append(descriptors.describe(clip.samples[0]))
    return {
        name: np.array([np.array(ours)[:, descriptors.NAMES.index(name)], [each[name] for each in REFERENCE.values()]])
        for name in LEAST
    }


def test_the_reference_holds_enough_clips_and_all_that_are_there() -> None:
    assert len(REFERENCE) >= 60
    assert set(REFERENCE) == {path.name for path in CLIPS.glob("*.flac")}


@pytest.mark.parametrize("name", LEAST)
def test_real_sounds_come_in_the_order_of_timbral_models(name: str) -> None:
    ours, theirs = compared()[name]
    assert np.corrcoef(rankdata(ours), rankdata(theirs))[0, 1] >= LEAST[name]


@pytest.mark.parametrize("name", LEAST)
def test_numbers_are_near_those_of_timbral_models(name: str) -> None:
    ours, theirs = compared()[name]
    assert np.median(np.abs(ours - theirs)) < 3.0


@pytest.mark.parametrize("gain_db", [-12.0, -5.3, 6.0, 12.0])
def test_gain_changes_nothing(gain_db: float) -> None:
    soft, louder = (np.float32(gain) * phrase() for gain in (0.1, 0.1 * 10 ** (gain_db / 20)))
    assert np.allclose(descriptors.describe(louder), descriptors.describe(soft), rtol=1e-3, atol=1e-6)


def test_a_high_shelf_brightens() -> None:
    said = [told(shelved(phrase(), gain_db)) for gain_db in (-12, -6, -3, 0, 3, 6, 12)]
    for name in ("brightness", "sharpness", "spectral_centroid"):
        assert np.all(np.diff([each[name] for each in said]) > 0), name


def test_close_partials_are_rough() -> None:
    rough = {
        pair: told(tone(*pair))["roughness"] for pair in ((440.0,), (440.0, 466.0), (440.0, 880.0), (440.0, 1300.0))
    }
    assert rough[(440.0, 466.0)] > 25.0
    assert all(each == 0.0 for pair, each in rough.items() if pair != (440.0, 466.0))


def test_a_fast_attack_is_hard() -> None:
    said = [told(note(attack_s)) for attack_s in (0.01, 0.02, 0.05, 0.1, 0.2)]
    assert np.all(np.diff([each["hardness"] for each in said]) < 0)
    assert np.all(np.diff([each["log_attack_time"] for each in said]) > 0)


@pytest.mark.parametrize("attack_s", [0.02, 0.1, 0.5])
def test_attack_time_is_nearly_that_of_the_ramp(attack_s: float) -> None:
    rising = np.minimum(seconds(1.5) / attack_s, 1) * tone(1000.0, duration_s=1.5)
    assert told(rising)["log_attack_time"] == pytest.approx(np.log10(0.7 * attack_s), abs=0.1)


def test_every_note_has_its_attack() -> None:
    slow, fast = note(0.05, duration_s=0.5), note(0.01, duration_s=0.5)
    both = told(np.concatenate([slow, fast, slow, fast]))["log_attack_time"]
    assert told(np.tile(fast, 4))["log_attack_time"] < both < told(np.tile(slow, 4))["log_attack_time"]


def test_noise_is_noisier_than_a_tone() -> None:
    mixed = [told(share * noise() + (1 - share) * note())["noisiness"] for share in (0.0, 0.01, 0.1, 1.0)]
    assert np.all(np.diff(mixed) > 0)
    assert mixed[0] < 0.1
    assert mixed[-1] > 0.95
    assert told(tone(440.0))["noisiness"] < 1e-3


def test_a_stretched_series_is_inharmonic() -> None:
    number = np.arange(1, 16)
    stretched = [220 * number * np.sqrt(1 + each * number**2) for each in (0, 1e-4, 3e-4, 1e-3)]
    said = [told(tone(*series))["inharmonicity"] for series in stretched]
    assert said[0] < 1e-3
    assert np.all(np.diff(said) > 0)
    assert told(noise())["inharmonicity"] > 0.3


def test_centroid_and_flux_of_steady_tones() -> None:
    assert told(tone(440.0))["spectral_centroid"] == pytest.approx(440.0, abs=1.0)
    assert told(tone(1000.0, 3000.0))["spectral_centroid"] == pytest.approx(2000.0, abs=2.0)
    assert told(tone(440.0, duration_s=4.0))["spectral_flux"] < 0.002
    assert told(phrase())["spectral_flux"] > 0.01
    assert told(noise())["spectral_flux"] > 0.1


def test_beats_are_punchy() -> None:
    beats = noise(4.0) * np.exp(-20 * (seconds(4.0) % 0.5))
    assert told(noise(4.0))["punchiness"] < 1.0
    assert told(beats)["punchiness"] > 4.0


def test_low_sounds_are_deep_and_boom() -> None:
    low, middle, high = (told(note(fundamental_hz=each)) for each in (60.0, 220.0, 900.0))
    for name in ("depth", "boominess", "warmth"):
        assert low[name] > middle[name] > high[name], name


@pytest.mark.parametrize(("level_db", "sone"), [(40.0, 1.0), (50.0, 2.0), (60.0, 4.0), (70.0, 8.0)])
def test_a_tone_of_1_khz_is_as_loud_as_the_sone_says(level_db: float, sone: float) -> None:
    levels = np.full((1, 28), -60.0)
    centre = int(np.argmin(np.abs(loudness.CENTRES_HZ - 1000)))
    levels[0, centre - 2 : centre + 3] = level_db - np.array([40, 20, 0, 20, 40])  # as the filters leak
    assert 0.1 * loudness.specific(levels).sum() == pytest.approx(sone, rel=0.1)


@pytest.mark.parametrize("samples", [0, 1, 300, RATE])
def test_silence_has_no_timbre(samples: int) -> None:
    assert np.isnan(descriptors.describe(np.zeros(samples, np.float32))).all()
    assert np.isnan(descriptors.describe(np.full(samples, 1e-7, np.float32))).all()


@pytest.mark.parametrize("duration_s", [0.03, 0.05, 0.1, 0.2, 0.3])
def test_short_sounds_are_described(duration_s: float) -> None:
    time = seconds(duration_s)
    click = np.zeros(len(time))
    click[0] = 0.5
    late = np.roll(click, -1)
    for sound in (
        tone(440.0, duration_s=duration_s),
        noise(duration_s),
        note(0.01, duration_s=duration_s),
        click,
        late,
    ):
        said = told(sound)
        assert all(np.isfinite(each) for name, each in said.items() if name != "inharmonicity"), said
    assert np.isfinite(list(told(note(duration_s=duration_s)).values())).all()


def test_what_is_shorter_than_a_window_of_a_note_has_no_timbre() -> None:
    assert np.isnan(descriptors.describe(phrase()[:500])).all()


@pytest.mark.parametrize("rate", [RATE, 16_000, 44_100])
def test_cuts_between_blocks_change_nothing(rate: int) -> None:
    sound = audio.resample(Audio(phrase(5.0)[None], RATE), rate).samples[0]
    cuts = np.cumsum(default_rng(1).integers(0, 3000, 60))
    describer = descriptors.Describer(rate)
    for block in np.split(sound, cuts):
        describer.push(block)
    assert np.array_equal(describer.result(), descriptors.describe(sound, rate))


def test_long_sounds_are_described_in_bounded_memory() -> None:
    minute = np.resize(phrase(), descriptors.PART)
    describer = descriptors.Describer()
    for block in np.split(
        np.concatenate([minute, minute, minute[: 5 * RATE]]), range(0, 2 * descriptors.PART, 300_000)
    ):
        describer.push(block)
    whole = descriptors.describe(np.concatenate([minute, minute, minute[: 5 * RATE]]))
    assert np.array_equal(describer.result(), whole)
    assert np.allclose(whole, descriptors.describe(minute), rtol=0.02, atol=0.01)


def test_silence_after_a_minute_changes_little() -> None:
    minute = np.resize(phrase(), descriptors.PART)
    after = np.concatenate([minute, np.zeros(descriptors.PART, np.float32)])
    assert np.array_equal(descriptors.describe(after), descriptors.describe(minute))


def test_other_rates_are_resampled() -> None:
    sound = default_rng(2).standard_normal((1, 3 * 44_100)).astype(np.float32)
    expected = descriptors.describe(audio.resample(Audio(sound, 44_100), RATE).samples[0])
    assert np.allclose(descriptors.describe(sound[0], 44_100), expected, rtol=1e-3, atol=1e-3)
