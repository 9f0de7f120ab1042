"""Which score an estimate is measured by: one that is given, or the one whose sound was transcribed.

`render` names the score in its record by its hash and says whether it played the repeats; a stem has some of the
parts. When places of the score were heard stands in the sound's record too (`timemap`), moved along by what came after.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from clefkit import notation, record
from clefkit.errors import InputError
from clefkit.notation.model import Score
from clefkit.record import Source
from clefkit.score import reference
from clefkit.score.notation import ENDINGS, MIDI
from clefkit.score.notation.music import Clock, by_points

LONGEST = 1e6  # quarters and seconds
NONE = "no reference: give --ref, or what came through a pipe from render"


class Origin(NamedTuple):
    """path: the file; score: as written; clock: when its places were heard, None when that is not known"""

    path: Path
    score: Score
    clock: Clock | None = None


def read(path: Path) -> Score:
    """A score in any form, MIDI with bar lines among them.

    raises: InputError when it can't be read or holds no notes, MissingError when that takes what is not installed
    """
    if path.suffix.lower() in MIDI:
        from clefkit.notation import midi_read

        score = midi_read.read(path)
    else:
        score = notation.read(path)
    if not score.notes:
        raise InputError("a score without notes")
    return score


def find(source: Source, given: Path | None) -> Origin:
    """The reference of an estimate.

    given: a score, or a folder that holds one by the estimate's name; without it the records lead to it
    raises: InputError when there is none, it can't be read, or was edited since
    """
    if given is None:
        return _recorded(source)
    path = reference.named(given, source.path, ENDINGS)
    with reference.told(path):
        return Origin(path, read(path))


def _recorded(source: Source) -> Origin:
    """The score that `render` played, its parts and measures as they were played."""
    steps = [source, *reference.ancestors(source)]
    rendered = next((step for step in steps if step.record.get("stage") == "render"), None)
    origin = rendered.record.get("from") if rendered else None
    if rendered is None or not origin:
        raise InputError(NONE)
    path = rendered.path.parent / origin["file"]
    if not path.is_file() or record.sha256(path) != origin["sha256"]:
        raise InputError(f"its reference {path.name} is missing or was edited since")
    with reference.told(path):
        score = read(path)
    score = _heard(score, rendered.record)
    options = rendered.record.get("options")
    if isinstance(options, dict) and options.get("repeats") == "none":
        score.order = list(range(len(score.measures)))
    heard = next((step.record["timemap"] for step in steps[:2] if step.record.get("timemap")), None)
    return Origin(path, score, None if heard is None else _clock(heard))


def _heard(score: Score, made: dict[str, Any]) -> Score:
    """The score with the parts that sound, by their names."""
    parts = made.get("parts")
    names = [part.get("name") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    playing = sorted({note.part for note in score.notes})
    if not names or len(names) >= len(playing):
        return score
    kept = [index for index in playing if score.parts[index].name in names]
    if len(kept) != len(names):
        raise InputError("a stem of one of several parts of the same name: give --ref with a score of that part")
    return _only(score, {index: place for place, index in enumerate(kept)})


def _only(score: Score, places: dict[int, int]) -> Score:
    """The score with some of its parts. places: part -> place among those that stay"""
    notes = [replace(note, part=places[note.part]) for note in score.notes if note.part in places]
    ids = {note.id for note in notes}
    return replace(
        score,
        parts=[score.parts[part] for part in places],
        notes=notes,
        clefs=[clef._replace(part=places[clef.part]) for clef in score.clefs if clef.part in places],
        slurs=[slur for slur in score.slurs if slur.first in ids and slur.last in ids],
        fermatas=[each._replace(part=places[each.part]) for each in score.fermatas if each.part in places],
        texts=[],
        dynamics=[],
        wedges=[],
        pedals=[],
    )


def _clock(timemap: Any) -> Clock:
    damaged = InputError("the timemap in the record of its sound is damaged: give --ref")
    try:
        columns = timemap["columns"].index("quarter"), timemap["columns"].index("time_s")
        points = [(float(row[columns[0]]), float(row[columns[1]])) for row in timemap["rows"]]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise damaged from error
    within = all(abs(place) <= LONGEST and abs(time_s) <= LONGEST for place, time_s in points)  # NaN is not
    if len(points) < 2 or not within or not all(one < other for (one, _), (other, _) in pairwise(points)):
        raise damaged
    return by_points(points)
