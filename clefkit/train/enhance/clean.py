"""Clean sound to learn from: music that somebody plays, close and dry or in a studio, mono at 44.1 kHz.

Pianos most, single instruments next, then small groups. They are played by soundfonts, by real single notes, and by
instruments that never were (`voices`, `timbres`), so that the network learns what phones do and not who plays. In half
of it levels rise and fall more than they do in scores, because it is dynamics that are to be restored; in the other
half as they are played, or all that is even would be taken for levelled.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit import augment
from clefkit.audio import Audio
from clefkit.notes import Notes, Part, Performance
from clefkit.render import synth
from clefkit.train import arrange, corpus, exercises, players, sampler, timbres, voices
from clefkit.train.arrange import SUSTAINED, Voice

Array = NDArray[np.float32]

RATE = 44_100
COLLECTIONS = {"string-quartets": 0.2, "lieder": 0.25, "pop909": 0.3, "chopin": 0.25}
KINDS = {"piano": 0.38, "alone": 0.32, "together": 0.27, "phrase": 0.03}
EXERCISES = 0.1
PIANOS = (0, 1, 2, 3)
PIANO_NOTES = re.compile("(?!electric).*(grand|piano|upright|steinway)")  # names of real pianos
ON_NOTES, MADE_UP = 0.45, 0.2  # how often a part is played on real notes, by somebody made up
AS_RENDERED = 0.5  # of what is played together: on soundfonts that decide how loud each part is
LIVELY = 0.5
SWELL_DB = 5.0
COLOURED = 0.4
# Mostly dry: what is heard of rooms in clean sound is not taken away from what phones hear.
PLACES: tuple[tuple[float, dict[str, object]], ...] = (
    (0.2, {"kind": "room", "room": "studio_*", "distance_gain_db": [4, 14]}),
    (0.06, {"kind": "room", "room": ["chamber_*", "recital_*", "hall_*"], "distance_gain_db": [4, 14]}),
)
PEAK_DB = -6.0


class Hall(NamedTuple):
    """fonts: soundfonts; works: the file of all works, see `corpus`, None: exercises alone; real: a folder with real
    notes and phrases, None: nobody plays these; samples: folders of more real notes, as `gather` makes them at 44.1 kHz
    """

    fonts: tuple[Path, ...]
    works: Path | None
    real: Path | None
    samples: tuple[Path, ...] = ()

    @property
    def folders(self) -> tuple[Path, ...]:
        """Of real notes."""
        return (*((self.real,) if self.real else ()), *self.samples)


def draw(hall: Hall, split: str, seconds: float, generator: Generator) -> Array:
    """Some music, perhaps with silence before and after. returns: (samples,), float32, peak -6 dB"""
    length = int(seconds * RATE)
    while True:
        kind, lively = str(generator.choice(list(KINDS), p=list(KINDS.values()))), generator.random() < LIVELY
        recorded = _phrase(hall.real, length, generator) if kind == "phrase" and hall.real else None
        dry = _played(hall, split, kind, length, generator, lively=lively) if recorded is None else recorded
        if np.square(dry, dtype=np.float64).mean() > 1e-9:
            return _finished(_swelling(dry, generator) if lively else dry, generator)


def _played(hall: Hall, split: str, kind: str, length: int, generator: Generator, *, lively: bool) -> Array:
    piece, seconds = _piece(hall, split, length / RATE, generator), length / RATE
    if kind == "piano":
        parts = [_on_piano(piece, seconds, generator)]
    else:
        parts = list(arrange.arrange(piece, seconds - 0.5, generator).voices)
        if kind == "alone":
            parts = [parts[int(generator.integers(len(parts)))]] if parts else []
    parts = [_livelier(part, generator) if lively else part for part in parts if len(part.notes)]
    mix = np.zeros(length, np.float32)
    if kind == "together" and generator.random() < AS_RENDERED:
        return sum((_on_font(part, hall, split, length, generator) for part in parts), mix)
    for sound in [_part(part, hall, split, length, generator) for part in parts]:
        level = float(np.sqrt(np.square(sound, dtype=np.float64).mean()))
        if level > 0:
            mix += sound * np.float32(10 ** (generator.normal(0, 3) / 20) / level)
    return mix


def _piece(hall: Hall, split: str, seconds: float, generator: Generator) -> Notes:
    if generator.random() < EXERCISES or hall.works is None:
        return exercises.draw(seconds, generator)
    works = _works(hall.works, split)
    named = works[str(generator.choice(list(COLLECTIONS), p=list(COLLECTIONS.values())))]
    return named[int(generator.integers(len(named)))]


@lru_cache(maxsize=2)
def _works(path: Path, split: str) -> dict[str, list[Notes]]:
    found = [work for work in corpus.load(path) if work.split == split and len(work.notes) > 40]
    return {name: [work.notes for work in found if work.name.startswith(f"{name}/")] for name in COLLECTIONS}


def _on_piano(piece: Notes, seconds: float, generator: Generator) -> Voice:
    """Everything on one piano."""
    tempo = float(np.clip(np.exp(generator.normal(0, 0.22)), 0.6, 1.7))
    notes = arrange.stretch(arrange.melodic(piece), seconds - 0.5, tempo, generator)
    program = int(generator.choice(PIANOS))
    moved = replace(notes, pitch=notes.pitch + int(generator.integers(-5, 6)), part=np.zeros_like(notes.part))
    played = arrange.perform(replace(moved, parts=(Part("", program),)), program, generator) if len(notes) else moved
    controls = arrange.manner(played, program, 0.0, seconds, generator)
    return Voice(played, program, controls)


def _livelier(part: Voice, generator: Generator) -> Voice:
    """With dynamics that are wider, and that change over phrases."""
    notes = part.notes
    wider = generator.uniform(1.0, 2.2)
    phrases = np.interp(notes.onset, np.arange(0, 80, 2.5), generator.normal(0, 9, 32))
    velocity = notes.velocity.mean() + wider * (notes.velocity - notes.velocity.mean()) + phrases
    velocity = np.clip(np.rint(velocity), 12, 127).astype(notes.velocity.dtype)
    return part._replace(notes=replace(notes, velocity=velocity))


def _part(part: Voice, hall: Hall, split: str, length: int, generator: Generator) -> Array:
    """One part by somebody. returns: (length,)"""
    luck = generator.random()
    if hall.folders and not part.drums and split == "train" and luck < ON_NOTES:
        sound = _on_notes(part, hall.folders, length, generator)
    elif not part.drums and split == "train" and luck < ON_NOTES + MADE_UP and part.program not in PIANOS:
        sound = _by_nobody(part, length, generator)
    else:
        sound = None
    return _on_font(part, hall, split, length, generator) if sound is None or not sound.any() else sound


def _on_notes(part: Voice, folders: tuple[Path, ...], length: int, generator: Generator) -> Array | None:
    keyboard = part.program in PIANOS
    fitting = [
        each
        for each in _instruments(folders)
        if bool(PIANO_NOTES.match(each.name)) == keyboard and sampler.reach(each, part.notes.pitch).mean() > 0.6
    ]
    if not fitting:
        return None
    chosen = fitting[int(generator.integers(len(fitting)))]
    return sampler.play(part.notes, chosen, length, RATE, 0.0, generator)[1]


@lru_cache(maxsize=2)
def _instruments(folders: tuple[Path, ...]) -> tuple[sampler.Instrument, ...]:
    found = [each for folder in folders for each in sampler.instruments(folder)]
    return tuple(each for each in found if each.split == "train")


def _by_nobody(part: Voice, length: int, generator: Generator) -> Array:
    if part.program in SUSTAINED:
        return voices.play(part.notes, voices.draw(generator), length, RATE, 0.0, generator)[1]
    return timbres.play(part.notes, timbres.draw(generator), length, RATE, 0.0, generator)[1]


def _on_font(part: Voice, hall: Hall, split: str, length: int, generator: Generator) -> Array:
    chosen = players.preset(part, players.Hall(hall.fonts, (), split), generator)
    notes = replace(part.notes, parts=(Part("", part.program, part.drums),), part=np.zeros_like(part.notes.part))
    rendering = synth.render(Performance(notes, part.controls), [chosen], RATE)
    mono = rendering.audio.samples.mean(axis=0)[:length]
    return np.pad(mono, (0, length - len(mono))).astype(np.float32)


def _phrase(real: Path, length: int, generator: Generator) -> Array:
    """A stretch of a real recording."""
    files = sorted((real / "phrases").glob("*.flac"))
    samples, rate = soundfile.read(files[int(generator.integers(len(files)))], dtype="float32", always_2d=True)
    mono = np.asarray(soxr.resample(samples.mean(axis=1), rate, RATE), np.float32)
    start = int(generator.integers(max(1, len(mono) - length)))
    piece = mono[start : start + length]
    return np.pad(piece, (0, length - len(piece)))


def _swelling(dry: Array, generator: Generator) -> Array:
    length = len(dry)
    swell = np.interp(np.arange(length), np.linspace(0, length, 6), generator.normal(0, SWELL_DB / 2, 6))
    return np.asarray(dry * 10 ** (swell / 20), np.float32)


def _finished(dry: Array, generator: Generator) -> Array:
    """Another colour, a studio."""
    sound, length = Audio(dry[None], RATE), len(dry)
    effects = [_colour(generator) for _ in range(2)] if generator.random() < COLOURED else []
    luck = generator.random()
    for share, place in PLACES:
        effects += [place] if 0 <= luck < share else []
        luck -= share
    if effects:
        sound = augment.chain.apply(sound, augment.chain.draw({"name": "studio", "effect": effects}, generator))[0]
    mono = sound.samples.mean(axis=0)[:length]
    return np.asarray(mono * np.float32(10 ** (PEAK_DB / 20) / max(float(np.abs(mono).max()), 1e-6)), np.float32)


def _colour(generator: Generator) -> dict[str, object]:
    shape = str(generator.choice(["peak", "low-shelf", "high-shelf"]))
    return {"kind": "eq", "shape": shape, "frequency_hz": [80, 10_000], "gain_db": [-5, 5], "q": [0.4, 1.2]}
