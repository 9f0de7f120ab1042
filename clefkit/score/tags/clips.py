"""Clips as they are told of, checked; and which of the truth are which of the findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from clefkit.errors import InputError
from clefkit.score.kinds import SOUND

MOST_CLIPS = 250_000
MOST_TAGS = 1000  # of a clip
MOST_SEGMENTS = 2000
LONGEST_NAME = 500
LONGEST_S = 1_000_000.0
LOUDEST_DB = 300.0


class Segment(NamedTuple):
    """onset, offset: seconds"""

    tag: str
    onset: float
    offset: float


class Clip(NamedTuple):
    """What is told of one clip.

    place: where, for people: "line 3"
    tags: probabilities; is_list: what is not among them is 0, in the truth, too
    segments: None when nothing is said of them
    gains_db: relative to the mix
    """

    place: str
    file: str
    tags: dict[str, float]
    is_list: bool
    segments: tuple[Segment, ...] | None = None
    gains_db: Mapping[str, float] = {}


def checked(clips: Iterable[Mapping[str, Any]]) -> list[Clip]:
    """raises: InputError that says the how manieth clip is wrong"""
    return distinct(clip(each, f"clip {number}") for number, each in enumerate(clips, start=1))


def distinct(clips: Iterable[Clip]) -> list[Clip]:
    """The clips, none of which may be told twice; there must be one."""
    known: dict[str, Clip] = {}
    for each in clips:
        if each.file in known:
            raise InputError(f"{each.place}: {each.file} was told of before, in {known[each.file].place}")
        known[each.file] = each
        if len(known) > MOST_CLIPS:
            raise InputError(f"more than {MOST_CLIPS:,} clips")
    if not known:
        raise InputError("tells of no clip")
    return list(known.values())


def clip(data: object, place: str) -> Clip:
    """A clip from plain data. Raises InputError when it is of another form."""
    if not isinstance(data, Mapping):
        raise InputError(f'{place} is no clip: write {{"file": ..., "tags": {{...}}}}')
    file = _name(data.get("file"), "file", place)
    segments = None if data.get("segments") is None else _segments(data["segments"], place)
    told = data.get("tags")
    if told is None and segments is not None:
        told = sorted({segment.tag for segment in segments})
    if isinstance(told, list | tuple):
        if len(told) > MOST_TAGS:
            raise InputError(f"{place}: more than {MOST_TAGS:,} tags")
        tags = dict.fromkeys((_name(tag, "tag", place) for tag in told), 1.0)
    else:
        tags = _numbers(told, 0.0, 1.0, "tags", place)
    gains = _numbers(data.get("gains_db") or {}, -LOUDEST_DB, LOUDEST_DB, "gains_db", place)
    return Clip(place, file, tags, isinstance(told, list | tuple), segments, gains)


def _name(value: object, what: str, place: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME:
        raise InputError(f"{place}: `{what}` is no name of at most {LONGEST_NAME} characters")
    return value


def _number(value: object, low: float, high: float, what: str, place: str) -> float:
    if not isinstance(value, int | float) or not low <= value <= high:  # nan is in no range
        raise InputError(f"{place}: `{what}` has a value that is no number from {low:g} to {high:g}")
    return float(value)


def _numbers(values: object, low: float, high: float, what: str, place: str) -> dict[str, float]:
    if not isinstance(values, Mapping):
        raise InputError(f"{place}: `{what}` is missing or not of the form {{name: number}}")
    if len(values) > MOST_TAGS:
        raise InputError(f"{place}: more than {MOST_TAGS:,} names in `{what}`")
    return {_name(key, what, place): _number(value, low, high, what, place) for key, value in values.items()}


def _segments(values: object, place: str) -> tuple[Segment, ...]:
    if not isinstance(values, list | tuple) or not all(isinstance(each, Mapping) for each in values):
        raise InputError(f'{place}: `segments` is no list of {{"tag": ..., "onset": ..., "offset": ...}}')
    if len(values) > MOST_SEGMENTS:
        raise InputError(f"{place}: more than {MOST_SEGMENTS:,} segments")
    return tuple(_segment(each, place) for each in values)


def _segment(data: Mapping[str, object], place: str) -> Segment:
    onset = _number(data.get("onset"), 0.0, LONGEST_S, "onset", place)
    offset = _number(data.get("offset"), onset, LONGEST_S, "offset", place)
    return Segment(_name(data.get("tag"), "tag", place), onset, offset)


def matched(truth: list[Clip], found: list[Clip]) -> list[Clip | None]:
    """For each clip of the truth the one that was found, None when there is none.

    A shorter name counts only while no other clip of its side has the same.
    raises: InputError when there is none for any
    """
    sides = [[_names(each.file) for each in side] for side in (truth, found)]
    pairs: list[Clip | None] = [None] * len(truth)
    for level in range(3):
        ours, theirs = ([names[level] for names in side] for side in sides)
        counts = Counter(ours), Counter(theirs)
        by_name = {name: each for name, each in zip(theirs, found, strict=True) if counts[1][name] == 1}
        for index, name in enumerate(ours):
            if pairs[index] is None and counts[0][name] == 1:
                pairs[index] = by_name.get(name)
    if not any(pairs):
        raise InputError(
            f"nothing was found of any clip of the truth: its first is {truth[0].file}, not {found[0].file}"
        )
    return pairs


def _names(file: str) -> tuple[str, str, str]:
    path = PurePosixPath(file)
    return file, path.name, path.stem if path.suffix.lower() in SOUND else path.name
