"""MEI and Plaine & Easie through verovio in its own process, which may fail in every way."""

# mypy: disable-error-code="comparison-overlap"
# Fractions stand beside plain numbers here.

from __future__ import annotations

import re
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from clefkit import notation
from clefkit.errors import InputError
from clefkit.notation import foreign, mei
from clefkit.notation.model import Key, Score, Slur, Tempo, Wedge
from clefkit.notation.unfold import unfold

DATA = Path(__file__).parent / "data"
XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = 'xmlns="http://www.music-encoding.org/ns/mei"'


def layer(content: str, rest: str = "", **attributes: str) -> str:
    """A measure of one staff."""
    said = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f'<measure{said}><staff n="1"><layer n="1">{content}</layer></staff>{rest}</measure>'


def document(*measures: str, staff: str = "", group: str = "") -> bytes:
    """MEI of one staff in 4/4 and G major."""
    one = f'<staffDef n="1" lines="5" clef.shape="G" clef.line="2" {staff}><label>Flute</label></staffDef>'
    definition = (
        '<scoreDef meter.count="4" meter.unit="4"><keySig sig="1s" mode="major"/>'
        f"{group or f'<staffGrp>{one}</staffGrp>'}</scoreDef>"
    )
    head = "<meiHead><fileDesc><titleStmt><title>Tune</title></titleStmt><pubStmt/></fileDesc></meiHead>"
    score = f"<score>{definition}<section>{''.join(measures)}</section></score>"
    return f"{XML}<mei {NAMESPACE}>{head}<music><body><mdiv>{score}</mdiv></body></music></mei>".encode()


def note(pname: str, duration: str = "4", name: str = "", more: str = "") -> str:
    identity = f' xml:id="{name}"' if name else ""
    return f'<note{identity} pname="{pname}" oct="4" dur="{duration}" {more}/>'


def places(score: Score) -> list[tuple[Fraction, float, Fraction]]:
    return [(n.onset, n.pitch, n.duration) for n in score.notes]


def test_notes_chords_tuplets_graces() -> None:
    score = mei.parse(document(layer(
        note("f") + '<tuplet num="3" numbase="2">' + 3 * note("g", "8") + "</tuplet>"
        + '<chord dur="4" dots="1">' + note("c") + note("e") + "</chord>" + note("a", "8", more='grace="unacc"')
        + note("b", "8"), n="1",
    )))  # fmt: skip
    third = Fraction(1, 3)
    assert places(score) == [
        (0, 66, 1), (1, 67, third), (1 + third, 67, third), (1 + 2 * third, 67, third), (2, 60, Fraction(3, 2)),
        (2, 64, Fraction(3, 2)), (Fraction(7, 2), 69, 0), (Fraction(7, 2), 71, Fraction(1, 2)),
    ]  # fmt: skip
    assert [n.grace for n in score.notes if n.grace] == ["slashed"]
    assert score.notes[5].chord
    assert (score.title, score.parts[0].name) == ("Tune", "Flute")
    assert score.keys == [Key(Fraction(0), 1, "major")]


def test_accidentals_hold_for_a_measure() -> None:
    first = note("c", more='accid="s"') + note("c") + note("f", more='accid="n"') + note("f")
    score = mei.parse(document(layer(first), layer(note("c") + note("f"))))
    assert [n.pitch for n in score.notes] == [61, 61, 65, 65, 60, 66]


def test_accidentals_hold_in_all_layers_for_what_comes_later() -> None:
    """A sharp in the third beat of the first layer is none for the first beat of the second layer."""
    one = note("f", "2", more='accid="n"') + note("g", "4", more='accid="s"') + note("g")
    two = note("g") + note("f") + note("f", "8", more='grace="acc"') + note("g") + note("f", more='accid="s"')
    both = f'<measure><staff n="1"><layer n="1">{one}</layer><layer n="2">{two}</layer></staff></measure>'
    assert [n.pitch for n in mei.parse(document(both)).notes] == [65, 68, 68, 67, 65, 65, 68, 66]


def test_a_tied_note_keeps_the_accidental_of_the_first() -> None:
    tie = '<tie startid="#a" endid="#b"/>'
    score = mei.parse(
        document(layer(note("c", "1", "a", 'accid="s"'), tie), layer(note("c", "2", "b") + note("c", "2")))
    )
    assert [n.pitch for n in score.notes] == [61, 61, 60]


def test_what_stands_beside_the_staff() -> None:
    signs = (
        '<tie startid="#a" endid="#b"/><slur startid="#c" endid="#d"/><dynam tstamp="2" staff="1">mf</dynam>'
        '<hairpin form="cres" tstamp="2" tstamp2="0m+4" staff="1"/><fermata startid="#d"/><trill startid="#c"/>'
        '<tempo tstamp="1" mm="60" mm.unit="2">Allegro</tempo><arpeg startid="#d"/>'
    )
    notes = note("g", name="a") + note("g", name="b") + note("a", name="c") + note("b", name="d")
    score = mei.parse(document(layer(notes, signs)))
    found = {n.id: n for n in score.notes}
    assert (found["a"].tie_start, found["b"].tie_stop) == (True, True)
    assert score.slurs == [Slur("c", "d")]
    assert [(d.onset, d.mark) for d in score.dynamics] == [(1, "mf")]
    assert score.wedges == [Wedge(Fraction(1), Fraction(3), 0, grows=True)]
    assert [f.onset for f in score.fermatas] == [3]
    assert (found["c"].marks, found["d"].marks) == ({"trill-mark"}, {"arpeggiate"})
    assert score.tempos == [Tempo(Fraction(0), 120.0)]


