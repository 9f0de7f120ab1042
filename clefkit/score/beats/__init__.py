"""Beats against beats: how well a tracker taps along, where it hears the bars, and how fast.

The measures of a sequence are mir_eval's, after Davies, Degara and Plumbley, Evaluation methods for musical audio beat
tracking algorithms, 2009. The tempo is 60 s by the median interval between beats; its accuracies 1 and 2 are those of
Gouyon et al., An experimental comparison of audio tempo induction algorithms, 2006; its error in octaves is that of
Schreiber, Urbano and Weiß, Music tempo estimation: are we done yet?, 2020.

Times are taken to the nanosecond and in their order, and a beat that is said twice is one. Downbeats are measured when
both sides tell them. Beats that come from a score or from MIDI are counted as annotators count: in 6/8, 9/8, 12/8, 6/4
and the like, three written units are one beat, as in ASAP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from clefkit.errors import InputError
from clefkit.score.kinds import MIDI, Measure

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike

    from clefkit.record import Source


class Beats(NamedTuple):
    """times: (beats,), seconds; downbeats: (downbeats,), seconds, None when nobody says which they are"""

    times: ArrayLike
    downbeats: ArrayLike | None = None


MEASURES = (
    Measure("beat_f1", "F-measure of beats within 70 ms"),
    Measure("beat_cemgil", "nearness of the beats, each weighed by a Gaussian of 40 ms (Cemgil)"),
    Measure("beat_goto", "1 when a long enough stretch is tapped well enough, else 0 (Goto)"),
    Measure("beat_p_score", "beats within a fifth of the median interval (McKinney)"),
    Measure("beat_cmlc", "beats in the longest stretch that is right, at the correct metrical level"),
    Measure("beat_cmlt", "beats that are right, at the correct metrical level"),
    Measure("beat_amlc", "beats in the longest stretch that is right, off the beat, at half or double tempo, too"),
    Measure("beat_amlt", "beats that are right, off the beat, at half or double tempo, too"),
    Measure("beat_information_gain", "how far the errors are from even chance, 1 when they are all the same"),
    Measure("downbeat_f1", "F-measure of downbeats within 70 ms"),
    Measure("downbeat_cmlt", "downbeats that are right, at the correct metrical level"),
    Measure("downbeat_amlt", "downbeats that are right, off the beat, at half or double tempo, too"),
    Measure("tempo_accuracy_1", "1 when the tempo is within 4 %, else 0"),
    Measure("tempo_accuracy_2", "1 when the tempo, its double, half, triple or third is within 4 %, else 0"),
    Measure(
        "tempo_octave_error", "how far the tempo is off, either way", "octaves", higher_is_better=False, missing=None
    ),
)
COLUMNS = ("file", "beat_f1", "beat_cmlt", "beat_amlt", "downbeat_f1", "tempo_accuracy_1", "ref_beats", "est_beats")
SEQUENCES = (
    "mir_eval 0.8: F-measure 70 ms, Cemgil 40 ms, continuity 17.5 %, P-score 20 %, 41 bins; "
    "tempo from the median interval, 4 %"
)
PROTOCOLS = {
    "mirex": f"beats before 5 s are left out on both sides; {SEQUENCES}",
    "untrimmed": f"all beats; {SEQUENCES}",
}
TRIMMED_S = {"mirex": 5.0, "untrimmed": float("-inf")}
ENDINGS = (".beats", ".txt", "_annotations.txt", ".tsv", *sorted(MIDI), ".wav", ".flac", ".ogg", ".mp3")


def compare(reference: Beats, estimate: Beats, protocol: str = "mirex") -> dict[str, Any]:
    """Every measure of `MEASURES` that makes sense, the number of beats, and the tempo in beats a minute.

    An estimate of fewer than two beats has no tempo: its accuracies are 0, and it has no error in octaves.
    raises: InputError when the reference has fewer than two beats, when a time is not a number or past 30,000 s, or
        when there are more than 40,000
    """
    from clefkit.score.beats import metrics

    expected, found = (
        metrics.checked(*side, f"the {name}", TRIMMED_S[protocol])
        for side, name in ((reference, "reference"), (estimate, "estimate"))
    )
    if len(expected.times) < 2:
        trimmed = " from 5 s on: say --protocol untrimmed to count all" if protocol == "mirex" else ""
        raise InputError(f"the reference has fewer than two beats{trimmed}")
    row = {f"beat_{key}": value for key, value in metrics.sequence(expected.times, found.times).items()}
    if expected.downbeats is not None and len(expected.downbeats) > 1 and found.downbeats is not None:
        bars = metrics.sequence(expected.downbeats, found.downbeats)
        row |= {f"downbeat_{key}": bars[key] for key in ("f1", "cmlt", "amlt")}
    counts = {"ref_beats": len(expected.times), "est_beats": len(found.times)}
    return row | metrics.tempo(expected.times, found.times) | counts


def measure(source: Source, *, ref: Path | None, protocol: str) -> dict[str, Any]:
    """Measure one file of beats (.beats, .txt, .tsv, or .mid) by its reference.

    ref: such a file, a sound whose record says where its beats are, or a folder that holds one by the same name;
        without it the records lead to such a sound
    raises: InputError when the file holds no beats, or no reference is found
    """
    from clefkit.score.beats import files

    estimate = files.read(source.path)
    path, expected = files.reference_for(source, ref)
    return {"reference": str(path), **compare(expected, estimate, protocol)}
