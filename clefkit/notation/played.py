"""A score as it is played: each visit of a measure a measure of its own, no repeats, no jumps."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVar

from clefkit.notation.model import (
    Clef,
    Dynamic,
    Fermata,
    Key,
    Measure,
    Note,
    Pedal,
    Score,
    Slur,
    Swing,
    Tempo,
    Text,
    Wedge,
)
from clefkit.notation.unfold import Visit, visits

LEVELS = {"pppp", "ppp", "pp", "p", "mp", "mf", "f", "ff", "fff", "ffff"}  # marks that last
Placed = TypeVar("Placed", Tempo, Key, Swing, Clef, Dynamic, Text)


@dataclass(slots=True)
class _Way:
    """The way through a score. of: measure -> its visits; edges: where the measures begin as written."""

    score: Score
    visits: list[Visit]
    of: dict[int, list[Visit]]
    edges: list[Fraction]

    @property
    def is_straight(self) -> bool:
        """Whether each measure is played once, in the order of writing."""
        return len(self.visits) == len(self.edges) and not any(visit.leaps for visit in self.visits)

    def measure(self, onset: Fraction) -> int:
        """The measure in which a written time is."""
        return max(bisect_right(self.edges, onset) - 1, 0)


def unfolded(score: Score) -> Score:
    """The score with repeats, endings and jumps played out. Measure numbers stay.

    In the n-th visit of a measure the ids of its notes have "@n" behind them (n from 2). Ties, slurs, hairpins and
    pedals end at a jump; tempo, key, clefs, swing and dynamics are said again behind it when they were others before.
    Where there is no jump, the notes and all else but the measures are those of `score`, not copies.
    raises: InputError when that is more than 50,000 measures
    """
    way = _way(score)
    if way.is_straight:
        return replace(score, measures=_measures(way), order=None)
    played = Score(score.parts, _measures(way), _notes(way), score.title, score.composer)
    played.slurs = list(_slurs(way))
    played.texts = list(_moved(way, score.texts))
    played.fermatas = sorted(_fermatas(way))
    played.tempos = _in_force(way, score.tempos, lambda _: 0)
    played.keys = _in_force(way, score.keys, lambda _: 0)
    played.swings = _in_force(way, score.swings, lambda _: 0)
    played.clefs = _in_force(way, score.clefs, lambda clef: (clef.part, clef.staff))
    lasting = [dynamic for dynamic in score.dynamics if dynamic.mark in LEVELS]
    passing = [dynamic for dynamic in score.dynamics if dynamic.mark not in LEVELS]
    played.dynamics = sorted([*_in_force(way, lasting, lambda dynamic: dynamic.part), *_moved(way, passing)])
    played.wedges = sorted(_wedges(way))
    played.pedals = _pedals(way)
    return played


def _way(score: Score) -> _Way:
    order = visits(score)
    of: dict[int, list[Visit]] = defaultdict(list)
    for visit in order:
        of[visit.measure].append(visit)
    return _Way(score, order, of, [measure.onset for measure in score.measures])


def _measures(way: _Way) -> list[Measure]:
    return [
        Measure(old.number, index, old.onset + visit.shift, old.length, old.time, old.implicit)
        for index, visit in enumerate(way.visits)
        for old in (way.score.measures[visit.measure],)
    ]


def _notes(way: _Way) -> list[Note]:
    """The notes of each visit. A tie over a jump stays when both of its ends meet there."""
    content: dict[int, list[Note]] = defaultdict(list)
    for note in way.score.notes:
        content[note.measure].append(note)
    found: list[Note] = []
    before: list[Note] = []
    for index, visit in enumerate(way.visits):
        turn = visit.name("")
        notes = [
            Note(
                old.id + turn, old.part, index, old.onset + visit.shift if visit.shift else old.onset,
                old.duration, old.pitch, old.step, old.voice, old.staff, old.tie_start, old.tie_stop, old.chord,
                old.grace, old.marks, old.velocity,
            )
            for old in content[visit.measure]
        ]  # fmt: skip
        if visit.leaps:
            _mend_ties(before, notes, way.score.measures[visit.measure].onset + visit.shift)
        found += notes
        before = notes
    return found


def _mend_ties(before: list[Note], after: list[Note], edge: Fraction) -> None:
    starts = [note for note in before if note.tie_start and note.onset + note.duration >= edge]
    stops = [note for note in after if note.tie_stop and note.onset == edge]
    starting, stopping = {(n.part, n.pitch) for n in starts}, {(n.part, n.pitch) for n in stops}
    for note in starts:
        note.tie_start = (note.part, note.pitch) in stopping
    for note in stops:
        note.tie_stop = (note.part, note.pitch) in starting


def _slurs(way: _Way) -> Iterator[Slur]:
    """Each slur in each run of visits that has both of its ends."""
    places = {note.id: note.measure for note in way.score.notes} if way.score.slurs else {}
    for slur in way.score.slurs:
        ends = {visit.run: visit for visit in way.of[places[slur.last]]}
        for visit in way.of[places[slur.first]]:
            if visit.run in ends:
                yield Slur(visit.name(slur.first), ends[visit.run].name(slur.last))


def _moved(way: _Way, events: list[Placed]) -> Iterator[Placed]:
    """Events that count for the place where they stand, sorted by onset."""
    content: dict[int, list[Placed]] = defaultdict(list)
    for event in events:
        content[way.measure(event.onset)].append(event)
    for visit in way.visits:
        for event in content[visit.measure]:
            yield _at(event, event.onset + visit.shift)


def _at(event: Placed, onset: Fraction) -> Placed:
    return event._replace(onset=onset)


def _in_force(way: _Way, events: list[Placed], owner: Callable[[Placed], object]) -> list[Placed]:
    """Events that count until the next one of the same owner: behind a jump, those that are others now are said."""
    content: dict[int, list[Placed]] = defaultdict(list)
    before: list[dict[object, Placed]] = []
    state: dict[object, Placed] = {}
    for event in events:
        content[way.measure(event.onset)].append(event)
    for place in range(len(way.score.measures)):
        before.append(dict(state))
        state |= {owner(event): event for event in content[place]}
    found: list[Placed] = []
    now: dict[object, Placed] = {}
    for visit in way.visits:
        start = way.edges[visit.measure]
        here = content[visit.measure]
        said = {owner(event) for event in here if event.onset == start}
        for name, event in before[visit.measure].items() if visit.leaps else ():
            if name not in said and (name not in now or now[name][1:] != event[1:]):
                found.append(_at(event, start + visit.shift))
                now[name] = event
        for event in here:
            found.append(_at(event, event.onset + visit.shift))
            now[owner(event)] = event
    return found


def _fermatas(way: _Way) -> Iterator[Fermata]:
    """One over a bar line belongs to the measure before it."""
    for fermata in way.score.fermatas:
        place = way.measure(fermata.onset)
        if not fermata.duration and place and fermata.onset == way.edges[place]:
            place -= 1
        for visit in way.of[place]:
            yield fermata._replace(onset=fermata.onset + visit.shift)


def _wedges(way: _Way) -> Iterator[Wedge]:
    """Each hairpin until its end or the next jump."""
    last = {visit.run: visit for visit in way.visits}
    for wedge in way.score.wedges:
        for visit in way.of[way.measure(wedge.onset)]:
            end = last[visit.run].measure
            edge = way.edges[end] + way.score.measures[end].length
            yield wedge._replace(onset=wedge.onset + visit.shift, end=min(wedge.end, edge) + visit.shift)


def _pedals(way: _Way) -> list[Pedal]:
    """Pedals, with those that are down lifted at each jump."""
    content: dict[int, list[Pedal]] = defaultdict(list)
    for pedal in way.score.pedals:
        content[pedal.measure].append(pedal)
    found: list[Pedal] = []
    down: set[int] = set()
    for index, visit in enumerate(way.visits):
        if visit.leaps and index:
            edge = way.edges[visit.measure] + visit.shift
            found += [Pedal(edge, part, index - 1, "up") for part in sorted(down)]
            down.clear()
        for pedal in content[visit.measure]:
            found.append(pedal._replace(onset=pedal.onset + visit.shift, measure=index))
            if pedal.kind == "up":
                down.discard(pedal.part)
            else:
                down.add(pedal.part)
    return found
