"""Recordings of one performance by several devices, brought onto one clock.

    from clefkit import align, audio
    found = align.compare(audio.read(phone), audio.read(studio))
    found.offset_s, found.drift_ppm, found.gaps, found.confidence

Two recorders start at different moments and count seconds differently, and phones lose buffers. What is found says
where a moment of the *take* is in the *reference*, and signs follow from that one line:

    reference_s = offset_s + (1 + drift_ppm / 1e6) * take_s + all that was dropped before take_s

So offset_s is where the take's first sample lies on the reference's clock: positive when the take began later. A
positive drift is a take whose clock is slow: its seconds last longer. `clock` is the same as a `clefkit.clock.Clock`,
from the take to the reference. What is brought together are the direct sounds: how much later a far microphone hears
can't be told from an offset.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clefkit.errors import InputError
from clefkit.record import Product, Source
from clefkit.registry import Asset

if TYPE_CHECKING:
    from numpy.random import Generator

    from clefkit.align.alignment import Alignment
    from clefkit.align.track import Track
    from clefkit.audio import Audio, Shape


def compare(take: Audio, reference: Audio, threshold: float = 0.5) -> Alignment:
    """Where the take lies on the reference.

    take, reference: (channels, samples), any rates; of several channels the mean is compared
    threshold: the least confidence
    raises: InputError when they don't match, or have less than about six seconds in common
    """
    from clefkit.align import alignment, track

    return alignment.find(track.of(take), track.of(reference), reference.rate, "the reference", threshold)


def aligned(take: Audio, reference: Audio) -> Audio:
    """The take on the reference's clock: sample n of both is the same moment; silence where it has nothing.

    returns: the take's channels, the reference's rate and length
    raises: as `compare` does
    """
    from clefkit.align import retimed

    return retimed.onto(take, compare(take, reference), reference.rate, reference.samples.shape[1])


def measure(source: Source, *, reference: Asset, threshold: float = 0.5) -> dict[str, Any]:
    """Where one file lies on the reference, as plain data. raises: InputError as `compare` does"""
    found = between(source, reference, threshold)
    return {"file": str(source.path), "reference": str(reference.path), **found.data()}


def products(
    source: Source,
    rng: Generator,  # noqa: ARG001 no chance here
    *,
    reference: Asset,
    threshold: float = 0.5,
) -> Iterator[Product]:
    """The file on the reference's clock: "aligned.wav", or FLAC of FLAC.

    raises: InputError, when written, as `compare` does
    """
    ending = "flac" if source.path.suffix.lower() == ".flac" else "wav"
    facts: dict[str, Any] = {}

    def write(path: Path) -> None:
        from clefkit import audio
        from clefkit.align import retimed

        with audio.native(source.path) as readable:  # it is read twice
            found = between(source._replace(path=readable), reference, threshold)
            take = audio.read(readable)
        facts.update(alignment=found.data(), clock=found.clock.data())
        shape = _heard(reference)[1]
        pieces = retimed.pieces(take, found, shape.rate, (0, shape.frames))
        audio.write_pieces(path, pieces, shape._replace(channels=len(take.samples)), ending)

    yield Product(f"aligned.{ending}", write, facts)


def between(source: Source, reference: Asset, threshold: float) -> Alignment:
    """As `compare`, of files; the reference is heard once, however many takes follow each other."""
    from clefkit.align import alignment, track

    take = track.read(source.path)
    heard, shape = _heard(reference)
    return alignment.find(take, heard, shape.rate, reference.name, threshold)


@functools.lru_cache(maxsize=1)
def _heard(reference: Asset) -> tuple[Track, Shape]:
    from clefkit import audio
    from clefkit.align import track

    try:
        with audio.native(reference.path) as readable:  # it is read twice
            return track.read(readable), audio.shape(readable)
    except InputError as error:
        raise InputError(f"the reference {reference.name}: {error}") from error
