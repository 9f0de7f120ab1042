"""How much of each bin is whose: what notes explain, refined by a small network.

The fitted atoms (`atoms`) give every stem a share of every bin. They know no decay of single partials, no breath, no
bow, and where partials of two stems meet they guess. The network sees the mixture, a stem's atoms and those of all
others, below 11 kHz; it says by how much the stem's share is more or less than that, and how much is nobody's. It sees
stems one at a time, so there may be any number. Half of the way to what it says is gone: three quarters of it cost .14
dB SI-SDR where notes are heard, and gain .02 where they are known (the first 24 mixtures of the validation
half of `train.separate.heldout`). Above 11 kHz, and without a network, there are the shares of atoms alone.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import graph, registry
from clefkit.errors import InputError
from clefkit.separate.atoms import EXPONENT, TINY, Model

Array = NDArray[np.float32]

BINS = 1024  # that the network sees
CHANNELS = 6
WINDOW = 160  # frames that it sees at once, and REACH on both sides, on which its output depends
REACH = 40
RANGE_DB = 80.0
BELIEVED = 0.5  # of what the network changes
LEAST = 1e-3  # a share that is as good as none
EXPLAINED = 0.7  # of what is there, above which atoms are believed


@lru_cache(maxsize=2)
def load(path: Path) -> Any:
    """The network of a checkpoint, an onnxruntime.InferenceSession; nothing in it is run as code.

    path: a folder with `config.toml` and `model.onnx`
    raises: MissingError when it holds no network for masks; InputError when that gives no masks
    """
    _, (network,) = registry.promised(path, "masks")
    session = graph.session(network, path.name)
    seen = Views(np.zeros((2, CHANNELS, 5, BINS), np.float32), np.full((2, 5, BINS), -1, np.float32))
    try:
        (found,) = session.run(None, seen._asdict())
    except Exception as error:  # the errors of ONNX Runtime have no other base
        raise InputError(f"the model.onnx of {path.name} doesn't take what is seen of a mixture") from error
    if found.shape != seen.share.shape or not np.isfinite(found).all():
        raise InputError(f"the model.onnx of {path.name} gives no masks")
    return session


class Views(NamedTuple):
    """seen: (stems, CHANNELS, frames, BINS); share: (stems, frames, BINS), natural logarithm"""

    seen: Array
    share: Array


def views(model: Model, magnitudes: Array, loudest: float) -> Views:
    """What the network sees. magnitudes: (frames, bins); loudest: of the recording"""
    power, combs, heard = _seen(model.power), _seen(model.combs), _seen(magnitudes)
    there = heard**EXPONENT
    whole = power.sum(axis=0)
    others = np.minimum(combs.sum(axis=0) - combs, 1)
    level = np.clip(1 + 20 / RANGE_DB * np.log10(heard / (loudest + TINY) + TINY), 0, 1.2)
    height = np.broadcast_to(np.linspace(-1, 1, heard.shape[1], dtype=np.float32), heard.shape)
    seen = np.empty((len(power), CHANNELS, *heard.shape), np.float32)
    seen[:, 0], seen[:, 1] = level, height
    seen[:, 2], seen[:, 3] = _beside(power, there), _beside(whole - power, there)
    seen[:, 4], seen[:, 5] = combs, others
    share = np.log(np.maximum(power / (np.maximum(whole, EXPLAINED * there) + TINY), LEAST))
    return Views(seen, share)


def _beside(power: Array, there: Array) -> Array:
    """Explained beside what is there: -1 nothing, 0 all of it."""
    return np.asarray(np.clip(np.log10((power + TINY) / (there + TINY)) / 3, -1, 0.5), dtype=np.float32)


def shares(model: Model, magnitudes: Array) -> Array:
    """Masks of the atoms alone: (stems, frames, bins), 0 to 1; what is missing in their sum is nobody's."""
    whole = np.maximum(model.power.sum(axis=0), EXPLAINED * magnitudes**EXPONENT) + TINY
    return np.asarray(model.power / whole, dtype=np.float32)


def refined(session: Any, model: Model, magnitudes: Array, loudest: float) -> Array:
    """Masks, (stems, frames, bins), 0 to 1. session: see `load`"""
    masks = shares(model, magnitudes)
    bins = min(BINS, magnitudes.shape[1])
    if not len(masks):
        return masks
    for first in range(0, len(magnitudes), WINDOW):
        begin, end = max(0, first - REACH), first + WINDOW + REACH
        seen = Model(model.power[:, begin:end], model.combs[:, begin:end])
        (found,) = session.run(None, views(seen, magnitudes[begin:end], loudest)._asdict())
        here = masks[:, first : first + WINDOW, :bins]
        here += BELIEVED * (found[:, first - begin :, :bins][:, :WINDOW] - here)
    return masks


def _seen(each: Array) -> Array:
    """The bins that the network sees; of slower recordings those above are silent."""
    missing = max(0, BINS - each.shape[-1])
    return np.pad(each[..., :BINS], [(0, 0)] * (each.ndim - 1) + [(0, missing)])
