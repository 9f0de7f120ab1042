"""Piano rolls and their page: what is drawn is what was found, and no file name can break a picture."""

from __future__ import annotations

import time
from html.parser import HTMLParser
from typing import Any, NamedTuple
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clefkit import notes
from clefkit.notes import Notes, Part
from clefkit.score.notes import labels as score_labels
from clefkit.score.notes.labels import Labels
from clefkit.score.plot import page, roll

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "a<b>&\"'\x00\x1b\udce4\ud800\uffff\u202e\n]]>--><script>alert(1)</script>.mid"


def labels(reference: list[str], estimate: list[str], pairs: list[tuple[int, int]]) -> Labels:
    array = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return Labels(np.array(reference, dtype=np.str_), np.array(estimate, dtype=np.str_), array)


def all_missed(reference: Notes) -> str:
    nothing = notes.make([], [], [])
    return roll(reference, nothing, labels(["missed"] * len(reference), [], []), "x", {})


REFERENCE = notes.make([0.5, 1.0, 2.0, 25.0], [0.9, 1.5, 4.0, 26.0], [60, 64, 67, 72], [80, 81, 82, 83])
ESTIMATE = notes.make([0.53, 1.5, 2.01, 25.01], [0.8, 1.75, 3.0, 26.5], [60, 50.5, 79, 72])
LABELS = labels(["hit", "missed", "missed", "hit"], ["hit", "false", "octave", "hit"], [(0, 0), (2, 2), (3, 3)])


class Rect(NamedTuple):
    """begin: of its system; the rest in pixels"""

    kind: str
    begin: int
    reference: bool
    x: float
    y: float
    width: float
    told: str


def rects(svg: str) -> list[Rect]:
    found = []
    for system in ET.fromstring(svg).iter(f"{SVG}g"):
        if system.get("class") != "system":
            continue
        begin = int(str(next(system.iter(f"{SVG}text")).text).removesuffix(" s").replace(",", ""))
        for group in system.iterfind(f"{SVG}g"):
            for one in group:
                for rect in one.iterfind(f"{SVG}rect"):
                    x, y, width = (float(rect.attrib[key]) for key in ("x", "y", "width"))
                    told = str(one.findtext(f"{SVG}title"))
                    found.append(Rect(str(group.get("class")), begin, rect.get("class") == "r", x, y, width, told))
    return found


def texts(svg: str) -> list[str]:
    """All that is written, but for the names of octaves."""
    root = ET.fromstring(svg)
    return ["".join(one.itertext()) for one in root.iter(f"{SVG}text") if one.get("class") != "name"]


def test_each_note_is_drawn_as_what_it_is() -> None:
    found = rects(roll(REFERENCE, ESTIMATE, LABELS, "x", {}))
    drawn = [(one.kind, one.begin, one.reference) for one in found]
    assert drawn == [
        ("hit", 0, False),
        ("hit", 0, True),
        ("missed", 0, True),
        ("missed", 0, True),
        ("false", 0, False),
        ("octave", 0, False),
        ("hit", 20, False),
        ("hit", 20, True),
    ]


def test_what_score_finds_can_be_drawn() -> None:
    reference = notes.make([0, 1, 2], [1, 2, 3], [60, 62, 64])
    estimate = notes.make([0.01, 1.02, 2.2], [1, 2, 3], [60, 50, 64])
    drawn = [one.kind for one in rects(roll(reference, estimate, score_labels.labels(reference, estimate), "x", {}))]
    assert drawn == ["hit", "hit", "missed", "missed", "false", "octave"]


def test_places_are_those_of_the_notes() -> None:
    found = rects(roll(REFERENCE, ESTIMATE, LABELS, "x", {}))
    second = 1128 / 20
    hit = found[1]
    assert (hit.x, hit.width) == pytest.approx((0.5 * second, 0.4 * second), abs=0.051)
    assert (found[0].x, found[0].width) == pytest.approx((0.53 * second, 0.27 * second), abs=0.051)
    assert found[6].x == pytest.approx(5.01 * second, abs=0.051)
    by_pitch = {60.0: found[1], 64.0: found[2], 67.0: found[3], 50.5: found[4], 79.0: found[5], 72.0: found[7]}
    slope = (by_pitch[60.0].y - by_pitch[64.0].y) / 4
    assert slope > 0
    for pitch, rect in by_pitch.items():
        assert rect.y == pytest.approx(by_pitch[60.0].y - (pitch - 60) * slope, abs=0.15)


