"""What a training ends in: the network, its export, thresholds, the checkpoint that `transcribe` uses."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import Shell
from numpy.random import default_rng
from numpy.typing import NDArray
from training import RATE, kept_weights, short_sets, small_sources, small_steps, tone

from clefkit import cli, features, notes, registry, transcribe
from clefkit.errors import UsageError
from clefkit.notes import make

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("safetensors")

from clefkit.nets import notes as nets  # noqa: E402 it needs torch
from clefkit.train import batches, evaluate, export, finish, recipes  # noqa: E402
from clefkit.transcribe import infer  # noqa: E402
from clefkit.transcribe.decode import Thresholds  # noqa: E402

Array = NDArray[np.float32]


# Network, export


@pytest.fixture(scope="module", params=nets.SIZES)
def network(request: pytest.FixtureRequest) -> nets.Notes:
    """With statistics as after training, and outputs that spread."""
    torch.manual_seed(0)
    made = nets.Notes(nets.SIZES[request.param]).train()
    with torch.no_grad():
        for _ in range(3):
            made(torch.rand(1, features.CHANNELS, 40, features.BINS))
        made.eval()
        made.head.weight *= 2 / made(torch.rand(1, features.CHANNELS, 40, features.BINS)).std()
    return made


def probabilities(network: nets.Notes, sound: Array) -> Array:
    with torch.inference_mode():
        seen = torch.from_numpy(np.ascontiguousarray(sound.transpose(1, 0, 2)))[None]
        return np.asarray(torch.sigmoid(network(seen))[0].permute(1, 0, 2).numpy())


def test_an_output_depends_on_as_many_frames_as_it_says(network: nets.Notes) -> None:
    reach = network.reach()
    sound = default_rng(0).uniform(0, 1, (2 * reach + 41, features.CHANNELS, features.BINS)).astype(np.float32)
    changed = sound.copy()
    changed[reach + 20] = 0
    differs = np.abs(probabilities(network, sound) - probabilities(network, changed)).max(axis=(1, 2)) > 0
    assert differs.nonzero()[0].min() >= 20
    assert differs.nonzero()[0].max() <= 2 * reach + 20
    assert differs.nonzero()[0].min() <= 20 + reach // 4, "no more than it needs, either"


def test_sizes_are_as_small_as_promised() -> None:
    counts = {name: export.parameters(nets.Notes(size)) for name, size in nets.SIZES.items()}
    assert counts["notes-small"] <= 30_000
    assert counts["notes"] <= 500_000


def test_the_exported_network_agrees_with_the_class(network: nets.Notes, tmp_path: Path) -> None:
    thresholds = Thresholds(0.4, 0.5, 0.3, 0.2)
    figure = {"f1": {"value": 0.5, "on": "nothing"}}
    export.write(tmp_path / "notes-0", network, thresholds, {"about": "a test"}, figure)
    model = infer.load(tmp_path / "notes-0")
    assert isinstance(model, infer.Model)
    assert (model.thresholds, model.reach, model.names) == (thresholds, network.reach(), nets.OUTPUTS)
    assert (tmp_path / "notes-0" / "model.onnx").stat().st_size < 2.2 * export.parameters(network) + 30_000
    for frames in (3, 64, 301):
        sound = default_rng(frames).uniform(0, 1, (frames, features.CHANNELS, features.BINS)).astype(np.float32)
        whole = probabilities(network, sound)
        assert whole.std() > 0.1
        pieces = np.concatenate(list(infer.outputs([sound], model, window=100)))
        assert np.abs(pieces - whole).max() < 0.01


def reloaded(folder: Path, size: nets.Size) -> nets.Notes:
    made = nets.Notes(size).eval()
    made.load_state_dict(kept_weights(folder, "notes"))
    return made


def test_the_weights_are_those_of_the_graph(network: nets.Notes, tmp_path: Path) -> None:
    export.write(tmp_path, network, Thresholds(0.4, 0.5, 0.3, 0.2), {}, {})
    config = tomllib.loads((tmp_path / "config.toml").read_text())
    for file, key in (("model.onnx", "sha256"), ("weights.safetensors", "weights_sha256")):
        assert hashlib.sha256((tmp_path / file).read_bytes()).hexdigest() == config[key]
    sound = default_rng(0).uniform(0, 1, (30, features.CHANNELS, features.BINS)).astype(np.float32)
    again = probabilities(reloaded(tmp_path, network.size), sound)
    assert np.abs(again - probabilities(network, sound)).max() < 0.01


@pytest.mark.parametrize("name", list(nets.SIZES))
def test_the_shipped_graph_is_the_shipped_weights(name: str) -> None:
    folder = registry.model(name).path
    model = infer.load(folder)
    assert isinstance(model, infer.Model)
    sound = default_rng(0).uniform(0, 1, (80, features.CHANNELS, features.BINS)).astype(np.float32)
    whole = probabilities(reloaded(folder, nets.SIZES[name]), sound)
    assert np.abs(np.concatenate(list(infer.outputs([sound], model))) - whole).max() < 0.01


# Thresholds, the whole


def test_thresholds_are_chosen_by_what_they_find() -> None:
    truth = make([0.5, 1.0], [0.9, 1.4], [60, 62])
    table = np.array([[0.5, 0.9, 60, 80, 0], [1.0, 1.4, 62, 80, 0]], np.float32)
    said = [("faint", 0.42 * batches.target(table, 0, 80)), ("none", np.zeros((4, 80, 88), np.float32))]
    predicted = [
        evaluate.Predicted(
            name, "none" if name == "none" else "1", truth, outputs.transpose(1, 0, 2).astype(np.float16)
        )
        for name, outputs in said
    ]
    assert evaluate.means(evaluate.rows(predicted, Thresholds(0.5, 0.5, 0.3, 0.3)))["mean"]["note_f1"] == 0
    chosen = evaluate.choose(predicted, finish.FIRST_GUESS)
    assert chosen.onset <= 0.4
    figures = evaluate.means(evaluate.rows(predicted, chosen))
    assert figures["mean"]["note_offset_f1"] == 1
    assert figures["none"] == {"false_a_minute": 0}


def test_a_recipe_asks_for_its_sources(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--data"):
        next(recipes.run(recipes.plan("notes"), tmp_path, tmp_path / "mine-1", []))
    assert recipes.plan("notes", steps=5).steps == 5
    assert recipes.plan("notes", quick=True).alone


def test_the_quick_recipe_makes_a_checkpoint_that_transcribe_uses(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    shell: Shell,
) -> None:
    """From the command line to a MIDI file, with a network that has hardly learnt."""
    short_sets(monkeypatch)
    small_steps(monkeypatch)
    sources = small_sources(tmp_path)
    monkeypatch.setattr(evaluate, "GRID", (("note_f1", {"onset": (0.2, 0.4), "frame": (0.3,)}),))
    plan = recipes.Plan("notes-small", {"validation": 1, "train": 1}, 8, alone=True)
    monkeypatch.setattr(recipes, "QUICK", plan)
    out = tmp_path / "mine-1"
    command = [
        "clefkit",
        "train",
        "notes",
        "--quick",
        "--work",
        str(tmp_path / "work"),
        "--out",
        str(out),
        "--seed",
        "3",
    ]
    monkeypatch.setattr("sys.argv", [*command, "--soundfont", str(sources.fonts[0])])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["step"] for line in lines if "step" in line] == [6, 8]
    assert set(evaluate.FIGURES) == set(lines[-1]["validation"])
    names = {"model.onnx", "weights.safetensors", "config.toml", "card.md", "curve.png"}
    assert {path.name for path in out.iterdir()} == names
    config, card = tomllib.loads((out / "config.toml").read_text()), (out / "card.md").read_text()
    assert config["parameters"] == export.parameters(nets.Notes(nets.SIZES["notes-small"]))
    assert "OpenScore" not in card + config["data"], "nothing was learnt from scores"
    assert "clefkit train notes-small" in card
    assert "--quick --soundfont general" in card
    soundfile.write(tmp_path / "a.wav", tone(69, 1.0), RATE)
    ran = shell(f"clefkit transcribe --model {out} a.wav")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "a.notes.mid\n"
    found = transcribe.notes(tone(69, 1.0), RATE, str(out))
    assert len(found) == len(notes.read(tmp_path / "a.notes.mid"))
