"""What of a note can be heard: whether it is there at all, and when it has died away.

A score says when a key goes up; a plucked string may have died long before, and a soft note under a loud chord is there
for nobody. Targets follow the sound: measured on each part by itself, in the resolved energies of `features`, at the
note's first partials.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from clefkit import features
from clefkit.notes import Notes, take

Array = NDArray[np.float32]

PARTIALS = np.rint(36 * np.log2(np.arange(1, 7))).astype(int)  # in bins above the first
DIED_DB = -40.0  # below the note's peak, as `heldout_sounds` has it
MASKED_DB = -20.0  # below the mix, at every partial
SILENT_DB = -52.0  # below the loudest note of the recording
ATTACK_FRAMES = 14
NEAR = np.array([-1, 0, 1])  # bins: recordings are tuned by up to half a semitone, and tones have vibrato


def audible(notes: Notes, part: Array, mix: Array, loudest: float) -> Notes:
    """The notes of one part that can be heard in the mix, each until it has died away.

    part, mix: (frames, bins), energies, as `features.resolved` gives them
    loudest: energy of the loudest partial in the recording
    """
    kept = np.zeros(len(notes), dtype=bool)
    offset = notes.offset.copy()
    for index in range(len(notes)):
        bins = 3 * (round(notes.pitch[index]) - features.LOWEST_PITCH) + 1 + PARTIALS
        near = bins[(bins >= 1) & (bins < features.BINS - 1), None] + NEAR
        first = min(round(notes.onset[index] * features.FRAMES_PER_SECOND), len(part) - 1)
        last = max(first + 1, min(len(part), int(notes.offset[index] * features.FRAMES_PER_SECOND) + 1))
        beginning = slice(first, min(first + ATTACK_FRAMES, len(part)))
        mine, all_of_it = (energies[beginning][:, near].sum(axis=2) for energies in (part, mix))
        ratio = (mine / np.maximum(all_of_it, 1e-12))[mine > mine.max() * 1e-3] if mine.max() > 0 else np.zeros(1)
        kept[index] = mine.max() > loudest * 10 ** (SILENT_DB / 10) and ratio.max() > 10 ** (MASKED_DB / 10)
        course = part[first:last][:, near[:3]].sum(axis=(1, 2))
        sounding = np.flatnonzero(course >= course.max() * 10 ** (DIED_DB / 10))
        if len(sounding) and sounding[-1] < last - first - 3:
            offset[index] = (first + sounding[-1] + 0.5) / features.FRAMES_PER_SECOND
    longest = np.maximum(offset, notes.onset + 0.04)
    return take(replace(notes, offset=np.minimum(longest, np.maximum(notes.offset, notes.onset + 0.04))), kept)
