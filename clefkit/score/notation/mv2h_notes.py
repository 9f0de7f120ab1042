"""Three of MV2H's five numbers: multi-pitch, voice and value.

Notes are matched by pitch and onset, in one walk through both sides. Within a voice, notes that begin and end together
are a cluster, and a cluster leads to those that begin where it ends, or else to the next ones. Of the matched notes'
connections the voice F-measure is made. A note's value counts when it was matched and leads to a right note.

The walk, the order of notes and the ties are those of the reference implementation, so that the numbers are the same
to the last digit. Two things look odd: the walk may pass over notes that could still be matched, where notes are not
played in the order in which they are written; and times below zero stand in the order of their digits.

Source: Andrew McLeod and Mark Steedman, Evaluating Automatic Polyphonic Music Transcription, ISMIR 2018; for voices
with chords: Homophony.md of MV2H 2.1.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import NamedTuple

from clefkit.score.notation.mv2h_music import Note


class Cluster(NamedTuple):
    """Notes of a voice that begin and end together, and the notes they lead to; numbers in a list of notes."""

    notes: list[int]
    after: list[int]


class Tolerance(NamedTuple):
    """How far, in milliseconds, onsets, durations and the edges of bars and beats may be off."""

    onset: int
    duration: int
    edge: int


def in_order(notes: Iterable[Note]) -> list[Note]:
    """The order in which notes are matched."""
    return sorted(notes, key=attrgetter("value_onset", "pitch", "onset", "voice", "value_offset"))


def f1(right: float, wrong: float, missed: float) -> float:
    """The F-measure, 0 when nothing is right."""
    if right == 0:
        return 0.0
    precision = right / (right + wrong)
    recall = right / (right + missed)
    return 2.0 * recall * precision / (recall + precision)


def scores(
    reference: Sequence[Note], leads: Sequence[Sequence[int]], estimate: Sequence[Note], tolerance: Tolerance
) -> tuple[float, float, float]:
    """Multi-pitch, voice and value.

    reference, estimate: `in_order`; leads: `all_leads(reference)`
    """
    partner = match(reference, estimate, tolerance.onset)
    missed = len(reference) - len(partner)
    multi_pitch = f1(len(partner), len(estimate) - len(partner), missed)
    voice, checked = _connections(reference, leads, estimate, partner, tolerance.onset)
    values = 0.0
    for number in checked:
        values += _value(estimate[number], reference[partner[number]], tolerance.duration)
    return multi_pitch, voice, values / len(checked) if checked else 0.0


def all_leads(notes: Sequence[Note]) -> list[list[int]]:
    """For each note the numbers of those that it leads to."""
    leads: list[list[int]] = [[] for _ in notes]
    for cluster in clusters(notes, range(len(notes))):
        for number in cluster.notes:
            leads[number] = cluster.after
    return leads


def match(reference: Sequence[Note], estimate: Sequence[Note], tolerance: int) -> dict[int, int]:
    """Which note of the reference, by number, each matched note of the estimate is; in the estimate's order."""
    partner = {}
    left = [(note.pitch, note.onset, number) for number, note in enumerate(reference)]
    first = 0
    for number, note in enumerate(estimate):
        place = first
        while place < len(left):
            pitch, onset, other = left[place]
            if onset < note.onset - tolerance:
                first += 1  # also when a note before this one could still be matched
            elif onset > note.onset + tolerance:
                break
            elif pitch == note.pitch:
                partner[number] = other
                del left[place]
                break
            place += 1
    return partner


def clusters(notes: Sequence[Note], chosen: Iterable[int]) -> list[Cluster]:
    """The clusters of the chosen notes, voice by voice in the order of time."""
    voices: dict[int, dict[tuple[int, int], list[int]]] = {}
    for number in chosen:
        note = notes[number]
        times = (note.value_onset, note.value_offset)
        voices.setdefault(note.voice, {}).setdefault(times, []).append(number)
    return [cluster for _, groups in sorted(voices.items()) for cluster in _linked(groups)]


def _linked(groups: dict[tuple[int, int], list[int]]) -> list[Cluster]:
    """A voice's clusters from its notes, grouped by onset and offset."""
    times = sorted(groups)
    if times[0][0] < 0:
        times.sort(key=lambda time: f"{time[0]:0>10}_{time[1]:0>10}")
    rising = [max(onset, -1) for onset, _ in times]  # times below zero come first, but not in their order
    linked = []
    for index, time in enumerate(times):
        offset = time[1]
        after: list[int] = []
        first = None
        for place in range(bisect_left(rising, offset, index + 1), len(times)):
            onset = times[place][0]
            if onset == offset or (onset > offset and first in {None, onset}):
                first = onset if first is None else first
                after += groups[times[place]]
            elif onset > offset:
                break
        linked.append(Cluster(groups[time], after))
    return linked


def _connections(
    reference: Sequence[Note],
    leads: Sequence[Sequence[int]],
    estimate: Sequence[Note],
    partner: dict[int, int],
    tolerance: int,
) -> tuple[float, list[int]]:
    """The F-measure of the matched notes' connections, each note's weighed as one and each cluster's as one; and the
    notes whose values count: those that lead to a note of the reference's whole voice, or end theirs as they should."""
    right = wrong = missed = 0.0
    checked = []
    matched_leads = {
        number: cluster.after for cluster in clusters(reference, partner.values()) for number in cluster.notes
    }
    for cluster in clusters(estimate, partner):
        after = [estimate[number] for number in cluster.after]
        known: dict[int, int] = {}  # hits by the list that is expected: most notes of a cluster share it
        for number in cluster.notes:
            expected, whole = matched_leads[partner[number]], leads[partner[number]]
            for each in (expected, whole):
                if id(each) not in known:
                    known[id(each)] = _hits(after, [reference[other] for other in each], tolerance)
            weight = (len(expected) + len(after)) / 2.0 * len(cluster.notes)
            if weight > 0:
                hits = known[id(expected)]
                right += hits / weight
                wrong += (len(after) - hits) / weight
                missed += (len(expected) - hits) / weight
            if known[id(whole)] or not (after or whole):
                checked.append(number)
    return f1(right, wrong, missed), checked


def _hits(notes: Sequence[Note], expected: list[Note], tolerance: int) -> int:
    """How many notes match, each taking the first of the expected that is left; takes them out."""
    hits = 0
    for pitch, onset, *_ in notes:
        for place, other in enumerate(expected):
            if pitch == other[0] and abs(onset - other[1]) <= tolerance:
                hits += 1
                del expected[place]
                break
    return hits


def _value(note: Note, expected: Note, tolerance: int) -> float:
    """How right the written duration is: 1, down to 0 where it is off by as much as it should be."""
    duration = expected.value_offset - expected.value_onset
    off = abs(note.value_offset - note.value_onset - duration)
    if off <= tolerance:
        return 1.0
    return max(0.0, 1.0 - off / duration) if duration else 0.0
