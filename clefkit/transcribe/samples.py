"""Checkpoints whose graph takes the samples themselves, and brings a front end of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import graph
from clefkit.transcribe.thresholds import Thresholds

Array = NDArray[np.float32]


class Model(NamedTuple):
    """A graph from "audio" (1, samples) to "logits" (1, outputs, frames, pitches).

    session: an onnxruntime.InferenceSession
    rate: of the samples, Hz; hop: samples from a frame to the next; frame 0 is centred on sample 0
    window: how many samples it takes, a multiple of `hop`; it gives `window // hop` frames
    reach: frames at each end of a window that don't count, because they depend on what lies outside
    names: of the outputs, in their order
    """

    session: Any
    rate: int
    hop: int
    window: int
    reach: int
    thresholds: Thresholds
    names: tuple[str, ...]
    first_s: float = 0.0

    @property
    def frames_per_second(self) -> float:
        return self.rate / self.hop

    def outputs(self, blocks: Iterable[Array]) -> Iterator[Array]:
        """What the network says of a sound that arrives in blocks, in bounded memory.

        blocks: (samples,) each, float32, mono, at `rate`, of any lengths
        yields: (frames, outputs, pitches), 0 to 1, in order; `samples // hop + 1` frames in all
        """
        frames = self.window // self.hop - 2 * self.reach
        waiting = np.zeros(self.reach * self.hop, np.float32)
        samples = given = 0
        for block in blocks:
            samples += len(block)
            waiting = np.concatenate([waiting, block])
            while len(waiting) >= self.window:
                yield self._heard(waiting[: self.window])
                waiting = waiting[frames * self.hop :]
                given += frames
        while given < samples // self.hop + 1:
            window = np.pad(waiting[: self.window], (0, self.window - min(len(waiting), self.window)))
            yield self._heard(window)[: samples // self.hop + 1 - given]
            waiting = waiting[frames * self.hop :]
            given += frames

    def _heard(self, window: Array) -> Array:
        heard = graph.probabilities(self.session, {"audio": window[None]})
        return heard[self.reach : len(heard) - self.reach]
