"""What is measured of notes, in the order of a row, each with a line for people.

Right is what `protocols` says. Precision is right / estimated, recall is right / expected, F1 their harmonic mean.
"""

from __future__ import annotations

from clefkit.score.kinds import Measure


def _three(prefix: str, found: str, expected: str) -> tuple[Measure, ...]:
    return (
        Measure(f"{prefix}_precision", f"estimated {found}"),
        Measure(f"{prefix}_recall", f"{expected} that were found, by the same rule"),
        Measure(f"{prefix}_f1", f"harmonic mean of {prefix}_precision and {prefix}_recall"),
    )


def _notes(prefix: str, found: str) -> tuple[Measure, ...]:
    overlap = Measure(f"{prefix}_overlap", "mean overlap of the pairs in time: 1 where both begin and end together")
    return *_three(prefix, found, "reference notes"), overlap


def _frames(prefix: str, right: str) -> tuple[Measure, ...]:
    """The shares of substitutions and false alarms of a file that failed can't be told; its misses are all."""
    of_all = "of the reference's sounding pitches"
    return (
        *_three(prefix, f"pitches that really sound, in frames of 10 ms{right}", "sounding pitches"),
        Measure(f"{prefix}_accuracy", f"right pitches of all that sound on either side{right}"),
        _error(f"{prefix}_substitution_error", f"wrong in place of right, {of_all}{right}", None),
        _error(f"{prefix}_miss_error", f"missing without a wrong one, {of_all}{right}", 1.0),
        _error(f"{prefix}_false_alarm_error", f"too many at a time, {of_all}{right}", None),
        _error(f"{prefix}_total_error", f"substitutions, misses and false alarms together{right}", 1.0),
    )


def _error(name: str, about: str, missing: float | None) -> Measure:
    return Measure(name, about, higher_is_better=False, missing=missing)


MEASURES = (
    *_notes("note", "notes whose onset and pitch are right"),
    *_notes("note_offset", "notes whose onset, pitch and offset are right"),
    *_notes("note_velocity", "notes whose onset, pitch and velocity (best scaled, within 10 %) are right"),
    *_notes("note_offset_velocity", "notes whose onset, pitch, offset and velocity are right"),
    *_three("onset", "onsets that are right, whatever the pitch", "reference onsets"),
    *_three("offset", "offsets that are right, whatever pitch and onset", "reference offsets"),
    *_frames("frame", ""),
    *_frames("frame_chroma", ", octaves forgiven"),
    *_three(
        "multi", "notes right in onset, pitch, offset and program, drums in onset and key (MT3)", "reference notes"
    ),
    *_three(
        "multi_class",
        "notes right in onset, pitch, offset and General MIDI class, drums in onset and key",
        "reference notes",
    ),
    *_three(
        "multi_flat",
        "notes right in onset, pitch and offset, drums in onset and key, whatever the program",
        "reference notes",
    ),
    Measure("instrument_macro_f1", "mean over General MIDI classes and drums of the F1 of their notes, by onset"),
    Measure("track_f1", "notes right in onset, pitch and track, best partners; all of tracks without one are wrong"),
    Measure("track_paired_f1", "track_f1 of the tracks that have a partner: their number is not judged"),
    Measure("track_offset_f1", "notes right in onset, pitch, offset and track; all of tracks without one are wrong"),
    Measure("track_paired_offset_f1", "track_offset_f1 of the tracks that have a partner"),
    *_three("drum", "drum strokes right in onset and General MIDI key", "reference strokes"),
    Measure("drum_class_f1", "drum strokes right in onset and class: kick, snare, tom, hi-hat, cymbal"),
)
