"""Whose note is it: notes of one timbre get one part, without knowing the instruments, nor how many there are.

Each note is looked at by itself: the energies at its first twenty partials, and between them, over its first half
second, which of these partials other notes sound at too, and the same by frequency (`views`). A small network makes a
token of that. A second one looks at the tokens of all notes, and where they lie in pitch and time, and says the
logarithm of the odds that one instrument played two of them; training made these odds true. `clusters` puts notes
together by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import features, graph, registry
from clefkit.errors import InputError
from clefkit.notes import Part
from clefkit.transcribe import clusters, overtones
from clefkit.transcribe.decode import Found
from clefkit.transcribe.places import Nearness, Places

Array = NDArray[np.float32]
Indices = NDArray[np.int64]

GRAPHS = {"model.onnx": "sha256", "context.onnx": "context_sha256"}
FRAMES = 24  # of a note that are looked at, from one before its onset
PARTIALS = np.rint(12 * features.BINS_PER_SEMITONE * np.log2(np.arange(1, 21))).astype(np.int64)
BETWEEN = np.rint(12 * features.BINS_PER_SEMITONE * np.log2(np.arange(1, 10) + 0.5)).astype(np.int64)
SPECTRUM = 6 * len(PARTIALS) + len(BETWEEN)
BANDS = 24  # of a note's spectrum by frequency, a third of an octave each
LOWEST_BAND = 43.0  # MIDI: 98 Hz
ASIDE = len(PARTIALS) + 3 * BANDS + 6  # numbers of a note that don't change over its frames
OTHERS = 10  # partials of other notes that count
KEPT = 4096  # frames: of longer notes the beginning has gone when they end
TOGETHER = 512  # notes that the network sees at once
MORE = 2  # parts than there are instruments, when some are overtones of others
DIES_DB = 12  # a second: what dies away faster is struck or plucked
# From which pitch on (of the median note) a program is plausible; of those that are, the last one not taken yet.
SUSTAINED = ((0, 43), (40, 42), (45, 70), (50, 60), (55, 41), (58, 71), (62, 68), (64, 40), (72, 73))
STRUCK = ((0, 32), (40, 11), (45, 46), (48, 24), (50, 0))


class Views(NamedTuple):
    """What the network sees of notes.

    spectrum: (notes, FRAMES, SPECTRUM), relative to the note's loudest partial; present: (notes, FRAMES), 1 while it
    sounds, else 0; aside: (notes, ASIDE): where others sound too, pitch, length
    """

    spectrum: Array
    present: Array
    aside: Array


class Limits(NamedTuple):
    """What counts as one timbre.

    bias: added to the logarithm of the odds that two notes are of one; least: share of the notes that an instrument has
    at least, or its notes go to others
    """

    bias: float
    least: float


class Model(NamedTuple):
    """A checkpoint. single, together: onnxruntime.InferenceSession of the two networks"""

    single: Any
    together: Any
    limits: Limits


@lru_cache(maxsize=2)
def load(path: Path) -> Model:
    """Load a checkpoint; nothing in it is run as code.

    path: a folder with `config.toml`, `model.onnx`, that looks at single notes, and `context.onnx`
    raises: MissingError when there is none, or its networks aren't those that its config names; InputError when they
        can't be run, or don't do what they should
    """
    config, networks = registry.promised(path, "timbre", GRAPHS)
    try:
        limits = Limits(**{key: float(value) for key, value in config["limits"].items()})
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(f"[limits] of the config.toml of {path.name} needs {', '.join(Limits._fields)}") from error
    model = Model(graph.session(networks[0], path.name), graph.session(networks[1], path.name), limits)
    _check(model, path.name)
    return model


def _check(model: Model, name: str) -> None:
    """Send two notes of silence through. Raises InputError when what comes out are no odds."""
    seen = Views(
        np.zeros((2, FRAMES, SPECTRUM), np.float32), np.ones((2, FRAMES), np.float32), np.zeros((2, ASIDE), np.float32)
    )
    try:
        found = odds(model, tokens(model, seen), np.array([[0, 1, 60], [1, 2, 60]], np.float32))
    except Exception as error:  # the errors of ONNX Runtime have no other base
        raise InputError(f"the graphs of checkpoint {name} don't take what is seen of notes") from error
    if found.shape != (2, 2) or not np.isfinite(found).all():
        raise InputError(f"the graphs of checkpoint {name} don't give odds of two notes")


def tokens(model: Model, seen: Views) -> Array:
    """What the first network tells of each note: (notes, numbers)."""
    (found,) = model.single.run(None, seen._asdict())
    return np.asarray(found, dtype=np.float32)


def odds(model: Model, told: Array, placed: Array) -> Array:
    """(notes, notes): the logarithm of the odds that one instrument played two notes.

    told: (notes, numbers), their tokens; placed: (notes, 3): onset s, offset s, pitch
    """
    (found,) = model.together.run(None, {"tokens": told, "placed": placed})
    return np.asarray(found + np.float32(model.limits.bias), dtype=np.float32)


def views(sound: Array, roll: NDArray[np.bool_], onset: Indices, offset: Indices, pitch: Indices) -> Views:
    """What there is to see of the notes of a stretch of sound.

    sound: (frames, channels, bins), 0 to 1, as `features` gives it; roll: (frames, pitches), which pitches sound
    onset, offset: (notes,), frames within the stretch; pitch: (notes,), MIDI
    """
    count = len(onset)
    frames = onset[:, None] - 1 + np.arange(FRAMES)
    present = (frames <= np.maximum(offset, onset + 2)[:, None]) & (frames < len(sound))
    frames = np.clip(frames, 0, len(sound) - 1)
    first = features.BINS_PER_SEMITONE * (pitch - features.LOWEST_PITCH) + 1
    partials, between = first[:, None] + PARTIALS, first[:, None] + BETWEEN
    near = (partials[:, :, None] + np.array([-1, 0, 1])).reshape(count, -1)
    parts = [_at(sound, frames, near, 0), _at(sound, frames, partials, 1), _at(sound, frames, between, 0)]
    spectrum = np.concatenate(parts, axis=2) * present[:, :, None]
    loudest = spectrum.max(axis=(1, 2), initial=0)
    spectrum = np.maximum(spectrum - loudest[:, None, None], -1) * present[:, :, None]
    shared = _shared(roll, frames, pitch) * present[:, :, None]
    level = 1 + spectrum[:, :, : near.shape[1]].reshape(count, FRAMES, len(PARTIALS), 3).max(axis=3)
    level *= (partials < features.BINS)[:, None] * present[:, :, None]
    alone = level * (1 - shared)
    high, length = (pitch - 60) / 24, np.log(np.maximum(offset - onset, 1)) / 3
    own = np.stack([high, high**2, length, loudest, (partials < features.BINS).mean(axis=1), np.ones(count)], axis=1)
    mean = shared.sum(axis=1) / present.sum(axis=1)[:, None]
    aside = np.concatenate([mean, _by_frequency(level, alone, present, pitch), own], axis=1)
    spectrum = np.concatenate([spectrum, alone, shared], axis=2)
    return Views(spectrum.astype(np.float32), present.astype(np.float32), aside.astype(np.float32))


def _by_frequency(level: Array, alone: Array, present: NDArray[np.bool_], pitch: Indices) -> NDArray[np.float64]:
    """(notes, 3 * BANDS): the loudest and the mean level of partials in fixed bands, and how much of that is its own.

    level, alone: (notes, frames, partials), 0 to 1
    """
    count = present.sum(axis=1)[:, None]
    loudest, mean, own = level.max(axis=1), level.sum(axis=1) / count, alone.sum(axis=1) / count
    places = (pitch[:, None] + PARTIALS / features.BINS_PER_SEMITONE - LOWEST_BAND) / 4
    weights = np.maximum(0, 1 - np.abs(places[:, :, None] - np.arange(BANDS)) / 1.5)
    total = weights.sum(axis=1) + 1e-3
    bands = [np.einsum("np,npb->nb", each, weights) / total for each in (loudest, mean, own)]
    return np.concatenate(bands, axis=1)


def _at(sound: Array, frames: Indices, bins: Indices, channel: int) -> Array:
    """(notes, frames, bins); bins beyond the range are silent."""
    inside = (bins >= 0) & (bins < features.BINS)
    found = sound[frames[:, :, None], channel, np.where(inside, bins, 0)[:, None, :]]
    return np.asarray(found * inside[:, None, :], dtype=np.float32)


def _shared(roll: NDArray[np.bool_], frames: Indices, pitch: Indices) -> Array:
    """(notes, frames, partials): which partials other pitches sound at, too, 0 to 1: 1 is another's fundamental.

    roll: (frames, pitches), which sound; frames: (notes, frames)
    """
    apart = np.arange(-features.PITCHES + 1, features.PITCHES)
    theirs = features.BINS_PER_SEMITONE * apart[:, None] + PARTIALS[:OTHERS]
    meets = np.abs(theirs[:, :, None] - PARTIALS) <= 1
    weight = (meets / np.arange(1, OTHERS + 1)[:, None]).max(axis=1).astype(np.float32)
    weight[features.PITCHES - 1] = 0  # the note itself
    mine = pitch - features.LOWEST_PITCH
    result = np.zeros((*frames.shape, len(PARTIALS)), np.float32)
    for index, own in enumerate(mine):
        heard = roll[frames[index]]
        there = np.flatnonzero(heard.any(axis=0))
        low = features.PITCHES - 1 - own
        result[index] = (heard[:, there, None] * weight[low + there]).max(axis=1, initial=0)
    return result


@dataclass
class _Latest:
    """The last frames of something. rows: (frames, ...); first: the frame that row 0 is"""

    rows: NDArray[Any]
    first: int = 0

    @property
    def end(self) -> int:
        return self.first + len(self.rows)

    def push(self, rows: NDArray[Any]) -> None:
        self.rows = np.concatenate([self.rows, rows])
        over = max(0, len(self.rows) - KEPT)
        self.rows, self.first = self.rows[over:], self.first + over

    def between(self, low: int, high: int) -> NDArray[Any]:
        return self.rows[low - self.first : high - self.first]


@dataclass
class Collector:
    """Give it the features and what sounds in order, and notes when they have ended; then ask for their parts.

    model: see `load`
    """

    model: Model
    tokens: list[Array] = field(default_factory=list)
    placed: list[tuple[float, float, float]] = field(default_factory=list)  # onset s, offset s, pitch
    falls: list[float] = field(default_factory=list)  # how fast each note dies away, dB a second

    def __post_init__(self) -> None:
        self.sound = _Latest(np.zeros((0, features.CHANNELS, features.BINS), np.uint8))
        self.roll = _Latest(np.zeros((0, features.PITCHES), dtype=bool))

    def see(self, sound: NDArray[np.uint8]) -> None:
        """sound: (frames, channels, bins), the next frames, as `features.stored` keeps them"""
        self.sound.push(sound)

    def hear(self, roll: NDArray[np.bool_]) -> None:
        """roll: (frames, pitches), which sound in the next frames; never further than what was seen"""
        self.roll.push(roll)

    def add(self, found: Sequence[Found]) -> None:
        """Notes that have ended, of frames that were seen and heard."""
        for start in range(0, len(found), TOGETHER):
            some = found[start : start + TOGETHER]
            earliest = max(self.sound.first, self.roll.first)
            onset = np.array([max(each.first, earliest) for each in some])
            offset = np.array([max(each.last, earliest) for each in some])
            pitch = np.array([each.pitch for each in some])
            low = max(earliest, int(onset.min()) - 1)
            high = min(int(onset.max()) + FRAMES, self.sound.end, self.roll.end)
            sound = features.restored(self.sound.between(low, high))
            seen = views(sound, self.roll.between(low, high), onset - low, offset - low, pitch)
            self.tokens.append(tokens(self.model, seen))
            self.placed += [(each.onset_s, each.offset_s, float(each.pitch)) for each in some]
            self.falls += _falls(seen).tolist()

    def shares(self, instruments: int | None = None, places: Places | None = None) -> Array:
        """(notes, parts): how likely each note that was added is of each part; most notes are of part 0.

        instruments: how many there are, if that is known; places: where notes come from, in the order they were added
        """
        told, placed = np.concatenate(self.tokens or [np.zeros((0, 1), np.float32)]), np.array(self.placed, np.float32)
        near = None if places is None else Nearness(places)

        def both(some: Indices) -> Array:
            by_timbre = odds(self.model, told[some], placed[some])
            return by_timbre if near is None else by_timbre + near.odds(some)

        def among(wanted: int | None) -> Array:
            return clusters.shares(both, len(placed), self.model.limits.least, wanted)

        if instruments is None:
            return overtones.joined(among(None), placed)
        first = among(instruments)
        more = range(instruments + 1, min(instruments + MORE, clusters.MOST) + 1)
        for found in chain([first], map(among, more)):
            heard = overtones.joined(found, placed)
            if heard.shape[1] == instruments:
                return heard
        return first

    def named(self, part: Indices) -> tuple[Part, ...]:
        """A name for each part, and a program of General MIDI that plays it back as something of its kind."""
        pitch, falls = np.array(self.placed).reshape(-1, 3)[:, 2], np.array(self.falls)
        named: list[Part] = []
        for number in range(int(part.max(initial=0)) + 1):
            mine = part == number
            kind = SUSTAINED if mine.any() and np.median(falls[mine]) < DIES_DB else STRUCK
            height = float(np.median(pitch[mine])) if mine.any() else 60.0
            used = {each.program for each in named}
            fitting = [program for low, program in kind if height >= low]
            fresh = [program for program in fitting if program not in used] or fitting or [kind[0][1]]
            named.append(Part(f"timbre {number + 1}", fresh[-1]))
        return tuple(named)


def _falls(seen: Views) -> NDArray[np.float64]:
    """(notes,): how fast a note gets softer after its loudest moment, dB a second."""
    loud = np.sort(seen.spectrum[:, :, : 3 * len(PARTIALS)], axis=2)[:, :, -3:].mean(axis=2)
    rows, last = np.arange(len(loud)), np.maximum(seen.present.sum(axis=1).astype(int) - 2, 2)
    loudest = loud[:, 1:6].argmax(axis=1) + 1
    fall = (loud[rows, loudest] - loud[rows, last]) * (features.CEILING_DB - features.FLOOR_DB)
    return np.asarray(fall / np.maximum(last - loudest, 1) * features.FRAMES_PER_SECOND, dtype=np.float64)
