"""basic-pitch as a checkpoint: found without being imported, heard as the package hears."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from clefkit.errors import MissingError
from clefkit.transcribe import basic_pitch

Array = NDArray[np.float32]
RATE, HOP, WINDOW, STEP = 22_050, 256, 43_844, 36_164


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    basic_pitch.load.cache_clear()
    yield
    basic_pitch.load.cache_clear()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of that name that must not be imported, without a network."""
    folder = tmp_path / "basic_pitch"
    (folder / "saved_models" / "icassp_2022").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder / "saved_models" / "icassp_2022" / "nmp.onnx"


def samples_as_outputs(path: Path, onset: str = basic_pitch.ONSET) -> None:
    """A network whose frame output at frame k and pitch p is sample 256 k + p of its window, its onset output half."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto
    constants = [
        helper.make_tensor("pads", kind.INT64, [6], [0, 0, 0, 0, 172 * HOP - WINDOW, 0]),
        helper.make_tensor("shape", kind.INT64, [3], [1, 172, HOP]),
        *(helper.make_tensor(name, kind.INT64, [1], [value]) for name, value in (("a", 0), ("z", 88), ("axis", 2))),
        helper.make_tensor("half", kind.FLOAT, [], [0.5]),
    ]
    nodes = [
        helper.make_node("Pad", [basic_pitch.INPUT, "pads"], ["padded"]),
        helper.make_node("Reshape", ["padded", "shape"], ["rows"]),
        helper.make_node("Slice", ["rows", "a", "z", "axis"], [basic_pitch.FRAME]),
        helper.make_node("Mul", [basic_pitch.FRAME, "half"], [onset]),
    ]
    sound = helper.make_tensor_value_info(basic_pitch.INPUT, kind.FLOAT, [1, WINDOW, 1])
    heard = [helper.make_tensor_value_info(name, kind.FLOAT, [1, 172, 88]) for name in (basic_pitch.FRAME, onset)]
    graph = helper.make_graph(nodes, "samples", [sound], heard, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())


def ramp(samples: int) -> Array:
    """Every sample says where it is."""
    return np.arange(1, samples + 1, dtype=np.float32)


@pytest.mark.parametrize("samples", [1, 254, 36_164, 40_004, 43_844, 110_250, 300_000])
def test_frames_lie_where_the_package_has_them(package: Path, samples: int) -> None:
    samples_as_outputs(package)
    outputs = np.concatenate(list(basic_pitch.load().outputs([ramp(samples)])))
    assert outputs.shape == (samples * 142 // STEP + 1, 3, 88)
    window, frame = np.divmod(np.arange(len(outputs)), 142)
    # the first window begins 15 frames before the sound, and its first 15 frames don't count
    at = (window * STEP + frame * HOP)[:, None] + np.arange(88)
    assert np.array_equal(outputs[:, 1], np.where(at < samples, at + 1, 0))
    assert np.array_equal(outputs[:, 0], outputs[:, 1] / 2)


def test_frames_are_told_to_lie_within_5_ms_of_where_they_do(package: Path) -> None:
    samples_as_outputs(package)
    model = basic_pitch.load()
    outputs = np.concatenate(list(model.outputs([ramp(600_000)])))[:-10]
    told = model.first_s + np.arange(len(outputs)) / model.frames_per_second
    assert np.abs(told - (outputs[:, 1, 0] - 1) / RATE).max() < 0.005


def test_loudness_is_the_mean_of_what_follows(package: Path) -> None:
    samples_as_outputs(package)
    outputs = np.concatenate(list(basic_pitch.load().outputs([ramp(100_000)])))
    assert outputs[20, 2, 5] == pytest.approx(outputs[20:31, 1, 5].mean())
    last = outputs[141]  # of a window: what follows is that window's, too
    assert last[2, 0] == pytest.approx(last[1, 0] + 5 * HOP)


@pytest.mark.parametrize("seed", range(3))
def test_blocks_of_any_length_give_the_same_outputs_to_the_bit(package: Path, seed: int) -> None:
    samples_as_outputs(package)
    model = basic_pitch.load()
    generator = np.random.default_rng(seed)
    sound = generator.standard_normal(int(generator.integers(1, 400_000)), dtype=np.float32)
    cuts = np.sort(generator.integers(0, len(sound) + 1, 9))
    pieces = np.concatenate(list(model.outputs(np.split(sound, cuts))))
    assert np.array_equal(pieces, np.concatenate(list(model.outputs([sound]))))


def test_memory_is_bounded(package: Path) -> None:
    samples_as_outputs(package)
    sizes = [len(piece) for piece in basic_pitch.load().outputs(np.zeros(RATE, np.float32) for _ in range(60))]
    assert max(sizes) <= 142


def test_no_sound_has_no_frames(package: Path) -> None:
    samples_as_outputs(package)
    assert list(basic_pitch.load().outputs([])) == []


def test_the_package_is_not_imported(package: Path) -> None:
    samples_as_outputs(package)
    basic_pitch.load()
    assert "basic_pitch" not in sys.modules
    assert "tensorflow" not in sys.modules


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingError, match=r"not installed.*pip install --no-deps basic-pitch"):
        basic_pitch.load()


def test_a_package_without_the_network_is_none(package: Path) -> None:
    assert not package.exists()
    with pytest.raises(MissingError, match="not installed"):
        basic_pitch.load()


def test_a_damaged_network_is_told(package: Path) -> None:
    package.write_bytes(b"no network")
    with pytest.raises(MissingError, match="can't be read"):
        basic_pitch.load()


def test_another_network_is_refused(package: Path) -> None:
    samples_as_outputs(package, onset="another")
    with pytest.raises(MissingError, match="another network"):
        basic_pitch.load()
