"""Pairs that judge: instruments, works and phones that were never learnt from, and a phone that nobody drew.

    python -m clefkit.train.enhance.heldout --data DATA --out DIR --split validation

FreePats, played by TiMidity++, plays scores of the OpenScore collections that training never reads, as `render`'s human
would: five instruments of one half of `heldout_sounds`, in turn, SECONDS each; every second one in a studio. Each is
heard through a phone (as `phones` draws most, from other numbers than any in training) and, every third, through
WebRTC's own automatic gain and noise suppression at 16 kHz (the package webrtc-noise-gain): the foreign chain.

    DIR/clean/00-piano.wav   DIR/phone/00-piano.wav   DIR/foreign/00-piano.wav, its clean sound in foreign-clean/
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit import audio, augment
from clefkit import notes as note_files
from clefkit.audio import Audio
from clefkit.errors import MissingError
from clefkit.notes import Notes, take
from clefkit.train import heldout, heldout_sounds
from clefkit.train.enhance import phones
from clefkit.train.heldout_sounds import RATE, Instrument

Array = NDArray[np.float32]

INSTRUMENTS = {
    "validation": ("bright piano", "cello", "alto saxophone", "trombone", "steel-string guitar"),
    "test": ("grand piano", "violin", "clarinet", "trumpet", "flute"),
}
COUNT = 30
SECONDS = 15.0
LEAST_NOTES, LATEST_S = 12, 3.0
STUDIO = {"kind": "room", "room": ["studio_*"], "distance_gain_db": [4, 12]}
STUDIOS = 0.5
PEAK_DB = -3.0
FOREIGN = 3  # every so many
FOREIGN_RATE = 16_000
AUTO_GAIN, SUPPRESSION = (3, 20), (1, 4)  # of WebRTC: dB, levels


def build(data: Path, out: Path, split: str, count: int = COUNT) -> Iterator[str]:
    """Write the pairs. yields: the name of each file of `phone` and `foreign`"""
    works = dict(heldout.works(data, split))
    known = {each.name: each for each in heldout_sounds.instruments("freepats", split)}
    for number in range(count):
        name = INSTRUMENTS[split][number % len(INSTRUMENTS[split])]
        generator = np.random.default_rng(list(hashlib.sha256(f"enhance/{split}/{number}".encode()).digest()))
        clean, notes = _clean(works, known[name], generator)
        file = f"{number:02d}-{name.replace(' ', '-')}.wav"
        _write(out / "clean" / file, clean, RATE)
        note_files.write_jsonl((out / "clean" / file).with_suffix(".ref.jsonl"), notes, RATE, len(clean))
        _write(out / "phone" / file, phones.recorded(clean, RATE, generator), RATE)
        yield f"phone/{file}"
        if number % FOREIGN == 0:
            narrow = audio.resample(Audio(clean[None], RATE), FOREIGN_RATE).samples[0]
            _write(out / "foreign-clean" / file, narrow, FOREIGN_RATE)
            _write(out / "foreign" / file, foreign(narrow, generator), FOREIGN_RATE)
            yield f"foreign/{file}"


def foreign(narrow: Array, generator: Generator) -> Array:
    """A sound of 16 kHz through WebRTC's automatic gain and noise suppression. The length stays.

    raises: MissingError without webrtc-noise-gain
    """
    try:
        webrtc_noise_gain = importlib.import_module("webrtc_noise_gain")
    except ImportError as error:
        raise MissingError("the foreign chain needs webrtc-noise-gain: pip install webrtc-noise-gain") from error

    gain, level = int(generator.integers(*AUTO_GAIN)), int(generator.integers(*SUPPRESSION))
    processor = webrtc_noise_gain.AudioProcessor(gain, level)
    size = FOREIGN_RATE // 100
    padded = np.pad(narrow, (0, -len(narrow) % size))
    told = (np.clip(padded, -1, 1) * 32767).astype("<i2").reshape(-1, size)
    heard = b"".join(processor.Process10ms(chunk.tobytes()).audio for chunk in told)
    return np.asarray(np.frombuffer(heard, "<i2")[: len(narrow)] / 32768, np.float32)


def _clean(works: dict[str, Notes], instrument: Instrument, generator: Generator) -> tuple[Array, Notes]:
    """A stretch of a work on an instrument, perhaps in a studio, and its notes. returns: (samples,), peak -3 dB"""
    voice = _voice(works, instrument, generator)
    stem, notes = heldout.stem_of(voice, instrument)
    notes = take(notes, notes.onset < SECONDS - 0.05)
    notes = replace(notes, offset=np.minimum(notes.offset, SECONDS))
    sound = Audio(stem[None, : int(SECONDS * RATE)], RATE)
    if generator.random() < STUDIOS:
        sound, _ = augment.apply(sound, {"name": "studio", "effect": [STUDIO]}, generator)
    mono = sound.samples.mean(axis=0)[: int(SECONDS * RATE)]
    return np.asarray(mono * np.float32(10 ** (PEAK_DB / 20) / np.abs(mono).max()), np.float32), notes


def _voice(works: dict[str, Notes], instrument: Instrument, generator: Generator) -> Notes:
    """A voice that an instrument can play: in its range, and without chords if it plays none."""
    for _ in range(1000):
        (voice,) = heldout.drawn(works, 1, generator)[1]
        chords = float((np.diff(voice.onset) < heldout_sounds.BLOCK_S).mean())
        if (voice.onset < SECONDS - 1).sum() < LEAST_NOTES or voice.onset[0] > LATEST_S:
            continue
        inside = (voice.pitch >= instrument.lowest) & (voice.pitch <= instrument.highest)
        if inside.mean() > 0.9 and (chords > 0.2 if "piano" in instrument.name else chords < 0.1 or instrument.chords):
            return voice
    raise LookupError(f"no voice for the {instrument.name}")


def _write(path: Path, sound: Array, rate: int) -> None:
    """At a peak of -3 dB at most."""
    path.parent.mkdir(parents=True, exist_ok=True)
    peak = max(float(np.abs(sound).max()), 1e-6)
    audio.write(path, Audio(sound[None] * np.float32(min(1.0, 10 ** (PEAK_DB / 20) / peak)), rate))


def main() -> None:
    """The program. Prints the name of each file that is to be enhanced."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with openscore/")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", choices=tuple(INSTRUMENTS), required=True)
    arguments = parser.parse_args()
    for name in build(arguments.data, arguments.out, arguments.split):
        sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main()
