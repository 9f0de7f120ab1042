"""Who plays in the training set, and where: what is labelled is what sounds, in pitch and in time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_font
from numpy.random import default_rng
from numpy.typing import NDArray
from training import RATE, general_midi, rises, sine, single_notes, sounding_pitch, tone

from clefkit import features
from clefkit.notes import Control, Notes, Part, make
from clefkit.train import arrange, exercises, heard, players, recording, sampler, timbres, voices
from clefkit.train.arrange import Voice
from clefkit.train.heldout import HELD_OUT_PRESETS
from clefkit.train.players import Hall, Played

Array = NDArray[np.float32]
LENGTH = 4 * RATE


@pytest.fixture
def piece() -> Notes:
    """Forty seconds of four parts, one of them with the range of a piano, and drums."""
    onset = np.tile(np.arange(0, 40, 0.25), 5)
    step = np.tile((np.arange(160) * 5) % 12, 5)
    part = np.repeat(np.arange(5), 160)
    pitch = np.array([67, 60, 55, 40, 36])[part] + step + np.where((part == 3) & (step % 2 == 0), 24, 0)
    kinds = [Part("", 40), Part("", 41), Part("", 42), Part("", 0), Part("", 0, drums=True)]
    return make(onset, onset + 0.2, pitch, None, part, tuple(kinds))


# Arrangements


def test_an_arrangement_has_one_to_five_parts_in_range(piece: Notes) -> None:
    counts, drums = set(), 0
    for seed in range(60):
        chosen = arrange.arrange(piece, 20.0, default_rng(seed))
        melodic = [voice for voice in chosen.voices if not voice.drums]
        drums += len(chosen.voices) - len(melodic)
        counts.add(len(melodic))
        assert abs(chosen.tuning) <= 0.5
        for voice in melodic:
            lowest, highest = next(family[1:3] for family in arrange.FAMILIES if voice.program in family[0])
            middle = np.median(voice.notes.pitch)
            assert lowest - 6 <= middle <= highest + 6
            assert voice.notes.onset.min() >= 0
            assert voice.notes.onset.max() < 20.5
            assert (voice.notes.offset > voice.notes.onset).all()
            assert 21 <= voice.notes.pitch.min() <= voice.notes.pitch.max() <= 108
            times = [control.time_s for control in voice.controls]
            assert times == sorted(times)
    assert counts == {1, 2, 3, 4, 5}
    assert 3 <= drums <= 16


def test_bends_begin_with_the_tuning_of_the_recording(piece: Notes) -> None:
    for seed in range(10):
        chosen = arrange.arrange(piece, 20.0, default_rng(seed))
        for voice in (each for each in chosen.voices if not each.drums):
            bends = [control.value for control in voice.controls if control.kind == "bend"]
            assert abs(np.median(bends) - chosen.tuning) < 0.5
            assert len(bends) > 1 or bends == [chosen.tuning]


def test_an_arrangement_is_drawn_from_the_seed_alone(piece: Notes) -> None:
    first, again, other = (arrange.arrange(piece, 20.0, default_rng(seed)) for seed in (1, 1, 2))
    assert first.tuning == again.tuning
    for one, two in zip(first.voices, again.voices, strict=True):
        assert one.controls == two.controls
        assert np.array_equal(one.notes.onset, two.notes.onset)
    assert first.tuning != other.tuning


def test_long_notes_are_struck_again_without_gaps_or_overlaps() -> None:
    long = make([0.0, 1.0, 3.0], [1.0, 3.0, 3.1], [60, 64, 67], [80, 80, 80])
    most = 0
    for seed in range(20):
        played = arrange._repeated(long, default_rng(seed))
        for pitch, start, end in ((60, 0.0, 1.0), (64, 1.0, 3.0), (67, 3.0, 3.1)):
            mine = played.pitch == pitch
            assert (played.onset[mine][0], played.offset[mine][-1]) == pytest.approx((start, end))
            assert np.allclose(played.onset[mine][1:], played.offset[mine][:-1])
            assert np.diff(played.onset[mine]).min(initial=9) > 0.089
        most = max(most, len(played))
    assert most > 15


def test_a_part_is_sometimes_doubled_at_the_unison_or_an_octave() -> None:
    voices = [make([0.0], [1.0], [60]), make([0.5], [1.0], [67])]
    drawn = [arrange._doubled(voices, default_rng(seed)) for seed in range(500)]
    more = [each[2] for each in drawn if len(each) == 3]
    assert 25 < len(more) < 80
    assert {int(each.pitch[0]) for each in more} == {48, 55, 60, 67, 72, 79}


def test_exercises_stay_in_range_and_hold_chords_repeats_and_long_notes() -> None:
    chords = repeats = lone = 0
    for seed in range(20):
        notes = exercises.draw(30.0, default_rng(seed))
        assert 0 <= notes.onset.min() <= notes.onset.max() < 29.9
        assert (notes.offset > notes.onset).all()
        assert notes.offset.max() <= 30.0
        assert 24 <= notes.pitch.min() <= notes.pitch.max() <= 105
        assert 15 <= notes.velocity.min() <= notes.velocity.max() <= 127
        apart = np.diff(notes.onset)
        chords += int((apart < 1e-6).sum())
        repeats += int(((np.diff(notes.pitch) == 0) & (apart > 0.05)).sum())
        lone += int(((notes.offset - notes.onset)[:-1] < apart).sum())
    assert min(chords, repeats, lone) > 50
    first, again = (exercises.draw(30.0, default_rng(3)) for _ in range(2))
    assert np.array_equal(first.onset, again.onset)


# Players


def line(program: int = 73, tuning: float = 0.0, pitch: tuple[int, ...] = (72, 67, 74)) -> Voice:
    onset = 0.6 + 1.1 * np.arange(len(pitch))
    return Voice(make(onset, onset + 0.7, pitch), program, (Control(0.0, 0, "bend", 0, tuning),))


@pytest.fixture
def hall(tmp_path: Path) -> Hall:
    sounds = [("horn", True, pitch, np.pad(tone(pitch, 1.5, 0.1), (900, 0))) for pitch in (66.3, 69.0, 72.1, 75.0)]
    samples = sampler.instruments(single_notes(tmp_path / "samples", *sounds))
    return Hall((general_midi(tmp_path / "general.sf2"),), tuple(samples), "train")


def source(played: Played) -> str:
    first = played.timbre.split()[0]
    kinds = {"general": "font", "horn": "sampled"} | dict.fromkeys(voices.KINDS, "phrase")
    return kinds.get(first, "made up" if first in timbres.KINDS else first)


def test_all_sources_play_in_tune_and_on_time(hall: Hall) -> None:
    """Measured in the sound; phrases have vibrato and noises before their notes, so they may be a little off."""
    heard_sources: dict[str, int] = dict.fromkeys(players.SOURCES, 0)
    late: dict[str, list[float]] = {name: [] for name in heard_sources}
    out: dict[str, list[float]] = {name: [] for name in heard_sources}
    for seed in range(40):
        generator = default_rng(seed)
        tuning = float(generator.uniform(-0.5, 0.5))
        played = players.play(line(tuning=tuning), hall, LENGTH, tuning, generator)
        assert played is not None
        assert played.sound.shape == (LENGTH,)
        assert played.notes.pitch.tolist() == [72, 67, 74]
        heard_sources[source(played)] += 1
        for onset, pitch in zip(played.notes.onset, played.notes.pitch, strict=True):
            middle = played.sound[round((onset + 0.15) * RATE) : round((onset + 0.6) * RATE)]
            out[source(played)].append(sounding_pitch(middle, pitch + tuning) - pitch - tuning)
            late[source(played)].append(rises(played.sound, onset) - onset)
    assert min(heard_sources.values()) >= 3
    for name, bound_s, bound in (("font", 0.006, 0.15), ("sampled", 0.006, 0.06), ("made up", 0.008, 0.12)):
        assert np.quantile(np.abs(late[name]), 0.9) < bound_s, name  # but where an undamped bar rings on
        assert np.abs(out[name]).max() < bound, name
    assert abs(np.median(late["phrase"])) < 0.006
    assert np.quantile(np.abs(late["phrase"]), 0.7) < 0.025
    assert abs(np.median(out["phrase"])) < 0.1
    assert np.abs(out["phrase"]).max() < 0.8


def test_a_hall_says_how_often_each_source_plays(hall: Hall) -> None:
    for number, name in enumerate(players.SOURCES):
        alone = hall._replace(shares=tuple(float(number == each) for each in range(4)))
        for seed in range(4):
            played = players.play(line(), alone, LENGTH, 0.0, default_rng(seed))
            assert played is not None
            assert source(played) == name
        unheard = alone._replace(samples=())
        heard_without = {
            source(each)
            for seed in range(30)
            if (each := players.play(line(), unheard, LENGTH, 0.0, default_rng(seed)))
        }
        assert heard_without == {"font", "phrase", "made up"}, "without real notes there are other shares"


def test_equal_seeds_play_equal_sounds(hall: Hall) -> None:
    for seed in range(6):
        first, again = (players.play(line(), hall, LENGTH, 0.0, default_rng(seed)) for _ in range(2))
        assert first is not None
        assert again is not None
        assert first.timbre == again.timbre
        assert np.array_equal(first.sound, again.sound)


def test_chords_are_no_phrases(hall: Hall) -> None:
    onset = np.repeat([0.5, 1.5], 3)
    chords = Voice(make(onset, onset + 0.8, [72, 67, 74] * 2), 73, ())
    for seed in range(30):
        played = players.play(chords, hall, LENGTH, 0.0, default_rng(seed))
        assert played is not None
        assert source(played) != "phrase"
        assert len(played.notes) == 6


def test_notes_on_a_font_end_when_the_pedal_lets_them_go(tmp_path: Path) -> None:
    hall = Hall((general_midi(tmp_path / "general.sf2"),), (), "train")
    pedal = (Control(0.0, 0, "control", 64, 127), Control(1.5, 0, "control", 64, 0))
    part = Voice(make([0.5], [0.8], [72]), 0, pedal)
    ends = []
    for seed in range(12):
        played = players.play(part, hall, LENGTH, 0.0, default_rng(seed))
        assert played is not None
        if source(played) == "font":
            ends.append(played.notes.offset[0])
    assert ends == pytest.approx([1.5] * len(ends), abs=0.005)
    assert len(ends) > 3


def test_drums_have_a_kit_and_nobody_else(hall: Hall) -> None:
    kit = Voice(make([0.5], [0.6], [38]), 0, (), drums=True)
    drums = {(played := players.play(kit, hall, LENGTH, 0.0, default_rng(seed))) and played.timbre for seed in range(8)}
    assert drums == {"general 128 0"}


def test_presets_held_back_are_not_heard_in_training_nor_what_shares_their_recordings(tmp_path: Path) -> None:
    """Trumpet is of the test, trombone of validation; this horn plays the trombone's recording under another name."""
    borrowed = tiny_font.Preset(sine(57), program=60, looped=True)
    font = general_midi(tmp_path / "MuseScore_General.sf2", p60=borrowed)
    heard_in: dict[str, set[str]] = {"train": set(), "validation": set()}
    for split, names in heard_in.items():
        for program in (56, 57, 60, 61):
            for seed in range(12):
                played = players.play(line(program), Hall((font,), (), split), LENGTH, 0.0, default_rng(seed))
                assert played is not None
                if source(played) == "MuseScore_General":
                    names.add(played.timbre.removeprefix("MuseScore_General "))
    assert "0 61" in heard_in["train"]
    assert not heard_in["train"] & {"0 56", "0 57", "0 60"}
    assert {"0 57", "0 60", "0 61"} <= heard_in["validation"]
    assert "0 56" not in heard_in["validation"]


