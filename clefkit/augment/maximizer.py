"""Mastering to a loudness: gain into a limiter until the integrated loudness (ITU-R BS.1770-4) is the one asked for.

The true peak stays under -1 dB, so the output gain that comes after the chain has nothing to do. How much gain that
takes depends on the sound: it is found by the secant method in a few rounds, to within 0.1 LU where music can be as
loud as that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clefkit import audio
from clefkit.audio import Audio
from clefkit.augment import dynamics, settings

if TYPE_CHECKING:
    from numpy.random import Generator

SETTINGS: settings.Table = {
    "lufs": settings.Number(-40, -6),
    "release_s": settings.Number(0.01, 10, default=0.1),
}
CEILING_DB = -1.02  # what a true peak is; a little more than the -1 dB that a chain's end holds
NEAR_LU = 0.1
MOST_LIMITED_DB = 15.0
LEAST_SLOPE = 0.2
ROUNDS = 8


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """raises: InputError naming the key"""
    return settings.draw(SETTINGS, given, rng)


def apply(sound: Audio, numbers: dict[str, Any]) -> Audio:
    """As loud as asked, or as loud as a limiter makes it that takes 15 dB away. Silence stays as it is."""
    now, asked = audio.loudness(sound.samples, sound.rate), numbers["lufs"]
    if not np.isfinite(now):
        return sound
    gain_db = step_db = asked - now
    most_db, heard = gain_db + MOST_LIMITED_DB, sound
    for _ in range(ROUNDS):
        heard = _limited(sound, gain_db, numbers["release_s"])
        before, now = now, audio.loudness(heard.samples, heard.rate)
        if abs(asked - now) < NEAR_LU or gain_db >= most_db:
            break
        slope = (now - before) / step_db if step_db else 1.0  # by how much a dB of gain makes it louder
        step_db = min((asked - now) / min(max(slope, LEAST_SLOPE), 1.0), most_db - gain_db)
        gain_db += step_db
    return heard


def _limited(sound: Audio, gain_db: float, release_s: float) -> Audio:
    louder = Audio(sound.samples * np.float32(10 ** (gain_db / 20)), sound.rate)
    heard = dynamics.limit(louder, CEILING_DB, release_s)
    over_db = max(audio.true_peak_db(heard.samples) - CEILING_DB, 0.0)
    heard.samples[:] *= np.float32(10 ** (-over_db / 20))
    return heard
