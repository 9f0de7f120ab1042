"""A checkpoint at work: sound in, what the network says of each frame out.

The network sees 512 frames at a time (12 s), with as many more on each side as an output depends on, at places that
depend on nothing but the beginning of the file. So memory doesn't grow with the length, no seam is heard, and the
result doesn't depend on how the sound arrived. One thread: the same numbers everywhere, and `--jobs` has the cores.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import features
from clefkit.errors import MissingError
from clefkit.notes import Notes
from clefkit.transcribe.decode import Decoder, Thresholds

Array = NDArray[np.float32]

WINDOW = 512  # frames
OUTPUTS = ("onset", "frame", "velocity")  # of a checkpoint that doesn't say
DECODED = ("onset", "frame", "offset", "velocity")


class Model(NamedTuple):
    """A loaded checkpoint.

    session: an onnxruntime.InferenceSession
    reach: frames on each side that an output depends on
    names: of the outputs, in their order
    """

    session: Any
    reach: int
    thresholds: Thresholds
    names: tuple[str, ...] = OUTPUTS


@lru_cache(maxsize=2)
def load(folder: Path) -> Model:
    """Load `config.toml` and `model.onnx`; nothing in them is run as code.

    raises: MissingError when the folder holds no such checkpoint, or its network isn't the one its config names
    """
    try:
        config = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
        network = (folder / "model.onnx").read_bytes()
    except OSError as error:
        raise MissingError(f"no checkpoint {folder.name}: it needs config.toml and model.onnx") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MissingError(f"the config.toml of checkpoint {folder.name} is damaged: {error}") from error
    if config.get("net") != "notes":
        raise MissingError(f"checkpoint {folder.name} is of kind {config.get('net')!r}, not 'notes'")
    if hashlib.sha256(network).hexdigest() != config.get("sha256"):
        raise MissingError(f"the model.onnx of checkpoint {folder.name} is not the one its config.toml names")
    names = tuple(config.get("outputs", OUTPUTS))
    return Model(_session(network), int(config["reach"]), Thresholds(**config["thresholds"]), names)


def _session(network: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])


def notes(blocks: Iterable[Array], model: Model, window: int = WINDOW) -> Notes:
    """The notes of a sound that arrives in blocks.

    blocks: (samples,) each, float32, mono, at 22,050 Hz, of any lengths
    window: frames that the network sees at once; changes nothing but memory and time
    """
    decoder = Decoder(model.thresholds)
    for piece in outputs(features.stream(blocks), model, window):
        decoder.push(arranged(piece, model.names))
    return decoder.finish()


def arranged(outputs: Array, names: tuple[str, ...]) -> Array:
    """Outputs as the decoder takes them; where none tells the velocity, the frame output does.

    outputs: (frames, outputs, pitches), in the order of `names`
    """
    wanted = [name for name in DECODED if name in names or name == "velocity"]
    return outputs[:, [names.index(name if name in names else "frame") for name in wanted]]


def outputs(sound: Iterable[Array], model: Model, window: int = WINDOW) -> Iterator[Array]:
    """What the network says.

    sound: (frames, channels, bins) each, as `features.stream` yields them
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
    (logits,) = model.session.run(None, {"sound": np.ascontiguousarray(sound.transpose(1, 0, 2))[None]})
    return np.asarray(1 / (1 + np.exp(-logits[0].transpose(1, 0, 2))), dtype=np.float32)
