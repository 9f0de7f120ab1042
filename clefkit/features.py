"""Front ends: what a network sees of a sound. One definition, used in training and in inference.

Log-frequency energy at three bins a semitone, the middle one on the pitch, from A0 to C9 (300 bins: the pitches of the
piano, and an octave of overtones), every 512 samples at 22,050 Hz (43 frames a second). Four channels: long windows
(8192, 4096, 2048 samples by register), which tell neighbouring pitches apart; 2048 samples everywhere, which tell when
a note begins; and 1024 samples, centred 128 samples before and after the frame, which tell two notes in quick
succession from one.

Frame `t` is centred on sample `512 t`. Values are decibels relative to a sliding level: the geometric mean of the mean
and the largest energy of a frame within three seconds on both sides, so that a quiet recording and a loud one look the
same, and a threshold means the same at every moment of a long file. They are given as 0 (68 dB below the level, or
less) to 1 (12 dB above it, or more).

The sound is worked on in chunks at fixed places, so the way it was cut into blocks on arrival changes nothing. After
constant-Q transforms (Brown 1991, "Calculation of a constant Q spectral transform"), with filter banks on FFTs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float32]

RATE = 22_050
HOP = 512
FRAMES_PER_SECOND = RATE / HOP
BINS_PER_SEMITONE = 3
LOWEST_PITCH = 21
PITCHES = 88  # that can be notes
OVERTONES = 12  # semitones above them
BINS = BINS_PER_SEMITONE * (PITCHES + OVERTONES)
CHANNELS = 4
SHIFT = HOP // 4  # how far the shortest windows are off the frame, in samples: half a hop from each other

FLOOR_DB = -68.0
CEILING_DB = 12.0
QUIETEST_LEVEL_DB = -80.0  # of full scale: below it a recording counts as silence and isn't lifted
LEVEL_REACH = round(3.0 * FRAMES_PER_SECOND)
CHUNK = 256  # frames; more than LEVEL_REACH
LONGEST_WINDOW = 8192


class Bank(NamedTuple):
    """A window and the filters on its spectrum.

    weights: (spectrum bins from `first`, filters); channel: where they go; shift: of the window's centre, in samples
    """

    window: Array
    first: int
    weights: Array
    channel: int
    shift: int


def compute(audio: Array) -> Array:
    """The features of a whole sound.

    audio: (samples,), float32, mono, at 22,050 Hz
    returns: (frames, channels, bins), float32, 0 to 1; `samples // 512 + 1` frames
    """
    return np.concatenate(list(stream([audio])))


def stream(blocks: Iterable[Array]) -> Iterator[Array]:
    """The features of a sound that arrives in blocks, in bounded memory; the same numbers as `compute`.

    blocks: (samples,) each, float32, mono, at 22,050 Hz, of any lengths
    yields: (256, channels, bins), the last one shorter
    """
    before = np.zeros((0, CHANNELS, BINS), np.float32)
    current: Array | None = None
    for after in _energy_chunks(blocks):
        if current is not None:
            yield _relative(before, current, after)
            before = current
        current = after
    if current is not None:
        yield _relative(before, current, np.zeros((0, CHANNELS, BINS), np.float32))


def stored(sound: Array) -> NDArray[np.uint8]:
    """Features in 8 bits, a third of a decibel a step: as training sets keep them, and all who must keep many."""
    return np.rint(sound * 255).astype(np.uint8)


def restored(kept: NDArray[np.uint8]) -> Array:
    """What `stored` kept, 0 to 1."""
    return np.multiply(kept, np.float32(1 / 255), dtype=np.float32)


def resolved(audio: Array) -> Array:
    """Energies in the long windows alone, which tell neighbouring pitches apart.

    audio: (samples,), float32, mono, at 22,050 Hz
    returns: (frames, bins), 1 for a sine of full scale
    """
    half = LONGEST_WINDOW // 2
    padded = np.pad(audio, (half, half + HOP))
    frames = len(audio) // HOP + 1
    return np.concatenate([_filtered(padded, bank)[:frames] for bank in _banks() if bank.channel == 0], axis=1)


def _energy_chunks(blocks: Iterable[Array]) -> Iterator[Array]:
    """Yields (256, channels, bins) energies, full scale sine 1; the last chunk shorter."""
    half = LONGEST_WINDOW // 2
    waiting = np.zeros(half, np.float32)  # what comes before the first sample
    needed = (CHUNK - 1) * HOP + LONGEST_WINDOW
    for block in blocks:
        waiting = np.concatenate([waiting, block])
        while len(waiting) >= needed + HOP:  # one hop more: so the last chunk is never empty
            yield _energies(waiting[:needed])
            waiting = waiting[CHUNK * HOP :]
    frames = (len(waiting) - half) // HOP + 1
    length = (frames - 1) * HOP + LONGEST_WINDOW
    rest = np.pad(waiting, (0, max(0, length - len(waiting))))[:length]
    yield _energies(rest)[:CHUNK]
    if frames > CHUNK:
        yield _energies(rest[CHUNK * HOP :])


def _energies(audio: Array) -> Array:
    """(samples,) -> (frames, channels, bins): energy in each filter, 1 for a sine of full scale."""
    parts: list[list[Array]] = [[] for _ in range(CHANNELS)]
    for bank in _banks():
        parts[bank.channel].append(_filtered(audio, bank))
    return np.stack([np.concatenate(part, axis=1) for part in parts], axis=1)


def _filtered(audio: Array, bank: Bank) -> Array:
    from scipy import fft  # in float32 more than twice as fast as numpy's

    size = len(bank.window)
    skip = (LONGEST_WINDOW - size) // 2 + bank.shift
    frames = (len(audio) - LONGEST_WINDOW) // HOP + 1
    views = sliding_window_view(audio[skip:], size)[::HOP][:frames]
    spectrum: NDArray[np.complex64] = np.asarray(fft.rfft(views * bank.window))
    spectrum = spectrum[:, bank.first : bank.first + len(bank.weights)]
    energy = spectrum.real**2 + spectrum.imag**2
    return np.asarray(energy @ bank.weights, dtype=np.float32)


@cache
def _banks() -> tuple[Bank, ...]:
    pitch = LOWEST_PITCH + (np.arange(BINS) - 1) / BINS_PER_SEMITONE
    low, high = int(np.searchsorted(pitch, 54.5)), int(np.searchsorted(pitch, 75.5))
    return (
        _bank(8192, pitch[:low], 0),
        _bank(4096, pitch[low:high], 0),
        _bank(2048, pitch[high:], 0),
        _bank(2048, pitch, 1),
        _bank(1024, pitch, 2, -SHIFT),
        _bank(1024, pitch, 3, SHIFT),
    )


def _bank(size: int, pitch: NDArray[np.float64], channel: int, shift: int = 0) -> Bank:
    """Triangles a third of a semitone to each side, but never narrower than one bin of the spectrum."""
    window = np.hanning(size + 1)[:-1]
    scaled = window * 2 / window.sum()
    bin_hz = RATE / size
    centre = 440 * 2 ** ((pitch - 69) / 12) / bin_hz
    reach = np.maximum(1.0, centre * (2 ** (1 / 12 / BINS_PER_SEMITONE) - 1))
    first = int(np.floor((centre - reach).min()))
    last = int(np.ceil((centre + reach).max()))
    grid = np.arange(max(first, 0), last + 1)[:, None]
    weights = np.clip(1 - np.abs(grid - centre) / reach, 0, None)
    return Bank(scaled.astype(np.float32), int(grid[0, 0]), weights.astype(np.float32), channel, shift)


def _relative(before: Array, current: Array, after: Array) -> Array:
    """Energies of one chunk, with those around it, as 0 to 1 relative to the sliding level."""
    reach = LEVEL_REACH
    around = np.concatenate([before[-reach:], current, after[:reach]])
    total = around[:, 1].sum(axis=1, dtype=np.float64)
    left, right = reach - len(before[-reach:]), reach - len(after[:reach])
    windows = sliding_window_view(np.pad(total, (left, right)), 2 * reach + 1)
    present = sliding_window_view(np.pad(np.ones(len(total)), (left, right)), 2 * reach + 1)
    level = np.sqrt(windows.mean(axis=1) / present.mean(axis=1) * windows.max(axis=1))
    level_db = 10 * np.log10(np.maximum(level, 10 ** (QUIETEST_LEVEL_DB / 10)))
    decibels = 10 * np.log10(np.maximum(current, np.float32(1e-16))) - level_db[:, None, None].astype(np.float32)
    return np.asarray(np.clip((decibels - FLOOR_DB) / (CEILING_DB - FLOOR_DB), 0, 1), dtype=np.float32)
