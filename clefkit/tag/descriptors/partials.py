"""What the spectrum of a sound is made of: how bright it is on the whole, how rough, noisy and inharmonic.

Roughness is the sum over pairs of partials in a window of (a b)^0.1 / 2 (2 a / (a + b))^3.11 times the dissonance curve
of Plomp and Levelt (1965) as Sethares (1993) wrote it down, the mean over all windows (Vassilakis, "SRA: a web-based
research tool for spectral and roughness analysis of sound signals", 2007). As in the AudioCommons model `a` is the
louder of the pair where Vassilakis has the softer. Partials are peaks of at least a hundredth of the largest in the
sound that stand out as much from the valleys beside them; each is paired with the next four above it only, as those far
apart are not rough together. Every second window is looked at, so none overlap.

Noisiness is flatness: of third octaves in windows of 186 ms, the geometric mean of the energy over the arithmetic mean,
1 for white noise on average, 0 for what has but partials (spectral flatness of MPEG-7, ISO/IEC 15938-4). Bands are
weighted by the fourth root of their energy, as loudness has it, down to 60 dB below the strongest.

Inharmonicity is the distance of partials from the nearest harmonic, their energy weighted, over half the fundamental: 0
for harmonics, about half for partials anywhere (Peeters et al., "The Timbre Toolbox", 2011). The fundamental is the
one that explains the twelve strongest partials of a window best.
"""

from __future__ import annotations

import functools
import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.tag.descriptors.spectra import LONG, RATE, SIZE, Array, Floats, frequencies, hann, magnitudes, product

LEAST_PEAK = 0.01  # of the largest magnitude, for roughness
VALLEY = 4  # bins from a peak, 76 Hz
PAIRS = 4  # partials above one that it is paired with
SCALE = 2.07  # what a partial has in windows of 50 ms at 44.1 kHz (Hamming), which roughness was calibrated on

FLAT_HZ = 1000.0 * 2.0 ** (np.arange(-5, 10) / 3)  # centres of the bands whose flatness is taken, 315 Hz to 8 kHz
WHITE = float(np.exp(-np.euler_gamma))  # flatness of the energies in white noise
FAINTEST = 1e-6  # of the strongest energy in a band
PARTIALS = 12
FAINT = 0.01  # of the strongest partial
PARTIALS_BELOW = 1024  # bins, 5.5 kHz
ROOTS = 2  # partials whose first divisors may be the fundamental, as may the distances of neighbours
DIVISORS = np.arange(1, 7, dtype=np.float32)
LOWEST_HZ = 25.0
NEAR = 0.1  # of the fundamental: how far from a harmonic a partial may be to speak for it
WEAK = 0.05  # of the strongest partial: those above have harmonics below them
MISSED = 0.25  # what a fundamental loses when none of its harmonics is there


class Spectrum(NamedTuple):
    """Of a whole sound.

    power, fine_power: (577,), (2049,), the means of windows, at 0 to 11,025 Hz; centroid_hz: of magnitudes; roughness:
    at -24 LUFS, the mean of windows; noisiness: 0 to 1; inharmonicity: 0 to 1, nan where nothing has a partial
    """

    power: Floats
    fine_power: Floats
    centroid_hz: float
    roughness: float
    noisiness: float
    inharmonicity: float


