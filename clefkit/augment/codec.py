"""What a lossy codec leaves of the sound: MP3 (LAME) or GSM full rate, by pedalboard, which compensates their delay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clefkit import audio
from clefkit.audio import Audio
from clefkit.augment import settings
from clefkit.errors import MissingError

if TYPE_CHECKING:
    from numpy.random import Generator

CODECS = ("mp3", "gsm")
MP3_RATES = (22_050, 32_000, 44_100, 48_000)
OTHER_RATE = 44_100

SETTINGS: settings.Table = {
    "codec": settings.Name(lambda: CODECS),
    "vbr_quality": settings.Number(0, 9.9, default=4),  # LAME's -V, for MP3: 0 is the best
}


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """raises: InputError naming the key"""
    return settings.draw(SETTINGS, given, rng)


def apply(sound: Audio, numbers: dict[str, Any]) -> Audio:
    """The same length and rate; GSM makes it mono, of 8 kHz inside.

    raises: MissingError when pedalboard lacks a system library
    """
    try:
        import pedalboard
    except ImportError as error:
        raise MissingError(f"pedalboard can't be loaded ({error}): on Debian `apt-get install libatomic1`") from error
    if numbers["codec"] == "gsm":
        mono = sound.samples.mean(axis=0, keepdims=True, dtype=np.float32)
        return Audio(pedalboard.GSMFullRateCompressor()(mono, sound.rate), sound.rate)
    inside = sound if sound.rate in MP3_RATES else audio.resample(sound, OTHER_RATE)
    coded = pedalboard.MP3Compressor(vbr_quality=numbers["vbr_quality"])(inside.samples, inside.rate)
    back = audio.resample(Audio(coded, inside.rate), sound.rate).samples
    length = sound.samples.shape[1]
    return Audio(np.pad(back, ((0, 0), (0, max(0, length - back.shape[1]))))[:, :length], sound.rate)