def test_bars_that_nobody_damps_end_when_they_have_rung() -> None:
    bar = timbres.draw(default_rng(0)) | {"kind": "struck", "decay_s": 1.2, "noise": 0.002, "bar": 0}
    for pluck, end in ((0.4, 2.9), (0.2, 0.7)):
        notes, sound = timbres.play(make([0.5], [0.7], [72]), bar | {"pluck": pluck}, LENGTH, RATE, 0.0, default_rng(0))
        assert notes.offset.tolist() == pytest.approx([end])
        before, after = sound[round((end - 0.02) * RATE)], sound[round((end + bar["release_s"]) * RATE) :]
        assert before != 0
        assert not after.any()


# Real single notes


def test_single_notes_are_read_with_their_pitch_split_and_manner(tmp_path: Path) -> None:
    short = tone(60, 0.2)
    folder = single_notes(
        tmp_path,
        ("horn", True, 60.2, short),
        ("harp", False, 62, short),
        ("horn", True, 64, short),
        ("tap", False, 0, short),
        ("speech_ann", True, 0, short),
        ("speech_bob", True, 0, short),
        ("speech_ann", True, 0, short),
    )
    harp, horn = sampler.instruments(folder)
    assert (harp.name, harp.held, harp.split, horn.name, horn.held) == ("harp", False, "train", "horn", True)
    assert horn.pitches.tolist() == [60.2, 64.0]
    assert [path.name for path in sampler.noises(folder)] == ["3.flac"]
    said = [[path.name for path in words] for words in sampler.speakers(folder, "train")]
    assert said == [["4.flac", "6.flac"], ["5.flac"]]
    assert sampler.speakers(folder, "validation") == []
    assert sampler.reach(horn, np.array([56.0, 57.0, 67.0, 68.0])).tolist() == [False, True, True, False]


