"""One piano roll: a complete SVG with everything in it, for a browser, a printer, or a page."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.notes import Notes
from clefkit.score.plot import bars, systems
from clefkit.score.plot.bars import Note, Scale
from clefkit.score.plot.style import MARKS, SAMPLES, STYLE
from clefkit.score.plot.systems import LENGTHS_S, MOST_DRAWN, Systems
from clefkit.score.plot.words import clean, figure, label, short

if TYPE_CHECKING:
    from clefkit.score.notes.labels import Labels

WIDTH, LEFT, RIGHT = 1200, 44, 28
ROLL = WIDTH - LEFT - RIGHT
AXIS, GAP, LINE = 24, 18, 20  # pixels: the times below a system, between systems, a line of text
HEIGHT, THINNEST, THICKEST = 320, 2.0, 9.0  # pixels: of a system where possible, of a semitone
MARGIN = 2  # semitones
BLACK = (1, 3, 6, 8, 10)
LEGEND = {"hit": "hit", "missed": "missed", "false": "false", "octave": "octaves off"}


class Items(NamedTuple):
    """What is drawn: pairs, and notes that are alone. All (items,).

    kind: as in LEGEND; reference, estimate: the index of the note, -1 where there is none; start, end: seconds
    """

    kind: NDArray[np.str_]
    reference: NDArray[np.int64]
    estimate: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]


def roll(reference: Notes, estimate: Notes, labels: Labels, title: str, figures: dict[str, float]) -> str:
    """The piano roll of an estimate and its reference, as SVG.

    reference, estimate: times within a million seconds, pitches as `score.compare` takes them
    labels: what each note is, in the order of the notes; `pairs` are hits, and octave errors with what they miss
    title: the name of the file; figures: measure -> value, told in this order
    """
    items = _items(reference, estimate, labels)
    header, y = _header(reference, estimate, items, title, figures)
    if len(items.kind) == 0:
        return _document(title, y, "", header)
    rows = systems.choose(items.start, items.end, items.kind != "hit")
    scale = _scale(np.concatenate([reference.pitch, estimate.pitch]), rows.seconds)
    before, body = rows.first.min() - 1, []
    for system in rows.shown.tolist():
        text, y = _left_out(rows, before, system, y)
        body += [text, f'<g class="system" transform="translate({LEFT} {y:.1f})">\n<use href="#grid"/>\n']
        here = scale._replace(begin=system * rows.seconds)
        body += [_times(here), *_bars(reference, estimate, items, rows.within(system), here), "</g>\n"]
        before, y = system, y + scale.height + AXIS + GAP
    text, y = _left_out(rows, before, int(rows.last.max()) + 1, y)
    return _document(title, y, _grid(scale), header + "".join(body) + text)


def _items(reference: Notes, estimate: Notes, labels: Labels) -> Items:
    missed = np.flatnonzero(labels.reference == "missed")
    partner = np.full(len(estimate), -1)
    partner[labels.pairs[:, 1]] = labels.pairs[:, 0]
    kind = np.concatenate([labels.estimate, labels.reference[missed]])
    left = np.concatenate([partner, missed])
    right = np.concatenate([np.arange(len(estimate)), np.full(len(missed), -1)])
    start = np.concatenate([estimate.onset, reference.onset[missed]])
    end = np.concatenate([estimate.offset, reference.offset[missed]])
    hit = np.flatnonzero(kind == "hit")
    start[hit] = np.minimum(start[hit], reference.onset[left[hit]])
    end[hit] = np.maximum(end[hit], reference.offset[left[hit]])
    return Items(kind, left, right, start, end)


def _scale(pitch: NDArray[np.float64], seconds: int) -> Scale:
    low, high = int(np.floor(pitch.min())) - MARGIN, int(np.ceil(pitch.max())) + MARGIN
    missing = max(0, 12 - (high - low))
    low, high = low - missing // 2, high + missing - missing // 2
    return Scale(low, high, min(THICKEST, max(THINNEST, HEIGHT / (high - low))), ROLL / seconds, seconds)


def _header(
    reference: Notes, estimate: Notes, items: Items, title: str, figures: dict[str, float]
) -> tuple[str, float]:
    """Title, figures, legend, and what is to be said; and where they end."""
    y = 34
    lines = [f'<text class="title" x="{LEFT}" y="{y}">{clean(short(title, 110))}</text>\n']
    told = " · ".join(f"{label(key)} {figure(value)}".replace(" ", "\xa0") for key, value in figures.items())
    empty = [side for side, notes in (("reference", reference), ("estimate", estimate)) if len(notes) == 0]
    remark = f"There are no notes in the {' or the '.join(empty)}." if empty else ""
    for line in [*textwrap.wrap(told, 140), *filter(None, [remark])]:
        y += LINE
        lines.append(f'<text class="figures" x="{LEFT}" y="{y}">{clean(line)}</text>\n')
    y += LINE + 4
    lines.append(_legend(items, y))
    return "".join(lines), y + LINE


def _legend(items: Items, y: float) -> str:
    """A sample of each kind, and how many there are."""
    text, x = ['<g class="legend">\n'], LEFT
    for kind, name in LEGEND.items():
        told = f"{name} {np.count_nonzero(items.kind == kind):,}"
        text.append(f'<g transform="translate({x} {y})"><g class="{kind}">{SAMPLES[kind]}</g>')
        text.append(f'<text x="36">{told}</text></g>\n')
        x += 60 + 8 * len(told)
    return "".join([*text, f'<text x="{x}" y="{y}">outline: reference, filled: estimate</text>\n</g>\n'])


def _left_out(rows: Systems, before: int, after: int, y: float) -> tuple[str, float]:
    """What is not shown between two systems, and where it ends."""
    told = rows.between(before, after)
    if told is None:
        return "", y
    return f'<text class="left-out" x="{LEFT}" y="{y + LINE / 2:.1f}">{told}</text>\n', y + LINE + GAP


def _grid(scale: Scale) -> str:
    """What all systems share: black keys, seconds, octaves with their names."""
    keys = [pitch for pitch in range(scale.low, scale.high + 1) if pitch % 12 in BLACK]
    octaves = [pitch for pitch in range(scale.low, scale.high + 1) if pitch % 12 == 0]
    step = LENGTHS_S[scale.seconds]
    lines = [f'<rect class="paper" width="{ROLL}" height="{scale.height:.1f}"/>\n']
    for pitch in keys:
        top, bottom = max(0.0, scale.y(pitch + 0.5)), min(scale.height, scale.y(pitch - 0.5))
        lines.append(f'<rect class="black" y="{top:.1f}" width="{ROLL}" height="{bottom - top:.1f}"/>\n')
    for second in range(scale.seconds + 1):
        look = "line" if second % step else "strong"
        lines.append(f'<path class="{look}" d="M{second * scale.second:.1f} 0v{scale.height:.1f}"/>\n')
    for pitch in octaves:
        y = scale.y(pitch - 0.5)
        if y <= scale.height:
            lines.append(f'<path class="strong" d="M0 {y:.1f}h{ROLL}"/>\n')
        lines.append(f'<text class="name" x="-8" y="{scale.y(pitch) + 4:.1f}">{bars.name(pitch)}</text>\n')
    return f'<g id="grid">\n{"".join(lines)}</g>\n'


def _times(scale: Scale) -> str:
    times = range(0, scale.seconds + 1, LENGTHS_S[scale.seconds])
    return "".join(
        f'<text class="time" x="{second * scale.second:.1f}" y="{scale.height + 15:.1f}">'
        f"{scale.begin + second:,} s</text>\n"
        for second in times
    )


def _bars(reference: Notes, estimate: Notes, items: Items, inside: NDArray[np.int64], scale: Scale) -> Iterator[str]:
    """All notes of a system, errors over hits. inside: which items touch it"""
    if len(inside) > MOST_DRAWN:
        yield f'<text class="left-out" x="8" y="16">the first {MOST_DRAWN:,} of {len(inside):,} notes</text>\n'
        inside = inside[:MOST_DRAWN]
    for kind in LEGEND:
        mine = inside[items.kind[inside] == kind]
        if len(mine):
            left, right = _notes(reference, items.reference[mine]), _notes(estimate, items.estimate[mine])
            drawn = (bars.draw(kind, scale, *pair) for pair in zip(left, right, strict=True))
            yield f'<g class="{kind}">\n{"".join(drawn)}</g>\n'


def _notes(notes: Notes, index: NDArray[np.int64]) -> list[Note | None]:
    """The notes at these indices; None for -1."""
    names = [short(part.name, 40) if len(notes.parts) > 1 else "" for part in notes.parts]
    columns = (notes.onset, notes.offset, notes.pitch, notes.velocity, notes.part)
    rows = zip(*(column[index[index >= 0]].tolist() for column in columns), strict=True)
    made = (Note(onset, offset, pitch, velocity, names[part]) for onset, offset, pitch, velocity, part in rows)
    return [next(made) if one >= 0 else None for one in index.tolist()]


def _document(title: str, height: float, grid: str, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
        f'viewBox="0 0 {WIDTH} {height:.0f}">\n<title>{clean(title)}</title>\n<style>{STYLE}</style>\n'
        f'<defs>\n{MARKS}\n{grid}</defs>\n<rect class="paper" width="100%" height="100%"/>\n{body}</svg>\n'
    )
