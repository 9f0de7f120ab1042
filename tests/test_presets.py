"""The presets that ship, each on rendered music: what comes out is music, where and as high as its labels say.

A preset that fails here is no music and does not ship. `benchmarks/presets.py` shows the same measures on more works.
"""

from __future__ import annotations

import listening
import numpy as np
import pytest
from sounds import PRESETS, RATE, ROOT, plucks, rng, sine

from clefkit import audio, augment, notes, registry
from clefkit.augment import chain, rooms

SECONDS = 15.0
SEEDS = range(2)
CLICK_S, BEFORE_S = 0.001, 0.03
# The first measures of Bach's prelude in C major (BWV 846), for piano.
PRELUDE = [
    (60, 64, 67, 72, 76),
    (60, 62, 69, 74, 77),
    (59, 62, 67, 74, 77),
    (60, 64, 67, 72, 76),
    (60, 64, 69, 76, 81),
    (60, 62, 66, 69, 74),
    (59, 62, 67, 74, 79),
    (59, 60, 64, 67, 72),
]


def prelude() -> notes.Performance:
    """Sixteenths at 72 quarters a minute, the two low notes of each half measure held."""
    step = 60 / 72 / 4
    rows = []
    for number, chord in enumerate(chord for chord in PRELUDE for _ in range(2)):
        start = 0.2 + number * 8 * step
        figure = [0, 1, 2, 3, 4, 2, 3, 4]
        for place, voice in enumerate(figure):
            held = (8 - place) * step if place < 2 else step
            rows.append((start + place * step, start + place * step + held, chord[voice], 60 + 4 * voice))
    onset, offset, pitch, velocity = np.array(rows).T
    return notes.Performance(notes.make(onset, offset, pitch, velocity))


@pytest.fixture(scope="module")
def pieces() -> list[listening.Piece]:
    font = registry.soundfont().path
    song = listening.beginning(ROOT / "demo" / "erinnerung.mxl", SECONDS)
    return [listening.piece("prelude", prelude(), font), listening.piece("song", song, font)]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_says_what_it_is(name: str) -> None:
    preset = registry.preset(name)
    chain.check(preset)
    assert preset["about"].endswith(".")
    assert preset["source"]
    assert preset["level"] in chain.LEVELS


def test_there_are_presets_for_every_level() -> None:
    levels = [registry.preset(name)["level"] for name in PRESETS]
    assert len(PRESETS) >= 24
    assert min(levels.count(level) for level in chain.LEVELS) >= 6


@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_makes_music(name: str, pieces: list[listening.Piece]) -> None:
    heard = [listening.listen(piece, name, seed) for piece in pieces for seed in SEEDS]
    for each in heard:
        assert listening.LUFS[0] <= each.lufs <= listening.LUFS[1]
        assert each.true_peak_db <= listening.CEILING_DBTP
        assert each.gaps_s == 0
        assert abs(each.late_s) <= listening.LATE_S
        assert abs(each.cents) <= listening.CENTS
    assert np.mean([each.f1_fall for each in heard]) <= listening.F1_FALLS[registry.preset(name)["level"]]


@pytest.mark.parametrize("name", PRESETS)
def test_clicks_land_where_the_clock_says(name: str) -> None:
    """Thirty clicks, laid over one another as the clock says, so that the noise of a preset does not hide them."""
    times = 0.5 + np.cumsum(rng(1).uniform(0.2, 0.4, 30))
    clicks = np.zeros((1, round(12 * RATE)), np.float32)
    clicks[0, np.rint(times * RATE).astype(int)] = 0.5
    for seed in range(2):
        heard, clock = augment.apply(audio.Audio(clicks, RATE), name, rng(seed))
        firsts = np.rint((clock.at(times) - BEFORE_S) * RATE).astype(int)
        laid = np.mean([heard.samples[:, first : first + round(0.15 * RATE)] for first in firsts], axis=0)
        assert abs(rooms.direct(laid).position / RATE - BEFORE_S) <= CLICK_S


@pytest.mark.parametrize("name", PRESETS)
def test_a_tone_is_as_high_as_the_clock_says(name: str) -> None:
    heard, clock = augment.apply(sine(440, 3.0), name, rng(2))
    middle = heard.samples[0, RATE : 2 * RATE].astype(np.float64) * np.hanning(RATE)
    found = np.argmax(np.abs(np.fft.rfft(middle, 16 * RATE))) / 16
    told = 440 / np.diff(clock.at([1.0, 2.0]))[0]
    assert abs(1200 * np.log2(found / told)) < 2
    assert abs(1200 * np.log2(found / 440)) < listening.CENTS


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("channels", [1, 2])
def test_silence_stays_silence(name: str, channels: int) -> None:
    heard, _ = augment.apply(audio.Audio(np.zeros((channels, RATE), np.float32), RATE), name, rng())
    assert not heard.samples.any()


@pytest.mark.parametrize("name", PRESETS)
def test_clipped_sound_does_not_become_louder(name: str) -> None:
    sound, _ = plucks()
    clipped = audio.Audio(np.clip(20 * sound.samples, -1, 1), RATE)
    heard, _ = augment.apply(clipped, name, rng(1))
    assert np.isfinite(heard.samples).all()
    assert audio.true_peak_db(heard.samples) <= listening.CEILING_DBTP
    assert audio.loudness(heard.samples, RATE) <= audio.loudness(clipped.samples, RATE)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("rate", [8000, 16_000, 96_000, 192_000])
def test_other_rates(name: str, rate: int) -> None:
    heard, _ = augment.apply(sine(440, 0.5, rate=rate), name, rng())
    assert heard.rate == rate
    assert np.isfinite(heard.samples).all()
    assert np.abs(heard.samples).max() > 0.01


@pytest.mark.parametrize("name", PRESETS)
def test_a_very_short_sound(name: str) -> None:
    heard, _ = augment.apply(sine(440, 0.05), name, rng())
    assert np.isfinite(heard.samples).all()
    assert np.abs(heard.samples).max() > 0.01
