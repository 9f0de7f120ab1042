"""`clefkit tag` on instruments and works that it did not learn from, and how fast it is.

    python benchmarks/tag.py --data DATA --work FOLDER --split validation

FreePats, played by TiMidity++, and presets of MuseScore_General that training leaves out play works that it leaves out
(`clefkit/train/tag/heldout.py`), one player alone and two to four together, 1 to 4 s long, recorded somewhere. Files
and truth are written to FOLDER, and `clefkit tag` and `clefkit score` run on them, as anybody would run them.

    solo top-1     the likeliest name is right, mean over the names that the set has; of all: among all 24
    mAP, events    as `clefkit score --as tags`: average precision, and F1 of segments of 1 s
    gain           mean error in dB, and pairs 3 dB apart whose louder one is known; "equal shares" is what somebody
                   says who only knows who plays
    calibration    expected calibration error of all probabilities, 15 bins
    described      Spearman of each descriptor, of an instrument in the mix and of its stem alone

"chance" is the mAP of random answers. The long file is ten minutes of all trials one after another.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import watched
from scipy.stats import rankdata

from clefkit.notes import Notes
from clefkit.tag import descriptors
from clefkit.tag.hearing import RATE
from clefkit.tag.vocabulary import DESCRIBED, LEAVES
from clefkit.train import heldout as scores
from clefkit.train.tag import finish, heldout, judge, mix, units
from clefkit.train.tag.judge import Trial

LONG_S = 600
SEED = 1


def trials(data: Path, work: Path, split: str, count: int) -> dict[str, list[Trial]]:
    """Trials of one player, and of several."""
    bank = work / "bank"
    bank.mkdir(parents=True, exist_ok=True)
    works: dict[str, list[Notes]] = {}
    for name, notes in scores.works(data, split):
        works.setdefault(name.split("/")[0], []).append(notes)
    heldout.build(works, bank, split, seed=0)
    stems = units.load(bank / f"heldout-{split}-000.npy")
    stock = mix.stock([stems], [np.full((len(stems.leaf), len(DESCRIBED)), np.nan, np.float32)])
    return {kind: list(judge.trials(stock, count, SEED, alone=kind == "solo")) for kind in ("solo", "mix")}


def clefkit(*arguments: str) -> watched.Used:
    """The program, as anybody would run it."""
    return watched.run([sys.executable, "-m", "clefkit", *arguments])


def written(given: Sequence[Trial], folder: Path) -> list[str]:
    """The trials as files, and their truth beside them, as truth.jsonl. Returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for trial in given:
        path = folder / f"{trial.truth['file']}.wav"
        soundfile.write(path, trial.sound, RATE, subtype="PCM_16")
        lines.append(json.dumps({**trial.truth, "file": path.name}))
    (folder / "truth.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [str(folder / f"{trial.truth['file']}.wav") for trial in given]


def measured(given: Sequence[Trial], folder: Path, model: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What `clefkit score` says of what `clefkit tag` found; and what it found."""
    files = written(given, folder)
    out, cpu_s, _ = clefkit("tag", "--json", "--model", model, *files)
    (folder / "found.jsonl").write_text(out, encoding="utf-8")
    row, _, _ = clefkit(
        "score", "--json", "--as", "tags", "--ref", str(folder / "truth.jsonl"), str(folder / "found.jsonl")
    )
    seconds = sum(len(trial.sound) for trial in given) / RATE
    found = [json.loads(line) for line in out.splitlines()]
    return {**json.loads(row.splitlines()[0]), "speed": seconds / cpu_s}, found


def solo(given: Sequence[Trial], found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """How often the likeliest name is right, and of which names it is not."""
    leaves = np.array([trial.leaves[0] for trial in given])
    likely = np.array([[each["tags"][name] for name in LEAVES] for each in found])
    present = np.unique(leaves)
    among, of_all = present[likely[:, present].argmax(axis=1)], likely.argmax(axis=1)
    by_name = {
        LEAVES[leaf]: (int((leaves == leaf).sum()), float((among == leaves)[leaves == leaf].mean())) for leaf in present
    }
    top1 = float(np.mean([right for _, right in by_name.values()]))
    all_names = float(np.mean([(of_all == leaves)[leaves == leaf].mean() for leaf in present]))
    return {"top1": top1, "top1_of_all": all_names, "by_name": by_name}


def calibration(given: Sequence[Trial], found: Sequence[dict[str, Any]]) -> float:
    said = np.array([[each["tags"][name] for name in LEAVES] for each in found])
    return finish.calibration_error(said, np.array([trial.clip[: len(LEAVES)] for trial in given]))


def chance(given: Sequence[Trial]) -> float:
    """The mean share of clips with a name, over names that some clip has."""
    truth = np.array([trial.clip[: len(LEAVES)] for trial in given])
    shares = [(own == 1).sum() / max(1, (own >= 0).sum()) for own in truth.T]
    return float(np.mean([share for share in shares if share > 0]))


def equal_shares(given: Sequence[Trial]) -> float:
    gains = [trial.truth["gains_db"] for trial in given]
    return float(np.mean([abs(gain + 10 * np.log10(len(each))) for each in gains for gain in each.values()]))


def described(given: Sequence[Trial], found: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Spearman of what is said of an instrument in the mix and what its stem is alone."""
    pairs: list[tuple[np.ndarray, list[float]]] = []
    for trial, each in zip(given, found, strict=True):
        said = {one["name"]: one["descriptors"] for one in each["instruments"]}
        for leaf, stem in zip(trial.leaves, trial.stems, strict=True):
            if leaf >= 0 and trial.leaves.count(leaf) == 1 and trial.clip[leaf] == 1:
                own = [said[LEAVES[leaf]][name] for name in DESCRIBED]
                pairs.append((descriptors.describe(stem), [np.nan if value is None else value for value in own]))
    true, guess = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs], float)
    result = {}
    for index, name in enumerate(DESCRIBED):
        known = np.isfinite(true[:, index]) & np.isfinite(guess[:, index])
        ranks = rankdata(true[known, index]), rankdata(guess[known, index])
        result[name] = float(np.corrcoef(*ranks)[0, 1])
    return result


