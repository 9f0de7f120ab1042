"""Clocks: where the seconds of one sound are in another, and what the notes make of it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from clefkit import clock, notes
from clefkit.clock import Clock

TIMES = np.linspace(-1.0, 9.0, 1001)


def bent(*here: float) -> Clock:
    """Points at 0, 1, 2, ... seconds of the source."""
    return Clock(np.arange(len(here), dtype=np.float64), np.array(here))


def chords(*onsets: float, pitch: float = 60.0) -> notes.Notes:
    onset = np.array(onsets)
    return notes.make(onset, onset + 0.5, np.full(len(onset), pitch))


def close(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    return bool(np.abs(first - second).max() < 1e-9)


def test_a_line_goes_on_before_and_after() -> None:
    late = clock.line(0.25, 0.5)
    assert late.is_line
    assert close(late.at([-2.0, 0.0, 1.0, 1e4]), np.array([-0.75, 0.25, 0.75, 5000.25]))


def test_a_bent_clock_has_straight_lines_between_its_points() -> None:
    bend = bent(0.0, 1.0, 1.5, 3.5)
    assert not bend.is_line
    assert close(bend.at([-1, 0.5, 1, 1.5, 2, 2.5, 4]), np.array([-1, 0.5, 1, 1.25, 1.5, 2.5, 5.5]))


@pytest.mark.parametrize("each", [clock.line(), clock.line(-0.3, 1.01), bent(0, 1.1, 1.9, 3), bent(0.5, 0.6, 4)])
def test_back_undoes_at(each: Clock) -> None:
    assert close(each.back(each.at(TIMES)), TIMES)
    assert close(each.at(each.back(TIMES)), TIMES)


@pytest.mark.parametrize("first", [clock.line(0.1, 0.9), bent(0, 1.1, 1.9, 3), bent(0.2, 0.7, 2.9)])
@pytest.mark.parametrize("second", [clock.line(-0.1, 1.2), bent(0, 0.9, 2.1, 2.8), bent(-0.2, 0.7, 2.9)])
def test_one_clock_then_another(first: Clock, second: Clock) -> None:
    joined = first.then(second)
    assert close(joined.at(TIMES), second.at(first.at(TIMES)))
    assert joined.is_line == (first.is_line and second.is_line)


def test_clocks_that_end_together_have_one_end() -> None:
    """Their last points differ by rounding alone; the piece between would have any slope and lead far away."""
    for length in np.linspace(1.0, 300.0, 299):
        first = Clock(np.array([0, 0.03, 0.07, 1.0]) * length, np.array([0, 0.031, 0.069, 1.003]) * length)
        second = Clock(np.array([0, 0.4, 1.0]) * first.here[-1], np.array([0, 0.41, 0.97]) * first.here[-1])
        joined = first.then(second)
        after = length + np.array([0.0, 1.0, 10.0])
        assert close(joined.at(after), second.at(first.at(after)))
        points = np.array(joined.data()["points"])
        assert (np.diff(points, axis=0) > 0).all()


def test_as_a_record_holds_it() -> None:
    assert clock.line().data() == {"offset_s": 0.0, "rate": 1.0}
    assert clock.line(0.5, 2.0).data() == {"offset_s": 0.5, "rate": 2.0}
    assert bent(0, 1.00000004, 1.75).data() == {"points": [[0.0, 0.0], [1.0, 1.0], [2.0, 1.75]]}
    slow = clock.line(0.0, 1.5).then(clock.line(0.25, 0.5)).data()
    assert slow == {"offset_s": 0.25, "rate": pytest.approx(0.75, abs=1e-12)}


def test_nothing_moved_leaves_the_notes_bit_for_bit() -> None:
    given = chords(*np.random.default_rng(0).uniform(0, 7000, 500), pitch=60.0371)
    for still in (clock.line(), clock.line().then(clock.line())):
        moved = still.moved(given)
        assert moved.onset.tobytes() == given.onset.tobytes()
        assert moved.offset.tobytes() == given.offset.tobytes()
        assert moved.pitch.tobytes() == given.pitch.tobytes()


@pytest.mark.parametrize("cents", [10, -10, 47.3])
def test_played_faster_is_higher(cents: float) -> None:
    given = chords(0.0, 0.7, 6999.9)
    moved = clock.line(0.0, 2 ** (-cents / 1200)).moved(given)
    assert moved.pitch == pytest.approx(given.pitch + cents / 100, abs=1e-4)
    assert moved.onset == pytest.approx(given.onset * 2 ** (-cents / 1200), abs=1e-9)
    assert moved.offset - moved.onset == pytest.approx(0.5 * 2 ** (-cents / 1200), abs=1e-9)


def test_pitch_follows_a_bend_note_by_note() -> None:
    bend = Clock(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0 * 2 ** (-5 / 1200) - 2 ** (-5 / 1200) + 1]))
    moved = bend.moved(chords(0.2, 1.3))
    assert moved.pitch == pytest.approx([60.0, 60.05], abs=1e-4)


def test_what_the_pedal_holds_moves_along() -> None:
    onset = np.array([1.0])
    given = notes.make(onset, onset + 0.5, np.array([60]), sounding=onset + 3)
    moved = clock.line(0.5, 0.5).moved(given)
    assert moved.sounding is not None
    assert moved.sounding.tolist() == [2.5]
