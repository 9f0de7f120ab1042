"""Mixtures that judge a separation: validation, on which anything may be chosen, and the test, touched once.

    python -m clefkit.train.separate.heldout --data DATA --out DIR --split validation

Twelve seconds of string quartets that no training reads, on sounds that none hears (`clefkit.train.heldout_sounds`), of
any kind: chamber music, as people record it, but with other instruments. As many mixtures of two as of three and of
four instruments, FreePats and MuseScore in turn, and solos: 24 and 20 for the test, 120 and 60 for validation, for what
is chosen by fewer is chosen by chance (on the first 24 the better of two trainings found the right number less often,
on the others more often). Every part is another instrument, and at half time the voices change hands, every one of
them: instruments share their registers, and neither height nor line tells whose a note is. Every fourth mixture is in a
room of `presets/rooms`, one for all; nothing else is done to them, so stems add up to the mixture.

Beside `MIX.flac` are its notes, `MIX.ref.jsonl`, and in the folder `MIX/` its stems: `clefkit score --ref DIR` finds
them. `manifest.json` lists all. Chance depends on the split and the name of the mixture alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

import clefkit
from clefkit import audio, labels, record, registry
from clefkit import notes as note_files
from clefkit.audio import Audio
from clefkit.augment import convolve, rooms
from clefkit.errors import InputError
from clefkit.notes import Notes, take
from clefkit.train import heldout, heldout_sounds, timidity
from clefkit.train.heldout_sounds import RATE, SOURCES, SPLITS, Instrument
from clefkit.train.separate import mixtures

Array = NDArray[np.float32]

COUNTS = (2, 3, 4)
EACH = {"validation": 40, "test": 8}  # mixtures of each number of instruments
SOLOS = {"validation": 60, "test": 20}
LENGTH_S = 12.0
MUSIC_S = 11.2  # the rest is for what rings on
LEAST_NOTES = 4  # of each voice in each half
PEAK = 0.5
TRIES = 400


class Made(NamedTuple):
    """stems: (instruments, samples), 44.1 kHz, which add up to the mixture; notes: a part an instrument"""

    name: str
    stems: Array
    notes: Notes
    instruments: list[Instrument]
    work: str
    room: str


def build(data: Path, out: Path, split: str, first: int | None = None) -> Iterator[dict[str, Any]]:
    """Make a set.

    data: folder with `openscore/`; split: one of SPLITS; first: only so many mixtures and solos
    yields: the manifest's row of each mixture when it is written
    raises: MissingError when TiMidity++, FreePats or MuseScore_General is not there
    """
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for made in _all(data, split, first):
        rows.append(_write(out, made, split))
        yield rows[-1]
    made_with = {"timidity": timidity.version(), "soundfont": registry.soundfont("MuseScore_General").sha256}
    manifest = {"split": split, "version": clefkit.__version__, "made_with": made_with, "files": rows}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _all(data: Path, split: str, first: int | None) -> Iterator[Made]:
    known = {name: notes for name, notes in heldout.works(data, split) if name.startswith("string-quartets")}
    mixed = [(f"mix-{count}-{index:02d}", count, index) for index, count in product(range(EACH[split]), COUNTS)]
    alone = [(f"solo-{index:02d}", 1, index) for index in range(SOLOS[split])]
    for name, count, index in [*mixed[:first], *alone[:first]]:
        source = SOURCES[index % len(SOURCES)]
        choice = heldout_sounds.instruments(source, split)
        digest = hashlib.sha256(f"separate/{split}/{name}".encode()).digest()
        yield draw(name, known, choice, count, np.random.default_rng(list(digest)), in_a_room=index // 2 % 4 == 3)


def draw(
    name: str,
    works: dict[str, Notes],
    choice: Sequence[Instrument],
    count: int,
    generator: Generator,
    *,
    in_a_room: bool,
) -> Made:
    """Draw and play one mixture. works: notes of whole works by name; choice: instruments to choose from"""
    for _ in range(TRIES):
        work, voices = heldout.drawn(works, count, generator)
        start = float(generator.uniform(0, heldout.END_S - MUSIC_S))
        players = handed(some(voices, start), generator)
        if players is None:
            continue
        taken: list[Instrument] = []
        sounds, parts = [], []
        for voice in players:
            instrument = heldout.instrument_for(voice, [each for each in choice if each not in taken], generator)
            stem, notes = heldout.stem_of(voice, instrument)
            taken.append(instrument)
            sounds.append(heldout.leveled(stem[: int(LENGTH_S * RATE)], generator))
            parts.append(notes)
        if min(len(notes) for notes in parts) >= 2 * LEAST_NOTES:
            return _placed(
                Made(name, np.stack(sounds), heldout.joined(parts, taken), taken, work, ""), in_a_room, generator
            )
    raise InputError(f"no work in which {count} instruments play for {MUSIC_S:.0f} seconds")


def some(voices: Sequence[Notes], start: float) -> list[Notes]:
    """What begins in a stretch of the voices, from 0 s on."""
    inside = [take(voice, (voice.onset >= start) & (voice.onset < start + MUSIC_S - 0.3)) for voice in voices]
    return [
        replace(voice, onset=voice.onset - start, offset=np.minimum(voice.offset - start, MUSIC_S)) for voice in inside
    ]


def handed(voices: Sequence[Notes], generator: Generator) -> list[Notes] | None:
    """What each player plays when all change voices at half time; None when a voice has too little in a half."""
    halves = [(take(voice, voice.onset < MUSIC_S / 2), take(voice, voice.onset >= MUSIC_S / 2)) for voice in voices]
    if min(len(half) for both in halves for half in both) < LEAST_NOTES:
        return None
    step = int(generator.integers(1, len(voices))) if len(voices) > 1 else 0
    return [mixtures.joined([halves[each][0], halves[(each + step) % len(voices)][1]]) for each in range(len(voices))]


def _placed(made: Made, in_a_room: bool, generator: Generator) -> Made:
    """In a room, perhaps, and at a level."""
    sounds, room = made.stems, ""
    if in_a_room:
        names = sorted(registry.rooms())
        room = names[int(generator.integers(len(names)))]
        asset = registry.room(room)
        response = rooms.response(asset.path, asset.sha256, RATE)
        taps = response.samples[:1]
        sounds = np.stack([convolve.convolve(each[None], taps, response.direct, sounds.shape[1])[0] for each in sounds])
    peak = max(float(np.abs(sounds.sum(axis=0)).max()), float(np.abs(sounds).max()))
    return made._replace(stems=sounds * np.float32(PEAK / peak), room=room)


def _write(out: Path, made: Made, split: str) -> dict[str, Any]:
    folder, mixture = out / made.name, out / f"{made.name}.flac"
    folder.mkdir(exist_ok=True)
    names = [f"{labels.label(number, part)}.flac" for number, part in enumerate(made.notes.parts, start=1)]
    for name, sound in zip(names, made.stems, strict=True):
        audio.write(folder / name, Audio(sound[None], RATE), "flac")
    written = np.sum([audio.read(folder / name).samples for name in names], axis=0)
    audio.write(mixture, Audio(written.astype(np.float32), RATE), "flac")
    reference = mixture.with_suffix(".ref.jsonl")
    note_files.write_jsonl(reference, made.notes, RATE, made.stems.shape[1])
    return {
        "file": mixture.name,
        "sha256": record.sha256(mixture),
        "stems": names,
        "reference": reference.name,
        "split": split,
        "source": made.instruments[0].source,
        "instruments": [each.name for each in made.instruments],
        "work": made.work,
        "room": made.room,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="mixtures that judge a separation")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", choices=SPLITS, required=True)
    parser.add_argument("--first", type=int, help="only so many, to see that it works")
    asked = parser.parse_args()
    for _ in build(asked.data, asked.out, asked.split, asked.first):
        pass


if __name__ == "__main__":
    main()
