"""OMR-NED by musicdiff: the normalised edit distance of the Sheet Music Benchmark.

After J. C. Martinez-Sevilla et al., "Sheet Music Benchmark: Standardized Optical Music Recognition Evaluation", 2025,
as its authors' program counts it (musicdiff 5.2, all objects): symbols to add and to delete, over the symbols of both
sides; 0 when they are the same, 1 when nothing is. It reads the files itself, through music21, for our scores know
neither beams nor stems, which it counts. **kern goes without its reference records (`!!!`), which converter21 4.0
stumbles over. It works in a process of its own, because for long scores that differ much it does not end.
"""

# pyright: reportMissingImports=false
# musicdiff is an extra.

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from clefkit.errors import InputError, MissingError

SUFFIXES = (".musicxml", ".xml", ".mxl", ".krn", ".mei", ".abc")
REFERENCE_RECORD = re.compile(r"^!!!.*\n", re.MULTILINE)
LONGEST_S = 600
ANSWER = "OMR-NED "


def ned(reference: Path, estimate: Path, longest_s: float = LONGEST_S) -> float:
    """OMR-NED of two files.

    raises: MissingError when musicdiff is not installed; InputError when it can't read a file or takes too long
    """
    if importlib.util.find_spec("musicdiff") is None:
        raise MissingError("OMR-NED takes musicdiff: pip install 'clefkit[omr]'")
    for path in (reference, estimate):
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(f"{path.name} is of no kind that musicdiff reads: {', '.join(SUFFIXES)}")
    command = [sys.executable, "-m", "clefkit.score.notation.omr", str(reference.resolve()), str(estimate.resolve())]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=longest_s,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(f"musicdiff compares it for more than {longest_s:g} seconds: score shorter pieces") from error
    last = done.stdout.rpartition(ANSWER)[2]
    if done.returncode or not last:
        raise InputError(f"musicdiff can't compare it with {reference.name}")
    return float(last)


def _ned(reference: Path, estimate: Path) -> float:
    import converter21  # type: ignore[import-not-found, unused-ignore]
    from musicdiff.annotation import AnnScore
    from musicdiff.comparison import Comparison
    from musicdiff.detaillevel import DetailLevel
    from musicdiff.visualization import Visualization

    converter21.register()
    sides = [AnnScore(_parsed(path), DetailLevel.AllObjects) for path in (estimate, reference)]
    distance = Comparison.annotated_scores_diff(*sides)[1]
    return float(Visualization.get_omr_ned(distance, *(side.notation_size() for side in sides)))


def _parsed(path: Path) -> Any:
    """A music21 score; the first of a file that holds several. Its cache of parsed files, pickles, is not used."""
    from music21 import converter, stream

    if path.suffix.lower() == ".krn":
        text = path.read_text(encoding="utf-8", errors="replace")
        score = converter.parseData(REFERENCE_RECORD.sub("", text), format="humdrum", forceSource=True)
    else:
        score = converter.parse(path, forceSource=True)
    return score.scores[0] if isinstance(score, stream.Opus) else score


if __name__ == "__main__":
    sys.stdout.write(f"{ANSWER}{_ned(Path(sys.argv[1]), Path(sys.argv[2]))!r}\n")
