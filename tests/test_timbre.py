"""Other instruments of the same kind: reading soundfonts, sorting their presets, drawing them, unpacking .sf3."""

from __future__ import annotations

import re
import struct
import threading
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest
import tiny_font
from numpy.typing import NDArray
from playing import performance

from clefkit import notes, registry, soundfonts
from clefkit.errors import InputError
from clefkit.notes import Notes, Part
from clefkit.render import classes, sf2, sf3, synth, timbre

PIANO, VIOLIN, DRUMS = Part("", 0), Part("", 40), Part("", 0, drums=True)


def sample(length: int) -> NDArray[np.int16]:
    """A sine; another length is another recording."""
    return tiny_font.tone()[:length]


def named(name: str, length: int = 1000, **options: Any) -> tiny_font.Preset:
    return tiny_font.Preset(sample(length), name=name)._replace(**options)


def general_midi(path: Path, length: int, *more: tiny_font.Preset) -> Path:
    """A font with the programs of General MIDI, each a recording of its own."""
    presets = [named(f"program {n}", length + 8 * n, program=n, looped=True) for n in range(128)]
    return tiny_font.font(path, *presets, named("Standard", length, bank=128), *more)


def asked(*parts: Part, pitches: tuple[float, ...] = (60.0,)) -> Notes:
    every = [(index, pitch) for index in range(len(parts)) for pitch in pitches]
    onset = np.arange(len(every)) / 2
    return notes.make(onset, onset + 0.4, [each[1] for each in every], part=[each[0] for each in every], parts=parts)


def choose(found: Notes, fonts: list[Path], seed: int) -> list[timbre.Timbre]:
    drawn = timbre.choose(found, fonts, np.random.default_rng(seed))
    assert None not in drawn
    return [each for each in drawn if each is not None]


# Reading


def test_presets_tell_their_keys_names_samples_and_attack(tmp_path: Path) -> None:
    font = tiny_font.font(
        tmp_path / "a.sf2",
        named("Low", keys=(0, 59), program=3, attack=-1200),
        tiny_font.Preset(sample(2000), 8, 3, (60, 127), name="High"),
    )
    low, high = sf2.presets(font)
    assert (low.bank, low.program, low.name, low.keys) == (0, 3, "Low", frozenset(range(60)))
    assert low.attack_s == pytest.approx(0.5)
    assert (high.bank, high.program, high.name, high.keys) == (8, 3, "High", frozenset(range(60, 128)))
    assert high.attack_s == pytest.approx(2**-10)
    assert low.samples == {sf2.Sample("s", tiny_font.RATE, 0, 1000)}


def test_attacks_count_as_slow_as_soft_notes_make_them(tmp_path: Path) -> None:
    (slow,) = sf2.presets(tiny_font.font(tmp_path / "a.sf2", named("Soft", attack=-3600, attack_when_soft=1200)))
    assert slow.attack_s == pytest.approx(0.25)


def test_a_font_that_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.sf2"
    assert [each.name for each in sf2.presets(tiny_font.font(path, named("one")))] == ["one"]
    assert [each.name for each in sf2.presets(tiny_font.font(path, named("one"), named("two")))] == ["one", "two"]


def test_damaged_fonts_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.sf2"
    whole = tiny_font.font(path, named("one")).read_bytes()
    cut = {0: "not a soundfont", 11: "not a soundfont", len(whole) - 100: "cut off", 200: "cut off"}
    for length, told in cut.items():
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=told):
            sf2.presets(path)
    with pytest.raises(InputError, match=r"nothing\.sf2 can't be read"):
        sf2.presets(tmp_path / "nothing.sf2")


def test_bytes_changed_at_random_never_do_more_than_an_input_error(tmp_path: Path) -> None:
    whole = tiny_font.font(tmp_path / "a.sf2", *[named("one", 50, program=n) for n in range(8)]).read_bytes()
    tables = whole.index(b"pdta")
    generator = np.random.default_rng(0)
    for number in range(300):
        changed = bytearray(whole)
        for place in generator.integers(tables, len(whole), 4):
            changed[place] = generator.integers(256)
        path = tmp_path / f"{number}.sf2"
        path.write_bytes(changed)
        try:
            for preset in sf2.presets(path):
                assert preset.keys <= frozenset(range(128))
        except InputError:
            pass