def test_a_recording_is_placed_where_it_is_heard_to_begin(tmp_path: Path) -> None:
    """A tone that swells for 0.2 s comes within 22 dB of its height after 16 ms; that is the onset of its note."""
    swelling = np.pad(tone(70.4, 1.0, 0.2), (3000, 0))
    (horn,) = sampler.instruments(single_notes(tmp_path, ("horn", True, 70.4, swelling)))
    wanted = make([0.0, 1.0, 2.0], [0.7, 1.5, 2.4], [72, 69, 40], [100, 100, 100])
    notes, sound = sampler.play(wanted, horn, 3 * RATE, RATE, 0.25, default_rng(0))
    assert notes.pitch.tolist() == [72, 69], "what is out of reach is left out"
    assert rises(sound, 1.0, 0.1) == pytest.approx(1.0, abs=0.006)
    assert sounding_pitch(sound[round(1.25 * RATE) : round(1.5 * RATE)], 69.25) == pytest.approx(69.25, abs=0.05)


def test_a_note_is_no_longer_than_its_recording(tmp_path: Path) -> None:
    (harp,) = sampler.instruments(single_notes(tmp_path, ("harp", False, 69, tone(69, 0.5))))
    notes, sound = sampler.play(make([0.5], [2.5], [69]), harp, 3 * RATE, RATE, 0.0, default_rng(0))
    assert notes.offset[0] == pytest.approx(1.0, abs=0.01)
    assert not sound[round(1.01 * RATE) :].any()


