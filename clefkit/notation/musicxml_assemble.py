"""What the parts of a MusicXML file say, laid on one line of time."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

from clefkit.notation.model import Clef, Dynamic, Fermata, Key, Part, Pedal, Score, Swing, Tempo, Text, Wedge
from clefkit.notation.musicxml_barlines import extend
from clefkit.notation.musicxml_directions import WORD
from clefkit.notation.musicxml_part import Found


def assemble(parts: list[Part], found: Found) -> Score:
    """Lay the measures end to end and move everything in them to its place."""
    extend(found.measures, found.open_endings)
    onset = Fraction(0)
    for measure in found.measures:
        if measure.length == 0:
            measure.length = Fraction(4 * measure.time[0], measure.time[1])
        measure.onset = onset
        onset += measure.length
    starts = [measure.onset for measure in found.measures]
    for note in found.notes:
        note.onset += starts[note.measure]
    score = Score(parts, found.measures, found.notes, slurs=found.slurs)
    score.tempos = _tempos(found, starts)
    score.keys = _keys(found, starts)
    score.dynamics = sorted(Dynamic(starts[m] + at, part, mark) for m, at, part, mark in found.dynamics)
    score.texts = sorted(Text(starts[m] + at, part, text) for m, at, part, text in found.texts)
    score.clefs = [Clef(starts[m] + at, *rest) for m, at, rest in found.clefs]
    score.clefs.sort(key=lambda clef: clef.onset)
    score.fermatas = _fermatas(found, starts)
    swings = {starts[m] + at: (unit, long) for m, at, unit, long in found.swings}
    score.swings = [Swing(onset, *swings[onset]) for onset in sorted(swings)]
    score.pedals = [Pedal(starts[m] + at, part, m, kind) for m, at, part, kind in found.pedals]
    score.pedals.sort(key=lambda pedal: pedal.onset)
    score.wedges = sorted(
        Wedge(starts[m] + at, starts[end_m] + end_at, part, grows)
        for (m, at), (end_m, end_at), part, grows in found.wedges
        if starts[end_m] + end_at > starts[m] + at
    )
    return score


def _fermatas(found: Found, starts: list[Fraction]) -> list[Fermata]:
    lengths = [measure.length for measure in found.measures]
    over_bars = {
        Fermata(starts[m] + (lengths[m] if at is None else at), Fraction(0), part) for m, at, part in found.bar_fermatas
    }
    return sorted(over_bars | {Fermata(starts[m] + at, duration, part) for m, at, duration, part in found.fermatas})


def _keys(found: Found, starts: list[Fraction]) -> list[Key]:
    """What most parts have at each place where any changes: horns and timpani are often written without a key."""
    changes = sorted((starts[m] + at, part, fifths, mode) for m, at, part, fifths, mode in found.keys)
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


def _tempos(found: Found, starts: list[Fraction]) -> list[Tempo]:
    """One tempo for each onset: playback tempo before metronome mark. Words count only when there are no numbers."""
    numbers = any(rank > WORD for _, _, rank, _ in found.tempos)
    best: dict[Fraction, tuple[int, float]] = {}
    for measure, at, rank, value in found.tempos:
        onset = starts[measure] + at
        if (rank > WORD or not numbers) and (onset not in best or rank > best[onset][0]):
            best[onset] = (rank, value)
    return [Tempo(onset, best[onset][1]) for onset in sorted(best)]
