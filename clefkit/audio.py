"""Sound as samples: reading, writing, resampling.

Audio is float32, `(channels, samples)`, full scale at -1 and 1, with its rate in Hz beside it. soundfile (libsndfile)
reads WAV, FLAC, OGG and MP3; anything else goes through an `ffmpeg` program when one is installed.
Resampling is soxr's ("HQ"), whole or in blocks.
"""

from __future__ import annotations

import io
import math
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from clefkit.errors import InputError, MissingError

Samples = NDArray[np.float32]

NATIVE_SUFFIXES = {".wav", ".flac", ".ogg", ".oga", ".mp3", ".aif", ".aiff"}
FFMPEG_LIMIT_S = 600
SHORTEST_S = 0.05
MOST_CHANNELS = 2
RATES_HZ = (11_025, 96_000)
LONGEST_WHOLE_S = 2 * 3600
PEAK_BLOCK = 1 << 18
WRITE_BLOCK = 1 << 18


class Audio(NamedTuple):
    """Sound in memory. samples: (channels, samples), float32, -1 to 1; rate: Hz."""

    samples: Samples
    rate: int

    @property
    def duration_s(self) -> float:
        return float(self.samples.shape[1] / self.rate)


class Shape(NamedTuple):
    """What a file says of itself before it is decoded."""

    channels: int
    frames: int
    rate: int


def read(path: Path) -> Audio:
    """Read a whole file.

    returns: (channels, samples), float32, at the file's own rate
    raises: InputError when the file is not sound we can use (see `blocks`), or longer than two hours
    """
    with _opened(path) as file:
        if file.frames > LONGEST_WHOLE_S * file.samplerate:
            raise InputError(f"longer than {LONGEST_WHOLE_S // 3600} hours: cut it into parts first")
        samples = np.asarray(file.read(dtype="float32", always_2d=True).T, dtype=np.float32, order="C")
        return Audio(_finite(samples), int(file.samplerate))


def blocks(path: Path, rate: int, block_s: float = 10.0) -> Iterator[Samples]:
    """Read a file of any length as mono at `rate`, block by block, in bounded memory.

    yields: (samples,), float32; the mean of the channels; lengths vary by a few samples from block to block
    raises: InputError when the file is not sound we can use: no audio, shorter than 50 ms, more than two channels,
        a rate outside 11,025 to 96,000 Hz, or samples that are not numbers
    """
    with _opened(path) as file:
        resampler = soxr.ResampleStream(file.samplerate, rate, 1, dtype="float32")
        left = file.frames
        while left > 0:
            block = np.asarray(
                file.read(int(block_s * file.samplerate), dtype="float32", always_2d=True), dtype=np.float32
            )
            left -= len(block)
            last = left <= 0 or len(block) == 0
            if len(block):
                _finite(block)
            yield resampler.resample_chunk(block.mean(axis=1, dtype=np.float32), last=last)
            if last:
                return


def shape(path: Path) -> Shape:
    """Channels, frames and rate, without decoding. Raises InputError as `blocks` does."""
    with _opened(path) as file:
        return Shape(int(file.channels), int(file.frames), int(file.samplerate))


def write(path: Path, audio: Audio, kind: str = "wav") -> None:
    """Write 16-bit WAV or FLAC. Samples outside -1 to 1 are clipped; the caller keeps its headroom.

    kind: "wav" or "flac" (the name of `path` does not matter)
    raises: OSError when the disk is full; libsndfile would not notice, so the bytes go through Python
    """
    buffer = io.BytesIO()
    channels, length = audio.samples.shape
    with soundfile.SoundFile(buffer, "w", audio.rate, channels, "PCM_16", format=kind.upper()) as file:
        for start in range(0, length, WRITE_BLOCK):
            file.write(np.clip(audio.samples[:, start : start + WRITE_BLOCK].T, -1.0, 1.0))
    path.write_bytes(buffer.getbuffer())


def resample(audio: Audio, rate: int) -> Audio:
    """The same sound at another rate (Hz), by soxr. The length is `round(samples * rate / audio.rate)`."""
    if rate == audio.rate:
        return audio
    samples = soxr.resample(audio.samples.T, audio.rate, rate)
    return Audio(np.ascontiguousarray(samples.T, dtype=np.float32), rate)


def true_peak_db(samples: Samples) -> float:
    """The highest peak between samples, by fourfold oversampling (ITU-R BS.1770-4, annex 2).

    samples: (channels, samples), any rate
    returns: dBTP, 0 at full scale; -inf for silence. soxr's filter is steeper than the one in the annex, which may read
        up to 0.6 dB less near the top of the band
    """
    stream = soxr.ResampleStream(1, 4, samples.shape[0], dtype="float32")
    peak = float(np.abs(samples).max(initial=0.0))
    for start in range(0, samples.shape[1], PEAK_BLOCK):
        block = np.ascontiguousarray(samples[:, start : start + PEAK_BLOCK].T)
        between = stream.resample_chunk(block, last=start + PEAK_BLOCK >= samples.shape[1])
        peak = max(peak, float(np.abs(between).max(initial=0.0)))
    return 20 * math.log10(peak) if peak > 0 else -math.inf


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    if path.suffix.lower() in NATIVE_SUFFIXES:
        with _sound_file(path) as file:
            yield file
    else:
        with tempfile.TemporaryDirectory(prefix="clefkit-") as folder:
            wav = Path(folder) / "decoded.wav"
            _decode_with_ffmpeg(path, wav)
            with _sound_file(wav) as file:
                yield file


@contextmanager
def _sound_file(path: Path) -> Iterator[soundfile.SoundFile]:
    try:
        with soundfile.SoundFile(str(path)) as file:
            _check(file)
            yield file
    except soundfile.LibsndfileError as error:
        if not path.is_file():
            raise InputError("no such file") from error
        raise InputError(f"not a sound file we can read ({str(error.error_string).rstrip('.').lower()})") from error


def _check(file: soundfile.SoundFile) -> None:
    low, high = RATES_HZ
    if not low <= file.samplerate <= high:
        raise InputError(f"sampled at {file.samplerate} Hz, outside {low} to {high} Hz: resample it first")
    if file.channels > MOST_CHANNELS:
        raise InputError(f"{file.channels} channels: mix it down to mono or stereo first")
    if file.frames < SHORTEST_S * file.samplerate:
        raise InputError(f"only {file.frames} samples long, need at least {SHORTEST_S * 1000:.0f} ms")


def _finite(samples: Samples) -> Samples:
    if not np.isfinite(samples).all():
        raise InputError("holds samples that are not numbers (NaN or infinity): export it again")
    return samples


def _decode_with_ffmpeg(path: Path, wav: Path) -> None:
    if not path.is_file():
        raise InputError("no such file")
    program = shutil.which("ffmpeg")
    if program is None:
        raise MissingError(
            f"{path.suffix or 'this kind of'} files need the program ffmpeg: install it, or convert to wav"
        )
    command = [program, "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe", "-i", f"file:{path}"]
    command += ["-map", "0:a:0", "-c:a", "pcm_f32le", "-rf64", "auto", "-y", str(wav)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=FFMPEG_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(f"ffmpeg took longer than {FFMPEG_LIMIT_S} s") from error
    if done.returncode != 0:
        raise InputError("no audio track that ffmpeg can read in this file")
