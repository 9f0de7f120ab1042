"""How loud music is while it plays: the active level.

The sound is cut into 100 ms frames (Hann, half overlapping), each weighted with the A curve of IEC 61672-1, its power
the mean over channels. Frames under -90 dB don't count, nor do those 20 dB under the mean of what is left; the active
level is the mean power of the rest, in dB relative to full scale, where a sine of 1 kHz at full scale is -3.01 dB.
(The gate is that of ITU-R BS.1770, with 20 instead of 10 dB; loudness in LUFS weights differently.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clefkit.audio import Audio

FRAME_S = 0.1
FLOOR_DB = -90.0
GATE_DB = -20.0
FRAMES_AT_ONCE = 16  # so many stay in the processor's cache; 256 take four times as long


def active_db(sound: Audio, *, weighted: bool = True) -> float:
    """The active level, -inf for silence; without the A curve where a device's needle counts and not an ear."""
    powers = frame_powers(sound, weighted=weighted)
    loud = powers[powers > 10 ** (FLOOR_DB / 10)]
    if not len(loud):
        return -np.inf
    return float(10 * np.log10(loud[loud >= loud.mean() * 10 ** (GATE_DB / 10)].mean()))


def mean_db(sound: Audio) -> float:
    """The A-weighted level of the whole, silence included; -inf when there is nothing else."""
    mean = frame_powers(sound).mean()
    return float(10 * np.log10(mean)) if mean > 0 else -np.inf


def frame_powers(sound: Audio, *, weighted: bool = True) -> NDArray[np.float64]:
    """Power of each frame, A-weighted unless said otherwise, mean over channels. returns: (frames,)"""
    from scipy import fft

    size = 2 * hop(sound)
    window = np.hanning(size + 1)[:size].astype(np.float32)
    frequencies = np.fft.rfftfreq(size, 1 / sound.rate)
    curve = a_weighting(frequencies) ** 2 if weighted else np.ones(len(frequencies))
    curve[1:-1] *= 2
    curve /= size * float((window**2).sum())
    frames = np.lib.stride_tricks.sliding_window_view(sound.samples, size, axis=1)[:, :: size // 2]
    powers = np.empty(frames.shape[1])
    for first in range(0, len(powers), FRAMES_AT_ONCE):
        spectrum = np.asarray(fft.rfft(frames[:, first : first + FRAMES_AT_ONCE] * window, axis=-1), np.complex64)
        energy = spectrum.real**2 + spectrum.imag**2
        powers[first : first + FRAMES_AT_ONCE] = (energy @ curve.astype(np.float32)).mean(axis=0)
    return powers


def hop(sound: Audio) -> int:
    """Samples from frame to frame: half a frame, which is shorter when the sound is."""
    return int(min(round(FRAME_S * sound.rate / 2), sound.samples.shape[1] // 2))


def a_weighting(frequencies: ArrayLike) -> NDArray[np.float64]:
    """The A curve as a factor of amplitude, 1 at 1 kHz. frequencies: (n,), Hz; returns: (n,)"""
    square = np.asarray(frequencies, np.float64) ** 2
    top = 12194.217**2 * square**2
    low = (square + 20.598997**2) * np.sqrt((square + 107.65265**2) * (square + 737.86223**2))
    return top / (low * (square + 12194.217**2)) * 10 ** (2.0 / 20)
