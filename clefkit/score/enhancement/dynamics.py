"""Loudness in the course of time: whether what is loud and soft in the reference is so in the estimate.

Loudness is the level in dB of 200 ms, every 50 ms, after a weighting in the manner of BS.1770's: a high-pass at 60 Hz
(Butterworth, second order), then .58 of a first-order high-pass at 1.5 kHz added, which lifts high sound by 4 dB. Only
windows within 40 dB of the reference's loudest count. Automatic gain flattens the slope of the estimate's loudness over
the reference's; gain that comes late lowers their correlation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from clefkit.score.enhancement import RATE
from clefkit.score.enhancement.align import Sound

HOP = RATE // 20
HOPS_A_WINDOW = 4
WITHIN_DB = 40.0
FLOOR_DB = 70.0  # under the reference's loudest; as low as silence in the estimate gets
STEADY_DB = 0.1  # a reference whose loudness spreads less than this has no dynamics to restore
NOTHING_DB = 1e-9  # rounding
HOPS_AT_ONCE = 200
HIGH_PASS, SHELF = (2, 60.0), (1, 1500.0)  # orders and edges, Hz
SHELF_GAIN = 0.58

Values = NDArray[np.float64]


def compared(reference: Sound, estimate: Sound) -> dict[str, float]:
    """Of sounds of one length and level: "loudness_correlation", "loudness_slope", "loudness_rms" (dB, the deviation).

    All are absent where fewer than three windows count, the first two where the reference is steady.
    """
    true, found = powers(reference), powers(estimate)
    loudest = true.max()
    loud = true >= loudest * 10 ** (-WITHIN_DB / 10)
    lowest = loudest * 10 ** (-FLOOR_DB / 10)
    levels = [10 * np.log10(np.maximum(side[loud], lowest)) for side in (true, found)]
    if len(levels[0]) < 3:
        return {}
    values = {"loudness_rms": float(np.std(levels[1] - levels[0]))}
    spread, other = (float(np.std(side)) for side in levels)
    if spread < STEADY_DB:
        return values
    product = float(np.mean((levels[0] - levels[0].mean()) * (levels[1] - levels[1].mean())))
    correlation = product / (spread * other) if other > NOTHING_DB else 0.0
    return {"loudness_correlation": correlation, "loudness_slope": product / spread**2, **values}


def powers(sound: Sound) -> Values:
    """Weighted mean power of each window. returns: (windows,); one window when the sound is shorter than 200 ms"""
    filters = [np.asarray(butter(*each, "highpass", fs=RATE, output="sos")) for each in (HIGH_PASS, SHELF)]
    states = [np.zeros((len(each), 2)) for each in filters]
    hops = max(len(sound) // HOP, 1)
    energies = []
    for start in range(0, hops * HOP, HOPS_AT_ONCE * HOP):
        part = sound[start : min(start + HOPS_AT_ONCE * HOP, hops * HOP)].astype(np.float64)
        middle, states[0] = sosfilt(filters[0], part, zi=states[0])
        high, states[1] = sosfilt(filters[1], middle, zi=states[1])
        energy = np.square(middle + SHELF_GAIN * high)
        energies.append(np.pad(energy, (0, -len(energy) % HOP)).reshape(-1, HOP).mean(axis=1))
    found = np.concatenate(energies)
    window = np.full(min(HOPS_A_WINDOW, hops), 1 / min(HOPS_A_WINDOW, hops))
    return np.convolve(found, window, mode="valid")
