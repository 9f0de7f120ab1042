"""Noise suppression on levels in bands, as software made for speech does it to music: what lasts is turned down.

`thinned` knows the recording as a whole: spectral subtraction of the least that each band has around (Berouti, Schwartz
and Makhoul, Enhancement of speech corrupted by acoustic noise, 1979). `tracked` hears it from its beginning, as a call
does: it takes what comes first for noise, follows what it takes for noise, and so lets a held note sink and a new one
through. Its gain is Wiener's, of the ratio as Ephraim and Malah smooth it (Speech enhancement using a minimum
mean-square error short-time spectral amplitude estimator, 1984).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit.enhance import bands
from clefkit.train.voices import log_uniform

Array = NDArray[np.float32]

FAINTEST = 1e-12  # power
WINDOW_S = (0.4, 5.0)
FLOOR_DB = (3.0, 22.0)
SPEECH_DB = (1.05, 3.15)  # over the noise, in the mean of bands: more is taken for speech
FOLLOWS_S, WAITS_S = (0.05, 0.6), (1.5, 20.0)  # how fast noise is followed where there is none of it and where there is


def thinned(heard: Array, generator: Generator) -> Array:
    """heard: (frames, BANDS), dB; the same is returned"""
    from scipy import ndimage

    power = np.power(10.0, heard / 10)
    smooth = ndimage.uniform_filter1d(power, int(generator.integers(3, 25)), axis=0, mode="nearest")
    window = bands.frames(log_uniform(generator, *WINDOW_S))
    least = ndimage.minimum_filter1d(smooth, window, axis=0, mode="nearest")
    usual = np.quantile(smooth, generator.uniform(0.05, 0.45), axis=0)
    noise = np.sqrt(least * usual) if generator.random() < 0.5 else least
    most = np.quantile(power.sum(axis=1), 0.9) * 10 ** (generator.uniform(-45, -3) / 10)
    taken = generator.uniform(1, 4) * np.minimum(noise, most)
    floor_db = -generator.uniform(*FLOOR_DB)
    gain_db = 10 * np.log10(np.maximum(1 - taken / np.maximum(smooth, FAINTEST), 10 ** (floor_db / 10)))
    gain_db = ndimage.uniform_filter1d(gain_db, int(generator.integers(1, 8)), axis=0, mode="nearest")
    return np.asarray(heard + gain_db, np.float32)


def tracked(heard: Array, generator: Generator) -> Array:
    """heard: (frames, BANDS), dB; the same is returned"""
    floor = 10 ** (-generator.uniform(*FLOOR_DB) / 20)
    speech = generator.uniform(*SPEECH_DB) / 10 * math.log(10)
    follows, waits = (1 - math.exp(-bands.HOP_S / log_uniform(generator, *each)) for each in (FOLLOWS_S, WAITS_S))
    kept, more = generator.uniform(0.9, 0.985), generator.uniform(1, 2)  # of the ratio before; noise that is taken
    together = generator.random() < 0.6  # what is no speech is turned down in all bands
    power = np.maximum(np.power(10.0, heard / 10), FAINTEST)
    noise, before, likely = power[: bands.frames(0.1)].mean(axis=0), np.zeros(bands.BANDS), 0.0
    gains = np.empty_like(power)
    for now, gain in zip(power, gains, strict=True):
        ratio = np.minimum(now / noise, 1e4)
        over = kept * before + (1 - kept) * np.maximum(ratio - 1, 0)
        gain[:] = np.maximum(over / (more + over), floor)
        before = gain**2 * ratio
        likely += 0.2 * (float(np.log1p(over).mean() > speech) - likely)
        if together:
            gain[:] = likely * gain + (1 - likely) * floor
        rate = np.where(now < noise, 2 * follows, (1 - likely) * follows + likely * waits)
        noise = np.exp((1 - rate) * np.log(noise) + rate * np.log(now))
    return np.asarray(heard + 20 * np.log10(gains), np.float32)
