"""The notes that `render --human 0` plays of ASAP's MusicXML files against ASAP's own score MIDI: onset F1 per file.

    python benchmarks/asap_notes.py data/asap

The folder holds `musicxml/`, `asap_scores.csv` and `asap_scores.npz` (onsets in quarters). A note is right when one of
the same pitch begins within 1/24 quarter in the other, each counted once; unisons count once. The MIDI files play
repeats or do not; the order of playing, written or unfolded, is the one whose length is nearer. They come from
MuseScore and play ornaments and grace notes out, so how these are played counts here.
"""

from __future__ import annotations

import argparse
import csv
import sys
from bisect import bisect_left
from collections import defaultdict
from pathlib import Path
from statistics import mean, median

import numpy as np

from clefkit import notation
from clefkit.notes import Performance
from clefkit.render.perform import perform

TOLERANCE = 1 / 24 + 1e-4  # quarters; MIDI ticks and float32 round
SUFFIXES = {".musicxml", ".xml", ".mxl"}

Pair = tuple[float, float]  # (onset in quarters, pitch)


def sounding(played: Performance) -> list[Pair]:
    """The notes, in quarters."""
    quarter = np.array([beat.quarter for beat in played.beats])
    time_s = np.array([beat.time_s for beat in played.beats])
    # The last beat goes on as it was.
    quarter = np.append(quarter, 2 * quarter[-1] - quarter[-2])
    time_s = np.append(time_s, 2 * time_s[-1] - time_s[-2])
    onset = np.interp(played.notes.onset, time_s, quarter)
    return sorted(set(zip(onset.tolist(), played.notes.pitch.tolist(), strict=True)))


def compare(ours: list[Pair], theirs: list[Pair]) -> tuple[float, list[Pair], list[Pair]]:
    """F1, what of ours has no partner, what of theirs has none. Partners are given in order of time."""
    waiting: dict[float, list[float]] = defaultdict(list)
    for onset, pitch in theirs:
        waiting[pitch].append(onset)
    spare: list[Pair] = []
    for onset, pitch in ours:
        line = waiting[pitch]
        at = bisect_left(line, onset - TOLERANCE)
        if at < len(line) and line[at] <= onset + TOLERANCE:
            del line[at]
        else:
            spare.append((onset, pitch))
    missed = sorted((onset, pitch) for pitch, line in waiting.items() for onset in line)
    hits = len(ours) - len(spare)
    return 2 * hits / max(2 * hits + len(spare) + len(missed), 1), spare, missed


def played(path: Path, end: float) -> list[Pair]:
    """With or without repeats, whichever ends nearer to `end`, quarters."""
    score = notation.read(path)
    options = [sounding(perform(score, repeats)) for repeats in (False, True)]
    return min(options, key=lambda found: abs(found[-1][0] - end))


def reference(folder: Path) -> dict[str, list[Pair]]:
    """File stem -> notes of the score MIDI."""
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
    scores = []
    for path in sorted((options.folder / "musicxml").iterdir()):
        if path.suffix not in SUFFIXES or path.stem not in known:
            continue
        theirs = known[path.stem]
        f1, spare, missed = compare(played(path, theirs[-1][0]), theirs)
        scores.append(f1)
        sys.stdout.write(f"{f1:.4f}  {len(spare):4} spare  {len(missed):4} missed  {path.stem}\n")
        for kind, differing in (("spare", spare), ("missed", missed)):
            for at, pitch in differing[: options.list]:
                sys.stdout.write(f"        {kind:6} {at:9.3f} {pitch:g}\n")
    sys.stdout.write(
        f"{len(scores)} files: median {median(scores):.4f}, mean {mean(scores):.4f}, lowest {min(scores):.4f}\n"
    )


if __name__ == "__main__":
    main()
