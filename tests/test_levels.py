"""Loudness and peaks, against the tones whose values the standards give; and how samples become bytes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from clefkit import audio
from clefkit.audio import Audio

RATE = 48_000


def tone(level_db: float, duration_s: float, rate: int = RATE, hz: float = 1000.0) -> NDArray[np.float32]:
    phase = 2 * np.pi * hz * np.arange(round(duration_s * rate)) / rate
    return (10 ** (level_db / 20) * np.sin(phase)).astype(np.float32)


def stereo(*pieces: tuple[float, float], rate: int = RATE) -> NDArray[np.float32]:
    """pieces: (dBFS, seconds)"""
    return np.tile(np.concatenate([tone(*piece, rate) for piece in pieces]), (2, 1))


@pytest.mark.parametrize("rate", [8000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000])
def test_a_sine_at_full_scale_in_one_channel_is_minus_three(rate: int) -> None:
    """ITU-R BS.1770-4, annex 1: 0 dBFS, 997 Hz, one channel: -3.01 LUFS."""
    assert audio.loudness(tone(0, 10, rate, 997)[None], rate) == pytest.approx(-3.01, abs=0.035)
    assert audio.loudness(tone(0, 10, RATE, 997)[None], RATE) == pytest.approx(-3.01, abs=0.005)


def test_filters_are_those_of_the_standard() -> None:
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585]
    high_pass = [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621]
    assert np.abs(audio.k_weighting(48_000) - [shelf, high_pass]).max() < 1e-8


@pytest.mark.parametrize(
    ("pieces", "lufs"),
    [
        ([(-23, 20)], -23),
        ([(-33, 20)], -33),
        ([(-36, 10), (-23, 60), (-36, 10)], -23),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23),
    ],
)
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_compliance_tones(pieces: list[tuple[float, float]], lufs: float, rate: int) -> None:
    """EBU Tech 3341, cases 1 to 5: within 0.1 LU."""
    assert audio.loudness(stereo(*pieces, rate=rate), rate) == pytest.approx(lufs, abs=0.1)


def test_silence_and_short_sounds_have_a_loudness() -> None:
    assert audio.loudness(np.zeros((2, RATE), np.float32), RATE) == -math.inf
    assert audio.loudness(np.zeros((2, 0), np.float32), RATE) == -math.inf
    assert audio.loudness(tone(0, 0.2)[None], RATE) == pytest.approx(-3, abs=0.1)


def test_gain_moves_loudness_by_as_much() -> None:
    noise = np.random.default_rng(0).standard_normal((2, 5 * 11_025)).astype(np.float32)
    loud = audio.loudness(noise, 11_025)
    assert audio.loudness(noise * np.float32(0.1), 11_025) == pytest.approx(loud - 20, abs=1e-3)


def test_true_peak_lies_between_the_samples() -> None:
    """A sine at a quarter of the rate whose samples all miss its peak by 3 dB."""
    sine = np.sin(2 * np.pi * np.arange(40_000) / 4 + np.pi / 4).astype(np.float32)
    sine *= np.hanning(len(sine)).astype(np.float32)
    assert 20 * np.log10(np.abs(sine).max()) == pytest.approx(-3.01, abs=0.01)
    assert audio.true_peak_db(sine[None]) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("place", [0, 1023, 1024, 50_000, 99_999])
def test_true_peak_is_that_of_the_whole_wherever_it_is(place: int) -> None:
    generator = np.random.default_rng(place)
    noise = soxr.resample(0.1 * generator.standard_normal((50_000, 2)), 1, 2).T.astype(np.float32)
    noise[1] *= 1 + 8 * np.exp(-(((np.arange(100_000) - place) / 50) ** 2)).astype(np.float32)
    whole = np.abs(soxr.resample(noise.T, 1, 4)).max()
    assert whole > np.abs(noise).max()
    assert audio.true_peak_db(noise) == pytest.approx(20 * np.log10(whole), abs=1e-3)


# Files.


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("length", [0, 1, audio.WRITE_BLOCK + 1])
def test_wav_files_have_the_bytes_that_libsndfile_writes(tmp_path: Path, channels: int, length: int) -> None:
    generator = np.random.default_rng(0)
    sound = (generator.normal(size=(channels, length)) * 10.0 ** generator.uniform(-9, 0.3, length)).astype(np.float32)
    sound.flat[:3] = (1, -1, np.float32(1) - np.finfo(np.float32).epsneg)[: min(sound.size, 3)]
    audio.write(tmp_path / "a.wav", Audio(sound, 22_050))
    soundfile.write(tmp_path / "b.wav", np.clip(sound.T, -1, 1), 22_050, "PCM_16")
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
