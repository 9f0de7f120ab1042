"""What the checkpoints of `separate` say of themselves: their configs' words and their cards.

What was measured afterwards on the test half, and where they fail, is added by hand, once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from clefkit.train import gather
from clefkit.train.separate import masks, mixtures, timbre
from clefkit.train.tag.card import SCORES

if TYPE_CHECKING:
    from clefkit.train.separate.recipe import Plan

LICENCE = "CC BY 4.0"
REAL = "single notes of FreePats, D. Smolken, Karoryfer and AKAI (CC0, public domain)"
ABOUT = {
    "timbre": "whose note it is: notes of one timbre, without knowing the instruments",
    "masks": "whose share of a mixture is how large, where notes are known",
}
WORDS = {
    "timbre": """\
Tells whose a note is: one network makes a token of each note, from what is seen at its partials; a second one looks at
all notes of a recording together, and says the odds that one instrument played two of them. `transcribe` makes a track
of each timbre with it, `separate` a stem. See `clefkit/transcribe/timbre.py`, `clefkit/nets/timbre.py`.""",
    "masks": """\
Refines whose share of each bin of a mixture is how large, for `separate`: notes as combs of partials that were fitted
to the mixture are where it begins. See `clefkit/separate/masks.py`, `clefkit/nets/masks.py`.""",
}
EACH = {
    "timbre": f"stretches of {timbre.RECORDINGS} mixtures of up to {mixtures.LENGTH_S:.0f} s",
    "masks": f"a stretch of {masks.FRAMES / 43:.0f} s",
}
CHOSEN = {"timbre": ", on which it was chosen what counts as one timbre, too", "masks": ""}
CARD = """\
# {name}

{words}

Licence of the weights: {licence}.

## Data

{count} mixtures of {seconds:.0f} s, made for it: one to five instruments, whose voices change hands (`mixtures.py`).
{data}
{credits}
## Made by

    {command}

{steps:,} steps of {each}.

## On mixtures that it did not learn from

Unseen works on instruments that were not trained on, voices changed at half time (`python -m
clefkit.train.separate.heldout --split validation`){chosen}.

| measure | value |
|---|---|
{rows}
"""


class Made(NamedTuple):
    """name: of the folder; step: after which it is"""

    name: str
    plan: Plan
    seed: int
    step: int


def about(made: Made) -> dict[str, Any]:
    """The config's words."""
    return {
        "about": ABOUT[made.plan.recipe],
        "licence": LICENCE,
        "made_by": f"clefkit train {made.plan.recipe}, seed {made.seed}, {made.step} steps",
        "data": _data(made.plan),
    }


def text(made: Made, figures: dict[str, float]) -> str:
    """The card."""
    from clefkit.train.separate.recipe import shards

    return CARD.format(
        name=made.name,
        words=WORDS[made.plan.recipe],
        licence=LICENCE,
        count=shards(made.plan) * mixtures.PER_SHARD,
        seconds=mixtures.LENGTH_S,
        data=_data(made.plan),
        credits=_credits(made.plan),
        command=_command(made),
        steps=made.step,
        each=EACH[made.plan.recipe],
        chosen=CHOSEN[made.plan.recipe],
        rows="\n".join(f"| {name.replace('_', ' ')} | {value:.3f} |" for name, value in figures.items()),
    )


def _data(plan: Plan) -> str:
    fonts = ", ".join(font.stem for font in plan.fonts)
    scores = SCORES if plan.data else "exercises"
    return f"{scores}, played by {fonts} (MIT, public domain, CC0), {REAL}, and players made up"


def _credits(plan: Plan) -> str:
    """Who recorded more notes."""
    told = gather.credits(plan.samples / "index.csv") if plan.samples else ""
    return f"\n{told}\n" if told else ""


def _command(made: Made) -> str:
    plan = made.plan
    words = [f"clefkit train {plan.recipe}", *["--data DATA"] * bool(plan.data), *["--quick"] * plan.quick]
    words += ["--samples SAMPLES"] if plan.samples else []
    words += [f"--soundfont {font.stem}" for font in plan.fonts]
    return " ".join([*words, f"--work WORK --out models/{made.name} --seed {made.seed} --steps {made.step}"])
