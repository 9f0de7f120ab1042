"""From a trained network that enhances to a checkpoint's files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from clefkit.enhance.bands import BANDS
from clefkit.enhance.infer import INPUTS, OUTPUTS
from clefkit.enhance.overall import ROWS
from clefkit.nets.enhance import TOGETHER, Enhance
from clefkit.train import export


def onnx_graph(network: Enhance) -> bytes:
    """For ONNX Runtime: levels, floors and overall of one recording, as `Enhance` takes them, to what `Gains` names."""
    example = (torch.zeros(1, 16 * TOGETHER, BANDS), torch.zeros(1, 16, BANDS), torch.zeros(1, ROWS, BANDS))
    axes = {name: {1: "frames"} for name in ("levels", *OUTPUTS)} | {"floors": {1: "steps"}}
    return export.graph(network.eval(), example, list(INPUTS), list(OUTPUTS), axes)


def write(folder: Path, network: Enhance, about: dict[str, Any], measured: dict[str, dict[str, Any]]) -> None:
    """model.onnx, weights.safetensors, config.toml.

    about: what the config says of itself; measured: by name, {"value": number, "on": what it was measured on}
    """
    folder.mkdir(parents=True, exist_ok=True)
    heard = onnx_graph(network)
    weights = save({name: export.half(tensor) for name, tensor in network.state_dict().items()})
    (folder / "model.onnx").write_bytes(heard)
    (folder / "weights.safetensors").write_bytes(weights)
    config = {
        "net": "enhance",
        "sha256": hashlib.sha256(heard).hexdigest(),
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "parameters": export.parameters(network),
        **about,
    }
    export.write_config(folder, config, {}, measured)
