"""Noise suppression as phones have it: what never stops is taken for noise and turned down where nothing else sounds.

The sound is cut into frames of some 23 ms that overlap by half (square root of Hann before and after, so that they add
up to the sound itself) and into bands of 200 Hz, wider above 1 kHz. The noise of a band is the least of its smoothed
power over some seconds, corrected for being the least (after Martin, Noise power spectral density estimation based on
optimal smoothing and minimum statistics, 2001). It counts as noise only up to 20 dB under the active level (see
`level`), so that a held note is none; a preset may set less than 20 dB: then held notes are thinned out and decays cut
short, as phones do it that are made for speech. The gain is that of spectral subtraction (Berouti, Schwartz and
Makhoul, Enhancement of speech corrupted by acoustic noise, 1979): three times the noise is taken away, but never more
than down to a floor. It follows averages of three frames, opens its neighbours a little, opens at once and closes
slowly, so that no lonely band sings (musical noise), and onsets keep their place and strength. All channels have one
gain; nothing is delayed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clefkit.audio import Audio, Samples
from clefkit.augment import level, settings

if TYPE_CHECKING:
    from numpy.random import Generator

FRAME_S = 0.023
NARROWEST_HZ = 200.0
RELATIVE_WIDTH = 0.2
SMOOTH_S = 0.2
MEAN_TO_LEAST = 1.4
AVERAGED = 3
CLOSES_S = 0.08
FRAMES_AT_ONCE = 1024
SILENCE = 1e-16

SETTINGS: settings.Table = {
    "most_db": settings.Number(0, 30),
    "noise_below_db": settings.Number(-40, 20, default=-20),
    "window_s": settings.Number(0.3, 10, default=3),
    "subtracted": settings.Number(1, 10, default=3),
}

Bands = NDArray[np.float32]  # (bins, bands): how much of a bin belongs to which band
Powers = NDArray[np.float32]  # (frames, bands)


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """raises: InputError naming the key"""
    return settings.draw(SETTINGS, given, rng)


def apply(sound: Audio, numbers: dict[str, Any]) -> Audio:
    return suppress(sound, **numbers)


def suppress(
    sound: Audio, most_db: float, noise_below_db: float = -20.0, window_s: float = 3.0, subtracted: float = 3.0
) -> Audio:
    """Steady noise softer by up to `most_db`. The length stays, and silence stays silence.

    noise_below_db: relative to the active level, what is louder counts as noise no more; window_s: in which noise is
    steady; subtracted: how many times the noise is taken away
    """
    active = level.active_db(sound)
    if not np.isfinite(active):
        return sound
    from scipy import fft

    size = 1 << round(math.log2(FRAME_S * sound.rate))
    hop, window = size // 2, _window(size)
    bands = _bands(size, sound.rate)
    powers = _powers(sound, size, bands)
    noise = _noise(powers, 10 ** ((active + noise_below_db) / 10), window_s, hop / sound.rate)
    gains = _gains(powers, np.float32(subtracted) * noise, most_db, hop / sound.rate)
    out = np.zeros_like(sound.samples)
    for first, spectra in _spectra(sound.samples, size):
        softened = spectra * (gains[first : first + spectra.shape[1]] @ bands.T)
        frames = np.asarray(fft.irfft(softened, size, axis=-1, overwrite_x=True), np.float32) * window
        added = np.zeros((len(frames), (frames.shape[1] + 1) * hop), np.float32)
        added[:, :-hop] += frames[..., :hop].reshape(len(frames), -1)
        added[:, hop:] += frames[..., hop:].reshape(len(frames), -1)
        start = (first - 1) * hop
        here = slice(max(start, 0), min(start + added.shape[1], out.shape[1]))
        out[:, here] += added[:, here.start - start : here.stop - start]
    return Audio(out, sound.rate)


def _window(size: int) -> NDArray[np.float32]:
    return np.sqrt(np.hanning(size + 1)[:size]).astype(np.float32)


def _spectra(samples: Samples, size: int) -> Iterator[tuple[int, NDArray[np.complex64]]]:
    """Frame by frame, each half a frame after the one before; the first begins half a frame before the sound.

    yields: the number of the first frame, and up to FRAMES_AT_ONCE spectra, (channels, frames, bins)
    """
    from scipy import fft

    hop, window = size // 2, _window(size)
    count = -(-samples.shape[1] // hop) + 1
    for first in range(0, count, FRAMES_AT_ONCE):
        many = min(FRAMES_AT_ONCE, count - first)
        start, end = (first - 1) * hop, (first + many) * hop
        part = samples[:, max(start, 0) : end]
        part = np.pad(part, ((0, 0), (max(-start, 0), end - max(start, 0) - part.shape[1])))
        frames = np.lib.stride_tricks.sliding_window_view(part, size, axis=1)[:, ::hop]
        yield first, np.asarray(fft.rfft(frames * window, axis=-1), np.complex64)


def _bands(size: int, rate: int) -> Bands:
    """Triangles that add up to 1 in each bin."""
    middles = [NARROWEST_HZ / 2]
    while middles[-1] < rate / 2:
        middles.append(middles[-1] + max(NARROWEST_HZ, RELATIVE_WIDTH * middles[-1]))
    hertz = np.fft.rfftfreq(size, 1 / rate)
    each = [np.interp(hertz, middles, np.arange(len(middles)) == number) for number in range(len(middles))]
    return np.stack(each, axis=1).astype(np.float32)


def _powers(sound: Audio, size: int, bands: Bands) -> Powers:
    """Of the frames in each band, the mean over channels; the sum over bands is the mean square of the frame."""
    parts = []
    for _, spectra in _spectra(sound.samples, size):
        energy = (spectra.real**2 + spectra.imag**2).mean(axis=0)
        parts.append(energy @ bands * np.float32(2 / size / (size / 2)))
    return np.concatenate(parts)


def _noise(powers: Powers, loudest: float, window_s: float, step_s: float) -> Powers:
    """What is taken for noise, for each frame and band."""
    from scipy import ndimage

    smooth = ndimage.uniform_filter1d(powers, max(1, round(SMOOTH_S / step_s)), axis=0, mode="nearest")
    smooth[smooth < SILENCE] = np.inf
    least = ndimage.minimum_filter1d(smooth, max(1, round(window_s / step_s)), axis=0, mode="nearest")
    return np.asarray(np.minimum(MEAN_TO_LEAST * least, loudest), np.float32)


def _gains(powers: Powers, taken: Powers, most_db: float, step_s: float) -> Powers:
    """Factors for each frame and band."""
    from scipy import ndimage

    average = ndimage.uniform_filter1d(powers, AVERAGED, axis=0, mode="nearest")
    left = 1 - taken / np.maximum(average, SILENCE)
    decibels = 10 * np.log10(np.maximum(left, 10 ** (-most_db / 10)))
    beside = np.maximum(ndimage.uniform_filter1d(decibels, 3, axis=1, mode="nearest"), decibels)
    return (10 ** (_closing(beside, math.exp(-step_s / CLOSES_S)) / 20)).astype(np.float32)


def _closing(decibels: Powers, keep: float) -> Powers:
    """One pole where the gain falls; where it rises, it is there at once."""
    out = np.empty_like(decibels)
    state = decibels[0]
    for now, wanted in zip(out, decibels, strict=True):
        state = np.maximum(wanted, wanted + np.float32(keep) * (state - wanted))
        now[:] = state
    return out
