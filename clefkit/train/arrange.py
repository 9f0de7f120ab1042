"""A piece of music as somebody else would have played it, on other instruments.

From a work: a stretch of it, some of its parts (a piano may be shared out between two hands), at another tempo and in
another key, with instruments that have the range, human timing, articulation and dynamics, vibrato and glides for
voices, winds and strings, a pedal, another tuning of the whole, and sometimes a drum kit, which is no target.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit.notes import Control, Notes, make, take

SUSTAINED = frozenset([*range(20, 24), *range(40, 45), 48, 49, 50, 51, *range(52, 55), *range(56, 74), 75, 79, 110])

RINGING = frozenset([*range(4, 6), *range(8, 16), *range(24, 29), 46, *range(104, 109)])  # often not damped

# General MIDI programs by family: (programs, lowest pitch, highest pitch, how often the family is drawn).
# Left out: instruments that sound in another octave than written, or in none: drawbar and church organs, glockenspiel,
# pads, effects.
FAMILIES: tuple[tuple[tuple[int, ...], int, int, float], ...] = (
    ((0, 1, 2, 3), 21, 108, 4.0),
    ((4, 5, 7), 28, 103, 2.0),
    ((8, 11, 12, 13, 15, 108), 53, 96, 1.5),
    ((20, 21, 22, 23), 48, 90, 0.7),
    ((24, 25, 26, 27, 28), 40, 88, 2.5),
    ((29, 30), 40, 80, 0.4),
    ((32, 33, 34, 35, 36, 38, 39), 24, 60, 1.2),
    ((40, 44, 110), 55, 100, 2.5),
    ((41,), 48, 88, 1.5),
    ((42,), 36, 76, 2.0),
    ((43,), 28, 55, 0.5),
    ((45, 46), 30, 96, 1.0),
    ((48, 49, 50, 51), 30, 96, 2.0),
    ((52, 53, 54), 43, 84, 2.0),
    ((56, 59), 52, 86, 1.0),
    ((57, 60, 61, 62), 38, 78, 1.5),
    ((58,), 28, 58, 0.4),
    ((64, 65, 66, 67), 44, 88, 1.2),
    ((68, 69), 54, 88, 1.0),
    ((70,), 34, 74, 0.8),
    ((71,), 50, 92, 1.2),
    ((72, 73, 74, 75, 79), 60, 98, 1.5),
    ((80, 81), 40, 92, 0.5),
    ((104, 105, 106, 107), 45, 88, 0.7),
)
PARTS = (0.2, 0.22, 0.22, 0.24, 0.12)  # how often one to five parts play
DOUBLED = 0.1  # how often one more player doubles a part, at the unison or an octave
REPEATED = 0.12  # of the parts: long notes are struck again and again


class Voice(NamedTuple):
    """One part as one player plays it.

    notes: from 0 s on; program: General MIDI's, whose range it has; controls: of part 0; drums: a kit, no target
    """

    notes: Notes
    program: int
    controls: tuple[Control, ...]
    drums: bool = False


class Chosen(NamedTuple):
    """What a recording is made of: its parts, and the detuning (in semitones) of all of them."""

    voices: list[Voice]
    tuning: float


def arrange(piece: Notes, length_s: float, generator: Generator) -> Chosen:
    """Draw a performance of about `length_s` seconds from a work: some of its parts, at another tempo, in another key.

    returns: notes from 0 to `length_s`, one part an instrument; `tuning` in semitones, already in the bends
    """
    tempo = float(np.clip(np.exp(generator.normal(0, 0.22)), 0.6, 1.7))
    tuneful = melodic(piece)
    chosen = stretch(tuneful, length_s, tempo, generator)
    transposition = int(generator.integers(-6, 7))
    tuning = float(generator.uniform(-0.5, 0.5) if generator.random() < 0.45 else generator.normal(0, 0.08))
    voices = []
    wanted = int(generator.choice(len(PARTS), p=PARTS)) + 1
    for voice in _doubled(voices_of(chosen, wanted, generator), generator):
        program, shift = instrument_for(voice.pitch + transposition, generator)
        played = perform(replace(voice, pitch=voice.pitch + transposition + shift), program, generator)
        voices.append(Voice(played, program, manner(played, program, tuning, length_s, generator)))
    if generator.random() < 0.15:
        kit = int(generator.choice([0, 8, 16, 25, 32]))
        voices.append(Voice(drum_pattern(length_s, tempo, generator), kit, (), drums=True))
    return Chosen(voices, tuning)


def melodic(piece: Notes) -> Notes:
    drums = np.array([part.drums for part in piece.parts])
    return take(piece, ~drums[piece.part])


def stretch(piece: Notes, length_s: float, tempo: float, generator: Generator) -> Notes:
    """The notes of one stretch, from time 0 on, at another tempo."""
    span = length_s * tempo
    start = float(generator.uniform(0, max(0.1, piece.onset[-1] - span)))
    inside = take(piece, (piece.onset >= start) & (piece.onset < start + span - 0.3))
    lead_s = float(generator.uniform(0.0, 0.6))
    onset = (inside.onset - start) / tempo + lead_s
    offset = np.minimum((inside.offset - start) / tempo + lead_s, length_s)
    fits = onset < length_s - 0.1
    return take(replace(inside, onset=onset, offset=offset), fits)


def voices_of(piece: Notes, wanted: int, generator: Generator) -> list[Notes]:
    """The parts that play, drawn among those of the piece; a part may be shared out at a pitch."""
    present = np.unique(piece.part)
    present = np.sort(generator.choice(present, min(wanted, len(present)), replace=False))
    voices = []
    for part in present:
        voice = take(piece, piece.part == part)
        shared = generator.random() < (0.7 if wanted > len(present) else 0.15)
        if len(voice) > 20 and np.ptp(voice.pitch) > 24 and shared:
            border = float(np.median(voice.pitch)) + float(generator.normal(0, 2))
            voices += [take(voice, voice.pitch < border), take(voice, voice.pitch >= border)]
        else:
            voices.append(voice)
    return [voice for voice in voices if len(voice) > 0]


def _doubled(voices: list[Notes], generator: Generator) -> list[Notes]:
    if not voices or generator.random() >= DOUBLED:
        return voices
    voice = voices[int(generator.integers(len(voices)))]
    return [*voices, replace(voice, pitch=voice.pitch + int(generator.choice([0, -12, 12])))]


def _repeated(voice: Notes, generator: Generator) -> Notes:
    """Some of its long notes as many short ones, as accompaniments and tremolos have them."""
    step_s = float(np.exp(generator.uniform(np.log(0.09), np.log(0.3))))
    length = voice.offset - voice.onset
    struck = (length > 2 * step_s) & (generator.random(len(voice)) < generator.uniform(0.2, 0.8))
    count = np.where(struck, np.floor(length / step_s), 1).astype(int)
    index = np.repeat(np.arange(len(voice)), count)
    among = np.arange(len(index)) - np.repeat(np.cumsum(count) - count, count)
    each = (length / count)[index]
    onset = voice.onset[index] + among * each
    velocity = np.clip(np.rint(voice.velocity[index] + generator.normal(0, 6, len(index))), 15, 127)
    return make(onset, onset + each, voice.pitch[index], velocity)


def instrument_for(pitch: NDArray[np.float64], generator: Generator) -> tuple[int, int]:
    """A program, and by how many octaves (in semitones) the part moves to be in its range."""
    low, high = float(np.quantile(pitch, 0.02)), float(np.quantile(pitch, 0.98))
    candidates = []
    for programs, lowest, highest, weight in FAMILIES:
        for shift in (0, -12, 12):
            overlap = min(high + shift, highest) - max(low + shift, lowest)
            inside = (overlap + 1) / (high - low + 1)
            candidates.append((programs, shift, weight * max(inside, 0.0) ** 4 * (1.0 if shift == 0 else 0.25)))
    weights = np.array([weight for _, _, weight in candidates]) + 1e-9
    programs, shift, _ = candidates[int(generator.choice(len(candidates), p=weights / weights.sum()))]
    return int(generator.choice(programs)), shift


def perform(voice: Notes, program: int, generator: Generator, *, in_time: bool = False) -> Notes:
    """Timing, articulation and dynamics of one player. in_time: notes begin when they are written"""
    if generator.random() < REPEATED:
        voice = _repeated(voice, generator)
    count = len(voice)
    tight = 0.0 if in_time else generator.choice([0.0, 0.006, 0.012, 0.02])
    drift = np.interp(voice.onset, np.arange(0, 80, 2.0), generator.normal(0, 2 * tight, 40))
    onset = np.maximum(voice.onset + drift + generator.normal(0, 1, count) * tight, 0.0)
    if not in_time and generator.random() < 0.25:  # chords rolled from the bottom
        same = np.concatenate([[False], np.diff(voice.onset) < 0.003])
        steps = np.arange(count) - np.maximum.accumulate(np.where(same, 0, np.arange(count)))
        onset = onset + steps * generator.uniform(0.008, 0.04)
    sustain = generator.uniform(0.9, 1.06) if program in SUSTAINED else generator.uniform(0.35, 1.15)
    each = np.clip(generator.normal(1, 0.08, count), 0.7, 1.3)
    length = np.maximum((voice.offset - voice.onset) * sustain * each, 0.05)
    if program in RINGING and generator.random() < 0.4:
        length = np.maximum(length, generator.uniform(0.8, 4.0))
    base = generator.uniform(45, 105)
    curve = np.interp(voice.onset, np.arange(0, 80, 4.0), generator.normal(0, 10, 20))
    velocity = base + curve + 0.3 * (voice.velocity - voice.velocity.mean()) + generator.normal(0, 6, count)
    pitch = np.where(voice.pitch < 21, voice.pitch + 12, np.where(voice.pitch > 108, voice.pitch - 12, voice.pitch))
    return make(onset, onset + length, pitch, np.clip(np.rint(velocity), 15, 127))


def manner(played: Notes, program: int, tuning: float, length_s: float, generator: Generator) -> tuple[Control, ...]:
    """Gain, tuning, vibrato, glides, swells and pedal of one part."""
    level = int(np.clip(100 * 10 ** (generator.normal(0, 3.0) / 40), 40, 127))
    controls = [Control(0.0, 0, "control", 7, level)]
    bend = {0.0: tuning}
    if program in SUSTAINED and generator.random() < 0.5:
        times = np.arange(0, length_s, 0.02)
        depth = generator.uniform(0.05, 0.45) if program not in range(20, 24) else 0.03
        depths = depth * np.interp(times, np.arange(0, 80, 1.5), generator.uniform(0, 1.2, 54))
        wave = np.sin(2 * np.pi * generator.uniform(4.2, 7.0) * times + generator.uniform(0, 6.28))
        bend |= dict(zip(times.tolist(), (tuning + depths * wave).tolist(), strict=True))
        if generator.random() < 0.5:
            bend = _glides(bend, played, generator)
    controls += [Control(time, 0, "bend", 0, value) for time, value in bend.items()]
    if program in SUSTAINED and generator.random() < 0.4:
        times = np.arange(0, length_s, 0.1)
        curve = np.interp(times, np.arange(0, 80, 0.8), generator.uniform(70, 127, 100))
        controls += [Control(float(t), 0, "control", 11, int(v)) for t, v in zip(times, curve, strict=True)]
    if program < 16 and generator.random() < 0.3:
        changes = np.arange(0.5, length_s, generator.uniform(0.7, 2.5))
        controls += [Control(float(time), 0, "control", 64, 0) for time in changes]
        controls += [Control(float(time) + 0.08, 0, "control", 64, 127) for time in changes]
    return tuple(sorted(controls, key=lambda control: control.time_s))


def _glides(bend: dict[float, float], played: Notes, generator: Generator) -> dict[float, float]:
    """Slides into some notes, over a tenth of a second, from up to a tone away."""
    times = np.array(list(bend))
    values = np.array(list(bend.values()))
    for onset in played.onset[generator.random(len(played)) < 0.25]:
        since = (times - onset) / generator.uniform(0.04, 0.14)
        inside = (since >= 0) & (since < 1)
        values[inside] += generator.uniform(-2.0, 1.0) * (1 - since[inside])
    return dict(zip(times.tolist(), values.tolist(), strict=True))


def drum_pattern(length_s: float, tempo: float, generator: Generator) -> Notes:
    """A pattern on a grid of eighths or sixteenths: bass drum, snare, hi-hat, a cymbal, a tom."""
    step = generator.uniform(0.16, 0.34) / tempo
    grid = np.arange(0, length_s - 0.2, step)
    onset, pitch = [], []
    for drum, chance in ((36, 0.3), (38, 0.2), (42, 0.6), (46, 0.1), (49, 0.03), (45, 0.05)):
        pattern = generator.random(16) < chance
        times = grid[pattern[np.arange(len(grid)) % 16]]
        onset.append(times)
        pitch.append(np.full(len(times), drum))
    starts = np.concatenate(onset)
    starts = np.maximum(starts + generator.normal(0, 0.006, len(starts)), 0)
    velocity = np.clip(generator.normal(generator.uniform(40, 90), 12, len(starts)), 10, 127).astype(np.int64)
    return make(starts, starts + 0.1, np.concatenate(pitch), velocity)
