"""Graphs small enough to know what they say: a pitch sounds where it is loud, and begins where its loudness rises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from clefkit import features

CONFIG = """net = "notes"
outputs = ["onset", "frame"]
{more}
[thresholds]
onset = 0.5
again = 0.5
frame = 0.5
sustain = 0.5
"""
RATE, HOP, FRAMES, REACH, PITCH = 8000, 160, 100, 5, 60  # of the graph that takes samples; it hears one pitch
OF_FEATURES = "reach = 2"
OF_SAMPLES = f'reach = {REACH}\ninput = "audio"\nrate_hz = {RATE}\nhop = {HOP}\nwindow = {FRAMES * HOP}'


def write(folder: Path, graph: bytes, more: str = OF_FEATURES) -> Path:
    """A folder with a checkpoint of this graph."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(graph)
    (folder / "config.toml").write_text(CONFIG.format(more=more), encoding="utf-8")
    return folder


def of_features(bins: int = features.BINS, pitches: int = features.PITCHES) -> bytes:
    """A pitch is as loud as its middle bin."""
    step = features.BINS_PER_SEMITONE
    nodes = [
        helper.make_node("Slice", ["sound", "none", "one", "one"], ["first"]),
        helper.make_node("Slice", ["first", "one", "end", "last_axis", "step"], ["level"]),
    ]
    numbers = {"step": [step], "end": [step * pitches], "least": np.float32(0.6), "rise": np.float32(0.2)}
    return _graph(nodes, numbers, "sound", [1, features.CHANNELS, "frames", bins])


def of_samples() -> bytes:
    """Middle C is as loud as the samples."""
    nodes = [
        helper.make_node("Abs", ["audio"], ["rectified"]),
        helper.make_node("Reshape", ["rectified", "rows"], ["framed"]),
        helper.make_node("ReduceMean", ["framed", "last_axis"], ["loudness"]),
        helper.make_node("Mul", ["loudness", "mask"], ["level"]),
    ]
    mask = (np.arange(features.PITCHES) == PITCH - features.LOWEST_PITCH).astype(np.float32)
    numbers = {"rows": [1, 1, FRAMES, HOP], "mask": mask, "least": np.float32(0.1), "rise": np.float32(0.05)}
    return _graph(nodes, numbers, "audio", [1, FRAMES * HOP])


def _graph(nodes: list[Any], numbers: dict[str, Any], name: str, shape: list[Any]) -> bytes:
    """From nodes that make "level" (1, 1, frames, pitches) to a graph of two outputs."""
    heard = [
        helper.make_node("Pad", ["level", "later"], ["before"]),
        helper.make_node("Sub", ["level", "before"], ["risen"]),
        helper.make_node("Sub", ["risen", "rise"], ["onset"]),
        helper.make_node("Sub", ["level", "least"], ["frame"]),
        helper.make_node("Concat", ["onset", "frame"], ["both"], axis=1),
        helper.make_node("Mul", ["both", "steep"], ["logits"]),
    ]
    shared = {"none": [0], "one": [1], "last_axis": [3], "later": [0, 0, 2, 0, 0, 0, -2, 0], "steep": np.float32(20)}
    used = {each for node in [*nodes, *heard] for each in node.input}
    constants = [
        numpy_helper.from_array(np.array(value), key) for key, value in (shared | numbers).items() if key in used
    ]
    sound = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 2, None, None])
    graph = helper.make_graph([*nodes, *heard], "tiny", [sound], [logits], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return bytes(model.SerializeToString())