def test_repeats_and_endings() -> None:
    whole = note("c", "1")
    score = mei.parse(document(
        layer(whole, n="1", left="rptstart"), f'<ending n="1">{layer(whole, n="2", right="rptend")}</ending>',
        f'<ending n="2">{layer(whole, n="3")}</ending>',
    ))  # fmt: skip
    assert unfold(score) == [0, 1, 0, 2]


def test_transposing_and_braced_staves() -> None:
    horn = mei.parse(document(layer(note("c")), staff='trans.semi="-7" trans.diat="-4"'))
    assert [n.pitch for n in horn.notes] == [53]
    assert horn.parts[0].transposition == -7
    group = (
        '<staffGrp symbol="brace"><label>Piano</label><staffDef n="1" lines="5"/><staffDef n="2" lines="5"/></staffGrp>'
    )
    piano = mei.parse(document(
        f'<measure><staff n="1"><layer n="1">{note("c")}</layer></staff>'
        f'<staff n="2"><layer n="1">{note("e")}</layer></staff></measure>', group=group,
    ))  # fmt: skip
    assert [(part.name, part.staves) for part in piano.parts] == [("Piano", 2)]
    assert [n.staff for n in piano.notes] == [1, 2]
    crossing = mei.parse(document(layer(note("c") + note("e", more='staff="2"')), group=group))
    assert [n.staff for n in crossing.notes] == [1, 2]


def test_grace_notes_before_a_barline_end_the_note_before_them() -> None:
    grace = note("d", "8", more='grace="unacc"')
    behind = f'<graceGrp attach="post" grace="acc">{note("e", "8")}</graceGrp>'
    score = mei.parse(document(layer(note("c", "2") + behind + note("c", "2") + grace), layer(grace + note("c", "1"))))
    assert [(n.onset, n.grace) for n in score.notes if n.grace] == [(0, "after"), (2, "after"), (4, "slashed")]


def test_parts_stand_in_the_order_of_their_staves() -> None:
    group = (
        '<staffGrp><staffGrp symbol="bracket"><staffDef n="1" lines="5"><label>Violin</label></staffDef></staffGrp>'
        '<staffDef n="2" lines="5"><label>Cello</label></staffDef></staffGrp>'
    )
    assert [part.name for part in mei.parse(document(layer(note("c")), group=group)).parts] == ["Violin", "Cello"]


def test_signs_that_repeat_what_came_before() -> None:
    score = mei.parse(document(
        layer(note("c", "2") + note("d", "2")), layer("<mRpt/>"), layer(note("e", "4") + "<beatRpt/>" + note("g", "2")),
        layer("<halfmRpt/>" + note("a", "2")),
    ))  # fmt: skip
    assert [(n.onset, n.pitch) for n in score.notes] == [
        (0, 60), (2, 62), (4, 60), (6, 62), (8, 64), (9, 64), (10, 67), (12, 67), (14, 69),
    ]  # fmt: skip
    assert len({n.id for n in score.notes}) == 9


def test_a_rest_for_a_whole_measure_does_not_stretch_a_pickup() -> None:
    group = '<staffGrp><staffDef n="1" lines="5"/><staffDef n="2" lines="5"/></staffGrp>'
    rests = (
        '<measure metcon="false"><staff n="1"><layer>{}</layer></staff>'
        '<staff n="2"><layer><mRest/></layer></staff></measure>'
    )
    score = mei.parse(document(rests.format(note("c")), rests.format("<mRest/>"), group=group))
    assert [m.length for m in score.measures] == [1, 4]


def test_through_verovio_and_twice_the_same(tmp_path: Path) -> None:
    data = document(layer(note("g") + note("a") + note("b", "2"), n="1"), layer(note("c", "1"), n="2"))
    for name in ("x.mei", "x.xml"):
        (tmp_path / name).write_bytes(data)
    one, two = notation.read(tmp_path / "x.mei"), notation.read(tmp_path / "x.xml")
    assert places(one) == [(0, 67, 1), (1, 69, 1), (2, 71, 2), (4, 60, 4)]
    assert [n.id for n in one.notes] == [n.id for n in two.notes]
    assert "verovio" not in sys.modules


def test_plaine_and_easie(tmp_path: Path) -> None:
    path = tmp_path / "x.pae"
    path.write_text("@clef:G-2\n@keysig:xF\n@timesig:4/4\n@data:4GABF/1A//\n")
    assert [n.pitch for n in notation.read(path).notes] == [67, 69, 71, 66, 69]


