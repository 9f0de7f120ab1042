"""Reading scores: which files each reader reads, and what that costs, in one table.

    python benchmarks/reading.py FOLDER... [--without music21-heldout.txt] [--peers 40]

All files below each folder that clefkit reads are read by clefkit; verovio, partitura and music21, where they are
installed, read a sample of them. A reader lives in a process of its own, which is started again when it crashes or
takes too long. Times are of the processor, without starting up. Everybody reads the file and plays its repeats out
(`played.unfolded`; `loadFile` and `renderToMIDI`; `unfold_part_maximal` of each part), but music21, which only reads.
With `--alone` clefkit, partitura and music21 only read. The ratio is the median over the files that both read, clefkit
being 1.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import multiprocessing
import random
import re
import statistics
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from clefkit import notation
from clefkit.errors import ClefkitError

LIMIT_S = 120
DEEP = 200_000  # partitura copies scores recursively
LONGEST_MESSAGE = 100


class Outcome(NamedTuple):
    """seconds: None when it was not read, and then fault says why."""

    seconds: float | None
    fault: str = ""


def clefkit_reader(*, alone: bool) -> Callable[[str], object]:
    from clefkit.notation.played import unfolded

    return lambda path: notation.read(Path(path)) if alone else unfolded(notation.read(Path(path)))


def verovio_reader(*, alone: bool) -> Callable[[str], object]:  # noqa: ARG001 it does not read all before it plays
    import verovio

    verovio.enableLog(verovio.LOG_OFF)

    def read(path: str) -> object:
        toolkit: Any = verovio.toolkit()
        if not toolkit.loadFile(path):
            raise ValueError("verovio says no")
        return toolkit.renderToMIDI()

    return read


def partitura_reader(*, alone: bool) -> Callable[[str], object]:
    sys.modules["fluidsynth"] = None  # type: ignore[assignment]  # else importing it fetches a soundfont
    sys.setrecursionlimit(DEEP)
    partitura: Any = importlib.import_module("partitura")

    def read(path: str) -> object:
        score = partitura.load_score(path)
        return score if alone else [partitura.score.unfold_part_maximal(part) for part in score.parts]

    return read


def music21_reader(*, alone: bool) -> Callable[[str], object]:  # noqa: ARG001
    music21: Any = importlib.import_module("music21")

    return lambda path: music21.converter.parse(path, forceSource=True)


READERS: dict[str, Callable[..., Callable[[str], object]]] = {
    "clefkit": clefkit_reader,
    "verovio": verovio_reader,
    "partitura": partitura_reader,
    "music21": music21_reader,
}


class Worker:
    """One reader in a process of its own."""

    def __init__(self, name: str, *, alone: bool) -> None:
        self.name = name
        self.alone = alone
        self.process: Any = None
        self.pipe: Any = None

    def read(self, path: Path) -> Outcome:
        """Read one file, within the time limit."""
        if self.process is None:
            context = multiprocessing.get_context("spawn")
            self.pipe, other = context.Pipe()
            self.process = context.Process(target=_serve, args=(self.name, self.alone, other), daemon=True)
            self.process.start()
            other.close()
        try:
            self.pipe.send(str(path))
            if self.pipe.poll(LIMIT_S):
                outcome: Outcome = self.pipe.recv()
                return outcome
            fault = f"not done in {LIMIT_S} s"
        except (EOFError, OSError):
            self.process.join()
            fault = f"crashed, exit status {self.process.exitcode}"
        self.close()
        return Outcome(None, fault)

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process = None


def _serve(name: str, alone: bool, pipe: Connection) -> None:
    """Read what comes through the pipe until it closes."""
    warnings.simplefilter("ignore")
    read = READERS[name](alone=alone)
    while True:
        path = pipe.recv()
        start = time.process_time()
        try:
            read(path)
            pipe.send(Outcome(time.process_time() - start))
        except ClefkitError as error:
            pipe.send(Outcome(None, str(error)))
        except Exception as error:  # noqa: BLE001 whatever a peer may raise is a finding
            pipe.send(Outcome(None, f"{type(error).__name__}: {error}"))


def words(line: str) -> list[str]:
    """What a line stands for: "op1n1..4" is op1n1, op1n2, op1n3, op1n4."""
    found = re.fullmatch(r"(.*?)(\d+)\.\.(\d+)", line)
    if found is None:
        return [line]
    return [f"{found[1]}{number}" for number in range(int(found[2]), int(found[3]) + 1)]


def files(folder: Path, without: list[str]) -> list[Path]:
    """All scores below a folder, but those whose path holds one of the words."""
    found = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in notation.SUFFIXES]
    return [path for path in found if not any(word in str(path) for word in without)]


def table(folder: Path, paths: list[Path], sample: list[Path], *, alone: bool) -> None:
    """One line a reader, and below it what went wrong."""
    results: dict[str, dict[Path, Outcome]] = {}
    for name in READERS:
        if name == "clefkit" or (sample and importlib.util.find_spec(name) is not None):
            worker = Worker(name, alone=alone)
            results[name] = {path: worker.read(path) for path in (paths if name == "clefkit" else sample)}
            worker.close()
    for name, found in results.items():
        times = {path: one.seconds for path, one in found.items() if one.seconds is not None}
        base = results["clefkit"]
        ratios = [times[path] / ours for path in sample if path in times and (ours := base[path].seconds)]
        ratio = f"{statistics.median(ratios):8.2f}" if ratios else "       -"
        sys.stdout.write(
            f"{folder.name:20} {name:10} {len(found):6} {len(times):6} {sum(times.values()):9.1f} {ratio}\n"
        )
        faults = Counter(re.sub(r"\s+", " ", one.fault)[:LONGEST_MESSAGE] for one in found.values() if one.fault)
        for fault, count in faults.most_common():
            sys.stdout.write(f"{'':31} {count:6} x {fault}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--without", type=Path, help="a file of words, one a line; paths that hold one are left out")
    parser.add_argument("--peers", type=int, default=0, help="how many files of each folder the others read too")
    parser.add_argument("--seed", type=int, default=0, help="draws those files")
    parser.add_argument("--alone", action="store_true", help="reading alone, repeats not played out")
    options = parser.parse_args()
    lines = options.without.read_text(encoding="utf-8").splitlines() if options.without else []
    without = [word for line in lines if line.strip() and line[0] not in "#[" for word in words(line.strip())]
    sys.stdout.write(f"{'folder':20} {'reader':10} {'files':>6} {'read':>6} {'CPU s':>9} {'ratio':>8}\n")
    for folder in options.folders:
        paths = files(folder, without)
        sample = random.Random(options.seed).sample(paths, min(options.peers, len(paths)))
        table(folder, paths, sorted(sample), alone=options.alone)


if __name__ == "__main__":
    main()
