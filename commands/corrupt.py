"""`clefkit corrupt`: music spoilt in a known way."""

from __future__ import annotations

from typing import Annotated

import typer

from clefkit import stream

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@stream.command(app)
def corrupt(
    paths: stream.Paths = None,
    *,
    common: stream.Common,
    kind: Annotated[str, typer.Option(metavar="KIND", help="shuffle, off-key, noise, rhythm or stray.")] = "off-key",
    severity: Annotated[
        float, typer.Option(metavar="S", help="How much of it: more than 0, up to 1, which is all.")
    ] = 0.2,
) -> None:
    """Spoil notes or scores in a known way, to try critics and other models with: MIDI, and a list of what was changed.

    shuffle: phrases in another order; severity is how many. off-key: notes move by a semitone. noise: notes take a
    strange pitch. rhythm: steps between onsets change places. stray: notes are dropped, others come in. Of all but
    shuffle, severity is the share of notes or steps that change.

    Counting can't tell what is spoilt: the number of notes, their loudness, lengths and steps stay. So a model that
    tells it from music hears it (a test holds this).

    x.mid becomes x.off-key-20.mid, and x.off-key-20.changed.jsonl lists the changed notes. Controllers are left out;
    notes last as long as the pedal held them.

    \b
    Examples:
      clefkit corrupt --kind off-key --severity 0.2 x.mid
      clefkit corrupt --kind shuffle songs/*.mxl --out spoilt | clefkit critique
    """
    from clefkit.critique import spoiling

    stream.run("critique.spoiling", paths, common, **spoiling.options(kind, severity))
