"""`Score` to MusicXML, partwise, at concert pitch: pitches and keys as they sound, no transposition.

After W3C, "MusicXML 4.0" (2021); the text is valid against its schema. One number of divisions holds for the whole
score. Ids are kept; one that is no XML id is adapted. What the format can't say: the order of playing of a **kern
expansion list (`Score.order`), unless repeat signs and jumps tell it too; write `played.unfolded(score)` instead.
"""

from __future__ import annotations

from collections.abc import Iterator

from clefkit.notation import layout, musicxml_write_events
from clefkit.notation.layout import Layout, Line
from clefkit.notation.model import Measure, Part, Score
from clefkit.notation.musicxml_write_events import Event, clean
from clefkit.notation.musicxml_write_notes import Names, PartNotes

MOST_DIVISIONS = 4_000_000
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
    '"http://www.musicxml.org/dtds/partwise.dtd">\n<score-partwise version="4.0">\n'
)
DRUM_CHANNEL = 10


def text(score: Score) -> str:
    """The MusicXML document of a score, to be stored as UTF-8."""
    page = layout.arrange(score, most_ticks=MOST_DIVISIONS)
    names = Names(score)
    events = musicxml_write_events.of_score(score, page)
    out = [HEAD, _titles(score), "<part-list>\n"]
    out += [_listed(part, names.parts[index], names.drums[index]) for index, part in enumerate(score.parts)]
    out.append("</part-list>\n")
    for index in range(len(score.parts)):
        out.append(f'<part id="{names.parts[index]}">\n')
        out += _measures(score, index, page, names, events[index])
        out.append("</part>\n")
    out.append("</score-partwise>\n")
    return "".join(out)


def _titles(score: Score) -> str:
    title = f"<work><work-title>{clean(score.title)}</work-title></work>\n" if score.title else ""
    composer = f'<creator type="composer">{clean(score.composer)}</creator>' if score.composer else ""
    return f"{title}<identification>{composer}<encoding><software>clefkit</software></encoding></identification>\n"


def _listed(part: Part, name: str, drums: dict[int, str]) -> str:
    """The part in the list of parts, with what plays it."""
    label = clean(part.name)
    short = f"<part-abbreviation>{clean(part.abbreviation)}</part-abbreviation>" if part.abbreviation else ""
    bank = f"<midi-bank>{part.bank + 1}</midi-bank>" if part.bank else ""
    program = f"<midi-program>{part.program + 1}</midi-program>" if part.program is not None else ""
    channel = DRUM_CHANNEL if drums else part.channel
    midi = (f"<midi-channel>{channel}</midi-channel>" if channel else "") + bank + program
    players = {f"{name}-I{drum + 1}": f"<midi-unpitched>{drum + 1}</midi-unpitched>" for drum in drums}
    if not players and midi:
        players = {f"{name}-I1": ""}
    instruments = "".join(
        f'<score-instrument id="{player}"><instrument-name>{label}</instrument-name></score-instrument>'
        for player in players
    )
    plays = "".join(
        f'<midi-instrument id="{player}">{midi}{drum}</midi-instrument>' for player, drum in players.items()
    )
    return f'<score-part id="{name}"><part-name>{label}</part-name>{short}{instruments}{plays}</score-part>\n'


def _measures(score: Score, index: int, page: Layout, names: Names, events: list[list[Event]]) -> Iterator[str]:
    part = score.parts[index]
    lines = page.lines[index]
    staves = max([part.staves, *(line.staff for measure in lines[:1] for line in measure)])
    notes = PartNotes(score, index, page, names, staves)
    changes = musicxml_write_events.attributes(score, index, page, staves)
    held = {fermata.onset for fermata in score.fermatas if fermata.part == index and not fermata.duration}
    time: tuple[int, int] | None = None
    for place, measure in enumerate(score.measures):
        implicit = ' implicit="yes"' if measure.implicit else ""
        yield f'<measure number="{clean(measure.number)}"{implicit}>\n'
        left = _left_barline(score, place, brackets=index == 0)
        attributes = [f"<divisions>{page.ticks}</divisions>"] if place == 0 else []
        signs = changes[place].get(0, musicxml_write_events.Signs())
        attributes.append(signs.key)
        if measure.time != time:
            time = measure.time
            attributes.append(f"<time><beats>{time[0]}</beats><beat-type>{time[1]}</beat-type></time>")
        if place == 0 and staves > 1:
            attributes.append(f"<staves>{staves}</staves>")
        attributes.append(signs.clefs)
        inside = "".join(attributes)
        yield left + (f"<attributes>{inside}</attributes>\n" if inside else "")
        notes.begin(place)
        yield from _voices(lines[place], page.lengths[place], notes, events[place], changes[place])
        edge = measure.onset + measure.length
        yield _right_barline(score, place, brackets=index == 0, held_bar=edge in held) + "</measure>\n"


