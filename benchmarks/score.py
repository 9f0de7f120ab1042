"""clefkit score against mir_eval: time, peak memory, and whether the numbers agree.

    python benchmarks/score.py            # 1,000, 2,000, 5,000 and 10,000 notes, some minutes
    python benchmarks/score.py 2000

The notes are drawn (seed 0): eleven a second at 60 pitches; 93 % are found, 15 ms off on average, with 7 % added, a
third of the offsets wrong. The field's three measures are taken: notes by onset, notes with offsets, frames of 10 ms.
Time is that of the processor, memory the peak of a whole process, Python and imports included; each line is a process
of its own. clefkit finds all three measures in one call.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from clefkit import notes, score
from clefkit.notes import Notes

SIZES = (1_000, 2_000, 5_000, 10_000)
NOTES_PER_SECOND = 11
AGREEMENT = 1e-9
Frames = list[np.ndarray]


class Cell(NamedTuple):
    """seconds: processor time; memory_mb: 10^6 bytes; values: the numbers found, in the order of `KEYS`."""

    seconds: float
    memory_mb: float
    values: list[float]


KEYS = {
    "notes, onsets": ("note_precision", "note_recall", "note_f1", "note_overlap"),
    "notes, offsets": ("note_offset_precision", "note_offset_recall", "note_offset_f1", "note_offset_overlap"),
    "frames": ("frame_precision", "frame_recall", "frame_f1"),
}


def example(count: int) -> tuple[Notes, Notes]:
    """A reference and what a transcriber might have heard."""
    rng = np.random.default_rng(0)
    onset = rng.uniform(0, count / NOTES_PER_SECOND, count)
    duration = rng.exponential(0.3, count) + 0.03
    reference = notes.make(onset, onset + duration, rng.integers(30, 90, count))
    kept = rng.random(count) < 0.93
    heard = np.abs(reference.onset + rng.normal(0, 0.015, count))
    ends = heard + (reference.offset - reference.onset) * np.where(rng.random(count) < 0.33, 0.5, 1.0)
    extra = rng.uniform(0, count / NOTES_PER_SECOND, count * 7 // 100)
    starts, stops = np.append(heard[kept], extra), np.append(ends[kept], extra + 0.2)
    return reference, notes.make(starts, stops, np.append(reference.pitch[kept], rng.integers(30, 90, len(extra))))


def ours(reference: Notes, estimate: Notes) -> list[float]:
    """Everything at once: one call finds all three."""
    found = score.compare(reference, estimate)
    return [found[key] for keys in KEYS.values() for key in keys]


def theirs_onsets(reference: Notes, estimate: Notes) -> list[float]:
    return _theirs(reference, estimate, None)


def theirs_offsets(reference: Notes, estimate: Notes) -> list[float]:
    return _theirs(reference, estimate, 0.2)


def _theirs(reference: Notes, estimate: Notes, offset_ratio: Any) -> list[float]:
    from mir_eval import transcription

    sides = (reference.intervals, reference.pitch_hz, estimate.intervals, estimate.pitch_hz)
    return [float(value) for value in transcription.precision_recall_f1_overlap(*sides, offset_ratio=offset_ratio)]


def theirs_frames(times: np.ndarray, reference: Frames, estimate: Frames) -> list[float]:
    """mir_eval wants frames ready made, so making them is not counted."""
    from mir_eval import multipitch, util

    precision, recall = multipitch.metrics(times, reference, times, estimate)[:2]
    return [precision, recall, util.f_measure(precision, recall)]


def in_frames(reference: Notes, estimate: Notes) -> tuple[np.ndarray, Frames, Frames]:
    """The times of the frames, and for each side and time the pitches that sound, in Hz, each once."""
    count = int(max(reference.offset.max(), estimate.offset.max()) * 100) + 2
    rolls = []
    for side in (reference, estimate):
        roll: list[set[float]] = [set() for _ in range(count)]
        start, end = (np.ceil(np.around(times * 100, 2)).astype(int) for times in (side.onset, side.offset))
        for first, last, pitch in zip(start, end, side.pitch_hz, strict=True):
            for frame in range(first, last):
                roll[frame].add(pitch)
        rolls.append([np.array(sorted(pitches)) for pitches in roll])
    return np.arange(count) / 100, rolls[0], rolls[1]


def measured(measure: Callable[..., list[float]], count: int) -> Cell:
    """Run it in a new process: on few notes, to have everything imported, then on all."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return Cell(*pool.apply(_measured, (measure, count)))


def _measured(measure: Callable[..., list[float]], count: int) -> tuple[float, float, list[float]]:
    warnings.simplefilter("ignore")
    few, many = example(50), example(count)
    if measure is theirs_frames:
        measure(*in_frames(*few))
        arguments: tuple[Any, ...] = in_frames(*many)
    else:
        measure(*few)
        arguments = many
    start = time.process_time()
    values = measure(*arguments)
    seconds = time.process_time() - start
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, values


def main() -> None:
    sizes = [int(argument) for argument in sys.argv[1:]] or list(SIZES)
    print("                             time, s            times      peak memory, MB")
    print("  notes measure          clefkit  mir_eval      faster   clefkit  mir_eval   agree")
    for count in sizes:
        mine = measured(ours, count)
        cells = [measured(measure, count) for measure in (theirs_onsets, theirs_offsets, theirs_frames)]
        values = [value for cell in cells for value in cell.values]
        agree = "yes" if np.allclose(mine.values, values, rtol=0, atol=AGREEMENT) else "NO"
        for name, cell in zip(KEYS, cells, strict=True):
            print(f"{count:>7} {name:<16} {'':>7} {cell.seconds:>9.2f} {'':>11} {'':>9} {cell.memory_mb:>9.0f}")
        seconds, memory = sum(cell.seconds for cell in cells), max(cell.memory_mb for cell in cells)
        times = f"{mine.seconds:>7.3f} {seconds:>9.2f} {seconds / mine.seconds:>11.0f}"
        print(f"{count:>7} {'all three':<16} {times} {mine.memory_mb:>9.0f} {memory:>9.0f}   {agree}")


if __name__ == "__main__":
    main()
