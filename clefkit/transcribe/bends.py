"""How the pitch of a note moves: vibrato, glides, a tuning that isn't A = 440 Hz.

The features have three bins a semitone. In each frame the first four partials of a note are looked up: the centre of
gravity of the energy around the strongest bin near each says how far it is from where it should be, and the mean, with
stronger partials counting more, is the deviation. On steady tones of harmonic partials it is right within 5 cents;
vibrato at 5.5 Hz comes out at four fifths of its width in the middle register and at half of it below F3, where
the windows are as long as its period.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from clefkit import features
from clefkit.notes import Control, Notes
from clefkit.spool import Spool

Curve = NDArray[np.float64]

PARTIALS = (1, 2, 3, 4)
NEAR = 2  # bins on each side of a partial's place, and of its peak
STEP_CENTS = 5  # smaller movements are not worth a message
OVERLAP_S = 0.05  # so much of a note may sound into the next one of a melody


def curve(spectrum: NDArray[np.uint8], pitch: int) -> Curve:
    """How far a sound is from a pitch, in cents.

    spectrum: (frames, bins), features from 0 to 255
    returns: (frames,), each the median of itself and its two neighbours
    """
    decibels = features.restored(spectrum).astype(np.float64) * (features.CEILING_DB - features.FLOOR_DB)
    energy = np.pad(10 ** (decibels / 10), ((0, 0), (2 * NEAR, 2 * NEAR)))
    weighted, weights = np.zeros(len(energy)), np.zeros(len(energy))
    for partial in PARTIALS:
        place = features.BINS_PER_SEMITONE * (pitch - features.LOWEST_PITCH + 12 * np.log2(partial) + 0.5) - 0.5
        middle = round(place) + 2 * NEAR
        if middle + 2 * NEAR >= energy.shape[1]:
            break
        peak = middle - NEAR + energy[:, middle - NEAR : middle + NEAR + 1].argmax(axis=1)
        around = peak[:, None] + np.arange(-NEAR, NEAR + 1)
        near = np.take_along_axis(energy, around, axis=1)
        weight = near.sum(axis=1) ** 0.25
        weighted += weight * ((near * around).sum(axis=1) / near.sum(axis=1) - 2 * NEAR - place)
        weights += weight
    cents = 100 / features.BINS_PER_SEMITONE * weighted / weights
    return np.median(sliding_window_view(np.pad(cents, 1, mode="edge"), 3), axis=1)


def controls(notes: Notes, spectrum: Spool) -> tuple[Control, ...]:
    """Pitch bends, sorted by time.

    A bend moves all notes of a channel. So a note that sounds alone in its part has its own curve, and where several
    sound together they have the part's tuning: the median over the notes that are alone.
    """
    found: list[Control] = []
    for part in range(len(notes.parts)):
        mine = np.flatnonzero(notes.part == part)
        lonely = mine[_alone(notes.onset[mine], notes.offset[mine])]
        curves = {int(index): _of_note(notes, int(index), spectrum) for index in lonely}
        tuning = float(np.median(np.concatenate(list(curves.values())))) if curves else 0.0
        before = 0
        for index in mine.tolist():
            end_s = notes.offset[index]
            for time_s, cents in _times(float(notes.onset[index]), curves.get(index, np.array([tuning]))):
                rounded = STEP_CENTS * round(cents / STEP_CENTS)
                if rounded != before and time_s < end_s:
                    found.append(Control(time_s, part, "bend", 0, rounded / 100))
                    before = rounded
    return tuple(sorted(found, key=lambda each: each.time_s))


def _alone(onset: Curve, offset: Curve) -> NDArray[np.bool_]:
    """Which notes, sorted by onset, sound alone, but for a little overlap."""
    before = np.concatenate([[-np.inf], np.maximum.accumulate(offset)[:-1]])
    after = np.concatenate([onset[1:], [np.inf]])
    return (before <= onset + OVERLAP_S) & (offset <= after + OVERLAP_S)


def _of_note(notes: Notes, index: int, spectrum: Spool) -> Curve:
    """The curve of a note, from the frame nearest to its onset on."""
    first, last = np.rint(notes.intervals[index] * features.FRAMES_PER_SECOND).astype(np.int64)
    rows = spectrum.read(int(first), max(int(last), int(first) + 1))
    return curve(rows, int(notes.pitch[index])) if len(rows) else np.zeros(1)


def _times(onset_s: float, cents: Curve) -> Iterator[tuple[float, float]]:
    for frame, each in enumerate(cents.tolist()):
        yield onset_s + frame / features.FRAMES_PER_SECOND, each
