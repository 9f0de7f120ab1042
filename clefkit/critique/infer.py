"""A critic at work: notes in, its judgement out.

A piece is judged in stretches of 30 s (at most 320 notes), each beginning half way through the one before, and its
curve in stretches of 10 s every 5. What is said of a note is the mean of what is said in the stretches that hold it.
The checkpoint's config turns logits into probabilities, for each domain of music as its validation set had it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import graph, registry
from clefkit.critique import context, reading, rolls
from clefkit.critique.corrupt import settled
from clefkit.critique.table import ONSET, Table
from clefkit.errors import InputError

Array = NDArray[np.float32]

STRETCH_MS, MOST_NOTES = 30_000, 320
LEAST_NOTES = 8
CURVE_MS, CURVE_STEP_MS = 10_000, 5_000
BATCH = 8
MARKS = ("pitch", "time", "order")
REACH = 12  # semitones that the network tells a pitch to move, at most
QUANTILES = 101
NETS = ("critic", "critic-roll")
CERTAIN = 2.0  # logit of being spoilt
LEAST_SEVERITY = -4.0  # logit
NEVER = -20.0  # logit


class Calibration(NamedTuple):
    """Of one domain: what turns what the network says into P(real).

    odds: (3,), what is added to the logit of each fault; scale, bias: of the sum
    wrong: how much the share of notes with a wrong pitch counts
    real: (QUANTILES,) of the logit of P(real), of real music that the network didn't learn from
    """

    odds: NDArray[np.float64]
    scale: float
    wrong: float
    bias: float
    real: NDArray[np.float64]

    def logits(self, said: Said) -> NDArray[np.float64]:
        """(stretches,), of P(real).

        Past CERTAIN, where a piece is spoilt for sure, it falls with severity instead: the worse, the lower.
        """
        return -(self.scale * spoilt(said.verdict, self.odds) + self.wrong * wrong(said.notes) + self.bias)


class Critic(NamedTuple):
    """net: one of NETS; session: an onnxruntime.InferenceSession

    calibrations: by domain; thresholds: of MARKS, 0 to 1
    """

    net: str
    session: Any
    calibrations: dict[str, Calibration]
    thresholds: dict[str, float]


@dataclass(frozen=True)
class Judgement:
    """What a critic says.

    p_real: 0 to 1, that a human wrote this; logit: of it; percentile: share of real music that is less so, 0 to 100
    severity: 0 to 1, how much of it would have to be spoilt to sound so
    start_ms, end_ms, curve: (stretches,), P(real) over time
    marks: (notes, 3), 0 to 1, in the order of MARKS: a wrong pitch; moved in time; the first of a phrase that doesn't
        follow what is before it
    shift: (notes,), semitones to the likeliest pitch; attention: (notes,), adds up to 1
    """

    p_real: float
    logit: float
    percentile: float
    severity: float
    start_ms: NDArray[np.int64]
    end_ms: NDArray[np.int64]
    curve: NDArray[np.float64]
    marks: Array
    shift: NDArray[np.int64]
    attention: Array


def spoilt(verdict: Array, odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """(stretches,): the logit that a piece is spoilt in any way, then how severely. verdict: (stretches, 4)"""
    logit = np.logaddexp.reduce(verdict[:, :3] + odds, axis=1)
    severely = np.maximum(0, verdict[:, 3] - LEAST_SEVERITY)
    return np.asarray(np.minimum(logit, CERTAIN) + _sigmoid(logit - CERTAIN) * severely, np.float64)


def wrong(marks: Sequence[Array]) -> NDArray[np.float64]:
    """(stretches,): the share of notes with a wrong pitch, as expected. marks: logits, (notes, 3) for each stretch"""
    return np.array([_sigmoid(each[:, 0]).mean() for each in marks])


class Said(NamedTuple):
    """What the network says of a batch of stretches, each as long as it is.

    verdict: (stretches, 4); notes, shift, weight: for each stretch, (notes, 3), (notes, 25), (notes,)
    """

    verdict: Array
    notes: list[Array]
    shift: list[Array]
    weight: list[Array]


@lru_cache(maxsize=4)
def load(path: Path) -> Critic:
    """A checkpoint's folder. Raises InputError when it is damaged, or is no critic."""
    about = registry.config(path)
    if about.get("net") not in NETS:
        raise InputError(f"{path.name} is no critic: its net is {about.get('net')!r}")
    network = (path / "model.onnx").read_bytes()
    if hashlib.sha256(network).hexdigest() != about.get("sha256"):
        raise InputError(f"model {path.name}: model.onnx is not the file that its config.toml names")
    try:
        calibrations = {
            domain: Calibration(
                np.array(each["odds"], dtype=float).reshape(3),
                float(each["scale"]),
                float(each["wrong"]),
                float(each["bias"]),
                np.array(each["real"], dtype=float),
            )
            for domain, each in ((name, about["calibration"][name]) for name in reading.DOMAINS)
        }
        thresholds = {name: float(about["thresholds"][name]) for name in MARKS}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"model {path.name}: its config.toml has no calibration or thresholds") from error
    return Critic(about["net"], graph.session(network, path.name), calibrations, thresholds)


