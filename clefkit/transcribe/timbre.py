"""Whose note is it: notes of one timbre get one part, without knowing the instruments, nor how many there are.

Each note is looked at by itself: the energies at its first twenty partials, and between them, over its first half
second, and which of these partials other notes sound at too (`views`). A small network makes of that a point on a
sphere. How close two points are, and how far apart the notes are in pitch, tells the logarithm of the odds that one
instrument played both; training made these odds true.

So the number of instruments isn't guessed first: notes are put together as long as the odds, summed over all pairs,
gain by it (correlation clustering: Bansal, Blum and Chawla 2004), by average linkage. When nothing gains from being
apart, there is one instrument.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import features, graph
from clefkit.errors import InputError, MissingError
from clefkit.notes import Part
from clefkit.transcribe.decode import Found

Array = NDArray[np.float32]
Indices = NDArray[np.int64]

FRAMES = 24  # of a note that are looked at, from one before its onset
PARTIALS = np.rint(12 * features.BINS_PER_SEMITONE * np.log2(np.arange(1, 21))).astype(np.int64)
BETWEEN = np.rint(12 * features.BINS_PER_SEMITONE * np.log2(np.arange(1, 10) + 0.5)).astype(np.int64)
SPECTRUM = 4 * len(PARTIALS) + len(BETWEEN)
ASIDE = len(PARTIALS) + 6  # numbers of a note that don't change over its frames
OTHERS = 10  # partials of other notes that count
MOST = 6  # instruments
PAIRED = 2500  # notes that are compared with each other; the rest only with these
KEPT = 4096  # frames: of longer notes the beginning has gone when they end
TOGETHER = 512  # notes that the network sees at once
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


class Odds(NamedTuple):
    """The logarithm of the odds that two notes are of one timbre: slope * cosine + bias + apart * octaves between them.

    least: share of the notes that an instrument has at least, or its notes go to others
    """

    slope: float
    bias: float
    apart: float
    least: float = 0.03


class Branch(NamedTuple):
    """The branch of a checkpoint, not loaded yet. graph: its file; sha256: what the config says it has"""

    graph: Path
    sha256: str
    odds: Odds

    def collector(self) -> Collector:
        """raises: MissingError when its file is not there, or another one; InputError when it can't be run"""
        try:
            network = self.graph.read_bytes()
        except OSError as error:
            raise MissingError(f"checkpoint {self.graph.parent.name} needs {self.graph.name}") from error
        if hashlib.sha256(network).hexdigest() != self.sha256:
            raise MissingError(
                f"the {self.graph.name} of {self.graph.parent.name} is not the one its config.toml names"
            )
        return Collector(graph.session(network, self.graph.parent.name), self.odds)


def told(config: dict[str, Any], folder: Path) -> Branch | None:
    """The branch that a checkpoint's config promises. Raises InputError when its table is wrong."""
    table = config.get("timbre")
    if table is None:
        return None
    try:
        return Branch(
            folder / "timbre.onnx", str(config["timbre_sha256"]), Odds(**{k: float(v) for k, v in table.items()})
        )
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(f"[timbre] of the config.toml of {folder.name} needs {', '.join(Odds._fields)}") from error


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
    high, length = (pitch - 60) / 24, np.log(np.maximum(offset - onset, 1)) / 3
    own = np.stack([high, high**2, length, loudest, (partials < features.BINS).mean(axis=1), np.ones(count)], axis=1)
    others = (roll[frames] & present[:, :, None]).sum(axis=1) / present.sum(axis=1)[:, None]
    aside = np.concatenate([_shared(others, pitch), own], axis=1)
    return Views(spectrum.astype(np.float32), present.astype(np.float32), aside.astype(np.float32))


def _at(sound: Array, frames: Indices, bins: Indices, channel: int) -> Array:
    """(notes, frames, bins); bins beyond the range are silent."""
    inside = (bins >= 0) & (bins < features.BINS)
    found = sound[frames[:, :, None], channel, np.where(inside, bins, 0)[:, None, :]]
    return np.asarray(found * inside[:, None, :], dtype=np.float32)


