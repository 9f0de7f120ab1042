"""A piece moved into the time of another one by an alignment of their chords.

Between two paired chords time runs evenly; before the first and after the last pair as it does beside it.

As in the reference implementation bars, beats and sub beats are moved and then found once more from the moved tatums,
so that the estimate has all of them twice: even a meter without a fault gets no more than 2/3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.score.notation import mv2h_meter, mv2h_notes
from clefkit.score.notation.mv2h_meter import Grouping
from clefkit.score.notation.mv2h_music import Music, Note
from clefkit.score.notation.mv2h_paths import Pair

Times = NDArray[np.int64]


class Piece(NamedTuple):
    """Music as it is needed again and again.

    onsets: where its chords begin, ascending; chords: how many notes of each pitch they have
    times: all its times, ascending; places: where they stand among the chords, 1.5 for a time between numbers 1 and 2
    """

    music: Music
    groupings: list[Grouping]
    onsets: Times
    chords: list[Counter[int]]
    times: Times
    places: NDArray[np.float64]


def piece(music: Music) -> Piece:
    """The music with its notes, tatums and hierarchies in order."""
    found: dict[int, Counter[int]] = {}
    for note in music.notes:
        found.setdefault(note.value_onset, Counter())[note.pitch] += 1
    onsets = np.array(sorted(found), dtype=np.int64)
    unique = {hierarchy.time: hierarchy for hierarchy in [mv2h_meter.default(0), *music.hierarchies]}
    music = replace(
        music,
        notes=mv2h_notes.in_order(music.notes),
        tatums=sorted(set(music.tatums)),
        hierarchies=[unique[time] for time in sorted(unique)],
        keys=sorted(music.keys, key=lambda key: key.time),
        chords=sorted(music.chords, key=lambda chord: chord.time),
    )
    groupings = mv2h_meter.groupings(music.tatums, music.hierarchies)
    times = np.array(sorted({0, *music.times()}), dtype=np.int64)
    places = (np.searchsorted(onsets, times, "left") + np.searchsorted(onsets, times, "right") - 1) / 2
    return Piece(music, groupings, onsets, [found[onset] for onset in onsets.tolist()], times, places)


def moved(estimate: Piece, reference: Piece, pairs: Sequence[Pair]) -> tuple[Music, list[Grouping]]:
    """The estimate in the reference's time, and its groupings.

    pairs: an alignment, as `mv2h_paths` has them
    """
    to = dict(zip(estimate.times.tolist(), _moved(estimate, reference, pairs).tolist(), strict=True))
    music = estimate.music
    moved = Music(
        notes=[Note(pitch, to[on], to[start], to[end], voice) for pitch, on, start, end, voice in music.notes],
        tatums=[to[time] for time in music.tatums],
        hierarchies=[mv2h_meter.default(to[0]), *(each._replace(time=to[each.time]) for each in music.hierarchies)],
        keys=[key._replace(time=to[key.time]) for key in music.keys],
        chords=[chord._replace(time=to[chord.time]) for chord in music.chords],
    )
    groupings = [(to[end], to[begin]) for end, begin in estimate.groupings]
    return moved, groupings + mv2h_meter.groupings(moved.tatums, moved.hierarchies)


def _moved(estimate: Piece, reference: Piece, pairs: Sequence[Pair]) -> Times:
    """The estimate's times, moved."""
    expected, found = np.array(pairs, dtype=np.int64).T
    expected_ms, found_ms = reference.onsets[expected], estimate.onsets[found]
    if len(pairs) == 1:
        return np.asarray(estimate.times - found_ms[0] + expected_ms[0])
    first = np.clip(np.searchsorted(found, estimate.places) - 1, 0, len(pairs) - 2)
    rate = np.diff(expected_ms) / np.diff(found_ms)
    exact = rate[first] * (estimate.times - found_ms[first]) + expected_ms[first]
    whole = np.floor(exact)
    return np.asarray(whole + (exact - whole >= 0.5), dtype=np.int64)