def judge(notes: Table, critic: Critic, domain: str) -> Judgement:
    """What a critic says of a piece.

    notes: (notes, 4), at least 8, in order of onset; domain: one of the critic's calibrations
    """
    notes = settled(notes)
    how = critic.calibrations[domain]
    spans = stretches(notes[:, ONSET])
    said = ask(critic, [notes[span] for span in spans])
    logits = how.logits(said)
    weights = np.array([span.stop - span.start for span in spans], dtype=float)
    logit = float(np.average(logits, weights=weights))
    severity = float(np.average(_sigmoid(said.verdict[:, 3]), weights=weights))
    marks, shift, attention, times = (np.zeros((len(notes), *size), np.float32) for size in ((3,), (25,), (), (1,)))
    for span, marked, moved, weight in zip(spans, said.notes, said.shift, said.weight, strict=True):
        marks[span] += _sigmoid(marked)
        shift[span] += moved
        attention[span] += weight / len(spans)
        times[span] += 1
    start, end, curve = _curve(notes, critic, how)
    return Judgement(
        p_real=float(_sigmoid(logit)),
        logit=logit,
        percentile=float(np.interp(logit, how.real, np.linspace(0, 100, len(how.real)))),
        severity=severity,
        start_ms=start,
        end_ms=end,
        curve=curve,
        marks=np.asarray(marks / times, np.float32),
        shift=np.asarray(shift.argmax(axis=1) - REACH, np.int64),
        attention=attention,
    )


def rewards(pieces: Sequence[Table], critic: Critic, domain: str = "score") -> NDArray[np.float64]:
    """(pieces,), the logit of P(real) of each, 30 s and 320 notes of it at most. Without 8 notes it is -inf."""
    result = np.full(len(pieces), -np.inf)
    how = critic.calibrations[domain]
    enough = [index for index, each in enumerate(pieces) if len(each) >= LEAST_NOTES]
    if enough:
        cut = [settled(pieces[index])[stretches(pieces[index][:, ONSET])[0]] for index in enough]
        said = ask(critic, cut)
        result[enough] = how.logits(said)
    return result


def stretches(onset: NDArray[np.int32]) -> list[slice]:
    """Which notes are judged together: 30 s or 320 of them, each stretch from the middle of the one before."""
    found, first = [], 0
    while True:
        end = min(int(np.searchsorted(onset, onset[first] + STRETCH_MS)), first + MOST_NOTES)
        if end >= len(onset):
            found.append(slice(_at_least(first, onset), len(onset)))
            return found
        found.append(slice(first, end))
        first = max(first + 1, (first + end) // 2)


def _at_least(first: int, onset: NDArray[np.int32]) -> int:
    """The last stretch begins early enough to be as long as the others."""
    earliest = int(np.searchsorted(onset, onset[-1] - STRETCH_MS, side="right"))
    return min(first, max(earliest, len(onset) - MOST_NOTES, 0))


def ask(critic: Critic, pieces: Sequence[Table]) -> Said:
    """What the network says of stretches, alike long ones together."""
    if critic.net == "critic-roll":
        return _seen_as_rolls(critic, pieces)
    order = sorted(range(len(pieces)), key=lambda index: len(pieces[index]))
    verdict = np.zeros((len(pieces), 4), np.float32)
    parts: dict[int, tuple[Array, Array, Array]] = {}
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        seen, mask = context.seen([pieces[index] for index in batch])
        marks, shift, judged, weight = critic.session.run(
            ["notes", "shift", "verdict", "weight"], {"seen": seen, "mask": mask}
        )
        verdict[batch] = judged
        for row, index in enumerate(batch):
            count = len(pieces[index])
            parts[index] = marks[row, :count], shift[row, :count], weight[row, :count]
    said = [parts[index] for index in range(len(pieces))]
    return Said(verdict, *([each[column] for each in said] for column in range(3)))


def _seen_as_rolls(critic: Critic, pieces: Sequence[Table]) -> Said:
    """A network that gives nothing but a verdict: it names no notes, and looks at all of them alike."""
    verdict = np.full((len(pieces), 4), NEVER, np.float32)
    verdict[:, 0] = verdict[:, 3] = rolls.logits(critic.session, pieces)
    counts = [len(piece) for piece in pieces]
    return Said(
        verdict,
        [np.full((count, len(MARKS)), NEVER, np.float32) for count in counts],
        [np.zeros((count, 2 * REACH + 1), np.float32) for count in counts],
        [np.full(count, 1 / count, np.float32) for count in counts],
    )


def _curve(
    notes: Table, critic: Critic, how: Calibration
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Stretches of 10 s every 5 s that hold enough notes: start, end, P(real)."""
    onset = notes[:, ONSET]
    last = max(int(onset[-1]) - CURVE_MS, int(onset[0]))
    starts = np.unique(np.append(np.arange(onset[0], last + 1, CURVE_STEP_MS), last))
    spans = [slice(*np.searchsorted(onset, [start, start + CURVE_MS + 1])) for start in starts]
    kept = [
        (start, slice(span.start, min(span.stop, span.start + MOST_NOTES)))
        for start, span in zip(starts, spans, strict=True)
        if span.stop - span.start >= LEAST_NOTES
    ]
    if not kept:
        kept = [(onset[0], slice(0, min(len(notes), MOST_NOTES)))]
    said = ask(critic, [notes[span] for _, span in kept])
    logits = how.logits(said)
    start = np.array([at for at, _ in kept], np.int64)
    return start, np.minimum(start + CURVE_MS, int((notes[:, ONSET] + notes[:, 1]).max())), _sigmoid(logits)


def _sigmoid(values: Any) -> Any:
    return 1 / (1 + np.exp(-np.asarray(values, dtype=np.float64)))
