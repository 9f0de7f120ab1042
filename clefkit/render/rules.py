"""The rules by which a human plays, each a function of what he reads in the score.

After Friberg, Bresin, Sundberg 2006, "Overview of the KTH rule system for musical performance", and the works it sums
up. Names and directions are theirs, the shapes are ours; how strongly a rule acts is fitted to pianists (see `RULES`).
A rule says what it does at its full strength, in natural units: a tempo in the logarithm of a beat's duration (0.1 is
10 % slower), loudness in steps of MIDI velocity, lengths in the logarithm of a note's duration, shifts in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from clefkit.render.line import Array
from clefkit.render.reading import Reading

# How much a tone or a chord asks for attention, by its distance on the circle of fifths, from the tonic up.
CHARGE = np.array([0.0, 6.5, 2.0, 4.5, 4.0, 2.5, 6.0, 1.0, 5.5, 3.0, 3.5, 5.0])
TURN = 0.4  # where in a phrase the player stops to press on and begins to hold back
RITARD_BEATS = 6.0
RITARD_POWER = 3.0
RITARD_LAST = 0.5  # tempo at the very end
SECTION = 0.4  # of the final ritard, at the end of a section
PAUSE = -0.25  # a detached end of a note: by how much it is shorter
LEGATO = 0.08
STACCATO_BASE_S = 0.3
LEAD_S = 0.015
LATE_S = 0.03


class Effect(NamedTuple):
    """What a rule does: tempo of (beats,); velocity, length and shift_s of (notes,); None is nothing."""

    tempo: Array | None = None
    velocity: Array | None = None
    length: Array | None = None
    shift_s: Array | None = None


@dataclass(frozen=True)
class Rule:
    """effect: what it does; tempo, velocity: its strength at weight 1, as fitted; weight: unless one is asked for.

    levels: it takes a share of the written contrasts away, which must not grow without bound
    """

    effect: Callable[[Reading], Effect]
    tempo: float = 0.0
    velocity: float = 0.0
    weight: float = 1.0
    levels: bool = False


def _arch(reading: Reading, level: int) -> Effect:
    """Faster towards the middle of a phrase, slower at its ends; in loudness pianists show no such arch here."""
    starts = reading.phrases[level]
    size = len(reading.beats)
    length = np.diff(np.append(starts, size))
    which = np.repeat(np.arange(len(starts)), length)
    place = (np.arange(size) - starts[which] + 0.5) / length[which]
    away = np.where(place < TURN, 0.5 * ((TURN - place) / TURN) ** 2, ((place - TURN) / (1 - TURN)) ** 2)
    return Effect(tempo=away)


def _at_notes(reading: Reading, value: Array) -> Array:
    """A curve over the beats at the onsets of the notes, linear between the middles of beats."""
    middle = (reading.beats + reading.beat_end) / 2
    return np.interp(reading.line.onset, middle, value)


def phrase_arch_section(reading: Reading) -> Effect:
    """The arch over some 16 bars."""
    return _arch(reading, 0)


def phrase_arch_long(reading: Reading) -> Effect:
    """The arch over some 8 bars."""
    return _arch(reading, 1)


def phrase_arch(reading: Reading) -> Effect:
    """The arch over some 4 bars."""
    return _arch(reading, 2)


def final_ritard(reading: Reading) -> Effect:
    """Slowing down before an end like a runner who stops (Friberg, Sundberg 1999); less at the ends of sections."""
    tempo = np.zeros(len(reading.beats))
    middle = (reading.beats + reading.beat_end) / 2
    for index, end in enumerate(reading.line.ends):
        scale = 1.0 if index == len(reading.line.ends) - 1 else SECTION
        before = np.clip(np.searchsorted(reading.beats, end - 1e-6) - 1, 0, None)
        length = RITARD_BEATS * (reading.beat_end - reading.beats)[before]
        place = np.clip((middle - (end - length)) / length, 0.0, 1.0) * (middle < end)
        speed = (1 + (RITARD_LAST**RITARD_POWER - 1) * place) ** (1 / RITARD_POWER)
        tempo = np.maximum(tempo, -scale * np.log(speed))
    return Effect(tempo=tempo)


def high_loud(reading: Reading) -> Effect:
    """The higher the louder, three decibels an octave."""
    pitch = reading.line.pitch
    return Effect(velocity=(pitch - pitch.mean()) * 9.0 / 12)


def duration_contrast(reading: Reading) -> Effect:
    """Short notes are shorter and softer, long ones longer and louder."""
    tune, between = reading.tune, np.maximum(reading.between, 1e-3)
    relative = np.clip(np.log2(between / np.median(between)), -2.0, 3.0)
    velocity = np.zeros(len(reading.line.onset))
    velocity[tune] = 3.0 * relative
    longest = np.full(len(reading.beats), -2.0)
    np.maximum.at(longest, reading.slot[tune], relative)
    longest = np.where(longest > -2.0, longest, 0.0)
    return Effect(tempo=0.05 * longest, velocity=_together(reading, velocity))


def _together(reading: Reading, value: Array) -> Array:
    """What is said of the melody's notes holds for all notes that begin with them."""
    best = np.zeros(int(reading.group.max()) + 1)
    best[reading.group[reading.tune]] = value[reading.tune]
    return best[reading.group]


