"""A performance that came without a human, played by one: the rules of `human` on notes that know their beats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit import notes
from clefkit.errors import InputError
from clefkit.notes import Performance
from clefkit.render import clock, human
from clefkit.render.clock import Curve, Segment
from clefkit.render.line import Interpretation, Line

LEAST_S = 1e-4  # a beat: files may say that beats take no time
SHORTEST_S = 0.005


def humanized(
    played: Performance, amount: float, generator: Generator, weights: Mapping[str, float] | None = None
) -> Performance:
    """The same notes with a player's tempo, timing and loudness; controllers and beats go along.

    played: with beats; its tempo is what the player has before him
    amount, weights: as for `human.interpret`
    raises: InputError when there are no beats
    """
    if len(played.beats) < 2:
        raise InputError("has no beats by which a human could play it: leave out --human")
    curve = _curve(played)
    before = clock.clock(curve)
    line = _line(played, before)
    view = human.interpret(line, amount, generator, weights)
    places, factors = view.tempo_onset, view.tempo_factor
    after = clock.clock(curve.stretched(places.tolist(), lambda place: float(np.interp(place, places, factors))))
    return _moved(played, line, after, view, before)


def _curve(played: Performance) -> Curve:
    segments = []
    for beat, following in pairwise(played.beats):
        length = following.quarter - beat.quarter
        if length > 0:
            slope = max((following.time_s - beat.time_s) / length, LEAST_S)
            segments.append(Segment(beat.quarter, following.quarter, slope, slope))
    return Curve(segments)


def _line(played: Performance, ticking: clock.Clock) -> Line:
    found = played.notes
    onset = _quarters(ticking, found.onset)
    duration = _quarters(ticking, found.offset) - onset
    bars = [beat for beat in played.beats if beat.beat == 1] or [played.beats[0]]
    quarter = np.array([beat.quarter for beat in played.beats])
    beat_length = float(np.median(np.diff(quarter)))
    end = max(float((onset + duration).max(initial=0.0)), float(quarter[-1]))
    return Line(
        onset=onset,
        duration=np.maximum(duration, 1e-3),
        pitch=found.pitch,
        part=found.part,
        voice=found.part,
        velocity=found.velocity.astype(np.float64),
        slurred=np.zeros(len(found), np.bool_),
        staccato=np.zeros(len(found), np.bool_),
        bars=np.array([bar.quarter for bar in bars]),
        beat=np.full(len(bars), beat_length),
        key=np.zeros(len(bars), np.int64),
        seconds_per_quarter=(ticking.seconds(onset + 1e-3) - ticking.seconds(onset)) / 1e-3,
        ends=(end,),
    )


def _quarters(ticking: clock.Clock, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of the clock, where each segment has one tempo."""
    index = np.clip(np.searchsorted(ticking.start_s, times_s, side="right") - 1, 0, None)
    return np.asarray(ticking.start[index] + (times_s - ticking.start_s[index]) / ticking.slope[index])


def _moved(
    played: Performance, line: Line, after: clock.Clock, view: Interpretation, before: clock.Clock
) -> Performance:
    found = played.notes
    start = after.seconds(line.onset)
    length = (after.seconds(line.onset + line.duration) - start) * view.length
    onset = np.maximum(start + view.shift_s, 0.0)
    velocity = np.clip(np.rint(line.velocity + view.velocity), 1, 127)
    moved = notes.make(
        onset, onset + np.maximum(length, SHORTEST_S), found.pitch, velocity, found.part, found.parts, found.ids,
        measure=found.measure, beat=found.beat,
    )  # fmt: skip

    def later(times_s: list[float]) -> list[float]:
        return list(after.seconds(_quarters(before, np.array(times_s, np.float64))).tolist())

    times = later([control.time_s for control in played.controls])
    controls = [control._replace(time_s=time) for control, time in zip(played.controls, times, strict=True)]
    places = after.seconds(np.array([beat.quarter for beat in played.beats])).tolist()
    beats = tuple(beat._replace(time_s=time) for beat, time in zip(played.beats, places, strict=True))
    return replace(played, notes=moved, controls=tuple(controls), beats=beats)
