"""MV2H: how good a transcription into a score is, by pitch, voice, meter, value and harmony.

The numbers are those of the reference implementation in Java (github.com/apmcleod/MV2H, MIT licence, 2.2 and later) to
the last digit in `aligned`, with what looks like its mistakes: the modules `mv2h_*` say what they are, where they
happen. One of them: music in which no note leads to another, a single chord, has a voice of 0 even against itself, and
so an MV2H of 0.8. So are those of `unaligned` where all alignments were looked at, but for two mistakes of one or the
other version (`mv2h_times`) that would make music unlike itself.

Java looks at all best alignments, which may take for ever. Where there are more than 1,000 we look at a choice: of 40
excerpts of 300 notes with 8 to 2,000 best alignments the choice, of 200 at most, had the best MV2H in all.

Sources: Andrew McLeod and Mark Steedman, Evaluating Automatic Polyphonic Music Transcription, ISMIR 2018; Andrew
McLeod, Evaluating Non-Aligned Musical Score Transcriptions with MV2H, 2019 (arXiv:1906.00566).
"""

from __future__ import annotations

from typing import NamedTuple

from clefkit.errors import InputError
from clefkit.score.notation import mv2h_harmony, mv2h_meter, mv2h_notes, mv2h_paths, mv2h_search, mv2h_times
from clefkit.score.notation.mv2h_music import Chord, Hierarchy, Key, Music, Note, check, parse, text
from clefkit.score.notation.mv2h_notes import Tolerance
from clefkit.score.notation.mv2h_paths import Alignment
from clefkit.score.notation.mv2h_times import Piece

__all__ = ["Chord", "Hierarchy", "Key", "Music", "Note", "Scores", "aligned", "parse", "text", "unaligned"]

ALIGNED = Tolerance(onset=50, duration=100, edge=50)
UNALIGNED = Tolerance(onset=0, duration=20, edge=20)
MOST_PAIRS = 400_000_000  # of chords: two minutes, 430 MB
MOST_CELLS = 400_000
MOST_NOTES_MOVED = 20_000_000


class Scores(NamedTuple):
    """Each 0 to 1: F-measures of notes, of their connections in voices and of bars, beats and sub beats; how right
    written durations are; how long keys and chords are right."""

    multi_pitch: float
    voice: float
    meter: float
    value: float
    harmony: float

    @property
    def mv2h(self) -> float:
        """The mean of the five."""
        return (self.multi_pitch + self.voice + self.meter + self.value + self.harmony) / 5


NOTHING = Scores(0.0, 0.0, 0.0, 0.0, 0.0)


def aligned(reference: Music, estimate: Music) -> Scores:
    """Compare music whose times are the same: onsets within 50 ms, durations 100 ms, edges of beats 50 ms.

    raises: InputError when the music is impossible or past a limit (`mv2h_music.check`)
    """
    check(reference, "the reference")
    check(estimate, "the estimate")
    expected = mv2h_notes.in_order(reference.notes)
    multi_pitch, voice, value = mv2h_notes.scores(
        expected, mv2h_notes.all_leads(expected), mv2h_notes.in_order(estimate.notes), ALIGNED
    )
    bars = [
        mv2h_meter.groupings(side.tatums, [mv2h_meter.default(0), *side.hierarchies]) for side in (reference, estimate)
    ]
    meter = mv2h_meter.score(bars[0], bars[1], ALIGNED.edge)
    return Scores(multi_pitch, voice, meter, value, mv2h_harmony.score(reference, estimate))


def unaligned(reference: Music, estimate: Music, most: int = 1000) -> tuple[Scores, bool]:
    """Compare music whose times are not the same, by the alignment of its chords that gives the best scores. Matched
    notes begin together then; durations and edges of beats may be 20 ms off.

    most: how many alignments are looked at, fewer for more than 20,000 notes and tatums
    returns: the scores, and whether there are more equally good alignments than were looked at: then the scores are
        those of a choice (`mv2h_search`), and better ones may exist
    raises: InputError when the music is impossible or past a limit
    """
    check(reference, "the reference")
    check(estimate, "the estimate")
    if not reference.notes or not estimate.notes:
        return NOTHING, False
    sides = mv2h_times.piece(reference), mv2h_times.piece(estimate)
    if len(sides[0].chords) * len(sides[1].chords) > MOST_PAIRS:
        raise InputError("the music is too long to be aligned: score it in movements")
    most = min(most, MOST_NOTES_MOVED // (len(estimate.notes) + len(estimate.tatums)))
    table = mv2h_paths.table(sides[0].chords, sides[1].chords)
    cells = mv2h_paths.on_best_paths(table, MOST_CELLS)
    bounded = not cells or mv2h_paths.count(table, cells, most) > most
    judge = _Judge(*sides)
    if bounded:
        mv2h_search.climb(sides, table, cells, judge, most)
        return judge.best, True
    for pairs in mv2h_paths.alignments(table):
        judge(pairs)
    return judge.best, False


class _Judge:
    """Scores alignments, and keeps the best scores."""

    def __init__(self, reference: Piece, estimate: Piece) -> None:
        self.reference, self.estimate = reference, estimate
        self.leads = mv2h_notes.all_leads(reference.music.notes)
        self.best = NOTHING

    def __call__(self, pairs: Alignment) -> float:
        """The MV2H of one alignment."""
        music, groupings = mv2h_times.moved(self.estimate, self.reference, pairs)
        notes = mv2h_notes.in_order(music.notes)
        multi_pitch, voice, value = mv2h_notes.scores(self.reference.music.notes, self.leads, notes, UNALIGNED)
        meter = mv2h_meter.score([*self.reference.groupings], groupings, UNALIGNED.edge)
        found = Scores(multi_pitch, voice, meter, value, mv2h_harmony.score(self.reference.music, music))
        self.best = max(self.best, found, key=_rank)
        return found.mv2h


def _rank(scores: Scores) -> tuple[float, ...]:
    return scores.mv2h, *scores
