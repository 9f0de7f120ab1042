"""Scores: reading MusicXML, the order of playing, the performance; on scores whose right answer is known."""

from __future__ import annotations

import zipfile
from fractions import Fraction
from pathlib import Path

import pytest

from clefkit import notation
from clefkit.errors import InputError
from clefkit.notation import instruments, words
from clefkit.notation.model import Part, Score
from clefkit.notation.unfold import movements, unfold
from clefkit.notes import Control, Performance
from clefkit.render.dynamics import velocities
from clefkit.render.perform import perform

DATA = Path(__file__).parent / "data"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
CONTAINER = '<container><rootfiles><rootfile full-path="{}"/></rootfiles></container>'
FORWARD = '<barline location="left"><repeat direction="forward"/></barline>'
BACKWARD = '<barline location="right"><repeat direction="backward"/></barline>'


def note(step: str, octave: int, duration: int, inside: str = "", *, alter: float = 0, after: str = "") -> str:
    """A <note>. inside: elements before the pitch (chord, grace); after: elements behind the duration."""
    pitch = f"<pitch><step>{step}</step><alter>{alter}</alter><octave>{octave}</octave></pitch>"
    length = f"<duration>{duration}</duration>" if duration else ""
    return f"<note>{inside}{pitch}{length}{after}</note>"


def rest(duration: int) -> str:
    return f"<note><rest/><duration>{duration}</duration></note>"


def tie(*kinds: str) -> str:
    return "".join(f'<tie type="{kind}"/>' for kind in kinds)


def direction(kind: str, sound: str = "") -> str:
    return f"<direction><direction-type>{kind}</direction-type>{sound}</direction>"


def ending(number: str, *, repeat: bool = False) -> tuple[str, str]:
    """The barlines around one measure under a bracket."""
    sign = '<repeat direction="backward"/>' if repeat else ""
    left = f'<barline location="left"><ending number="{number}" type="start"/></barline>'
    return left, f'<barline location="right"><ending number="{number}" type="stop"/>{sign}</barline>'


def xml(*measures: str, part: str = "<part-name>Piano</part-name>", attributes: str = "", others: str = "") -> str:
    """A partwise score of one part, 4/4, two divisions a quarter."""
    first = f"<attributes><divisions>2</divisions>{attributes}</attributes>"
    content = "".join(
        f'<measure number="{number}">{first if number == 1 else ""}{measure}</measure>'
        for number, measure in enumerate(measures, 1)
    )
    listed = f'<part-list><score-part id="P1">{part}</score-part></part-list>'
    return f'{HEAD}<score-partwise version="4.0">{listed}<part id="P1">{content}</part>{others}</score-partwise>'


def read(folder: Path, text: str) -> Score:
    path = folder / "score.musicxml"
    path.write_text(text, encoding="utf-8")
    return notation.read(path)


def played(performance: Performance) -> list[tuple[float, float, float]]:
    """(onset, offset, pitch), rounded to a microsecond."""
    notes = performance.notes
    rows = zip(notes.onset.tolist(), notes.offset.tolist(), notes.pitch.tolist(), strict=True)
    return [(round(onset, 6), round(offset, 6), pitch) for onset, offset, pitch in rows]


def order(folder: Path, *measures: str) -> list[int]:
    """The order of playing, measures counted from 1."""
    filled = [measure if "<note>" in measure else measure + rest(8) for measure in measures]
    return [index + 1 for index in unfold(read(folder, xml(*filled)))]


def test_a_scale_has_exact_times_and_ids(tmp_path: Path) -> None:
    score = read(tmp_path, xml(note("C", 4, 2) + note("D", 4, 1) + note("E", 4, 1) + note("F", 4, 4, alter=0.5)))
    assert [(n.id, n.onset, n.duration, n.pitch) for n in score.notes] == [
        ("P1-m1-n1", 0, 1, 60.0),
        ("P1-m1-n2", 1, Fraction(1, 2), 62.0),
        ("P1-m1-n3", Fraction(3, 2), Fraction(1, 2), 64.0),
        ("P1-m1-n4", 2, 2, 65.5),
    ]
    assert played(perform(score)) == [(0.0, 0.5, 60.0), (0.5, 0.75, 62.0), (0.75, 1.0, 64.0), (1.0, 2.0, 65.5)]


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


