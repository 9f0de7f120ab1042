"""Pieces that `compose` makes, judged by another critic than the one that they were made for.

    python benchmarks/compose.py --pieces pieces.npz --count 40 --judge critic-roll

Each piece is compared with a random one (as many notes, any pitch between its lowest and highest, its steps and lengths
in any order) and with a Markov piece: a walk through a real excerpt of the validation split, where after each pitch
comes what came after that pitch at some place there. pieces.npz is what `clefkit train critic` leaves in its --work.

    scale consistency   the largest share of notes in one major scale (MusPy's measure)
    above               share of pieces that the judge puts above the random, or Markov, piece with the same number
    over the median     by how much the logit of P(real) is above the median of real music; below 0: it is not
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit import critique, registry
from clefkit.critique import compose, infer
from clefkit.critique.table import DURATION, ONSET, PITCH, VELOCITY, Table, columns
from clefkit.train import pieces, spoil, trial

SECONDS = 30
MAJOR = np.array([[(pitch - tonic) % 12 in (0, 2, 4, 5, 7, 9, 11) for pitch in range(12)] for tonic in range(12)])


def scale_consistency(notes: Table) -> float:
    counts = np.bincount(notes[:, PITCH] % 12, minlength=12)
    return float((MAJOR @ counts).max() / counts.sum())


def composed(seed: int, model: str) -> Table:
    critic = infer.load(registry.checkpoint(model).path)
    return columns(compose.compose(SECONDS, critic, np.random.default_rng(seed)))


def random(notes: Table, generator: Generator) -> Table:
    found = notes.copy()
    steps = generator.permutation(np.diff(notes[:, ONSET]))
    found[1:, ONSET] = notes[0, ONSET] + np.cumsum(steps)
    found[:, DURATION] = generator.permutation(notes[:, DURATION])
    found[:, PITCH] = generator.integers(notes[:, PITCH].min(), notes[:, PITCH].max() + 1, len(notes))
    return trial.ordered(found)


def markov(notes: Table, generator: Generator) -> Table:
    """A walk of 30 s: from each note to one that came, there, after a note of the same pitch."""
    steps = np.diff(notes[:, ONSET])
    at, time = 0, 0
    found: list[list[int]] = []
    while time < SECONDS * 1000 and len(found) < infer.MOST_NOTES:
        found.append([time, notes[at, DURATION], notes[at, PITCH], notes[at, VELOCITY]])
        places = np.flatnonzero(notes[:-1, PITCH] == notes[at, PITCH])
        place = int(generator.choice(places)) if len(places) else int(generator.integers(len(steps)))
        time, at = time + int(steps[place]), place + 1
    return trial.ordered(np.array(found, np.int32))


def excerpts(path: Path, count: int) -> list[Table]:
    """Of scores of the validation split."""
    generator = np.random.default_rng(0)
    mine = [piece for piece in pieces.load(path) if (piece.split, piece.domain) == ("validation", "score")]
    return [
        spoil.cut(mine[index % len(mine)].notes, SECONDS * 1000, generator)
        for index in generator.permutation(max(count, len(mine)))[:count]
    ]


def tell(name: str, made: Sequence[Table], others: dict[str, list[Table]]) -> None:
    """What a judge says of all."""
    rewards: NDArray[np.float64] = critique.reward(made, model=name)
    median = critique.ceiling(name)
    print(f"\n{name}: over the median {np.median(rewards) - median:+.2f}, at most {rewards.max() - median:+.2f}")
    for other, tables in others.items():
        found = critique.reward(tables, model=name)
        above, gap = np.mean(rewards > found), np.median(rewards) - np.median(found)
        print(
            f"  above {other}: {100 * above:.1f} %, by {gap:.2f}; that over the median {np.median(found) - median:+.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pieces", type=Path, required=True)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--model", default="critic", help="that composes")
    parser.add_argument("--judge", nargs="*", default=["critic-roll"], help="other critics")
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    with ProcessPoolExecutor(asked.jobs) as pool:
        made = list(pool.map(partial(composed, model=asked.model), range(asked.count)))
    generator = np.random.default_rng(1)
    real = excerpts(asked.pieces, asked.count)
    others = {
        "random": [random(each, generator) for each in made],
        "Markov": [markov(each, generator) for each in real],
        "real": real,
    }
    consistent = [scale_consistency(each) for each in made]
    pitches = [len(np.unique(each[:, PITCH])) for each in made]
    print(f"{len(made)} pieces of {SECONDS} s; pitches: {min(pitches)} and more, {np.mean(pitches):.1f} on average")
    print(f"scale consistency: {min(consistent):.3f} and more, {np.mean(consistent):.3f} on average")
    for name, tables in others.items():
        print(f"  of {name}: {np.mean([scale_consistency(each) for each in tables]):.3f}")
    for name in (asked.model, *asked.judge):
        tell(name, made, others)


if __name__ == "__main__":
    main()
