"""References, estimates and their mixture, second by second, from arrays or from files of any length.

All have the references' rate and length (that of the longest), and as many channels as the side that has fewer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import audio
from clefkit.errors import InputError

Stems = NDArray[np.float64]
Sound = NDArray[np.floating[Any]]  # (channels, samples), float32 or finer

MOST_STEMS = 64
LONGEST_GAP_S = 1.0


class Block(NamedTuple):
    """One second, the last one shorter. references, estimates: (stems, channels, samples); mixture: without stems"""

    references: Stems
    estimates: Stems
    mixture: Stems


class Signals(NamedTuple):
    """blocks: reads all from the start; length: samples; mixed: whether the mixture is known, or several stems of it;
    cut: estimates that go on for more than a second after the references"""

    blocks: Callable[[], Iterator[Block]]
    references: int
    estimates: int
    channels: int
    rate: int
    length: int
    mixed: bool
    cut: list[int]


class Stem(NamedTuple):
    """One signal to read. name: for errors; length_s: seconds; read: yields its chunks at this number of channels."""

    name: str
    channels: int
    length_s: float
    read: Callable[[int], Iterator[Sound]]


def of_arrays(references: Iterable[Sound], estimates: Iterable[Sound], mixture: Sound | None, rate: int) -> Signals:
    """raises: InputError when there are no stems, too many, one is no sound, or an estimate is too short"""

    def stem(name: str, given: Sound) -> Stem:
        samples = np.atleast_2d(given)
        if samples.ndim > 2 or not 1 <= len(samples) <= audio.MOST_CHANNELS or not np.isfinite(samples).all():
            raise InputError(f"{name} is not (channels, samples) of one or two channels, all of them numbers")

        def read(channels: int) -> Iterator[Sound]:
            for start in range(0, samples.shape[1], rate):
                yield _mixed(samples[:, start : start + rate], channels)

        return Stem(name, len(samples), samples.shape[1] / rate, read)

    true = [stem(f"reference {number}", each) for number, each in enumerate(references)]
    found = [stem(f"estimate {number}", each) for number, each in enumerate(estimates)]
    return _signals(true, found, None if mixture is None else stem("the mixture", mixture), rate)


def of_files(references: Sequence[Path], estimates: Sequence[Path], mixture: Path | None) -> Signals:
    """raises: InputError as `of_arrays`, when one can't be read, or the references have several rates"""
    rates = {_shape(path, f"its reference {path.name}").rate for path in references}
    if len(rates) > 1:
        raise InputError(
            f"the reference stems have several rates ({', '.join(map(str, sorted(rates)))} Hz): make them one"
        )
    rate = rates.pop() if rates else 0

    def stem(path: Path) -> Stem:
        shape = _shape(path, path.name)
        return Stem(
            path.name,
            shape.channels,
            shape.frames / shape.rate,
            lambda channels: audio.chunks(path, rate, channels, rate),
        )

    true, found = [stem(path) for path in references], [stem(path) for path in estimates]
    return _signals(true, found, None if mixture is None else stem(mixture), rate)


def _shape(path: Path, name: str) -> audio.Shape:
    try:
        return audio.shape(path)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _signals(references: Sequence[Stem], estimates: Sequence[Stem], mixture: Stem | None, rate: int) -> Signals:
    if not references or not estimates or max(len(references), len(estimates)) > MOST_STEMS:
        raise InputError(f"needs 1 to {MOST_STEMS} stems on both sides, not {len(estimates)} and {len(references)}")
    longest_s = max(stem.length_s for stem in references)
    if not longest_s:
        raise InputError("the references hold no samples")
    for stem in estimates:
        if stem.length_s < longest_s - LONGEST_GAP_S:
            short_s = longest_s - stem.length_s
            raise InputError(f"{stem.name} is {short_s:.1f} s shorter than its reference: cut both to the same part")
    channels = min(stem.channels for stem in [*references, *estimates])
    length = round(longest_s * rate)
    read = [*references, *estimates, *([mixture] if mixture else [])]

    def blocks() -> Iterator[Block]:
        for chunks in zip(*(_fitted(stem.read(channels), rate, length) for stem in read), strict=True):
            every = np.stack(chunks).astype(np.float64)
            true, rest = every[: len(references)], every[len(references) :]
            yield Block(true, rest[: len(estimates)], rest[-1] if mixture else true.sum(axis=0))

    mixed = mixture is not None or len(references) > 1
    cut = [number for number, stem in enumerate(estimates) if stem.length_s > longest_s + LONGEST_GAP_S]
    return Signals(blocks, len(references), len(estimates), channels, rate, length, mixed, cut)


def _fitted(chunks: Iterator[Sound], size: int, length: int) -> Iterator[Sound]:
    """Chunks of `size` samples, cut or followed by silence so that they are `length` samples together."""
    chunk = next(chunks)
    for start in range(0, length, size):
        wanted = min(size, length - start)
        yield np.pad(chunk[:, :wanted], ((0, 0), (0, max(wanted - chunk.shape[1], 0))))
        chunk = next(chunks, chunk[:, :0])


def _mixed(samples: Sound, channels: int) -> Sound:
    """With as many channels: the mean, or the one channel twice."""
    if channels == 1:
        return np.asarray(samples.mean(axis=0, keepdims=True))
    return samples.repeat(channels // len(samples), axis=0)
