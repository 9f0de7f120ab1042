"""Ties of a **kern file whose ends do not meet.

A note that ends a tie is never struck, so something must hold until it comes: the note before it of the same pitch,
whether or not its own sign was forgotten ("4c]" where "4c_" was meant), over the gap too that a broken chord leaves
when its notes are written short and tied into the chord.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

from clefkit.notation.model import Note

LONGEST_GAP = Fraction(2)
MOST_SEEN = 8  # notes of one pitch that are kept in mind


def mend(notes: list[Note]) -> None:
    """Give ties that end the beginning they need, in place. Ties from grace notes stay as they are."""
    graces = {(note.part, note.pitch, note.onset) for note in notes if note.grace and note.tie_start}
    seen: dict[tuple[int, float], list[Note]] = defaultdict(list)
    for note in sorted((note for note in notes if not note.grace), key=lambda note: note.onset):
        before = seen[note.part, note.pitch]
        if note.tie_stop and (note.part, note.pitch, note.onset) not in graces:
            _begin(before, note)
        before.append(note)
        del before[:-MOST_SEEN]


def _begin(before: list[Note], last: Note) -> None:
    """Tie one of the notes before to the last one."""
    touching = [note for note in before if note.onset + note.duration == last.onset]
    if touching:
        if not any(note.tie_start for note in touching):
            touching[-1].tie_start = True
    elif before and before[-1].tie_start:
        gap = last.onset - before[-1].onset - before[-1].duration
        if 0 < gap <= LONGEST_GAP:
            before[-1].duration += gap
