"""All best alignments of the chords of two pieces: MV2H's dynamic time warping.

A chord is the notes of a value onset. To leave out a chord of either side costs 1, to pair two chords 1 minus the
F-measure of their pitches; the first chords are always paired. Floats are added in the order of the reference
implementation, for it is their rounding that decides which alignments are equally good.

An alignment is a list of pairs (chord of the reference, chord of the estimate). The alignments are the paths through a
table from its last cell to its first, and there may be astronomically many of them.

Source: Andrew McLeod, Evaluating Non-Aligned Musical Score Transcriptions with MV2H, 2019.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Chords = Sequence[Counter[int]]
Pair = tuple[int, int]
Alignment = list[Pair]

WITHOUT_REFERENCE, WITHOUT_ESTIMATE, PAIRED = 1, 2, 4
ROWS_AT_ONCE = 256


class Table(NamedTuple):
    """How the best alignments come to each cell.

    steps: by row (chord of the reference) x columns + column (chord of the estimate), sums of WITHOUT_REFERENCE,
        WITHOUT_ESTIMATE and PAIRED: the last chord of a side is left out, or both are paired
    """

    steps: memoryview
    columns: int

    def sources(self, cell: int) -> list[int]:
        """The cells that a cell is come to from, in the order of the reference implementation; below 0: the start."""
        step = self.steps[cell]
        ways = ((WITHOUT_REFERENCE, self.columns), (WITHOUT_ESTIMATE, 1), (PAIRED, self.columns + 1))
        return [cell - length for way, length in ways if step & way]

    @property
    def last(self) -> int:
        """The cell in which all chords are used."""
        return len(self.steps) - 1


def table(reference: Chords, estimate: Chords) -> Table:
    """The table of all best alignments.

    reference, estimate: how many notes of each pitch each chord has, at most 255; not empty
    """
    rows, columns = len(reference), len(estimate)
    cells = _common(reference, estimate)
    flat = cells.reshape(-1)
    row_size = np.array([chord.total() for chord in reference], dtype=np.float64)
    column_size = np.array([chord.total() for chord in estimate], dtype=np.float64)
    # Costs along the last two antidiagonals and this one, by row + 1
    before, last, this = np.full((3, rows + 1), np.inf)
    before[0] = 0.0
    for diagonal in range(rows + columns - 1):
        first, end = max(0, diagonal - columns + 1), min(rows, diagonal + 1)
        step = max(columns - 1, 1)
        start = diagonal + first * (columns - 1)
        place = slice(start, start + (end - first - 1) * step + 1, step)
        sizes = row_size[first:end], column_size[diagonal - end + 1 : diagonal - first + 1][::-1]
        above = last[first:end] + 1.0
        beside = last[first + 1 : end + 1] + 1.0
        paired = before[first:end] + _distance(flat[place], *sizes)
        best = np.minimum(np.minimum(above, beside), paired)
        this[first + 1 : end + 1] = best
        flat[place] = (
            (above == best) * WITHOUT_REFERENCE + (beside == best) * WITHOUT_ESTIMATE + (paired == best) * PAIRED
        )
        before, last, this = last, this, before
        this[0] = np.inf
    return Table(flat.data, columns)


def _common(reference: Chords, estimate: Chords) -> NDArray[np.uint8]:
    """How many notes each pair of chords has in common."""
    from scipy.sparse import csr_array

    kinds: dict[tuple[int, int], int] = {}

    def ones(chords: Chords) -> list[list[int]]:
        return [
            [kinds.setdefault((pitch, nth), len(kinds)) for pitch, count in chord.items() for nth in range(count)]
            for chord in chords
        ]

    def matrix(numbers: list[list[int]]) -> csr_array:
        starts = np.cumsum([0, *map(len, numbers)])
        flat = np.concatenate([np.array(each, dtype=np.int64) for each in numbers])
        return csr_array((np.ones(len(flat), dtype=np.uint8), flat, starts), shape=(len(numbers), len(kinds)))

    sides = ones(reference), ones(estimate)
    left, right = matrix(sides[0]), matrix(sides[1]).T.tocsr()
    common = np.empty((len(reference), len(estimate)), dtype=np.uint8)
    for row in range(0, len(reference), ROWS_AT_ONCE):
        common[row : row + ROWS_AT_ONCE] = (left[row : row + ROWS_AT_ONCE] @ right).toarray()
    return common


def _distance(
    common: NDArray[np.uint8], reference: NDArray[np.float64], estimate: NDArray[np.float64]
) -> NDArray[np.float64]:
    """1 minus the F-measure of chords, by the notes in common and the notes of each."""
    precision = common / estimate
    recall = common / reference
    return 1.0 - 2.0 * recall * precision / np.where(common == 0, 1.0, recall + precision)


def on_best_paths(table: Table, most: int) -> list[int]:
    """The cells that best alignments lead through, ascending; none when there are more than `most`."""
    found = {table.last}
    waiting = [table.last]
    while waiting:
        for before in table.sources(waiting.pop()):
            if before >= 0 and before not in found:
                found.add(before)
                waiting.append(before)
        if len(found) > most:
            return []
    return sorted(found)


def count(table: Table, cells: Sequence[int], most: int) -> int:
    """How many best alignments there are; some number above `most` when there are more.

    cells: `on_best_paths`
    """
    counts = {-table.columns - 1: 1}
    for cell in cells:
        counts[cell] = sum(counts[before] for before in table.sources(cell))
        if counts[cell] > most:
            return counts[cell]  # each of these ways goes on to the last cell
    return counts[table.last]


def alignments(table: Table) -> Iterator[Alignment]:
    """All best alignments, in the order of the reference implementation."""
    # Cells to go on from, each with the pairs after it: (pair, (pair, ...))
    waiting: list[tuple[int, Any]] = [(table.last, None)]
    while waiting:
        cell, pairs = waiting.pop()
        if cell < 0:
            yield list(unchained(pairs))
            continue
        for before in reversed(table.sources(cell)):
            paired = cell - before == table.columns + 1
            waiting.append((before, (divmod(cell, table.columns), pairs) if paired else pairs))


def unchained(pairs: Any) -> Iterator[Pair]:
    """The pairs of (pair, (pair, ... None))."""
    while pairs is not None:
        pair, pairs = pairs
        yield pair
