"""Scores written as MusicXML, **kern and MIDI, and read back; played.unfolded."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from clefkit import midi, notation
from clefkit.notation import kern, kern_write, layout, midi_write, musicxml_write, played
from clefkit.notation.model import (
    Clef,
    Dynamic,
    Fermata,
    Key,
    Measure,
    Note,
    Part,
    Pedal,
    Score,
    Slur,
    Swing,
    Tempo,
    Text,
    Wedge,
)
from clefkit.notation.shapes import Shape, Shapes
from clefkit.notation.spelling import spelled
from clefkit.notation.unfold import unfold
from clefkit.render.perform import perform

ROOT = Path(__file__).parent.parent
REAL = ROOT / "demo" / "erinnerung.mxl"
STEPS = "CCDDEFFGGAAB"
Through = Callable[[Path, Score], Score]


def note(name: str, onset: float | Fraction, duration: float | Fraction, pitch: float = 60, **more: object) -> Note:
    step = STEPS[int(pitch) % 12]
    time = Fraction(onset)
    made = Note(name, 0, int(time // 4), time, Fraction(duration), pitch, step)
    for field, value in more.items():
        setattr(made, field, value)
    return made


def score(*notes: Note, measures: int = 1, **more: object) -> Score:
    """A piano in 4/4."""
    bars = [Measure(str(n + 1), n, Fraction(4 * n), Fraction(4)) for n in range(measures)]
    made = Score([Part("P1", "Piano", program=0)], bars, list(notes))
    for field, value in more.items():
        setattr(made, field, value)
    return made


def through_xml(folder: Path, made: Score) -> Score:
    path = folder / "score.musicxml"
    path.write_text(musicxml_write.text(made), encoding="utf-8")
    return notation.read(path)


def through_kern(_: Path, made: Score) -> Score:
    return kern.parse(kern_write.text(made))


def sounding(made: Score) -> list[tuple[Fraction, Fraction, float, str]]:
    """(onset, end, pitch, step) with ties joined, sorted."""
    ends: dict[tuple[Fraction, float, str], Fraction] = {}
    for each in sorted(made.notes, key=lambda n: n.onset):
        own = (each.onset, each.pitch, each.step)
        held = [key for key, end in ends.items() if each.tie_stop and key[1] == each.pitch and end == each.onset]
        ends[held[0] if held else own] = each.onset + each.duration
    return sorted((onset, end, pitch, step) for (onset, pitch, step), end in ends.items())


BOTH = pytest.mark.parametrize("through", [through_xml, through_kern], ids=["musicxml", "kern"])


@BOTH
@pytest.mark.parametrize(
    "lengths",
    [
        (1, Fraction(1, 2), Fraction(1, 4), Fraction(1, 4), 2),
        (Fraction(1, 3),) * 3 + (Fraction(2, 3), Fraction(1, 3), 2),
        (Fraction(5, 7), Fraction(9, 7), 2),
        (Fraction(5, 4), Fraction(11, 4)),
        (Fraction(79, 480), Fraction(401, 480), 3),
        (Fraction(1, 5),) * 5 + (Fraction(7, 2) - Fraction(1, 2),),
        (Fraction(1, 15),) * 15 + (3,),
    ],
)
def test_odd_durations_stay_exact(through: Through, lengths: tuple[Fraction, ...], tmp_path: Path) -> None:
    now, notes = Fraction(0), []
    for index, length in enumerate(lengths):
        notes.append(note(f"n{index}", now, length, 60 + index % 12))
        now += length
    made = score(*notes)
    assert sounding(through(tmp_path, made)) == sounding(made)


@BOTH
def test_tremolos_come_back(through: Through, tmp_path: Path) -> None:
    marks = ["tremolo:2", "tremolo-start:3", "tremolo-stop:3", "tremolo-start:1", "tremolo-stop:1"]
    lengths = [Fraction(1, length) for length in (1, 2, 2, 8, 8)]
    made = score(*(
        note(f"n{i}", sum(lengths[:i], Fraction(0)), length, 60 + i, marks=frozenset({mark}))
        for i, (length, mark) in enumerate(zip(lengths, marks, strict=True))
    ))  # fmt: skip
    assert [set(n.marks) for n in through(tmp_path, made).notes] == [{mark} for mark in marks]


@BOTH
def test_ties_that_do_not_meet_are_struck_again(through: Through, tmp_path: Path) -> None:
    made = score(note("a", 0, 1, tie_start=True), note("b", 2, 1, tie_stop=True), note("c", 3, 1, tie_stop=True))
    assert len(perform(through(tmp_path, made)).notes) == len(perform(made).notes) == 3


def test_a_tremolo_without_its_second_note_is_not_said_in_kern() -> None:
    lonely = score(note("a", 0, 1, marks=frozenset({"tremolo-start:3"})), note("b", 1, 1))
    assert [n.marks for n in through_kern(ROOT, lonely).notes] == [frozenset(), frozenset()]


@BOTH
def test_a_note_over_a_bar_line_and_notes_that_overlap(through: Through, tmp_path: Path) -> None:
    made = score(note("a", 3, 3, 60), note("b", 0, 4, 64), note("c", 1, 1, 67), note("d", 1, 2, 72), measures=2)
    again = through(tmp_path, made)
    assert sounding(again) == sounding(made)
    assert [(int(m.onset), int(m.length)) for m in again.measures] == [(0, 4), (4, 4)]


@BOTH
def test_grace_notes_marks_slurs_and_ties_come_back(through: Through, tmp_path: Path) -> None:
    marks = frozenset({"accent", "trill-mark"})
    made = score(
        note("g1", 0, 0, 62, grace="slashed"),
        note("g2", 0, 0, 64, grace="plain"),
        note("a", 0, 1, 60, marks=marks),
        note("b", 1, 1, 65, tie_start=True),
        note("c", 2, 2, 65, tie_stop=True),
        slurs=[Slur("a", "b")],
        fermatas=[Fermata(Fraction(2), Fraction(2), 0)],
    )
    again = through(tmp_path, made)
    assert [(n.pitch, n.grace, n.marks) for n in again.notes[:3]] == [
        (62, "slashed", frozenset()),
        (64, "plain", frozenset()),
        (60, "", marks),
    ]
    assert [(n.tie_start, n.tie_stop) for n in again.notes[3:]] == [(True, False), (False, True)]
    onsets = {n.id: n.onset for n in again.notes}
    assert [(int(onsets[slur.first]), int(onsets[slur.last])) for slur in again.slurs] == [(0, 1)]
    assert again.fermatas == made.fermatas


@BOTH
def test_what_stands_between_the_notes_comes_back(through: Through, tmp_path: Path) -> None:
    made = score(
        note("a", 0, 4),
        note("b", 4, 4, 66),
        measures=2,
        keys=[Key(Fraction(0), 2, "major"), Key(Fraction(4), -3, "minor")],
        clefs=[Clef(Fraction(0), 0, 1, "G", 2), Clef(Fraction(6), 0, 1, "F", 4)],
        tempos=[Tempo(Fraction(0), 96.0), Tempo(Fraction(5, 2), 66.5)],
        dynamics=[Dynamic(Fraction(0), 0, "p"), Dynamic(Fraction(7, 2), 0, "sfz")],
        wedges=[Wedge(Fraction(1), Fraction(7, 2), 0, grows=True), Wedge(Fraction(5), Fraction(8), 0, grows=False)],
        pedals=[Pedal(Fraction(0), 0, 0, "down"), Pedal(Fraction(4), 0, 0, "up")],
        texts=[Text(Fraction(1), 0, "dolce & rit: molto")],
        title="Of 'kern' & <XML>",
        composer="Müller",
    )
    again = through(tmp_path, made)
    for field in ("keys", "clefs", "tempos", "dynamics", "wedges", "texts", "title", "composer"):
        assert getattr(again, field) == getattr(made, field), field
    assert [pedal[:2] + pedal[3:] for pedal in again.pedals] == [pedal[:2] + pedal[3:] for pedal in made.pedals]
    assert sounding(again) == sounding(made)


@BOTH
def test_repeats_endings_and_jumps_play_in_the_same_order(through: Through, tmp_path: Path) -> None:
    made = score(*(note(f"n{m}", 4 * m, 4) for m in range(6)), measures=6)
    made.measures[0].repeat_start = True
    made.measures[1].endings, made.measures[1].repeat_times = frozenset({1}), 2
    made.measures[2].endings = frozenset({2})
    made.measures[3].fine = True
    made.measures[5].da_capo = True
    again = through(tmp_path, made)
    assert unfold(again) == unfold(made) == [0, 1, 0, 2, 3, 4, 5, 0, 2, 3]


def test_musicxml_keeps_ids_velocities_quarter_tones_and_drums(tmp_path: Path) -> None:
    made = score(
        note("n@2", 0, 1, 60.5, velocity=64), note("7", 1, 1, 61), note("P1", 2, 1, 42, part=1, step=""), swings=[
            Swing(Fraction(0), Fraction(1, 2), 2.0)
        ],
    )  # fmt: skip
    made.parts.append(Part("P1", "Drums", unpitched=True))
    again = through_xml(tmp_path, made)
    assert [(n.id, n.pitch, n.velocity, n.step) for n in again.notes] == [
        ("n_2", 60.5, 64, "C"),
        ("_7", 61.0, None, "C"),
        ("P1__", 42.0, None, ""),
    ]
    assert again.parts[1].unpitched
    assert again.swings == made.swings


def test_an_after_grace_is_kept_by_musicxml(tmp_path: Path) -> None:
    made = score(note("a", 0, 2), note("g", 0, 0, 62, grace="after"), note("b", 2, 2, 64))
    again = through_xml(tmp_path, made)
    assert [(n.id, n.grace, int(n.onset)) for n in again.notes] == [("a", "", 0), ("g", "after", 0), ("b", "", 2)]


def test_two_staves_are_two_spines_lowest_first() -> None:
    made = score(note("a", 0, 4, 72), note("b", 0, 4, 48, staff=2, voice="5"))
    made.parts[0].staves = 2
    lines = kern_write.text(made).splitlines()
    assert lines[0] == "**kern\t**kern"
    assert "*staff2\t*staff1" in lines
    assert "*clefF4\t*clefG2" in lines
    assert "1C\t1cc" in lines


def test_what_kern_cannot_say_is_changed_as_the_docstring_tells() -> None:
    made = score(note("a", 0, 1, 60.5, velocity=3), note("b", 1, 3, 62, marks=frozenset({"spiccato", "tenuto"})))
    again = kern.parse(kern_write.text(made))
    assert [(n.pitch, n.velocity, n.marks) for n in again.notes] == [
        (60, None, frozenset()),
        (62, None, frozenset({"tenuto"})),
    ]


def test_layout_fills_gaps_and_brackets_tuplets() -> None:
    third = Fraction(1, 3)
    page = layout.arrange(score(note("a", 0, third), note("b", third, 2 * third), note("c", 2, 1)))
    (line,) = page.lines[0][0]
    heads = [(Fraction(h.onset, page.ticks), Fraction(h.duration, page.ticks), len(h.notes)) for h in line.heads]
    assert heads == [(0, third, 1), (third, 2 * third, 1), (1, 1, 0), (2, 1, 1), (3, 1, 0)]
    assert [head.tuplet for head in line.heads] == ["start", "stop", "", "", ""]


def test_shapes() -> None:
    shapes = Shapes(420)
    assert shapes.heads(630) == [(630, Shape(0, 1))]
    assert shapes.heads(140) == [(140, Shape(-1, 0, 3, 2))]
    assert shapes.heads(300) == [(240, Shape(0, 0, 7, 4)), (60, Shape(-2, 0, 7, 4))]
    assert [ticks for ticks, _ in shapes.rests(420, 1680, (4, 4), 0)] == [420, 840]


def test_notes_without_a_letter_are_spelled_in_their_key() -> None:
    assert [spelled(61, "", fifths)[:2] for fifths in (2, -5)] == [("C", 1), ("D", -1)]
    assert spelled(60, "B", 0) == ("B", 1, 3)


def test_unfolding_gives_each_visit_its_own_measure_and_ids() -> None:
    made = score(
        note("a", 0, 4, tie_start=True),
        note("b", 4, 4, tie_stop=True),
        note("c", 8, 4),
        measures=3,
        tempos=[Tempo(Fraction(0), 60.0), Tempo(Fraction(4), 90.0)],
        dynamics=[Dynamic(Fraction(0), 0, "p"), Dynamic(Fraction(6), 0, "f")],
        wedges=[Wedge(Fraction(7), Fraction(9), 0, grows=True)],
        pedals=[Pedal(Fraction(5), 0, 1, "down")],
        slurs=[Slur("a", "b"), Slur("b", "c")],
    )
    made.measures[1].repeat_times = 2
    again = played.unfolded(made)
    assert [n.id for n in again.notes] == ["a", "b", "a@2", "b@2", "c"]
    assert [n.onset for n in again.notes] == [0, 4, 8, 12, 16]
    assert again.tempos == [Tempo(Fraction(at), q) for at, q in ((0, 60.0), (4, 90.0), (8, 60.0), (12, 90.0))]
    assert [(int(d.onset), d.mark) for d in again.dynamics] == [(0, "p"), (6, "f"), (8, "p"), (14, "f")]
    assert [(int(w.onset), int(w.end)) for w in again.wedges] == [(7, 8), (15, 17)]
    assert [(int(p.onset), p.kind) for p in again.pedals] == [(5, "down"), (8, "up"), (13, "down")]
    assert again.slurs == [Slur("a", "b"), Slur("a@2", "b@2"), Slur("b@2", "c")]
    assert unfold(again) == list(range(5))


def test_a_tie_is_cut_at_a_jump_unless_both_ends_meet() -> None:
    made = score(note("a", 0, 4), note("b", 4, 4, tie_start=True), note("c", 8, 4, tie_stop=True), measures=3)
    made.measures[1].repeat_times = 2
    assert [(n.id, n.tie_start, n.tie_stop) for n in played.unfolded(made).notes] == [
        ("a", False, False),
        ("b", False, False),
        ("a@2", False, False),
        ("b@2", True, False),
        ("c", False, True),
    ]


def test_midi_has_the_notes_tempos_and_meters(tmp_path: Path) -> None:
    made = score(
        note("g", 4, 0, 62, grace="slashed"),
        note("a", 0, 4, tie_start=True),
        note("b", 4, 1, tie_stop=True, velocity=30),
        note("c", 5, Fraction(1, 3), 67),
        measures=2,
        tempos=[Tempo(Fraction(0), 60.0), Tempo(Fraction(4), 120.0)],
        dynamics=[Dynamic(Fraction(5), 0, "f")],
        pedals=[Pedal(Fraction(0), 0, 0, "down")],
    )
    path = tmp_path / "score.mid"
    path.write_bytes(midi_write.encode(made))
    found = midi.read(path)
    rows = zip(found.notes.onset.tolist(), found.notes.offset.tolist(), found.notes.pitch.tolist(), strict=True)
    assert [(round(on, 4), round(off, 4), pitch) for on, off, pitch in rows] == [
        (0.0, 4.5, 60.0),
        (3.875, 4.0, 62.0),
        (4.5, 4.6667, 67.0),
    ]
    assert found.notes.velocity.tolist() == [80, 80, 96]
    assert [(control.number, control.value) for control in found.controls] == [(64, 127)]


@BOTH
@pytest.mark.parametrize("unfolded", [False, True], ids=["as written", "as played"])
def test_a_real_song_comes_back(through: Through, unfolded: bool, tmp_path: Path) -> None:
    made = notation.read(REAL)
    made = played.unfolded(made) if unfolded else made
    again = through(tmp_path, made)
    assert [(n.onset, n.pitch, n.part, n.step) for n in _sorted(again)] == [
        (n.onset, n.pitch, n.part, n.step) for n in _sorted(made)
    ]
    assert [measure.length for measure in again.measures] == [measure.length for measure in made.measures]


def test_writing_twice_gives_the_same_text() -> None:
    made = notation.read(REAL)
    assert musicxml_write.text(made) == musicxml_write.text(notation.read(REAL))
    assert kern_write.text(made) == kern_write.text(notation.read(REAL))
    assert midi_write.encode(made) == midi_write.encode(notation.read(REAL))


def _sorted(made: Score) -> list[Note]:
    return sorted(made.notes, key=lambda n: (n.part, n.onset, n.pitch, n.duration))
