"""Log-mel spectrograms against torchaudio's, and a formula written out."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from clefkit.audio import Audio
from clefkit.errors import InputError
from clefkit.render import mel
from clefkit.render.mel import Settings


def noise(samples: int, rate: int = 16_000, channels: int = 2) -> Audio:
    generator = np.random.default_rng(samples)
    return Audio((0.1 * generator.standard_normal((channels, samples))).astype(np.float32), rate)


def whole(sound: Audio, settings: Settings) -> mel.Array:
    return np.concatenate(list(mel.stream(sound, settings)))


@pytest.mark.parametrize("formula", mel.FORMULAS)
def test_numbers_are_torchaudios(formula: str) -> None:
    torch = pytest.importorskip("torch")
    torchaudio = pytest.importorskip("torchaudio")
    sound, settings = noise(50_000), Settings(formula=formula)
    theirs = torchaudio.transforms.MelSpectrogram(
        16_000, 2048, hop_length=160, n_mels=229, f_min=30.0, f_max=8000.0, pad_mode="constant", norm="slaney",
        mel_scale=formula,
    )  # fmt: skip
    power = theirs(torch.from_numpy(sound.samples.mean(axis=0))).numpy().T
    expected = 10 * np.log10(np.maximum(power, 1e-10))
    found = whole(sound, settings)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 0.02


def test_a_frame_is_what_the_formula_says() -> None:
    settings = Settings(fft=512, hop=100, bins=20)
    sound = noise(3000, channels=1)
    padded = np.pad(sound.samples[0].astype(np.float64), 256)
    frame = padded[700 : 700 + 512] * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512))
    power = np.abs(np.fft.rfft(frame)) ** 2 @ mel.filters(settings).astype(np.float64)
    assert np.abs(whole(sound, settings)[7] - 10 * np.log10(power)).max() < 1e-3


@pytest.mark.parametrize("formula", mel.FORMULAS)
def test_bands_have_area_one_and_rising_centres(formula: str) -> None:
    weights = mel.filters(Settings(fft=8192, bins=40, formula=formula))
    assert weights.sum(axis=0) * 16_000 / 8192 == pytest.approx(np.ones(40), rel=0.05)
    assert (np.diff(weights.argmax(axis=0)) > 0).all()


@pytest.mark.parametrize("samples", [0, 1, 159, 160, 161, 40_960, 41_119, 41_120, 41_121, 300_001])
def test_any_length_has_its_frames(samples: int, tmp_path: Path) -> None:
    sound = noise(samples)
    facts = mel.write(tmp_path / "x.npy", sound)
    found = np.load(tmp_path / "x.npy")
    assert (found.dtype, found.shape) == (np.float16, (samples // 160 + 1, 229))
    assert facts == {**Settings()._asdict(), "frames": samples // 160 + 1}
    assert found.tobytes() == whole(sound, Settings()).astype(np.float16).tobytes()


@pytest.mark.parametrize("samples", [1, 44_100, 123_457])
def test_other_rates_are_resampled(samples: int, tmp_path: Path) -> None:
    facts = mel.write(tmp_path / "x.npy", noise(samples, 44_100))
    assert facts["frames"] == round(samples * 16_000 / 44_100) // 160 + 1
    assert np.load(tmp_path / "x.npy").shape == (facts["frames"], 229)


def test_a_sine_is_in_its_band_and_silence_at_the_floor() -> None:
    phase = 2 * np.pi * 1000 * np.arange(44_100) / 44_100
    found = whole(Audio(np.sin(phase).astype(np.float32)[None], 44_100), Settings())
    weights = mel.filters(Settings())
    assert abs(int(found[50].argmax()) - int(weights[round(1000 * 2048 / 16_000)].argmax())) <= 1
    silence = whole(Audio(np.zeros((1, 5000), np.float32), 44_100), Settings())
    assert np.abs(silence + 100).max() < 1e-4


def test_memory_does_not_grow_with_the_sound(tmp_path: Path) -> None:
    peaks = []
    for seconds in (30, 200):
        sound = noise(seconds * 8000, 8000)
        tracemalloc.start()
        mel.write(tmp_path / "x.npy", sound)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2**20


def test_settings_that_make_no_bands() -> None:
    for settings, message in (
        (Settings(formula="bark"), "no mel formula is called bark: give slaney or htk"),
        (Settings(high_hz=9000), "lowest < highest <= 8000 Hz"),
        (Settings(hop=0), "hop"),
    ):
        with pytest.raises(InputError, match=message):
            whole(noise(100), settings)
