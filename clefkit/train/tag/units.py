"""The bank that `tag` learns from: stems of four seconds, each by one player, which training mixes anew every time.

A take is six units by one player: a stretch of a score, or single notes and short figures; some through a filter of its
own, some in a room. It is drawn from (seed, set, shard, number) alone, so a shard can be built again, bit for bit, in
any order and by any number of processes, and is skipped when it is there. Beside players there are people who talk, and
noises, which are nobody.

A shard is `<set>-000.npy`, (units, samples), 16 bits, each at a peak of 0.9, and `<set>-000.npz` with the columns of
`Units`; `manifest.json` says from what.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit.errors import UsageError
from clefkit.notes import Notes, make, take
from clefkit.record import sha256
from clefkit.tag import hearing
from clefkit.tag.hearing import CELL, RATE
from clefkit.tag.vocabulary import FAMILIES, FAMILY_OF, LEAVES
from clefkit.train import arrange, corpus, gather, recording, sampler, shards
from clefkit.train.tag import players
from clefkit.train.tag.players import Hall, Role

Array = NDArray[np.float32]

CELLS = 40
SAMPLES = CELLS * CELL
TAKE = 6  # units
PER_SHARD = 100  # takes
PEAK = 0.9
ONES_OWN = 0.45  # of the takes are single notes and figures
SPOKEN, NOISY = 0.02, 0.03  # of the takes
FILTERED = 0.6
IN_ROOM = 0.25
SOFTEST_DB = -45.0  # of the loudest unit of a take: what is softer is silence
SET_NUMBER = {"train": 0, "validation": 1}
FAMILY_NAMES = tuple(FAMILIES)
UNSURE, OFF, ON = -1, 0, 1
SEVERAL = -3  # the leaf of a recording of which nothing is known but some names
SINGLE_SPEAKER = "voice"


class Units(NamedTuple):
    """Stems.

    sound: (units, SAMPLES), int16, on disk; names: (units, LEAVES + FAMILIES), int8: ON, OFF or UNSURE
    leaf: (units,), int16, index of the leaf, -1 for others, SEVERAL for a mixture; by: (units,), whom
    powers: (units, CELLS), float32, K-weighted, of the sound as it is kept, from -1 to 1
    """

    sound: NDArray[np.int16]
    names: NDArray[np.int8]
    leaf: NDArray[np.int16]
    by: NDArray[np.str_]
    powers: Array


class Sources(NamedTuple):
    """Where the bank comes from.

    data: folder with `openscore/`, `pop909/`, `kern/` and `real/`; fonts: soundfonts
    folders: of more real notes and drums (`python -m clefkit.train.gather`)
    """

    data: Path
    fonts: tuple[Path, ...]
    folders: tuple[Path, ...] = ()


class Take(NamedTuple):
    """sound: (samples,), whole units; names: (LEAVES + FAMILIES,); leaf: -1 for others"""

    sound: Array
    names: NDArray[np.int8]
    leaf: int
    by: str


def build(sources: Sources, out: Path, counts: dict[str, int], seed: int, jobs: int = 1) -> Iterator[str]:
    """Build what is missing of a bank.

    counts: how many shards of each set, {"validation": 2, "train": 40}; jobs: processes
    yields: a line for people after each shard
    raises: UsageError when `out` holds a bank made from something else
    """
    out.mkdir(parents=True, exist_ok=True)
    corpus.read(sources.data, out / "corpus.npz")
    _write_manifest(sources, out, seed)
    yield from shards.build(partial(build_shard, sources, out, seed=seed), out, counts, jobs)


def build_shard(sources: Sources, out: Path, kept: str, number: int, seed: int) -> str:
    """Build one shard, when the corpus has been read. Returns its name."""
    name = f"{kept}-{number:03d}"
    takes = (_take(sources, out, kept, [seed, SET_NUMBER[kept], number, each]) for each in range(PER_SHARD))
    write_shard(out / f"{name}.npy", (take for take in takes if take is not None))
    return name


def write_shard(path: Path, takes: Iterable[Take]) -> None:
    """Write the units of takes as `load` reads them; the columns last."""
    rows = [row for take in takes for row in _units(take)]
    sounds, names, leaves, by, powers = zip(*rows, strict=True)
    np.save(path, np.stack(sounds))
    temporary = path.with_name(f".{path.stem}.part.npz")
    columns: dict[str, Any] = {"names": np.stack(names), "leaf": np.array(leaves, np.int16), "by": np.array(by)}
    np.savez(temporary, powers=np.stack(powers), **columns)
    temporary.replace(path.with_suffix(".npz"))


def load(path: Path) -> Units:
    """A shard by its `.npy`; the sound stays on disk until it is looked at."""
    with np.load(path.with_suffix(".npz")) as file:
        columns = {name: file[name] for name in ("names", "leaf", "by", "powers")}
    return Units(np.load(path, mmap_mode="r"), **columns)


def labels(leaf: str | None, family: str | None, unknown: tuple[str, ...] = ()) -> NDArray[np.int8]:
    """(LEAVES + FAMILIES,): what is to be heard of one instrument."""
    row = np.full(len(LEAVES) + len(FAMILY_NAMES), OFF, np.int8)
    row[[LEAVES.index(name) for name in unknown]] = UNSURE
    row[[len(LEAVES) + FAMILY_NAMES.index(FAMILY_OF[name]) for name in unknown]] = UNSURE
    if leaf is not None:
        row[LEAVES.index(leaf)] = ON
    own = family or (FAMILY_OF[leaf] if leaf else None)
    if own is not None:
        row[len(LEAVES) + FAMILY_NAMES.index(own)] = ON
    if leaf == "cymbals":  # they are a part of the drums
        row[LEAVES.index("drums")] = ON
    return row


def _write_manifest(sources: Sources, out: Path, seed: int) -> None:
    manifest = {
        "seed": seed,
        "fonts": {font.name: sha256(font) for font in sources.fonts},
        "samples_sha256": [sha256(folder / "index.csv") for folder in sources.folders],
        "corpus_sha256": sha256(out / "corpus.npz"),
    }
    path = out / "manifest.json"
    if path.is_file() and json.loads(path.read_text(encoding="utf-8")) != manifest:
        raise UsageError(f"{out} holds a bank of another seed or other sources: choose another folder")
    recorded = "".join(gather.credits(folder / "index.csv") for folder in sources.folders)
    (out / "credits.md").write_text(recorded, encoding="utf-8")
    path.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _take(sources: Sources, out: Path, kept: str, seed: list[int]) -> Take | None:
    generator = np.random.default_rng(seed)
    chance = generator.random()
    if chance < SPOKEN + NOISY:
        return _nobody(sources, kept, generator, spoken=chance < SPOKEN)
    hall = Hall(sources.fonts, (sources.data / "real", *sources.folders), kept)
    roles = [role for role in players.roles() if _playable(role, hall)]
    weights = np.array([role.often for role in roles])
    role = roles[int(generator.choice(len(roles), p=weights / weights.sum()))]
    notes = _music(role, works_of(out / "corpus.npz", kept), generator)
    if len(notes) == 0:
        return None
    played = players.play(role, notes, TAKE * SAMPLES, hall, generator)
    if played is None:
        return None
    named = labels(role.leaf, role.family, role.unknown)
    leaf = LEAVES.index(role.leaf) if role.leaf else -1
    return Take(_varied(played.sound, generator), named, leaf, played.by)


@lru_cache(maxsize=256)
def _playable(role: Role, hall: Hall) -> bool:
    return players.playable(role, hall)


def _units(take: Take) -> Iterator[tuple[NDArray[np.int16], NDArray[np.int8], int, str, Array]]:
    """The units of a take in which something sounds."""
    pieces = take.sound[: TAKE * SAMPLES].reshape(-1, SAMPLES)
    powers = [hearing.powers(piece) for piece in pieces]
    loudest = max(float(power.max()) for power in powers)
    for piece, power in zip(pieces, powers, strict=True):
        peak = float(np.abs(piece).max())
        if power.max() > loudest * 10 ** (SOFTEST_DB / 10) and peak > 1e-5:
            scale = PEAK / peak
            yield np.rint(piece * scale * 32767).astype(np.int16), take.names, take.leaf, take.by, power * scale**2


def _music(role: Role, works: dict[str, list[Notes]], generator: Generator) -> Notes:
    """What a role plays for the length of a take, in its range."""
    if role.kit:
        length_s = TAKE * SAMPLES / RATE
        notes = _hits(generator) if generator.random() < ONES_OWN else arrange.drum_pattern(length_s, 1.0, generator)
        return players.fitting(role, _on_kit(role, notes, generator))
    return figures(role, generator) if generator.random() < ONES_OWN else stretch(role, works, generator)


def stretch(role: Role, works: dict[str, list[Notes]], generator: Generator) -> Notes:
    """One part of a work for the length of a take, at another tempo, in the role's range."""
    length_s = TAKE * SAMPLES / RATE
    names = list(works)
    of = works[names[int(generator.integers(len(names)))]]
    piece = of[int(generator.integers(len(of)))]
    tempo = float(np.clip(np.exp(generator.normal(0, 0.25)), 0.55, 1.8))
    part = int(generator.choice(np.unique(piece.part)))
    own = take(piece, piece.part == part)
    start = float(generator.uniform(0, max(0.1, own.onset[-1] - length_s * tempo)))
    inside = take(own, (own.onset >= start) & (own.onset < start + length_s * tempo - 0.1))
    onset, offset = (inside.onset - start) / tempo, (inside.offset - start) / tempo
    moved = make(onset, offset, inside.pitch + int(generator.integers(-6, 7)), inside.velocity)
    fitting = players.fitting(role, moved)
    if len(fitting) == 0:
        return figures(role, generator)
    played = arrange.perform(fitting, _program(role), generator)
    return take(played, played.onset < length_s - 0.05)


