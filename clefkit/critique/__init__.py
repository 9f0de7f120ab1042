"""Does this sound like music that a human wrote, when does it stop doing so, and which notes are to blame?

    from clefkit import critique, notes
    judgement = critique.judge(notes.read(path))
    judgement.p_real, judgement.marks

A small network looks at each note with what surrounds it; it was trained to tell real pieces from twins that were
spoilt so that counting can't tell (`corrupt`), and to say which notes were changed. For training loops there is
`reward`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clefkit.record import Source
from clefkit.registry import Asset

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clefkit.critique.infer import Judgement
    from clefkit.notes import Notes


def judge(played: Notes, model: str = "critic", domain: str | None = None) -> Judgement:
    """What a critic says of notes.

    played: at least 8 notes with a pitch; drums are left out
    model: a checkpoint by name, or the path of a folder with one
    domain: "score", "performance" or "transcript"; None tells the first two apart by their steps
    returns: its `marks`, `shift` and `attention` are of the notes with a pitch, in order of onset to the millisecond,
        then pitch
    raises: InputError when there are too few notes; UsageError when there is no such checkpoint
    """
    from clefkit import registry
    from clefkit.critique import infer, reading

    piece = reading.piece(played, domain)
    return infer.judge(piece.table, infer.load(registry.checkpoint(model).path), piece.domain)


def reward(
    pieces: Sequence[Notes | NDArray[np.int32]], model: str = "critic", domain: str = "score"
) -> NDArray[np.float64]:
    """How much each piece sounds like music, for training loops: higher is better, 0 is P(real) = .5.

    pieces: notes, or tables (notes, 4) of onset and duration in ms, pitch and velocity, in order of onset; the first
        30 s and 320 notes of each are judged
    returns: (pieces,), the logit of P(real); -inf where there are less than 8 notes

    A critic can be fooled: what is optimised against it soon scores above real music and sounds worse. Stop at
    `ceiling()`, keep a floor on diversity, and judge the result by another critic.
    """
    from clefkit import registry
    from clefkit.critique import infer, table
    from clefkit.notes import Notes

    tables = [table.columns(each) if isinstance(each, Notes) else each for each in pieces]
    return infer.rewards(tables, infer.load(registry.checkpoint(model).path), domain)


def ceiling(model: str = "critic", domain: str = "score") -> float:
    """The median reward of real music."""
    import numpy as np

    from clefkit import registry
    from clefkit.critique import infer

    return float(np.median(infer.load(registry.checkpoint(model).path).calibrations[domain].real))


def measure(
    source: Source, *, checkpoint: Asset, curve: bool = False, notes: bool = False, plot: bool = False
) -> dict[str, Any]:
    """What is found out about one file, as plain data: what `findings.finding` says.

    raises: InputError when there is nothing in it to judge
    """
    from clefkit.critique import findings, infer, reading

    piece = reading.read(source.path)
    critic = infer.load(checkpoint.path)
    judgement = infer.judge(piece.table, critic, piece.domain)
    found = findings.finding(source.path, piece, judgement, critic.thresholds, curve=curve, notes=notes)
    if plot:
        from clefkit.critique import picture

        found["picture"] = picture.draw(source.path.name, piece, judgement, critic.thresholds)
    return found
