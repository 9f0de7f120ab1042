"""clefkit's **kern reader against verovio: the same notes at the same places, and the time that reading takes.

    python benchmarks/kern_notes.py FOLDER...          # all .krn below; the worst files by name

Notes are compared as written, repeats not played: pitch, and onset within 1/24 quarter. Ties are joined, grace notes
are left out (verovio takes their time from elsewhere). Time is that of the processor: reading the file into a score
that knows the onset of each note, which for verovio is `loadData` and `renderToTimemap`. Each file is read in a process
of its own, because verovio may take it down.

What differs, read note by note in 756 files, 71 of them under .98, is verovio's: in most of 21 files an arpeggio's
notes begin one after the other, in 20 grace notes move the notes around them, in 9 a written-out tremolo (*tremolo) is
one note, in 21 a bar grows (grace notes at its end, tuplets of odd values or over a bar line, a voice that ends inside
it, a rest for a bar of another time) and all that follows is late. As we read them, the columns of 750 files fill each
bar exactly, and in the others what stands over a bar line does not.
"""

from __future__ import annotations

import multiprocessing
import re
import statistics
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from clefkit import notation
from clefkit.errors import InputError
from clefkit.notation.unfold import visits
from clefkit.render import events

TOLERANCE = 1 / 24
LIMIT_S = 120
SHOWN = 40
GOOD = 0.98


class Row(NamedTuple):
    """One file. f1: of our notes against verovio's, None when verovio gave none; seconds of each reader."""

    name: str
    f1: float | None
    ours: int
    theirs: int
    our_s: float
    their_s: float
    fault: str = ""


Onsets = list[tuple[float, float]]


def our_notes(path: Path) -> tuple[Onsets, float]:
    """(pitch, onset) of all notes but graces, and seconds of reading."""
    start = time.process_time()
    score = notation.read(path)
    seconds = time.process_time() - start
    found, _ = events.played(score, visits(score, repeats=False))
    return sorted((event.note.pitch, event.start) for event in found), seconds


def their_notes(path: Path) -> tuple[Onsets, float]:
    """The same by verovio."""
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit: Any = verovio.toolkit()
    toolkit.setOptions({"expandNever": True})
    data = path.read_bytes().decode("utf-8", errors="replace")
    start = time.process_time()
    if not toolkit.loadData(data):
        raise InputError("verovio can't read it")
    timemap = toolkit.renderToTimemap({"includeRests": False})
    seconds = time.process_time() - start
    mei = toolkit.getMEI()
    skipped = set(re.findall(r'<note xml:id="([^"]+)"[^>]*? grace="', mei))
    for chord in re.findall(r"<chord [^>]*grace=.*?</chord>", mei, re.DOTALL):
        skipped |= set(re.findall(r'<note xml:id="([^"]+)"', chord))
    skipped |= set(re.findall(r'<tie [^>]*endid="#([^"]+)"', mei))
    hidden = set(re.findall(r'<note xml:id="([^"]+)"[^>]*? visible="false"', mei))
    found: Onsets = []
    for moment in timemap:
        for name in moment.get("on", []):
            if name not in skipped and name not in hidden:
                found.append((float(toolkit.getMIDIValuesForElement(name)["pitch"]), float(moment["qstamp"])))
    return sorted(found), seconds


def f1(ours: Onsets, theirs: Onsets) -> float:
    """Each note matches at most one of its pitch within the tolerance."""
    i = j = hits = 0
    while i < len(ours) and j < len(theirs):
        (pitch, onset), (their_pitch, their_onset) = ours[i], theirs[j]
        if pitch == their_pitch and abs(onset - their_onset) <= TOLERANCE:
            hits, i, j = hits + 1, i + 1, j + 1
        elif (pitch, onset) < (their_pitch, their_onset):
            i += 1
        else:
            j += 1
    return 2 * hits / max(len(ours) + len(theirs), 1)


def compare(path: Path, pipe: Connection) -> None:
    """Read one file with both and send a row."""
    ours, our_s = our_notes(path)
    try:
        theirs, their_s = their_notes(path)
    except InputError as error:
        pipe.send(Row(path.name, None, len(ours), 0, our_s, 0.0, str(error)))
        return
    pipe.send(Row(path.name, f1(ours, theirs), len(ours), len(theirs), our_s, their_s))


def row(path: Path) -> Row:
    """`compare` in a process of its own."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=compare, args=(path, sender))
    process.start()
    sender.close()
    try:
        found: Row | None = receiver.recv() if receiver.poll(LIMIT_S) else None
    except EOFError:
        found = None
    if found is None:
        process.kill()
    process.join()
    return found or Row(path.name, None, 0, 0, 0.0, 0.0, f"no answer, exit status {process.exitcode}")


def main() -> None:
    """Print the figures."""
    paths = [path for folder in sys.argv[1:] for path in sorted(Path(folder).rglob("*.krn"))]
    if not paths:
        sys.exit("which folders? none of them holds a .krn file")
    rows = [row(path) for path in paths]
    known = [r for r in rows if r.f1 is not None]
    for r in rows:
        if r.f1 is None:
            print(f"{r.name}: {r.fault}")
    for r in sorted(known, key=lambda r: r.f1 or 0)[:SHOWN]:
        if (r.f1 or 0) < GOOD:
            print(f"{r.f1:.4f}  {r.ours:6} {r.theirs:6}  {r.name}")
    scores = [r.f1 or 0.0 for r in known]
    ratios = [r.our_s / r.their_s for r in known if r.their_s]
    print(f"files {len(rows)}, compared {len(known)}, notes {sum(r.ours for r in rows)}")
    print(f"onset F1: mean {statistics.mean(scores):.4f}, median {statistics.median(scores):.4f}, "
          f"under {GOOD}: {sum(score < GOOD for score in scores)}")  # fmt: skip
    print(f"time: ours {sum(r.our_s for r in known):.1f} s, verovio {sum(r.their_s for r in known):.1f} s, "
          f"median ratio {statistics.median(ratios):.3f}, largest {max(ratios):.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
