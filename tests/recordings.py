"""Folders of recordings made in tests, and what `layouts` finds in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from clefkit.train import layouts
from clefkit.train.layouts import Track


def sounds(folder: Path, *names: str) -> None:
    """Write a tenth of a second under each name."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, 0.1 * np.sin(np.arange(800)), 8000)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def found(folder: Path) -> tuple[dict[str, Track], list[str]]:
    """The tracks of a folder by name, and what was left out."""
    left_out: list[str] = []
    return {track.name: track for track in layouts.tracks(folder, left_out)}, left_out


def heard(track: Track) -> list[tuple[str, str | None, str | None]]:
    return [(stem.path.name, stem.label, stem.family) for stem in track.stems]
