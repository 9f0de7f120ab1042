"""Written music against written music: how good a transcription into notation, or a reading of a page, is.

Files are MusicXML, **kern, ABC, MEI, or MIDI with bar lines. What the numbers mean is written in `mv2h` and `music`
(MV2H), `pairs` (notes that belong together), `signatures`, `text` (error rates of **kern) and `omr` (OMR-NED); which
score is the reference without one being given, in `origin`.

Both sides are compared as they are played: repeats, endings and jumps are written out. So a transcription that writes a
repeat out, as one that only heard the music does, is not worse than one with repeat signs. Where the page counts and
not the sound, the protocol `written` takes both as they stand. MIDI holds no letters, voices, rests or ties: it has no
`spelling_accuracy`, `voice_f1` or **kern error rates; of a performance, MV2H and the signatures are measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clefkit import notation
from clefkit.errors import InputError
from clefkit.score.kinds import Measure

if TYPE_CHECKING:
    from pathlib import Path

    from clefkit.notation.model import Score
    from clefkit.record import Source
    from clefkit.score.notation.music import Clock
    from clefkit.score.notation.mv2h import Music

MEASURES = (
    Measure("mv2h", "MV2H: the mean of the five below"),
    Measure("mv2h_multi_pitch", "F-measure of notes, each of its pitch in its place"),
    Measure("mv2h_voice", "F-measure of steps from note to note in each staff, of right notes; 0 where there are none"),
    Measure("mv2h_meter", "F-measure of bars, beats and sub beats"),
    Measure("mv2h_value", "how right durations are, of notes that are right and lead to one that is"),
    Measure("mv2h_harmony", "how long key signatures are right, one fifth off is a half; chord symbols are not read"),
    Measure("voice_f1", "F-measure of the steps from chord to chord in each written voice, of matched notes"),
    Measure("staff_accuracy", "matched notes on the right staff, from top to bottom"),
    Measure("spelling_accuracy", "matched notes with the right letter, C sharp or D flat"),
    Measure("key_accuracy", "share of the reference's duration under the right key signature"),
    Measure("time_signature_accuracy", "share of the reference's duration under the right time signature"),
    Measure("kern_wer", "edits of **kern tokens for each of the reference", higher_is_better=False, missing=1.0),
    Measure("kern_ler", "edits of **kern lines for each of the reference", higher_is_better=False, missing=1.0),
    Measure("kern_cer", "edits of characters for each of the reference", higher_is_better=False, missing=1.0),
    Measure("omr_ned", "OMR-NED, edits over symbols: --protocol omr", higher_is_better=False, missing=1.0),
)
COLUMNS = (
    "file",
    "mv2h",
    "mv2h_multi_pitch",
    "mv2h_voice",
    "mv2h_meter",
    "mv2h_value",
    "mv2h_harmony",
    "key_accuracy",
    "kern_wer",
)
UNALIGNED = "MV2H not aligned (penalty 1), a staff a voice, keys by signature"
PROTOCOLS = {
    "played": f"{UNALIGNED}; repeats written out on both sides; no grace notes in MV2H and pairs; **kern by our writer",
    "written": f"{UNALIGNED}; repeats as signs; no grace notes in MV2H and pairs; **kern by our writer",
    "aligned": "MV2H aligned, 500 ms a quarter, a staff a voice, keys by signature; a note's pair is where it is; "
    "repeats written out on both sides; no grace notes in MV2H and pairs; **kern by our writer",
    "performance": "MV2H aligned in seconds, a staff or MIDI track a voice, keys by signature; estimates are MIDI",
    "kern-verbatim": f"{UNALIGNED}; repeats as signs; **kern as in the files but for comments",
    "omr": f"{UNALIGNED}; repeats as signs; **kern by our writer; OMR-NED by musicdiff 5.2, all objects",
}
AS_SIGNS = ("written", "kern-verbatim", "omr")
IN_PLACE = ("aligned", "performance")
MIDI = (".mid", ".midi")
ENDINGS = (*(f".ref{suffix}" for suffix in notation.SUFFIXES), *notation.SUFFIXES, *MIDI)
MOST_NOTES = 50_000
BOUNDED = "MV2H is bounded: there are too many equally good alignments, and it is that of the best one found"


def compare(reference: Score, estimate: Score, protocol: str = "played", clock: Clock | None = None) -> dict[str, Any]:
    """Every measure of `MEASURES` that makes sense for these two, and the numbers of notes and measures on both sides.

    reference, estimate: as written; MIDI by `notation.midi_read.read`
    protocol: one of `PROTOCOLS`; what is measured on files (OMR-NED, **kern as it is) only `measure` can
    clock: when places of the reference were heard, for `performance`; without it its tempos tell
    returns: with `mv2h_bounded` true when MV2H's best alignment was searched for, but not among all
    raises: InputError when a side is past 50,000 notes or measures, repeats written out
    """
    from clefkit.notation import played
    from clefkit.score.notation import music, pairs, signatures, text

    if protocol not in AS_SIGNS:
        reference, estimate = played.unfolded(reference), played.unfolded(estimate)
    if max(len(reference.notes), len(estimate.notes)) > MOST_NOTES:
        raise InputError(f"more than {MOST_NOTES:,} notes: score it in movements")
    first: Clock = music.written
    second: Clock = music.written
    if protocol == "performance":
        first, second = clock or music.by_tempo(reference), music.by_tempo(estimate)
    found = _mv2h(music.music(reference, first), music.music(estimate, second), protocol)
    matched = (pairs.pairs_in_place if protocol == "aligned" else pairs.pairs)(reference, estimate)
    found |= signatures.right(reference, estimate, matched)
    if protocol != "performance":
        found |= pairs.notes_right(reference, estimate, matched)
        if all(any(note.step for note in side.notes) for side in (reference, estimate)):
            found |= text.rates(text.written(reference), text.written(estimate))
    order = {each.name: found[each.name] for each in MEASURES if each.name in found}
    return {**order, **found, **_counts("ref", reference), **_counts("est", estimate)}


def measure(source: Source, *, ref: Path | None, protocol: str) -> dict[str, Any]:
    """Measure one score by its reference.

    ref: a score, or a folder that holds one by the same name; without it the records lead there (see `origin`)
    raises: InputError when a side can't be read or compared by this protocol, or no reference is found; MissingError
        for `omr` without musicdiff
    """
    from clefkit.score.notation import omr, origin, text

    estimate = origin.read(source.path)
    path, expected, clock = origin.find(source, ref)
    of_files: dict[str, float] = {}
    if protocol == "performance":
        _check_times(source.path, path, clock)
    elif protocol == "kern-verbatim":
        of_files = text.rates(text.verbatim(path), text.verbatim(source.path))
    elif protocol == "omr":
        of_files = {"omr_ned": omr.ned(path, source.path)}
    row = {"reference": str(path), **compare(expected, estimate, protocol, clock), **of_files}
    return row | {"notes": [BOUNDED]} if "mv2h_bounded" in row else row


def _mv2h(reference: Music, estimate: Music, protocol: str) -> dict[str, Any]:
    from clefkit.score.notation import mv2h

    if protocol in IN_PLACE:
        scores, bounded = mv2h.aligned(reference, estimate), False
    else:
        scores, bounded = mv2h.unaligned(reference, estimate)
    found: dict[str, Any] = {f"mv2h_{name}": value for name, value in scores._asdict().items()}
    return {"mv2h": scores.mv2h, **found, **({"mv2h_bounded": True} if bounded else {})}


def _counts(side: str, score: Score) -> dict[str, int]:
    return {f"{side}_notes": len(score.notes), f"{side}_measures": len(score.measures)}


def _check_times(estimate: Path, reference: Path, clock: Clock | None) -> None:
    """raises: InputError when one of two files does not say when it was played"""
    for path in [estimate] if clock else [estimate, reference]:
        if path.suffix.lower() not in MIDI:
            raise InputError(
                f"{path.name} does not say when it was played: performance takes MIDI, or what was rendered"
            )
