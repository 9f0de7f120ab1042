"""What was heard in a file, as plain data: a line of JSON, rows of a table.

The line also has the keys that `clefkit score --as tags` reads: `file`, `tags`, `segments`, `gains_db`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clefkit.tag import decide
from clefkit.tag.infer import Heard, Model
from clefkit.tag.vocabulary import FAMILY_OF, LEAVES

COLUMNS = (
    "file",
    "instrument",
    "family",
    "probability",
    "gain_lu",
    "sounds_s",
    "brightness",
    "roughness",
    "first",
    "last",
)
SILENCE = "silence"

Row = dict[str, Any]


def finding(
    path: Path, heard: Heard, model: Model, whole: NDArray[np.float64], threshold: float, top: int | None
) -> Row:
    """What is told of a file.

    whole: descriptors of all of it; threshold: of what is called present; top: so many instruments at most
    """
    names = dict(zip(LEAVES, heard.clip[: len(LEAVES)].tolist(), strict=True))
    gains = decide.likely_gains(heard, model.calibration.gain)
    order = sorted(range(len(LEAVES)), key=lambda index: -heard.clip[index])
    instruments = [_instrument(index, heard, model, gains, threshold) for index in order[:top]]
    present = [each for each in instruments if each["present"]]
    return {
        "file": str(path),
        "seconds": round(heard.seconds, 3),
        "silent": heard.silent,
        "threshold": threshold,
        "loudness_lufs": _number(decide.loudness(heard.powers), 2),
        "instruments": instruments,
        "families": {name: round(value, 4) for name, value in decide.families(heard).items()},
        "descriptors": _described(model.described, whole),
        "embedding": _rounded(heard.whole),
        "tags": {name: round(value, 4) for name, value in names.items()},
        "segments": [
            {"tag": each["name"], "onset": segment["start_s"], "offset": segment["end_s"]}
            for each in present
            for segment in each["segments"]
        ],
        "gains_db": {name: round(gain, 2) for name, gain in gains.items() if np.isfinite(gain)},
    }


def rows(found: Row) -> list[Row]:
    """A row for each instrument that is present; one that says so where there is none."""
    present = [each for each in found["instruments"] if each["present"]]
    if not present:
        return [{"file": found["file"], "instrument": SILENCE if found["silent"] else "none"}]
    return [
        {
            "file": found["file"],
            "instrument": each["name"],
            **{key: each[key] for key in ("family", "probability", "gain_lu")},
            "sounds_s": round(sum(one["end_s"] - one["start_s"] for one in each["segments"]), 1),
            "first": each["segments"][0]["start_s"] if each["segments"] else None,
            "last": each["segments"][-1]["end_s"] if each["segments"] else None,
            **{key: each["descriptors"].get(key) for key in ("brightness", "roughness")},
        }
        for each in present
    ]


def _instrument(index: int, heard: Heard, model: Model, gains: dict[str, float], threshold: float) -> Row:
    name, probability = LEAVES[index], float(heard.clip[index])
    present = probability >= threshold and not heard.silent
    found = decide.segments(heard.cells[:, index], threshold, heard.seconds) if present else []
    return {
        "name": name,
        "family": FAMILY_OF[name],
        "probability": round(probability, 4),
        "present": present,
        "gain_lu": _number(gains[name], 2),
        "segments": [
            {"start_s": round(each.start_s, 2), "end_s": round(each.end_s, 2), "strength": round(each.strength, 3)}
            for each in found
        ],
        "descriptors": {} if heard.silent else _described(model.described, heard.described[index]),
        "embedding": [] if heard.silent else _rounded(heard.spaces[index]),
    }


def _described(names: Iterable[str], values: NDArray[np.float64]) -> dict[str, float | None]:
    return {name: _number(float(value), 4) for name, value in zip(names, values, strict=True)}


def _number(value: float, digits: int) -> float | None:
    """None where there is none: JSON knows neither nan nor infinity."""
    return round(value, digits) if np.isfinite(value) else None


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 4) for value in values]
