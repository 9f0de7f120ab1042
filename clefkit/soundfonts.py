"""The soundfonts that one meets: under which licence, of which descent, and whether training data is drawn from them.

Descent matters for honest tests: fonts of one descent share recordings, so what was trained on one is not tested by the
other. That two of them sound different is no proof (measured on their sample tables: `clefkit.render.sf2`).
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Known(NamedTuple):
    """A soundfont that we know by its name.

    licence: SPDX; origin: fonts with the same one share recordings; drawn: whether `--timbre random` draws from it
    """

    name: re.Pattern[str]
    licence: str
    origin: str
    drawn: bool


KNOWN = (
    Known(re.compile(r"FluidR3_?(GM|GS|Mono)", re.IGNORECASE), "MIT", "Fluid", drawn=True),
    Known(re.compile(r"MuseScore_General", re.IGNORECASE), "MIT AND CC0-1.0", "Fluid", drawn=True),
    # Its voices are those of a sound chip: nobody's idea of another violin.
    Known(re.compile(r"OPL-?3", re.IGNORECASE), "CC-BY-SA-4.0", "OPL3", drawn=False),
    # The fallback that every machine has, kept out of training so that models can be tested on it.
    Known(re.compile(r"TimGM6mb", re.IGNORECASE), "GPL-2.0-only", "Tim", drawn=False),
    Known(re.compile(r"sf_GMbank", re.IGNORECASE), "LGPL-2.1-or-later", "Tim", drawn=False),
)


def known(name: str) -> Known | None:
    """What we know of a soundfont by its name, without folder and suffix; None of a user's own."""
    return next((each for each in KNOWN if each.name.match(name)), None)


def is_drawn(name: str) -> bool:
    """Whether `--timbre random` draws from a soundfont of that name: all, but those that we know better of."""
    found = known(name)
    return found is None or found.drawn
