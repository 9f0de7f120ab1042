"""Clips of the training set, with what the network should say of each frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit import features
from clefkit.train.data import Shard

Array = NDArray[np.float32]

ONSET_REACH = 2.0  # frames on each side of an onset over which its target falls from 1 to 0
LOUDER_DB = 4.0  # how far a clip is made louder or softer at most, against the sliding level


class Batch(NamedTuple):
    """sound: (batch, channels, frames, bins), 0 to 1; target: (batch, outputs, frames, pitches), 0 to 1."""

    sound: Array
    target: Array


def draw(shards: Sequence[Shard], size: int, frames: int, generator: Generator) -> Batch:
    """`size` clips of `frames` frames, from anywhere in the shards, at slightly different levels."""
    sounds, targets = [], []
    for _ in range(size):
        shard = shards[int(generator.integers(len(shards)))]
        number = int(generator.integers(len(shard.kind)))
        first, end = int(shard.first[number]), int(shard.first[number + 1])
        start = int(generator.integers(0, end - first - frames + 1))
        clip = shard.sound[first + start : first + start + frames].astype(np.float32) / 255
        change = generator.uniform(-LOUDER_DB, LOUDER_DB) / (features.CEILING_DB - features.FLOOR_DB)
        sounds.append(np.where(clip > 0, np.clip(clip + np.float32(change), 0, 1), 0).transpose(1, 0, 2))
        targets.append(target(shard.notes[number], start, frames))
    return Batch(np.stack(sounds), np.stack(targets))


def target(notes: Array, start: int, frames: int) -> Array:
    """What the network should say of a stretch of a recording.

    notes: (notes, 4): onset s, offset s, pitch, velocity
    start: first frame of the stretch
    returns: (outputs, frames, pitches): onset as triangles, frame as 0 and 1, velocity while the onset is not 0
    """
    result = np.zeros((3, frames, features.PITCHES), np.float32)
    begin = notes[:, 0] * features.FRAMES_PER_SECOND - start
    end = notes[:, 1] * features.FRAMES_PER_SECOND - start
    for index in np.flatnonzero((end > -ONSET_REACH) & (begin < frames + ONSET_REACH)):
        pitch = int(notes[index, 2]) - features.LOWEST_PITCH
        if not 0 <= pitch < features.PITCHES:
            continue
        near = np.arange(max(0, int(begin[index] - ONSET_REACH)), min(frames, int(begin[index] + ONSET_REACH) + 2))
        height = np.clip(1 - np.abs(near - begin[index]) / ONSET_REACH, 0, 1)
        higher = height > result[0, near, pitch]
        result[0, near[higher], pitch] = height[higher]
        result[2, near[higher], pitch] = notes[index, 3] / 127
        # at least one frame, also of a note shorter than that
        sounding = slice(max(0, int(np.ceil(begin[index]))), max(0, int(np.ceil(max(end[index], begin[index] + 1)))))
        result[1, sounding, pitch] = 1
    return result