def test_what_is_told_of_a_note() -> None:
    found = rects(roll(REFERENCE, ESTIMATE, LABELS, "x", {}))
    assert found[0].told == (
        "C4: hit, 30 ms late\nreference 0.500 to 0.900 s, velocity 80\nestimate 0.530 to 0.800 s, velocity 80"
    )
    assert found[2].told == "E4: missed\nreference 1.000 to 1.500 s, velocity 81"
    assert found[4].told.startswith("D3 +50 cents: false\n")
    assert found[5].told.startswith("G5: 1 octave too high, 10 ms late\n")


def test_a_line_leads_from_an_octave_error_to_its_place() -> None:
    svg = roll(REFERENCE, ESTIMATE, LABELS, "x", {})
    group = ET.fromstring(svg).find(f".//{SVG}g[@class='system']/{SVG}g[@class='octave']/{SVG}g")
    assert group is not None
    line = group.find(f"{SVG}path")
    assert line is not None
    begin, end = line.attrib["d"].removeprefix("M").split("L")
    octave, missed = rects(svg)[5], rects(svg)[3]
    assert [float(value) for value in begin.split()] == pytest.approx([octave.x, octave.y + 3.1], abs=0.6)
    assert [float(value) for value in end.split()] == pytest.approx([missed.x, missed.y + 3.1], abs=0.6)


def test_a_false_note_is_crossed_and_has_no_outline() -> None:
    svg = roll(REFERENCE, ESTIMATE, LABELS, "x", {})
    shapes = ET.fromstring(svg).find(f".//{SVG}g[@class='system']/{SVG}g[@class='false']/{SVG}g")
    assert shapes is not None
    assert [one.tag for one in shapes] == [f"{SVG}title", f"{SVG}rect", f"{SVG}use"]
    assert [one.reference for one in rects(svg) if one.kind == "false"] == [False]


def test_the_parts_are_named_where_there_are_several() -> None:
    parts = (Part("violin"), Part("cello & <co>"))
    several = notes.make([0, 1], [1, 2], [60, 40], part=[0, 1], parts=parts)
    told = [rect.told for rect in rects(all_missed(several))]
    assert told[0].endswith("velocity 80, violin")
    assert told[1].endswith("velocity 80, cello & <co>")
    assert "violin" not in all_missed(notes.alone(several, 0))


def test_title_figures_and_counts_are_above() -> None:
    svg = roll(REFERENCE, ESTIMATE, LABELS, "take.mid", {"note_f1": 0.5, "ref_notes": 1234, "overlap": float("nan")})
    said = texts(svg)
    assert said[0] == "take.mid"
    assert said[1].replace("\xa0", " ") == "note F1 0.500 · ref notes 1,234 · overlap \N{EN DASH}"
    assert said[2:6] == ["hit 2", "missed 2", "false 1", "octaves off 1"]


@pytest.mark.parametrize(
    ("reference", "estimate", "said"),
    [
        (0, 0, "There are no notes in the reference or the estimate."),
        (0, 2, "There are no notes in the reference."),
        (2, 0, "There are no notes in the estimate."),
    ],
)
def test_a_side_without_notes_is_said(reference: int, estimate: int, said: str) -> None:
    sides = [notes.make(range(count), range(1, count + 1), [60] * count) for count in (reference, estimate)]
    svg = roll(sides[0], sides[1], labels(["missed"] * reference, ["false"] * estimate, []), "x", {})
    assert said in texts(svg)
    assert len(rects(svg)) == reference + estimate


