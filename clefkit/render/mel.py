"""Log-mel spectrograms, for those who train on them: the numbers of librosa's `melspectrogram` and `power_to_db`.

Power in bands that are spaced like pitch as it is heard, each band a triangle of area one (Slaney 1998, "Auditory
toolbox"), in dB: 10 log10 of the power of the windowed spectrum, not scaled by the window. Frame t is centred on
sample `hop * t`; before and after the sound there are zeros. The defaults are those of Kong et al. 2021,
"High-resolution piano transcription with pedals": 100 frames a second, 229 bands.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.audio import Audio
from clefkit.errors import InputError

Array = NDArray[np.float32]

CHUNK = 256  # frames
BLOCK_S = 10
FORMULAS = ("slaney", "htk")


class Settings(NamedTuple):
    """rate, low_hz, high_hz: Hz; fft, hop: samples; bins: bands; formula: "slaney" or "htk", of the mel scale."""

    rate: int = 16_000
    fft: int = 2048
    hop: int = 160
    bins: int = 229
    low_hz: float = 30.0
    high_hz: float = 8000.0
    floor_db: float = -100.0
    formula: str = "slaney"


def write(path: Path, sound: Audio, settings: Settings = Settings()) -> dict[str, Any]:  # noqa: B008 a tuple of numbers
    """Write the log-mel spectrogram as .npy: (frames, bins), float16, dB.

    returns: the settings, and the number of frames, for the record
    raises: as `stream` does
    """
    frames = _length(sound, settings.rate) // settings.hop + 1
    head = {"descr": "<f2", "fortran_order": False, "shape": (frames, settings.bins)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, head)
        for piece in stream(sound, settings):
            file.write(np.ascontiguousarray(piece, "<f2").data)
    return {**settings._asdict(), "frames": frames}


def stream(sound: Audio, settings: Settings = Settings()) -> Iterator[Array]:  # noqa: B008
    """The log-mel spectrogram of the mean of the channels, piece by piece, in bounded memory.

    yields: (frames, bins), float32, dB; `samples // hop + 1` frames in all, of the samples at the settings' rate
    raises: InputError when the settings make no filter bank
    """
    from scipy import fft

    _check(settings)
    weights = filters(settings)
    window = np.hanning(settings.fft + 1)[:-1].astype(np.float32)
    floor = np.float32(10 ** (settings.floor_db / 10))
    for piece in _pieces(sound, settings):
        frames = np.lib.stride_tricks.sliding_window_view(piece, settings.fft)[:: settings.hop]
        spectrum = np.asarray(fft.rfft(frames * window, axis=-1), np.complex64)
        power = (spectrum.real**2 + spectrum.imag**2) @ weights
        yield np.asarray(10 * np.log10(np.maximum(power, floor)), np.float32)


def filters(settings: Settings) -> Array:
    """(fft // 2 + 1, bins), float32: how much each frequency of the spectrum adds to each band."""
    lowest, highest = _mel(np.array([settings.low_hz, settings.high_hz]), settings).tolist()
    edges = _hz(np.linspace(lowest, highest, settings.bins + 2), settings)
    grid = np.fft.rfftfreq(settings.fft, 1 / settings.rate)[:, None]
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((grid - low) / (middle - low), (high - grid) / (high - middle))
    return np.asarray(np.maximum(triangles, 0) * 2 / (high - low), np.float32)


def _check(settings: Settings) -> None:
    if settings.formula not in FORMULAS:
        raise InputError(f"no mel formula is called {settings.formula}: give {' or '.join(FORMULAS)}")
    if not 0 <= settings.low_hz < settings.high_hz <= settings.rate / 2:
        raise InputError(f"mel bands need 0 <= lowest < highest <= {settings.rate / 2:g} Hz, half the rate")
    if min(settings.fft, settings.hop, settings.bins) < 1:
        raise InputError("a mel spectrogram needs an fft, a hop and a number of bins of at least 1")


def _length(sound: Audio, rate: int) -> int:
    samples: int = sound.samples.shape[1]
    return round(samples * rate / sound.rate)


def _pieces(sound: Audio, settings: Settings) -> Iterator[Array]:
    """What 256 frames see, and the rest: the frames of one piece end where those of the next begin."""
    margin, length = settings.fft // 2, _length(sound, settings.rate)
    step = CHUNK * settings.hop
    needed = step - settings.hop + settings.fft
    waiting, come = np.zeros(margin, np.float32), 0
    for block in _mono(sound, settings.rate):
        kept = block[: length - come]
        come += len(kept)
        waiting = np.concatenate([waiting, kept])
        while len(waiting) >= needed + settings.hop:  # one hop more: so the last piece is never empty
            yield waiting[:needed]
            waiting = waiting[step:]
    left = len(waiting) - margin + length - come  # also what soxr may not have given
    frames = left // settings.hop + 1
    rest = np.zeros((frames - 1) * settings.hop + settings.fft, np.float32)
    rest[: len(waiting)] = waiting[: len(rest)]
    yield rest


def _mono(sound: Audio, rate: int) -> Iterator[Array]:
    import soxr

    stream = soxr.ResampleStream(sound.rate, rate, 1, dtype="float32")
    size, length = BLOCK_S * sound.rate, sound.samples.shape[1]
    for start in range(0, max(length, 1), size):
        block = sound.samples[:, start : start + size].mean(axis=0, dtype=np.float32)
        yield stream.resample_chunk(block, last=start + size >= length)


def _mel(hz: NDArray[np.float64], settings: Settings) -> NDArray[np.float64]:
    if settings.formula == "htk":
        return np.asarray(2595 * np.log10(1 + hz / 700))
    return np.asarray(np.where(hz < 1000, hz * 3 / 200, 15 + np.log(np.maximum(hz, 1000) / 1000) * 27 / np.log(6.4)))


def _hz(mel: NDArray[np.float64], settings: Settings) -> NDArray[np.float64]:
    if settings.formula == "htk":
        return np.asarray(700 * (10 ** (mel / 2595) - 1))
    return np.asarray(np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((np.maximum(mel, 15) - 15) * np.log(6.4) / 27)))