# Kinds


@pytest.mark.parametrize(
    ("program", "name", "belongs"),
    [
        (0, "Steinway Grand", True),
        (0, "Mellow Grand Piano", True),
        (0, "Electric Piano 1", False),
        (0, "Detuned Piano", False),
        (0, "Piano & Strings", False),
        (0, "Honky-tonk Piano", False),
        (0, "Violin", False),
        (0, "Choir", False),
        (4, "Rhodes Mk I", True),
        (4, "Detuned EP 1", False),
        (6, "Harpsichord", True),
        (6, "Coupled Harpsichord", False),
        (40, "Solo Violin", True),
        (40, "Violin Expr.", False),
        (40, "Slow Violin", False),
        (40, "Violins", False),
        (40, "Viola", False),
        (24, "Spanish Guitar", True),
        (24, "Ukulele", False),
        (48, "Dry Strings", True),
        (48, "Synth Strings 1", False),
        (50, "Synth Strings 1", True),
        (59, "Muted Trumpet", True),
        (56, "Muted Trumpet", False),
        (71, "Bass Clarinet", False),
    ],
)
def test_in_a_font_of_few_presets_names_decide(tmp_path: Path, program: int, name: str, belongs: bool) -> None:
    font = tiny_font.font(tmp_path / "a.sf2", named(name))
    assert bool(classes.members(sf2.presets(font), program, drums=False)) is belongs


def test_in_general_midi_programs_decide_and_names_of_variations(tmp_path: Path) -> None:
    variations = [
        named("Mellow Grand Piano", bank=8),
        named("Detuned Piano", bank=9),
        named("Grand Piano Expr.", bank=17),
        named("Ukulele", bank=8, program=24),
        named("Slow but nobody says so", bank=8, program=40, attack=0),
    ]
    there = sf2.presets(general_midi(tmp_path / "a.sf2", 1000, *variations))

    def where(program: int) -> list[tuple[int, int]]:
        return [each.where[:2] for each in classes.members(there, program, drums=False)]

    assert where(0) == where(1) == [(0, 0), (0, 1), (8, 0)]
    assert where(24) == [(0, 24)]
    assert where(40) == [(0, 40)]
    assert where(120) == [(0, 120)], "noises stand for nothing else"


def test_special_drum_kits_are_not_for_everybody(tmp_path: Path) -> None:
    kits = {0: "Standard", 8: "Room", 16: "Marching Snares", 25: "TR-808", 40: "Brush", 48: "Orchestra", 56: "SFX"}
    font = tiny_font.font(tmp_path / "a.sf2", *[named(name, bank=128, program=n) for n, name in kits.items()])

    def programs(program: int) -> list[int]:
        return [each.program for each in classes.members(sf2.presets(font), program, drums=True)]

    assert programs(0) == [0, 8]
    assert programs(25) == [25]
    assert programs(48) == [48]


def test_every_program_that_a_score_asks_for_has_a_kind() -> None:
    for program in range(128):
        assert classes.kind(program, drums=False)
        assert classes.kind(program, drums=True)
    assert len(classes.BY_PROGRAM) == sum(len(kind.programs) for kind in classes.TABLE), "a program of two kinds"


# Drawing


def test_a_piano_part_only_ever_gets_pianos(tmp_path: Path) -> None:
    fonts = [
        general_midi(tmp_path / "a.sf2", 1000, named("Detuned Piano", bank=8)),
        tiny_font.font(tmp_path / "b.sf2", named("Solo Violin"), named("Bechstein", 700, program=5)),
    ]
    drawn = {choose(asked(PIANO), fonts, seed)[0][:3] for seed in range(60)}
    assert drawn == {(fonts[0], 0, 0), (fonts[0], 0, 1), (fonts[1], 0, 5)}


def test_five_copies_of_one_recording_count_once(tmp_path: Path) -> None:
    copies = [tiny_font.font(tmp_path / f"{n}.sf2", named("Violin", 1000)) for n in range(5)]
    other = tiny_font.font(tmp_path / "other.sf2", named("Violin", 2000))
    drawn = [choose(asked(VIOLIN), [*copies, other], seed)[0].font for seed in range(200)]
    assert 70 < drawn.count(other) < 130
    assert set(drawn) == {*copies, other}


