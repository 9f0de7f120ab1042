"""Notes as spectra: what a mixture would look like if each pitch of each stem had one spectrum, and its own loudness.

Every pitch of a stem is an atom: a comb of partials, loud while its notes sound. Combs and loudnesses are fitted to the
mixture by a few multiplicative steps (non-negative matrix factorisation, Lee and Seung 1999, with the Kullback-Leibler
divergence; notes as its constraint: Ewert and Müller 2012, "Using score-informed constraints for NMF-based source
separation"), to magnitudes raised to EXPONENT, for they add up better than magnitudes do (Liutkus and Badeau 2015,
"Generalized Wiener filtering with fractional power spectrograms"). Loudness changes slowly.

At first a comb learns a partial from when it sounds most alone. Then all are fitted again, beginning with combs under
the envelope that all of a stem have in common: where partials of two stems meet, it knows more than the mixture says.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.grid import Grid

Array = NDArray[np.float32]

STEPS = 10
EXPONENT = 1.25  # of magnitudes
SLOWLY, SLOWLY_FRAMES = 0.5, 1.5  # how far gains go towards their mean over so many frames, each step
ANYHOW = 0.005  # what a moment counts when others sound as loud as they like; 1 when none does
MOST_PARTIALS = 60
WIDTH_BINS = 1.0
WIDTH = 0.006  # of a partial's frequency: vibrato, and instruments out of tune
SLOPE = 1.0  # the nth partial is 1 / n
FLOOR = 1e-4  # between partials, of the first
BEFORE_S = 0.08
RISE_S = 0.03
RINGS_S = 0.9  # on after a note's end
FALL_S = 0.15
TUNED_PARTIALS = 10
TUNINGS = np.arange(-12, 13) / 20  # semitones
ALONE = 0.2  # that a note may be out of tune with its stem
ALIKE_BINS = 15.0  # over which an instrument's envelope is smooth
TINY = 1e-9


class Played(NamedTuple):
    """Notes whose stems are known, or guessed.

    onset, offset: (notes,), s; pitch: (notes,), MIDI, may be a fraction
    shares: (notes, stems), how likely a note is of each stem: of a note that may be of either both have their share
    """

    onset: NDArray[np.float64]
    offset: NDArray[np.float64]
    pitch: NDArray[np.float64]
    shares: Array


class Atoms(NamedTuple):
    """combs: (bins, atoms), largest 1; active: (atoms, frames), 0 to 1; shares: (stems, atoms, frames), 0 to 1

    stem: (atoms,), the likeliest of each
    """

    combs: Array
    active: Array
    shares: Array
    stem: NDArray[np.int64]


class Model(NamedTuple):
    """What notes explain of a mixture: (stems, frames, bins) each.

    power: fitted, magnitudes raised to EXPONENT; combs: where partials are, 0 to 1
    """

    power: Array
    combs: Array


def of(played: Played, grid: Grid, first: int, magnitudes: Array) -> Atoms:
    """The atoms of the notes that sound in a stretch of frames, in tune with it. magnitudes: (frames, bins)"""
    frames = len(magnitudes)
    times = grid.seconds(np.arange(first, first + frames))
    here = (played.onset - BEFORE_S < times[-1]) & (played.offset + RINGS_S > times[0])
    stem = played.shares.argmax(axis=1)
    names = np.stack([stem, np.rint(played.pitch * 4).astype(np.int64)], axis=1)[here]
    keys, whose = np.unique(names, axis=0, return_inverse=True)
    active = np.zeros((len(keys), frames), np.float32)
    shares = np.zeros((played.shares.shape[1], len(keys), frames), np.float32)
    for atom, note in zip(whose.reshape(-1), np.flatnonzero(here), strict=True):
        active[atom] = np.maximum(active[atom], _active(times, played.onset[note], played.offset[note]))
        shares[:, atom, np.searchsorted(times, played.onset[note] - BEFORE_S) :] = played.shares[note][:, None]
    if not len(keys):
        return Atoms(np.zeros((grid.bins, 0), np.float32), active, shares, keys[:, 0])
    pitch = keys[:, 1] / 4
    pitch = pitch + _mistuned(pitch, keys[:, 0], active @ np.sqrt(magnitudes), grid)
    return Atoms(np.stack([_comb(grid, each) for each in pitch], axis=1), active, shares, keys[:, 0])


def _mistuned(pitch: NDArray[np.float64], stem: NDArray[np.int64], heard: Array, grid: Grid) -> NDArray[np.float64]:
    """(atoms,): by how many semitones each sounds higher than it is called: as its stem does, and a little by itself.

    heard: (atoms, bins), the spectrum while each sounds
    """
    numbers = np.arange(1, TUNED_PARTIALS + 1)
    spacing = float(grid.hertz[1])
    places = 440 * 2 ** ((pitch[:, None] + TUNINGS - 69) / 12)[:, :, None] * numbers / spacing
    inside = places < grid.bins - 2
    low = np.where(inside, places, 0).astype(np.int64)
    share = np.where(inside, places, 0) - low
    atoms = np.arange(len(pitch))[:, None, None]
    strength = ((1 - share) * heard[atoms, low] + share * heard[atoms, low + 1]) * inside
    fits = strength.sum(axis=2) / np.maximum(inside.sum(axis=2), 1)
    own = 1 - (TUNINGS / 0.8) ** 2 * 0.1  # a note is rather what it is called than something else
    together = np.stack([fits[stem == each].sum(axis=0) * own for each in range(int(stem.max()) + 1)])
    of_stem = TUNINGS[together.argmax(axis=1)][stem]
    near = np.abs(TUNINGS - of_stem[:, None]) <= ALONE
    return np.asarray(TUNINGS[np.where(near, fits * (1 - 0.5 * (TUNINGS - of_stem[:, None]) ** 2), -1).argmax(axis=1)])


def _active(times: NDArray[np.float64], onset: float, offset: float) -> Array:
    rising = np.exp(-(((onset - times) / RISE_S) ** 2))
    falling = np.exp((offset - times) / FALL_S)
    active = np.where(times < onset, rising, np.where(times <= offset, 1.0, falling))
    return np.where((times > onset - BEFORE_S) & (times < offset + RINGS_S), active, 0).astype(np.float32)


def _comb(grid: Grid, pitch: float) -> Array:
    fundamental = 440 * 2 ** ((pitch - 69) / 12)
    count = int(np.clip(grid.hertz[-1] / fundamental, 1, MOST_PARTIALS))
    comb = np.zeros(grid.bins, np.float32)
    spacing = float(grid.hertz[1])
    for number in range(1, count + 1):
        centre = number * fundamental
        width = max(WIDTH_BINS * spacing, WIDTH * centre)
        low, high = int(max(0, (centre - 4 * width) / spacing)), int((centre + 4 * width) / spacing) + 2
        comb[low:high] += np.exp(-0.5 * ((grid.hertz[low:high] - centre) / width) ** 2) / number**SLOPE
    return comb / max(float(comb.max()), TINY)


class Fitted(NamedTuple):
    """combs: (bins, atoms), and gains: (atoms, frames): together the power of each atom, see `Model`"""

    atoms: Atoms
    combs: Array
    gains: Array

    def model(self, first: int = 0, end: int | None = None) -> Model:
        """Of some of the frames."""
        frames = slice(first, end)
        active, gains = self.atoms.active[:, frames], self.gains[:, frames]
        spread = np.sqrt(self.atoms.combs)
        shares = self.atoms.shares[:, :, frames]
        power = np.stack([(self.combs @ (gains * share)).T for share in shares])
        where = np.stack([np.minimum(spread @ (active * share), 1).T for share in shares])
        return Model(power, where)


def fitted(atoms: Atoms, magnitudes: Array) -> Fitted:
    """Fit the atoms to a mixture. magnitudes: (frames, bins)"""
    if not len(atoms.active):
        return Fitted(atoms, atoms.combs, atoms.active)
    plain, active, wanted = (each**EXPONENT for each in (atoms.combs, atoms.active, magnitudes.T))
    combs, gains = _fit(plain + np.float32(FLOOR), active, wanted, alone=True)
    alike = _like_each_other(plain, atoms.stem, combs * gains.sum(axis=1))
    return Fitted(atoms, *_fit(alike, active, wanted))


def _fit(combs: Array, active: Array, wanted: Array, *, alone: bool = False) -> tuple[Array, Array]:
    """Combs, whose sums are 1, and gains.

    wanted: (bins, frames); alone: a frame counts for a bin of a comb as the square of the share that it has in it
    """
    from scipy.ndimage import gaussian_filter1d

    combs = combs / (combs.sum(axis=0) + TINY)
    gains = active * (wanted.sum(axis=0) / np.maximum(active.sum(axis=0), 1))
    for _ in range(STEPS):
        there = combs @ gains + TINY
        ratio = wanted / there
        if alone:
            squares, cubes = np.square(combs), gains.T**3
            rare = 1 / np.square(there)
            up = squares * ((ratio * rare) @ cubes) + ANYHOW * (ratio @ gains.T)
            better = combs * up / (squares * (rare @ cubes) + ANYHOW * gains.sum(axis=1) + TINY)
        else:
            better = combs * (ratio @ gains.T)
        gains = gains * (combs.T @ ratio)
        combs = better / (better.sum(axis=0) + TINY)
        smooth = gaussian_filter1d(gains, SLOWLY_FRAMES, axis=1)
        gains = np.where(active > 0, (1 - SLOWLY) * gains + SLOWLY * smooth, 0)
    return np.asarray(combs, np.float32), np.asarray(gains, np.float32)


def _like_each_other(plain: Array, stem: NDArray[np.int64], heard: Array) -> Array:
    """Combs with the envelope over frequency that all atoms of a stem have together, as one instrument has.

    plain: (bins, atoms), combs as they were before; stem: (atoms,); heard: what was found of each, in all
    """
    from scipy.ndimage import gaussian_filter1d

    combs = np.empty_like(plain)
    for each in np.unique(stem):
        mine = stem == each
        usual = plain[:, mine] / plain[:, mine].sum(axis=0)
        together = gaussian_filter1d(heard[:, mine].sum(axis=1), ALIKE_BINS)
        expected = gaussian_filter1d(usual @ heard[:, mine].sum(axis=0), ALIKE_BINS)
        envelope = (together / (expected + 1e-3 * expected.max() + TINY))[:, None]
        combs[:, mine] = plain[:, mine] * envelope + FLOOR * np.minimum(1, envelope)
    return combs