def double_duration(reading: Reading) -> Effect:
    """Of a note and one half as long behind it, the long one gets shorter and the short one longer."""
    tune, between = reading.tune, reading.between
    shift = np.zeros(len(reading.line.onset))
    halved = np.abs(between[:-1] / np.maximum(between[1:], 1e-6) - 2.0) < 0.01
    shift[tune[1:]] = -0.06 * (between * reading.line.seconds_per_quarter[tune])[1:] * halved
    return Effect(shift_s=np.clip(_together(reading, shift), -LATE_S, 0.0))


def inegales(reading: Reading) -> Effect:
    """Notes in the middle of a beat come late, as in swing and French baroque."""
    line = reading.line
    length = (reading.beat_end - reading.beats)[reading.slot]
    place = (line.onset - reading.beats[reading.slot]) / length
    middle = np.abs(place - 0.5) < 0.01
    return Effect(shift_s=np.clip(0.1 * length * line.seconds_per_quarter * middle, 0.0, LATE_S))


def melodic_charge(reading: Reading) -> Effect:
    """Notes far from the tonic on the circle of fifths are louder."""
    tune = reading.tune
    charge = CHARGE[(np.round(reading.line.pitch[tune]).astype(np.int64) - reading.tonic[reading.slot[tune]]) % 12]
    charge = (charge - charge.mean()) / 6.5
    velocity = np.zeros(len(reading.line.onset))
    velocity[tune] = 5.0 * charge
    return Effect(velocity=_together(reading, velocity))


def harmonic_charge(reading: Reading) -> Effect:
    """Louder towards remote harmony."""
    tones = (np.arange(12)[None, :] - reading.tonic[:, None]) % 12
    charge = (reading.chroma * CHARGE[tones]).sum(axis=1) / 6.5
    charge = smoothed(charge - charge.mean(), 4)
    return Effect(velocity=20.0 * _at_notes(reading, charge))


def smoothed(value: Array, width: int) -> Array:
    """A running mean, the ends held."""
    if len(value) < 2:
        return value
    shape = np.hanning(width + 2)[1:-1]
    padded = np.concatenate([np.full(width, value[0]), value, np.full(width, value[-1])])
    return np.convolve(padded, shape / shape.sum(), "same")[width:-width]


def punctuation(reading: Reading) -> Effect:
    """Breath between phrases: the beat before one is held, the first a little, and the last note is let go early."""
    tune = reading.tune
    length = np.zeros(len(reading.line.onset))
    length[tune[:-1]] = PAUSE * reading.boundary[1:]
    start = np.clip(reading.start, 0.0, 2.0)
    hold = np.append(start[1:], 0.0) + 0.5 * start
    return Effect(tempo=0.1 * hold, length=length)


def leap(reading: Reading) -> Effect:
    """A small pause before a leap, the wider the longer."""
    tune = reading.tune
    wide = np.append(np.clip((np.abs(np.diff(reading.line.pitch[tune])) - 4.0) / 8.0, 0.0, 1.5), 0.0)
    length = np.zeros(len(reading.line.onset))
    length[tune] = 0.4 * PAUSE * wide
    return Effect(length=length)


def repetition(reading: Reading) -> Effect:
    """A note that comes again at once is let go early."""
    line = reading.line
    order = np.lexsort((line.onset, line.pitch, line.part))
    same = (np.diff(line.pitch[order]) == 0) & (np.diff(line.part[order]) == 0)
    near = np.abs(line.onset[order][1:] - (line.onset + line.duration)[order][:-1]) < 0.01
    length = np.zeros(len(line.onset))
    length[order[:-1]] = PAUSE * (same & near)
    return Effect(length=length)


def score_legato(reading: Reading) -> Effect:
    """Under a slur a note goes on into the next (Bresin, Battel 2000)."""
    return Effect(length=np.where(reading.line.slurred & ~reading.line.staccato, LEGATO, 0.0))


def score_staccato(reading: Reading) -> Effect:
    """Staccato is relatively shorter the longer the note is in seconds (Bresin, Battel 2000)."""
    line = reading.line
    seconds = np.maximum(line.duration * line.seconds_per_quarter, 1e-3)
    return Effect(length=np.clip(-0.3 * np.log2(seconds / STACCATO_BASE_S), -0.4, 0.3) * line.staccato)


