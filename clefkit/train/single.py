"""What a recording of a single note is: where it begins, how it sounds, and whether it is fit to be played from.

A note is mono at RATE. The pitch is measured by its period, after de Cheveigné and Kawahara (2002), "YIN, a fundamental
frequency estimator for speech and music", above 700 Hz on the spectrum. A pitch that a name tells is believed only
where the sound agrees within FARTHEST. What clips, is noisy or changes its pitch is not fit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

RATE = 22050
LONGEST_S = 8.0
SHORTEST_S = 0.12
PEAK = 10 ** (-1 / 20)
BEFORE_S = 0.01
SLOWEST_S = 0.15  # from the first sound to the onset
FARTHEST = 0.6  # semitones between a name and its sound


class UnfitError(Exception):
    """A recording that is left out; says in a word or two why."""


def check_peaks(samples: Array) -> None:
    """raises: UnfitError when a recording, (samples, channels), has flat tops: twice four samples at full scale"""
    top = np.abs(samples) >= 0.999
    flat = top[:-3] & top[1:-2] & top[2:-1] & top[3:]
    if flat.sum() >= 2:
        raise UnfitError("clipped")


def check_noise(sound: Array) -> None:
    """raises: UnfitError when a noise has the period of a note"""
    if np.median(_yin(_frames(sound))[1]) < 0.12:
        raise UnfitError("pitched")


def cut(sound: Array, rate: int = RATE) -> tuple[Array, float]:
    """A note from just before its attack to where it has died away, at a peak of -1 dB.

    The attack starts where the level (of the last 10 ms) comes within 26 dB of the loudest of the first second; the
    onset is where it comes within 16 dB, which is where a slow bow or breath is heard to begin.
    sound: (samples,); rate: Hz
    returns: the note, and its onset in it, in seconds
    raises: UnfitError when nothing sounds, or noise is in front of it
    """
    size, hop = rate // 100, rate // 1000
    energy = np.cumsum(np.pad(sound.astype(np.float64) ** 2, (size, 0)))
    level = np.sqrt((energy[size:] - energy[:-size]) / size)[::hop]
    if level.max(initial=0.0) < 1e-4:
        raise UnfitError("silent")
    begins = int(np.argmax(level > level.max() * 10 ** (-30 / 20)))
    loudest = level[begins : begins + 1000].max()
    onset = begins + int(np.argmax(level[begins:] > loudest * 10 ** (-16 / 20)))
    quiet = np.flatnonzero(level[:onset] < loudest * 10 ** (-26 / 20))
    start = max(int(quiet[-1]) if len(quiet) else 0, onset - round(SLOWEST_S * 1000))
    before = level[: max(0, start - 20)]
    if len(before) > 50 and np.median(before) > loudest * 10 ** (-25 / 20):
        raise UnfitError("noisy")
    first = max(0, start * hop - round(BEFORE_S * rate))
    dead = np.flatnonzero(level > level.max() * 10 ** (-60 / 20))[-1]
    piece = sound[first : min(int(dead) * hop + size, first + round(LONGEST_S * rate))].copy()
    if len(piece) < SHORTEST_S * RATE:
        raise UnfitError("short")
    into, away = min(40 * rate // RATE, onset * hop - first), round(0.02 * rate)
    piece[:into] *= np.linspace(0, 1, into, dtype=np.float32)
    piece[-away:] *= np.linspace(1, 0, away, dtype=np.float32)
    return piece * np.float32(PEAK / np.abs(piece).max()), (onset * hop - first) / rate


def sounding_pitch(sound: Array, named: float, family: str) -> float:
    """The MIDI pitch of a note near the one that it is said to have.

    Mallets' partials are no multiples of one period: their pitch is the strongest partial's.
    sound: (samples,) at RATE, from its onset
    raises: UnfitError when it sounds otherwise, not steadily, or not like a note
    """
    middle = _strongest(sound) if family == "mallet" else _refined(sound, _period(sound))
    deviation = float(_folded(np.array(middle - named)))
    if abs(deviation) > FARTHEST:
        raise UnfitError("of another pitch")
    if abs(middle - named) > 6 and not _octave_holds(sound, middle, named + deviation):
        raise UnfitError("of another octave")
    return named + deviation


def _period(sound: Array) -> float:
    """MIDI pitch by the period, the median of the more periodic half of the frames."""
    pitches, aperiodic = _yin(_frames(sound))
    if np.median(aperiodic) > 0.3:
        raise UnfitError("noisy")
    middle = float(np.median(pitches[aperiodic <= np.median(aperiodic)]))
    if np.mean(np.abs(_folded(pitches - middle)) < FARTHEST) < 0.7:
        raise UnfitError("unsteady")
    return middle


def _folded(interval: NDArray[np.float64]) -> NDArray[np.float64]:
    """Semitones without whole octaves, -6 to 6."""
    return np.asarray(interval - 12 * np.round(interval / 12))


def _frames(sound: Array) -> NDArray[np.float64]:
    """(12, samples): stretches of the first second that sounds, but for the attack."""
    size = 2048 + RATE // 24
    padded = np.pad(sound, (0, max(0, size + RATE // 20 - len(sound)))).astype(np.float64)
    level = np.sqrt(np.convolve(padded**2, np.ones(512) / 512, mode="valid"))
    loud = int(np.flatnonzero(level > level.max() * 10 ** (-35 / 20))[-1])
    last = max(RATE // 20, min(loud, RATE) - size)
    return np.stack([padded[start : start + size] for start in np.linspace(RATE // 40, last, 12).astype(int)])


def _yin(frames: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """MIDI pitch and aperiodicity (0 to 1 and above) of each frame: the first dip of the normalised difference."""
    count, size = frames.shape
    longest, window = RATE // 24, size - RATE // 24
    spectrum = np.fft.rfft(frames, 2 * size)
    head = np.fft.rfft(frames[:, :window], 2 * size)
    products = np.fft.irfft(spectrum * np.conj(head), 2 * size)[:, :longest]
    energy = np.pad(np.cumsum(frames**2, axis=1), ((0, 0), (1, 0)))
    moved = energy[:, window : window + longest] - energy[:, :longest]
    difference = np.maximum(moved[:, :1] + moved - 2 * products, 0)
    sums = np.maximum(np.cumsum(difference[:, 1:], axis=1), 1e-12)
    normal = np.pad(difference[:, 1:] * np.arange(1, longest) / sums, ((0, 0), (1, 0)), constant_values=1.0)
    pitches, aperiodic = np.empty(count), np.empty(count)
    for index, row in enumerate(normal):
        dips = 1 + np.flatnonzero((row[1:-1] < row[:-2]) & (row[1:-1] <= row[2:]))
        dips = dips[dips >= 4] if (dips >= 4).any() else np.array([4])
        good = dips[row[dips] < max(0.05, 1.5 * row[dips].min())]
        lag = int(good[0])
        left, here, right = row[lag - 1], row[lag], row[min(lag + 1, longest - 1)]
        shift = 0.5 * (left - right) / max(left - 2 * here + right, 1e-9)
        pitches[index] = 69 + 12 * np.log2(RATE / (lag + np.clip(shift, -0.5, 0.5)) / 440)
        aperiodic[index] = here
    return pitches, aperiodic


def _spectrum(sound: Array) -> NDArray[np.float64]:
    """Magnitudes at bins of RATE / 32768 Hz of the best part of the first 0.4 seconds."""
    piece = sound[RATE // 40 : RATE // 40 + 8192].astype(np.float64)
    return np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 32768))


def _refined(sound: Array, pitch: float) -> float:
    """A pitch above 700 Hz moved to the peak of the spectrum beside it, where periods have few samples."""
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    if frequency < 700:
        return pitch
    bins = frequency * 32768 / RATE * 2 ** (np.array([-1.5, 1.5]) / 12)
    return _strongest(sound, int(bins[0]), int(bins[1]) + 2)


def _strongest(sound: Array, first: int = 32, last: int = 16000) -> float:
    """MIDI pitch of the strongest partial in some bins of the spectrum."""
    magnitudes = np.log(_spectrum(sound) + 1e-9)
    peak = first + int(np.argmax(magnitudes[first:last]))
    left, here, right = magnitudes[peak - 1 : peak + 2]
    peak_at = peak + float(np.clip(0.5 * (left - right) / min(left - 2 * here + right, -1e-9), -0.5, 0.5))
    return 69 + 12 * float(np.log2(peak_at * RATE / 32768 / 440))


def _octave_holds(sound: Array, measured: float, named: float) -> bool:
    """Whether the octave of a name may be right although the measured period says another.

    The lower of two octaves sounds when its odd partials do, within 30 dB of the strongest partial.
    """
    magnitudes = _spectrum(sound)
    low = 440 * 2 ** ((min(measured, named) - 69) / 12) * 32768 / RATE
    odd = [magnitudes[int(low * n * 0.98) : int(low * n * 1.02) + 2].max(initial=0.0) for n in (1, 3, 5)]
    sounds_low = max(odd) > magnitudes.max() * 10 ** (-30 / 20)
    return bool(sounds_low == (named < measured))
