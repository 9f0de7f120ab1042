"""Synthesis against soundfonts made here, in which every right answer is known: a click, a tone, half a keyboard."""

from __future__ import annotations

import _ctypes
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from tiny_font import CLICK_AT, RATE, TONE_HZ, Preset, click, font, tone

from clefkit import audio, notes, record, render
from clefkit.audio import Audio
from clefkit.errors import InputError, MissingError
from clefkit.notes import Control, Notes, Part, Performance
from clefkit.record import Product, Source
from clefkit.registry import Asset
from clefkit.render import fluid, plan, synth


@pytest.fixture
def clicks(tmp_path: Path) -> Path:
    return font(tmp_path / "click.sf2", Preset(click(), tuned=False), Preset(click(), bank=128, tuned=False))


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    return font(tmp_path / "tone.sf2", Preset(tone(), looped=True))


def performance(
    onset: ArrayLike,
    offset: ArrayLike,
    pitch: ArrayLike,
    velocity: ArrayLike | None = None,
    part: ArrayLike | None = None,
    *,
    parts: tuple[Part, ...] = (Part(),),
    controls: tuple[Control, ...] = (),
) -> Performance:
    return Performance(notes.make(onset, offset, pitch, velocity, part, parts), controls)


def hz(samples: NDArray[np.float32], rate: int = RATE) -> float:
    """The frequency of a sine, from the first and the last rising zero."""
    rising = np.flatnonzero((samples[:-1] < 0) & (samples[1:] >= 0))
    exact = rising - samples[rising] / (samples[rising + 1] - samples[rising])
    return float((len(exact) - 1) * rate / (exact[-1] - exact[0]))


def errors(sound: Audio, labels: Notes) -> set[int]:
    """By how many samples clicks lie off their labels."""
    found = set()
    quiet = np.zeros(40, np.float32)
    level = np.abs(np.concatenate([quiet, sound.samples[0]]))
    for start in np.rint(labels.onset * sound.rate).astype(int):
        window = level[start : start + 140]  # from 40 samples before the label
        found.add(int(np.flatnonzero(window > 1e-4 * window.max())[0]) - 40 - CLICK_AT)
    return found


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


def test_struck_again_while_it_sounds(tones: Path) -> None:
    asked = notes.make([0, 0.5, 0.5001, 2], [1, 1.5, 1.8, 2], [60, 60, 60, 64.5], [50, 60, 70, 80], ids=list("abcd"))
    found = synth.render(Performance(asked), tones).notes
    assert np.asarray(found.ids).tolist() == ["a", "c", "d"]
    assert found.onset == pytest.approx([0, 0.5, 2], abs=1e-3)
    assert found.offset == pytest.approx([found.onset[1], 1.8, found.onset[2] + 64 / RATE], abs=1e-3)
    assert found.offset[0] == found.onset[1]
    assert found.pitch.tolist() == [60, 60, 65]


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
    with pytest.raises(InputError, match=r"the soundfont text\.sf2 is not one that FluidSynth reads"):
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
    fonts = [font(tmp_path / f"{n}.sf2", Preset(tone(), looped=True)) for n in range(synth.FONTS_KEPT + 3)]
    sounds = {synth.render(played, each).audio.samples.tobytes() for each in [*fonts, *fonts]}
    assert len(sounds) == 1


def made(path: Path, soundfont: Path, folder: Path, **options: Any) -> dict[str, Product]:
    """Writes every product into the folder, as the frame does. Returns them by suffix."""
    asset = Asset("soundfont", soundfont.stem, soundfont, record.sha256(soundfont))
    found = {}
    for product in render.products(Source(path), np.random.default_rng(0), soundfont=asset, **options):
        product.write(folder / f"{path.stem}.{product.suffix}")
        found[product.suffix] = product
    return found


def test_products_are_the_references_then_the_sound(scale: Path, soundfont: Path, tmp_path: Path) -> None:
    found = made(scale, soundfont, tmp_path, kind="flac")
    assert [(suffix, product.printed) for suffix, product in found.items()] == [
        ("ref.jsonl", False),
        ("ref.mid", False),
        ("flac", True),
    ]
    facts = found["flac"].facts
    assert facts["reference"] == "ref.jsonl"
    assert facts["clock"] == {"offset_s": 0.0, "rate": 1.0}
    assert facts["silent"] == {"count": 0, "notes": []}
    assert facts["parts"] == [{"name": "", "program": 0, "drums": False}]
    assert facts["made_with"]["libfluidsynth"] == synth.version()
    assert facts["made_with"]["soundfont"] == {"name": soundfont.stem, "sha256": record.sha256(soundfont)}
    json.dumps(facts)
    sound = audio.read(tmp_path / "scale.flac")
    head = json.loads((tmp_path / "scale.ref.jsonl").read_text().splitlines()[0])
    assert head["samples"] == sound.samples.shape[1]
    exact, rounded = notes.read(tmp_path / "scale.ref.jsonl"), notes.read(tmp_path / "scale.ref.mid")
    assert not (np.rint(exact.onset * RATE) % 64).any()
    assert np.abs(exact.onset - rounded.onset).max() <= 0.5 / 2400 + 1e-9


