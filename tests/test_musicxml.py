"""Reading MusicXML: notes, places, containers, and what is refused."""

from __future__ import annotations

import gc
import re
import zipfile
from fractions import Fraction
from pathlib import Path

import pytest
from tiny_score import note, read, xml

from clefkit import notation
from clefkit.errors import InputError
from clefkit.notation.model import Note

CONTAINER = '<container><rootfiles><rootfile full-path="{}"/></rootfiles></container>'


def test_ids_of_the_source_are_kept_and_stay_unique(tmp_path: Path) -> None:
    text = xml(note("C", 4, 2) + note("D", 4, 2) + note("E", 4, 2)).replace("<note>", '<note id="x">', 2)
    assert [n.id for n in read(tmp_path, text).notes] == ["x", "P1-m1-n2", "P1-m1-n3"]


def test_chords_backup_and_forward_move_the_cursor(tmp_path: Path) -> None:
    upper = note("C", 5, 4) + note("E", 5, 4, "<chord/>") + note("D", 5, 4)
    back, skip = "<backup><duration>8</duration></backup>", "<forward><duration>4</duration></forward>"
    score = read(tmp_path, xml(upper + back + skip + note("C", 3, 4, after="<voice>5</voice>")))
    assert [(int(n.onset), n.pitch, n.chord) for n in score.notes] == [
        (0, 72.0, False),
        (0, 76.0, True),
        (2, 74.0, False),
        (2, 48.0, False),
    ]
    assert score.measures[0].length == 4


def test_divisions_may_change_inside_a_measure(tmp_path: Path) -> None:
    change = "<attributes><divisions>3</divisions></attributes>"
    score = read(tmp_path, xml(note("C", 4, 6) + change + note("D", 4, 1) + note("E", 4, 1) + note("F", 4, 1)))
    assert [n.onset for n in score.notes] == [0, 3, Fraction(10, 3), Fraction(11, 3)]


def test_lengths_that_no_divisions_tell_are_exact(tmp_path: Path) -> None:
    thirds = note("C", 4, 2) + note("D", 4, 1).replace(">1<", ">0.125<") + note("E", 4, 1).replace(">1<", ">0.5<")
    score = read(tmp_path, xml(thirds + note("F", 4, 1).replace(">1<", ">0.333333333<") + note("G", 4, 1)))
    assert [n.duration * 2 for n in score.notes] == [2, Fraction(1, 8), Fraction(1, 2), Fraction(333333333, 10**9), 1]
    assert score.notes[4].onset * 2 == Fraction(21, 8) + Fraction(333333333, 10**9)


def test_lengths_without_a_common_measure_are_refused(tmp_path: Path) -> None:
    primes = (999999937, 999999929, 999999893)
    changes = "".join(f"<attributes><divisions>{p}</divisions></attributes>" + note("D", 4, 1) for p in primes)
    with pytest.raises(InputError, match="no common measure"):
        read(tmp_path, xml(changes))


def test_a_score_is_gone_when_nobody_holds_it(tmp_path: Path) -> None:
    def alive() -> int:
        return sum(type(each) is Note for each in gc.get_objects())  # isinstance would ask the objects

    gc.collect()
    gc.disable()
    try:
        before = alive()
        score = read(tmp_path, xml(note("C", 4, 8), note("D", 4, 8)))
        assert alive() == before + len(score.notes)
        del score
        assert alive() == before
    finally:
        gc.enable()


def test_a_pickup_and_an_overfull_measure_keep_their_length(tmp_path: Path) -> None:
    score = read(tmp_path, xml(note("C", 4, 2), note("D", 4, 10), note("E", 4, 8)))
    assert [measure.length for measure in score.measures] == [1, 5, 4]
    assert [measure.onset for measure in score.measures] == [0, 1, 6]


def test_a_rest_too_long_does_not_lengthen_the_measure(tmp_path: Path) -> None:
    back = "<backup><duration>8</duration></backup>"
    second = "<note><rest/><duration>10</duration><voice>2</voice></note>"
    assert read(tmp_path, xml(note("C", 4, 8) + back + second)).measures[0].length == 4


def test_parts_stay_together_when_one_has_a_short_measure(tmp_path: Path) -> None:
    second = f'<measure number="1">{note("C", 3, 1)}</measure><measure number="2">{note("D", 3, 4)}</measure>'
    other = f'<part id="P2">{second}</part>'
    score = read(tmp_path, xml(note("C", 4, 8), note("D", 4, 8), others=other))
    assert [(n.part, int(n.onset)) for n in score.notes] == [(0, 0), (0, 4), (1, 0), (1, 4)]


def test_timewise_scores_read_the_same(tmp_path: Path) -> None:
    measures = [note("C", 4, 8), note("D", 4, 8)]
    partwise = read(tmp_path, xml(*measures))
    content = "".join(
        f'<measure number="{n}"><part id="P1"><attributes><divisions>2</divisions></attributes>{m}</part></measure>'
        for n, m in enumerate(measures, 1)
    )
    listed = '<part-list><score-part id="P1"><part-name>Piano</part-name></score-part></part-list>'
    assert read(tmp_path, f"<score-timewise>{listed}{content}</score-timewise>") == partwise


