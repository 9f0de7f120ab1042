"""Real single notes as an instrument: each note the nearest recording, moved by a few semitones at most.

A folder of recordings has an `index.csv` with at least the columns file, midi_pitch (sounding, a real number) and
either `instrument`, or folders that are instruments. `held` tells (1) that the player can sustain: such instruments
slur some of their notes: the next recording fades in past its attack while the last one fades out, both half way at
the onset.

A recording is placed so that the moment when it comes within 22 dB of its peak is the onset of the note; what it has
before that, a bow that takes hold, a breath, sounds before.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit.notes import Notes, make, take

Array = NDArray[np.float32]

FARTHEST = 3.5  # semitones that a recording is moved at most
LONGEST_S = 8.0
HEARD = 0.08  # of the peak: -22 dB
BEFORE_S = 0.15  # that is kept before the onset, at most
SLUR_S = (-0.12, 0.06)  # between two notes that can be slurred
FADE_S = 0.08  # of a note that is slurred to the next
PAST_ATTACK_S = 0.12
SPEECH = "speech"
HELD_FOLDERS = ("alto_sax", "double_bass_arco")


class Take(NamedTuple):
    """One recording. pitch: sounding; samples: peak 1; heard: sample at which the note is heard to begin."""

    pitch: float
    samples: Array
    heard: int


class Instrument(NamedTuple):
    """A timbre. pitches: (takes,); files: their paths; held: whether its player can sustain."""

    name: str
    split: str
    held: bool
    pitches: NDArray[np.float64]
    files: tuple[Path, ...]


def instruments(folder: Path, *, pitched: bool = True) -> list[Instrument]:
    """What the index of a folder lists, in order of names: notes, or what has no pitch."""
    found: dict[str, list[dict[str, str]]] = {}
    with (folder / "index.csv").open(encoding="utf-8", newline="") as index:
        for row in csv.DictReader(index):
            if bool(row.get("midi_pitch")) == pitched:
                name = row.get("instrument") or Path(row["file"]).parent.name
                found.setdefault(name, []).append(row)
    return [_instrument(folder, name, rows) for name, rows in sorted(found.items())]


def noises(folder: Path) -> list[Path]:
    """Recordings of the index that are no notes: drums, keys, breaths."""
    return [folder / row["file"] for row in _without_pitch(folder) if row.get("family") != SPEECH]


def speakers(folder: Path, split: str) -> list[list[Path]]:
    """What each of those who speak says, word by word."""
    said: dict[str, list[Path]] = {}
    for row in _without_pitch(folder):
        if row.get("family") == SPEECH and row["split"] == split:
            said.setdefault(row["instrument"], []).append(folder / row["file"])
    return [files for _, files in sorted(said.items())]


def _without_pitch(folder: Path) -> list[dict[str, str]]:
    with (folder / "index.csv").open(encoding="utf-8", newline="") as index:
        return [row for row in csv.DictReader(index) if not row.get("midi_pitch")]


def reach(instrument: Instrument, pitch: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(notes,): which of these pitches have a recording near enough."""
    return np.asarray(np.abs(pitch[:, None] - instrument.pitches).min(axis=1) <= FARTHEST)


