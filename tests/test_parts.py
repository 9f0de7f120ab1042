"""How long, how high and how each part sounds: pedals, quarter tones, bends, timbres, stems."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playing import hz, performance
from tiny_font import CLICK_AT, RATE, TONE_HZ, Preset, click, font, tone

from clefkit import notes
from clefkit.notes import Control, Part, Performance
from clefkit.render import fluid, plan, synth
from clefkit.render.timbre import Timbre


@pytest.fixture
def clicks(tmp_path: Path) -> Path:
    return font(tmp_path / "click.sf2", Preset(click(), tuned=False), Preset(click(), bank=128, tuned=False))


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    return font(tmp_path / "tone.sf2", Preset(tone(), looped=True))


@pytest.mark.parametrize("semitones", [-2.0, 0.5, 2.0, 7.3, -24.0])
def test_bend_has_the_width_it_says(tones: Path, semitones: float) -> None:
    controls = (Control(0.0, 0, "bend", 0, semitones), Control(1.0, 0, "bend", 0, 0.0))
    sound = synth.render(performance([0], [2], [60], controls=controls), tones, RATE).audio.samples[0]
    cents = 1200 * np.log2(hz(sound[4410:40_000]) / TONE_HZ)
    assert cents == pytest.approx(100 * semitones, abs=0.6)
    assert hz(sound[48_000:80_000]) == pytest.approx(TONE_HZ, rel=1e-4)


def test_pedal_holds_the_sound_but_not_the_label(tones: Path) -> None:
    controls = (Control(0.1, 0, "control", 64, 100), Control(1.5, 0, "control", 64, 0))
    found = synth.render(performance([0], [0.5], [60], controls=controls), tones, RATE)
    assert found.notes.offset[0] == pytest.approx(0.5, abs=32 / RATE)
    level = np.abs(found.audio.samples[0])
    assert level[int(1.4 * RATE) : int(1.45 * RATE)].max() == pytest.approx(level[5000:10_000].max(), rel=0.01)
    assert found.audio.duration_s == pytest.approx(1.55, abs=0.1)


def test_pedal_pressed_again_at_the_same_moment_lets_go(tones: Path) -> None:
    change = tuple(Control(time, 0, "control", 64, value) for time, value in ((0.1, 127), (1.0, 0), (1.0, 127)))
    found = synth.render(performance([0], [0.5], [60], controls=(*change, Control(2.0, 0, "control", 64, 0))), tones)
    assert np.abs(found.audio.samples[0, int(1.2 * RATE) :]).max() < 1e-3 * np.abs(found.audio.samples).max()


def test_sound_that_never_ends_is_faded_after_ten_seconds(tones: Path) -> None:
    found = synth.render(performance([0], [0.5], [60], controls=(Control(0.1, 0, "control", 64, 127),)), tones, RATE)
    assert found.audio.duration_s == pytest.approx(10.5, abs=0.05)
    assert np.abs(found.audio.samples[:, -4:]).max() < 1e-3 * np.abs(found.audio.samples).max()


def test_volume_of_one_part_leaves_the_others_alone(tones: Path) -> None:
    parts = (Part("a"), Part("b"))
    controls = (Control(0, 0, "control", 7, 30),)
    played = performance([0, 1], [0.5, 1.5], [60, 60], [100, 100], [0, 1], parts=parts, controls=controls)
    quiet = synth.render(played, tones)
    level = np.abs(quiet.audio.samples[0])
    assert level[:20_000].max() < 0.2 * level[RATE : RATE + 20_000].max()


def test_struck_again_while_it_sounds(tones: Path) -> None:
    asked = notes.make([0, 0.5, 0.5001, 2], [1, 1.5, 1.8, 2], [60, 60, 60, 64.5], [50, 60, 70, 80], ids=list("abcd"))
    found = synth.render(Performance(asked), tones).notes
    assert np.asarray(found.ids).tolist() == ["a", "c", "d"]
    assert found.onset == pytest.approx([0, 0.5, 2], abs=1e-3)
    assert found.offset == pytest.approx([found.onset[1], 1.8, found.onset[2] + 64 / RATE], abs=1e-3)
    assert found.offset[0] == found.onset[1]
    assert found.pitch.tolist() == [60, 60, 64.5]


def test_a_pedal_keeps_the_sound_and_the_label_says_how_long(tones: Path) -> None:
    """The damper holds what ends while it is down; a key struck again ends the old sound."""
    controls = (Control(0.2, 0, "control", 64, 127), Control(2.0, 0, "control", 64, 63))
    played = performance([0, 0.5, 1.5, 2.5], [0.1, 1.0, 2.2, 3.0], [60, 62, 64, 62], controls=controls)
    found = synth.render(played, tones).notes
    assert found.offset == pytest.approx([0.1, 1.0, 2.2, 3.0], abs=1e-3)
    assert found.sounding == pytest.approx([0.1, 2.0, 2.2, 3.0], abs=1e-3)
    again = performance([0.5, 1.0], [0.6, 1.1], [62, 62], controls=controls)
    labels = synth.render(again, tones).notes
    assert labels.sounding is not None
    assert labels.sounding[0] == labels.onset[1]
    assert labels.sounding[1] == pytest.approx(2.0, abs=1e-3)


def test_a_sound_ends_where_its_label_says(tones: Path) -> None:
    controls = (Control(0.2, 0, "control", 64, 127), Control(1.3, 0, "control", 64, 0))
    found = synth.render(performance([0], [0.5], [60], controls=controls), tones)
    assert found.notes.sounding is not None
    end = round(found.notes.sounding[0] * RATE)
    level = np.abs(found.audio.samples[0])
    assert level[end - 200 : end].max() == pytest.approx(level[10_000:20_000].max(), rel=1e-3)
    assert level[end + 400 : end + 600].max() < 0.1 * level[10_000:20_000].max()


def test_sostenuto_holds_only_what_sounded_when_it_went_down(tones: Path) -> None:
    controls = (Control(0.5, 0, "control", 66, 127), Control(3.0, 0, "control", 66, 0))
    found = synth.render(performance([0, 0.6], [1, 1], [60, 64], controls=controls), tones).notes
    assert found.sounding == pytest.approx([3.0, 1.0], abs=1e-3)


def test_dampers_keep_what_the_sostenuto_lets_go(tones: Path) -> None:
    moves = ((0.5, 66, 127), (1.5, 64, 127), (2.0, 66, 0), (3.0, 64, 0))
    controls = tuple(Control(time, 0, "control", number, value) for time, number, value in moves)
    found = synth.render(performance([0], [1], [60], controls=controls), tones).notes
    assert found.sounding == pytest.approx([3.0], abs=1e-3)


def test_without_a_pedal_the_sound_is_let_go_with_the_key(tones: Path) -> None:
    found = synth.render(performance([0, 1], [0.5, 2], [60, 61]), tones).notes
    assert found.sounding is not None
    assert found.sounding.tolist() == found.offset.tolist()


def test_a_pedal_that_stays_down_holds_until_the_end(tones: Path) -> None:
    found = synth.render(performance([0], [0.5], [60], controls=(Control(0.1, 0, "control", 64, 127),)), tones)
    assert found.notes.sounding is not None
    assert found.notes.sounding[0] == pytest.approx(found.audio.duration_s)


@pytest.mark.parametrize("pitch", [60.5, 59.75, 61.33])
def test_notes_between_the_keys_sound_as_written_beside_others(tones: Path, pitch: float) -> None:
    found = synth.render(performance([0, 1], [0.9, 2], [60, pitch]), tones)
    assert found.notes.pitch.tolist() == [60, pitch]
    samples = found.audio.samples[0]
    assert hz(samples[4000:36_000]) == pytest.approx(TONE_HZ, rel=1e-4)
    assert 1200 * np.log2(hz(samples[48_000:80_000]) / TONE_HZ) == pytest.approx(100 * (pitch - 60), abs=0.6)


def test_a_bend_reaches_notes_between_the_keys(tones: Path) -> None:
    played = performance([0, 1], [0.9, 2], [60, 60.5], controls=(Control(0, 0, "bend", 0, 2.0),))
    samples = synth.render(played, tones).audio.samples[0]
    assert 1200 * np.log2(hz(samples[48_000:80_000]) / TONE_HZ) == pytest.approx(250, abs=0.6)


def test_more_fractions_than_channels_go_to_the_nearest(tones: Path) -> None:
    pitch = 60 + np.arange(40) / 40
    found = synth.render(performance(np.arange(40) * 0.1, np.arange(40) * 0.1 + 0.05, pitch), tones).notes
    assert len(np.unique(np.rint(found.pitch * 100) % 100)) <= plan.MOST_TUNINGS
    assert np.abs(found.pitch - pitch).max() <= 0.0325


def test_a_timbre_is_what_its_numbers_say(tones: Path) -> None:
    played = performance([0], [1], [60], [64])
    plain = synth.render(played, [Timbre(tones, 0, 0)])
    detuned = synth.render(played, [Timbre(tones, 0, 0, detune_cents=-7.0)]).audio.samples[0]
    assert 1200 * np.log2(hz(detuned[4000:40_000]) / TONE_HZ) == pytest.approx(-7, abs=0.6)
    level = np.abs(plain.audio.samples).max()
    louder = synth.render(played, [Timbre(tones, 0, 0, velocity_exponent=0.5)])
    sent = synth.render(performance([0], [1], [60], [90]), tones)
    assert louder.audio.samples.tobytes() == sent.audio.samples.tobytes()
    assert louder.notes.velocity.tolist() == [64]
    slow = synth.render(played, [Timbre(tones, 0, 0, attack_timecents=8400.0)]).audio.samples  # 1 ms becomes 128 ms
    assert np.abs(slow[:, 2000:3000]).max() < 0.7 * level
    long = synth.render(played, [Timbre(tones, 0, 0, release_timecents=7200.0)])
    assert long.audio.duration_s > plain.audio.duration_s + 0.02
    dull = synth.render(played, [Timbre(tones, 0, 0, cutoff_cents=-9000.0)]).audio.samples
    assert np.abs(dull[:, 20_000:40_000]).max() < 0.7 * level


def test_width_narrows_and_widens_the_image(tones: Path) -> None:
    pan = (Control(0, 0, "control", 10, 20),)

    def sides(width: float) -> NDArray[np.float32]:
        played = performance([0], [1], [60], controls=pan)
        return synth.render(played, [Timbre(tones, 0, 0, width=width)]).audio.samples

    narrow, plain, wide = sides(0.0), sides(1.0), sides(1.5)
    assert (narrow[0] == narrow[1]).all()
    middle = plain.sum(axis=0)
    for image in (narrow, wide):
        assert np.abs(image.sum(axis=0) - middle).max() < 1e-6
    assert np.abs(wide[0] - wide[1]).max() == pytest.approx(1.5 * np.abs(plain[0] - plain[1]).max(), rel=1e-3)


def test_parts_play_on_their_own_fonts(tones: Path, clicks: Path) -> None:
    played = performance([0, 1.0], [0.5, 1.1], [60, 60], None, [0, 1], parts=(Part("a"), Part("b")))
    found = synth.render(played, [Timbre(tones, 0, 0), Timbre(clicks, 0, 0)])
    assert hz(found.audio.samples[0, 4000:20_000]) == pytest.approx(TONE_HZ, rel=1e-4)
    start = round(found.notes.onset[1] * RATE)
    assert np.flatnonzero(np.abs(found.audio.samples[0, start - 32 : start + 64]) > 1e-5)[0] == 32 + CLICK_AT


def test_a_preset_that_is_not_there_is_silent(tones: Path) -> None:
    played = performance([0, 1], [0.5, 1.5], [60, 60], None, [0, 1], parts=(Part(), Part()))
    for missing in (None, Timbre(tones, 5, 5)):
        found = synth.render(played, [missing, Timbre(tones, 0, 0)])
        assert (found.notes.part.tolist(), found.silent.part.tolist()) == ([1], [0])


def test_mix_is_the_sum_of_its_stems_and_the_same_without_them(soundfont: Path) -> None:
    generator = np.random.default_rng(5)
    onset = generator.uniform(0, 4, 60)
    parts = (Part("a", 40), Part("b", 0), Part("c", 73))
    part = np.arange(60) % 3
    controls = (Control(0.5, 1, "control", 64, 127), Control(3.5, 1, "control", 64, 0))
    played = performance(onset, onset + 0.3, generator.integers(50, 80, 60), None, part, parts=parts, controls=controls)
    plain = synth.render(played, soundfont)
    kept = synth.render(played, soundfont, stems=True)
    assert plain.stems is None
    assert kept.stems is not None
    assert plain.audio.samples.tobytes() == kept.audio.samples.tobytes()
    assert (plain.peak_db, len(kept.stems)) == (kept.peak_db, 3)
    length = kept.audio.samples.shape[1]
    stems = [kept.stems.read(number, length) for number in range(3)]
    total = np.zeros((2, length), np.float32)
    for stem in stems:
        total += stem
    assert total.tobytes() == kept.audio.samples.tobytes()
    alone = Performance(notes.alone(played.notes, 1), tuple(each._replace(part=0) for each in controls))
    solo = synth.render(alone, soundfont).audio.samples
    assert stems[1][:, : solo.shape[1]].tobytes() == solo.tobytes()


def test_columns_of_the_source_come_through(tones: Path) -> None:
    asked = notes.make([1, 0], [2, 0.5], [60, 61], ids=["b", "a"], measure=["2", "1"], beat=[1.0, 3.5], sounding=[9, 9])
    found = synth.render(Performance(asked), tones).notes
    assert [np.asarray(each).tolist() for each in (found.ids, found.measure, found.beat)] == [
        ["a", "b"],
        ["1", "2"],
        [3.5, 1.0],
    ]
    assert found.sounding is not None
    assert found.sounding.tolist() == found.offset.tolist()


def test_silence_that_is_not_rendered_changes_no_byte(soundfont: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The synthesizer is not asked where no voice sounds; when it is, it comes out the same."""
    onset = np.array([0, 0.1, 8, 8.05, 20, 20.3])
    played = performance(onset, onset + 0.2, [60, 64, 60, 67, 48, 60], parts=(Part("", 13),))
    skipped = synth.render(played, soundfont)
    library = fluid.library()
    write = library.call["write_float"]
    asked = []

    def always_write(handle: int, frames: int, *places: int) -> None:
        asked.append(frames)
        write(handle, frames, *places)

    monkeypatch.setitem(library.call, "write_float", always_write)
    synth.render(played, soundfont)
    rendered = sum(asked)
    monkeypatch.setattr("clefkit.render.player.Writer.sounding", property(lambda _: True))
    whole = synth.render(played, soundfont)
    assert rendered < 0.5 * skipped.audio.samples.shape[1]
    assert sum(asked) - rendered >= skipped.audio.samples.shape[1]
    shared = skipped.audio.samples.shape[1]
    assert whole.audio.samples[:, :shared].tobytes() == skipped.audio.samples.tobytes()
