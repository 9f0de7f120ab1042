"""What was inferred, taken apart: dynamics, tone, noise; and put together again as somebody wants it.

tone      of each band the mean gain where it is loud: what the microphone and the room's colour took away
dynamics  the slow gain, and what the bands share over DYNAMIC_S: what automatic gain and compression did
noise     the rest: what comes and goes with noise, reverberation and suppression

The three add up to what the network said.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.enhance import bands
from clefkit.enhance.bands import BANDS, NO_FILL_DB
from clefkit.enhance.infer import Halves, Said

Array = NDArray[np.float32]

NAMES = ("dynamics", "tone", "noise")
DYNAMIC_S = 0.5
WITHIN_DB = 40.0  # of the loudest: where tone and dynamics are measured
ROWS = 1 << 14


class Parts(NamedTuple):
    """dynamics: (frames,), dB, 0 on average where it is loud; tone: (BANDS,), dB; noise, fill: (frames, BANDS), dB"""

    dynamics: Array
    tone: Array
    noise: Halves
    fill: Halves


def of(said: Said, levels_db: Halves) -> Parts:
    """levels_db: (frames, BANDS), of what was heard"""
    from scipy import ndimage

    loud = _loud(levels_db)
    tone = _tone(said, levels_db, loud)
    shared = np.empty(len(loud), np.float32)
    for first in range(0, len(loud), ROWS):
        here = slice(first, first + ROWS)
        power = np.power(10.0, (levels_db[here].astype(np.float32) + tone) / 10)
        rest = said.band[here].astype(np.float32) - tone
        shared[here] = (power * rest).sum(axis=1) / np.maximum(power.sum(axis=1), 1e-20)
    counts = ndimage.uniform_filter1d(loud.astype(np.float32), bands.frames(DYNAMIC_S), mode="nearest")
    smooth = ndimage.uniform_filter1d(shared * loud, bands.frames(DYNAMIC_S), mode="nearest")
    smooth = np.where(counts > 0.01, smooth / np.maximum(counts, 0.01), 0.0).astype(np.float32)
    noise = said.band - tone.astype(np.float16)
    noise -= smooth[:, None].astype(np.float16)
    dynamics = said.slow.astype(np.float32) + smooth
    middle = np.float32((dynamics * loud).sum() / max(loud.sum(), 1))
    return Parts(dynamics - middle, tone + middle, noise, said.fill)


def together(
    parts: Parts, level_db: float, wanted: Collection[str], strength: float, here: slice = slice(None)
) -> tuple[Array, Array]:
    """Gains and fills, (frames, BANDS), dB; fills relative to full scale.

    level_db: of the recording; wanted: of NAMES; strength: 0 to 1, of every gain in dB; here: which frames
    """
    gains = np.zeros(parts.noise[here].shape, np.float32)
    gains += parts.dynamics[here, None] if "dynamics" in wanted else 0
    gains += parts.tone if "tone" in wanted else 0
    gains += parts.noise[here] if "noise" in wanted else 0
    if "tone" not in wanted or strength == 0 or not np.isfinite(level_db):
        return strength * gains, np.full(gains.shape, 2 * NO_FILL_DB, np.float32)
    dynamics = parts.dynamics[here, None] if "dynamics" not in wanted else np.float32(0)
    fills = parts.fill[here].astype(np.float32) + np.float32(level_db + 20 * np.log10(strength)) - dynamics
    return strength * gains, np.where(parts.fill[here] > NO_FILL_DB + 1, fills, 2 * NO_FILL_DB).astype(np.float32)


def _loud(levels_db: Halves) -> NDArray[np.bool_]:
    top = levels_db.max(axis=1)
    return np.asarray(top > max(float(top.max(initial=-np.inf)) - WITHIN_DB, -90.0))


def _tone(said: Said, levels_db: Halves, loud: NDArray[np.bool_]) -> Array:
    """The mean gain of each band, by power: within a band's own 20 dB of what it has at its loudest."""
    weights, sums = np.zeros(BANDS), np.zeros(BANDS)
    for first in range(0, len(loud), ROWS):
        here = slice(first, first + ROWS)
        power = np.power(10.0, levels_db[here].astype(np.float32) / 20) * loud[here, None]
        weights += power.sum(axis=0)
        sums += (power * said.band[here]).sum(axis=0)
    return np.asarray(np.where(weights > 0, sums / np.maximum(weights, 1e-20), 0), np.float32)
