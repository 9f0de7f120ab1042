"""Recordings that judge a transcriber: validation, on which thresholds may be chosen, and the test, touched once.

    python -m clefkit.train.heldout --data DATA --out DIR --split validation

Scores of the OpenScore collections that training never reads (see `corpus`), on sounds that it never hears
(`heldout_sounds`): one to four instruments, FreePats or MuseScore, ten recordings of 30 s each; a quartet's parts and
songs in turn. `render` plays the scores as a human would. Every part is played by itself, on another instrument each,
so levels are set between parts, and no label is without its sound. Every second recording is dry; the others went
through a preset of HELD_OUT_PRESETS, which training leaves out.

Each is there three times: as played, and 40 cents sharp and flat. That is the finished recording, resampled as a tape
that runs too fast is: nothing else differs, and the labels move exactly, in time and in pitch (60.4).

An onset is when the key goes down, an offset when it goes up, or before that where the sound has died away by 40 dB.
References are `.ref.jsonl`, records lead `clefkit score` to them, and `manifest.json` lists all files. Chance depends
on the split and the name of the recording alone: the same versions write the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soxr
from numpy.random import Generator
from numpy.typing import NDArray

import clefkit
from clefkit import audio, augment, clock, record, registry
from clefkit import notes as note_files
from clefkit.audio import Audio
from clefkit.errors import ClefkitError, InputError
from clefkit.notes import Notes, Part, make, take
from clefkit.train import corpus, heldout_sounds, timidity
from clefkit.train.heldout_sounds import RATE, SOURCES, SPLITS, Instrument

Array = NDArray[np.float32]

HELD_OUT_PRESETS = ("ribbon", "recital", "school-hall")  # of level 1, 2 and 3

COUNTS = (1, 2, 3, 4)
EACH = 10  # recordings of each source and number of instruments
LENGTH_S = 30.0
BEGIN_S, END_S = 0.4, 28.5  # the music; what rings on has the rest
TUNINGS = {"": 0, ".sharp": 40, ".flat": -40}  # cents
HUMAN = 0.5  # as `clefkit render` plays scores
LEAST_NOTES, MOST_NOTES = 12, 300  # of each part: a tremolo is no music to transcribe
LEAST_IN_ALL = 50
SHORTEST_S = 0.05
GAP_S = 0.01  # between two notes of one pitch
LUFS = -24.0  # of a part, before its own gain
GAIN_DB = 4.0  # how much louder or softer a part is
PEAK_DB = (-12.0, -1.0)
CHORDS = 0.1  # from this share of notes that sound together on, a part has chords
NO_NOTES = ("not_music/speech_198", "phrases/loop_tabla", "phrases/loop_mika", "phrases/loop_safari")


class Recording(NamedTuple):
    """What is heard, 44.1 kHz, and what is true of it. notes: a part an instrument; preset: "" is dry"""

    name: str
    sound: Audio
    notes: Notes
    instruments: list[Instrument]
    work: str
    preset: str


def build(data: Path, out: Path, split: str, first: int | None = None) -> Iterator[dict[str, Any]]:
    """Make a set.

    data: folder with `openscore/` and `real/`
    split: one of SPLITS
    first: only so many recordings
    yields: the manifest's row of each file when it is written
    raises: MissingError when TiMidity++, FreePats or MuseScore_General is not there
    """
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for made in _recordings(data, split, first):
        rows += [_write(out, made, suffix, cents, split) for suffix, cents in TUNINGS.items()]
        yield from rows[-len(TUNINGS) :]
    for name in NO_NOTES:
        path = out / f"none-{Path(name).name}.flac"
        shutil.copyfile(data / "real" / f"{name}.flac", path)
        rows.append(_describe(path, make([], [], []), {"split": split, "source": "none", "instruments": 0, "cents": 0}))
        yield rows[-1]
    made_with = {"timidity": timidity.version(), "soundfont": registry.soundfont("MuseScore_General").sha256}
    manifest = {"split": split, "version": clefkit.__version__, "made_with": made_with, "files": rows}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _recordings(data: Path, split: str, first: int | None) -> Iterator[Recording]:
    found = dict(works(data, split))
    places = list(product(range(EACH), SOURCES, COUNTS))
    for number, (index, source, count) in enumerate(places[:first]):
        name = f"{source}-{count}-{index:02d}"
        digest = hashlib.sha256(f"{split}/{name}".encode()).digest()
        preset = HELD_OUT_PRESETS[number // 2 % len(HELD_OUT_PRESETS)] if (index + count) % 2 else ""
        yield record_one(name, found, heldout_sounds.instruments(source, split), count, preset, list(digest))


def works(data: Path, split: str) -> Iterator[tuple[str, Notes]]:
    """Every score of the split as a human plays it, by name; a score that `render` refuses is left out."""
    from clefkit.notation import musicxml
    from clefkit.render import perform

    with tempfile.TemporaryDirectory(prefix="clefkit-") as folder:
        path = Path(folder) / "score.mxl"
        for name, _, score in corpus.openscore(data, split):
            path.write_bytes(score)
            generator = np.random.default_rng(list(hashlib.sha256(name.encode()).digest()))
            try:
                played = perform.perform(musicxml.read(path), repeats=False, amount=HUMAN, generator=generator)
            except ClefkitError:
                continue
            yield name, played.notes


def record_one(
    name: str, works: dict[str, Notes], choice: Sequence[Instrument], count: int, preset: str, seed: Sequence[int]
) -> Recording:
    """Draw and play one recording.

    works: notes of whole works by name, "collection/..."
    choice: instruments to choose from
    count: how many of them play
    preset: of `augment`, "" for none
    """
    generator = np.random.default_rng(seed)
    work, voices = drawn(works, count, generator)
    taken: list[Instrument] = []
    parts, stems = [], []
    for voice in voices:
        instrument = instrument_for(voice, [each for each in choice if each not in taken], generator)
        stem, notes = stem_of(voice, instrument)
        taken.append(instrument)
        parts.append(notes)
        stems.append(leveled(stem, generator))
    mix = np.sum(stems, axis=0)
    mix *= 10 ** (generator.uniform(*PEAK_DB) / 20) / np.abs(mix).max()
    sound, moved = Audio(mix[None].astype(np.float32), RATE), clock.line()
    if preset:
        sound, moved = augment.apply(sound, preset, generator)
    return Recording(name, sound, moved.moved(joined(parts, taken)), taken, work, preset)


def drawn(works: dict[str, Notes], count: int, generator: Generator) -> tuple[str, list[Notes]]:
    """A stretch of some work in which `count` voices play; quartets for four, else songs as often."""
    names = list(works)
    for _ in range(10_000):
        collection = "string-quartets" if count > 3 or generator.random() < 0.5 else "lieder"
        mine = [name for name in names if name.startswith(collection)] or names
        name = mine[int(generator.integers(len(mine)))]
        piece = works[name]
        start = float(generator.uniform(0, max(0.1, piece.offset.max() - (END_S - BEGIN_S))))
        inside = take(piece, (piece.onset >= start) & (piece.onset < start + END_S - BEGIN_S - 2 * SHORTEST_S))
        voices = _voices(inside, count)
        if len(voices) < count:
            continue
        chosen = np.sort(generator.choice(len(voices), count, replace=False))
        if sum(len(voices[index]) for index in chosen) >= LEAST_IN_ALL:
            return name, [_placed(voices[index], start) for index in chosen]
    raise InputError(f"no work in which {count} instruments play for {END_S - BEGIN_S:.0f} seconds")


def _voices(piece: Notes, count: int) -> list[Notes]:
    """The parts that play; those of one staff system on which two hands play are shared out when more are needed."""
    voices = [take(piece, piece.part == part) for part in np.unique(piece.part)]
    voices = [voice for voice in voices if LEAST_NOTES <= len(voice) <= MOST_NOTES]
    if voices and len(voices) == count - 1:
        wide = max(voices, key=lambda voice: float(np.ptp(voice.pitch)))
        low = wide.pitch < np.median(wide.pitch)
        if np.ptp(wide.pitch) > 24 and min(low.sum(), (~low).sum()) >= LEAST_NOTES:
            voices = [voice for voice in voices if voice is not wide] + [take(wide, low), take(wide, ~low)]
    return voices


def _placed(voice: Notes, start: float) -> Notes:
    moved = BEGIN_S - start
    return replace(voice, onset=voice.onset + moved, offset=np.minimum(voice.offset + moved, END_S))


def instrument_for(voice: Notes, choice: Sequence[Instrument], generator: Generator) -> Instrument:
    """One whose register is the voice's; chords go to instruments that play some, as long as there are any left."""
    follows = voice.onset[1:] < voice.offset[:-1] - SHORTEST_S
    if follows.mean() > CHORDS:
        choice = [each for each in choice if each.chords] or choice
    low, high = np.quantile(voice.pitch, [0.05, 0.95])
    inside = [(min(high, each.highest) - max(low, each.lowest) + 1) / (high - low + 1) for each in choice]
    weights = np.maximum(inside, 0.02) ** 4
    return choice[int(generator.choice(len(choice), p=weights / weights.sum()))]