def test_those_who_can_sustain_slur_and_others_never(tmp_path: Path) -> None:
    """Each recording begins with a click; a slurred note is played from past it, and half risen at its onset."""
    struck = tone(70, 1.2)
    struck[:40] += 0.5 * np.array([1, -1] * 20, np.float32)
    rows = [(name, name == "horn", 70.0, struck) for name in ("horn", "harp")]
    harp, horn = sampler.instruments(single_notes(tmp_path, *rows))
    onset = 0.5 + 0.4 * np.arange(6)
    legato = make(onset, onset + 0.4, [70, 72, 68, 70, 72, 68])
    clicks = {}
    for instrument in (harp, horn):
        counts = []
        for seed in range(8):
            notes, sound = sampler.play(legato, instrument, LENGTH, RATE, 0.0, default_rng(seed))
            sharp = np.abs(np.diff(sound, 2))
            near = [sharp[round(start * RATE) - 50 :][:150].max() > 0.05 for start in notes.onset]
            assert near[0], "nothing to slur from"
            counts.append(sum(near))
            for start, pitch, clicked in zip(notes.onset[1:], notes.pitch[1:], near[1:], strict=True):
                if not clicked:
                    course = _course(sound, pitch)
                    steady = np.median(course[round((start + 0.15) * RATE) : round((start + 0.35) * RATE)])
                    half = _first(course[round((start - 0.1) * RATE) :] > 0.5 * steady) / RATE - 0.1
                    assert abs(half) < 0.025
                    last = _course(sound, notes.pitch[notes.onset < start][-1])
                    held = np.median(last[round((start - 0.3) * RATE) : round((start - 0.1) * RATE)])
                    gone = _first(last[round((start - 0.1) * RATE) :] < 0.5 * held) / RATE - 0.1
                    assert abs(gone) < 0.03, "the note before ends where it is slurred to the next"
        clicks[instrument.name] = counts
    again = make(onset, onset + 0.4, [70] * 6)
    for seed in range(8):
        sharp = np.abs(np.diff(sampler.play(again, horn, LENGTH, RATE, 0.0, default_rng(seed))[1], 2))
        assert all(sharp[round(start * RATE) - 50 :][:150].max() > 0.05 for start in onset), "a repeated note is struck"
    assert clicks["harp"] == [6] * 8
    assert min(clicks["horn"]) < 4
    assert max(clicks["horn"]) == 6


