"""Cases of a trial as they sound: played by a soundfont, transcribed again. For the calibration of recordings."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from clefkit import notes, render, transcribe
from clefkit.critique import table
from clefkit.critique.corrupt import settled
from clefkit.critique.table import DURATION, ONSET, PITCH, VELOCITY, Table
from clefkit.train.trial import REAL, Case

RATE = 22_050
LEAST_NOTES = 8
SEVERITY = 0.35  # of the twins that are played


def transcribed(cases: Sequence[Case], font: Path, most: int, jobs: int) -> list[Case]:
    """The real and the spoilt cases of some excerpts as a transcriber hears them; `changed` is lost.

    most: excerpts, evenly from all
    """
    excerpts = sorted({case.excerpt for case in cases})
    step = max(1, len(excerpts) // most)
    wanted = set(excerpts[::step][:most])
    chosen = [case for case in cases if case.excerpt in wanted and (case.kind == REAL or case.severity == SEVERITY)]
    with ProcessPoolExecutor(jobs) as pool:
        heard = list(pool.map(partial(through_sound, font=font), [case.notes for case in chosen]))
    return [
        case._replace(notes=found, changed=np.zeros(len(found), dtype=bool))
        for case, found in zip(chosen, heard, strict=True)
        if len(found) >= LEAST_NOTES
    ]


def through_sound(played: Table, font: Path) -> Table:
    """What `transcribe` hears of notes that a piano of the soundfont plays."""
    onset = played[:, ONSET] / 1000
    made = notes.make(onset, onset + played[:, DURATION] / 1000, played[:, PITCH], played[:, VELOCITY])
    sound, _ = render.sound(notes.Performance(made), font, RATE)
    found = table.columns(transcribe.notes(sound.samples, sound.rate, instruments=1))
    return settled(found) if len(found) else found
