"""The order of playing against MuseScore's: how long pieces with repeats, endings and jumps sound, in quarters.

    python benchmarks/unfolding.py FOLDER... --count 100 --whole

From the MusicXML files below the folders that have repeat signs or jumps, some are drawn by a seed. MuseScore takes a
file of several movements for one piece and jumps across them, so each movement goes to it as a file of its own; the
measures are cut at `unfold.movements`, and what holds at the cut (clef, key, time, transposition) is repeated there.
MuseScore's import takes jumps from printed words alone, and only from a few ("Menuetto D.C.", "To verse 4" it doesn't
know), so where <sound> says what they mean, the words are made to say it too: "D.C. al Fine", "To Coda".
`--whole` compares the files as they are as well, and counts the differences that the cut and the words explain.
The length is from the start to the end of the last note. MuseScore runs without a window; give its program with
`--program` if it has another name.

Of OpenScore's 422 movements 17 differ: MuseScore goes from a repeat sign without a beginning back into the section
before (6, trios mostly), plays endings in other passes than their numbers say (8), goes on to the trio after a da capo
without a Fine, or knows no "M.D.C." (2). One rondo (sq10490761) doesn't say how to come back to its theme.
"""

from __future__ import annotations

import argparse
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import lxml.etree

from clefkit import midifile, notation
from clefkit.notation.container import safe_parser, xml_bytes
from clefkit.notation.model import Score
from clefkit.notation.unfold import movements, unfold

SUFFIXES = {".musicxml", ".xml", ".mxl"}
SIGNS = (b'direction="backward"', b"dacapo=", b"dalsegno=")
LIMIT_S = 120
TOLERANCE = 0.01


class Row(NamedTuple):
    """One movement. ours, theirs: quarters; theirs is None when MuseScore failed; signs: what there is to follow."""

    name: str
    ours: float
    theirs: float | None
    signs: str

    @property
    def fits(self) -> bool:
        """Whether both play as long, within the tolerance."""
        return self.theirs is not None and abs(self.ours - self.theirs) <= TOLERANCE * self.theirs


def rows(path: Path, program: str, folder: Path) -> list[Row]:
    """The movements of one file that have anything to unfold."""
    score = notation.read(path)
    edges = [*movements(score), len(score.measures)]
    found = []
    for number, (first, end) in enumerate(pairwise(edges), 1):
        signs = _signs(score, first, end)
        if signs:
            piece = folder / f"{path.stem}-{number}.musicxml"
            piece.write_bytes(_cut(path, first, end))
            ours = _length(notation.read(piece))
            found.append(Row(f"{path.name} {number}/{len(edges) - 1}", ours, _musescore(piece, program), signs))
    return found


def whole(path: Path, program: str, folder: Path) -> Row:
    """A file as it is."""
    piece = folder / path.name
    shutil.copyfile(path, piece)
    return Row(path.name, _length(notation.read(piece)), _musescore(piece, program), "")


def _signs(score: Score, first: int, end: int) -> str:
    """What there is to follow, each with the number of its measure; "" when nothing."""
    words = []
    before: frozenset[int] = frozenset()
    for m in score.measures[first:end]:
        opens = m.endings if m.endings != before else frozenset[int]()
        before = m.endings
        marks = {
            "|:": m.repeat_start, f"[{','.join(map(str, sorted(opens)))}": opens, f":|{m.repeat_times}": m.repeat_times,
            "segno": m.segno, "coda": m.coda, "to coda": m.to_coda, "Fine": m.fine, "D.C.": m.da_capo,
            "D.S.": m.dal_segno,
        }  # fmt: skip
        words += [f"{m.number}{name}" for name, is_there in marks.items() if is_there]
    jumps = any(m.repeat_times or m.da_capo or m.dal_segno for m in score.measures[first:end])
    return " ".join(words) if jumps else ""


