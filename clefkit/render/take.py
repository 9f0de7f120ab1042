"""One playing of a score: the player's and the instruments' chance drawn, then performed, then sounded, once each."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from clefkit import audio, notes
from clefkit.audio import Audio
from clefkit.errors import InputError
from clefkit.notes import Notes, Performance
from clefkit.registry import Asset
from clefkit.render import synth, timbre
from clefkit.render.synth import Rendering
from clefkit.render.timbre import Timbre

if TYPE_CHECKING:
    from numpy.random import Generator

    from clefkit.notation.model import Score

MIDI_SUFFIXES = (".mid", ".midi")
HUMAN = 0.5  # how humanly scores are played when nobody says
CEILING_DB = -1.0
MOST_SILENT_TOLD = 20


@dataclass(frozen=True)
class ScoreFile:
    """A score file, read once however often it is played."""

    path: Path

    @property
    def is_midi(self) -> bool:
        return self.path.suffix.lower() in MIDI_SUFFIXES

    def humanity(self, asked: float | None) -> float:
        """How humanly it is played: as asked, else as scores are; MIDI may be a human's performance already."""
        return asked if asked is not None else 0.0 if self.is_midi else HUMAN

    @functools.cached_property
    def score(self) -> Score:
        """raises: InputError when the file is MIDI, which says what was played and not what is written"""
        if self.is_midi:
            raise InputError("a MIDI file has no notation to write: give a score")
        from clefkit import notation

        return notation.read(self.path)

    @functools.cached_property
    def midi(self) -> Performance:
        from clefkit import midi

        return midi.read(self.path)


def performance(
    source: ScoreFile, amount: float, generator: Generator, *, repeats: bool, weights: Mapping[str, float] | None
) -> Performance:
    """The notes as they are played.

    amount: how humanly; 0 is exact
    raises: InputError when the file is of another kind, damaged, past a limit or without notes
    """
    if not source.is_midi:
        from clefkit.render import perform

        return perform.perform(source.score, repeats, amount, generator, weights)
    played = source.midi
    if not len(played.notes):
        raise InputError("no notes to play")
    if not amount:
        return played
    from clefkit.render import humanize

    return humanize.humanized(played, amount, generator, weights)


class Instruments(NamedTuple):
    """What plays.

    choice: "fixed", General MIDI of the first font; "random", of all fonts; "preset", one bank and program of the first
    """

    choice: str
    fonts: list[Asset]
    bank: int = 0
    program: int = 0


@dataclass
class Take:
    """One playing. generator: chance for this one alone."""

    source: ScoreFile
    instruments: Instruments
    generator: Generator
    rate: int
    stems: bool
    repeats: bool
    human: float | None
    rules: Mapping[str, float] | None
    lufs: float | None
    substituted: tuple[int, ...] = field(default=(), init=False)

    @functools.cached_property
    def _generators(self) -> list[Generator]:
        return self.generator.spawn(3)

    @functools.cached_property
    def humanity(self) -> float:
        """0 exactly, 1 very freely."""
        return self.source.humanity(self.human)

    @functools.cached_property
    def weights(self) -> dict[str, float]:
        """Of the rules by which a human plays."""
        from clefkit.render import human

        return human.drawn(self._generators[2], self.rules)

    @functools.cached_property
    def performance(self) -> Performance:
        weights = self.weights if self.humanity else None
        return performance(self.source, self.humanity, self._generators[0], repeats=self.repeats, weights=weights)

    @functools.cached_property
    def timbres(self) -> list[Timbre | None]:
        """One for each part of the performance."""
        found = self.performance.notes
        paths = [font.path for font in self.instruments.fonts]
        if self.instruments.choice == "random":
            return timbre.choose(found, paths, self._generators[1])
        if self.instruments.choice == "preset":
            return [Timbre(paths[0], self.instruments.bank, self.instruments.program)] * len(found.parts)
        chosen, self.substituted = timbre.fixed(found.parts, paths[0])
        return chosen

    @functools.cached_property
    def played_score(self) -> Score:
        """The score as it is played, with its repeats written out."""
        from clefkit.notation import played

        return played.unfolded(self.source.score) if self.repeats else self.source.score

    def sound(self) -> Sound:
        """Play it."""
        rendering = synth.render(self.performance, self.timbres, self.rate, stems=self.stems)
        if rendering.peak_db == -math.inf:
            fonts = " and ".join(sorted({font.name for font in self.instruments.fonts}))
            raise InputError(f"none of its notes sounds with {fonts}: give another soundfont")
        return Sound(self, rendering)