def test_parts_of_one_kind_differ_while_there_are_any_left(tmp_path: Path) -> None:
    fonts = [tiny_font.font(tmp_path / f"{n}.sf2", named("Violin", 1000 + 500 * n)) for n in range(3)]
    for seed in range(10):
        drawn = choose(asked(VIOLIN, VIOLIN, VIOLIN, VIOLIN), fonts, seed)
        assert {each.font for each in drawn[:3]} == set(fonts)


def test_two_hands_play_one_piano(tmp_path: Path) -> None:
    fonts = [tiny_font.font(tmp_path / f"{n}.sf2", named("Grand Piano", 1000 + 500 * n)) for n in range(3)]
    right, left = choose(asked(PIANO, PIANO), fonts, 0)
    assert right == left


def test_presets_that_are_silent_for_the_notes_are_drawn_last(tmp_path: Path) -> None:
    low = tiny_font.font(tmp_path / "low.sf2", named("Violin", 1000, keys=(0, 60)))
    whole = tiny_font.font(tmp_path / "whole.sf2", named("Violin", 2000))
    high = asked(VIOLIN, pitches=(60.0, 72.0))
    assert {choose(high, [low, whole], seed)[0].font for seed in range(20)} == {whole}
    assert choose(high, [low], 0)[0].font == low
    assert not timbre.covers(timbre.Timbre(low, 0, 0), [60, 72])
    assert timbre.covers(timbre.Timbre(low, 0, 0), [60])


def test_without_the_kind_the_program_or_the_piano_plays_and_drums_are_silent(tmp_path: Path) -> None:
    font = tiny_font.font(tmp_path / "a.sf2", named("Solo Violin", program=7), named("Grand"))
    flute, drums = timbre.choose(asked(Part("", 73), DRUMS), [font], np.random.default_rng(0))
    assert flute is not None
    assert flute[:3] == (font, 0, 0)
    assert drums is None


def test_what_varies_stays_in_its_bounds_and_depends_on_the_seed_alone(tmp_path: Path) -> None:
    font = general_midi(tmp_path / "a.sf2", 1000)
    found = asked(PIANO, VIOLIN, DRUMS)
    every = [choose(found, [font], seed) for seed in range(50)]
    assert every == [choose(found, [font], seed) for seed in range(50)]
    assert len(set(map(tuple, every))) == 50
    for each in (each for drawn in every for each in drawn):
        assert -1200 <= each.cutoff_cents <= 300
        assert abs(each.release_timecents) <= 600
        assert abs(each.detune_cents) <= 10
        assert 0.769 <= each.velocity_exponent <= 1.3
        assert 0.4 <= each.width <= 1
        assert abs(each.attack_timecents) <= 600


@pytest.mark.parametrize("attack_s", [0.001, 0.003, 0.02, 0.4])
def test_attacks_move_by_three_milliseconds_at_most(attack_s: float) -> None:
    for change in timbre.attack_range(attack_s):
        assert abs(change) <= 600
        assert abs(attack_s * 2 ** (change / 1200) - attack_s) <= 0.003 + 1e-12


def test_facts_name_the_preset_and_what_varies(tmp_path: Path) -> None:
    font = tiny_font.font(tmp_path / "a.sf2", named("Grand"))
    varied = timbre.Timbre(font, 0, 0, width=0.5)
    assert timbre.facts(varied) == {"bank": 0, "program": 0, "preset": "Grand", "width": 0.5}
    assert timbre.facts(timbre.Timbre(font, 1, 0)) == {"bank": 1, "program": 0, "preset": None}


def test_what_is_drawn_sounds(tmp_path: Path) -> None:
    font = general_midi(tmp_path / "a.sf2", 1000)
    played = performance([0.0, 0.5], [0.4, 0.9], [60, 62], parts=(PIANO,))
    rendering = synth.render(played, choose(played.notes, [font], 3))
    assert len(rendering.silent) == 0
    assert np.abs(rendering.audio.samples).max() > 0.01


