"""What a player sees in a score before he plays: beats, melody and bass, harmony, phrases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clefkit.render import phrases
from clefkit.render.line import Array, Line, Truth, Whole

LEAST_BEAT = 1 / 16
MOST_BEATS = 20_000
FARTHEST = 64  # onsets that a held note can cover
PHRASE_BARS = (16, 8, 4)
KEY_BARS = 8
# Krumhansl and Kessler 1982: how well each tone fits C major and C minor
MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
MORE_FITTING = 1.15  # how much better than the key signature's another key must fit


@dataclass(frozen=True)
class Reading:
    """beats: (beats,), quarters, where they begin; beat_end: (beats,); beat_s: (beats,), seconds as written
    is_bar: (beats,), a measure begins; slot: (notes,), the beat in which a note begins
    group: (notes,), notes that begin together have the same number, 0, 1, ... in time
    hand: (notes,), notes of one voice that begin together have the same number
    melody, bass: (notes,), the highest and lowest that sound at their onset
    tune: indices of the melody's notes, one at a time; between: (tune,), quarters from one to the next
    boundary: (tune,), 0 to 1: how much a fragment begins with it; start: (beats,), how much a phrase begins there
    count: (beats,), logarithm (base 2) of the number of notes that begin, and one
    tonic: (beats,), pitch class; chroma: (beats, 12), how long each pitch class sounds, sums to 1 or is 0
    phrases: of each length of PHRASE_BARS, the beats that begin them
    """

    line: Line
    beats: Array
    beat_end: Array
    beat_s: Array
    is_bar: Truth
    slot: Whole
    group: Whole
    hand: Whole
    melody: Truth
    bass: Truth
    tune: Whole
    between: Array
    boundary: Array
    start: Array
    count: Array
    tonic: Whole
    chroma: Array
    phrases: list[Whole]

    def per_beat(self, value: Array, index: Whole, weight: Array) -> Array:
        """The weighted mean of values of the notes `index` over each beat; beats without one have 0."""
        size = len(self.beats)
        total = np.bincount(self.slot[index], weight, size)
        summed = np.bincount(self.slot[index], weight * value, size)
        return np.divide(summed, total, out=np.zeros(size), where=total > 0)


def read(line: Line) -> Reading:
    """line: with at least one note"""
    beats, beat_end, is_bar, measure = _grid(line)
    slot = np.clip(np.searchsorted(beats, line.onset + 1e-6, side="right") - 1, 0, len(beats) - 1)
    onsets, group = np.unique(np.round(line.onset, 6), return_inverse=True)
    melody, bass = _outer(line, onsets, group)
    tune = np.flatnonzero(melody)
    tune = tune[np.unique(group[tune], return_index=True)[1]]
    ends = line.onset[tune] + line.duration[tune]
    between = np.append(np.diff(line.onset[tune]), line.duration[tune[-1:]])
    chroma = _chroma(line, beats, beat_end)
    strength = phrases.strengths(line, tune, beats, is_bar)
    bar = max(float(np.median(np.diff(np.flatnonzero(is_bar)))), 1.0) if is_bar.sum() > 1 else 4.0
    return Reading(
        line=line,
        beats=beats,
        beat_end=beat_end,
        beat_s=(beat_end - beats) * _tempo(line, beats),
        is_bar=is_bar,
        slot=slot,
        group=group.astype(np.int64),
        hand=np.unique(group * (int(line.voice.max()) + 1) + line.voice, return_inverse=True)[1],
        melody=melody,
        bass=bass,
        tune=tune,
        between=between,
        boundary=phrases.local_boundaries(line.pitch[tune], line.onset[tune], ends),
        start=strength,
        count=np.log2(1.0 + np.bincount(slot, minlength=len(beats))),
        tonic=_tonics(chroma, line.key[measure] if len(line.key) else np.zeros(len(beats), np.int64), int(bar)),
        chroma=chroma,
        phrases=phrases.levels(strength, bar, PHRASE_BARS),
    )


def _grid(line: Line) -> tuple[Array, Array, Truth, Whole]:
    """Beats from the first to the last note: their starts, ends, whether a bar begins, and the measure's index."""
    first, last = float(line.onset[0]), float((line.onset + line.duration).max())
    bars = np.append(line.bars, max(last, *line.ends)) if len(line.bars) else np.array([first, last])
    lengths = line.beat if len(line.beat) else np.ones(1)
    least = max(LEAST_BEAT, (bars[-1] - min(first, bars[0])) / MOST_BEATS)
    starts, measures, downs = [], [], []
    if first < bars[0] - 1e-6:
        early = np.arange(bars[0], first - 1e-6 - max(lengths[0], least), -max(lengths[0], least))[:0:-1]
        starts, measures, downs = [early], [np.zeros(len(early), np.int64)], [np.zeros(len(early), np.bool_)]
    for index, length in enumerate(lengths):
        inside = np.arange(bars[index], bars[index + 1] - max(length, least) * 0.26, max(length, least))
        starts.append(inside)
        measures.append(np.full(len(inside), index))
        downs.append(np.arange(len(inside)) == 0)
    beats = np.concatenate(starts)
    if not len(beats):
        return np.array([first]), np.array([last]), np.ones(1, np.bool_), np.zeros(1, np.int64)
    end = np.append(beats[1:], max(bars[-1], beats[-1] + least))
    return beats, end, np.concatenate(downs), np.concatenate(measures)


