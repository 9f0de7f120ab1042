"""Which notes a mixture has, and whose each of them is: heard by `transcribe`, or given.

Given notes keep their tracks, or are shared out by timbre, as those that were heard are.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import audio
from clefkit import notes as note_files
from clefkit.errors import InputError
from clefkit.notes import Notes, Part, take
from clefkit.separate.atoms import Played
from clefkit.transcribe import infer, listen, places
from clefkit.transcribe.thresholds import told

PAUSE_S = 1.0  # shorter ones are none
MOST_SPANS = 500


class Settings(NamedTuple):
    """How notes are heard and shared out.

    model: the folder of a checkpoint of `transcribe`, with its thresholds; timbre: of one that tells whose notes are
    instruments: how many there are; None: as many as there seem to be; 0: as many as given notes have tracks
    """

    model: Path
    thresholds: dict[str, float]
    instruments: int | None
    timbre: Path | None


class Parted(NamedTuple):
    """Notes, each of the part that it is most likely of.

    shares: (notes, parts), how likely it is of each of them; known: whether it was told whose they are
    """

    notes: Notes
    shares: NDArray[np.float32]
    known: bool = False


def heard(path: Path, settings: Settings) -> Parted:
    """The notes of a sound file, a part a timbre."""
    thresholds = told(settings.thresholds, settings.model.name)
    wanted = listen.Settings(thresholds, instruments=settings.instruments, timbre=settings.timbre)
    model, sides = infer.load(settings.model), places.sides(path)
    found = listen.listen(lambda rate: audio.blocks(path, rate), model, wanted, sides=sides)
    return sure(found.notes) if found.shares is None else Parted(found.notes, found.shares)


def sure(found: Notes) -> Parted:
    """Notes of which it is known whose they are."""
    return Parted(found, np.eye(len(found.parts), dtype=np.float32)[found.part])


def given(path: Path, score: Path, settings: Settings) -> Parted:
    """The notes of another file, a part a track, or a timbre when they are in one track or it is asked for.

    raises: InputError when they are no notes, or begin after the sound has ended
    """
    found = melodic(note_files.read(score))
    shape = audio.shape(path)
    if len(found) and found.onset.min() > shape.frames / shape.rate:
        raise InputError(f"the notes of {score.name} begin after its end")
    tracks = len(np.unique(found.part))
    if settings.instruments == 0 and tracks > 1:
        return sure(found)._replace(known=True)
    if settings.timbre is None:
        return sure(replace(found, part=np.zeros_like(found.part), parts=(Part("all"),)))
    return whose(path, found, settings.timbre, settings.instruments or None)


def melodic(found: Notes) -> Notes:
    """Without the notes of drums, which have no pitch: they are in the rest. Parts that have no notes are left out."""
    kept = take(found, ~np.array([part.drums for part in found.parts])[found.part])
    numbers, part = np.unique(kept.part, return_inverse=True)
    return replace(kept, part=part.astype(np.int64), parts=tuple(found.parts[number] for number in numbers))


def whose(path: Path, found: Notes, timbre: Path, instruments: int | None) -> Parted:
    """The same notes, a part a timbre."""
    sides = places.sides(path)
    shares, parts = listen.shared_out(lambda rate: audio.blocks(path, rate), timbre, found, instruments, sides)
    return Parted(replace(found, part=shares.argmax(axis=1), parts=parts), shares)


def labels(path: Path, found: Notes, instruments: int | None = None, timbre: str = "timbre") -> NDArray[np.int64]:
    """(notes,): the stem of each given note, by timbre alone.

    path: of the mixture; instruments: how many there are; None: as many as there seem to be
    timbre: the checkpoint that tells them apart, by name or path
    """
    from clefkit import registry

    return whose(path, found, registry.checkpoint(timbre).path, instruments).notes.part


def played(found: Parted) -> Played:
    """As `stems` wants them. Where a pedal holds notes, they sound until it lets go."""
    notes = found.notes
    offset = notes.offset if notes.sounding is None else np.maximum(notes.offset, notes.sounding)
    return Played(notes.onset, offset, notes.pitch, found.shares)


def facts(found: Notes, stem: int) -> dict[str, Any]:
    """What a record says of a stem: how many notes, how long they sound, and when."""
    mine = note_files.alone(found, stem)
    spans = merged(mine)
    return {
        "stem": {
            "name": found.parts[stem].name,
            "number": stem + 1,
            "notes": len(mine),
            "sounds_s": round(sum(end - begin for begin, end in spans), 2),
            "pitch": [int(np.rint(mine.pitch.min())), int(np.rint(mine.pitch.max()))] if len(mine) else [],
            "activity": spans,
        }
    }


def merged(found: Notes) -> list[list[float]]:
    """When there are notes: [begin, end] in seconds, with pauses of a second and more between; longer ones of many."""
    pause_s = PAUSE_S
    while True:
        spans: list[list[float]] = []
        for begin, end in zip(found.onset.tolist(), found.offset.tolist(), strict=True):
            if spans and begin - spans[-1][1] < pause_s:
                spans[-1][1] = max(spans[-1][1], round(end, 2))
            else:
                spans.append([round(begin, 2), round(end, 2)])
        if len(spans) <= MOST_SPANS:
            return spans
        pause_s *= 2
