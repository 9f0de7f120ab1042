"""clefkit score against mir_eval: time, peak memory, and whether the numbers agree.

    python benchmarks/score.py            # 1,000, 2,000, 5,000 and 10,000 notes, some minutes
    python benchmarks/score.py 2000
    python benchmarks/score.py asap_performances.npz    # 50 human performances, their first minute, some minutes

The notes are drawn (seed 0): eleven a second at 60 pitches; 93 % are found, 15 ms off on average, with 7 % added, a
third of the offsets wrong, velocities flattened. mir_eval takes all it has for notes: `transcription.evaluate`,
`transcription_velocity.evaluate` and `multipitch.evaluate` on frames of 10 ms. Time is that of the processor, memory
the peak of a whole process, Python and imports included; each line is a process of its own. clefkit finds all of it in
one call, and what mir_eval does not know (instruments, tracks, drums).

The file of performances has `note_offset` (bounds), `onset_ms`, `duration_ms`, `pitch`, `velocity`; what was "heard"
is drawn from them as above.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from clefkit import notes, score
from clefkit.notes import Notes

SIZES = (1_000, 2_000, 5_000, 10_000)
NOTES_PER_SECOND = 11
AGREEMENT = 1e-9
PERFORMANCES = 50
FIRST_S = 60.0
Frames = list[np.ndarray]
Values = dict[str, float]


class Cell(NamedTuple):
    """seconds: processor time; memory_mb: 10^6 bytes; values: what was found, by clefkit's names."""

    seconds: float
    memory_mb: float
    values: Values


RATIOS = {"Precision": "precision", "Recall": "recall", "F-measure": "f1", "Average_Overlap_Ratio": "overlap"}
ERRORS = {
    f"{kind} Error": f"{kind.lower().replace(' ', '_')}_error"
    for kind in ("Substitution", "Miss", "False Alarm", "Total")
}
FRAMES = {"Precision": "precision", "Recall": "recall", "Accuracy": "accuracy", **ERRORS}


def example(count: int) -> tuple[Notes, Notes]:
    """A reference and what a transcriber might have heard."""
    rng = np.random.default_rng(0)
    onset = rng.uniform(0, count / NOTES_PER_SECOND, count)
    duration = rng.exponential(0.3, count) + 0.03
    reference = notes.make(onset, onset + duration, rng.integers(30, 90, count), rng.integers(20, 120, count))
    return reference, heard(reference, rng)


