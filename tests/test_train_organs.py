"""Organs and accordions made up for training: at the pitch asked for, as long as the key is down, never two alike."""

import numpy as np
import pytest

from clefkit.notes import make
from clefkit.train import organs

RATE = 22050


def spectrum(sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.fft.rfftfreq(len(sound), 1 / RATE), np.abs(np.fft.rfft(sound * np.hanning(len(sound))))


@pytest.mark.parametrize("kind", organs.KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_it_has_partials_of_the_key_and_little_else(kind: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    sound = organs.play(make([0.1], [1.9], [57], [80]), organs.draw(generator, kind), 2 * RATE, RATE, generator)
    hz, strength = spectrum(sound[RATE // 2 : RATE * 3 // 2])
    number = np.rint(hz / 110)  # a rank an octave lower than A3
    near = np.abs(hz / 110 - number) < 0.06 + 0.015 * number  # it may shake by 25 cents
    assert np.square(strength[near]).sum() > 0.9 * np.square(strength[hz > 80]).sum()
    assert np.isfinite(sound).all()


@pytest.mark.parametrize("kind", organs.KINDS)
def test_it_sounds_while_the_key_is_down(kind: str) -> None:
    generator = np.random.default_rng(1)
    sound = organs.play(make([0.5], [1.0], [60], [80]), organs.draw(generator, kind), 2 * RATE, RATE, generator)
    loud = np.sqrt(np.square(sound[: 40 * (RATE // 20)]).reshape(40, -1).mean(axis=1))
    assert loud[:10].max() < 1e-6
    assert loud[12:19].min() > 0.3 * loud.max()
    assert loud[24:].max() < 1e-6


def test_loudness_and_seed() -> None:
    notes = make([0.0, 0.5], [1.0, 1.5], [60, 64], [80, 80])
    once, again, other = (
        organs.play(notes, organs.draw(np.random.default_rng(seed), "organ"), 2 * RATE, RATE, np.random.default_rng(0))
        for seed in (2, 2, 3)
    )
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)
    playing = once[: int(1.4 * RATE)]
    assert 20 * np.log10(np.sqrt(np.mean(playing**2))) == pytest.approx(-20, abs=1.5)


def test_silence_for_no_notes() -> None:
    generator = np.random.default_rng(0)
    assert not organs.play(make([], [], [], []), organs.draw(generator, "organ"), RATE, RATE, generator).any()
