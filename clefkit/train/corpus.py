"""The music that networks learn from, as notes, and which of it is kept for what.

Scores of the OpenScore collections (string quartets, and songs for voice and piano; CC0), first editions of Chopin
(CC BY 4.0) and the POP909 arrangements (train and validation only). A work belongs to one split for ever: OpenScore
works by a hash of composer and title, Chopin's by opus, POP909 songs by the split that their index
names. Quartets are shared out more evenly than songs, because they are the only works with four parts. The reader's
result is kept in one file, so scores are parsed once.
"""

from __future__ import annotations

import csv
import hashlib
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import notes
from clefkit.errors import ClefkitError

# upper ends of the hash range (0 to 1) of test and validation; the rest is train
SHARES = {"string-quartets": (0.25, 0.33), "lieder": (0.04, 0.06)}
CHOPIN_SHARES = (0.1, 0.15)  # of works, "opus 10"; editions of one work stay together

# what `make demo` plays and scores is never learnt from
DEMO = "12 Lieder, 1786/6 Erinnerung ans Schicksal"

POP_PARTS = (notes.Part("melody", 73), notes.Part("second voice", 48), notes.Part("piano", 0))
COLUMNS = ("onset", "offset", "pitch", "velocity", "part")
PART_SPAN = 16  # parts of a work in the file of all works


class Work(NamedTuple):
    """One work: its collection and name, its split, and its notes."""

    name: str
    split: str
    notes: notes.Notes


def split(collection: str, composer: str, title: str) -> str:
    """One of "train", "validation", "test" and "demo", from the names alone: editions of one work stay together."""
    if title.strip() == DEMO:
        return "demo"
    digest = hashlib.sha256(f"{composer}|{title}".lower().encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    test, validation = SHARES[collection]
    return "test" if share < test else "validation" if share < validation else "train"


def openscore(data: Path, wanted: str | None = None) -> Iterator[tuple[str, str, bytes]]:
    """The scores of both collections.

    data: the folder that holds `openscore/`
    wanted: one split only
    yields: (name, split, the bytes of the .mxl), in the order of the indexes
    """
    for collection in SHARES:
        with (data / "openscore" / f"{collection}.csv").open(encoding="utf-8", newline="") as index:
            rows = list(csv.DictReader(index))
        with zipfile.ZipFile(data / "openscore" / f"{collection}.zip") as archive:
            members = {Path(member).name: member for member in archive.namelist()}
            for row in rows:
                belongs = split(collection, row["composer"], row["work"])
                if wanted in (None, belongs) and row["file"] in members:
                    yield f"{collection}/{row['file']}", belongs, archive.read(members[row["file"]])


def read(data: Path, cache: Path) -> list[Work]:
    """All works for training and validation; parsed at the first call and kept in `cache`.

    data: the folder that holds `openscore/` and `pop909/`
    """
    if not cache.is_file():
        _save(cache, [*_openscore_works(data), *_chopin_works(data), *_pop_works(data)])
    return load(cache)


def _openscore_works(data: Path) -> Iterator[Work]:
    from clefkit.notation import musicxml
    from clefkit.render import perform

    with tempfile.TemporaryDirectory(prefix="clefkit-") as folder:
        path = Path(folder) / "score.mxl"
        for name, belongs, score in openscore(data):
            if belongs not in ("train", "validation"):
                continue
            path.write_bytes(score)
            try:
                played = perform.perform(musicxml.read(path), repeats=False).notes
            except ClefkitError:
                continue  # a score that `render` refuses is no loss among a thousand
            if len(played) > 0 and len(played.parts) <= PART_SPAN:
                yield Work(name, belongs, played)


def _chopin_works(data: Path) -> Iterator[Work]:
    """First editions of Chopin's piano music (Fryderyk Chopin Institute, CC BY 4.0): train and validation."""
    from clefkit.notation import kern
    from clefkit.render import perform

    with (
        zipfile.ZipFile(data / "kern" / "chopin-first-editions.zip") as archive,
        tempfile.TemporaryDirectory(prefix="clefkit-") as folder,
    ):
        path = Path(folder) / "score.krn"
        for member in sorted(name for name in archive.namelist() if name.endswith(".krn")):
            opus = Path(member).name.split("-")[0]
            share = int.from_bytes(hashlib.sha256(f"chopin|{opus}".encode()).digest()[:8], "big") / 2**64
            test, validation = CHOPIN_SHARES
            if share < test:
                continue
            path.write_bytes(archive.read(member))
            try:
                played = perform.perform(kern.read(path), repeats=False).notes
            except ClefkitError:
                continue
            if len(played) > 0 and len(played.parts) <= PART_SPAN:
                yield Work(f"chopin/{Path(member).name}", "validation" if share < validation else "train", played)


def _pop_works(data: Path) -> Iterator[Work]:
    columns = np.load(data / "pop909" / "pop909.npz")
    values = {key: columns[key].astype(np.float64) for key in ("onset_ms", "duration_ms", "pitch", "velocity", "track")}
    bounds = columns["note_offset"].astype(np.int64)
    with (data / "pop909" / "pop909.csv").open(encoding="utf-8", newline="") as index:
        for number, row in enumerate(csv.DictReader(index)):
            span = slice(bounds[number], bounds[number + 1])
            onset = values["onset_ms"][span] / 1000
            offset = onset + values["duration_ms"][span] / 1000
            pitch, velocity, track = (values[key][span] for key in ("pitch", "velocity", "track"))
            played = notes.make(onset, offset, pitch, velocity, track, POP_PARTS)
            yield Work(f"pop909/{row['song']}", row["split"], played)


def _save(path: Path, works: list[Work]) -> None:
    columns: dict[str, NDArray[Any]] = {
        "name": np.array([work.name for work in works]),
        "split": np.array([work.split for work in works]),
        "bound": np.cumsum([0, *(len(work.notes) for work in works)]),
    }
    for name in COLUMNS:
        columns[name] = np.concatenate([getattr(work.notes, name) for work in works]).astype(np.float32)
    programs = np.full((len(works), PART_SPAN), -1, np.int16)
    for row, work in zip(programs, works, strict=True):
        row[: len(work.notes.parts)] = [128 if part.drums else part.program for part in work.notes.parts]
    temporary = path.with_name(path.name + ".part.npz")
    np.savez(temporary, allow_pickle=False, programs=programs, **columns)
    temporary.replace(path)


def load(path: Path) -> list[Work]:
    """What `read` kept."""
    with np.load(path) as file:
        data = {key: file[key] for key in file.files}
    works = []
    for index, (name, belongs) in enumerate(zip(data["name"], data["split"], strict=True)):
        span = slice(data["bound"][index], data["bound"][index + 1])
        programs = data["programs"][index]
        parts = tuple(notes.Part("", int(p) % 128, p == 128) for p in programs[programs >= 0])
        onset, offset, pitch, velocity, part = (data[key][span] for key in COLUMNS)
        played = notes.make(onset, offset, pitch, velocity, part, parts)
        works.append(Work(str(name), str(belongs), played))
    return works
