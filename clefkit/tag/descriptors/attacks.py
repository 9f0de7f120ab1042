"""Where notes begin in a sound, and how: how fast and how bright; and how much of the sound is percussive.

Onsets are peaks of the mean rise in 32 bands of the mel scale from one window to the next (as librosa's, and so the
AudioCommons models'; McFee et al. 2015), moved back to where the rise began, no closer than 0.1 s; one that raises the
envelope by less than a tenth of its range isn't one. The envelope holds a peak for 10 ms and then falls, as far as the
peak of the whole sound in 0.1 s. How long an attack lasts is told by the method of least effort (Peeters, "A large set
of audio features for sound description", CUIDADO, 2004): it goes on while the envelope passes nine levels at more than
a third of its mean pace.

The percussive share is that of median filtering (Fitzgerald, "Harmonic/percussive separation using median filtering",
2010) with geometric means in place of medians, which say the same of a spectrum and are faster.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from clefkit.tag.descriptors.spectra import (
    HOP,
    LEAD,
    RATE,
    SIZE,
    Array,
    Floats,
    Seen,
    decibels,
    frequencies,
    magnitudes,
    product,
    weighted,
)

BANDS = 32
FLOOR_DB = 80.0  # below the loudest band; nothing rises from deeper
POOL = 4  # samples of which the envelope has the largest
HOLD = round(0.01 * RATE / POOL)
FALL_S = 0.1
LOCAL, CLOSEST = 4, 2  # windows: what a peak is compared with on both sides; how near another may follow
PROMINENCE = 0.07  # of the largest rise: how far a peak is above the mean around it
LEAST_RISE_DB = 3.0
LEAST_RANGE = 0.1
APART = round(0.1 * RATE)
LEVELS = np.linspace(0.1, 0.9, 9)
PACE = 3.0
BLOCK = 128  # samples of which the loudness is followed, for durations
SILENT = 0.01  # of the loudest moment; -40 dB
SPECTRUM = 2756  # samples after the beginning of an attack, 0.125 s
TRANSFORM = 2880
LOWEST_HZ = 20.0
LEAST = 256  # samples that have a spectrum
ROLL_ON = 0.05  # of the magnitudes are below the band
AUDIBLE = 1.4  # magnitude of a bin that counts to the bandwidth, at -24 LUFS: as -75 dB in a density of 93 ms
TOP, SILENT_TOP_DB = 1045, -60.0  # the bin at 8 kHz; what is said of nothing above it
PERCUSSIVE_BELOW = 300  # bins, 5.7 kHz; of which every second is looked at
ACROSS_TIME, ACROSS_BINS = 4, 8  # windows (0.1 s) and bins of those (0.3 kHz) on both sides


class Attacks(NamedTuple):
    """Of the onsets of a sound, or of its beginning where it has no more than one.

    rise_db: the mean of the largest rises; log_times: log10 of the attacks' lengths in seconds, one for each onset;
    centroid_hz, bandwidth_hz, top_db: of 0.125 s from the beginnings of attacks on, at -24 LUFS (magnitudes; top_db:
    the mean of those above 8 kHz); duration_s: the mean from the loudest moment of a note to 40 dB below that of the
    whole sound, or to the next onset; percussive: share of the magnitudes, 0 to 1; flux: 0 to 1, see `_flux`
    """

    rise_db: float
    log_times: Floats
    centroid_hz: float
    bandwidth_hz: float
    top_db: float
    duration_s: float
    percussive: float
    flux: float


class _Attack(NamedTuple):
    """begins: the sample of the led sound; rise_db: the largest rise after the onset"""

    begins: int
    log_time: float
    rise_db: float


def measure(seen: Seen, gain: float) -> Attacks:
    """seen: a sound with a peak of 1; gain: what brings it to -24 LUFS"""
    rises = _rises(seen.magnitudes)
    held = _envelope(seen.led)
    starts = _onsets(rises, held)
    notes = list(zip(starts, [*starts[1:], len(seen.led)], strict=True))
    attacks = [_attack(rises, held, *note) for note in notes]
    spans = [(each.begins, end) for each, (_, end) in zip(attacks, notes, strict=True)]
    weights = np.array([each.rise_db for each in attacks])
    sounding = seen.magnitudes[LEAD // HOP :]
    return Attacks(
        float(weights.mean()),
        np.array([each.log_time for each in attacks]),
        *_brightness(seen.led, spans, weights, gain),
        _duration_s(seen.led, notes),
        _percussive(np.ascontiguousarray(sounding[:, :PERCUSSIVE_BELOW:2])),
        _flux(sounding),
    )


def _rises(seen: Array) -> Floats:
    """(windows, bins) -> (windows,): mean rise of the bands since the window before, dB."""
    bands = decibels(product(seen**2, _mel()))
    bands = np.maximum(bands, bands.max() - FLOOR_DB)
    rises = np.zeros(len(bands))
    np.mean(np.maximum(bands[1:] - bands[:-1], 0), axis=1, out=rises[1:])
    return rises


@cache
def _mel() -> Array:
    """(bins, bands): triangles, evenly spaced on the mel scale (O'Shaughnessy 1987) up to half the rate."""
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), BANDS + 2) / 2595) - 1)
    hertz, low, middle, high = frequencies(SIZE)[:, None], edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((hertz - low) / (middle - low), (high - hertz) / (high - middle))
    return np.asarray(np.maximum(triangles, 0) * (2 / (high - low)), dtype=np.float32)


