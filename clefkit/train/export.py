"""A trained network becomes a checkpoint folder: model.onnx, weights.safetensors, config.toml, card.md."""

from __future__ import annotations

import hashlib
import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from clefkit import features
from clefkit.nets import notes as nets
from clefkit.transcribe.decode import Thresholds

OPSET = 17


def onnx(network: nets.Notes) -> bytes:
    """The network for ONNX Runtime: "sound" (1, channels, frames, bins) to "logits" (1, outputs, frames, pitches),
    any number of frames."""
    example = torch.zeros(1, features.CHANNELS, 64, features.BINS)
    plain = nets.Notes().eval()
    plain.load_state_dict(network.state_dict())
    with tempfile.TemporaryDirectory(prefix="clefkit-") as folder, warnings.catch_warnings():
        path = Path(folder) / "model.onnx"
        # the exporter that traces; the one that replaces it needs another package for the same graph
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            plain,
            (example,),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=["sound"],
            output_names=["logits"],
            dynamic_axes={"sound": {2: "frames"}, "logits": {2: "frames"}},
        )
        return path.read_bytes()


def write(
    folder: Path,
    network: nets.Notes,
    thresholds: Thresholds,
    about: dict[str, str],
    measured: dict[str, dict[str, Any]],
) -> None:
    """Write all but the card.

    about: what the config says of itself: about, licence, made_by, data
    measured: by name, {"value": number, "on": what it was measured on}
    """
    folder.mkdir(parents=True, exist_ok=True)
    graph = onnx(network)
    (folder / "model.onnx").write_bytes(graph)
    weights = folder / "weights.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, weights)
    config: dict[str, Any] = {
        "net": "notes",
        "rate_hz": features.RATE,
        "sha256": hashlib.sha256(graph).hexdigest(),
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "reach": nets.reach(),
    }
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in (config | about).items()]
    lines += ["", "[thresholds]", *(f"{key} = {value}" for key, value in thresholds._asdict().items())]
    lines += ["", "[measured]"]
    lines += [f"{key} = {{ value = {each['value']}, on = {json.dumps(each['on'])} }}" for key, each in measured.items()]
    (folder / "config.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
