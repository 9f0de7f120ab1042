"""Until when notes sound: pedals hold them after their keys are up.

The damper pedal (controller 64) holds what sounds while it is down, the sostenuto pedal (66) what sounds when it goes
down. A pedal is down from level 64 on. A key that goes up at the moment at which a pedal goes down is not caught.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.notes import Control

DAMPER, SOSTENUTO = 64, 66
DOWN = 64
Times = NDArray[np.float64]


class Presses(NamedTuple):
    """When a pedal goes down and up, (presses,) each, seconds; the last may go up at infinity."""

    down: Times
    up: Times


def presses(controls: Iterable[Control], number: int) -> Presses:
    """controls: of one part, sorted by time"""
    down: list[float] = []
    up: list[float] = []
    for control in controls:
        if control.kind != "control" or control.number != number:
            continue
        pressed = len(down) > len(up)
        if control.value >= DOWN and not pressed:
            down.append(control.time_s)
        elif control.value < DOWN and pressed:
            up.append(control.time_s)
    up += [np.inf] * (len(down) - len(up))
    return Presses(np.array(down), np.array(up))


def until(onset: Times, offset: Times, damper: Presses, sostenuto: Presses) -> Times:
    """When the notes of one part are let go, (notes,), seconds; infinity where a pedal stays down.

    onset, offset: (notes,), seconds, of the keys
    """
    held = offset.copy()
    waiting = np.arange(len(held))
    while len(waiting):
        before = held[waiting]
        after = _later(before, np.full(len(waiting), -np.inf), damper)
        after = _later(after, onset[waiting], sostenuto)
        held[waiting] = after
        waiting = waiting[after > before]
    return held


def _later(time: Times, since: Times, pedal: Presses) -> Times:
    """When the last press that began before `time`, and after `since`, ends, if that is later."""
    if not len(pedal.down):
        return time
    last = np.searchsorted(pedal.down, time, side="left") - 1
    caught = (last >= 0) & (pedal.down[last] > since)
    return np.where(caught, np.maximum(time, pedal.up[last]), time)