def _envelope(led: Array) -> Floats:
    """(samples,) -> (samples // 4,)"""
    size = np.abs(led[: len(led) // POOL * POOL])
    held = np.maximum(np.maximum(size[::POOL], size[1::POOL]), np.maximum(size[2::POOL], size[3::POOL]))
    reach = 1  # samples of which `held` has the largest
    while reach <= HOLD:
        step = min(reach, HOLD + 1 - reach)
        held[step:] = np.maximum(held[step:], held[:-step])
        reach += step
    slope = np.arange(len(held)) * (float(held.max()) * POOL / (FALL_S * RATE))
    return np.asarray(np.maximum.accumulate(held + slope) - slope, dtype=np.float64)


def _onsets(rises: Floats, held: Floats) -> list[int]:
    """The samples where notes begin, [0] when there is at most one."""
    largest = max(rises.max(), 1e-9)
    around = np.convolve(rises, np.full(2 * LOCAL + 1, 1 / (2 * LOCAL + 1)))[LOCAL:-LOCAL]
    peaks = rises >= np.maximum(around + PROMINENCE * largest, LEAST_RISE_DB)
    peaks[1:] &= rises[1:] >= rises[:-1]
    peaks[2:] &= rises[2:] >= rises[:-2]
    lows = np.flatnonzero((rises[1:-1] <= rises[:-2]) & (rises[1:-1] < rises[2:])) + 1
    found = _apart(np.flatnonzero(peaks), CLOSEST)
    backwards = np.searchsorted(lows, found, side="right") - 1
    begins = np.unique(np.where(backwards >= 0, lows[np.maximum(backwards, 0)], 0)) if len(lows) else found[:0]
    if not len(begins):
        return [0]
    places = begins * (HOP // POOL)
    least = LEAST_RANGE * (held.max() - held.min())
    notes = zip(places, [*places[1:], len(held)], strict=True)
    risen = [start * POOL for start, end in notes if _range(held[start:end]) >= least]
    onsets = _apart(risen, APART)
    return onsets if len(onsets) > 1 else [0]


def _apart(places: Iterable[int], least: int) -> list[int]:
    """Of places in order, those at least so far from the last that stayed."""
    kept: list[int] = []
    for place in places:
        if not kept or place - kept[-1] >= least:
            kept.append(int(place))
    return kept


def _range(held: Floats) -> float:
    """How far an envelope rises to its peak."""
    peak = int(held.argmax()) if len(held) else 0
    return float(held[peak] - held[:peak].min()) if peak else 0.0


def _attack(rises: Floats, held: Floats, start: int, end: int) -> _Attack:
    """The attack of the note between two samples of the led sound."""
    first = start // POOL
    note = held[first : max(end // POOL, first + 2)]
    peak = int(note.argmax())
    low = peak - 1 - int(note[:peak][::-1].argmin()) if peak else 0
    rising = np.maximum.accumulate(note[low : peak + 1])
    begins, ends = _least_effort(rising.searchsorted(rising[0] + LEVELS * (rising[-1] - rising[0])).tolist())
    length_s = (ends - begins + 1) * POOL / RATE if ends > begins else POOL / 2 / RATE
    rise_db = float(rises[start // HOP : max(end // HOP, start // HOP + 1)].max())
    return _Attack((first + low + begins) * POOL, math.log10(length_s), rise_db)


def _least_effort(reached: list[int]) -> tuple[int, int]:
    """When an attack begins and ends, of the times when its levels are reached."""
    effort = [after - before for before, after in pairwise(reached)]
    most = PACE * (reached[-1] - reached[0]) / len(effort)
    first = next(index for index, each in enumerate(effort) if each <= most)
    last = next((index for index, each in enumerate(effort) if index > first and each >= most), len(effort) - 1)
    if reached[first] == reached[last]:
        return reached[0], reached[-1]
    return reached[first], reached[last]


def _brightness(led: Array, spans: list[tuple[int, int]], weights: Floats, gain: float) -> tuple[float, float, float]:
    """Centroid, bandwidth and level of the top of the beginnings of spans of the led sound, as in Attacks."""
    cut = np.zeros((len(spans), TRANSFORM), np.float32)
    for row, (begins, end) in zip(cut, spans, strict=True):
        piece = led[begins : min(end, begins + SPECTRUM)]
        row[: len(piece)] = piece if len(piece) >= LEAST else 0
    seen = magnitudes(cut) * np.float32(gain)
    total = seen.sum(axis=1)
    weights = (weights + 1e-6) * (total > 0)
    if not weights.any():
        return 0.0, 0.0, SILENT_TOP_DB
    centroid_hz = np.einsum("ij,j->i", seen, _bins_hz()) / np.maximum(total, 1e-9)
    low = (seen.cumsum(axis=1) < ROLL_ON * total[:, None]).sum(axis=1)
    audible = seen >= AUDIBLE
    high = np.where(audible.any(axis=1), TRANSFORM // 2 - audible[:, ::-1].argmax(axis=1), 0)
    top_db = 2 * decibels(seen[:, TOP:].mean(axis=1), 1e-3)
    band_hz = np.maximum(high - low, 0) * (RATE / TRANSFORM)
    return (
        float(weighted(centroid_hz, weights > 0)),
        float(weighted(band_hz, weights)),
        float(weighted(top_db, weights)),
    )


@cache
def _bins_hz() -> Array:
    hertz = frequencies(TRANSFORM)
    return np.asarray(hertz * (hertz >= LOWEST_HZ), dtype=np.float32)


def _duration_s(led: Array, notes: list[tuple[int, int]]) -> float:
    blocks = led[: len(led) // BLOCK * BLOCK].reshape(-1, BLOCK)
    energy = np.einsum("ij,ij->i", blocks, blocks)
    silent = energy < energy.max() * SILENT**2
    lengths = []
    for start, end in notes:
        first, last = start // BLOCK, max(end // BLOCK, start // BLOCK + 1)
        loudest = first + int(energy[first:last].argmax())
        over = silent[loudest:last]
        lengths.append(int(over.argmax()) if over.any() else len(over))
    return float(np.mean(lengths)) * BLOCK / RATE


def _percussive(seen: Array) -> float:
    """The share of what stands out over time, not over frequency, in the magnitudes; 0 to 1. seen: (windows, bins)"""
    level = np.log(np.maximum(seen, seen.max() * np.float32(1e-6)))
    lasting, wide = _smoothed(level, ACROSS_TIME), _smoothed(level.T, ACROSS_BINS).T
    struck = seen / (1 + np.exp(2 * (lasting - wide)))
    parts = [float(np.sqrt(np.einsum("ij,ij->i", part, part)).sum()) for part in (struck, seen - struck)]
    return parts[0] / max(sum(parts), 1e-9)


def _smoothed(level: Array, reach: int) -> Array:
    """The mean over the first axis of what lies within reach (a power of two), the ends repeated."""
    total = padded = level[np.clip(np.arange(-reach, len(level) + reach), 0, len(level) - 1)]
    step = 1
    while step <= reach:
        total = total[:-step] + total[step:]
        step *= 2
    return (total[:-1] + padded[2 * reach :]) / np.float32(2 * reach + 1)


def _flux(seen: Array) -> float:
    """1 less the correlation of the magnitudes in neighbouring windows, the loud ones weighted; 0 to 1."""
    size = np.sqrt(np.einsum("ij,ij->i", seen, seen))
    alike = np.einsum("ij,ij->", seen[1:], seen[:-1])
    return float(np.clip(1 - alike / max(np.dot(size[1:], size[:-1]), 1e-12), 0, 1))
