"""Scores as they are played: ties, grace notes, tempo, dynamics, pedal, instruments; the right answer is known."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from tiny_score import BACKWARD, direction, ending, note, read, rest, tie, xml

from clefkit import notation
from clefkit.errors import InputError
from clefkit.notation import instruments
from clefkit.notation.model import Part
from clefkit.notation.unfold import unfold
from clefkit.notes import Control, Performance
from clefkit.render.dynamics import velocities
from clefkit.render.perform import perform

DATA = Path(__file__).parent / "data"


def played(performance: Performance) -> list[tuple[float, float, float]]:
    """(onset, offset, pitch), rounded to a microsecond."""
    notes = performance.notes
    rows = zip(notes.onset.tolist(), notes.offset.tolist(), notes.pitch.tolist(), strict=True)
    return [(round(onset, 6), round(offset, 6), pitch) for onset, offset, pitch in rows]


def test_a_scale_has_exact_times_and_ids(tmp_path: Path) -> None:
    score = read(tmp_path, xml(note("C", 4, 2) + note("D", 4, 1) + note("E", 4, 1) + note("F", 4, 4, alter=0.5)))
    assert [(n.id, n.onset, n.duration, n.pitch) for n in score.notes] == [
        ("P1-m1-n1", 0, 1, 60.0),
        ("P1-m1-n2", 1, Fraction(1, 2), 62.0),
        ("P1-m1-n3", Fraction(3, 2), Fraction(1, 2), 64.0),
        ("P1-m1-n4", 2, 2, 65.5),
    ]
    assert played(perform(score)) == [(0.0, 0.5, 60.0), (0.5, 0.75, 62.0), (0.75, 1.0, 64.0), (1.0, 2.0, 65.5)]


def test_ties_join_across_measures_and_an_open_tie_ends_by_itself(tmp_path: Path) -> None:
    first = note("C", 4, 8, after=tie("start"))
    second = note("C", 4, 4, after=tie("stop")) + note("E", 4, 4, after=tie("start"))
    assert played(perform(read(tmp_path, xml(first, second, note("G", 4, 8))))) == [
        (0.0, 3.0, 60.0),
        (3.0, 4.0, 64.0),
        (4.0, 6.0, 67.0),
    ]


def test_a_tie_leads_into_both_endings(tmp_path: Path) -> None:
    held = note("C", 4, 8, after=tie("start"))
    first, second = ending("1", repeat=True), ending("2")
    inside = note("C", 4, 4, after=tie("stop")) + rest(4)
    text = xml(held, first[0] + inside + first[1], second[0] + inside + second[1])
    assert played(perform(read(tmp_path, text))) == [(0.0, 3.0, 60.0), (4.0, 7.0, 60.0)]


def test_transposition_pedal_and_cue_notes(tmp_path: Path) -> None:
    clarinet = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"
    down, up = direction('<pedal type="start"/>'), direction('<pedal type="stop"/>')
    text = xml(down + note("D", 4, 4) + up + note("E", 4, 4, "<cue/>"), attributes=clarinet)
    performance = perform(read(tmp_path, text))
    assert played(performance) == [(0.0, 1.0, 60.0)]
    assert performance.controls == (Control(0.0, 0, "control", 64, 127), Control(1.0, 0, "control", 64, 0))


def test_short_grace_notes_take_their_time_from_the_note_they_lean_on(tmp_path: Path) -> None:
    graces = note("D", 5, 0, '<grace slash="yes"/>') + note("F", 5, 0, '<chord/><grace slash="yes"/>')
    score = read(tmp_path, xml(note("C", 5, 4) + graces + note("E", 5, 4)))
    assert played(perform(score)) == [(0.0, 1.0, 72.0), (1.0, 1.065, 74.0), (1.0, 1.065, 77.0), (1.065, 2.0, 76.0)]


def test_a_long_grace_note_takes_half_of_its_note_and_two_thirds_of_a_dotted_one(tmp_path: Path) -> None:
    score = read(
        tmp_path, xml(note("D", 5, 0, "<grace/>") + note("C", 5, 2) + note("D", 5, 0, "<grace/>") + note("C", 5, 3))
    )
    assert played(perform(score)) == [(0.0, 0.25, 74.0), (0.25, 0.5, 72.0), (0.5, 1.0, 74.0), (1.0, 1.25, 72.0)]


def test_a_group_of_grace_notes_is_quick(tmp_path: Path) -> None:
    graces = note("D", 5, 0, "<grace/>") + note("E", 5, 0, "<grace/>")
    score = read(tmp_path, xml(graces + note("C", 5, 8)))
    assert played(perform(score)) == [(0.0, 0.1, 74.0), (0.1, 0.2, 76.0), (0.2, 2.0, 72.0)]


def test_equal_pitches_of_a_part_do_not_overlap(tmp_path: Path) -> None:
    back = "<backup><duration>8</duration></backup>"
    text = xml(note("C", 4, 8) + back + note("C", 4, 2) + rest(2) + note("C", 4, 4))
    assert played(perform(read(tmp_path, text))) == [(0.0, 1.0, 60.0), (1.0, 2.0, 60.0)]


def test_tempo_marks_are_exact(tmp_path: Path) -> None:
    dotted = "<metronome><beat-unit>quarter</beat-unit><beat-unit-dot/><per-minute>ca. 40</per-minute></metronome>"
    faster = direction("<words>Presto</words>", '<sound tempo="120"/>')
    text = xml(direction(dotted) + note("C", 4, 4) + faster + note("D", 4, 4))
    assert played(perform(read(tmp_path, text))) == [(0.0, 2.0, 60.0), (2.0, 3.0, 62.0)]


def test_tempo_words_count_only_without_numbers(tmp_path: Path) -> None:
    largo = direction("<words>Largo e mesto</words>")
    assert perform(read(tmp_path, xml(largo + note("C", 4, 8)))).notes.offset[0] == pytest.approx(4 * 60 / 48)
    text = xml(direction("<words>x</words>", '<sound tempo="60"/>') + note("C", 4, 8), largo + note("D", 4, 8))
    assert perform(read(tmp_path, text)).notes.offset[1] == 8.0


def test_articulations_and_dynamics(tmp_path: Path) -> None:
    staccato = "<notations><articulations><staccato/><accent/></articulations></notations>"
    text = xml(
        direction("<dynamics><p/></dynamics>") + note("C", 4, 2) + note("D", 4, 2, after=staccato)
        + direction("<dynamics><sfz/></dynamics>") + note("E", 4, 4),
        direction('<wedge type="crescendo"/>') + note("F", 4, 4) + note("G", 4, 4) + direction('<wedge type="stop"/>'),
        direction("<dynamics><f/></dynamics>") + note("A", 4, 8).replace("<note>", '<note dynamics="50">')
        + note("B", 4, 8),
    )  # fmt: skip
    score = read(tmp_path, text)
    assert velocities(score) == [49, 49 + 14, 49 + 18, 49, round((49 + 96) / 2), 45, 96]
    assert played(perform(score))[1] == (0.5, 0.75, 62.0)


def test_a_hairpin_without_a_goal_is_one_step(tmp_path: Path) -> None:
    fall = direction('<wedge type="diminuendo"/>') + note("C", 4, 8) + direction('<wedge type="stop"/>')
    assert velocities(read(tmp_path, xml(fall, note("D", 4, 8)))) == [80, 64]


def test_repeats_can_be_left_out_and_passes_have_their_own_ids(tmp_path: Path) -> None:
    score = read(tmp_path, xml(note("C", 4, 8) + BACKWARD))
    assert played(perform(score, repeats=False)) == [(0.0, 2.0, 60.0)]
    ids = perform(score).notes.ids
    assert ids is not None
    assert ids.tolist() == ["P1-m1-n1", "P1-m1-n1@2"]


def test_instruments_from_file_name_and_language() -> None:
    assert instruments.program(Part("P1", "Violin", program=13)) == 13
    names = {
        "Flute": 73, "Viola": 41, "Violoncello": 42, "Kontrabass": 43, "Bassklarinette": 71, "Oboe": 68, "Hörner": 60,
        "Cor anglais": 69, "Singstimme": 52, "Corno": 60, "Tromba": 56, "Trombone": 57, "Fagotti": 70, "?": 0,
    }  # fmt: skip
    assert {name: instruments.program(Part("P1", name)) for name in names} == names
    assert instruments.program(Part("P1", "Violino I", program=0)) == 40


def test_a_score_of_rests_or_of_days_is_not_played(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without notes"):
        perform(read(tmp_path, xml(rest(8))))
    with pytest.raises(InputError, match="hours"):
        perform(read(tmp_path, xml(note("C", 4, 999_999_999))))


def test_suite_grace_notes_never_reach_before_the_start() -> None:
    notes = perform(notation.read(DATA / "notation-24a-grace-notes.xml")).notes
    assert len(notes) == 28
    assert notes.onset[0] == 0
    assert (notes.offset > notes.onset).all()


def test_suite_transposing_instruments_sound_in_unison() -> None:
    notes = perform(notation.read(DATA / "notation-72a-transposing.xml")).notes
    by_part = [notes.pitch[notes.part == part].tolist() for part in range(3)]
    assert by_part[0] == by_part[1] == by_part[2] == [60, 62, 64, 65, 67, 69, 71, 72]
    assert [part.program for part in notes.parts] == [56, 60, 0]


def test_suite_percussion_by_name() -> None:
    notes = perform(notation.read(DATA / "notation-73a-percussion.xml")).notes
    assert [part.drums for part in notes.parts] == [False, True, True]
    assert set(notes.pitch[notes.part == 1].tolist()) == {49.0}
    assert set(notes.pitch[notes.part == 2].tolist()) == {81.0}


def test_a_whole_song_of_brahms() -> None:
    score = notation.read(DATA / "notation-brahms-magdalena.mxl")
    performance = perform(score)
    assert [part.name for part in performance.notes.parts] == ["Soprano", "Alto", "Tenor", "Bass"]
    assert len(score.notes) == 211
    assert len(unfold(score)) == 3 * len(score.measures)
    assert performance.notes.offset.max() == pytest.approx(24 * 4 * 60 / 65)
    ids = performance.notes.ids
    assert ids is not None
    assert len(set(ids.tolist())) == len(performance.notes)
