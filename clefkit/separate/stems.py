"""A mixture taken apart along its notes, chunk by chunk, in bounded memory.

Notes are fitted to half a minute at once, at the end up to a minute: the more notes of an instrument, the better its
sound is known. That is filtered in pieces of seven seconds. The next begins a second before the end of the one before,
and there both are faded into each other, so no seam is heard. Whose a note is was settled before, for the whole piece.

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
from clefkit.separate.atoms import Model, Played
from clefkit.spool import Spool

Array = NDArray[np.float32]

PIECE_FRAMES = 320  # 7.4 s
FADE_FRAMES = 48
STEP_FRAMES = PIECE_FRAMES - FADE_FRAMES
FITTED_FRAMES = 4 * STEP_FRAMES + FADE_FRAMES  # 26 s
FORGETS = 0.25  # of the loudest moment, from chunk to chunk


def split(blocks: Iterable[Samples], shape: Shape, played: Played, session: Any | None) -> list[Spool]:
    """The stems: rows of channels, float32, as many as the mixture has samples.

    blocks: (channels, samples) each, of any lengths; played: all notes of the mixture
    session: an onnxruntime.InferenceSession of the network that refines masks; None: without it
    """
    known = Grid(shape.rate)
    sounds = [Joined(known, shape) for _ in range(played.shares.shape[1])]
    for found in _faded(_pieces(blocks, known, played, session)):
        for sound, spectra in zip(sounds, found, strict=True):
            sound.push(spectra)
    return [sound.finish() for sound in sounds]


def _pieces(blocks: Iterable[Samples], known: Grid, played: Played, session: Any | None) -> Iterator[Spectra]:
    """The stems of each piece: (stems, channels, frames, bins), each FADE_FRAMES into the one before."""
    loudest = 0.0
    for first, spectra in grid.chunks(blocks, known, FITTED_FRAMES, FADE_FRAMES):
        magnitudes = np.sqrt(np.mean(np.square(np.abs(spectra)), axis=0))
        fitted = atoms.fitted(atoms.of(played, known, first, magnitudes), magnitudes)
        for begin, end in _borders(len(magnitudes)):
            here = magnitudes[begin:end]
            loudest = max(loudest * FORGETS, float(here.max(initial=0.0)))
            yield spatial.filtered(spectra[:, begin:end], _masks(fitted.model(begin, end), here, loudest, session))


def _borders(frames: int) -> Iterator[tuple[int, int]]:
    """Where pieces begin and end; the last has what is left."""
    begin = 0
    while frames - begin >= PIECE_FRAMES + STEP_FRAMES:
        yield begin, begin + PIECE_FRAMES
        begin += STEP_FRAMES
    yield begin, frames


def _faded(pieces: Iterable[Spectra]) -> Iterator[Spectra]:
    """Pieces that overlap by FADE_FRAMES, faded into each other: frames that follow on each other."""
    before: Spectra | None = None
    for found in pieces:
        if before is not None:
            rising = ((np.arange(FADE_FRAMES, dtype=np.float32) + 1) / (FADE_FRAMES + 1))[:, None]
            found[..., :FADE_FRAMES, :] = rising * found[..., :FADE_FRAMES, :] + (1 - rising) * before
        ends = found.shape[-2] - FADE_FRAMES
        if ends > 0:
            yield found[..., :ends, :]
        before = found[..., max(ends, 0) :, :]
    if before is not None:
        yield before


def _masks(model: Model, magnitudes: Array, loudest: float, session: Any | None) -> Array:
    if session is None:
        return masks.shares(model, magnitudes)
    return masks.refined(session, model, magnitudes, loudest)