def _voices(
    lines: list[Line],
    length: int,
    notes: PartNotes,
    events: list[Event],
    changes: dict[int, musicxml_write_events.Signs],
) -> Iterator[str]:
    """All voices of a measure one after the other; directions stand in the first, with an offset where need be."""
    waiting = {tick: signs for tick, signs in changes.items() if tick}
    now = 0
    for number, line in enumerate(lines):
        if now:
            yield f"<backup><duration>{now}</duration></backup>\n"
        now = 0
        own = _fitting(waiting, line) if waiting else {}
        following = iter(events if number == 0 else ())
        event = next(following, None)
        for head in line.heads:
            if head.onset in own:
                yield f"<attributes>{own.pop(head.onset).text}</attributes>\n"
            while event is not None and event.tick < head.onset + max(head.duration, 1):
                yield event.text(event.tick - now)
                event = next(following, None)
            yield notes.head(line, head)
            now += head.duration
        while event is not None:
            yield event.text(event.tick - now)
            event = next(following, None)
    for tick, signs in waiting.items():  # no voice has a note that begins there
        move = ("forward", tick - now) if tick > now else ("backup", now - tick)
        yield f"<{move[0]}><duration>{move[1]}</duration></{move[0]}>\n" if move[1] else ""
        yield f"<attributes>{signs.text}</attributes>\n"
        now = tick
    if now < length:
        yield f"<forward><duration>{length - now}</duration></forward>\n"


def _fitting(waiting: dict[int, musicxml_write_events.Signs], line: Line) -> dict[int, musicxml_write_events.Signs]:
    """Take the changes of key and clef that a note or rest of this line begins with."""
    onsets = {head.onset for head in line.heads}
    fitting = {tick: signs for tick, signs in waiting.items() if tick in onsets and signs.staff in (0, line.staff)}
    for tick in fitting:
        del waiting[tick]
    return fitting


def _left_barline(score: Score, place: int, *, brackets: bool) -> str:
    measure = score.measures[place]
    ending = ""
    if brackets and _opens(score, place):
        numbers = ", ".join(str(number) for number in sorted(measure.endings))
        ending = f'<ending number="{numbers}" type="start"/>'
    repeat = '<repeat direction="forward"/>' if measure.repeat_start else ""
    if not ending and not repeat:
        return ""
    style = "<bar-style>heavy-light</bar-style>" if repeat else ""
    return f'<barline location="left">{style}{ending}{repeat}</barline>\n'


def _opens(score: Score, place: int) -> bool:
    """Whether a bracket of an ending begins with this measure."""
    measure = score.measures[place]
    before: Measure | None = score.measures[place - 1] if place else None
    return bool(measure.endings) and (
        before is None or before.endings != measure.endings or before.repeat_times > 0 or measure.repeat_start
    )


def _closes(score: Score, place: int) -> bool:
    """Whether the bracket over this measure does not go on over the next."""
    return score.measures[place].endings != score.measures[place + 1].endings or _opens(score, place + 1)


def _right_barline(score: Score, place: int, *, brackets: bool, held_bar: bool) -> str:
    """The end of a measure. held_bar: a fermata stands over it"""
    measure = score.measures[place]
    last = place == len(score.measures) - 1
    ending = ""
    if brackets and measure.endings and (last or measure.repeat_times or _closes(score, place)):
        numbers = ", ".join(str(number) for number in sorted(measure.endings))
        ending = f'<ending number="{numbers}" type="stop"/>'
    times = f' times="{measure.repeat_times}"' if measure.repeat_times > 2 else ""
    repeat = f'<repeat direction="backward"{times}/>' if measure.repeat_times else ""
    held = '<fermata type="upright"/>' if held_bar else ""
    if not (ending or repeat or held or last):
        return ""
    style = "<bar-style>light-heavy</bar-style>" if repeat or last else ""
    return f'<barline location="right">{style}{held}{ending}{repeat}</barline>\n'
