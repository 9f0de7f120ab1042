"""The same performance, heard somewhere else: rooms, microphones, phones, tapes, noise.

    from clefkit import audio, augment
    heard, clock = augment.apply(audio.read(path), "hall", numpy.random.default_rng(7))

Numbers are drawn first and recorded; applying them is exact and repeatable. The labels follow the sound: references are
moved by the clock, pitches by what a change of speed makes of them, and the record takes parts and beats along.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clefkit import audio, clock, notes, registry
from clefkit.audio import Audio
from clefkit.augment import chain
from clefkit.clock import Clock
from clefkit.errors import InputError
from clefkit.record import Product, Source

if TYPE_CHECKING:
    from numpy.random import Generator


def apply(sound: Audio, preset: dict[str, Any] | str, rng: Generator) -> tuple[Audio, Clock]:
    """The sound through a preset, by name or as plain data, true peak under -1 dB; and its clock.

    sound: (channels, samples), float32, one or two channels
    raises: InputError when the preset is wrong; UsageError when there is none of that name
    """
    data = registry.preset(preset) if isinstance(preset, str) else preset
    heard, moved = chain.apply(sound, chain.draw(data, rng))
    return chain.hold_peak(heard)[0], moved


def products(
    source: Source,
    rng: Generator,
    *,
    presets: list[dict[str, Any]],
    label: str,
    variants: int = 1,
    kind: str | None = None,
) -> Iterator[Product]:
    """What `clefkit augment` makes of one file: the moved reference, if there is one, and the sound.

    presets: as plain data, each with its name and hash; each variant draws another, as long as there are others
    label: what goes between the stem and the ending: "hall-7"
    variants: more than one are called v1, v2, ...
    kind: "wav" or "flac"; without it FLAC stays FLAC and all else becomes WAV
    """
    ending = kind or ("flac" if source.path.suffix.lower() == ".flac" else "wav")
    order = rng.permutation(len(presets)).tolist()
    for number, (chance, chosen) in enumerate(zip(rng.spawn(variants), itertools.cycle(order), strict=False), start=1):
        work = _Work(source, presets[chosen], chance)
        name = f"{label}.v{number}" if variants > 1 else label
        if source.reference is not None:
            work.facts["reference"] = f"{name}.ref.jsonl"
            yield Product(f"{name}.ref.jsonl", work.write_jsonl, {}, printed=False)
            yield Product(f"{name}.ref.mid", work.write_midi, {}, printed=False)
        yield Product(f"{name}.{ending}", functools.partial(work.write_sound, kind=ending), work.facts)


@dataclass
class _Work:
    """One variant of one file: its sound is made when the first product is written and let go after the last."""

    source: Source
    preset: dict[str, Any]
    rng: Generator
    facts: dict[str, Any] = field(default_factory=dict)
    heard: Audio | None = None
    moved: Clock = field(default_factory=clock.line)

    def __post_init__(self) -> None:
        self.drawn = chain.draw(self.preset, self.rng)
        named = {key: self.preset[key] for key in ("name", "sha256", "level") if key in self.preset}
        self.facts |= {"preset": named | {"drawn": chain.recorded(self.drawn)}, "clock": self.moved.data()}

    def sound(self) -> Audio:
        if self.heard is None:
            dry = audio.read(self.source.path)
            before = audio.loudness(dry.samples, dry.rate)
            heard, self.moved = chain.apply(dry, self.drawn)
            del dry
            self.heard, gain_db = chain.hold_peak(heard)
            self.facts |= {"clock": self.moved.data(), "gain_db": gain_db, **self._labels()}
            after = audio.loudness(self.heard.samples, self.heard.rate)
            self.facts["loudness"] = {"lufs": _decibels(after), "source_lufs": _decibels(before)}
        return self.heard

    def _labels(self) -> dict[str, Any]:
        """What the source's record says of its music, moved along."""
        known = self.source.record
        labels = {"parts": known["parts"]} if "parts" in known else {}
        if "timemap" in known:
            rows = known["timemap"]["rows"]
            times = self.moved.at([row[-1] for row in rows]).round(6).tolist()
            moved = [[*row[:-1], time] for row, time in zip(rows, times, strict=True)]
            labels["timemap"] = {**known["timemap"], "rows": moved}
        return labels

    def reference(self) -> notes.Notes:
        path = self.source.reference
        if path is None:
            raise InputError("its reference has gone while we worked")
        return self.moved.moved(notes.read(path))

    def write_jsonl(self, path: Path) -> None:
        heard = self.sound()
        notes.write_jsonl(path, self.reference(), heard.rate, heard.samples.shape[1])

    def write_midi(self, path: Path) -> None:
        self.sound()
        notes.write_midi(path, self.reference())

    def write_sound(self, path: Path, kind: str) -> None:
        audio.write(path, self.sound(), kind)
        self.heard = None


def _decibels(value: float) -> float | None:
    """As a record holds it: hundredths, null for silence."""
    return round(value, 2) if np.isfinite(value) else None
