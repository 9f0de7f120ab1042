"""All measures of one pair of sounds, both mono at 44.1 kHz."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clefkit import audio
from clefkit.errors import InputError
from clefkit.score.enhancement import RATE, align, dynamics, spectra
from clefkit.score.enhancement.align import Sound

QUIETEST_LUFS = -70.0  # the gate of BS.1770: what is below counts as that


def scores(reference: Sound, estimate: Sound) -> dict[str, Any]:
    """What `compare` returns. reference, estimate: (samples,)

    raises: InputError when the reference is silent
    """
    if not reference.any():
        raise InputError("the reference is silent")
    found = align.correlation(reference, estimate)
    lag = align.lag(found)
    restored = audio.piece(estimate[None], lag, lag + len(reference))[0]
    gain = _gain(reference, restored)
    restored *= np.float32(gain)
    curve = dynamics.compared(reference, restored)
    difference = _lufs(estimate) - _lufs(reference)
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
    energies = [float(np.square(sound, dtype=np.float64).sum()) for sound in (reference, estimate)]
    return math.sqrt(energies[0] / energies[1]) if energies[1] > 0 else 1.0


def _lufs(sound: Sound) -> float:
    return max(audio.loudness(sound[None], RATE), QUIETEST_LUFS)
