"""What is told of what the network heard: loudness, segments, families."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clefkit import audio
from clefkit.tag import decide, hearing
from clefkit.tag.infer import NAMES, Heard
from clefkit.tag.vocabulary import FAMILIES, FAMILY_OF, LEAVES


def music(seconds: float, seed: int = 0) -> np.ndarray:
    """Noise that swells, with a pause."""
    generator = np.random.default_rng(seed)
    count = int(seconds * hearing.RATE)
    swell = np.interp(np.arange(count), np.linspace(0, count, 9), generator.uniform(0.05, 1, 9))
    swell[count // 3 : count // 2] = 0
    return (generator.standard_normal(count) * swell * 0.1).astype(np.float32)


def heard(**given: np.ndarray | float) -> Heard:
    cells = 40
    nothing = {
        "seconds": cells / 10,
        "clip": np.zeros(len(NAMES)),
        "cells": np.zeros((cells, len(NAMES)), np.float16),
        "energies": np.zeros((cells, len(LEAVES)), np.float32),
        "powers": np.full(cells, 1e-3, np.float32),
        "described": np.zeros((len(LEAVES), 13)),
        "spaces": np.zeros((len(LEAVES), 32)),
        "whole": np.zeros(64),
    }
    return Heard(**(nothing | given))  # type: ignore[arg-type]


def test_loudness_is_that_of_the_standard() -> None:
    for seconds in (1.0, 5.0, 20.0):
        sound = music(seconds)
        own = decide.loudness(hearing.powers(sound))
        assert abs(own - audio.loudness(sound[None], hearing.RATE)) < 0.1


def test_silence_has_no_loudness() -> None:
    assert decide.loudness(np.zeros(40)) == -math.inf
    assert decide.loudness([]) == -math.inf


def test_half_of_the_energy_is_three_lu_less() -> None:
    powers = np.full(40, 1e-3, np.float32)
    energies = np.zeros((40, len(LEAVES)), np.float32)
    energies[:, LEAVES.index("piano")] = energies[:, LEAVES.index("violin")] = 5e-4
    gains = decide.gains(energies, powers)
    assert gains["piano"] == pytest.approx(-3.01, abs=0.01)
    assert gains["violin"] == pytest.approx(-3.01, abs=0.01)
    assert gains["flute"] == -math.inf


def test_pauses_of_an_instrument_are_gated() -> None:
    powers = np.full(40, 1e-3, np.float32)
    energies = np.zeros((40, len(LEAVES)), np.float32)
    energies[:20, LEAVES.index("piano")] = 1e-3
    assert decide.gains(energies, powers)["piano"] == pytest.approx(0.0, abs=0.6)  # not -3: half of it is a pause


def test_cymbals_are_a_part_of_the_drums() -> None:
    powers = np.full(40, 1e-3, np.float32)
    energies = np.zeros((40, len(LEAVES)), np.float32)
    energies[:, LEAVES.index("cymbals")] = 2.5e-4
    energies[:, LEAVES.index("drums")] = 7.5e-4
    gains = decide.gains(energies, powers)
    assert gains["drums"] == pytest.approx(0.0, abs=0.01)
    assert gains["cymbals"] == pytest.approx(-6.02, abs=0.01)


def test_likely_gains_weigh_what_is_said_and_equal_shares() -> None:
    energies = np.zeros((40, len(LEAVES)), np.float32)
    energies[:, LEAVES.index("piano")], energies[:, LEAVES.index("flute")] = 8e-4, 1e-5
    clip = np.full(len(NAMES), 1e-9)
    clip[[NAMES.index("piano"), NAMES.index("flute")]] = 1.0
    sound = heard(energies=energies, clip=clip)
    for weights, piano_db, flute_db in (
        ((0.0, 1.0, 0.0), -0.87, -15.2),  # nobody who is there has less than a fiftieth
        ((0.0, 0.0, 1.0), -3.01, -3.01),
        ((-1.0, 0.5, 0.5), -2.94, -10.1),
    ):
        gains = decide.likely_gains(sound, np.array(weights))
        assert gains["piano"] == pytest.approx(piano_db, abs=0.1)
        assert gains["flute"] == pytest.approx(flute_db, abs=0.1)
    silence = heard(energies=0 * energies, clip=0 * clip)._replace(powers=np.zeros(40, np.float32))
    assert set(decide.likely_gains(silence, np.array([0.0, 1.0, 0.0])).values()) == {-np.inf}


def test_segments_begin_above_the_threshold_and_end_below_a_lower_one() -> None:
    cells = np.array([0.1, 0.35, 0.6, 0.9, 0.45, 0.35, 0.1, 0, 0, 0, 0, 0.4, 0.4, 0], np.float16)
    (found,) = decide.segments(cells, 0.5, 1.4)
    assert (found.start_s, found.end_s) == (0.1, 0.6)
    assert found.strength == pytest.approx(np.mean([0.35, 0.6, 0.9, 0.45, 0.35]), abs=0.01)


def test_short_gaps_are_closed_and_single_cells_are_no_segment() -> None:
    cells = np.array([0.9, 0.9, 0, 0, 0.9, 0.9, 0, 0, 0, 0, 0.9, 0, 0, 0], np.float16)
    found = decide.segments(cells, 0.5, 1.4)
    assert [(each.start_s, each.end_s) for each in found] == [(0.0, 0.6)]


def test_a_sound_of_one_cell_can_have_a_segment() -> None:
    (found,) = decide.segments(np.array([0.9], np.float16), 0.5, 0.07)
    assert (found.start_s, found.end_s) == (0.0, 0.07)


def test_a_family_is_as_likely_as_its_likeliest_instrument() -> None:
    clip = np.zeros(len(NAMES))
    clip[NAMES.index("violin")] = 0.8
    clip[NAMES.index("brass")] = 0.6
    found = decide.families(heard(clip=clip))
    assert found["bowed"] == 0.8
    assert found["brass"] == 0.6
    assert found["woodwind"] == 0


def test_every_leaf_has_one_family() -> None:
    assert len(LEAVES) == len(set(LEAVES)) == 24
    assert set(FAMILY_OF) == set(LEAVES)
    assert sum(map(len, FAMILIES.values())) == len(LEAVES)
