"""Gains on bands become sound: frames are turned up and down and added up again.

Frames overlap by three quarters, Hann before and after, so gains that stay give the sound itself. A band that is to be
filled gets the spectrum from lower down, moved up by a fixed number of bins that is a multiple of four, which keeps its
frames in step with each other ("spectral band replication", Dietz, Liljeryd, Kjörling, Kunz 2002), at the level that is
wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

import numpy as np

from clefkit.audio import Samples
from clefkit.enhance import bands
from clefkit.enhance.bands import OVERLAP, SILENCE_DB, Array, Spectra

Wanted = Callable[[slice], tuple[Array, Array]]

AT_ONCE = 64  # frames
LEAST_WEIGHT = 0.1
# From which frequency on a fill comes from how far below, Hz.
MOVES_HZ = ((3000.0, 1500.0), (6000.0, 3000.0), (9000.0, 4500.0), (13_000.0, 8000.0))
MOST_FILL_GAIN_DB = 60.0
LEAST_FILL_DB = -110.0  # of full scale


def levels(blocks: Iterable[Samples], rate: int) -> Iterator[Array]:
    """Levels of a sound that arrives in blocks, the mean power of its channels. yields: (frames, BANDS), dB"""
    for piece, count in _pieces(blocks, rate):
        seen = bands.spectra(piece, rate)[:, :count]
        yield bands.levels_db(_loudest(seen), rate)


def heard(blocks: Iterable[Samples], rate: int) -> Iterator[tuple[Array, Array]]:
    """Levels, and the floors of every second frame. yields: (frames, BANDS), (half as many, rounded up, BANDS), dB"""
    around = (bands.LONGER - 1) * bands.size(rate) // 2
    for piece, count in _pieces(blocks, rate, bands.LONGER):
        seen = bands.spectra(piece[:, around : piece.shape[1] - around], rate)[:, :count]
        long = _power(bands.spectra(piece, rate, bands.LONGER, bands.EVERY))[: -(-count // bands.EVERY)]
        yield bands.levels_db(_loudest(seen), rate), bands.floors_db(long, rate)


def heard_of(samples: Array, rate: int) -> tuple[Array, Array]:
    """Levels and floors of a mono sound in memory. samples: (samples,); returns: (samples // hop + 1, BANDS) and (half
    as many, rounded up, BANDS), dB
    """
    levels_db, floors_db = zip(*heard([samples[None]], rate), strict=True)
    return np.concatenate(levels_db), np.concatenate(floors_db)


def turned(blocks: Iterable[Samples], wanted: Wanted, count: int, rate: int) -> Iterator[Samples]:
    """The sound with its gains, and less than a frame after its end.

    wanted: of a slice of frames the gains and fills, (frames, BANDS), dB, fills relative to full scale; count: of all
    frames, samples // hop + 1. Frame `t` is centred on sample `t hop`
    yields: (channels, samples)
    """
    from scipy import fft

    step, size, window = bands.hop(rate), bands.size(rate), bands.window(rate)
    first, adder, skip = 0, _Adder(step), size // 2
    for piece, new in _pieces(blocks, rate):
        seen = bands.spectra(piece, rate)[:, :new]
        gains_db, fills_db = wanted(slice(first, first + new))
        changed = _filled(seen, fills_db, rate) + seen * _per_bin(gains_db, rate)
        frames = np.asarray(fft.irfft(changed, size, axis=-1), np.float32) * window
        first += new
        done = adder.add(frames, np.square(window), last=first == count)
        yield done[:, skip:]
        skip = max(0, skip - done.shape[1])


class _Adder:
    """Adds up frames that overlap, divided by what their windows add up to, which is less at both ends."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.kept: Samples | None = None

    def add(self, frames: Array, weights: Array, *, last: bool) -> Samples:
        """frames: (channels, count, size); weights: (size,). returns: what is complete, or all of it."""
        channels, count, _ = frames.shape
        added = np.zeros((channels + 1, (count + OVERLAP - 1) * self.step), np.float32)
        for part in range(OVERLAP):
            here = slice(part * self.step, (part + 1) * self.step)
            place = added[:, here.start : here.start + count * self.step]
            place[:-1] += frames[..., here].reshape(channels, -1)
            place[-1] += np.tile(weights[here], count)
        if self.kept is not None:
            added[:, : self.kept.shape[1]] += self.kept
        done = added if last else added[:, : count * self.step]
        self.kept = added[:, count * self.step :]
        return np.asarray(done[:-1] / np.maximum(done[-1], LEAST_WEIGHT), np.float32)


