"""Sound becomes notes: one small network hears which pitches begin, and sound, in each frame.

    from clefkit import audio, transcribe
    sound = audio.read(path)
    found = transcribe.notes(sound.samples, sound.rate)

It listens to any pitched instrument, and all of them together; notes of one timbre are one part, which is named when
`tag` knows its instrument. Files are read as a stream, so length costs time, not memory.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clefkit.errors import InputError
from clefkit.record import Product, Source
from clefkit.registry import Asset

if TYPE_CHECKING:
    from numpy.random import Generator

    from clefkit.audio import Samples
    from clefkit.notes import Notes
    from clefkit.transcribe.listen import Heard


def notes(
    samples: Samples,
    rate: int,
    model: str = "notes",
    threshold: float = 0.5,
    instruments: int | None = None,
    names: str = "auto",
) -> Notes:
    """The notes of a sound in memory.

    samples: (channels, samples), float32, -1 to 1, or (samples,); rate: Hz
    model: a checkpoint by name, the path of a folder with one, or "basic-pitch"
    threshold: 0 to 1, more is fewer notes, .5 is as the checkpoint has it
    instruments: how many parts the notes are shared out to, 1 to 6; None: as many as there seem to be
    names: a checkpoint of `tag`, or the path of a folder with one, that names the parts, or "none"; "auto": the one
        that ships
    returns: onset and offset in seconds, pitch as whole MIDI numbers 21 to 108, velocity 1 to 127, a part a timbre, and
        how sure the network is of each note
    raises: InputError when samples are not numbers or there are none; UsageError when there is no such checkpoint
    """
    import numpy as np

    from clefkit import audio, features, registry
    from clefkit.transcribe import infer, listen, settings
    from clefkit.transcribe.thresholds import moved

    channels = np.atleast_2d(np.asarray(samples, dtype=np.float32))
    if channels.shape[1] == 0 or not np.isfinite(channels).all():
        raise InputError("no samples, or samples that are not numbers")
    sound = audio.Audio(channels.mean(axis=0, keepdims=True, dtype=np.float32), rate)
    loaded = infer.load(settings.checkpoint(model).path)
    tagger = settings.tagger(names)
    wanted = listen.Settings(
        moved(loaded.thresholds, threshold), instruments=instruments,
        timbre=None if instruments == 1 else registry.checkpoint("timbre").path, tagger=tagger.path if tagger else None,
    )  # fmt: skip

    def sides() -> Iterator[audio.Samples]:
        yield audio.resample(audio.Audio(channels, rate), features.RATE).samples

    return listen.listen(
        lambda wanted_rate: audio.resample(sound, wanted_rate).samples, loaded, wanted,
        sides=sides if len(channels) == 2 else None,
    ).notes  # fmt: skip


def products(
    source: Source,
    rng: Generator,  # noqa: ARG001 no chance here
    *,
    checkpoint: Asset,
    thresholds: dict[str, float],
    min_duration_ms: float = 0.0,
    pitches: Sequence[int] = (0, 127),
    instruments: int | None = 1,
    timbre: Asset | None = None,
    tagger: Asset | None = None,
    bends: bool = False,
    also: Sequence[str] = (),
) -> Iterator[Product]:
    """One MIDI file of the notes in a sound file, and what is wanted beside it.

    The options are those that `settings.options` makes.
    raises: InputError, when written, if the file is not sound that `audio.blocks` can read
    """
    from clefkit.transcribe import sides

    facts: dict[str, Any] = {"checkpoint": {"name": checkpoint.name, "sha256": checkpoint.sha256}}
    for name, asset in (("timbre", timbre), ("tagger", tagger)):
        if asset is not None:
            facts[name] = {"name": asset.name, "sha256": asset.sha256}

    @functools.lru_cache(maxsize=1)
    def heard() -> Heard:
        from clefkit import audio
        from clefkit.transcribe import infer, listen, places
        from clefkit.transcribe.thresholds import told

        model = infer.load(checkpoint.path)
        wanted = listen.Settings(
            told(thresholds, checkpoint.name), min_duration_ms / 1000, pitches[0], pitches[1], instruments,
            timbre.path if timbre else None, tagger.path if tagger else None,
        )  # fmt: skip
        return listen.listen(
            lambda rate: audio.blocks(source.path, rate), model, wanted, "activations" in also, bends or "plot" in also,
            None if timbre is None else places.sides(source.path),
        )  # fmt: skip

    def write_side(write: Callable[[Path, Heard], None], path: Path) -> None:
        write(path, heard())

    def write_midi(path: Path) -> None:
        import numpy as np
        import onnxruntime

        from clefkit.transcribe import playback

        playback.write(path, heard(), bends)
        facts["notes"] = len(heard().notes)
        facts["instruments"] = [part.name for part in heard().notes.parts]
        facts["made_with"] = {"numpy": np.__version__, "onnxruntime": onnxruntime.__version__}

    for suffix, write in sides.wanted(also, source.path) if also else ():
        yield Product(suffix, functools.partial(write_side, write), {}, printed=False)
    yield Product("notes.mid", write_midi, facts)
