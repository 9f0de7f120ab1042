"""From what the network says of each frame to notes, block by block, so that a recording of any length fits.

A note begins where the onset output has a peak; three frames around the peak tell the time between frames, because
training drew onsets as triangles two frames wide on each side. It sounds while the frame output stays up (a lower
threshold than that for beginning: hysteresis, and a short gap is forgiven), or until the same pitch begins again. It
ended by then, where the offset output had its highest peak since the onset. Peaks and hysteresis are those of "Onsets
and Frames" (Hawthorne et al. 2018); the rest are the fields of `Thresholds`.

The confidence in a note is the geometric mean of two numbers: how high the peak of its onset is, and the mean of the
frame output while it sounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clefkit import features
from clefkit.notes import Notes, Part, make
from clefkit.transcribe import peaks
from clefkit.transcribe.peaks import AROUND, Block
from clefkit.transcribe.thresholds import Thresholds

__all__ = ["Decoder", "Found", "Thresholds", "collected"]

Array = NDArray[np.float32]

BLOCK = 256  # frames decided on at once, at places that depend on nothing but the beginning
SHORTEST_S = 0.03


class Found(NamedTuple):
    """A note. onset_s, offset_s: seconds; confidence: 0 to 1; first, last: frames of its onset and its last sound"""

    onset_s: float
    offset_s: float
    pitch: int
    velocity: int
    confidence: float
    first: int
    last: int


@dataclass
class _Sounding:
    """A note that has begun.

    time: of its onset, in frames and parts of them; height: of its onset's peak; begun: a frame
    agreed: whether the frame output says so, too; total: of the frame output before the block
    ending, fall: time, in frames, and height of the highest peak of the offset output before frame `watched`
    """

    time: float
    height: float
    velocity: float
    begun: int
    agreed: bool
    watched: int
    total: float = 0.0
    ending: float | None = None
    fall: float = 0.0


@dataclass
class Decoder:
    """Give it outputs in order, then take what it found.

    frames_per_second, first_s: when the frames are
    found: notes in the order in which their end became clear
    Between calls it keeps these, the notes that sound, and the frames that the next decision needs.
    """

    thresholds: Thresholds
    frames_per_second: float = features.FRAMES_PER_SECOND
    first_s: float = 0.0
    found: list[Found] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.limits = peaks.spans(self.frames_per_second)
        self.waiting: Array | None = None
        self.sounding: dict[int, _Sounding] = {}
        self.origin = -self.limits.before  # the frame that row 0 of the next block is

    def push(self, outputs: Array) -> None:
        """outputs: (frames, outputs, pitches), 0 to 1, as `peaks.DECODED` names them."""
        if self.waiting is None:
            self.waiting = np.zeros((self.limits.before, *outputs.shape[1:]), np.float32)
        self.waiting = np.concatenate([self.waiting, outputs])
        around = self.limits.before + self.limits.after
        while len(self.waiting) >= BLOCK + around:
            self._decide(self.waiting[: BLOCK + around], BLOCK)
            self.waiting = self.waiting[BLOCK:]

    def finish(self) -> Notes:
        """The notes of all that was pushed."""
        if self.waiting is not None:
            self.push(np.zeros((self.limits.after, *self.waiting.shape[1:]), np.float32))
            self._decide(self.waiting, len(self.waiting) - self.limits.before - self.limits.after, last=True)
            self.waiting = None
        return collected(self.found)

    def _decide(self, outputs: Array, count: int, last: bool = False) -> None:
        block = peaks.look(outputs, count, self.thresholds, self.limits)
        decided = slice(block.first, block.end)
        events = (block.begins[decided] > 0) | (block.rises[decided] > 0)
        for pitch in sorted(self.sounding.keys() | set(np.flatnonzero(events.any(axis=0)).tolist())):
            rows = (np.flatnonzero(events[:, pitch]) + block.first).tolist()
            self._follow(block, pitch, rows)
            if last and pitch in self.sounding:
                self._fall(block, pitch, block.end - 1)
        for pitch, note in self.sounding.items():
            self._watch(block, pitch, block.end - 1)
            note.total += float(block.summed[block.end, pitch] - block.summed[self._since(block, note), pitch])
        self.origin += count

    def _follow(self, block: Block, pitch: int, events: list[int]) -> None:
        """One pitch through the block: from one event to the next its note may come to an end."""
        quiet = np.arange(block.first, block.end) - block.loud[block.first : block.end, pitch] > self.limits.gap
        row = block.first
        for event in [*events, block.end]:
            if pitch in self.sounding:
                row = max(row, self.sounding[pitch].begun - self.origin + self.limits.gap + 1)
                ended = np.flatnonzero(quiet[row - block.first : event + 1 - block.first])
                if len(ended):
                    self._fall(block, pitch, row + int(ended[0]))
            if event < block.end:
                self._event(block, pitch, event)
            row = event + 1

    def _event(self, block: Block, pitch: int, row: int) -> None:
        """An onset, or a rise of the frame output without one."""
        height, before = float(block.begins[row, pitch]), self.sounding.get(pitch)
        if height and (before is None or height >= self.thresholds.again or self._dips(block, pitch, row)):
            time = self.origin + row + float(block.begins_shift[row, pitch])
            if before is not None:
                last = max(before.begun - self.origin, int(block.loud[row - 1, pitch]))
                ending = self._watch(block, pitch, row - 1)
                self._end(block, pitch, last, time if ending is None else min(ending, time))
            support = block.frame[row : row + self.limits.support + 1, pitch]
            self._begin(block, pitch, row, time, height, bool(support.max() >= self.thresholds.frame))
        elif block.rises[row, pitch]:
            if before is not None:
                before.agreed = True
                return
            begun = row - int(block.rises[row, pitch])
            height = float(block.onset[begun - AROUND : row + 1, pitch].max())
            self._begin(block, pitch, begun, self.origin + begun - 0.5, height, agreed=True)

    def _dips(self, block: Block, pitch: int, row: int) -> bool:
        """Does the frame output dip before an onset while the pitch sounds?"""
        if self.thresholds.dip >= 1:
            return False
        frame, near = block.frame[:, pitch], self.limits.gap
        valley = frame[row - near : row + 2].min()
        before, after = frame[row - self.limits.dip : row - near].max(), frame[row + 1 : row + near + 1].max()
        return bool(min(before, after) - valley > self.thresholds.dip)

    def _begin(self, block: Block, pitch: int, row: int, time: float, height: float, agreed: bool) -> None:
        total = float(block.summed[max(row, block.first), pitch] - block.summed[row, pitch])
        velocity = float(block.velocity[row, pitch])
        begun = self.origin + row
        self.sounding[pitch] = _Sounding(time, height, velocity, begun, agreed, begun + 1, total)

    def _fall(self, block: Block, pitch: int, row: int) -> None:
        """The note of this pitch has been below `sustain` for too long by this row."""
        begun = self.sounding[pitch].begun - self.origin
        last = max(begun, int(block.loud[row, pitch]))
        ending = self._watch(block, pitch, min(last + self.limits.gap, row))
        self._end(block, pitch, last, self.origin + last + 0.5 if ending is None else ending)

    def _watch(self, block: Block, pitch: int, row: int) -> float | None:
        """The time of the highest peak of the offset output since the note began, up to this row, if there is one."""
        note = self.sounding[pitch]
        first = note.watched - self.origin
        heights = block.ends[first : row + 1, pitch]
        if len(heights) and heights.max() > note.fall:
            best = first + int(heights.argmax())
            note.fall = float(block.ends[best, pitch])
            note.ending = self.origin + best + float(block.ends_shift[best, pitch])
        note.watched = max(note.watched, self.origin + row + 1)
        return note.ending

    def _end(self, block: Block, pitch: int, last: int, time: float) -> None:
        note = self.sounding.pop(pitch)
        if not note.agreed:
            return
        sound = note.total + block.summed[last + 1, pitch] - block.summed[self._since(block, note), pitch]
        mean = float(sound) / (self.origin + last + 1 - note.begun)
        onset_s = max(self._seconds(note.time), 0.0)
        offset_s = max(self._seconds(time), onset_s + SHORTEST_S)
        velocity = int(np.clip(round(127 * note.velocity), 1, 127))
        confidence = min(max(note.height * mean, 0.0), 1.0) ** 0.5
        first, last = note.begun, self.origin + last
        self.found.append(Found(onset_s, offset_s, pitch + features.LOWEST_PITCH, velocity, confidence, first, last))

    def _since(self, block: Block, note: _Sounding) -> int:
        """The first row whose frame output isn't in the note's `total` yet."""
        return max(note.begun - self.origin, block.first)

    def _seconds(self, time: float) -> float:
        return time / self.frames_per_second + self.first_s


def collected(found: Sequence[Found], part: ArrayLike | None = None, parts: tuple[Part, ...] = (Part(),)) -> Notes:
    """Notes that were found, sorted. part: (notes,), which of `parts` each of them belongs to"""
    columns = np.array([each[:5] for each in found], dtype=np.float64).reshape(-1, 5).T
    onset, offset, pitch, velocity, confidence = columns
    return make(onset, offset, pitch, velocity, part, parts, confidence=confidence)