def _pieces(blocks: Iterable[Samples], rate: int, longer: int = 1) -> Iterator[tuple[Samples, int]]:
    """Stretches of the sound, zeros around it, that hold `count` frames: half a frame before the first sample on.

    longer: so many times as long are the frames; samples // hop + 1 of them in all
    """
    step, size = bands.hop(rate), longer * bands.size(rate)
    waiting: Samples | None = None
    at_once = (AT_ONCE - 1) * step + size
    for block in blocks:
        if waiting is None:
            waiting = np.zeros((len(block), size // 2), np.float32)
        waiting = np.concatenate([waiting, block], axis=1)
        while waiting.shape[1] >= at_once + step:
            yield waiting[:, :at_once], AT_ONCE
            waiting = waiting[:, AT_ONCE * step :]
    if waiting is None:
        return
    count = (waiting.shape[1] - size // 2) // step + 1
    short = (count - 1) * step + size - waiting.shape[1]
    yield np.pad(waiting, ((0, 0), (0, max(short, 0)))), count


def _per_bin(gains_db: Array, rate: int) -> Array:
    """(frames, BANDS), dB -> (frames, bins), factors"""
    bins_db = gains_db.astype(np.float32) @ bands.triangles(rate).T
    return np.asarray(np.power(np.float32(10), bins_db / np.float32(20)), np.float32)


def _loudest(seen: Spectra) -> Spectra:
    """A spectrum with the mean power of the channels. (channels, frames, bins) -> (frames, bins)"""
    return np.asarray(seen[0] if len(seen) == 1 else np.sqrt(_power(seen)), np.complex64)


def _power(seen: Spectra) -> Array:
    """The mean of the channels. (channels, frames, bins) -> (frames, bins)"""
    return np.asarray((seen.real**2 + seen.imag**2).mean(axis=0), np.float32)


def _filled(seen: Spectra, fills_db: Array, rate: int) -> Spectra | np.float32:
    """What is to be added, 0 when nothing is."""
    if fills_db.max(initial=-np.inf) <= LEAST_FILL_DB:
        return np.float32(0)
    moved = np.zeros_like(seen)
    for low, high, by in _moves(rate):
        moved[..., low:high] = seen[..., low - by : high - by]
    now = bands.levels_db(_loudest(moved), rate)
    gain_db = np.minimum(fills_db.astype(np.float32) - now, MOST_FILL_GAIN_DB)
    gain_db = np.where((fills_db > LEAST_FILL_DB) & (now > SILENCE_DB + 20), gain_db, -200.0).astype(np.float32)
    return np.asarray(moved * _per_bin(gain_db, rate), np.complex64)


@lru_cache(maxsize=8)
def _moves(rate: int) -> tuple[tuple[int, int, int], ...]:
    """Bins that are filled, from the first on and before the last, and by how many they come from below."""
    bin_hz = rate / bands.size(rate)
    lows = [round(hertz / bin_hz) for hertz, _ in MOVES_HZ] + [bands.size(rate) // 2 + 1]
    by = [4 * round(hertz / bin_hz / 4) for _, hertz in MOVES_HZ]
    rows: Iterator[tuple[int, int, int]] = zip(lows, lows[1:], by, strict=False)
    return tuple((low, min(high, lows[-1]), each) for low, high, each in rows if low < lows[-1])
