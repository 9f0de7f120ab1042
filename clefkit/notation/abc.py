"""ABC tunes to `Score`: the tunes of a book one after the other, each a movement whose measures count from 1.

After "The abc music standard 2.1" (abcnotation.com, 2011). Chord symbols and words are not played. An accidental holds
for its letter in all octaves until the next bar, as the standard has it. A part is the n-th voice of every tune.
"""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from clefkit.errors import InputError
from clefkit.notation import abc_fields as fields
from clefkit.notation import words
from clefkit.notation.abc_voice import CODE, MOST_NOTES, Tune, Voice
from clefkit.notation.kern import text_of
from clefkit.notation.model import Dynamic, Fermata, Key, Measure, Part, Score, Slur, Tempo, Text, Wedge
from clefkit.notation.unfold import MOST_MEASURES, walk

FIELD = re.compile(r"([A-Za-z+]):(?![|:\]])(.*)")
MIDI = re.compile(r"(?:%%|I:)\s*MIDI\s+(program|transpose)\s+(?:\d+\s+(?=\d))?(-?\d{1,3})\b")
SYMBOL = re.compile(r"\s*([H-Wh-w~])\s*=\s*[!+]([^!+]*)[!+]")
MOST_VOICES = 64
VOICE = re.compile(r"\s*([^\s\]]{1,40})(.*)")


def read(path: Path) -> Score:
    """Read an ABC file in UTF-8, or in Latin-1 when it is not UTF-8.

    raises: InputError when it is missing, holds no tune, or is past a limit (64 MiB, a million notes)
    """
    return parse(text_of(path))


def parse(text: str) -> Score:
    """Read ABC from a string.

    raises: InputError as `read`
    """
    book = _Book()
    header, tunes = _split(text.replace("\r\n", "\n").replace("\r", "\n"))
    for lines in tunes:
        book.add(_TuneReader(header, lines, len(book.parts)))
    if not book.score.notes:
        raise InputError("no tune with notes in this file: an ABC tune begins with X: and its notes stand behind K:")
    if any(names for _, names in book.sections):
        book.score.order = book.order()
    return book.score


def _split(text: str) -> tuple[list[str], list[list[str]]]:
    """The lines before the first tune, and those of each tune, which an empty line ends."""
    header: list[str] = []
    tunes: list[list[str]] = []
    inside = False
    for line in text.split("\n"):
        if re.match(r"X:(?![|:])", line):
            tunes.append([])
            inside = True
        elif not line.strip():
            inside = inside and not any(item.startswith("K:") for item in tunes[-1])
        if inside:
            tunes[-1].append(line)
        elif not tunes:
            header.append(line)
    if not tunes and any(line.startswith("K:") for line in header):
        return [], [header]
    return [line for line in header if FIELD.match(line) or MIDI.match(line)], tunes


