"""Reading Humdrum **kern: small scores whose right answer is known, and damaged ones."""

# mypy: disable-error-code="comparison-overlap"
# Fractions stand beside plain numbers here.

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from clefkit import notation
from clefkit.errors import InputError
from clefkit.notation import kern
from clefkit.notation.kern_tokens import token
from clefkit.notation.model import Fermata, Key, Note, Pedal, Score, Slur, Tempo, Wedge
from clefkit.notation.unfold import movements, unfold
from clefkit.render.perform import perform

DATA = Path(__file__).parent / "data"


def one(*lines: str) -> Score:
    """A score of one spine."""
    return kern.parse("\n".join(["**kern", *lines, "*-"]))


def table(text: str) -> Score:
    """A score whose fields stand between spaces of two and more, for short."""
    rows = ["\t".join(piece for piece in line.strip().split("  ") if piece) for line in text.strip().split("\n")]
    return kern.parse("\n".join(rows))


def places(score: Score) -> list[tuple[Fraction, float, Fraction]]:
    return [(note.onset, note.pitch, note.duration) for note in score.notes]


def marks(text: str) -> set[str]:
    return set(token(text).heads[0].marks)


@pytest.fixture(scope="module")
def small() -> Score:
    return notation.read(DATA / "small.krn")


def test_a_small_piece_is_one_piano_on_two_staves(small: Score) -> None:
    assert [(part.name, part.program, part.staves) for part in small.parts] == [("Piano", 0, 2)]
    assert (small.title, small.composer) == ("A small piece", "Nobody")
    assert {note.staff for note in small.notes if note.pitch < 60} == {2}
    assert small.keys == [Key(Fraction(0), 1, "major")]
    assert [(clef.staff, clef.sign, clef.line) for clef in small.clefs] == [(2, "F", 4), (1, "G", 2)]


def test_measures_pickup_and_expansion_list(small: Score) -> None:
    assert [(m.number, m.implicit, m.length) for m in small.measures] == [
        ("0", True, 1), ("1", False, 3), ("2", False, 3), ("3", False, 2), ("4", False, 3),
    ]  # fmt: skip
    assert small.order == [0, 1, 2, 3, 0, 1, 2, 4] == unfold(small)
    assert [sorted(m.endings) for m in small.measures] == [[], [], [], [1], [2]]
    assert unfold(replace(small, order=None)) == small.order  # the repeat signs and brackets say the same


def test_directions(small: Score) -> None:
    assert small.tempos == [Tempo(Fraction(0), 90.0)]
    assert [(d.onset, d.mark) for d in small.dynamics] == [(0, "p"), (4, "f")]
    assert small.wedges == [Wedge(Fraction(1), Fraction(4), 0, grows=True)]
    assert small.pedals == [Pedal(Fraction(1), 0, 1, "down"), Pedal(Fraction(4), 0, 2, "up")]
    assert [(t.onset, t.text) for t in small.texts] == [(0, "Andante"), (9, "rit.")]
    assert small.fermatas == [Fermata(Fraction(17, 3), Fraction(1, 3), 0), Fermata(Fraction(9), Fraction(3), 0)]
    assert small.slurs == [Slur("L16F2", "L19F2")]


def test_notes_have_their_place_as_id_and_voices_are_told_apart(small: Score) -> None:
    found = {note.id: note for note in small.notes}
    assert found["L19F1S2"].chord
    assert found["L19F1S2"].pitch == 55
    assert found["L26F2"].voice != found["L26F3"].voice
    assert found["L20F2"].tie_start
    assert found["L21F2"].tie_stop
    assert len(found) == len(small.notes)


def test_graces_before_and_after(small: Score) -> None:
    graces = [(n.grace, n.onset, n.pitch) for n in small.notes if n.grace]
    assert graces == [("plain", 4, 77), ("after", 9, 69), ("after", 9, 66)]


def test_it_can_be_played(small: Score) -> None:
    assert len(perform(small).notes) > len(small.notes)


@pytest.mark.parametrize(
    ("text", "quarters"),
    [
        ("4c", 1),
        ("2.c", 3),
        ("2..c", "7/2"),
        ("12c", "1/3"),
        ("3%2c", "8/3"),
        ("0c", 8),
        ("00c", 16),
        ("0.c", 12),
        ("4c.", "3/2"),
    ],
)
def test_rhythms(text: str, quarters: str | int) -> None:
    assert token(text).duration == Fraction(quarters)


