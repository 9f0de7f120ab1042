"""similar: indexes are made, made again and asked, by a network that hears low, middle and high sines."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Shell, interruptible
from onnx import TensorProto, helper, numpy_helper
from sounds import sine

from clefkit import audio
from clefkit.audio import Audio
from clefkit.errors import InputError, RefusedError, UsageError
from clefkit.tag import hearing, infer, similar
from clefkit.tag.similar import index as index_file
from clefkit.tag.vocabulary import DESCRIBED, LEAVES

HEARS = {"bass": (0, 16), "violin": (16, 48), "flute": (48, 96)}  # each where one of these bands is loud
LOUD = 0.5  # of 0 to 1, as the network sees it
PITCHES = {"low": 80, "low2": 90, "middle": 700, "middle2": 750, "high": 4000}


NODES = [
    helper.make_node("ReduceMean", ["seen", "second"], ["mean"], keepdims=0),
    helper.make_node("Slice", ["mean", "none", "one", "one"], ["first"]),
    helper.make_node("Mul", ["first", "owned"], ["parts"]),
    helper.make_node("ReduceMax", ["parts", "second"], ["loud"], keepdims=0),
    helper.make_node("MatMul", ["loud", "sure"], ["sum"]),
    helper.make_node("Add", ["sum", "bias"], ["clip"]),
    helper.make_node("Shape", ["seen"], ["shape"]),
    helper.make_node("Gather", ["shape", "second"], ["frames"]),
    helper.make_node("Div", ["frames", "five"], ["count"]),
    helper.make_node("Concat", ["one", "count", "names"], ["cells_shape"], axis=0),
    helper.make_node("Expand", ["clip", "cells_shape"], ["cells"]),
    helper.make_node("Slice", ["clip", "none", "leaves", "one"], ["leaf_logits"]),
    helper.make_node("Concat", ["one", "count", "share_count"], ["shares_shape"], axis=0),
    helper.make_node("Expand", ["leaf_logits", "shares_shape"], ["shares"]),
    helper.make_node("Identity", ["described"], ["descriptors"]),
    helper.make_node("Reshape", ["first", "flat"], ["bands"]),
    helper.make_node("MatMul", ["bands", "space_way"], ["spread"]),
    helper.make_node("Tanh", ["spread"], ["bent"]),
    helper.make_node("Reshape", ["bent", "space_shape"], ["spaces"]),
    helper.make_node("MatMul", ["bands", "whole_way"], ["projected"]),
    helper.make_node("LpNormalization", ["projected"], ["whole"], axis=1, p=2),
]


def numbers(seed: int) -> dict[str, Any]:
    """What NODES need. What they make of a sound is random, but near for near bands."""
    chance, names, leaves = np.random.default_rng(seed), len(infer.NAMES), len(LEAVES)
    heard = [LEAVES.index(name) for name in HEARS]
    sure, bias = np.zeros((len(HEARS), names), np.float32), np.full(names, -20, np.float32)
    sure[range(len(HEARS)), heard], bias[heard] = 40, -40 * LOUD
    near = np.exp(-np.square((np.arange(96)[:, None] - np.linspace(0, 95, 64)) / 6))
    owned = np.array([[low <= band < high for band in range(96)] for low, high in HEARS.values()])
    return {
        "none": [0],
        "one": [1],
        "second": [2],
        "five": [5],
        "flat": [1, 96],
        "names": [names],
        "leaves": [leaves],
        "share_count": [leaves],
        "space_shape": [1, leaves, 32],
        "sure": sure,
        "bias": bias,
        "owned": owned.astype(np.float32)[None],
        "described": np.zeros((1, leaves, len(DESCRIBED)), np.float32),
        "whole_way": (near @ np.linalg.qr(chance.standard_normal((64, 64)))[0]).astype(np.float32),
        "space_way": 0.3 * chance.standard_normal((96, leaves * 32)).astype(np.float32),
    }


def network(seed: int) -> bytes:
    """An instrument is present where one of its bands is loud."""
    constants = [numpy_helper.from_array(np.array(value), name) for name, value in numbers(seed).items()]
    seen = helper.make_tensor_value_info("seen", TensorProto.FLOAT, [1, hearing.CHANNELS, "frames", hearing.BANDS])
    said = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in infer.OUTPUTS]
    graph = helper.make_graph(NODES, "tiny", [seen], said, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return bytes(model.SerializeToString())


def checkpoint(folder: Path, seed: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    onnx = network(seed)
    (folder / "model.onnx").write_bytes(onnx)
    ones, zeros = [1.0] * len(infer.NAMES), [0.0] * len(infer.NAMES)
    calibration = {"clip_scale": ones, "clip_bias": zeros, "cell_scale": ones, "cell_bias": zeros}
    calibration |= {"gain": [0.0, 1.0, 0.0], "mean": [0.0] * len(DESCRIBED), "deviation": [1.0] * len(DESCRIBED)}
    lines = ['net = "tag"', f'sha256 = "{hashlib.sha256(onnx).hexdigest()}"', f"leaves = {list(LEAVES)}"]
    lines += [f"descriptors = {list(DESCRIBED)}", "threshold = 0.5", "[calibration]"]
    lines += [f"{name} = {values}" for name, values in calibration.items()]
    (folder / "config.toml").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two checkpoints, tiny-1 and other-1, and a folder of sines."""
    folder = tmp_path_factory.mktemp("similar")
    checkpoint(folder / "models" / "tiny-1")
    checkpoint(folder / "models" / "other-1", seed=1)
    (folder / "sines").mkdir()
    for name, frequency_hz in PITCHES.items():
        audio.write(folder / "sines" / f"{name}.wav", sine(frequency_hz, 0.6))
    chord = sine(85, 0.6).samples + 0.5 * sine(4100, 0.6).samples
    audio.write(folder / "sines" / "both.wav", Audio(chord.astype(np.float32), 44_100))
    return folder


