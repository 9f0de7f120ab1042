"""Recordings of the user's own: small folders laid out as data sets are, whole and damaged."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from recordings import found, heard, sounds, write

from clefkit.errors import InputError, MissingError
from clefkit.train import layouts
from clefkit.train.layouts import Track, files

needs_yaml = pytest.mark.skipif(importlib.util.find_spec("yaml") is None, reason="PyYAML comes with the extra train")

METADATA = """
mix_filename: {name}_MIX.wav
stem_dir: {name}_STEMS
stems:
  S01:
    component: bass
    filename: {name}_STEM_01.wav
    instrument: electric bass
    raw:
      R01: {{filename: {name}_RAW_01_01.wav, instrument: electric bass}}
  S02:
    component: ''
    filename: {name}_STEM_02.wav
    instrument: {second}
title: "No. 1: a title"
"""

# As in Track00001 of Slakh2100: a harmonica on an organ, and one that was never rendered.
SLAKH = """
UUID: 1a81ae092884234f3264e2f45927f00a
audio_dir: ../../elsewhere
stems:
  S00: {audio_rendered: true, inst_class: Guitar, is_drum: false, midi_program_name: Distortion Guitar,
    plugin_name: elektrik_guitar.nkm, program_num: 30}
  S01: {audio_rendered: true, inst_class: Drums, is_drum: true, midi_program_name: Drums, plugin_name: pop_kit.nkm,
    program_num: 128}
  S02: {audio_rendered: true, inst_class: Organ, is_drum: false, midi_program_name: Harmonica,
    plugin_name: transistor_compact.nkm, program_num: 22}
  S03: {audio_rendered: true, inst_class: Strings (continued), is_drum: false, midi_program_name: Choir Aahs,
    plugin_name: new_choir.nkm, program_num: 52}
  S06: {audio_rendered: false, inst_class: Sound Effects, is_drum: false, midi_program_name: FX 8 (sci-fi),
    plugin_name: None, program_num: 103}
