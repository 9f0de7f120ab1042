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
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from clefkit import wavefile
from clefkit.errors import InputError, MissingError

if TYPE_CHECKING:
    import soundfile

Samples = NDArray[np.float32]

NATIVE_SUFFIXES = {".wav", ".flac", ".ogg", ".oga", ".mp3", ".aif", ".aiff"}
FFMPEG_LIMIT_S = 600
SHORTEST_S = 0.05
MOST_CHANNELS = 2
RATES_HZ = (8000, 192_000)
LONGEST_WHOLE_S = 2 * 3600
MOST_FRAMES = LONGEST_WHOLE_S * 48_000  # stereo has 2.8 GB then, and effects need it several times
PEAK_BLOCK = 1024
PEAK_MARGIN = 128
PEAK_RISE = 0.7
PEAKS_AT_ONCE = 256
LUFS_OFFSET = -0.691
ABSOLUTE_GATE_LUFS = -70.0
HOPS_AT_ONCE = 100
# The analog prototypes behind the coefficients of BS.1770-4.
SHELF_HZ, SHELF_DB, SHELF_Q = 1681.974450955533, 3.999843853973347, 0.7071752369554196
HIGH_PASS_HZ, HIGH_PASS_Q = 38.13547087602444, 0.5003270373238773
WRITE_BLOCK = 1 << 14  # larger ones are given back to the system after each use, and cost as much again


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
    raises: InputError when the file is not sound we can use (see `blocks`), or longer than two hours (at rates above
        48 kHz in proportion less)
    """
    with _opened(path) as file:
        longest_s = min(LONGEST_WHOLE_S, MOST_FRAMES / file.samplerate)
        if file.frames > longest_s * file.samplerate:
            raise InputError(
                f"longer than {longest_s / 60:.0f} minutes at {file.samplerate} Hz: cut it into parts first"
            )
        samples = np.asarray(file.read(dtype="float32", always_2d=True).T, dtype=np.float32, order="C")
        return Audio(_finite(samples), int(file.samplerate))


def blocks(path: Path, rate: int, block_s: float = 10.0) -> Iterator[Samples]:
    """Read a file of any length as mono at `rate`, block by block, in bounded memory.

    yields: (samples,), float32; the mean of the channels; lengths vary by a few samples from block to block
    raises: InputError when the file is not sound we can use: no audio, shorter than 50 ms, more than two channels,
        a rate outside 8,000 to 192,000 Hz, or samples that are not numbers
    """
    with _opened(path) as file:
        for block in _resampled(file, rate, 1, int(block_s * file.samplerate)):
            yield block[:, 0]


def chunks(path: Path, rate: int, channels: int, size: int) -> Iterator[Samples]:
    """Read a file of any length at `rate` in chunks of exactly `size` samples, in bounded memory.

    channels: 1 is the mean of the file's channels; 2 has the one channel of a mono file twice
    yields: (channels, size), float32; the last one may be shorter
    raises: as `blocks`
    """
    with _opened(path) as file:
        waiting = np.zeros((0, channels), np.float32)
        for block in _resampled(file, rate, channels, size):
            waiting = np.concatenate([waiting, block])
            while len(waiting) >= size:
                yield np.ascontiguousarray(waiting[:size].T)
                waiting = waiting[size:]
        if len(waiting):
            yield np.ascontiguousarray(waiting.T)


def _resampled(file: soundfile.SoundFile, rate: int, channels: int, block: int) -> Iterator[Samples]:
    """The file from where it stands, `block` of its samples at a time. yields: (samples, channels), float32"""
    resampler = soxr.ResampleStream(file.samplerate, rate, channels, dtype="float32")
    left = file.frames
    while left > 0:
        samples = np.asarray(file.read(block, dtype="float32", always_2d=True), dtype=np.float32)
        left -= len(samples)
        last = left <= 0 or len(samples) == 0
        if len(samples):
            _finite(samples)
        if channels == 1:
            samples = samples.mean(axis=1, keepdims=True, dtype=np.float32)
        elif samples.shape[1] == 1:
            samples = samples.repeat(channels, axis=1)
        yield resampler.resample_chunk(samples, last=last)
        if last:
            return


def resampled(blocks: Iterable[Samples], rate: int, wanted: int) -> Iterator[Samples]:
    """(channels, samples) each, at another rate; no sample moves."""
    if rate == wanted:
        yield from blocks
        return
    stream, channels = None, 0
    for block in blocks:
        channels = len(block)
        stream = stream or soxr.ResampleStream(rate, wanted, channels, dtype="float32")
        yield stream.resample_chunk(np.ascontiguousarray(block.T)).T
    if stream is not None:
        yield stream.resample_chunk(np.zeros((0, channels), np.float32), last=True).T


def shape(path: Path) -> Shape:
    """Channels, frames and rate, without decoding. Raises InputError as `blocks` does."""
    with _opened(path) as file:
        return Shape(int(file.channels), int(file.frames), int(file.samplerate))


def write(path: Path, audio: Audio, kind: str = "wav") -> None:
    """Write 16-bit WAV or FLAC. Samples outside -1 to 1 are clipped; the caller keeps its headroom.

    kind: "wav" or "flac" (the name of `path` does not matter)
    raises: OSError when the disk is full; libsndfile would not notice, so the bytes go through Python
    """
    channels, length = audio.samples.shape
    pieces = (audio.samples[:, start : start + WRITE_BLOCK] for start in range(0, length, WRITE_BLOCK))
    write_pieces(path, pieces, Shape(channels, length, audio.rate), kind)


def write_pieces(path: Path, pieces: Iterable[Samples], shape: Shape, kind: str = "wav", bits: int = 16) -> None:
    """The same for sound that comes in pieces, (channels, samples) each, which add up to what `shape` says.

    bits: 16; or 32, floating point without clipping, of WAV, and 24 of FLAC
    """
    if kind == "wav":
        wavefile.write(path, pieces, shape, bits)
        return
    import soundfile

    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", shape.rate, shape.channels, f"PCM_{bits}", format=kind.upper()) as file:
        for piece in pieces:
            file.write(np.clip(piece.T, -1.0, 1.0))
    path.write_bytes(buffer.getbuffer())


def resample(audio: Audio, rate: int) -> Audio:
    """The same sound at another rate (Hz), by soxr. The length is `round(samples * rate / audio.rate)`."""
    if rate == audio.rate:
        return audio
    samples = soxr.resample(audio.samples.T, audio.rate, rate)
    return Audio(np.ascontiguousarray(samples.T, dtype=np.float32), rate)


def piece(samples: Samples, first: int, last: int) -> Samples:
    """samples[:, first:last] as a copy, with zeros where that is outside of the sound. samples: (channels, n)"""
    out = np.zeros((len(samples), last - first), np.float32)
    begin, end = (min(max(edge, 0), samples.shape[1]) for edge in (first, last))
    out[:, begin - first : end - first] = samples[:, begin:end]
    return out


def true_peak_db(samples: Samples) -> float:
    """The highest peak between samples, by fourfold oversampling (ITU-R BS.1770-4, annex 2).

    samples: (channels, samples), any rate
    returns: dBTP, 0 at full scale; -inf for silence. soxr's filter is steeper than the one in the annex, which may read
        up to 0.6 dB less near the top of the band. Only what comes within 3 dB of the highest sample is oversampled:
        that far rises a sine at a quarter of the rate between its samples, and music less
    """
    tops = _tops(samples)
    peak = float(tops.max(initial=0.0))
    loud = np.flatnonzero(tops >= peak * PEAK_RISE)
    for first in range(0, len(loud) if peak > 0 else 0, PEAKS_AT_ONCE):
        starts = [place * PEAK_BLOCK for place in loud[first : first + PEAKS_AT_ONCE].tolist()]
        pieces = [piece(samples, start - PEAK_MARGIN, start + PEAK_BLOCK + PEAK_MARGIN) for start in starts]
        between = soxr.resample(np.concatenate(pieces, axis=1).T, 1, 4)
        size = PEAK_BLOCK + 2 * PEAK_MARGIN
        inner = between.reshape(len(pieces), 4 * size, -1)[:, 4 * PEAK_MARGIN : -4 * PEAK_MARGIN]
        peak = max(peak, float(inner.max()), -float(inner.min()))
    return 20 * math.log10(peak) if peak > 0 else -math.inf


def true_peak_bound_db(samples: Samples) -> float:
    """What `true_peak_db` is at most, at a tenth of its cost: no music rises by 6 dB between its samples."""
    peak = max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))
    return 20 * math.log10(2 * peak) if peak > 0 else -math.inf


def _tops(samples: Samples) -> NDArray[np.float32]:
    """The highest absolute sample in each block of PEAK_BLOCK."""
    length = samples.shape[1]
    starts = np.arange(0, length, PEAK_BLOCK)
    if not length:
        return np.zeros(0, np.float32)
    high, low = (operation.reduceat(samples, starts, axis=1) for operation in (np.maximum, np.minimum))
    return np.asarray(np.maximum(high, -low).max(axis=0), np.float32)


def loudness(samples: Samples, rate: int) -> float:
    """Integrated loudness (ITU-R BS.1770-4, annex 1): K-weighted, gated at -70 LUFS and at 10 LU under the mean.

    samples: (channels, samples), one or two channels, float32
    rate: Hz; the standard's filters, which it gives for 48 kHz, are those of the same analog prototypes at other rates
    returns: LUFS, -3.01 for a sine of 997 Hz at full scale in one channel; -inf when nothing passes the gate. Sound of
        less than 400 ms is measured as one block
    """
    return loudness_of(lambda first, last: samples[:, first:last], Shape(len(samples), samples.shape[1], rate))


def loudness_of(read: Callable[[int, int], Samples], shape: Shape) -> float:
    """The same for sound that is not in memory: `read(first, last)` returns these samples of it, (channels, n)."""
    return gated_lufs(_block_powers(read, shape))


def forward(blocks: Iterable[Samples]) -> Callable[[int, int], Samples]:
    """Reads sound that arrives in blocks for `loudness_of`, which only goes forward."""
    coming = iter(blocks)
    waiting: Samples | None = None

    def read(first: int, last: int) -> Samples:
        nonlocal waiting
        waiting = next(coming) if waiting is None else waiting
        while waiting.shape[1] < last - first:
            waiting = np.concatenate([waiting, next(coming)], axis=1)
        piece, waiting = waiting[:, : last - first], waiting[:, last - first :]
        return piece

    return read


def gated_lufs(powers: NDArray[np.float64]) -> float:
    """Loudness of blocks of 400 ms, by their K-weighted power, as `loudness` gates them. powers: (blocks,)"""
    loud = powers[powers > 10 ** ((ABSOLUTE_GATE_LUFS - LUFS_OFFSET) / 10)]
    if not len(loud):
        return -math.inf
    gated = loud[loud > loud.mean() / 10]
    return LUFS_OFFSET + 10 * math.log10(float(gated.mean()))


def _block_powers(read: Callable[[int, int], Samples], shape: Shape) -> NDArray[np.float64]:
    """K-weighted power, summed over channels, of blocks of 400 ms, one every 100 ms. returns: (blocks,)"""
    from scipy.signal import sosfilt

    channels, length, rate = shape
    filters = k_weighting(rate)
    state = np.zeros((len(filters), channels, 2))
    edges = np.rint(np.arange(0, length * 10 // rate + 1) * rate / 10).astype(np.int64)
    hops = 4
    if len(edges) <= hops:
        edges, hops = np.array([0, length]), 1
    energies = [np.zeros(1)]
    for first in range(0, len(edges) - 1 if length else 0, HOPS_AT_ONCE):
        part = edges[first : first + HOPS_AT_ONCE + 1]
        weighted, state = sosfilt(filters, read(part[0], part[-1]).astype(np.float64), axis=1, zi=state)
        power = np.square(weighted, out=weighted).sum(axis=0)
        energies.append(np.add.reduceat(power, part[:-1] - part[0]))
    energy = np.concatenate(energies).cumsum()
    powers = np.maximum(energy[hops:] - energy[:-hops], 0.0) / (edges[hops:] - edges[:-hops])[: len(energy) - hops]
    return np.asarray(powers)


def k_weighting(rate: int) -> NDArray[np.float64]:
    """Second-order sections: a shelf for the head, then a high pass. At 48 kHz they are the standard's to 1e-8."""
    slope = math.tan(math.pi * SHELF_HZ / rate)
    gain, middle = 10 ** (SHELF_DB / 20), 10 ** (SHELF_DB / 20 * 0.4996667741545416)
    numerator = [gain + middle * slope / SHELF_Q + slope**2, 2 * (slope**2 - gain), 0.0]
    numerator[2] = gain - middle * slope / SHELF_Q + slope**2
    shelf = [*numerator, *_poles(slope, SHELF_Q)]
    slope_low = math.tan(math.pi * HIGH_PASS_HZ / rate)
    scale = 1 + slope_low / HIGH_PASS_Q + slope_low**2
    high_pass = [scale, -2 * scale, scale, *_poles(slope_low, HIGH_PASS_Q)]
    sections = np.array([shelf, high_pass])
    return np.asarray(sections / sections[:, 3:4])


def _poles(slope: float, quality: float) -> list[float]:
    return [1 + slope / quality + slope**2, 2 * (slope**2 - 1), 1 - slope / quality + slope**2]


@contextmanager
def native(path: Path) -> Iterator[Path]:
    """The file itself, or what ffmpeg makes of it: for those who read it more than once. Raises as `blocks`."""
    if path.suffix.lower() in NATIVE_SUFFIXES:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="clefkit-") as folder:
        wav = Path(folder) / "decoded.wav"
        _decode_with_ffmpeg(path, wav)
        yield wav


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    with native(path) as readable, _sound_file(readable) as file:
        yield file


@contextmanager
def _sound_file(path: Path) -> Iterator[soundfile.SoundFile]:
    import soundfile

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
