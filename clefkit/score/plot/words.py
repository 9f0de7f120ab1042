"""Text for XML and HTML: file names and part names are anybody's, so nothing in them may be markup or invalid."""

from __future__ import annotations

import html
import math
import re

# What XML 1.0 has no way to say. Halves of surrogates stand for bytes of file names that are no UTF-8.
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
BROKEN = re.compile("[\ud800-\udfff]")
NOTHING = "\N{EN DASH}"
FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif"


def clean(text: str) -> str:
    """The text without line ends, control characters and marks that turn the direction of writing; escaped."""
    return html.escape(CONTROLS.sub("", BROKEN.sub("\N{REPLACEMENT CHARACTER}", " ".join(text.split()))))


def short(text: str, most: int) -> str:
    """At most so many characters: what is too long loses its middle."""
    half = (most - 1) // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"


def label(measure: str) -> str:
    """note_offset_f1 -> note offset F1"""
    return re.sub(r"\bf1\b", "F1", measure.replace("_", " "))


def figure(value: float) -> str:
    """A whole number as such, anything else with three decimals; a dash for what is no number."""
    if not math.isfinite(value):
        return NOTHING
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
