"""Offsets where the sound ends: the sustain pedal holds notes after their keys are up.

A pedal (controller 64) is down from level 64 on. A note whose key goes up while it is down, or at the moment it goes
down, sounds until it goes up or until the same key of the same part is struck again, whichever comes first; where the
pedal never goes up, until the last note or pedal of the file. So count Hawthorne et al. (Onsets and Frames, 2018), and
this is the rule of note_seq's `apply_sustain_control_changes`. Drums are never held.

Note JSON Lines say by themselves when a sound is let go (`sounding`); that, too, ends where the key is struck again.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clefkit import notes
from clefkit.notes import Notes, Performance

Seconds = NDArray[np.float64]

SUSTAIN = 64
DOWN = 64


def read(path: Path) -> Notes:
    """Read notes with the time at which their sound is let go (`sounding`), if the file says so.

    raises: InputError when it is no file of notes
    """
    if path.suffix.lower() == ".jsonl":
        return notes.read(path)
    from clefkit import midi

    return let_go(midi.read(path))


def let_go(performance: Performance) -> Notes:
    """The notes of a performance, `sounding` until its sustain pedals let them go."""
    found = performance.notes
    pedals = [control for control in performance.controls if (control.kind, control.number) == ("control", SUSTAIN)]
    drums = np.array([part.drums for part in found.parts], dtype=bool)[found.part]
    last = max([0.0, *found.offset[~drums].tolist(), *(control.time_s for control in pedals)])
    sounding = found.offset.copy()
    changes: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for control in pedals:
        changes[control.part].append((control.time_s, control.value < DOWN))
    for part, moves in changes.items():
        mine = (found.part == part) & ~drums
        times, goes_up = zip(*sorted(moves), strict=True)  # at one time, down comes before up
        sounding[mine] = _until(found.offset[mine], np.array(times), np.array(goes_up), last)
    return replace(found, sounding=sounding)


def heard(found: Notes) -> Notes:
    """The notes, each with its offset where its sound ends; notes that do not say when keep their offset."""
    if found.sounding is None or not len(found):
        return found
    order = np.lexsort((found.onset, found.pitch, found.part))
    onset, pitch, part = found.onset[order], found.pitch[order], found.part[order]
    # the first later note of the same key: past all notes of this very onset
    new = np.append((np.diff(onset) > 0) | (np.diff(pitch) != 0) | (np.diff(part) != 0), True)
    following = np.minimum.accumulate(np.where(new, np.arange(1, len(order) + 1), len(order))[::-1])[::-1]
    again = np.minimum(following, len(order) - 1)
    same = (following < len(order)) & (pitch[again] == pitch) & (part[again] == part)
    struck = np.empty(len(order))
    struck[order] = np.where(same, onset[again], np.inf)
    return replace(found, offset=np.maximum(found.offset, np.minimum(found.sounding, struck)))


def _until(offset: Seconds, times: Seconds, goes_up: NDArray[np.bool_], last: float) -> Seconds:
    """Until when notes with these offsets are held by one pedal. times, goes_up: its changes, sorted; last: the end"""
    latest = np.searchsorted(times, offset, side="right") - 1
    held = (latest >= 0) & ~goes_up[latest]
    ups = times[goes_up]
    return np.where(held, np.append(ups, last)[np.searchsorted(ups, offset)], offset)
