"""A checkpoint at work: sound in, what the network says of each frame out.

The network sees 512 frames at a time (12 s), with as many more on each side as an output depends on, at places that
depend on nothing but the beginning of the file. So memory doesn't grow with the length, no seam is heard, and the
result doesn't depend on how the sound arrived. One thread: the same numbers everywhere, and `--jobs` has the cores.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from clefkit import features, graph, registry, tuning
from clefkit.errors import InputError
from clefkit.transcribe import samples, thresholds
from clefkit.transcribe.peaks import DECODED
from clefkit.transcribe.thresholds import Thresholds

Array = NDArray[np.float32]

WINDOW = 512  # frames
OUTPUTS = ("onset", "frame", "velocity")  # of a checkpoint that doesn't say
MOST_REACH = 4096  # frames
MOST_SAMPLES = 2**24


class Hearing(Protocol):
    """What any model has, whatever it makes of the sound first.

    names: of its outputs, "onset" and "frame" among them
    rate: Hz, of the samples that `outputs` wants; frames_per_second, first_s: when the frames are that it yields
    """

    @property
    def rate(self) -> int: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def thresholds(self) -> Thresholds: ...
    @property
    def frames_per_second(self) -> float: ...
    @property
    def first_s(self) -> float: ...
    def outputs(self, blocks: Iterable[Array]) -> Iterator[Array]: ...


class Model(NamedTuple):
    """A checkpoint that sees the features of this project.

    session: an onnxruntime.InferenceSession
    reach: frames on each side that an output depends on
    names: of the outputs, in their order
    """

    session: Any
    reach: int
    thresholds: Thresholds
    names: tuple[str, ...] = OUTPUTS
    frames_per_second: float = features.FRAMES_PER_SECOND
    first_s: float = 0.0
    rate: int = features.RATE

    def outputs(self, blocks: Iterable[Array]) -> Iterator[Array]:
        """(samples,) each, float32, mono, at 22,050 Hz -> (frames, outputs, pitches) each, 0 to 1."""
        return outputs(tuning.follow(features.stream(blocks)), self)


@lru_cache(maxsize=2)
def load(path: Path) -> Hearing:
    """Load a checkpoint; nothing in it is run as code.

    path: a folder with `config.toml` and `model.onnx`, or the network of the package basic-pitch
    raises: MissingError when there is no such checkpoint, or its network isn't the one its config names;
        InputError when the network doesn't do what its config promises
    """
    if path.is_file():
        from clefkit.transcribe import basic_pitch

        return basic_pitch.load()
    config, (network,) = registry.promised(path, "notes")
    return _model(config, network, path.name)


def _model(config: dict[str, Any], network: bytes, name: str) -> Hearing:
    """The model that a config promises. Raises InputError when it promises nothing we know, or breaks the promise."""
    limits = thresholds.told(config.get("thresholds"), name)
    names = tuple(config.get("outputs", OUTPUTS))
    if not {"onset", "frame"} <= set(names) or len(names) > len(set(names)):
        raise InputError(f"the config.toml of {name}: outputs must name onset and frame, and each once")
    reach = _whole(config, "reach", 0, MOST_REACH, name)
    session = graph.session(network, name)
    if config.get("input", "sound") == "sound":
        frames = 2 * reach + 8
        example = np.zeros((1, features.CHANNELS, frames, features.BINS), np.float32)
        graph.check(session, name, "sound", example, (len(names), frames, features.PITCHES))
        return Model(session, reach, limits, names)
    rate = _whole(config, "rate_hz", 1000, 192_000, name)
    hop = _whole(config, "hop", 1, rate, name)
    window = _whole(config, "window", (2 * reach + 1) * hop, MOST_SAMPLES, name) // hop * hop
    graph.check(
        session, name, "audio", np.zeros((1, window), np.float32), (len(names), window // hop, features.PITCHES)
    )
    return samples.Model(session, rate, hop, window, reach, limits, names)


def _whole(config: dict[str, Any], key: str, low: int, high: int, name: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"the config.toml of {name}: {key} must be a whole number from {low} to {high}")
    return value


def arranged(outputs: Array, names: tuple[str, ...]) -> Array:
    """Outputs as the decoder takes them, what is missing 0; but the frame output tells the velocity where none does.

    outputs: (frames, outputs, pitches), in the order of `names`
    """
    if names == DECODED:
        return outputs
    result = np.zeros((len(outputs), len(DECODED), outputs.shape[2]), np.float32)
    for place, name in enumerate(DECODED):
        source = "frame" if name == "velocity" and name not in names else name
        if source in names:
            result[:, place] = outputs[:, names.index(source)]
    return result


def outputs(sound: Iterable[Array], model: Model, window: int = WINDOW) -> Iterator[Array]:
    """What the network says.

    sound: (frames, channels, bins) each, as `features.stream` yields them
    window: frames that the network sees at once; changes nothing but memory and time
    yields: (frames, outputs, pitches), 0 to 1, in order; as many frames in all as came in
    """
    waiting = np.zeros((0, features.CHANNELS, features.BINS), np.float32)
    left = 0  # frames at the start of `waiting` that are done and only seen as context
    for piece in sound:
        waiting = np.concatenate([waiting, piece])
        while len(waiting) >= left + window + model.reach:
            yield _run(waiting[: left + window + model.reach], model)[left : left + window]
            waiting = waiting[left + window - model.reach :]
            left = model.reach
    while len(waiting) > left:
        yield _run(waiting[: left + window + model.reach], model)[left : left + window]
        waiting = waiting[left + window - model.reach :]
        left = model.reach


def _run(sound: Array, model: Model) -> Array:
    """(frames, channels, bins) -> (frames, outputs, pitches)."""
    return graph.probabilities(model.session, {"sound": np.ascontiguousarray(sound.transpose(1, 0, 2))[None]})
