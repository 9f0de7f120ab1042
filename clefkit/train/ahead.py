"""Batches for a training, made by another process, a few ahead."""

from __future__ import annotations

import itertools
import math
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

Batch = TypeVar("Batch")


def drawn(
    draw: Callable[[int], Sequence[Batch]],
    steps: range,
    together: int,
    ahead: int,
    prepare: Callable[..., None],
    given: tuple[Any, ...],
) -> Iterator[Batch]:
    """One for each step.

    draw: makes group `number`: batches `together * number` and those after it; ahead: groups that may wait
    prepare, given: what the other process begins with
    """
    numbers = range(steps.start // together, math.ceil(steps.stop / together))
    step = numbers.start * together
    method = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(1, method, prepare, given) as pool:
        waiting = deque(pool.submit(draw, number) for number in numbers[:ahead])
        coming = iter(numbers[ahead:])
        while waiting:
            group = waiting.popleft().result()
            waiting.extend(pool.submit(draw, number) for number in itertools.islice(coming, 1))
            for batch in group:
                if steps.start <= step < steps.stop:
                    yield batch
                step += 1
