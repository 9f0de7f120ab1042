"""What is told of a take on its reference, or why it can't be."""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np

from clefkit import clock
from clefkit.align import match
from clefkit.align.match import Match
from clefkit.align.track import RATE, Track
from clefkit.clock import Clock
from clefkit.errors import InputError

LEAST_S = 6.0
SPLICE_S = 1e-5  # how long a clock takes to jump over what was dropped: less than a sample


class Gap(NamedTuple):
    """A dropped buffer. time_s: of the take, where what follows it begins; missing_s: how long it was"""

    time_s: float
    missing_s: float


class Alignment(NamedTuple):
    """A take on its reference; signs as `clefkit.align` says.

    delay_samples: the offset, in whole samples of the reference
    doubtful: (from, to), seconds of the take, where it doesn't sound like the reference though that can be heard
    confidence: 0 to 1, how many windows of three seconds agree on one line, and how closely. Pairs simulated with
        phones in rooms have more than .9, other performances of the same music less than .3. The same notes at the very
        same times on another instrument, as only machines play, may have any; an instrument that is wide and near to
        both microphones has less
    clock: from the take's seconds to the reference's
    """

    offset_s: float
    drift_ppm: float
    delay_samples: int
    gaps: tuple[Gap, ...]
    doubtful: tuple[tuple[float, float], ...]
    confidence: float
    clock: Clock

    def data(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "offset_s": self.offset_s,
            "drift_ppm": self.drift_ppm,
            "delay_samples": self.delay_samples,
            "dropped": len(self.gaps),
            "missing_ms": round(math.fsum(gap.missing_s for gap in self.gaps) * 1000, 3),
            "confidence": self.confidence,
            "gaps": [gap._asdict() for gap in self.gaps],
            "doubtful": [list(each) for each in self.doubtful],
        }


def find(take: Track, reference: Track, rate: int, name: str, threshold: float) -> Alignment:
    """rate: of the reference, Hz; name: of the reference, for people; threshold: the least confidence

    raises: InputError when the recordings don't match
    """
    for track, whose in ((take, ""), (reference, f"the reference {name} ")):
        if not track.flux.any():
            raise InputError(f"{whose}is silent, or nothing ever begins in it: there is nothing to align by")
    found = match.match(take, reference)
    if found is None or found.confidence < threshold:
        raise InputError(_reason(found, take, reference, name))
    return _told(found, rate)


def _reason(found: Match | None, take: Track, reference: Track, name: str) -> str:
    shortest_s = min(len(take.samples), len(reference.samples)) / RATE
    if shortest_s < LEAST_S:
        return f"only {shortest_s:.1f} s to compare with {name}, need at least {LEAST_S:.0f} s of the same performance"
    return (
        f"does not match {name} (confidence {found.confidence if found else 0:.2f}): give a recording of the very same "
        f"performance, not another take of it, with {LEAST_S:.0f} s in common at least"
    )


def _told(found: Match, rate: int) -> Alignment:
    starts = [round(start / RATE, 7) for start in found.starts]
    gaps = [
        Gap(round(step / RATE, 6), round(after - before, 6))
        for step, before, after in zip(found.steps, starts, starts[1:], strict=False)
    ]
    drift_ppm = round(found.slope * 1e6, 3)
    doubtful = [(round(first / RATE, 2), round(last / RATE, 2)) for first, last in found.doubtful]
    return Alignment(
        starts[0], drift_ppm, round(starts[0] * rate), tuple(gaps), tuple(doubtful), round(found.confidence, 4),
        _clock(starts[0], 1 + drift_ppm * 1e-6, gaps),
    )  # fmt: skip


def _clock(offset_s: float, speed: float, gaps: list[Gap]) -> Clock:
    if not gaps:
        return clock.line(offset_s, speed)
    missing = [0.0, *itertools.accumulate(gap.missing_s for gap in gaps)]
    ends = [time for gap in gaps for time in (gap.time_s - SPLICE_S, gap.time_s)]
    source = np.array([min(0.0, ends[0] - 1.0), *ends, ends[-1] + 1.0])
    return Clock(source, offset_s + speed * source + np.repeat(missing, 2))
