"""Music as MV2H sees it, and the text format of its reference implementation.

All times are whole milliseconds. A line of the format is one of these; the order of lines does not matter, except that
of several hierarchies, keys or chords at one time the last one counts, and lines that begin otherwise are passed over:

    Note pitch onset value_onset value_offset voice
    Tatum time
    Hierarchy beats,sub_beats tatums a=anacrusis [time]
    Key tonic maj|min [time]
    Chord time name

Source: Andrew McLeod, MV2H 2.2, README, "File Format".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from clefkit.errors import InputError

LONGEST_MS = 100_000_000
MOST_NOTES = 100_000
MOST_TATUMS = 200_000
MOST_AT_ONCE = 1000
AT_ONCE_MS = 100
MOST_IN_A_CHORD = 250
MOST_IN_A_BAR = 1_000_000
LAST_OF_NOTHING = -(2**31)

NUMBER = r"([+-]?[0-9]{1,10})"
LINES = {
    "Note": re.compile(rf"Note {NUMBER} {NUMBER} {NUMBER} {NUMBER} {NUMBER}"),
    "Tatum": re.compile(rf"Tatum {NUMBER}"),
    "Hierarchy": re.compile(rf"Hierarchy {NUMBER},{NUMBER} {NUMBER} a={NUMBER}(?: {NUMBER})?"),
    "Key": re.compile(rf"Key {NUMBER} (maj|min)(?: {NUMBER})?", re.IGNORECASE),
    "Chord": re.compile(rf"Chord {NUMBER} (\S+)"),
}


class Note(NamedTuple):
    """pitch: MIDI number; onset: as played; value_onset, value_offset: the tatums where it begins and ends as written;
    voice: its number, from 0"""

    pitch: int
    onset: int
    value_onset: int
    value_offset: int
    voice: int


class Hierarchy(NamedTuple):
    """From `time` on so many beats a bar, sub beats a beat and tatums a sub beat; the first bar has `anacrusis` tatums,
    0 when it is whole."""

    beats: int
    sub_beats: int
    tatums: int
    anacrusis: int
    time: int


class Key(NamedTuple):
    """From `time` on. tonic: 0 (C) to 11 (B)"""

    tonic: int
    major: bool
    time: int


class Chord(NamedTuple):
    """From `time` on. name: of any vocabulary, without spaces; only equal names count as right"""

    name: str
    time: int


@dataclass(slots=True)
class Music:
    """One piece. Until its first hierarchy it is in 4/4 with 2 sub beats a beat and 4 tatums a sub beat from 0 ms."""

    notes: Sequence[Note] = ()
    tatums: Sequence[int] = ()
    hierarchies: Sequence[Hierarchy] = ()
    keys: Sequence[Key] = ()
    chords: Sequence[Chord] = ()

    def times(self) -> list[int]:
        """All times in it."""
        found = [*self.tatums, *(hierarchy.time for hierarchy in self.hierarchies)]
        found += [*(key.time for key in self.keys), *(chord.time for chord in self.chords)]
        return found + [time for note in self.notes for time in note[1:4]]

    @property
    def last_time(self) -> int:
        """Where its last note, tatum, key or chord ends or stands; hierarchies do not count."""
        times = [note.value_offset for note in self.notes]
        times += [*self.tatums, *(key.time for key in self.keys), *(chord.time for chord in self.chords)]
        return max(times, default=LAST_OF_NOTHING)


def text(music: Music) -> str:
    """The music in the text format, which `parse` reads."""
    lines = [f"Note {' '.join(map(str, note))}" for note in music.notes]
    lines += [f"Tatum {time}" for time in music.tatums]
    lines += [f"Hierarchy {h.beats},{h.sub_beats} {h.tatums} a={h.anacrusis} {h.time}" for h in music.hierarchies]
    lines += [f"Key {key.tonic} {'maj' if key.major else 'min'} {key.time}" for key in music.keys]
    lines += [f"Chord {chord.time} {chord.name}" for chord in music.chords]
    return "".join(f"{line}\n" for line in lines)


def parse(text: str) -> Music:
    """Read the text format.

    raises: InputError when a line can't be read, or see `check`
    """
    found: dict[str, list[tuple[str, ...]]] = {kind: [] for kind in LINES}
    for number, line in enumerate(text.splitlines(), start=1):
        for kind, pattern in LINES.items():
            if line.startswith(kind):
                match = pattern.fullmatch(line.rstrip(" "))
                if match is None:
                    raise InputError(f"line {number} is no {kind} of MV2H's format: {line[:60]!r}")
                found[kind].append(match.groups(default="0"))
    music = Music(
        notes=[Note(*map(int, fields)) for fields in found["Note"]],
        tatums=[int(time) for (time,) in found["Tatum"]],
        hierarchies=[Hierarchy(*map(int, fields)) for fields in found["Hierarchy"]],
        keys=[Key(int(tonic), mode.lower() == "maj", int(time)) for tonic, mode, time in found["Key"]],
        chords=[Chord(name, int(time)) for time, name in found["Chord"]],
    )
    check(music, "the music")
    return music


def check(music: Music, side: str) -> None:
    """raises: InputError when something in the music is impossible or past a limit; `side` says whose music it is"""
    changes = len(music.hierarchies) + len(music.keys) + len(music.chords)
    if len(music.notes) > MOST_NOTES or len(music.tatums) + changes > MOST_TATUMS:
        raise InputError(
            f"{side} is too long: cut it into pieces of at most {MOST_NOTES} notes and {MOST_TATUMS} tatums"
        )
    if max(map(abs, music.times()), default=0) > LONGEST_MS:
        raise InputError(f"{side} has a time more than {LONGEST_MS // 1000} seconds away from its beginning")
    _every(music.notes, _is_possible_note, f"{side} has an impossible note")
    _every(music.hierarchies, _is_possible_hierarchy, f"{side} has an impossible metre")
    _every(music.keys, lambda key: 0 <= key.tonic <= 11, f"{side} has an impossible key")
    _every(music.chords, lambda chord: chord.name.split() == [chord.name], f"{side} has an impossible chord")
    onsets = sorted(note.onset for note in music.notes)
    crowded = any(b - a <= AT_ONCE_MS for a, b in zip(onsets, onsets[MOST_AT_ONCE:], strict=False))
    chords = Counter(note.value_onset for note in music.notes)
    if crowded or max(chords.values(), default=0) > MOST_IN_A_CHORD:
        raise InputError(f"{side} has absurdly many notes at the same time")


def _every(items: Sequence[Any], possible: Callable[[Any], bool], trouble: str) -> None:
    for number, item in enumerate(items, start=1):
        if not possible(item):
            raise InputError(f"{trouble}: number {number}")


def _is_possible_note(note: Note) -> bool:
    return abs(note.pitch) <= 1000 and note.value_onset <= note.value_offset and 0 <= note.voice <= MOST_NOTES


def _is_possible_hierarchy(hierarchy: Hierarchy) -> bool:
    levels = hierarchy[:3]
    whole = levels[0] * levels[1] * levels[2]
    return min(levels) >= 1 and whole <= MOST_IN_A_BAR and 0 <= hierarchy.anacrusis <= MOST_IN_A_BAR
