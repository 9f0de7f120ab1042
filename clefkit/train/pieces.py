"""The pieces that critics learn from: as they are written and as they are played, and which of them are kept for what.

Free collections: OpenScore (CC0) and first editions of Chopin (CC BY 4.0), each as written and played twice by
`render`'s human; POP909 (MIT). Others, for research alone, because their licences are non-commercial or unstated: ASAP
(CC BY-NC-SA 4.0), whose pianists are people, and the **kern scores of `KERN`.

A work belongs to one split for ever. OpenScore is shared out as in `corpus`, Chopin by a hash of the opus, but for what
ASAP's validation has, too; the songs that POP909's index gives to validation are halved by a hash, ASAP's validation
pieces are the test and a tenth of its others validate, the **kern works go by a hash of their file, but for one that
ASAP's validation has, too. Times are whole milliseconds everywhere: a network must not tell one source from another, or
real from corrupted, by how numbers were rounded.
"""

from __future__ import annotations

import csv
import hashlib
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import notes
from clefkit.critique.table import columns
from clefkit.errors import ClefkitError
from clefkit.train import corpus

SPLITS = ("train", "validation", "test")
TAKES = 2
AMOUNTS = (0.3, 0.8)  # how much of a human plays
TEMPI = (66.0, 144.0)  # quarters a minute of scores that don't say
CHOPIN_IN_ASAP = ("053", "058", "060")  # opus numbers of the polonaise, sonata and barcarolle in its validation
KERN_IN_ASAP = ("sonata52-3.krn",)  # Haydn, Hob. XVI:39, finale
KERN = (
    "joplin",
    "mozart-piano-sonatas",
    "haydn-piano-sonatas",
    "scarlatti-keyboard-sonatas",
    "bach-370-chorales",
    "beethoven-string-quartets",
)
LEAST_NOTES = 16
COLUMNS = ("onset_ms", "duration_ms", "pitch", "velocity")
QUARTERS = ("onset_quarters", "duration_quarters", "pitch", "velocity")


class Piece(NamedTuple):
    """name: of the work, its collection before the slash; domain: "score" or "performance"; split: "train",
    "validation" or "test"

    notes: (notes, 4), int32: onset and duration in ms, pitch, velocity; in order of onset, then pitch
    """

    name: str
    domain: str
    split: str
    notes: NDArray[np.int32]

    @property
    def collection(self) -> str:
        return self.name.partition("/")[0]


class _Score(NamedTuple):
    """A score that is still to be read."""

    name: str
    split: str
    data: bytes
    suffix: str


