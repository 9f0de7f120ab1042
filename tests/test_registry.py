"""What the registry finds, whose comes first, and what the listing commands say."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import platformdirs
import pytest
from conftest import Shell

from clefkit import record, registry
from clefkit.errors import InputError, UsageError

PRESET = 'about = "Mine."\nsource = "me"\n[[effect]]\nkind = "gain"\ngain_db = [-6, -6]\n'


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of CLEFKIT_PATH with a preset of its own, and one named as ours."""
    folder = tmp_path / "own"
    (folder / "presets").mkdir(parents=True)
    for name in ("mine", "hall"):
        (folder / "presets" / f"{name}.toml").write_text(PRESET)
    monkeypatch.setenv("CLEFKIT_PATH", str(folder))
    return folder


def test_own_presets_come_first(own: Path) -> None:
    assert registry.preset("mine")["about"] == "Mine."
    assert registry.preset("hall")["about"] == "Mine."
    assert registry.preset("church")["about"] != "Mine."


def test_own_preset_works_in_a_pipe(own: Path, shell: Shell, scale: Path) -> None:
    done = shell("clefkit render --timbre TimGM6mb scale.mid | clefkit augment --preset mine")
    assert (done.returncode, done.stdout) == (0, "scale.mine-0.wav\n"), done.stderr


def test_unknown_names_say_what_there_is() -> None:
    with pytest.raises(UsageError, match="church"):
        registry.preset("nowhere")


def test_broken_preset_names_its_file(own: Path) -> None:
    (own / "presets" / "broken.toml").write_text("about = ")
    with pytest.raises(InputError, match=r"broken\.toml"):
        registry.preset("broken")


def test_model_without_a_number_is_its_highest_version(own: Path) -> None:
    for name in ("notes-98", "notes-9", "notes-small-99"):
        folder = own / "models" / name
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(b"graph")
        (folder / "config.toml").write_text(f'sha256 = "{hashlib.sha256(b"graph").hexdigest()}"\n')
    assert registry.model("notes").name == "notes-98"


def test_a_changed_checkpoint_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = registry.model("notes")
    folder = tmp_path / "models" / "notes-99"
    folder.mkdir(parents=True)
    for name in ("config.toml", "model.onnx"):
        (folder / name).write_bytes((ours.path / name).read_bytes())
    (folder / "model.onnx").write_bytes(b"something else")
    monkeypatch.setenv("CLEFKIT_PATH", str(tmp_path))
    with pytest.raises(InputError, match="not the file"):
        registry.model("notes")


def test_recorded_options_hold_names_and_hashes_and_come_back(soundfont: Path) -> None:
    asset = registry.soundfont("TimGM6mb")
    nested = {"effect": [{"kind": "room", "file": asset}], "rate": 1}
    recorded = registry.recorded(nested)
    assert str(soundfont.parent) not in json.dumps(recorded)
    assert registry.restored(recorded) == nested


def test_the_hash_of_a_font_is_kept_until_the_font_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / name)
    monkeypatch.setattr(registry, "SETTLED_NS", 0)
    font = tmp_path / "a.sf2"
    font.write_bytes(b"one")
    digest = registry.soundfont(str(font)).sha256
    with monkeypatch.context() as patched:
        patched.setattr(record, "sha256", lambda _: pytest.fail("hashed again"))
        assert registry.soundfont(str(font)).sha256 == digest == hashlib.sha256(b"one").hexdigest()
    os.utime(font, ns=(0, 0))
    (kept,) = (tmp_path / "clefkit" / "hashes").iterdir()
    for damaged in ("", "\xff", kept.read_text()[:-1]):
        kept.write_text(damaged)
        assert registry.soundfont(str(font)).sha256 == digest
    font.write_bytes(b"two")
    os.utime(font, ns=(0, 0))  # as `cp -p` of a font of the same size does
    assert registry.soundfont(str(font)).sha256 == hashlib.sha256(b"two").hexdigest()


def test_the_hash_of_a_font_that_changed_just_now_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / name)
    (tmp_path / "a.sf2").write_bytes(b"one")
    registry.soundfont(str(tmp_path / "a.sf2"))
    assert not (tmp_path / "clefkit").exists()


@pytest.mark.parametrize("command", ["models", "presets", "doctor"])
def test_listings_are_json_lines_and_tables(shell: Shell, command: str) -> None:
    rows = [json.loads(line) for line in shell(f"clefkit {command} --json").stdout.splitlines()]
    table = shell(f"clefkit {command}").stdout.splitlines()
    assert len(table) == len(rows) + 1
    assert set(table[0].split("\t")) <= set(rows[0])


def test_models_state_licence_size_hash_and_figures(shell: Shell) -> None:
    for row in map(json.loads, shell("clefkit models --json").stdout.splitlines()):
        assert all(row[key] for key in ("name", "about", "licence", "size", "sha256", "measured", "data"))
        assert "# " in shell(f"clefkit models {row['name']} --card").stdout


def test_presets_say_which_situation_they_are(shell: Shell) -> None:
    for row in map(json.loads, shell("clefkit presets --json").stdout.splitlines()):
        assert row["about"].endswith(".")
        assert row["source"]


def test_doctor_finds_what_the_tests_need(shell: Shell) -> None:
    done = shell("clefkit doctor --json")
    assert done.returncode == 0
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"libfluidsynth", "soundfont", "checkpoint", "presets", "cores", "GPU"} <= {row["what"] for row in found}


def test_doctor_says_what_to_do_when_a_library_is_missing(shell: Shell) -> None:
    done = shell("clefkit doctor", CLEFKIT_FLUIDSYNTH="/nowhere/libfluidsynth.so")
    assert done.returncode == 1
    assert "libfluidsynth\tno" in done.stdout


def test_presets_lists_what_effects_may_be_told(shell: Shell) -> None:
    rows = [json.loads(line) for line in shell("clefkit presets --effects --json").stdout.splitlines()]
    assert {row["kind"] for row in rows} >= {"room", "microphone", "place", "noise", "codec", "wow", "phone"}
    (cents,) = [row for row in rows if row["kind"] == "detune"]
    assert (cents["setting"], cents["values"], cents["default"]) == ("cents", "-50 to 50", "must be given")
    assert all(row["about"] for row in rows)
