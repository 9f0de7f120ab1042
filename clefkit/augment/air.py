"""Air at 20 degrees, half saturated with water, at sea level: how fast sound is in it, and how much it takes away."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SPEED_M_S = 343.0  # as pyroomacoustics has it, whose rays are that fast
KELVIN, HUMIDITY_PERCENT = 293.15, 50.0


def absorption_db(frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a metre of air takes away, in dB. Formulas (3) to (5) of ISO 9613-1 and (B.3).

    frequency_hz: (n,); returns: (n,), 0.0047 at 1 kHz, 0.105 at 8 kHz
    """
    saturation = 10 ** (-6.8346 * (273.16 / KELVIN) ** 1.261 + 4.6151)
    water = HUMIDITY_PERCENT * saturation  # in per cent of molecules
    oxygen_hz = 24 + 4.04e4 * water * (0.02 + water) / (0.391 + water)
    nitrogen_hz = 9 + 280 * water  # both at 20 degrees, the temperature of reference
    square = frequency_hz**2
    relaxing = 0.01275 * math.exp(-2239.1 / KELVIN) / (oxygen_hz + square / oxygen_hz)
    relaxing = relaxing + 0.1068 * math.exp(-3352 / KELVIN) / (nitrogen_hz + square / nitrogen_hz)
    return np.asarray(8.686 * square * (1.84e-11 + relaxing), np.float64)
