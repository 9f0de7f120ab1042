"""OMR-NED by musicdiff: the normalised edit distance of the Sheet Music Benchmark.

After J. C. Martinez-Sevilla et al., "Sheet Music Benchmark: Standardized Optical Music Recognition Evaluation", 2025, as
its authors' program counts it (musicdiff 5.2, all objects): symbols to add and to delete, over the symbols of both
sides; 0 when they are the same, 1 when nothing is. It reads the files itself, through music21, for our scores know
neither beams nor stems, which it counts.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

from clefkit.errors import InputError, MissingError

SUFFIXES = (".musicxml", ".xml", ".mxl", ".krn", ".mei", ".abc")


def ned(reference: Path, estimate: Path) -> float:
    """OMR-NED of two files, in minutes for long ones.

    raises: MissingError when musicdiff is not installed, InputError when it can't read one of the files
    """
    try:
        import converter21
        from musicdiff.annotation import AnnScore
        from musicdiff.comparison import Comparison
        from musicdiff.detaillevel import DetailLevel
        from musicdiff.visualization import Visualization
    except ImportError as error:
        raise MissingError("OMR-NED takes musicdiff: pip install 'clefkit[omr]'") from error
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            converter21.register()
            sides = [AnnScore(_parsed(path), DetailLevel.AllObjects) for path in (estimate, reference)]
            distance = Comparison.annotated_scores_diff(*sides)[1]
            return float(Visualization.get_omr_ned(distance, *(side.notation_size() for side in sides)))


def _parsed(path: Path) -> Any:
    """A music21 score; the first of a file that holds several."""
    from music21 import converter, stream

    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path.name}: musicdiff reads {', '.join(SUFFIXES)}")
    try:
        # Its cache of parsed files is made of pickles, and anybody's: the file is read anew.
        score = converter.parse(path, forceSource=True)
    except Exception as error:  # whatever a damaged file does to it
        raise InputError(f"{path.name}: musicdiff can't read it") from error
    return score.scores[0] if isinstance(score, stream.Opus) else score
