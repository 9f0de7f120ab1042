"""MV2H beside its reference implementation: time, and the largest difference.

    git clone https://github.com/apmcleod/MV2H && git -C MV2H apply $PWD/tests/data/mv2h/unaligned.patch && make -C MV2H
    python benchmarks/mv2h.py tests/data/mv2h/*.txt --java MV2H/bin
    python benchmarks/mv2h.py *.mxl --notes 1500 --errors 0.02 --java MV2H/bin
    python benchmarks/mv2h.py --random 500 --java MV2H/bin

The first compares pairs that are there; the second excerpts from scores with themselves after errors; the third wild
little pieces. Each pair is compared aligned and unaligned; Java gets `--limit` seconds. `alignments` is how many best
ones Java counts, `bounded` are pairs of which we look at a choice: their difference is that in MV2H.

The test data were kept by `--pairs FILE` and `--numbers FILE` (Java's). In a file of pairs a line `Pair NAME` stands
before each, then the reference in MV2H's format, a line `Estimate`, and the estimate.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from clefkit import notation
from clefkit.errors import ClefkitError
from clefkit.score.notation import music, mv2h
from clefkit.score.notation.mv2h import Chord, Hierarchy, Key, Music, Note

PARTS = ("Multi-pitch", "Voice", "Meter", "Value", "Harmony")


class Pair(NamedTuple):
    name: str
    reference: Music
    estimate: Music


def from_file(path: Path) -> Iterator[Pair]:
    for block in re.split(r"^Pair ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        name, both = block.split("\n", 1)
        reference, estimate = both.split("Estimate\n")
        yield Pair(name, mv2h.parse(reference), mv2h.parse(estimate))


def from_score(path: Path, size: int, errors: float, chance: Random) -> Iterator[Pair]:
    """An excerpt of so many notes from a place by chance."""
    try:
        whole = music.music(notation.read(path))
    except ClefkitError as error:
        print(f"{path.name}: {error}", file=sys.stderr)
        return
    if len(whole.notes) >= size:
        reference = excerpt(whole, chance.randrange(len(whole.notes) - size + 1), size)
        yield Pair(path.stem, reference, damaged(reference, errors, chance))


def excerpt(whole: Music, first: int, size: int) -> Music:
    notes = sorted(whole.notes, key=lambda note: note.value_onset)[first : first + size]
    start, end = notes[0].value_onset, max(note.value_offset for note in notes)
    start = max((time for time in whole.tatums if time <= start), default=start)

    def current(items: Iterable[Any]) -> list[Any]:
        """What holds somewhere in the excerpt, in its time."""
        before = [item for item in items if item.time <= start][-1:]
        within = [item for item in items if start < item.time < end]
        return [item._replace(time=max(item.time - start, 0)) for item in before + within]

    return Music(
        [Note(n.pitch, n.onset - start, n.value_onset - start, n.value_offset - start, n.voice) for n in notes],
        [time - start for time in whole.tatums if start <= time <= end],
        current(whole.hierarchies),
        current(whole.keys),
        current(whole.chords),
    )


def damaged(piece: Music, errors: float, chance: Random) -> Music:
    """The piece with notes missing, added, moved, held too long and in wrong voices, each as often as `errors` says; in
    another tempo, and sometimes with a wrong key, meter or upbeat."""
    stretch, step = chance.choice([1.0, 1.0, 1.25, 0.8, 2.0, 0.5]), chance.choice([125, 250, 500])
    notes = []
    for note in piece.notes:
        pitch, _, onset, offset, voice = note
        if chance.random() < errors:
            continue
        if chance.random() < errors:
            pitch += chance.choice([-2, -1, 1, 2, 12])
        if chance.random() < errors:
            voice = chance.randrange(4)
        if chance.random() < errors:
            offset = max(onset, offset + chance.choice([-step, step]))
        if chance.random() < errors:
            onset = max(0, onset + chance.choice([-step, step]))
        offset = max(onset, offset)
        notes.append(Note(pitch, onset, onset, offset, voice))
        if chance.random() < errors:
            notes.append(Note(pitch + 3, onset + step, onset + step, offset + step, voice))
    beats, upbeat = chance.choice([0, 0, 0, 2, 3]), chance.choice([0, 0, 0, 2])
    return moved(
        Music(
            notes,
            piece.tatums[upbeat:],
            [h._replace(beats=beats or h.beats, anacrusis=0 if upbeat else h.anacrusis) for h in piece.hierarchies],
            [key._replace(tonic=(key.tonic + chance.choice([0, 0, 0, 5, 7])) % 12) for key in piece.keys],
            piece.chords,
        ),
        stretch,
    )


def moved(piece: Music, stretch: float) -> Music:
    def at(milliseconds: int) -> int:
        return round(milliseconds * stretch)

    return Music(
        [Note(n.pitch, at(n.onset), at(n.value_onset), at(n.value_offset), n.voice) for n in piece.notes],
        [at(time) for time in piece.tatums],
        [each._replace(time=at(each.time)) for each in piece.hierarchies],
        [each._replace(time=at(each.time)) for each in piece.keys],
        [each._replace(time=at(each.time)) for each in piece.chords],
    )


def wild(chance: Random) -> Music:
    """A little piece in which all may happen: times below zero, notes off their place, the same twice, nothing."""
    step, start = chance.choice([1, 7, 50, 125, 250]), chance.choice([0, 0, 0, -20, -600])
    loose = chance.choice([0, 0, 60])

    def time() -> int:
        return start + step * chance.randint(0, 30)

    notes = []
    for _ in range(chance.randint(0, 12)):
        onset = time()
        played = onset + chance.randint(-loose, loose)
        offset = onset + step * chance.choice([0, 1, 1, 2, 2, 4, 8])
        notes.append(Note(60 + chance.randrange(6), played, onset, offset, chance.choice([0, 0, 0, 1, 2, 5])))
    shapes = [(chance.randint(1, 4), chance.randint(1, 3), chance.randint(1, 4)) for _ in range(chance.randint(0, 3))]
    return Music(
        notes,
        [start + step * place for place in range(chance.choice([0, 1, 10, 40]))],
        [Hierarchy(*shape, chance.choice([0, 0, 1, 2, 7]), chance.choice([0, time()])) for shape in shapes],
        [
            Key(chance.randrange(12), chance.random() < 0.5, chance.choice([0, time()]))
            for _ in range(chance.randint(0, 3))
        ],
        [Chord(chance.choice("ABC"), time()) for _ in range(chance.choice([0, 0, 1, 4]))],
    )


def from_chance(count: int, chance: Random) -> Iterator[Pair]:
    for number in range(count):
        reference = wild(chance)
        other = damaged(reference, chance.choice([0.0, 0.05, 0.3]), chance)
        yield Pair(f"random-{number}", reference, other if chance.random() < 0.8 else wild(chance))


def java(classes: Path, pair: Pair, unaligned: bool, limit: float) -> tuple[list[float] | None, str, float]:
    """Java's five numbers, None when it did not end; how many alignments it counts; seconds."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["java", "-cp", str(classes), "mv2h.Main"]
        for option, side in (("-g", pair.reference), ("-t", pair.estimate)):
            path = Path(folder) / option
            path.write_text(mv2h.text(side), encoding="utf-8")
            command += [option, str(path)]
        output = Path(folder) / "output"
        began = time.perf_counter()
        with output.open("wb") as file:
            process = subprocess.Popen([*command, *(["-a"] if unaligned else [])], stdout=file)
            try:
                process.wait(limit)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        seconds = time.perf_counter() - began
        printed = output.read_text(encoding="utf-8")
    found = [re.findall(rf"^{part}: (\S+)", printed, re.MULTILINE) for part in PARTS]
    alignments = re.findall(r"/ ([0-9]+)", printed[:200])
    return [float(each[-1]) for each in found] if all(found) else None, alignments[0] if alignments else "0", seconds


