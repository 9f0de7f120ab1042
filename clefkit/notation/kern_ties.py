"""Ties of a **kern file whose ends do not meet.

A note that ends a tie is never struck, so something must hold until it comes: the note before it of the same pitch,
whether or not its own sign was forgotten ("4c]" where "4c_" was meant), over the gap too that a broken chord leaves
when its notes are written short and tied into the chord.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

from clefkit.notation.model import Note, Score

LONGEST_GAP = Fraction(2)
MOST_SEEN = 8  # notes of one pitch that are kept in mind


def mend(score: Score) -> None:
    """Let the ends of loose ties meet, in place."""
    for held, last in loose(score):
        held.tie_start = True
        held.duration = max(held.duration, last.onset - held.onset)


def loose(score: Score) -> list[tuple[Note, Note]]:
    """Ties whose ends do not meet: (the note that is held, the note that ends the tie).

    Ties from grace notes are none of these, nor those that come into a second ending from the music before the first.
    """
    graces = {(note.part, note.pitch, note.onset) for note in score.notes if note.grace and note.tie_start}
    seen: dict[tuple[int, float], list[Note]] = defaultdict(list)
    found = []
    for note in sorted((note for note in score.notes if not note.grace), key=lambda note: note.onset):
        before = seen[note.part, note.pitch]
        if note.tie_stop and (note.part, note.pitch, note.onset) not in graces:
            endings = score.measures[note.measure].endings
            held = _held(before, note) if not endings or 1 in endings else None
            found += [] if held is None else [(held, note)]
        before.append(note)
        del before[:-MOST_SEEN]
    return found


def _held(before: list[Note], last: Note) -> Note | None:
    """Which of the notes before the end of a tie has to be held for it; None when one is, or none can be."""
    touching = [note for note in before if note.onset + note.duration == last.onset]
    if touching:
        return None if any(note.tie_start for note in touching) else touching[-1]
    if before and before[-1].tie_start and 0 < last.onset - before[-1].onset - before[-1].duration <= LONGEST_GAP:
        return before[-1]
    return None
