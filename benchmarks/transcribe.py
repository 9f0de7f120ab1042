"""How well `transcribe` hears works it was not trained on, on a soundfont it was not trained on, dry and in a hall.

    python benchmarks/transcribe.py --data DATA [--soundfont OPL-3_FM_128M] [--split test] [--seconds 60]

DATA holds `openscore/` and, for the unscored phrases, `real/`. The works are those of the split (see
`clefkit/train/corpus.py`): 24 quartets and 24 songs, the first by the hash of their names; of each one minute, a
quarter of the way in, played without repeats. Measures are those of `clefkit score`, means over files.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

from clefkit import audio, augment, notes, registry, score, transcribe
from clefkit.audio import Audio
from clefkit.augment import recipes
from clefkit.notation import musicxml
from clefkit.render import perform, synth
from clefkit.train import corpus

# in a small process of its own: what a child uses is counted from the size of its parent on
WATCH = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-m", "clefkit", "transcribe", sys.argv[1]], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
"""
EACH = 24
RATE = 44_100
FIGURES = ("note_precision", "note_recall", "note_f1", "note_offset_f1", "frame_f1")


class Excerpt(NamedTuple):
    """One minute of a work."""

    name: str
    performance: notes.Performance

    @property
    def voices(self) -> int:
        return len(np.unique(self.performance.notes.part))


def main() -> None:
    parser = argparse.ArgumentParser(description="note F1 on works and a soundfont that training did not hear")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--soundfont", default="OPL-3_FM_128M")
    parser.add_argument("--split", default="test", choices=["test", "validation"])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--model", default="notes")
    parser.add_argument("--hours", type=float, default=1.0, help="length of the file that memory is measured with")
    asked = parser.parse_args()
    font = registry.soundfont(asked.soundfont)
    model = registry.model(asked.model)
    print(f"{model.name} {model.sha256[:12]}, {font.name} {font.sha256[:12]}, {asked.split} split\n")
    rows = [
        row for each in excerpts(asked.data, asked.split, asked.seconds) for row in measured(each, font.path, model)
    ]
    table(rows)
    phrases(asked.data, asked.model)
    cost(rows, asked.hours)


def excerpts(data: Path, split: str, seconds: float) -> Iterator[Excerpt]:
    """The same for everybody: chosen by hash."""
    scores = [(name, content) for name, _, content in corpus.openscore(data, split)]
    scores.sort(key=lambda each: hashlib.sha256(each[0].encode()).digest())
    for collection in corpus.SHARES:
        taken = 0
        for name, content in scores:
            if name.startswith(collection) and taken < EACH:
                excerpt = Excerpt(name, cut(performed(content), seconds))
                if len(excerpt.performance.notes) >= 20:
                    taken += 1
                    yield excerpt


def performed(content: bytes) -> notes.Performance:
    with tempfile.TemporaryDirectory(prefix="clefkit-") as folder:
        path = Path(folder) / "score.mxl"
        path.write_bytes(content)
        return perform.perform(musicxml.read(path), repeats=False)


def cut(performance: notes.Performance, seconds: float) -> notes.Performance:
    """`seconds` from a quarter of the way in, or from the start when it is short."""
    played = performance.notes
    start = max(0.0, min(0.25 * played.offset.max(), played.offset.max() - seconds))
    inside = notes.take(played, (played.onset >= start) & (played.onset < start + seconds))
    moved = notes.make(
        inside.onset - start,
        np.minimum(inside.offset - start, seconds),
        inside.pitch,
        inside.velocity,
        inside.part,
        inside.parts,
    )
    controls = [control._replace(time_s=max(0.0, control.time_s - start)) for control in performance.controls]
    return notes.Performance(moved, tuple(each for each in controls if each.time_s < seconds))


