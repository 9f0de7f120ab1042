"""Reading ABC: small tunes whose right answer is known, and damaged ones."""

# mypy: disable-error-code="comparison-overlap"
# Fractions stand beside plain numbers here.

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from clefkit.errors import InputError
from clefkit.notation import abc
from clefkit.notation.model import Key, Score, Slur, Tempo, Wedge
from clefkit.notation.unfold import movements, unfold

HEAD = "X:1\nT:Tune\nC:Nobody\nM:4/4\nL:1/8\nQ:1/4=100\nK:{}\n"


def tune(body: str, key: str = "C") -> Score:
    return abc.parse(HEAD.format(key) + body + "\n")


def pitches(score: Score) -> list[float]:
    return [note.pitch for note in score.notes]


def lengths(score: Score) -> list[Fraction]:
    """In eighths."""
    return [note.duration * 2 for note in score.notes]


def test_octaves_accidentals_and_the_key() -> None:
    assert pitches(tune("C,C c c' ^F _B =f|", "D")) == [49, 61, 73, 85, 66, 70, 77]
    assert pitches(tune("F ^FF f|F")) == [65, 66, 66, 78, 65]  # until the bar, in all octaves
    assert tune("C", "D").keys == [Key(Fraction(0), 2, "major")]


@pytest.mark.parametrize(
    ("key", "fifths"),
    [("Ador", 1), ("Bb", -2), ("Em", 1), ("F# minor", 3), ("D Mixolydian", 1), ("Glyd", 2), ("none", 0), ("HP", 2)],
)
def test_keys(key: str, fifths: int) -> None:
    assert tune("C", key).keys[0].fifths == fifths


def test_lengths() -> None:
    assert lengths(tune("A2 A/ A/2 A// A3/2 A8")) == [
        2,
        Fraction(1, 2),
        Fraction(1, 2),
        Fraction(1, 4),
        Fraction(3, 2),
        8,
    ]
    assert tune("A z A").notes[1].onset == 1


def test_the_unit_comes_from_the_meter_when_nothing_is_said() -> None:
    assert abc.parse("X:1\nM:2/4\nK:C\nC\n").notes[0].duration == Fraction(1, 4)
    assert abc.parse("X:1\nM:6/8\nK:C\nC\n").notes[0].duration == Fraction(1, 2)


def test_broken_rhythm_and_tuplets() -> None:
    assert lengths(tune("A>B c<d e>>f")) == [
        Fraction(3, 2), Fraction(1, 2), Fraction(1, 2), Fraction(3, 2), Fraction(7, 4), Fraction(1, 4),
    ]  # fmt: skip
    third = Fraction(2, 3)
    assert lengths(tune("(3ABc d (3:2:2A2B c")) == [third, third, third, 1, 2 * third, third, 1]
    assert tune("(3ABc d").notes[3].onset == 1
    assert tune("A>B c").notes[2].onset == 1


def test_chords_ties_slurs_and_graces() -> None:
    score = tune("[CEG]2 [c2e2]|A-|A (AB) {/g}f {ag}f")
    assert [note.chord for note in score.notes[:5]] == [False, True, True, False, True]
    assert lengths(score)[:5] == [2, 2, 2, 2, 2]
    assert [(note.tie_start, note.tie_stop) for note in score.notes[5:7]] == [(True, False), (False, True)]
    assert score.slurs == [Slur(score.notes[7].id, score.notes[8].id)]
    assert [note.grace for note in score.notes[9:]] == ["slashed", "", "plain", "plain", ""]


def test_a_tied_note_keeps_its_accidental() -> None:
    assert pitches(tune("^F-|F F")) == [66, 66, 65]


def test_decorations_and_dynamics() -> None:
    assert [set(note.marks) for note in tune("!trill(!A2!trill)!B2!///!c2").notes] == [
        {"trill-mark"}, set(), {"tremolo:3"},
    ]  # fmt: skip
    assert [f.onset for f in tune("A!invertedfermata!B").fermatas] == [Fraction(1, 2)]
    score = tune("!p!TA .B !<(!c d!<)! HA !accent!B ~c")
    assert [sorted(note.marks) for note in score.notes] == [
        ["trill-mark"], ["staccato"], [], [], [], ["accent"], ["turn"],
    ]  # fmt: skip
    assert [d.mark for d in score.dynamics] == ["p"]
    assert score.wedges == [Wedge(Fraction(1), Fraction(2), 0, grows=True)]
    assert [f.onset for f in score.fermatas] == [2]


def test_chord_symbols_are_not_played_and_words_are_kept() -> None:
    score = tune('"Am"A "^rit."B')
    assert len(score.notes) == 2
    assert [text.text for text in score.texts] == ["rit."]


