"""The training set: recordings made from the corpus, kept as compact features with their notes.

A recording is 45 seconds of one work, or of exercises, arranged, played by a font, real single notes or made-up
instruments, and recorded somewhere. It is drawn from (seed, set, shard, number) alone, so a shard can be built again,
bit for bit, in any order and by any number of processes, and is skipped when it is there. Features are as the network
will see them, moved into tune (`clefkit.tuning`), and rounded to 8 bits (a third of a decibel): 52 kB a second. Shards
are `<set>-000.npy` (frames, channels, bins) with `<set>-000.npz` (the notes) beside it; `manifest.json` says from what.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit import features, tuning
from clefkit.errors import UsageError
from clefkit.notes import Notes, make
from clefkit.record import sha256
from clefkit.train import arrange, corpus, exercises, gather, heard, players, recording, sampler, shards

Array = NDArray[np.float32]

RECORDING_S = 45.0
PER_SHARD = 32
# how often a work of each is played
COLLECTIONS = {"string-quartets": 0.3, "lieder": 0.33, "pop909": 0.22, "chopin": 0.15}
EXERCISES = 0.12
EMPTY = 0.08  # recordings without notes
SPOKEN = 0.6  # of those
NOISY = 0.15  # with noises that are no notes: drums, taps, breaths
SET_NUMBER = {"train": 0, "validation": 1}
CREDITS = "\n## Who recorded the single notes\n\n"
COLUMNS = ("onset", "offset", "pitch", "velocity", "part")


class Shard(NamedTuple):
    """Recordings, one after another.

    sound: (frames, channels, bins), uint8, 0 to 255 for 0 to 1
    first: (recordings + 1,), the first frame of each, and the end
    notes: per recording, (notes, 5): onset s, offset s, pitch, velocity, part
    timbres: per recording, who played each part; none in a recording without music
    """

    sound: NDArray[np.uint8]
    first: NDArray[np.int64]
    notes: list[Array]
    timbres: list[list[str]]


class Sources(NamedTuple):
    """Where the set comes from.

    data: folder with `openscore/`, `pop909/`, `kern/` and `real/`; None: exercises alone, on fonts and made-up sounds
    fonts: soundfonts to play with
    samples: a folder of more real notes (`python -m clefkit.train.gather`), or None
    """

    data: Path | None
    fonts: tuple[Path, ...]
    samples: Path | None = None


def build(sources: Sources, out: Path, counts: dict[str, int], seed: int, jobs: int = 1) -> Iterator[str]:
    """Build what is missing of a training set.

    out: where the shards go; also the notes of the corpus
    counts: how many shards of each set, {"validation": 2, "train": 80}
    jobs: processes
    yields: a line for people after each shard
    raises: UsageError when `out` holds a set made from something else
    """
    out.mkdir(parents=True, exist_ok=True)
    if sources.data is not None:
        corpus.read(sources.data, out / "corpus.npz")
    write_manifest(sources, out, counts, seed, RECORDING_S, PER_SHARD)
    yield from shards.build(partial(build_shard, sources, out, seed=seed), out, counts, jobs)


def build_shard(sources: Sources, out: Path, kept: str, number: int, seed: int) -> str:
    """Build one shard, when the corpus has been read. Returns its name."""
    name = f"{kept}-{number:03d}"
    recordings = (_recording(sources, out, kept, [seed, SET_NUMBER[kept], number, each]) for each in range(PER_SHARD))
    _write_shard(out / name, recordings)
    return name


def load(path: Path) -> Shard:
    """A shard by its `.npy`; the features stay on disk until they are looked at."""
    with np.load(path.with_suffix(".npz")) as file:
        bounds = file["bound"]
        notes = [file["notes"][start:end] for start, end in pairwise(bounds)]
        timbres = [json.loads(str(line)) for line in file["timbres"]]
        return Shard(np.load(path, mmap_mode="r"), file["first"], notes, timbres)


def write_manifest(
    sources: Sources, out: Path, counts: dict[str, int], seed: int, length_s: float, together: int
) -> None:
    """Say what a set is made of, and who recorded it.

    counts: shards of each set; length_s: of a recording; together: recordings in a shard
    raises: UsageError when `out` holds a set made from something else
    """
    manifest = {
        "seed": seed,
        "shards": counts,
        "recording_s": length_s,
        "recordings_a_shard": together,
        "fonts": {font.name: sha256(font) for font in sources.fonts},
        "samples_sha256": sha256(sources.samples / "index.csv") if sources.samples else None,
        "corpus_sha256": sha256(out / "corpus.npz") if sources.data else None,
    }
    kept = json.loads((out / "manifest.json").read_text(encoding="utf-8")) if (out / "manifest.json").is_file() else {}
    if kept and {**kept, "shards": counts} != manifest:
        raise UsageError(f"{out} holds a training set of another seed or other sources: choose another folder")
    recorded = gather.credits(sources.samples / "index.csv") if sources.samples else ""
    if recorded:
        (out / "credits.md").write_text(CREDITS + recorded, encoding="utf-8")
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _write_shard(path: Path, recordings: Iterator[tuple[Array, Notes, list[str]]]) -> None:
    sounds, tables, timbres = [], [], []
    for sound, notes, played in recordings:
        seen = features.stored(features.compute(sound))  # first: so a move by whole bins changes no number
        sounds.append(features.stored(tuning.tuned(features.restored(seen))))
        tables.append(np.stack([getattr(notes, name) for name in COLUMNS], axis=1).astype(np.float32))
        timbres.append(json.dumps(played))
    np.save(path.with_suffix(".npy"), np.concatenate(sounds))
    first = np.cumsum([0, *(len(sound) for sound in sounds)])
    bound = np.cumsum([0, *(len(table) for table in tables)])
    temporary = path.with_name(path.name + ".part.npz")
    np.savez(temporary, first=first, bound=bound, notes=np.concatenate(tables), timbres=np.array(timbres))
    temporary.replace(path.with_suffix(".npz"))


def _recording(sources: Sources, out: Path, kept: str, seed: list[int]) -> tuple[Array, Notes, list[str]]:
    """One recording: its sound, what can be heard of its notes, and who played each part."""
    generator = np.random.default_rng(seed)
    timbres: list[str] = []
    if generator.random() < EMPTY:
        dry, notes = _nothing(generator), make([], [], [])
        said = _speech(sources, kept, generator) if generator.random() < SPOKEN else None
    else:
        known = works(out / "corpus.npz", kept) if sources.data else {}
        chosen = arrange.arrange(piece(known, generator), RECORDING_S - 2, generator)
        dry, notes, timbres = _played(chosen, hall(sources, kept), generator)
        said = _speech(sources, kept, generator) if generator.random() < 0.03 else None
    if sources.samples is not None and generator.random() < (NOISY if timbres else 0.6):
        dry = _noisy(dry, sources.samples, generator)
    sound, notes = recording.somewhere(dry, notes, features.RATE, generator, said)
    length = int(RECORDING_S * features.RATE)
    return np.pad(sound, (0, max(0, length - len(sound))))[:length], notes, timbres


def piece(works: dict[str, list[Notes]], generator: Generator) -> Notes:
    if generator.random() < EXERCISES or not works:
        return exercises.draw(RECORDING_S - 2, generator)
    collection = works[str(generator.choice(list(COLLECTIONS), p=list(COLLECTIONS.values())))]
    return collection[int(generator.integers(len(collection)))]


def _played(chosen: arrange.Chosen, hall: players.Hall, generator: Generator) -> tuple[Array, Notes, list[str]]:
    """(samples,) at the rate of the features; the notes that can be heard; the timbres of their parts."""
    length = int(RECORDING_S * features.RATE)
    takes = [players.play(voice, hall, length, chosen.tuning, generator) for voice in chosen.voices]
    played = [(voice, take) for voice, take in zip(chosen.voices, takes, strict=True) if take is not None]
    sounds = [balanced(take.sound, generator) for _, take in played]
    mix = np.asarray(np.sum([np.zeros(length, np.float32), *sounds], axis=0, dtype=np.float32))
    alone = [features.resolved(sound) for sound in sounds]
    whole = alone[0] if len(alone) == 1 else features.resolved(mix)
    columns: list[Array] = []
    timbres: list[str] = []
    for energies, (voice, take) in zip(alone, played, strict=True):
        if not voice.drums:
            notes = heard.audible(take.notes, energies, whole, float(whole.max()))
            part = np.full(len(notes), len(timbres))
            columns.append(np.stack([notes.onset, notes.offset, notes.pitch, notes.velocity, part]))
            timbres.append(take.timbre)
    onset, offset, pitch, velocity, parts = np.concatenate(columns, axis=1) if columns else np.zeros((5, 0))
    return mix, struck_again(make(onset, offset, pitch, velocity, parts)), timbres


def struck_again(notes: Notes) -> Notes:
    """A note ends where the next of its part and pitch begins."""
    offset = notes.offset.copy()
    order = np.lexsort((notes.onset, notes.pitch, notes.part))
    same = (np.diff(notes.pitch[order]) == 0) & (np.diff(notes.part[order]) == 0)
    before, after = order[:-1][same], order[1:][same]
    offset[before] = np.maximum(np.minimum(offset[before], notes.onset[after]), notes.onset[before] + 0.02)
    return replace(notes, offset=offset)


def balanced(sound: Array, generator: Generator) -> Array:
    """Parts are about as loud as each other, give or take."""
    loudness = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) + 1e-9
    wanted = 0.05 * 10 ** (generator.normal(0, 4) / 20)
    own = float(np.clip(wanted / loudness, 0.1, 10))
    return sound * np.float32(own)


@lru_cache(maxsize=4)
def works(cache: Path, split: str) -> dict[str, list[Notes]]:
    """Works of a split long enough to take a stretch of, by collection."""
    chosen = [work for work in corpus.load(cache) if work.split == split]
    long = [work for work in chosen if len(work.notes) > 40 and not all(part.drums for part in work.notes.parts)]
    return {name: [work.notes for work in long if work.name.startswith(f"{name}/")] for name in COLLECTIONS}


@lru_cache(maxsize=4)
def hall(sources: Sources, split: str) -> players.Hall:
    folders = [folder for folder in (sources.data and sources.data / "real", sources.samples) if folder]
    samples = [each for folder in folders for each in sampler.instruments(folder)]
    return players.Hall(sources.fonts, tuple(each for each in samples if each.split == split), split)


def _nothing(generator: Generator) -> Array:
    """No music: silence, or slowly changing noise."""
    length = int(RECORDING_S * features.RATE)
    if generator.random() < 0.4:
        return np.zeros(length, np.float32)
    swell = np.interp(np.arange(length), np.linspace(0, length, 12), generator.uniform(0, 1, 12))
    return (generator.standard_normal(length, dtype=np.float32) * swell * 0.1).astype(np.float32)


def _noisy(sound: Array, samples: Path, generator: Generator) -> Array:
    """With a few noises, each now and then."""
    files = _noises(samples)
    if not files:
        return sound
    result = sound.copy()
    loudness = max(float(np.sqrt(np.mean(sound**2))), 0.02)
    for _ in range(int(generator.integers(1, 5))):
        noise = _noise(files[int(generator.integers(len(files)))])
        peak = loudness * 10 ** (generator.uniform(-6, 14) / 20)
        for start in generator.integers(0, len(sound), int(generator.integers(1, 30))):
            piece = noise[: len(sound) - start] * np.float32(peak * generator.uniform(0.3, 1))
            result[start : start + len(piece)] += piece
    return result


@lru_cache(maxsize=2)
def _noises(samples: Path) -> list[Path]:
    return sampler.noises(samples)


@lru_cache(maxsize=2500)
def _noise(path: Path) -> Array:
    """Mono, at the rate of the features, peak 1."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = soxr.resample(samples.mean(axis=1), rate, features.RATE)
    return np.asarray(mono / max(float(np.abs(mono).max()), 1e-6), dtype=np.float32)


def _speech(sources: Sources, split: str, generator: Generator) -> Array | None:
    """One person who talks for some seconds, in their own voice or in a higher or lower one."""
    everybody = _speakers(sources.samples, split) if sources.samples else []
    if not everybody:
        return None
    words = everybody[int(generator.integers(len(everybody)))]
    speed = 2 ** (generator.uniform(-5, 7) / 12)
    left = int(generator.uniform(6, RECORDING_S) * features.RATE)
    said: list[Array] = []
    while left > 0:
        word = _noise(words[int(generator.integers(len(words)))])
        places = np.arange(int(len(word) / speed)) * speed
        rest_s = generator.uniform(0, 0.12) if generator.random() < 0.8 else generator.uniform(0.2, 1.5)
        spoken = np.interp(places, np.arange(len(word)), word).astype(np.float32)
        said.append(np.pad(spoken, (0, int(rest_s * features.RATE))))
        left -= len(said[-1])
    return np.concatenate(said)


@lru_cache(maxsize=4)
def _speakers(samples: Path, split: str) -> list[list[Path]]:
    return sampler.speakers(samples, split)
