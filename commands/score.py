"""`clefkit score`: how close something is to its reference, and whether that is good enough."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clefkit import stream

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Limits = list[str] | None
LIMIT = "MEASURE=VALUE"


@stream.command(app, stream.MEASURES)
def score(
    paths: stream.Paths = None,
    *,
    common: stream.Common,
    ref: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="The reference, or a folder with references of the same names: all of them."),
    ] = None,
    pairs: Annotated[
        Path | None, typer.Option(metavar="CSV", help="A list with columns estimate and reference, instead of files.")
    ] = None,
    subset: Annotated[
        bool, typer.Option("--subset", help="The folder may hold references without an estimate.")
    ] = False,
    kind: Annotated[
        str | None, typer.Option("--as", metavar="KIND", help="What the files are, where names don't tell.")
    ] = None,
    protocol: Annotated[str | None, typer.Option(metavar="NAME", help="How to compare: see --measures.")] = None,
    minimum: Annotated[Limits, typer.Option("--min", metavar=LIMIT, help="What the mean must reach.")] = None,
    maximum: Annotated[Limits, typer.Option("--max", metavar=LIMIT, help="The same, where less is better.")] = None,
    minimum_each: Annotated[Limits, typer.Option("--min-each", metavar=LIMIT, help="--min for every file.")] = None,
    maximum_each: Annotated[Limits, typer.Option("--max-each", metavar=LIMIT, help="--max for every file.")] = None,
    expect: Annotated[int | None, typer.Option(min=0, metavar="N", help="So many files must be measured.")] = None,
    baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Figures of before, which must not have fallen.")
    ] = None,
    tolerance: Annotated[
        Limits,
        typer.Option(metavar="[MEASURE=]VALUE", help="How far they may fall: .01, or .1 dB.", show_default=False),
    ] = None,
    update_baseline: Annotated[
        bool, typer.Option("--update-baseline", help="Write the figures to --baseline instead.")
    ] = False,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write what was met as a JUnit file.")] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Print mean, interval and median of each measure.")
    ] = False,
    by: Annotated[
        str | None, typer.Option(metavar="FIELD", help="The same by a field of the records or the list.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Draw a piano roll of each file, an index, too.")
    ] = None,
    measures: Annotated[bool, typer.Option("--measures", help="List all measures and protocols, and end.")] = False,
) -> None:
    """Compare with a reference: notes, written music, beats, separated stems, restored sound, tags.

    What is compared is told by the files: notes (.mid, .jsonl), notation (MusicXML, **kern, ...), beats (.beats, .txt),
    stems and sound (records, --as), tags (.csv, .jsonl). Without --ref and --pairs the records lead to the reference,
    as they do for all that came through a pipe from render. A file that can't be measured, and one of the references
    that has no estimate, is named and counts as a failure: 0, an error of 1, or silence.

    \b
    Examples:
      clefkit score take.notes.mid --ref take.mid
      clefkit transcribe *.hall-7.wav | clefkit score --min note_f1=0.8 --expect 50 --junit report.xml
      clefkit score out/*.notes.mid --baseline baseline.json --tolerance 0.005 --plot rolls
      clefkit score scans/*.musicxml --ref truth --by soundfont
    """
    from clefkit.score import gate, judge, kinds, sets

    if measures:
        stream.rows(kinds.listed(), kinds.LISTED, common)
    kind = kinds.chosen(kind, protocol)
    limits = gate.Gate(
        gate.limits(minimum or [], maximum or []), gate.limits(minimum_each or [], maximum_each or []), expect
    )
    chosen = None if pairs is None else sets.instead_of(paths, ref, pairs)
    wishes = judge.Wishes(
        kind, ref, subset, chosen, by, summary, baseline, update_baseline, tolerance or (), junit, plot
    )
    references = chosen.references if chosen else None if ref is None else str(ref)
    stream.measure(
        "score",
        list(chosen.references) if chosen else paths,
        common,
        judge.Judge(limits, wishes),
        ref=references,
        kind=kind,
        protocol=protocol,
        by=by,
        plot=plot is not None,
    )
