"""The seed of this project's critics, for comparison: a picture of ten seconds, pitch by time, at ten frames a second.

Each frame of each key is how loud the note is that sounds there, 0 to 1. Pieces are judged in stretches of 10 s, each
beginning half way through the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clefkit.critique.table import DURATION, ONSET, PITCH, VELOCITY, Table

Array = NDArray[np.float32]

LOWEST, KEYS, FRAMES, FRAME_MS = 21, 88, 100, 100
STRETCH_MS = FRAMES * FRAME_MS
STEP_MS = STRETCH_MS // 2
LEAST_NOTES = 4
BATCH = 16


def roll(notes: Table, start_ms: int) -> Array:
    """(KEYS, FRAMES), 0 to 1, of the 10 s from `start_ms` on. A note has one frame at least."""
    picture = np.zeros((KEYS, FRAMES), np.float32)
    first = (notes[:, ONSET] - start_ms) // FRAME_MS
    end = np.maximum(first + 1, (notes[:, ONSET] + notes[:, DURATION] - start_ms) // FRAME_MS)
    key = notes[:, PITCH] - LOWEST
    for index in np.flatnonzero((end > 0) & (first < FRAMES) & (key >= 0) & (key < KEYS)):
        span = picture[key[index], max(0, first[index]) : end[index]]
        np.maximum(span, notes[index, VELOCITY] / 127, out=span)
    return picture


def starts(notes: Table) -> NDArray[np.int64]:
    """Where the stretches of a piece begin, ms: each holds 4 notes at least, if any does."""
    onset = notes[:, ONSET].astype(np.int64)
    last = max(int(onset[-1]) - STRETCH_MS, int(onset[0]))
    found = np.unique(np.append(np.arange(onset[0], last + 1, STEP_MS), last))
    count = np.searchsorted(onset, found + STRETCH_MS) - np.searchsorted(onset, found)
    return found[count >= LEAST_NOTES] if (count >= LEAST_NOTES).any() else found[:1]


def logits(session: Any, pieces: Sequence[Table]) -> NDArray[np.float64]:
    """(pieces,), that each is spoilt: the mean over its stretches.

    session: an onnxruntime.InferenceSession with the graph of `nets.critic_roll`
    """
    places = [(number, int(start)) for number, piece in enumerate(pieces) for start in starts(piece)]
    found = np.zeros(len(places))
    for first in range(0, len(places), BATCH):
        batch = places[first : first + BATCH]
        pictures = np.stack([roll(pieces[number], start) for number, start in batch])
        (verdict,) = session.run(["verdict"], {"roll": pictures})
        found[first : first + len(batch)] = verdict
    numbers = np.array([number for number, _ in places])
    return np.bincount(numbers, found, len(pieces)) / np.bincount(numbers, minlength=len(pieces))
