"""Listening: one pass over a sound of any length, in bounded memory, that gathers all that is written afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import features, tuning
from clefkit.notes import Notes
from clefkit.spool import Spool
from clefkit.tag import hearing as cells
from clefkit.tag import infer as tags
from clefkit.transcribe import infer, names
from clefkit.transcribe.decode import Decoder, Found, collected
from clefkit.transcribe.infer import Hearing
from clefkit.transcribe.thresholds import Thresholds
from clefkit.transcribe.timbre import Collector

Array = NDArray[np.float32]
Sound = Callable[[int], Iterable[Array]]


class Settings(NamedTuple):
    """What is a note, and whose.

    thresholds: of the decoder; shortest_s: notes shorter than this are none; low, high: pitches
    instruments: how many parts the notes are shared out to; None: as many as there seem to be
    tagger: the folder of a checkpoint of `tag` that names the parts, or None
    """

    thresholds: Thresholds
    shortest_s: float = 0.0
    low: int = features.LOWEST_PITCH
    high: int = features.LOWEST_PITCH + features.PITCHES - 1
    instruments: int | None = 1
    tagger: Path | None = None

    def admit(self, note: Found) -> bool:
        return note.offset_s - note.onset_s >= self.shortest_s and self.low <= note.pitch <= self.high


class Heard(NamedTuple):
    """What was heard, and what was asked to be kept of the way there.

    seconds: how long the sound is
    model: who heard it
    activations: (frames, outputs, pitches), float16: what the network said
    spectrum: (frames, bins), uint8, 0 to 255: the first channel of the features
    """

    notes: Notes
    seconds: float
    model: Hearing
    activations: Spool | None = None
    spectrum: Spool | None = None


def listen(
    sound: Sound, model: Hearing, settings: Settings, activations: bool = False, spectrum: bool = False
) -> Heard:
    """Hear the notes of a sound.

    Who looks at the sound of single notes has all here: `_shown` has the features first, `decoder.found` grows as notes
    end.

    sound: given a rate in Hz, the sound at that rate in blocks of any lengths: (samples,), float32, mono
    activations, spectrum: whether they are to be kept
    raises: what `sound` raises
    """
    said = Spool((len(model.names), features.PITCHES), np.float16) if activations else None
    seen = Spool((features.BINS,), np.uint8) if spectrum else None
    whose = model.branch.collector() if model.branch is not None and settings.instruments != 1 else None
    decoder = Decoder(settings.thresholds, model.frames_per_second, model.first_s)
    blocks = _Blocks(sound(model.rate))
    told = 0  # notes that whoever tells timbres apart has been given, or was spared
    for piece in _outputs(blocks, model, seen, whose):
        if said is not None:
            said.push(piece)
        if whose is not None:
            whose.hear(piece[:, model.names.index("frame")] >= settings.thresholds.sustain)
        decoder.push(infer.arranged(piece, model.names))
        if whose is not None:
            whose.add([note for note in decoder.found[told:] if settings.admit(note)])
            told = len(decoder.found)
    decoder.finish()
    if seen is not None and not isinstance(model, infer.Model):  # its eyes are others
        for _ in _kept(features.stream(sound(features.RATE)), seen):
            pass
    found = [note for note in decoder.found if settings.admit(note)]
    if whose is None:
        notes = collected(found)
    else:
        whose.add([note for note in decoder.found[told:] if settings.admit(note)])
        part = whose.parts(settings.instruments)
        notes = collected(found, part, whose.named(part))
    if settings.tagger is not None and len(notes):
        tagged = tags.listen(sound(cells.RATE), tags.load(settings.tagger))
        notes = names.named(notes, tagged, apart=whose is not None)
    return Heard(notes, blocks.samples / model.rate, model, said, seen)


@dataclass
class _Blocks:
    """Blocks as they come, and how many samples there have been."""

    blocks: Iterable[Array]
    samples: int = 0

    def __iter__(self) -> Iterator[Array]:
        for block in self.blocks:
            self.samples += len(block)
            yield block


def _outputs(blocks: Iterable[Array], model: Hearing, seen: Spool | None, whose: Collector | None) -> Iterator[Array]:
    """What the model says; on the way, when it sees the features, `seen` gets them as they are, `whose` in tune."""
    if not isinstance(model, infer.Model):
        return model.outputs(blocks)
    tuned = tuning.follow(_kept(features.stream(blocks), seen))
    return infer.outputs(_shown(tuned, whose), model)


def _kept(pieces: Iterable[Array], seen: Spool | None) -> Iterator[Array]:
    for piece in pieces:
        if seen is not None:
            seen.push(features.stored(piece[:, 0]))
        yield piece


def _shown(pieces: Iterable[Array], whose: Collector | None) -> Iterator[Array]:
    """Whoever tells timbres apart sees a piece before its outputs are there."""
    for piece in pieces:
        if whose is not None:
            whose.see(piece)
        yield piece