class _TuneReader:
    """One tune: its header, then its voices line by line."""

    def __init__(self, header: list[str], lines: list[str], known: int) -> None:
        self.tune = Tune()
        self.settings = fields.Settings()
        self.symbols: dict[str, str] = {}
        self.voices: dict[str, Voice] = {}
        self.names: dict[str, str] = {}
        self.described: dict[str, str] = {}
        self.programs: dict[str, int] = {}  # of voices; "" of all that have none
        self.voice_now = "1"
        self.described_last = ""
        self.speed = ""  # of the header, until the key ends it: an old one counts in units
        self.title = self.composer = ""
        self.known = known
        body = False
        for line in [*header, *lines]:
            body = self._line(line, body=body)
        for voice in self.voices.values():
            voice.finish()

    def _line(self, line: str, *, body: bool) -> bool:
        """returns: whether the body has begun"""
        directive, found = MIDI.match(line), FIELD.match(line)
        if directive:
            self._midi(directive[1], int(directive[2]), self.voice_now if body else self.described_last)
        elif line.startswith("%"):
            pass
        elif found:
            self._field(found[1], found[2].split("%")[0] if found[1] != "Q" else found[2], body=body)
            body = body or found[1] == "K"
        elif body:
            self._music(line)
        return body

    def _voice(self) -> Voice:
        name = self.voice_now
        if name not in self.voices:
            if len(self.voices) >= MOST_VOICES:
                raise InputError(f"a tune of more than {MOST_VOICES} voices, more than we read")
            settings = self.settings.copy()
            fields.clef(self.described.get(name, ""), settings)
            number = len(self.voices)
            self.voices[name] = Voice(self.tune, number, settings, self.symbols, f"P{number + 1}")
            if number == 0:
                self.tune.keys.append((0, Fraction(0), fields.sounding_key(settings), settings.mode))
        return self.voices[name]

    def _midi(self, what: str, number: int, voice: str) -> None:
        if what == "program" and 0 <= number <= 127:
            self.programs[voice] = number
        elif what == "transpose" and abs(number) <= 48:
            for settings in [self.settings, *(voice.settings for voice in self.voices.values())]:
                settings.midi = number

    def _field(self, name: str, text: str, *, body: bool) -> None:
        if name == "Q" and not body:
            self.speed = text
        elif name in "MLKQ":
            self._setting(name, text, self._voice() if body else None)
        elif name == "V":
            self._switch(text, body=body)
        elif name == "P" and body:
            self._voice().section(text.strip())
        elif name == "P":
            self.tune.played = fields.parts(text)
        elif name == "U":
            symbol = SYMBOL.match(text)
            if symbol:
                self.symbols[symbol[1]] = symbol[2]
        elif name == "T":
            self.title = self.title or fields.plain(text)
        elif name == "C":
            self.composer = self.composer or fields.plain(text)

    def _setting(self, name: str, text: str, voice: Voice | None) -> None:
        """Meter, unit length, key or tempo: of one voice, or in the header of all."""
        settings = self.settings if voice is None else voice.settings
        if name == "M":
            fields.meter(text, settings)
            if voice is not None:
                voice.new_meter()
        elif name == "L":
            fields.length(text, settings)
        elif name == "Q":
            self._speed(fields.speed(text, settings), voice)
        else:
            fields.key(text, settings)
            if voice is None and self.speed:
                self._speed(fields.speed(self.speed, settings), None)
                self.speed = ""
            if voice is not None and voice.part == 0:
                sharps = fields.sounding_key(settings)
                self.tune.keys.append((voice.place, voice.cursor, sharps, settings.mode))

    def _speed(self, speed: fields.Speed, voice: Voice | None) -> None:
        place, cursor = (0, Fraction(0)) if voice is None else (voice.place, voice.cursor)
        value = speed.quarters_per_minute or words.tempo(speed.words)
        if value is not None:
            self.tune.tempos.append((place, cursor, value))
        if speed.words:
            self.tune.texts.append((place, cursor, 0, speed.words))

    def _switch(self, text: str, *, body: bool) -> None:
        found = VOICE.match(text)
        if found is None:
            return
        name, more = found[1], found[2]
        self.names[name] = self.names.get(name) or fields.name(more)
        self.described[name] = self.described.get(name, "") + " " + more
        if body:
            self.voice_now = name
            fields.clef(more, self._voice().settings)
        else:
            self.described_last = name
        if not body and not self.described.get("1"):
            self.voice_now = name if len(self.described) == 1 else self.voice_now

    def _music(self, line: str) -> None:
        line = re.sub(r"(?<!\\)%.*", "", line)
        for found in CODE.finditer(line):
            inline = found["field"]
            if inline is None:
                self._voice().code(found)
            elif inline[1] in "MLKQVP":
                self._field(inline[1], inline[3:-1], body=True)