@pytest.mark.parametrize(
    ("text", "pitch"),
    [("4c", 60), ("4C", 48), ("4CC", 36), ("4cc#", 73), ("4B-", 58), ("4e--", 62), ("4ffn", 77), ("4cn#", 61)],
)
def test_pitches(text: str, pitch: int) -> None:
    assert token(text).heads[0].pitch == pitch


@pytest.mark.parametrize(
    ("text", "pitch"), [("16A<#", 58), ("8aa\\-'>)", 80), ("4FF.n#", 42), ("8gfg", 91), ("8AA-A", 32), ("24cc#-X", 72)]
)
def test_slips_of_the_hand_are_read_as_humdrum_tools_read_them(text: str, pitch: int) -> None:
    assert token(text).heads[0].pitch == pitch


def test_a_chord_is_a_grace_when_one_of_its_notes_is() -> None:
    """Files of two collections write the rhythm and the q at the first note alone, or the q."""
    for text in ("8qBB-/ F", "16qqdd/LL 16ff"):
        assert [(head.duration, head.grace != "") for head in token(text).heads] == [(0, True), (0, True)]


def test_marks() -> None:
    assert marks("4c'") == {"staccato"}
    assert marks("4c~") == {"tenuto"}
    assert marks("4c'~") == {"detached-legato"}
    assert marks("4c^") == {"accent"}
    assert marks("4c^^") == {"strong-accent"}
    assert marks("4c`") == {"staccatissimo"}
    assert marks("4c: 4e:") == {"arpeggiate"}
    assert marks("2c@16@") == {"tremolo:2"}
    assert marks("8c@16@") == {"tremolo:1"}
    assert marks("4ct") == {"trill-mark:flat"}
    assert marks("4cT") == {"trill-mark"}
    assert marks("4bT") == {"trill-mark:sharp"}
    assert marks("4dm") == {"inverted-mordent:flat"}
    assert marks("4cw") == {"mordent"}
    assert marks("4cS") == {"turn"}
    assert marks("4csS") == {"turn"}
    assert marks("4cSSs") == {"delayed-turn"}
    assert marks("4cs$") == {"inverted-turn"}


def test_a_tremolo_of_two_notes_is_said_at_the_first_one() -> None:
    score = one(
        "2c@@32@@", "2e", "8d@@32@@L", "8fJ", "16g 16b@@32@@", "16qc", "16r", "16a", "2c@@16@@", "=", "2d", "=="
    )
    assert [set(note.marks) for note in score.notes if not note.grace] == [
        {"tremolo-start:3"}, {"tremolo-stop:3"}, {"tremolo-start:3"}, {"tremolo-stop:3"}, {"tremolo-start:2"},
        {"tremolo-start:2"}, {"tremolo-stop:2"}, {"tremolo-start:2"}, {"tremolo-stop:2"},
    ]  # fmt: skip
    chord = one("4c 4e@16@")
    assert [set(note.marks) for note in chord.notes] == [{"tremolo:2"}, {"tremolo:2"}]


def test_an_ornament_needs_no_accidental_that_the_key_has() -> None:
    assert set(token("4eT", 1).heads[0].marks) == {"trill-mark"}  # to f sharp, in G major
    assert set(token("4et", 1).heads[0].marks) == {"trill-mark:natural"}
    assert set(token("4at", -2).heads[0].marks) == {"trill-mark"}  # to b flat


def test_hidden_notes_and_rests_are_silent() -> None:
    score = one("4cyy", "4d 4eyy", "4ryy", "4r")
    assert [(note.pitch, note.onset) for note in score.notes] == [(62, 1)]
    assert score.measures[0].length == 4


def test_grace_notes_take_no_time_and_other_spines_wait() -> None:
    score = table("**kern  **kern\n1C  4c\n.  8dq\n.  8eq\n.  4f\n.  2g\n*-  *-")
    assert places(score)[1:] == [(0, 60, 1), (1, 62, 0), (1, 64, 0), (1, 65, 1), (2, 67, 2)]
    assert [note.grace for note in score.notes if note.grace] == ["slashed", "slashed"]


def test_a_tie_whose_beginning_was_forgotten_strikes_no_note() -> None:
    score = one("[4c", "4c]", "4c]", "4c")
    assert [(note.tie_start, note.tie_stop) for note in score.notes] == [
        (True, False), (True, True), (False, True), (False, False),
    ]  # fmt: skip
    assert len(perform(score).notes) == 2


