"""What is measured of notes, in the order of a row, each with a line for people.

Right is what `protocols` says. Precision is right / estimated, recall is right / expected, F1 their harmonic mean.
"""

from __future__ import annotations

from clefkit.score.kinds import Measure


def _three(prefix: str, found: str, expected: str) -> tuple[Measure, ...]:
    return (
        Measure(f"{prefix}_precision", f"estimated {found}"),
        Measure(f"{prefix}_recall", f"{expected} that were found so"),
        Measure(f"{prefix}_f1", "harmonic mean of that precision and recall"),
    )


def _notes(prefix: str, found: str) -> tuple[Measure, ...]:
    overlap = Measure(f"{prefix}_overlap", "how much of their time together the pairs sound both, on average")
    return *_three(prefix, found, "reference notes"), overlap


def _frames(prefix: str, right: str) -> tuple[Measure, ...]:
    """The shares of substitutions and false alarms of a file that failed can't be told; its misses are all."""
    of_all = "of the reference's sounding pitches"
    return (
        *_three(prefix, f"pitches that sound, frame by frame{right}", "sounding pitches"),
        Measure(f"{prefix}_accuracy", f"right pitches of all on either side{right}"),
        _error(f"{prefix}_substitution_error", f"wrong in place of right, {of_all}{right}", None),
        _error(f"{prefix}_miss_error", f"missing without a wrong one, {of_all}{right}", 1.0),
        _error(f"{prefix}_false_alarm_error", f"too many at a time, {of_all}{right}", None),
        _error(f"{prefix}_total_error", f"the sum of these three{right}", 1.0),
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
    *_three("multi", "notes right in onset, pitch, offset and program; drums in onset and key", "reference notes"),
    *_three("multi_class", "the same, but by General MIDI class (all guitars are one)", "reference notes"),
    *_three("multi_flat", "the same, but whatever the program", "reference notes"),
    Measure("instrument_macro_f1", "mean over General MIDI classes and drums of the F1 of their notes, by onset"),
    Measure("track_f1", "notes right in onset and pitch, and in the right track; tracks too few or too many count"),
    Measure("track_paired_f1", "the same in the tracks that have a partner only"),
    Measure("track_offset_f1", "notes right in onset, pitch and offset, and in the right track"),
    Measure("track_paired_offset_f1", "the same in the tracks that have a partner only"),
    *_three("drum", "drum strokes right in onset and General MIDI key", "reference strokes"),
    Measure("drum_class_f1", "drum strokes right in onset and class: kick, snare, tom, hi-hat, cymbal"),
)
