"""The recipes of critics: pieces, training, calibration, checkpoint.

    critic            free music only: its weights ship
    critic-roll       the same by the seed design, a residual network on piano rolls, for comparison: it learns for as
                      long (92 minutes on 2 cores)
    critic-research   with ASAP and more **kern, whose licences are non-commercial or unstated: for figures, not to ship

What is there already is used again, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from clefkit.errors import UsageError


class Plan(NamedTuple):
    """recipe: its name; shares: how often each collection is drawn; steps: of 16 pairs"""

    recipe: str
    shares: dict[str, float]
    steps: int

    @property
    def research(self) -> bool:
        return self.recipe == "critic-research"

    @property
    def quick(self) -> bool:
        return self.shares == QUICK


FREE = {"string-quartets": 0.2, "lieder": 0.3, "pop909": 0.22, "chopin": 0.28}
RESEARCH = FREE | {
    "asap": 0.8,
    "asap-scores": 0.1,
    "bach-370-chorales": 0.1,
    "beethoven-string-quartets": 0.06,
    "haydn-piano-sonatas": 0.04,
    "joplin": 0.04,
    "mozart-piano-sonatas": 0.06,
    "scarlatti-keyboard-sonatas": 0.06,
}
PLANS = {
    "critic": Plan("critic", FREE, 12_000),
    "critic-roll": Plan("critic-roll", FREE, 7_500),
    "critic-research": Plan("critic-research", RESEARCH, 12_000),
}
QUICK = {"chopin": 1.0}
QUICK_STEPS = 400


def plan(recipe: str, *, quick: bool = False, steps: int | None = None) -> Plan:
    """The plan of a recipe, a name of PLANS. quick: Chopin alone, 400 steps: to see that all of it works"""
    chosen = PLANS[recipe]
    if quick:
        chosen = chosen._replace(shares=QUICK, steps=QUICK_STEPS)
    return chosen if steps is None else chosen._replace(steps=steps)


def run(
    chosen: Plan, work: Path, folder: Path, data: Path | None, font: Path, *, seed: int = 0, threads: int = 1
) -> Iterator[dict[str, Any]]:
    """Make a checkpoint.

    work: room for pieces and the state of training; folder: the checkpoint's, such as `models/critic-1`
    data: the folder with `openscore/`, `pop909/`, `kern/` and `asap/`, as far as the recipe has shares of them; may be
        None when work has pieces
    font: that plays what recordings are calibrated on
    yields: something to tell after each part and every 500 steps
    raises: MissingError when the extra `train` is not installed; UsageError when there are no sources, or work has the
        pieces of another recipe
    """
    from clefkit.train import recipes

    recipes.check_installed()
    from clefkit.train import critic, critic_card, critic_finish, critic_roll, pieces

    corpus = work / "pieces.npz"
    work.mkdir(parents=True, exist_ok=True)
    if data is None and not corpus.is_file():
        raise UsageError("training needs --data: the model card names its sources")
    music = pieces.read(data or Path(), corpus, chosen.shares, threads)
    missing = set(chosen.shares) - {piece.collection for piece in music}
    if missing:
        raise UsageError(f"{corpus} has no {', '.join(sorted(missing))}: choose another --work, or remove the file")
    yield {"pieces": len(music)}
    task = critic_roll.CRITIC_ROLL if chosen.recipe == "critic-roll" else critic.CRITIC
    yield from critic.train(corpus, chosen.shares, task, work, chosen.steps, seed, threads)
    network, step = critic.trained(task, work)
    made = critic_card.Made(folder.name, chosen, seed, step, task.longest_ms, font.stem)
    mine = [piece for piece in music if piece.collection in chosen.shares]
    figures = critic_finish.write(folder, network, mine, critic_card.about(made), font, threads)
    (folder / "card.md").write_text(critic_card.text(made, mine, figures), encoding="utf-8")
    yield {"validation": figures}
