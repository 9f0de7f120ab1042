"""Mixtures whose stems are known: what `separate` learns from.

Some voices of a work, or of several, each played by another instrument; in two thirds of the mixtures the voices change
hands now and then, and in half they are brought into one register, so that neither height nor line tells whose a note
is. In some, notes of a chord begin at once, to the sample: what is hardest to take apart. One to five instruments; of
one it is learnt that there is nothing to take apart. Everything that follows is linear, a room and a microphone for
all, so stems still add up to the mixture; noise and drums are one more, the rest.

A mixture is drawn from (seed, set, shard, number) alone. Shards are `<set>-000.npz`, notes and names, with the features
of the mixtures beside it, as `transcribe` sees them, `<set>-000.npy`, and stems as 16-bit samples at 22,050 Hz,
`<set>-000.stems.npy`; `manifest.json` says from what.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit import features, tuning
from clefkit.notes import Notes, make, take
from clefkit.train import arrange, corpus, data, heard, players, recording, shards
from clefkit.train.data import Sources

Array = NDArray[np.float32]

LENGTH_S = 14.0
PER_SHARD = 32
INSTRUMENTS = (0.14, 0.32, 0.3, 0.18, 0.06)  # how often one to five play
SHARES = (0.34, 0.34, 0.15, 0.17)  # more of those that are never the same twice than `notes` has
CHANGE_HANDS = 0.65
ONE_REGISTER = 0.5
QUARTETS = 0.35  # of the works, beside those that `data.piece` draws: voices that move together
IN_TIME = 0.35  # of the mixtures, to the sample
IN_A_ROOM = 0.55
NOISY = 0.5
DRUMS = 0.08
LONGEST_TRIES = 8
PEAK = 0.7
SET_NUMBER = {"train": 0, "validation": 1}


class Mixture(NamedTuple):
    """stems: (instruments + 1, samples), float32, 22,050 Hz, the last one the rest; they add up to the mixture

    notes: those that can be heard, part is the stem; names: of the instruments
    """

    stems: Array
    notes: Notes
    names: list[str]


def build(sources: Sources, out: Path, counts: dict[str, int], seed: int, jobs: int = 1) -> Iterator[str]:
    """Build what is missing of a set.

    counts: shards of each set; yields: a line for people after each shard
    raises: UsageError when `out` holds a set made from something else
    """
    out.mkdir(parents=True, exist_ok=True)
    if sources.data is not None:
        corpus.read(sources.data, out / "corpus.npz")
    data.write_manifest(sources, out, counts, seed, LENGTH_S, PER_SHARD)
    yield from shards.build(partial(build_shard, sources, out, seed=seed), out, counts, jobs)


def build_shard(sources: Sources, out: Path, kept: str, number: int, seed: int) -> str:
    """Build one shard, when the corpus has been read. Returns its name."""
    name = f"{kept}-{number:03d}"
    drawn = (
        draw(sources, out, kept, np.random.default_rng([seed, 7, SET_NUMBER[kept], number, each]))
        for each in range(PER_SHARD)
    )
    write(out / name, drawn)
    return name


def write(path: Path, mixtures: Iterator[Mixture]) -> None:
    """Keep mixtures as a shard, `path` without its ending."""
    stems, tables, names, sounds = [], [], [], []
    for each in mixtures:
        stems.append(np.rint(each.stems * 32767).astype(np.int16))
        columns = [getattr(each.notes, name) for name in data.COLUMNS]
        tables.append(np.stack(columns, axis=1).astype(np.float32))
        names.append(json.dumps(each.names))
        seen = features.stored(features.compute(each.stems.sum(axis=0)))
        sounds.append(features.stored(tuning.tuned(features.restored(seen))))
    np.save(path.with_suffix(".npy"), np.stack(sounds))
    np.save(path.with_suffix(".stems.npy"), np.concatenate(stems))
    temporary = path.with_name(path.name + ".part.npz")
    np.savez(
        temporary, first=np.cumsum([0, *(len(each) for each in stems)]),
        notes=np.concatenate(tables), bound=np.cumsum([0, *(len(each) for each in tables)]), names=np.array(names),
    )  # fmt: skip
    temporary.replace(path.with_suffix(".npz"))


class Shard(NamedTuple):
    """sound: (mixtures, frames, channels, bins), uint8; stems, notes (columns as `data.COLUMNS`), names: by mixture"""

    sound: NDArray[np.uint8]
    stems: list[NDArray[np.int16]]
    notes: list[Array]
    names: list[list[str]]


def load(path: Path) -> Shard:
    """A shard by its `.npz`; features and stems stay on disk until they are looked at."""
    stems = np.load(path.with_suffix(".stems.npy"), mmap_mode="r")
    with np.load(path) as file:
        notes = file["notes"]
        return Shard(
            np.load(path.with_suffix(".npy"), mmap_mode="r"),
            [stems[start:end] for start, end in pairwise(file["first"])],
            [notes[start:end] for start, end in pairwise(file["bound"])],
            [json.loads(str(line)) for line in file["names"]],
        )


def draw(sources: Sources, out: Path, kept: str, generator: Generator) -> Mixture:
    """One mixture of a set."""
    works = data.works(out / "corpus.npz", kept) if sources.data else {}
    hall = data.hall(sources, kept)._replace(shares=SHARES)
    wanted = int(generator.choice(len(INSTRUMENTS), p=INSTRUMENTS)) + 1
    length = int(LENGTH_S * features.RATE)
    while True:
        voices = voiced(lambda: _work(works, generator), wanted, generator)
        handed = change_hands(voices, generator) if generator.random() < CHANGE_HANDS else voices
        tuning_of_all = float(generator.uniform(-0.5, 0.5) if generator.random() < 0.3 else generator.normal(0, 0.08))
        in_time = bool(generator.random() < IN_TIME)
        played = _played(handed, hall, length, tuning_of_all, generator, in_time=in_time)
        if len(played) == wanted:
            return _recorded(played, hall, length, generator)


def _work(works: dict[str, list[Notes]], generator: Generator) -> Notes:
    quartets = works.get("string-quartets", [])
    if quartets and generator.random() < QUARTETS:
        return quartets[int(generator.integers(len(quartets)))]
    return data.piece(works, generator)


def voiced(piece: Callable[[], Notes], wanted: int, generator: Generator) -> list[Notes]:
    """That many voices, from 0 s on: of one work if it has as many, else some are of others."""
    voices: list[Notes] = []
    for _ in range(LONGEST_TRIES * wanted):
        tempo = float(np.clip(np.exp(generator.normal(0, 0.22)), 0.6, 1.7))
        some = arrange.stretch(arrange.melodic(piece()), LENGTH_S - 0.5, tempo, generator)
        found = arrange.voices_of(some, wanted - len(voices), generator) if len(some) else []
        moved = int(generator.integers(-6, 7))
        voices += [replace(each, pitch=each.pitch + moved) for each in found if len(each) >= 6]
        if len(voices) >= wanted:
            break
    if generator.random() < ONE_REGISTER and len(voices) > 1:
        middle = float(np.median([np.median(voice.pitch) for voice in voices]))
        voices = [
            replace(voice, pitch=voice.pitch - 12 * np.round((np.median(voice.pitch) - middle) / 12))
            for voice in voices
        ]
    return voices[:wanted]


def change_hands(voices: Sequence[Notes], generator: Generator) -> list[Notes]:
    """The same voices, but who plays which changes one to three times: (players) notes."""
    borders = np.sort(generator.uniform(0.15, 0.85, int(generator.integers(1, 4)))) * LENGTH_S
    if generator.random() < 0.4:
        borders = np.array([LENGTH_S / 2])
    hands = np.arange(len(voices))
    shares: list[list[Notes]] = [[] for _ in voices]
    for low, high in pairwise([-1.0, *borders.tolist(), LENGTH_S]):
        for player, voice in enumerate(hands.tolist()):
            mine = voices[voice]
            shares[player].append(take(mine, (mine.onset >= low) & (mine.onset < high)))
        hands = generator.permutation(len(voices))
    return [joined(parts) for parts in shares]


def joined(parts: Sequence[Notes]) -> Notes:
    """The notes of all as one part."""
    onset, offset, pitch, velocity = (
        np.concatenate([getattr(each, name) for each in parts]) for name in data.COLUMNS[:4]
    )
    return make(onset, offset, pitch, velocity)


def _played(
    voices: Sequence[Notes],
    hall: players.Hall,
    length: int,
    tuning_of_all: float,
    generator: Generator,
    *,
    in_time: bool,
) -> list[players.Played]:
    played: list[players.Played] = []
    for voice in voices:
        if len(voice) < 3:
            return []
        program, shift = arrange.instrument_for(voice.pitch, generator)
        notes = arrange.perform(replace(voice, pitch=voice.pitch + shift), program, generator, in_time=in_time)
        controls = arrange.manner(notes, program, tuning_of_all, LENGTH_S, generator)
        part = arrange.Voice(notes, program, controls)
        take_of_it = players.play(part, hall, length, tuning_of_all, generator)
        if take_of_it is not None and take_of_it.timbre not in [each.timbre for each in played]:
            played.append(take_of_it)
    return played


def _recorded(played: Sequence[players.Played], hall: players.Hall, length: int, generator: Generator) -> Mixture:
    """Levels, a room, a microphone, and what is not a note."""
    sounds = [data.balanced(each.sound, generator) for each in played]
    rest = np.zeros(length, np.float32)
    if generator.random() < DRUMS:
        pattern = arrange.drum_pattern(LENGTH_S, 1.0, generator)
        kit = players.play(arrange.Voice(pattern, 0, (), drums=True), hall, length, 0.0, generator)
        if kit is not None:
            rest += data.balanced(kit.sound, generator) * np.float32(10 ** (generator.uniform(-12, 0) / 20))
    stems = np.stack([*sounds, rest])
    padded = 1 << int(np.ceil(np.log2(length + features.RATE)))
    response = np.ones(padded // 2 + 1, np.complex128)
    if generator.random() < IN_A_ROOM:
        response = response * np.fft.rfft(recording.room(features.RATE, generator, generator.random() < 0.15), padded)
    if generator.random() < 0.5:
        response = response * recording.microphone(padded, features.RATE, generator)
    stems = np.fft.irfft(np.fft.rfft(stems, padded) * response, padded)[:, :length].astype(np.float32)
    if generator.random() < NOISY:
        loudness = float(np.sqrt(np.mean(np.square(stems.sum(axis=0)))))
        gain = loudness * 10 ** (-generator.uniform(15, 60) / 20)
        stems[-1] += recording.noise(length, features.RATE, generator) * np.float32(gain)
    notes = _heard(played, sounds)
    scale = PEAK / max(float(np.abs(stems.sum(axis=0)).max()), float(np.abs(stems).max()), 1e-6)
    return Mixture(stems * np.float32(scale), notes, [each.timbre for each in played])


def _heard(played: Sequence[players.Played], sounds: Sequence[Array]) -> Notes:
    alone = [features.resolved(sound) for sound in sounds]
    whole = alone[0] if len(alone) == 1 else features.resolved(np.sum(sounds, axis=0))
    columns = []
    for part, (each, energies) in enumerate(zip(played, alone, strict=True)):
        notes = heard.audible(each.notes, energies, whole, float(whole.max()))
        columns.append(np.stack([notes.onset, notes.offset, notes.pitch, notes.velocity, np.full(len(notes), part)]))
    onset, offset, pitch, velocity, part = np.concatenate(columns, axis=1)
    return data.struck_again(make(onset, offset, pitch, velocity, part))
