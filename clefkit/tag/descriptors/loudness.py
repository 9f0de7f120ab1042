"""Loudness over frequency, and what the descriptors read from it: sharpness, booming, the levels of four regions.

Levels in third octaves (Butterworth filters of order 4, as ISO 532 B has them) become specific loudness, sone per Bark,
by the tables of Zwicker, Fastl and Dallmayr, "BASIC program for calculating the loudness of sounds from their 1/3-oct
band spectra according to ISO 532 B" (1984; revised in J. Acoust. Soc. Jpn. (E) 12, 1991, DIN 45631), for the free
field. A full-scale square wave is taken for 100 dB SPL, and the sound is first brought to -24 LUFS (ITU-R BS.1770-4; no
further than to full scale), so recordings of any level say the same.

All is measured in windows of 2048 samples (93 ms) one after the other, as the AudioCommons models do, whose filters
start from rest in every window. Above 230 Hz the levels are read from a spectrum whose window has a sudden beginning
and a soft end; below, where the filters are slower than the window, their responses from rest are added up. The band
at 12.5 kHz, which is out of range, continues the two below it.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from clefkit import audio
from clefkit.tag.descriptors.spectra import RATE, Array, Floats, decibels, frequencies, magnitudes, product, weighted

WINDOW = 2048
TARGET_LUFS = -24.0
GATE_LU = 10.0  # below the mean of the rest a block isn't counted
GATE_BLOCKS = 4  # windows in a block, about 400 ms
FULL_SCALE_DB = 100.0  # SPL
PUNCH_SHARE, PUNCH_FLOOR = 0.95, 1e-4  # loudest but a twentieth; of the loudest window's power: what is heard

CENTRES_HZ = 1000.0 * 2.0 ** (np.arange(-16, 12) / 3)  # 25 Hz to 12.5 kHz
WIDTH = 2 ** (1 / 6) - 2 ** (-1 / 6)  # of a third of an octave, of its centre
SLOW = 10  # bands whose filters are slower than a window
REST = 128  # samples of the soft end
COARSE = 32  # samples of which the mean is taken for the slow bands

# Equal-loudness corrections of the eleven lowest bands, dB, in eight ranges of level, and where the ranges end.
RANGES_DB = np.array([45, 55, 65, 71, 80, 90, 100], dtype=float)
LOW_DB = np.array(
    [
        [-32, -24, -16, -10, -5, 0, -7, -3, 0, -2, 0],
        [-29, -22, -15, -10, -4, 0, -7, -2, 0, -2, 0],
        [-27, -19, -14, -9, -4, 0, -6, -2, 0, -2, 0],
        [-25, -17, -12, -9, -3, 0, -5, -2, 0, -2, 0],
        [-23, -16, -11, -7, -3, 0, -4, -1, 0, -1, 0],
        [-20, -14, -10, -6, -3, 0, -4, -1, 0, -1, 0],
        [-18, -12, -9, -6, -2, 0, -3, -1, 0, -1, 0],
        [-15, -10, -8, -4, -2, 0, -3, -1, 0, -1, 0],
    ],
    dtype=float,
)
# By critical band, dB: threshold in quiet; from the free field to the ear; from a third octave to a critical band.
QUIET_DB = np.array([30, 18, 12, 8, 7, 6, 5, 4, *[3] * 12], dtype=float)
EAR_DB = np.array([*[0] * 10, -0.5, -1.6, -3.2, -5.4, -5.6, -4, -1.5, 2, 5, 12])
BAND_DB = np.array(
    [-0.25, -0.6, -0.8, -0.8, -0.5, 0, 0.5, 1.1, 1.5, 1.7, 1.8, 1.8, 1.7, 1.6, 1.4, 1.2, 0.8, 0.5, 0, -0.5]
)
# Where critical bands end, tenths of a Bark.
ENDS = (9, 18, 28, 35, 44, 54, 66, 79, 92, 106, 123, 138, 152, 167, 181, 193, 206, 218, 227, 236, 240)
GRID = 240
WIDTHS = np.diff((0, *ENDS))
# Which column of SLOPES is for which critical bands, from the first to before the last; the fifth and sixth are as good
# as the last.
SLOPED = ((7, 0, 1), (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (7, 5, 21))
# Masking upwards: below each loudness (sone per Bark) it falls so steeply (sone per Bark and Bark), by critical band.
KNEES = np.array(
    [300, 21.5, 18, 15.1, 11.5, 9, 6.1, 4.4, 3.1, 2.13, 1.36, 0.82, 0.42, 0.30, 0.22, 0.15, 0.10, 0.035, 0]
)
SLOPES = np.array(
    [
        [13.0, 8.2, 6.3, 5.5, 5.5, 5.5, 5.5, 5.5],
        [9.0, 7.5, 6.0, 5.1, 4.5, 4.5, 4.5, 4.5],
        [7.8, 6.7, 5.6, 4.9, 4.4, 3.9, 3.9, 3.9],
        [6.2, 5.4, 4.6, 4.0, 3.5, 3.2, 3.2, 3.2],
        [4.5, 3.8, 3.6, 3.2, 2.9, 2.7, 2.7, 2.7],
        [3.7, 3.0, 2.8, 2.35, 2.2, 2.2, 2.2, 2.2],
        [2.9, 2.3, 2.1, 1.9, 1.8, 1.7, 1.7, 1.7],
        [2.4, 1.7, 1.5, 1.35, 1.3, 1.3, 1.3, 1.3],
        [1.95, 1.45, 1.3, 1.15, 1.1, 1.1, 1.1, 1.1],
        [1.5, 1.2, 0.94, 0.86, 0.82, 0.82, 0.82, 0.82],
        [0.72, 0.67, 0.64, 0.63, 0.62, 0.62, 0.62, 0.62],
        [0.59, 0.53, 0.51, 0.50, 0.42, 0.42, 0.42, 0.42],
        [0.40, 0.33, 0.26, 0.24, 0.24, 0.22, 0.22, 0.22],
        [0.27, 0.21, 0.20, 0.18, 0.17, 0.17, 0.17, 0.17],
        [0.16, 0.15, 0.14, 0.12, 0.11, 0.11, 0.11, 0.11],
        [0.12, 0.11, 0.10, 0.08, 0.08, 0.08, 0.08, 0.08],
        [0.09, 0.08, 0.07, 0.06, 0.06, 0.06, 0.06, 0.05],
        [0.06, 0.05, 0.03, 0.02, 0.02, 0.02, 0.02, 0.02],
    ]
)


class Loudness(NamedTuple):
    """Of a sound at -24 LUFS, over its windows.

    gain: what brought it there; high, middle, warm, low: specific loudness around 16, 10.5, 2.5 and 3.5 Bark, added up
    (the first two weighted by amplitude); sharpness: acum; booming: index (both weighted by energy); punch_db: the
    loudest windows over all, K-weighted
    """

    gain: float
    high: float
    middle: float
    warm: float
    low: float
    sharpness: float
    booming: float
    punch_db: float


def measure(sound: Array) -> Loudness:
    """sound: (samples,), with a peak of 1"""
    count = len(sound) // WINDOW + 1
    framed = np.zeros((count, WINDOW), np.float32)
    framed.ravel()[: len(sound)] = sound
    bands, weighted_power = _levels(framed)
    gain = min(1.0, 10 ** ((TARGET_LUFS - _integrated(weighted_power, len(sound))) / 20))
    pattern = specific(decibels(bands * gain**2, 1e-16) + FULL_SCALE_DB)
    sums = product(pattern, _readings())
    energy = np.einsum("ij,ij->i", framed, framed)
    whole = np.maximum(sums[:, 4], 1e-9)
    booming = decibels(np.exp(pattern * _boom()).sum(axis=1), 1.0) * (sums[:, 6] / whole)
    high, middle = weighted(sums[:, :2], np.sqrt(energy)).tolist()
    warm, low = sums[:, 2:4].mean(axis=0).tolist()
    sharpness, boom = weighted(np.stack([sums[:, 5] / whole, booming], axis=1), energy).tolist()
    return Loudness(gain, high, middle, warm, low, sharpness, boom, _punch_db(weighted_power))


def specific(levels_db: Floats) -> Floats:
    """Specific loudness of third-octave levels.

    levels_db: (windows, 28), dB SPL, 25 Hz to 12.5 kHz
    returns: (windows, 240), sone per Bark, at 0.1 to 24 Bark; on average 0.02 sone per Bark from what the published
        program says, which rounds the lengths of slopes
    """
    main = _main(levels_db)
    pattern = np.empty((len(main), GRID + 1))
    pattern[:, 0] = 0
    for slope, first, last in SLOPED:
        distance = _distances()[:, slope]
        start, end = ENDS[first - 1] if first else 0, ENDS[last - 1]
        loudest = np.concatenate([pattern[:, start, None], main[:, first:last]], axis=1)
        fallen = np.repeat(np.interp(loudest, KNEES[::-1], distance[::-1]), [1, *WIDTHS[first:last]], axis=1)
        steps = 0.1 * np.arange(end - start + 1)
        fallen = np.minimum.accumulate(fallen - steps, axis=1) + steps
        pattern[:, start : end + 1] = np.interp(fallen, distance, KNEES)
    return pattern[:, 1:]


def _main(levels_db: Floats) -> Floats:
    """(windows, 28) dB -> (windows, 21) sone per Bark before masking, the last one silent."""
    low = levels_db[:, : LOW_DB.shape[1]]
    ranges = (low[:, None, :] > RANGES_DB[:, None] - LOW_DB[:-1]).sum(axis=1)
    power = 10 ** ((low + LOW_DB[ranges, np.arange(low.shape[1])]) / 10)
    critical = levels_db[:, 8:].copy()
    critical[:, :3] = decibels(np.add.reduceat(power, (0, 6, 9), axis=1), 1e-9)
    over = 10 ** ((critical - EAR_DB - BAND_DB - QUIET_DB) / 10)
    loudness = 0.0635 * 10 ** (0.025 * QUIET_DB) * (np.maximum(0.75 + 0.25 * over, 1.0) ** 0.25 - 1)
    loudness *= critical > QUIET_DB
    loudness[:, 0] *= np.minimum(1.0, 0.4 + 0.32 * loudness[:, 0] ** 0.2)
    return np.concatenate([loudness, np.zeros((len(loudness), 1))], axis=1)


@cache
def _distances() -> Floats:
    """(knees, slopes): Bark in which loudness falls from 300 sone per Bark to each knee."""
    return np.pad(np.cumsum((KNEES[:-1] - KNEES[1:])[:, None] / SLOPES, axis=0), ((1, 0), (0, 0)))


def _levels(framed: Array) -> tuple[Floats, Floats]:
    """Mean squares of windows, (windows, 28) in third octaves and (windows,) K-weighted."""
    power = magnitudes(framed * _soft_end()) ** 2
    read = product(power, _filters()).astype(float)
    rung = product(_coarse(framed), _responses()).reshape(len(framed), SLOW, -1)
    bands = np.empty((len(framed), len(CENTRES_HZ)))
    bands[:, :SLOW] = np.einsum("ijk,ijk->ij", rung, rung)
    bands[:, SLOW:-1] = read[:, :-1]
    bands[:, -1] = bands[:, -2] * np.clip(bands[:, -2] / np.maximum(bands[:, -3], 1e-20), 0.01, 1.0)
    return bands, read[:, -1]


def _coarse(framed: Array) -> Array:
    """(windows, 2048) -> (windows, 64): low-passed, from rest, at a 32nd of the rate."""
    half = COARSE // 2
    halves = np.zeros((len(framed), WINDOW // half + 1), np.float32)
    np.matmul(framed.reshape(len(framed), -1, half), np.ones(half, np.float32), out=halves[:, 1:])
    return np.asarray((halves[:, :-1:2] + 2 * halves[:, 1::2] + halves[:, 2::2]) / (2 * COARSE), dtype=np.float32)


@cache
def _soft_end() -> Array:
    window = np.ones(WINDOW, np.float32)
    window[-REST:] = 0.5 + 0.5 * np.cos(np.pi * np.arange(REST) / REST)
    return window


@cache
def _filters() -> Array:
    """(bins, bands and one): what of the power in a bin is in the faster third octaves but the last, and K-weighted."""
    hertz = frequencies(WINDOW)[:, None]
    detuned = (hertz / CENTRES_HZ - CENTRES_HZ / hertz)[:, SLOW:-1] / WIDTH
    risen = 1 - 1.05 * RATE / (WINDOW * WIDTH * CENTRES_HZ[SLOW:-1])  # filters start from rest
    weights = np.concatenate([risen / (1 + detuned**8), k_weights(hertz)], axis=1) * (2 / WINDOW**2)
    return np.asarray(weights, dtype=np.float32)


def k_weights(hertz: Floats) -> Floats:
    """The power response of BS.1770's two filters."""
    shelf = 1j * hertz / audio.SHELF_HZ
    gain = 10 ** (audio.SHELF_DB / 20)
    raised = (gain * shelf**2 + gain**0.4996667741545416 * shelf / audio.SHELF_Q + 1) / (
        shelf**2 + shelf / audio.SHELF_Q + 1
    )
    high = 1j * hertz / audio.HIGH_PASS_HZ
    return np.asarray(np.abs(raised * high**2 / (high**2 + high / audio.HIGH_PASS_Q + 1)) ** 2)