class _Book:
    """Lays tunes end to end."""

    def __init__(self) -> None:
        self.score = Score([], [], [])
        self.parts = self.score.parts
        self.end = Fraction(0)
        self.sections: list[tuple[dict[str, range], list[str]]] = []  # of each tune, and those that it plays

    def add(self, reader: _TuneReader) -> None:
        """Put a tune behind the others."""
        tune, score = reader.tune, self.score
        measures = [m for m in tune.measures if m.length or m.index < len(tune.measures) - 1]
        if not tune.notes or not measures:
            return
        if len(score.measures) + len(measures) > MOST_MEASURES or len(score.notes) + len(tune.notes) > MOST_NOTES:
            raise InputError(f"more than {MOST_MEASURES} measures or {MOST_NOTES} notes: cut the tune book in pieces")
        self._seat(reader)
        first = len(score.measures)
        starts = self._measures(measures, first)
        last = len(starts) - 1
        self._section(tune, first)

        def at(place: int, cursor: Fraction) -> Fraction:
            return starts[min(place, last)] + cursor

        for note in tune.notes:
            note.onset += starts[note.measure]
            note.measure += first
            note.id = f"{note.id}-m{first + 1}" if first else note.id
        tail = f"-m{first + 1}" if first else ""
        score.notes += tune.notes
        score.slurs += [Slur(one + tail, other + tail) for one, other in tune.slurs]
        score.keys += [Key(at(m, c), sharps, mode) for m, c, sharps, mode in tune.keys]
        tempos = {at(m, c): value for m, c, value in tune.tempos}
        score.tempos += [Tempo(onset, value) for onset, value in sorted(tempos.items())]
        score.texts += [Text(at(m, c), part, text) for m, c, part, text in tune.texts]
        score.dynamics += sorted(Dynamic(at(m, c), part, mark) for m, c, part, mark in tune.dynamics)
        score.fermatas += sorted(Fermata(at(m, c), duration, part) for m, c, duration, part in tune.fermatas)
        score.wedges += sorted(
            Wedge(at(m, c), at(end, end_c), part, grows)
            for m, c, end, end_c, part, grows in tune.wedges
            if at(end, end_c) > at(m, c)
        )
        if not score.title:
            score.title, score.composer = reader.title, reader.composer

    def _section(self, tune: Tune, first: int) -> None:
        """The sections of the tune that was laid down last, which begins at `first`; what has no name comes first.

        A tune that says no order, or one with names that it doesn't have, is one section.
        """
        end = len(self.score.measures)
        begins = sorted((first + place, name) for name, place in tune.sections.items() if first + place < end)
        edges = [first, *(place for place, _ in begins), end]
        names = ["", *(name for _, name in begins)]
        sections = {name: range(*edge) for name, edge in zip(names, pairwise(edges), strict=True)}
        follows = bool(tune.played) and sections.keys() >= set(tune.played)
        self.sections.append((sections, ["", *tune.played]) if follows else ({"": range(first, end)}, []))

    def order(self) -> list[int]:
        """The order of playing, as P: says it. In each section its own repeats are played.

        raises: InputError when that is more than 50,000 measures
        """
        order: list[int] = []
        for sections, names in self.sections:
            for name in names or sections:
                places = sections[name]
                order += walk(self.score.measures, places.start, places.stop, MOST_MEASURES - len(order))
        return order

    def _seat(self, reader: _TuneReader) -> None:
        """Parts for the voices of a tune; the first tune that names one gives the name."""
        for name, voice in reader.voices.items():
            if voice.part == len(self.parts):
                self.parts.append(Part(f"P{voice.part + 1}", transposition=voice.settings.shift))
                self.score.clefs.append(fields.as_clef(voice.settings, voice.part)._replace(onset=self.end))
            part = self.parts[voice.part]
            part.name = part.name or reader.names.get(name, "")
            part.program = (
                part.program if part.program is not None else reader.programs.get(name, reader.programs.get(""))
            )

    def _measures(self, measures: list[Measure], first: int) -> list[Fraction]:
        """Number the measures of a tune and put them behind the others. returns: where each begins"""
        before = self.score.measures[-1:]
        if before and before[0].number in ("0", "1"):  # too short to be told from what follows by its numbers
            measures[0].repeat_start = True
        starts = []
        number, left = 0, Fraction(0)  # what is missing from the last measure that a repeat sign or a pickup cut
        for place, measure in enumerate(measures):
            full = Fraction(4 * measure.time[0], measure.time[1])
            pickup = place == 0 and measure.length < full and len(measures) > 1
            measure.implicit = pickup or (0 < measure.length <= left)
            number += 0 if measure.implicit else 1
            left = full - measure.length if measure.length < full and not measure.implicit and number else Fraction(0)
            measure.number = str(number)
            measure.index = first + place
            measure.onset = self.end
            starts.append(self.end)
            self.end += measure.length
            self.score.measures.append(measure)
        return starts
