"""What the network `tag` sees."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from clefkit.tag import hearing
from clefkit.tag.hearing import BANDS, CELL, FRAMES, RATE


def sine(hz: float, seconds: float, height: float = 1.0) -> np.ndarray:
    return (height * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def test_a_sine_of_full_scale_has_an_energy_near_one_in_its_band() -> None:
    energy = hearing.energies(sine(1000, 2))
    middle = energy[:, 50]
    assert energy.shape == (2, 20 * FRAMES, BANDS)
    assert middle[0].max() == pytest.approx(1, abs=0.35)
    assert middle[0].argmax() == middle[1].argmax()


def test_higher_tones_are_in_higher_bands() -> None:
    bands = [hearing.energies(sine(hz, 1))[0, 25].argmax() for hz in (100, 200, 400, 800, 1600, 3200, 6400, 10_000)]
    assert all(low < high for low, high in pairwise(bands))


def test_what_begins_in_a_cell_is_seen_there() -> None:
    sound = np.zeros(2 * RATE, np.float32)
    sound[10 * CELL :] = sine(880, 1)
    energy = hearing.energies(sound)[1].sum(axis=1)
    assert energy[: 10 * FRAMES - 1].max() < 1e-4 * energy.max()
    assert energy[10 * FRAMES + 1] > 0.5 * energy.max()
    powers = hearing.powers(sound)
    assert powers[9] < 1e-6 * powers[12]
    assert powers[10] > 0.5 * powers[12]


def test_a_gain_changes_nothing_that_is_seen() -> None:
    sound = sine(440, 1, 0.5) + sine(1234, 1, 0.2)
    loud, soft = (hearing.seen(hearing.energies(sound * np.float32(gain))) for gain in (1, 0.03))
    assert np.abs(loud - soft).max() < 1e-3


def test_silence_is_not_lifted() -> None:
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) * np.float32(1e-6)
    assert hearing.seen(hearing.energies(noise)).max() < 0.5
    assert hearing.seen(hearing.energies(np.zeros(RATE, np.float32))).max() == 0


@pytest.mark.parametrize("samples", [1, 100, CELL - 1, CELL, CELL + 1, 7000])
def test_any_length_has_whole_cells(samples: int) -> None:
    sound = np.ones(samples, np.float32) * np.float32(0.1)
    cells = hearing.cells(samples)
    assert cells == -(-samples // CELL)
    assert hearing.energies(sound).shape == (2, cells * FRAMES, BANDS)
    assert hearing.powers(sound).shape == (cells,)
    assert np.isfinite(hearing.seen(hearing.energies(sound))).all()
