"""Who plays a part: a preset of a soundfont, real single notes, a player who slurs, or an instrument that never was.

Presets are drawn among those of the part's kind (`clefkit.render.timbre`), and varied; those of `fonts_heldout.toml`,
and all that share a recording with them, are never heard in training.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit import features
from clefkit.notes import Notes, Part, Performance
from clefkit.render import synth, timbre
from clefkit.render.sf2 import presets, recordings
from clefkit.render.timbre import Candidate, Timbre
from clefkit.train import sampler, timbres, voices
from clefkit.train.arrange import SUSTAINED, Voice

Array = NDArray[np.float32]

HELD_OUT = Path(__file__).with_name("fonts_heldout.toml")
GAIN = 0.25  # brings made-up instruments to the level of a soundfont
SOURCES = ("font", "sampled", "phrase", "made up")
SHARES = (0.46, 0.28, 0.14, 0.12)  # how often each of them plays
SHARES_WITHOUT_SAMPLES = (0.68, 0.0, 0.16, 0.16)


class Hall(NamedTuple):
    """What there is to play with.

    samples: real instruments; split: "train" or "validation"; shares: how often each of SOURCES plays
    """

    fonts: tuple[Path, ...]
    samples: tuple[sampler.Instrument, ...]
    split: str
    shares: tuple[float, ...] = SHARES


class Played(NamedTuple):
    """A part that sounded. timbre: who played it, by name; equal names are one timbre"""

    notes: Notes
    sound: Array
    timbre: str


def play(part: Voice, hall: Hall, length: int, tuning: float, generator: Generator) -> Played | None:
    """One part by a player drawn for it, or None when nothing of it could be played.

    length: samples, at the rate of the features
    """
    if part.drums:
        return _on_font(part, hall, length, generator)
    source = SOURCES[int(generator.choice(4, p=hall.shares if hall.samples else SHARES_WITHOUT_SAMPLES))]
    played = None
    if source == "sampled":
        played = _sampled(part, hall, length, tuning, generator)
    elif source == "phrase" and _is_line(part.notes):
        player = voices.draw(generator)
        notes, sound = voices.play(part.notes, player, length, features.RATE, tuning, generator)
        played = Played(notes, sound, f"{player['kind']} {generator.integers(2**31)}")
    elif source == "made up":
        instrument = timbres.draw(generator)
        notes, sound = timbres.play(part.notes, instrument, length, features.RATE, tuning, generator)
        name = f"{instrument['kind']} {generator.integers(2**31)}"
        played = Played(notes, sound * np.float32(GAIN), name)
    return played if played is not None and len(played.notes) else _on_font(part, hall, length, generator)


def _is_line(notes: Notes) -> bool:
    """Whether it is mostly one note at a time."""
    together = np.diff(notes.onset) < 0.02
    return bool(together.mean() < 0.25) if len(together) else True


def _sampled(part: Voice, hall: Hall, length: int, tuning: float, generator: Generator) -> Played | None:
    """On the real notes of an instrument that has most of its pitches, perhaps an octave away."""
    choices = [(instrument, shift) for instrument in hall.samples for shift in (0, -12, 12)]
    reached = np.array([sampler.reach(each, part.notes.pitch + shift).mean() for each, shift in choices])
    fits = np.array([each.held == (part.program in SUSTAINED) for each, _ in choices])
    close = np.array([1.0 if shift == 0 else 0.15 for _, shift in choices])
    weights = (reached > 0.7) * reached**4 * close * np.where(fits, 1.0, 0.3)
    if weights.sum() == 0:
        return None
    instrument, shift = choices[int(generator.choice(len(choices), p=weights / weights.sum()))]
    moved = replace(part.notes, pitch=part.notes.pitch + shift)
    notes, sound = sampler.play(moved, instrument, length, features.RATE, tuning, generator)
    return Played(notes, sound, instrument.name)


def _on_font(part: Voice, hall: Hall, length: int, generator: Generator) -> Played | None:
    """On a preset; notes end when the pedal lets them go."""
    chosen = preset(part, hall, generator)
    rate = int(generator.choice([features.RATE, 2 * features.RATE], p=[0.75, 0.25]))
    parts = (Part("", part.program, part.drums),)
    rendering = synth.render(Performance(replace(part.notes, parts=parts), part.controls), [chosen], rate)
    mono = rendering.audio.samples.mean(axis=0)
    if rate != features.RATE:
        mono = soxr.resample(mono, rate, features.RATE)
    sound = np.zeros(length, np.float32)
    sound[: min(length, len(mono))] = mono[:length]
    heard = rendering.notes
    if len(heard) == 0:
        return None
    ends = heard.offset if heard.sounding is None else np.minimum(heard.sounding, length / features.RATE)
    return Played(replace(heard, offset=np.maximum(ends, heard.onset + 0.03)), sound, _name(chosen))


def preset(part: Voice, hall: Hall, generator: Generator) -> Timbre:
    kind = Part("", part.program, part.drums)
    fitting = [each for each in timbre.candidates(kind, hall.fonts) if allowed(each, hall.split)]
    fitting = [each for each in fitting if timbre.covers(_plain(each), part.notes.pitch.tolist())] or fitting
    if not fitting:
        fitting = [each for each in timbre.candidates(Part("", 0), hall.fonts) if allowed(each, hall.split)]
    origins = timbre.origins(fitting)
    of = origins[int(generator.integers(len(origins)))]
    return timbre.varied(of[int(generator.integers(len(of)))], 0.0, generator)


def _plain(candidate: Candidate) -> Timbre:
    return Timbre(candidate.font, candidate.preset.bank, candidate.preset.program)


def _name(chosen: Timbre) -> str:
    return f"{chosen.font.stem} {chosen.bank} {chosen.program}"


def allowed(candidate: Candidate, split: str) -> bool:
    return not held_out(candidate.font, split) & recordings(candidate.preset.samples)


@lru_cache(maxsize=16)
def held_out(font: Path, split: str) -> frozenset[tuple[object, ...]]:
    """Recordings in a font that a split may not play: in training those of both lists, in validation the test's."""
    table = tomllib.loads(HELD_OUT.read_text(encoding="utf-8"))
    if not font.stem.startswith(table["font"]):
        return frozenset()
    lists = ("test",) if split == "validation" else ("test", "validation")
    named = {tuple(each) for name in lists for each in table[name]}
    kept = [each for each in presets(font) if (each.bank, each.program) in named]
    return frozenset().union(*(recordings(each.samples) for each in kept))