def _program(role: Role) -> int:
    return role.programs[0] if role.programs else 24


def figures(role: Role, generator: Generator) -> Notes:
    """Single notes, and two to six in a row, one unit after another."""
    onset, offset, pitch, velocity = [], [], [], []
    unit_s = SAMPLES / RATE
    for unit in range(TAKE):
        count = 1 if generator.random() < 0.6 else int(generator.integers(2, 7))
        centre = generator.triangular(role.lowest, (role.lowest + role.highest) / 2, role.highest)
        length = float(np.exp(generator.uniform(np.log(0.15), np.log(3.5)))) / count
        at = unit * unit_s + float(generator.uniform(0, 0.6))
        for _ in range(count):
            own = int(np.clip(centre + (generator.normal(0, 4) if count > 1 else 0), role.lowest, role.highest))
            chord = role.chords and generator.random() < 0.25
            for key in {own, *(own + generator.choice([3, 4, 5, 7, 8, 9, 12], 2).astype(int))} if chord else {own}:
                onset.append(at)
                offset.append(at + length)
                pitch.append(min(int(key), role.highest))
                velocity.append(int(generator.integers(30, 125)))
            at += length * float(generator.uniform(0.95, 1.3))
            if at > (unit + 1) * unit_s - 0.1:
                break
    return make(onset, offset, pitch, velocity)


