"""Notes put together by the odds that one instrument played two of them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from clefkit.transcribe import clusters
from clefkit.transcribe.clusters import Odds

Array = NDArray[np.float32]
Indices = NDArray[np.int64]
DIMENSIONS = 32
LEAST = 0.03


def timbres(sizes: list[int], generator: Generator, spread: float = 0.15) -> tuple[Odds, Indices]:
    """Odds of notes that are points around directions at right angles, mixed, and which is whose."""
    whose = generator.permutation(np.repeat(np.arange(len(sizes)), sizes))
    points = np.eye(len(sizes), DIMENSIONS)[whose] + generator.normal(0, spread / DIMENSIONS**0.5, (len(whose), 32))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return odds_of(points.astype(np.float32)), whose


def parts(odds: Odds, count: int, least: float, instruments: int | None = None) -> Indices:
    """The part that each note is most likely of."""
    return np.asarray(clusters.shares(odds, count, least, instruments).argmax(axis=1), dtype=np.int64)


def odds_of(points: Array) -> Odds:
    return lambda some: np.asarray(8 * points[some] @ points[some].T - 4, dtype=np.float32)


def turned(odds: Odds, order: Indices) -> Odds:
    """Of the same notes in another order."""
    return lambda some: odds(order[some])


def agree(one: Indices, other: Indices) -> bool:
    return bool(((one[:, None] == one) == (other[:, None] == other)).all())


@pytest.mark.parametrize("sizes", [[40], [30, 50], [20, 30, 40], [12, 14, 16, 18, 20, 22]])
def test_clear_timbres_are_told_apart_and_one_is_one(sizes: list[int]) -> None:
    odds, whose = timbres(sizes, default_rng(len(sizes)))
    part = parts(odds, len(whose), LEAST)
    assert agree(part, whose)
    assert np.bincount(part).tolist() == sorted(sizes, reverse=True), "the part with the most notes is the first"


def test_a_number_that_is_known_is_kept() -> None:
    odds, whose = timbres([30, 40, 50], default_rng(5))
    for instruments in range(1, 7):
        part = parts(odds, len(whose), LEAST, instruments)
        assert np.unique(part).tolist() == list(range(instruments))
        sizes = np.bincount(part).tolist()
        assert sizes == sorted(sizes, reverse=True)
    assert agree(parts(odds, len(whose), LEAST, 3), whose)
    single, _ = timbres([60], default_rng(5), spread=0.5)
    assert len(np.unique(parts(single, 60, LEAST, 2))) == 2, "also where nothing asks for it"


def test_few_notes_have_few_parts() -> None:
    odds, _ = timbres([4], default_rng(5), spread=0.5)
    assert parts(odds, 0, LEAST).tolist() == []
    assert parts(odds, 1, LEAST).tolist() == parts(odds, 1, LEAST, 3).tolist() == [0]
    assert parts(odds, 2, LEAST).tolist() == [0, 0], "one note is no instrument"
    for count in (2, 3, 4):
        assert len(np.unique(parts(odds, count, LEAST, 2))) == 2
        assert len(np.unique(parts(odds, count, LEAST, 6))) == count, "there are no more than notes"


def test_there_are_six_instruments_at_most() -> None:
    odds, whose = timbres([20] * 9, default_rng(6))
    assert len(np.unique(parts(odds, len(whose), LEAST))) == clusters.MOST


def test_a_few_notes_are_no_instrument_and_go_to_others() -> None:
    odds, whose = timbres([100, 60, 4], default_rng(7))
    part = parts(odds, len(whose), LEAST)
    assert agree(part[whose < 2], whose[whose < 2])
    assert set(part[whose == 2].tolist()) <= {0, 1}
    assert agree(parts(odds, len(whose), 0.01), whose)


def test_a_stray_note_does_not_count_as_a_part_that_was_asked_for() -> None:
    odds, whose = timbres([50, 50, 1], default_rng(8))
    part = parts(odds, len(whose), LEAST, 2)
    assert agree(part[whose < 2], whose[whose < 2])


def test_parts_are_the_same_whatever_the_order_of_the_notes() -> None:
    generator = default_rng(8)
    odds, whose = timbres([30, 40, 50], generator, spread=0.6)
    part = parts(odds, len(whose), LEAST)
    assert np.array_equal(part, parts(odds, len(whose), LEAST))
    for _ in range(3):
        order = generator.permutation(len(whose))
        assert np.array_equal(parts(turned(odds, order), len(whose), LEAST), part[order])


@pytest.mark.parametrize("instruments", [None, 2])
def test_notes_beyond_those_that_are_remembered_go_where_they_fit(instruments: int | None) -> None:
    """An instrument that plays at the beginning and at the end is the same; never too many notes are asked about."""
    whose = np.repeat([0, 1, 0], [300, 900, 400])
    points = np.eye(2, DIMENSIONS, dtype=np.float32)[whose]
    points += default_rng(1).normal(0, 0.1 / DIMENSIONS**0.5, points.shape).astype(np.float32)
    odds = odds_of(points)
    asked: list[int] = []

    def counted(some: Indices) -> Array:
        asked.append(len(some))
        return odds(some)

    assert agree(parts(counted, 1600, LEAST, instruments), whose)
    assert asked[0] == clusters.REMEMBERED
    assert max(asked) <= clusters.REMEMBERED + clusters.TOGETHER


def test_who_is_heard_in_the_rest_alone_goes_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten notes are remembered, each tenth of a hundred; what plays in between only makes no part of its own."""
    monkeypatch.setattr(clusters, "REMEMBERED", 10)
    remembered = np.linspace(0, 99, 10).astype(np.int64)
    whose = np.full(100, 2)
    whose[remembered] = np.arange(10) % 2
    part = parts(odds_of(np.eye(3, DIMENSIONS, dtype=np.float32)[whose]), 100, LEAST)
    assert set(part.tolist()) == {0, 1}
    assert agree(part[remembered], whose[remembered])


def test_odds_that_are_not_quite_symmetric_do_no_harm() -> None:
    odds, whose = timbres([30, 50], default_rng(11))
    leaning = default_rng(12).normal(0, 0.5, (80, 80)).astype(np.float32)
    part = parts(lambda some: odds(some) + leaning[np.ix_(some, some)], 80, LEAST)
    assert agree(part, whose)


def test_shares_say_how_likely_a_note_is_of_each_part() -> None:
    """A note between two timbres is of either; one in the middle of its own is not."""
    points = np.zeros((41, DIMENSIONS), np.float32)
    points[:20, 0] = points[20:40, 1] = 1
    points[40, :2] = 0.5**0.5
    shares = clusters.shares(odds_of(points), 41, LEAST, 2)
    assert np.allclose(shares.sum(axis=1), 1)
    assert shares[:40].max(axis=1).min() > 0.99
    assert np.allclose(shares[40], 0.5, atol=0.01)
