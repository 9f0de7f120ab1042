"""Where notes come from: in stereo, notes from one place are rather of one instrument than notes from two.

At the partials of a note that no other note sounds at, both channels tell its direction: the principal axis of their
covariance (as in principal component analysis for panning: Briand, Martin and Virette 2006, "Parametric representation
of multichannel audio based on principal component analysis"). Where they don't belong together, in a room, or as a
piano is recorded, there is none, and the note's direction is as good as unknown.

Two notes from directions that are near each other are of one instrument the more likely the rarer such nearness is in
the recording: when all come from the middle it says nothing. What `timbre` says of the odds is added to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import audio, features, grid
from clefkit.audio import Samples
from clefkit.grid import Chunk, Grid
from clefkit.notes import Notes

Sides = Callable[[], Iterable[Samples]]  # both channels at the rate of the features, in blocks
Indices = NDArray[np.int64]
Array = NDArray[np.float32]

FRAMES = 256  # that are looked at at once
PARTIALS = np.arange(1, 16)
NEAR = np.arange(-1, 2)  # bins beside a partial that are its own, too
THEIRS = np.arange(-2, 3)  # and those in which it disturbs others
BEFORE_S, RINGS_S = 0.05, 0.15
LEAST_S = 0.08  # of a note that are looked at
DISTURBED = 0.02  # what counts a bin in which others sound
WIDTH, INCOHERENT, ALL_DISTURBED, SOME_ALONE = 0.05, 2.0, 0.2, 0.05
ELSEWHERE = 0.1  # of the notes of an instrument may come from anywhere
MOST = 2.0  # that the logarithm of the odds becomes more or less by one direction
TRUST = 2.0  # in that, beside timbre
STEPS = 32  # of a quarter turn
WIDTHS = np.geomspace(0.05, 2.0, 12)
LOOKED_AT = 400  # notes that tell how rare nearness is


class Places(NamedTuple):
    """angle: (notes,), 0 left, pi / 4 the middle, pi / 2 right, beyond that out of phase; width: how sure it is"""

    angle: NDArray[np.float64]
    width: NDArray[np.float64]

    def taken(self, order: list[int]) -> Places:
        return Places(self.angle[order], self.width[order])


def sides(path: Path) -> Sides | None:
    """How both channels of a file are read; None of a mono file. Raises InputError as `audio.shape`."""
    if audio.shape(path).channels < 2:
        return None
    return lambda: audio.chunks(path, features.RATE, 2, FRAMES * grid.HOP)


def of(both: Iterable[Samples], notes: Notes) -> Places:
    """The place of each note.

    both: (2, samples) each, float32, at the rate of the features, of any lengths
    """
    known = Grid(features.RATE)
    sums = np.zeros((len(notes), 5))  # left, right, both; bins undisturbed, and all
    bins = _bins(notes, known, NEAR)
    theirs = _bins(notes, known, THEIRS)
    for chunk in grid.chunks(both, known, FRAMES, 0):
        _add(sums, chunk, notes, known, bins, theirs)
    left, right, together, alone, count = sums.T
    angle = 0.5 * np.arctan2(2 * together, left - right)
    along = np.sqrt(np.square(left - right) / 4 + np.square(together))
    coherence = np.divide(along, (left + right) / 2, out=np.zeros_like(along), where=left + right > 0)
    share = np.divide(alone, count, out=np.zeros_like(alone), where=count > 0)
    width = WIDTH + INCOHERENT * np.square(1 - coherence) + ALL_DISTURBED * np.exp(-share / SOME_ALONE)
    return Places(angle, width)


def _bins(notes: Notes, known: Grid, near: Indices) -> list[Indices]:
    """Of each note, those of its partials and so many beside them."""
    hertz = 440 * 2 ** ((notes.pitch - 69) / 12)
    centres = np.rint(hertz[:, None] * PARTIALS / float(known.hertz[1])).astype(np.int64)
    inside = [row[row < known.bins + int(near[0])] for row in centres]
    return [np.unique(row[:, None] + near) for row in inside]


def _add(
    sums: NDArray[np.float64],
    chunk: Chunk,
    notes: Notes,
    known: Grid,
    bins: list[Indices],
    theirs: list[Indices],
) -> None:
    times = known.seconds(np.arange(chunk.first, chunk.first + chunk.spectra.shape[1]))
    here = np.flatnonzero((notes.onset - BEFORE_S <= times[-1]) & (notes.offset + RINGS_S >= times[0]))
    sounding = np.zeros(chunk.spectra.shape[1:], np.uint8)
    for note in here.tolist():
        low, high = np.searchsorted(times, [notes.onset[note] - BEFORE_S, notes.offset[note] + RINGS_S])
        sounding[low:high, theirs[note]] += 1
    left, right = chunk.spectra
    for note in here.tolist():
        end = max(notes.offset[note], notes.onset[note] + LEAST_S)
        low, high = np.searchsorted(times, [notes.onset[note], end])
        undisturbed = sounding[low:high, bins[note]] <= 1
        mine, yours = left[low:high, bins[note]], right[low:high, bins[note]]
        counts = undisturbed + DISTURBED
        sums[note] += [
            (np.square(np.abs(mine)) * counts).sum(),
            (np.square(np.abs(yours)) * counts).sum(),
            ((mine * yours.conj()).real * counts).sum(),
            undisturbed.sum(),
            undisturbed.size,
        ]


class Nearness:
    """What the directions of notes add to the odds that one instrument played two of them."""

    def __init__(self, places: Places) -> None:
        self.places = places

    def odds(self, some: Indices) -> Array:
        """(some, some): to be added to the logarithm of the odds."""
        apart, width = self._pairs(some)
        same = np.exp(-apart / width) / (width * (1 - np.exp(-np.pi / 2 / width)))
        same = (1 - ELSEWHERE) * same + ELSEWHERE * 2 / np.pi
        as_wide = np.rint(np.interp(np.log(width), np.log(WIDTHS), np.arange(len(WIDTHS)))).astype(np.int64)
        usual = self._usual[as_wide, np.minimum(apart * (STEPS / (np.pi / 2)), STEPS - 1).astype(np.int64)]
        return np.asarray(TRUST * np.clip(np.log(same / usual), -MOST, MOST), np.float32)

    def _pairs(self, some: Indices) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How far apart two notes are, 0 to pi / 2, and how sure that is."""
        angle, width = self.places.angle[some], self.places.width[some]
        apart = np.abs(angle[:, None] - angle)
        return np.minimum(apart, np.pi - apart), np.hypot(width[:, None], width)

    @cached_property
    def _usual(self) -> NDArray[np.float64]:
        """(widths, steps): how likely it is that any two notes are so far apart, seen through each width."""
        count = len(self.places.angle)
        some = np.unique(np.linspace(0, count - 1, min(count, LOOKED_AT)).astype(np.int64))
        apart, _ = self._pairs(some)
        borders = np.linspace(0, np.pi / 2, STEPS + 1)
        share = np.histogram(apart[~np.eye(len(some), dtype=bool)], borders)[0] + 0.5
        middle = (borders[1:] + borders[:-1]) / 2
        difference, total = np.abs(middle[:, None] - middle), middle[:, None] + middle
        seen = []
        for width in WIDTHS:  # what is less than nothing apart, or more than a quarter turn, comes back
            kernel = np.exp(-difference / width) + np.exp(-total / width) + np.exp((total - np.pi) / width)
            seen.append(kernel / kernel.sum(axis=0) @ (share / share.sum()))
        return np.array(seen) * (STEPS / (np.pi / 2))