@cache
def _responses() -> Array:
    """(samples, bands times samples): what each sample of a coarse window makes the slow filters say later in it."""
    length, rate = WINDOW // COARSE, RATE / COARSE
    time = np.arange(length)
    later = time[None, :] - time[:, None]
    found = [np.where(later >= 0, _impulse(centre, length, rate)[later], 0) for centre in CENTRES_HZ[:SLOW]]
    turns = CENTRES_HZ[:SLOW] / (2 * rate)
    dull = np.sinc(turns) * np.cos(np.pi * turns) ** 2  # what `_coarse` takes from them
    return np.asarray(np.concatenate(found / dull[:, None, None], axis=1) / np.sqrt(length), dtype=np.float32)


def _impulse(centre_hz: float, length: int, rate: float) -> Floats:
    """The response of a Butterworth band-pass of order 4, a third of an octave wide, by its poles."""
    centre = 2 * np.pi * centre_hz
    width = centre * WIDTH
    half = width * np.exp(1j * np.pi * (2 * np.arange(4) + 5) / 8) / 2
    root = np.sqrt(half**2 - centre**2 + 0j)
    poles = np.concatenate([half + root, half - root])
    apart = poles[:, None] - poles + np.eye(len(poles))
    residues = width**4 * poles**4 / apart.prod(axis=1)
    return np.asarray((residues @ np.exp(poles[:, None] * np.arange(length) / rate)).real / rate)


