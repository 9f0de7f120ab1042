"""A player kept on a few keys: in tune, held by a loop, fading as it did, silent where nothing was recorded."""

import numpy as np
import pytest

from clefkit.notes import Notes, make
from clefkit.train import thrift

RATE = 22050


def recorded(keys: list[int], fades_db_s: float = 0.0, seed: int = 0) -> np.ndarray:
    """An audition of keys by an instrument of five harmonics."""
    notes = thrift.audition(keys, np.random.default_rng(seed))
    sound = np.zeros(int((notes.offset.max() + 1) * RATE), np.float32)
    for onset, offset, pitch in zip(notes.onset, notes.offset, notes.pitch, strict=True):
        time = np.arange(int((offset - onset) * RATE)) / RATE
        hz = 440 * 2 ** ((pitch - 69) / 12)
        tone = sum(np.sin(2 * np.pi * number * hz * time) / number for number in range(1, 6))
        first = round(onset * RATE)
        sound[first : first + len(time)] = 0.2 * tone * 10 ** (-fades_db_s * time / 20)
    return sound


def played(notes: Notes, fades_db_s: float = 0.0, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    keys = thrift.keys(notes, generator)
    length = int((float(notes.offset.max()) + 0.5) * RATE)
    return thrift.play(recorded(keys, fades_db_s, seed), keys, notes, length, RATE, generator)


def pitch_hz(sound: np.ndarray, near_hz: float) -> float:
    strength = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 18))
    hz = np.fft.rfftfreq(1 << 18, 1 / RATE)
    inside = np.abs(hz / near_hz - 1) < 0.1
    return float(hz[inside][strength[inside].argmax()])


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("pitch", [40, 57, 66, 84])
def test_every_key_is_in_tune(pitch: int, seed: int) -> None:
    notes = make([0.1, 3.2], [3.0, 4.0], [pitch, pitch + 9], [90, 90])
    found = pitch_hz(played(notes, seed=seed)[RATE * 3 // 2 : RATE * 5 // 2], 440 * 2 ** ((pitch - 69) / 12))
    assert 1200 * np.log2(found / (440 * 2 ** ((pitch - 69) / 12))) == pytest.approx(0, abs=20)


def test_a_held_tone_lasts_longer_than_its_recording_and_a_struck_one_fades() -> None:
    notes = make([0.0], [4.0], [60], [90])
    for seed in range(5):
        held, struck = played(notes, seed=seed), played(notes, 20.0, seed)
        late = slice(int(3.5 * RATE), int(3.9 * RATE))
        early = slice(int(0.1 * RATE), int(0.3 * RATE))
        assert held[late].std() > 0.7 * held[early].std()
        assert 20 * np.log10(struck[early].std() / struck[late].std()) > 40


def test_no_clicks_where_it_goes_round() -> None:
    sound = played(make([0.0], [4.0], [60], [90]), seed=3)
    steps = np.abs(np.diff(sound[RATE : 3 * RATE]))
    assert steps.max() < 1.5 * np.quantile(steps, 0.999)


def test_what_was_not_recorded_is_not_played() -> None:
    notes = make([0.0], [1.0], [60], [90])
    generator = np.random.default_rng(0)
    keys = thrift.keys(notes, generator)
    silence = np.zeros(4 * RATE, np.float32)
    assert not thrift.play(silence, keys, notes, RATE, RATE, generator).any()
    assert thrift.keys(make([], [], [], []), generator) == []