def test_transposition_pedal_and_cue_notes(tmp_path: Path) -> None:
    clarinet = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"
    down, up = direction('<pedal type="start"/>'), direction('<pedal type="stop"/>')
    text = xml(down + note("D", 4, 4) + up + note("E", 4, 4, "<cue/>"), attributes=clarinet)
    performance = perform(read(tmp_path, text))
    assert played(performance) == [(0.0, 1.0, 60.0)]
    assert performance.controls == (Control(0.0, 0, "control", 64, 127), Control(1.0, 0, "control", 64, 0))


def test_grace_notes_take_their_time_from_the_note_before(tmp_path: Path) -> None:
    graces = note("D", 5, 0, '<grace slash="yes"/>') + note("F", 5, 0, '<chord/><grace slash="yes"/>')
    score = read(tmp_path, xml(note("C", 5, 4) + graces + note("E", 5, 4)))
    assert played(perform(score)) == [(0.0, 0.93, 72.0), (0.93, 1.0, 74.0), (0.93, 1.0, 77.0), (1.0, 2.0, 76.0)]


def test_a_grace_note_at_the_very_start_delays_its_note(tmp_path: Path) -> None:
    score = read(tmp_path, xml(note("D", 5, 0, "<grace/>") + note("C", 5, 8)))
    assert played(perform(score)) == [(0.0, 0.11, 74.0), (0.11, 2.0, 72.0)]


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


def test_repeats_can_be_left_out_and_passes_have_their_own_ids(tmp_path: Path) -> None:
    score = read(tmp_path, xml(note("C", 4, 8) + BACKWARD))
    assert played(perform(score, repeats=False)) == [(0.0, 2.0, 60.0)]
    ids = perform(score).notes.ids
    assert ids is not None
    assert ids.tolist() == ["P1-m1-n1", "P1-m1-n1@2"]


def test_timewise_scores_read_the_same(tmp_path: Path) -> None:
    measures = [note("C", 4, 8), note("D", 4, 8)]
    partwise = read(tmp_path, xml(*measures))
    content = "".join(
        f'<measure number="{n}"><part id="P1"><attributes><divisions>2</divisions></attributes>{m}</part></measure>'
        for n, m in enumerate(measures, 1)
    )
    listed = '<part-list><score-part id="P1"><part-name>Piano</part-name></score-part></part-list>'
    assert read(tmp_path, f"<score-timewise>{listed}{content}</score-timewise>") == partwise


def test_instruments_from_file_name_and_language() -> None:
    assert instruments.program(Part("P1", "Violin", program=13)) == 13
    names = {
        "Flute": 73, "Viola": 41, "Violoncello": 42, "Kontrabass": 43, "Bassklarinette": 71, "Oboe": 68, "Hörner": 60,
        "Cor anglais": 69, "Singstimme": 52, "Corno": 60, "Tromba": 56, "Trombone": 57, "Fagotti": 70, "?": 0,
    }  # fmt: skip
    assert {name: instruments.program(Part("P1", name)) for name in names} == names
    assert instruments.program(Part("P1", "Violino I", program=0)) == 40


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


def test_a_score_of_rests_or_of_days_is_not_played(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without notes"):
        perform(read(tmp_path, xml(rest(8))))
    with pytest.raises(InputError, match="hours"):
        perform(read(tmp_path, xml(note("C", 4, 999_999_999))))


def test_numbers_without_measure_are_ignored(tmp_path: Path) -> None:
    text = xml(note("C", 4, 8)).replace("<divisions>2<", "<divisions>1e999999999<").replace(">8<", ">4<")
    assert read(tmp_path, text).notes[0].duration == 4


def test_suite_grace_notes_never_reach_before_the_start() -> None:
    notes = perform(notation.read(DATA / "notation-24a-grace-notes.xml")).notes
    assert len(notes) == 28
    assert notes.onset[0] == 0
    assert (notes.offset > notes.onset).all()


def test_suite_repeats_on_both_sides_of_an_ending() -> None:
    score = notation.read(DATA / "notation-45e-repeats.xml")
    assert [index + 1 for index in unfold(score)] == [1, 2, 1, 3, 4, 5, 5, 6, 7, 6, 8, 9, 8, 9, 10]


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
