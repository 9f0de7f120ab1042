"""Synthesis against soundfonts made here, in which every right answer is known: a click, a tone, half a keyboard."""

from __future__ import annotations

import _ctypes
import os
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playing import errors, hz, performance
from tiny_font import CLICK_AT, RATE, TONE_HZ, Preset, click, font, tone

from clefkit import audio, notes, render
from clefkit.errors import InputError, MissingError
from clefkit.notes import Control, Notes, Part, Performance
from clefkit.render import fluid, fonts, plan, synth


@pytest.fixture
def clicks(tmp_path: Path) -> Path:
    return font(tmp_path / "click.sf2", Preset(click(), tuned=False), Preset(click(), bank=128, tuned=False))


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    return font(tmp_path / "tone.sf2", Preset(tone(), looped=True))


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 48_000, 96_000])
def test_click_lies_exactly_where_the_label_says(tmp_path: Path, rate: int) -> None:
    generator = np.random.default_rng(rate)
    soundfont = font(tmp_path / "click.sf2", Preset(click(), tuned=False), rate=rate)
    asked = np.cumsum(generator.uniform(0.1, 0.3, 500))
    played = performance(asked, asked + 0.05, generator.integers(20, 110, 500), generator.integers(20, 127, 500))
    found = synth.render(played, soundfont, rate)
    onset = found.notes.onset * rate
    assert np.abs(onset / 64 - np.rint(onset / 64)).max() < 1e-9
    assert np.abs(onset - asked * rate).max() <= 32 + 1e-6
    assert errors(found.audio, found.notes) == {0}


def test_tempo_changes_do_not_move_the_clicks(tmp_path: Path, clicks: Path) -> None:
    """The defect of FluidSynth's own player: 2 s late after 400 beats of rubato at 48 ticks a beat."""
    import mido

    generator = np.random.default_rng(1)
    file, track = mido.MidiFile(ticks_per_beat=48), mido.MidiTrack()
    for _ in range(200):
        track.append(mido.MetaMessage("set_tempo", tempo=int(generator.integers(200_000, 700_000))))
        track.append(mido.Message("note_on", note=76, velocity=100))
        track.append(mido.Message("note_off", note=76, time=48))
    file.tracks.append(track)
    file.save(tmp_path / "rubato.mid")
    played = render.performance(tmp_path / "rubato.mid")
    sound, labels = render.sound(played, clicks, RATE)
    assert len(labels) == 200
    assert errors(sound, labels) == {0}
    assert np.abs(labels.onset - played.notes.onset).max() <= 32.5 / RATE


def test_same_bytes_each_time_and_after_other_music(soundfont: Path, scale_notes: Notes) -> None:
    scale = Performance(scale_notes, (Control(0.3, 0, "control", 64, 127), Control(1.2, 0, "control", 64, 0)))
    other = performance([0, 0.1], [1, 2], [40, 90], None, [0, 1], parts=(Part("", 20), Part("", 0, drums=True)))
    first = synth.render(scale, soundfont, 22_050)
    synth.render(other, soundfont, RATE)
    again = synth.render(scale, soundfont, 22_050)
    assert first.audio.samples.tobytes() == again.audio.samples.tobytes()


def test_same_bytes_in_another_process(soundfont: Path, scale_notes: Notes, tmp_path: Path) -> None:
    notes.write_midi(tmp_path / "x.mid", scale_notes)
    program = (
        "import sys, zlib, pathlib; from clefkit import render; "
        "played = render.performance(pathlib.Path(sys.argv[1])); "
        "print(zlib.crc32(render.sound(played, pathlib.Path(sys.argv[2]))[0].samples.tobytes()))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "x.mid"), str(soundfont)]
    # pyfluidsynth prints where it found the library when it believes it is in CI.
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "CI": "1"})
    here = render.sound(render.performance(tmp_path / "x.mid"), soundfont)[0].samples
    assert (done.stdout, done.stderr) == (f"{zlib.crc32(here.tobytes())}\n", "")


def test_drums_play_on_the_kit_whatever_their_channel(tmp_path: Path) -> None:
    soundfont = font(tmp_path / "x.sf2", Preset(tone(), looped=True), Preset(click(), bank=128, tuned=False))
    parts = (*(Part(f"{n}") for n in range(9)), Part("tenth"), Part("kit", 0, drums=True))
    found = synth.render(performance([0.1, 1.0], [0.5, 1.1], [60, 36], None, [9, 10], parts=parts), soundfont)
    sound = found.audio.samples[0]
    assert hz(sound[8000:20_000]) == pytest.approx(TONE_HZ, rel=1e-4)
    start = round(found.notes.onset[1] * RATE)
    assert np.flatnonzero(np.abs(sound[start - 32 : start + 64]) > 1e-5)[0] == 32 + CLICK_AT
    assert found.substituted == ()