def test_a_broken_chord_that_is_tied_into_the_chord_is_held() -> None:
    score = one("[8c", "[8e", "4c] 4e]", "4c")
    assert [(note.onset, note.duration) for note in score.notes] == [
        (0, 1), (Fraction(1, 2), Fraction(1, 2)), (1, 1), (1, 1), (2, 1),
    ]  # fmt: skip
    assert len(perform(score).notes) == 3


def test_a_tie_into_a_second_ending_stretches_no_note() -> None:
    score = one("*>[A,A1,A,A2]", "*M2/4", "*>A", "=1", "[2c", "*>A1", "=2", "2c]", "*>A2", "=3", "2c]", "==")
    assert [note.duration for note in score.notes] == [2, 2, 2]
    assert [note.tie_start for note in score.notes] == [True, False, False]


def test_ties_go_across_splits_joins_and_staves() -> None:
    score = table("""**kern  **kern
        *part1  *part1
        *  *^
        4C  [4c  4e
        *  *v  *v
        =1  =1
        4c]  [4d
        4d]  4B""")
    assert len(perform(score).notes) == 5


def test_a_grace_note_that_is_tied_to_its_note_is_struck_once() -> None:
    played = perform(one("[8qc", "[8qe", "2c] 2e]", "2g")).notes
    assert played.pitch.tolist() == [60, 64, 67]
    assert played.offset[0] == played.offset[1] == played.onset[2]
    assert played.onset[0] < played.onset[1]


def test_a_line_without_tokens_takes_no_time() -> None:
    score = table("**kern  **kern\n1C  4.c\n.  8d\n.  .\n.  2e\n*-  *-")
    assert [n.onset for n in score.notes] == [0, 0, Fraction(3, 2), 2]


def test_a_rest_without_a_length_fills_its_bar() -> None:
    score = one("*M3/4", "=1", "2.c", "=2", "r", "=3", "2.d", "==")
    assert [n.onset for n in score.notes] == [0, 6]


def test_spines_split_cross_and_join() -> None:
    score = table("**kern\n4c\n*^\n2e  4c\n.  4d\n*v  *v\n4f\n*-")
    assert places(score) == [(0, 60, 1), (1, 64, 2), (1, 60, 1), (2, 62, 1), (3, 65, 1)]
    crossed = table("**kern  **kern\n4C  4c\n*x  *x\n4d  4D\n*-  *-")
    assert [note.part for note in crossed.notes if note.pitch < 60] == [1, 1]
    twice = table("**kern  **kern  **kern  **kern\n*x  *x  *x  *x\n4c  4C  4d  4D\n*-  *-  *-  *-")
    assert [(note.part, note.pitch) for note in twice.notes] == [(2, 60), (3, 48), (0, 62), (1, 50)]


def test_a_clef_in_the_line_of_a_split_counts() -> None:
    score = table("**kern  **kern\n4C  4c\n*clefC4  *^\n4D  4d  4e\n*-  *-  *-")
    assert [(clef.onset, clef.part, clef.sign, clef.line) for clef in score.clefs] == [(1, 1, "C", 4)]


def test_comments_need_not_fit_the_columns() -> None:
    score = table("!a remark\n**kern  **kern\n!\n4C  4c\n!  !  !LO:TX:t=rit.\n4D  4d\n*-  *-")
    assert len(score.notes) == 4


def test_joining_two_spines_by_mistake_keeps_both() -> None:
    """Files of three collections join the left hand with the first voice of the right."""
    score = table("**kern  **kern\n4C  4c\n*  *^\n4D  4d  4e\n*v  *v  *\n4E  4e\n*-  *-")
    assert [(n.onset, n.pitch) for n in score.notes][-2:] == [(2, 52), (2, 64)]
    assert [n.part for n in score.notes][-2:] == [1, 0]


def test_an_added_spine() -> None:
    score = table("**kern\n4c\n*+\n*  **kern\n4d  4D\n*-  *-")
    assert [(n.onset, n.pitch) for n in score.notes] == [(0, 60), (1, 62), (1, 50)]


def test_other_spines_are_skipped() -> None:
    score = table("**kern  **text  **dynam\n4c  la  ff\n4d  .  sf >\n4e  la  ]\n*-  *-  *-")
    assert len(score.notes) == 3
    assert [d.mark for d in score.dynamics] == ["ff", "sf"]
    assert score.wedges == [Wedge(Fraction(1), Fraction(2), 0, grows=False)]