def long_file(given: Sequence[Trial], folder: Path, model: str) -> tuple[float, float, float]:
    """Times real time on one core, and peak memory in MB, of a long file; and of a file six times as long."""
    sound = np.concatenate([trial.sound for trial in given])
    sound = np.resize(sound, LONG_S * RATE)
    paths = []
    for times in (1, 6):
        paths.append(folder / f"long-{times}.wav")
        soundfile.write(paths[-1], np.tile(sound, times), RATE, subtype="PCM_16")
    _, cpu_s, memory = clefkit("tag", "--json", "-j", "1", "--model", model, str(paths[0]))
    _, _, longer = clefkit("tag", "--json", "-j", "1", "--model", model, str(paths[1]))
    return LONG_S / cpu_s, memory, longer


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with openscore/")
    parser.add_argument("--work", type=Path, required=True, help="room for sound")
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--model", default="tag")
    parser.add_argument("--count", type=int, default=400, help="trials of each kind")
    chosen = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    began = time.monotonic()
    given = trials(chosen.data, chosen.work, chosen.split, chosen.count)
    print(f"{chosen.count} trials of each kind, made in {time.monotonic() - began:.0f} s")
    rows = {}
    for kind, each in given.items():
        rows[kind], found = measured(each, chosen.work / f"{chosen.split}-{kind}", chosen.model)
        row = rows[kind]
        print(f"\n{kind}: mAP {row['tag_map']:.3f} (chance {chance(each):.3f}), ROC AUC {row['tag_roc_auc']:.3f}, "
              f"F1 {row['tag_f1']:.3f}, events {row['segment_based_f1']:.3f}, "
              f"calibration {calibration(each, found):.3f}, {row['speed']:.0f} x real time with start")  # fmt: skip
        if kind == "solo":
            right = solo(each, found)
            print(f"top-1 {right['top1']:.3f}, of all names {right['top1_of_all']:.3f}")
            for name, (count, share) in right["by_name"].items():
                print(f"  {name:18} {count:4} {share:.2f}")
        else:
            print(f"gain error {row['gain_error_db']:.2f} dB (equal shares {equal_shares(each):.2f}), "
                  f"pairs in order {row['gain_order_accuracy']:.3f}")  # fmt: skip
            for name, value in described(each, found).items():
                print(f"  {name:18} {value:.2f}")
    speed, memory, longer = long_file(given["mix"], chosen.work, chosen.model)
    print(f"\n{LONG_S // 60} minutes: {speed:.0f} x real time on one core, {memory:.0f} MB; an hour: {longer:.0f} MB")


if __name__ == "__main__":
    main()
