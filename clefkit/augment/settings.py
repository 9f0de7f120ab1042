"""What a preset may say of an effect, and how a number is drawn from it.

A number is given as itself or as a range `[low, high]`; a name as itself, as a pattern (`hall_*`) or as a list of these
to choose from. Numbers are drawn evenly, those whose key ends in `_hz` or `_s` evenly in logarithm, as ears count them.
Drawn numbers have four decimals, and those are the ones applied, so a record replays exactly: what was drawn, given as
a preset, draws itself.
"""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from clefkit.errors import InputError

if TYPE_CHECKING:
    from numpy.random import Generator

DECIMALS = 4
LOGARITHMIC = ("_hz", "_s")


class Number(NamedTuple):
    """A setting that is a number between `low` and `high`. Without a default it must be given."""

    low: float
    high: float
    default: float | None = None


class Name(NamedTuple):
    """A setting that is one of the names that `known()` returns. It must be given."""

    known: Callable[[], Collection[str]]


class Seed(NamedTuple):
    """A setting that is the seed of an effect's own chance: drawn, unless a record gives it."""


Setting = Number | Name | Seed
Table = Mapping[str, Setting]
MOST_SEED = 2**32


def draw(table: Table, given: Mapping[str, Any], rng: Generator) -> dict[str, Any]:
    """One value for every setting of the table, in its order.

    raises: InputError naming the key when something is unknown, missing or out of bounds
    """
    check(table, given)
    return {key: _draw_one(key, setting, given, rng) for key, setting in table.items()}


def check(table: Table, given: Mapping[str, Any]) -> None:
    """raises: InputError naming the key when something is unknown, missing or out of bounds"""
    for key in given:
        if key not in table:
            raise InputError(f"unknown key {key!r}: there are {', '.join(table)}")
    for key, setting in table.items():
        if isinstance(setting, Name):
            _names(key, setting, given)
        elif isinstance(setting, Seed):
            _seed(key, given)
        else:
            _range(key, setting, given)


def _draw_one(key: str, setting: Setting, given: Mapping[str, Any], rng: Generator) -> float | str:
    if isinstance(setting, Seed):
        seed = _seed(key, given)
        return int(rng.integers(MOST_SEED)) if seed is None else seed
    if isinstance(setting, Name):
        names = _names(key, setting, given)
        return names[int(rng.integers(len(names)))]
    low, high = _range(key, setting, given)
    if key.endswith(LOGARITHMIC) and low > 0:
        value = math.exp(rng.uniform(math.log(low), math.log(high)))
    else:
        value = rng.uniform(low, high)
    return round(min(max(value, low), high), DECIMALS)


def _range(key: str, setting: Number, given: Mapping[str, Any]) -> tuple[float, float]:
    value = given.get(key, setting.default)
    if value is None:
        raise InputError(f"{key} is missing: give a number or a range [low, high]")
    pair = list(value) if isinstance(value, list | tuple) else [value, value]
    if len(pair) != 2 or not all(_is_number(each) for each in pair) or pair[0] > pair[1]:
        raise InputError(f"{key} must be a number or a range [low, high], not {value!r}")
    if pair[0] < setting.low or pair[1] > setting.high:
        raise InputError(f"{key} must lie within {setting.low:g} and {setting.high:g}, not {value!r}")
    return float(pair[0]), float(pair[1])


def _seed(key: str, given: Mapping[str, Any]) -> int | None:
    value = given.get(key)
    if value is not None and not (type(value) is int and 0 <= value < MOST_SEED):
        raise InputError(f"{key} must be a whole number from 0 to {MOST_SEED - 1}, not {value!r}")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _meant(name: Any, known: Collection[str]) -> list[Any]:
    """The known names that a pattern stands for; what is no pattern, or fits none, as it is."""
    return (fnmatch.filter(sorted(known), name) if isinstance(name, str) else []) or [name]


def _names(key: str, setting: Name, given: Mapping[str, Any]) -> list[str]:
    if key not in given:
        raise InputError(f"{key} is missing: give a name or a list of names")
    value = given[key]
    known = setting.known()
    names = [each for name in (value if isinstance(value, list | tuple) else [value]) for each in _meant(name, known)]
    for name in names:
        if not isinstance(name, str) or name not in known:
            raise InputError(f"{key} {name!r} is not known: there are {', '.join(sorted(known))}")
    if not names:
        raise InputError(f"{key} is an empty list: name at least one of {', '.join(sorted(known))}")
    return names
