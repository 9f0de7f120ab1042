"""Numbers as score files write them, read without trusting their size."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import TypeVar

from clefkit.errors import InputError

TEMPO_RANGE = (5.0, 1200.0)  # quarters a minute; what lies outside is a slip of the pen
NUMBER = re.compile(r"\s*[+-]?\d{1,9}(\.\d{1,9})?\s*\Z", re.ASCII)
Key = TypeVar("Key")
Value = TypeVar("Value")
MOST_TICKS = 10**18


class Remembered(dict[Key, Value]):
    """What `make` makes of a key, made once. A dictionary answers several times as fast as a function."""

    def __init__(self, make: Callable[[Key], Value]) -> None:
        super().__init__()
        self.make = make

    def __missing__(self, key: Key) -> Value:
        value = self[key] = self.make(key)
        return value


def common(ticks: int, other: int) -> int:
    """The least common multiple of two numbers of ticks.

    raises: InputError when they are too many to count in; no program writes such lengths
    """
    found = math.lcm(ticks, other)
    if found > MOST_TICKS:
        raise InputError("note lengths that have no common measure: export it again")
    return found


@lru_cache(maxsize=4096)
def number(text: str | None) -> Fraction | None:
    """A plain decimal number of at most nine digits on each side of the point, exactly, or None."""
    return Fraction(text.strip()) if text and NUMBER.match(text) else None


@lru_cache(maxsize=4096)
def whole(text: str | None) -> int | None:
    """A whole number (what stands behind a point is dropped), or None."""
    value = number(text)
    return None if value is None else int(value)
