"""The recipe of the checkpoint `tag`: a bank of stems, training, calibration, checkpoint.

    python -m clefkit.train.gather --sources CLONES --out SAMPLES
    python -m clefkit.train.gather --sources CLONES --out DRUMS --table tag_samples
    python -m clefkit.train.webfont --clone CLONE --out GeneralUserGS.sf2
    clefkit train tag --data DATA --samples SAMPLES --samples DRUMS ...     the one that ships, as its card says
    clefkit train tag --data FOLDER --from tag-1 --freeze ...               on recordings of one's own (see `layouts`)

What is there already is used again, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from clefkit.errors import UsageError

SHARDS = {"validation": 4, "train": 60}
QUICK_SHARDS = {"validation": 1, "train": 2}
STEPS, QUICK_STEPS, OWN_STEPS = 12_000, 300, 1_500
RECIPE = "tag"


class Plan(NamedTuple):
    """What to learn from.

    data: the folder with `openscore/`, `pop909/`, `kern/` and `real/`, or one that `layouts` reads
    fonts, samples: what plays, of the first kind of data; unlabelled: recordings of anything
    begin: a checkpoint's folder to begin with; freeze: all but what reads names, shares and descriptors from the trunk
    """

    data: Path
    fonts: tuple[Path, ...]
    samples: tuple[Path, ...] = ()
    unlabelled: Path | None = None
    begin: Path | None = None
    freeze: bool = False
    steps: int | None = None
    quick: bool = False

    @property
    def own(self) -> bool:
        return not (self.data / "openscore").is_dir()


def run(plan: Plan, work: Path, folder: Path, *, seed: int = 0, threads: int = 1) -> Iterator[dict[str, Any]]:
    """Make a checkpoint.

    work: room for the bank and the state of training; folder: the checkpoint's, such as `models/tag-1`
    yields: something to tell after each part and every 250 steps
    raises: MissingError when the extra `train` is not installed; UsageError when options don't fit the data
    """
    from clefkit.train import recipes

    recipes.check_installed()
    if plan.freeze and plan.begin is None:
        raise UsageError("--freeze needs --from: a checkpoint to begin with")
    from clefkit.train.tag import card, finish, loop

    bank = work / "bank"
    yield from _own_bank(plan, bank, threads) if plan.own else _bank(plan, bank, seed, threads)
    steps = plan.steps or (OWN_STEPS if plan.own else QUICK_STEPS if plan.quick else STEPS)
    start = loop.Start(plan.begin, plan.freeze)
    yield from loop.train(bank, plan.unlabelled, work, steps, seed, threads, start)
    network, step = loop.trained(work)
    made = card.Made(folder.name, plan, seed, step)
    figures = finish.write(folder, network, finish.sets(bank), card.about(made), bank)
    (folder / "card.md").write_text(card.text(made, bank, figures), encoding="utf-8")
    yield {"validation": figures}


def _own_bank(plan: Plan, bank: Path, threads: int) -> Iterator[dict[str, Any]]:
    from clefkit.train.tag import measured, own

    left_out: list[str] = []
    for line in own.build(plan.data, bank, left_out):
        yield {"built": line}
    if left_out:
        yield {"left_out": left_out}
    measured.build(bank, threads)


def _bank(plan: Plan, bank: Path, seed: int, threads: int) -> Iterator[dict[str, Any]]:
    from clefkit.train.tag import heldout, measured, units

    if not plan.fonts:
        raise UsageError("a full training needs --soundfont: the model card names them")
    sources = units.Sources(plan.data, plan.fonts, plan.samples)
    for line in units.build(sources, bank, QUICK_SHARDS if plan.quick else SHARDS, seed, threads):
        yield {"built": line}
    if shutil.which("timidity") and not plan.quick:
        works = units.works_of(bank / "corpus.npz", "validation")
        yield {"built": f"{heldout.build(works, bank, 'validation', seed)} units that judge"}
    measured.build(bank, threads)