"""


def openmic(folder: Path, labels: str) -> None:
    write(folder / "openmic-2018-aggregated-labels.csv", f"sample_key,instrument,relevance,num_responses\n{labels}")
    write(folder / "class-map.json", '{"accordion": 0}')


def medleydb(folder: Path, name: str, metadata: str | None = None, second: str = "male singer") -> None:
    sounds(folder / name, f"{name}_MIX.wav", *(f"{name}_STEMS/{name}_STEM_0{number}.wav" for number in (1, 2)))
    where = metadata or f"{name}/{name}_METADATA.yaml"
    write(folder / where, METADATA.format(name=name, second=second))


def slakh(folder: Path, ending: str = ".flac", text: str = SLAKH) -> None:
    sounds(folder, *(f"{name}{ending}" for name in ("mix", "stems/S00", "stems/S01", "stems/S02", "stems/S03")))
    write(folder / "metadata.yaml", text)


def musdb(folder: Path, *names: str) -> None:
    for name in names:
        sounds(folder / name, *(f"{source}.wav" for source in ("mixture", "vocals", "drums", "bass", "other")))


# OpenMIC-2018


def test_openmic_clips_have_the_labels_that_were_asked_for(tmp_path: Path) -> None:
    sounds(tmp_path, "audio/000/000135_483840.ogg", "audio/000/000046_3840.ogg", "audio/001/001000_0.ogg")
    openmic(
        tmp_path,
        "000135_483840,mallet_percussion,0.5,3\n000046_3840,clarinet,0.17104999999999998,3\n"
        "000046_3840,flute,1.0,3\n001000_0,voice,0.49,3\n",
    )
    np.savez(tmp_path / "openmic-2018.npz", sample_key=np.array(["000046_3840"], dtype=object))
    write(tmp_path / "partitions/split01_train.csv", "000046_3840\n")
    write(tmp_path / "partitions/split01_test.csv", "000135_483840\n")
    assert layouts.layout(tmp_path) == "openmic"
    tracks, left_out = found(tmp_path)
    assert list(tracks) == ["000046_3840", "000135_483840", "001000_0"]
    first = tracks["000046_3840"]
    assert first == Track(
        "000046_3840", "train", tmp_path / "audio/000/000046_3840.ogg", (), {"clarinet": 0.0, "flute": 1.0}
    )
    assert (tracks["000135_483840"].split, tracks["000135_483840"].tags) == ("test", {"mallet_percussion": 1.0})
    assert (tracks["001000_0"].split, tracks["001000_0"].tags) == ("", {"voice": 0.0})
    assert left_out == []


def test_damaged_clips_of_openmic_cost_nothing_else(tmp_path: Path) -> None:
    sounds(tmp_path, *(f"audio/000/00000{number}_0.ogg" for number in range(4)))
    (tmp_path / "audio/000/000005_0.ogg").touch()
    openmic(
        tmp_path,
        "000000_0,voice,1,3\n000001_0,voice,nan,3\n000002_0,kazoo,1,3\n000003_0,voice\n000004_0,voice,1,3\n"
        "000005_0,voice,1,3\n../../etc/passwd,voice,1,3\n",
    )
    tracks, left_out = found(tmp_path)
    assert list(tracks) == ["000000_0"]
    assert left_out == [
        "../../etc/passwd: 'audio/..//../../etc/passwd' leads out of its folder",
        "000001_0: its relevance of voice is no number from 0 to 1",
        "000002_0: 'kazoo' is no instrument of OpenMIC-2018",
        "000003_0: its relevance of voice is no number from 0 to 1",
        "000004_0: no audio/000/000004_0.ogg",
        "000005_0: 000005_0.ogg is empty",
    ]


def test_openmics_pickles_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "openmic-2018.npz").write_bytes(b"PK no archive")
    with pytest.raises(InputError, match=r"lacks openmic-2018-aggregated-labels\.csv"):
        layouts.layout(tmp_path)
    sounds(tmp_path, "audio/000/000046_3840.ogg")
    openmic(tmp_path, "000046_3840,flute,1.0,3\n")
    assert list(found(tmp_path)[0]) == ["000046_3840"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"sample_key,instrument\n1,voice\n", "lacks one of the columns"),
        (b'sample_key,instrument,relevance\n1,"voice,1\n', "is no table"),
        (b"sample_key,instrument,relevance\n\xff\n", "is no text in UTF-8"),
        (b" " * (4 * 2**20 + 1), "is larger than 4 MiB"),
        (b"", "lacks one of the columns"),
    ],
)
def test_a_damaged_table_of_openmic_is_told(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "openmic-2018-aggregated-labels.csv").write_bytes(content)
    with pytest.raises(InputError, match=f"openmic-2018-aggregated-labels.csv {why}"):
        list(layouts.tracks(tmp_path))


# MUSDB18


def test_musdb_tracks_have_four_stems(tmp_path: Path) -> None:
    musdb(tmp_path / "train", "Zoë - Über uns", "Leaf - Summerghost", "A - B")
    musdb(tmp_path / "test", "Leaf - Summerghost (live)")
    assert layouts.layout(tmp_path) == "musdb18"
    tracks, left_out = found(tmp_path)
    assert [(track.name, track.split) for track in tracks.values()] == [
        ("Leaf - Summerghost (live)", "test"),
        ("A - B", "train"),
        ("Leaf - Summerghost", "validation"),
        ("Zoë - Über uns", "train"),
    ]
    track = tracks["Zoë - Über uns"]
    assert track.mix == tmp_path / "train/Zoë - Über uns/mixture.wav"
    assert track.tags is None
    assert heard(track) == [
        ("vocals.wav", "voice", "voice"),
        ("drums.wav", "drums", "percussion"),
        ("bass.wav", "bass", "plucked"),
        ("other.wav", None, None),
    ]
    assert left_out == []


def test_damaged_tracks_of_musdb_cost_nothing_else(tmp_path: Path) -> None:
    musdb(tmp_path / "train", "a", "b", "c")
    (tmp_path / "train/a/drums.wav").unlink()
    (tmp_path / "train/b/mixture.wav").unlink()
    (tmp_path / "train/d").mkdir()
    tracks, left_out = found(tmp_path)
    assert list(tracks) == ["b", "c"]
    assert tracks["b"].mix is None
    assert left_out == ["a: no drums.wav", "d: no vocals.wav"]


def test_stems_in_mp4_are_refused_with_what_to_do(tmp_path: Path) -> None:
    write(tmp_path / "train/A - B.stem.mp4", "")
    with pytest.raises(InputError, match="get MUSDB18-HQ"):
        layouts.tracks(tmp_path)


# MedleyDB


@needs_yaml
@pytest.mark.parametrize("place", ["Audio", "V2", "."])
@pytest.mark.parametrize("metadata", [None, "Metadata/Ä B_Song_METADATA.yaml", "../Metadata/Ä B_Song_METADATA.yaml"])
def test_medleydb_tracks_have_the_stems_of_their_metadata(tmp_path: Path, place: str, metadata: str | None) -> None:
    folder = tmp_path / "MedleyDB"
    medleydb(folder / place, "Ä B_Song", metadata, second="[male singer, vocalists]")
    (folder / "._Audio").mkdir()
    assert layouts.layout(folder) == "medleydb"
    tracks, left_out = found(folder)
    track = tracks["Ä B_Song"]
    assert (track.split, track.mix) == ("", folder / place / "Ä B_Song/Ä B_Song_MIX.wav")
    assert heard(track) == [
        ("Ä B_Song_STEM_01.wav", "bass", "plucked"),
        ("Ä B_Song_STEM_02.wav", "voice", "voice"),
    ]
    assert [stem.said for stem in track.stems] == ["electric bass", "male singer, vocalists"]
    assert left_out == []


@needs_yaml
def test_damaged_tracks_of_medleydb_cost_nothing_else(tmp_path: Path) -> None:
    audio = tmp_path / "Audio"
    for name in ("whole", "silent", "leads", "lost", "torn"):
        medleydb(audio, name)
    (audio / "silent/silent_STEMS/silent_STEM_02.wav").unlink()
    told = audio / "leads/leads_METADATA.yaml"
    told.write_text(told.read_text().replace("leads_STEM_02.wav", "../../whole/whole_MIX.wav"))
    (audio / "lost/lost_METADATA.yaml").unlink()
    write(audio / "torn/torn_METADATA.yaml", "stems: {S01: [")
    (audio / "vain").mkdir()
    tracks, left_out = found(tmp_path)
    assert list(tracks) == ["whole"]
    where = "put the folder medleydb/data/Metadata of github.com/marl/medleydb beside it"
    assert left_out == [
        "leads: '../../whole/whole_MIX.wav' leads out of its folder",
        f"lost: no lost_METADATA.yaml: {where}",
        "silent: no silent_STEM_02.wav",
        "torn: torn_METADATA.yaml is no YAML that we can read",
        f"vain: no vain_METADATA.yaml: {where}",
    ]


@needs_yaml
@pytest.mark.parametrize("name", ["/etc/passwd", "..", "a/../../b.wav", "b\\0.wav", "x" * 300])
def test_a_stem_is_looked_for_in_its_folder_alone(tmp_path: Path, name: str) -> None:
    medleydb(tmp_path / "Audio", "whole")
    medleydb(tmp_path / "Audio", "leads")
    told = tmp_path / "Audio/leads/leads_METADATA.yaml"
    told.write_text(told.read_text().replace("filename: leads_STEM_02.wav", f'filename: "{name}"'))
    tracks, left_out = found(tmp_path)
    assert list(tracks) == ["whole"]
    assert len(left_out) == 1
    assert left_out[0].startswith("leads: ")


# Slakh2100


@needs_yaml
def test_slakh_stems_are_what_their_patches_are(tmp_path: Path) -> None:
    slakh(tmp_path / "train/Track00002")
    slakh(tmp_path / "train/Track00001")
    slakh(tmp_path / "validation/Track01501", ".wav")
    slakh(tmp_path / "omitted/Track00003")
    assert layouts.layout(tmp_path) == "slakh"
    tracks, left_out = found(tmp_path)
    assert [(track.name, track.split) for track in tracks.values()] == [
        ("Track00001", "train"),
        ("Track00002", "train"),
        ("Track01501", "validation"),
    ]
    assert tracks["Track00001"].mix == tmp_path / "train/Track00001/mix.flac"
    assert heard(tracks["Track00001"]) == [
        ("S00.flac", "guitar", "plucked"),
        ("S01.flac", "drums", "percussion"),
        ("S02.flac", "organ", "keyboard"),
        ("S03.flac", None, "voice"),
    ]
    assert tracks["Track00001"].stems[2].said == "Harmonica (transistor_compact)"
    assert tracks["Track01501"].stems[0].path == tmp_path / "validation/Track01501/stems/S00.wav"
    assert left_out == []


@needs_yaml
def test_babyslakh_has_no_splits_and_calls_all_its_stems_not_rendered(tmp_path: Path) -> None:
    slakh(tmp_path / "Track00001", ".wav", SLAKH.replace("audio_rendered: true", "audio_rendered: false"))
    tracks, left_out = found(tmp_path)
    assert tracks["Track00001"].split == ""
    assert len(tracks["Track00001"].stems) == 4
    assert left_out == []


@needs_yaml
def test_damaged_tracks_of_slakh_cost_nothing_else(tmp_path: Path) -> None:
    for number in range(1, 8):
        slakh(tmp_path / f"train/Track0000{number}")
    (tmp_path / "train/Track00001/stems/S02.flac").unlink()
    (tmp_path / "train/Track00002/metadata.yaml").unlink()
    write(tmp_path / "train/Track00003/metadata.yaml", "#" * (4 * 2**20 + 1))
    write(tmp_path / "train/Track00004/metadata.yaml", SLAKH.replace("S00", "../stems/S00"))
    write(tmp_path / "train/Track00005/metadata.yaml", "stems: {S20: {audio_rendered: false}}")
    (tmp_path / "train/Track00006/mix.flac").unlink()
    (tmp_path / "train/Track00007/stems/S03.flac").write_bytes(b"")
    tracks, left_out = found(tmp_path)
    assert list(tracks) == ["Track00006"]
    assert tracks["Track00006"].mix is None
    assert left_out == [
        "Track00001: no stems/S02.flac",
        "Track00002: no metadata.yaml",
        "Track00003: metadata.yaml is larger than 4 MiB",
        "Track00004: '../stems/S00' leads out of its folder",
        "Track00005: none of its stems is there",
        "Track00007: S03.flac is empty",
    ]


@needs_yaml
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[1, 2]",
        b"stems: none",
        b"stems: {}",
        b"stems: {S00: guitar}",
        b"\xff\xfe",
        b"\x00",
        b"stems: " + b"[" * 20_000,
        b"stems: {S00: &a [*a]}",
        b"stems: {? [1]: 2}",
        b"stems: {S00: !!timestamp now}",
        b"stems: {S00: !!bool maybe}",
        b"stems: {S00: !!int ''}",
        b'stems: {S00: "\\UFFFFFFFF"}',
        b"stems: {S00: 2001-99-99}",
        b"stems: {S00: " + b"9" * 5000 + b"}",
        b"stems: !!python/object/apply:os.mkdir [made]",
    ],
)
def test_damaged_and_hostile_metadata_leave_out_one_track(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    slakh(tmp_path / "Track00001")
    slakh(tmp_path / "Track00002")
    (tmp_path / "Track00001/metadata.yaml").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    tracks, left_out = found(tmp_path)
    assert list(tracks) == ["Track00002"]
    assert len(left_out) == 1
    assert left_out[0].startswith("Track00001: metadata.yaml ")
    assert not (tmp_path / "made").exists()


def test_what_is_missing_to_read_yaml_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slakh(tmp_path / "Track00001")
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingError, match=r"pip install 'clefkit\[train\]'"):
        list(layouts.tracks(tmp_path))


# Which it is


def test_a_folder_without_a_layout_is_told_what_layouts_there_are(tmp_path: Path) -> None:
    (tmp_path / "violin").mkdir()
    with pytest.raises(InputError) as error:
        layouts.tracks(tmp_path)
    assert "\n" not in str(error.value)
    for name in ("OpenMIC-2018", "Slakh2100", "MedleyDB", "MUSDB18-HQ", "table of tags", "a folder an instrument"):
        assert name in str(error.value)


@pytest.mark.parametrize("name", ["lost", "file"])
def test_what_is_no_folder_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="can't be read"):
        layouts.layout(tmp_path / name)


def test_when_no_track_can_be_used_the_first_reason_is_told(tmp_path: Path) -> None:
    musdb(tmp_path / "train", "a", "b")
    for name in ("a", "b"):
        (tmp_path / "train" / name / "bass.wav").unlink()
    left_out = ["an earlier folder's"]
    with pytest.raises(InputError, match=r"none of the tracks can be used, the first for this: a: no bass\.wav"):
        list(layouts.tracks(tmp_path, left_out))
    assert left_out == ["an earlier folder's", "a: no bass.wav", "b: no bass.wav"]


def test_sounds_may_have_become_other_files(tmp_path: Path) -> None:
    sounds(tmp_path / "train/A - B", *(f"{name}.flac" for name in ("mixture", "vocals", "drums", "bass", "other")))
    assert [stem.path.suffix for stem in found(tmp_path)[0]["A - B"].stems] == [".flac"] * 4


def test_a_file_that_cannot_be_read_leaves_out_one_track(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    musdb(tmp_path / "train", "a", "b")
    there = files.there

    def broken(path: Path) -> Path:
        if path.parent.name == "a":
            raise OSError(5, "Input/output error")
        return there(path)

    monkeypatch.setattr(files, "there", broken)
    tracks, left_out = found(tmp_path)
    assert list(tracks) == ["b"]
    assert left_out == ["a: can't be read (input/output error)"]