def test_repeat_signs_in_the_middle_of_a_bar() -> None:
    score = one("*M4/4", "4c", "=1", "1d", "=2", "2.e", "=:|!|:", "4f", "=3", "1g", "=4", "2.a", "=:|!", "*")
    assert [(m.number, m.implicit) for m in score.measures] == [
        ("0", True), ("1", False), ("2", False), ("2", True), ("3", False), ("4", False),
    ]  # fmt: skip
    assert unfold(score) == [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5]


@pytest.mark.parametrize(
    ("sign", "closes", "opens"),
    [
        ("=2:|!|:", 2, True), ("=2:||:", 2, True), ("=:|!", 2, False), ("=2!|:", 0, True), ("=2||", 0, False),
        ("=2-", 0, False),
    ],
)  # fmt: skip
def test_barlines(sign: str, closes: int, opens: bool) -> None:
    score = one("=1", "1c", sign, "1d", "==")
    assert (score.measures[0].repeat_times, score.measures[1].repeat_start) == (closes, opens)


def test_barlines_without_numbers_are_counted() -> None:
    score = one("*M2/4", "2c", "=", "2d", "=", "2e", "==")
    assert [m.number for m in score.measures] == ["1", "2", "3"]
    pickup = one("*M2/4", "4c", "=", "2d", "=", "2e", "==")
    assert [m.number for m in pickup.measures] == ["0", "1", "2"]


def test_a_label_inside_a_bar_cuts_it() -> None:
    score = one("*>[A,A,B]", "*>A", "*M4/4", "=1", "2c", "*>B", "2d", "=2", "1e", "==")
    assert [(m.number, m.length) for m in score.measures] == [("1", 2), ("1", 2), ("2", 4)]
    assert unfold(score) == [0, 0, 1, 2]


def test_an_expansion_list_that_names_what_is_not_there_is_no_order() -> None:
    assert one("*>[A,B]", "*>A", "=1", "1c", "==").order is None


def sections(*lists: str) -> list[int] | None:
    """The order of A, its endings A1 and A2, and B, one measure each."""
    labels = [f"*>{name}\n={number}\n1c" for number, name in enumerate(("A", "A1", "A2", "B"), 1)]
    return one("*M4/4", *lists, *labels, "==").order


def test_versions_of_the_expansion_list() -> None:
    assert sections("*>norep[A,A2,B]", "*>[A,A1,A,A2,B]") == [0, 1, 0, 2, 3]
    assert sections("*>[A,A1,A,A2,B]", "*>[A,A2,B]") == [0, 1, 0, 2, 3]
    assert sections("*>norep[A,A2,B]") is None
    assert sections("*>[[A,A1],[A,A2],B]") == [0, 1, 0, 2, 3]


def test_an_expansion_list_that_forgets_measures_is_no_order() -> None:
    assert sections("*>[A,A,B]") is None


def test_expansion_lists_one_after_the_other() -> None:
    score = one("*>[A,A]", "*>A", "=1", "1c", "*>[B,C,B,C]", "*>B", "=2", "1c", "*>C", "=3", "1d", "==")
    assert score.order == [0, 0, 1, 2, 1, 2]


def test_a_label_that_no_expansion_list_names_begins_no_section() -> None:
    assert one("*>[A,A]", "*>A", "=1", "1c", "*>X", "=2", "1d", "==").order == [0, 1, 0, 1]


def test_endless_expansion_is_refused() -> None:
    with pytest.raises(InputError, match="50000"):
        one(f"*>[{','.join(['A'] * 25_001)}]", "*>A", "=1", "1c", "=2", "1d", "==")


def test_a_second_movement_begins_with_new_spines() -> None:
    score = kern.parse("**kern\n=1\n1c\n=2\n1d\n==\n*-\n**kern\n=1\n1e\n==\n*-\n")
    assert [note.onset for note in score.notes] == [0, 4, 8]
    assert len(score.parts) == 1
    assert movements(score) == [0, 2]


def test_parts_and_programs() -> None:
    score = table('**kern  **kern  **kern\n*Icello  *Ivioln  *Iclars\n*  *I"Violin I  *ITrd1c2\n4C  4c  4e\n*-  *-  *-')
    assert [(part.name, part.program) for part in score.parts] == [
        ("Clarinet", 71), ("Violin I", 40), ("Violoncello", 42),
    ]  # fmt: skip
    assert score.parts[0].transposition == -2
    assert [note.pitch for note in score.notes if note.part == 0] == [64]  # as it sounds


