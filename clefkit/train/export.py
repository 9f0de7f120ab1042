"""Trained networks become a checkpoint folder: model.onnx, weights.safetensors, config.toml.

Weights are kept in 16 bits, so a checkpoint is half as large; the graph computes in 32.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from safetensors.torch import save
from torch import Tensor, nn

from clefkit import features
from clefkit.nets.notes import OUTPUTS, Notes
from clefkit.transcribe.decode import Thresholds

OPSET = 17
LEAST = 64  # numbers that a tensor has to have to be worth a cast


def notes_graph(network: Notes) -> bytes:
    """The network for ONNX Runtime: "sound" (1, channels, frames, bins) to "logits" (1, outputs, frames, pitches),
    any number of frames."""
    example = (torch.zeros(1, features.CHANNELS, 64, features.BINS),)
    plain = Notes(network.size).eval()
    plain.load_state_dict(network.state_dict())
    return graph(plain, example, ["sound"], ["logits"], {"sound": {2: "frames"}, "logits": {2: "frames"}})


def write(
    folder: Path,
    network: Notes,
    thresholds: Thresholds,
    about: dict[str, Any],
    measured: dict[str, dict[str, Any]],
) -> None:
    """Write all but the card.

    about: what the config says of itself: about, licence, made_by, data
    measured: by name, {"value": number, "on": what it was measured on}
    """
    folder.mkdir(parents=True, exist_ok=True)
    heard = notes_graph(network)
    (folder / "model.onnx").write_bytes(heard)
    config: dict[str, Any] = {
        "net": "notes",
        "rate_hz": features.RATE,
        "sha256": hashlib.sha256(heard).hexdigest(),
        "parameters": parameters(network),
        "outputs": list(OUTPUTS),
        "reach": network.reach(),
    }
    weights = save({f"notes.{name}": half(tensor) for name, tensor in network.state_dict().items()})
    (folder / "weights.safetensors").write_bytes(weights)
    config["weights_sha256"] = hashlib.sha256(weights).hexdigest()
    write_config(folder, config | about, {"thresholds": thresholds._asdict()}, measured)


def write_config(
    folder: Path, config: dict[str, Any], tables: dict[str, dict[str, Any]], measured: dict[str, dict[str, Any]]
) -> None:
    """config.toml: keys, tables of numbers, and what was measured on what, as `write` has it."""
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in config.items()]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{key} = {round(float(value), 4)}" for key, value in table.items())]
    lines += ["", "[measured]"]
    lines += [f"{key} = {{ value = {each['value']}, on = {json.dumps(each['on'])} }}" for key, each in measured.items()]
    (folder / "config.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def half(tensor: Tensor) -> Tensor:
    return (tensor.half() if tensor.is_floating_point() else tensor).contiguous()


def graph(
    network: nn.Module,
    example: tuple[Tensor, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
    axes: dict[str, dict[int, str]],
) -> bytes:
    """A network for ONNX Runtime, its weights in 16 bits. axes: by name of input or output, those that vary in size"""
    with tempfile.TemporaryDirectory(prefix="clefkit-") as folder, warnings.catch_warnings():
        path = Path(folder) / "model.onnx"
        # the exporter that traces; the one that replaces it needs another package for the same graph
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", "Converting a tensor to a Python")  # checks of shapes, which hold for all
        warnings.filterwarnings("ignore", "Exporting a model to ONNX with a batch_size")  # a test tries others
        torch.onnx.export(
            network,
            example,
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
        )
        return halved(path.read_bytes())


def halved(network: bytes) -> bytes:
    """The same graph with its large tensors of weights in 16 bits, cast to 32 where they are used."""
    model = onnx.load_model_from_string(network)
    casts = []
    for weights in model.graph.initializer:
        values = numpy_helper.to_array(weights)
        if values.dtype == np.float32 and values.size >= LEAST:
            name = weights.name
            weights.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