def _course(sound: Array, pitch: float) -> NDArray[np.float64]:
    """The level near a pitch, through windows of 40 ms."""
    turn = np.exp(-2j * np.pi * 440 * 2 ** ((pitch - 69) / 12) * np.arange(len(sound)) / RATE)
    window = np.hanning(882)
    return np.abs(np.convolve(sound * turn, window / window.sum(), "same"))


def _first(there: NDArray[np.bool_]) -> int:
    return int(np.argmax(there))


# What can be heard


def audible(wanted: Notes, part: Array, mix: Array) -> Notes:
    whole = features.resolved(mix)
    return heard.audible(wanted, features.resolved(part), whole, float(whole.max()))


@pytest.mark.parametrize("pitch", [57, 69, 88])
def test_a_note_ends_where_it_has_died_away(pitch: int) -> None:
    """By 40 dB: a tone that falls by 80 dB a second is dead after half a second, whenever the key goes up.

    Windows of 4,096 samples see the louder beginning of what falls, so they are late by up to 60 ms.
    """
    time = np.arange(3 * RATE) / RATE
    dying = np.where(time < 0.5, 0, tone(pitch, 3.0) * 10 ** (-4 * np.maximum(time - 0.5, 0))).astype(np.float32)
    for key_up, end in ((2.5, 1.0), (0.8, 0.8)):
        found = audible(make([0.5], [key_up], [pitch]), dying, dying)
        assert -0.02 < found.offset[0] - end < 0.07
        assert found.onset[0] == 0.5
    steady = tone(pitch, 3.0)
    assert audible(make([0.0], [2.5], [pitch]), steady, steady).offset[0] == 2.5


