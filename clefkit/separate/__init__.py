"""One recording becomes one sound for each instrument, whatever and however many they are.

    from clefkit import audio, separate
    stems, rest = separate.apply(audio.read(path), instruments=3)

`transcribe` hears the notes, and which of them are of one timbre (`whose`); each note is a comb of partials that is
fitted to the mixture (`atoms`), a small network refines whose share of a bin is how large (`masks`), and stems are
filtered out of the mixture with that, for sound of any length (`stems`). What no note explains is the rest; all add up
to the mixture. Other ways to take a mixture apart: what sounds on and what is struck (`percussive`), and the fixed
classes of a network of one's own (`classes`).
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clefkit.record import Product, Source

if TYPE_CHECKING:
    from numpy.random import Generator

    from clefkit.audio import Audio, Samples
    from clefkit.notes import Notes
    from clefkit.separate.result import Result


def apply(
    sound: Audio, instruments: int | None = None, notes: Notes | None = None, **options: Any
) -> tuple[list[tuple[str, Samples]], Samples]:
    """A sound in memory, taken apart.

    sound: (channels, samples), float32, one or two channels
    instruments: how many there are; None: as many as there seem to be
    notes: if they are known; each part is a stem, if `instruments` says nothing else
    options: as for `settings.options`: mode, keep, model and so on
    returns: (name, (channels, samples)) of each stem, and the rest; they add up to the sound
    raises: as `settings.options`, and InputError when the sound is not one
    """
    import numpy as np

    from clefkit import audio, wavefile
    from clefkit import notes as note_files
    from clefkit.separate import result, settings

    with tempfile.TemporaryDirectory(prefix="clefkit-") as folder:
        path = Path(folder) / "mixture.wav"
        shape = audio.Shape(len(sound.samples), sound.samples.shape[1], sound.rate)
        audio.write_pieces(path, iter([sound.samples]), shape, bits=wavefile.FLOAT_BITS)
        if notes is not None:
            score = Path(folder) / "notes.jsonl"
            note_files.write_jsonl(score, notes, sound.rate, shape.frames)
            options["notes"] = str(score)
        count = "auto" if instruments is None else str(instruments)
        made = result.of(Source(path), **settings.options(instruments=count, **options))
        whole = {name: np.concatenate(list(made.pieces(name)), axis=1) for name in [*made.names, result.REST]}
        return [(name, whole[name]) for name in made.names], whole[result.REST]


def products(
    source: Source,
    rng: Generator,  # noqa: ARG001 no chance here
    *,
    kind: str | None = None,
    **options: Any,
) -> Iterator[Product]:
    """What `clefkit separate` makes of one file: a sound for each stem, with its notes beside it, and the rest.

    kind: "wav" (32-bit floating point) or "flac" (24 bits); without it FLAC stays FLAC and all else becomes WAV
    options: those that `settings.options` makes
    raises: InputError if the file is no sound that `audio.blocks` can read, or its notes can't be read
    """
    from clefkit.separate import result

    ending = kind or ("flac" if source.path.suffix.lower() == ".flac" else "wav")
    made = result.of(source, **options)
    yield Product(
        f"rest.{ending}", functools.partial(made.write, result.REST, ending),
        {} if made.stems else _facts(made), printed=not made.stems,
    )  # fmt: skip
    for stem in made.stems:
        if stem.notes is not None:
            yield Product(f"{stem.name}.notes.mid", functools.partial(_write_notes, stem.notes), {}, printed=False)
        facts = _facts(made) | stem.facts
        yield Product(f"{stem.name}.{ending}", functools.partial(made.write, stem.name, ending), facts)


def _facts(made: Result) -> dict[str, Any]:
    import numpy as np
    import onnxruntime

    return made.facts | {"made_with": {"numpy": np.__version__, "onnxruntime": onnxruntime.__version__}}


def _write_notes(notes: Notes, path: Path) -> None:
    from clefkit import notes as note_files

    note_files.write_midi(path, notes)