@pytest.fixture
def sines(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLEFKIT_PATH", str(root))
    return Path(shutil.copytree(root / "sines", tmp_path / "sines"))


@pytest.fixture
def index(sines: Path, tmp_path: Path) -> Path:
    """sines.index, beside the folder."""
    similar.build(sorted(sines.iterdir()), tmp_path / "sines.index", "tiny")
    return tmp_path / "sines.index"


def rows(text: str) -> list[dict[str, str]]:
    head, *lines = (line.split("\t") for line in text.splitlines())
    return [dict(zip(head, line, strict=True)) for line in lines]


MAKE = "clefkit similar --model tiny --jobs 1 --index"
ASK = "clefkit similar --model tiny --in sines.index"


def test_the_nearest_is_what_sounds_alike(sines: Path, shell: Shell) -> None:
    made = shell(f"{MAKE} sines -o sines.index")
    assert (made.returncode, made.stderr) == (0, "")
    expected = {"path": "sines.index", "files": "6", "listened": "6", "kept": "0", "gone": "0", "failed": "0"}
    assert rows(made.stdout) == [expected]
    done = shell(f"{ASK} sines/low.wav sines/middle.wav")
    assert (done.returncode, done.stderr) == (0, "")
    found = rows(done.stdout)
    assert list(found[0]) == ["query", "rank", "file", "similarity", "instruments"]
    assert [row["query"] for row in found] == ["sines/low.wav"] * 5 + ["sines/middle.wav"] * 5
    assert [row["rank"] for row in found] == list("12345") * 2
    assert found[0]["file"] == "sines/low2.wav"
    assert found[5]["file"] == "sines/middle2.wav"
    assert found[0]["instruments"] == "bass"
    similarities = [float(row["similarity"]) for row in found[:5]]
    assert similarities == sorted(similarities, reverse=True)
    assert similarities[0] > 0.8


def test_a_file_that_is_not_in_the_index_may_ask(index: Path, tmp_path: Path, shell: Shell) -> None:
    audio.write(tmp_path / "new.wav", sine(4100, 0.5))
    found = rows(shell(f"{ASK} new.wav --top 2").stdout)
    assert [row["file"] for row in found] == ["sines/high.wav", "sines/both.wav"]
    shutil.copy(tmp_path / "sines" / "high.wav", tmp_path / "copy.wav")
    (copied,) = rows(shell(f"{ASK} copy.wav --top 1").stdout)
    assert (copied["file"], copied["similarity"]) == ("sines/high.wav", "1.000")


def test_the_query_itself_is_left_out(index: Path, tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "link.wav").symlink_to("sines/low.wav")
    done = shell(f'{ASK} --json sines/low.wav "$PWD/sines/../sines/low.wav" link.wav')
    assert (done.returncode, done.stderr) == (0, "")
    found = [json.loads(line)["file"] for line in done.stdout.splitlines()]
    assert found[:5] == found[5:10] == found[10:]
    assert sorted(found[:5]) == [f"sines/{name}.wav" for name in ("both", "high", "low2", "middle", "middle2")]


def test_an_index_of_the_query_alone_has_nothing_to_say(sines: Path, shell: Shell) -> None:
    similar.build([sines / "low.wav"], sines.parent / "sines.index", "tiny")
    done = shell(f"{ASK} sines/low.wav")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "clefkit similar: sines/low.wav: nothing in sines.index to compare it with\n"


def test_one_instrument_is_compared_where_it_is_present(index: Path, shell: Shell) -> None:
    found = rows(shell(f"{ASK} sines/low.wav --instrument bass").stdout)
    assert [row["file"] for row in found] == ["sines/low2.wav", "sines/both.wav"]
    assert all("bass" in row["instruments"].split(", ") for row in found)
    both = [json.loads(line) for line in shell(f"{ASK} --json sines/both.wav --instrument flute").stdout.splitlines()]
    (high,) = both
    assert (high["file"], high["rank"]) == ("sines/high.wav", 1)
    assert [each["name"] for each in high["instruments"]] == ["flute"]
    assert high["instruments"][0]["gain_lu"] == pytest.approx(0, abs=0.1)


def test_an_instrument_that_is_not_there_is_said(index: Path, shell: Shell) -> None:
    done = shell(f"{ASK} sines/low.wav sines/high.wav --instrument flute")
    assert done.returncode == 1
    assert done.stderr == "clefkit similar: sines/low.wav: no flute is heard in it, but bass\n"
    assert [row["file"] for row in rows(done.stdout)] == ["sines/both.wav"]
    done = shell(f"{ASK} sines/low.wav --instrument harp")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "clefkit similar: sines.index: no file in it has harp; there is bass, flute, violin\n"
    done = shell(f"{ASK} sines/low.wav --instrument viola")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("clefkit similar: no instrument 'viola': there are accordion, banjo")


def test_a_broken_file_in_the_middle_is_told_and_the_rest_indexed(sines: Path, shell: Shell) -> None:
    (sines / "kaputt.wav").write_bytes(b"RIFF\0\0\0\0WAVEjunk")
    (sines / "empty.flac").write_bytes(b"")
    (sines / "._low.wav").write_bytes(b"what macOS leaves")
    (sines / "notes.txt").write_text("no sound")
    done = shell(f"{MAKE} sines -o sines.index")
    assert done.returncode == 1
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == ["sines/empty.flac", "sines/kaputt.wav"]
    (row,) = rows(done.stdout)
    assert (row["files"], row["failed"]) == ("6", "2")
    done = shell(f"{ASK} sines/low.wav sines/kaputt.wav sines/middle.wav --top 1")
    assert done.returncode == 1
    assert [row["file"] for row in rows(done.stdout)] == ["sines/low2.wav", "sines/middle2.wav"]


def test_what_is_known_is_not_listened_to_again(index: Path, sines: Path, shell: Shell) -> None:
    (sines / "low.wav").rename(sines / "renamed.wav")
    (sines / "high.wav").unlink()
    audio.write(sines / "low2.wav", sine(95, 0.6))
    (sines / "middle.wav").touch()
    row = json.loads(shell(f"{MAKE} --json sines -o sines.index").stdout)
    assert row == {"path": "sines.index", "files": 5, "listened": 1, "kept": 4, "gone": 2, "failed": 0}
    similar.build(sines.iterdir(), index.parent / "fresh.index", "tiny")
    assert (index.parent / "fresh.index").read_bytes() == index.read_bytes()


def test_the_same_files_make_the_same_bytes(sines: Path, shell: Shell) -> None:
    one, two = sines.parent / "one.index", sines.parent / "two.index"
    assert shell(f"{MAKE} sines/../sines/low.wav sines -o one.index").returncode == 0
    assert shell(f"ls -r sines/*.wav | {MAKE} --jobs 2 -o two.index").returncode == 0
    assert one.read_bytes() == two.read_bytes()
    assert not list(sines.parent.rglob("*.part"))


def test_an_index_moves_with_its_sounds(sines: Path, shell: Shell) -> None:
    similar.build(sines.iterdir(), sines / "here.index", "tiny")
    assert similar.load(sines / "here.index").name(0) == "both.wav"
    ask = "clefkit similar --model tiny elsewhere/low.wav --top 1"
    (row,) = rows(shell(f"mv sines elsewhere && {ask} --in elsewhere/here.index").stdout)
    assert row["file"] == "elsewhere/low2.wav"
    (row,) = rows(shell(f"mkdir deep && ln -s ../elsewhere/here.index deep/link && {ask} --in deep/link").stdout)
    assert Path(row["file"]).samefile(sines.parent / "elsewhere" / "low2.wav")


def test_sounds_may_lie_beside_the_folder_of_the_index(sines: Path, shell: Shell) -> None:
    similar.build(sines.iterdir(), sines.parent / "kept" / "x.index", "tiny")
    (row,) = rows(shell("clefkit similar --model tiny --in kept/x.index sines/low.wav --top 1").stdout)
    assert row["file"] == "sines/low2.wav"
    done = shell(
        "mkdir -p a/b && ln -s ../../kept a/b/link && clefkit similar --model tiny --in a/b/link/x.index sines/low.wav"
        " --top 1 | tail -1 | cut -f3 | xargs realpath"
    )
    assert done.stdout.strip() == str((sines / "low2.wav").resolve())


def test_names_go_in_and_out(sines: Path, shell: Shell) -> None:
    names = ["mit Leerzeichen.wav", "Für Elise 🎻.wav", "-dash.wav", "$(x)`y`'.wav"]
    for old, new in zip(PITCHES, names, strict=False):
        (sines / f"{old}.wav").rename(sines / new)
    done = shell(f"find sines -name '*.wav' | {MAKE} -o 'my sines.index'")
    assert (done.returncode, done.stderr) == (0, "")
    asked = "clefkit similar --model tiny --in 'my sines.index' sines/both.wav | tail -n +2 | cut -f3"
    done = shell(f"{asked} | tr '\\n' '\\0' | xargs -0 ls | wc -l")
    assert (done.returncode, done.stdout) == (0, "5\n")


def test_head_ends_it_quietly(index: Path, shell: Shell) -> None:
    done = shell(f"{ASK} --jobs 1 sines/*.wav sines/*.wav | head -1; echo ${{PIPESTATUS[0]}}")
    assert (done.stdout.splitlines()[1:], done.stderr) == (["0"], "")
    done = shell(f"{MAKE} sines -o other.index | true; clefkit similar --model tiny --in other.index sines/low.wav")
    assert (done.returncode, len(rows(done.stdout))) == (0, 5)


def test_other_files_are_no_index(index: Path, tmp_path: Path, shell: Shell) -> None:
    good = index.read_bytes()
    damaged = {
        "junk": b"no index",
        "nothing": b"",
        "sound": (tmp_path / "sines" / "low.wav").read_bytes(),
        "cut": good[:-100],
        "head": good[:200],
        "longer": good + b"\0",
        "ends": good.replace(similar.load(index).path_ends.tobytes(), b"\xff" * 48),
        "version": good.replace(b'"version":"1"', b'"version":"9"'),
        "shape": good.replace(b'"shape":[6,64]', b'"shape":[9,64]'),
        "zip": b"PK\3\4" + good,
    }
    for name, data in damaged.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match="make"):
            similar.load(tmp_path / name)
    done = shell("for each in junk cut version; do clefkit similar --model tiny --in $each sines/*.wav; done")
    assert done.stdout == ""
    assert [line.split(": ", 2)[2] for line in done.stderr.splitlines()] == [
        "no index of sounds (`clefkit similar --index` makes one)",
        "damaged: make it again with `clefkit similar --index`",
        "an index of another version (9): make it again with `clefkit similar --index`",
    ]
    done = shell("clefkit similar --model other --in sines.index sines/low.wav")
    assert (done.returncode, done.stdout) == (1, "")
    assert "sines.index: made with tiny-1 (sha256 " in done.stderr
    assert "not with other-1 (sha256 " in done.stderr


