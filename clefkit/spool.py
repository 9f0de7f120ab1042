"""Rows of numbers that wait on disk, because a recording may last for hours: what a network said, what it saw."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

AT_ONCE = 4096  # rows


class Spool:
    """Rows of one shape, written in order and read in any; gone when nobody uses them any more.

    shape: of a row; dtype: what numbers are kept as; rows: how many there are
    """

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.rows = 0
        self.file = tempfile.TemporaryFile(prefix="clefkit-")  # noqa: SIM115 closed with the spool
        weakref.finalize(self, self.file.close)

    def push(self, rows: NDArray[Any]) -> None:
        """rows: (rows, *shape)"""
        self.file.write(np.ascontiguousarray(rows, self.dtype).tobytes())
        self.rows += len(rows)

    def read(self, first: int, end: int) -> NDArray[Any]:
        """Rows `first` to `end`, as far as they are there."""
        first, end = max(first, 0), min(end, self.rows)
        size = self.dtype.itemsize * int(np.prod(self.shape))
        self.file.seek(first * size)
        data = self.file.read(max(end - first, 0) * size)
        self.file.seek(0, 2)
        return np.frombuffer(data, self.dtype).reshape(-1, *self.shape)

    def pieces(self) -> Iterator[NDArray[Any]]:
        """All rows, some at a time."""
        for first in range(0, self.rows, AT_ONCE):
            yield self.read(first, first + AT_ONCE)
