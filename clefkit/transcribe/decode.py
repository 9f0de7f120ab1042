"""From what the network says of each frame to notes, frame by frame, so that a recording of any length fits.

A note begins where the onset output has a peak; three frames around the peak tell the time between frames, because
training drew onsets as triangles two frames wide on each side. It sounds while the frame output stays up (a lower
threshold than that for beginning: hysteresis, and a short gap is forgiven), and ends there, or where the same pitch
begins again. The thresholds belong to the checkpoint and were chosen on its validation set.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import features
from clefkit.notes import Notes, make

Array = NDArray[np.float32]

AROUND = 2  # frames on each side among which an onset is the highest
GAP = 3  # frames that a note may dip below the threshold and go on
SILENT = -1.0  # no note sounds at this pitch
SHORTEST_S = 0.03
LATEST_SUPPORT = 3  # frames after the onset in which the frame output has to agree


class Thresholds(NamedTuple):
    """Between 0 and 1, on the outputs of the network.

    onset: a peak at least this high begins a note
    again: the same, while the pitch already sounds
    frame: how high the frame output has to be soon after the onset
    sustain: a note sounds while the frame output is at least this high
    """

    onset: float
    again: float
    frame: float
    sustain: float


@dataclass
class Decoder:
    """Give it outputs in order, then take what it found.

    Between calls it keeps the notes found, the state of each pitch, and the frames that the next decision needs.
    """

    thresholds: Thresholds
    rows: list[tuple[float, float, int, int]] = field(default_factory=list)  # onset s, offset s, pitch, velocity

    def __post_init__(self) -> None:
        self.waiting = np.zeros((AROUND, 3, features.PITCHES), np.float32)
        self.frame = 0  # the number of the next frame to decide on
        self.start_s = np.full(features.PITCHES, SILENT)
        self.velocity = np.zeros(features.PITCHES, np.int64)
        self.begun = np.zeros(features.PITCHES, np.int64)  # frame of the onset
        self.last = np.zeros(features.PITCHES, np.int64)  # last frame that sounded
        self.agreed = np.zeros(features.PITCHES, dtype=bool)

    def push(self, outputs: Array) -> None:
        """outputs: (frames, 3, pitches), 0 to 1: onset, frame, velocity."""
        self.waiting = np.concatenate([self.waiting, outputs])
        count = len(self.waiting) - 2 * AROUND
        if count > 0:
            self._decide(self.waiting, count)
            self.waiting = self.waiting[count:]

    def finish(self) -> Notes:
        """The notes of all that was pushed."""
        self.push(np.zeros((AROUND, 3, features.PITCHES), np.float32))
        for pitch in np.flatnonzero(self.start_s != SILENT):
            self._end(int(pitch), (self.last[pitch] + 0.5) / features.FRAMES_PER_SECOND)
        columns = np.array(self.rows, dtype=np.float64).reshape(-1, 4).T
        return make(columns[0], columns[1], columns[2], columns[3])

    def _decide(self, outputs: Array, count: int) -> None:
        """Frames AROUND to AROUND + count of `outputs`, of which the neighbours are known."""
        onset = outputs[:, 0]
        here = onset[AROUND : AROUND + count]
        peak = here >= self.thresholds.onset
        for step in range(1, AROUND + 1):
            peak &= here > onset[AROUND - step : AROUND - step + count]
            peak &= here >= onset[AROUND + step : AROUND + step + count]
        before, after = onset[AROUND - 1 : AROUND - 1 + count], onset[AROUND + 1 : AROUND + 1 + count]
        shift = np.clip((after - before) / np.maximum(after + before, 1e-6), -0.5, 0.5)
        for index in range(count):
            sounding = outputs[AROUND + index, 1]
            self._sustain(sounding)
            for pitch in np.flatnonzero(peak[index]):
                if self.start_s[pitch] == SILENT or here[index, pitch] >= self.thresholds.again:
                    velocity = float(outputs[AROUND + index, 2, pitch])
                    self._begin(int(pitch), float(shift[index, pitch]), velocity, float(sounding[pitch]))
            self.frame += 1

    def _sustain(self, sounding: Array) -> None:
        """One frame for the notes that sound: they go on, or end."""
        active = self.start_s != SILENT
        self.last[active & (sounding >= self.thresholds.sustain)] = self.frame
        self.agreed |= active & (sounding >= self.thresholds.frame) & (self.frame - self.begun <= LATEST_SUPPORT)
        for pitch in np.flatnonzero(active & (self.frame - self.last > GAP)):
            self._end(int(pitch), (self.last[pitch] + 0.5) / features.FRAMES_PER_SECOND)

    def _begin(self, pitch: int, shift: float, velocity: float, sounding: float) -> None:
        start_s = max((self.frame + shift) / features.FRAMES_PER_SECOND, 0.0)
        if self.start_s[pitch] != SILENT:
            self._end(pitch, start_s)
        self.start_s[pitch] = start_s
        self.velocity[pitch] = int(np.clip(round(127 * velocity), 1, 127))
        self.begun[pitch] = self.last[pitch] = self.frame
        self.agreed[pitch] = sounding >= self.thresholds.frame

    def _end(self, pitch: int, end_s: float) -> None:
        if self.agreed[pitch]:
            start_s = float(self.start_s[pitch])
            row = (start_s, max(end_s, start_s + SHORTEST_S), pitch + features.LOWEST_PITCH, int(self.velocity[pitch]))
            self.rows.append(row)
        self.start_s[pitch] = SILENT
