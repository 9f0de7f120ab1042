"""A trial of critics: real excerpts, spoilt twins, harmless twins; and what a critic's scores on them amount to.

Each excerpt has a twin of each kind of corruption at each of five severities, and one of each harmless kind. Any critic
can be tried: what it needs to give is a score for each case, higher for what is more like music.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.stats import rankdata

from clefkit.critique.corrupt import DURATION, KINDS, ONSET, PITCH, Table, corrupt, settled
from clefkit.train import spoil
from clefkit.train.pieces import Piece

SEVERITIES = (0.1, 0.2, 0.35, 0.5, 0.75)
EXCERPT_MS = 30_000
LEAST_NOTES = 24
REAL = "real"


class Case(NamedTuple):
    """excerpt: which real one it is, or was made from; group: its collection and domain
    kind: "real", one of corrupt.KINDS or of HARMLESS; changed: (notes,), of a spoilt one
    """

    excerpt: int
    group: str
    kind: str
    severity: float
    notes: Table
    changed: NDArray[np.bool_]


def transposed(notes: Table, generator: Generator) -> Table:
    """By one to six semitones up or down, as far as the piano reaches."""
    low, high = 21 - int(notes[:, PITCH].min()), 108 - int(notes[:, PITCH].max())
    choice = [by for by in range(-6, 7) if by and low <= by <= high]
    result = notes.copy()
    result[:, PITCH] += int(generator.choice(choice)) if choice else 0
    return result


def in_tempo(notes: Table, generator: Generator) -> Table:
    """Up to a fifth slower or a quarter faster."""
    factor = 2 ** generator.uniform(-0.32, 0.32)
    result = notes.copy()
    result[:, ONSET] = np.rint(notes[:, ONSET] * factor)
    result[:, DURATION] = np.maximum(1, np.rint(notes[:, DURATION] * factor))
    return result


def doubled(notes: Table, generator: Generator) -> Table:
    """The highest or the lowest notes again, an octave further out."""
    top = bool(generator.random() < 0.5)
    line = notes[spoil.line(notes, top=top)]
    line[:, PITCH] += 12 if top else -12
    return ordered(np.concatenate([notes, line[(line[:, PITCH] >= 21) & (line[:, PITCH] <= 108)]]))


def struck_again(notes: Table, generator: Generator) -> Table:
    """A tenth of the notes as two of half the length."""
    chosen = (generator.random(len(notes)) < 0.1) & (notes[:, DURATION] > 200)
    first, second = notes.copy(), notes[chosen].copy()
    half = second[:, DURATION] // 2
    first[chosen, DURATION] = half - 10
    second[:, ONSET] += half
    second[:, DURATION] -= half
    return ordered(np.concatenate([first, second]))


def misheard(notes: Table, generator: Generator) -> Table:
    """As a transcriber has it: 5 % missed, 1 % an octave off, times shaken by 15 ms, ends by a fifth, loudness flat."""
    kept = notes[generator.random(len(notes)) >= 0.05].copy()
    kept[:, ONSET] += np.rint(generator.normal(0, 15, len(kept))).astype(np.int32)
    kept[:, DURATION] = np.maximum(20, kept[:, DURATION] * np.exp(generator.normal(0, 0.2, len(kept))))
    kept[:, PITCH] += 12 * (generator.random(len(kept)) < 0.01) * generator.choice([-1, 1], len(kept))
    kept[:, 3] = 80
    return ordered(kept)


HARMLESS: dict[str, Callable[[Table, Generator], Table]] = {
    "transposed": transposed,
    "tempo": in_tempo,
    "octaves": doubled,
    "restrikes": struck_again,
    "misheard": misheard,
}


def ordered(notes: Table) -> Table:
    """From time 0 on, in order of onset, then pitch."""
    notes = notes[np.lexsort((notes[:, PITCH], notes[:, ONSET]))]
    notes[:, ONSET] -= notes[0, ONSET]
    return notes


def cases(
    pieces: Sequence[Piece], split: str, most: int, seed: int, *, excerpt_ms: int = EXCERPT_MS, harmless: bool = True
) -> list[Case]:
    """Cases of up to `most` excerpts for each collection and domain of a split, no more than needed from one work."""
    found: list[Case] = []
    groups = sorted({(piece.collection, piece.domain) for piece in pieces if piece.split == split})
    number = 0
    for collection, domain in groups:
        generator = np.random.default_rng([seed, *f"{collection} {domain}".encode()])
        mine = [each for each in pieces if (each.collection, each.domain, each.split) == (collection, domain, split)]
        chosen = [mine[index] for index in generator.permutation(len(mine))]
        rounds = chosen * (most // len(chosen) + 1) if chosen else []
        for piece in rounds[:most]:
            notes = spoil.cut(piece.notes, excerpt_ms, generator)
            if len(notes) >= LEAST_NOTES:
                found += _excerpt(number, f"{collection} {domain}", ordered(notes), generator, harmless=harmless)
                number += 1
    return found


def _excerpt(number: int, group: str, notes: Table, generator: Generator, *, harmless: bool) -> list[Case]:
    none = np.zeros(len(notes), dtype=bool)
    found = [Case(number, group, REAL, 0.0, settled(notes), none)]
    for kind in KINDS:
        for severity in SEVERITIES:
            spoilt = corrupt(notes, kind, severity, generator)
            found.append(Case(number, group, kind, severity, spoilt.notes, spoilt.changed))
    if harmless:
        made = {name: settled(make(notes, generator)) for name, make in HARMLESS.items()}
        found += [Case(number, group, name, 0.0, each, np.zeros(len(each), dtype=bool)) for name, each in made.items()]
    return found


class Figures(NamedTuple):
    """Of one kind of corruption, over severities.

    auc: against real excerpts; paired: the twin scores less than its excerpt; caught: scores less than the threshold;
    caught_10: the same at a severity of .1; spearman: of score and severity within an excerpt (real ones included),
    negated, on average
    """

    auc: float
    paired: float
    caught: float
    caught_10: float
    spearman: float


def figures(tried: Sequence[Case], scores: NDArray[np.float64], threshold: float) -> dict[str, Figures]:
    """By kind."""
    kinds = np.array([case.kind for case in tried])
    excerpt = np.array([case.excerpt for case in tried])
    severity = np.array([case.severity for case in tried])
    real = kinds == REAL
    of_real = dict(zip(excerpt[real].tolist(), scores[real].tolist(), strict=True))
    found = {}
    for kind in KINDS:
        mine = kinds == kind
        partner = np.array([of_real[each] for each in excerpt[mine].tolist()])
        mild = mine & (severity == SEVERITIES[0])
        found[kind] = Figures(
            auc(scores[real], scores[mine]),
            float(np.mean((scores[mine] < partner) + 0.5 * (scores[mine] == partner))),
            float(np.mean(scores[mine] < threshold)),
            float(np.mean(scores[mild] < threshold)),
            _within(excerpt, severity, scores, mine | real),
        )
    return found


def kept(tried: Sequence[Case], scores: NDArray[np.float64], threshold: float) -> dict[str, float]:
    """The share of real excerpts, and of each harmless kind, that reach the threshold."""
    kinds = np.array([case.kind for case in tried])
    names = [name for name in (REAL, *HARMLESS) if name in kinds]
    return {name: float(np.mean(scores[kinds == name] >= threshold)) for name in names}


def auc(better: NDArray[np.float64], worse: NDArray[np.float64]) -> float:
    """The chance that one of the better has a higher score than one of the worse."""
    ranks = rankdata(np.concatenate([worse, better]))
    above = ranks[len(worse) :].sum() - len(better) * (len(better) + 1) / 2
    return float(above / (len(better) * len(worse)))


def _within(
    excerpt: NDArray[np.int64], severity: NDArray[np.float64], scores: NDArray[np.float64], mine: NDArray[np.bool_]
) -> float:
    found = []
    for number in np.unique(excerpt[mine]):
        these = mine & (excerpt == number)
        if np.ptp(scores[these]) > 0:
            found.append(-float(np.corrcoef(rankdata(severity[these]), rankdata(scores[these]))[0, 1]))
        else:
            found.append(0.0)
    return float(np.mean(found))


def note_f1(tried: Sequence[Case], marks: Sequence[NDArray[np.float32]], threshold: float, kind: str) -> float:
    """F-measure of changed notes, over all notes of all twins of a kind. marks: for each case, (notes,), 0 to 1"""
    hit = said = wanted = 0
    for case, mark in zip(tried, marks, strict=True):
        if case.kind == kind:
            named = mark >= threshold
            hit += int((named & case.changed).sum())
            said += int(named.sum())
            wanted += int(case.changed.sum())
    return 2 * hit / max(1, said + wanted)


def drops(tried: Sequence[Case], p_real: NDArray[np.float64]) -> dict[str, float]:
    """By harmless kind, the mean of what P(real) changes by."""
    real = {case.excerpt: value for case, value in zip(tried, p_real.tolist(), strict=True) if case.kind == REAL}
    found: dict[str, list[float]] = {}
    for case, value in zip(tried, p_real.tolist(), strict=True):
        if case.kind in HARMLESS:
            found.setdefault(case.kind, []).append(value - real[case.excerpt])
    return {name: float(np.mean(each)) for name, each in found.items()}