def write_zip(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def test_compressed_scores_and_utf_16(tmp_path: Path) -> None:
    text = xml(note("C", 4, 8))
    plain = read(tmp_path, text)
    members = {"META-INF/container.xml": CONTAINER.format("in/a.xml"), "in/a.xml": text, "b.xml": "no"}
    assert notation.read(write_zip(tmp_path / "a.mxl", members)) == plain
    (tmp_path / "b.xml").write_bytes(text.replace("UTF-8", "UTF-16").encode("utf-16"))
    assert notation.read(tmp_path / "b.xml") == plain


def test_a_forgotten_end_tag_of_a_measure_is_put_in_and_told(tmp_path: Path) -> None:
    other = '<part id="P2"><measure number="1">' + note("C", 3, 8) + "</measure></part>"
    whole = xml(note("C", 4, 8), note("D", 4, 8), note("E", 4, 8), note("F", 4, 8), others=other)
    right = read(tmp_path, whole)
    for end in [found.start() for found in re.finditer("</measure>", whole)]:
        score = read(tmp_path, whole[:end] + whole[end:].removeprefix("</measure>"))
        assert "end tag" in score.faults[0]
        assert (score.notes, score.measures) == (right.notes, right.measures)


@pytest.mark.parametrize("lost", ["</note>", "</pitch>", '<measure number="2">', "</score-partwise>"])
def test_other_damage_is_not_mended(tmp_path: Path, lost: str) -> None:
    text = xml(note("C", 4, 8), note("D", 4, 8))
    with pytest.raises(InputError, match="damaged XML in line"):
        read(tmp_path, text.replace(lost, "", 1))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("hello", "damaged XML"),
        (xml(note("C", 4, 8))[:-30], "damaged XML"),
        ("<html><body/></html>", "root is <html>"),
        ("<score-partwise/>", "without measures"),
        ('<!DOCTYPE s [<!ENTITY a "aaaa">]><score-partwise>&a;</score-partwise>', "entities"),
        ('<!DOCTYPE s [<!ENTITY a SYSTEM "/etc/passwd">]><score-partwise>&a;</score-partwise>', "entities"),
    ],
)
def test_what_is_no_score_is_refused_with_a_reason(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read(tmp_path, text)


def test_entities_in_utf_16_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE s [<!ENTITY a "b">]><s>&a;</s>'.encode("utf-16"))
    with pytest.raises(InputError, match="entities"):
        notation.read(path)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"META-INF/container.xml": CONTAINER.format("a.xml"), "a.xml": " " * 30_000_000}, "unpacks to more"),
        ({"META-INF/container.xml": CONTAINER.format("../../a.xml")}, "not in it"),
        ({"META-INF/container.xml": "<container", "a.xml": ""}, "container is not XML"),
        ({"readme.txt": "hello"}, "without a score"),
        ({f"{number}.xml": "" for number in range(1001)}, "members"),
    ],
)
def test_zips_that_lie_are_refused(tmp_path: Path, members: dict[str, str], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        notation.read(write_zip(tmp_path / "a.mxl", members))


def test_a_damaged_zip_a_missing_file_and_another_kind_are_refused(tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "a.mxl", {"a.xml": xml(note("C", 4, 8))}).read_bytes()
    (tmp_path / "cut.mxl").write_bytes(whole[: len(whole) // 2])
    for name, reason in [("cut.mxl", "damaged"), ("none.xml", "no such file"), ("a.pdf", "not a kind of score")]:
        with pytest.raises(InputError, match=reason):
            notation.read(tmp_path / name)


def test_numbers_without_measure_are_ignored(tmp_path: Path) -> None:
    text = xml(note("C", 4, 8)).replace("<divisions>2<", "<divisions>1e999999999<").replace(">8<", ">4<")
    assert read(tmp_path, text).notes[0].duration == 4


def two_parts(first: str, second: str, first_time: str, second_time: str) -> str:
    time = "<time><beats>{}</beats><beat-type>{}</beat-type></time>"
    signs = f"<attributes><divisions>2</divisions>{time.format(*second_time.split('/'))}</attributes>"
    other = f'<part id="P2"><measure number="1">{signs}{second}</measure></part>'
    return xml(first, attributes=time.format(*first_time.split("/")), others=other)


def test_bar_lines_of_parts_with_different_time_signatures_are_together(tmp_path: Path) -> None:
    score = read(tmp_path, two_parts(note("C", 5, 2) * 2, note("C", 3, 1) * 6, "2/4", "6/8"))
    assert [(n.onset, n.duration) for n in score.notes if n.part == 0] == [
        (Fraction(0), Fraction(3, 2)),
        (Fraction(3, 2), Fraction(3, 2)),
    ]
    assert [n.onset for n in score.notes if n.part == 1] == [Fraction(n, 2) for n in range(6)]
    assert (int(score.measures[0].length), score.measures[0].time) == (3, (6, 8))


def test_a_measure_that_is_not_full_is_not_stretched(tmp_path: Path) -> None:
    score = read(tmp_path, two_parts(note("C", 5, 2), note("C", 3, 1) * 6, "2/4", "6/8"))
    assert score.notes[0].duration == 1
