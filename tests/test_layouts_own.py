"""Recordings of one's own: tables of tags, and a folder an instrument."""

from __future__ import annotations

from pathlib import Path

import pytest
from recordings import found, heard, sounds, write

from clefkit.errors import InputError
from clefkit.tag.vocabulary import FAMILIES, LEAVES
from clefkit.train import layouts
from clefkit.train.layouts import Track


def test_a_table_with_a_column_a_tag_says_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    sounds(tmp_path, "ä b.wav", "c/d.flac")
    write(tmp_path / "tags.csv", "file,violin,electric guitar,viola,happy\nc/d.flac,0.25,1,,1\nä b.wav,1,0,1,\n")
    assert layouts.layout(tmp_path) == "tables"
    tracks, left_out = found(tmp_path)
    assert list(tracks) == ["c/d.flac", "ä b.wav"]
    assert tracks["c/d.flac"] == Track("c/d.flac", "", tmp_path / "c/d.flac", (), {"violin": 0.25, "guitar": 1.0})
    assert tracks["ä b.wav"].tags == {"violin": 1.0}
    assert left_out == ["tags.csv: some of its tags are no instruments that we know: 'happy'"]


def test_a_list_says_that_nothing_else_is_there_but_for_what_it_may_have_meant(tmp_path: Path) -> None:
    sounds(tmp_path, "a.wav", "b.wav", "c.wav")
    write(tmp_path / "train.csv", "file,tag\na.wav,piano\nb.wav,viola\nb.wav,flute\n")
    write(tmp_path / "test.jsonl", '{"file": "c.wav", "tags": ["vocals", "other"]}\n')
    tracks, left_out = found(tmp_path)
    assert [(track.name, track.split) for track in tracks.values()] == [
        ("c.wav", "test"),
        ("a.wav", "train"),
        ("b.wav", "train"),
    ]
    assert tracks["a.wav"].tags == dict.fromkeys(LEAVES, 0.0) | {"piano": 1.0}
    assert tracks["b.wav"].tags == {leaf: 0.0 for leaf in LEAVES if leaf not in FAMILIES["bowed"]} | {"flute": 1.0}
    assert tracks["c.wav"].tags == {"voice": 1.0}
    assert left_out == []


def test_what_a_table_names_is_looked_for_in_its_folder_once(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    sounds(folder, "a.wav")
    sounds(tmp_path, "out.wav")
    write(folder / "tags.csv", "file,tag\na.wav,piano\n../out.wav,piano\nlost.wav,piano\n")
    write(folder / "test.csv", "file,tag\na.wav,piano\n")
    write(folder / "prices.csv", "file,price\na.wav,3\n")
    write(folder / "notes.jsonl", '{"clefkit": "notes"}\n')
    tracks, left_out = found(folder)
    assert list(tracks) == ["a.wav"]
    assert left_out == [
        "../out.wav: '../out.wav' leads out of its folder",
        "lost.wav: no lost.wav",
        "a.wav: is in two tables, the second is test.csv",
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("file,tag\na.wav,piano,1\n", "tags.csv: line 2 has 3 columns, where the first has 2"),
        (
            "file,tag\na.wav,happy\na.wav,sad\n",
            "tags.csv: none of its tags is an instrument that we know: 'happy', 'sad'",
        ),
        ("file,tag\n", "tags.csv: tells of no clip"),
    ],
)
def test_a_table_that_is_of_no_use_is_told(tmp_path: Path, text: str, why: str) -> None:
    write(tmp_path / "tags.csv", text)
    with pytest.raises(InputError) as error:
        list(layouts.tracks(tmp_path))
    assert str(error.value) == why


def test_a_folder_an_instrument(tmp_path: Path) -> None:
    sounds(tmp_path, "violin/b.wav", "violin/a é.wav", "Pianos/x/y.flac", "viola/z.wav", "noise/n.wav", "kazoo/k.wav")
    sounds(tmp_path, "violin/.hidden.wav")
    (tmp_path / "violin/c.wav").touch()
    write(tmp_path / "violin/readme.txt", "")
    write(tmp_path / "papers/readme.txt", "")
    assert layouts.layout(tmp_path) == "classes"
    tracks, left_out = found(tmp_path)
    assert list(tracks) == ["Pianos/x/y.flac", "noise/n.wav", "viola/z.wav", "violin/a é.wav", "violin/b.wav"]
    piano = tracks["Pianos/x/y.flac"]
    assert (piano.split, piano.mix, piano.tags) == ("", tmp_path / "Pianos/x/y.flac", {"piano": 1.0})
    assert heard(piano) == [("y.flac", "piano", "keyboard")]
    assert heard(tracks["viola/z.wav"]) == [("z.wav", None, "bowed")]
    assert tracks["viola/z.wav"].tags == {}
    assert heard(tracks["noise/n.wav"]) == [("n.wav", None, None)]
    assert left_out == [
        "kazoo: no instrument that we know, by the name of the folder",
        "violin/c.wav: c.wav is empty",
    ]


def test_a_folder_an_instrument_in_folders_of_splits(tmp_path: Path) -> None:
    sounds(tmp_path, "train/violin/a.wav", "valid/violin/b.wav", "piano/c.wav", "valid/kazoo/d.wav")
    tracks, left_out = found(tmp_path)
    assert left_out == ["valid/kazoo: no instrument that we know, by the name of the folder"]
    assert {track.name: track.split for track in tracks.values()} == {
        "piano/c.wav": "",
        "train/violin/a.wav": "train",
        "valid/violin/b.wav": "validation",
    }