@pytest.mark.parametrize("data", [b"", b"\x00\xff" * 50, b"<mei>", XML.encode() + f"<mei {NAMESPACE}/>".encode()])
def test_damaged_files_are_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.mei"
    path.write_bytes(data)
    with pytest.raises(InputError):
        notation.read(path)


def test_an_id_that_stands_twice_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.mei"
    path.write_bytes(document(layer(note("g", "2", "a") + note("a", "2", "a"))))
    notes = notation.read(path).notes
    assert [n.pitch for n in notes] == [67, 69]
    assert len({n.id for n in notes}) == 2


def test_a_document_type_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "x.mei"
    text = document(layer(note("g", "2", "a") + note("a", "2", "a"))).decode()
    (tmp_path / "x.dtd").write_text('<!ELEMENT mei ANY><!ENTITY a "b">')
    for place in ("http://localhost/x.dtd", str(tmp_path / "x.dtd")):
        path.write_text(re.sub("<mei", f'<!DOCTYPE mei SYSTEM "{place}"><mei', text, count=1))
        assert len(notation.read(path).notes) == 2


def test_a_cut_file_is_not_read_in_part(tmp_path: Path) -> None:
    path = tmp_path / "x.mei"
    path.write_bytes(document(layer(note("g")))[:-30])
    with pytest.raises(InputError, match="damaged XML"):
        notation.read(path)


@pytest.mark.parametrize("program", ["import os; os.abort()", "import sys; sys.exit(9)", "while True: pass"])
def test_a_crash_or_hang_of_verovio_is_told(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.mei"
    path.write_bytes(document(layer(note("g"))))
    monkeypatch.setattr(foreign, "CHILD", program)
    monkeypatch.setattr(foreign, "LIMIT_S", 2)
    with pytest.raises(InputError, match="verovio can't read it"):
        notation.read(path)


def test_musicxml_is_still_musicxml() -> None:
    assert notation.read(DATA / "notation-24a-grace-notes.xml").notes


def section(name: str, *inside: str, kind: str = "section") -> str:
    return f'<{kind} xml:id="{name}" n="{name[1:]}">{"".join(inside) or layer(note("c", "1"))}</{kind}>'


def expansion(*names: str, more: str = "") -> str:
    return f'<expansion plist="{" ".join("#" + name for name in names)}" {more}/>'


ENDINGS = (section("A1", layer(note("c", "1"), right="rptend"), kind="ending"), section("A2", kind="ending"))


def test_expansions_say_the_order_of_playing() -> None:
    lists = expansion("A", "A2", "B", more='type="norep"') + expansion("A", "A1", "A", "A2", "B", "A", "A2")
    score = mei.parse(document(lists, section("A"), *ENDINGS, section("B")))
    assert score.order == [0, 1, 0, 2, 3, 0, 2] == unfold(score)
    assert mei.parse(document(section("A"), *ENDINGS)).order is None
    both, minimal = expansion("A", "A"), expansion("A", more='type="norep"')
    choice = f"<choice><orig>{both}</orig><reg>{minimal}</reg></choice>"
    assert mei.parse(document(choice, section("A"))).order == [0, 0]


def test_expansions_in_expansions(tmp_path: Path) -> None:
    inner = section("B", expansion("C", "D", "C"), section("C"), section("D"))
    data = document(expansion("A", "B", "A"), section("A"), inner)
    assert mei.parse(data).order == [0, 1, 2, 1, 0]
    (tmp_path / "score.mei").write_bytes(data)
    assert notation.read(tmp_path / "score.mei").order == [0, 1, 2, 1, 0]
    alone = document(section("A", layer(note("c", "1"), right="rptend")), inner)
    assert mei.parse(alone).order == [0, 0, 1, 2, 1]
    whole = document(section("A", expansion("B", "B"), section("B", expansion("C", "C"), section("C"))))
    assert mei.parse(whole).order == [0, 0, 0, 0]
    named = expansion("A", "B", more='xml:id="one"') + expansion("one", "one", "A", more='xml:id="two"')
    data = document(named.replace('xml:id="one"', 'xml:id="one" type="x"'), section("A"), section("B"))
    assert mei.parse(data).order == [0, 1, 0, 1, 0]


def test_expansions_that_lead_nowhere_are_not_followed() -> None:
    assert mei.parse(document(expansion("A", "X"), section("A"))).order is None
    assert mei.parse(document(expansion("one", more='xml:id="one"'), section("A"))).order is None


def test_endless_expansions_are_refused() -> None:
    inside = layer(note("c", "1"))
    for number in range(20):
        inside = section(f"S{number}", expansion(*[f"S{number - 1}"] * 3) if number else "", inside)
    with pytest.raises(InputError, match="expansion"):
        mei.parse(document(inside))


def test_lists_that_name_each_other_without_end_are_not_followed() -> None:
    for times, count in ((1, 3000), (2, 40)):
        chain = "".join(
            expansion(*[f"e{number + 1}"] * times, more=f'xml:id="e{number}"') for number in range(count)
        )  # fmt: skip
        last = expansion("A", more=f'xml:id="e{count}"')
        assert mei.parse(document(chain, last, section("A"))).order is None
