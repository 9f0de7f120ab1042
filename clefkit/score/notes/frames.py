"""Pitches sounding, frame by frame: precision, recall and F-measure.

Frame k stands for the time k x 10 ms, from 0 on. A pitch sounds in it when onset <= time < offset for at least one
note (times rounded to 0.1 ms); a pitch that several notes play at once sounds once. An estimated pitch is right when
it is within half a semitone of a sounding pitch of the reference, each used once. Frames are pooled over the file:
precision is right pitches / estimated pitches. (Bay, Ehmann and Downie, 2009.)

Made into frames this way, the numbers are those of mir_eval 0.8 (`multipitch.metrics`), and 0 where a side is silent.
Piano rolls that round or truncate onsets to frames instead differ by at most one frame at either end of a note; a note
shorter than 10 ms may fall between two frames. mir_eval refuses pitches below 20 Hz and above 5 kHz; here they count.

Time is cut where any note begins or ends, not into frames, so a long file costs no more than a short one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.notes import Notes
from clefkit.score.notes.matched import f_measure

TICKS_PER_SECOND = 10_000
TICKS_PER_FRAME = 100
PITCH_TOLERANCE = 0.5


class FrameScores(NamedTuple):
    """0 (worst) to 1."""

    precision: float
    recall: float
    f1: float


class Spans(NamedTuple):
    """Notes in frames: each sounds in start <= frame < end. All (notes,), sorted by pitch."""

    pitch: NDArray[np.float64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]


class Line(NamedTuple):
    """One pitch over time. sounding: (segments,), of which the first is the piece's segment number `first`."""

    pitch: float
    first: int
    sounding: NDArray[np.bool_]


def scores(reference: Notes, estimate: Notes) -> FrameScores:
    """Compare what sounds at each moment."""
    ours, theirs = _spans(estimate), _spans(reference)
    edges = np.unique(np.concatenate([ours.start, ours.end, theirs.start, theirs.end]))
    frames = np.diff(edges)  # in each segment
    upcoming, near = _lines(theirs, edges), deque[Line]()
    right = estimated = expected = 0
    following = next(upcoming, None)
    for line in _lines(ours, edges):
        while following and following.pitch <= line.pitch + PITCH_TOLERANCE:
            expected += _frames(following, frames)
            near.append(following)
            following = next(upcoming, None)
        while near and near[0].pitch < line.pitch - PITCH_TOLERANCE:
            near.popleft()
        estimated += _frames(line, frames)
        right += sum(_take_shared(line, other, frames) for other in near)
    while following:
        expected += _frames(following, frames)
        following = next(upcoming, None)
    precision, recall = right / max(estimated, 1), right / max(expected, 1)
    return FrameScores(precision, recall, f_measure(precision, recall))


def _spans(notes: Notes) -> Spans:
    start, end = _frame(notes.onset), _frame(notes.offset)
    heard = end > start
    # through Hz and back, so that half a semitone is decided as mir_eval decides it
    pitch = (69.0 + 12.0 * np.log2(notes.pitch_hz / 440.0))[heard]
    order = np.argsort(pitch, kind="stable")
    return Spans(pitch[order], start[heard][order], end[heard][order])


def _frame(time_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """The first frame at or after each time."""
    ticks = np.rint(time_s * TICKS_PER_SECOND).astype(np.int64)
    return np.maximum(-(-ticks // TICKS_PER_FRAME), 0)


def _lines(spans: Spans, edges: NDArray[np.int64]) -> Iterator[Line]:
    """The pitches of one side, from low to high."""
    _, firsts = np.unique(spans.pitch, return_index=True)
    start, end = np.searchsorted(edges, spans.start), np.searchsorted(edges, spans.end)
    for low, high in zip(firsts, np.append(firsts, len(spans.pitch))[1:], strict=True):
        first, last = int(start[low:high].min()), int(end[low:high].max())
        changes = np.bincount(start[low:high] - first, minlength=last - first + 1)
        changes -= np.bincount(end[low:high] - first, minlength=last - first + 1)
        yield Line(float(spans.pitch[low]), first, np.cumsum(changes[:-1]) > 0)


def _frames(line: Line, frames: NDArray[np.int64]) -> int:
    return int(frames[line.first : line.first + len(line.sounding)][line.sounding].sum())


def _take_shared(line: Line, other: Line, frames: NDArray[np.int64]) -> int:
    """Count the frames in which both sound, and silence both there: each is used once.

    Estimates come from low to high and take the lowest reference in reach, which pairs as many as possible because
    all reaches are equally wide.
    """
    low = max(line.first, other.first)
    high = min(line.first + len(line.sounding), other.first + len(other.sounding))
    if low >= high:
        return 0
    mine, yours = (each.sounding[low - each.first : high - each.first] for each in (line, other))
    both = mine & yours
    mine[both] = False
    yours[both] = False
    return int(frames[low:high][both].sum())