def measure(sound: Array, seen: Array, gain: float) -> Spectrum:
    """sound: (samples,), with a peak of 1; seen: its magnitudes; gain: what brings it to -24 LUFS"""
    level = seen.sum(axis=0, dtype=float)
    size = min(LONG, len(sound))
    whole = sound[: len(sound) // size * size]
    fine = magnitudes((whole if whole.any() else sound[-size:]).reshape(-1, size) * hann(size), LONG)
    return Spectrum(
        np.einsum("ij,ij->j", seen, seen).astype(float) / len(seen),
        np.einsum("ij,ij->j", fine, fine).astype(float) / len(fine),
        float(level @ frequencies(SIZE) / level.sum()),
        _roughness(np.ascontiguousarray(seen[::2])) * (gain * SCALE) ** 0.2,
        _noisiness(fine),
        _inharmonicity(*_partials(fine)),
    )


def _roughness(seen: Array) -> float:
    """(windows, bins) -> mean over the windows, for the magnitudes as they are."""
    flat, bins = seen.ravel(), seen.shape[1]
    least = LEAST_PEAK * float(flat.max())
    inner = seen[:, 1:-1]
    tops = np.zeros(seen.shape, bool)
    tops[:, 1:-1] = (inner > seen[:, :-2]) & (inner >= seen[:, 2:]) & (inner >= least)
    places = _standing_out(flat, np.flatnonzero(tops), least)
    if len(places) < 2:
        return 0.0
    below, here, above = flat[places - 1], flat[places], flat[places + 1]
    shift = (above - below) / (2 * (2 * here - below - above))
    window, hertz = places // bins, (places % bins + shift) * np.float32(RATE / SIZE)
    height = here + 0.25 * (above - below) * shift
    quiet = height**0.1
    total = 0.0
    for apart in range(1, min(PAIRS, len(places) - 1) + 1):
        together = window[apart:] == window[:-apart]
        rough = _dissonance(hertz[:-apart], hertz[apart:]) * quiet[:-apart] * quiet[apart:]
        uneven = 2 * np.maximum(height[:-apart], height[apart:]) / (height[:-apart] + height[apart:])
        total += 0.5 * float((rough * uneven**3.11 * together).sum())
    return total / len(seen)


def _standing_out(flat: Array, places: NDArray[np.intp], least: float) -> NDArray[np.intp]:
    """Of peaks, those that are so much higher than the deepest of the bins on either side, four each."""
    places = places[(places >= VALLEY) & (places < len(flat) - VALLEY)]
    sides = [[flat[places + sign * step] for step in range(1, VALLEY + 1)] for sign in (-1, 1)]
    return places[flat[places] - np.maximum(*(functools.reduce(np.minimum, side) for side in sides)) >= least]


def _dissonance(low_hz: Array, high_hz: Array) -> Array:
    distance = np.maximum(high_hz - low_hz, 0) * np.float32(0.24) / (np.float32(0.0207) * low_hz + np.float32(18.96))
    return np.asarray(np.exp(-3.51 * distance) - np.exp(-5.75 * distance))


def _noisiness(fine: Array) -> float:
    """(windows, bins) -> 0 to 1"""
    power = fine**2
    power = np.maximum(power, power.max() * np.float32(1e-12))
    energy = product(power, _flat_bands())
    level = product(np.log(power), _flat_bands())
    weights = np.where(energy > energy.max() * FAINTEST, energy, 0) ** 0.25
    return min(1.0, float((np.exp(level) / energy * weights).sum() / weights.sum()) / WHITE)


@cache
def _flat_bands() -> Array:
    """(bins, bands): one over the number of bins in each third of an octave."""
    hertz = frequencies(LONG)[:, None]
    inside = (hertz >= FLAT_HZ * 2 ** (-1 / 6)) & (hertz < FLAT_HZ * 2 ** (1 / 6))
    return np.asarray(inside / inside.sum(axis=0), dtype=np.float32)


def _partials(fine: Array) -> tuple[Array, Array]:
    """Frequencies (Hz) and magnitudes of the strongest peaks of each window, (windows, 12); 0 where there are fewer."""
    seen = np.ascontiguousarray(fine[:, :PARTIALS_BELOW])
    flat, bins = seen.ravel(), seen.shape[1]
    heard = seen >= FAINT * seen.max(axis=1, keepdims=True)
    heard[:, [0, -1]] = False
    heard[:, 1:-1] &= (seen[:, 1:-1] > seen[:, :-2]) & (seen[:, 1:-1] >= seen[:, 2:])
    places = np.flatnonzero(heard)
    window = places // bins
    places = places[np.argsort(window - 0.5 * flat[places] / flat.max())]  # by window, the strongest first
    rank = np.arange(len(places)) - np.searchsorted(window, window)
    places, window, rank = (each[rank < PARTIALS] for each in (places, window, rank))
    around = [np.log(np.maximum(flat[places + step], 1e-9)) for step in (-1, 0, 1)]
    curve = np.maximum(2 * (2 * around[1] - around[0] - around[2]), 1e-6)
    hertz, height = np.zeros((2, len(seen), PARTIALS), np.float32)
    hertz[window, rank] = (places % bins + np.clip((around[2] - around[0]) / curve, -0.5, 0.5)) * (RATE / LONG)
    height[window, rank] = flat[places]
    return hertz, height


def _inharmonicity(hertz: Array, height: Array) -> float:
    """Of partials, (windows, 12) each."""
    roots = _roots(hertz, height)
    number = hertz[:, None, :] / roots[:, :, None]
    away = np.minimum(np.abs(number - np.maximum(np.round(number), 1)), 0.5)
    weights = np.sqrt(height) / np.maximum(np.sqrt(height).sum(axis=1, keepdims=True), 1e-9)
    explained = np.einsum("wcp,wp->wc", np.maximum(1 - away / NEAR, 0), weights)
    there = np.einsum("wcp,wp->wc", away < NEAR, (height > 0).astype(np.float32))
    highest = np.where(height > WEAK * height.max(axis=1, keepdims=True), hertz, 0).max(axis=1)
    expected = np.clip(highest[:, None] / roots, 1, PARTIALS)
    best = np.argmax(explained - MISSED * (1 - np.minimum(there / expected, 1)), axis=1)[:, None]
    energy = height**2
    number = np.maximum(np.round(np.take_along_axis(number, best[:, None], axis=1)[:, 0]), 1)
    near = energy * (np.take_along_axis(away, best[:, None], axis=1)[:, 0] < NEAR)
    fit = (near * hertz * number).sum(axis=1) / np.maximum((near * number**2).sum(axis=1), 1e-20)
    root = np.where(fit > 0, fit, np.take_along_axis(roots, best, axis=1)[:, 0])[:, None]
    nearest = np.abs(hertz / root - np.maximum(np.round(hertz / root), 1))
    return float(2 * (np.minimum(nearest, 0.5) * energy).sum() / energy.sum()) if energy.any() else math.nan


def _roots(hertz: Array, height: Array) -> Array:
    """(windows, 12) each -> (windows, 23): what may be the fundamental, Hz."""
    order = np.argsort(height, axis=1)[:, -ROOTS:]
    divided = np.take_along_axis(hertz, order, axis=1)[:, :, None] / DIVISORS
    apart = np.diff(np.sort(hertz, axis=1), axis=1)
    roots = np.concatenate([divided.reshape(len(hertz), -1), apart], axis=1)
    return np.asarray(np.maximum(roots, LOWEST_HZ), dtype=np.float32)