@pytest.mark.parametrize("tuning", [-0.5, 0.5])
def test_a_note_out_of_tune_is_heard_as_long(tuning: float) -> None:
    """A pluck's knock is in all bins, its tone half a semitone off: the knock is not what dies away."""
    tuned = tone(75 + tuning, 3.0) * 10 ** (-np.arange(3 * RATE) / RATE / 2)
    knock = default_rng(0).normal(0, 0.5, len(tuned)) * np.exp(-np.arange(len(tuned)) / RATE / 0.012)
    sound = (0.1 * (tuned + knock)).astype(np.float32)
    assert audible(make([0.0], [2.0], [75]), sound, sound).offset[0] == 2.0


def test_a_note_that_another_masks_is_none() -> None:
    """Where it has no partial of its own within 20 dB of the mix, or is 52 dB below the loudest."""
    loud, note = tone(60, 1.0), make([0.1], [0.8], [60])
    near, far = make([0.1], [0.8], [66]), 10 ** (-30 / 20)
    assert len(audible(note, far * loud, loud)) == 0
    assert len(audible(note, 0.5 * loud, 1.5 * loud)) == 1
    for gain_db, count in ((-30, 1), (-46, 1), (-60, 0)):
        own = (tone(66, 1.0) * 10 ** (gain_db / 20)).astype(np.float32)
        assert len(audible(near, own, loud + own)) == count


# Places


def plucks(onset: NDArray[np.float64]) -> Array:
    sound = np.zeros(LENGTH, np.float32)
    single = tone(76, 0.5) * np.exp(-np.arange(RATE // 2) / RATE * 9).astype(np.float32)
    for start in onset:
        sound[round(start * RATE) :][: len(single)] += single[: LENGTH - round(start * RATE)]
    return sound


@pytest.mark.parametrize("preset", ["cassette", "vinyl", "phone"])
def test_notes_move_with_the_clock_of_a_place(preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_presets", lambda: ((preset,),) * 3)
    onset = np.arange(0.3, 3.4, 0.5)
    notes = make(onset, onset + 0.4, [76] * len(onset))
    places = 0
    for seed in (0, 1, 2):
        generator = default_rng(seed)
        sound, moved = recording.somewhere(plucks(onset), notes, RATE, generator)
        if default_rng(seed).random() < recording.OWN_CHAIN:
            assert np.array_equal(moved.onset, onset)
            continue
        places += 1
        assert moved.pitch.tolist() == [76] * len(onset)
        at = [_rise_in_noise(sound, start) - start for start in moved.onset]
        assert abs(np.median(at)) < 0.006
        assert (preset in {"cassette", "vinyl"}) == bool(np.abs(moved.onset - onset).max() > 1e-4)
    assert places


def _rise_in_noise(sound: Array, onset_s: float) -> float:
    """Where the level near a pluck's pitch rises most, in the 60 ms around its onset."""
    course = _course(sound, 76)
    first, reach = round((onset_s - 0.05) * RATE), round(0.1 * RATE)
    return float((first + np.argmax(np.diff(course[first : first + reach]))) / RATE)


def test_presets_of_the_test_are_no_places_of_training() -> None:
    levels = recording._presets()
    assert all(len(level) > 5 for level in levels)
    assert not {name for level in levels for name in level} & set(HELD_OUT_PRESETS)


@pytest.mark.parametrize("hall", [False, True])
def test_our_own_places_keep_onsets_and_levels(hall: bool) -> None:
    dry = np.zeros(2 * RATE, np.float32)
    dry[RATE] = 0.5
    for seed in range(8):
        wet = recording.record(dry, RATE, default_rng(seed), hall=hall)
        assert wet.shape == dry.shape
        assert -30.1 < 20 * np.log10(np.abs(wet).max()) < -0.9
        assert abs(int(np.abs(wet).argmax()) - RATE) < 0.06 * RATE
        after, before = wet[RATE + RATE // 20 :][: RATE // 4], wet[: RATE - 2000]
        assert np.mean(after**2) > (1.5 if hall else 0.3) * np.mean(before**2)
    first, again = (recording.record(dry, RATE, default_rng(7)) for _ in range(2))
    assert np.array_equal(first, again)
