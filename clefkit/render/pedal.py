"""The sustain pedal of a score as controller 64."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import numpy as np

from clefkit.notation.model import Score
from clefkit.notation.unfold import Visit
from clefkit.notes import Control
from clefkit.render.clock import Clock

SUSTAIN = 64
GAP_S = 0.06


def controls(score: Score, clock: Clock, visits: list[Visit]) -> tuple[Control, ...]:
    """A change lifts and presses again shortly after; no pedal is held over a jump or past the end."""
    if not score.pedals:
        return ()
    content: dict[int, list[int]] = defaultdict(list)
    for index, pedal in enumerate(score.pedals):
        content[pedal.measure].append(index)
    found: list[Control] = []
    down: set[int] = set()
    for visit in visits:
        if visit.leaps:
            found += _lifted(_seconds(clock, visit.start), down)
            down.clear()
        for index in content[visit.measure]:
            pedal = score.pedals[index]
            press = now = _seconds(clock, pedal.onset + visit.shift)
            if pedal.part in down:
                found += _lifted(now, {pedal.part})
                down.remove(pedal.part)
                press = now + GAP_S
            if pedal.kind != "up":
                found.append(Control(press, pedal.part, "control", SUSTAIN, 127))
                down.add(pedal.part)
    last = visits[-1]
    found += _lifted(_seconds(clock, last.start + score.measures[last.measure].length), down)
    return tuple(sorted(found, key=lambda control: control.time_s))


def _seconds(clock: Clock, quarters: Fraction) -> float:
    return float(clock.seconds(np.array([float(quarters)]))[0])


def _lifted(time_s: float, parts: set[int]) -> list[Control]:
    """The pedals of `parts` go up."""
    return [Control(time_s, part, "control", SUSTAIN, 0) for part in sorted(parts)]
