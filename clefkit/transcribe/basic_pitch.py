"""Spotify's basic-pitch as a checkpoint: its network out of the installed package, its notes by our decoder.

Bittner, Bosch, Rubinstein, Meseguer-Brocal, Ewert (2022), "A Lightweight Instrument-Agnostic Model for Polyphonic Note
Transcription and Multipitch Estimation". Nothing of the package (Apache 2.0) is shipped, and none of its code is run,
so it needs no TensorFlow: its ONNX file is enough.

Sound goes through the network as the package sends it: windows of 43,844 samples at 22,050 Hz, 36,164 apart, the first
one 15 frames early; of the 172 frames of a window the middle 142 count. Outputs are the package's own, but the package
stops after 86 frames for each second of the file, which leaves out the last 0.7 % of it; here all of it is heard.

A window's frames are 256 samples apart, but 142 of them are longer than the way to the next window. So frames are
spread evenly over it (86.58 a second), which is at most 4.3 ms from where each belongs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import graph, registry
from clefkit.errors import InputError, MissingError
from clefkit.transcribe.thresholds import Thresholds

Array = NDArray[np.float32]

RATE = 22_050
HOP = 256
WINDOW = 43_844
STEP = 36_164  # samples from one window to the next
MARGIN = 15  # frames at either end of a window that don't count
FRAMES = 142  # that do
LOUD = 11  # frames from an onset on whose mean is the package's measure of loudness

INSTALL = registry.PACKAGED["basic-pitch"][1]
# for our decoder, chosen on the validation set of `clefkit.train.heldout`, with its sharp and flat recordings
THRESHOLDS = Thresholds(onset=0.4, again=0.6, frame=0.3, sustain=0.3)
INPUT, FRAME, ONSET = "serving_default_input_2:0", "StatefulPartitionedCall:1", "StatefulPartitionedCall:2"


class Model(NamedTuple):
    """The network, and what a decoder needs to know of it.

    session: an onnxruntime.InferenceSession; first_s: the time of frame 0
    """

    session: Any
    thresholds: Thresholds = THRESHOLDS
    names: tuple[str, ...] = ("onset", "frame", "velocity")
    frames_per_second: float = FRAMES * RATE / STEP
    first_s: float = (FRAMES - 1) * (HOP - STEP / FRAMES) / RATE / 2
    rate: int = RATE

    def outputs(self, blocks: Iterable[Array]) -> Iterator[Array]:
        """What the network says of a sound that arrives in blocks, in bounded memory.

        blocks: (samples,) each, float32, mono, at 22,050 Hz, of any lengths
        yields: (frames, 3, 88), 0 to 1: `names` by frame and pitch from A0 on; velocity is the mean of the frame output
            over the next 128 ms. They reach to the end of the sound and not beyond
        """
        waiting = np.zeros(MARGIN * HOP, np.float32)
        samples = given = 0
        for block in blocks:
            samples += len(block)
            waiting = np.concatenate([waiting, block])
            while len(waiting) >= WINDOW:
                yield self._heard(waiting[:WINDOW])
                given += FRAMES
                waiting = waiting[STEP:]
        total = samples * FRAMES // STEP + 1 if samples else 0
        while given < total:
            window = np.pad(waiting[:WINDOW], (0, WINDOW - len(waiting[:WINDOW])))
            yield self._heard(window)[: total - given]
            given += FRAMES
            waiting = waiting[STEP:]

    def _heard(self, window: Array) -> Array:
        """(samples,) -> (frames, 3, 88), the frames that count."""
        frame, onset = self.session.run([FRAME, ONSET], {INPUT: window[None, :, None]})
        before = np.concatenate([np.zeros((1, frame.shape[2])), np.cumsum(frame[0], axis=0, dtype=np.float64)])
        loud = (before[MARGIN + LOUD :][:FRAMES] - before[MARGIN:][:FRAMES]) / LOUD
        counts = slice(MARGIN, MARGIN + FRAMES)
        return np.stack([onset[0, counts], frame[0, counts], loud], axis=1).astype(np.float32)


@lru_cache(maxsize=1)
def load() -> Model:
    """Load the network of the installed package.

    raises: MissingError when the package is not installed, or its file is no such network
    """
    try:
        session = graph.session(find().read_bytes(), "basic-pitch")
    except (OSError, InputError) as error:
        raise MissingError(f"the network of basic-pitch can't be read, install it again: {INSTALL}") from error
    if {INPUT, FRAME, ONSET} - {each.name for each in (*session.get_inputs(), *session.get_outputs())}:
        raise MissingError(f"this basic-pitch has another network, install the one we know: {INSTALL}")
    return Model(session)


def find() -> Path:
    """The package's ONNX file, found without importing the package.

    raises: MissingError when the package is not installed, or has no such file
    """
    return registry.package("basic-pitch").path