def _outer(line: Line, onsets: Array, group: Whole) -> tuple[Truth, Truth]:
    """Which notes are the highest and the lowest of those that sound at their onset."""
    last = np.searchsorted(onsets, line.onset + line.duration - 1e-3)
    covers = np.clip(last - group, 1, FARTHEST)
    owner = np.repeat(np.arange(len(group)), covers)
    place = group[owner] + np.arange(len(owner)) - np.repeat(np.cumsum(covers) - covers, covers)
    top, bottom = np.full(len(onsets), -np.inf), np.full(len(onsets), np.inf)
    np.maximum.at(top, np.minimum(place, len(onsets) - 1), line.pitch[owner])
    np.minimum.at(bottom, np.minimum(place, len(onsets) - 1), line.pitch[owner])
    highest = line.pitch >= top[group]
    return highest, (line.pitch <= bottom[group]) & ~highest


def _tempo(line: Line, beats: Array) -> Array:
    at = np.clip(np.searchsorted(line.onset, beats + 1e-6, side="right") - 1, 0, None)
    return line.seconds_per_quarter[at]


def _chroma(line: Line, beats: Array, beat_end: Array) -> Array:
    """What sounds in each beat and, for a held note, the next."""
    size = len(beats)
    total = np.zeros((size, 12))
    tone = np.round(line.pitch).astype(np.int64) % 12
    slot = np.clip(np.searchsorted(beats, line.onset + 1e-6, side="right") - 1, 0, size - 1)
    end = line.onset + line.duration
    for later in range(4):
        place = np.minimum(slot + later, size - 1)
        sounds = np.minimum(end, beat_end[place]) - np.maximum(line.onset, beats[place])
        valid = (sounds > 0) & (slot + later < size)
        np.add.at(total, (place[valid], tone[valid]), sounds[valid])
    amount = total.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(total, amount, out=np.zeros_like(total), where=amount > 0))


def _tonics(chroma: Array, fifths: Whole, bar: int) -> Whole:
    """(beats,): the tonic around each beat; the key signature's major or minor unless another fits much better."""
    width = KEY_BARS * max(bar, 1)
    total = np.concatenate([np.zeros((1, 12)), np.cumsum(chroma, axis=0)])
    index = np.arange(len(chroma))
    around = total[np.minimum(index + width // 2 + 1, len(chroma))] - total[np.maximum(index - width // 2, 0)]
    profiles = np.stack([np.roll(profile, tonic) for profile in (MAJOR, MINOR) for tonic in range(12)], axis=1)
    fit = around @ profiles
    major = 7 * fifths % 12
    for signed in (major, 12 + (major + 9) % 12):
        fit[index, signed] *= MORE_FITTING
    return np.asarray(fit.argmax(axis=1) % 12)
