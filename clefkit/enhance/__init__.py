"""From a phone on the piano's lid to the sound of a studio.

    from clefkit import audio, enhance
    better, facts = enhance.apply(audio.read(path))

A small network hears what a telephone did to music, and says by how much to turn 64 bands up and down, frame by frame:
a slow gain that undoes automatic gain, the colour of the microphone, noise and reverberation (`infer`). What it says is
taken apart (`parts`) and becomes sound (`filterbank`). Levels are inferred from the whole recording, so it is gone
through twice; it may be of any length, mono or stereo, at any rate.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clefkit.record import Product, Source
from clefkit.registry import Asset

if TYPE_CHECKING:
    from numpy.random import Generator

    from clefkit.audio import Audio
    from clefkit.enhance.recording import Enhanced

PARTS = ("dynamics", "tone", "noise")


def apply(
    sound: Audio,
    model: str = "enhance",
    strength: float = 1.0,
    parts: Collection[str] = PARTS,
    reference: Path | None = None,
    lufs: float | None = None,
) -> tuple[Audio, dict[str, Any]]:
    """A sound in memory, enhanced; and what was inferred, as a record of `clefkit enhance` holds it.

    sound: (channels, samples), float32, one or two channels
    model: a checkpoint by name, or the path of a folder with one
    strength: 0 to 1, of all gains in dB; parts: which of PARTS are restored
    reference: a recording whose mean spectrum, and loudness, is to be had; lufs: a loudness instead of the sound's own
    returns: a sound as long, true peak under -1 dB
    raises: UsageError when there is no such checkpoint; InputError when the reference is no sound
    """
    import numpy as np

    from clefkit import audio, registry
    from clefkit.enhance import infer, recording

    session = infer.load(registry.checkpoint(model).path)
    wishes = recording.Wishes(strength, parts, reference, lufs)
    shape = audio.Shape(len(sound.samples), sound.samples.shape[1], sound.rate)
    made = recording.enhance(lambda: recording.cut(sound.samples), shape, session, wishes)
    return audio.Audio(np.concatenate(list(made.pieces()), axis=1), sound.rate), made.facts


def products(
    source: Source,
    rng: Generator,  # noqa: ARG001 no chance here
    *,
    checkpoint: Asset,
    strength: float = 1.0,
    parts: Collection[str] = PARTS,
    reference: Asset | None = None,
    lufs: float | None = None,
    kind: str | None = None,
    plot: bool = False,
) -> Iterator[Product]:
    """What `clefkit enhance` makes of one file: the sound, and a picture if it is wanted.

    kind: "wav" or "flac"; without it FLAC stays FLAC and all else becomes WAV
    raises: InputError, when written, if the file is no sound that `audio.chunks` can read
    """
    ending = kind or ("flac" if source.path.suffix.lower() == ".flac" else "wav")
    facts: dict[str, Any] = {"checkpoint": {"name": checkpoint.name, "sha256": checkpoint.sha256}}
    if reference is not None:
        facts["sounds_like"] = {"name": reference.name, "sha256": reference.sha256}

    @functools.lru_cache(maxsize=1)
    def made() -> Enhanced:
        from clefkit import audio
        from clefkit.enhance import infer, recording

        session = infer.load(checkpoint.path)
        likeness = audio.native(reference.path) if reference else contextlib.nullcontext()
        with audio.native(source.path) as path, likeness as like:  # they are read several times
            shape, wishes = audio.shape(path), recording.Wishes(strength, parts, like, lufs)
            return recording.enhance(lambda: recording.read(path, shape), shape, session, wishes)

    def write_picture(path: Path) -> None:
        from clefkit.enhance import picture

        picture.draw(path, source.path.name, made().shown())

    def write_sound(path: Path) -> None:
        import numpy as np
        import onnxruntime

        from clefkit import audio

        audio.write_pieces(path, made().pieces(), made().shape, ending)
        facts.update(made().facts, made_with={"numpy": np.__version__, "onnxruntime": onnxruntime.__version__})

    if plot:
        yield Product("studio.png", write_picture, {}, printed=False)
    yield Product(f"studio.{ending}", write_sound, facts)
