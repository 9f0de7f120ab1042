"""The numbers that decide what becomes a note. They belong to a checkpoint and were chosen on its validation set."""

from __future__ import annotations

from typing import NamedTuple


class Thresholds(NamedTuple):
    """Between 0 and 1, on the outputs of the network.

    onset: a peak at least this high begins a note
    again: the same, while the pitch already sounds
    frame: how high the frame output has to be soon after the onset
    sustain: a note sounds while the frame output is at least this high
    offset: a peak of the offset output at least this high may end a note
    ghost: an onset has to be this high where an overtone of a stronger one that begins with it would be; 0 is never
    dip: while the pitch sounds, `onset` is enough if the frame output dips by more than this before; 1 is never
    legato: a frame output that rises to this and stays there begins a note without an onset; 1 is never
    """

    onset: float
    again: float
    frame: float
    sustain: float
    offset: float = 0.3
    ghost: float = 0.0
    dip: float = 1.0
    legato: float = 1.0


def moved(thresholds: Thresholds, amount: float) -> Thresholds:
    """Thresholds for more notes or fewer.

    amount: 0 to 1: .5 is as they are, more is fewer notes. The odds of what begins a note are multiplied by the odds
        of `amount`, so 0 moves every threshold to 0, 1 to 1, and none leaves this range
    """

    def odds(value: float) -> float:
        up, down = value * amount, (1 - value) * (1 - amount)
        return up / (up + down) if up + down > 0 else amount

    onset, again, ghost, legato = map(odds, (thresholds.onset, thresholds.again, thresholds.ghost, thresholds.legato))
    return thresholds._replace(onset=onset, again=again, ghost=ghost, legato=legato)
