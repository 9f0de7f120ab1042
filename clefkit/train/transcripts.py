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
SEVERITIES = (0.1, 0.35)  # of the twins that are played
TWINS_OF = 3  # every third excerpt's twins are played, too
PROGRAMS = (0, 19, 0, 48, 24, 0, 73, 6, 52, 40, 0, 71, 56)  # of General MIDI: what plays an excerpt, in turn


def transcribed(cases: Sequence[Case], font: Path, most: int, jobs: int) -> list[Case]:
    """Real cases, and the spoilt ones of some, as a transcriber hears them; `changed` is lost.

    most: excerpts, evenly from all
    """
    excerpts = sorted({case.excerpt for case in cases})
    most = min(most, len(excerpts))
    wanted = [excerpts[number * len(excerpts) // most] for number in range(most)]
    twins = set(wanted[::TWINS_OF])
    program = {excerpt: PROGRAMS[number % len(PROGRAMS)] for number, excerpt in enumerate(wanted)}
    chosen = [
        case
        for case in cases
        if case.excerpt in program and (case.kind == REAL or (case.excerpt in twins and case.severity in SEVERITIES))
    ]
    with ProcessPoolExecutor(jobs) as pool:
        programs = [program[case.excerpt] for case in chosen]
        heard = list(pool.map(partial(through_sound, font=font), [case.notes for case in chosen], programs))
    return [
        case._replace(notes=found, changed=np.zeros(len(found), dtype=bool))
        for case, found in zip(chosen, heard, strict=True)
        if len(found) >= LEAST_NOTES
    ]


def through_sound(played: Table, program: int, font: Path) -> Table:
    """What `transcribe` hears of notes that an instrument of the soundfont plays."""
    onset = played[:, ONSET] / 1000
    end = onset + played[:, DURATION] / 1000
    part = np.zeros(len(played), np.int64)
    made = notes.make(onset, end, played[:, PITCH], played[:, VELOCITY], part, (notes.Part("", program),))
    sound, _ = render.sound(notes.Performance(made), font, RATE)
    found = table.columns(transcribe.notes(sound.samples, sound.rate, instruments=1, names="none"))
    return settled(found) if len(found) else found
