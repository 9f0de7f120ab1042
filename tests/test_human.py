"""How a human plays: each rule in its direction, bounds, the same again from the same chance."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from clefkit.errors import UsageError
from clefkit.render import human
from clefkit.render.human import RULES, Interpretation, Line
from clefkit.render.jitter import pink
from clefkit.render.line import Array
from clefkit.render.phrases import divide, local_boundaries
from clefkit.render.reading import read
from clefkit.render.rules import Effect

NO_RULES = dict.fromkeys(RULES, 0.0)


def line(pitch: Any, duration: Any = 1.0, *, onset: Any = None, **more: Any) -> Line:
    """A melody in 4/4 at 120 quarters a minute."""
    tones = np.asarray(pitch, np.float64)
    lengths = np.broadcast_to(np.asarray(duration, np.float64), tones.shape).copy()
    starts = np.concatenate([[0.0], np.cumsum(lengths)[:-1]]) if onset is None else np.asarray(onset, np.float64)
    end = float((starts + lengths).max())
    bars = np.arange(0.0, end, 4.0)
    whole = np.zeros(len(tones), np.int64)
    plain = Line(
        starts, lengths, tones, whole, whole, np.full(len(tones), 64.0), whole > 0, whole > 0, bars,
        np.ones(len(bars)), np.zeros(len(bars), np.int64), np.full(len(tones), 0.5), (end,),
    )  # fmt: skip
    return dataclasses.replace(plain, **more)


def chorale(bars: int = 32) -> Line:
    """Four voices on two staves, in quarters, with a half note at the end of every fourth bar."""
    onsets = [beat for beat in range(4 * bars) if beat % 16 != 15]
    tune = np.random.default_rng(5).integers(-4, 5, len(onsets))
    rows = [
        (beat, 2.0 if beat % 16 == 14 else 1.0, tone + move, voice)
        for beat, move in zip(onsets, tune.tolist(), strict=True)
        for tone, voice in ((43, 1), (52, 1), (64, 0), (72, 0))
    ]
    onset, duration, pitch, voice = (np.array(column, np.float64) for column in zip(*rows, strict=True))
    return line(pitch, duration, onset=onset, voice=voice.astype(np.int64))


def effect(name: str, played: Line) -> Effect:
    return RULES[name].effect(read(played))


def given(value: Array | None) -> Array:
    assert value is not None
    return value


def played(score: Line, amount: float = 0.5, seed: int = 0, weights: dict[str, float] | None = None) -> Interpretation:
    return human.interpret(score, amount, np.random.default_rng(seed), weights)


def test_nothing_is_added_at_zero() -> None:
    view = played(chorale(), 0.0)
    assert np.all(view.tempo_factor == 1)
    assert np.all(view.length == 1)
    assert not view.shift_s.any()
    assert not view.velocity.any()


@pytest.mark.parametrize("amount", [0.5, 1.0])
def test_bounds_hold_and_the_mean_tempo_is_kept(amount: float) -> None:
    score = chorale()
    for seed in range(5):
        view = played(score, amount, seed, {"final_ritard": 3.0})
        assert np.all(np.diff(view.tempo_onset) > 0)
        assert view.tempo_factor.min() >= 0.5
        assert view.tempo_factor.max() <= 2.2
        assert np.abs(view.shift_s).max() <= 0.04
        assert view.length.min() > 0
        places = np.linspace(0, score.ends[-1], 20_001)
        mean = np.interp(places, view.tempo_onset, view.tempo_factor).mean()
        assert mean == pytest.approx(1.0, abs=0.03)


def test_chance_alone_decides() -> None:
    first, again, other = played(chorale()), played(chorale()), played(chorale(), seed=1)
    assert dataclasses.astuple(first)[1].tobytes() == dataclasses.astuple(again)[1].tobytes()
    assert np.array_equal(first.velocity, again.velocity)
    assert np.array_equal(first.shift_s, again.shift_s)
    assert not np.allclose(first.tempo_factor, other.tempo_factor)
    assert not np.allclose(first.velocity, other.velocity)


def test_notes_of_one_hand_stay_together_and_hands_nearly() -> None:
    score = chorale()
    shift = played(score).shift_s
    for onset in np.unique(score.onset):
        for voice in (0, 1):
            assert len(np.unique(shift[(score.onset == onset) & (score.voice == voice)])) == 1
    assert np.ptp(shift.reshape(-1, 4), axis=1).max() < 0.05


def test_tempo_bends_little_from_beat_to_beat() -> None:
    view = played(chorale())
    assert np.abs(np.diff(np.log(view.tempo_factor))).max() < 0.35
    assert 0.02 < np.log(view.tempo_factor).std() < 0.2


@pytest.mark.parametrize(
    "pitch", [[60], [60, 60], [], range(60, 63)], ids=["one note", "two notes", "none", "three notes"]
)
def test_short_lines_are_played(pitch: Any) -> None:
    if len(pitch):
        view = played(line(pitch))
    else:
        nothing = np.zeros(0)
        view = played(dataclasses.replace(line([60]), onset=nothing, pitch=nothing, duration=nothing))
    assert len(view.velocity) == len(pitch)
    assert np.all(np.isfinite(view.tempo_factor))


def test_notes_before_the_first_bar_line_and_strange_bars_are_played() -> None:
    score = line([60] * 9, onset=[-1.0, *range(8)], bars=np.array([0.0, 4.0, 4.5]), beat=np.array([1.0, 0.5, 1.5]),
                 key=np.zeros(3, np.int64))  # fmt: skip
    view = played(score)
    assert np.all(np.diff(view.tempo_onset) > 0)
    assert view.tempo_onset[0] < 0


def test_weights_are_read() -> None:
    assert human.weights(["high_loud=0.5", "leap=0"]) == {"high_loud": 0.5, "leap": 0.0}
    with pytest.raises(UsageError, match="no rule is called loudness"):
        human.weights(["loudness=1"])
    with pytest.raises(UsageError, match="must be a number"):
        human.weights(["leap=much"])
    with pytest.raises(UsageError, match="finite"):
        human.weights(["leap=nan"])


def test_a_weight_reaches_the_performance() -> None:
    score = line(range(48, 80))
    plain, louder = played(score, weights=NO_RULES), played(score, weights=NO_RULES | {"high_loud": 1.0})
    assert np.all(np.diff(louder.velocity - plain.velocity) > 0)


def test_drift_is_stronger_the_slower() -> None:
    power = np.mean([np.abs(np.fft.rfft(pink(1024, np.random.default_rng(seed)))) ** 2 for seed in range(200)], axis=0)
    slope = np.polyfit(np.log(np.arange(1, 400)), np.log(power[1:400]), 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.1)
    assert np.std([pink(4096, np.random.default_rng(seed)) for seed in range(50)]) == pytest.approx(1.0, abs=0.15)


def test_a_long_note_and_a_rest_end_a_fragment() -> None:
    onset = np.array([0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13.0])
    boundary = local_boundaries(np.array([60.0, 61.0] * 6), onset, onset + 1)
    assert set(np.argsort(boundary)[-2:]) == {4, 8}


def test_phrases_keep_to_good_boundaries() -> None:
    strength = np.zeros(48)
    strength[[14, 32]] = 2.0
    assert {14, 32} <= set(divide(strength, 16.0).tolist())
    assert len(divide(np.zeros(64), 16.0)) == 4


@pytest.mark.parametrize("name", ["phrase_arch_section", "phrase_arch_long", "phrase_arch"])
def test_phrase_arch_is_faster_in_the_middle(name: str) -> None:
    score = chorale()
    reading = read(score)
    tempo = given(RULES[name].effect(reading).tempo)
    starts = reading.phrases[["phrase_arch_section", "phrase_arch_long", "phrase_arch"].index(name)]
    assert len(starts) > 1
    for first, last in zip(starts, [*starts[1:], len(reading.beats)], strict=True):
        assert tempo[(first + last) // 2] < tempo[last - 1]
        assert tempo[(first + last) // 2] < tempo[first]


def test_final_ritard_slows_down_steadily() -> None:
    tempo = given(effect("final_ritard", line([60] * 32)).tempo)
    assert not tempo[:24].any()
    assert np.all(np.diff(tempo[-6:]) > 0)
    view = played(line([60] * 32), weights=NO_RULES | {"final_ritard": 1.0})
    plain = played(line([60] * 32), weights=NO_RULES)
    assert np.all(np.diff((view.tempo_factor / plain.tempo_factor)[-6:]) > 0)


def test_sections_end_with_less_ritard_than_the_piece() -> None:
    tempo = given(effect("final_ritard", line([60] * 32, ends=(16.0, 32.0))).tempo)
    assert 0 < tempo[15] < tempo[31]
    assert tempo[16] == 0


def test_high_loud() -> None:
    assert np.all(np.diff(given(effect("high_loud", line([50, 55, 60, 72])).velocity)) > 0)


def test_duration_contrast() -> None:
    found = effect("duration_contrast", line([60] * 6, [1, 1, 1, 0.25, 0.75, 2]))
    velocity, tempo = given(found.velocity), given(found.tempo)
    assert velocity[3] < velocity[0] < velocity[5]
    assert tempo[3] < tempo[0] < tempo[4]


def test_double_duration() -> None:
    shift = given(effect("double_duration", line([60, 62, 64], [1, 0.5, 2])).shift_s)
    assert shift[1] < 0 == shift[0]


def test_inegales_delay_what_is_between_beats_and_wait_to_be_asked() -> None:
    shift = given(effect("inegales", line([60] * 4, 0.5)).shift_s)
    assert shift[1] > 0 == shift[0]
    assert RULES["inegales"].weight == 0


def test_melodic_charge() -> None:
    velocity = given(effect("melodic_charge", line([60, 64, 67, 60, 61, 60, 67, 60])).velocity)
    assert velocity[4] > velocity[1] > velocity[0]


def test_harmonic_charge() -> None:
    chords = [(60, 64, 67)] * 12 + [(61, 66, 70)] * 4 + [(60, 64, 67)] * 12
    score = line(np.concatenate(chords), onset=np.repeat(np.arange(28.0), 3))
    velocity = given(effect("harmonic_charge", score).velocity).reshape(-1, 3)[:, 0]
    assert 12 <= velocity.argmax() < 16


def test_punctuation_holds_and_detaches_the_last_note_of_a_fragment() -> None:
    score = line([60, 62, 64, 65, 67, 65, 64, 62, 60], [1, 1, 1, 3, 1, 1, 1, 1, 2], ends=(6.0, 12.0))
    found = effect("punctuation", score)
    assert given(found.length).argmin() == 3
    tempo = given(found.tempo)
    assert tempo[5] > tempo[1]


def test_leap_pauses_before_wide_intervals() -> None:
    length = given(effect("leap", line([60, 62, 74, 76, 55])).length)
    assert length[1] < 0 == length[0]
    assert length[3] < length[1]


def test_repetition_lets_go() -> None:
    length = given(effect("repetition", line([60, 60, 62, 64])).length)
    assert length[0] < 0
    assert not length[1:].any()


def test_slurs_and_staccato_sound() -> None:
    marked = np.array([True, False, False])
    assert given(effect("score_legato", line([60, 62, 64], slurred=marked)).length)[0] > 0
    length = given(effect("score_staccato", line([60, 62, 64], [2, 1, 0.25], staccato=np.ones(3, np.bool_))).length)
    assert np.all(np.diff(length) > 0)


def test_faster_uphill() -> None:
    tempo = given(effect("faster_uphill", line([60, 62, 64, 65, 64, 62, 60])).tempo)
    assert tempo[1] < tempo[4]


def test_beat_accent() -> None:
    found = effect("beat_accent", line([60] * 16, 0.5))
    velocity, tempo = given(found.velocity), given(found.tempo)
    assert velocity[0] > velocity[2] > velocity[1]
    assert tempo[0] > tempo[1]


def test_melody_is_loudest_then_bass_and_leads() -> None:
    score = chorale(4)
    loud = given(effect("melody_loud", score).velocity) + given(effect("bass_loud", score).velocity)
    voicing = loud.reshape(-1, 4)
    assert np.all(voicing[:, 3] > voicing[:, 1])
    assert np.all(voicing[:, 0] > voicing[:, 1])
    lead = given(effect("melody_lead", score).shift_s).reshape(-1, 4)
    assert np.all(lead[:, 3] < lead[:, 0])


def test_thick_places_are_louder_and_go_on() -> None:
    onset = np.concatenate([np.arange(0, 16, 1.0), np.arange(16, 32, 0.25)])
    found = effect("texture", line(np.full(len(onset), 60), 0.25, onset=onset))
    velocity, tempo = given(found.velocity), given(found.tempo)
    assert velocity[-8] > velocity[4]
    assert tempo[28] < tempo[4]


def test_wide_reach_takes_time() -> None:
    low = np.full(32, 48.0)
    low[16] = 30.0
    score = line(np.stack([low, np.full(32, 72.0)], axis=1).reshape(-1), onset=np.repeat(np.arange(32.0), 2))
    assert given(effect("reach", score).tempo).argmax() == 16


def test_dynamics_drive_the_tempo_and_come_closer() -> None:
    velocity = np.repeat([40.0, 100.0], 16)
    score = line([60] * 32, velocity=velocity)
    tempo = given(effect("loud_fast", score).tempo)
    assert tempo[24] < tempo[4]
    closer = velocity + played(score, 1.0, weights=NO_RULES | {"dynamic_range": 0.5}).velocity
    assert 10 < closer[16:].mean() - closer[:16].mean() < 60


def test_every_rule_is_tested_here() -> None:
    assert set(RULES) == {
        "phrase_arch_section", "phrase_arch_long", "phrase_arch", "final_ritard", "punctuation", "duration_contrast",
        "texture", "reach", "faster_uphill", "beat_accent", "loud_fast", "dynamic_range", "high_loud", "melody_loud",
        "bass_loud", "melodic_charge", "harmonic_charge", "leap", "repetition", "score_legato", "score_staccato",
        "melody_lead", "double_duration", "inegales",
    }  # fmt: skip


def test_however_freely_played_what_is_written_louder_stays_louder() -> None:
    loud = np.repeat([40.0, 100.0], 100)
    score = line([60] * 200, velocity=loud)
    only = NO_RULES | {"dynamic_range": 3.0}
    heard = loud + np.mean([played(score, 1.0, seed, only).velocity for seed in range(20)], axis=0)
    assert 5 < heard[100:].mean() - heard[:100].mean() < 20
