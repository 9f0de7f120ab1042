"""Listening: one pass over a sound of any length, in bounded memory, that gathers all that is written afterwards."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import features, tuning
from clefkit.notes import Notes, Part
from clefkit.spool import Spool
from clefkit.tag import hearing as cells
from clefkit.tag import infer as tags
from clefkit.transcribe import infer, names, places, timbre
from clefkit.transcribe.decode import Decoder, Found, collected
from clefkit.transcribe.infer import Hearing
from clefkit.transcribe.places import Sides
from clefkit.transcribe.thresholds import Thresholds
from clefkit.transcribe.timbre import FRAMES, Collector

Array = NDArray[np.float32]
Sound = Callable[[int], Iterable[Array]]


class Settings(NamedTuple):
    """What is a note, and whose.

    thresholds: of the decoder; shortest_s: notes shorter than this are none; low, high: pitches
    instruments: how many parts the notes are shared out to; None: as many as there seem to be
    timbre: the folder of the checkpoint that tells whose a note is; None: there is one part
    tagger: of one of `tag` that names the parts, or None
    """

    thresholds: Thresholds
    shortest_s: float = 0.0
    low: int = features.LOWEST_PITCH
    high: int = features.LOWEST_PITCH + features.PITCHES - 1
    instruments: int | None = 1
    timbre: Path | None = None
    tagger: Path | None = None

    def admit(self, note: Found) -> bool:
        return note.offset_s - note.onset_s >= self.shortest_s and self.low <= note.pitch <= self.high


class Heard(NamedTuple):
    """What was heard, and what was asked to be kept of the way there.

    seconds: how long the sound is
    model: who heard it
    activations: (frames, outputs, pitches), float16: what the network said
    spectrum: (frames, bins), uint8, 0 to 255: the first channel of the features
    shares: (notes, parts), how likely each note is of each part, where timbres were told apart
    """

    notes: Notes
    seconds: float
    model: Hearing
    activations: Spool | None = None
    spectrum: Spool | None = None
    shares: Array | None = None


def listen(
    sound: Sound,
    model: Hearing,
    settings: Settings,
    activations: bool = False,
    spectrum: bool = False,
    sides: Sides | None = None,
) -> Heard:
    """Hear the notes of a sound.

    Features wait on disk until notes are known, for whoever tells timbres apart.

    sound: given a rate in Hz, the sound at that rate in blocks of any lengths: (samples,), float32, mono
    activations, spectrum: whether they are to be kept
    sides: the same in stereo, if it is: where notes come from helps to tell whose they are
    raises: what `sound` raises
    """
    said = Spool((len(model.names), features.PITCHES), np.float16) if activations else None
    seen = Spool((features.BINS,), np.uint8) if spectrum else None
    told_apart = settings.timbre is not None and settings.instruments != 1
    tuned = Spool((features.CHANNELS, features.BINS), np.uint8) if told_apart else None
    decoder = Decoder(settings.thresholds, model.frames_per_second, model.first_s)
    blocks = _Blocks(sound(model.rate))
    for piece in _outputs(blocks, model, seen, tuned):
        if said is not None:
            said.push(piece)
        decoder.push(infer.arranged(piece, model.names))
    decoder.finish()
    if not isinstance(model, infer.Model) and (seen is not None or tuned is not None):  # its eyes are others
        for _ in _stored(tuning.follow(_kept(features.stream(sound(features.RATE)), seen)), tuned):
            pass
    notes = collected([note for note in decoder.found if settings.admit(note)])
    shares: Array | None = None
    if tuned is not None and settings.timbre is not None:
        shares, parts = _shares(tuned.pieces(), settings.timbre, notes, settings.instruments, sides)
        notes = replace(notes, part=shares.argmax(axis=1), parts=parts)
    if settings.tagger is not None and len(notes):
        tagged = tags.listen(sound(cells.RATE), tags.load(settings.tagger))
        notes = names.named(notes, tagged, apart=told_apart)
    return Heard(notes, blocks.samples / model.rate, model, said, seen, shares)


def shared_out(
    sound: Sound, checkpoint: Path, notes: Notes, instruments: int | None, sides: Sides | None = None
) -> tuple[Array, tuple[Part, ...]]:
    """Whose each of these notes of a sound is, by its timbre: (notes, parts), how likely; and the parts.

    sound, sides: as for `listen`; notes: with pitches as they are called, whatever the sound's tuning
    checkpoint: the folder of one of timbres; instruments: how many there are; None: as many as there seem to be
    raises: what `sound` raises
    """
    tuned = (features.stored(piece) for piece in tuning.follow(features.stream(sound(features.RATE))))
    return _shares(tuned, checkpoint, notes, instruments, sides)


def _shares(
    tuned: Iterable[NDArray[np.uint8]], checkpoint: Path, notes: Notes, instruments: int | None, sides: Sides | None
) -> tuple[Array, tuple[Part, ...]]:
    """As `shared_out`. tuned: (frames, channels, bins) each, features in tune"""
    whose, order = gathered(tuned, Collector(timbre.load(checkpoint)), notes)
    found = whose.shares(instruments, None if sides is None else places.of(sides(), notes).taken(order))
    shares = np.empty_like(found)
    shares[order] = found
    return shares, whose.named(found.argmax(axis=1))


def gathered(tuned: Iterable[NDArray[np.uint8]], whose: Collector, notes: Notes) -> tuple[Collector, list[int]]:
    """The collector when it has been given these notes, and the order in which it was. tuned: as for `_shares`"""
    found = _as_found(notes)
    order = sorted(range(len(found)), key=lambda index: found[index].last)
    spans = np.array([(each.first, each.last, each.pitch) for each in found], dtype=np.int64).reshape(-1, 3)
    waiting = deque(order)
    for piece in tuned:
        seen = whose.roll.end
        whose.see(piece)
        whose.hear(_sounding(spans, seen, seen + len(piece)))
        ended = []
        while waiting and found[waiting[0]].last + FRAMES < seen + len(piece):
            ended.append(found[waiting.popleft()])
        whose.add(ended)
    last = whose.roll.end - 2
    rest = [found[index] for index in waiting]
    whose.add([each._replace(first=min(each.first, last), last=min(each.last, last)) for each in rest])
    return whose, order


def _as_found(notes: Notes) -> list[Found]:
    first, last = (np.rint(times * features.FRAMES_PER_SECOND).astype(int) for times in (notes.onset, notes.offset))
    highest = features.LOWEST_PITCH + features.PITCHES - 1
    pitch = np.clip(np.rint(notes.pitch), features.LOWEST_PITCH, highest).astype(int)
    columns = (notes.onset, notes.offset, pitch, notes.velocity, np.ones(len(notes)), first, last)
    return [Found(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _sounding(spans: NDArray[np.int64], begin: int, end: int) -> NDArray[np.bool_]:
    """(end - begin, pitches): which pitches sound in these frames. spans: (notes, 3): first and last frame, pitch"""
    roll = np.zeros((end - begin, features.PITCHES), dtype=bool)
    for first, last, pitch in spans[(spans[:, 0] < end) & (spans[:, 1] >= begin)].tolist():
        roll[max(first - begin, 0) : max(last, first + 1) - begin, pitch - features.LOWEST_PITCH] = True
    return roll


@dataclass
class _Blocks:
    """Blocks as they come, and how many samples there have been."""

    blocks: Iterable[Array]
    samples: int = 0

    def __iter__(self) -> Iterator[Array]:
        for block in self.blocks:
            self.samples += len(block)
            yield block


def _outputs(blocks: Iterable[Array], model: Hearing, seen: Spool | None, tuned: Spool | None) -> Iterator[Array]:
    """What the model says; on the way, when it sees the features, `seen` gets them as they are, `tuned` in tune."""
    if not isinstance(model, infer.Model):
        return model.outputs(blocks)
    return infer.outputs(_stored(tuning.follow(_kept(features.stream(blocks), seen)), tuned), model)


def _kept(pieces: Iterable[Array], seen: Spool | None) -> Iterator[Array]:
    for piece in pieces:
        if seen is not None:
            seen.push(features.stored(piece[:, 0]))
        yield piece


def _stored(pieces: Iterable[Array], tuned: Spool | None) -> Iterator[Array]:
    for piece in pieces:
        if tuned is not None:
            tuned.push(features.stored(piece))
        yield piece
