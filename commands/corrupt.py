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

    shuffle: phrases in another order, but for the first and the last; severity is how many. off-key: notes move by a
    semitone. noise: notes take a strange pitch. rhythm: steps between onsets change places with longer or shorter ones.
    stray: notes are dropped, others come in. Of all but shuffle, severity is the share of notes or steps that change;
    fewer do where not so many can.

    Counting can't tell shuffle, off-key and noise from music, and hardly rhythm: the number of notes, their loudness,
    lengths and steps stay. So a model that tells them hears them (a test holds this). Stray notes are told easily.

    x.mid becomes x.off-key-20.mid, and x.off-key-20.changed.jsonl lists the changes, a line each: change (pitch, time,
    phrase, new, gone), onset_s, pitch, part, and was_pitch or was_onset_s. Scores are played exactly, without repeats.
    Parts, tempo and controllers stay; after shuffle and rhythm, which those would not fit, only controllers set at the
    start, and notes last as long as a pedal held them. Drums move with the rest, or stay.

    \b
    Examples:
      clefkit corrupt --kind off-key --severity 0.2 x.mid
      clefkit corrupt --kind shuffle songs/*.mxl --out spoilt | clefkit critique
    """
    from clefkit.critique import spoiling

    stream.run("critique.spoiling", paths, common, **spoiling.options(kind, severity))