def test_repeats_and_endings() -> None:
    assert unfold(tune("|:C8|D8:|E8|")) == [0, 1, 0, 1, 2]
    assert unfold(tune("|:C8|1 D8:|2 E8||F8|")) == [0, 1, 0, 2, 3]
    assert unfold(tune("C8|[1 D8:|[2 E8|]")) == [0, 1, 0, 2]
    assert unfold(tune("C8::D8:|")) == [0, 0, 1, 1]


def test_a_first_ending_of_two_bars_is_not_played_in_the_second_pass() -> None:
    assert unfold(tune("|:C8|1 D8|E8:|2 F8|G8|]")) == [0, 1, 2, 0, 3, 4]
    assert unfold(tune("|:C8|1 D8|E8:|2 F8|G8|]A8|")) == [0, 1, 2, 0, 3, 4, 5]
    assert unfold(tune("C8|[1D8:|[2E8||F8|G8:|")) == [0, 1, 0, 2, 3, 4, 3, 4]
    assert unfold(tune("C8|[1D8:|[2E8|F8|G8:|A8|")) == [0, 1, 0, 2, 3, 4, 3, 4, 5]
    voices = abc.parse("X:1\nL:1\nK:C\nV:1\n|:C|1 D|E:|2 F|]\nV:2\n|:C|1 D|E:|2 F|]\n")
    assert [sorted(m.endings) for m in voices.measures] == [[], [1], [1], [2]]


def test_two_colons_repeat_twice() -> None:
    assert unfold(tune("|::C8::|D8|]")) == [0, 0, 0, 1]


def test_a_grace_note_inside_a_broken_rhythm_moves_with_its_note() -> None:
    assert [(n.onset, n.grace) for n in tune("A{g}>B").notes] == [
        (0, ""),
        (Fraction(3, 4), "slashed"),
        (Fraction(3, 4), ""),
    ]


def test_grace_notes_before_a_bar_end_the_note_before_them() -> None:
    assert [(n.onset, n.grace) for n in tune("A4 B4 {cd}|{e}c8|").notes if n.grace] == [
        (2, "after"), (2, "after"), (4, "slashed"),
    ]  # fmt: skip


def test_a_dotted_tie() -> None:
    assert [(n.tie_start, n.tie_stop, set(n.marks)) for n in tune("A.-A").notes] == [
        (True, False, set()), (False, True, set()),
    ]  # fmt: skip


def test_pipes_have_sharp_f_and_c_without_a_signature() -> None:
    assert pitches(tune("FCG", "HP")) == [66, 61, 67]


def test_programs_of_the_header() -> None:
    """One before V: is everybody's, one behind it that voice's; a file may have one for all its tunes."""
    score = abc.parse("%%MIDI program 73\nX:1\nV:1\n%%MIDI program 40\nV:2\nK:C\nV:1\nC|\nV:2\nE|\n")
    assert [part.program for part in score.parts] == [40, 73]


def test_a_name_is_no_clef() -> None:
    score = abc.parse('X:1\nV:1 name="alto sax" snm="bass"\nK:C\nV:1\nC|\n')
    assert [(clef.sign, clef.line) for clef in score.clefs] == [("G", 2)]


def test_an_old_tempo_counts_units_that_are_told_later() -> None:
    score = abc.parse("X:1\nQ:120\nM:2/4\nK:C\nC\n")
    assert score.tempos == [Tempo(Fraction(0), 30.0)]
    assert score.notes[0].duration == Fraction(1, 4)


def test_letters_of_titles() -> None:
    score = abc.parse("X:1\nT:Caf\\'e &eacute; \\u00e9 \\\"u \\cc\nK:C\nC\n")
    assert score.title == "Café é é ü ç"


def test_a_chord_may_stand_right_behind_a_bar() -> None:
    assert pitches(tune("C8|[D2F2]|:[E2G2]:|")) == [60, 62, 65, 64, 67]


def test_pickup_and_bar_cut_by_a_repeat() -> None:
    score = tune("C|D8|E7:|:F|G8|")
    assert [(m.number, m.implicit) for m in score.measures] == [
        ("0", True), ("1", False), ("2", False), ("2", True), ("3", False),
    ]  # fmt: skip


def test_changes_inside_a_tune() -> None:
    score = tune("C2[K:D]F2|[M:3/4][L:1/4]CDE|")
    assert pitches(score) == [60, 66, 61, 62, 64]
    assert score.measures[1].time == (3, 4)
    assert [key.fifths for key in score.keys] == [0, 2]


def test_voices_are_parts() -> None:
    score = abc.parse('X:1\nL:1/4\nV:1 name="Violin"\nV:2 clef=bass nm="Cello"\nK:C\nV:1\nCDEF|\nV:2\nC,4|\n[V:1]G4|\n')
    assert [part.name for part in score.parts] == ["Violin", "Cello"]
    assert [(note.part, note.measure, note.pitch) for note in score.notes][-2:] == [(1, 0, 48), (0, 1, 67)]
    assert [clef.sign for clef in score.clefs] == ["G", "F"]


