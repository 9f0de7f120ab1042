"""What a player does with a tone from moment to moment: pitch, vibrato, loudness, vowels, as curves.

Curves have a value every `STEP` samples (3 ms at 22,050 Hz) and are interpolated between. Vibrato and intonation
follow Sundberg 1987 and Prame 1997, "Vibrato extent and intonation in professional Western lyric singing": the rate
wanders, the extent grows after the onset, the pitch errs by some 10 cents a note.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit.train.phrasing import NASAL, Event, Player

Curve = NDArray[np.float64]

STEP = 64
LOUDEST_DB = 9.0  # above a player's mezzoforte
AFTER = 0.6  # of a release comes after the offset: there it has fallen by 4 dB
NASAL_FORMANTS_HZ = (260.0, 1100.0, 2200.0, 3200.0, 4200.0)


class Contours(NamedTuple):
    """How a line sounds, from moment to moment.

    times: (frames,), seconds; pitch: (frames,), MIDI number
    gate: (frames,), 0 to 1: attacks, dips, releases; level_db: (frames,), dB relative to a player's mezzoforte
    formants: (frames, 5), Hz; voiced: (frames,), 0 where whispered
    """

    times: Curve
    pitch: Curve
    gate: Curve
    level_db: Curve
    formants: Curve
    voiced: Curve


def contours(
    events: list[Event], player: Player, formants: Curve, length: int, rate: int, generator: Generator
) -> Contours:
    """The curves of a line; formants: (vowels, 5), Hz."""
    times = np.asarray(np.arange(-(-length // STEP) + 1) * (STEP / rate), dtype=np.float64)
    pitch = _pitch(events, player, times)
    wave = _vibrato(events, player, times, generator)
    shake = smooth(generator.standard_normal(len(times)), 3) * 1.7 * player["jitter_cents"]
    shake += wander(times, 0.06, generator) * player["jitter_cents"]
    shake += smooth(wander(times, 0.15, generator), 30) * player["wander_cents"]
    vowels = _vowels(events, formants, times)
    voiced = np.ones(len(times))
    for event in events:
        voiced[_span(times, event.onset - 0.14, event.offset + 0.16)] = float(not event.phrase.whispered)
    level_db = _level(events, player, times, generator) + wave * player["tremolo_db"]
    return Contours(
        times,
        pitch + wave * player["vibrato_cents"] / 100 + shake / 100,
        _gate(events, times),
        level_db,
        vowels,
        voiced,
    )


def wander(times: Curve, every_s: float, generator: Generator) -> Curve:
    """A curve through normal values that are `every_s` apart."""
    knots = np.arange(0, times[-1] + 2 * every_s, every_s)
    return np.interp(times, knots, generator.standard_normal(len(knots)))


def smooth(curve: Curve, length: int) -> Curve:
    """Mean over a window of frames, along the first axis."""
    half = length // 2
    padded = np.concatenate([np.repeat(curve[:1], half + 1, axis=0), curve, np.repeat(curve[-1:], half, axis=0)])
    total = np.cumsum(padded, axis=0)
    return np.asarray((total[2 * half + 1 :] - total[: -(2 * half + 1)]) / (2 * half + 1))


def _span(times: Curve, start: float, end: float) -> slice:
    return slice(*np.searchsorted(times, [start, end]).tolist())


def _pitch(events: list[Event], player: Player, times: Curve) -> Curve:
    curve = np.full(len(times), events[0].sung)
    for before, event in pairwise(events):
        slurred = event.join == "slur"
        bend = event.bend if slurred else 1.0
        half = 0.5 ** (1 / bend)  # of the way in time, when half of the interval is passed
        start = event.onset - (half * event.glide_s if slurred else event.before_s)
        end = start + event.glide_s
        span = _span(times, start, end)
        way = ((times[span] - start) / event.glide_s) ** bend
        curve[span] = before.sung + (event.sung - before.sung) * way**2 * (3 - 2 * way)
        curve[span.stop :] = event.sung
        if slurred:
            settling = _span(times, end, event.offset)
            swing = np.exp((end - times[settling]) / 0.06) * np.sin(2 * np.pi * (times[settling] - end) / 0.2)
            curve[settling] += player["overshoot"] * np.clip(event.sung - before.sung, -5, 5) * swing
    for event in events:
        _slide(curve, event, player, times)
    return curve


def _slide(curve: Curve, event: Event, player: Player, times: Curve) -> None:
    """Into the note from somewhere else, and off it."""
    if event.scoop:
        span = _span(times, event.onset - event.before_s, event.offset)
        scoop_s = min(player["scoop_s"], 0.25 * (event.offset - event.onset))
        curve[span] += event.scoop * np.exp(-np.maximum(times[span] - event.onset, 0) / scoop_s)
    if event.fall:
        fall_s = min(0.15, 0.3 * (event.offset - event.onset))
        span = _span(times, event.offset - fall_s, event.offset + event.release_s)
        curve[span] -= event.fall * ((times[span] - event.offset + fall_s) / (fall_s + event.release_s)) ** 1.5


def _vibrato(events: list[Event], player: Player, times: Curve, generator: Generator) -> Curve:
    """A wave of about -1 to 1, faded in on notes that begin anew and going on through slurs."""
    speed = player["vibrato_hz"] * (1 + player["vibrato_wander"] * wander(times, 0.4, generator))
    depth = np.zeros(len(times))
    for event in events:
        span = _span(times, event.onset, event.offset + event.release_s)
        goes_on = event.join == "slur" and generator.random() < 0.8
        delay_s = -10.0 if goes_on else player["vibrato_delay_s"] * generator.uniform(0.5, 1.5)
        grown = (times[span] - event.onset - delay_s) / player["vibrato_growth_s"]
        depth[span] = np.clip(grown, 0, 1) * generator.uniform(0.4, 1.0)
    phase = 2 * np.pi * np.cumsum(speed) * (times[1] - times[0]) + generator.uniform(0, 2 * np.pi)
    irregular = 1 + 2 * player["vibrato_wander"] * wander(times, 0.15, generator)
    return np.asarray(smooth(depth, 30) * irregular * np.sin(phase))


def _gate(events: list[Event], times: Curve) -> Curve:
    gate = np.zeros(len(times))
    for number, event in enumerate(events):
        if event.join == "slur":
            continue
        last = number
        while last + 1 < len(events) and events[last + 1].join == "slur":
            last += 1
        end, release_s = events[last].offset, events[last].release_s
        if last + 1 < len(events) and events[last + 1].join == "again":
            release_s = min(release_s, events[last + 1].before_s)
        span = _span(times, event.begin, end + AFTER * release_s)
        rising = np.clip((times[span] - event.begin) / event.attack_s, 0, 1)
        falling = np.clip((end + AFTER * release_s - times[span]) / release_s, 0, 1)
        tone = (event.floor + (1 - event.floor) * (1 - (1 - rising) ** event.rise)) * np.sin(np.pi / 2 * falling) ** 2
        gate[span] = np.maximum(gate[span], tone)
        floor = _span(times, event.onset - event.before_s, event.begin)
        gate[floor] = np.maximum(gate[floor], event.floor)
        for slurred in events[number + 1 : last + 1]:
            near = _span(times, slurred.onset - slurred.glide_s, slurred.onset + slurred.glide_s)
            away = (times[near] - slurred.onset) / (0.5 * slurred.glide_s)
            gate[near] *= 1 - (1 - slurred.floor) * np.exp(-(away**2))
    return np.convolve(gate, [0.25, 0.5, 0.25], "same")


def _level(events: list[Event], player: Player, times: Curve, generator: Generator) -> Curve:
    level = np.zeros(len(times))
    middle = float(np.mean([event.velocity for event in events]))
    for event in events:
        span = _span(times, event.onset - 0.03, event.offset + 0.3)
        since = np.maximum(times[span] - event.onset, 0)
        through = np.minimum(since / (event.offset - event.onset), 1)
        swell, tip, accent = generator.normal(0, player["shape_db"], 3)
        level[span] = 24 * np.log10(event.velocity / middle) + swell * (np.sin(np.pi * through) - 0.6)
        level[span] += 0.7 * tip * (through - 0.5) + 0.5 * abs(accent) * np.exp(-since / 0.08)
        if event.phrase.plucked:
            level[span] -= since * player["pluck_db_per_s"]
    for phrase in sorted({event.phrase for event in events}):
        mine = [event for event in events if event.phrase == phrase]
        span = _span(times, mine[0].onset - 0.03, mine[-1].offset + 0.3)
        through = (times[span] - mine[0].onset) / (mine[-1].offset - mine[0].onset)
        level[span] += player["phrase_db"] * generator.normal(0.6, 0.6) * (np.sin(np.pi * np.clip(through, 0, 1)) - 0.6)
    level = np.where(level > 0, LOUDEST_DB * np.tanh(level / LOUDEST_DB), level)
    return np.asarray(smooth(level, 10) + player["shimmer_db"] * wander(times, 0.03, generator))


def _vowels(events: list[Event], formants: Curve, times: Curve) -> Curve:
    """(frames, 5): from vowel to vowel, through hummed consonants."""
    curve = np.tile(formants[events[0].vowel], (len(times), 1))
    for event in events:
        curve[_span(times, event.onset - event.before_s, event.offset + 1.0)] = formants[event.vowel]
    for event in events:
        if event.consonant == NASAL:
            curve[_span(times, event.onset - event.before_s, event.onset + event.late_s)] = NASAL_FORMANTS_HZ
    return smooth(curve, 16)
