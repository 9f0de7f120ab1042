"""Music that no score holds: single notes, scales, repeated notes, chords, trills and runs, as people record them to
try out an instrument or to practise. A stretch is a few of these, with rests between, in one register.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit.notes import Notes, make

Figure = list[tuple[float, float, float]]  # onset and offset in steps, pitch relative to the figure's lowest

SCALES = ((2, 2, 1, 2, 2, 2, 1), (2, 1, 2, 2, 1, 3, 1), (1,) * 12, (2, 2, 3, 2, 3), (3, 2, 1, 1, 3, 2))
CHORDS = (
    (0, 4, 7),
    (0, 3, 7),
    (0, 4, 7, 12),
    (0, 3, 7, 10),
    (0, 5, 10),
    (0, 7, 12, 16),
    (0, 12),
    (0, 7),
    (0, 3),
    (0, 4),
)


def draw(length_s: float, generator: Generator) -> Notes:
    """One part of about `length_s` seconds."""
    lowest = float(generator.integers(28, 80))
    rows: list[tuple[float, float, float, float]] = []
    time_s = float(generator.uniform(0.0, 2.0))
    while time_s < length_s:
        figure = FIGURES[int(generator.integers(len(FIGURES)))](generator)
        step_s = float(np.exp(generator.uniform(np.log(0.07), np.log(0.8))))
        base = lowest + float(generator.integers(-5, 6))
        velocity = generator.uniform(40, 115)
        rows += [
            (time_s + on * step_s, time_s + off * step_s, base + pitch, velocity * generator.uniform(0.8, 1.2))
            for on, off, pitch in figure
        ]
        rest_s = generator.uniform(0.0, 0.4) if generator.random() < 0.6 else generator.uniform(0.5, 4.0)
        time_s = max(off for _, off, _, _ in rows) + float(rest_s)
    onset, offset, pitch, velocities = np.array(rows).T
    fits = onset < length_s - 0.1
    high = _in_range(pitch[fits])
    loud = np.clip(np.rint(velocities), 15, 127)[fits]
    return make(onset[fits], np.minimum(offset[fits], length_s), high, loud)


def _in_range(pitch: NDArray[np.float64]) -> NDArray[np.float64]:
    """Within 24 to 105, by whole octaves."""
    below, above = np.ceil((24 - pitch) / 12), np.ceil((pitch - 105) / 12)
    return np.asarray(pitch + 12 * np.maximum(below, 0) - 12 * np.maximum(above, 0))


def _long(generator: Generator) -> Figure:
    return [(0.0, float(generator.uniform(2, 9)), float(generator.integers(0, 13)))]


def _scale(generator: Generator) -> Figure:
    steps = SCALES[int(generator.integers(len(SCALES)))]
    rising = np.cumsum([0, *(steps * 2)[: int(generator.integers(5, 15))]])
    line = {0: rising, 1: rising[::-1], 2: np.concatenate([rising, rising[-2::-1]])}[int(generator.integers(3))]
    length = float(generator.choice([0.5, 0.9, 1.0, 1.05]))
    return [(float(index), index + length, float(pitch)) for index, pitch in enumerate(line)]


def _repeated(generator: Generator) -> Figure:
    length = float(generator.choice([0.4, 0.8, 0.95, 1.0]))
    return [(float(index), index + length, 0.0) for index in range(int(generator.integers(3, 12)))]


def _arpeggio(generator: Generator) -> Figure:
    chord = CHORDS[int(generator.integers(len(CHORDS)))]
    line = [pitch + 12 * octave for octave in range(int(generator.integers(1, 4))) for pitch in chord]
    ringing = generator.random() < 0.4
    return [(float(index), float(len(line) + 2 if ringing else index + 1), float(p)) for index, p in enumerate(line)]


def _chords(generator: Generator) -> Figure:
    length = float(generator.uniform(0.5, 1.02))
    figure: Figure = []
    for index in range(int(generator.integers(1, 6))):
        root = float(generator.integers(0, 8))
        chord = CHORDS[int(generator.integers(len(CHORDS)))]
        figure += [(2.0 * index, 2.0 * (index + length), root + pitch) for pitch in chord]
    return figure


def _trill(generator: Generator) -> Figure:
    step = float(generator.integers(1, 3))
    count = int(generator.integers(6, 16))
    fast = 0.5
    return [(fast * index, fast * (index + 1), step * (index % 2)) for index in range(count)]


def _leaps(generator: Generator) -> Figure:
    line = np.cumsum(generator.integers(-9, 10, int(generator.integers(4, 12))))
    length = float(generator.choice([0.6, 1.0]))
    return [(float(index), index + length, float(pitch - line.min())) for index, pitch in enumerate(line)]


FIGURES: tuple[Callable[[Generator], Figure], ...] = (_long, _scale, _repeated, _arpeggio, _chords, _trill, _leaps)
