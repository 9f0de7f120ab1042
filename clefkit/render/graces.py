"""Grace notes: they take their time from before the beat, or, where nothing stands before it, from the note itself."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict

from clefkit.render.events import Event, Grace

LENGTH_S = {"slashed": 0.07, "plain": 0.11, "after": 0.09}
LEAST_S = 0.02
SAME_S = 1e-6  # times that differ by rounding only
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
    return events + [grace.event for grace in graces]


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
    """Before the beat, from at most half of the note before; if that is too short, on the beat, from the note after."""
    beat = group[0][0].onset
    index = bisect_right(voice, beat - TOGETHER_S, key=lambda event: event.onset)
    before = voice[index - 1].onset if index else 0.0
    wanted = sum(lengths)
    room = min(wanted, (beat - before) / 2 if index else beat)
    if room >= LEAST_S * len(group):
        start = beat - room
        for event in voice[:index]:
            if event.onset >= before - SAME_S:
                event.offset = min(event.offset, start)
    else:
        following = [event for event in voice[index:] if event.onset < beat + TOGETHER_S]
        room = min([wanted, *((event.offset - event.onset) / 2 for event in following)])
        start = beat
        for event in following:
            event.onset = beat + room
    _fill(group, lengths, start, room)


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
