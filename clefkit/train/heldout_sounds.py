"""Instruments that no transcriber of ours has heard in training, in two halves that share nothing, for ever.

FreePats' melodic patches, played by TiMidity++ (the one free family of samples that the Fluid and MuseScore fonts took
nothing from), and the presets of `fonts_heldout.toml`. Each half has of every family: pianos, guitars, basses, strings,
brass, reeds, flutes. Ranges are those of the real instruments, where the samples keep them: FreePats' upper nylon
guitar and its lowest harp strings sound an octave higher than asked for. Left out are sounds without a clear pitch,
those that sound in another octave (church organ), repeat by themselves (tremolo), are several notes (pads), or ring on
whether the key is held or not (xylophone, tubular bells, FreePats' steel drums): their labels could not be exact.

Cents are FreePats' own mistuning, measured over the range (YIN, median) and corrected when it plays.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import registry
from clefkit.notes import Notes, Part, Performance, make
from clefkit.render import synth
from clefkit.render.timbre import Timbre
from clefkit.train import timidity

Array = NDArray[np.float32]

RATE = timidity.RATE
SPLITS = ("validation", "test")
HELD_S = 4.0  # of each key in an audition; what has not died away by then sounds until its key goes up
APART_S = 5.5
BLOCK_S = 0.01
DEAD_DB = -40.0  # of the loudest moment of the note
SILENT_DB = -30.0  # of the median key of the instrument


class Instrument(NamedTuple):
    """A sound that plays one part.

    source: "freepats" or "musescore"; bank, program: of the preset, or the patch
    lowest, highest: MIDI numbers; chords: whether more than one note at a time is in its nature
    """

    name: str
    source: str
    bank: int
    program: int
    lowest: int
    highest: int
    chords: bool
    cents: float = 0.0


class Heard(NamedTuple):
    """What an instrument does, by key. level_db: its loudest moment; dies_s: when it has died away while held."""

    level_db: dict[int, float]
    dies_s: dict[int, float]


# name, program, lowest and highest pitch, chords, cents
FREEPATS: dict[str, tuple[tuple[str, int, int, int, bool, float], ...]] = {
    "validation": (
        ("bright piano", 1, 28, 103, True, 13),
        ("electric grand piano", 2, 28, 100, True, 5),
        ("electric piano, FM", 5, 28, 100, True, -2),
        ("clavinet", 7, 29, 89, True, 4),
        ("celesta", 8, 60, 92, True, 1),
        ("drawbar organ", 16, 36, 90, True, 6),
        ("tango accordion", 23, 41, 86, True, -2),
        ("steel-string guitar", 25, 40, 84, True, 6),
        ("clean electric guitar", 27, 40, 86, True, 6),
        ("fingered bass", 33, 28, 60, False, 1),
        ("picked bass", 34, 28, 60, False, -4),
        ("cello", 42, 36, 76, False, -2),
        ("pizzicato strings", 45, 39, 84, True, -8),
        ("voices", 53, 48, 84, True, 0),
        ("trombone", 57, 40, 74, False, 0),
        ("tuba", 58, 28, 60, False, 2),
        ("muted trumpet", 59, 54, 84, False, 8),
        ("alto saxophone", 65, 49, 81, False, 0),
        ("baritone saxophone", 67, 36, 69, False, 0),
        ("English horn", 69, 52, 81, False, 1),
        ("bassoon", 70, 34, 74, False, -1),
        ("piccolo", 72, 74, 103, False, 1),
        ("pan flute", 75, 60, 93, False, 3),
        ("ocarina", 79, 60, 90, False, 2),
        ("sitar", 104, 48, 84, False, 0),
    ),
    "test": (
        ("grand piano", 0, 29, 103, True, 4),
        ("electric piano, Rhodes", 4, 28, 100, True, 5),
        ("harpsichord", 6, 29, 89, True, 6),
        ("dulcimer", 15, 48, 86, True, 14),
        ("accordion", 21, 41, 89, True, 2),
        ("nylon-string guitar", 24, 40, 70, True, 3),
        ("jazz guitar", 26, 40, 84, True, 5),
        ("muted electric guitar", 28, 40, 80, False, 2),
        ("overdriven guitar", 29, 40, 80, False, 0),
        ("double bass", 32, 28, 60, False, 11),
        ("fretless bass", 35, 28, 60, False, 1),
        ("violin", 40, 55, 92, False, 2),
        ("harp", 46, 50, 96, True, 3),
        ("string ensemble", 48, 37, 92, True, 0),
        ("trumpet", 56, 54, 84, False, 0),
        ("French horn", 60, 36, 77, False, -1),
        ("brass section", 61, 36, 84, True, -6),
        ("soprano saxophone", 64, 56, 88, False, 4),
        ("tenor saxophone", 66, 44, 76, False, 0),
        ("oboe", 68, 58, 91, False, 8),
        ("clarinet", 71, 50, 91, False, 0),
        ("flute", 73, 60, 96, False, 3),
        ("recorder", 74, 60, 93, False, 1),
    ),
}

# Of the presets in `fonts_heldout.toml`, by program: name, lowest and highest pitch, chords.
MUSESCORE: dict[int, tuple[str, int, int, bool]] = {
    8: ("celesta", 60, 96, True),
    12: ("marimba", 45, 91, True),
    21: ("accordion", 53, 89, True),
    25: ("steel-string guitar", 40, 84, True),
    42: ("cello", 36, 76, False),
    53: ("voices", 48, 84, True),
    56: ("trumpet", 54, 84, False),
    57: ("trombone", 40, 74, False),
    59: ("muted trumpet", 54, 84, False),
    65: ("alto saxophone", 49, 81, False),
    66: ("tenor saxophone", 44, 76, False),
    104: ("sitar", 48, 84, True),
    107: ("koto", 48, 84, True),
    114: ("steel drums", 52, 79, True),
}
SOURCES = ("freepats", "musescore")


def instruments(source: str, split: str) -> list[Instrument]:
    """The instruments of one half. source: one of SOURCES; split: one of SPLITS"""
    if source == "freepats":
        return [Instrument(row[0], source, 0, *row[1:]) for row in FREEPATS[split]]
    presets = _heldout()[split]
    return [
        Instrument(MUSESCORE[program][0], source, bank, program, *MUSESCORE[program][1:]) for bank, program in presets
    ]


def play(instrument: Instrument, notes: Notes) -> tuple[Array, Notes]:
    """Play the notes of one part.

    notes: whole pitches; those that the instrument lacks stay silent, see `audition`
    returns: (samples,), float32, mono, 44.1 kHz, until the sound has died away; and the notes, with onset and offset
        where the player put them
    raises: MissingError when TiMidity++, FreePats or the soundfont is not there
    """
    if instrument.source == "freepats":
        return timidity.play(notes, instrument.program, instrument.cents)
    alone = make(
        notes.onset, notes.offset, notes.pitch, notes.velocity, parts=(Part(instrument.name, instrument.program),)
    )
    font = registry.soundfont(str(_heldout()["font"])).path
    rendering = synth.render(Performance(alone), [Timbre(font, instrument.bank, instrument.program)], RATE)
    return rendering.audio.samples.mean(axis=0), rendering.notes


@cache
def audition(instrument: Instrument) -> Heard:
    """Every key of the range, played alone and held for four seconds.

    A key that is not in the result has no sound, or one that is 30 dB softer than the others'. `dies_s` is infinite for
    a sound that goes on as long as it is held.
    raises: as `play`
    """
    keys = np.arange(instrument.lowest, instrument.highest + 1)
    starts = np.arange(len(keys)) * APART_S
    samples, _ = play(instrument, make(starts, starts + HELD_S, keys, np.full(len(keys), 80)))
    block = int(BLOCK_S * RATE)
    held, apart = round(HELD_S / BLOCK_S), round(APART_S / BLOCK_S)
    padded = np.pad(samples, (0, max(0, len(keys) * apart * block - len(samples))))[: len(keys) * apart * block]
    level = np.sqrt(np.mean(padded.reshape(len(keys), apart, block) ** 2, axis=2))[:, :held]
    level_db = 20 * np.log10(np.maximum(level, 1e-9))
    loudest = level_db.max(axis=1)
    heard = [index for index in range(len(keys)) if loudest[index] > np.median(loudest) + SILENT_DB]
    dies = {}
    for index in heard:
        alive = np.flatnonzero(level_db[index] > loudest[index] + DEAD_DB)
        dies[int(keys[index])] = float(np.inf) if alive[-1] + 2 >= held else float(alive[-1] + 1) * BLOCK_S
    return Heard({int(keys[index]): float(loudest[index]) for index in heard}, dies)


@cache
def _heldout() -> dict[str, list[tuple[int, int]]]:
    return tomllib.loads((Path(__file__).parent / "fonts_heldout.toml").read_text(encoding="utf-8"))
