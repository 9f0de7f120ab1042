"""What the checkpoint `tag` says of itself: its config's words and its card.

What was measured afterwards on instruments and works of the test half, and where it fails, is added by hand, once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from clefkit.tag.vocabulary import FAMILIES, LEAVES

if TYPE_CHECKING:
    from clefkit.train.tag.recipe import Plan

SCORES = (
    "OpenScore songs and string quartets (CC0), first editions of Chopin (CC BY 4.0), POP909 (MIT, arrangements of "
    "songs under copyright)"
)
LICENCES = (
    "Fluid MIT, MuseScore General MIT, public domain and CC0, OPL-3 CC BY-SA 4.0, GeneralUser GS its own licence 2.0, "
    "any use in music and software, made by `clefkit.train.webfont`"
)
CARD = """\
# {name}

Names {leaves} instruments and {families} families in recordings, cell by cell of 0.1 s, with the loudness of each in
the mix, 13 descriptors of its timbre and an embedding.

Licence of the weights: {licence}.

## Data

{data}

## Made by

    {command}

{steps:,} steps of 24 mixtures of up to 4 s.
{credits}
## On instruments that it did not learn from

Calibrated on these trials: see below for figures of the test half, where there are some. Of each set 400 of one player
alone and 400 of two to four, 1 to 4 s long, recorded somewhere.

| figure | value |
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
        "about": "which instruments play, when, how loud each is in the mix, and what they sound like",
        "licence": "as the data" if made.plan.own else "CC BY-SA 4.0",
        "made_by": f"clefkit train tag, seed {made.seed}, {made.step} steps",
        "data": _data(made.plan),
    }


def text(made: Made, bank: Path, figures: dict[str, float]) -> str:
    """The card."""
    rows = "\n".join(f"| {name.replace('_', ' ')} | {value} |" for name, value in figures.items())
    recorded = bank / "credits.md"
    credits_told = recorded.read_text(encoding="utf-8") if recorded.is_file() else ""
    return CARD.format(
        name=made.name,
        leaves=len(LEAVES),
        families=len(FAMILIES),
        licence=about(made)["licence"],
        data=_data(made.plan),
        command=_command(made),
        steps=made.step,
        credits=f"\n## Who recorded the sounds\n\n{credits_told}\n" if credits_told else "",
        rows=rows,
    )


def _data(plan: Plan) -> str:
    if plan.own:
        from clefkit.train import layouts

        return f"{plan.data.name}, a folder of the layout {layouts.layout(plan.data)}"
    fonts = ", ".join(font.stem for font in plan.fonts)
    return (
        f"{SCORES}, played by {fonts} ({LICENCES}), recorded single notes, and players made up: singers, strings, "
        "winds, brass, organs, accordions"
    )


def _command(made: Made) -> str:
    plan = made.plan
    words = ["clefkit train tag", "--data", "FOLDER" if plan.own else "DATA"]
    words += [f"--from {plan.begin.name}"] if plan.begin else []
    words += ["--freeze"] if plan.freeze else []
    words += ["--quick"] if plan.quick else []
    words += ["--samples SAMPLES"] * len(plan.samples)
    words += [f"--soundfont {font.stem}" for font in plan.fonts]
    words += ["--unlabelled RECORDINGS"] if plan.unlabelled else []
    return " ".join([*words, f"--work WORK --out models/{made.name} --seed {made.seed} --steps {made.step}"])
