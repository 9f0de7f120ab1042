"""A judgement as a picture: the piano roll, suspicious notes marked, the curve and the attention under it, as SVG.

Time runs to the right in systems of 30 s. Under each roll a line is P(real) of the 10 s around, from 0 to 1, with .5
dashed, and grey bars are where the critic looked. Colours are those that everybody can tell apart (Okabe and Ito,
Color Universal Design, 2008), and each fault has a mark of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np
from numpy.typing import NDArray

from clefkit.critique.findings import Row, clock, name, suspicious
from clefkit.critique.infer import Judgement
from clefkit.critique.reading import Piece
from clefkit.critique.table import DURATION, ONSET, PITCH

SYSTEM_MS, MOST_SYSTEMS = 30_000, 60
WIDTH, LEFT, RIGHT, HEAD = 1200, 44, 20, 64
ROLL = WIDTH - LEFT - RIGHT
SEMITONE, STRIP, GAP = 4, 56, 34  # pixels
MARGIN = 2  # semitones
BAR_MS = 500
FAULTS = {"pitch": "#d55e00", "time": "#cc79a7", "order": "#e69f00"}
STYLE = """
text{font:11px system-ui,sans-serif;fill:#555}
.title{font-size:17px;font-weight:600;fill:#111}
.paper{fill:#fff}
.edge{fill:none;stroke:#cfcfcf}
.half{stroke:#cfcfcf;stroke-dasharray:3 3}
.note{fill:#56b4e9}
.curve{fill:none;stroke:#004b7a;stroke-width:1.6}
.seen{fill:#d8d8d8}
.end{text-anchor:end}
@media (prefers-color-scheme:dark){
text{fill:#aaa}.title{fill:#f2f2f2}.paper{fill:#16181c}.edge,.half{stroke:#3d434c}.note{fill:#2678ab}
.curve{stroke:#b5e0fb}.seen{fill:#33383f}}
"""
MARKS = {
    "pitch": '<path d="M{x} {y}l6 6m0-6l-6 6" stroke="{colour}" stroke-width="1.6"/>',
    "time": '<path d="M{x} {y}h6m-3-3l3 3l-3 3" fill="none" stroke="{colour}" stroke-width="1.6"/>',
    "order": '<path d="M{x} {y}v-9m0 0l5 3l-5 3" fill="{colour}" stroke="{colour}"/>',
}


def draw(title: str, piece: Piece, judgement: Judgement, thresholds: dict[str, float]) -> str:
    """The whole SVG. thresholds: of the marks, as for `findings.suspicious`"""
    table = piece.table
    low, high = int(table[:, PITCH].min()) - MARGIN, int(table[:, PITCH].max()) + MARGIN
    height = (high - low + 1) * SEMITONE
    faults = suspicious(piece, judgement, thresholds)
    count = int(table[-1, ONSET] // SYSTEM_MS) + 1
    drawn = min(count, MOST_SYSTEMS)
    tall = HEAD + drawn * (height + STRIP + GAP) + 20
    body: list[str] = []
    for system in range(drawn):
        y = HEAD + system * (height + STRIP + GAP)
        start = system * SYSTEM_MS
        body += [f'<g transform="translate({LEFT} {y})">', *_frame(low, high, height, start)]
        body += [*_notes(table, start, high), *_faults(faults, start, high)]
        body += [*_strip(judgement, table[:, ONSET], start, height), "</g>"]
    rest = f" The first {drawn} of {count} half minutes are drawn." if drawn < count else ""
    told = (
        f"P(real) {judgement.p_real:.3f} · percentile {judgement.percentile:.0f} · severity {judgement.severity:.2f}"
        f" · {len(faults)} suspicious of {len(table)} notes (cross: pitch, arrow: time, flag: order){rest}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {tall}" width="{WIDTH}" height="{tall}">\n'
        f'<style>{STYLE}</style>\n<rect class="paper" width="{WIDTH}" height="{tall}"/>\n'
        f'<text class="title" x="{LEFT}" y="28">{escape(_clean(title))}</text>\n'
        f'<text x="{LEFT}" y="48">{escape(told)}</text>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _frame(low: int, high: int, height: int, start: int) -> Iterator[str]:
    yield f'<rect class="edge" width="{ROLL}" height="{height}"/>'
    yield f'<rect class="edge" y="{height + 4}" width="{ROLL}" height="{STRIP}"/>'
    yield f'<line class="half" x2="{ROLL}" y1="{height + 4 + STRIP / 2}" y2="{height + 4 + STRIP / 2}"/>'
    for pitch in range(low, high + 1):
        if pitch % 12 == 0:
            y = (high - pitch + 0.5) * SEMITONE
            yield f'<line class="edge" x2="{ROLL}" y1="{y}" y2="{y}"/>'
            yield f'<text class="end" x="-6" y="{y + 4}">{name(pitch)}</text>'
    for second in range(0, SYSTEM_MS // 1000, 5):
        x = ROLL * second * 1000 / SYSTEM_MS
        yield f'<text x="{x:.0f}" y="{height + STRIP + 18}">{clock(start / 1000 + second)}</text>'


def _notes(table: NDArray[np.int32], start: int, high: int) -> Iterator[str]:
    end = table[:, ONSET] + table[:, DURATION]
    for index in np.flatnonzero((table[:, ONSET] < start + SYSTEM_MS) & (end > start)):
        x = _x(max(int(table[index, ONSET]), start), start)
        width = max(1.5, _x(min(int(end[index]), start + SYSTEM_MS), start) - x)
        y = (high - int(table[index, PITCH])) * SEMITONE
        yield f'<rect class="note" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{SEMITONE}"/>'


def _faults(faults: list[Row], start: int, high: int) -> Iterator[str]:
    for fault in faults:
        at = fault["onset_s"] * 1000
        if start <= at < start + SYSTEM_MS:
            x, y = _x(at, start), (high - fault["midi"]) * SEMITONE
            mark = MARKS[fault["fault"]].format(x=f"{x:.1f}", y=y - 1, colour=FAULTS[fault["fault"]])
            rather = f", rather {fault['rather']}" if "rather" in fault else ""
            told = f"{fault['pitch']} at {fault['onset_s']:.2f} s: {fault['fault']} {fault['p']:.2f}{rather}"
            yield f"<g><title>{escape(told)}</title>{mark}</g>"


def _strip(judgement: Judgement, onset: NDArray[np.int32], start: int, height: int) -> Iterator[str]:
    bottom = height + 4 + STRIP
    edges = np.arange(start, start + SYSTEM_MS + 1, BAR_MS)
    looked, _ = np.histogram(onset, edges, weights=judgement.attention)
    everywhere, _ = np.histogram(onset, np.arange(0, int(onset[-1]) + 2 * BAR_MS, BAR_MS), weights=judgement.attention)
    for number, share in enumerate(looked / max(float(everywhere.max()), 1e-9)):
        if share > 0.01:
            tall = share * STRIP
            x, width = _x(edges[number], start), ROLL * BAR_MS / SYSTEM_MS
            yield f'<rect class="seen" x="{x:.1f}" y="{bottom - tall:.1f}" width="{width:.1f}" height="{tall:.1f}"/>'
    middle = (judgement.start_ms + judgement.end_ms) / 2
    times = np.linspace(start, start + SYSTEM_MS, 61)
    times = times[times <= judgement.end_ms.max()]
    values = np.interp(times, middle, judgement.curve)
    points = " ".join(
        f"{_x(at, start):.1f},{bottom - value * STRIP:.1f}" for at, value in zip(times, values, strict=True)
    )
    yield f'<polyline class="curve" points="{points}"/>'


def _x(at_ms: float, start: int) -> float:
    return float(ROLL * (at_ms - start) / SYSTEM_MS)


def _clean(text: str) -> str:
    """Without what XML can't hold."""
    return "".join(each if each.isprintable() else "?" for each in text)