def _cut(path: Path, first: int, end: int) -> bytes:
    """The measures of one movement as a file. Tempo does not matter and is left out."""
    root = lxml.etree.fromstring(xml_bytes(path), safe_parser())
    for part in root.iterfind("part"):
        known: dict[tuple[str, str | None], Any] = {}
        measures = part.findall("measure")
        for index, measure in enumerate(measures):
            if index < first:
                for child in measure.iterfind("attributes/*"):
                    known[child.tag, child.get("number")] = copy.deepcopy(child)
            if index == first and known:
                attributes = lxml.etree.Element("attributes")
                order = ("divisions", "key", "time", "staves", "clef", "transpose")
                kept = sorted((key for key in known if key[0] in order), key=lambda key: order.index(key[0]))
                attributes.extend([known[key] for key in kept])
                measure.insert(0, attributes)
            if not first <= index < end:
                part.remove(measure)
        _say_jumps(part)
    return bytes(lxml.etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _say_jumps(part: Any) -> None:
    """Make the words of jumps say what <sound> says."""
    said = {name for sound in part.iter("sound") for name in sound.attrib}
    for direction in part.iter("direction"):
        sound, words = direction.find("sound"), direction.findall("direction-type/words")
        if sound is None or not words:
            continue
        coda = "tocoda" in said and ("fine" not in said or any("coda" in (w.text or "").lower() for w in words))
        goal = " al Coda" if coda else " al Fine" if "fine" in said else ""
        texts = {"dacapo": f"D.C.{goal}", "dalsegno": f"D.S.{goal}", "tocoda": "To Coda", "fine": "Fine"}
        text = next((text for name, text in texts.items() if sound.get(name)), None)
        if text is not None:
            words[0].text = text
            for more in words[1:]:
                more.text = ""


def _length(score: Score) -> float:
    """Quarters up to the end of the last note, repeats played."""
    ends: dict[int, float] = {}
    for note in score.notes:
        end = float(note.onset + note.duration - score.measures[note.measure].onset)
        ends[note.measure] = max(ends.get(note.measure, 0.0), end)
    now = last = 0.0
    for index in unfold(score):
        last = now + ends[index] if index in ends else last
        now += float(score.measures[index].length)
    return last


def _musescore(path: Path, program: str) -> float | None:
    """The same in MuseScore's MIDI file."""
    target = path.with_suffix(".mid")
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    try:
        subprocess.run(
            [program, "-o", str(target), str(path)], env=environment, timeout=LIMIT_S, check=True,
            stdin=subprocess.DEVNULL, capture_output=True,
        )  # fmt: skip
    except subprocess.SubprocessError:
        return None
    tracks, clock = midifile.parse(target.read_bytes())
    ends = [
        tick
        for track in tracks
        for tick, message in zip(track.ticks, track.messages, strict=True)
        if message >> 20 in (0x8, 0x9)
    ]
    return max(ends, default=0) / clock.quarter


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", help="files, or folders of files")
    parser.add_argument("--count", type=int, default=100, help="how many files to draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--program", default="mscore3", help="MuseScore's program")
    parser.add_argument("--whole", action="store_true", help="compare the files as they are, too")
    options = parser.parse_args()
    files = [p for folder in options.folders for p in (sorted(folder.rglob("*")) if folder.is_dir() else [folder])]
    files = [path for path in files if path.suffix in SUFFIXES]
    files = [path for path in files if any(sign in xml_bytes(path) for sign in SIGNS)]
    drawn = sorted(random.Random(options.seed).sample(files, min(options.count, len(files))))
    good = count = same = explained = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in drawn:
            found = rows(path, options.program, Path(folder))
            good, count = good + sum(row.fits for row in found), count + len(found)
            for row in found:
                if not row.fits:
                    sys.stdout.write(f"{row.name}: {row.ours:g} quarters, MuseScore {row.theirs}: {row.signs}\n")
                    sys.stdout.flush()
            if options.whole and whole(path, options.program, Path(folder)).fits:
                same += 1
            else:
                explained += all(row.fits for row in found)
    sys.stdout.write(
        f"{len(drawn)} files, {count} movements with repeats: {good} as long as MuseScore's within 1 % "
        f"({100 * good / max(count, 1):.1f} %)\n"
    )
    if options.whole:
        sys.stdout.write(
            f"files as they are: {same} of {len(drawn)}; of the {len(drawn) - same} others, {explained} agree in every "
            "movement once they are cut and their words say what <sound> says\n"
        )


if __name__ == "__main__":
    main()
