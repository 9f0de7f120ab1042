"""How a file comes into being: under a temporary name and a lock, then renamed, its record last.

A *group* is one printed product and the side files before it; one record, that of the printed file, speaks for all of
them. Every step can be interrupted by SIGKILL: the record waits as `.NAME.json.part` while the files are renamed, so
that the next run knows them as ours.

    .x.wav.json.part   locked from the first moment to the last; holds the record once all files are complete
    .x.wav.part        renamed to x.wav
    x.wav.json         renamed from .x.wav.json.part, at the very end
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from clefkit import record
from clefkit.errors import InputError, RefusedError
from clefkit.record import Product

if sys.platform != "win32":
    import fcntl


class Group(NamedTuple):
    """A printed product with its side files, and where each goes."""

    products: list[Product]
    paths: list[Path]

    @property
    def main(self) -> Path:
        return self.paths[-1]


class Written(NamedTuple):
    """path: the printed file; record: its record; note: what a person should know, "" when nothing"""

    path: Path
    record: dict[str, Any]
    note: str = ""


def groups(products: Iterable[Product]) -> Iterator[list[Product]]:
    """Side files with the printed product that follows them."""
    group: list[Product] = []
    for product in products:
        group.append(product)
        if product.printed:
            yield group
            group = []
    if group:
        raise ValueError("a stage ended with a side file that belongs to nothing")


def write(group: Group, recipe: dict[str, Any], force: bool) -> Written:
    """Make the files of a group, or use them again when the same recipe made them before.

    recipe: what fixes the bytes (stage, version, seed, options, from); the first part of the record
    raises: RefusedError when a file in the way is not ours and `force` is off; OSError as writing does
    """
    group.main.parent.mkdir(parents=True, exist_ok=True)
    pending = part(record.beside(group.main))
    _settle(pending)
    with _locked(pending):
        known = record.load(record.beside(group.main))
        if _finished(group, known, recipe):
            return Written(group.main, known)
        replaced, foreign = _in_the_way(group, known, recipe["stage"])
        data = recipe | _produce(group, pending, recipe, {} if force else foreign)
        _name(group, pending)
    return Written(group.main, data, f"{', '.join(replaced)} was out of date and is replaced" if replaced else "")


def rewrite(group: Group, data: dict[str, Any], force: bool) -> dict[str, Any]:
    """Make the files of a group again from their record `data`.

    returns: the record, which is `data` but for the way to its source
    raises: InputError when a file comes out different from its record; RefusedError as `write` does
    """
    group.main.parent.mkdir(parents=True, exist_ok=True)
    pending = part(record.beside(group.main))
    _settle(pending)
    with _locked(pending):
        facts = _produce(group, pending, data, {} if force else _in_the_way(group, data, data["stage"])[1])
        again = data | facts
        if _recorded(again) != _recorded(data):
            for path in [pending, *map(part, group.paths)]:
                path.unlink()
            raise InputError(
                f"comes out different from its record (made with {data.get('made_with', 'other versions')})"
            )
        _name(group, pending)
    return again


def _name(group: Group, pending: Path) -> None:
    """Give all files their names, the record last."""
    for path in group.paths:
        part(path).replace(path)
    pending.replace(record.beside(group.main))


def part(path: Path) -> Path:
    """The temporary name of `path`."""
    return path.with_name(f".{path.name}.part")


def replace(path: Path, text: str) -> None:
    """Write a report, which has no record: whole or not at all, in place of what had its name. A link stays a link; a
    pipe or a device, such as /dev/stdout, is written to.

    raises: InputError when that can't be done
    """
    data = text.encode("utf-8", "backslashreplace")  # bytes of names that are no UTF-8: so JSON stays JSON
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            _replace(path.resolve(), data)
    except OSError as error:
        raise InputError(f"{path}: can't be written ({(error.strerror or str(error)).lower()})") from error


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.part")  # others may write this report at the same time
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sweep(folder: Path) -> None:
    """Mend or remove the temporary files in `folder` whose writer is gone. What we may not touch stays."""
    try:
        parts = list(folder.glob(".*.part"))
        locks = list(folder.glob(".*.json.part"))
        held = [lock for lock in locks if _is_held(lock)]
        for lock in locks:
            if lock not in held:
                _settle(lock)
        for path in parts:
            if not any(_belongs(path, lock) for lock in held):
                path.unlink(missing_ok=True)
    except OSError:
        return


def _belongs(path: Path, lock: Path) -> bool:
    """Is the temporary file of the group being written? Side files share the start of the main file's name."""
    return path.name.startswith(lock.name.removesuffix(".json.part").rsplit(".", 1)[0])


