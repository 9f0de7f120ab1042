"""critique.corrupt: counting does not tell what was spoilt. See `audit` for what is counted, and by whom."""

from __future__ import annotations

import audit
import numpy as np
import pytest
from numpy.random import Generator

from clefkit.critique.corrupt import DURATION, KINDS, ONSET, PITCH, VELOCITY, Table, corrupt, settled

EACH = 12  # windows of every piece: 672 real ones, and as many spoilt
CEILINGS = {
    "shuffle": 0.60,
    "off-key": 0.60,
    "noise": 0.60,
    "rhythm": 0.68,  # it reaches .63: which steps follow each other is rhythm, and can be counted
    "stray": 0.995,  # it reaches .99: notes that come in anywhere leave the pulse
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def windows() -> list[list[Table]]:
    return audit.windows(audit.works(), EACH, np.random.default_rng(1))


@pytest.mark.parametrize("kind", KINDS)
def test_counting_does_not_tell(kind: str, windows: list[list[Table]]) -> None:
    def spoil(notes: Table, generator: Generator) -> Table:
        severity = float(generator.uniform(0.1, 1.0 if kind == "shuffle" else 0.5))
        return corrupt(notes, kind, severity, generator).notes

    found = audit.audit(windows, spoil, 0)
    print(f"{kind}: AUC {found.auc:.3f} +- {found.error:.3f}, {found.windows} windows")  # noqa: T201 for `pytest -s`
    assert found.error < 0.03
    assert found.auc <= CEILINGS[kind]


def cut_and_shuffled(notes: Table, generator: Generator) -> Table:
    """Pieces of 2 s in another order, as published: what sounds is cut at every seam, and struck again."""
    length = 2000
    start = notes[0, ONSET]
    rows = []
    for onset, duration, pitch, velocity in notes.tolist():
        now, end = onset - start, min(onset - start + duration, 5 * length)
        while now < end:
            until = min(end, (now // length + 1) * length)
            rows.append((now, until - now, pitch, velocity))
            now = until
    found = np.array(rows, np.int32)
    order = generator.permutation(5)
    found[:, ONSET] += (order[found[:, ONSET] // length] * length - found[:, ONSET] // length * length).astype(np.int32)
    return settled(found[np.lexsort((found[:, PITCH], found[:, ONSET]))])


def with_extra_notes(notes: Table, generator: Generator) -> Table:
    """A fifth more notes than there are, as published: of any pitch, length and loudness."""
    count = len(notes) // 5 + 1
    new = np.empty((count, 4), np.int32)
    new[:, ONSET] = generator.integers(notes[0, ONSET], notes[-1, ONSET] + 1, count)
    new[:, DURATION] = generator.integers(50, 1000, count)
    new[:, PITCH] = generator.integers(notes[:, PITCH].min(), notes[:, PITCH].max() + 1, count)
    new[:, VELOCITY] = generator.integers(40, 100, count)
    found = np.concatenate([notes, new])
    return settled(found[np.lexsort((found[:, PITCH], found[:, ONSET]))])


def without_last_step(notes: Table, generator: Generator) -> Table:
    """Not spoilt at all, but its ends are rounded to another grid than those of real music."""
    found = settled(notes)
    found[:, DURATION] = np.maximum(found[:, DURATION] // 10 * 10, 1)
    return found


@pytest.mark.parametrize("leaky", [cut_and_shuffled, with_extra_notes, without_last_step])
def test_counting_tells_what_leaks(leaky: audit.Spoil, windows: list[list[Table]]) -> None:
    found = audit.audit(windows, leaky, 0)
    assert found.auc > 0.8


def test_counting_tells_nothing_from_itself(windows: list[list[Table]]) -> None:
    found = audit.audit(windows, lambda notes, _: settled(notes), 0)
    assert found.auc == pytest.approx(0.5, abs=0.02)
