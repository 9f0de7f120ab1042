"""Do scores stay the same when they are written and read again? MusicXML and **kern, each through both writers.

    python benchmarks/round_trip.py FOLDER_OR_FILE ...           # --format kern for **kern, --most 100 files a folder

Each file is read, written, and read again. The notes are the same when pitch, onset, duration (ties joined), letter,
part, grace and marks are; the signs when measures, repeats, the order of playing, tempos, keys, dynamics, hairpins,
pedals, slurs, texts and fermatas are. Through **kern only what **kern can say is compared (see
clefkit/notation/kern_write.py). Files that can't be read are counted and left out. Exit status 1 when notes differ.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from clefkit import notation
from clefkit.errors import ClefkitError
from clefkit.notation import kern_write, kern_write_tokens, musicxml_write
from clefkit.notation.layout import ROUNDING
from clefkit.notation.model import Note, Score
from clefkit.notation.unfold import unfold

SUFFIXES = {"musicxml": ".musicxml", "kern": ".krn"}
WRITERS = {"musicxml": musicxml_write.text, "kern": kern_write.text}


class Outcome(NamedTuple):
    """notes, signs: the first difference, "" when there is none; seconds: processor time of reading and writing."""

    error: str = ""
    notes: str = ""
    signs: str = ""
    reading_s: float = 0.0
    writing_s: float = 0.0


def joined(score: Score, through: str, original: Score) -> Counter[tuple[Any, ...]]:
    """The notes of a score as they sound, tied ones as one. original: what was written first"""
    found: list[list[Any]] = []
    shared = _shared_marks(score) if through == "kern" else {}
    drums = {index for index, part in enumerate(original.parts) if part.unpitched and through == "kern"}
    ends = [measure.onset + measure.length for measure in score.measures]
    left = {(note.part, note.measure) for note in original.notes if note.grace == "after" and through == "kern"}
    waiting: dict[tuple[int, float], list[list[Any]]] = defaultdict(list)
    for note in sorted(score.notes, key=lambda note: (note.onset, not note.tie_stop)):
        if note.grace and ((note.part, note.measure) in left or (note.grace == "after" and through == "kern")):
            continue
        pitch = kern_write_tokens.sayable_pitch(note) if through == "kern" else note.pitch
        marks = shared[_stem(note)] if through == "kern" else note.marks
        key = (note.part, pitch)
        if note.tie_stop and not note.grace:
            held = next((row for row in waiting[key] if row[2] + row[3] == note.onset), None)
            if held is not None:
                held[3] += note.duration
                held[6] |= marks
                if not note.tie_start:
                    waiting[key].remove(held)
                continue
        step = "" if note.part in drums else note.step
        velocity = None if through == "kern" else note.velocity
        duration = note.duration
        if through == "kern" and 0 < note.onset + duration - ends[note.measure] <= ROUNDING:
            duration = ends[note.measure] - note.onset
        row = [note.part, pitch, note.onset, duration, step, note.grace, marks, velocity]
        found.append(row)
        if note.tie_start:
            waiting[key].append(row)
    return Counter((*row[:6], tuple(sorted(row[6])), row[7]) for row in found)


def _stem(note: Note) -> tuple[Any, ...]:
    return (note.part, note.staff, note.voice, note.onset, note.duration, note.grace)


def _shared_marks(score: Score) -> dict[tuple[Any, ...], frozenset[str]]:
    """In **kern the marks of one note of a chord are those of the chord."""
    found: dict[tuple[Any, ...], frozenset[str]] = {}
    for note in score.notes:
        found[_stem(note)] = found.get(_stem(note), frozenset()) | note.marks
    return {stem: kern_write_tokens.sayable_marks(marks) for stem, marks in found.items()}


def _begin(note: Note, ties: dict[tuple[int, float, Fraction], Note]) -> Fraction:
    """Where the tied notes begin of which this is one: a writer may cut a note into several."""
    while note.tie_stop and (note.part, note.pitch, note.onset) in ties:
        note = ties[note.part, note.pitch, note.onset]
    return note.onset


def signs(score: Score, through: str) -> dict[str, Any]:
    """Everything else, by kind."""
    notes = {note.id: note for note in score.notes}
    ties = {(n.part, n.pitch, n.onset + n.duration): n for n in score.notes if n.tie_start and n.duration}
    slurs = Counter(
        (notes[slur.first].part, _begin(notes[slur.first], ties), _begin(notes[slur.last], ties))
        for slur in score.slurs
        if notes[slur.first].part == notes[slur.last].part
    )
    measures = [(m.onset, m.length, m.time) for m in score.measures]
    found: dict[str, Any] = {
        "measures": measures,
        "order": unfold(score),
        "tempos": [(tempo.onset, round(tempo.quarters_per_minute, 3)) for tempo in score.tempos],
        "keys": [key[:2] for key in score.keys],
        "texts": Counter((text.onset, text.part, " ".join(text.text.split())) for text in score.texts),
        "pedals": Counter((pedal.onset, pedal.part, pedal.kind) for pedal in score.pedals),
        "wedges": Counter(score.wedges),
        "fermatas": Counter({(fermata.onset, fermata.part) for fermata in score.fermatas}),
    }
    if through == "musicxml":
        found["numbers"] = [(m.number, m.implicit) for m in score.measures]
        found["parts"] = [(part.name, part.abbreviation, part.program, part.staves) for part in score.parts]
        found["dynamics"] = Counter(score.dynamics)
        found["clefs"] = Counter(clef[:6] for clef in score.clefs if clef.onset)
        found["slurs"] = slurs
        found["titles"] = (score.title, score.composer)
        found["swings"] = score.swings
    else:
        found["dynamics"] = {dynamic for dynamic in score.dynamics if kern_write.DYNAMIC.match(dynamic.mark)}
        found["keys"] = [next(same) for _, same in groupby(found["keys"], key=lambda key: key[1])]
        found["pedals"] = Counter(_kern_pedals(score))
        found["wedges"] = Counter(kern_write.sayable_wedges(score.wedges))
    return found


def _kern_pedals(score: Score) -> Iterator[tuple[Fraction, int, str]]:
    for pedal in score.pedals:
        if pedal.kind == "change":
            yield (pedal.onset, pedal.part, "up")
        yield (pedal.onset, pedal.part, "up" if pedal.kind == "up" else "down")


def difference(one: Any, other: Any) -> str:
    """The first thing in which two lists or counters differ."""
    if isinstance(one, Counter):
        lost, gained = sorted((one - other).items(), key=str), sorted((other - one).items(), key=str)
        return (
            "" if not lost and not gained else f"{len(lost)} lost, {len(gained)} new: {_said(lost)} / {_said(gained)}"
        )
    if one == other:
        return ""
    if isinstance(one, list) and len(one) == len(other):
        place = next(index for index, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1])
        return f"at {place}: {_said(one[place])} / {_said(other[place])}"
    return f"{_said(one)} / {_said(other)}"


def _said(thing: Any) -> str:
    if isinstance(thing, list):
        return f"{len(thing)}: {_said(thing[0])}" if thing else "nothing"
    if isinstance(thing, tuple):
        return "(" + ", ".join(_said(each) for each in thing) + ")"
    return str(thing)[:60]


def trip(path: Path, through: str, folder: Path) -> Outcome:
    """One file there and back."""
    start = time.process_time()
    try:
        score = notation.read(path)
    except ClefkitError as error:
        return Outcome(error=f"not read: {error}")
    reading = time.process_time() - start
    start = time.process_time()
    try:
        written = WRITERS[through](score)
    except ClefkitError as error:
        return Outcome(error=f"not written: {error}")
    writing = time.process_time() - start
    target = folder / f"again{SUFFIXES[through]}"
    target.write_text(written, encoding="utf-8")
    again = notation.read(target)
    notes = difference(joined(score, through, score), joined(again, through, score))
    before, after = signs(score, through), signs(again, through)
    differing = [f"{kind} {difference(before[kind], after[kind])}" for kind in before if before[kind] != after[kind]]
    return Outcome("", notes, "; ".join(differing), reading, writing)


def files(places: list[Path], most: int) -> Iterator[tuple[str, list[Path]]]:
    """(name, files) of each place; of a folder at most `most`, evenly chosen."""
    for place in places:
        found = [place]
        if place.is_dir():
            found = sorted(path for path in place.rglob("*") if path.suffix.lower() in notation.SUFFIXES)
            found = [found[index * len(found) // most] for index in range(most)] if len(found) > most else found
        yield place.name, found


def main() -> None:
    parser = argparse.ArgumentParser(description="Write scores, read them again, compare.")
    parser.add_argument("places", nargs="+", type=Path, help="folders or files")
    parser.add_argument("--format", choices=sorted(SUFFIXES), default="musicxml")
    parser.add_argument("--most", type=int, default=10**6, help="files of a folder")
    parser.add_argument("--quiet", action="store_true", help="the table only")
    options = parser.parse_args()
    failed = 0
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, paths in files(options.places, options.most):
            outcomes = []
            for path in paths:
                outcome = trip(path, options.format, Path(folder))
                outcomes.append(outcome)
                told = outcome.error or (f"notes {outcome.notes}" if outcome.notes else outcome.signs)
                if told and not options.quiet:
                    print(f"{path.name}: {told}", flush=True)
            done = [outcome for outcome in outcomes if not outcome.error]
            differing = sum(bool(outcome.notes) for outcome in done)
            failed += differing
            other = sum(bool(outcome.signs) for outcome in done)
            times = (sum(outcome.reading_s for outcome in done), sum(outcome.writing_s for outcome in done))
            rows.append(
                f"{name[:30]:<30} {len(paths):>6} {len(done):>6} {len(done) - differing:>10} {differing:>10}"
                f" {other:>14} {times[0]:>8.1f} {times[1]:>8.1f}"
            )
    print(f"through {options.format}")
    print("place                           files   read same notes  differing  differing signs  read, s write, s")
    print("\n".join(rows))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
