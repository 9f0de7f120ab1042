"""MV2H against the numbers of its reference implementation in Java, and against what must hold for any music."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clefkit.errors import InputError
from clefkit.score.notation.mv2h import Chord, Hierarchy, Key, Music, Note, Scores, aligned, parse, text, unaligned

DATA = Path(__file__).parent / "data" / "mv2h"


class Case(NamedTuple):
    reference: Music
    estimate: Music
    mode: str
    alignments: int
    java: list[float]


def cases() -> dict[str, Case]:
    found = {}
    for path in sorted(DATA.glob("*.txt")):
        pairs = {}
        for block in re.split(r"^Pair ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            name, both = block.split("\n", 1)
            sides = both.split("Estimate\n")
            pairs[name] = parse(sides[0]), parse(sides[1])
        for line in path.with_suffix(".tsv").read_text(encoding="utf-8").splitlines():
            name, mode, alignments, *java = line.split("\t")
            reference, estimate = pairs[name]
            numbers = [float(number) for number in java]
            found[f"{name}-{mode}"] = Case(reference, estimate, mode, int(alignments), numbers)
    return found


CASES = cases()
AMBIGUOUS = [name for name, case in CASES.items() if case.alignments > 1]


@pytest.mark.parametrize("name", CASES)
def test_the_numbers_are_those_of_the_reference_implementation(name: str) -> None:
    case = CASES[name]
    if case.mode == "aligned":
        scores = aligned(case.reference, case.estimate)
    else:
        scores, bounded = unaligned(case.reference, case.estimate)
        assert not bounded
    assert list(scores) == pytest.approx(case.java, abs=1e-9)
    assert scores.mv2h == pytest.approx(sum(case.java) / 5, abs=1e-9)


def test_there_are_enough_of_them() -> None:
    assert sum(case.mode == "aligned" for case in CASES.values()) >= 40
    assert len(AMBIGUOUS) >= 15


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_search_is_bounded_when_there_are_more_alignments_than_it_may_look_at(name: str) -> None:
    case = CASES[name]
    complete, bounded = unaligned(case.reference, case.estimate, most=case.alignments)
    assert not bounded
    assert list(complete) == pytest.approx(case.java, abs=1e-9)
    choice, bounded = unaligned(case.reference, case.estimate, most=case.alignments - 1)
    assert bounded
    if case.alignments > 10:  # fewer are no choice
        assert choice.mv2h == pytest.approx(complete.mv2h, abs=0.01)


def line(count: int, chance: Random, pitches: int = 1) -> Music:
    """One voice in a rhythm by chance, eighths to half notes, on few pitches."""
    notes: list[Note] = []
    time = 0
    for _ in range(count):
        duration = chance.choice([250, 500, 500, 1000])
        notes.append(Note(60 + chance.randrange(pitches), time, time, time + duration, 0))
        time += duration
    return Music(notes, range(0, time + 1, 250), [Hierarchy(4, 2, 1, 0, 0)], [Key(tonic=0, major=True, time=0)])


def without(music: Music, part: float, chance: Random) -> Music:
    notes = [note for note in music.notes if chance.random() >= part]
    return Music(notes, music.tatums, music.hierarchies, music.keys, music.chords)


@pytest.mark.parametrize(("count", "pitches"), [(100, 1), (400, 1), (400, 2)])
def test_astronomically_many_alignments_end_and_keep_the_rhythm(count: int, pitches: int) -> None:
    reference = line(count, Random(count), pitches)
    estimate = without(reference, 0.1, Random(1))
    scores, bounded = unaligned(reference, estimate, most=200)
    assert bounded
    assert scores.multi_pitch > 0.9  # of 0.95 that are there: each note is taken for the one that it is
    assert (scores, bounded) == unaligned(reference, estimate, most=200)


def test_more_alignments_than_can_be_stored_end_too() -> None:
    reference = line(3000, Random(0))
    scores, bounded = unaligned(reference, without(reference, 0.1, Random(1)), most=5)
    assert bounded
    assert all(0 <= score <= 1 for score in scores)


times = st.integers(0, 16).map(lambda place: 125 * place)
notes = st.tuples(st.integers(60, 63), times, st.sampled_from([125, 250, 500]), st.integers(0, 2)).map(
    lambda each: Note(each[0], each[1], each[1], each[1] + each[2], each[3])
)
pieces = st.builds(
    Music,
    notes=st.lists(notes, max_size=9),
    tatums=st.lists(times, max_size=12),
    hierarchies=st.lists(
        st.builds(Hierarchy, *(st.integers(1, 3) for _ in range(3)), anacrusis=st.integers(0, 3), time=times),
        max_size=3,
    ),
    keys=st.lists(st.builds(Key, tonic=st.integers(0, 11), major=st.booleans(), time=times), max_size=3),
    chords=st.lists(st.builds(Chord, name=st.sampled_from("ABC"), time=times), max_size=3),
)


@given(pieces)
@settings(derandomize=True, deadline=None, max_examples=100)
def test_music_is_like_itself_in_all_that_it_has(piece: Music) -> None:
    scores = aligned(piece, piece)
    assert scores.multi_pitch == scores.value == (1 if piece.notes else 0)
    assert all(score == pytest.approx(1) or score == 0 for score in scores)
    assert parse(text(piece)) == piece


@given(pieces, pieces)
@settings(derandomize=True, deadline=None, max_examples=100)
def test_scores_are_from_0_to_1(reference: Music, estimate: Music) -> None:
    found, _ = unaligned(reference, estimate, most=50)
    for scores in (found, aligned(reference, estimate)):
        assert all(0 <= score <= 1 + 1e-9 for score in (*scores, scores.mv2h))


@given(pieces, pieces, st.randoms(use_true_random=False))
@settings(derandomize=True, deadline=None, max_examples=50)
def test_the_order_of_notes_does_not_matter(reference: Music, estimate: Music, chance: Random) -> None:
    mixed = list(estimate.notes)
    chance.shuffle(mixed)
    other = Music(mixed, estimate.tatums, estimate.hierarchies, estimate.keys, estimate.chords)
    assert aligned(reference, estimate) == pytest.approx(aligned(reference, other))


def test_an_unaligned_copy_in_another_tempo_is_right() -> None:
    piece = line(50, Random(4), pitches=12)
    slower = [Note(n.pitch, 3 * n.onset, 3 * n.value_onset, 3 * n.value_offset, n.voice) for n in piece.notes]
    copy = Music(slower, [3 * time for time in piece.tatums], piece.hierarchies, piece.keys)
    scores, bounded = unaligned(piece, copy)
    assert scores == pytest.approx(Scores(1.0, 1.0, 1.0, 1.0, 1.0))
    assert not bounded


@pytest.mark.parametrize(
    "line",
    [
        "Note 60 0 0 500",
        "Note 60 0 0 500 -1",
        "Note 60 0 0 nan 0",
        "Note 60 0 500 0 0",
        "Note 60 0 0 99999999999 0",
        "Note 60 0 0 999999999 0",
        "Notes",
        "Tatum 1.5",
        "Hierarchy 4,2 0 a=0",
        "Hierarchy 4 2 1 a=0",
        "Hierarchy 1000000,1000000 1 a=0",
        "Key 12 maj",
        "Key 0 dorian",
        "Chord 0",
    ],
)
def test_nonsense_is_told(line: str) -> None:
    with pytest.raises(InputError):
        parse(f"Note 60 0 0 500 0\n{line}\n")


def test_lines_of_other_kinds_are_passed_over() -> None:
    assert parse("# a comment\n\nKey 3 Min\nTatum -20 \n") == Music(
        [], [-20], [], [Key(tonic=3, major=False, time=0)], []
    )


@pytest.mark.parametrize("compare", [aligned, unaligned])
@pytest.mark.parametrize(
    "notes",
    [
        [Note(60, 0, 0, 500, voice) for voice in range(251)],
        [Note(60, 0, 250 * place, 250 * place + 1, 0) for place in range(1001)],
        [Note(60, 0, 0, 10**9, 0)],
        [Note(60, 0, 0, 500, -1)],
        [Note(60, 0, 0, 1, 0)] * 100_001,
    ],
)
def test_absurd_music_is_refused(compare: Callable[[Music, Music], object], notes: list[Note]) -> None:
    with pytest.raises(InputError, match="the estimate"):
        compare(Music([Note(60, 0, 0, 500, 0)]), Music(notes))


def test_what_is_too_long_to_be_aligned_is_refused() -> None:
    long = Music([Note(60, 200 * place, 200 * place, 200 * place + 100, 0) for place in range(20_001)])
    with pytest.raises(InputError, match="too long to be aligned"):
        unaligned(long, long)
