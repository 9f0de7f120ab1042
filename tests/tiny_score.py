"""Tiny MusicXML scores, put together from pieces of text."""

from __future__ import annotations

from pathlib import Path

from clefkit import notation
from clefkit.notation.model import Score

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
FORWARD = '<barline location="left"><repeat direction="forward"/></barline>'
BACKWARD = '<barline location="right"><repeat direction="backward"/></barline>'


def note(step: str, octave: int, duration: int, inside: str = "", *, alter: float = 0, after: str = "") -> str:
    """A <note>. inside: elements before the pitch (chord, grace); after: elements behind the duration."""
    pitch = f"<pitch><step>{step}</step><alter>{alter}</alter><octave>{octave}</octave></pitch>"
    length = f"<duration>{duration}</duration>" if duration else ""
    return f"<note>{inside}{pitch}{length}{after}</note>"


def rest(duration: int) -> str:
    return f"<note><rest/><duration>{duration}</duration></note>"


def tie(*kinds: str) -> str:
    return "".join(f'<tie type="{kind}"/>' for kind in kinds)


def direction(kind: str, sound: str = "") -> str:
    return f"<direction><direction-type>{kind}</direction-type>{sound}</direction>"


def ending(number: str, *, repeat: bool = False) -> tuple[str, str]:
    """The barlines around one measure under a bracket."""
    sign = '<repeat direction="backward"/>' if repeat else ""
    left = f'<barline location="left"><ending number="{number}" type="start"/></barline>'
    return left, f'<barline location="right"><ending number="{number}" type="stop"/>{sign}</barline>'


def xml(*measures: str, part: str = "<part-name>Piano</part-name>", attributes: str = "", others: str = "") -> str:
    """A partwise score of one part, 4/4, two divisions a quarter."""
    first = f"<attributes><divisions>2</divisions>{attributes}</attributes>"
    content = "".join(
        f'<measure number="{number}">{first if number == 1 else ""}{measure}</measure>'
        for number, measure in enumerate(measures, 1)
    )
    listed = f'<part-list><score-part id="P1">{part}</score-part></part-list>'
    return f'{HEAD}<score-partwise version="4.0">{listed}<part id="P1">{content}</part>{others}</score-partwise>'


def read(folder: Path, text: str) -> Score:
    path = folder / "score.musicxml"
    path.write_text(text, encoding="utf-8")
    return notation.read(path)
