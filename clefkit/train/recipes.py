"""The recipes by name; torch is imported when one is run."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clefkit.errors import MissingError

NEEDED = ("torch", "onnx", "safetensors")


def run(
    recipe: str, sources: Path, work: Path, folder: Path, fonts: list[Path], **options: Any
) -> Iterator[dict[str, Any]]:
    """Run a recipe: a module of `clefkit.train` with a function `run`, whose options these are.

    raises: MissingError when the extra `train` is not installed
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingError(f"training needs {', '.join(missing)}: pip install 'clefkit[train]'")
    module = importlib.import_module(f"clefkit.train.{recipe}")
    yield from module.run(sources, work, folder, fonts, **options)
