"""How a score is played: tempo words, fermatas, ornaments, swing, pizzicato, and where the beats are."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from clefkit import notes
from clefkit.notation.model import Fermata, Key, Measure, Note, Part, Pedal, Score, Slur, Swing, Tempo, Text
from clefkit.render import tempo
from clefkit.render.clock import clock
from clefkit.render.perform import perform

Row = tuple[float, float, float]


def note(
    place: float, length: float, pitch: float, *marks: str, step: str = "", grace: str = "", voice: str = "1"
) -> Note:
    """A note of part 0; its measure is found by `score`."""
    onset, duration = Fraction(place).limit_denominator(960), Fraction(length).limit_denominator(960)
    one = Note(f"n{place}-{pitch}-{voice}{grace}", 0, 0, onset, duration, pitch, step, voice, marks=frozenset(marks))
    one.grace = grace
    return one


def score(*found: Note, measures: int = 2, program: int = 0, **more: Any) -> Score:
    """4/4, one part."""
    bars = [Measure(str(i + 1), i, Fraction(4 * i), Fraction(4)) for i in range(measures)]
    for each in found:
        each.measure = int(each.onset // 4)
    return Score([Part("P1", "Part", program=program)], bars, list(found), **more)


def rows(performance: notes.Performance) -> list[Row]:
    found = performance.notes
    columns = (found.onset.tolist(), found.offset.tolist(), found.pitch.tolist())
    return [(round(a, 4), round(b, 4), p) for a, b, p in zip(*columns, strict=True)]


def seconds(written: Score, amount: float, *places: float) -> list[float]:
    return [round(t, 6) for t in clock(tempo.curve(written, amount)).seconds(np.array(places)).tolist()]


def test_numbers_are_exact_and_words_count_for_nothing_at_0() -> None:
    written = score(note(0, 1, 60), tempos=[Tempo(Fraction(0), 60.0), Tempo(Fraction(4), 120.0)],
                    texts=[Text(Fraction(1), 0, "rit.")], fermatas=[Fermata(Fraction(3), Fraction(1), 0)])  # fmt: skip
    assert seconds(written, 0.0, 0, 4, 8) == [0.0, 4.0, 6.0]


def test_a_ritardando_slows_smoothly_until_a_tempo() -> None:
    texts = [Text(Fraction(4), 0, "poco rit."), Text(Fraction(8), 0, "a tempo")]
    written = score(note(0, 1, 60), measures=4, texts=texts)
    times = seconds(written, 1.0, *range(17))
    lengths = np.diff(times)
    assert np.allclose(lengths[:4], 0.5)
    assert (np.diff(lengths[3:8]) > 0).all()
    assert np.allclose(lengths[8:], 0.5)
    half = np.diff(seconds(written, 0.5, *range(17)))
    assert 0.5 < half[7] < lengths[7]


def test_an_accelerando_gets_faster_and_a_number_ends_it() -> None:
    written = score(note(0, 1, 60), measures=3, texts=[Text(Fraction(0), 0, "accel.")],
                    tempos=[Tempo(Fraction(0), 120.0), Tempo(Fraction(8), 90.0)])  # fmt: skip
    lengths = np.diff(seconds(written, 1.0, *range(13)))
    assert (np.diff(lengths[:8]) < 0).all()
    assert np.allclose(lengths[8:], 60 / 90)


def test_a_change_that_nothing_ends_is_taken_back() -> None:
    written = score(note(0, 1, 60), measures=6, texts=[Text(Fraction(0), 0, "rall.")])
    lengths = np.diff(seconds(written, 1.0, *range(25)))
    assert lengths.max() > 0.6
    assert np.allclose(lengths[16:], 0.5)


def test_tempo_primo_goes_back_to_the_first_number() -> None:
    written = score(note(0, 1, 60), measures=3, texts=[Text(Fraction(8), 0, "Tempo I")],
                    tempos=[Tempo(Fraction(0), 100.0), Tempo(Fraction(4), 50.0)])  # fmt: skip
    assert np.allclose(np.diff(seconds(written, 1.0, 8, 9, 10)), 0.6)


def test_tempo_primo_counts_as_a_number_and_a_ritenuto_is_short_but_meno_mosso_lasts() -> None:
    tempos = [Tempo(Fraction(0), 60.0), Tempo(Fraction(4), 120.0)]
    first = score(note(0, 1, 60), measures=3, tempos=tempos, texts=[Text(Fraction(8), 0, "Tempo I")])
    assert np.allclose(np.diff(seconds(first, 0.0, *range(13))), [1.0] * 4 + [0.5] * 4 + [1.0] * 4)
    for words, slow in (("ritenuto", 8), ("meno mosso", 36)):
        lengths = np.diff(
            seconds(score(note(0, 1, 60), measures=10, texts=[Text(Fraction(4), 0, words)]), 1.0, *range(41))
        )
        assert (lengths > 0.55).sum() == slow


def test_a_fermata_holds_its_note_only_once_for_all_parts() -> None:
    holds = [Fermata(Fraction(1), Fraction(1), 0), Fermata(Fraction(1), Fraction(1), 0)]
    lengths = np.diff(seconds(score(note(0, 1, 60), fermatas=holds), 1.0, 0, 1, 2, 3))
    assert np.allclose(lengths, [0.5, 0.9, 0.5])


@pytest.mark.parametrize(
    ("fifths", "pitch", "step", "mark", "upper"),
    [(0, 64, "E", "trill-mark", 65), (2, 64, "E", "trill-mark", 66), (0, 64, "", "trill-mark:sharp", 66),
     (-3, 67, "G", "trill-mark", 68), (0, 71, "B", "trill-mark", 72), (3, 68, "G", "trill-mark", 69)],
)  # fmt: skip
def test_a_trill_alternates_with_the_scale_and_ends_where_it_began(
    fifths: int, pitch: int, step: str, mark: str, upper: int
) -> None:
    written = score(note(0, 2, pitch, mark, step=step), keys=[Key(Fraction(0), fifths)])
    found = rows(perform(written))
    assert [row[2] for row in found] == [pitch, upper] * (len(found) // 2) + [pitch]
    assert len(found) >= 9
    assert (found[0][0], found[-1][1]) == (0.0, 1.0)
    assert all(a[1] == b[0] for a, b in itertools.pairwise(found))


@pytest.mark.parametrize(
    ("mark", "pitches"),
    [("mordent", [67, 65, 67]), ("inverted-mordent", [67, 69, 67]), ("turn", [69, 67, 65, 67]),
     ("inverted-turn", [65, 67, 69, 67]), ("delayed-turn", [67, 69, 67, 65, 67])],
)  # fmt: skip
def test_short_ornaments(mark: str, pitches: list[int]) -> None:
    found = rows(perform(score(note(0, 2, 67, mark, step="G"))))
    assert [row[2] for row in found] == pitches
    assert found[-1][1] == 1.0


def test_ornaments_keep_the_id_and_number_their_further_notes() -> None:
    ids = perform(score(note(0, 1, 60, "mordent", step="C"))).notes.ids
    assert ids is not None
    assert ids.tolist() == ["n0-60-1", "n0-60-1~2", "n0-60-1~3"]


def test_a_tremolo_repeats_its_note_and_not_faster_than_a_hand() -> None:
    assert len(rows(perform(score(note(0, 2, 60, "tremolo:2"))))) == 8
    assert len(rows(perform(score(note(0, 2, 60, "tremolo:5"))))) == 16


def test_the_flag_of_an_eighth_counts_as_a_stroke_of_its_tremolo() -> None:
    assert len(rows(perform(score(note(0, 1 / 2, 60, "tremolo:1"))))) == 2
    assert len(rows(perform(score(note(0, 3 / 4, 60, "tremolo:1"))))) == 3
    assert len(rows(perform(score(note(0, 1 / 3, 60, "tremolo:1"))))) == 2
    pair = note(0, 1 / 4, 60, "tremolo-start:2"), note(1 / 4, 1 / 4, 64, "tremolo-stop:2")
    assert len(rows(perform(score(*pair)))) == 4


def test_a_tremolo_between_two_chords_alternates() -> None:
    first = [note(0, 1, 60, "tremolo-start:2"), note(0, 1, 64, "tremolo-start:2")]
    found = rows(perform(score(*first, note(1, 1, 67, "tremolo-stop:2"))))
    assert [row[2] for row in found] == [60, 64, 67] * 4
    assert found[-1][1] == 1.0
    assert found[2][0] == 0.125


def test_arpeggios_go_up_or_down_and_end_together() -> None:
    for marks, pitches in ((("arpeggiate",), [60, 64, 67]), (("arpeggiate:down",), [67, 64, 60])):
        found = rows(perform(score(*(note(0, 2, pitch, *marks) for pitch in (60, 64, 67)))))
        assert [row[2] for row in found] == pitches
        assert len({row[0] for row in found}) == 3
        assert {row[1] for row in found} == {1.0}


def test_graces_at_the_end_of_a_note_take_its_time() -> None:
    found = rows(perform(score(note(0, 2, 60), note(0, 0, 62, grace="after"), note(2, 2, 64))))
    assert found == [(0.0, 0.91, 60), (0.91, 1.0, 62), (1.0, 2.0, 64)]


def test_swing_moves_the_second_eighth_unless_shorter_notes_stand_in_the_beat() -> None:
    eighths = [note(place / 2, 0.5, 60 + place) for place in range(4)]
    found = rows(perform(score(*eighths, swings=[Swing(Fraction(0), Fraction(1, 2), 2.0)])))
    assert [row[0] for row in found] == [0.0, 0.3333, 0.5, 0.8333]
    assert [row[0] for row in rows(perform(score(*eighths, texts=[Text(Fraction(0), 0, "Swing")])))] == [
        0.0,
        0.3333,
        0.5,
        0.8333,
    ]
    sixteenths = [note(place / 4, 0.25, 60 + place) for place in range(4)]
    straight = rows(perform(score(*sixteenths, texts=[Text(Fraction(0), 0, "Swing")])))
    assert [row[0] for row in straight] == [0.0, 0.125, 0.25, 0.375]


def test_pizzicato_is_a_part_of_its_own() -> None:
    texts = [Text(Fraction(1), 0, "pizz."), Text(Fraction(2), 0, "arco")]
    found = perform(score(*(note(place, 1, 60) for place in range(3)), program=40, texts=texts)).notes
    assert found.part.tolist() == [0, 1, 0]
    assert [(part.name, part.program) for part in found.parts] == [("Part", 40), ("Part pizzicato", 45)]
    assert perform(score(note(0, 1, 60), note(1, 1, 62), program=0, texts=texts)).notes.part.tolist() == [0, 0]


def test_every_note_knows_its_measure_and_beat_and_every_beat_its_second() -> None:
    written = score(note(0, 1, 60), note(5.5, 1, 62), tempos=[Tempo(Fraction(0), 60.0)])
    written.measures[0].repeat_times = 2
    played = perform(written)
    assert played.notes.measure is not None
    assert played.notes.beat is not None
    assert played.notes.measure.tolist() == ["1", "1", "2"]
    assert played.notes.beat.tolist() == [1.0, 1.0, 2.5]
    assert [(b.measure, b.turn, b.beat, b.quarter, b.time_s) for b in played.beats[3:6]] == [
        ("1", 1, 4.0, 3.0, 3.0), ("1", 2, 1.0, 4.0, 4.0), ("1", 2, 2.0, 5.0, 5.0),
    ]  # fmt: skip
    assert len(played.beats) == 12


def test_a_pickup_begins_late_in_its_bar() -> None:
    written = score(note(0, 1, 60), measures=1)
    written.measures[0] = Measure("0", 0, Fraction(0), Fraction(1), implicit=True)
    played = perform(written)
    assert played.notes.beat is not None
    assert played.notes.beat.tolist() == [4.0]
    assert [beat.beat for beat in played.beats] == [4.0]


def test_a_pedal_follows_the_tempo() -> None:
    pedals = [Pedal(Fraction(1), 0, 0, "down"), Pedal(Fraction(3), 0, 0, "up")]
    written = score(note(0, 1, 60), pedals=pedals, tempos=[Tempo(Fraction(0), 60.0)])
    assert [(c.time_s, c.value) for c in perform(written).controls] == [(1.0, 127), (3.0, 0)]


def human(written: Score, seed: int = 1, amount: float = 0.5) -> notes.Performance:
    return perform(written, amount=amount, generator=np.random.default_rng(seed))


def melody() -> Score:
    found = [note(place / 2, 0.5, 60 + (place * 5) % 12) for place in range(64)]
    return score(*found, measures=8, slurs=[Slur(found[0].id, found[7].id)])


def test_a_human_is_the_same_for_a_seed_and_differs_between_seeds() -> None:
    first, again, other = human(melody()), human(melody()), human(melody(), 2)
    assert rows(first) == rows(again)
    assert first.beats == again.beats
    assert rows(first) != rows(other)
    assert first.notes.ids is not None
    assert sorted(first.notes.ids.tolist()) == sorted(perform(melody()).notes.ids.tolist())  # type: ignore[union-attr]


def test_a_human_keeps_notes_near_their_beats() -> None:
    played = human(melody())
    quarters = np.array([beat.quarter for beat in played.beats])
    times = np.array([beat.time_s for beat in played.beats])
    order = np.argsort(played.notes.ids)  # type: ignore[arg-type]
    exact = perform(melody()).notes
    written = exact.onset[np.argsort(exact.ids)] * 2  # type: ignore[arg-type]
    inside = written <= quarters[-1]
    expected = np.interp(written, quarters, times)
    assert np.abs(played.notes.onset[order] - expected)[inside].max() < 0.06
