"""A straight line through the lags of windows, with a step where a buffer was dropped: offset, drift and steps.

The clocks of two recorders run at constant rates, so the line has one slope. It is fitted robustly (Tukey's biweight:
Beaton and Tukey, The fitting of power series, 1974). A line that is roughly known says which filter suits both
recordings: it raises the frequencies at which windows agree, and takes out the phase of the microphones. These are
close to minimum phase, so theirs is the phase that belongs to the ratio of the magnitudes (Oppenheim and Schafer,
Discrete-time signal processing, 1989, chapter 12), and what is left is the way of the direct sound. Noise suppression
changes magnitudes without phase; so of that phase only the part is taken out that makes the peak highest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.align import fourier
from clefkit.align import lags as correlation
from clefkit.align.fourier import Signal, Spectrum
from clefkit.align.lags import FREQUENCIES_HZ, SIZE, WINDOW, Windows
from clefkit.align.path import JITTER_S, Chosen
from clefkit.align.track import RATE, Track

ROUNDS = 30
TUKEY = 4.685
LEAST_SPREAD = 0.1  # samples
MOST_STACKED = 60
NEAR = int(JITTER_S * RATE)
OCTAVES = 1 / 3  # over which magnitudes are smoothed
LOW_HZ, HIGH_HZ = 80, 9800
RELIABLE = 0.15  # agreement from which on a frequency tells about the microphones
DEEPEST = 0.01  # of the largest magnitude: -40 dB
PARTS = (1.0, 0.75, 0.5, 0.25, 0.0)
MEASURING = 2.0  # exponent of the agreement where lags are measured
TINY = 1e-20


Places = list[tuple[float, float]]


class Line(NamedTuple):
    """lag = starts[segment] + slope * centre. starts: (segments,), samples; slope: samples a sample"""

    starts: NDArray[np.float64]
    slope: float

    def at(self, centres: NDArray[np.float64], segments: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(self.starts[segments] + self.slope * centres)


class Suited(NamedTuple):
    """A filter that suits two recordings.

    agreement: (frequencies,), 0 to 1, how well the phases of windows agree; phase: (frequencies,), what undoes that of
        the microphones
    """

    agreement: NDArray[np.float64]
    phase: Signal

    def weighted(self, exponent: float) -> Spectrum:
        """Frequencies by so high a power of their agreement: a high one is exact, a low one keeps peaks high."""
        return np.asarray(self.agreement**exponent * np.exp(1j * self.phase), np.complex64)


def line(windows: Windows, path: Chosen) -> Line:
    """The line along a path with at least one peak. A path of a single window has no slope."""
    used = ~np.isnan(path.lags)
    return _fitted(windows.centres[used], path.lags[used], path.segments[used], windows.heights[used, 0])


def refined(
    take: Track, reference: Track, places: Places, segments: NDArray[np.int64], suiting: Suited
) -> tuple[Line, float]:
    """The line through these windows, each heard again close to where it should be; and how far they are from it.

    places: centres of windows, and the lags expected there; segments: of each window
    returns: the line; the median distance, samples
    """
    lags, heights, weights = np.empty(len(places)), np.empty(len(places)), suiting.weighted(MEASURING)
    for number, place in enumerate(places):
        cross = _cross(take, reference, *place)[0]
        correlated = np.abs(np.roll(fourier.back(correlation.whitened(cross) * weights, SIZE), NEAR + 1))
        peak = int(correlated[1 : 2 * NEAR + 2].argmax()) + 1
        lags[number] = place[1] + correlation.between(correlated, peak) - NEAR - 1
        heights[number] = correlated[peak] / (np.sqrt(np.mean(np.square(correlated))) or 1.0)
    centres = np.array([centre for centre, _ in places])
    line = _fitted(centres, lags, segments, heights)
    return line, float(np.median(np.abs(lags - line.at(centres, segments))))


def _fitted(
    centres: NDArray[np.float64], lags: NDArray[np.float64], segments: NDArray[np.int64], heights: NDArray[np.float64]
) -> Line:
    """Least squares with weights that fall with the distance from the line."""
    columns = np.zeros((len(lags), int(segments.max()) + 2))
    columns[np.arange(len(lags)), segments] = 1.0
    middle = centres.mean()
    columns[:, -1] = centres - middle
    trust = np.square(heights / heights.max())
    weights, solved = trust, np.zeros(columns.shape[1])
    for _ in range(ROUNDS):
        root = np.sqrt(weights)
        solved = np.linalg.lstsq(root[:, None] * columns, root * lags, rcond=None)[0]
        away = np.abs(lags - columns @ solved)
        spread = max(1.4826 * float(np.median(away)), LEAST_SPREAD)
        weights = trust * np.square(np.maximum(1 - np.square(away / (TUKEY * spread)), 0.0)) + 1e-9
    return Line(solved[:-1] - solved[-1] * middle, float(solved[-1]))


def suited(take: Track, reference: Track, places: Places) -> Suited:
    """What brings out the direct sound. places: centres of windows, and the lag of each"""
    chosen = np.unique(np.linspace(0, len(places) - 1, MOST_STACKED).astype(np.int64)).tolist()
    phases, summed = np.zeros(len(FREQUENCIES_HZ), np.complex128), np.zeros(len(FREQUENCIES_HZ), np.complex128)
    power = np.full(len(FREQUENCIES_HZ), TINY)
    for number in chosen:
        cross, theirs = _cross(take, reference, *places[number])
        loudness = float(np.abs(cross).sum())
        if loudness < TINY:
            continue
        phases += correlation.whitened(cross)
        summed += cross / loudness
        power += np.square(np.abs(theirs)) / loudness
    agreement = _smooth(np.abs(phases)) / len(chosen)
    reliable = np.flatnonzero((agreement > RELIABLE) & (FREQUENCIES_HZ > LOW_HZ) & (FREQUENCIES_HZ < HIGH_HZ))
    edges = (int(reliable[0]), int(reliable[-1])) if len(reliable) else (0, SIZE // 2)
    phase = _minimum_phase(_smooth(np.abs(summed) / power), *edges)
    return max((Suited(agreement, phase * part) for part in PARTS), key=lambda each: _focus(each, phases))


def _focus(suiting: Suited, phases: NDArray[np.complexfloating]) -> float:
    """How high the peak of all windows together is."""
    return float(np.abs(fourier.back(phases * suiting.weighted(MEASURING), SIZE)).max())


def _cross(take: Track, reference: Track, centre: float, lag: float) -> tuple[Spectrum, Spectrum]:
    """The cross-spectrum of a window of both, brought together by a lag between samples; and that of the reference."""
    start, whole = int(centre) - WINDOW // 2, int(np.floor(lag))
    theirs = correlation.spectrum(reference, start + whole)
    return theirs * np.conj(correlation.spectrum(take, start)) * fourier.turn(SIZE, lag - whole), theirs


def _smooth(magnitudes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Root mean squares over OCTAVES around each frequency."""
    sums = np.concatenate([[0.0], np.cumsum(np.square(magnitudes))])
    first = np.searchsorted(FREQUENCIES_HZ, FREQUENCIES_HZ * 2 ** (-OCTAVES / 2))
    last = np.maximum(np.searchsorted(FREQUENCIES_HZ, FREQUENCIES_HZ * 2 ** (OCTAVES / 2)), first + 1)
    return np.asarray(np.sqrt((sums[last] - sums[first]) / (last - first)))


