"""What `transcribe` can write beside the MIDI file: notes with confidences, what the network said, pictures."""

from __future__ import annotations

import functools
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clefkit import features
from clefkit import notes as note_files
from clefkit.transcribe.listen import Heard

Writer = Callable[[Path, Heard], None]
KEPT = ("onset", "frame", "offset")


def wanted(names: Sequence[str], path: Path) -> Iterator[tuple[str, Writer]]:
    """Suffix and writer of each file beside the MIDI file.

    names: of "jsonl", "activations", "plot"; path: of the sound, whose length tells how many pages a plot has
    raises: InputError when there is a plot to make, but no sound
    """
    for name in names:
        if name == "plot":
            yield from _plots(path)
        else:
            yield {"jsonl": ("notes.jsonl", _write_jsonl), "activations": ("activations.npz", _write_activations)}[name]


def _plots(path: Path) -> Iterator[tuple[str, Writer]]:
    from clefkit import audio
    from clefkit.transcribe import plot

    shape = audio.shape(path)
    count = plot.pages(shape.frames / shape.rate)
    for page in range(count):
        number = f"-{page + 1:0{len(str(count))}d}" if count > 1 else ""
        yield f"plot{number}.png", functools.partial(plot.write, page=page)


def _write_jsonl(path: Path, heard: Heard) -> None:
    """Notes with their confidences, times in samples at 22,050 Hz."""
    note_files.write_jsonl(path, heard.notes, features.RATE, round(heard.seconds * features.RATE))


def _write_activations(path: Path, heard: Heard) -> None:
    """A NumPy archive: onset, frame and, where the checkpoint has it, offset, each (frames, 88), float16, 0 to 1, by
    pitch from A0 on; times_s, (frames,), float64. Written piece by piece: numpy's own writer needs whole arrays."""
    said, model = heard.activations, heard.model
    assert said is not None
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in (each for each in KEPT if each in model.names):
            pieces = (piece[:, model.names.index(name)] for piece in said.pieces())
            _add(archive, name, said.dtype, (said.rows, features.PITCHES), pieces)
        times = np.arange(said.rows) / model.frames_per_second + model.first_s
        _add(archive, "times_s", times.dtype, times.shape, [times])


def _add(
    archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], pieces: Iterable[NDArray[Any]]
) -> None:
    head = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    # without a date of its own an entry has that of 1980: the same bytes every time
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, head)
        for piece in pieces:
            file.write(np.ascontiguousarray(piece).tobytes())
