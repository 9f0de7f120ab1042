"""The recordings that judge a transcriber: halves that share nothing, and labels that are exact."""

from __future__ import annotations

import csv
import json
import shutil
import tomllib
import zipfile
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny_font

from clefkit import audio, notes, record, registry, score
from clefkit.audio import Audio
from clefkit.errors import InputError, MissingError
from clefkit.notes import Notes, make
from clefkit.train import corpus, heldout, heldout_sounds, timidity
from clefkit.train.heldout_sounds import Instrument

ROOT = Path(__file__).parent.parent
RATE = heldout_sounds.RATE
PINGS = Instrument("pings", "musescore", 0, 1, 50, 84, chords=True)
TONES = Instrument("tones", "musescore", 0, 2, 50, 84, chords=True)
LOW = Instrument("low tones", "musescore", 0, 3, 50, 84, chords=False)

freepats = pytest.mark.skipif(
    not (shutil.which("timidity") and timidity.PATCHES.is_dir()), reason="needs timidity and freepats installed"
)


@pytest.fixture(autouse=True)
def _font(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A MuseScore_General of three presets: 50 ms of a tone, a tone for ever, a tone of the lower keys."""
    (tmp_path / "assets" / "soundfonts").mkdir(parents=True)
    tiny_font.font(
        tmp_path / "assets" / "soundfonts" / "MuseScore_General.sf2",
        tiny_font.Preset(tiny_font.tone()[: RATE // 20], program=1, tuned=False),
        tiny_font.Preset(tiny_font.tone(), program=2, looped=True),
        tiny_font.Preset(tiny_font.tone(), program=3, looped=True, keys=(0, 69)),
    )
    monkeypatch.setenv("CLEFKIT_PATH", str(tmp_path / "assets"))


@pytest.fixture
def works() -> dict[str, Notes]:
    """A quartet of a minute, two notes a second in each part, and a song of two parts."""
    onset = np.arange(0, 60, 0.5)
    parts = [
        make(onset + 0.1 * part, onset + 0.1 * part + 0.4, 50 + 9 * part + np.arange(120) % 7) for part in range(4)
    ]
    quartet = heldout.joined(parts, [TONES] * 4)
    return {"string-quartets/a": quartet, "lieder/b": notes.take(quartet, quartet.part < 2)}


def made(works: dict[str, Notes], *choice: Instrument, preset: str = "", seed: int = 0) -> heldout.Recording:
    return heldout.record_one("x", works, choice, len(choice), preset, [seed])


def test_the_halves_share_no_sound() -> None:
    validation, test = (
        {each[1:4] for source in heldout_sounds.SOURCES for each in heldout_sounds.instruments(source, split)}
        for split in heldout_sounds.SPLITS
    )
    assert len(validation) > 25
    assert len(test) > 25
    assert not validation & test


def test_every_reserved_preset_has_a_range() -> None:
    reserved = tomllib.loads((ROOT / "clefkit" / "train" / "fonts_heldout.toml").read_text(encoding="utf-8"))
    for split in heldout_sounds.SPLITS:
        found = [[each.bank, each.program] for each in heldout_sounds.instruments("musescore", split)]
        assert found == reserved[split]


def test_presets_left_out_of_training_are_of_each_level() -> None:
    assert [registry.preset(name)["level"] for name in heldout.HELD_OUT_PRESETS] == [1, 2, 3]


@pytest.mark.parametrize("seed", range(3))
def test_pings_are_where_their_labels_are(works: dict[str, Notes], seed: int) -> None:
    found = made(works, PINGS, seed=seed)
    sound = found.sound.samples[0]
    assert len(sound) == 30 * RATE
    assert len(found.notes) >= heldout.LEAST_IN_ALL
    loud = np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max())
    begins = np.sort(loud[np.diff(loud, prepend=-RATE) > 0.02 * RATE])
    assert len(begins) == len(found.notes)
    assert np.abs(begins / RATE - found.notes.onset).max() < 0.001


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_as_many_instruments_play_as_were_asked_for(works: dict[str, Notes], number: int) -> None:
    instruments = [TONES._replace(name=str(each)) for each in range(number)]
    found = made(works, *instruments, seed=number)
    assert sorted(part.name for part in found.notes.parts) == [each.name for each in instruments]
    assert np.bincount(found.notes.part).min() >= heldout.LEAST_NOTES
    assert found.notes.onset.min() >= heldout.BEGIN_S
    assert found.notes.offset.max() <= heldout.END_S + 0.001
    assert (found.notes.offset > found.notes.onset).all()
    assert np.abs(found.sound.samples).max() <= 1


def test_the_same_seed_makes_the_same_recording(works: dict[str, Notes]) -> None:
    first, again, other = made(works, TONES), made(works, TONES), made(works, TONES, seed=1)
    assert np.array_equal(first.sound.samples, again.sound.samples)
    assert np.array_equal(first.notes.intervals, again.notes.intervals)
    assert not np.array_equal(first.sound.samples, other.sound.samples)


def test_a_preset_changes_the_sound_and_keeps_the_labels(works: dict[str, Notes]) -> None:
    dry, heard = made(works, PINGS), made(works, PINGS, preset="recital")
    assert np.allclose(heard.notes.onset, dry.notes.onset, atol=0.05)
    assert score.compare(dry.notes, heard.notes)["note_f1"] == 1
    assert not np.array_equal(heard.sound.samples[0, : 30 * RATE], dry.sound.samples[0])


def test_keys_without_a_sound_have_no_label(works: dict[str, Notes]) -> None:
    assert set(heldout_sounds.audition(LOW).level_db) == set(range(50, 70))
    third = notes.take(works["string-quartets/a"], works["string-quartets/a"].part == 2)
    assert {68, 69, 70, 71} < set(third.pitch)
    played = made({"lieder/b": third}, LOW).notes
    assert set(played.pitch) == {68, 69}


def test_a_sound_that_dies_ends_its_note(works: dict[str, Notes]) -> None:
    assert max(heldout_sounds.audition(PINGS).dies_s.values()) <= 0.07
    assert set(heldout_sounds.audition(TONES).dies_s.values()) == {np.inf}
    pings, tones = made(works, PINGS).notes, made(works, TONES).notes
    assert (pings.offset - pings.onset).max() < 0.071
    assert np.median(tones.offset - tones.onset) == pytest.approx(0.4, abs=0.01)


def test_repeated_notes_do_not_overlap(works: dict[str, Notes]) -> None:
    same = {name: replace(work, pitch=np.full(len(work), 60.0)) for name, work in works.items()}
    played = made(same, TONES).notes
    assert (played.onset[1:] > played.offset[:-1]).all()


def test_without_music_for_so_many_it_says_so(works: dict[str, Notes]) -> None:
    with pytest.raises(InputError, match="no work in which 2 instruments"):
        made({"lieder/b": notes.take(works["lieder/b"], works["lieder/b"].part < 1)}, TONES, TONES)


@pytest.mark.parametrize("cents", [40, -40])
def test_a_recording_that_runs_too_fast_is_sharp_and_its_labels_move(cents: int) -> None:
    speed = 2 ** (cents / 1200)
    time = np.arange(10 * RATE) / RATE
    sound = np.where((time >= 4) & (time < 6), 0.5 * np.sin(2 * np.pi * 441 * time), 0).astype(np.float32)
    heard, label = heldout.tuned(Audio(sound[None], RATE), make([4], [6], [69]), cents)
    assert heard.samples.shape[1] == pytest.approx(10 * RATE / speed, abs=2)
    assert label.pitch[0] == pytest.approx(69 + cents / 100, abs=1e-3)
    loud = np.flatnonzero(np.abs(heard.samples[0]) > 0.1)
    assert label.onset[0] * RATE == pytest.approx(loud[0], abs=0.001 * RATE)
    assert label.offset[0] * RATE == pytest.approx(loud[-1], abs=0.001 * RATE)
    spectrum = np.abs(np.fft.rfft(heard.samples[0]))
    assert spectrum.argmax() * RATE / heard.samples.shape[1] == pytest.approx(441 * speed, rel=1e-3)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Sources of the right form: one song under a title of the validation split, and sounds without notes."""
    folder = tmp_path / "data"
    (folder / "openscore").mkdir(parents=True)
    title = next(f"Song {n}" for n in count() if corpus.split("lieder", "Anybody", f"Song {n}") == "validation")
    for collection in corpus.SHARES:
        with (folder / "openscore" / f"{collection}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ("file", "composer", "work"))
            writer.writeheader()
            if collection == "lieder":
                writer.writerow({"file": "1.mxl", "composer": "Anybody", "work": title})
        with zipfile.ZipFile(folder / "openscore" / f"{collection}.zip", "w") as archive:
            if collection == "lieder":
                archive.write(ROOT / "demo" / "erinnerung.mxl", "1.mxl")
    for name in heldout.NO_NOTES:
        (folder / "real" / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / "real" / f"{name}.flac", np.zeros(16_000), 16_000)
    return folder


@freepats
def test_a_set_is_complete_and_scores_itself(data: Path, tmp_path: Path) -> None:
    rows = list(heldout.build(data, tmp_path / "set", "validation", first=1))
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["files"] == rows
    assert [row["cents"] for row in rows if row["instruments"]] == [0, 40, -40]
    assert len(rows) == 3 + len(heldout.NO_NOTES)
    for row in rows:
        source = record.source(tmp_path / "set" / row["file"])
        assert source.sha256 == row["sha256"]
        assert source.reference is not None
        assert len(notes.read(source.reference)) == row["notes"]
        assert audio.shape(source.path).frames > 0
    again = list(heldout.build(data, tmp_path / "again", "validation", first=1))
    assert again == rows


@freepats
def test_timidity_plays_when_it_is_asked_to() -> None:
    asked = make([0.5, 1.25, 2.0001], [1, 1.5, 2.5], [60, 60, 64], [90, 40, 90])
    sound, played = timidity.play(asked, 0)
    assert np.allclose(played.onset, asked.onset, atol=0.00021)
    level = np.abs(sound)
    for onset in played.onset[[0, 2]]:
        start = round(onset * RATE)
        before, after = level[start - 200 : start - 20].max(), level[start : start + 200].max()
        assert after > 4 * before
    assert np.array_equal(timidity.play(asked, 0)[0], sound)


@freepats
def test_a_patch_sounds_the_same_in_every_run_however_often_a_key_is_struck() -> None:
    keys = [55, 60, 62, 63, 65, 67, 68, 70, 71, 72, 74, 75, 77, 79, 80, 81, 82]
    onset = 0.3 + 0.35 * np.arange(81)
    asked = make(onset, onset + 0.2, np.random.default_rng(0).choice(keys, 81))
    first = timidity.play(asked, 25, 6)[0]
    assert all(np.array_equal(timidity.play(asked, 25, 6)[0], first) for _ in range(5))


@freepats
def test_a_patch_that_is_out_of_tune_is_corrected() -> None:
    asked = make([0.1], [2.1], [69])
    plain, sharper = (timidity.play(asked, 71, cents)[0] for cents in (0, -40))
    peaks = [
        np.abs(np.fft.rfft(sound[RATE // 2 : 2 * RATE], 1 << 19))[: 1 << 14].argmax() for sound in (plain, sharper)
    ]
    assert 1200 * np.log2(peaks[1] / peaks[0]) == pytest.approx(40, abs=3)


def test_a_program_without_a_patch_is_never_replaced() -> None:
    with pytest.raises(MissingError, match="no patch for program 3: apt-get install"):
        timidity.play(make([0], [1], [60]), 3)


def test_without_timidity_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match="apt-get install timidity freepats"):
        timidity.version()
