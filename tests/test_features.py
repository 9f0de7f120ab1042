"""The front end in detail: what each channel is for. That it doesn't depend on blocks or levels: test_transcribe."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from training import tone

from clefkit import features

Array = NDArray[np.float32]


def shown(channel: int, pitch: float) -> tuple[int, slice]:
    bins = features.BINS_PER_SEMITONE * round(pitch - features.LOWEST_PITCH)
    return channel, slice(bins, bins + features.BINS_PER_SEMITONE)


def test_a_sound_becomes_frames_of_four_channels_and_a_hundred_semitones() -> None:
    assert features.compute(tone(69, 1.0)).shape == (features.RATE // features.HOP + 1, 4, 300)


def test_frames_are_centred_where_they_say() -> None:
    """Of a click at sample 512 t the middle channels see most at frame t; the shortest windows lie around it."""
    sound = np.zeros(features.RATE, np.float32)
    sound[20 * features.HOP] = 1.0
    energy = features.compute(sound).max(axis=2)
    assert energy[:, 1].argmax() == 20
    assert energy[20, 2] == pytest.approx(energy[20, 3], abs=1e-4)
    before, after = energy[:, 2], energy[:, 3]
    assert before[21] > after[21] + 0.05, "a window centred before the frame is nearer to what was before"
    assert after[19] > before[19] + 0.05


@pytest.mark.parametrize("pitch", [40, 48, 60, 72, 90])
def test_long_windows_tell_neighbours_apart_better_than_short_ones(pitch: int) -> None:
    seen = features.compute(tone(pitch, 1.0))[20]
    away = [seen[shown(channel, pitch)].max() - seen[shown(channel, pitch + 2)].max() for channel in (0, 1, 2)]
    assert away[0] > 0.25
    assert away[0] >= away[1] - 0.01
    assert away[1] >= away[2] - 0.01


def test_two_notes_in_quick_succession_show_as_two_in_the_shortest_windows() -> None:
    sound = np.concatenate([tone(84, 0.06), np.zeros(round(0.04 * features.RATE), np.float32), tone(84, 0.3)])
    sound = np.pad(sound, features.RATE // 2)
    dips = []
    for channel in (0, 1, 2):
        course = features.compute(sound)[(slice(None), *shown(channel, 84))].max(axis=1)
        gap = round((0.5 + 0.08) * features.FRAMES_PER_SECOND)
        dips.append(course[gap + 3] - course[gap - 2 : gap + 2].min())
    assert dips[2] > dips[1] + 0.1
    assert dips[2] > dips[0] + 0.1


def test_eight_bits_keep_a_third_of_a_decibel() -> None:
    sound = np.random.default_rng(0).uniform(0, 1, (5, 4, 300)).astype(np.float32)
    kept = features.stored(sound)
    assert kept.dtype == np.uint8
    again = features.restored(kept)
    assert again.dtype == np.float32
    assert np.abs(again - sound).max() * (features.CEILING_DB - features.FLOOR_DB) < 0.17
    assert np.array_equal(features.stored(again), kept)


@pytest.mark.parametrize("pitch", [33, 52, 60, 76, 100])
def test_resolved_energies_are_those_of_a_sine(pitch: int) -> None:
    """1 for full scale; at its own pitch; nothing before it."""
    sound = np.concatenate([np.zeros(features.RATE, np.float32), 2 * tone(pitch, 1.0)])
    energy = features.resolved(sound)
    assert energy.shape == (len(sound) // features.HOP + 1, features.BINS)
    middle = energy[65]
    assert 10 * np.log10(middle.max()) == pytest.approx(0, abs=1.5)
    assert abs(int(middle.argmax()) - (features.BINS_PER_SEMITONE * (pitch - 21) + 1)) <= (1 if pitch < 45 else 0)
    assert energy[: 43 - features.LONGEST_WINDOW // features.HOP // 2 - 1].max() < 1e-9
