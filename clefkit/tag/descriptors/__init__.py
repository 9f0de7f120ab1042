"""What a sound is like: thirteen numbers for its timbre, the same at any recording level.

The first seven follow the models of the AudioCommons project (Pearce, Brookes and Mason, deliverables D5.2, D5.6 and
D5.8, 2017 to 2019), which were fitted to what listeners said: mostly 0 to 100, not clipped. The regressions are those
of timbral_models 0.4.0, the measurements are our own, made for speed and from what is below 11 kHz. So numbers are a
few points off that program's, but sounds come in the same order: `benchmarks/descriptors.py` says how nearly.

| name | unit and range | what was changed |
|---|---|---|
| brightness | 0 to 100 | nothing |
| hardness | 0 to 100 | the weights of bandwidth and centroid were fitted anew, with the level above 8 kHz |
| roughness | 0 to 100 | a partial is paired with the next four only |
| warmth | 0 to 100 | one spectrum for the whole sound, where that has one for each note; the constant |
| depth | 0 to 100 | nothing |
| sharpness | 0 to 100 | the band at 12.5 kHz is guessed |
| boominess | 0 to 100 | nothing |

The others have no model there.

| name | unit and range | definition |
|---|---|---|
| noisiness | 0 (tones) to 1 (white noise) | flatness in third octaves, after MPEG-7 (ISO/IEC 15938-4) |
| punchiness | dB, from 0 | our own: the level (K-weighted) that a twentieth of 93 ms windows exceed, over the mean |
| log_attack_time | log10 of seconds, -4 to 1 | Peeters 2004, MPEG-7; the mean of the notes |
| spectral_centroid | Hz, 0 to 11,025 | Peeters et al. 2011; of magnitudes, so loud moments count more |
| spectral_flux | 0 (steady) to 1 | Peeters et al. 2011, "spectral variation"; windows of 52 ms, 26 ms apart |
| inharmonicity | 0 (harmonic) to 1; 0.5 for noise | Peeters et al. 2011 |

(Peeters, "A large set of audio features for sound description", 2004; Peeters, Giordano, Susini, Misdariis and McAdams,
"The Timbre Toolbox: extracting audio descriptors from musical signals", JASA 130, 2011.)

Silence, and what is shorter than 23 ms, has none of these: nan. Of a sound longer than a minute every minute is
described, and the numbers are averaged, weighted by duration and amplitude.
"""

from __future__ import annotations

import math

import numpy as np
import soxr

from clefkit.tag.descriptors import attacks as attack
from clefkit.tag.descriptors import loudness as loud
from clefkit.tag.descriptors import models, partials, spectra
from clefkit.tag.descriptors.spectra import Array, Floats
from clefkit.tag.vocabulary import DESCRIBED

NAMES = tuple(DESCRIBED)
RATE = spectra.RATE
PART = 323 * 4096  # samples described at once, a minute
SHORTEST = 512
SILENCE = 1e-5  # full scale is 1
TINY = 1e-30


def describe(sound: Array, rate: int = RATE) -> Floats:
    """The descriptors of a whole sound.

    sound: (samples,), float32, mono; rate: Hz, any
    returns: (13,), in the order of NAMES; nan where undefined
    """
    describer = Describer(rate)
    describer.push(sound)
    return describer.result()


class Describer:
    """The descriptors of a sound that arrives in blocks, in bounded memory; the same numbers however it was cut."""

    def __init__(self, rate: int = RATE) -> None:
        self._resampler = soxr.ResampleStream(rate, RATE, 1, dtype="float32") if rate != RATE else None
        self._part = np.empty(PART, np.float32)
        self._filled = 0
        self._sums, self._weights = np.zeros((2, len(NAMES)))

    def push(self, block: Array) -> None:
        """block: (samples,), float32, mono, at the rate; any length"""
        self._take(block if self._resampler is None else self._resampler.resample_chunk(block))

    def result(self) -> Floats:
        """The descriptors of all that was pushed, (13,); after that nothing can be pushed."""
        if self._resampler is not None:
            self._take(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        self._describe(self._part[: self._filled])
        return np.where(self._weights > 0, self._sums / np.maximum(self._weights, TINY), np.nan)

    def _take(self, block: Array) -> None:
        while len(block):
            piece = block[: PART - self._filled]
            self._part[self._filled : self._filled + len(piece)] = piece
            self._filled += len(piece)
            block = block[len(piece) :]
            if self._filled == PART:
                self._describe(self._part)
                self._filled = 0

    def _describe(self, part: Array) -> None:
        if len(part) < SHORTEST or (peak := float(np.abs(part).max())) < SILENCE:
            return
        scaled = part * np.float32(1 / peak)
        numbers = _numbers(scaled)
        weights = np.isfinite(numbers) * (peak * math.sqrt(len(part) * np.einsum("i,i->", scaled, scaled)))
        self._sums += np.nan_to_num(numbers) * weights
        self._weights += weights


def _numbers(sound: Array) -> Floats:
    """(samples,), with a peak of 1 -> (13,)"""
    seen = spectra.see(sound)
    loudness = loud.measure(sound)
    attacks = attack.measure(seen, loudness.gain)
    spectrum = partials.measure(sound, seen.inside, loudness.gain)
    numbers = {
        "brightness": models.brightness(spectrum),
        "hardness": models.hardness(attacks, loudness),
        "roughness": models.roughness(spectrum),
        "warmth": models.warmth(spectrum, loudness),
        "depth": models.depth(spectrum, attacks),
        "sharpness": models.sharpness(loudness),
        "boominess": models.boominess(loudness),
        "noisiness": spectrum.noisiness,
        "punchiness": loudness.punch_db,
        "log_attack_time": float(attacks.log_times.mean()),
        "spectral_centroid": spectrum.centroid_hz,
        "spectral_flux": attacks.flux,
        "inharmonicity": spectrum.inharmonicity,
    }
    return np.array([numbers[name] for name in NAMES])
