"""ONNX graphs: loaded so that they give the same numbers everywhere, and refused when they aren't what was promised."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clefkit.errors import InputError

Array = NDArray[np.float32]


def session(network: bytes, name: str) -> Any:
    """An onnxruntime.InferenceSession with one thread: `--jobs` has the cores.

    name: of the checkpoint, for people
    raises: InputError when these bytes are no graph that ONNX Runtime can run
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is told once, by us
    try:
        return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the errors of ONNX Runtime have no other base
        why = str(error).strip().split("\n")[0].rpartition(" : ")[2]
        raise InputError(f"the model.onnx of {name} is no ONNX graph that can be run here: {why}") from error


def check(graph: Any, name: str, sound: str, example: Array, shape: tuple[int, int, int]) -> None:
    """Send an example through a graph and look at what comes out.

    sound: what its input is called; example: for this input
    shape: what has to come out as "logits": outputs, frames, pitches
    raises: InputError when the graph takes or gives something else
    """
    named = [[each.name for each in side] for side in (graph.get_inputs(), graph.get_outputs())]
    if named[0] != [sound] or "logits" not in named[1]:
        raise InputError(f"the model.onnx of {name} needs one input {sound!r} and an output 'logits', has {named}")
    try:
        (logits,) = graph.run(["logits"], {sound: example})
    except Exception as error:
        raise InputError(f"the model.onnx of {name} doesn't take {sound!r} of shape {example.shape}") from error
    if logits.shape != (1, *shape) or not np.isfinite(logits).all():
        raise InputError(f"the model.onnx of {name} gives 'logits' of shape {logits.shape}, not {(1, *shape)}")


def probabilities(graph: Any, feed: dict[str, Array]) -> Array:
    """What a checked graph says. returns: (frames, outputs, pitches), 0 to 1"""
    (logits,) = graph.run(["logits"], feed)
    return np.asarray(1 / (1 + np.exp(-logits[0].transpose(1, 0, 2))), dtype=np.float32)
