"""The rules of the house: who imports whom, what a command costs before it works, what is in the wheel."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from clefkit import cli, manual

ROOT = Path(__file__).parent.parent
LIBRARY = sorted((ROOT / "clefkit").rglob("*.py"))
COMMANDS = sorted(path for path in (ROOT / "commands").glob("*.py") if path.stem != "__init__")
HEAVY = {"numpy", "scipy", "soundfile", "soxr", "onnxruntime", "torch", "pedalboard", "lxml", "mido", "rich.table"}
STAGES = {"render", "align", "enhance", "separate", "augment", "transcribe", "tag", "critique", "score"}
MAY_IMPORT_STAGE = {
    ("transcribe", "tag"),
    ("critique", "render"),  # a score is judged as it is played
    ("critique", "transcribe"),
    ("separate", "transcribe"),
    ("separate", "tag"),
}
BELOW_STAGES = {"audio", "notes", "midi", "notation", "features", "graph", "errors", "record", "registry", "spool"}
FRAME = {"cli", "stream", "report", "arrivals", "work", "engine", "writing", "catalogue", "manual"}


def imports(path: Path, *, top_only: bool = False) -> Iterator[str]:
    """Modules that a file imports, `from clefkit import audio` as clefkit.audio."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if top_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)
            yield node.module


def area(path: Path) -> str:
    """The module directly under clefkit that a file belongs to."""
    return path.relative_to(ROOT / "clefkit").parts[0].removesuffix(".py")


def used_areas(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith("clefkit.")}


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_library_imports_only_downwards(path: Path) -> None:
    here, used = area(path), used_areas(path)
    assert "commands" not in used or here in {"cli", "manual"}
    if here in STAGES:
        assert {(here, other) for other in used & STAGES - {here}} <= MAY_IMPORT_STAGE
        assert not used & (FRAME | {"train", "nets"})
    if here in BELOW_STAGES:
        assert not used & (STAGES | FRAME | {"train", "nets"})
    modules = {name.split(".")[0] for name in imports(path)}
    assert "typer" not in modules or here in {"cli", "stream", "manual"}
    assert "rich" not in modules or here in {"report", "stream", "cli"}
    assert not modules & {"torch", "torchaudio"} or here in {"nets", "train"}


@pytest.mark.parametrize("path", [*LIBRARY, *COMMANDS], ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_of_readable_size(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= (120 if path in COMMANDS else 400)


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_command_files_hold_options_and_one_call(path: Path) -> None:
    assert {name.split(".")[0] for name in imports(path, top_only=True)} <= {
        "__future__",
        "enum",
        "pathlib",
        "typing",
        "typer",
        "clefkit",
    }
    assert {name for name in imports(path, top_only=True) if name.startswith("clefkit.")} <= {
        "clefkit.stream",
        "clefkit.errors",
        "clefkit.errors.UsageError",
    }


def test_only_stream_report_and_cli_speak() -> None:
    for path in LIBRARY:
        if area(path) not in {"stream", "report", "cli"}:
            calls = [
                node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
            ]
            assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"], path


@pytest.mark.parametrize("name", cli.TABLE)
def test_every_command_is_complete(name: str) -> None:
    command = get_command(importlib.import_module(f"clefkit.commands.{name}").app)
    assert command.help is not None
    assert "Example" in command.help
    assert all(getattr(parameter, "help", None) for parameter in command.params), "an option without help"
    assert (ROOT / "man" / f"clefkit-{name}.1").is_file()
    assert f"clefkit {name}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_no_command_file_without_a_line_in_the_table() -> None:
    assert {path.stem for path in COMMANDS} == set(cli.TABLE)


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_every_stage_has_its_test_file(stage: str) -> None:
    assert (ROOT / "tests" / f"test_{stage}.py").is_file()


def test_man_pages_are_fresh() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "man").glob("*.1")}
    assert written == manual.pages(), "run `make man`"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], *([name, "--help"] for name in cli.TABLE)], ids=" ".join
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
import sys
sys.argv = ["clefkit", *{arguments!r}]
from clefkit.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("HEAVY", sorted({HEAVY!r} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_pyproject_names_every_package() -> None:
    named = set(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"])
    folders = [path.parent.relative_to(ROOT) for path in (ROOT / "clefkit").rglob("__init__.py")]
    found = {".".join(folder.parts) for folder in folders}
    assert named == found | {"clefkit.commands", "clefkit.models", "clefkit.presets"}


def test_presets_and_models_hold_no_python() -> None:
    assert not [path for folder in ("presets", "models") for path in (ROOT / folder).rglob("*.py")]


@pytest.mark.slow
def test_wheel_adds_one_name_and_all_data(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(command, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = wheel.namelist()
    assert {name.split("/")[0] for name in names} - {"clefkit"} == {
        next(tmp_path.glob("*.whl")).name.rsplit("-", 3)[0] + ".dist-info"
    }
    for folder, pattern in (("models", "*/*"), ("presets", "*.toml"), ("presets", "rooms/*"), ("commands", "*.py")):
        for path in (ROOT / folder).glob(pattern):
            assert f"clefkit/{path.relative_to(ROOT).as_posix()}" in names