def compare(pair: Pair, unaligned: bool, classes: Path, limit: float) -> tuple[str, float | None]:
    """A line of numbers to keep, and the largest difference, None where the two can't be compared."""
    theirs, alignments, java_s = java(classes, pair, unaligned, limit)
    began = time.perf_counter()
    ours, bounded = mv2h.unaligned(*pair[1:]) if unaligned else (mv2h.aligned(*pair[1:]), False)
    seconds = time.perf_counter() - began
    mode = "unaligned" if unaligned else "aligned"
    against = "Java did not end"
    worst = None
    if theirs is not None:
        worst = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
        against = f"MV2H {ours.mv2h - sum(theirs) / 5:+.4f}" if bounded else f"{worst:.1e}"
    sizes = f"{len(pair.reference.notes)}/{len(pair.estimate.notes)} notes"
    print(f"{pair.name}\t{mode}\t{sizes}\t{alignments} alignments\tJava {java_s:.2f} s, ours {seconds:.2f} s", end="\t")
    print(f"{ours.mv2h:.4f}\t{against}{', bounded' if bounded else ''}", flush=True)
    numbers = "\t".join(map(repr, theirs)) if theirs else "-"
    return f"{pair.name}\t{mode}\t{alignments}\t{numbers}\n", None if bounded else worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, help="pairs (.txt) or scores")
    parser.add_argument("--java", type=Path, required=True, help="the folder with the classes of MV2H")
    parser.add_argument("--notes", type=int, default=100, help="of each score's excerpt")
    parser.add_argument("--errors", type=float, default=0.02, help="how often each kind of error happens to a note")
    parser.add_argument("--random", type=int, default=0, help="so many wild pairs as well")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=60, help="seconds that Java gets")
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--numbers", type=Path)
    options = parser.parse_args()
    chance = Random(options.seed)
    pairs: list[Pair] = []
    for path in options.paths:
        one = from_file(path) if path.suffix == ".txt" else from_score(path, options.notes, options.errors, chance)
        pairs += one
    pairs += from_chance(options.random, chance)
    if options.pairs:
        blocks = [f"Pair {name}\n{mv2h.text(one)}Estimate\n{mv2h.text(other)}" for name, one, other in pairs]
        options.pairs.write_text("".join(blocks), encoding="utf-8")
    rows = [compare(pair, mode, options.java, options.limit) for pair in pairs for mode in (False, True)]
    if options.numbers:
        options.numbers.write_text("".join(line for line, _ in rows), encoding="utf-8")
    compared = [worst for _, worst in rows if worst is not None]
    print(f"{len(pairs)} pairs, {len(compared)} comparisons, largest difference {max(compared, default=0.0):.1e}")


if __name__ == "__main__":
    main()