def measured(excerpt: Excerpt, font: Path, model: registry.Asset) -> Iterator[dict[str, Any]]:
    """One row dry, one in the hall."""
    rendering = synth.render(excerpt.performance, font, RATE)
    dry = Audio(rendering.audio.samples * np.float32(0.5 / np.abs(rendering.audio.samples).max()), RATE)
    digest = hashlib.sha256(excerpt.name.encode()).digest()
    hall, moved = augment.apply(dry, recipes.room("hall"), np.random.default_rng(list(digest)))
    for place, sound, played in (("dry", dry, rendering.notes), ("hall", hall, moved.moved(rendering.notes))):
        began = time.process_time()
        found = transcribe.notes(sound.samples, sound.rate, model.name)
        cpu_s = time.process_time() - began
        row = {"name": excerpt.name, "voices": excerpt.voices, "place": place, "cpu_s": cpu_s}
        yield row | {"seconds": sound.duration_s} | score.compare(played, found)


def table(rows: list[dict[str, Any]]) -> None:
    heads = ("place", "voices", "files", *FIGURES)
    print("\t".join(heads))
    for place in ("dry", "hall"):
        here = [row for row in rows if row["place"] == place]
        for label, some in [
            ("all", here),
            ("three or more", [row for row in here if row["voices"] >= 3]),
            *((str(count), [row for row in here if row["voices"] == count]) for count in (1, 2, 3, 4, 5)),
        ]:
            if some:
                values = [f"{np.mean([row[figure] for row in some]):.3f}" for figure in FIGURES]
                print("\t".join([place, label, str(len(some)), *values]))
    print("\nfiles, worst first, dry and hall note_f1")
    halls = {row["name"]: row["note_f1"] for row in rows if row["place"] == "hall"}
    for row in sorted((row for row in rows if row["place"] == "dry"), key=lambda row: float(row["note_f1"])):
        print(f"{row['note_f1']:.3f}\t{halls[row['name']]:.3f}\t{row['voices']}\t{row['ref_notes']}\t{row['name']}")


def phrases(data: Path, model: str) -> None:
    """What it hears in real recordings; there is no reference, so nothing is scored."""
    print("\nreal phrases, not scored\tseconds\tnotes\tlowest\thighest\tlongest_s")
    for path in sorted([*(data / "real" / "phrases").glob("*.flac"), *(data / "real" / "not_music").glob("*.flac")]):
        sound = audio.read(path)
        found = transcribe.notes(sound.samples, sound.rate, model)
        spread = (found.pitch.min(), found.pitch.max()) if len(found) else (0, 0)
        longest = float((found.offset - found.onset).max()) if len(found) else 0.0
        print(f"{path.stem}\t{sound.duration_s:.1f}\t{len(found)}\t{spread[0]:.0f}\t{spread[1]:.0f}\t{longest:.2f}")


def cost(rows: list[dict[str, Any]], hours: float) -> None:
    """CPU time in this process, and the peak memory of the whole program on a long file."""
    total, seconds = sum(row["cpu_s"] for row in rows), sum(row["seconds"] for row in rows)
    print(f"\n{total / seconds:.4f} CPU s for a second of sound, in memory, without start-up")
    minute = np.cumsum(np.random.default_rng(0).standard_normal(60 * 22_050))
    minute = 0.3 * np.sin(2 * np.pi * (220 + 20 * minute / np.abs(minute).max()) * np.arange(len(minute)) / 22_050)
    with tempfile.TemporaryDirectory(prefix="clefkit-") as folder:
        path = Path(folder) / "long.wav"
        with soundfile.SoundFile(path, "w", 22_050, 1) as file:
            for _ in range(round(60 * hours)):
                file.write(minute)
        told = subprocess.run([sys.executable, "-c", WATCH, str(path)], check=True, capture_output=True, text=True)
    cpu_s, peak_kb = map(float, told.stdout.split())
    print(f"clefkit transcribe, {hours} h: {cpu_s:.0f} CPU s, peak {peak_kb / 1024:.0f} MB")


if __name__ == "__main__":
    main()