def test_names_cost_nothing(tmp_path: Path) -> None:
    asset = Asset("soundfont", "none", tmp_path / "none.sf2", "")
    found = render.products(Source(tmp_path / "none.mid"), np.random.default_rng(0), soundfont=asset)
    assert [product.suffix for product in found] == ["ref.jsonl", "ref.mid", "wav"]


def test_stems_add_up_to_the_mix(soundfont: Path, tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    parts = (Part("Violine I / Größe", 40), Part("", 42), Part("", 0, drums=True), Part("silent one", 5))
    onset = generator.uniform(0, 3, 60)
    asked = notes.make(onset, onset + 0.4, generator.integers(36, 80, 60), None, np.arange(60) % 3, parts)
    notes.write_midi(tmp_path / "x.mid", asked)
    found = made(tmp_path / "x.mid", soundfont, tmp_path, stems=True)
    stems = [suffix for suffix, product in found.items() if product.printed and suffix != "wav"]
    assert stems == ["1-violine-i-grosse.wav", "2-cello.wav", "3-drums.wav"]
    assert {found[suffix].facts["gain_db"] for suffix in [*stems, "wav"]} == {found["wav"].facts["gain_db"]}
    mix = audio.read(tmp_path / "x.wav").samples
    total = sum(audio.read(tmp_path / f"x.{suffix}").samples.astype(np.float64) for suffix in stems)
    assert np.abs(mix - total).max() <= (len(stems) + 1) / 2 / 32_768 + 1e-6
    labels = [notes.read(tmp_path / f"x.{suffix.removesuffix('wav')}ref.jsonl") for suffix in stems]
    whole = notes.read(tmp_path / "x.ref.jsonl")
    assert [len(each) for each in labels] == [int((whole.part == part).sum()) for part in range(3)]
    assert labels[1].parts == (parts[1],)
    assert all(audio.true_peak_db(audio.read(tmp_path / f"x.{each}").samples) <= -0.99 for each in [*stems, "wav"])


def test_a_stem_is_the_same_when_the_mix_is_there_already(soundfont: Path, tmp_path: Path) -> None:
    parts = (Part("a", 40), Part("b", 42))
    notes.write_midi(tmp_path / "x.mid", notes.make([0, 1], [1, 3], [60, 50], None, [0, 1], parts))
    (tmp_path / "all").mkdir()
    made(tmp_path / "x.mid", soundfont, tmp_path / "all", stems=True)
    asset = Asset("soundfont", soundfont.stem, soundfont, "")
    found = list(render.products(Source(tmp_path / "x.mid"), np.random.default_rng(), soundfont=asset, stems=True))
    last = found[-1]
    last.write(tmp_path / last.suffix)
    assert (tmp_path / last.suffix).read_bytes() == (tmp_path / "all" / f"x.{last.suffix}").read_bytes()


def test_stage_tells_silent_notes(tmp_path: Path) -> None:
    soundfont = font(tmp_path / "x.sf2", Preset(tone(), looped=True, keys=(60, 72)))
    notes.write_midi(tmp_path / "x.mid", notes.make([0, 0.5], [0.4, 0.9], [60, 90]))
    assert made(tmp_path / "x.mid", soundfont, tmp_path)["wav"].facts["silent"] == {
        "count": 1,
        "notes": ["90 at 0.501 s"],
    }
    notes.write_midi(tmp_path / "y.mid", notes.make([0], [0.4], [90]))
    with pytest.raises(InputError, match="none of its notes sounds with the soundfont x"):
        made(tmp_path / "y.mid", soundfont, tmp_path)


def test_what_is_no_score(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not a score we read: give one of \.musicxml"):
        render.performance(tmp_path / "x.txt")
    notes.write_midi(tmp_path / "x.MID", notes.make([], [], []))
    with pytest.raises(InputError, match="no notes to play"):
        render.performance(tmp_path / "x.MID")


def test_musicxml_is_played_with_its_ids(tmp_path: Path, tones: Path) -> None:
    score = """<score-partwise version="4.0"><part-list><score-part id="P1"><part-name>Flute</part-name></score-part>
        </part-list><part id="P1"><measure number="1"><attributes><divisions>1</divisions></attributes>
        <note id="n7"><pitch><step>C</step><octave>5</octave></pitch><duration>2</duration></note>
        <note><rest/><duration>2</duration></note></measure></part></score-partwise>"""
    (tmp_path / "x.musicxml").write_text(score)
    sound, labels = render.sound(render.performance(tmp_path / "x.musicxml"), tones)
    assert (labels.pitch.tolist(), np.asarray(labels.ids).tolist()) == ([72], ["n7"])
    assert labels.parts[0].program == 73
    assert labels.offset[0] == pytest.approx(1.0, abs=0.1)
    assert isinstance(sound, Audio)


def test_block_is_what_the_library_computes_in(clicks: Path) -> None:
    """An event one frame past the middle between two blocks goes to the later one."""
    times = [(64 * 10 + shift) / RATE for shift in (31, 33)]
    for time_s, block in zip(times, (10, 11), strict=True):
        found = synth.render(performance([time_s], [0.5], [60]), clicks)
        assert found.notes.onset[0] * RATE == pytest.approx(block * plan.BLOCK)
