"""Which reference a transcription is measured by.

Either it is given: a file, or a folder in which it is looked up by name. Or the records lead to it: the estimate's
record names the sound it was made from, whose record names the reference. When that sound has none, its own origin is
asked, and so on, as long as each step's record says how its time runs (its clock); the reference is moved by all the
clocks on the way. A record counts only while it is of the very file that the next record names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from clefkit import record
from clefkit.errors import InputError
from clefkit.record import Source

if TYPE_CHECKING:
    from clefkit.clock import Clock
    from clefkit.notes import Notes

Found = TypeVar("Found")

NOTES = (".ref.jsonl", ".ref.mid", ".jsonl", ".mid", ".midi")
MOST_STEPS = 100
NONE = "no reference: give --ref, or score files that came through a pipe from render"


def notes_for(source: Source, given: Path | None, read: Callable[[Path], Notes]) -> tuple[Path, Notes]:
    """The file with the reference's notes, and its notes in the time of the estimate.

    given: a file, or a folder that holds one by the estimate's name; it is taken as it is
    raises: InputError when there is none, or it can't be read
    """
    clocks: list[Clock] = []
    if given is None:
        path, clocks = follow(source, lambda sound: sound.reference, NONE)
    else:
        path = named(given, source.path, NOTES)
    with told(path):
        found = read(path)
    for clock in clocks:
        sounding = None if found.sounding is None else clock.at(found.sounding)
        found = replace(found, onset=clock.at(found.onset), offset=clock.at(found.offset), sounding=sounding)
    return path, found


@contextmanager
def told(path: Path) -> Iterator[None]:
    """What is wrong with a reference is told as such."""
    try:
        yield
    except InputError as error:
        raise InputError(f"its reference {path.name}: {error}") from error


def named(given: Path, estimate: Path, endings: tuple[str, ...]) -> Path:
    """A reference that is given: a file, or a folder in which it is looked up."""
    return look_up(given, estimate, endings) if given.is_dir() else given


def look_up(folder: Path, estimate: Path, endings: tuple[str, ...]) -> Path:
    """The reference for `x.hall-7.notes.mid`: x.hall-7 with the first ending that exists, then x with an ending.

    The name, without `.notes`, loses its last part at each dot until a file is found.
    raises: InputError when there is none
    """
    found = next(candidates(folder, estimate, endings), None)
    if found is None:
        stem = estimate.stem.removesuffix(".notes")
        raise InputError(f"no reference in {folder}: it would be {stem}{endings[0]} or the like")
    return found


def candidates(folder: Path, estimate: Path, endings: tuple[str, ...]) -> Iterator[Path]:
    """All files of a folder that `look_up` may find, the best first.

    When the estimate is in found/2004, the folder's own 2004 is searched first, if it has one.
    """
    parents = estimate.absolute().parent.parts[1:]
    same = (folder.joinpath(*parents[start:]) for start in range(len(parents) + 1))
    for place in filter(Path.is_dir, same):
        shorter = estimate.stem.removesuffix(".notes")
        while shorter:
            for ending in endings:
                path = place / f"{shorter}{ending}"
                if path.is_file() and path.resolve() != estimate.resolve():
                    yield path
            shorter = shorter.rpartition(".")[0]


def follow(source: Source, wanted: Callable[[Source], Found | None], none: str) -> tuple[Found, list[Clock]]:
    """Go from record to record up to the first sound that has what is wanted.

    none: what to say when there is no such sound
    returns: what was found, and the clocks that lead from its time to the estimate's, in the order of use
    raises: InputError when nothing is found, or a clock on the way is damaged
    """
    from clefkit import clock

    # transcribe keeps the time of what it hears, so only here is a missing clock no obstacle
    clocks = [source.record["clock"]] if source.record.get("clock") else []
    for sound in ancestors(source):
        found = wanted(sound)
        if found is not None:
            try:
                return found, [clock.parse(each) for each in reversed(clocks)]
            except InputError as error:
                raise InputError(f"{error}: give --ref") from error
        if not sound.record.get("clock"):
            break
        clocks.append(sound.record["clock"])
    raise InputError(none)


def ancestors(source: Source) -> Iterator[Source]:
    """What the file was made from, what that was made from, and so on, while records say so.

    The files themselves need not be there any more, for records name them by their hash.
    """
    for _ in range(MOST_STEPS):
        origin = source.record.get("from")
        if not origin:
            return
        path = source.path.parent / origin["file"]
        data = record.load(record.beside(path))
        if not data:
            return
        if data.get("sha256") != origin["sha256"]:
            raise InputError(f"{origin['file']} was made again since: make this again from it, or give --ref")
        source = Source(path, data, origin["sha256"])
        yield source
