"""Drum strokes: precision, recall and F-measure by onset and key, offsets never count.

A key is that of General MIDI's percussion map, so an open and a closed hi-hat are different, as in MT3 (Gardner et al.,
2022). `drum_class_f1` knows five classes, as ADTOF does (Zehren, Alunno and Bientinesi, ADTOF: A large dataset of
non-synthetic music for automatic drum transcription, 2021); keys that belong to none (tambourine, cowbell, congas ...)
are left out on both sides.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from clefkit.notes import Notes, take
from clefkit.score.notes.pairs import Ratios, agreeing, ratios
from clefkit.score.notes.protocols import Rule

CLASSES = {
    "kick": (35, 36),
    "snare": (37, 38, 39, 40),  # side stick and hand clap, too
    "tom": (41, 43, 45, 47, 48, 50),
    "hi-hat": (42, 44, 46),
    "cymbal": (49, 51, 52, 53, 55, 57, 59),  # crash, ride, china, splash
}


def right(reference: Notes, estimate: Notes, rule: Rule) -> int:
    """How many strokes are right in onset and key."""
    return len(agreeing(reference, estimate, rule).largest().reference)


def by_class(reference: Notes, estimate: Notes, rule: Rule) -> Ratios | None:
    """The same by class, None where neither side has a stroke of one."""
    expected, found = _in_classes(reference), _in_classes(estimate)
    if not len(expected) and not len(found):
        return None
    return ratios(right(expected, found, rule), len(expected), len(found))


def _in_classes(drums: Notes) -> Notes:
    """The strokes that have a class, with its number for a pitch."""
    table = np.full(128, -1)
    for number, members in enumerate(CLASSES.values()):
        table[list(members)] = number
    keys = np.rint(drums.pitch).astype(np.int64)
    known = np.where((keys >= 0) & (keys < len(table)), table[np.clip(keys, 0, len(table) - 1)], -1)
    return take(replace(drums, pitch=known.astype(np.float64)), known >= 0)