def _hits(generator: Generator) -> Notes:
    """Single strokes and short rows of them on any keys of a kit."""
    onset, pitch = [], []
    for unit in range(TAKE):
        key = int(generator.choice([36, 38, 40, 41, 45, 48, 42, 46, 49, 51, 57, 37, 39]))
        count = 1 if generator.random() < 0.5 else int(generator.integers(2, 10))
        step = float(generator.uniform(0.1, 0.7))
        starts = unit * SAMPLES / RATE + float(generator.uniform(0, 0.5)) + step * np.arange(count)
        starts = starts[starts < (unit + 1) * SAMPLES / RATE - 0.1]
        onset += starts.tolist()
        pitch += [key] * len(starts)
    return make(onset, np.array(onset) + 0.1, pitch, generator.integers(40, 125, len(onset)))


def _on_kit(role: Role, notes: Notes, generator: Generator) -> Notes:
    """A pattern with its keys changed to those of the role, so that some of it is always heard."""
    own = {"cymbals": (42, 42, 46, 49, 51, 57), "hand": players.HAND_DRUMS, "drums": (36, 38, 40, 41, 45, 47, 50)}
    pitch = notes.pitch.copy()
    for key in np.unique(pitch):
        if role.kit == "hand" or (key in players.CYMBALS) != (role.kit == "cymbals"):
            if role.kit != "hand" and generator.random() < 0.6 and len(np.unique(pitch)) > 2:
                continue
            pitch[notes.pitch == key] = int(generator.choice(own[role.kit]))
    return replace(notes, pitch=pitch)


