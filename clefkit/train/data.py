"""The training set: recordings made from the corpus, kept as compact features with their notes.

A recording is 45 seconds of one work, arranged, played on soundfonts, made-up instruments or real single notes, and
recorded somewhere. It is drawn from (seed, set, shard, number) alone, so a shard can be built again, bit for bit, in
any order, and is skipped when it is there. Features are rounded to 8 bits (a third of a decibel): 23 kB a second.
Shards are `<set>-000.npy` (frames, channels, bins) with `<set>-000.npz` (the notes) beside it; `manifest.json` says
from what.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit import features
from clefkit.notes import Notes, Performance, make, take
from clefkit.record import sha256
from clefkit.render import synth
from clefkit.train import arrange, corpus, recording, timbres

Array = NDArray[np.float32]

RECORDING_S = 45.0
PER_SHARD = 32
OWN_GAIN = 0.25  # brings instruments of `timbres` to the level of a soundfont
COLLECTIONS = {"string-quartets": 0.3, "lieder": 0.4, "pop909": 0.3}  # how often a work of each is played
SET_NUMBER = {"train": 0, "validation": 1, "halls": 2}  # "halls" are train works too, in large rooms
COLUMNS = ("onset", "offset", "pitch", "velocity")


class Shard(NamedTuple):
    """Recordings, one after another.

    sound: (frames, channels, bins), uint8, 0 to 255 for 0 to 1
    first: (recordings + 1,), the first frame of each, and the end
    notes: per recording, (notes, 4): onset s, offset s, pitch, velocity
    kind: per recording, what played: "font", "held back", "made up", "real", "silence"
    """

    sound: NDArray[np.uint8]
    first: NDArray[np.int64]
    notes: list[Array]
    kind: list[str]


def build(data: Path, out: Path, fonts: Sequence[Path], shards: dict[str, int], seed: int) -> Iterator[str]:
    """Build what is missing of a training set.

    data: folder with `openscore/`, `pop909/` and `real/`
    out: where the shards go; also the notes of the corpus
    fonts: soundfonts to play with
    shards: how many of each set, {"validation": 2, "train": 28, "halls": 12}
    yields: a line for people after each shard
    """
    out.mkdir(parents=True, exist_ok=True)
    works = corpus.read(data, out / "corpus.npz")
    _write_manifest(out, fonts, shards, seed, len(works))
    for kept, count in shards.items():
        split = "validation" if kept == "validation" else "train"
        chosen = {name: _of_collection(works, split, name) for name in COLLECTIONS}
        for number in range(count):
            name = f"{kept}-{number:03d}"
            if not (out / f"{name}.npz").is_file():
                _write_shard(out / name, _recordings(chosen, data, fonts, [seed, SET_NUMBER[kept], number]))
                yield f"{name}: built from {sum(map(len, chosen.values()))} works"


def load(path: Path) -> Shard:
    """A shard by its `.npy`; the features stay on disk until they are looked at."""
    with np.load(path.with_suffix(".npz")) as file:
        bounds = file["bound"]
        notes = [file["notes"][start:end] for start, end in pairwise(bounds)]
        return Shard(np.load(path, mmap_mode="r"), file["first"], notes, [str(kind) for kind in file["kind"]])


def _write_manifest(out: Path, fonts: Sequence[Path], shards: dict[str, int], seed: int, works: int) -> None:
    manifest = {
        "seed": seed,
        "shards": shards,
        "recording_s": RECORDING_S,
        "recordings_a_shard": PER_SHARD,
        "works": works,
        "fonts": {font.name: sha256(font) for font in fonts},
        "corpus_sha256": sha256(out / "corpus.npz"),
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _write_shard(path: Path, recordings: Iterator[tuple[Array, Notes, str]]) -> None:
    sounds, tables, kinds = [], [], []
    for sound, notes, kind in recordings:
        sounds.append(np.rint(features.compute(sound) * 255).astype(np.uint8))
        tables.append(np.stack([getattr(notes, name) for name in COLUMNS], axis=1).astype(np.float32))
        kinds.append(kind)
    np.save(path.with_suffix(".npy"), np.concatenate(sounds))
    first = np.cumsum([0, *(len(sound) for sound in sounds)])
    bound = np.cumsum([0, *(len(table) for table in tables)])
    temporary = path.with_name(path.name + ".part.npz")
    np.savez(temporary, first=first, bound=bound, notes=np.concatenate(tables), kind=np.array(kinds))
    temporary.replace(path.with_suffix(".npz"))


def _recordings(
    works: dict[str, list[Notes]], data: Path, fonts: Sequence[Path], seed: list[int]
) -> Iterator[tuple[Array, Notes, str]]:
    speech = _speech(data)
    for number in range(PER_SHARD):
        generator = np.random.default_rng([*seed, number])
        validation = seed[1] == SET_NUMBER["validation"]
        kind = _kind(number, validation, generator)
        if kind == "silence":
            dry, notes = _nothing(generator), make([], [], [])
            said = speech if generator.random() < 0.5 else None
        else:
            piece = _piece(works, generator)
            chosen = arrange.arrange(piece, RECORDING_S - 2, generator, held_back=kind == "held back")
            dry, notes = _sound(chosen, kind, data, fonts, validation, generator)
            said = speech if generator.random() < 0.02 else None
        hall = seed[1] == SET_NUMBER["halls"]
        yield recording.record(dry, features.RATE, generator, said, hall), notes, kind


def _kind(number: int, validation: bool, generator: Generator) -> str:
    """What plays: drawn for training, in turn for validation."""
    if validation:
        return ("held back", "real", "made up", "held back", "font")[number % 5] if number < 30 else "silence"
    return str(generator.choice(["font", "made up", "real", "silence"], p=[0.72, 0.15, 0.1, 0.03]))


def _of_collection(works: list[corpus.Work], split: str, collection: str) -> list[Notes]:
    """Works long enough to take a stretch of."""
    mine = [work.notes for work in works if work.split == split and work.name.startswith(f"{collection}/")]
    return [notes for notes in mine if len(notes) > 40 and not all(part.drums for part in notes.parts)]


def _piece(works: dict[str, list[Notes]], generator: Generator) -> Notes:
    collection = works[str(generator.choice(list(COLLECTIONS), p=list(COLLECTIONS.values())))]
    return collection[int(generator.integers(len(collection)))]


def _sound(
    chosen: arrange.Chosen, kind: str, data: Path, fonts: Sequence[Path], validation: bool, generator: Generator
) -> tuple[Array, Notes]:
    """(samples,) at the rate of the features, and the notes that sounded. Parts that are not on the kind's own
    instruments are on a soundfont."""
    length = int(RECORDING_S * features.RATE)
    notes = chosen.performance.notes
    sound = np.zeros(length, np.float32)
    targets = []
    on_font = np.ones(len(notes.parts), dtype=bool)
    if kind in ("made up", "real"):
        others = [index for index, part in enumerate(notes.parts) if not part.drums]
        taken = [part for part in others if validation or generator.random() < 0.8]
        for part in taken:
            mine = _of_part(notes, np.array([part]))
            played, voice = _own(mine, kind, data, validation, chosen.tuning, generator)
            on_font[part] = len(played) == 0 and not validation
            sound += voice * np.float32(OWN_GAIN)
            targets.append(played)
    if on_font.any():
        played, voice = _on_font(chosen.performance, np.flatnonzero(on_font), fonts, generator)
        sound += voice
        targets.append(played)
    onset, offset, pitch, velocity = (np.concatenate([getattr(each, name) for each in targets]) for name in COLUMNS)
    return sound, make(onset, offset, pitch, velocity)


def _own(
    notes: Notes, kind: str, data: Path, validation: bool, tuning: float, generator: Generator
) -> tuple[Notes, Array]:
    """One part on a made-up instrument or on real notes: what of it could be played, and its sound."""
    length = int(RECORDING_S * features.RATE)
    if kind == "made up":
        return notes, timbres.play(notes, timbres.draw(generator), length, features.RATE, tuning, generator)
    names = timbres.SAMPLED_HELD_BACK if validation else timbres.SAMPLED_TRAIN
    folders = [data / "real" / "notes" / name for name in names]
    within = [timbres.reachable(notes, folder, features.RATE) for folder in folders]
    weights = np.array([mask.mean() ** 4 for mask in within]) + 1e-9
    index = int(generator.choice(len(folders), p=weights / weights.sum()))
    kept = take(notes, within[index])
    return kept, timbres.play_real(kept, folders[index], length, features.RATE, tuning, generator)


def _on_font(
    performance: Performance, parts: NDArray[np.int64], fonts: Sequence[Path], generator: Generator
) -> tuple[Notes, Array]:
    """Some parts of a performance on a soundfont; drums sound but aren't among the notes."""
    font = fonts[int(generator.integers(len(fonts)))]
    rate = int(generator.choice([features.RATE, 2 * features.RATE], p=[0.6, 0.4]))
    controls = tuple(control for control in performance.controls if control.part in parts)
    rendering = synth.render(Performance(_of_part(performance.notes, parts), controls), font, rate)
    mono = rendering.audio.samples.mean(axis=0)
    if rate != features.RATE:
        mono = soxr.resample(mono, rate, features.RATE)
    length = int(RECORDING_S * features.RATE)
    sound = np.zeros(length, np.float32)
    sound[: min(length, len(mono))] = mono[:length]
    drums = np.array([part.drums for part in rendering.notes.parts])
    sounding = ~drums[rendering.notes.part]
    return take(rendering.notes, sounding), sound


def _of_part(notes: Notes, parts: NDArray[np.int64]) -> Notes:
    """The notes of some parts; part numbers stay."""
    return take(notes, np.isin(notes.part, parts))


def _nothing(generator: Generator) -> Array:
    """No music: silence, or slowly changing noise."""
    length = int(RECORDING_S * features.RATE)
    if generator.random() < 0.5:
        return np.zeros(length, np.float32)
    swell = np.interp(np.arange(length), np.linspace(0, length, 12), generator.uniform(0, 1, 12))
    return (generator.standard_normal(length, dtype=np.float32) * swell * 0.1).astype(np.float32)


def _speech(data: Path) -> Array:
    samples, rate = soundfile.read(data / "real" / "not_music" / "speech_198.flac", dtype="float32")
    return np.asarray(soxr.resample(samples, rate, features.RATE), dtype=np.float32)