def _settle(pending: Path) -> None:
    """Bring a group whose writer was killed between two renames to its end; forget it when it can't be."""
    if not pending.exists():
        return
    with _locked(pending):
        entries = _recorded(record.load(pending))
        targets = {pending.with_name(name): digest for name, digest in entries.items()}
        for path, digest in targets.items():
            if _hash(part(path)) == digest:
                part(path).replace(path)
        if targets and all(_hash(path) == digest for path, digest in targets.items()):
            pending.replace(pending.with_name(pending.name.removeprefix(".").removesuffix(".part")))


def _produce(group: Group, pending: Path, recipe: dict[str, Any], foreign: dict[Path, str]) -> dict[str, Any]:
    """Write all parts, then the record that waits. Returns what the record holds beyond the recipe.

    foreign: hashes of files in the way that are not ours; they may only be what we write anyway
    """
    parts = [part(path) for path in group.paths]
    try:
        for product, temporary in zip(group.products, parts, strict=True):
            product.write(temporary)
        hashes = [record.sha256(temporary) for temporary in parts]
        _refuse(group, hashes, foreign)
        facts = _facts(group, hashes)
        pending.write_text(record.encode(recipe | facts), encoding="utf-8")
    except BaseException:
        for temporary in parts:
            temporary.unlink(missing_ok=True)
        raise
    return facts


def _refuse(group: Group, hashes: list[str], foreign: dict[Path, str]) -> None:
    """raises: RefusedError when a file that is not ours differs from what would replace it"""
    for path, digest in zip(group.paths, hashes, strict=True):
        if foreign.get(path, digest) != digest:
            raise RefusedError(
                f"{path.name} is there already, not made by this step or edited since: use --force, or --out"
            )


def _facts(group: Group, hashes: list[str]) -> dict[str, Any]:
    """What the stage says of the printed product, with the names and hashes of all files of the group."""
    named = [{"file": path.name, "sha256": digest} for path, digest in zip(group.paths, hashes, strict=True)]
    sides = {product.suffix: entry for product, entry in zip(group.products[:-1], named[:-1], strict=True)}
    facts = dict(group.products[-1].facts)
    if "reference" in facts:
        facts["reference"] = sides[facts["reference"]]
    if sides:
        facts["beside"] = list(sides.values())
    return named[-1] | facts


def _finished(group: Group, data: dict[str, Any], recipe: dict[str, Any]) -> bool:
    return {key: data.get(key) for key in recipe} == recipe and all(
        _hash(path) == _recorded(data).get(path.name, "") for path in group.paths
    )


def _in_the_way(group: Group, known: dict[str, Any], stage: str) -> tuple[list[str], dict[Path, str]]:
    """Files that stand where ours will: names of our own, and hashes of the others.

    What another stage made isn't ours: a stem that was rendered is no old version of one that is separated.
    raises: RefusedError when a folder has the name of a file
    """
    ours, foreign = [], {}
    for path in group.paths:
        if path.is_dir():
            raise RefusedError(f"{path.name} is a folder")
        digest = _hash(path)
        if digest is not None and _recorded(known).get(path.name) == digest and known.get("stage") == stage:
            ours.append(path.name)
        elif digest is not None:
            foreign[path] = digest
    return ours, foreign


def _recorded(data: dict[str, Any]) -> dict[str, str]:
    """File names and hashes that a record speaks for."""
    entries = [data, *data.get("beside", [])]
    return {entry["file"]: entry["sha256"] for entry in entries if "file" in entry and "sha256" in entry}


def _hash(path: Path) -> str | None:
    try:
        return record.sha256(path)
    except InputError:
        if path.exists():
            raise
        return None


@contextmanager
def _locked(path: Path) -> Iterator[Path]:
    """Hold the lock file, waiting for who holds it now; it is gone afterwards, but for a record that was renamed."""
    descriptor = _acquire(path)
    try:
        yield path
    except BaseException:
        if not record.load(path):
            path.unlink(missing_ok=True)
        raise
    else:
        if _same_file(descriptor, path):
            path.unlink()
    finally:
        os.close(descriptor)


def _acquire(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        if sys.platform != "win32":  # Windows has no such locks: there, don't run two commands on the same outputs
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _same_file(descriptor, path):
            return descriptor
        os.close(descriptor)  # its holder renamed or removed it while we waited


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _is_held(path: Path) -> bool:
    if sys.platform == "win32":
        return True
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
