"""Impulse responses, made ready: direct sound found and at unity gain, tail cut at -60 dB.

The direct sound is the first arrival within 10 dB of the strongest, in whichever channel it comes first; reflections
that focus may be stronger than it. Of peaks within 4 samples, as a band-limited arrival has them, the highest is meant.
Its place and height are read between samples (16 times oversampled), and the response is moved so that it lies on a
sample. Both channels are scaled and moved alike.
The tail ends where the energy still to come is 60 dB below the whole (Schroeder, New method of measuring reverberation
time, 1965), and after ten seconds at the latest.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import audio, record, sinc
from clefkit.audio import Audio, Samples
from clefkit.augment.filters import Response
from clefkit.errors import ClefkitError, InputError

LONGEST_FILE_S = 30.0
LONGEST_TAIL_S = 10.0
TAIL_DB = -60.0
FADE_S = 0.005
ARRIVAL_DB = -10.0
OVERSAMPLING = 16
NEIGHBOURS = 32
SIDE_LOBES = 4
SILENCE = 1e-6
DIRECT_S = 0.0015
DIRECT_FADE_S = 0.001


class Arrival(NamedTuple):
    """Where the direct sound is, in samples with a fraction, and its height."""

    position: float
    height: float


@lru_cache(maxsize=4)
def response(path: Path, sha256: str, rate: int) -> Response:
    """The response in `path` at `rate`, direct sound at unity gain, tail cut.

    raises: InputError when the file is not the one of that hash, or is no impulse response
    """
    if record.sha256(path) != sha256:
        raise InputError(f"the room response {path.name} is another file than the one drawn")
    return prepared(audio.resample(load(path), rate))


def load(path: Path) -> Audio:
    """A response as it is in its file.

    raises: InputError naming the file when it can't be one; MissingError when only ffmpeg could read it
    """
    try:
        sound = audio.read(path)
    except ClefkitError as error:
        raise type(error)(f"the room response {path.name}: {error}") from error
    if sound.duration_s > LONGEST_FILE_S:
        raise InputError(f"the room response {path.name} is longer than {LONGEST_FILE_S:.0f} s: cut it to one")
    if np.abs(sound.samples).max() < SILENCE:
        raise InputError(f"the room response {path.name} is silent")
    return sound


def prepared(sound: Audio) -> Response:
    """Scaled so that the direct sound has a height of 1, and cut where the tail has died away."""
    arrival = direct(sound.samples)
    scaled = sound.samples / np.float32(arrival.height)
    kept, at = _on_a_sample(_without_end(scaled, sound.rate), arrival.position)
    return Response(kept, at, kept.shape[1] - 1 - at)


def direct(samples: Samples) -> Arrival:
    """The first arrival within 10 dB of the strongest. samples: (channels, taps)"""
    threshold = float(np.abs(samples).max()) * 10 ** (ARRIVAL_DB / 20)
    # Half of the height can hide between two samples, so the coarse search looks for half.
    coarse = int(np.argmax((np.abs(samples) >= threshold / 2).any(axis=0)))
    for first in range(max(coarse - NEIGHBOURS, 0), samples.shape[1], NEIGHBOURS):
        arrivals = [_first_peak(channel, first, threshold) for channel in samples]
        found = [arrival for arrival in arrivals if arrival is not None]
        if found:
            return min(found)
    return Arrival(float(np.abs(samples).max(axis=0).argmax()), float(np.abs(samples).max()))


def nearer(response: Response, gain_db: float, rate: int) -> Response:
    """The direct sound, and what arrives within 1.5 ms of it, `gain_db` stronger against the rest; itself unchanged."""
    if gain_db == 0:
        return response
    after = np.arange(response.samples.shape[1]) - response.direct - DIRECT_S * rate
    late = 0.5 - 0.5 * np.cos(np.pi * np.clip(after / (DIRECT_FADE_S * rate), 0.0, 1.0))
    weight = 1.0 + late * (10 ** (-gain_db / 20) - 1.0)
    return response._replace(samples=response.samples * weight.astype(np.float32))


def _first_peak(channel: NDArray[np.float32], first: int, threshold: float) -> Arrival | None:
    """The first maximum of at least `threshold` within NEIGHBOURS samples from `first`."""
    begin, end = first - NEIGHBOURS, first + 2 * NEIGHBOURS
    window = np.zeros(end - begin)
    inside = channel[max(begin, 0) : end]
    window[max(-begin, 0) : max(-begin, 0) + len(inside)] = inside
    spectrum = np.fft.rfft(window)
    spectrum[-1] /= 2  # at half the rate, where the finer spectrum has two bins for this one
    fine = np.abs(np.fft.irfft(spectrum, len(window) * OVERSAMPLING)) * OVERSAMPLING
    rising, falling = fine[1:-1] >= fine[:-2], fine[1:-1] > fine[2:]
    peaks = np.flatnonzero(rising & falling & (fine[1:-1] >= threshold)) + 1
    positions = peaks / OVERSAMPLING + begin
    wanted = (positions >= first) & (positions < first + NEIGHBOURS)
    if not wanted.any():
        return None
    lobes = np.flatnonzero((positions >= positions[wanted][0]) & (positions <= positions[wanted][0] + SIDE_LOBES))
    index = int(lobes[np.argmax(fine[peaks[lobes]])])
    return Arrival(float(positions[index]), float(fine[peaks[index]]))


def _on_a_sample(samples: Samples, position: float) -> tuple[Samples, int]:
    """Moved by part of a sample, so that what was at this position is on one; and on which."""
    whole = math.floor(position)
    if position == whole:
        return samples, whole
    taps = sinc.taps(position - whole)
    moved = np.stack([np.convolve(channel, taps) for channel in samples])
    return np.asarray(moved, np.float32), whole + sinc.HALF


def _without_end(samples: Samples, rate: int) -> Samples:
    energy = (samples.astype(np.float64) ** 2).sum(axis=0)
    left = np.cumsum(energy[::-1])[::-1]
    keep = int(np.count_nonzero(left > left[0] * 10 ** (TAIL_DB / 10)))
    keep = min(keep, round(LONGEST_TAIL_S * rate))
    cut = samples[:, : keep + round(FADE_S * rate)].copy()
    fade = cut.shape[1] - keep
    cut[:, keep:] *= np.cos(np.linspace(0, np.pi / 2, fade)).astype(np.float32)
    return cut
