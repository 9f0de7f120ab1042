"""The network `enhance` at work: levels of a recording in, gains for each frame and band out.

The levels are gone through in windows of WINDOW_S seconds with AROUND_S more on both sides; where two windows meet,
gains go from one to the other over BLEND_S seconds, so no seam is heard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import graph, registry
from clefkit.enhance import bands
from clefkit.enhance.bands import BANDS, NO_FILL_DB
from clefkit.enhance.overall import ROWS, Overall
from clefkit.errors import InputError

Array = NDArray[np.float32]
Halves = NDArray[np.float16]

WINDOW_S, AROUND_S, BLEND_S = 24.0, 6.0, 1.0
INPUTS, OUTPUTS = ("levels", "floors", "overall"), ("slow", "band", "fill")


class Said(NamedTuple):
    """What the network says of a recording.

    slow: (frames,), dB; band: (frames, BANDS), dB; fill: (frames, BANDS), dB relative to the recording's level
    """

    slow: Halves
    band: Halves
    fill: Halves


@lru_cache(maxsize=4)
def load(path: Path) -> Any:
    """The graph in a checkpoint's folder, an onnxruntime.InferenceSession.

    raises: InputError when it is damaged, or is no network that enhances
    """
    about = registry.config(path)
    if about.get("net") != "enhance":
        raise InputError(f"{path.name} enhances nothing: its net is {about.get('net')!r}")
    network = (path / "model.onnx").read_bytes()
    if hashlib.sha256(network).hexdigest() != about.get("sha256"):
        raise InputError(f"model {path.name}: model.onnx is not the file that its config.toml names")
    session = graph.session(network, path.name)
    _check(session, path.name)
    return session


def _check(session: Any, name: str) -> None:
    """Send silence through a graph. Raises InputError when it takes or gives what it ought not to."""
    silence = np.full((1, 8, BANDS), -60, np.float32)
    try:
        given = (silence, silence[:, :: bands.EVERY], silence[:, :ROWS])
        said = session.run(list(OUTPUTS), dict(zip(INPUTS, given, strict=True)))
    except Exception as error:  # the errors of ONNX Runtime have no other base
        raise InputError(
            f"the model.onnx of {name} has to take levels {silence.shape}, floors (1, 4, {BANDS}) and overall "
            f"(1, {ROWS}, {BANDS}), and give {', '.join(OUTPUTS)}"
        ) from error
    if [each.shape for each in said] != [(1, 8), silence.shape, silence.shape]:
        raise InputError(f"the model.onnx of {name} gives other shapes than a network that enhances")


def say(session: Any, levels_db: Halves, floors_db: Halves, known: Overall) -> Said:
    """levels_db: (frames, BANDS), floors_db: (half as many, rounded up, BANDS), of full scale; known: of all of it"""
    count = len(levels_db)
    said = Said(*(np.zeros(shape, np.float16) for shape in ((count,), (count, BANDS), (count, BANDS))))
    said.fill[:] = NO_FILL_DB
    if not np.isfinite(known.level_db):
        return said
    for first, last, start, end in _windows(count):
        piece = levels_db[start:end].astype(np.float32)
        piece = np.pad(piece, ((0, len(piece) % bands.EVERY), (0, 0)), mode="edge")
        under = floors_db[start // bands.EVERY : -(-end // bands.EVERY)].astype(np.float32)
        given = (*((each - np.float32(known.level_db)) for each in (piece, under)), known.relative)
        found = session.run(list(OUTPUTS), {name: each[None] for name, each in zip(INPUTS, given, strict=True)})
        for kept, new in zip(said, found, strict=True):
            _blend(kept, new[0][first - start : last - start].astype(np.float32), first)
    return said


def _windows(count: int) -> Iterator[tuple[int, int, int, int]]:
    """Frames that are new or blended, first and last, and those that the network sees, first and last."""
    step, around, blend = (2 * (bands.frames(each) // 2) for each in (WINDOW_S, AROUND_S, BLEND_S))
    for number in range(max(1, -(-(count - blend) // step))):
        first, last = number * step, min((number + 1) * step + blend, count)
        yield first, last, max(0, first - around), min(last + around, count)


def _blend(kept: Halves, new: Array, first: int) -> None:
    """Write new gains; over the first of them go over from those that are there."""
    blend = 2 * (bands.frames(BLEND_S) // 2) if first else 0
    blend = min(blend, len(new))
    weight = (np.arange(blend, dtype=np.float32) + 0.5) / max(blend, 1)
    weight = weight.reshape(-1, *[1] * (new.ndim - 1))
    new[:blend] = weight * new[:blend] + (1 - weight) * kept[first : first + blend]
    kept[first : first + len(new)] = new
