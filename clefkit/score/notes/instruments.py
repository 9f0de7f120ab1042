"""Who plays what: notes that count only on the right instrument, and instrument by instrument.

`multi_*` is the multi-instrument F1 of MT3 (Gardner et al., MT3: Multi-Task Multitrack Music Transcription, 2022; its
"onset + offset + program F1"): a note is right when onset, pitch, offset and program are, a drum stroke when onset and
key are; right ones are pooled over all programs. `multi_class_*` compares General MIDI classes, of eight programs each
(MT3's granularity "midi_class"), `multi_flat_*` no programs at all ("flat"). Two differences: all drum kits are one
instrument, whatever their program, and notes of no length count.

`instruments` tells each class apart, and the drums: "f1" by onset and pitch, "offset_f1" with offsets. Their macro mean
weighs all that occur on either side the same, so an instrument that was made up costs as much as one that was missed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clefkit.notes import Notes
from clefkit.score.notes.pairs import Pairs, Ratios, ratios
from clefkit.score.notes.sides import Side

CLASSES = (
    *("piano", "chromatic percussion", "organ", "guitar", "bass", "strings", "ensemble", "brass"),
    *("reed", "pipe", "synth lead", "synth pad", "synth effects", "ethnic", "percussive", "sound effects"),
)
SIZE = 8
DRUMS = "drums"


def multi(reference: Side, estimate: Side, by_offset: Pairs, strokes: int) -> dict[str, Ratios]:
    """MT3's F1 at its three granularities.

    by_offset: pairs of pitched notes that agree in onset, pitch and offset; strokes: drum strokes that are right
    """
    found = {}
    for name, size in (("multi", 1), ("multi_class", SIZE), ("multi_flat", len(CLASSES) * SIZE)):
        mine, yours = (_programs(side.pitched) // size for side in (reference, estimate))
        right = by_offset.where(mine[by_offset.reference] == yours[by_offset.estimate]).largest()
        expected, estimated = (len(side.pitched) + len(side.drums) for side in (reference, estimate))
        found[name] = ratios(len(right.reference) + strokes, expected, estimated)
    return found


def each(reference: Side, estimate: Side, by_onset: Pairs, by_offset: Pairs, strokes: int) -> dict[str, Any]:
    """{"instruments": {class: {"f1", "offset_f1", "ref_notes", "est_notes"}}, "instrument_macro_f1"}

    by_onset: pairs of pitched notes that agree in onset and pitch; the rest as in `multi`
    """
    mine, yours = (_programs(side.pitched) // SIZE for side in (reference, estimate))
    expected, estimated = (np.bincount(side, minlength=len(CLASSES)).tolist() for side in (mine, yours))
    right = [_right(mine, yours, pairs) for pairs in (by_onset, by_offset)]
    found: dict[str, dict[str, Any]] = {}
    for index, name in enumerate(CLASSES):
        if expected[index] or estimated[index]:
            f1, offset_f1 = (ratios(side[index], expected[index], estimated[index]).f1 for side in right)
            counts = {"ref_notes": expected[index], "est_notes": estimated[index]}
            found[name] = {"f1": f1, "offset_f1": offset_f1, **counts}
    if len(reference.drums) or len(estimate.drums):
        f1 = ratios(strokes, len(reference.drums), len(estimate.drums)).f1
        found[DRUMS] = {"f1": f1, "ref_notes": len(reference.drums), "est_notes": len(estimate.drums)}
    mean = sum(one["f1"] for one in found.values()) / max(len(found), 1)
    return {"instrument_macro_f1": mean, "instruments": found}


def _right(mine: NDArray[np.int64], yours: NDArray[np.int64], pairs: Pairs) -> list[int]:
    """How many notes of each class are right."""
    right = pairs.where(mine[pairs.reference] == yours[pairs.estimate]).largest()
    counts: list[int] = np.bincount(mine[right.reference], minlength=len(CLASSES)).tolist()
    return counts


def _programs(notes: Notes) -> NDArray[np.int64]:
    return np.array([part.program for part in notes.parts], dtype=np.int64)[notes.part]