def test_texts_and_metronome_marks_in_layout_comments() -> None:
    score = one("!LO:TX:a:t=Allegro [quarter]=96", "4c", "!LO:TX:t=P:mixed beam:problem", "4d", "!LO:TX:i:t=a&colon;b")
    assert score.tempos == [Tempo(Fraction(0), 96.0)]
    assert [text.text for text in score.texts] == ["Allegro", "a:b"]


def test_names_of_letters_and_line_feeds_in_records() -> None:
    score = kern.parse("!!!OTL: Étude &eacute;\\n2\n!!!OMD: FINALE\\nPresto\n**kern\n4c\n*-\n")
    assert (score.title, score.texts[0].text) == ("Étude é 2", "FINALE Presto")


def test_words_with_a_remark_of_the_encoder_are_kept() -> None:
    score = one(
        "!LO:TX:b:t=cresc. _:problem:dynamics with extention lines", "4c", "!LO:TX:t=poco\\ riten.:problem", "4d"
    )
    assert [text.text for text in score.texts] == ["cresc. _", "poco riten."]


def test_a_hairpin_under_one_note_lasts_as_long_as_it() -> None:
    score = table("**kern  **dynam\n4c  <[\n2d  > ]\n4e  <\n4f  [\n*-  *-")
    assert score.wedges == [
        Wedge(Fraction(0), Fraction(1), 0, grows=True), Wedge(Fraction(1), Fraction(3), 0, grows=False),
        Wedge(Fraction(3), Fraction(4), 0, grows=True),
    ]  # fmt: skip


def test_words_tell_the_tempo_when_no_number_does() -> None:
    assert kern.parse("!!!OMD: Adagio\n**kern\n4c\n*-\n").tempos == [Tempo(Fraction(0), 68.0)]
    assert one("*MM[Adagio]", "4c").tempos == [Tempo(Fraction(0), 68.0)]


def test_keys_with_modes() -> None:
    assert one("*k[b-e-]", "*g:", "4c", "*k[]", "*d:dor", "4d").keys == [
        Key(Fraction(0), -2, "minor"), Key(Fraction(1), 0, "dorian"),
    ]  # fmt: skip


def test_latin_1_and_dos_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "x.krn"
    path.write_bytes("!!!OTL: Ständchen\r\n**kern\r\n4c\r\n*-\r\n".encode("latin-1"))
    assert notation.read(path).title == "Ständchen"


def test_crossing_slurs() -> None:
    score = one("(4c", "&(4d", "4e)", "4f&)")
    assert score.slurs == [Slur("L2F1", "L4F1"), Slur("L3F1", "L5F1")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("4c\n", "line 1"),
        ("**kern\t**kern\n4c\t4d\t4e\n", "line 2 has 3 fields where 2 columns"),
        ("**text\nla\n*-\n", r"\*\*kern"),
        ("**kern\n*-\n", "without measures"),
    ],
)
def test_damaged_files_are_refused_in_one_sentence(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        kern.parse(text)


def test_splitting_without_end_is_refused() -> None:
    lines = ["**kern"] + ["\t".join(["*^"] * 2**k) for k in range(12)]
    with pytest.raises(InputError, match="256"):
        kern.parse("\n".join(lines))


def test_missing_and_empty_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        notation.read(tmp_path / "no.krn")
    (tmp_path / "empty.krn").write_bytes(b"\n")
    with pytest.raises(InputError, match="empty"):
        notation.read(tmp_path / "empty.krn")


def test_whatever_is_cut_or_changed_raises_input_error_alone() -> None:
    text = (DATA / "small.krn").read_text()
    rng = random.Random(0)
    letters = "\t\n*^v-+x=:|!<>[]()0123456789.abcgABG#-n&rqyT;@%"
    for _ in range(400):
        damaged = list(text[: rng.randrange(len(text))] if rng.random() < 0.3 else text)
        for _ in range(rng.randrange(1, 12)):
            damaged[rng.randrange(len(damaged) or 1) : rng.randrange(len(damaged) or 1)] = rng.choice(letters)
        try:
            score = kern.parse("".join(damaged))
        except InputError:
            continue
        assert all(isinstance(note, Note) and note.duration >= 0 for note in score.notes)
        unfold(score)
