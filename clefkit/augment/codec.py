"""What a lossy codec leaves of the sound.

MP3 (LAME) and GSM full rate by pedalboard, Opus, Vorbis and G.711 mu-law by libsndfile; both take back what a codec
delays. The telephone's codecs, GSM and mu-law, make the sound mono, of 8 kHz inside.
A codec hears the sound at a peak of -1 dB, as a mastered file has it: what it leaves does not depend on the level.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from clefkit import audio
from clefkit.audio import Audio
from clefkit.augment import settings
from clefkit.errors import MissingError

if TYPE_CHECKING:
    import types

    from numpy.random import Generator

MP3_RATES = (22_050, 32_000, 44_100, 48_000)
OTHER_MP3_RATE = 44_100
OPUS_RATES = (8000, 12_000, 16_000, 24_000, 48_000)
OGG_RATE = 48_000
TELEPHONE_RATE = 8000
# libsndfile's compression level is 0 at the higher of these, 1 at the lower one. Opus: kbit/s of one channel.
OPUS_KBPS = (6.0, 256.0)
# Vorbis: kbit/s of a stereo stream of 44.1 kHz at quality 0, 1, ... 10, as libvorbis lists them.
VORBIS_KBPS = (64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 500)
PEAK = 10 ** (-1 / 20)
BLOCK = 2**14  # libvorbis takes what it is given in one call onto the stack


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """raises: InputError naming the key"""
    return settings.draw(SETTINGS, given, rng)


def apply(sound: Audio, numbers: dict[str, Any]) -> Audio:
    """The same length and rate; silence stays silence.

    raises: MissingError when pedalboard lacks a system library, or libsndfile the codec
    """
    code = CODECS[numbers["codec"]]
    mono = code in (_gsm, _mu_law)
    samples = sound.samples.mean(axis=0, keepdims=True, dtype=np.float32) if mono else sound.samples
    peak = max(float(samples.max(initial=0)), -float(samples.min(initial=0)))
    if peak == 0:
        return Audio(np.zeros_like(samples), sound.rate)
    coded = code(Audio(samples * np.float32(PEAK / peak), sound.rate), numbers)
    back = audio.piece(audio.resample(coded, sound.rate).samples, 0, samples.shape[1])
    return Audio(np.multiply(back, np.float32(peak / PEAK), out=back), sound.rate)


def _mp3(sound: Audio, numbers: dict[str, Any]) -> Audio:
    inside = sound if sound.rate in MP3_RATES else audio.resample(sound, OTHER_MP3_RATE)
    coder = _pedalboard().MP3Compressor(vbr_quality=numbers["vbr_quality"])
    return Audio(coder(inside.samples, inside.rate), inside.rate)


def _gsm(sound: Audio, _numbers: dict[str, Any]) -> Audio:
    return Audio(_pedalboard().GSMFullRateCompressor()(sound.samples, sound.rate), sound.rate)


def _opus(sound: Audio, numbers: dict[str, Any]) -> Audio:
    inside = sound if sound.rate in OPUS_RATES else audio.resample(sound, OGG_RATE)
    low, high = OPUS_KBPS
    return _ogg(inside, "OPUS", 1 - (numbers["kbps"] / 2 - low) / (high - low))


def _vorbis(sound: Audio, numbers: dict[str, Any]) -> Audio:
    inside = sound if sound.rate <= OGG_RATE else audio.resample(sound, OGG_RATE)
    quality = float(np.interp(numbers["kbps"], VORBIS_KBPS, np.arange(len(VORBIS_KBPS)) / 10))
    return _ogg(inside, "VORBIS", 1 - quality)


def _mu_law(sound: Audio, _numbers: dict[str, Any]) -> Audio:
    import soundfile

    inside, buffer = audio.resample(sound, TELEPHONE_RATE), io.BytesIO()
    soundfile.write(buffer, inside.samples.T, TELEPHONE_RATE, "ULAW", format="AU")
    return _decoded(buffer)


def _ogg(sound: Audio, subtype: str, compression: float) -> Audio:
    import soundfile

    buffer, channels = io.BytesIO(), len(sound.samples)
    try:
        file = soundfile.SoundFile(
            buffer, "w", sound.rate, channels, subtype, format="OGG", compression_level=compression
        )
    except soundfile.LibsndfileError as error:
        can = "`pip install --upgrade soundfile` brings one that can"
        raise MissingError(f"the installed libsndfile can't write {subtype.capitalize()}: {can}") from error
    with file:
        for start in range(0, sound.samples.shape[1], BLOCK):
            file.write(sound.samples[:, start : start + BLOCK].T)
    return _decoded(buffer)


def _decoded(buffer: io.BytesIO) -> Audio:
    import soundfile

    buffer.seek(0)
    samples, rate = soundfile.read(buffer, dtype="float32", always_2d=True)
    return Audio(np.ascontiguousarray(samples.T, np.float32), int(rate))


def _pedalboard() -> types.ModuleType:
    try:
        import pedalboard
    except ImportError as error:
        raise MissingError(f"pedalboard can't be loaded ({error}): on Debian `apt-get install libatomic1`") from error
    return pedalboard


CODECS: dict[str, Callable[[Audio, dict[str, Any]], Audio]] = {
    "mp3": _mp3,
    "gsm": _gsm,
    "opus": _opus,
    "vorbis": _vorbis,
    "ulaw": _mu_law,
}
SETTINGS: settings.Table = {
    "codec": settings.Name(CODECS.keys),
    "vbr_quality": settings.Number(0, 9.9, default=4),  # LAME's -V, for MP3: 0 is the best
    "kbps": settings.Number(12, 500, default=128),  # of a stereo stream, for Opus and Vorbis (64 at least); mono: half
}
