"""Training data in shards: each is built by itself, by any process, and skipped when it is there."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")


def build(make: Callable[[str, int], str], out: Path, counts: dict[str, int], jobs: int) -> Iterator[str]:
    """Build what is missing: shards `out/<set>-000.npz`.

    make: builds one, given its set and number, and returns its name; counts: of each set, {"validation": 2}
    yields: a line for people after each
    """
    wanted = [(kept, number) for kept, count in counts.items() for number in range(count)]
    missing = [(kept, number) for kept, number in wanted if not (out / f"{kept}-{number:03d}.npz").is_file()]
    for name in results(make, missing, jobs):
        yield f"{name}: built"


def results(work: Callable[..., Result], tasks: Iterable[tuple[Any, ...]], jobs: int) -> Iterator[Result]:
    """What `work` returns for each task, in order, by a number of processes."""
    # not forked: a synthesiser's library doesn't survive that
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        for coming in [pool.submit(work, *task) for task in tasks]:
            yield coming.result()