def test_numbers_that_are_none_are_damage(index: Path) -> None:
    whole = similar.load(index).whole
    data = index.read_bytes().replace(whole.tobytes(), np.full_like(whole, np.nan).tobytes())
    index.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        similar.nearest(index.parent / "sines" / "low.wav", similar.load(index), "tiny")


def test_an_index_of_another_checkpoint_is_made_anew(index: Path, shell: Shell) -> None:
    done = shell("clefkit similar --index --model other sines -o sines.index")
    assert done.returncode == 0
    assert "made with another checkpoint: everything is listened to again" in done.stderr
    assert rows(done.stdout)[0]["listened"] == "6"


def test_a_checkpoint_is_the_same_by_name_and_by_folder(index: Path, root: Path, shell: Shell) -> None:
    done = shell(f"clefkit similar --model '{root}/models/tiny-1/' --in sines.index sines/low.wav --top 1")
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_but_an_index_is_replaced(sines: Path, shell: Shell) -> None:
    before = (sines / "low.wav").read_bytes()
    done = shell(f"{MAKE} sines/middle.wav -o sines/low.wav")
    assert (done.returncode, done.stdout) == (1, "")
    assert "sines/low.wav is there already and is no index of sounds" in done.stderr
    with pytest.raises(RefusedError, match="no index"):
        similar.build([sines / "middle.wav"], sines / "low.wav", "tiny")
    assert (sines / "low.wav").read_bytes() == before
    done = shell(f"touch fresh && {MAKE} sines/middle.wav -o fresh && true | {MAKE} -o fresh")
    assert done.returncode == 1
    assert done.stderr == "clefkit similar: nothing to make an index of: fresh stays as it was\n"
    assert len(similar.load(sines.parent / "fresh")) == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("a.wav", "say which index to look in with --in FILE, or make one with --index -o FILE"),
        ("a.wav --in missing.index", "--in missing.index: no such file"),
        ("a.wav --in . --index", "--index makes an index: --in is for asking one"),
        ("a.wav --index --instrument harp -o x", "--index makes an index: --instrument is for asking one"),
        ("a.wav --index", "--index: say which file to write with --out"),
        ("a.wav --index -o .", "--out . is a folder: name a file"),
        ("a.wav -o x", "--out x is for --index: answers go to stdout"),
        ("empty --index -o x", "empty: no sound files in this folder"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(tmp_path: Path, shell: Shell, arguments: str, reason: str) -> None:
    (tmp_path / "empty" / ".hidden").mkdir(parents=True)
    (tmp_path / "empty" / ".hidden" / "a.wav").write_bytes(b"")
    done = shell(f"clefkit similar {arguments}")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"clefkit similar: {reason}\n")


