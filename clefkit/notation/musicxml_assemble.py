"""What the parts of a MusicXML file say, laid on one line of time."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

from clefkit.notation.model import Clef, Dynamic, Fermata, Key, Measure, Part, Pedal, Score, Swing, Tempo, Text, Wedge
from clefkit.notation.musicxml_barlines import extend
from clefkit.notation.musicxml_directions import WORD
from clefkit.notation.musicxml_part import Found, Share


def assemble(parts: list[Part], found: Found) -> Score:
    """Lay the measures end to end and move everything in them to its place."""
    extend(found.measures, found.open_endings)
    line = _Line(found)
    _place(found, line)
    score = Score(parts, found.measures, found.notes, slurs=found.slurs)
    score.tempos = _tempos(found, line)
    score.keys = _keys(found, line)
    score.dynamics = sorted(Dynamic(line.at(m, at, part), part, mark) for m, at, part, mark in found.dynamics)
    score.texts = sorted(Text(line.at(m, at, part), part, text) for m, at, part, text in found.texts)
    score.clefs = [Clef(line.at(m, at, rest[0]), *rest) for m, at, rest in found.clefs]
    score.clefs.sort(key=lambda clef: clef.onset)
    score.fermatas = _fermatas(found, line)
    swings = {line.plain(m, at): (unit, long) for m, at, unit, long in found.swings}
    score.swings = [Swing(onset, *swings[onset]) for onset in sorted(swings)]
    score.pedals = [Pedal(line.at(m, at, part), part, m, kind) for m, at, part, kind in found.pedals]
    score.pedals.sort(key=lambda pedal: pedal.onset)
    wedges = [
        Wedge(line.at(*begin, part), line.at(*end, part), part, grows) for begin, end, part, grows in found.wedges
    ]
    score.wedges = sorted(wedge for wedge in wedges if wedge.end > wedge.onset)
    return score


class _Line:
    """The line of time: where the measures start, ticks.

    stretches: (measure, part) -> by how much its content is longer than written: when one part has 2/4 and another 6/8,
        both full, their bar lines are together, so a quarter of the one lasts as long as three eighths of the other
    """

    def __init__(self, found: Found) -> None:
        self.quarters = found.quarters
        self.starts: list[int] = []
        self.stretches: dict[tuple[int, int], Fraction] = {}
        onset = 0
        for measure, written, shares in zip(found.measures, found.lengths, found.shares, strict=True):
            self._meter(measure, written, shares)
            length = written or found.ticks(Fraction(4 * measure.time[0], measure.time[1]))
            measure.onset, measure.length = self.quarters[onset], self.quarters[length]
            self.starts.append(onset)
            onset += length

    def _meter(self, measure: Measure, length: int, shares: list[Share]) -> None:
        """The time signature of a measure is that of its longest part."""
        if not shares:
            return
        first = shares[0].time
        if all(share.time == first for share in shares):
            measure.time = first
            return
        longest = max(shares, key=lambda share: (share.length, share.is_full))
        measure.time = longest.time
        if longest.is_full and longest.length == length:
            for share in shares:
                if share.is_full and share.length < length:
                    self.stretches[measure.index, share.part] = Fraction(length, share.length)

    def plain(self, measure: int, place: int) -> Fraction:
        """Quarters from the start of the score, for what belongs to no part."""
        return self.quarters[self.starts[measure] + place]

    def at(self, measure: int, place: int, part: int) -> Fraction:
        """Quarters from the start of the score."""
        stretch = self.stretches.get((measure, part)) if self.stretches else None
        if stretch is not None:
            return self.quarters[self.starts[measure]] + self.quarters[place] * stretch
        return self.quarters[self.starts[measure] + place]


def _place(found: Found, line: _Line) -> None:
    """Give the notes their onsets."""
    quarters, starts = found.quarters, line.starts
    for note, at in zip(found.notes, found.onsets, strict=True):
        note.onset = quarters[starts[note.measure] + at]
        if line.stretches:
            note.onset = line.at(note.measure, at, note.part)
            note.duration *= line.stretches.get((note.measure, note.part), 1)


def _fermatas(found: Found, line: _Line) -> list[Fermata]:
    ends = [measure.onset + measure.length for measure in found.measures]
    over_bars = {
        Fermata(ends[m] if at is None else line.at(m, at, part), Fraction(0), part)
        for m, at, part in found.bar_fermatas
    }
    over_notes = {
        Fermata(line.at(m, at, part), line.at(m, at + duration, part) - line.at(m, at, part), part)
        for m, at, duration, part in found.fermatas
    }
    return sorted(over_bars | over_notes)


def _keys(found: Found, line: _Line) -> list[Key]:
    """What most parts have at each place where any changes: horns and timpani are often written without a key."""
    changes = sorted((line.at(m, at, part), part, fifths, mode) for m, at, part, fifths, mode in found.keys)
    places = {onset: index for index, (onset, *_) in enumerate(changes)}  # the last change at each onset
    current: dict[int, tuple[int, str]] = {}
    keys: list[Key] = []
    for index, (onset, part, fifths, mode) in enumerate(changes):
        current[part] = (fifths, mode)
        if places[onset] == index:
            most = Counter(found_fifths for found_fifths, _ in current.values()).most_common(1)[0][0]
            key = next(Key(onset, *each) for each in current.values() if each[0] == most)
            if not keys or keys[-1][1:] != key[1:]:
                keys.append(key)
    return keys


def _tempos(found: Found, line: _Line) -> list[Tempo]:
    """One tempo for each onset: playback tempo before metronome mark. Words count only when there are no numbers."""
    numbers = any(rank > WORD for _, _, rank, _ in found.tempos)
    best: dict[Fraction, tuple[int, float]] = {}
    for measure, at, rank, value in found.tempos:
        onset = line.plain(measure, at)
        if (rank > WORD or not numbers) and (onset not in best or rank > best[onset][0]):
            best[onset] = (rank, value)
    return [Tempo(onset, best[onset][1]) for onset in sorted(best)]