def _minimum_phase(magnitudes: NDArray[np.float64], first: int, last: int) -> Signal:
    """The phase that a filter of these magnitudes has if it is a minimum phase filter, by its cepstrum.

    magnitudes: (frequencies,), smooth, known from index `first` to `last`: below they are taken to stay, above to fall
        on as over the last half octave, down to DEEPEST, and up to 22 kHz
    """
    known = np.log(magnitudes + TINY)
    hertz = np.arange(SIZE + 1) * (RATE / SIZE)
    logarithms = np.full(SIZE + 1, known[first])
    logarithms[first : last + 1] = known[first : last + 1]
    half_below = int(last / 2**0.5)
    slope = min(float(known[last] - known[half_below]) / (0.5 * np.log(2)), 0.0)
    bottom = min(known[first : last + 1].max() + np.log(DEEPEST), known[last])
    logarithms[last:] = np.maximum(known[last] + slope * np.log(hertz[last:] / max(hertz[last], 1.0)), bottom)
    cepstrum = fourier.back(logarithms, 2 * SIZE)
    cepstrum[0] = cepstrum[SIZE] = 0.0
    cepstrum[SIZE + 1 :] *= -1
    return fourier.forward(cepstrum, 2 * SIZE).imag[: SIZE // 2 + 1]