def heard(reference: Notes, rng: np.random.Generator) -> Notes:
    count = len(reference)
    kept = rng.random(count) < 0.93
    onset = np.abs(reference.onset + rng.normal(0, 0.015, count))
    ends = onset + (reference.offset - reference.onset) * np.where(rng.random(count) < 0.33, 0.5, 1.0)
    velocity = np.clip(reference.velocity * 0.6 + rng.normal(25, 6, count), 1, 127)
    extra = rng.uniform(0, reference.onset.max(), count * 7 // 100)
    return notes.make(
        np.append(onset[kept], extra),
        np.append(ends[kept], extra + 0.2),
        np.append(reference.pitch[kept], rng.integers(30, 90, len(extra))),
        np.append(velocity[kept], rng.integers(1, 127, len(extra))).astype(int),
    )


def performances(path: str) -> Iterator[tuple[Notes, Notes]]:
    """The first minute of human performances, and what was heard of each."""
    with np.load(path) as data:
        tables = {name: data[name] for name in ("note_offset", "onset_ms", "duration_ms", "pitch", "velocity")}
    bounds = tables.pop("note_offset")
    rng = np.random.default_rng(0)
    for index in rng.choice(len(bounds) - 1, PERFORMANCES, replace=False):
        columns = [table[bounds[index] : bounds[index + 1]] for table in tables.values()]
        onset, duration = columns[0] / 1000, np.maximum(columns[1], 1) / 1000
        early = onset < FIRST_S
        rows = (column[early] for column in (onset, onset + duration, columns[2], columns[3]))
        reference = notes.make(*rows)
        yield reference, heard(reference, rng)


def ours(reference: Notes, estimate: Notes) -> Values:
    """Everything at once."""
    return {key: value for key, value in score.compare(reference, estimate).items() if isinstance(value, float)}


def theirs_notes(reference: Notes, estimate: Notes) -> Values:
    from mir_eval import transcription

    sides = (reference.intervals, reference.pitch_hz, estimate.intervals, estimate.pitch_hz)
    found = transcription.evaluate(*sides)
    alone = {
        f"{kind.lower()}_{RATIOS[name]}": float(found[f"{kind}_{name}"])
        for kind in ("Onset", "Offset")
        for name in ("Precision", "Recall", "F-measure")
    }
    return alone | _with_and_without_offsets(found, "")


def theirs_velocity(reference: Notes, estimate: Notes) -> Values:
    from mir_eval import transcription_velocity

    sides = [(side.intervals, side.pitch_hz, side.velocity) for side in (reference, estimate)]
    return _with_and_without_offsets(transcription_velocity.evaluate(*sides[0], *sides[1]), "_velocity")


def _with_and_without_offsets(found: Any, suffix: str) -> Values:
    without = {f"note{suffix}_{name}": float(found[f"{key}_no_offset"]) for key, name in RATIOS.items()}
    return without | {f"note_offset{suffix}_{name}": float(found[key]) for key, name in RATIOS.items()}


def theirs_frames(times: np.ndarray, reference: Frames, estimate: Frames) -> Values:
    """mir_eval wants frames ready made, so making them is not counted."""
    from mir_eval import multipitch

    found = multipitch.evaluate(times, reference, times, estimate)
    plain = {f"frame_{name}": float(found[key]) for key, name in FRAMES.items()}
    return plain | {f"frame_chroma_{name}": float(found[f"Chroma {key}"]) for key, name in FRAMES.items()}


THEIRS: dict[str, Callable[..., Values]] = {
    "transcription": theirs_notes,
    "with velocity": theirs_velocity,
    "multipitch": theirs_frames,
}


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


def measured(measure: Callable[..., Values], count: int) -> Cell:
    """Run it in a new process: on few notes, to have everything imported, then on all."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return Cell(*pool.apply(_measured, (measure, count)))


def _measured(measure: Callable[..., Values], count: int) -> tuple[float, float, Values]:
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


def furthest(mine: Values, values: Values) -> float:
    """The largest difference of any number that both have."""
    return max(abs(mine[key] - value) for key, value in values.items())


def sizes(counts: list[int]) -> None:
    print("                            time, s            times      peak memory, MB")
    print("  notes measure         clefkit  mir_eval      faster   clefkit  mir_eval  difference")
    for count in counts:
        mine = measured(ours, count)
        cells = {name: measured(measure, count) for name, measure in THEIRS.items()}
        cells["all"] = Cell(
            sum(cell.seconds for cell in cells.values()),
            max(cell.memory_mb for cell in cells.values()),
            {key: value for cell in cells.values() for key, value in cell.values.items()},
        )
        for name, cell in cells.items():
            times = f"{mine.seconds:>7.3f} {cell.seconds:>9.2f} {cell.seconds / mine.seconds:>11.0f}"
            memory = f"{mine.memory_mb:>9.0f} {cell.memory_mb:>9.0f}"
            print(f"{count:>7} {name:<14} {times} {memory} {furthest(mine.values, cell.values):>11.1g}", flush=True)


def real(path: str) -> None:
    warnings.simplefilter("ignore")
    worst, total, numbers = 0.0, 0, 0
    for reference, estimate in performances(path):
        mine = ours(reference, estimate)
        for measure in THEIRS.values():
            frames = in_frames(reference, estimate) if measure is theirs_frames else None
            values = measure(*frames) if frames else measure(reference, estimate)
            worst, numbers = max(worst, furthest(mine, values)), numbers + len(values)
        total += len(reference)
    agree = "all agree" if worst <= AGREEMENT else "NOT THE SAME"
    print(f"{PERFORMANCES} performances, {total:,} notes, {numbers:,} numbers: {agree}, the furthest {worst:.1g} apart")


def main() -> None:
    arguments = sys.argv[1:]
    if arguments and not arguments[0].isdigit():
        real(arguments[0])
    else:
        sizes([int(argument) for argument in arguments] or list(SIZES))


if __name__ == "__main__":
    main()
