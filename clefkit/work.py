"""What a worker does with one input: run a stage on it, and say in plain data what became of it.

Everything here is importable by name and takes plain data, so that it runs the same in this process, in a worker, or
on another machine.
"""

from __future__ import annotations

import importlib
import os
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import clefkit
from clefkit import record, registry, writing
from clefkit.errors import ClefkitError, InputError
from clefkit.record import Product, Source
from clefkit.writing import Group, Written

MAKING_STAGES = ("render", "augment", "transcribe", "align", "enhance", "separate", "critique.spoiling")
CREATING_STAGES = ("augment.roomfile", "critique.compose")
FAULT_VARIABLE = "CLEFKIT_TEST_FAULT"


class Drawing(NamedTuple):
    """How printed files are drawn: by the function `draw` of a submodule of clefkit, with colours or not."""

    by: str
    columns: int
    coloured: bool


@dataclass(frozen=True)
class Job:
    """A stage with its options, the same for every input.

    stage: the name of a submodule of clefkit
    options: plain data and registry.Asset; keyword arguments of the stage's function
    out: a folder, or a file when there is a single input; None is the input's own folder
    drawing: None is none
    """

    stage: str
    options: dict[str, Any]
    seed: int = 0
    out: Path | None = None
    out_is_file: bool = False
    force: bool = False
    verbose: bool = False
    drawing: Drawing | None = None


@dataclass
class Outcome:
    """What became of one input.

    path: of the input; files: (path, record) of each printed file; drawings: of these files; finding: what a measuring
    stage found; notes: for a person
    """

    path: str = ""

    files: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    drawings: list[list[tuple[str, str]]] = field(default_factory=list)
    finding: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)
    error: str = ""


class Item(NamedTuple):
    """One input, or why it can't be one. others: the rest of the group, when inputs are measured together."""

    path: str
    problem: str = ""
    others: tuple[str, ...] = ()


def make(job: Job, item: Item) -> Outcome:
    """Run a making stage (`products`) on one input and write what it makes."""
    return _guarded(_make, job, item)


def create(job: Job) -> Written:
    """Run a stage that makes one file of numbers alone (`product`).

    raises: as the stage and `writing.write` do
    """
    product = _created(job)
    path = (job.out or Path()) / product.suffix
    if job.out_is_file and job.out is not None:
        path = _beside_out(job.out, product, product)
    recipe = {"stage": job.stage, "version": clefkit.__version__, "seed": job.seed, "options": job.options}
    return writing.write(Group([product], [path]), recipe, job.force)


def _created(job: Job) -> Product:
    product: Product = importlib.import_module(f"clefkit.{job.stage}").product(job.seed, **job.options)
    return product


def measure(job: Job, item: Item) -> Outcome:
    """Run a measuring stage (`measure`) on one input."""
    return _guarded(_measure, job, item)


def replay(job: Job, item: Item) -> Outcome:
    """Make a file again from its record, and see that it is the same to the byte."""
    return _guarded(_replay, job, item)


def _guarded(do: Callable[..., None], job: Job, item: Item) -> Outcome:
    """Any failure becomes one line for a person; whatever was done before it stays done."""
    outcome = Outcome()
    try:
        if item.problem:
            raise InputError(item.problem)  # noqa: TRY301 told as any other
        _fault_for_tests(item.path)
        do(job, *map(Path, (item.path, *item.others)), outcome=outcome)
    except ClefkitError as error:
        outcome.error = str(error)
    except OSError as error:
        name = f" {Path(error.filename).name.removeprefix('.').removesuffix('.part')}" if error.filename else ""
        outcome.error = f"can't read or write{name} ({(error.strerror or str(error)).lower()})"
    except MemoryError:
        outcome.error = "not enough memory for this file"
    except Exception as error:  # noqa: BLE001 a bug in one file must not cost the rest of the batch
        text = " ".join(str(error).split()) or "no message"
        outcome.error = f"internal error, please report it with this file ({type(error).__name__}: {text})"
        if job.verbose:
            outcome.error += "\n" + traceback.format_exc()
    return outcome


