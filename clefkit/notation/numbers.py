"""Numbers as score files write them, read without trusting their size."""

from __future__ import annotations

import re
from fractions import Fraction

TEMPO_RANGE = (5.0, 1200.0)  # quarters a minute; what lies outside is a slip of the pen
NUMBER = re.compile(r"\s*[+-]?\d{1,9}(\.\d{1,9})?\s*\Z", re.ASCII)


def number(text: str | None) -> Fraction | None:
    """A plain decimal number of at most nine digits on each side of the point, exactly, or None."""
    return Fraction(text.strip()) if text and NUMBER.match(text) else None


def whole(text: str | None) -> int | None:
    """A whole number (what stands behind a point is dropped), or None."""
    value = number(text)
    return None if value is None else int(value)