def stem_of(voice: Notes, instrument: Instrument) -> tuple[Array, Notes]:
    """(samples,) of 30 s, and the notes that sound in it; those out of range move by octaves."""
    below = np.ceil(np.maximum(instrument.lowest - voice.pitch, 0) / 12) * 12
    above = np.ceil(np.maximum(voice.pitch - instrument.highest, 0) / 12) * 12
    heard = heldout_sounds.audition(instrument)
    folded = replace(voice, pitch=np.rint(voice.pitch + below - above))
    asked = _apart(take(folded, np.isin(folded.pitch, list(heard.dies_s))))
    samples, played = heldout_sounds.play(instrument, asked)
    dies = played.onset + np.array([heard.dies_s[int(pitch)] for pitch in played.pitch])
    length = int(LENGTH_S * RATE)
    stem = np.pad(samples[:length], (0, max(0, length - len(samples)))).astype(np.float32)
    return stem, make(played.onset, np.minimum(played.offset, dies), played.pitch, played.velocity)


def _apart(notes: Notes) -> Notes:
    """Notes of one pitch one after another, with a gap, and none shorter than can be heard."""
    order = np.lexsort((notes.onset, notes.pitch))
    offset = notes.offset.copy()
    before, after = order[:-1], order[1:]
    same = notes.pitch[before] == notes.pitch[after]
    offset[before[same]] = np.minimum(offset[before[same]], notes.onset[after[same]] - GAP_S)
    return take(replace(notes, offset=offset), offset - notes.onset >= SHORTEST_S)


