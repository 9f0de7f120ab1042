"""Which clean sound a restored one is measured by.

It is given, as a file or as a folder in which it is looked up by name. Or the records lead to it: it is the sound that
everything began with, if that was rendered, or if it was augmented on the way. What a phone recorded is no reference
for what was made of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from clefkit import record
from clefkit.errors import InputError
from clefkit.record import Source
from clefkit.score.enhancement import ENDINGS
from clefkit.score.kinds import SOUND
from clefkit.score.reference import ancestors, named

KEPT = {"offset_s": 0.0, "rate": 1.0}
UNKNOWN = "nothing says what this is without noise and room: give --ref, or score what came through a pipe from render"


def find(source: Source, given: Path | None) -> tuple[Path, float]:
    """The clean sound, and by how many seconds the records say that everything comes later in the estimate.

    given: a file, or a folder that holds one by the estimate's name; the delay is 0 then
    raises: InputError when there is none, it has gone or was edited, or its time runs otherwise
    """
    if given is not None:
        return named(given, source.path, ENDINGS), 0.0
    steps = [step for step in (source, *ancestors(source)) if _origin(step) is not None]
    if not steps:
        raise InputError(UNKNOWN)
    root = steps[-1]
    path = _origin(root)
    stages = [step.record.get("stage") for step in steps]
    rendered = record.load(record.beside(path)).get("stage") == "render" if path else False
    if path is None or "separate" in stages or not (rendered or "augment" in stages):
        raise InputError(UNKNOWN)
    if not path.is_file() or record.sha256(path) != root.record["from"].get("sha256"):
        raise InputError(f"the clean {path.name} it was made from has gone or was edited since: give --ref")
    return path, _delay(steps)


def _origin(step: Source) -> Path | None:
    """The sound that a file was made from."""
    origin = step.record.get("from")
    path = step.path.parent / origin["file"] if origin else Path()
    return path if path.suffix.lower() in SOUND else None


def _delay(steps: Sequence[Source]) -> float:
    """Of the clocks on the way, in seconds. An estimate without a clock keeps the time of what it was made from."""
    total = 0.0
    for step in steps:
        clock = step.record.get("clock") or (KEPT if step is steps[0] else {})
        if not isinstance(clock, dict) or "points" in clock or clock.get("rate") != 1.0:
            raise InputError("its time runs otherwise than that of the clean sound: give --ref")
        offset = clock.get("offset_s")
        if not isinstance(offset, float | int) or not math.isfinite(offset):
            raise InputError("a clock in the records that lead to its reference is damaged: give --ref")
        total += offset
    return total
