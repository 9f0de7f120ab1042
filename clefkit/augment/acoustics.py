"""What acousticians measure on a response: reverberation time, early decay, clarity, direct against reverberant sound.

As ISO 3382-1 has them, from backward integration (Schroeder, New method of measuring reverberation time, 1965): T20 is
three times as long as the decay takes from -5 to -25 dB, EDT six times as long as from 0 to -10 dB, by the straight
line that fits best. Octaves are cut out by Butterworth filters of third order, run backwards, so that what they ring
themselves is not measured (Jacobsen and Rindel, Time reversed decay measurements, 1987).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from clefkit.audio import Samples
from clefkit.augment.filters import Response

Floats = NDArray[np.float64]

EARLY_S = 0.08
DIRECT_S = 0.0025
T20_DB = (-5.0, -25.0)
EDT_DB = (0.0, -10.0)
LEAST_POINTS = 3


def octave(samples: Samples, rate: int, centre_hz: float) -> Floats:
    """One octave of a response, or all above half of it when it ends over half the rate. samples: (channels, taps)"""
    from scipy.signal import butter, sosfilt

    low, high = centre_hz / math.sqrt(2), centre_hz * math.sqrt(2)
    if high < 0.48 * rate:
        sections = butter(3, [low, high], "bandpass", fs=rate, output="sos")
    else:
        sections = butter(3, low, "highpass", fs=rate, output="sos")
    backwards = np.asarray(sosfilt(sections, samples[:, ::-1].astype(np.float64), axis=1))
    return backwards[:, ::-1]


def octaves_hz(rate: int) -> list[float]:
    """Centres of the octaves from 125 Hz to 8 kHz that lie under half the rate."""
    return [centre for centre in (125.0 * 2**index for index in range(7)) if centre * math.sqrt(2) < 0.48 * rate]


def decay_db(energy: Floats) -> Floats:
    """How much is still to come, relative to the whole. energy: (time,); returns: (time,), dB, falling from 0"""
    left = np.cumsum(energy[::-1])[::-1]
    with np.errstate(divide="ignore"):
        return np.asarray(10 * np.log10(left / left[0]))


def decay_time_s(energy: Floats, step_s: float, range_db: tuple[float, float] = T20_DB) -> float:
    """The time in which the energy falls by 60 dB, from the line through the part of its decay in `range_db`.

    energy: (time,), one value every `step_s`; returns: seconds, 0 when there are not three values in that part
    """
    decay = decay_db(energy)
    begin, end = (int(np.argmax(decay <= edge)) for edge in range_db)
    part = decay[begin:end]
    if end - begin < LEAST_POINTS:
        return 0.0
    time = (np.arange(len(part)) - (len(part) - 1) / 2) * step_s
    slope = float((time * part).sum() / (time**2).sum())
    return -60 / slope


def t20_s(response: Response, rate: int, centre_hz: float | None = None) -> float:
    """Of an octave, or of the whole spectrum; the mean of the channels."""
    return _mean_time(response, rate, centre_hz, T20_DB)


def edt_s(response: Response, rate: int, centre_hz: float | None = None) -> float:
    """As `t20_s`, of the first 10 dB."""
    return _mean_time(response, rate, centre_hz, EDT_DB)


def rt60_s(response: Response, rate: int) -> float:
    """The reverberation time in one number: T20, mean of the octaves at 500 Hz and 1 kHz."""
    return (t20_s(response, rate, 500.0) + t20_s(response, rate, 1000.0)) / 2


def c80_db(response: Response, rate: int) -> float:
    """Clarity: the first 80 ms against the rest, mean of the octaves at 500 Hz and 1 kHz."""
    at = response.direct + round(EARLY_S * rate)
    return _mean_ratio(response, rate, at)


def direct_to_reverberant_db(response: Response, rate: int) -> float:
    """What comes within 2.5 ms of the direct sound against all after it."""
    at = response.direct + round(DIRECT_S * rate)
    energy = (response.samples.astype(np.float64) ** 2).sum(axis=0)
    return 10 * math.log10(energy[:at].sum() / max(energy[at:].sum(), 1e-30))


def _mean_ratio(response: Response, rate: int, at: int) -> float:
    energies = [(octave(response.samples, rate, centre) ** 2).sum(axis=0) for centre in (500.0, 1000.0)]
    return sum(10 * math.log10(each[:at].sum() / max(each[at:].sum(), 1e-30)) for each in energies) / 2


def _mean_time(response: Response, rate: int, centre_hz: float | None, range_db: tuple[float, float]) -> float:
    heard = response.samples[:, response.direct :]
    part = octave(heard, rate, centre_hz) if centre_hz else heard.astype(np.float64)
    return float(np.mean([decay_time_s(channel**2, 1 / rate, range_db) for channel in part]))
