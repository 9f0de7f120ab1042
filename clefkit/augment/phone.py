"""A telephone's microphone and its recording software.

Band limits (12 dB an octave below, 24 above), the resonance of the microphone's port, noise suppression (see
`suppression`; none at 0 dB), automatic gain, limiter. Gain and limiter work relative to the active level (see `level`),
as if the phone had found its range. No speech codec: it would break pitch, and a phone that records music doesn't use
one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clefkit.audio import Audio
from clefkit.augment import biquad, dynamics, level, settings, suppression

if TYPE_CHECKING:
    from numpy.random import Generator

SETTINGS: settings.Table = {
    "low_hz": settings.Number(40, 1000),
    "high_hz": settings.Number(2000, 20_000),
    "resonance_hz": settings.Number(500, 16_000),
    "resonance_db": settings.Number(0, 12),
    "resonance_q": settings.Number(0.3, 5),
    "ratio": settings.Number(1, 10),
    "release_s": settings.Number(0.1, 10),
    "ceiling_db": settings.Number(3, 40),
    "suppression_db": settings.Number(0, 15, default=0),
}
AUTOMATIC_GAIN_DB = -6.0
AUTOMATIC_ATTACK_S = 0.05
LIMITER_RELEASE_S = 0.1


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """raises: InputError naming the key"""
    return settings.draw(SETTINGS, given, rng)


def apply(sound: Audio, numbers: dict[str, Any]) -> Audio:
    # One name for all steps, so that an hour of sound is in memory no more often than it must be.
    heard = biquad.apply(sound, _microphone(numbers, sound.rate))
    if numbers["suppression_db"] > 0:
        heard = suppression.suppress(heard, numbers["suppression_db"])
    active = level.active_db(heard)
    if not np.isfinite(active):
        return heard
    threshold = active + AUTOMATIC_GAIN_DB
    heard = dynamics.compress(heard, threshold, numbers["ratio"], AUTOMATIC_ATTACK_S, numbers["release_s"])
    return dynamics.limit(heard, active + numbers["ceiling_db"], LIMITER_RELEASE_S)


def _microphone(numbers: dict[str, Any], rate: int) -> list[biquad.Section]:
    low, high, resonance = numbers["low_hz"], numbers["high_hz"], numbers["resonance_hz"]
    sections = [biquad.high_pass(low, 0.7071, rate)]
    if biquad.fits(high, rate):
        sections += [biquad.low_pass(high, q, rate) for q in biquad.BUTTERWORTH_Q]
    if biquad.fits(resonance, rate):
        sections.append(biquad.peak(resonance, numbers["resonance_db"], numbers["resonance_q"], rate))
    return sections