def _make(job: Job, path: Path, *, outcome: Outcome) -> None:
    source = record.source(path)
    recipe = _recipe(job, source)
    groups = list(writing.groups(_products(job, source)))
    if job.out_is_file and len(groups) > 1:
        raise InputError("this makes several files: give --out a folder")
    for group in groups:
        placed = _placed(job, source, group)
        recipe["from"]["file"] = record.relative(source.path, placed.main.parent)
        written = writing.write(placed, recipe, job.force)
        outcome.files.append((str(written.path), written.record))
        if job.drawing:
            by, columns, coloured = job.drawing
            outcome.drawings += importlib.import_module(f"clefkit.{by}").draw(written.path, columns, coloured)
        if written.note:
            outcome.notes.append(written.note)
        outcome.notes += [fault for fault in written.record.get("faults", []) if fault not in outcome.notes]


def _measure(job: Job, *paths: Path, outcome: Outcome) -> None:
    stage = importlib.import_module(f"clefkit.{job.stage}")
    finding: dict[str, Any] = stage.measure(*map(record.source, paths), **job.options)
    outcome.notes += finding.pop("notes", [])
    outcome.finding = finding


def _replay(job: Job, path: Path, *, outcome: Outcome) -> None:
    data = record.load(record.beside(path))
    folder = job.out or path.parent
    if data.get("stage") in CREATING_STAGES and {"seed", "options", "sha256", "version"} <= data.keys():
        product = _created(Job(data["stage"], data["options"], data["seed"]))
        group = Group([product], [folder / path.name])
        outcome.files.append((str(group.main), writing.rewrite(group, data, job.force)))
        return
    if not {"stage", "seed", "options", "from", "sha256", "version"} <= data.keys():
        raise InputError("has no record to make it again from")
    if data["stage"] not in MAKING_STAGES:
        raise InputError(f"its record names a stage that makes no files: {data['stage']!r}")
    source = record.source(path.parent / data["from"]["file"])
    if source.sha256 != data["from"]["sha256"]:
        raise InputError(f"its source {data['from']['file']} was edited since")
    options = {key: registry.restored(value) for key, value in data["options"].items()}
    again = Job(data["stage"], options, data["seed"], folder)
    groups = list(writing.groups(_products(again, source)))
    named = [group for group in groups if f"{source.stem}.{group[-1].suffix}" == path.name]
    if not named and len(groups) == 1:  # it was made with --out FILE
        again, named = replace(again, out=folder / path.name, out_is_file=True), groups
    if not named:
        raise InputError(f"{data['stage']} makes no such file any more: its record is of version {data['version']}")
    placed = _placed(again, source, named[0])
    data["from"]["file"] = record.relative(source.path, folder)
    outcome.files.append((str(placed.main), writing.rewrite(placed, data, job.force)))


def _products(job: Job, source: Source) -> Iterator[Product]:
    products: Callable[..., Iterator[Product]] = importlib.import_module(f"clefkit.{job.stage}").products
    return products(source, record.generator(job.seed, source.sha256, job.stage), **job.options)


def _recipe(job: Job, source: Source) -> dict[str, Any]:
    """What fixes the bytes of the result."""
    return {
        "stage": job.stage,
        "version": clefkit.__version__,
        "seed": job.seed,
        "from": {"file": "", "sha256": source.sha256},
        "options": {key: registry.recorded(value) for key, value in job.options.items()},
    }


def _placed(job: Job, source: Source, group: list[Product]) -> Group:
    """Where each file of a group goes. Raises InputError when that is the input itself."""
    if job.out_is_file:
        assert job.out is not None
        paths = [_beside_out(job.out, product, group[-1]) for product in group]
    else:
        folder = source.path.parent if job.out is None else job.out
        paths = [folder / f"{source.stem}.{product.suffix}" for product in group]
    for path in paths:
        if path.resolve() == source.path.resolve():
            raise InputError("the result would have the name of the input: use --out")
    return Group(group, paths)


def _beside_out(out: Path, product: Product, main: Product) -> Path:
    """The name for `--out FILE`: the printed product gets it, side files share its stem."""
    detail, _, ending = main.suffix.rpartition(".")
    if product is main:
        if out.suffix.lower() != f".{ending}":
            raise InputError(f"this makes a .{ending} file: name it so, or give --out a folder")
        return out
    return out.with_name(f"{out.stem}.{product.suffix.removeprefix(detail + '.')}")


def _fault_for_tests(path: str) -> None:
    """`CLEFKIT_TEST_FAULT=abort:NAME,sleep:NAME` makes a worker crash or hang on files of that name. Tests only."""
    for fault in filter(None, os.environ.get(FAULT_VARIABLE, "").split(",")):
        kind, _, name = fault.partition(":")
        if Path(path).name == name:
            if kind == "abort":
                os.abort()
            time.sleep(3600)
