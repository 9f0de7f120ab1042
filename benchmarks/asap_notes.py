"""The notes our reader finds in ASAP's MusicXML files against ASAP's own score MIDI: onset F1 per file.

    python benchmarks/asap_notes.py data/asap

The folder holds `musicxml/`, `asap_scores.csv` and `asap_scores.npz` (onsets in quarters). A note is right when one of
the same pitch begins within 1/24 quarter in the other, each counted once. The MIDI files play repeats or do not; the
order of playing, written or unfolded, is the one whose length is nearer. Tied notes count once, unisons too.

The MIDI files come from MuseScore, which plays ornaments out and grace notes on the beat. Reading knows where these
stand, not how they are played, so there are two figures. "plain" compares every full note with every note of the MIDI.
"F1" knows what is decorated: a note with an ornament, an arpeggio or grace notes may begin anywhere in its own length,
and what is left of the MIDI in that time and in the reach of the decoration is not counted: the pitches of its grace
notes, neighbours of a trill, mordent or turn, repetitions in a tremolo.
"""

from __future__ import annotations

import argparse
import csv
import sys
from bisect import bisect_left
from collections import defaultdict
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from clefkit import notation
from clefkit.notation.model import Note, Score
from clefkit.notation.unfold import unfold

TOLERANCE = 1 / 24 + 1e-4  # quarters; MIDI ticks and float32 round
TIE_SLACK = 1 / 16
SUFFIXES = {".musicxml", ".xml", ".mxl"}

ORNAMENTS = ("trill-mark", "mordent", "inverted-mordent", "turn", "inverted-turn", "delayed-turn", "schleifer", "shake")
REACH = 4  # semitones from an ornamented note to its neighbours

Pair = tuple[float, float]  # (onset in quarters, pitch)


class Head(NamedTuple):
    """A note as it is played once. until: quarters, where a decorated note may still begin; reach: pitches of it."""

    onset: float
    pitch: float
    until: float
    reach: frozenset[float]


class Result(NamedTuple):
    """unfolded: whether repeats are played; spare: notes of ours that the MIDI has not; missed: the other way round."""

    name: str
    plain: float
    f1: float
    unfolded: bool
    spare: list[Pair]
    missed: list[Pair]


def sounding(score: Score, order: list[int]) -> list[Head]:
    """The full notes in the given order of measures; tied notes once, and so are unisons."""
    content = defaultdict(list)
    leaning: dict[tuple[int, Fraction], set[float]] = defaultdict(set)
    for note in score.notes:
        if note.grace:
            leaning[note.part, note.onset].add(note.pitch)
        else:
            content[note.measure].append(note)
    found: dict[Pair, Head] = {}
    ends: dict[tuple[int, float], float] = {}  # of the tied notes that wait to go on
    now = 0.0
    for index in order:
        measure = score.measures[index]
        for note in sorted(content[index], key=lambda each: each.onset):
            onset = now + float(note.onset - measure.onset)
            end = onset + float(note.duration)
            key = (note.part, note.pitch)
            reach = _reach(note) | leaning.get((note.part, note.onset), set())
            decorated = bool(reach) or any(mark.startswith("arpeggiate") for mark in note.marks)
            if not (note.tie_stop and abs(ends.get(key, -1.0) - onset) < TIE_SLACK):
                found[onset, note.pitch] = Head(onset, note.pitch, end if decorated else onset, frozenset(reach))
            elif decorated:
                found[onset, -note.pitch - 1] = Head(onset, -1.0, end, frozenset(reach))
            if note.tie_start:
                ends[key] = end
        now += float(measure.length)
    return sorted(found.values())


def _reach(note: Note) -> set[float]:
    names = {mark.partition(":")[0] for mark in note.marks}
    if names & set(ORNAMENTS):
        return {note.pitch + step for step in range(-REACH, REACH + 1)}
    return {note.pitch} if any(name.startswith("tremolo") for name in names) else set()


def compare(ours: list[Head], theirs: list[Pair], *, decorated: bool) -> tuple[float, list[Pair], list[Pair]]:
    """F1, what of ours has no partner, what of theirs has none. Partners are given in order of time.

    decorated: decorated notes may begin late, and what else sounds in their time and reach is not counted
    """
    waiting: dict[float, list[float]] = defaultdict(list)
    for onset, pitch in theirs:
        waiting[pitch].append(onset)
    spare: list[Pair] = []
    hits = 0
    full = [head for head in ours if head.pitch >= 0]
    for head in sorted(full, key=lambda head: (decorated and head.until > head.onset, head.onset)):
        until = head.until if decorated else head.onset
        line = waiting[head.pitch]
        at = bisect_left(line, head.onset - TOLERANCE)
        if at < len(line) and line[at] <= until + TOLERANCE:
            del line[at]
            hits += 1
        else:
            spare.append((head.onset, head.pitch))
    if decorated:
        for head in ours:
            for pitch in head.reach:
                line = waiting[pitch]
                first, last = bisect_left(line, head.onset - TOLERANCE), bisect_left(line, head.until + TOLERANCE)
                del line[first:last]
    missed = sorted((onset, pitch) for pitch, line in waiting.items() for onset in line)
    return 2 * hits / max(2 * hits + len(spare) + len(missed), 1), spare, missed


def measure(path: Path, theirs: list[Pair]) -> Result:
    """One file against the notes of its MIDI."""
    score = notation.read(path)
    written, played = list(range(len(score.measures))), unfold(score)
    end = max(onset for onset, _ in theirs)
    options = [(sounding(score, order), order is played) for order in (written, played)]
    ours, unfolded = min(options, key=lambda option: abs(max(head.onset for head in option[0]) - end))
    plain, _, _ = compare(ours, theirs, decorated=False)
    f1, spare, missed = compare(ours, theirs, decorated=True)
    return Result(path.stem, plain, f1, unfolded and played != written, spare, missed)


def reference(folder: Path) -> dict[str, list[Pair]]:
    """File stem -> notes of the score MIDI, unisons once."""
    with (folder / "asap_scores.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    arrays = np.load(folder / "asap_scores.npz")
    onset, pitch, offset = arrays["onset_quarters"], arrays["pitch"], arrays["note_offset"]
    found = {}
    for row in rows:
        index = int(row["index"])
        mine = slice(int(offset[index]), int(offset[index + 1]))
        pairs = zip(onset[mine].tolist(), pitch[mine].tolist(), strict=True)
        found[row["folder"].replace("/", "_")] = sorted({(float(at), float(key)) for at, key in pairs})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="ASAP's folder")
    parser.add_argument("--list", type=int, default=0, metavar="N", help="show the first N differences of each file")
    options = parser.parse_args()
    known = reference(options.folder)
    results = []
    for path in sorted((options.folder / "musicxml").iterdir()):
        if path.suffix in SUFFIXES and path.stem in known:
            result = measure(path, known[path.stem])
            results.append(result)
            order = "unfolded" if result.unfolded else "written"
            sys.stdout.write(
                f"{result.f1:.4f}  plain {result.plain:.4f}  {order:8}  {len(result.spare):4} spare  "
                f"{len(result.missed):4} missed  {result.name}\n"
            )
            for kind, notes in (("spare", result.spare), ("missed", result.missed)):
                for at, pitch in notes[: options.list]:
                    sys.stdout.write(f"        {kind:6} {at:9.3f} {pitch:g}\n")
    for name in ("f1", "plain"):
        scores = [float(getattr(result, name)) for result in results]
        sys.stdout.write(f"{len(scores)} files: {name} median {median(scores):.4f}, lowest {min(scores):.4f}\n")


if __name__ == "__main__":
    main()
