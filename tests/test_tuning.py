"""The tuning of a recording is followed, and what a network sees is in tune."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from clefkit import features, transcribe, tuning

Array = NDArray[np.float32]
BIN = 1 / features.BINS_PER_SEMITONE


def tones(pitch: NDArray[np.float64], seconds: float) -> Array:
    """Tones of six partials together. pitch: (tones,), MIDI, or (tones, samples)"""
    samples = round(seconds * features.RATE)
    base = 2 * np.pi * 440 * 2 ** ((np.atleast_2d(pitch.T).T - 69) / 12) / features.RATE
    phase = np.cumsum(np.broadcast_to(base, (len(pitch), samples)), axis=1)
    return np.asarray(sum(np.sin(k * phase).sum(axis=0) / k for k in range(1, 7)) * 0.05, dtype=np.float32)


def chord(cents: float, seconds: float = 8.0) -> Array:
    return tones(np.array([52, 59, 64, 68.0]) + cents / 100, seconds)


def strongest(sound: Array) -> NDArray[np.float64]:
    """(frames,): the pitch of the strongest bin, in semitones."""
    return np.asarray(features.LOWEST_PITCH + (sound[:, 0].argmax(axis=1) - 1) * BIN, dtype=np.float64)


@pytest.mark.parametrize("cents", [-45, -40, -30, -10, 0, 10, 30, 40, 45])
def test_a_chord_is_moved_until_it_is_nearly_in_tune(cents: int) -> None:
    found = tuning.evidence(tuning.tuned(features.compute(chord(cents))))
    left = 100 * np.angle(found.towards) / (2 * np.pi)
    expected = cents - 100 * BIN * round(cents / 100 / BIN)
    assert left == pytest.approx(expected, abs=4)


def test_what_is_in_tune_stays_to_the_bit() -> None:
    sound = features.compute(chord(8))
    assert np.array_equal(tuning.tuned(sound), sound)


@pytest.mark.parametrize("frames", [0, 1, 255, 256, 257, 5 * 256, 10 * 256 + 7])
def test_pieces_come_out_as_they_went_in(frames: int) -> None:
    generator = np.random.default_rng(frames)
    sound = generator.random((frames, features.CHANNELS, features.BINS), dtype=np.float32)
    pieces = [sound[start : start + 256] for start in range(0, frames, 256)]
    out = list(tuning.follow(pieces))
    assert [len(piece) for piece in out] == [len(piece) for piece in pieces]
    assert np.array_equal(np.concatenate([sound[:0], *out]), tuning.tuned(sound))


def test_noise_and_silence_have_no_tuning() -> None:
    noise = np.random.default_rng(0).standard_normal(12 * features.RATE).astype(np.float32) * 0.1
    for sound in (noise, np.zeros(12 * features.RATE, np.float32)):
        seen = features.compute(sound)
        assert np.array_equal(tuning.tuned(seen), seen)


def test_a_choir_that_falls_past_a_quarter_tone_is_followed() -> None:
    """From in tune to 57 cents flat in two minutes: no note becomes its neighbour."""
    seconds = 120
    slope = np.linspace(0, -0.57, seconds * features.RATE)
    seen = tuning.tuned(features.compute(tones(np.array([[57.0], [69.0]]) + slope, seconds)))
    off = strongest(seen[50:-50]) - 57
    assert np.abs(off - 12 * np.round(off / 12)).max() <= 1.01 * BIN


def test_a_tuning_holds_through_what_has_none() -> None:
    noise = np.random.default_rng(1).standard_normal(60 * features.RATE).astype(np.float32) * 0.1
    seen = features.compute(np.concatenate([chord(38, 30.0), noise]))
    moved = tuning.tuned(seen)
    assert np.array_equal(moved[-20:, :, :-1], seen[-20:, :, 1:])


@pytest.mark.parametrize("cents", [-42, 42])
def test_a_detuned_recording_has_the_notes_that_were_played(cents: int) -> None:
    onsets, pitches = np.arange(12) * 0.4 + 0.2, [60, 64, 67, 72, 71, 67, 65, 62, 59, 55, 60, 48]
    sound = np.zeros(6 * features.RATE, np.float32)
    for onset, pitch in zip(onsets, pitches, strict=True):
        note = tones(np.array([pitch + cents / 100]), 0.38) * np.exp(-np.linspace(0, 3, round(0.38 * features.RATE)))
        first = round(onset * features.RATE)
        sound[first : first + len(note)] += note.astype(np.float32)
    found = transcribe.notes(sound, features.RATE, instruments=1, names="none")
    assert found.pitch.tolist() == pitches
    assert np.allclose(found.onset, onsets, atol=0.03)
