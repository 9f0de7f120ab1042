"""How the file of a part is called: "1-violin"."""

from __future__ import annotations

import re
import unicodedata

from clefkit.notes import Part

LONGEST_NAME = 40


def label(number: int, part: Part) -> str:
    """A name for files: "1-violin". A part without a name we can write has that of its General MIDI instrument."""
    return f"{number}-{plain(part.name) or ('drums' if part.drums else plain(_instrument(part.program)))}"


def plain(name: str) -> str:
    """The letters and digits of a name, without accents, with hyphens between words."""
    letters = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", letters)[:LONGEST_NAME].strip("-")


def _instrument(program: int) -> str:
    import pretty_midi

    return str(pretty_midi.program_to_instrument_name(program))
