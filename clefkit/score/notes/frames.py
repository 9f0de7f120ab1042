"""Pitches sounding, frame by frame: precision, recall, accuracy and errors, with octaves told apart and forgiven.

Frame k stands for the time k x 10 ms, from 0 on. A pitch sounds in it when onset <= time < offset for at least one
note (times rounded to 0.1 ms); a pitch that several notes play at once sounds once. An estimated pitch is right when
it is within half a semitone of a sounding pitch of the reference, each used once, as many as possible; for chroma the
distance goes around the octave. Frames are pooled over the file (Bay, Ehmann and Downie, 2009). With E expected, F
found and R right pitches in a frame, sums over frames:

    precision R / F    recall R / E    accuracy R / (E + F - R)
    substitution (min(E, F) - R) / E    miss max(E - F, 0) / E    false alarm max(F - E, 0) / E
    total error (max(E, F) - R) / E, the sum of the three; it can be more than 1

Made into frames this way, the numbers are those of mir_eval 0.8 (`multipitch.evaluate`), and 0 where a side is silent;
but where the reference is silent, mir_eval has errors of 0, and here there are none. Misses and false alarms are the
same with and without octaves, by definition. Piano rolls that round or truncate onsets to frames instead differ by at
most one frame at either end of a note; a note shorter than 10 ms may fall between two frames. mir_eval refuses pitches
below 20 Hz and above 5 kHz; here they count.

Time is cut where any note begins or ends, not into frames, so a long file costs no more than a short one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.errors import InputError
from clefkit.notes import Notes
from clefkit.score.notes import roll
from clefkit.score.notes.pairs import ratios
from clefkit.score.notes.roll import Integers

TICKS_PER_SECOND = 10_000
TICKS_PER_FRAME = 100
APART = 2**40  # more frames than any time has
BLOCK = 512  # segments looked at together
MOST_AT_ONCE = 256
MOST_ENTRIES = 50_000_000  # pitches in segments; ten hours of dense music have fewer


class Spans(NamedTuple):
    """Pitches of one side that sound in the frames start <= frame < end. All (spans,), sorted by start."""

    pitch: NDArray[np.float64]
    start: Integers
    end: Integers


class Counts(NamedTuple):
    """Sums over frames. least: of the smaller of expected and found"""

    expected: int
    found: int
    least: int
    right: int
    right_chroma: int


def scores(reference: Notes, estimate: Notes) -> dict[str, float]:
    """frame_* and frame_chroma_*, the errors only where the reference is not silent.

    raises: InputError when more than 256 different pitches sound at a time, or much too many on the whole
    """
    counts = _counts(_spans(reference), _spans(estimate))
    found: dict[str, float] = {}
    for prefix, right in (("frame", counts.right), ("frame_chroma", counts.right_chroma)):
        measures = ratios(right, counts.expected, counts.found)._asdict()
        measures["accuracy"] = right / max(counts.expected + counts.found - right, 1)
        if counts.expected:
            measures["substitution_error"] = (counts.least - right) / counts.expected
            measures["miss_error"] = (counts.expected - counts.least) / counts.expected
            measures["false_alarm_error"] = (counts.found - counts.least) / counts.expected
            measures["total_error"] = (counts.expected + counts.found - counts.least - right) / counts.expected
        found |= {f"{prefix}_{name}": value for name, value in measures.items()}
    return found


def _counts(reference: Spans, estimate: Spans) -> Counts:
    edges = np.unique(np.concatenate([reference.start, reference.end, estimate.start, estimate.end]))
    frames = np.diff(edges)  # in each segment
    sums = np.zeros(len(Counts._fields), np.int64)
    blocks = zip(_sounding(reference, edges), _sounding(estimate, edges), strict=True)
    for number, (expected, found) in enumerate(blocks):
        weight = frames[number * BLOCK : (number + 1) * BLOCK]
        of_each, of_ours = (np.bincount(side.segment, minlength=len(weight)) for side in (expected, found))
        right, right_chroma = roll.right(expected, found, len(weight)), roll.right_chroma(expected, found, len(weight))
        columns = (of_each, of_ours, np.minimum(of_each, of_ours), right, right_chroma)
        sums += np.array([np.sum(weight * column) for column in columns])
    return Counts(*sums.tolist())


def _spans(notes: Notes) -> Spans:
    start, end = _frame(notes.onset), _frame(notes.offset)
    # through Hz and back, so that half a semitone is decided as mir_eval decides it
    pitch = 69.0 + 12.0 * np.log2(notes.pitch_hz / 440.0)
    order = np.lexsort((start, pitch))
    order = order[(end > start)[order]]
    return _joined(Spans(pitch[order], start[order], end[order])) if len(order) else Spans(pitch[order], order, order)


def _joined(spans: Spans) -> Spans:
    """Spans of one pitch that touch become one. spans: sorted by pitch, then by start"""
    line = np.cumsum(np.diff(spans.pitch, prepend=spans.pitch[0]) > 0) * APART
    reach = np.maximum.accumulate(spans.end + line)
    firsts = np.flatnonzero(np.append(True, (spans.start + line)[1:] > reach[:-1]))
    start, end = spans.start[firsts], np.maximum.reduceat(spans.end, firsts)
    order = np.argsort(start, kind="stable")
    return Spans(spans.pitch[firsts][order], start[order], end[order])


def _frame(time_s: NDArray[np.float64]) -> Integers:
    """The first frame at or after each time."""
    ticks = np.rint(time_s * TICKS_PER_SECOND).astype(np.int64)
    return np.maximum(-(-ticks // TICKS_PER_FRAME), 0)


def _sounding(spans: Spans, edges: Integers) -> Iterator[roll.Sounding]:
    """What sounds in the segments between the edges, block by block."""
    start, end = np.searchsorted(edges, spans.start), np.searchsorted(edges, spans.end)
    at_once = np.cumsum(np.bincount(start, minlength=len(edges)) - np.bincount(end, minlength=len(edges)))
    if at_once.max(initial=0) > MOST_AT_ONCE or at_once.sum() > MOST_ENTRIES:
        raise InputError(f"too many different pitches at the same time, more than {MOST_AT_ONCE}: this is no music")
    held = np.zeros(0, np.int64)
    for low in range(0, len(edges) - 1, BLOCK):
        high = min(low + BLOCK, len(edges) - 1)
        fresh = np.arange(*np.searchsorted(start, [low, high]))
        active = np.concatenate([held, fresh])
        held = active[end[active] > high]
        first, last = np.maximum(start[active] - low, 0), np.minimum(end[active], high) - low
        yield _entries(spans.pitch[active], first, last, high - low)


def _entries(pitch: NDArray[np.float64], first: Integers, last: Integers, width: int) -> roll.Sounding:
    """What sounds in the segments first <= segment < last, of `width`."""
    pitches, line = np.unique(pitch, return_inverse=True)
    changes = np.zeros((len(pitches), width + 1), np.int32)
    np.add.at(changes, (line, first), 1)
    np.add.at(changes, (line, last), -1)
    segment, which = np.nonzero((np.cumsum(changes[:, :-1], axis=1, dtype=np.int32) > 0).T)
    return roll.Sounding(segment, pitches[which])
