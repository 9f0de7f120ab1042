"""Is the same piece judged alike as MusicXML, as MIDI and as sound?

    python benchmarks/alike.py --data DATA --work WORK --count 20

Scores of the test split, evenly from OpenScore's songs and quartets. Each is judged as it is; as the MIDI file that
`render` writes, played by a human; and as its sound, which goes through `transcribe`. Told: P(real) of each, and the
mean of how far apart two kinds of files are.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from clefkit.train import corpus

FORMS = ("score", "MIDI", "sound")


def clefkit(*words: str) -> str:
    """What a command prints."""
    return subprocess.run([sys.executable, "-m", "clefkit", *words], capture_output=True, text=True, check=True).stdout


def judged(path: Path, model: str) -> float:
    found: float = json.loads(clefkit("critique", "--json", "--model", model, str(path)))["p_real"]
    return found


def scores(data: Path, split: str, count: int, work: Path) -> list[Path]:
    """Some scores of a split, as files."""
    found = list(corpus.openscore(data, split))
    paths = []
    for name, _, score in found[:: max(1, len(found) // count)][:count]:
        path = work / Path(name).name
        path.write_bytes(score)
        paths.append(path)
    return paths


def rendered(score: Path, work: Path) -> tuple[Path, Path]:
    """The MIDI and the sound that `render` makes of a score."""
    folder = work / score.stem
    if not folder.is_dir():
        clefkit("render", str(score), "--out", str(folder), "--quiet")
    (sound,) = folder.glob("*.wav")
    (played,) = folder.glob("*.ref.mid")
    return played, sound


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds openscore/")
    parser.add_argument("--split", default="test", choices=("test", "validation"))
    parser.add_argument("--work", type=Path, required=True, help="where what is rendered is kept")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--model", default="critic")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    rows = []
    for score in scores(asked.data, asked.split, asked.count, asked.work):
        played, sound = rendered(score, asked.work)
        rows.append([judged(path, asked.model) for path in (score, played, sound)])
        print(score.stem, *(f"{value:.3f}" for value in rows[-1]), flush=True)
    table = np.array(rows)
    print(
        f"{len(table)} pieces; mean P(real): "
        + ", ".join(f"{name} {table[:, at].mean():.3f}" for at, name in enumerate(FORMS))
    )
    for one, other in itertools.combinations(range(len(FORMS)), 2):
        apart = np.abs(table[:, one] - table[:, other])
        print(f"{FORMS[one]} and {FORMS[other]}: {apart.mean():.3f} apart, at most {apart.max():.3f}")


if __name__ == "__main__":
    main()