def test_notes_without_a_sound_are_not_in_the_labels(tmp_path: Path) -> None:
    soundfont = font(tmp_path / "x.sf2", Preset(tone(), looped=True, keys=(60, 72)))
    onset = np.array([0, 0.5, 1.0, 1.5])
    parts = (Part("half a piano"), Part("no kit here", drums=True))
    asked = notes.make(onset, onset + 0.4, [60, 73, 59, 72], None, [0, 0, 0, 1], parts, ids=["a", "b", "c", "d"])
    found = synth.render(Performance(asked), soundfont)
    assert (found.notes.ids, found.silent.ids) != (None, None)
    assert np.asarray(found.notes.ids).tolist() == ["a"]
    assert np.asarray(found.silent.ids).tolist() == ["b", "c", "d"]


def test_a_font_of_one_instrument_plays_everything_and_says_so(tmp_path: Path) -> None:
    soundfont = font(tmp_path / "x.sf2", Preset(tone(), bank=3, program=17, looped=True))
    found = synth.render(performance([0], [1], [60], parts=(Part("violin", 40),)), soundfont)
    assert (len(found.notes), found.substituted) == (1, (0,))


@pytest.mark.parametrize("count", [20, 256])
def test_many_parts_keep_their_own_instruments(tmp_path: Path, count: int) -> None:
    shift = [np.roll(click(), 2 * n) for n in range(100)]
    soundfont = font(tmp_path / "x.sf2", *(Preset(each, program=n, tuned=False) for n, each in enumerate(shift)))
    onset = np.arange(count) * 0.01 + 0.1
    parts = tuple(Part(f"{n}", n % 100) for n in range(count))
    found = synth.render(
        performance(onset, onset + 0.005, [60] * count, None, np.arange(count), parts=parts), soundfont
    )
    assert len(found.notes) == count
    for part, start in zip(found.notes.part, np.rint(found.notes.onset * RATE).astype(int), strict=True):
        window = np.abs(found.audio.samples[0, start : start + 256])
        assert np.flatnonzero(window > 0.5 * window.max())[0] == CLICK_AT + 2 * (part % 100)


def test_more_notes_than_voices_are_still_labelled(tones: Path) -> None:
    count = 1500
    pitch, part = np.arange(count) % 100 + 10, np.arange(count) // 100
    onset = np.arange(count) * 1e-3
    parts = tuple(Part(f"{n}") for n in range(15))
    found = synth.render(performance(onset, onset + 3, pitch, None, part, parts=parts), tones)
    assert len(found.notes) == count


def test_written_peak_is_at_most_minus_one_decibel(soundfont: Path, scale_notes: Notes) -> None:
    sound, _ = render.sound(Performance(scale_notes), soundfont)
    assert -1.05 < audio.true_peak_db(sound.samples) <= -1.0


def test_what_can_not_be_played(tones: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no notes to play"):
        synth.render(performance([], [], []), tones)
    with pytest.raises(InputError, match="257 parts, more than 256"):
        synth.render(performance([0], [1], [60], parts=(Part(),) * 257), tones)
    with pytest.raises(InputError, match="longer than 2 hours"):
        synth.render(performance([8000], [8001], [60]), tones)
    with pytest.raises(InputError, match="7999 Hz is outside"):
        synth.render(performance([0], [1], [60]), tones, 7999)
    with pytest.raises(InputError, match=r"the soundfont none\.sf2 can't be read"):
        synth.render(performance([0], [1], [60]), tmp_path / "none.sf2")
    (tmp_path / "text.sf2").write_text("no font")
    with pytest.raises(InputError, match=r"the soundfont text\.sf2: not a soundfont"):
        synth.render(performance([0], [1], [60]), tmp_path / "text.sf2")


@pytest.fixture
def _fresh_library() -> Iterator[None]:
    fluid.library.cache_clear()
    yield
    fluid.library.cache_clear()


@pytest.mark.usefixtures("_fresh_library")
def test_another_library_is_not_fluidsynth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEFKIT_FLUIDSYNTH", _ctypes.__file__)
    with pytest.raises(MissingError, match="FluidSynth is missing"):
        synth.version()


@pytest.mark.usefixtures("_fresh_library")
def test_missing_library_is_told_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLEFKIT_FLUIDSYNTH", str(tmp_path / "libnone.so"))
    with pytest.raises(MissingError, match=r"FluidSynth is missing: (apt-get|dnf|brew|choco) install \S*fluid"):
        synth.version()


def test_fonts_beyond_the_few_that_are_kept_are_let_go(tmp_path: Path) -> None:
    played = performance([0], [0.1], [60])
    each = [font(tmp_path / f"{n}.sf2", Preset(tone(), looped=True)) for n in range(fonts.KEPT + 3)]
    sounds = {synth.render(played, one).audio.samples.tobytes() for one in [*each, *each]}
    assert len(sounds) == 1


def test_block_is_what_the_library_computes_in(clicks: Path) -> None:
    """An event one frame past the middle between two blocks goes to the later one."""
    times = [(64 * 10 + shift) / RATE for shift in (31, 33)]
    for time_s, block in zip(times, (10, 11), strict=True):
        found = synth.render(performance([time_s], [0.5], [60]), clicks)
        assert found.notes.onset[0] * RATE == pytest.approx(block * plan.BLOCK)
