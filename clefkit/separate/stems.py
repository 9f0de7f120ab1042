"""A mixture taken apart along its notes, chunk by chunk, in bounded memory.

Twelve seconds are looked at at once, the next twelve begin one and a half seconds before their end, and there the masks
of the two are faded into each other, so no seam is heard. Whose a note is was settled before, for the whole piece.

Both channels of a stereo file get the same masks, from their energies together: what is on the left stays there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clefkit.audio import Samples, Shape
from clefkit.separate import atoms, grid, masks
from clefkit.separate.atoms import Played
from clefkit.separate.grid import Grid, Joined, Spectra
from clefkit.spool import Spool

Array = NDArray[np.float32]

CHUNK_FRAMES = 512  # 11.9 s
FADE_FRAMES = 64
STEP_FRAMES = CHUNK_FRAMES - FADE_FRAMES
FORGETS = 0.25  # of the loudest moment, from chunk to chunk


def split(blocks: Iterable[Samples], shape: Shape, played: Played, session: Any | None) -> list[Spool]:
    """The stems: rows of channels, float32, as many as the mixture has samples.

    blocks: (channels, samples) each, of any lengths; played: all notes of the mixture
    session: an onnxruntime.InferenceSession of the network that refines masks; None: without it
    """
    known = Grid(shape.rate)
    sounds = [Joined(known, shape) for _ in range(played.stems)]
    for spectra, found in _masked(blocks, known, played, session):
        for sound, mask in zip(sounds, found, strict=True):
            sound.push(spectra * mask)
    return [sound.finish() for sound in sounds]


def _masked(
    blocks: Iterable[Samples], known: Grid, played: Played, session: Any | None
) -> Iterator[tuple[Spectra, Array]]:
    """(channels, frames, bins) of frames that follow each other, and their masks, (stems, frames, bins)."""
    loudest = 0.0
    tail: Array | None = None  # of the last chunk, to be faded out
    waiting: Spectra | None = None
    for first, spectra in grid.chunks(blocks, known, CHUNK_FRAMES, FADE_FRAMES):
        magnitudes = np.sqrt(np.mean(np.square(np.abs(spectra)), axis=0))
        loudest = max(loudest * FORGETS, float(magnitudes.max(initial=0.0)))
        found = _masks(played, known, first, magnitudes, loudest, session)
        if tail is not None:
            count = min(tail.shape[1], found.shape[1])
            rising = ((np.arange(count, dtype=np.float32) + 1) / (count + 1))[:, None]
            found[:, :count] = rising * found[:, :count] + (1 - rising) * tail[:, :count]
        ends = max(spectra.shape[1] - FADE_FRAMES, 0)
        tail, waiting = found[:, ends:], spectra[:, ends:]
        yield spectra[:, :ends], found[:, :ends]
    if tail is not None and waiting is not None:
        yield waiting, tail


def _masks(played: Played, known: Grid, first: int, magnitudes: Array, loudest: float, session: Any | None) -> Array:
    model = atoms.fitted(atoms.of(played, known, first, magnitudes), magnitudes, played.stems)
    if session is None:
        return masks.shares(model, magnitudes)
    return masks.refined(session, model, magnitudes, loudest)
