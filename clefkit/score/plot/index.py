"""The page that a set of piano rolls is looked at with: a table of all files, worst first, and their rolls below it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from clefkit.score.notes import COLUMNS, MEASURES
from clefkit.score.plot.words import FONT, NOTHING, clean, figure, label

ABOUT = {measure.name: measure for measure in MEASURES}
RANK = "note_f1"

STYLE = f"""
:root{{color-scheme:light dark;--ink:#1a1a1a;--dim:#666;--line:#ddd;--paper:#fff;--link:#00629b}}
@media (prefers-color-scheme:dark){{:root{{--ink:#e6e6e6;--dim:#999;--line:#33373d;--paper:#16181c;--link:#7cc4f2}}}}
body{{margin:2.5rem auto;max-width:1200px;padding:0 1.25rem;font:15px/1.5 {FONT}}}
body{{color:var(--ink);background:var(--paper)}}
h1{{font-size:1.4rem;margin:0}}
p{{margin:.25rem 0 1.5rem;color:var(--dim)}}
a{{color:var(--link);text-decoration:none}}
a:hover{{text-decoration:underline}}
.wide{{overflow-x:auto}}
table{{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}}
th,td{{padding:.3rem .75rem;text-align:right;border-bottom:1px solid var(--line);vertical-align:baseline}}
th:first-child,td:first-child{{text-align:left;padding-left:0;min-width:12rem;overflow-wrap:anywhere}}
th:last-child,td:last-child{{padding-right:0}}
thead th{{font-weight:500;color:var(--dim);white-space:nowrap}}
.mean td{{font-weight:600}}
.why{{text-align:left;color:var(--dim)}}
.roll{{display:block;min-height:12rem;margin-top:2rem;border-top:1px solid var(--line)}}
img{{display:block;width:100%;height:auto}}
@media print{{.roll{{break-before:page;border:0}}}}
"""


def page(rows: Sequence[Mapping[str, Any]]) -> str:
    """A complete HTML page, in any order of rows.

    rows: what `score.measure` found, and "roll": the name of its SVG in the folder of the page; or {"file", "error": a
        sentence} for a file that could not be measured: its measures count as `Measure.missing` says
    """
    ranked = sorted(rows, key=lambda row: (_rank(row), str(row["file"])))
    columns = [key for key in COLUMNS[1:] if any(key in row for row in ranked)]
    title = f"{len(rows):,} files against their references" if len(rows) != 1 else "1 file against its reference"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{title}</h1>\n<p>{_summary(ranked, columns)}</p>\n"
        f'<div class="wide"><table>\n{"".join(_table(ranked, columns))}</table></div>\n'
        f"{''.join(_rolls(ranked))}</body>\n</html>\n"
    )


def _rank(row: Mapping[str, Any]) -> float:
    """The worse the less. What could not be measured comes first, what has no notes last."""
    return -math.inf if "error" in row else float(row.get(RANK, math.inf))


def _summary(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    failed = sum("error" in row for row in rows)
    told = ["Open a roll and point at a note to read its times."]
    if failed:
        told.insert(0, f"{failed:,} could not be measured and count{'s' * (failed == 1)} as 0.")
    if len(rows) > 1:
        told.insert(0, f"Worst first, by {label(RANK)}.")
        if RANK in columns:
            told.insert(0, f"Mean {label(RANK)} {figure(_mean(rows, RANK))}.")
    return " ".join(told)


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[str]:
    about = {key: ABOUT[key].about if key in ABOUT else "" for key in columns}
    heads = "".join(f'<th title="{clean(about[key])}">{label(key)}</th>' for key in columns)
    yield f"<thead><tr><th>file</th>{heads}</tr></thead>\n<tbody>\n"
    for number, row in enumerate(rows, 1):
        name = f"<bdi>{clean(str(row['file']))}</bdi>"
        if "error" in row:
            cells = f'<td class="why" colspan="{max(1, len(columns))}">{clean(str(row["error"]))}</td>'
        else:
            cells = "".join(f"<td>{figure(row[key]) if key in row else NOTHING}</td>" for key in columns)
        link = f'<a href="#roll-{number}">{name}</a>' if "roll" in row else name
        yield f"<tr><td>{link}</td>{cells}</tr>\n"
    yield "</tbody>\n"
    if len(rows) > 1:
        yield f'<tfoot><tr class="mean"><td>mean</td>{_means(rows, columns)}</tr></tfoot>\n'


def _means(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    return "".join(f"<td>{figure(_mean(rows, key)) if key in ABOUT else ''}</td>" for key in columns)


def _mean(rows: Sequence[Mapping[str, Any]], key: str) -> float:
    """Over the files that have this measure, and those that could not be measured. Not a number where no one has."""
    values = [ABOUT[key].missing if "error" in row else row[key] for row in rows if "error" in row or key in row]
    known = [float(value) for value in values if value is not None]
    return math.fsum(known) / len(known) if len(known) == len(values) > 0 else math.nan


def _rolls(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for number, row in enumerate(rows, 1):
        if "roll" in row:
            address = _address(str(row["roll"]))
            yield f'<a class="roll" id="roll-{number}" href="{address}">'
            yield f'<img loading="lazy" src="{address}" alt="piano roll of {clean(str(row["file"]))}"></a>\n'


def _address(name: str) -> str:
    """A file beside the page: ./ keeps colons and slashes from being read as something else."""
    return "./" + quote(name, safe="/", errors="surrogateescape")
