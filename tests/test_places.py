"""Where notes come from, in stereo, tells whose they are when their timbre doesn't."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from clefkit import audio, features, transcribe
from clefkit.audio import Audio
from clefkit.notes import Notes, Part, make
from clefkit.separate import whose
from clefkit.transcribe import places
from clefkit.transcribe.places import Nearness, Places

RATE = features.RATE
LEFT, RIGHT = np.pi / 8, 3 * np.pi / 8
PITCHES = (60, 64, 67, 71, 62, 65, 69, 72, 61, 66, 68, 70)


def tone(pitch: float, seconds: float) -> NDArray[np.float64]:
    """A bowed sound, the same for all."""
    time = np.arange(round(seconds * RATE)) / RATE
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    sound = sum(np.sin(2 * np.pi * number * hertz * time) / number for number in range(1, 9))
    return np.asarray(sound * np.minimum(1, np.minimum(time, time[-1] - time) / 0.02))


def panned(angles: tuple[float, ...]) -> tuple[audio.Samples, Notes]:
    """Notes in turn from these directions, two at a time. Returns (2, samples) and who played what."""
    onset = 0.3 * np.arange(2 * len(PITCHES))
    pitch = np.array([*PITCHES, *(each + 12 for each in PITCHES)], dtype=float)
    part = np.arange(len(pitch)) % len(angles)
    sound = np.zeros((2, round((onset[-1] + 1) * RATE)))
    for start, each, player in zip(onset, pitch, part, strict=True):
        alone, begin = tone(each, 0.5), round(start * RATE)
        sound[:, begin : begin + len(alone)] += np.outer([np.cos(angles[player]), np.sin(angles[player])], alone)
    names = tuple(Part(str(number)) for number in range(len(angles)))
    played = make(onset, onset + 0.5, pitch, np.full(len(pitch), 80), part, names)
    return (sound / np.abs(sound).max() * 0.5).astype(np.float32), played


def right(found: NDArray[np.int64], played: Notes) -> float:
    same = float((found == played.part).mean())
    return max(same, 1 - same)


def test_directions_of_notes_are_those_they_were_panned_to() -> None:
    sound, played = panned((LEFT, RIGHT))
    found = places.of([sound], played)
    assert np.abs(found.angle - np.where(played.part == 0, LEFT, RIGHT)).max() < 0.1
    assert found.width.max() < 0.5
    cut = places.of(np.split(sound, [7, 5000, 5001, 90_000], axis=1), played)
    assert np.array_equal(found.angle, cut.angle)


def test_a_direction_is_unknown_where_channels_are_strangers() -> None:
    sound, played = panned((LEFT, RIGHT))
    noise = np.random.default_rng(0).normal(0, 0.1, sound.shape).astype(np.float32)
    assert places.of([noise], played).width.min() > 1
    assert np.isfinite(places.of([np.zeros_like(sound)], played).angle).all()
    assert len(places.of([sound], make([], [], [])).angle) == 0


def test_players_of_one_timbre_are_told_apart_by_where_they_are(tmp_path: Path) -> None:
    sound, played = panned((LEFT, RIGHT))
    found = transcribe.notes(sound, RATE, instruments=2, names="none")
    sides = np.array([played.part[np.abs(played.onset - onset).argmin()] for onset in found.onset])
    agreed = float((found.part == sides).mean())
    assert max(agreed, 1 - agreed) > 0.9
    audio.write(tmp_path / "mix.wav", Audio(sound, RATE))
    assert right(whose.labels(tmp_path / "mix.wav", played, 2), played) > 0.95
    audio.write(tmp_path / "mono.wav", Audio(sound.mean(axis=0, keepdims=True), RATE))
    assert right(whose.labels(tmp_path / "mono.wav", played, 2), played) < 0.9  # else the test tests nothing


@pytest.mark.parametrize("angle", [np.pi / 4, 0.2])
def test_one_player_in_one_place_stays_one(angle: float) -> None:
    sound, _ = panned((angle,))
    assert len(transcribe.notes(sound, RATE, names="none").parts) == 1


def test_nearness_counts_where_it_is_rare() -> None:
    count = 60
    width = np.full(count, 0.06)
    apart = Nearness(Places(np.repeat([0.3, 0.8, 1.2], count // 3), width)).odds(np.arange(count))
    together = Nearness(Places(np.full(count, np.pi / 4), width)).odds(np.arange(count))
    unsure = Nearness(Places(np.random.default_rng(0).uniform(-1.5, 1.5, count), np.full(count, 2.0)))
    others = ~np.eye(count, dtype=bool)
    same = np.arange(count)[:, None] // (count // 3) == np.arange(count) // (count // 3)
    assert apart[same].min() > 1
    assert apart[~same].max() < -1
    assert np.abs(together[others]).max() < 0.6
    assert np.abs(unsure.odds(np.arange(count))[others]).max() < 0.6
