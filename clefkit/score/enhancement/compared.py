"""All measures of one pair of sounds, both mono at 44.1 kHz."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clefkit import audio
from clefkit.errors import InputError
from clefkit.score.enhancement import RATE, align, dynamics, spectra
from clefkit.score.enhancement.align import Sound

SILENCE = 1e-16  # mean power, under the last bit of 24
QUIETEST_LUFS = -70.0  # the gate of BS.1770: what is below counts as that


def scores(reference: Sound, estimate: Sound) -> dict[str, Any]:
    """What `compare` returns. reference, estimate: (samples,)

    raises: InputError when the reference is silent
    """
    if _power(reference) < SILENCE:
        raise InputError("the reference is silent")
    found = align.correlation(reference, estimate)
    lag = align.lag(found)
    restored = audio.piece(estimate[None], lag, lag + len(reference))[0]
    difference = _lufs(restored) - _lufs(reference)
    gain = _gain(reference, restored)
    restored *= np.float32(gain)
    curve = dynamics.compared(reference, restored)
    if "loudness_slope" in curve:
        curve["loudness_slope_error"] = abs(curve["loudness_slope"] - 1.0)
    return {
        **spectra.distances(reference, restored),
        **curve,
        "si_sdr_aligned": align.si_sdr(reference, estimate, found),
        "loudness_error": abs(difference),
        "loudness_difference": difference,
        "lag_ms": lag / RATE * 1000,
        "gain_db": 20 * math.log10(gain),
    }


def _gain(reference: Sound, estimate: Sound) -> float:
    """What brings the estimate to the reference's root mean square; 1 for silence."""
    power = _power(estimate)
    return math.sqrt(_power(reference) / power) if power >= SILENCE else 1.0


def _power(sound: Sound) -> float:
    return float(np.einsum("t,t->", sound, sound, dtype=np.float64)) / len(sound)  # without a copy in float64


def _lufs(sound: Sound) -> float:
    return max(audio.loudness(sound[None], RATE), QUIETEST_LUFS)
