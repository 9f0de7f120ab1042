"""Clips of the training set, varied as only features can be cheaply, with what the network should say of each frame.

A clip is made louder or softer against its level, equalised by a smooth curve, moved by some semitones (with its
notes), put out of tune, or laid over another clip: energies add.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit import features, tuning
from clefkit.train.data import Shard

Array = NDArray[np.float32]

OUTPUTS = 4
REACH = 2.0  # frames on each side of an onset or offset over which its target falls from 1 to 0
LOUDER_DB = 4.0  # how far a clip is made louder or softer at most, against the sliding level
CURVE_DB = 5.0
MOVED = 0.5  # of the clips, by up to
FARTHEST = 5  # semitones
OUT_OF_TUNE = 0.1  # of the clips, by a third of a semitone: as when the tuning was judged wrongly
LAID_OVER = 0.2
EMPTY = 0.1  # of the clips are from recordings without notes: speech, drums, noise
RANGE_DB = features.CEILING_DB - features.FLOOR_DB


class Batch(NamedTuple):
    """sound: (batch, channels, frames, bins), 0 to 1; target: (batch, outputs, frames, pitches), 0 to 1."""

    sound: Array
    target: Array


def draw(shards: Sequence[Shard], size: int, frames: int, generator: Generator) -> Batch:
    """`size` clips of `frames` frames, from anywhere in the shards."""
    clips = []
    for _ in range(size):
        sound, wanted = _clip(shards, frames, generator)
        if generator.random() < LAID_OVER:
            other, also_wanted = _clip(shards, frames, generator)
            sound, wanted = over(sound, other, float(generator.uniform(-10, 0))), np.maximum(wanted, also_wanted)
        clips.append((equalised(sound, generator), wanted))
    return Batch(np.stack([sound for sound, _ in clips]), np.stack([wanted for _, wanted in clips]))


def _clip(shards: Sequence[Shard], frames: int, generator: Generator) -> tuple[Array, Array]:
    shard = shards[int(generator.integers(len(shards)))]
    empty = generator.random() < EMPTY
    wanted = [number for number, names in enumerate(shard.timbres) if bool(names) != empty]
    numbers = wanted or list(range(len(shard.timbres)))
    number = numbers[int(generator.integers(len(numbers)))]
    first, end = int(shard.first[number]), int(shard.first[number + 1])
    start = int(generator.integers(0, end - first - frames + 1))
    sound = features.restored(shard.sound[first + start : first + start + frames].transpose(1, 0, 2))
    semitones = int(generator.integers(-FARTHEST, FARTHEST + 1)) if generator.random() < MOVED else 0
    bins = features.BINS_PER_SEMITONE * semitones
    if generator.random() < OUT_OF_TUNE:
        bins += int(generator.choice([-1, 1]))
    return tuning.moved(sound, bins), target(shard.notes[number], start, frames, semitones)


def over(sound: Array, other: Array, gain_db: float) -> Array:
    """The sum of two sounds, the second `gain_db` louder, relative to the sum of their levels: as features would be."""
    gain = 10 ** (gain_db / 10)
    scale = np.float32(RANGE_DB / 10 * np.log(10))
    energy = np.exp(scale * sound) + np.float32(gain) * np.exp(scale * other)
    return np.asarray(np.clip(np.log(energy / np.float32(1 + gain)) / scale, 0, 1), dtype=np.float32)


def equalised(sound: Array, generator: Generator) -> Array:
    """Louder or softer against the level, and by a smooth curve over frequency. sound: (..., bins)"""
    where = np.arange(features.BINS) / features.BINS
    turns = np.arange(1, 4)
    heights = generator.normal(0, CURVE_DB / 2, 3) / turns
    curve = heights @ np.cos(np.pi * turns[:, None] * where + generator.uniform(0, 2 * np.pi, (3, 1)))
    change = (generator.uniform(-LOUDER_DB, LOUDER_DB) + curve) / RANGE_DB
    return np.asarray(np.where(sound > 0, np.clip(sound + change, 0, 1), 0), dtype=np.float32)


def target(notes: Array, start: int, frames: int, semitones: int = 0) -> Array:
    """What the network should say of a stretch of a recording.

    notes: (notes, 5): onset s, offset s, pitch, velocity, part
    start: first frame of the stretch; semitones: added to each pitch
    returns: (outputs, frames, pitches): onset and offset as triangles, frame 0 or 1, velocity at the onset
    """
    result = np.zeros((OUTPUTS, frames, features.PITCHES), np.float32)
    result[1] = sounding(notes, start, frames, semitones)
    begin = notes[:, 0] * features.FRAMES_PER_SECOND - start
    end = notes[:, 1] * features.FRAMES_PER_SECOND - start
    for index in np.flatnonzero((end > -REACH) & (begin < frames + REACH)):
        pitch = int(notes[index, 2]) + semitones - features.LOWEST_PITCH
        if not 0 <= pitch < features.PITCHES:
            continue
        near, height = _triangle(begin[index], frames)
        higher = height > result[0, near, pitch]
        result[0, near[higher], pitch] = height[higher]
        result[3, near[higher], pitch] = notes[index, 3] / 127
        near, height = _triangle(max(end[index], begin[index] + 1), frames)
        result[2, near, pitch] = np.maximum(result[2, near, pitch], height)
    return result


def sounding(notes: Array, start: int, frames: int, semitones: int = 0) -> NDArray[np.bool_]:
    """(frames, pitches): which pitches sound; a note does for one frame at least. The rest as for `target`."""
    roll = np.zeros((frames, features.PITCHES), dtype=bool)
    begin = notes[:, 0] * features.FRAMES_PER_SECOND - start
    end = np.maximum(notes[:, 1] * features.FRAMES_PER_SECOND - start, begin + 1)
    pitch = notes[:, 2].astype(int) + semitones - features.LOWEST_PITCH
    for index in np.flatnonzero((end > 0) & (begin < frames) & (pitch >= 0) & (pitch < features.PITCHES)):
        roll[max(0, int(np.ceil(begin[index]))) : int(np.ceil(end[index])), pitch[index]] = True
    return roll


def _triangle(centre: float, frames: int) -> tuple[NDArray[np.int64], Array]:
    near = np.arange(max(0, int(np.ceil(centre - REACH))), min(frames, int(centre + REACH) + 1))
    return near, np.clip(1 - np.abs(near - centre) / REACH, 0, 1).astype(np.float32)