def leveled(stem: Array, generator: Generator) -> Array:
    gain_db = LUFS - audio.loudness(stem[None], RATE) + generator.uniform(-GAIN_DB, GAIN_DB)
    return stem * np.float32(10 ** (gain_db / 20))


def joined(parts: Sequence[Notes], taken: Sequence[Instrument]) -> Notes:
    names = ("onset", "offset", "pitch", "velocity")
    onset, offset, pitch, velocity = (np.concatenate([getattr(notes, name) for notes in parts]) for name in names)
    part = np.repeat(np.arange(len(parts)), [len(notes) for notes in parts])
    return make(onset, offset, pitch, velocity, part, tuple(Part(each.name, each.program) for each in taken))


def tuned(sound: Audio, notes: Notes, cents: float) -> tuple[Audio, Notes]:
    """A recording that runs too fast by that many cents, and where its notes are then."""
    if not cents:
        return sound, notes
    speed = 2 ** (cents / 1200)
    samples = soxr.resample(sound.samples.T, sound.rate * speed, sound.rate).T
    return Audio(np.ascontiguousarray(samples, dtype=np.float32), sound.rate), clock.line(rate=1 / speed).moved(notes)


def _write(out: Path, made: Recording, suffix: str, cents: int, split: str) -> dict[str, Any]:
    path = out / f"{made.name}{suffix}.flac"
    sound, notes = tuned(made.sound, made.notes, cents)
    peak = float(np.abs(sound.samples).max())
    audio.write(path, Audio(sound.samples / np.float32(max(1.0, peak)), RATE), "flac")
    known = {
        "split": split,
        "source": made.instruments[0].source,
        "instruments": len(made.instruments),
        "cents": cents,
        "preset": made.preset,
        "work": made.work,
        "parts": [each._asdict() for each in made.instruments],
    }
    return _describe(path, notes, known)


def _describe(path: Path, notes: Notes, known: dict[str, Any]) -> dict[str, Any]:
    """Write the reference and the record of a recording that is written. Returns its row of the manifest."""
    shape = audio.shape(path)
    reference = path.with_suffix(".ref.jsonl")
    note_files.write_jsonl(reference, notes, shape.rate, shape.frames)
    named = {"file": reference.name, "sha256": record.sha256(reference)}
    digest = record.sha256(path)
    data = {"file": path.name, "sha256": digest, "stage": "render", "version": clefkit.__version__}
    record.beside(path).write_text(record.encode({**data, "reference": named, "heldout": known}), encoding="utf-8")
    return {"file": path.name, "sha256": digest, "reference": named, "notes": len(notes)} | known


def main() -> None:
    parser = argparse.ArgumentParser(description="recordings that judge a transcriber")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", choices=SPLITS, required=True)
    parser.add_argument("--first", type=int, help="only so many recordings, to see that it works")
    asked = parser.parse_args()
    for _ in build(asked.data, asked.out, asked.split, asked.first):
        pass


if __name__ == "__main__":
    main()