def share(*names: str) -> float:
    """0 to 1, from names alone."""
    digest = hashlib.sha256("|".join(names).lower().encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def read(data: Path, cache: Path, collections: Collection[str], jobs: int = 1) -> list[Piece]:
    """All pieces of some collections; read at the first call and kept in `cache`.

    data: the folder that holds `openscore/`, `pop909/`, `kern/` and `asap/`, as far as they are needed
    """
    if not cache.is_file():
        found = list(_scores(_written(data, collections), jobs))
        for name, played in PLAYED.items():
            found += played(data) if name in collections else ()
        save(cache, found)
    return load(cache)


def _written(data: Path, collections: Collection[str]) -> Iterator[_Score]:
    if not {"string-quartets", "lieder"}.isdisjoint(collections):
        for name, belongs, score in corpus.openscore(data):
            if belongs in SPLITS and name.partition("/")[0] in collections:
                yield _Score(name, belongs, score, ".mxl")
    if "chopin" in collections:
        for name, score in _members(data / "kern" / "chopin-first-editions.zip"):
            yield _Score(f"chopin/{name}", _chopin_split(name), score, ".krn")
    for collection in KERN:
        if collection in collections:
            for name, score in _members(data / "kern" / f"{collection}.zip"):
                belongs = "test" if name in KERN_IN_ASAP else _tenths(share(collection, name))
                yield _Score(f"{collection}/{name}", belongs, score, ".krn")


def _chopin_split(name: str) -> str:
    """By opus, however an edition is named (009, 009_1et2); `corpus` goes by all before the hyphen, as notes-1 did.

    name: of a file: the opus in three digits, or a word where it has none, then the edition
    """
    opus = name[:3] if name[:3].isdigit() else name.split("-", maxsplit=1)[0]
    if opus in CHOPIN_IN_ASAP:
        return "test"
    chance, (test, validation) = share("chopin", opus), corpus.CHOPIN_SHARES
    return "test" if chance < test else "validation" if chance < validation else "train"


def _tenths(chance: float) -> str:
    return "test" if chance < 0.1 else "validation" if chance < 0.2 else "train"


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for member in sorted(name for name in archive.namelist() if name.endswith(".krn")):
            yield Path(member).name, archive.read(member)


def _scores(scores: Iterator[_Score], jobs: int) -> Iterator[Piece]:
    with ProcessPoolExecutor(jobs) as pool:
        for found in pool.map(_played, scores, chunksize=4):
            yield from found


def _played(score: _Score) -> list[Piece]:
    """As written, and as a human plays it. None of a score that `render` refuses: no loss among a thousand."""
    from clefkit.notation import kern, musicxml
    from clefkit.render import perform

    readers: dict[str, Callable[[Path], Any]] = {".mxl": musicxml.read, ".krn": kern.read}
    with tempfile.TemporaryDirectory(prefix="clefkit-") as folder:
        path = Path(folder) / f"score{score.suffix}"
        path.write_bytes(score.data)
        try:
            written = readers[score.suffix](path)
            found = [_piece(score, "score", perform.perform(written, repeats=False).notes)]
            for take in range(TAKES):
                generator = np.random.default_rng([take, *score.name.encode()])
                amount = float(generator.uniform(*AMOUNTS))
                played = perform.perform(written, repeats=False, amount=amount, generator=generator).notes
                found.append(_piece(score, "performance", played))
        except ClefkitError:
            return []
    return [piece for piece in found if len(piece.notes) >= LEAST_NOTES]


def _piece(score: _Score, domain: str, played: notes.Notes) -> Piece:
    pitched = ~np.array([part.drums for part in played.parts], dtype=bool)[played.part]
    return Piece(score.name, domain, score.split, columns(notes.take(played, pitched)))


def _sorted(*values: NDArray[Any]) -> NDArray[np.int32]:
    found = np.stack(values, axis=1).astype(np.int32)
    return found[np.lexsort((found[:, 2], found[:, 0]))]


def _pop(data: Path) -> Iterator[Piece]:
    for row, values in _packed(data / "pop909" / "pop909", COLUMNS):
        half = "validation" if share("pop909", row["song"]) < 0.5 else "test"
        belongs = half if row["split"] == "validation" else "train"
        yield Piece(f"pop909/{row['song']}", "performance", belongs, _sorted(*values))


def _packed(stem: Path, columns: Sequence[str]) -> Iterator[tuple[dict[str, str], list[NDArray[Any]]]]:
    """The rows of an index, each with its notes' columns from the arrays beside it."""
    packed = np.load(stem.with_suffix(".npz"))
    bounds = packed["note_offset"].astype(np.int64)
    values = [packed[name] for name in columns]
    with stem.with_suffix(".csv").open(encoding="utf-8", newline="") as index:
        for row, start, end in zip(csv.DictReader(index), bounds[:-1], bounds[1:], strict=True):
            yield row, [each[start:end] for each in values]


def _asap_split(row: dict[str, str]) -> str:
    if row["split"] == "validation":
        return "test"
    return "validation" if share(row["composer"], row["title"].removesuffix("_repeat")) < 0.1 else "train"


def _asap(data: Path) -> Iterator[Piece]:
    for row, values in _packed(data / "asap" / "asap_performances", COLUMNS):
        yield Piece(f"asap/{row['piece']}", "performance", _asap_split(row), _sorted(*values))


def _asap_scores(data: Path) -> Iterator[Piece]:
    low, high = TEMPI
    for row, values in _packed(data / "asap" / "asap_scores", QUARTERS):
        quarter_ms = 60_000 / (low + (high - low) * share("tempo", row["piece"]))
        onset, duration, pitch, velocity = values
        onset, duration = np.rint(onset * quarter_ms), np.maximum(1, np.rint(duration * quarter_ms))
        yield Piece(f"asap-scores/{row['piece']}", "score", _asap_split(row), _sorted(onset, duration, pitch, velocity))


PLAYED: dict[str, Callable[[Path], Iterator[Piece]]] = {"pop909": _pop, "asap": _asap, "asap-scores": _asap_scores}


def save(path: Path, pieces: list[Piece]) -> None:
    """As one file of arrays."""
    temporary = path.with_name(path.name + ".part.npz")
    np.savez_compressed(
        temporary,
        allow_pickle=False,
        name=np.array([piece.name for piece in pieces]),
        domain=np.array([piece.domain for piece in pieces]),
        split=np.array([piece.split for piece in pieces]),
        bound=np.cumsum([0, *(len(piece.notes) for piece in pieces)]),
        notes=np.concatenate([piece.notes for piece in pieces]),
    )
    temporary.replace(path)


def load(path: Path) -> list[Piece]:
    """What `save` wrote."""
    with np.load(path) as file:
        names, domains, splits, bound, found = (file[key] for key in ("name", "domain", "split", "bound", "notes"))
    return [
        Piece(str(name), str(domain), str(split), found[bound[index] : bound[index + 1]])
        for index, (name, domain, split) in enumerate(zip(names, domains, splits, strict=True))
    ]
