"""One sound for each part, such that the parts add up to the mix."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

import numpy as np

from clefkit import audio, notes
from clefkit.audio import Audio
from clefkit.notes import Notes, Part, Performance
from clefkit.render import synth
from clefkit.render.synth import Rendering

LONGEST_NAME = 40


class Mix(NamedTuple):
    """rendering: the sum of the parts; peak_db: true peak of the loudest among the sum and the parts"""

    rendering: Rendering
    peak_db: float


def played(performance: Performance) -> list[int]:
    """Indices of the parts that have notes."""
    return [int(part) for part in np.unique(performance.notes.part)]


def label(number: int, part: Part) -> str:
    """A name for files: "1-violin". A part without a name we can write has that of its General MIDI instrument."""
    return f"{number}-{_plain(part.name) or ('drums' if part.drums else _plain(_instrument(part.program)))}"


def alone(performance: Performance, part: int) -> Performance:
    """One part of a performance, as its only part."""
    mine = notes.take(performance.notes, performance.notes.part == part)
    only = notes.make(mine.onset, mine.offset, mine.pitch, mine.velocity, None, (mine.parts[part],), mine.ids)
    return Performance(only, tuple(each._replace(part=0) for each in performance.controls if each.part == part))


def mix(performance: Performance, soundfont: Path, rate: int) -> Mix:
    """Play the parts one by one and add them up. Only two parts are in memory at a time."""
    total = np.zeros((2, 0), np.float32)
    sounding, silent, substituted, peak_db = [], [], [], -np.inf
    for part in played(performance):
        one = synth.render(alone(performance, part), soundfont, rate)
        peak_db = max(peak_db, audio.true_peak_db(one.audio.samples))
        total, shorter = _ordered(total, one.audio.samples)
        total[:, : shorter.shape[1]] += shorter
        sounding.append((part, one.notes))
        silent.append((part, one.silent))
        substituted += [part] if one.substituted else []
    parts = performance.notes.parts
    rendering = Rendering(Audio(total, rate), _joined(sounding, parts), _joined(silent, parts), tuple(substituted))
    return Mix(rendering, max(peak_db, audio.true_peak_db(total)))


def padded(rendering: Rendering, samples: int) -> Rendering:
    """With silence after it, up to a length in samples."""
    missing = samples - rendering.audio.samples.shape[1]
    longer = np.pad(rendering.audio.samples, ((0, 0), (0, missing)))
    return rendering._replace(audio=Audio(longer, rendering.audio.rate))


def _ordered(first: audio.Samples, second: audio.Samples) -> tuple[audio.Samples, audio.Samples]:
    return (first, second) if first.shape[1] >= second.shape[1] else (second, first)


def _joined(pieces: list[tuple[int, Notes]], parts: tuple[Part, ...]) -> Notes:
    """The notes of single parts, each with its index, as those of one performance."""
    each = [piece for _, piece in pieces]
    known = [np.asarray(piece.ids, np.str_) for piece in each if piece.ids is not None]
    return notes.make(
        np.concatenate([piece.onset for piece in each]),
        np.concatenate([piece.offset for piece in each]),
        np.concatenate([piece.pitch for piece in each]),
        np.concatenate([piece.velocity for piece in each]),
        np.concatenate([np.full(len(piece), part) for part, piece in pieces]),
        parts,
        np.concatenate(known) if len(known) == len(each) else None,
    )


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", letters)[:LONGEST_NAME].strip("-")


def _instrument(program: int) -> str:
    import pretty_midi

    return str(pretty_midi.program_to_instrument_name(program))