def test_a_second_layer() -> None:
    score = tune("C8&E4G4|A8|")
    assert [(note.onset, note.voice) for note in score.notes] == [(0, "1"), (0, "2"), (2, "2"), (4, "1")]


def test_transposed_voices_sound() -> None:
    assert pitches(tune("C", "C clef=treble-8")) == [48]
    assert pitches(tune("C", "C transpose=-2")) == [58]
    assert pitches(abc.parse("%%MIDI transpose -12\nX:1\nK:C treble-8\nC\n")) == [48]  # said twice, meant once


def test_tempos() -> None:
    assert tune("C").tempos == [Tempo(Fraction(0), 100.0)]
    assert abc.parse('X:1\nL:1/8\nQ:3/8=40 "Slowly"\nK:C\nC\n').tempos == [Tempo(Fraction(0), 60.0)]
    assert abc.parse("X:1\nL:1/8\nQ:120\nK:C\nC\n").tempos == [Tempo(Fraction(0), 60.0)]
    assert abc.parse('X:1\nQ:"Allegro"\nK:C\nC\n').tempos == [Tempo(Fraction(0), 132.0)]


def test_a_book_of_tunes_is_one_score_of_movements() -> None:
    score = abc.parse("% a book\nL:1/4\n\nX:1\nT:One\nK:C\nCDEF|GABc|\n\nwords between\n\nX:2\nT:Two\nK:G\nF4:|\n")
    assert [note.onset for note in score.notes] == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert score.notes[-1].pitch == 66
    assert [m.number for m in score.measures] == ["1", "2", "1"]
    assert movements(score) == [0, 2]
    assert unfold(score) == [0, 1, 2, 2]
    assert len({note.id for note in score.notes}) == 9
    assert score.title == "One"


def test_short_tunes_do_not_repeat_each_other() -> None:
    score = abc.parse("X:1\nL:1\nK:C\nC|\n\nX:2\nK:C\nD:|\n")
    assert unfold(score) == [0, 1, 1]


@pytest.mark.parametrize("text", ["", "X:1\nT:nothing\n", "hello\nworld\n", "X:1\nK:C\n% no notes\n", "{}[]||"])
def test_files_without_a_tune_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="no tune"):
        abc.parse(text)


def test_whatever_is_cut_or_changed_raises_input_error_alone() -> None:
    text = HEAD.format("Ador") + '|:"Am"A>B (3cde [CE]2-|[CE] {g}a.b!p!c|1 d8:|2 (e8)|]\nV:2 clef=bass\n[K:D]z4 Z2 x|\n'
    rng = random.Random(1)
    letters = "\n|:[]()<>{}/0123456789ABCabc,'^_=-~!\"&% XKLMQV"
    for _ in range(400):
        damaged = list(text[: rng.randrange(len(text))] if rng.random() < 0.3 else text)
        for _ in range(rng.randrange(1, 12)):
            damaged[rng.randrange(len(damaged) or 1) : rng.randrange(len(damaged) or 1)] = rng.choice(letters)
        try:
            score = abc.parse("".join(damaged))
        except InputError:
            continue
        assert all(note.duration >= 0 for note in score.notes)
        unfold(score)


PARTS = "X:1\nP:{}\nM:4/4\nL:1/4\nK:C\n"


def test_parts_are_played_in_the_order_of_the_header() -> None:
    body = "P:A\nCDEF|\nP:B\n|:GABc:|\nP:C\nc4|\n"
    assert abc.parse(PARTS.format("A2.B(AC)3") + body).order == [0, 0, 1, 1, 0, 2, 0, 2, 0, 2]
    assert abc.parse(PARTS.format("AC % B is left out") + body).order == [0, 2]
    assert abc.parse(PARTS.format("ABD") + body).order is None
    assert abc.parse(PARTS.format("AB") + "[P:A]CDEF|[P:B]GABc|").order == [0, 1]


def test_parts_of_one_tune_in_a_book() -> None:
    pickup = PARTS.format("BA") + "c|\nP:A\nCDEF|\nP:B\nGABc|\n"
    score = abc.parse(f"X:1\nM:4/4\nL:1/4\nK:C\n|:CDEF:|\n\n{pickup}\n")
    assert score.order == [0, 0, 1, 3, 2] == unfold(score)


def test_endless_parts_are_refused() -> None:
    with pytest.raises(InputError, match="parts"):
        abc.parse(PARTS.format("(((A99)99)99)99") + "P:A\nC|\n")


def test_a_coda_sign_behind_notes_is_where_to_leave() -> None:
    assert unfold(tune('C8|D8!coda!|E8|F8"_D.C."|!coda!G8|')) == [0, 1, 2, 3, 0, 1, 4]
