"""What tests of the synthesizer share: short performances, and measures of what came out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tiny_font import CLICK_AT, RATE

from clefkit import notes
from clefkit.audio import Audio
from clefkit.notes import Control, Notes, Part, Performance


def performance(
    onset: ArrayLike,
    offset: ArrayLike,
    pitch: ArrayLike,
    velocity: ArrayLike | None = None,
    part: ArrayLike | None = None,
    *,
    parts: tuple[Part, ...] = (Part(),),
    controls: tuple[Control, ...] = (),
) -> Performance:
    return Performance(notes.make(onset, offset, pitch, velocity, part, parts), controls)


def hz(samples: NDArray[np.float32], rate: int = RATE) -> float:
    """The frequency of a sine, from the first and the last rising zero."""
    rising = np.flatnonzero((samples[:-1] < 0) & (samples[1:] >= 0))
    exact = rising - samples[rising] / (samples[rising + 1] - samples[rising])
    return float((len(exact) - 1) * rate / (exact[-1] - exact[0]))


def errors(sound: Audio, labels: Notes) -> set[int]:
    """By how many samples clicks lie off their labels."""
    found = set()
    quiet = np.zeros(40, np.float32)
    level = np.abs(np.concatenate([quiet, sound.samples[0]]))
    for start in np.rint(labels.onset * sound.rate).astype(int):
        window = level[start : start + 140]  # from 40 samples before the label
        found.add(int(np.flatnonzero(window > 1e-4 * window.max())[0]) - 40 - CLICK_AT)
    return found


def click_track(path: Path, count: int = 2000, duration_s: float = 600.0) -> NDArray[np.float64]:
    """Write a MIDI file of notes at odd times, with a new tempo on each beat. returns: (count,), their exact seconds"""
    import mido

    generator = np.random.default_rng(7)
    ticks = 480
    tempi = generator.integers(250_000, 900_000, round(duration_s / 0.575)).tolist()
    starts = [Fraction(0)]
    for tempo in tempi:
        starts.append(starts[-1] + Fraction(tempo, 1_000_000))
    places = np.cumsum(generator.dirichlet(np.full(count + 1, 2.0)) * (len(tempi) * ticks - count * 11) + 11)[:count]
    onsets = places.astype(int).tolist()
    events: list[tuple[int, Any]] = [
        (beat * ticks, mido.MetaMessage("set_tempo", tempo=tempo)) for beat, tempo in enumerate(tempi)
    ]
    for tick in onsets:
        note, velocity = int(generator.integers(30, 100)), int(generator.integers(40, 127))
        events.append((tick, mido.Message("note_on", note=note, velocity=velocity)))
        events.append((tick + 5, mido.Message("note_off", note=note)))
    events.sort(key=lambda event: event[0])
    file, track, now = mido.MidiFile(ticks_per_beat=ticks), mido.MidiTrack(), 0
    for tick, message in events:
        track.append(message.copy(time=tick - now))
        now = tick
    file.tracks.append(track)
    file.save(path)
    beats = [divmod(tick, ticks) for tick in onsets]
    return np.array([float(starts[beat] + Fraction(tempi[beat] * rest, ticks * 1_000_000)) for beat, rest in beats])


def found_clicks(samples: NDArray[np.float32], expected: NDArray[np.int64], reach: int) -> NDArray[np.int64]:
    """Where clicks begin, each the first within `reach` samples of where it is expected. samples: (samples,)"""
    level = np.abs(np.pad(samples, (reach, reach + 100)))
    found = []
    for place in expected.tolist():
        window = level[place : place + 2 * reach + CLICK_AT + 4]
        loud = np.flatnonzero(window > 0.02 * window.max())
        found.append(place - reach + int(loud[0]) - CLICK_AT if window.max() > 0 else -reach)
    return np.array(found)
