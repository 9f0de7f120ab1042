"""Overtones that were heard as notes are no instrument."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from clefkit.transcribe import overtones

Array = NDArray[np.float32]
COUNT = 20


def placed(*parts: tuple[float, float]) -> tuple[Array, NDArray[np.int64]]:
    """The same tune for each part, (seconds later, semitones above). Returns (notes, 3), and whose each note is."""
    onset = 0.4 * np.arange(COUNT)
    tune = 60 + np.array([0, 2, 4, 5, 7] * 4, dtype=float)
    rows = [np.stack([onset + later, onset + later + 0.3, tune + above], axis=1) for later, above in parts]
    return np.concatenate(rows).astype(np.float32), np.repeat(np.arange(len(parts)), COUNT)


def shares(part: NDArray[np.int64]) -> Array:
    return np.eye(int(part.max()) + 1, dtype=np.float32)[part]


@pytest.mark.parametrize("interval", [12, 19, 24])
def test_a_part_of_overtones_joins_the_part_that_has_them(interval: int) -> None:
    where, part = placed((0, 0), (0.02, interval))
    assert overtones.joined(shares(part), where).shape == (2 * COUNT, 1)


def test_players_of_their_own_stay() -> None:
    for other in ((0.2, 12), (0, 7), (0, 4), (0, -5)):
        where, part = placed((0, 0), other)
        assert overtones.joined(shares(part), where).shape[1] == 2, other
    where, part = placed((0, 0), (0, 12))
    where[COUNT : COUNT + COUNT // 2, 2] += 2  # half of the time it goes its own way
    assert overtones.joined(shares(part), where).shape[1] == 2


def test_of_three_parts_the_two_that_play_are_left_and_shares_add_up() -> None:
    where, part = placed((0, 0), (0, 19), (0.2, 3))
    likely = 0.9 * shares(part) + np.float32(0.1 / 3)
    found = overtones.joined(likely, where)
    assert found.shape == (3 * COUNT, 2)
    assert np.allclose(found.sum(axis=1), 1)
    label = found.argmax(axis=1)
    assert (label[part == 0] == 0).all()  # most notes are of the first
    assert (label[part == 1] == 0).all()
    assert (label[part == 2] == 1).all()


def test_a_part_without_notes_is_nobodys_overtones() -> None:
    where, part = placed((0, 0), (0.2, 3))
    padded = np.pad(shares(part), ((0, 0), (0, 1)))
    assert overtones.joined(padded, where).shape == (2 * COUNT, 3)


def test_one_part_or_no_notes_are_left_alone() -> None:
    where, part = placed((0, 0))
    assert overtones.joined(shares(part), where).shape == (COUNT, 1)
    nothing = overtones.joined(np.zeros((0, 2), np.float32), np.zeros((0, 3), np.float32))
    assert nothing.shape == (0, 2)
