"""The numbers that decide what becomes a note. They belong to a checkpoint and were chosen on its validation set."""

from __future__ import annotations

from typing import Any, NamedTuple

from clefkit.errors import InputError


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


def told(table: Any, name: str) -> Thresholds:
    """Thresholds as the config of checkpoint `name` has them. Raises InputError when it hasn't."""
    needed = [name for name in Thresholds._fields if name not in Thresholds._field_defaults]
    try:
        found = Thresholds(**{name: float(value) for name, value in table.items()})
        if all(0 <= value <= 1 for value in found):
            return found
    except (TypeError, ValueError, AttributeError):
        pass
    optional = ", ".join(Thresholds._field_defaults)
    raise InputError(
        f"the config.toml of {name}: [thresholds] must have {', '.join(needed)}, may have {optional}, from 0 to 1"
    )


def moved(thresholds: Thresholds, amount: float) -> Thresholds:
    """Thresholds for more notes or fewer.

    amount: 0 to 1; .5 is as they are, more is fewer notes. The odds of what begins a note are multiplied by the odds
        of `amount`: so 0 moves these thresholds to 0, 1 moves them to 1, and none leaves this range
    """

    def odds(value: float) -> float:
        up, down = value * amount, (1 - value) * (1 - amount)
        return round(up / (up + down), 6) if up + down > 0 else amount

    begins = ("onset", "again", "ghost", "legato")
    return thresholds._replace(**{name: odds(getattr(thresholds, name)) for name in begins if amount != 0.5})
