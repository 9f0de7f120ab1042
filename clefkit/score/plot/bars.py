"""The notes of one system: where they are, their form, and what is told to whoever points at them."""

from __future__ import annotations

from typing import NamedTuple

from clefkit.score.plot.words import clean

THICKNESS = 0.8  # of a semitone
NARROWEST = 1.2  # pixels
NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")


class Scale(NamedTuple):
    """low, high: MIDI numbers at the edges of a system; semitone, second: in pixels
    begin, seconds: when the system begins, how long it is
    """

    low: int
    high: int
    semitone: float
    second: float
    seconds: int
    begin: int = 0

    @property
    def height(self) -> float:
        return (self.high - self.low) * self.semitone

    def x(self, time_s: float) -> float:
        return (time_s - self.begin) * self.second

    def y(self, pitch: float) -> float:
        return (self.high - pitch) * self.semitone


class Note(NamedTuple):
    """onset, offset: seconds; part: its name, "" where there is one alone"""

    onset: float
    offset: float
    pitch: float
    velocity: int
    part: str

    @property
    def told(self) -> str:
        onset, offset = (round(time_s, 3) + 0.0 for time_s in (self.onset, self.offset))  # + 0.0: no -0.000
        return f"{onset:.3f} to {offset:.3f} s, velocity {self.velocity}{self.part and ', '}{self.part}"


def draw(kind: str, scale: Scale, reference: Note | None, estimate: Note | None) -> str:
    """One note, or a pair, as SVG. kind: hit, missed, false, octave; the note that it doesn't have is None."""
    shapes, told = [], [_headline(kind, reference, estimate)]
    if reference:
        told.append(f"reference {reference.told}")
    if estimate:
        told.append(f"estimate {estimate.told}")
        shapes.append(_bar(scale, estimate))
    if reference and kind != "octave":  # what an octave error misses is drawn as missed
        shapes.append(_bar(scale, reference, ' class="r"'))
    if estimate and estimate.onset >= scale.begin:
        x, y = scale.x(estimate.onset), scale.y(estimate.pitch)
        if kind == "false":
            shapes.append(f'<use href="#cross" x="{x + 2:.1f}" y="{y:.1f}"/>')
        if kind == "octave" and reference:
            shapes.append(f'<path d="M{x:.1f} {y:.1f}L{scale.x(reference.onset):.1f} {scale.y(reference.pitch):.1f}"/>')
    lines = "\n".join(clean(line) for line in told)
    return f"<g><title>{lines}</title>{''.join(shapes)}</g>\n"


def name(pitch: float) -> str:
    """60 -> C4, 60.31 -> C4 +31 cents"""
    nearest = round(pitch)
    cents = round(100 * (pitch - nearest))
    return f"{NAMES[nearest % 12]}{nearest // 12 - 1}" + (f" {cents:+d} cents" if cents else "")


def _headline(kind: str, reference: Note | None, estimate: Note | None) -> str:
    if reference and estimate:
        late_ms = round(1000 * (estimate.onset - reference.onset))
        when = f"{abs(late_ms)} ms {'late' if late_ms > 0 else 'early'}" if late_ms else "on time"
        octaves = round((estimate.pitch - reference.pitch) / 12)
        if octaves:
            kind = f"{abs(octaves)} octave{'s' * (abs(octaves) > 1)} too {'high' if octaves > 0 else 'low'}"
        return f"{name(estimate.pitch)}: {kind}, {when}"
    return " ".join(f"{name(note.pitch)}: {kind}" for note in (reference, estimate) if note)


def _bar(scale: Scale, note: Note, attributes: str = "") -> str:
    """A rectangle, as far as it lies in the system; nothing when it doesn't."""
    if note.onset > scale.begin + scale.seconds or (note.offset <= scale.begin and note.onset < scale.begin):
        return ""
    left = max(0.0, scale.x(note.onset))
    width = max(min(scale.second * scale.seconds, scale.x(note.offset)) - left, NARROWEST)
    top = scale.y(note.pitch) - THICKNESS / 2 * scale.semitone
    height = THICKNESS * scale.semitone
    return f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"{attributes}/>'
