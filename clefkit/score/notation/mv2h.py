"""MV2H: how good a transcription into a score is, by pitch, voice, meter, value and harmony.

The numbers are those of the reference implementation in Java, version 2.2 (github.com/apmcleod/MV2H, MIT licence), to
the last digit, in `aligned` and, where all alignments were looked at, in `unaligned`. That includes what looks like its
mistakes; the modules `mv2h_*` say what they are where they happen.

Sources: Andrew McLeod and Mark Steedman, Evaluating Automatic Polyphonic Music Transcription, ISMIR 2018; Andrew
McLeod, Evaluating Non-Aligned Musical Score Transcriptions with MV2H, 2019 (arXiv:1906.00566).
"""

from __future__ import annotations

from typing import NamedTuple

from clefkit.score.notation import mv2h_harmony, mv2h_meter, mv2h_notes
from clefkit.score.notation.mv2h_music import Chord, Hierarchy, Key, Music, Note, check, parse, text
from clefkit.score.notation.mv2h_notes import Tolerance

__all__ = ["Chord", "Hierarchy", "Key", "Music", "Note", "Scores", "aligned", "parse", "text", "unaligned"]

ALIGNED = Tolerance(onset=50, duration=100, edge=50)


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
    """In the making."""
    raise NotImplementedError
