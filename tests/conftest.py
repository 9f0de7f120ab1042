"""What the tests share: the program in a real shell, a soundfont, a little music."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # as in the engine's workers; tests use all cores already

from clefkit import notes, registry  # noqa: E402 numpy reads these variables when it is imported

ROOT = Path(__file__).parent.parent

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def _no_settings_of_the_person_who_tests(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for name in ("CLEFKIT_PATH", "CLEFKIT_SOUNDFONT", "CLEFKIT_TEST_FAULT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.getbasetemp() / "data-home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache-home"))


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Runs a line of bash in an empty folder, with the program clefkit of this environment in front of the PATH."""

    def run(line: str, *, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-c", f"set -o pipefail; {line}"],
            cwd=tmp_path,
            env={**os.environ, "PATH": path, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@contextmanager
def interruptible() -> Iterator[None]:
    """Programs that are started in it can be interrupted: in the background of a shell they would ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def soundfont() -> Path:
    """A font that is there on every machine: pretty_midi carries it."""
    return next(path for name, path in registry.soundfonts().items() if name == "TimGM6mb")


@pytest.fixture(scope="session")
def scale_notes() -> notes.Notes:
    """A C major scale, four notes a second, by a piano."""
    start = [0.25 * index for index in range(8)]
    return notes.make(start, [each + 0.2 for each in start], [60, 62, 64, 65, 67, 69, 71, 72], velocity=[90] * 8)


@pytest.fixture
def scale(tmp_path: Path, scale_notes: notes.Notes) -> Path:
    """The scale as scale.mid in the test's folder."""
    path = tmp_path / "scale.mid"
    notes.write_midi(path, scale_notes)
    return path