def _shared(others: NDArray[np.float64], pitch: Indices) -> Array:
    """(notes, partials): how much of each partial other pitches sound at too, 0 to 1: 1 is another's fundamental.

    others: (notes, pitches), how much of the time each pitch sounds
    """
    apart = np.arange(-features.PITCHES + 1, features.PITCHES)
    theirs = features.BINS_PER_SEMITONE * apart[:, None] + PARTIALS[:OTHERS]
    meets = np.abs(theirs[:, :, None] - PARTIALS) <= 1
    weight = (meets / np.arange(1, OTHERS + 1)[:, None]).max(axis=1)
    weight[features.PITCHES - 1] = 0  # the note itself
    mine = pitch - features.LOWEST_PITCH
    result = np.zeros((len(pitch), len(PARTIALS)), np.float32)
    for index in range(len(pitch)):
        low = features.PITCHES - 1 - mine[index]
        result[index] = (others[index][:, None] * weight[low : low + features.PITCHES]).max(axis=0)
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

    session: an onnxruntime.InferenceSession of the branch
    """

    session: Any
    odds: Odds
    points: list[Array] = field(default_factory=list)
    pitches: list[int] = field(default_factory=list)
    falls: list[float] = field(default_factory=list)  # how fast each note dies away, dB a second

    def __post_init__(self) -> None:
        self.sound = _Latest(np.zeros((0, features.CHANNELS, features.BINS), np.uint8))
        self.roll = _Latest(np.zeros((0, features.PITCHES), dtype=bool))

    def see(self, sound: Array) -> None:
        """sound: (frames, channels, bins), 0 to 1, the next frames"""
        self.sound.push(features.stored(sound))

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
            (points,) = self.session.run(None, dict(zip(Views._fields, seen, strict=True)))
            self.points.append(points)
            self.pitches += pitch.tolist()
            self.falls += _falls(seen).tolist()

    def parts(self, instruments: int | None = None) -> Indices:
        """(notes,): the part of each note that was added; 0 has the most notes.

        instruments: how many there are, if that is known
        """
        if not self.pitches:
            return np.zeros(0, np.int64)
        return parts(np.concatenate(self.points), np.array(self.pitches), self.odds, instruments)

    def named(self, part: Indices) -> tuple[Part, ...]:
        """A name for each part, and a program of General MIDI that plays it back as something of its kind."""
        pitch, falls = np.array(self.pitches), np.array(self.falls)
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


def parts(points: Array, pitch: Indices, odds: Odds, instruments: int | None = None) -> Indices:
    """Notes put together by timbre.

    points: (notes, dimensions), of length 1; pitch: (notes,), MIDI
    instruments: how many there are; None: as many as the odds say, 6 at most
    returns: (notes,), 0 to instruments - 1, the part with the most notes first
    """
    count = len(pitch)
    some = np.unique(np.linspace(0, count - 1, min(count, PAIRED)).astype(np.int64))
    among = _odds(points[some], pitch[some], points[some], pitch[some], odds)
    labels = _linked(among, odds.least, instruments)
    for _ in range(2):
        labels = _nearest(among, labels)
    if len(some) < count:
        labels = np.concatenate(
            [
                _best(
                    _odds(points[low : low + PAIRED], pitch[low : low + PAIRED], points[some], pitch[some], odds),
                    labels,
                )
                for low in range(0, count, PAIRED)
            ]
        )
    order = np.argsort(-np.bincount(labels), kind="stable")
    return np.asarray(np.argsort(order, kind="stable")[labels], dtype=np.int64)


def _odds(points: Array, pitch: Indices, others: Array, other_pitch: Indices, odds: Odds) -> Array:
    octaves = np.abs(pitch[:, None] - other_pitch).astype(np.float32) / 12
    return np.asarray(odds.slope * (points @ others.T) + odds.bias + odds.apart * octaves, dtype=np.float32)


def _linked(among: Array, least: float, instruments: int | None) -> Indices:
    """Average linkage of (notes, notes) odds, cut where joining gains nothing, or at a number of instruments."""
    from scipy.cluster import hierarchy
    from scipy.spatial import distance

    count = len(among)
    if count < 2 or instruments == 1:
        return np.zeros(count, np.int64)
    ceiling = float(among.max())
    tree = hierarchy.linkage(distance.squareform(ceiling - (among + among.T) / 2, checks=False), "average")
    if instruments is not None:
        return _large(among, tree, instruments, least)
    labels = hierarchy.fcluster(tree, ceiling, "distance") - 1
    wanted = int((np.bincount(labels) >= max(least * count, 2)).sum())
    return _large(among, tree, int(np.clip(wanted, 1, MOST)), least)


def _large(among: Array, tree: NDArray[np.float64], wanted: int, least: float) -> Indices:
    """The first cut of the tree with as many parts that are large enough; the notes of smaller ones go to these."""
    from scipy.cluster import hierarchy

    count = len(among)
    labels = np.zeros(count, np.int64)
    for number in range(wanted, min(count, 12 * wanted) + 1):
        labels = hierarchy.fcluster(tree, number, "maxclust") - 1
        sizes = np.bincount(labels)
        if (sizes >= max(least * count, 2)).sum() >= wanted:
            break
    sizes = np.bincount(labels)
    kept = np.sort(np.argsort(-sizes, kind="stable")[:wanted])
    members = [among[:, labels == each].mean(axis=1) for each in kept]
    inside = np.isin(labels, kept)
    return np.where(inside, np.searchsorted(kept, labels), np.argmax(members, axis=0)).astype(np.int64)


def _nearest(among: Array, labels: Indices) -> Indices:
    """Each note with those that it fits best with, itself not counted; no part is left empty."""
    own = among.copy()
    np.fill_diagonal(own, 0)
    found = _best(own, labels)
    return found if len(np.unique(found)) == len(np.unique(labels)) else labels


def _best(among: Array, labels: Indices) -> Indices:
    """(notes, others) odds, (others,) labels -> (notes,): the label whose members a note fits best on average."""
    members = [among[:, labels == each].mean(axis=1) for each in range(int(labels.max()) + 1)]
    return np.asarray(np.argmax(members, axis=0), dtype=np.int64)
