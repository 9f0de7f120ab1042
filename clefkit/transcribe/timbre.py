"""Whose note is it: notes of one timbre get one part, without knowing the instruments, nor how many there are.

Each note is looked at by itself: the energies at its first twenty partials, and between them, over its first half
second, and which of these partials other notes sound at too (`views`). A small network makes of that a point on a
sphere; the closer two points, the more likely it is that one instrument played both notes. Training made that exact: a
slope and a bias turn the cosine of two points, and how far apart the notes are in pitch, into the logarithm of the odds
that they are of one instrument.

So the number of instruments isn't guessed first: notes are put together as long as the odds, summed over all pairs,
gain by it (correlation clustering, Bansal, Blum and Chawla 2004, by greedy joining). When nothing gains from being
apart, there is one instrument.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import features

Array = NDArray[np.float32]
Indices = NDArray[np.int64]

FRAMES = 24  # of a note that are looked at, from one before its onset
PARTIALS = np.rint(12 * features.BINS_PER_SEMITONE * np.log2(np.arange(1, 21))).astype(np.int64)
BETWEEN = np.rint(12 * features.BINS_PER_SEMITONE * np.log2(np.arange(1, 10) + 0.5)).astype(np.int64)
SPECTRUM = 4 * len(PARTIALS) + len(BETWEEN)
ASIDE = len(PARTIALS) + 6  # numbers of a note that don't change over its frames
OTHERS = 10  # partials of other notes that count
MOST = 6  # instruments


class Views(NamedTuple):
    """What the network sees of notes.

    spectrum: (notes, FRAMES, SPECTRUM), relative to the note's loudest partial; present: (notes, FRAMES), 1 while it
    sounds, else 0; aside: (notes, ASIDE): where others sound too, pitch, length
    """

    spectrum: Array
    present: Array
    aside: Array


def views(sound: Array, onset: Indices, offset: Indices, pitch: Indices) -> Views:
    """What there is to see of the notes of a stretch of sound.

    sound: (frames, channels, bins), 0 to 1, as `features` gives it
    onset, offset: (notes,), frames within the stretch; pitch: (notes,), MIDI
    """
    count = len(onset)
    frames = np.clip(onset[:, None] - 1 + np.arange(FRAMES), 0, len(sound) - 1)
    first = features.BINS_PER_SEMITONE * (pitch - features.LOWEST_PITCH) + 1
    partials, between = first[:, None] + PARTIALS, first[:, None] + BETWEEN
    near = (partials[:, :, None] + np.array([-1, 0, 1])).reshape(count, -1)
    spectrum = np.concatenate(
        [_at(sound, frames, near, 0), _at(sound, frames, partials, 1), _at(sound, frames, between, 0)], axis=2
    )
    present = (np.arange(FRAMES) - 1 <= np.maximum(offset - onset, 2)[:, None]).astype(np.float32)
    present *= onset[:, None] - 1 + np.arange(FRAMES) < len(sound)
    loudest = (spectrum * present[:, :, None]).max(axis=(1, 2), initial=0)
    spectrum = np.maximum(spectrum - loudest[:, None, None], -1) * present[:, :, None]
    high = (pitch - 60) / 24
    length = np.log(np.maximum(offset - onset, 1)) / 3
    own = np.stack([high, high**2, length, loudest, (partials < features.BINS).mean(axis=1), np.ones(count)], axis=1)
    aside = np.concatenate([_shared(onset, offset, pitch), own], axis=1)
    return Views(spectrum.astype(np.float32), present, aside.astype(np.float32))


def _at(sound: Array, frames: Indices, bins: Indices, channel: int) -> Array:
    """(notes, frames, bins); bins beyond the range are silent."""
    inside = (bins >= 0) & (bins < features.BINS)
    found = sound[frames[:, :, None], channel, np.where(inside, bins, 0)[:, None, :]]
    return np.asarray(found * inside[:, None, :], dtype=np.float32)


def _shared(onset: Indices, offset: Indices, pitch: Indices) -> Array:
    """(notes, partials): how much of each partial other notes sound at too, 0 to 1: 1 is another's fundamental."""
    result = np.zeros((len(onset), len(PARTIALS)), np.float32)
    order = np.argsort(onset, kind="stable")
    starts = onset[order]
    longest = int(np.max(offset - onset, initial=0))
    for index in range(len(onset)):
        end = min(offset[index], onset[index] + FRAMES)
        near = order[np.searchsorted(starts, onset[index] - longest) : np.searchsorted(starts, end)]
        near = near[(offset[near] > onset[index]) & (pitch[near] != pitch[index])]
        if len(near) == 0:
            continue
        apart = features.BINS_PER_SEMITONE * (pitch[near] - pitch[index])
        theirs = apart[:, None] + PARTIALS[:OTHERS]
        meets = np.abs(theirs[:, :, None] - PARTIALS) <= 1
        weight = 1 / np.arange(1, OTHERS + 1)
        result[index] = (meets * weight[:, None]).max(axis=(0, 1))
    return result
