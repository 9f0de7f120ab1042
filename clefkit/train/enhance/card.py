"""What the checkpoint `enhance` says of itself: its config's words and its card.

What was measured afterwards on pairs of the test half, and where it fails, is added by hand, once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from clefkit.train import gather
from clefkit.train.enhance import loop, pairs
from clefkit.train.tag.card import SCORES

if TYPE_CHECKING:
    from clefkit.train.enhance.recipe import Plan

LICENCE = "CC BY 4.0"
REAL = (
    "single notes of FreePats, D. Smolken, Karoryfer and AKAI (CC0, public domain), phrases of librosa's and "
    "Sonic Pi's examples (CC0, public domain, CC BY: Mihai Sorohan, trumpet)"
)
ON = "validation pairs, as levels in bands"
CARD = """\
# {name}

Hears what a telephone did to music, and says by how much to turn 64 bands up and down, frame by frame: a slow gain that
undoes automatic gain, tone, noise and reverberation, and what is to be filled in. See `clefkit/enhance/`,
`clefkit/nets/enhance.py`.

Licence of the weights: {licence}.

## Data

{data}
{credits}
## Made by

    {command}

{steps:,} steps of {batch} pairs of {seconds:.0f} s.

## On pairs that it did not learn from

{on}: {count}. Close to what `clefkit score`
measures on sound. Figures of the test half are below, where there are some.

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
        "about": "from a phone to the sound of a studio: dynamics, tone, noise",
        "licence": "as the data" if made.plan.pairs else LICENCE,
        "made_by": f"clefkit train enhance, seed {made.seed}, {made.step} steps",
        "data": _data(made.plan),
    }


def measured(figures: dict[str, float]) -> dict[str, dict[str, Any]]:
    """As a config holds them."""
    return {name: {"value": value, "on": ON} for name, value in figures.items()}


def text(made: Made, figures: dict[str, float]) -> str:
    """The card."""
    rows = "\n".join(f"| {name.replace('_', ' ')} | {value} |" for name, value in figures.items())
    return CARD.format(
        name=made.name,
        licence=about(made)["licence"],
        data=_data(made.plan),
        credits=_credits(made.plan),
        command=_command(made),
        steps=made.step,
        batch=loop.BATCH,
        seconds=pairs.CLIP_S,
        on=ON.capitalize(),
        count="the user's own" if made.plan.pairs else "works and phones of the validation split, fonts as in training",
        rows=rows,
    )


def _data(plan: Plan) -> str:
    if plan.pairs:
        return f"{plan.pairs.name}, pairs as `clefkit align --dataset` writes them"
    fonts = ", ".join(font.stem for font in plan.fonts)
    return f"{SCORES}, played by {fonts} (MIT, public domain, CC0), {REAL}, and players made up; phones drawn"


def _credits(plan: Plan) -> str:
    """Who recorded more notes."""
    told = "".join(gather.credits(folder / "index.csv") for folder in plan.samples)
    return f"\n{told}\n" if told else ""


def _command(made: Made) -> str:
    plan = made.plan
    words = ["clefkit train enhance", "--pairs PAIRS" if plan.pairs else "--data DATA"]
    words += [f"--from {plan.begin.name}"] if plan.begin else []
    words += ["--quick"] if plan.quick else []
    words += ["--samples SAMPLES"] * len(plan.samples)
    words += [f"--soundfont {font.stem}" for font in plan.fonts]
    return " ".join([*words, f"--work WORK --out models/{made.name} --seed {made.seed} --steps {made.step}"])
