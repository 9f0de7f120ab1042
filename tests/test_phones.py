"""What phones do to levels: automatic gain, expander, noise suppression, on tones whose gain is known to the frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.typing import NDArray

from clefkit.audio import Audio
from clefkit.augment import chain, dynamics, level
from clefkit.errors import InputError

RATE = 44_100
FRAME = dynamics.level_frame(RATE)
FRAME_S = FRAME / RATE
TONE_HZ = 4 * RATE / FRAME  # whole periods in a frame, so each frame has the same level
FULL = 1 - np.exp(-1)  # of a change, after one time constant

Steps = list[tuple[float, float]]
Gains = NDArray[np.float64]


def frames(seconds: float) -> int:
    return round(seconds / FRAME_S)


def tone(steps: Steps, hertz: float = TONE_HZ, channels: int = 1) -> Audio:
    """A tone in steps of (seconds, dB of amplitude), each of whole frames."""
    ends = [frames(end) * FRAME for end in np.cumsum([seconds for seconds, _ in steps])]
    amplitude = np.repeat([10 ** (db / 20) for _, db in steps], np.diff([0, *ends]))
    wave = amplitude * np.sin(2 * np.pi * hertz * np.arange(len(amplitude)) / RATE)
    return Audio(np.tile(wave.astype(np.float32), (channels, 1)), RATE)


def through(sound: Audio, kind: str, **numbers: Any) -> Audio:
    drawn = chain.draw({"name": "mine", "effect": [{"kind": kind, **numbers}]}, default_rng(0))
    return chain.apply(sound, drawn)[0]


def levels(sound: Audio) -> Gains:
    """Of each frame of the first channel, dB."""
    whole = sound.samples[0, : sound.samples.shape[1] // FRAME * FRAME].astype(np.float64).reshape(-1, FRAME)
    return np.asarray(10 * np.log10((whole**2).mean(axis=1) + 1e-30))


def gains(before: Audio, after: Audio) -> Gains:
    return levels(after) - levels(before)


def time_constant(gain: Gains) -> float:
    """Seconds after which 63 % of a change has happened; it happens at the end of a frame."""
    done = (gain - gain[0]) / (gain[-1] - gain[0])
    after = int(np.argmax(done >= FULL))
    return float(after - (done[after] - FULL) / (done[after] - done[after - 1])) * FRAME_S


# automatic gain

AGC: dict[str, Any] = {"strength": 1.0, "attack_s": 0.02, "release_s": 0.1, "window_s": 0.005}


@pytest.mark.parametrize("strength", [0.3, 0.8, 1.0])
@pytest.mark.parametrize("target_db", [-4, 3])
def test_agc_takes_its_strength_of_the_way_to_the_target(strength: float, target_db: float) -> None:
    sound = tone([(1.5, -20), (1.5, -8), (1.5, -26)])
    active = level.active_db(sound, weighted=False)
    numbers = {**AGC, "strength": strength, "target_db": target_db, "most_db": 40, "least_db": -40}
    heard = through(sound, "agc", **numbers)
    for settled in (frames(1.4), frames(2.9), frames(4.4)):
        was, became = levels(sound)[settled] - active, levels(heard)[settled] - active
        assert became == pytest.approx(was + strength * (target_db - was), abs=0.02)


@pytest.mark.parametrize("attack_s", [0.05, 0.5])
@pytest.mark.parametrize("release_s", [0.2, 1.5])
def test_agc_falls_and_rises_with_its_time_constants(attack_s: float, release_s: float) -> None:
    first, second = frames(1.0), frames(1.0 + 8 * attack_s)
    sound = tone([(1.0, -20), (8 * attack_s, -8), (8 * release_s, -20)])
    gain = gains(sound, through(sound, "agc", **{**AGC, "attack_s": attack_s, "release_s": release_s}))
    # The gain of a frame is that at its middle.
    assert time_constant(gain[first - 1 : second]) - FRAME_S / 2 == pytest.approx(attack_s, rel=0.03)
    assert time_constant(gain[second - 1 :]) - FRAME_S / 2 == pytest.approx(release_s, rel=0.03)


def test_agc_holds_before_it_rises() -> None:
    sound = tone([(0.5, -20), (0.5, -8), (2.0, -20)])
    loud, soft = frames(0.95), frames(1.0)
    for hold_s in (0.3, 0.8):
        gain = gains(sound, through(sound, "agc", **{**AGC, "release_s": 0.05, "hold_s": hold_s}))
        stays = gain[loud : soft + frames(hold_s) - 1]
        assert np.ptp(stays) < 0.05
        assert gain[soft + frames(hold_s) + frames(0.05)] > stays[-1] + 5
        assert gain[-1] - stays[-1] == pytest.approx(12, abs=0.05)


def test_agc_gives_no_more_than_its_most_and_no_less_than_its_least() -> None:
    sound = tone([(1.0, -30), (1.0, 0)])
    gain = gains(sound, through(sound, "agc", **{**AGC, "most_db": 7, "least_db": -2, "target_db": -12}))
    assert gain[frames(0.9)] == pytest.approx(7, abs=0.002)
    assert gain[-1] == pytest.approx(-2, abs=0.001)


def test_agc_waits_in_a_pause() -> None:
    """What is left in the pause, 50 dB under the tone, is not blown up, and nothing pumps when the tone is back."""
    sound = tone([(1.0, -10), (2.0, -60), (1.0, -10)])
    pause = slice(frames(1.1), frames(3.0) - 2)
    kept = gains(sound, through(sound, "agc", **AGC, gate_db=-40, target_db=6))
    assert np.ptp(kept[frames(0.5) :]) < 0.01
    blown = gains(sound, through(sound, "agc", **AGC, gate_db=-90, target_db=6))
    assert blown[pause].max() == pytest.approx(20, abs=0.1)


def test_agc_lets_the_first_attack_through() -> None:
    sound = tone([(1.0, -26), (1.0, 0)])
    onset = frames(1.0)
    gain = gains(sound, through(sound, "agc", **{**AGC, "attack_s": 0.2}))
    assert np.ptp(gain[frames(0.9) : onset]) < 2e-3  # nothing is known of it before
    assert gain[onset] > gain[onset - 1] - 1
    assert gain[onset + frames(0.01)] > gain[-1] + 15


def test_agc_has_one_gain_for_both_channels() -> None:
    sound = tone([(0.5, -20), (0.5, -8), (0.5, -30)], channels=2)
    sound.samples[1] *= 0.1
    heard = through(sound, "agc", **AGC)
    assert np.allclose(heard.samples[1], 0.1 * heard.samples[0], atol=1e-6)
    assert np.abs(gains(sound, heard)).max() > 5


def test_agc_without_strength_changes_nothing() -> None:
    sound = tone([(0.5, -20), (0.5, -8)])
    assert np.array_equal(through(sound, "agc", **{**AGC, "strength": 0}).samples, sound.samples)


@pytest.mark.parametrize("hertz", [50, 200, 5000])
def test_agc_levels_low_notes_as_it_levels_high_ones(hertz: float) -> None:
    """The level was not weighted, but the active level was: a double bass stayed at the least gain all the time."""
    sound = tone([(1.5, 0), (1.5, -12)], hertz)
    gain = gains(sound, through(sound, "agc", **AGC | {"window_s": 0.2}))
    assert gain[frames(2.9)] - gain[frames(1.4)] == pytest.approx(12, abs=0.3)


def test_agc_whose_gate_never_opens_keeps_one_gain() -> None:
    sound = tone([(1.0, -300), (0.1, -6), (1.0, -300)])
    heard = through(sound, "agc", **{**AGC, "window_s": 2, "gate_db": 0})
    playing = gains(sound, heard)[frames(1.0) + 1 : frames(1.1) - 1]
    assert np.isfinite(heard.samples).all()
    assert np.ptp(playing) < 1e-3


# expander

EXPANDER: dict[str, Any] = {"ratio": 2, "attack_s": 0.01, "release_s": 0.05, "most_db": 60}


@pytest.mark.parametrize("ratio", [1.25, 2, 3])
def test_expander_makes_soft_sound_fall_faster(ratio: float) -> None:
    sound = tone([(1.0, 0), (1.0, -18), (1.0, -22), (1.0, -28)])
    active = level.active_db(sound, weighted=False)
    heard = through(sound, "expander", **{**EXPANDER, "ratio": ratio, "threshold_db": -10})
    for settled in (frames(1.9), frames(2.9), frames(3.9)):
        under = active - 10 - levels(sound)[settled]
        assert levels(heard)[settled] == pytest.approx(active - 10 - ratio * under, abs=0.05)
    assert np.abs(gains(sound, heard)[: frames(0.9)]).max() < 1e-3


def test_expander_takes_no_more_than_its_most() -> None:
    sound = tone([(1.0, 0), (1.0, -30), (0.5, -300)])
    gain = gains(sound, through(sound, "expander", **{**EXPANDER, "most_db": 9, "threshold_db": -10}))
    assert gain[frames(1.9)] == pytest.approx(-9, abs=0.01)


def test_expander_opens_and_closes_with_its_time_constants() -> None:
    numbers = {**EXPANDER, "attack_s": 0.05, "release_s": 0.3, "threshold_db": -6, "most_db": 12}
    sound = tone([(1.0, 0), (2.5, -30), (1.0, 0)])
    gain = gains(sound, through(sound, "expander", **numbers))
    falls, opens = frames(1.0), frames(3.5)
    # The gain is a frame ahead (see `dynamics`), and that of a frame is the one at its middle.
    assert time_constant(gain[falls - 2 : opens - 2]) - FRAME_S / 2 == pytest.approx(0.3, rel=0.03)
    assert time_constant(gain[opens - 2 :]) - FRAME_S / 2 == pytest.approx(0.05, rel=0.03)


def test_expander_leaves_loud_sound_alone() -> None:
    sound = tone([(1.0, 0), (1.0, -3)], channels=2)
    assert np.array_equal(through(sound, "expander", **EXPANDER, threshold_db=-12).samples, sound.samples)


# noise suppression as an effect of its own


def repeated_notes(decay_db_s: float = 8.0) -> Audio:
    """Four notes of 3 s that die away, and noise 55 dB under them, as a room has it."""
    time = np.arange(3 * RATE) / RATE
    note = 0.5 * 10 ** (-decay_db_s * time / 20) * np.sin(2 * np.pi * 440 * time) * (time < 2.7)
    noise = 0.001 * default_rng(4).standard_normal(4 * len(note))
    return Audio((np.tile(note, 4) + noise)[None].astype(np.float32), RATE)


def slope(sound: Audio) -> float:
    """How fast the third note dies away, from .1 to 1.6 s after its onset, dB/s."""
    here = levels(sound)[frames(6.1) : frames(7.6)]
    return float(np.polyfit(np.arange(len(here)) * FRAME_S, here, 1)[0])


@pytest.mark.parametrize(("below_db", "thinned_db"), [(-20, 0), (0, 12)])
def test_a_held_tone_is_noise_to_a_phone_that_is_made_for_speech(below_db: float, thinned_db: float) -> None:
    sound = tone([(6.0, -10)])
    heard = through(sound, "suppression", most_db=12, noise_below_db=below_db)
    inner = gains(sound, heard)[frames(1.0) : frames(5.0)]
    assert np.abs(inner + thinned_db).max() < 0.3


def test_suppression_expands_where_it_takes_notes_for_noise() -> None:
    sound = repeated_notes()
    meek, harsh = (
        through(sound, "suppression", most_db=15, noise_below_db=below, window_s=1.5, subtracted=4)
        for below in (-20, 0)
    )
    assert slope(sound) == pytest.approx(-8, abs=0.1)
    assert slope(meek) == pytest.approx(-8, abs=0.5)
    assert slope(harsh) < -16
    onset = slice(6 * RATE, 6 * RATE + RATE // 20)
    energies = [float((each.samples[0, onset].astype(np.float64) ** 2).sum()) for each in (sound, harsh)]
    assert 10 * np.log10(energies[1] / energies[0]) == pytest.approx(0, abs=0.5)


def test_suppression_has_one_gain_for_both_channels_and_none_at_0_db() -> None:
    sound = repeated_notes()
    both = Audio(np.concatenate([sound.samples, 0.1 * sound.samples]), RATE)
    heard = through(both, "suppression", most_db=15, noise_below_db=0)
    assert np.allclose(heard.samples[1], 0.1 * heard.samples[0], atol=1e-6)
    assert np.allclose(through(sound, "suppression", most_db=0, noise_below_db=20).samples, sound.samples, atol=1e-6)


# all of them

WORST: dict[str, dict[str, Any]] = {
    "agc": {**AGC, "most_db": 40, "gate_db": -90, "target_db": 20},
    "expander": {**EXPANDER, "threshold_db": 20, "ratio": 20},
    "suppression": {"most_db": 30, "noise_below_db": 20, "window_s": 0.3, "subtracted": 10},
}


@pytest.mark.parametrize("kind", WORST)
@pytest.mark.parametrize("channels", [1, 2])
def test_silence_stays_silence(kind: str, channels: int) -> None:
    assert not through(Audio(np.zeros((channels, RATE), np.float32), RATE), kind, **WORST[kind]).samples.any()


@pytest.mark.parametrize("kind", WORST)
@pytest.mark.parametrize("rate", [8000, 44_100, 192_000])
def test_short_and_broken_off_sounds_make_no_bad_numbers(kind: str, rate: int) -> None:
    for length in (2, 3, rate // 300, rate // 2 + 1):
        samples = np.zeros((1, length), np.float32)
        samples[:, : max(1, length // 2)] = 0.5
        heard = through(Audio(samples, rate), kind, **WORST[kind])
        assert heard.samples.shape == samples.shape
        assert heard.samples.dtype == np.float32
        assert np.isfinite(heard.samples).all()


@pytest.mark.parametrize("kind", WORST)
def test_the_input_stays_as_it_was(kind: str) -> None:
    sound = tone([(0.5, -6), (0.5, -20)])
    before = sound.samples.copy()
    through(sound, kind, **WORST[kind])
    assert np.array_equal(sound.samples, before)


@pytest.mark.parametrize(
    ("kind", "broken", "message"),
    [
        ("agc", {"strength": 1.5}, r"effect 1 \(agc\): strength must lie within 0 and 1"),
        ("agc", {"attack_s": 0}, "attack_s must lie within 0.001 and 10"),
        ("expander", {"ratio": 0.5}, r"effect 1 \(expander\): ratio must lie within 1 and 20"),
        ("suppression", {"most_db": None}, r"effect 1 \(suppression\): most_db is missing"),
        ("suppression", {"floor_db": 3}, "unknown key 'floor_db'"),
    ],
)
def test_broken_settings_are_told(kind: str, broken: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        through(tone([(0.1, 0)]), kind, **{**WORST[kind], **broken})