@cache
def _readings() -> Floats:
    """(240, 7): what turns a pattern into high, middle, warm, low, the whole, sharpness and what is below 280 Hz."""
    bark = 0.1 * np.arange(1, GRID + 1)
    high = 0.00012 * bark**4 - 0.0056 * bark**3 + 0.1 * bark**2 - 0.81 * bark + 3.5
    sharp = 0.11 * bark * np.where(bark > 14.0, high, 1.0)  # Fastl's weighting, the curve fitted by C. Churchill
    below = np.where(600 * np.sinh(bark / 6) < 280, 1.0, 0.0)
    regions = [_region(*edges) for edges in ((80, 240), (70, 140), (10, 40), (0, 70))]
    return np.stack([*regions, np.ones(GRID), sharp, below], axis=1).astype(np.float64)


def _region(first: int, last: int) -> Floats:
    """A bell over some of the grid, 0 at its ends."""
    grid = np.arange(first, last)
    bell = np.exp(-0.5 * ((grid - (first + last) / 2) / 100) ** 2)
    whole = np.zeros(GRID)
    whole[first:last] = (bell - bell.min()) / (bell.max() - bell.min())
    return whole


@cache
def _boom() -> Floats:
    """(240,): the weights of Hatano and Hashimoto's booming index (2000), as exponents of e."""
    hertz = 600 * np.sinh(0.1 * np.arange(1, GRID + 1) / 6)
    index = np.log10(hertz / 25) / np.log10(31.5 / 25) + 1
    weights = 2.13 * np.exp(-0.151 * index)
    weights[:4] = 0.8, 1.05, 1.10, 1.18
    return np.asarray(weights * (math.log(10) / 10), dtype=np.float64)


def _integrated(power: Floats, samples: int) -> float:
    """LUFS, in blocks of four windows; of a sound shorter than a block, what the block with silence has."""
    if len(power) <= GATE_BLOCKS:
        return audio.LUFS_OFFSET + float(decibels(power.sum() * WINDOW / max(samples, 0.4 * RATE)))
    whole = power[: samples // WINDOW]
    blocks = np.convolve(whole, np.full(GATE_BLOCKS, 1 / GATE_BLOCKS), "valid")
    return audio.LUFS_OFFSET + float(decibels(blocks[blocks >= blocks.mean() / 10 ** (GATE_LU / 10)].mean()))


def _punch_db(power: Floats) -> float:
    heard = np.sort(power[power > power.max() * PUNCH_FLOOR])
    return 10 * math.log10(np.interp(PUNCH_SHARE * (len(heard) - 1), np.arange(len(heard)), heard) / heard.mean())
