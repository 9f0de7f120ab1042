"""What MusicXML says beside notes and times: spelling, keys, clefs, marks, slurs, words, fermatas, swing, names."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from tiny_score import direction, note, read, rest, tie, xml

from clefkit.notation import instruments
from clefkit.notation.model import Clef, Fermata, Key, Part, Slur, Swing, Text

CLARINET_IN_A = "<transpose><diatonic>-2</diatonic><chromatic>-3</chromatic></transpose>"
BACK = "<backup><duration>8</duration></backup>"


def notated(inside: str) -> str:
    return f"<notations>{inside}</notations>"


def key(fifths: int, mode: str = "") -> str:
    said = f"<mode>{mode}</mode>" if mode else ""
    return f"<key><fifths>{fifths}</fifths>{said}</key>"


def test_letters_and_keys_are_those_that_sound(tmp_path: Path) -> None:
    text = xml(note("C", 5, 4) + note("E", 5, 4, alter=-1), attributes=key(0, "major") + CLARINET_IN_A)
    score = read(tmp_path, text)
    assert [(n.step, n.pitch) for n in score.notes] == [("A", 69.0), ("C", 72.0)]
    assert score.keys == [Key(Fraction(0), 3, "major")]
    assert score.parts[0].transposition == -3


@pytest.mark.parametrize(
    ("transpose", "step", "fifths"),
    [
        ("<chromatic>-2</chromatic>", "B", -2),  # no letters given
        ("<diatonic>0</diatonic><chromatic>-2</chromatic>", "B", -2),  # letters that fit no interval
        ("<diatonic>-1</diatonic><chromatic>-2</chromatic><octave-change>-1</octave-change>", "B", -2),
        ("<diatonic>-8</diatonic><chromatic>-14</chromatic>", "B", -2),
        ("<diatonic>3</diatonic><chromatic>5</chromatic>", "F", -1),
    ],
)
def test_transpositions_as_programs_write_them(tmp_path: Path, transpose: str, step: str, fifths: int) -> None:
    score = read(tmp_path, xml(note("C", 4, 8), attributes=key(0) + f"<transpose>{transpose}</transpose>"))
    assert (score.notes[0].step, score.keys[0].fifths) == (step, fifths)


def test_a_concert_score_that_says_how_parts_would_be_written_sounds_as_written(tmp_path: Path) -> None:
    parts = "<for-part><part-transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></part-transpose></for-part>"
    assert read(tmp_path, xml(note("C", 4, 8), attributes=parts)).notes[0].pitch == 60


def test_keys_change_inside_a_measure_and_most_parts_decide(tmp_path: Path) -> None:
    change = f"<attributes>{key(-2)}</attributes>"
    horn = (
        f'<part id="P2"><measure number="1"><attributes><divisions>2</divisions>{key(0)}</attributes></measure></part>'
    )
    text = xml(note("C", 4, 4) + change + note("C", 4, 4), attributes=key(1, "minor"), others=horn)
    assert read(tmp_path, text).keys == [Key(Fraction(0), 1, "minor"), Key(Fraction(2), -2)]


def test_clefs_and_staves(tmp_path: Path) -> None:
    tenor = (
        "<attributes><clef><sign>G</sign><line>2</line><clef-octave-change>-1</clef-octave-change></clef></attributes>"
    )
    clefs = (
        '<staves>2</staves><clef number="1"><sign>G</sign><line>2</line></clef><clef number="2"><sign>F</sign></clef>'
    )
    score = read(tmp_path, xml(note("C", 4, 4) + tenor + note("C", 4, 4), attributes=clefs))
    assert score.parts[0].staves == 2
    assert score.clefs == [
        Clef(Fraction(0), 0, 1, "G", 2),
        Clef(Fraction(0), 0, 2, "F", 4),
        Clef(Fraction(2), 0, 1, "G", 2, -1),
    ]


def test_ornaments_articulations_tremolos_and_arpeggios(tmp_path: Path) -> None:
    ornaments = "<ornaments><trill-mark/><accidental-mark>sharp</accidental-mark><wavy-line type='start'/></ornaments>"
    accents = "<articulations><accent/><other-articulation>snap</other-articulation></articulations>"
    tremolo = '<ornaments><tremolo type="{}">{}</tremolo></ornaments>'
    technical = "<technical><up-bow/><fingering>1</fingering></technical>"
    text = xml(
        note("C", 4, 2, after=notated(ornaments) + notated(accents))
        + note("D", 4, 2, after=notated(tremolo.format("single", 2) + technical))
        + note("E", 4, 2, after=notated('<arpeggiate direction="down"/>' + tremolo.format("start", 3)))
        + note("F", 4, 2, after=notated("<arpeggiate/>" + tremolo.format("stop", 3)))
    )
    assert [set(n.marks) for n in read(tmp_path, text).notes] == [
        {"trill-mark:sharp", "accent", "snap"},
        {"tremolo:2", "up-bow"},
        {"arpeggiate:down", "tremolo-start:3"},
        {"arpeggiate", "tremolo-stop:3"},
    ]


def test_a_wavy_line_trills_all_notes_up_to_its_end(tmp_path: Path) -> None:
    start, stop = (notated(f'<ornaments><wavy-line type="{kind}"/></ornaments>') for kind in ("start", "stop"))
    text = xml(note("C", 4, 2, after=start) + note("D", 4, 2) + note("E", 4, 2, after=stop) + note("F", 4, 2))
    assert ["trill-mark" in n.marks for n in read(tmp_path, text).notes] == [True, True, False, False]


def test_slurs_also_where_they_stop_before_they_start_in_the_file(tmp_path: Path) -> None:
    start, stop = (notated(f'<slur type="{kind}" number="1"/>') for kind in ("start", "stop"))
    both = notated('<slur type="start" number="1"/><slur type="stop" number="1"/>')
    plain = xml(note("C", 4, 2, after=start) + note("D", 4, 2, after=both) + note("E", 4, 4, after=stop))
    assert read(tmp_path, plain).slurs == [Slur("P1-m1-n1", "P1-m1-n2"), Slur("P1-m1-n2", "P1-m1-n3")]
    crossed = xml(rest(4) + note("E", 5, 4, after=stop) + BACK + note("C", 3, 8, after="<voice>5</voice>" + start))
    assert read(tmp_path, crossed).slurs == [Slur("P1-m1-n2", "P1-m1-n1")]


def test_words_are_texts_unless_they_are_jumps_or_dynamics(tmp_path: Path) -> None:
    said = [direction(f"<words>{text}</words>") for text in ("Adagio", "ma non troppo", "D.C. al Fine", "mf", "♩")]
    score = read(tmp_path, xml("".join(said) + direction("<rehearsal>A</rehearsal>") + note("C", 4, 8)))
    assert score.texts == [Text(Fraction(0), 0, "Adagio"), Text(Fraction(0), 0, "ma non troppo")]
    assert [(int(mark.onset), mark.mark) for mark in score.dynamics] == [(0, "mf")]


def test_fermatas_on_chords_rests_and_bar_lines(tmp_path: Path) -> None:
    held = notated("<fermata/>")
    pause = f"<note><rest/><duration>4</duration>{held}</note>"
    bar = '<barline location="right"><fermata/></barline>'
    text = xml(note("C", 4, 4, after=held) + note("E", 4, 4, "<chord/>", after=held) + pause, note("C", 4, 8) + bar)
    assert read(tmp_path, text).fermatas == [
        Fermata(Fraction(0), Fraction(2), 0),
        Fermata(Fraction(2), Fraction(2), 0),
        Fermata(Fraction(8), Fraction(0), 0),
    ]


def test_swing_begins_and_ends(tmp_path: Path) -> None:
    ratio = "<first>2</first><second>1</second><swing-type>eighth</swing-type>"
    swings = [f"<sound><swing>{inside}</swing></sound>" for inside in (ratio, "<straight/>")]
    score = read(tmp_path, xml(swings[0] + note("C", 4, 8), swings[1] + note("C", 4, 8)))
    half = Fraction(1, 2)
    assert score.swings == [Swing(Fraction(0), half, 2.0), Swing(Fraction(4), half, 1.0)]


def test_names_of_the_piece_and_unnumbered_measures(tmp_path: Path) -> None:
    names = (
        "<work><work-title>Opus 1</work-title></work><movement-title>Aria</movement-title>"
        '<identification><creator type="lyricist">L</creator><creator type="composer">C.  P.</creator></identification>'
    )
    text = xml(note("C", 4, 2), note("C", 4, 8)).replace("<part-list>", names + "<part-list>")
    score = read(tmp_path, text.replace('<measure number="1">', '<measure number="0" implicit="yes">'))
    assert (score.title, score.composer) == ("Opus 1", "C. P.")
    assert [measure.implicit for measure in score.measures] == [True, False]


def test_grace_notes_that_end_a_note(tmp_path: Path) -> None:
    stolen = note("D", 5, 0, '<grace steal-time-previous="20"/>')
    assert [(n.grace, int(n.onset)) for n in read(tmp_path, xml(note("C", 5, 4) + stolen + note("E", 5, 4))).notes] == [
        ("", 0),
        ("after", 0),
        ("", 2),
    ]
    two = note("D", 5, 0, "<grace/>") + note("C", 5, 0, "<grace/>")
    last = read(tmp_path, xml(note("C", 5, 4) + note("E", 5, 4) + two, note("D", 5, 8)))
    assert [(n.grace, int(n.onset)) for n in last.notes] == [("", 0), ("", 2), ("after", 2), ("after", 2), ("", 4)]
    before_rest = read(tmp_path, xml(note("C", 5, 4) + two + rest(4)))
    assert [(n.grace, int(n.onset)) for n in before_rest.notes] == [("", 0), ("after", 0), ("after", 0)]


def test_a_grace_note_alone_or_before_a_note_of_another_voice_stays_before(tmp_path: Path) -> None:
    alone = read(tmp_path, xml(note("D", 5, 0, "<grace/>") + rest(8)))
    assert [(n.grace, int(n.onset)) for n in alone.notes] == [("plain", 0)]
    lower = note("C", 4, 4, after="<voice>2</voice>") * 2
    upper = note("C", 5, 4, after="<voice>1</voice>") + note("D", 5, 0, "<grace/>", after="<voice>1</voice>")
    assert [n.grace for n in read(tmp_path, xml(lower + BACK + upper)).notes] == ["", "", "", "plain"]


def test_cue_notes_are_silent_but_in_musescore_only_small(tmp_path: Path) -> None:
    text = xml(note("C", 4, 4) + note("D", 4, 4, "<cue/>"))
    assert len(read(tmp_path, text).notes) == 1
    made = "<identification><encoding><software>{}</software></encoding></identification><part-list>"
    assert len(read(tmp_path, text.replace("<part-list>", made.format("Finale 2014"))).notes) == 1
    assert len(read(tmp_path, text.replace("<part-list>", made.format("MuseScore 3.6.2"))).notes) == 2


def test_old_files_have_only_what_is_seen_of_a_tie(tmp_path: Path) -> None:
    seen = [notated(f'<tied type="{kind}"/>') for kind in ("start", "stop", "let-ring")]
    score = read(tmp_path, xml(note("C", 4, 4, after=seen[0]) + note("C", 4, 4, after=seen[1] + seen[2])))
    assert [(n.tie_start, n.tie_stop) for n in score.notes] == [(True, False), (False, True)]
    heard = read(tmp_path, xml(note("C", 4, 8, after=tie("stop", "start"))))
    assert (heard.notes[0].tie_start, heard.notes[0].tie_stop) == (True, True)


@pytest.mark.parametrize(
    ("name", "sound", "program", "expected"),
    [
        ("Voice", "voice.vocals", 69, 52),
        ("Soprano", "voice.soprano", 54, 53),
        ("Gesang", "wind.reed.oboe", 69, 52),
        ("Violino", "strings.violin", 74, 40),
        ("Violino", "strings.violin", 49, 48),
        ("Klavier", "keyboard.piano", 4, 3),
        ("Horn", "brass.french-horn", 1, 60),
        ("X", "effect.whistle", 79, 78),
    ],
)
def test_what_a_sound_is_called_goes_before_a_program_of_another_kind(
    tmp_path: Path, name: str, sound: str, program: int, expected: int
) -> None:
    listed = (
        f'<part-name>{name}</part-name><score-instrument id="I"><instrument-name/>'
        f"<instrument-sound>{sound}</instrument-sound></score-instrument>"
        f'<midi-instrument id="I"><midi-program>{program}</midi-program></midi-instrument>'
    )
    part = read(tmp_path, xml(note("C", 4, 8), part=listed)).parts[0]
    assert instruments.program(part) == expected


def test_names_of_singers_and_of_instruments_that_only_sound_like_them() -> None:
    assert instruments.program(Part("P1", "Singstimme", program=68)) == 52
    assert instruments.program(Part("P1", "Tenor", program=66)) == 66
    assert instruments.program(Part("P1", "Bass", program=33)) == 33