@lru_cache(maxsize=4)
def works_of(cache: Path, split: str) -> dict[str, list[Notes]]:
    """Works of a split, by collection, drums left out."""
    found: dict[str, list[Notes]] = {}
    for work in corpus.load(cache):
        if work.split == split and len(work.notes) > 40 and not any(part.drums for part in work.notes.parts):
            found.setdefault(work.name.split("/")[0], []).append(work.notes)
    return found


def _nobody(sources: Sources, kept: str, generator: Generator, *, spoken: bool) -> Take | None:
    """Somebody who talks, or noises."""
    sound = np.zeros(TAKE * SAMPLES, np.float32)
    speakers = [each for folder in sources.folders for each in sampler.speakers(folder, kept)]
    if spoken and not speakers:
        return None
    number = int(generator.integers(max(len(speakers), 1)))
    noises = [each for folder in sources.folders for each in _noises(folder)]
    files = speakers[number] if spoken else noises
    at = 0
    speed = 2 ** (generator.uniform(-4, 4) / 12)
    while at < len(sound) and files:
        piece = sampler.recorded(files[int(generator.integers(len(files)))], RATE)[0]
        piece = np.interp(np.arange(int((len(piece) - 1) / speed)) * speed, np.arange(len(piece)), piece)
        piece = piece[: len(sound) - at].astype(np.float32) * np.float32(0.5)
        sound[at : at + len(piece)] += piece
        at += len(piece) + int(generator.uniform(0, 0.2 if spoken else 1.0) * RATE)
    if not spoken and generator.random() < 0.4:
        hiss = generator.standard_normal(len(sound), dtype=np.float32)
        sound = np.asarray(np.float32(0.2) * sound + np.float32(0.1) * hiss, np.float32)
    leaf = SINGLE_SPEAKER if spoken else None
    return Take(sound, labels(leaf, None), LEAVES.index(leaf) if leaf else -1, f"speech {number}" if spoken else "")


@lru_cache(maxsize=4)
def _noises(folder: Path) -> list[Path]:
    """Of breaths, keys, everyday things: not of drums."""
    names = ("everyday_noises", "saxophone_keys", "double_bass_noises", "electric_guitar_noises")
    return [file for each in sampler.instruments(folder, pitched=False) if each.name in names for file in each.files]


def _varied(sound: Array, generator: Generator) -> Array:
    """Through a filter of its own, and in a room, or not."""
    if generator.random() < FILTERED:
        spectrum = np.fft.rfft(sound)
        octaves = np.log2(np.maximum(np.fft.rfftfreq(len(sound), 1 / RATE), 20.0) / 1000)
        gain_db = generator.normal(0, 1.0) * octaves
        for _ in range(3):
            gain_db += generator.normal(0, 4) * np.exp(-(((octaves - generator.uniform(-4, 3)) / 0.6) ** 2))
        sound = np.fft.irfft(spectrum * 10 ** (np.clip(gain_db, -40, 15) / 20), len(sound)).astype(np.float32)
    if generator.random() < IN_ROOM:
        size = 1 << int(np.ceil(np.log2(len(sound) + 3 * RATE)))
        response = np.fft.rfft(recording.room(RATE, generator, hall=False), size)
        sound = np.fft.irfft(np.fft.rfft(sound, size) * response, size)[: len(sound)].astype(np.float32)
    return sound
