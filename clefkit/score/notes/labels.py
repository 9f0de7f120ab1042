"""What became of each note, for those who want to see or hear it: hit, missed, false, or an octave off."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.notes import Notes
from clefkit.score.notes import sides
from clefkit.score.notes.pairs import Pairs, agreeing
from clefkit.score.notes.protocols import Rule, rule

HIT, MISSED, FALSE, OCTAVE = "hit", "missed", "false", "octave"
WIDTH = "<U6"  # the longest of these
SEMITONES = 12.0
MOST_OCTAVES = 10


class Labels(NamedTuple):
    """reference: (ref notes,), "hit" or "missed"; estimate: (est notes,), "hit", "false" or "octave": a false note
    that begins with a missed one some octaves away; pairs: (pairs, 2), indices of the notes that belong together on the
    two sides, hits and octave errors, each note at most once"""

    reference: NDArray[np.str_]
    estimate: NDArray[np.str_]
    pairs: NDArray[np.int64]


def labels(reference: Notes, estimate: Notes, protocol: str = "mirex") -> Labels:
    """Label all notes, by onset and pitch as `note_f1` counts them, drums by onset and key.

    raises: InputError when a note is impossible; UsageError when there is no such protocol
    """
    given = rule(protocol)
    sides.check(reference, "the reference")
    sides.check(estimate, "the estimate")
    drums, drums_found = sides.of_drums(reference), sides.of_drums(estimate)
    pairs = agreeing(reference, estimate, given)
    hits = pairs.where(drums[pairs.reference] == drums_found[pairs.estimate]).largest()
    missed, false = np.ones(len(reference), bool), np.ones(len(estimate), bool)
    missed[hits.reference] = false[hits.estimate] = False
    octaves = _octaves(reference, estimate, missed & ~drums, false & ~drums_found, given)
    of_estimate = np.where(false, FALSE, HIT).astype(WIDTH)
    of_estimate[octaves.estimate] = OCTAVE
    both = np.stack([np.concatenate(ends) for ends in zip(hits, octaves, strict=True)], axis=1)
    return Labels(np.where(missed, MISSED, HIT), of_estimate, both[np.argsort(both[:, 0])])


def _octaves(
    reference: Notes, estimate: Notes, missed: NDArray[np.bool_], false: NDArray[np.bool_], given: Rule
) -> Pairs:
    """Missed and false notes that differ by octaves only, each used once."""
    found: list[Pairs] = []
    for octaves in (*range(-MOST_OCTAVES, 0), *range(1, MOST_OCTAVES + 1)):
        pairs = agreeing(reference, replace(estimate, pitch=estimate.pitch + SEMITONES * octaves), given)
        found.append(pairs.where(missed[pairs.reference] & false[pairs.estimate]))
    left, right = (np.concatenate(ends) for ends in zip(*found, strict=True))
    order = np.lexsort((right, left))
    return Pairs(left[order], right[order]).largest()