def play(
    notes: Notes, instrument: Instrument, length: int, rate: int, tuning: float, generator: Generator
) -> tuple[Notes, Array]:
    """The notes that it has, as long as they sound, and their sound.

    length: samples; rate: Hz; tuning: semitones added to every pitch
    returns: notes, and (length,), float32, about as loud as a soundfont
    """
    notes = take(notes, reach(instrument, notes.pitch))
    sound = np.zeros(length, np.float32)
    slurred = _slurred(notes, float(generator.choice([0.0, 0.3, 0.8])) if instrument.held else 0.0, generator)
    offset = notes.offset.copy()
    offset[:-1] = np.where(slurred[1:], notes.onset[1:], offset[:-1])
    longest_s = float(generator.uniform(0.02, 0.25))
    for index in range(len(notes)):
        chosen = _nearest(instrument, float(notes.pitch[index]), rate, generator)
        gain = 0.3 * (notes.velocity[index] / 127) ** 1.5
        stretched = _stretched(chosen, float(notes.pitch[index]) + tuning, rate, bool(slurred[index]), generator)
        tone, heard = stretched
        first = round(notes.onset[index] * rate) - heard
        leads = index + 1 < len(notes) and slurred[index + 1]
        release_s = FADE_S if leads else longest_s
        hold = offset[index] - notes.onset[index] - (FADE_S / 2 if leads else 0.0)
        count = min(len(tone), heard + round((hold + release_s) * rate))
        let_go = heard + round(hold * rate)
        fade = np.clip(1 - (np.arange(count) - let_go) / (release_s * rate), 0, 1)
        piece = (tone[:count] * fade * gain).astype(np.float32)
        start = max(0, first)
        piece = piece[start - first :][: max(0, length - start)]
        sound[start : start + len(piece)] += piece
        offset[index] = min(offset[index], notes.onset[index] + max(0.05, (len(tone) - heard) / rate))
    return make(notes.onset, offset, notes.pitch, notes.velocity), sound


def _slurred(notes: Notes, often: float, generator: Generator) -> NDArray[np.bool_]:
    """(notes,): whether a note is slurred to the one before it, of those that follow each other in one line."""
    gap = notes.onset[1:] - notes.offset[:-1]
    fits = (gap > SLUR_S[0]) & (gap < SLUR_S[1]) & (np.diff(notes.onset) > FADE_S) & (np.diff(notes.pitch) != 0)
    return np.concatenate([np.zeros(min(1, len(notes)), dtype=bool), fits & (generator.random(len(fits)) < often)])


def _instrument(folder: Path, name: str, rows: Sequence[dict[str, str]]) -> Instrument:
    held = rows[0].get("held") == "1" if "held" in rows[0] else name in HELD_FOLDERS
    pitches = np.array([float(row["midi_pitch"] or "nan") for row in rows])
    files = tuple(folder / row["file"] for row in rows)
    return Instrument(name, rows[0].get("split") or "train", held, pitches, files)


def _nearest(instrument: Instrument, pitch: float, rate: int, generator: Generator) -> Take:
    distance = np.abs(instrument.pitches - pitch)
    near = np.flatnonzero(distance <= max(distance.min() + 0.3, 1.1))
    index = int(generator.choice(near))
    samples, heard = recorded(instrument.files[index], rate)
    return Take(float(instrument.pitches[index]), samples, heard)


def _stretched(chosen: Take, pitch: float, rate: int, slurred: bool, generator: Generator) -> tuple[Array, int]:
    """The recording at another pitch, from a little before its onset, or past its attack; and where its onset is."""
    speed = 2 ** ((pitch - chosen.pitch) / 12)
    from_sample = chosen.heard + int(PAST_ATTACK_S * rate) if slurred else max(0, chosen.heard - int(BEFORE_S * rate))
    from_sample = min(from_sample, len(chosen.samples) - 2)
    count = int((len(chosen.samples) - 1 - from_sample) / speed)
    places = from_sample + np.arange(count) * speed
    tone = np.interp(places, np.arange(len(chosen.samples)), chosen.samples)
    rise_s = float(generator.uniform(0.03, 0.09)) if slurred else 0.003
    rise = np.clip((np.arange(count) + 1) / (rise_s * rate), 0, 1)
    heard = round(rise_s * rate / 2) if slurred else round((chosen.heard - from_sample) / speed)
    return (tone * rise).astype(np.float32), heard


@lru_cache(maxsize=3000)
def recorded(path: Path, rate: int) -> tuple[Array, int]:
    """Mono at `rate`, peak 1, and where it is heard to begin."""
    samples, own_rate = soundfile.read(path, dtype="float32", always_2d=True, stop=None)
    mono = soxr.resample(samples[: int(LONGEST_S * own_rate)].mean(axis=1), own_rate, rate)
    mono = mono / np.float32(max(float(np.abs(mono).max()), 1e-6))
    return np.ascontiguousarray(mono, np.float32), int(np.argmax(np.abs(mono) > HEARD))