def test_fonts_that_we_know_better_of_are_not_drawn_from() -> None:
    drawn = ["FluidR3_GM", "FluidR3Mono_GM", "MuseScore_General_Full", "MuseScore_General_Lite", "Anybody's Own"]
    assert [soundfonts.is_drawn(name) for name in drawn] == [True] * 5
    assert [soundfonts.is_drawn(name) for name in ("TimGM6mb", "sf_GMbank", "OPL-3_FM_128M")] == [False] * 3
    fluid, musescore = soundfonts.known("FluidR3_GM"), soundfonts.known("MuseScore_General_Full")
    assert fluid is not None
    assert musescore is not None
    assert fluid.origin == musescore.origin
    assert soundfonts.known("Anybody's Own") is None


# What is installed


def _installed() -> list[Path]:
    """The free fonts of General MIDI that are here, but the one that every machine has."""
    return [path for name, path in registry.soundfonts().items() if re.match(r"FluidR3|MuseScore", name)]


@pytest.mark.skipif(not _installed(), reason="no Fluid or MuseScore soundfont installed")
def test_names_of_installed_presets_fit_their_kind() -> None:
    """By program and by name: both say the same where a name says anything."""
    instead = {"legend ep 2", "electric piano", "tremolo", "accordian", "fiddle"}
    for path in _installed():
        for program in range(80):
            kind = classes.kind(program, drums=False)
            for preset in classes.members(sf2.presets(path), program, drums=False):
                others = {each.name for each in classes.TABLE if each.fits(preset.name)}
                assert not others or kind in others or preset.name.lower() in instead, (path.name, kind, preset.name)


# .sf3


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache" / "clefkit" / "soundfonts"


def test_an_unpacked_font_has_the_same_presets_and_sounds_the_same(tmp_path: Path, cache: Path) -> None:
    presets = [named("Grand", 4000, looped=True), named("Violin", 3001, program=40, looped=True)]
    packed = tiny_font.font(tmp_path / "a.sf3", *presets)
    plain = sf3.unpacked(packed)
    assert plain.parent == cache
    assert sf2.presets(plain) == sf2.presets(packed) == sf2.presets(tiny_font.font(tmp_path / "a.sf2", *presets))
    played = performance([0.0, 0.5, 0.6], [0.4, 0.9, 1.2], [60, 62, 65], part=[0, 1, 0], parts=(PIANO, VIOLIN))
    one, other = (synth.render(played, font).audio.samples for font in (packed, plain))
    assert np.abs(one).max() > 0.01
    np.testing.assert_array_equal(one, other)


def test_unpacking_happens_once_and_again_when_the_copy_is_damaged(tmp_path: Path, cache: Path) -> None:
    packed = tiny_font.font(tmp_path / "a.sf3", named("Grand"))
    plain = sf3.unpacked(packed)
    made = plain.read_bytes()
    plain.write_bytes(made[:-3] + b"...")
    assert sf3.unpacked(packed).read_bytes()[-3:] == b"..."
    plain.write_bytes(made[:-1])
    assert sf3.unpacked(packed).read_bytes() == made
    assert list(cache.iterdir()) == [plain]
    assert struct.unpack("<I", made[4:8])[0] == len(made) - 8


def test_processes_that_want_the_same_font_wait_for_each_other(tmp_path: Path, cache: Path) -> None:
    packed = tiny_font.font(tmp_path / "a.sf3", *[named("Grand", 4000, program=n) for n in range(60)])
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(sf3.unpacked(packed).read_bytes())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert sf2.presets(sf3.unpacked(packed)) == sf2.presets(packed)


def test_what_cannot_be_unpacked_stays_as_it_is(tmp_path: Path, cache: Path) -> None:
    plain = tiny_font.font(tmp_path / "a.sf2", named("Grand"))
    assert sf3.unpacked(plain) == plain
    damaged = tmp_path / "damaged.sf3"
    whole = tiny_font.font(damaged, named("Grand")).read_bytes()
    damaged.write_bytes(whole.replace(b"OggS", b"Oops"))
    assert sf3.unpacked(damaged) == damaged
    assert [path.stat().st_size for path in cache.iterdir()] == [0], "no room taken by half a font"


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = tiny_font.font(tmp_path / "a.sf3", named("Grand"))
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")
    assert sf3.unpacked(packed) == packed
