"""A mixture taken apart along its notes, chunk by chunk, in bounded memory.

Seven seconds are looked at at once, at the end up to fourteen. The next seven begin a second before their end, and
there both are faded into each other, so no seam is heard. Whose a note is was settled before, for the whole piece.

Both channels of a stereo file get the same masks, from their energies together, and then filters of their own
(`spatial`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clefkit import grid
from clefkit.audio import Samples, Shape
from clefkit.grid import Grid, Joined, Spectra
from clefkit.separate import atoms, masks, spatial
from clefkit.separate.atoms import Played
from clefkit.spool import Spool

Array = NDArray[np.float32]

CHUNK_FRAMES = 320  # 7.4 s
FADE_FRAMES = 48
STEP_FRAMES = CHUNK_FRAMES - FADE_FRAMES
FORGETS = 0.25  # of the loudest moment, from chunk to chunk


def split(blocks: Iterable[Samples], shape: Shape, played: Played, session: Any | None) -> list[Spool]:
    """The stems: rows of channels, float32, as many as the mixture has samples.

    blocks: (channels, samples) each, of any lengths; played: all notes of the mixture
    session: an onnxruntime.InferenceSession of the network that refines masks; None: without it
    """
    known = Grid(shape.rate)
    sounds = [Joined(known, shape) for _ in range(played.shares.shape[1])]
    for found in _faded(_chunks(blocks, known, played, session)):
        for sound, spectra in zip(sounds, found, strict=True):
            sound.push(spectra)
    return [sound.finish() for sound in sounds]


def _chunks(blocks: Iterable[Samples], known: Grid, played: Played, session: Any | None) -> Iterator[Spectra]:
    """The stems of each chunk: (stems, channels, frames, bins)."""
    loudest = 0.0
    for first, spectra in grid.chunks(blocks, known, CHUNK_FRAMES, FADE_FRAMES):
        magnitudes = np.sqrt(np.mean(np.square(np.abs(spectra)), axis=0))
        loudest = max(loudest * FORGETS, float(magnitudes.max(initial=0.0)))
        yield spatial.filtered(spectra, _masks(played, known, first, magnitudes, loudest, session))


def _faded(chunks: Iterable[Spectra]) -> Iterator[Spectra]:
    """Chunks that overlap by FADE_FRAMES, faded into each other: frames that follow on each other."""
    before: Spectra | None = None
    for found in chunks:
        if before is not None:
            rising = ((np.arange(FADE_FRAMES, dtype=np.float32) + 1) / (FADE_FRAMES + 1))[:, None]
            found[..., :FADE_FRAMES, :] = rising * found[..., :FADE_FRAMES, :] + (1 - rising) * before
        ends = found.shape[-2] - FADE_FRAMES
        if ends > 0:
            yield found[..., :ends, :]
        before = found[..., max(ends, 0) :, :]
    if before is not None:
        yield before


def _masks(played: Played, known: Grid, first: int, magnitudes: Array, loudest: float, session: Any | None) -> Array:
    model = atoms.fitted(atoms.of(played, known, first, magnitudes), magnitudes)
    if session is None:
        return masks.shares(model, magnitudes)
    return masks.refined(session, model, magnitudes, loudest)
