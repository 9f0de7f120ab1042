"""The regressions of the AudioCommons project: from measurements to what listeners said of a sound.

Pearce, Brookes and Mason, "Timbral attributes for sound effect library searching" (AES 2017) and AudioCommons
deliverables D5.2, D5.6 and D5.8 (2017 to 2019); the weights are those of version 0.4 (timbral_models 0.4.0), but for
those of hardness and warmth that depend on what is above 11 kHz. 0 to 100 for most sounds, not clipped.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from clefkit.tag.descriptors.attacks import Attacks
from clefkit.tag.descriptors.loudness import Loudness
from clefkit.tag.descriptors.partials import Spectrum
from clefkit.tag.descriptors.spectra import LONG, RATE, SIZE, Floats, frequencies

RUMBLE_HZ = 20.0  # what is below doesn't count
MOST_HZ = 9000.0  # where a slope is still told from what we see
LOGARITHM = 1e-6  # of nothing


def brightness(spectrum: Spectrum) -> float:
    """From the share of the energy above 2 kHz, and the centroid above 100 Hz."""
    hertz, power = frequencies(SIZE), spectrum.power
    heard = power * _high_pass(RUMBLE_HZ)
    high = heard * _high_pass(100.0)
    share = (heard @ _high_pass(2000.0)) / heard.sum()
    return 4.613128 * _log(share) + 17.378889 * _log(high @ hertz / high.sum()) + 17.434734


def hardness(attacks: Attacks, loudness: Loudness) -> float:
    """From bandwidth and centroid of the attacks, loudness around 1.5 kHz, percussive share, rise, attack time.

    The program sees attacks up to 22 kHz or more, we up to 11. So the weights of bandwidth and centroid (12.08 and
    18.52 there), the constant, and a weight for the level of attacks above 8 kHz were fitted on 255 recordings, none of
    which is a clip of the tests.
    """
    short = np.minimum(attacks.log_times, -1.0).mean()
    return float(
        6.15 * math.log10(max(attacks.bandwidth_hz, 86.0))
        + 18.29 * math.log10(max(attacks.centroid_hz, 200.0))
        + 0.21 * attacks.top_db
        + 14.139884 * _log(loudness.middle)
        + 5.567690 * _log(attacks.percussive)
        + 3.934682 * _log(attacks.rise_db)
        - 4.326891 * short
        - 56.3
    )


def roughness(spectrum: Spectrum) -> float:
    """0 below what can be heard as rough."""
    return 13.987796 * math.log10(spectrum.roughness) + 48.976066 if spectrum.roughness >= 0.01 else 0.0


def warmth(spectrum: Spectrum, loudness: Loudness) -> float:
    """From the centroid, loudness around 2.5 and 16 Bark, energy from the lowest partial to 260 Hz, and straightness.

    That is how well a straight line fits the spectrum, both on logarithmic scales, above the warm region (3.5 times the
    lowest partial). We see it up to 11 kHz and what resampling leaves there, the program up to 22 or more; so the
    constant, 45.21 in that, was moved by the mean difference on the 255 recordings.
    """
    hertz, power = frequencies(LONG), spectrum.fine_power / spectrum.fine_power.max()
    total = power.sum()
    lowest_hz = _lowest_peak_hz(power, hertz, 0.2)
    share = power[(hertz >= lowest_hz - RATE / LONG / 2) & (hertz <= 260.0)].sum() / total if lowest_hz < 260.0 else 0.0
    above = hertz > min(3.5 * lowest_hz, MOST_HZ)
    straight = _correlation(np.log(hertz[above]), np.log(power[above] + 1e-15)) ** 2
    return float(
        -4.464258 * _log(hertz @ power / total)
        - 0.088193 * loudness.high
        + 0.291565 * loudness.warm
        + 17.274734 * straight
        + 8.403340 * share
        + 49.1
    )


def depth(spectrum: Spectrum, attacks: Attacks) -> float:
    """From the centroid below 2 kHz, the share of the energy below 500 Hz, the lowest partial, how long notes last."""
    hertz, power = frequencies(SIZE), spectrum.power
    heard = power * _high_pass(RUMBLE_HZ)
    low = heard * _low_pass(2000.0)
    share = float(heard @ _low_pass(500.0) / heard.sum())
    lasting = math.log10(max(attacks.duration_s, 0.003))
    steep = share**10 / (share**10 + 0.2)
    return float(
        -0.004370357 * (low @ hertz / low.sum())
        + 32.837432 * share
        + 4.750863 * lasting
        - 14.217438 * math.log10(_lowest_peak_hz(heard, hertz, 0.01))
        + 3.878234 * share * lasting
        - 0.854483 * steep * lasting
        + 66.695344
    )


def sharpness(loudness: Loudness) -> float:
    """From Fastl's sharpness, acum."""
    return 102.505089 * math.log10(max(loudness.sharpness, 0.01)) + 34.432655


def boominess(loudness: Loudness) -> float:
    """From Hatano and Hashimoto's index, and loudness below 700 Hz."""
    return 43.674027 * math.log10(max(loudness.booming, 0.01)) - 10.900547 * _log(max(loudness.low, 0.01)) + 26.836531


def _correlation(one: Floats, other: Floats) -> float:
    one, other = one - one.mean(), other - other.mean()
    return float(one @ other / math.sqrt(max(float(one @ one) * float(other @ other), 1e-30)))


@cache
def _high_pass(corner_hz: float) -> Floats:
    """(577,): the power response of three Butterworth filters of order 2 in a row."""
    return (1 + (corner_hz / frequencies(SIZE)) ** 4) ** -3


@cache
def _low_pass(corner_hz: float) -> Floats:
    return (1 + (frequencies(SIZE) / corner_hz) ** 4) ** -3


def _log(value: float) -> float:
    return math.log10(max(value, LOGARITHM))


def _lowest_peak_hz(power: Floats, hertz: Floats, least: float) -> float:
    """The lowest peak that stands out by so much of the range of a spectrum."""
    level = (power - power.min()) / max(np.ptp(power), 1e-20)
    peaks = np.flatnonzero((level[1:-1] > level[:-2]) & (level[1:-1] >= level[2:]) & (level[1:-1] >= least)) + 1
    for peak in peaks:
        higher = np.flatnonzero(level[peak:] > level[peak])
        after = level[peak : peak + higher[0] if len(higher) else None].min()
        if level[peak] - max(after, level[:peak].min()) >= least:
            below, here, above = level[peak - 1 : peak + 2]
            return float(hertz[peak] + (above - below) / (2 * (2 * here - below - above)) * (hertz[1] - hertz[0]))
    return max(float(hertz[level.argmax()]), RUMBLE_HZ)
