"""The order of playing: repeats, endings, jumps."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_score import BACKWARD, FORWARD, direction, ending, note, read, rest, xml

from clefkit import notation
from clefkit.errors import InputError
from clefkit.notation import words
from clefkit.notation.unfold import movements, unfold

DATA = Path(__file__).parent / "data"


def order(folder: Path, *measures: str) -> list[int]:
    """The order of playing, measures counted from 1."""
    filled = [measure if "<note>" in measure else measure + rest(8) for measure in measures]
    return [index + 1 for index in unfold(read(folder, xml(*filled)))]


def test_repeats_and_endings(tmp_path: Path) -> None:
    assert order(tmp_path, "", BACKWARD, FORWARD, BACKWARD, "") == [1, 2, 1, 2, 3, 4, 3, 4, 5]
    first, second = (rest(8).join(lines) for lines in (ending("1, 2", repeat=True), ending("3")))
    assert order(tmp_path, FORWARD, first, second, "") == [1, 2, 1, 2, 1, 3, 4]
    thrice = BACKWARD.replace("/></barline>", ' times="3"/></barline>')
    assert order(tmp_path, "", FORWARD + rest(8) + thrice) == [1, 2, 2, 2]


def test_a_later_repeat_without_a_beginning_goes_back_to_the_last_one(tmp_path: Path) -> None:
    assert order(tmp_path, "", FORWARD + rest(8) + BACKWARD, BACKWARD, BACKWARD) == [1, 2, 2, 3, 3, 4, 4]


def test_nested_repeats(tmp_path: Path) -> None:
    inner = FORWARD + rest(8) + BACKWARD
    assert order(tmp_path, FORWARD, inner, BACKWARD, "") == [1, 2, 2, 3, 1, 2, 2, 3, 4]


def test_jumps(tmp_path: Path) -> None:
    fine, da_capo = '<sound fine="yes"/>', '<sound dacapo="yes"/>'
    assert order(tmp_path, BACKWARD, fine, rest(8) + BACKWARD, da_capo) == [1, 1, 2, 3, 2, 3, 4, 1, 2]
    coda = order(
        tmp_path, "", '<sound segno="s"/>', '<sound tocoda="c"/>', '<sound dalsegno="s"/>', '<sound coda="c"/>'
    )
    assert coda == [1, 2, 3, 4, 2, 3, 5]


def test_jumps_said_only_in_words(tmp_path: Path) -> None:
    fine, da_capo = direction("<words>Fine</words>"), direction("<words>D.C. al Fine</words>")
    assert order(tmp_path, "", fine, "", da_capo) == [1, 2, 3, 4, 1, 2]
    assert words.jump("Finette") is None
    assert words.jump("Menuetto D.C.") == words.jump("M. da capo") == words.Jump(da_capo=True)
    assert words.jump("senza D.C.") is None


def test_a_jump_stays_in_its_movement(tmp_path: Path) -> None:
    text = xml(rest(8), rest(8), rest(8), '<sound dacapo="yes"/>' + rest(8))
    text = text.replace('number="3"', 'number="1"').replace('number="4"', 'number="2"', 1)
    score = read(tmp_path, text)
    assert movements(score) == [0, 2]
    assert unfold(score) == [0, 1, 2, 3, 2, 3]


def test_endless_repeats_are_refused(tmp_path: Path) -> None:
    many = BACKWARD.replace("/></barline>", ' times="32"/></barline>')
    measures = [FORWARD + rest(8)] * 6 + [rest(8) + many] * 6
    with pytest.raises(InputError, match="repeats"):
        unfold(read(tmp_path, xml(*measures)))


def test_suite_repeats_on_both_sides_of_an_ending() -> None:
    score = notation.read(DATA / "notation-45e-repeats.xml")
    assert [index + 1 for index in unfold(score)] == [1, 2, 1, 3, 4, 5, 5, 6, 7, 6, 8, 9, 8, 9, 10]


def bracket(number: str, inside: str = "") -> str:
    """The left barline of an open bracket, content, and its end after this measure."""
    left = f'<barline location="left"><ending number="{number}" type="start"/></barline>'
    return f'{left}{inside}{rest(8)}<barline location="right"><ending number="{number}" type="discontinue"/></barline>'


def test_a_last_bracket_with_a_repeat_sign_leads_to_another_pass(tmp_path: Path) -> None:
    first, second = (rest(8).join(ending(number, repeat=True)) for number in ("1", "2"))
    assert order(tmp_path, "", first, second, "") == [1, 2, 1, 3, 1, 4]
    fine = '<sound fine="yes"/>' + rest(8)
    assert order(tmp_path, fine, first, second) == [1, 2, 1, 3, 1]
    assert order(tmp_path, "", first, second) == [1, 2, 1, 3]
    assert order(tmp_path, "", first, second, FORWARD + rest(8) + BACKWARD) == [1, 2, 1, 3, 4, 4]


def test_a_last_bracket_of_several_passes_needs_its_repeat_sign(tmp_path: Path) -> None:
    first, second = (rest(8).join(ending(number, repeat=True)) for number in ("1, 3", "2, 4"))
    assert order(tmp_path, "", first, second, "") == [1, 2, 1, 3, 1, 2, 1, 3, 4]


def test_brackets_in_the_middle_of_a_repeated_section(tmp_path: Path) -> None:
    one, two = (rest(8).join(ending(number)) for number in ("1", "2"))
    assert order(tmp_path, FORWARD, one, two, BACKWARD, "") == [1, 2, 4, 1, 3, 4, 5]
    assert order(tmp_path, "", one, two, "") == [1, 2, 3, 4]


def test_an_open_bracket_holds_up_to_its_repeat_sign(tmp_path: Path) -> None:
    assert order(tmp_path, FORWARD, bracket("1"), BACKWARD, bracket("2"), "") == [1, 2, 3, 1, 4, 5]
    closed = rest(8).join(ending("1", repeat=True))
    assert order(tmp_path, FORWARD, closed, bracket("2"), "", BACKWARD) == [1, 2, 1, 3, 4, 5, 4, 5]


def test_a_bracket_that_the_last_of_three_passes_leaves_out(tmp_path: Path) -> None:
    thrice = BACKWARD.replace("/></barline>", ' times="3"/></barline>')
    assert order(tmp_path, FORWARD, bracket("1, 2"), thrice) == [1, 2, 3, 1, 2, 3, 1]


def test_no_bracket_is_left_out_for_want_of_a_repeat_sign(tmp_path: Path) -> None:
    first = rest(8).join(ending("1", repeat=True))
    second, third = (rest(8).join(ending(number)) for number in ("2", "3"))
    assert order(tmp_path, "", first, second, third, "") == [1, 2, 1, 3, 4, 5]


def test_after_a_jump_the_bracket_with_the_fine_is_played(tmp_path: Path) -> None:
    first = rest(8).join(ending("1", repeat=True))
    second = ('<sound fine="yes"/>' + rest(8)).join(ending("2"))
    third = (rest(8) + '<sound dacapo="yes"/>').join(ending("3"))
    assert order(tmp_path, "", first, second, third) == [1, 2, 1, 3, 4, 1, 3]


def test_an_open_bracket_holds_up_to_the_next_one(tmp_path: Path) -> None:
    first, second = (rest(8).join(ending(number)) for number in ("1", "2"))
    verses = [rest(8).join(ending(number, repeat=True)) for number in ("1", "2")]
    fine = '<sound fine="yes"/>' + rest(8)
    assert order(tmp_path, FORWARD, first, second, bracket("3"), fine, *verses) == [1, 2, 6, 1, 3, 7, 1, 4, 5]


def test_behind_a_fine_before_the_last_da_capo_the_next_section_follows(tmp_path: Path) -> None:
    fine, da_capo = '<sound fine="yes"/>' + rest(8), rest(8) + '<sound dacapo="yes"/>'
    assert order(tmp_path, "", fine, da_capo, BACKWARD, da_capo) == [1, 2, 3, 1, 2, 4, 4, 5, 1, 2]


CODA = direction("<coda/>")
AL_CODA = direction("<words>D.C. al Coda</words>")


def test_the_first_of_two_coda_signs_is_where_to_leave(tmp_path: Path) -> None:
    assert order(tmp_path, "", "", CODA, AL_CODA, CODA, "") == [1, 2, 3, 4, 1, 2, 5, 6]
    assert order(tmp_path, "", rest(8) + CODA, "", AL_CODA, "", CODA) == [1, 2, 3, 4, 1, 2, 6]


def test_without_a_second_coda_sign_the_coda_stands_behind_the_jump(tmp_path: Path) -> None:
    assert order(tmp_path, "", "", CODA, AL_CODA, "", "") == [1, 2, 3, 4, 1, 2, 5, 6]
    assert order(tmp_path, "", rest(8) + CODA, "", AL_CODA, "") == [1, 2, 3, 4, 1, 2, 5]


def test_with_a_coda_sign_behind_the_jump_alone_everything_is_played_again(tmp_path: Path) -> None:
    assert order(tmp_path, "", "", AL_CODA, CODA, "") == [1, 2, 3, 1, 2, 3, 4, 5]


def test_a_coda_follows_the_fine(tmp_path: Path) -> None:
    fine, da_capo = direction("<words>Fine</words>"), direction("<words>Da capo, poi la Coda</words>")
    assert order(tmp_path, "", fine, da_capo, direction("<words>Coda</words>")) == [1, 2, 3, 1, 2, 4]


def test_a_da_capo_without_a_fine_stops_before_the_trio(tmp_path: Path) -> None:
    trio, da_capo = direction("<words>Trio</words>"), direction("<words>Menuetto D.C.</words>")
    assert order(tmp_path, BACKWARD, "", trio, da_capo) == [1, 1, 2, 3, 4, 1, 2]
    assert order(tmp_path, "", "", "", da_capo) == [1, 2, 3, 4, 1, 2, 3, 4]


def middle(*signs: str) -> str:
    return f'<barline location="middle">{"".join(signs)}</barline>'


def test_repeat_signs_in_the_middle_of_a_measure_cut_it(tmp_path: Path) -> None:
    closes, opens = ('<repeat direction="backward"/>', '<repeat direction="forward"/>')
    score = read(tmp_path, xml(rest(6) + middle(opens) + note("C", 4, 2), note("D", 4, 6) + middle(closes) + rest(2)))
    assert [(float(m.onset), float(m.length), m.number, m.implicit) for m in score.measures] == [
        (0, 3, "1", False), (3, 1, "1", True), (4, 3, "2", False), (7, 1, "2", True)
    ]  # fmt: skip
    assert [n.measure for n in score.notes] == [1, 2]
    assert unfold(score) == [0, 1, 2, 1, 2, 3]


def test_words_and_brackets_around_a_sign_in_the_middle(tmp_path: Path) -> None:
    fine, da_capo = direction("<words>Fine</words>"), direction("<words>D.C.</words>")
    closes = '<repeat direction="backward"/>'
    before = note("C", 4, 4) + fine + middle(closes) + note("D", 4, 4)
    second = f"<backup><duration>8</duration></backup>{rest(4)}{middle(closes)}"
    assert order(tmp_path, before + second, rest(8) + da_capo) == [1, 1, 2, 3, 1]
    first = '<barline location="left"><ending number="1" type="start"/></barline>' + note("C", 4, 4)
    stop, start = (f'<ending number="{number}" type="{kind}"/>' for number, kind in (("1", "stop"), ("2", "start")))
    assert order(tmp_path, "", first + middle(stop, closes) + middle(start) + rest(4), "") == [1, 2, 1, 3, 4]


def test_measures_that_the_file_cuts_itself(tmp_path: Path) -> None:
    text = xml(rest(6), FORWARD + rest(2), rest(6) + BACKWARD, rest(2))
    for number, written in ((2, '1" implicit="yes'), (3, "2"), (4, '2" implicit="yes')):
        text = text.replace(f'number="{number}"', f'number="{written}"')
    score = read(tmp_path, text)
    assert movements(score) == [0]
    assert unfold(score) == [0, 1, 2, 1, 2, 3]


def test_a_da_capo_goes_back_to_its_minuet_where_movements_have_no_numbers_of_their_own(tmp_path: Path) -> None:
    minuet, trio, da_capo = (direction(f"<words>{said}</words>") for said in ("III. Menuetto", "Trio", "M.D.C."))
    assert order(tmp_path, "", minuet, trio, da_capo, "") == [1, 2, 3, 4, 2, 5]
    fine = direction("<words>Fine</words>")
    assert order(tmp_path, "", minuet, fine, trio, da_capo, "") == [1, 2, 3, 4, 5, 2, 3, 6]
    meter = "<attributes><time><beats>2</beats><beat-type>2</beat-type></time></attributes>"
    assert order(tmp_path, "", meter, trio, da_capo, "") == [1, 2, 3, 4, 2, 5]
