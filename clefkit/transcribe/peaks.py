"""Where the outputs of a network peak, rise and fall, for a block of frames and all pitches at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.transcribe.thresholds import Thresholds

Array = NDArray[np.float32]

DECODED = ("onset", "frame", "offset", "velocity")  # what a decoder is given, in this order
AROUND = 2  # frames on each side among which a peak is the highest
OVERTONES = (12, 19, 24, 28, 31, 34, 36)  # semitones from a note to its partials 2 to 8


class Spans(NamedTuple):
    """Durations, in frames.

    gap: how long a note may dip below the threshold and go on
    support: after an onset, in which the frame output has to agree
    together: between the onsets of a note and of its overtones, at most
    stay, rise: how long the frame output stays up, and how long it took to get there, where no onset is needed
    dip: before a repeated onset, in which the frame output has to dip
    """

    gap: int
    support: int
    together: int
    stay: int
    rise: int
    dip: int

    @property
    def before(self) -> int:
        """How many frames before a block decisions may look at."""
        return max(self.stay + self.rise, self.dip, self.together) + AROUND

    @property
    def after(self) -> int:
        """How many frames after it."""
        return max(self.support, self.gap, self.together) + AROUND


class Block(NamedTuple):
    """Frames `first` to `end` are decided on; the others are around them. All arrays are (frames, pitches).

    onset, frame, velocity: the outputs
    begins: how high an onset's peak is that may begin a note, else 0; begins_shift: from its frame to its time
    ends: how high an offset's peak is that may end a note, else 0; ends_shift: the same
    rises: where a note became clear without an onset: how many frames ago it began, else 0
    loud: the last frame by then that was at least at `sustain`, or -1
    summed: (frames + 1, pitches), float64, the sum of the frame output before each frame
    """

    first: int
    end: int
    onset: Array
    frame: Array
    velocity: Array
    begins: Array
    begins_shift: Array
    ends: Array
    ends_shift: Array
    rises: NDArray[np.int64]
    loud: NDArray[np.int64]
    summed: NDArray[np.float64]


def spans(frames_per_second: float) -> Spans:
    """The durations, at so many frames a second."""
    seconds = (0.07, 0.07, 0.05, 0.1, 0.19, 0.23)
    return Spans(*(max(1, round(each * frames_per_second)) for each in seconds))


def look(outputs: Array, count: int, thresholds: Thresholds, limits: Spans) -> Block:
    """What is to be seen in `count` frames, with `limits.before` before them and `limits.after` behind them.

    outputs: (frames, outputs, pitches), 0 to 1, as DECODED names them
    """
    first, end = limits.before, limits.before + count
    onset, frame, offset, velocity = outputs.transpose(1, 0, 2)
    begins, begins_shift = _peaks(onset, thresholds.onset)
    ends, ends_shift = _peaks(offset, thresholds.offset)
    places = np.arange(len(frame))[:, None]
    loud = np.maximum.accumulate(np.where(frame >= thresholds.sustain, places, -1), axis=0)
    summed = np.concatenate([np.zeros((1, frame.shape[1])), np.cumsum(frame, axis=0, dtype=np.float64)])
    if thresholds.ghost > thresholds.onset:
        begins = np.where(_overtones(begins, limits.together) & (begins < thresholds.ghost), np.float32(0), begins)
    rises = _rises(frame, first, end, thresholds, limits)
    return Block(first, end, onset, frame, velocity, begins, begins_shift, ends, ends_shift, rises, loud, summed)


def _peaks(output: Array, least: float) -> tuple[Array, Array]:
    """Heights of peaks of at least `least`, else 0; and from the frame to the time of a triangle, -.5 to .5 frames."""
    count = len(output) - 2 * AROUND
    here = output[AROUND : AROUND + count]
    peak = here >= least
    for step in range(1, AROUND + 1):
        peak &= here > output[AROUND - step : AROUND - step + count]
        peak &= here >= output[AROUND + step : AROUND + step + count]
    before, after = output[AROUND - 1 : AROUND - 1 + count], output[AROUND + 1 : AROUND + 1 + count]
    shift = np.clip((after - before) / np.maximum(after + before, np.float32(1e-6)), -0.5, 0.5)
    edge = ((AROUND, AROUND), (0, 0))
    return np.pad(np.where(peak, here, np.float32(0)), edge), np.pad(shift.astype(np.float32), edge)


def _overtones(heights: Array, together: int) -> NDArray[np.bool_]:
    """Where a stronger onset at about the same time would have an overtone."""
    near = heights.copy()
    for step in range(1, together + 1):
        np.maximum(near[step:], heights[:-step], out=near[step:])
        np.maximum(near[:-step], heights[step:], out=near[:-step])
    found = np.zeros(heights.shape, dtype=bool)
    for interval in OVERTONES:
        found[:, interval:] |= near[:, :-interval] > heights[:, interval:]
    return found


def _rises(frame: Array, first: int, end: int, thresholds: Thresholds, limits: Spans) -> NDArray[np.int64]:
    """Where the frame output has been at `legato` for long enough, after it was low."""
    found = np.zeros(frame.shape, np.int64)
    if thresholds.legato >= 1:
        return found
    high = frame >= thresholds.legato
    stays = ~high[first - limits.stay : end - limits.stay]
    for step in range(limits.stay):
        stays &= high[first - step : end - step]
    for index, pitch in np.argwhere(stays).tolist():
        row = first + index
        low = np.flatnonzero(frame[row - limits.stay - limits.rise : row, pitch] < thresholds.frame)
        if len(low):
            found[row, pitch] = limits.stay + limits.rise - 1 - low[-1]
    return found
