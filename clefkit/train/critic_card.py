"""What a critic's checkpoint says of itself: its config's words and its card.

What was measured afterwards on pieces of the test split, and where it fails, is added to the card by hand, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from clefkit.train import critic
from clefkit.train.pieces import Piece

if TYPE_CHECKING:
    from clefkit.train.critics import Plan

LICENCES = {
    "string-quartets": "OpenScore string quartets, CC0",
    "lieder": "OpenScore songs for voice and piano, CC0",
    "pop909": "POP909, MIT (arrangements of songs under copyright)",
    "chopin": "first editions of Chopin, Fryderyk Chopin Institute, CC BY 4.0",
    "asap": "ASAP performances, CC BY-NC-SA 4.0",
    "asap-scores": "ASAP scores, CC BY-NC-SA 4.0",
}
UNSTATED = ("beethoven-string-quartets",)
MS_PER_HOUR = 3_600_000

CARD = """\
# {name}

{what} {parameters:,} parameters.

Licence of the weights: {licence}.

## Data

Hours of music in the train split, and how often each is drawn:

| what | hours | share |
|---|---|---|
{sources}

Scores are used as they are written and in two takes of `render`'s human. Each stretch has a spoilt twin
(`clefkit/critique/corrupt.py`, `clefkit/train/spoil.py`).

## Made by

    clefkit train {recipe}{quick} --data DATA --work WORK --out models/{name} --seed {seed} --steps {steps} \\
        --soundfont {font}

{stretches:,} stretches of 8 to {longest:g} s, half of them spoilt.

## On the validation split

Excerpts of 30 s, {real} real ones; each has twins of five kinds at severities of .1, .2, .35, .5 and .75. Calibrated
and tuned here: see below for figures of the test split. "Caught" is P(real) under .5.

| kind | AUC | paired | caught | at severity .1 | Spearman | F1 of notes |
|---|---|---|---|---|---|---|
{rows}

Kept (P(real) of .5 or more): {kept}.
"""


class Made(NamedTuple):
    """name: of the folder; step: after which it is; longest_ms: of a stretch

    font: that recordings were calibrated with
    """

    name: str
    plan: Plan
    seed: int
    step: int
    longest_ms: int
    font: str


def about(made: Made) -> dict[str, Any]:
    """For config.toml."""
    return {
        "about": ABOUT[made.plan.recipe],
        "licence": _licence(made.plan),
        "made_by": f"clefkit train {made.plan.recipe}, seed {made.seed}, {made.step} steps",
        "data": ", ".join(_licensed(each) for each in made.plan.shares),
    }


def text(made: Made, pieces: Sequence[Piece], figures: dict[str, Any]) -> str:
    """The card in Markdown. figures: as `critic_finish.write` returns them"""
    total = sum(made.plan.shares.values())
    sources = [
        f"| {_licensed(name)} | {_hours(pieces, name):.1f} | {100 * share / total:.0f} % |"
        for name, share in made.plan.shares.items()
    ]
    rows = [
        f"| {kind} | " + " | ".join(_figure(row.get(name)) for name in COLUMNS) + " |"
        for kind, row in figures["kinds"].items()
    ]
    return CARD.format(
        name=made.name,
        what=WHAT[made.plan.recipe],
        parameters=figures["parameters"],
        licence=_licence(made.plan),
        sources="\n".join(sources),
        recipe=made.plan.recipe,
        quick=" --quick" if made.plan.quick else "",
        seed=made.seed,
        steps=made.step,
        font=made.font,
        stretches=made.step * 2 * critic.PAIRS,
        longest=made.longest_ms / 1000,
        real=figures["real"],
        rows="\n".join(rows),
        kept=", ".join(f"{name} {100 * share:.1f} %" for name, share in figures["kept"].items()),
    )


WHAT = {
    "critic": """\
Says how much notes sound like music that a human wrote, and which notes are to blame, from each note's surroundings
relative to its pitch: see `clefkit/critique/context.py`, `clefkit/nets/critic.py`.""",
    "critic-roll": """\
Says how much notes sound like music that a human wrote, from piano rolls at ten frames a second: the design this
project began with, for comparison. See `clefkit/critique/rolls.py`, `clefkit/nets/critic_roll.py`.""",
}
ABOUT = {
    "critic": "how much notes sound like music that a human wrote, and which are suspicious",
    "critic-roll": "how much notes sound like music that a human wrote, by other means than critic-1: a second opinion",
}
WHAT["critic-research"] = WHAT["critic"]
ABOUT["critic-research"] = ABOUT["critic"]
COLUMNS = ("auc", "paired", "caught", "caught_10", "spearman", "note_f1")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _licence(plan: Plan) -> str:
    return "not to be shipped: data with non-commercial or unstated licences" if plan.research else "CC BY 4.0"


def _licensed(collection: str) -> str:
    if collection in LICENCES:
        return LICENCES[collection]
    return f"{collection} (**kern), {'no licence stated' if collection in UNSTATED else 'CC BY-NC-SA 4.0'}"


def _hours(pieces: Sequence[Piece], collection: str) -> float:
    """Of works, each once."""
    lengths = {
        piece.name: float(piece.notes[-1, 0] - piece.notes[0, 0])
        for piece in pieces
        if piece.collection == collection and piece.split == "train"
    }
    return sum(lengths.values()) / MS_PER_HOUR