def test_a_note_is_drawn_in_every_system_that_it_lasts_through() -> None:
    first = rects(all_missed(notes.make([0, 59.9], [60, 60], [60, 61])))
    assert [one.begin for one in first if one.told.startswith("C4")] == [0, 40]  # in between nothing begins or ends
    assert "20 to 40 s: nothing begins" in texts(all_missed(notes.make([0, 59.9], [60, 60], [60, 61])))


def test_hours_of_nothing_make_no_systems() -> None:
    svg = all_missed(notes.make([-30.0, 5.0, 900_000.0], [10_000.0, 6.0, 900_001.0], [60, 200.25, -50]))
    assert sorted({one.begin for one in rects(svg)}) == [-40, 0, 9980, 900_000]
    assert "10,000 to 900,000 s: nothing begins" in texts(svg)
    assert all(0 <= one.x <= 1128 for one in rects(svg))
    assert all(one.x + one.width <= 1130 for one in rects(svg))


def test_of_very_long_pieces_the_worst_systems_are_shown() -> None:
    onset = np.arange(200) * 20.0
    sides = notes.make(onset, onset + 1, [60] * 200)
    wrong = set(range(50, 200, 3)) | {199}
    same = ["missed" if index in wrong else "hit" for index in range(200)]
    hits = [index for index in range(200) if index not in wrong]
    estimate = notes.take(sides, np.array(hits))
    found = labels(same, ["hit"] * len(hits), [(index, number) for number, index in enumerate(hits)])
    svg = roll(sides, estimate, found, "x", {})
    shown = {one.begin // 20 for one in rects(svg)}
    assert len(shown) == 60
    assert wrong <= shown
    told = [one for one in texts(svg) if "no room" in one]
    assert told[0] == "180 to 1,000 s: 41 notes, 0 errors among them, for which this picture has no room"


def test_no_picture_grows_without_end() -> None:
    count = 40_000
    onset = np.zeros(count)
    svg = all_missed(notes.make(onset, onset + 10_000, [60] * count))
    assert len(svg) < 8_000_000
    assert "the first 30,000 of 40,000 notes" in texts(svg)


def test_ten_thousand_notes_are_drawn_quickly_and_small() -> None:
    rng = np.random.default_rng(1)
    onset = np.sort(rng.uniform(0, 1000, 10_000))
    pitch = rng.integers(21, 109, 10_000)
    reference = notes.make(onset, onset + rng.uniform(0.05, 1, 10_000), pitch)
    estimate = notes.make(onset + 0.01, onset + 0.3, pitch)
    same = ["hit"] * 10_000
    found = labels(same, same, [(index, index) for index in range(10_000)])
    begin = time.process_time()
    svg = roll(reference, estimate, found, "x", {})
    assert time.process_time() - begin < 1.5
    assert len(svg.encode()) < 3_000_000
    assert len(ET.fromstring(svg).findall(f".//{SVG}g[@class='hit']/{SVG}g")) >= 10_000


def test_no_title_breaks_the_picture() -> None:
    svg = roll(REFERENCE, ESTIMATE, LABELS, HOSTILE, {HOSTILE: 0.5})
    svg.encode("utf-8")
    title = ET.fromstring(svg).findtext(f"{SVG}title")
    assert title == "a<b>&\"'\ufffd\ufffd ]]>--><script>alert(1)</script>.mid"
    assert f"{SVG}script" not in {one.tag for one in ET.fromstring(svg).iter()}
    long = texts(roll(REFERENCE, ESTIMATE, LABELS, "x" * 4000, {}))[0]
    assert len(long) <= 110


SECONDS = st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(SECONDS, SECONDS, st.floats(-100, 300), st.text(max_size=8)), max_size=12), st.text())
@settings(derandomize=True, deadline=None, max_examples=60)
def test_any_notes_and_names_make_a_valid_picture(rows: list[tuple[float, float, float, str]], title: str) -> None:
    parts = tuple(Part(name) for *_, name in rows) or (Part(),)
    times = [sorted(one[:2]) for one in rows]
    side = notes.make(
        [one[0] for one in times],
        [one[1] for one in times],
        [one[2] for one in rows],
        part=range(len(rows)),
        parts=parts,
    )
    svg = roll(side, side, labels(["missed"] * len(rows), ["false"] * len(rows), []), title, {})
    assert {one.told.split(": ")[1].split("\n")[0] for one in rects(svg)} <= {"missed", "false"}
    assert sum(one.startswith("missed ") for one in texts(svg)) == 1
    drawn = {(one.told, one.kind) for one in rects(svg)}
    assert len(drawn) <= 2 * len(rows)
    assert bool(drawn) == bool(rows)


