"""Phrases made for training: what is labelled is what sounds, and when."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from clefkit.notes import Notes, make
from clefkit.train import voices
from clefkit.train.phrasing import Player

RATE = 22_050
Array = NDArray[np.float32]
PLAIN: Player = {
    "consonants": [0.0] * 4, "air_db": -90.0, "chiff_db": -90.0, "pizzicato": 0.0, "doubles": 0.0, "breaths": 0.0,
    "whisper": 0.0, "scoop": 0.0, "fall": 0.0, "ornament": 0.0, "vibrato_cents": 0.0, "drift_cents": 0.0, "keys": 0.0,
    "strings": [], "under_db": -100.0, "wander_cents": 0.0, "overshoot": 0.0,
}  # fmt: skip


def tune(steps: list[int], length_s: float = 0.5, gap_s: float = 0.0) -> Notes:
    onset = 0.3 + length_s * np.arange(len(steps))
    return make(onset, onset + length_s - gap_s, 67 + np.cumsum(steps))


def played(kind: str, notes: Notes, changes: Player, seed: int = 0) -> tuple[Notes, Array]:
    generator = np.random.default_rng(seed)
    player = voices.draw(generator, kind) | changes
    length = round((notes.offset.max() + 0.6) * RATE)
    return voices.play(notes, player, length, RATE, 0.0, generator)


def hz(pitch: float) -> float:
    return float(440 * 2 ** ((pitch - 69) / 12))


def frequency(sound: Array, middle_s: float, expected_hz: float, window_s: float = 0.08) -> float:
    """By autocorrelation, within a fifth of what is expected."""
    start, count = int((middle_s - window_s / 2) * RATE), int(window_s * RATE)
    window = np.hanning(count)
    own, of_window = (
        np.fft.irfft(np.abs(np.fft.rfft(each, 4 * count)) ** 2)[:count]
        for each in (sound[start : start + count] * window, window)
    )
    like = own / np.maximum(of_window, 1e-3 * of_window[0])
    low, high = int(RATE / expected_hz / 1.5), int(RATE / expected_hz * 1.5) + 2
    best = low + int(np.argmax(like[low:high]))
    left, middle, right = like[best - 1 : best + 2]
    return float(RATE / (best + (left - right) / (2 * (left - 2 * middle + right))))


def envelope(sound: Array) -> NDArray[np.float64]:
    return np.sqrt(np.convolve(sound.astype(np.float64) ** 2, np.ones(132) / 132, "same"))


@pytest.mark.parametrize("kind", voices.KINDS)
def test_tones_have_the_pitch_of_their_notes(kind: str) -> None:
    for seed in range(3):
        notes, sound = played(kind, tune([0, 2, -5, 7, 1]), PLAIN, seed)
        assert len(notes) == 5
        for onset, offset, pitch in zip(notes.onset, notes.offset, notes.pitch, strict=True):
            heard = frequency(sound, (onset + offset) / 2, hz(pitch))
            assert abs(1200 * np.log2(heard / hz(pitch))) < 30


@pytest.mark.parametrize("kind", voices.KINDS)
def test_a_tone_begins_at_its_onset_and_ends_at_its_offset(kind: str) -> None:
    for seed in range(3):
        notes, sound = played(kind, tune([0, 4, -3], 0.9, gap_s=0.4), PLAIN, seed)
        loud = envelope(sound)
        for onset, offset in zip(notes.onset, notes.offset, strict=True):
            level = np.median(loud[int((onset + 0.15) * RATE) : int((offset - 0.1) * RATE)])
            above = np.flatnonzero(loud[int((onset - 0.1) * RATE) : int((offset + 0.3) * RATE)] > level / 10)
            assert abs(above[0] / RATE - 0.1) < 0.025
            assert abs(above[-1] / RATE - 0.1 - (offset - onset)) < 0.12


@pytest.mark.parametrize("kind", voices.KINDS)
def test_a_slur_is_half_way_at_its_onset_and_unbroken(kind: str) -> None:
    generator = np.random.default_rng(1)
    wide = PLAIN | {
        "legato": 1.0,
        "glide_s": 0.08,
        "portamento": 0.0,
        "slur_dip_db": 1.0,
        "phrase_db": 0.0,
        "shape_db": 0.0,
    }
    slurs = 0
    for seed in range(4):
        notes, sound = played(kind, tune(generator.choice([-7, -4, 4, 7], 6).tolist()), wide, seed)
        loud = envelope(sound)
        for number in range(1, len(notes)):
            if notes.offset[number - 1] < notes.onset[number]:
                continue
            slurs += 1
            before, after = hz(notes.pitch[number - 1]), hz(notes.pitch[number])
            half = np.sqrt(before * after)
            earlier, later = (frequency(sound, notes.onset[number] + by, half, 0.03) for by in (-0.03, 0.03))
            assert (earlier < half) == (before < half)
            assert (later < half) == (after < half)
            around = loud[int((notes.onset[number] - 0.1) * RATE) : int((notes.onset[number] + 0.1) * RATE)]
            assert around.min() > 0.15 * around.max()
    assert slurs > 4


def test_a_repeated_pitch_is_struck_anew() -> None:
    for kind in voices.KINDS:
        notes, sound = played(kind, tune([0, 0, 0, 0]), PLAIN | {"legato": 1.0})
        loud = envelope(sound)
        assert len(notes) == 4
        for number in range(1, 4):
            assert notes.offset[number - 1] < notes.onset[number]
            between = loud[int((notes.offset[number - 1]) * RATE) : int(notes.onset[number] * RATE) + 1]
            assert between.min() < 0.75 * np.median(loud[int(notes.onset[number] * RATE) :][: RATE // 3])


def test_a_line_keeps_the_highest_and_bows_play_double_stops() -> None:
    chords = make(np.repeat([0.3, 1.0, 1.7], 3), np.repeat([0.9, 1.6, 2.3], 3), [55, 60, 64, 57, 62, 65, 59, 62, 67])
    notes, _ = played("brass", chords, PLAIN)
    assert notes.pitch.tolist() == [64, 65, 67]
    notes, sound = played("bowed", chords, PLAIN | {"doubles": 1.0})
    assert notes.pitch.tolist() == [60, 64, 62, 65, 62, 67]
    spectrum = np.abs(np.fft.rfft(sound[int(0.4 * RATE) : int(0.8 * RATE)] * np.hanning(int(0.4 * RATE))))
    for pitch in (60, 64):
        at = round(hz(pitch) * 0.4)
        assert spectrum[at - 2 : at + 3].max() > 20 * np.median(spectrum)


def test_a_lower_note_under_a_held_one_is_not_of_the_line() -> None:
    notes, _ = played("flute", make([0.3, 0.8, 1.5], [1.5, 1.2, 2.0], [72, 60, 74]), PLAIN)
    assert notes.pitch.tolist() == [72, 74]


def test_a_double_stop_is_slurred_by_one_bow() -> None:
    upper, lower = [72, 74, 76, 72], [64, 64, 67, 67]
    onset = np.repeat([0.3, 0.9, 1.5, 2.1], 2)
    line = make(onset, onset + 0.6, np.stack([upper, lower], axis=1).reshape(-1))
    for seed in range(12):
        notes, _ = played("bowed", line, PLAIN | {"doubles": 1.0, "legato": 1.0}, seed)
        high, low = notes.pitch >= 70, notes.pitch < 70
        assert notes.pitch[high].tolist() == upper
        slurred = notes.offset[high][:-1] == notes.onset[high][1:]
        assert low.sum() == 4 - slurred[0] - slurred[2]  # a string that goes on isn't struck
        assert notes.offset[low].max() <= notes.offset[high].max() + 0.01


def test_a_lower_voice_moves_under_a_held_string() -> None:
    notes, _ = played("bowed", make([0.3, 0.3, 0.9], [1.5, 0.9, 1.5], [72, 64, 65]), PLAIN | {"doubles": 1.0})
    assert notes.pitch.tolist() == [64, 72, 65]
    assert notes.offset[1] == pytest.approx(1.5, abs=0.01)


def test_notes_beyond_the_end_are_not_told() -> None:
    line = make([0.5, 1.9, 2.5], [1.5, 9.0, 3.0], [60, 62, 64])
    for kind in voices.KINDS:
        generator = np.random.default_rng(0)
        player = voices.draw(generator, kind) | PLAIN | {"ornament": 1.0}
        notes, _ = voices.play(line, player, 2 * RATE, RATE, 0.0, generator)
        assert notes.onset.max() < 2
        assert notes.offset.max() <= 2
        assert 64 not in notes.pitch[notes.onset > 1.99]


def test_ornaments_and_whispers_are_told() -> None:
    trilled, _ = played("reed", tune([0, 3], 1.5), PLAIN | {"ornament": 1.0})
    assert len(trilled) >= 6
    assert len(np.unique(trilled.pitch)) >= 3
    whispered, sound = played("voice", tune([0, 2]), PLAIN | {"whisper": 1.0})
    assert len(whispered) == 0
    assert np.abs(sound).max() > 0.05


@pytest.mark.parametrize("kind", voices.KINDS)
def test_any_player_sounds_well_at_any_height(kind: str) -> None:
    for seed, pitch in enumerate((36, 60, 84, 100)):
        generator = np.random.default_rng(seed)
        length = 4 * RATE
        line = tune([0, 2, 2, 1, 0, -3, 5])
        high = make(line.onset, line.offset, line.pitch - 67 + pitch, [40, 120, 80, 60, 127, 1, 70])
        notes, sound = voices.play(high, voices.draw(generator, kind), length, RATE, 0.4, generator)
        assert sound.shape == (length,)
        assert sound.dtype == np.float32
        assert np.isfinite(sound).all()
        assert 0.02 < np.sqrt(np.mean(sound**2)) < 0.2
        assert np.abs(sound).max() < 1.5
        assert (notes.offset > notes.onset).all()
        assert set(notes.pitch.tolist()) - set(high.pitch.tolist()) == set() or len(notes) > len(high)
        assert (np.diff(notes.onset) >= 0).all()


@pytest.mark.parametrize("kind", voices.KINDS)
def test_nothing_is_mirrored_at_half_the_rate(kind: str) -> None:
    bright = {"tilt_db": -1.0, "cutoff_hz": 20_000.0, "jitter_cents": 0.0, "shimmer_db": 0.0}
    notes, sound = played(kind, tune([30], 1.0), PLAIN | bright)
    steady = sound[int(0.6 * RATE) : int(1.1 * RATE)]
    spectrum = np.abs(np.fft.rfft(steady * np.hanning(len(steady)) ** 2)) ** 2
    bins = np.fft.rfftfreq(len(steady), 1 / RATE) / hz(notes.pitch[0])
    assert spectrum[np.abs(bins - np.rint(bins)) > 0.03].sum() < 1e-5 * spectrum.sum()


def test_silence_for_no_notes_and_the_same_bytes_again() -> None:
    notes, sound = voices.play(make([], [], []), voices.draw(np.random.default_rng(0)), 1000, RATE, 0.0,
                               np.random.default_rng(0))  # fmt: skip
    assert len(notes) == 0
    assert not sound.any()
    for kind in voices.KINDS:
        (first_notes, first), (again_notes, again) = (played(kind, tune([0, 2, 0, -5]), {}, 9) for _ in range(2))
        assert first.tobytes() == again.tobytes()
        assert np.array_equal(first_notes.onset, again_notes.onset)


def test_a_player_is_plain_numbers_that_differ() -> None:
    import json

    drawn = [voices.draw(np.random.default_rng(seed)) for seed in range(60)]
    assert {player["kind"] for player in drawn} == set(voices.KINDS)
    assert len({json.dumps(player) for player in drawn}) == 60
