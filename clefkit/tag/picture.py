"""What was heard as a picture: who sounds when, and how loud each is, as SVG.

Time runs to the right. Each instrument that is present has a line: its segments, the darker the surer, and a bar for
its loudness in the mix, from -24 LU to 0. Families have colours that everybody can tell apart (Okabe and Ito, Color
Universal Design, 2008).
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

WIDTH, LEFT, BARS, RIGHT, HEAD, LINE = 1200, 150, 170, 24, 84, 30
TIME = WIDTH - LEFT - BARS - RIGHT
QUIETEST_LU = -24.0
TICKS = 8
COLOURS = {
    "keyboard": "#0072b2",
    "plucked": "#e69f00",
    "bowed": "#d55e00",
    "woodwind": "#009e73",
    "brass": "#b59f00",
    "percussion": "#777777",
    "voice": "#cc79a7",
    "electronic": "#56b4e9",
}
STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
STYLE = """
text{font:12px system-ui,sans-serif;fill:#555}
.title{font-size:17px;font-weight:600;fill:#111}
.name{fill:#111}
.paper{fill:#fff}
.edge{stroke:#dcdcdc}
.end{text-anchor:end}
.mid{text-anchor:middle}
@media (prefers-color-scheme:dark){
text{fill:#aaa}.title,.name{fill:#f2f2f2}.paper{fill:#16181c}.edge{stroke:#33383f}}
"""


def draw(title: str, found: dict[str, Any]) -> str:
    """The whole SVG. found: as `findings.finding` says"""
    present = [each for each in found["instruments"] if each["present"]]
    tall = HEAD + LINE * max(1, len(present)) + 30
    seconds = max(float(found["seconds"]), 0.1)
    body = [f'<text class="title" x="{LEFT}" y="28">{escape(title)}</text>', *_axes(seconds, tall)]
    if not present:
        what = "silence" if found["silent"] else "no instrument that is known"
        body.append(f'<text class="name" x="{LEFT}" y="{HEAD + 20}">{what}</text>')
    for row, each in enumerate(present):
        body += _line(each, HEAD + row * LINE, seconds)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {tall}" width="{WIDTH}" height="{tall}">'
    paper = f'<rect class="paper" width="{WIDTH}" height="{tall}"/>'
    return "\n".join([head, f"<style>{STYLE}</style>", paper, *body, "</svg>\n"])


def _axes(seconds: float, tall: int) -> Iterator[str]:
    step = next((each for each in STEPS_S if seconds / each <= TICKS), STEPS_S[-1])
    for number in range(int(seconds / step) + 1):
        x = LEFT + TIME * number * step / seconds
        at = number * step
        label = f"{at:g} s" if step < 1 or seconds < 60 else f"{int(at) // 60}:{int(at) % 60:02d}"
        yield f'<path class="edge" d="M{x:.1f} {HEAD - 8}V{tall - 24}"/>'
        yield f'<text class="mid" x="{x:.1f}" y="{HEAD - 16}">{label}</text>'
    for lu in (-24, -12, 0):
        x = _bar(lu)
        yield f'<path class="edge" d="M{x:.1f} {HEAD - 8}V{tall - 24}"/>'
        yield f'<text class="mid" x="{x:.1f}" y="{HEAD - 16}">{lu}</text>'
    yield f'<text class="mid" x="{_bar(-12):.1f}" y="{HEAD - 34}">LU in the mix</text>'


def _bar(gain_lu: float) -> float:
    share = min(1.0, max(0.0, 1 - gain_lu / QUIETEST_LU))
    return WIDTH - RIGHT - BARS + 30 + (BARS - 50) * share


def _line(each: dict[str, Any], top: int, seconds: float) -> Iterator[str]:
    colour = COLOURS[each["family"]]
    yield f'<text class="name end" x="{LEFT - 52}" y="{top + 16}">{escape(each["name"])}</text>'
    yield f'<text class="end" x="{LEFT - 10}" y="{top + 16}">{each["probability"]:.2f}</text>'
    yield f'<path class="edge" d="M{LEFT} {top + LINE - 4}H{LEFT + TIME}"/>'
    for one in each["segments"]:
        x, width = LEFT + TIME * one["start_s"] / seconds, TIME * (one["end_s"] - one["start_s"]) / seconds
        shade = 0.25 + 0.75 * one["strength"]
        place = f'x="{x:.1f}" y="{top + 3}" width="{max(width, 1):.1f}" height="18"'
        yield f'<rect {place} fill="{colour}" opacity="{shade:.2f}"/>'
    if each["gain_lu"] is not None:
        left = _bar(QUIETEST_LU)
        width = max(_bar(each["gain_lu"]) - left, 1)
        yield f'<rect x="{left:.1f}" y="{top + 5}" width="{width:.1f}" height="14" fill="{colour}"/>'