def test_silence_is_like_nothing(sines: Path, shell: Shell) -> None:
    audio.write(sines / "silence.wav", Audio(np.zeros((1, 30_000), np.float32), 44_100))
    similar.build(sines.iterdir(), sines.parent / "sines.index", "tiny")
    assert "silence" not in shell(f"{ASK} sines/low.wav").stdout
    done = shell(f"{ASK} sines/silence.wav")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "clefkit similar: sines/silence.wav: silence: there is nothing to compare\n"


def test_interrupted_it_keeps_what_it_has_heard(index: Path, tmp_path: Path) -> None:
    audio.write(tmp_path / "sines" / "a.wav", sine(1000, 0.5))
    command = [sys.executable, "-m", "clefkit", "similar", "--model", "tiny", "--jobs", "1", "--index"]
    command += ["sines/a.wav", "missing.wav", "sines/high.wav", "-o", "sines.index"]
    environment = {**os.environ, "CLEFKIT_TEST_FAULT": "sleep:high.wav"}
    with interruptible():
        running = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    assert "missing.wav" in running.stderr.readline()  # so what comes before it is done
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=20)
    assert running.returncode == 130
    kept = similar.load(index)
    assert {kept.name(row) for row in range(len(kept))} == {f"sines/{name}.wav" for name in [*PITCHES, "both", "a"]}


