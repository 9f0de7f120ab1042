"""Scores into sound, with references that say to the sample what was played.

`performance(path)` reads MusicXML or MIDI, `sound(performance, soundfont)` plays it. `products` is the stage: beside
`x.wav` it writes `x.ref.jsonl`, exact, and `x.ref.mid`, for people.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clefkit import audio, notes
from clefkit.audio import Audio
from clefkit.errors import InputError
from clefkit.notes import Notes, Performance
from clefkit.record import Product, Source
from clefkit.registry import Asset
from clefkit.render import stems as separate
from clefkit.render import synth
from clefkit.render.synth import Rendering

if TYPE_CHECKING:
    from numpy.random import Generator

MIDI_SUFFIXES = (".mid", ".midi")
SCORE_SUFFIXES = (".musicxml", ".xml", ".mxl")
CEILING_DB = -1.0
MOST_SILENT_TOLD = 20


def performance(path: Path, repeats: bool = True) -> Performance:
    """A score or MIDI file as it is played.

    repeats: play what a score repeats
    raises: InputError when it is of another kind, damaged, past a limit or without notes
    """
    suffix = path.suffix.lower()
    if suffix in MIDI_SUFFIXES:
        from clefkit import midi

        played = midi.read(path)
    elif suffix in SCORE_SUFFIXES:
        from clefkit import notation
        from clefkit.render import perform

        played = perform.perform(notation.read(path), repeats)
    else:
        raise InputError(f"not a score we read: give one of {', '.join(SCORE_SUFFIXES + MIDI_SUFFIXES)}")
    if not len(played.notes):
        raise InputError("no notes to play")
    return played


def sound(played: Performance, soundfont: Path, rate: int = 44_100) -> tuple[Audio, Notes]:
    """The sound, (2, samples), true peak at -1 dB, and its notes, exact to the sample.

    raises: as `synth.render` does
    """
    rendering = synth.render(played, soundfont, rate)
    return _scaled(rendering, _gain_db(audio.true_peak_db(rendering.audio.samples))).audio, rendering.notes


def products(
    source: Source,
    _rng: Generator,
    *,
    soundfont: Asset,
    rate: int = 44_100,
    kind: str = "wav",
    stems: bool = False,
    repeats: bool = True,
) -> Iterator[Product]:
    """What `clefkit render` makes of one score: the reference and the sound, and with `stems` both of each part too.

    kind: "wav" or "flac"
    The mix and its stems have one gain, so the stems add up to the mix but for the rounding to 16 bits.
    """
    take = _Take(source.path, soundfont, rate, repeats, stems)
    yield from _group(take, "", kind, None)
    if stems:
        parts = take.performance.notes.parts
        for number, part in enumerate(separate.played(take.performance), start=1):
            yield from _group(take, f"{separate.label(number, parts[part])}.", kind, part)


def _group(take: _Take, prefix: str, kind: str, part: int | None) -> Iterator[Product]:
    """Reference and sound of one part, or of all (None)."""
    rendering = functools.cache(lambda: take.rendering(part))
    facts: dict[str, Any] = {"reference": f"{prefix}ref.jsonl", "clock": {"offset_s": 0.0, "rate": 1.0}}

    def write_jsonl(path: Path) -> None:
        notes.write_jsonl(path, rendering().notes, take.rate, rendering().audio.samples.shape[1])

    def write_midi(path: Path) -> None:
        notes.write_midi(path, rendering().notes)

    def write_sound(path: Path) -> None:
        facts.update(take.facts(rendering()))
        audio.write(path, rendering().audio, kind)
        rendering.cache_clear()

    yield Product(f"{prefix}ref.jsonl", write_jsonl, {}, printed=False)
    yield Product(f"{prefix}ref.mid", write_midi, {}, printed=False)
    yield Product(f"{prefix}{kind}", write_sound, facts)


@dataclass
class _Take:
    """One score being played. gain_db and samples are known, and the same for all its parts, once the mix is."""

    path: Path
    soundfont: Asset
    rate: int
    repeats: bool
    stems: bool
    gain_db: float = math.nan
    samples: int = 0

    @functools.cached_property
    def performance(self) -> Performance:
        return performance(self.path, self.repeats)

    def rendering(self, part: int | None) -> Rendering:
        if part is None:
            return _scaled(self.mix(), self.gain_db)
        if math.isnan(self.gain_db):
            self.mix()
        one = synth.render(separate.alone(self.performance, part), self.soundfont.path, self.rate)
        return _scaled(separate.padded(one, self.samples), self.gain_db)

    def mix(self) -> Rendering:
        if self.stems:
            rendering, peak_db = separate.mix(self.performance, self.soundfont.path, self.rate)
        else:
            rendering = synth.render(self.performance, self.soundfont.path, self.rate)
            peak_db = audio.true_peak_db(rendering.audio.samples)
        if peak_db == -math.inf:
            raise InputError(f"none of its notes sounds with the soundfont {self.soundfont.name}: give another")
        self.gain_db, self.samples = _gain_db(peak_db), rendering.audio.samples.shape[1]
        return rendering

    def facts(self, rendering: Rendering) -> dict[str, Any]:
        """What the record says of one file, beyond its reference and clock."""
        import soxr

        parts = rendering.notes.parts
        facts: dict[str, Any] = {
            "gain_db": self.gain_db,
            "parts": [part._asdict() for part in parts],
            "silent": _silent(rendering.silent),
        }
        if rendering.substituted:
            facts["substituted"] = [parts[part].name or f"part {part + 1}" for part in rendering.substituted]
        font = {"name": self.soundfont.name, "sha256": self.soundfont.sha256}
        made_with = {"numpy": np.__version__, "soxr": soxr.__version__, "libfluidsynth": synth.version()}
        return facts | {"made_with": made_with | {"soundfont": font}}


def _silent(silent: Notes) -> dict[str, Any]:
    """How many notes made no sound, and the first of them by their id, or pitch and time."""
    told = notes.take(silent, np.arange(min(len(silent), MOST_SILENT_TOLD)))
    names = [f"{pitch:g} at {onset:.3f} s" for pitch, onset in zip(told.pitch, told.onset, strict=True)]
    return {"count": len(silent), "notes": names if told.ids is None else [str(each) for each in told.ids]}


def _gain_db(peak_db: float) -> float:
    """What brings a true peak to just under the ceiling, as a number that a record can hold exactly."""
    return math.floor((CEILING_DB - peak_db) * 100) / 100 if math.isfinite(peak_db) else 0.0


def _scaled(rendering: Rendering, gain_db: float) -> Rendering:
    """The same rendering, louder, in place: an hour is a gigabyte."""
    rendering.audio.samples[...] *= np.float32(10 ** (gain_db / 20))
    return rendering