class Page(HTMLParser):
    """The tags of a page with their attributes, its text, and that what is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.cells: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img"}:
            self.open.append(tag)
        if tag in {"td", "th"}:
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data

    def all(self, tag: str, attribute: str) -> list[str | None]:
        return [attributes[attribute] for name, attributes in self.tags if name == tag and attribute in attributes]


def row(name: str, f1: float, **more: Any) -> dict[str, Any]:
    return {"file": name, "roll": f"{name}.svg", "note_f1": f1, "note_recall": f1 / 2, "ref_notes": 1234, **more}


def test_the_page_lists_the_worst_first() -> None:
    found = Page(page([row("good", 0.9), row("bad", 0.1), row("drums", 0.0) | {"note_f1": float("inf")}]))
    assert found.all("img", "src") == ["./bad.svg", "./good.svg", "./drums.svg"]
    assert found.all("img", "loading") == ["lazy"] * 3


def test_the_page_has_the_figures_and_their_means() -> None:
    found = Page(page([row("a", 0.25), row("b", 0.75)]))
    assert found.cells[:4] == ["file", "note recall", "note F1", "ref notes"]
    assert found.cells[4:8] == ["a", "0.125", "0.250", "1,234"]
    assert found.cells[-4:] == ["mean", "0.250", "0.500", ""]
    assert "2 files" in found.text
    assert "Mean note F1 0.500." in found.text


def test_a_file_that_failed_comes_first_and_counts() -> None:
    found = Page(page([row("a", 0.5), {"file": "b", "error": "not a <MIDI> file"}]))
    assert found.cells[4:6] == ["b", "not a <MIDI> file"]
    assert "Mean note F1 0.250." in found.text
    assert "1 could not be measured and counts as 0." in found.text
    assert found.all("img", "src") == ["./a.svg"]


def test_a_measure_that_a_file_has_not_is_no_zero() -> None:
    lone = row("b", 0.5)
    del lone["note_recall"]
    found = Page(page([row("a", 0.25), lone]))
    assert found.cells[8:12] == ["b", "\N{EN DASH}", "0.500", "1,234"]
    assert found.cells[-4:-1] == ["mean", "0.125", "0.375"]


def test_links_lead_to_rolls() -> None:
    found = Page(page([row("a", 0.25), row("b", 0.75)]))
    inside = [one for one in found.all("a", "href") if one and one.startswith("#")]
    assert [one.removeprefix("#") for one in inside if one] == found.all("a", "id")


@pytest.mark.parametrize(
    "name", [HOSTILE.replace("\ud800", ""), "a:b", "//evil.example/x", "javascript:alert(1)", "50% #1 ?.mid", "ä\udcff"]
)
def test_no_name_breaks_the_page(name: str) -> None:
    html = page([row(name, 0.5, error_detail=HOSTILE)])
    html.encode("utf-8")
    found = Page(html)
    assert "script" not in dict(found.tags)
    source = found.all("img", "src")[0]
    assert source is not None
    assert source.startswith("./")
    assert not set(source) & set(":?#<>\"' ")
    assert unquote(source.removeprefix("./"), errors="surrogateescape").encode(
        "utf-8", "surrogateescape"
    ) == f"{name}.svg".encode("utf-8", "surrogateescape")


def test_the_page_needs_nothing_else() -> None:
    html = page([row("a", 0.25)])
    assert "http" not in html
    assert "<script" not in html


def test_one_file_has_no_mean_and_no_files_no_rolls() -> None:
    alone = Page(page([row("a", 0.25)]))
    assert "1 file against its reference" in alone.text
    assert len(alone.cells) == 8
    assert "Mean" not in alone.text
    assert Page(page([])).all("img", "src") == []