def test_the_library_says_what_the_command_says(index: Path, sines: Path, shell: Shell) -> None:
    loaded = similar.load(index)
    found = similar.nearest(sines / "both.wav", loaded, "tiny", instrument="bass", top=1)
    row = json.loads(shell(f"{ASK} --json sines/both.wav --instrument bass --top 1").stdout)
    assert found[0].file == index.parent / row["file"]
    assert found[0].similarity == row["similarity"]
    assert [each.name for each in found[0].instruments] == [each["name"] for each in row["instruments"]]
    with pytest.raises(UsageError, match="no instrument"):
        similar.nearest(sines / "both.wav", loaded, "tiny", instrument="viola")
    with pytest.raises(InputError, match="no files"):
        similar.build([], index, "tiny")
    with pytest.raises(InputError, match=r"missing\.wav: no such file"):
        similar.build([Path("missing.wav")], index, "tiny")


def test_safetensors_reads_an_index(index: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    arrays, own = safetensors.load_file(index), similar.load(index)
    assert all(np.array_equal(arrays[name], getattr(own, name)) for name in arrays)
    assert np.allclose(np.linalg.norm(own.whole, axis=1), 1, atol=1e-6)
    assert np.allclose(np.linalg.norm(own.space, axis=1), 1, atol=1e-6)


def test_the_index_holds_as_many_numbers_as_the_network_makes() -> None:
    pytest.importorskip("torch")
    from clefkit.nets import tag

    assert (index_file.WHOLE, index_file.SPACE) == (tag.WHOLE, tag.SPACE)


def random_index(files: int) -> index_file.Index:
    """An index of files that have no instrument, named by their number."""
    whole = np.random.default_rng(3).standard_normal((files, index_file.WHOLE), dtype=np.float32)
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    digits = len(str(files - 1))
    names = "".join(f"{row:0{digits}}" for row in range(files)).encode()
    return index_file.Index(
        Path("x.index"),
        index_file.Checkpoint("x", ""),
        path_ends=np.arange(1, files + 1) * digits,
        leaf_ends=np.zeros(files, np.int64),
        whole=whole,
        space=np.zeros((0, index_file.SPACE), np.float32),
        gain_lu=np.zeros(0, np.float32),
        sha256=np.arange(4 * files, dtype="<u8").view(np.uint8).reshape(files, 32),
        leaf=np.zeros(0, np.uint8),
        paths=np.frombuffer(names, np.uint8),
    )


def test_the_best_are_found_and_names_decide_between_equals() -> None:
    index = random_index(500)
    whole = index.whole
    whole[300:310], whole[310:490] = whole[7], 0  # silence is nobody's neighbour, nor in anybody's way
    found = similar.closest(index.entry(7), index, None, 400, Path("007").resolve())
    rows = [int(each.file.name) for each in found]
    assert rows[:10] == list(range(300, 310))
    cosines = whole.astype(float) @ whole[7]
    others = [row for row in np.argsort(-cosines, kind="stable").tolist() if row != 7 and not 300 <= row < 490]
    assert rows[10:] == others
    found = similar.closest(index.entry(7), index, None, 3, Path("300").resolve())
    assert [each.file.name for each in found] == ["007", "301", "302"]
    assert index.row_of(index.entry(123).sha256) == 123
    assert index.row_of("f" * 64) is None


@pytest.mark.slow
def test_a_million_files_are_searched_in_a_moment() -> None:
    index = random_index(1_000_000)
    query = index.entry(5)
    begun = time.process_time()
    found = similar.closest(query, index, None, 10, Path())
    assert time.process_time() - begun < 0.3  # .065 on a machine with nothing else to do
    assert (found[0].file.name, found[0].similarity) == ("000005", 1.0)
