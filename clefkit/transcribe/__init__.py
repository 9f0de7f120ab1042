"""Sound becomes notes: one small network hears which pitches begin, and sound, in each frame.

    from clefkit import audio, transcribe
    sound = audio.read(path)
    found = transcribe.notes(sound.samples, sound.rate)

It listens to any pitched instrument, and all of them together: the notes have no instrument. Files are read as a
stream, so length costs time, not memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clefkit import audio, features, registry
from clefkit import notes as note_files
from clefkit.audio import Audio, Samples
from clefkit.errors import InputError
from clefkit.notes import Notes
from clefkit.record import Product, Source
from clefkit.registry import Asset

if TYPE_CHECKING:
    from numpy.random import Generator


def notes(samples: Samples, rate: int, model: str = "notes") -> Notes:
    """The notes of a sound in memory.

    samples: (channels, samples), float32, -1 to 1, or (samples,); rate: Hz
    model: a checkpoint by name
    returns: onset and offset in seconds, pitch as whole MIDI numbers 21 to 108, velocity 1 to 127, one part
    raises: InputError when samples are not numbers or there are none; UsageError when there is no such checkpoint
    """
    from clefkit.transcribe import infer

    channels = np.atleast_2d(np.asarray(samples, dtype=np.float32))
    if channels.shape[1] == 0 or not np.isfinite(channels).all():
        raise InputError("no samples, or samples that are not numbers")
    mono = channels.mean(axis=0, keepdims=True, dtype=np.float32)
    sound = audio.resample(Audio(mono, rate), features.RATE)
    return infer.notes([sound.samples[0]], infer.load(registry.model(model).path))


def products(source: Source, rng: Generator, *, checkpoint: Asset) -> Iterator[Product]:  # noqa: ARG001 no chance here
    """One MIDI file of the notes in a sound file.

    raises: InputError, when written, if the file is not sound that `audio.blocks` can read
    """
    facts: dict[str, Any] = {"checkpoint": {"name": checkpoint.name, "sha256": checkpoint.sha256}}

    def write(path: Path) -> None:
        import onnxruntime

        from clefkit.transcribe import infer

        found = infer.notes(audio.blocks(source.path, features.RATE), infer.load(checkpoint.path))
        note_files.write_midi(path, found)
        facts["notes"] = len(found)
        facts["made_with"] = {"numpy": np.__version__, "onnxruntime": onnxruntime.__version__}

    yield Product("notes.mid", write, facts)