def faster_uphill(reading: Reading) -> Effect:
    """Faster while the melody rises."""
    tune = reading.tune
    rising = np.append((np.diff(reading.line.pitch[tune]) > 0).astype(np.float64), 0.0)
    return Effect(tempo=-0.05 * reading.per_beat(rising, tune, np.ones(len(tune))))


def beat_accent(reading: Reading) -> Effect:
    """The first beat of a measure is louder and a little longer, other beats are louder than what is between them."""
    line = reading.line
    on_beat = np.abs(line.onset - reading.beats[reading.slot]) < 1e-3
    velocity = 3.0 * on_beat + 3.0 * (on_beat & reading.is_bar[reading.slot])
    return Effect(tempo=np.where(reading.is_bar, 0.05, 0.0), velocity=velocity - velocity.mean())


def melody_loud(reading: Reading) -> Effect:
    """The melody is louder than what accompanies it."""
    return Effect(velocity=10.0 * (reading.melody - reading.melody.mean()))


def bass_loud(reading: Reading) -> Effect:
    """The bass is louder than the middle."""
    return Effect(velocity=10.0 * (reading.bass - reading.bass.mean()))


def melody_lead(reading: Reading) -> Effect:
    """The hand or player of the melody comes a little before the others."""
    leads = np.bincount(reading.hand, reading.melody) > 0
    follows = np.bincount(reading.group, ~leads[reading.hand]) > 0
    return Effect(shift_s=np.where(leads[reading.hand] & follows[reading.group], -LEAD_S, 0.0))


def texture(reading: Reading) -> Effect:
    """Where little is played there is time, where much is played it goes on and is louder."""
    count = reading.count - reading.count.mean()
    following = np.append(count[1:], count[-1])
    return Effect(
        tempo=-0.05 * (0.75 * count + 0.25 * following), velocity=10.0 * _at_notes(reading, smoothed(count, 4))
    )


def reach(reading: Reading) -> Effect:
    """Where the hands are farther apart than around, it takes longer."""
    high, low = np.full(len(reading.beats), -np.inf), np.full(len(reading.beats), np.inf)
    np.maximum.at(high, reading.slot, reading.line.pitch)
    np.minimum.at(low, reading.slot, reading.line.pitch)
    wide = np.where(np.isfinite(high), high - np.where(np.isfinite(low), low, 0.0), 0.0) / 24
    return Effect(tempo=0.05 * (wide - smoothed(wide, 16)))


def loud_fast(reading: Reading) -> Effect:
    """What is written louder is played faster."""
    loud = reading.per_beat(reading.line.velocity, np.arange(len(reading.slot)), np.ones(len(reading.slot)))
    empty = np.bincount(reading.slot, minlength=len(reading.beats)) == 0
    loud = np.where(empty, reading.line.velocity.mean(), loud)
    return Effect(tempo=-0.1 * smoothed(loud - loud.mean(), 4) / 30.0)


def dynamic_range(reading: Reading) -> Effect:
    """Written dynamics are played with less contrast than their marks say."""
    velocity = reading.line.velocity
    return Effect(velocity=velocity.mean() - velocity)


# Strengths by `python benchmarks/performance.py DATA --split train --fit`: ASAP, 157 pieces, 725 performances.
RULES: dict[str, Rule] = {
    "phrase_arch_section": Rule(phrase_arch_section, tempo=0.023),
    "phrase_arch_long": Rule(phrase_arch_long, tempo=0.004),
    "phrase_arch": Rule(phrase_arch, tempo=0.007),
    "final_ritard": Rule(final_ritard, tempo=0.42),
    "punctuation": Rule(punctuation, tempo=1.59),
    "duration_contrast": Rule(duration_contrast, tempo=0.25, velocity=0.15),
    "texture": Rule(texture, tempo=1.05, velocity=0.35),
    "reach": Rule(reach, tempo=1.03),
    "faster_uphill": Rule(faster_uphill, tempo=0.15),
    "beat_accent": Rule(beat_accent, tempo=0.10, velocity=0.27),
    "loud_fast": Rule(loud_fast, tempo=0.25),
    # Not all of it, so that written contrasts are still heard.
    "dynamic_range": Rule(dynamic_range, velocity=0.70, weight=0.75, levels=True),
    "high_loud": Rule(high_loud, velocity=0.34),
    "melody_loud": Rule(melody_loud, velocity=0.73),
    "bass_loud": Rule(bass_loud, velocity=0.12),
    "melodic_charge": Rule(melodic_charge, velocity=0.11),
    "harmonic_charge": Rule(harmonic_charge, velocity=0.26),
    "leap": Rule(leap),
    "repetition": Rule(repetition),
    "score_legato": Rule(score_legato),
    "score_staccato": Rule(score_staccato),
    "melody_lead": Rule(melody_lead),
    "double_duration": Rule(double_duration),
    "inegales": Rule(inegales, weight=0.0),
}
