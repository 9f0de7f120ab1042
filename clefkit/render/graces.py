"""Grace notes: on the beat, from the time of the note they lean on, as they were meant until about 1840.

A single long one takes half of that note, two thirds of a dotted one (L. Mozart, "Gründliche Violinschule",
1756, chapter 9), but never more than a second; short ones and groups are quick. MuseScore has them in the same place.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict

from clefkit.render.events import Event, Grace

LENGTH_S = {"slashed": 0.065, "plain": 0.1, "after": 0.09}
LONGEST_S = 1.0
TOGETHER_S = 1e-3

Voices = dict[tuple[int, str], list[Event]]


def place(events: list[Event], graces: list[Grace]) -> list[Event]:
    """All events in seconds: grace notes get their times, and what stood there makes room."""
    voices: Voices = defaultdict(list)
    for event in events:
        voices[event.part, event.note.voice].append(event)
    for voice in voices.values():
        voice.sort(key=lambda event: event.onset)
    for group in _groups(graces):
        first = group[0][0]
        voice = voices[first.part, first.note.voice]
        lengths = [LENGTH_S[chord[0].note.grace] for chord in group]
        if first.note.grace == "after":
            _after(group, lengths, voice)
        else:
            _before(group, lengths, voice)
    return _tied(events, graces) + [grace.event for grace in graces]


def _tied(events: list[Event], graces: list[Grace]) -> list[Event]:
    """The events without those that a grace note is tied to (of a trill its first note): it sounds until they end."""
    waiting = {
        (grace.event.part, grace.event.start, grace.event.pitch): grace.event
        for grace in graces
        if grace.event.note.tie_start and grace.event.note.grace != "after"
    }
    kept = []
    for event in events:
        held = waiting.pop((event.part, event.start, event.pitch), None) if event.note.tie_stop else None
        if held is None:
            kept.append(event)
        else:
            held.offset = event.offset
    return kept


def _groups(graces: list[Grace]) -> list[list[list[Event]]]:
    """Groups that lean on one note, each of them chords in the order of playing."""
    groups: list[list[list[Event]]] = []
    last = None
    for grace in graces:
        event = grace.event
        key = (event.part, event.note.voice, event.onset, event.note.grace == "after")
        if key != last:
            groups.append([])
            last = key
        if grace.chord and groups[-1]:
            groups[-1][-1].append(event)
        else:
            groups[-1].append([event])
    return groups


def _before(group: list[list[Event]], lengths: list[float], voice: list[Event]) -> None:
    """From at most half of the note after; where none is, as long as they like."""
    beat = group[0][0].onset
    index = bisect_left(voice, beat - TOGETHER_S, key=lambda event: event.onset)
    leaned_on = []
    for event in voice[index:]:
        if event.onset > beat + TOGETHER_S:
            break
        leaned_on.append(event)
    room = sum(lengths)
    if leaned_on:
        shortest = min(leaned_on, key=lambda event: event.offset - event.onset)
        room = _share(group, room, shortest)
    for event in leaned_on:
        event.onset = beat + room
    _fill(group, lengths, beat, room)


def _share(group: list[list[Event]], wanted: float, main: Event) -> float:
    """How much of a note its grace notes take, seconds."""
    length = main.offset - main.onset
    if len(group) > 1 or group[0][0].note.grace != "plain":
        return min(wanted, length / 2)
    dotted = main.note.duration.numerator == 3  # of a half, a quarter, ...: three of something
    return min(length * (2 / 3 if dotted else 1 / 2), LONGEST_S)


def _after(group: list[list[Event]], lengths: list[float], voice: list[Event]) -> None:
    """At the end of the note they follow, from at most half of it."""
    onset = group[0][0].onset
    held = [event for event in voice if abs(event.onset - onset) < TOGETHER_S]
    end = max((event.offset for event in held), default=onset + sum(lengths))
    room = min(sum(lengths), (end - onset) / 2)
    for event in held:
        event.offset = min(event.offset, end - room)
    _fill(group, lengths, end - room, room)


def _fill(group: list[list[Event]], lengths: list[float], start: float, room: float) -> None:
    """Share the room out in the proportion of the lengths."""
    now, wanted = start, sum(lengths)
    for chord, length in zip(group, lengths, strict=True):
        for event in chord:
            event.onset, event.offset = now, now + length * room / wanted
        now += length * room / wanted
