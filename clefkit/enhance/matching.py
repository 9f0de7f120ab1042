"""To sound like another recording: its mean spectrum, as a curve, and its loudness."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clefkit import audio
from clefkit.audio import Samples
from clefkit.enhance import filterbank
from clefkit.enhance.bands import BANDS

Array = NDArray[np.float32]

ACTIVE_DB = -20.0
MOST_DB = 15.0
SMOOTH = 5  # bands
AUDIBLE_DB = -60.0  # of the loudest band: what is softer in either is left as it is
BLOCK = 1 << 16


def curve(reference: Path, levels_db: Iterable[Array]) -> Array:
    """What makes the mean spectrum of some levels that of a recording. returns: (BANDS,), dB, at most MOST_DB

    levels_db: (frames, BANDS), some frames at a time

    raises: InputError when the reference is no sound
    """
    from scipy import ndimage

    true = _mean_db(filterbank.levels(_blocks(reference), audio.shape(reference).rate))
    made = _mean_db(levels_db)
    heard = (true > AUDIBLE_DB) & (made > AUDIBLE_DB)
    counts = ndimage.uniform_filter1d(heard.astype(np.float64), SMOOTH, mode="nearest")
    smooth = ndimage.uniform_filter1d(np.where(heard, true - made, 0.0), SMOOTH, mode="nearest")
    smooth = np.where(counts > 0.1, smooth / np.maximum(counts, 0.1), 0.0)
    return np.clip(smooth, -MOST_DB, MOST_DB).astype(np.float32)


def loudness(reference: Path) -> float:
    """LUFS"""
    return audio.loudness_of(audio.forward(_blocks(reference)), audio.shape(reference))


def _blocks(path: Path) -> Iterable[Samples]:
    shape = audio.shape(path)
    return audio.chunks(path, shape.rate, shape.channels, BLOCK)


def _mean_db(rows: Iterable[Array]) -> NDArray[np.float64]:
    """The mean power in each band while it is loud, relative to the loudest band. returns: (BANDS,), dB"""
    levels = np.concatenate([each.astype(np.float16) for each in rows])
    power = np.power(10.0, levels.astype(np.float32) / 10)
    total = power.sum(axis=1)
    loud = total >= total.mean() * 10 ** (ACTIVE_DB / 10)
    mean = power[loud].mean(axis=0) if loud.any() else np.ones(BANDS)
    return np.asarray(10 * np.log10(np.maximum(mean / mean.max(), 1e-12)), np.float64)
