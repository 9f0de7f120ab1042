"""Noises of people and records, and phones that take noise away: measured on what they make."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.typing import NDArray
from scipy import signal, stats

from clefkit.audio import Audio
from clefkit.augment import chain, crowd, level, noise, suppression

RATE = 44_100
MADE = ("crowd", "vinyl")
# Byrne and others 1994, thirds of octaves added to octaves.
SPEECH_DB = {125: 61.2, 250: 64.6, 500: 66.4, 1000: 59.6, 2000: 54.8, 4000: 50.5}
PHONE = {
    "low_hz": 40, "high_hz": 20_000, "resonance_hz": 4000, "resonance_db": 0, "resonance_q": 1, "ratio": 1,
    "release_s": 1, "ceiling_db": 40,
}  # fmt: skip


def made(kind: str, seed: int, shape: tuple[int, int], rate: int = RATE) -> NDArray[np.float32]:
    return np.concatenate(list(noise.blocks(kind, seed, shape, rate)), axis=1)


def above(samples: NDArray[np.float32], hertz: float) -> NDArray[np.float64]:
    return np.asarray(signal.sosfilt(signal.butter(4, hertz, "high", fs=RATE, output="sos"), samples))


def modulation(samples: NDArray[np.float32], low_hz: float, high_hz: float) -> float:
    """How much the level moves at these rates, against its mean: 0 to 1."""
    envelope = np.sqrt((samples[: len(samples) // 441 * 441].reshape(-1, 441) ** 2).mean(axis=1))
    hertz, power = signal.welch(envelope / envelope.mean(), 100, nperseg=512)
    return float(np.sqrt(power[(hertz >= low_hz) & (hertz < high_hz)].sum() * hertz[1]))


def test_the_command_knows_all_kinds() -> None:
    command = importlib.import_module("clefkit.commands.augment")
    assert {each.value for each in command.Noise} == set(noise.KINDS)


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize(("channels", "rate"), [(1, 8000), (2, 22_050), (1, 96_000)])
def test_the_mean_level_is_nothing_at_any_rate(kind: str, channels: int, rate: int) -> None:
    assert level.mean_db(Audio(made(kind, 3, (channels, 6 * rate), rate), rate)) == pytest.approx(0, abs=0.4)


@pytest.mark.parametrize("kind", MADE)
def test_the_size_of_blocks_changes_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = made(kind, 5, (2, 30_000))
    assert np.array_equal(made(kind, 5, (2, 30_000)), whole)
    assert not np.array_equal(made(kind, 6, (2, 30_000)), whole)
    monkeypatch.setattr(noise, "BLOCK", 7000)
    pieces = list(noise.blocks(kind, 5, (2, 30_000), RATE))
    assert [piece.shape[1] for piece in pieces] == [7000] * 4 + [2000]
    assert np.array_equal(np.concatenate(pieces, axis=1), whole)


def test_a_crowd_has_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = made("crowd", 5, (2, 90_000))
    monkeypatch.setattr(crowd, "PIECE", 20_000)
    assert np.allclose(made("crowd", 5, (2, 90_000)), whole, atol=1e-4)


@pytest.mark.parametrize("kind", MADE)
def test_silence_gets_no_noise_and_the_shortest_sound_some(kind: str) -> None:
    for amplitude in (0.0, 0.1):
        sound = Audio(np.full((1, 2205), amplitude, np.float32) * np.tile([1, -1], 1103)[:2205], RATE)
        preset = {"name": "mine", "effect": [{"kind": "noise", "noise": kind, "snr_db": 10}]}
        heard, _ = chain.apply(sound, chain.draw(preset, default_rng(0)))
        assert np.isfinite(heard.samples).all()
        assert np.array_equal(heard.samples, sound.samples) == (amplitude == 0)


def test_a_crowd_has_the_spectrum_of_speech() -> None:
    sound = np.concatenate([made("crowd", seed, (1, 10 * RATE)) for seed in range(3)], axis=1)
    hertz, power = signal.welch(sound[0], RATE, nperseg=8192)
    half = 2**0.5
    levels = [power[(hertz >= each / half) & (hertz < each * half)].sum() for each in SPEECH_DB]
    off = 10 * np.log10(levels) - np.array(list(SPEECH_DB.values()))
    assert np.abs(off - np.median(off)).max() < 3


def test_a_crowd_babbles() -> None:
    babble, steady = made("crowd", 2, (2, 20 * RATE)), made("room", 2, (1, 20 * RATE))
    voices = above(babble[0], 500).astype(np.float32)
    assert modulation(voices, 2, 8) > 2.5 * modulation(above(steady[0], 500).astype(np.float32), 2, 8)
    assert modulation(voices, 2, 8) < 0.5  # many voices, of whom none stands out
    assert stats.kurtosis(voices) < 3
    assert 0.05 < float(np.asarray(np.corrcoef(babble))[0, 1]) < 0.6


def test_an_old_record_crackles_softly() -> None:
    for seed in range(3):
        sound = made("vinyl", seed, (2, 20 * RATE))
        clear = above(sound[0], 1000)
        assert 2 < stats.kurtosis(clear) < 80
        assert 24 < 20 * np.log10(np.abs(clear).max() / clear.std()) < 40
        assert np.mean(np.abs(clear) > 8 * clear.std()) < 1e-3


def test_an_old_record_turns() -> None:
    frame = round(0.05 * RATE)
    sound = above(made("vinyl", 1, (1, 60 * RATE))[0], 300)
    loudness = np.log((sound[: len(sound) // frame * frame].reshape(-1, frame) ** 2).mean(axis=1))
    loudness -= loudness.mean()

    def alike(lag_s: float) -> float:
        lag = round(lag_s / 0.05)
        return float((loudness[lag:] * loudness[:-lag]).mean())

    assert alike(1.8) > 0 > alike(0.9)


# phones that suppress noise


def phone(sound: Audio, suppression_db: float) -> Audio:
    effect: dict[str, Any] = {"kind": "phone", **PHONE, "suppression_db": suppression_db}
    return chain.apply(sound, chain.draw({"name": "mine", "effect": [effect]}, default_rng(0)))[0]


def tone_and_noise(frequency_hz: float = 440.0) -> tuple[Audio, NDArray[np.bool_], NDArray[np.bool_]]:
    """Twelve seconds of a tone that comes and goes, in noise; where it plays and where it pauses, edges left out."""
    time = np.arange(12 * RATE) / RATE
    plays, within = np.floor(time / 1.5) % 2 == 0, time % 1.5
    samples = 0.3 * np.sin(2 * np.pi * frequency_hz * time) * plays + 0.004 * default_rng(2).standard_normal(len(time))
    inner = (within > 0.5) & (within < 1.4)
    return Audio(samples[None].astype(np.float32), RATE), plays & inner, ~plays & inner


def test_nothing_is_suppressed_unless_asked() -> None:
    sound, _, _ = tone_and_noise()
    without = {"kind": "phone", **PHONE}
    plain, _ = chain.apply(sound, chain.draw({"name": "mine", "effect": [without]}, default_rng(0)))
    assert np.array_equal(phone(sound, 0).samples, plain.samples)
    assert np.allclose(suppression.suppress(sound, 1e-6).samples, sound.samples, atol=1e-6)


@pytest.mark.parametrize("frequency_hz", [110.0, 440.0, 3000.0])
@pytest.mark.parametrize("suppression_db", [6, 12])
def test_noise_falls_in_pauses_and_the_tone_stays(frequency_hz: float, suppression_db: int) -> None:
    sound, playing, pausing = tone_and_noise(frequency_hz)
    before, after = phone(sound, 0).samples[0], phone(sound, suppression_db).samples[0]
    fall_db = 10 * np.log10((after[pausing] ** 2).mean() / (before[pausing] ** 2).mean())
    assert fall_db == pytest.approx(-suppression_db, abs=1)
    assert 10 * np.log10((after[playing] ** 2).mean() / (before[playing] ** 2).mean()) == pytest.approx(0, abs=0.3)


def test_what_is_left_of_the_noise_is_noise() -> None:
    sound, _, pausing = tone_and_noise()
    left = suppression.suppress(sound, 12).samples[0][pausing]
    _, _, spectra = signal.stft(left[: len(left) // 3], RATE, nperseg=1024)
    power = np.abs(spectra[5:-5]) ** 2
    even = power / power.mean(axis=1, keepdims=True)
    assert np.mean(even > 9) < 5e-4  # of steady noise exp(-9) = 1e-4; lonely tones would be more


def test_onsets_stay() -> None:
    chance = default_rng(3)
    samples = 0.002 * chance.standard_normal(8 * RATE)
    onsets = np.arange(1, 15) * RATE // 2
    for onset in onsets:
        decay = np.exp(-np.arange(RATE // 3) / (0.08 * RATE))
        samples[onset : onset + RATE // 3] += 0.4 * decay * np.sin(2 * np.pi * 700 * np.arange(RATE // 3) / RATE)
    sound = Audio(samples[None].astype(np.float32), RATE)
    heard = suppression.suppress(sound, 15)
    for onset in onsets:
        here = slice(onset, onset + RATE // 100)
        assert np.abs(heard.samples[0, here] - sound.samples[0, here]).max() < 0.03
        energies = [(each.samples[0, here].astype(np.float64) ** 2).sum() for each in (sound, heard)]
        assert 10 * np.log10(energies[1] / energies[0]) == pytest.approx(0, abs=0.2)
        assert np.abs(heard.samples[0, onset - RATE // 20 : onset]).max() < 0.012


def test_a_held_note_is_no_noise() -> None:
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(10 * RATE) / RATE)
    sound = Audio(np.stack([wave, 0.5 * wave]).astype(np.float32), RATE)
    heard = suppression.suppress(sound, 15)
    inner = slice(RATE // 10, -RATE // 10)
    change = heard.samples[:, inner].astype(np.float64).std() / sound.samples[:, inner].astype(np.float64).std()
    assert 20 * np.log10(change) == pytest.approx(0, abs=0.2)
    assert np.allclose(heard.samples[1], 0.5 * heard.samples[0], atol=1e-6)
    assert not suppression.suppress(Audio(np.zeros((1, RATE), np.float32), RATE), 15).samples.any()