class Sound:
    """What sounded, at its final level: the mix, and each part at the same gain."""

    def __init__(self, take: Take, rendering: Rendering) -> None:
        self.take = take
        self.rendering = rendering
        self.gain_db = gain_db(rendering, take.lufs)
        # In place: an hour is a gigabyte.
        rendering.audio.samples[...] *= self.gain

    @property
    def gain(self) -> np.float32:
        return np.float32(10 ** (self.gain_db / 20))

    def notes(self, part: int | None) -> Notes:
        """What was heard: of all parts (None), or of one, which is then the only one."""
        found = self.rendering.notes
        return found if part is None else notes.alone(found, part)

    def silent(self, part: int | None) -> Notes:
        found = self.rendering.silent
        return found if part is None else notes.alone(found, part)

    def audio(self, part: int | None) -> Audio:
        """(2, samples); all parts have the length of the mix, and add up to it but for the rounding to 16 bits."""
        if part is None:
            return self.rendering.audio
        assert self.rendering.stems is not None
        samples = self.rendering.stems.read(part, self.rendering.audio.samples.shape[1])
        samples *= self.gain
        return Audio(samples, self.rendering.audio.rate)

    def facts(self, part: int | None) -> dict[str, Any]:
        """What the record says of one file, beyond its reference and clock."""
        import soxr

        take = self.take
        parts = take.performance.notes.parts
        chosen = range(len(parts)) if part is None else [part]
        facts: dict[str, Any] = {
            "gain_db": self.gain_db,
            "parts": [parts[each]._asdict() | {"timbre": self._timbre(each)} for each in chosen],
            "silent": _silent(self.silent(part)),
        }
        if not take.source.is_midi and take.source.score.faults:
            facts["faults"] = take.source.score.faults
        if take.humanity:
            facts["human"] = {"amount": take.humanity, "rules": take.weights}
        substituted = [each for each in take.substituted if each in chosen]
        if substituted:
            facts["substituted"] = [parts[each].name or f"part {each + 1}" for each in substituted]
        if part is None and take.performance.notes.measure is not None:
            facts["timemap"] = _timemap(take.performance)
        made_with = {"numpy": np.__version__, "soxr": soxr.__version__, "libfluidsynth": synth.version()}
        return facts | {"made_with": made_with}

    def _timbre(self, part: int) -> dict[str, Any] | None:
        chosen = self.take.timbres[part]
        if chosen is None:
            return None
        font = next(font for font in self.take.instruments.fonts if font.path == chosen.font)
        return timbre.facts(chosen) | {"font": font.name, "sha256": font.sha256}


def _timemap(played: Performance) -> dict[str, Any]:
    """Where each beat of the score is, in seconds of this recording."""
    rows = [[b.measure, b.turn, round(b.beat, 6), round(b.quarter, 6), round(b.time_s, 6)] for b in played.beats]
    return {"columns": ["measure", "turn", "beat", "quarter", "time_s"], "rows": rows}


def _silent(silent: Notes) -> dict[str, Any]:
    """How many notes made no sound, and the first of them by their id, or pitch and time."""
    told = notes.take(silent, np.arange(min(len(silent), MOST_SILENT_TOLD)))
    names = [f"{pitch:g} at {onset:.3f} s" for pitch, onset in zip(told.pitch, told.onset, strict=True)]
    return {"count": len(silent), "notes": names if told.ids is None else [str(each) for each in told.ids]}


def gain_db(rendering: Rendering, lufs: float | None = None) -> float:
    """What brings a true peak to just under the ceiling, or, below that, the loudness to `lufs`.

    Rounded to hundredths, so that a record can hold it exactly.
    """
    gain = CEILING_DB - rendering.peak_db
    if lufs is not None:
        gain = min(gain, lufs - audio.loudness(rendering.audio.samples, rendering.audio.rate))
    return math.floor(gain * 100) / 100 if math.isfinite(gain) else 0.0
