"""The network `tag` at work: a sound of any length in, what was heard cell by cell and as a whole out.

The sound is worked on in windows of four seconds, each with half a second around it. What is said of cells is kept, 120
bytes each (4 MB an hour); what is said of windows is averaged on the way, by how loud and how sure it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import graph, registry
from clefkit.errors import InputError
from clefkit.tag import hearing
from clefkit.tag.hearing import CELL
from clefkit.tag.vocabulary import FAMILIES, LEAVES

Array = NDArray[np.float32]

WINDOW, AROUND = 40, 5  # cells
SILENT = 10 ** (-70 / 10)  # K-weighted power of a cell: softer is silence
SHARPNESS = 4.0  # of the mean over windows: 1 is the mean, infinity the highest
NAMES = (*LEAVES, *FAMILIES)
OUTPUTS = ("clip", "cells", "shares", "descriptors", "spaces", "whole")


class Calibration(NamedTuple):
    """What makes probabilities and gains of what the network says.

    scales, biases: (NAMES,), of logits; gain: (3,), see `decide.likely_gains`
    """

    clip_scale: NDArray[np.float64]
    clip_bias: NDArray[np.float64]
    cell_scale: NDArray[np.float64]
    cell_bias: NDArray[np.float64]
    gain: NDArray[np.float64]


class Model(NamedTuple):
    """A checkpoint at work.

    session: an onnxruntime.InferenceSession; described: names of descriptors; mean, deviation: of them
    threshold: of probabilities, from which on an instrument is called present
    """

    session: Any
    calibration: Calibration
    described: tuple[str, ...]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    threshold: float


class Heard(NamedTuple):
    """What was heard.

    seconds: how long the sound is
    clip: (NAMES,), probability that it sounds at all; cells: (cells, NAMES), probability that it sounds there
    energies: (cells, LEAVES), K-weighted power of each, if it plays; powers: (cells,)
    described: (LEAVES, descriptors); spaces: (LEAVES, numbers); whole: (numbers,), of length 1, or 0 for silence
    """

    seconds: float
    clip: NDArray[np.float64]
    cells: NDArray[np.float16]
    energies: Array
    powers: Array
    described: NDArray[np.float64]
    spaces: NDArray[np.float64]
    whole: NDArray[np.float64]

    @property
    def silent(self) -> bool:
        return not len(self.powers) or float(self.powers.max()) < SILENT


@lru_cache(maxsize=4)
def load(path: Path) -> Model:
    """A checkpoint's folder. Raises InputError when it is damaged, or is no network for tags."""
    about = registry.config(path)
    if about.get("net") != "tag":
        raise InputError(f"{path.name} names no instruments: its net is {about.get('net')!r}")
    network = (path / "model.onnx").read_bytes()
    if hashlib.sha256(network).hexdigest() != about.get("sha256"):
        raise InputError(f"model {path.name}: model.onnx is not the file that its config.toml names")
    try:
        if tuple(about["leaves"]) != LEAVES:
            raise InputError(f"model {path.name} has other names than this version of clefkit")
        described = tuple(about["descriptors"])
        shapes = dict.fromkeys(Calibration._fields, (len(NAMES),)) | {"gain": (3,)}
        shapes |= dict.fromkeys(("mean", "deviation"), (len(described),))
        *given, mean, deviation = (np.array(about["calibration"][name], float).reshape(shapes[name]) for name in shapes)
        threshold = float(about["threshold"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"model {path.name}: its config.toml lacks its names or its calibration") from error
    session = graph.session(network, path.name)
    _check(session, path.name, len(described))
    return Model(session, Calibration(*given), described, mean, deviation, threshold)


def _check(session: Any, name: str, described: int) -> None:
    """Send two cells of silence through a graph. Raises InputError when it takes or gives what it ought not to."""
    silence = np.zeros((1, hearing.CHANNELS, 2 * hearing.FRAMES, hearing.BANDS), np.float32)
    try:
        said = session.run(list(OUTPUTS), {"seen": silence})
    except Exception as error:  # the errors of ONNX Runtime have no other base
        raise InputError(
            f"the model.onnx of {name} has to take 'seen' of shape {silence.shape} and give {', '.join(OUTPUTS)}"
        ) from error
    clip, cells, shares, descriptors, spaces, whole = (each.shape for each in said)
    count, width = len(LEAVES), len(NAMES)
    fits = (clip, cells, shares) == ((1, width), (1, 2, width), (1, 2, count)) and descriptors == (1, count, described)
    if not (fits and spaces[:2] == (1, count) and len(spaces) == 3 and whole[:1] == (1,) and len(whole) == 2):
        shapes = ", ".join(f"{one} {each.shape}" for one, each in zip(OUTPUTS, said, strict=True))
        raise InputError(f"the model.onnx of {name} gives other shapes than a network for tags: {shapes}")


def listen(blocks: Iterable[Array], model: Model) -> Heard:
    """Hear a sound that arrives in blocks: (samples,), float32, mono, at 22,050 Hz."""
    total = _Total(model)
    for cells, first, count in _windows(blocks, total):
        total.add(cells, first, count)
    return total.heard()


def _windows(blocks: Iterable[Array], total: _Total) -> Iterator[tuple[Array, int, int]]:
    """Windows in order: samples, the first cell in them that is new, and how many are."""
    waiting = np.zeros(0, np.float32)
    seen = 0  # cells of `waiting` that were new before
    needed = (WINDOW + AROUND) * CELL
    for block in blocks:
        total.samples += len(block)
        waiting = np.concatenate([waiting, block])
        while len(waiting) >= needed + seen * CELL:
            yield waiting[: needed + seen * CELL], seen, WINDOW
            drop = seen + WINDOW - AROUND
            waiting, seen = waiting[drop * CELL :], AROUND
    left = hearing.cells(len(waiting)) - seen
    if left > 0:
        yield waiting, seen, left


@dataclass
class _Total:
    """What was heard so far."""

    model: Model
    samples: int = 0
    cells: list[NDArray[np.float16]] = field(default_factory=list)
    energies: list[Array] = field(default_factory=list)
    powers: list[Array] = field(default_factory=list)
    clip: list[NDArray[np.float64]] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    described: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    spaces: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    whole: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    weights: NDArray[np.float64] = field(default_factory=lambda: np.full(len(LEAVES), 1e-12))

    def add(self, sound: Array, first: int, count: int) -> None:
        """One window. first, count: which of its cells are new"""
        powers = hearing.powers(sound)
        new = slice(first, first + count)
        if powers.max(initial=0) < SILENT:
            said = [np.full((1, len(NAMES)), -np.inf), np.full((1, len(powers), len(NAMES)), -np.inf)]
            self._keep(said[0][0], said[1][0, new], np.zeros((count, len(LEAVES)), np.float32), powers[new])
            return
        seen = hearing.seen(hearing.energies(sound))[None]
        clip, cells, shares, described, spaces, whole = self.model.session.run(list(OUTPUTS), {"seen": seen})
        energies = np.asarray(powers[new, None] * _probability(shares[0, new]), np.float32)
        self._keep(clip[0], cells[0, new], energies, powers[new])
        own = self.clip[-1][: len(LEAVES)] * energies.sum(axis=0)
        self.weights = self.weights + own
        self.described = _plus(self.described, own[:, None] * described[0])
        self.spaces = _plus(self.spaces, own[:, None] * spaces[0])
        self.whole = _plus(self.whole, float(powers[new].sum()) * whole[0])

    def _keep(self, clip: Array, cells: Array, energies: Array, powers: Array) -> None:
        how = self.model.calibration
        self.clip.append(_probability(clip, how.clip_scale, how.clip_bias))
        self.cells.append(_probability(cells, how.cell_scale, how.cell_bias).astype(np.float16))
        self.energies.append(energies)
        self.powers.append(powers)
        self.lengths.append(len(powers))

    def heard(self) -> Heard:
        count = len(LEAVES)
        if not self.clip:
            self._keep(
                np.full(len(NAMES), -np.inf, np.float32),
                np.zeros((0, len(NAMES)), np.float32),
                np.zeros((0, count), np.float32),
                np.zeros(0, np.float32),
            )
        weights = np.array(self.lengths, float) + 1e-9
        clip = np.average(np.array(self.clip) ** SHARPNESS, axis=0, weights=weights) ** (1 / SHARPNESS)
        nothing = not self.whole.size
        width = len(self.model.described)
        described = np.zeros((count, width)) if nothing else self.described / self.weights[:, None]
        spaces = np.zeros((count, 1)) if nothing else self.spaces / self.weights[:, None]
        length = float(np.linalg.norm(self.whole)) if not nothing else 1.0
        return Heard(
            self.samples / hearing.RATE,
            clip,
            np.concatenate(self.cells),
            np.concatenate(self.energies),
            np.concatenate(self.powers),
            self.model.mean + self.model.deviation * described,
            spaces,
            self.whole / max(length, 1e-12),
        )


def _plus(one: NDArray[np.float64], other: Array) -> NDArray[np.float64]:
    return np.asarray(one + other if one.size else other, np.float64)


def _probability(
    logits: Array, scale: NDArray[np.float64] | float = 1.0, bias: NDArray[np.float64] | float = 0.0
) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(scale * logits + bias, -40, 40))))
