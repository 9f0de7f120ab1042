"""What a person may ask of a transcription, as plain data: the options of the stage, as its records hold them.

Light to import: the process that reads the command line does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from clefkit import registry
from clefkit.errors import UsageError
from clefkit.registry import Asset
from clefkit.transcribe.thresholds import Thresholds, moved, told

PACKAGE = "basic-pitch"
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
ACCIDENTALS = {"#": 1, "♯": 1, "b": -1, "♭": -1}
PITCH = re.compile(r"([A-Ga-g])([#♯b♭]?)(-?\d)", re.ASCII)
HIGHEST = 127


def options(
    model: str = "notes",
    *,
    threshold: float = 0.5,
    min_duration: float = 0.0,
    pitch_range: str = "A0:C8",
    instruments: str = "auto",
    names: str = "auto",
    bends: bool = False,
    also: Sequence[str] = (),
) -> dict[str, Any]:
    """The options of `transcribe.products`.

    model: a checkpoint by name, the path of a folder with one, or "basic-pitch"
    threshold: 0 to 1, more is fewer notes, .5 is as the checkpoint has it
    min_duration: milliseconds; shorter notes are left out
    pitch_range: the lowest and the highest pitch, as names or MIDI numbers: "E2:88"
    instruments: how many parts there are, 1 to 6, or "auto": as many as there seem to be
    names: a checkpoint of `tag`, by name or the path of a folder with one, that names the parts, or "none"; "auto": the
        one that ships
    also: names of `sides.MAKERS`
    raises: UsageError when something makes no sense; InputError or MissingError when there is no such checkpoint
    """
    asset = checkpoint(model)
    parts = _instruments(instruments)
    return {
        "checkpoint": asset,
        "thresholds": moved(thresholds(asset), threshold)._asdict(),
        "min_duration_ms": min_duration,
        "pitches": pitches(pitch_range),
        "instruments": parts,
        "timbre": None if parts == 1 else registry.checkpoint("timbre"),
        "tagger": tagger(names),
        "bends": bends,
        "also": list(also),
    }


def _instruments(text: str) -> int | None:
    """The number of parts, None when it is to be found out."""
    if text == "auto":
        return None
    if not re.fullmatch("[1-6]", text, re.ASCII):
        raise UsageError(f"--instruments {text}: give a number from 1 to 6, or auto")
    return int(text)


def tagger(name: str) -> Asset | None:
    """Who names the parts, None for nobody. Raises as `options`."""
    return None if name == "none" else registry.checkpoint("tag" if name == "auto" else name)


def checkpoint(name: str) -> Asset:
    """A checkpoint by name or by the path of its folder, or that of the package basic-pitch. Raises as `options`."""
    return registry.package(PACKAGE) if name == PACKAGE else registry.checkpoint(name)


def thresholds(asset: Asset) -> Thresholds:
    """The checkpoint's own. Raises InputError when its config doesn't give them."""
    if asset.kind == "package":
        from clefkit.transcribe import basic_pitch

        return basic_pitch.THRESHOLDS
    return told(registry.config(asset.path).get("thresholds"), asset.name)


def pitches(text: str) -> list[int]:
    """The lowest and the highest pitch as MIDI numbers, from "A0:C8" or "21:108". Raises UsageError."""
    low, high = map(_pitch, text.partition(":")[::2])
    if low is None or high is None or low > high:
        raise UsageError(f"--pitch-range {text}: give the lowest and the highest pitch, as in E2:C6 or 40:84")
    return [low, high]


def _pitch(text: str) -> int | None:
    """A MIDI number, or a name: C4 is 60."""
    name = PITCH.fullmatch(text)
    if name is not None:
        number = STEPS[name[1].upper()] + ACCIDENTALS.get(name[2], 0) + 12 * (int(name[3]) + 1)
    elif text.isascii() and text.isdigit():
        number = int(text)
    else:
        return None
    return number if 0 <= number <= HIGHEST else None
