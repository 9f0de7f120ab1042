"""The same performance, heard somewhere else: rooms, noise, microphones, phones.

    from clefkit import audio, augment
    heard, clock = augment.apply(audio.read(path), "hall", numpy.random.default_rng(7))

Numbers are drawn first and recorded; applying them is exact and repeatable. Notes stay where they were.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clefkit import audio, notes, record, registry
from clefkit.audio import Audio
from clefkit.augment import chain as chains
from clefkit.augment import rooms
from clefkit.errors import InputError, UsageError
from clefkit.record import Product, Source
from clefkit.registry import Asset

if TYPE_CHECKING:
    from numpy.random import Generator


def apply(sound: Audio, preset: dict[str, Any] | str, rng: Generator) -> tuple[Audio, dict[str, float]]:
    """The sound through a preset, by name or as plain data, true peak under -1 dB; and its clock.

    sound: (channels, samples), float32, one or two channels
    raises: InputError when the preset is wrong; UsageError when there is none of that name
    """
    data = registry.preset(preset) if isinstance(preset, str) else preset
    heard, clock = chains.apply(sound, chains.draw(data, rng))
    return chains.hold_peak(heard)[0], clock


def room_chain(name: str) -> dict[str, Any]:
    """The rooms of a preset alone, one room by its name, or the impulse response in a file.

    raises: UsageError when there is none of that name, or the preset has no room; InputError when the file is no
        impulse response
    """
    path = Path(name)
    if name in registry.presets():
        preset = registry.preset(name)
        effects = [effect for effect in preset.get("effect", []) if effect.get("kind") == "room"]
        if not effects:
            raise UsageError(f"preset {name} has no room in it")
        return {"name": f"ir-{name}", "sha256": preset["sha256"], "effect": effects}
    if path.is_file():
        rooms.load(path)
        asset = Asset("room", path.stem, path, record.sha256(path))
        return {"name": f"ir-{path.stem}", "sha256": asset.sha256, "effect": [{"kind": "room", "file": asset}]}
    if name not in registry.rooms():
        raise UsageError(f"no preset, room or sound file {name!r}: `clefkit presets` lists the presets")
    asset = registry.room(name)
    return {"name": f"ir-{name}", "sha256": asset.sha256, "effect": [{"kind": "room", "room": name}]}


def with_noise(chain: dict[str, Any], snr_db: float, kind: str) -> dict[str, Any]:
    """The chain with noise at its end."""
    return {**chain, "effect": [*chain["effect"], {"kind": "noise", "noise": kind, "snr_db": snr_db}]}


def products(
    source: Source, rng: Generator, *, chain: dict[str, Any], label: str, kind: str | None = None
) -> Iterator[Product]:
    """What `clefkit augment` makes of one file: the moved reference, if there is one, and the sound.

    chain: a preset as plain data, with its name and hash
    label: what goes between the stem and the ending: "hall-7"
    kind: "wav" or "flac"; without it FLAC stays FLAC and all else becomes WAV
    """
    drawn = chains.draw(chain, rng)
    ending = kind or ("flac" if source.path.suffix.lower() == ".flac" else "wav")
    work = _Work(source, drawn)
    preset = {"name": chain["name"], "sha256": chain["sha256"], "drawn": chains.recorded(drawn)}
    work.facts |= {"preset": preset, "clock": dict(chains.CLOCK)}
    if source.reference is not None:
        work.facts["reference"] = f"{label}.ref.jsonl"
        yield Product(f"{label}.ref.jsonl", work.write_jsonl, {}, printed=False)
        yield Product(f"{label}.ref.mid", work.write_midi, {}, printed=False)
    yield Product(f"{label}.{ending}", lambda path: work.write_sound(path, ending), work.facts)


@dataclass
class _Work:
    """One file's sound, made when the first product is written and let go after the last."""

    source: Source
    drawn: chains.Drawn
    facts: dict[str, Any] = field(default_factory=dict)
    heard: Audio | None = None

    def sound(self) -> Audio:
        if self.heard is None:
            moved, self.facts["clock"] = chains.apply(audio.read(self.source.path), self.drawn)
            self.heard, self.facts["gain_db"] = chains.hold_peak(moved)
        return self.heard

    def reference(self) -> notes.Notes:
        path = self.source.reference
        if path is None:
            raise InputError("its reference has gone while we worked")
        return notes.read(path)

    def write_jsonl(self, path: Path) -> None:
        heard = self.sound()
        notes.write_jsonl(path, self.reference(), heard.rate, heard.samples.shape[1])

    def write_midi(self, path: Path) -> None:
        notes.write_midi(path, self.reference())

    def write_sound(self, path: Path, kind: str) -> None:
        audio.write(path, self.sound(), kind)
        self.heard = None
