"""Gain that follows the level: compressor, limiter, and what automatic gain and expander share with them.

One gain for all channels, so the stereo image stays. The level is taken in short frames, the gain is drawn in straight
lines from frame to frame and looks one frame ahead, so nothing is delayed. (JUCE's compressor, which pedalboard uses,
has one gain for each channel; its limiter adds 13.75 dB at a threshold of -10 dB and clips.)
The curves are those of Giannoulis, Massberg and Reiss, Digital dynamic range compressor design, 2012.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from clefkit.audio import Audio

LEVEL_FRAME_S = 0.005
PEAK_FRAME_S = 0.001
KNEE_DB = 6.0
FLOOR = 1e-9
FRAMES_AT_ONCE = 2**12  # so many stay in the processor's cache


def compress(sound: Audio, threshold_db: float, ratio: float, attack_s: float, release_s: float) -> Audio:
    """Above the threshold (dB relative to full scale, RMS of 5 ms) the level rises by 1 / ratio.

    The knee is 6 dB wide. attack_s, release_s: the time in which 63 % of a change of gain happens
    """
    frame = level_frame(sound.rate)
    over = levels_db(sound) - threshold_db
    bent = np.clip(over + KNEE_DB / 2, 0, KNEE_DB) ** 2 / (2 * KNEE_DB) + np.maximum(over - KNEE_DB / 2, 0)
    reduction = smooth(bent * (1 - 1 / ratio), attack_s, release_s, frame / sound.rate)
    return with_gain(sound, np.append(reduction, reduction[-1]), frame)


def limit(sound: Audio, ceiling_db: float, release_s: float) -> Audio:
    """No sample above the ceiling (dB relative to full scale); the gain is back by 63 % after `release_s`."""
    frame = max(1, round(PEAK_FRAME_S * sound.rate))
    over = np.maximum(20 * np.log10(np.maximum(_frame_peaks(sound, frame), FLOOR)) - ceiling_db, 0)
    held = smooth(over, 0.0, release_s, frame / sound.rate)
    # At each border the stronger of its two frames, so that the line between borders is never too weak.
    return with_gain(sound, np.maximum(np.append(held, 0), np.append(0, held)), frame)


def level_frame(rate: int) -> int:
    """Samples of a frame of `levels_db`, 5 ms."""
    return max(1, round(LEVEL_FRAME_S * rate))


def levels_db(sound: Audio, window_s: float = LEVEL_FRAME_S) -> NDArray[np.float64]:
    """Root mean square of each frame, or of the last `window_s`, in dB relative to full scale. returns: (frames,)"""
    frame = level_frame(sound.rate)
    starts = np.arange(0, sound.samples.shape[1], frame)
    energy = np.sum([_reduced(np.add, channel, starts, square=True) for channel in sound.samples], axis=0)
    lengths = np.minimum(starts + frame, sound.samples.shape[1]) - starts
    power = energy / lengths / len(sound.samples)
    count = min(max(1, round(window_s * sound.rate / frame)), len(power))
    if count > 1:
        sums = np.cumsum(np.pad(power, (count, 0)))
        power = np.maximum(sums[count:] - sums[:-count], 0) / np.minimum(np.arange(1, len(power) + 1), count)
    return np.asarray(20 * np.log10(np.maximum(np.sqrt(power), FLOOR)))


def _frame_peaks(sound: Audio, frame: int) -> NDArray[np.float64]:
    starts = np.arange(0, sound.samples.shape[1], frame)
    peaks = [_reduced(np.maximum, channel, starts, square=False) for channel in sound.samples]
    return np.asarray(np.max(peaks, axis=0), np.float64)


def _reduced(
    reducer: np.ufunc, channel: NDArray[np.float32], starts: NDArray[np.int64], *, square: bool
) -> NDArray[np.float64]:
    """The frames' sums or maxima of |x| or x squared, a stretch at a time to save memory. returns: (frames,)"""
    parts = []
    for first in range(0, len(starts), FRAMES_AT_ONCE):
        here = starts[first : first + FRAMES_AT_ONCE]
        end = starts[first + FRAMES_AT_ONCE] if first + FRAMES_AT_ONCE < len(starts) else len(channel)
        part = np.abs(channel[here[0] : end]).astype(np.float64)
        parts.append(reducer.reduceat(part**2 if square else part, here - here[0]))
    return np.concatenate(parts)


def smooth(reduction: NDArray[np.float64], attack_s: float, release_s: float, step_s: float) -> NDArray[np.float64]:
    """One pole with the first time constant while the reduction grows, the second while it shrinks.

    In dB; it starts settled
    """
    attack, release = (math.exp(-step_s / each) if each > 0 else 0.0 for each in (attack_s, release_s))
    state, out = float(reduction[0]), []
    for value in reduction.tolist():
        keep = attack if value > state else release
        state = value + keep * (state - value)
        out.append(state)
    return np.array(out)


def with_gain(sound: Audio, reduction: NDArray[np.float64], frame: int) -> Audio:
    """The sound with its gain in straight lines from border to border.

    reduction: (frames + 1,), dB at the borders of the frames; frame: samples
    """
    gain = (10 ** (-reduction / 20)).astype(np.float32)
    out = np.empty_like(sound.samples)
    line = (np.arange(frame) / frame).astype(np.float32)
    for first in range(0, len(gain) - 1, FRAMES_AT_ONCE):
        left, right = gain[first : first + FRAMES_AT_ONCE + 1][:-1], gain[first : first + FRAMES_AT_ONCE + 1][1:]
        curve = (left[:, None] + (right - left)[:, None] * line).reshape(-1)
        piece = sound.samples[:, first * frame : first * frame + len(curve)]
        np.multiply(piece, curve[: piece.shape[1]], out=out[:, first * frame : first * frame + piece.shape[1]])
    return Audio(out, sound.rate)
